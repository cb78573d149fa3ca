"""All stages on a 3x3 board for a few steps, from the command line to an agent that answers GTP."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from agents.checkpoint import load_checkpoint
from agents.go_agent import GoAgent
from agents.go_model import load_go_model
from agents.players import AgentPlayer
from envs.errors import UserError
from envs.go.renderer import renderer_for
from envs.go.rules import GoGame
from envs.go.sgf import write_sgf
from tests.go_games import random_moves, tiny_record_file
from train.__main__ import main
from train.compose import CONF
from train.export import STAGES, export_go_agent
from train.state import load_state
from train.tokenizer import TokenizerStage

ROOT = Path(__file__).parents[2]
EXPERIMENT = "go9-small"
FAST = [
    "model=tiny", "data.size=3", "data.held_out=0.2", "trainer=cpu", "trainer.steps=4", "trainer.batch_size=8",
    "trainer.warmup_steps=1", "+stage.evaluate_clips=20",
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def no_peak_measurement() -> Any:
    """Measuring the machine takes longer than these runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("train.trainer.measure_peak", lambda device, precision: 1e9)
        yield


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_record_file(tmp_path_factory.mktemp("data") / "games.npz")


@pytest.fixture(scope="module")
def run(records: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished experiment."""
    out = tmp_path_factory.mktemp("run")
    assert main(experiment_words(records, out)) == 0
    return out


def experiment_words(records: Path, out: Path) -> list[str]:
    return [f"experiment={EXPERIMENT}", *FAST, f"data.path={records}", f"out={out}", f"export={out / 'agent'}"]


def stage_words(records: Path, run: Path, stage: str, out: Path) -> list[str]:
    """A single stage on top of a finished run's earlier stages."""
    earlier = STAGES[: STAGES.index(stage)]
    inputs = [f"inputs.{name}={run / name / 'checkpoint'}" for name in earlier]
    return [stage, *FAST, *inputs, f"data.path={records}", f"out={out}"]


def test_every_stage_leaves_its_checkpoint(run: Path) -> None:
    measured = {
        "tokenizer": {"boards_exact", "pixel_error"},
        "dynamics": {"code_to_move", "move_to_code", "codes_used", "boards_exact"},
        "world": {"frame_loss", "frame_exact", "code_loss", "code_top1"},
        "inverse_dynamics": {"move_accuracy", "labels"},
    }
    for stage in STAGES:
        checkpoint = load_checkpoint(run / stage / "checkpoint")
        assert checkpoint.config["kind"] == stage
        assert checkpoint.config["data"]["size"] == 3
        assert set(checkpoint.metrics) == measured[stage]
        assert all(np.isfinite(value) for value in checkpoint.metrics.values())
        assert json.loads((run / stage / "finished.json").read_text())["step"] == 4


def test_the_agent_is_what_the_stages_learned(run: Path) -> None:
    model = load_go_model(run / "agent")
    parts = {
        "tokenizer": model.world.tokenizer, "dynamics": model.world.dynamics,
        "world": model.world.transformer, "inverse_dynamics": model.inverse_dynamics,
    }  # fmt: skip
    for stage, part in parts.items():
        learned = load_checkpoint(run / stage / "checkpoint").tensors
        own = part.state_dict()
        assert own.keys() == learned.keys()
        for key, tensor in own.items():
            # the transformer is stored as float16
            expected = learned[key].half().float() if stage == "world" else learned[key]
            assert torch.equal(tensor, expected), key
    assert model.geometry.size == 3
    assert set(json.loads((run / "agent" / "metrics.json").read_text())) == set(STAGES)
    card = (run / "agent" / "README.md").read_text()
    assert all(f"| {stage} | 4 |" in card for stage in STAGES)
    assert "- `python -m train experiment=go9-small model=tiny data.size=3" in card and " on 1 x cpu" in card
    assert str(run) not in card, "no folder of this machine"


def test_the_agent_plays_legal_games(run: Path) -> None:
    agent = GoAgent.load(run / "agent", temperature=1.0, seed=1)
    player = AgentPlayer(agent, renderer_for(agent.geometry))
    game = GoGame(3)
    while not game.is_over and len(game.history) < 20:
        decision = player.choose(game)
        assert decision.thought.frame is not None and decision.thought.frame.shape == (32, 32, 3)
        game.play(decision.action)
    assert game.history


def test_the_experiment_goes_on_where_it_ended(run: Path, records: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in run.rglob("model.safetensors")}
    assert main(experiment_words(records, run)) == 0
    assert capsys.readouterr().out.count("finished already") == 4
    assert {path: path.read_bytes() for path in run.rglob("model.safetensors")} == before


def test_a_finished_experiment_with_other_settings_is_refused(
    run: Path, records: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    more = ["model=base", "data=sgf", "data.path=/no/such", "trainer.minutes=999"]
    assert main([*experiment_words(records, run), *more]) == 2
    said = capsys.readouterr()
    assert "tokenizer holds a run with stage." in said.err and said.err.count("\n") == 1 and said.out == ""
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_run_alone_learns_the_same(run: Path, records: Path, tmp_path: Path, stage: str) -> None:
    """Same seed, same data, same weights: to the bit."""
    assert main(stage_words(records, run, stage, tmp_path / stage)) == 0
    one, other = (load_checkpoint(folder / stage / "checkpoint").tensors for folder in (run, tmp_path))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_an_interrupted_stage_goes_on_to_the_same_weights(
    run: Path, records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = stage_words(records, run, "tokenizer", tmp_path / "parted")
    draw = TokenizerStage.to_device
    seen = []

    def interrupted(self: TokenizerStage, batch: Any, device: torch.device) -> Any:
        seen.append(1)
        if len(seen) == 2:
            signal.raise_signal(signal.SIGINT)
        return draw(self, batch, device)

    with monkeypatch.context() as patch:
        patch.setattr(TokenizerStage, "to_device", interrupted)
        assert main(words) == 130
    saved = load_state(tmp_path / "parted" / "state")
    assert saved is not None and saved.clock.step == 2
    assert main(words) == 0
    one, other = (load_checkpoint(folder / "checkpoint").tensors for folder in (run / "tokenizer", tmp_path / "parted"))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_learning_from_ones_own_games(tmp_path: Path) -> None:
    """A folder of SGF files, and two changes in a clip."""
    (tmp_path / "games").mkdir()
    moves, lengths = random_moves(6, 8, 3)
    for number in range(6):
        game = GoGame(3)
        for point in moves[number, : lengths[number]]:
            game.play(int(point))
        write_sgf(game, tmp_path / "games" / f"{number}.sgf")
    words = ["data=sgf", *FAST, f"data.path={tmp_path / 'games'}", "data.horizon=2"]
    inputs = [f"inputs.{name}={tmp_path / name / 'checkpoint'}" for name in STAGES[:2]]
    for stage in STAGES:
        given = [] if stage in STAGES[:2] else inputs
        assert main([stage, *words, *given, f"out={tmp_path / stage}"]) == 0
    export_go_agent({stage: tmp_path / stage / "checkpoint" for stage in STAGES}, tmp_path / "agent")
    agent = GoAgent.load(tmp_path / "agent")
    frame = renderer_for(agent.geometry).render_game(GoGame(3))
    assert 0 <= agent.decide(frame).action <= 9


def test_going_on_from_an_agent(run: Path, records: Path, tmp_path: Path) -> None:
    """Eyes stay as they are, the world model begins with the agent's and learns on."""
    words = ["experiment=go9-more", *FAST, f"data.path={records}", f"start={run / 'agent'}"]
    out, agent = tmp_path / "more", tmp_path / "agent"
    assert main([*words, f"out={out}", f"export={agent}"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["inverse_dynamics", "world"]
    old, new = (load_checkpoint(folder) for folder in (run / "agent", agent))
    assert old.config == new.config
    changed = {key.split(".")[1] for key in old.tensors if not torch.equal(old.tensors[key], new.tensors[key])}
    assert "transformer" in changed and not changed & {"tokenizer", "dynamics"}
    assert new.metrics["tokenizer"] == old.metrics["tokenizer"]
    assert str(run / "agent") in (agent / "README.md").read_text()
    card = (agent / "README.md").read_text()
    first, second = old.metrics["world"], new.metrics["world"]
    assert second["before"] == [{key: first[key] for key in ("steps", "minutes", "command", "machine")}]
    assert f"| world | {first['steps']} + {second['steps']} |" in card
    assert card.index("- `python -m train experiment=go9-small") < card.index("- `python -m train experiment=go9-more")
    still = ["world", *FAST, f"data.path={records}", "trainer.lr=1e-9", "trainer.muon_lr=1e-9"]
    inputs = [f"inputs.{stage}={run / 'agent'}" for stage in STAGES[:3]]
    assert main([*still, *inputs, f"out={tmp_path / 'still'}"]) == 0
    begun = load_checkpoint(tmp_path / "still" / "checkpoint").tensors
    for key, tensor in begun.items():
        torch.testing.assert_close(tensor, old.tensors[f"world.transformer.{key}"].float(), atol=1e-6, rtol=0)


def test_the_tokenizer_begins_with_an_agents(run: Path, records: Path, tmp_path: Path) -> None:
    still = ["tokenizer", *FAST, f"data.path={records}", "trainer.lr=1e-9", f"inputs.tokenizer={run / 'agent'}"]
    assert main([*still, f"out={tmp_path / 'still'}"]) == 0
    old = load_checkpoint(run / "agent").tensors
    for key, tensor in load_checkpoint(tmp_path / "still" / "checkpoint").tensors.items():
        if tensor.is_floating_point():
            torch.testing.assert_close(tensor, old[f"world.tokenizer.{key}"], atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda config: config["data"].update(size=2), "dynamics/checkpoint knows 2x2 boards"),
        (lambda config: config["data"].update(cell=9), "does not describe the stage dynamics"),
        (lambda config: config.pop("model"), r"does not describe the stage dynamics \(no 'model'\)"),
        (lambda config: config["model"].update(foo=1), "does not describe the stage dynamics"),
    ],
)
def test_an_export_of_stages_that_do_not_fit(run: Path, tmp_path: Path, change: Any, message: str) -> None:
    folders = {stage: run / stage / "checkpoint" for stage in STAGES}
    folders["dynamics"] = shutil.copytree(folders["dynamics"], tmp_path / "dynamics" / "checkpoint")
    config = load_checkpoint(folders["dynamics"]).config
    change(config)
    (folders["dynamics"] / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(UserError, match=message):
        export_go_agent(folders, tmp_path / "agent")
    assert not (tmp_path / "agent").exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"step": 3}'])
def test_an_export_beside_damaged_records(run: Path, tmp_path: Path, text: str) -> None:
    folders = {stage: run / stage / "checkpoint" for stage in STAGES}
    folders["world"] = shutil.copytree(run / "world", tmp_path / "world") / "checkpoint"
    (tmp_path / "world" / "finished.json").write_text(text)
    if text == "[]":  # as if there were none
        export_go_agent(folders, tmp_path / "agent")
    else:
        with pytest.raises(UserError, match=r"world.*remove"):
            export_go_agent(folders, tmp_path / "agent")


def test_a_checkpoint_of_another_stage(
    run: Path, records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = stage_words(records, run, "world", tmp_path / "out")
    assert main([*words, f"inputs.dynamics={run / 'tokenizer' / 'checkpoint'}"]) == 2
    assert "holds a 'tokenizer' checkpoint: give inputs.dynamics" in capsys.readouterr().err


def test_an_export_without_all_stages(run: Path, tmp_path: Path) -> None:
    folders = {stage: run / stage / "checkpoint" for stage in STAGES[:3]}
    with pytest.raises(UserError, match="inputs.inverse_dynamics="):
        export_go_agent(folders, tmp_path / "agent")
    folders["inverse_dynamics"] = tmp_path / "nowhere"
    with pytest.raises(UserError, match="there is no checkpoint folder"):
        export_go_agent(folders, tmp_path / "agent")
    assert not (tmp_path / "agent").exists()


@pytest.mark.parametrize("words", [["data.size=5"], ["data=sgf"], ["data.path=nowhere.npz"], ["model=huge"]])
def test_mistakes_are_one_sentence(
    records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    path = [] if any(word.startswith("data") and "size" not in word for word in words) else [f"data.path={records}"]
    assert main(["tokenizer", *FAST, *path, f"out={tmp_path / 'run'}", *words]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1 and said[0].startswith("train: ")


def test_the_experiment_file_names_every_stage() -> None:
    content = yaml.safe_load((CONF / "experiment" / f"{EXPERIMENT}.yaml").read_text())
    assert [entry["stage"] for entry in content["stages"]] == list(STAGES)
    assert content["export_with"] == "train.export:export_go_agent"


def test_gtp_with_the_trained_agent(run: Path) -> None:
    """A real process: `play.py gtp` answers with moves of the learned agent."""
    commands = "1 boardsize 3\n2 clear_board\n3 genmove b\n4 play w pass\n5 genmove b\n6 boardsize 9\n7 quit\n"
    done = subprocess.run(
        [sys.executable, str(ROOT / "play.py"), "gtp", "--checkpoint", str(run / "agent"), "--seed", "1"],
        input=commands, text=True, capture_output=True, timeout=200, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers = [line for line in done.stdout.splitlines() if line]
    assert [line.split()[0] for line in answers] == ["=1", "=2", "=3", "=4", "=5", "?6", "=7"]
    moves = {"pass", *(f"{column}{row}" for column in "abc" for row in (1, 2, 3))}
    for answer in (answers[2], answers[4]):
        assert answer.split()[1].lower() in moves
    assert "Traceback" not in done.stderr
