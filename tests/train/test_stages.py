"""What the stages are handed: frames and nothing else, and checkpoints that fit them."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from agents.checkpoint import CheckpointError, save_checkpoint
from agents.videoworld.config import DynamicsConfig, InverseDynamicsConfig, TokenizerConfig, WorldConfig
from envs.errors import UserError
from envs.go.batch import Positions
from envs.go.renderer import read_board
from tests.go_games import weighed
from tests.train.fakes import one_line, same
from train.compose import build, compose
from train.data.go_games import BoardClips, GoDataConfig, GoVideo
from train.data.go_records import GameRecords
from train.dynamics import DynamicsStage, DynamicsStageConfig
from train.inverse_dynamics import InverseDynamicsStage, InverseDynamicsStageConfig
from train.registry import STAGES, stage_class
from train.stages import Inputs, load_dynamics, load_tokenizer
from train.tokenizer import TokenizerStage, TokenizerStageConfig
from train.world import Watched, WorldLearner, WorldStage, WorldStageConfig

CPU = torch.device("cpu")
VIDEO_STAGES = tuple(stage for stage in STAGES if stage != "pixellm")  # which learns from questions


def inputs_of(folder: Path, config: GoDataConfig) -> Inputs:
    """Checkpoints of untrained stages 1 and 2."""
    tokenizer = TokenizerStage(TokenizerStageConfig(data=config, model=TokenizerConfig.preset("tiny")))
    dynamics = DynamicsStage(DynamicsStageConfig(data=config, model=DynamicsConfig.preset("tiny")))
    tokenizer.export(tokenizer.model, folder / "tokenizer", {})
    dynamics.export(dynamics.model, folder / "dynamics", {})
    return Inputs(tokenizer=str(folder / "tokenizer"), dynamics=str(folder / "dynamics"))


def watching_stages(folder: Path, config: GoDataConfig) -> list[TokenizerStage | DynamicsStage | WorldStage]:
    """The three stages that learn from frames alone."""
    inputs = inputs_of(folder, config)
    return [
        TokenizerStage(TokenizerStageConfig(data=config, model=TokenizerConfig.preset("tiny"))),
        DynamicsStage(DynamicsStageConfig(data=config, model=DynamicsConfig.preset("tiny"))),
        WorldStage(WorldStageConfig(data=config, inputs=inputs, model=WorldConfig.preset("tiny"))),
    ]


@pytest.mark.parametrize("horizon", [1, 2])
def test_stages_see_frames_and_nothing_else(tmp_path: Path, config: GoDataConfig, horizon: int) -> None:
    """The published claim: the world is learned from video. No move, label or result is in what a stage is handed."""
    assert [field.name for field in fields(BoardClips)] == ["steps", "geometry", "others", "chances"]
    assert Positions._fields == ("stones", "to_move", "last_move", "ko")
    for stage in watching_stages(tmp_path, replace(config, horizon=horizon)):
        batch = stage.batch(0, 0, 0, 1, 6)
        assert type(batch) is BoardClips and batch.others == () and batch.chances is None
        assert all(type(step) is Positions for step in batch.steps)
        given = stage.to_device(batch, CPU)
        frames = given.frames if isinstance(given, Watched) else given
        assert type(frames) is torch.Tensor and frames.dtype == torch.uint8
        assert frames.shape == (6, horizon + 1, 32, 32, 3)
        seen = read_board(frames[:, 0].numpy(), config.geometry)
        assert all(np.array_equal(a, b) for a, b in zip(seen, batch.steps[0], strict=True))
        loss, metrics = stage.model(given)
        assert torch.isfinite(loss) and all(value.numel() == 1 for value in metrics.values())


def test_stages_learn_without_the_labels(tmp_path: Path, config: GoDataConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a stage asked for labels")

    monkeypatch.setattr(GoVideo, "sample_labelled", refuse)
    inputs = inputs_of(tmp_path, config)
    for stage in watching_stages(tmp_path, config):
        loss, _ = stage.model.train()(stage.to_device(stage.batch(0, 0, 0, 1, 8), CPU))
        loss.backward()
        gradients = [p.grad for p in stage.model.parameters() if p.grad is not None]
        assert gradients and all(torch.isfinite(gradient).all() for gradient in gradients)
        assert stage.flops_per_sample() > 0
    model = InverseDynamicsConfig.preset("tiny")
    with pytest.raises(AssertionError, match="asked for labels"):
        InverseDynamicsStage(InverseDynamicsStageConfig(data=config, inputs=inputs, model=model))


def test_moves_do_not_change_what_the_world_stage_sees(
    tmp_path: Path, config: GoDataConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the moves behind all clips poisoned, its frames and its loss are the same (the last stage's are not)."""
    inputs = inputs_of(tmp_path, config)
    world = WorldStage(WorldStageConfig(data=config, inputs=inputs, model=WorldConfig.preset("tiny")))
    labelled = InverseDynamicsStage(
        InverseDynamicsStageConfig(data=config, inputs=inputs, model=InverseDynamicsConfig.preset("tiny"))
    )

    def learned(stage: WorldStage | InverseDynamicsStage) -> tuple[Any, float]:
        seen = stage.to_device(stage.batch(3, 0, 0, 1, 16), CPU)
        torch.manual_seed(0)
        return seen, stage.model(seen)[0].item()

    (frames, loss), (_, labelled_loss) = learned(world), learned(labelled)
    cut, poisoned = GoVideo._cut, []

    def poison(self: GoVideo, *places: Any) -> tuple[BoardClips, np.ndarray]:
        clips, moves = cut(self, *places)
        poisoned.append(moves)
        return clips, (moves + 1) % (config.size**2 + 1)

    monkeypatch.setattr(GoVideo, "_cut", poison)
    batch = world.batch(3, 0, 0, 1, 16)
    assert poisoned, "its clips come with their moves until here"
    names = {field.name for field in fields(batch)}
    assert not any(word in name for name in names for word in ("move", "label", "result", "repl", "komi"))
    again, poisoned_loss = learned(world)
    assert torch.equal(again.frames, frames.frames) and again.instructions is None and poisoned_loss == loss
    assert learned(labelled)[1] != labelled_loss, "the poison works"


def test_the_world_stage_weighs_several_replies(tmp_path: Path, config: GoDataConfig) -> None:
    """As the mean of the losses that it would have if each of them had been the one shown."""
    weighed(GameRecords.load(Path(config.path))).save(tmp_path / "told.npz")
    data = replace(config, path=str(tmp_path / "told.npz"), replies=3)
    settings = WorldStageConfig(data=data, inputs=inputs_of(tmp_path, config), model=WorldConfig.preset("tiny"))
    stage = WorldStage(settings)
    assert isinstance(stage.model, WorldLearner)
    size = stage.model.transformer.config.code_size
    # An untrained dynamics model gives all changes the same code
    stage.model.dynamics.encode = lambda frames: frames[:, 1:].long().sum((2, 3, 4))[..., None] % size  # type: ignore
    given = stage.to_device(stage.batch(0, 0, 0, 1, 1), CPU)
    assert given.alternatives is not None
    frames, chances = given.alternatives
    shown = torch.cat([given.frames[:, 1:], frames], 1)
    each = [stage.model(Watched(torch.stack([given.frames[:, 0], x], 1)))[1]["code_loss"] for x in shown.unbind(1)]
    whole = stage.model(given)[1]["code_loss"]
    torch.testing.assert_close(whole, (torch.stack(each) * chances[0]).sum())
    assert not torch.allclose(whole, each[0])
    ahead = WorldStage(replace(settings, data=replace(data, horizon=2), model=WorldConfig.preset("tiny", codes=2)))
    assert torch.isfinite(ahead.model(ahead.to_device(ahead.batch(0, 0, 0, 1, 4), CPU))[0]), "nothing to weigh there"


def test_only_the_transformer_learns_in_the_world_stage(tmp_path: Path, config: GoDataConfig) -> None:
    stage = watching_stages(tmp_path, config)[2]
    learning = {name.split(".")[0] for name, p in stage.model.named_parameters() if p.requires_grad}
    assert learning == {"transformer"}
    stage.model.train()
    assert not stage.model.tokenizer.training and not stage.model.dynamics.training
    assert set(stage.evaluate(stage.model.eval())) == {"frame_loss", "frame_exact", "code_loss", "code_top1"}


def test_batches_are_a_function_of_their_place(tmp_path: Path, config: GoDataConfig) -> None:
    stage = TokenizerStage(TokenizerStageConfig(data=config, model=TokenizerConfig.preset("tiny"), seed=4))
    first = stage.batch(7, 1, 0, 2, 16)
    assert same(first, stage.batch(7, 1, 0, 2, 16))
    for place in ((8, 1, 0), (7, 0, 0), (7, 1, 1)):
        assert not same(first, stage.batch(*place, 2, 16))


def test_models_take_the_size_of_the_frames(config: GoDataConfig) -> None:
    wide = replace(config, cell=16)
    assert TokenizerStage(TokenizerStageConfig(data=wide, model=TokenizerConfig.preset("tiny"))).model.grid == (4, 4)
    odd = replace(config, cell=9)
    with pytest.raises(UserError, match="9 px a point do not fit: frame_size 36 must be a multiple of 16 px"):
        TokenizerStage(TokenizerStageConfig(data=odd, model=TokenizerConfig.preset("tiny")))
    with pytest.raises(
        UserError, match="9 px a point do not fit: frame_size 36 must be a multiple of 8 px.*choose another data.cell"
    ):
        DynamicsStage(DynamicsStageConfig(data=odd, model=DynamicsConfig.preset("tiny")))
    with pytest.raises(UserError, match="inputs.tokenizer="):
        WorldStage(WorldStageConfig(data=config, model=WorldConfig.preset("tiny")))


# -- checkpoints of other stages ---------------------------------------------------------------------------------------


def stage_config(stage: str, inputs: Inputs, config: GoDataConfig, **changes: Any) -> Any:
    """The tiny settings of a stage, as the command line builds them."""
    built = build(compose([f"stage={stage}", "model=tiny", "out=x"]), "stage")
    return replace(built, data=config, inputs=inputs, **changes)


@pytest.mark.parametrize("stage", VIDEO_STAGES)
def test_the_command_line_reaches_the_inputs_of_every_stage(stage: str) -> None:
    words = [f"inputs.{name}=of/{name}" for name in VIDEO_STAGES]
    inputs = build(compose([f"stage={stage}", "out=x", *words]), "stage").inputs
    assert inputs == Inputs(**{name: f"of/{name}" for name in VIDEO_STAGES})


@pytest.mark.parametrize("stage", VIDEO_STAGES)
def test_a_folder_to_begin_with_that_is_not_there(stage: str, tmp_path: Path, config: GoDataConfig) -> None:
    inputs = replace(inputs_of(tmp_path, config), **{stage: "nowhere"})
    with pytest.raises(CheckpointError, match="there is no checkpoint folder nowhere; check the path"):
        stage_class(stage)(stage_config(stage, inputs, config))


@pytest.mark.parametrize("stage", VIDEO_STAGES)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cell": 16}, "knows 3x3 boards .* with 8 px a point, but this run draws 3x3 boards .* with 16 px a point"),
        ({"size": 2}, "knows 3x3 boards .*, but this run draws 2x2 boards .*: give another inputs.[a-z]+, or other"),
        ({"style": "paper", "size": 9}, "knows 3x3 boards of style modern .*, but .* 9x9 boards of style paper"),
    ],
)
def test_checkpoints_of_other_boards_are_refused(
    stage: str, changes: dict[str, Any], message: str, tmp_path: Path, config: GoDataConfig
) -> None:
    """Boards of 2 and 3 points have frames of the same size, as those of 8 and 9 have."""
    inputs = inputs_of(tmp_path, config)
    other = replace(config, **changes)
    with pytest.raises(UserError, match=message) as error:
        stage_class(stage)(stage_config(stage, inputs, other))
    assert str(tmp_path) in one_line(error)


BOARDS = {"size": 3, "style": "modern", "cell": 8}


@pytest.mark.parametrize(
    ("config_file", "message"),
    [
        ({"kind": "KIND", "data": BOARDS}, "no 'model'"),
        ({"kind": "KIND", "data": BOARDS, "model": {"foo": 1}}, "unexpected keyword argument 'foo'"),
        ({"kind": "KIND", "data": BOARDS, "model": 3}, "must be a mapping"),
        ({"kind": "KIND", "data": BOARDS, "model": {"frame_size": 33}}, "must be a multiple of"),
        ({"kind": "KIND", "data": BOARDS, "model": {"frame_size": 32, "multipliers": []}}, "does not describe"),
        ({"kind": "go_agent"}, "no 'KIND'"),
        ({"kind": "go_agent", "KIND": {}}, "no 'frames'"),
    ],
)
@pytest.mark.parametrize("stage", ["tokenizer", "dynamics"])
def test_damaged_checkpoints_are_one_sentence(
    stage: str, config_file: dict[str, Any], message: str, tmp_path: Path
) -> None:
    text = yaml.safe_dump(config_file).replace("KIND", stage)
    save_checkpoint(tmp_path / "it", yaml.safe_load(text), {"x": torch.zeros(1)})
    load = {"tokenizer": load_tokenizer, "dynamics": load_dynamics}[stage]
    with pytest.raises(CheckpointError, match=f"it/config.yaml does not describe the stage {stage}") as error:
        load(Inputs(**{stage: str(tmp_path / "it")}))  # type: ignore[operator]
    assert message.replace("KIND", stage) in one_line(error)


@pytest.mark.parametrize(
    "config_file",
    [
        {"kind": "world"},
        {"kind": "world", "model": {}},
        {"kind": "world", "model": {}, "data": 3},
        {"kind": "world", "model": {}, "data": {"size": 3}},
        {"kind": "world", "model": {}, "data": {**BOARDS, "size": "large"}},
        {"kind": "world", "model": {}, "data": {**BOARDS, "size": 99}},
        {"kind": "world", "model": [], "data": BOARDS},
        {"kind": "world", "model": {"frame_size": 80}, "data": BOARDS},
    ],
)
def test_a_checkpoint_that_does_not_tell_its_boards(
    config_file: dict[str, Any], tmp_path: Path, config: GoDataConfig
) -> None:
    save_checkpoint(tmp_path / "it", config_file, {"x": torch.zeros(1)})
    inputs = replace(inputs_of(tmp_path, config), world=str(tmp_path / "it"))
    with pytest.raises(CheckpointError, match="it/config.yaml does not describe the stage world") as error:
        WorldStage(stage_config("world", inputs, config))
    one_line(error)


@pytest.mark.parametrize(
    ("stage", "key", "value"),
    [
        *((stage, "evaluate_clips", 0) for stage in VIDEO_STAGES),
        ("inverse_dynamics", "labels", 0),
        ("inverse_dynamics", "labels", -3),
        ("world", "seed", -1),
    ],
)
def test_impossible_settings_of_stages(stage: str, key: str, value: int) -> None:
    with pytest.raises(UserError, match=f"stage.{key} is {value}; choose a whole number of at least"):
        build(compose([f"stage={stage}", "out=x", f"++stage.{key}={value}"]), "stage")
