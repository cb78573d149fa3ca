"""From videos of a robot to an agent that moves it, and what the stages see on the way."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from agents import sentences
from agents.robot_agent import RobotAgent
from agents.videoworld.config import InverseMotionConfig, WorldConfig
from envs.errors import UserError
from tests import rlbench_data
from tests.calvin_data import record
from train.__main__ import main
from train.data.joint_video import JointVideoConfig
from train.data.robot_video import RobotVideo, RobotVideoConfig
from train.inverse_dynamics import InverseDynamicsStage, InverseDynamicsStageConfig
from train.stages import Inputs
from train.world import Watched, WorldStage, WorldStageConfig

STAGES = ("tokenizer", "dynamics", "world", "inverse_dynamics")
FAST = (
    "experiment=calvin-small", "data.side=32", "data.stride=2", "data.held_out=0.3", "trainer.minutes=null",
    "trainer.steps=4", "trainer.batch_size=4", "trainer.warmup_steps=1", "++stage.evaluate_clips=20",
    "model.tokenizer.name=tiny", "+model.dynamics.readout=motion", "model.dynamics.name=tiny",
    "+model.dynamics.parts=2", "+model.dynamics.levels=[4,4]", "model.world.name=tiny",
    "+model.world.code_readout=last", "+model.world.instruction_dim=8", "model.inverse_dynamics.name=tiny",
)  # fmt: skip


class Letters:
    """Stands in for a text model: counts of letters."""

    name, dim = "letters", 8

    def __init__(self, name: str) -> None:
        pass

    def __call__(self, told: Sequence[str]) -> np.ndarray:
        return np.array([[text.count(letter) for letter in "aeinorst"] for text in told], np.float32)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A finished experiment of four steps a stage, on a small data set."""
    folder = tmp_path_factory.mktemp("robots")
    record(folder / "data" / "training", [12, 9, 15, 11])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sentences, "TextModel", Letters)
        assert main(words(folder)) == 0
        yield folder


@pytest.fixture(scope="module")
def rlbench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small data set of RLBench's tasks."""
    folder = tmp_path_factory.mktemp("rlbench")
    rlbench_data.record(folder / "data" / "training", [12, 9, 15, 11])
    return folder


def words(folder: Path) -> list[str]:
    out = folder / "run"
    return [*FAST, f"data.folders=[{folder / 'data'}]", f"out={out}", f"export={out / 'agent'}"]


def config(folder: Path, **settings: Any) -> RobotVideoConfig:
    return RobotVideoConfig((str(folder / "data"),), **{"side": 32, "stride": 2, "held_out": 0.3, **settings})


RLBENCH: dict[str, Any] = {"world": "rlbench", "scene": "front", "wrist": "wrist"}


def bare_copy(source: Path, bare: Path, pictures: Sequence[str]) -> None:
    """A split without any action, state or name of a task."""
    from envs.objects import load_array, object_bytes

    bare.mkdir(parents=True)
    for path in source.iterdir():
        if path.suffix == ".npz":
            with np.load(path) as frame:
                np.savez(bare / path.name, **{key: frame[key] for key in pictures})
        elif path.name.startswith("ep_"):
            (bare / path.name).write_bytes(path.read_bytes())
    (bare / "lang_annotations").mkdir()
    name = "lang_annotations/auto_lang_ann.npy"
    told = load_array(source / name).item()
    (bare / name).write_bytes(object_bytes({"language": {"ann": told["language"]["ann"]}, "info": told["info"]}))


def test_every_stage_measures_itself(run: Path) -> None:
    measured = {
        "tokenizer": {"psnr", "pixel_error"},
        "dynamics": {"motion_from_codes", "codes_used", "psnr"},
        "world": {"frame_loss", "frame_exact", "code_loss", "code_top1"},
        "inverse_dynamics.calvin": {"motion_r2", "gripper_accuracy", "labels"},
    }
    metrics = json.loads((run / "run/agent/metrics.json").read_text())
    for stage in measured:
        assert measured[stage] <= set(metrics[stage]) and metrics[stage]["steps"] == 4
    card = (run / "run/agent/README.md").read_text()
    assert "It looks anew after 2 actions in calvin" in card
    assert "robot arm" in card and all(f"| {stage} | 4 |" in card for stage in measured)


def test_the_agent_acts_and_knows_the_sentences(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences, "TextModel", None)  # all it needs came with the checkpoint
    agent = RobotAgent.load(run / "run/agent", "calvin", replan=1)
    agent.reset("pull the handle to open the drawer")
    pictures = {"static": np.zeros((200, 200, 3), np.uint8), "gripper": np.full((84, 84, 3), 200, np.uint8)}
    action = agent.act(pictures, imagine=2)
    assert action.shape == (7,) and np.abs(action).max() <= 1 and action[6] in (-1, 1)
    thought = agent.thought
    assert thought is not None and thought.imagined is not None
    assert thought.imagined.shape == (2, 32, 48, 3) and thought.actions.shape == (2, 7)
    assert 0 < thought.confidence < 1


def test_the_same_command_goes_on(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words(run)) == 0
    assert capsys.readouterr().out.count("finished already") == 4


@pytest.mark.parametrize(
    ("world", "pictures"),
    [
        ("calvin", ("rgb_static", "rgb_gripper")),
        ("rlbench", ("rgb_front", "rgb_wrist")),
        ("both", ("rgb_static", "rgb_gripper", "rgb_front", "rgb_wrist")),
    ],
)
def test_the_world_stage_sees_frames_and_sentences_and_nothing_else(
    world: str, pictures: tuple[str, ...], run: Path, rlbench: Path, joint: Path, tmp_path: Path
) -> None:
    """With every action, state and task's name taken out of the data sets, it sees and learns the same."""
    trained = joint / "run" if world != "calvin" else run / "run"
    inputs = Inputs(**{name: str(trained / name / "checkpoint") for name in ("tokenizer", "dynamics")})
    model = WorldConfig.preset("tiny", code_readout="last", instruction_dim=8)

    def data(calvin: Path, rlbench: Path) -> RobotVideoConfig | JointVideoConfig:
        each = {"calvin": config(calvin), "rlbench": config(rlbench, **RLBENCH)}
        return JointVideoConfig(each) if world == "both" else each[world]

    def learned(data: RobotVideoConfig | JointVideoConfig) -> tuple[Watched, float]:
        torch.manual_seed(0)
        stage = WorldStage(WorldStageConfig(data=data, inputs=inputs, model=model))
        watched = stage.to_device(stage.batch(3, 0, 0, 1, 8), torch.device("cpu"))
        assert set(vars(watched)) == {"frames", "instructions", "alternatives"} and watched.alternatives is None
        return watched, stage.model(watched)[0].item()

    bare = data(tmp_path / "calvin", tmp_path / "rlbench")
    bare_copy(run / "data/training", tmp_path / "calvin/data/training", ("rgb_static", "rgb_gripper"))
    bare_copy(rlbench / "data/training", tmp_path / "rlbench/data/training", ("rgb_front", "rgb_wrist"))
    (seen, loss), (seen_bare, loss_bare) = learned(data(run, rlbench)), learned(bare)
    assert torch.equal(seen.frames, seen_bare.frames) and loss == loss_bare
    assert seen.instructions is not None and seen_bare.instructions is not None
    assert torch.equal(seen.instructions, seen_bare.instructions)
    one = replace(bare, world="calvin") if isinstance(bare, JointVideoConfig) else bare
    with pytest.raises(UserError, match="has no rel_actions"):
        one.video("train").sample_labelled(np.random.default_rng(0), 4, 10)
    with pytest.raises(UserError, match="has no rel_actions"):  # at once, not when the training has begun
        InverseDynamicsStage(InverseDynamicsStageConfig(data=one, inputs=inputs, model=InverseMotionConfig()))


# Two worlds, one agent


@pytest.fixture(scope="module")
def joint(run: Path, rlbench: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished joint experiment of four steps a stage."""
    folder = tmp_path_factory.mktemp("joint")
    assert main(joint_words(folder, run, rlbench)) == 0
    return folder


def joint_words(folder: Path, run: Path, rlbench: Path) -> list[str]:
    each = [
        f"data.worlds.{name}.{word}"
        for name, data in (("calvin", run / "data"), ("rlbench", rlbench / "data"))
        for word in ("side=32", "stride=2", "held_out=0.3", f"folders=[{data}]")
    ]
    rest = [word for word in FAST if not word.startswith(("experiment", "data."))]
    return ["experiment=robots-small", *rest, *each, f"out={folder / 'run'}", f"export={folder / 'run/agent'}"]


def test_one_agent_learns_two_worlds(joint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences, "TextModel", None)  # all it needs came with the checkpoint
    acted = {}
    for world, cameras, sentence in (
        ("calvin", ("static", "gripper"), "pull the handle to open the drawer"),
        ("rlbench", ("front", "wrist"), "close box"),
    ):
        agent = RobotAgent.load(joint / "run/agent", world)
        agent.reset(sentence)
        acted[world] = agent.act({camera: np.full((128, 128, 3), 90, np.uint8) for camera in cameras}, imagine=1)
        assert acted[world].shape == (7,) and np.abs(acted[world]).max() <= 1 and acted[world][6] in (-1, 1)
        assert agent.thought is not None and agent.thought.frame.shape == (32, 48, 3)
    assert not np.array_equal(acted["calvin"], acted["rlbench"])  # each world has a head of its own
    with pytest.raises(UserError, match="knows calvin and rlbench, not go; give another one"):
        RobotAgent.load(joint / "run/agent", "go")
    metrics = json.loads((joint / "run/agent/metrics.json").read_text())
    assert {"motion_from_codes.calvin", "motion_from_codes.rlbench", "psnr"} <= set(metrics["dynamics"])
    assert all(metrics[f"inverse_dynamics.{world}"]["steps"] == 4 for world in acted)


def test_heads_of_two_worlds_begin_anew_and_are_finished_both(
    joint: Path, run: Path, rlbench: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = [json.loads((joint / f"run/inverse_dynamics_{w}/run.json").read_text()) for w in ("calvin", "rlbench")]
    assert [run["stage"]["data"]["world"] for run in told] == ["calvin", "rlbench"]
    assert [run["stage"]["inputs"]["inverse_dynamics"] for run in told] == [None, None]
    assert main(joint_words(joint, run, rlbench)) == 0
    assert capsys.readouterr().out.count("finished already") == 5


def test_an_agent_of_one_world_goes_on_to_learn_two(run: Path, rlbench: Path, tmp_path: Path) -> None:
    """Each stage begins with what the agent has of it; it has no head for RLBench."""
    start = run / "run/agent"
    words = [*joint_words(tmp_path, run, rlbench), f"start={start}", "trainer.lr=1e-9", "trainer.muon_lr=1e-9"]
    assert main(words) == 0
    before, after = RobotAgent.load(start, "calvin").model, RobotAgent.load(tmp_path / "run/agent", "calvin").model
    known = dict(before.named_parameters())
    for name, parameter in after.named_parameters():
        assert torch.allclose(parameter, known[name], rtol=1e-2, atol=1e-5), name
    assert RobotAgent.load(tmp_path / "run/agent", "rlbench").model.steps == 2


def test_an_agent_of_two_worlds_learns_on(joint: Path, run: Path, rlbench: Path, tmp_path: Path) -> None:
    """Its world model does; eyes, heads and how often it looks stay."""
    words = [word for word in joint_words(tmp_path, run, rlbench) if not word.startswith("experiment")]
    start = tmp_path / "start"
    shutil.copytree(joint / "run/agent", start)
    config = yaml.safe_load((start / "config.yaml").read_text())
    config["worlds"]["calvin"]["replan"] = 1
    (start / "config.yaml").write_text(yaml.safe_dump(config))
    assert main(["experiment=robots-more", *words, f"start={start}"]) == 0
    assert [RobotAgent.load(tmp_path / "run/agent", world).replan for world in ("calvin", "rlbench")] == [1, 2]
    for world in ("calvin", "rlbench"):
        before, after = (RobotAgent.load(folder / "run/agent", world).model for folder in (joint, tmp_path))
        same = {name: torch.equal(a, b) for (name, a), b in zip(
            before.named_parameters(), after.parameters(), strict=True)}  # fmt: skip
        assert {name for name, equal in same.items() if not equal} <= {n for n in same if ".transformer." in n}
        assert not all(same.values())


def test_a_world_goes_with_networks_that_know_it(joint: Path, run: Path, rlbench: Path) -> None:
    """RLBench's videos alone with what was learned of both; CALVIN's networks have never seen them."""
    model = InverseMotionConfig.preset("tiny")

    def stage(folder: Path) -> InverseDynamicsStage:
        inputs = Inputs(dynamics=str(folder / "run/agent"))
        data = config(rlbench, **RLBENCH)
        return InverseDynamicsStage(InverseDynamicsStageConfig(data=data, inputs=inputs, model=model))

    assert stage(joint).model is not None
    with pytest.raises(UserError, match="knows pictures of the cameras static and gripper, 32 px high, but this run"):
        stage(run)


def test_labels_are_mean_actions_and_as_few_as_asked_for(run: Path) -> None:
    video = RobotVideo(config(run), "train")
    rng = np.random.default_rng(0)
    clips, actions = video.sample_labelled(rng, 300, 3)
    frames = clips.frames()
    assert frames.shape == (300, 2, 32, 48, 3) and actions.shape == (300, 7) and np.abs(actions).max() <= 1
    assert len(np.unique(actions, axis=0)) == 3 and set(actions[:, 6]) <= {-1.0, 1.0}
    assert len(video.sweep(1000)[1]) == len(video)


def test_figures_of_rebuilt_frames_and_of_codes(run: Path) -> None:
    video = RobotVideo(config(run), "validation")
    frames = video.sweep(5)[0].frames()[:, 0]
    assert video.compare(frames, frames)["psnr"].min() > 70
    done = np.random.default_rng(0).normal(size=(400, 7)).astype(np.float32)
    digits = (done[:, None, :2] > 0).astype(np.int64)
    told, random = video.compare_codes(digits, done), video.compare_codes(digits[::-1], done)
    assert told["motion_from_codes"] > 0.15 > random["motion_from_codes"] and told["codes_used"] == 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stride": 0}, "data.stride is 0: choose a whole number of at least 1"),
        ({"horizon": 0}, "data.horizon is 0"),
        ({"side": 33}, "a canvas of 33 px"),
        ({"folders": ()}, "data.folders is empty"),
    ],
)
def test_impossible_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        RobotVideoConfig(**settings)
