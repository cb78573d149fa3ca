"""Game records and the clips cut from them; what the stages get to see."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agents.videoworld.config import DynamicsConfig, InverseDynamicsConfig, TokenizerConfig, WorldConfig
from envs.errors import UserError
from envs.go.batch import Positions, apply_moves, legal_moves, transform
from envs.go.renderer import read_board, read_move
from envs.go.rules import GoGame
from envs.go.sgf import write_sgf
from tests.go_games import random_moves, tiny_record_file, tiny_records
from train.data.go_games import BoardClips, GameRecords, GoDataConfig, GoVideo, main, records_from_sgf, split_games
from train.dynamics import DynamicsStage, DynamicsStageConfig
from train.inverse_dynamics import InverseDynamicsStage, InverseDynamicsStageConfig
from train.stages import Inputs
from train.tokenizer import TokenizerStage, TokenizerStageConfig
from train.world import WorldStage, WorldStageConfig

CPU = torch.device("cpu")


@pytest.fixture
def config(tmp_path: Path) -> GoDataConfig:
    """Twelve random 3x3 games."""
    return GoDataConfig(path=str(tiny_record_file(tmp_path / "games.npz")), size=3, held_out=0.2)


def same(a: BoardClips, b: BoardClips) -> bool:
    pairs = zip(a.steps, b.steps, strict=True)
    return all(np.array_equal(x, y) for one, other in pairs for x, y in zip(one, other, strict=True))


def one_line(error: pytest.ExceptionInfo[UserError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


# -- record files ----------------------------------------------------------------------------------------------------


def test_records_come_back_as_they_were_saved(tmp_path: Path) -> None:
    records = tiny_records()
    records.save(tmp_path / "deep" / "games.npz")
    back = GameRecords.load(tmp_path / "deep" / "games.npz")
    for field in fields(GameRecords):
        before, after = getattr(records, field.name), getattr(back, field.name)
        assert np.array_equal(before, after) and np.asarray(before).dtype == np.asarray(after).dtype
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["games.npz"], "nothing half-written is left"


def test_equal_games_give_equal_bytes(tmp_path: Path) -> None:
    one, other = (tiny_record_file(tmp_path / name).read_bytes() for name in ("a.npz", "b.npz"))
    assert one == other
    assert one != tiny_record_file(tmp_path / "c.npz", seed=1).read_bytes()


def damaged(kind: str, whole: bytes) -> bytes:
    middle = len(whole) // 3
    return {
        "empty": b"",
        "text": b"moves: none\n",
        "half": whole[: len(whole) // 2],
        "flipped": whole[:middle] + bytes(255 - byte for byte in whole[middle : middle + 40]) + whole[middle + 40 :],
    }[kind]


@pytest.mark.parametrize("kind", ["empty", "text", "half", "flipped"])
def test_a_damaged_file_is_named(tmp_path: Path, kind: str) -> None:
    path = tiny_record_file(tmp_path / "games.npz", games=200)
    path.write_bytes(damaged(kind, path.read_bytes()))
    with pytest.raises(UserError, match="games.npz is not a readable record file") as error:
        GameRecords.load(path)
    one_line(error)


def test_every_flipped_byte_is_noticed_or_harmless(tmp_path: Path) -> None:
    path = tiny_record_file(tmp_path / "games.npz")
    whole = path.read_bytes()
    for place in range(0, len(whole), 23):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            GameRecords.load(path)
        except UserError:
            continue


def test_other_numpy_files_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "array.npy", np.zeros(3))
    np.savez(tmp_path / "other.npz", moves=np.zeros((2, 3)))
    np.savez(tmp_path / "objects.npz", **{name: np.array([None]) for name in ("size", "moves", "replies")})
    for name in ("array.npy", "other.npz", "objects.npz"):
        with pytest.raises(UserError, match="is not a readable record file") as error:
            GameRecords.load(tmp_path / name)
        one_line(error)
    with pytest.raises(UserError, match="no game records at"):
        GameRecords.load(tmp_path / "missing.npz")


def test_shards_become_a_record_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shards = []
    for number, seed in enumerate((0, 1)):
        moves, lengths = random_moves(3, 20, 9, seed)
        values = {"moves": moves.astype(np.uint8), "best": moves.astype(np.uint8), "length": lengths.astype(np.int64)}
        shards.append(tmp_path / f"{number}.npz")
        np.savez(shards[-1], **values, komi=np.full(3, 7.0), result=np.array([1, -1, 0]))
    for name in ("a", "b"):
        assert main([*map(str, shards), "--out", str(tmp_path / name / "games.npz")]) == 0
    assert "6 games" in capsys.readouterr().out
    assert (tmp_path / "a" / "games.npz").read_bytes() == (tmp_path / "b" / "games.npz").read_bytes()
    records = GameRecords.load(tmp_path / "a" / "games.npz")
    past = np.arange(20) >= records.lengths[:, None].astype(int)
    assert records.size == 9 and (records.moves[past] == 81).all() and records.result.tolist() == [1, -1, 0] * 2
    assert main([str(tmp_path / "none.npz"), "--out", str(tmp_path / "c.npz")]) == 2
    assert "no shard at" in capsys.readouterr().err and not (tmp_path / "c.npz").exists()


# -- splits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [3, 10, 1000])
def test_splits_are_disjoint_whole_and_stable(count: int) -> None:
    parts = split_games(count, 0.02)
    assert np.array_equal(np.sort(np.concatenate(list(parts.values()))), np.arange(count))
    assert min(len(part) for part in parts.values()) >= 1
    again = split_games(count, 0.02)
    assert all(np.array_equal(parts[name], again[name]) for name in parts)
    assert all((np.diff(part) > 0).all() for part in parts.values())


def test_splits_stay_what_they_are() -> None:
    """Figures in the results name these games; another order would mix training and test."""
    parts = split_games(20, 0.1)
    assert parts["validation"].tolist() == [10, 17] and parts["test"].tolist() == [5, 13]


def test_a_single_game_serves_all_splits() -> None:
    assert all(games.tolist() == [0] for games in split_games(1, 0.02).values())


def test_clips_come_from_their_own_split(config: GoDataConfig) -> None:
    records = GameRecords.load(Path(config.path))
    for split, games in split_games(len(records.lengths), config.held_out).items():
        video = GoVideo(config, split)
        assert len(video) == records.lengths[games].sum()
    with pytest.raises(ValueError, match="unknown split 'exam'"):
        GoVideo(config, "exam")


# -- clips -----------------------------------------------------------------------------------------------------------


def test_a_clip_ends_with_the_reply(config: GoDataConfig) -> None:
    for reply in ("teacher", "played"):
        chosen = replace(config, reply=reply)
        clips, moves = GoVideo(chosen, "train").sweep(1000)
        expected, legal = apply_moves(clips.steps[0], moves)
        assert legal.all()
        assert all(np.array_equal(a, b) for a, b in zip(expected, clips.steps[1], strict=True))
        records = GameRecords.load(Path(config.path))
        games = split_games(len(records.lengths), config.held_out)["train"]
        own = np.arange(records.moves.shape[1]) < records.lengths[games][:, None].astype(int)
        source = records.replies if reply == "teacher" else records.moves
        assert np.array_equal(moves, source[games][own])


@pytest.mark.parametrize("horizon", [1, 2, 4])
def test_horizon(config: GoDataConfig, horizon: int) -> None:
    video = GoVideo(replace(config, horizon=horizon), "train")
    clips, moves = video.sample_labelled(np.random.default_rng(0), 20, 10**6)
    frames = clips.frames()
    assert frames.shape == (20, horizon + 1, 32, 32, 3) and frames.dtype == torch.uint8
    assert len(clips.steps) == horizon + 1
    for before, after in zip(clips.steps, clips.steps[1:], strict=False):
        moved = after.last_move.astype(int)
        expected, legal = apply_moves(before, moved)
        assert legal.all() and np.array_equal(expected.stones, after.stones), "each frame is one move after the last"
    assert np.array_equal(clips.steps[-1].last_move, moves)
    read = read_move(frames[:, -2].numpy(), frames[:, -1].numpy(), video.geometry)
    assert np.array_equal(read, moves)


def test_too_long_a_horizon(config: GoDataConfig) -> None:
    with pytest.raises(UserError, match="no game is as long as data.horizon=50"):
        GoVideo(replace(config, horizon=50), "train")


def test_symmetries_turn_clips_as_a_whole(config: GoDataConfig) -> None:
    turning, still = GoVideo(config, "train"), GoVideo(replace(config, symmetries=False), "train")
    clips, moves = turning.sample_labelled(np.random.default_rng(3), 64, 10**6)
    plain, original = still.sample_labelled(np.random.default_rng(3), 64, 10**6)
    found = set()
    for row in range(64):
        mine = [step.take(slice(row, row + 1)) for step in clips.steps]
        theirs = [step.take(slice(row, row + 1)) for step in plain.steps]
        fits = [
            symmetry
            for symmetry in range(8)
            if all(
                all(np.array_equal(x, y) for x, y in zip(a, transform(b, symmetry), strict=True))
                for a, b in zip(mine, theirs, strict=True)
            )
        ]
        assert fits, "one symmetry for all frames of a clip"
        found |= set(fits)
    assert len(found) == 8
    assert (moves != original).any()
    assert legal_moves(clips.steps[0])[np.arange(64), moves].all(), "the move is turned along"


def test_sampling_is_a_function_of_the_generator(config: GoDataConfig) -> None:
    video = GoVideo(config, "train")
    one, other, third = (video.sample(np.random.default_rng(seed), 16) for seed in (5, 5, 6))
    assert same(one, other) and not same(one, third)
    assert same(GoVideo(config, "train").sample(np.random.default_rng(5), 16), one)


def test_labels_are_few(config: GoDataConfig) -> None:
    video = GoVideo(replace(config, symmetries=False), "train")
    clips, _ = video.sample_labelled(np.random.default_rng(0), 500, 5)
    seen = {step.tobytes() for step in np.concatenate([clips.steps[0].stones, clips.steps[1].stones], axis=1)}
    assert len(seen) <= 5 < len(video)


def test_a_sweep_is_spread_over_the_split(config: GoDataConfig) -> None:
    video = GoVideo(config, "train")
    clips, moves = video.sweep(7)
    assert len(moves) == len(clips.steps[0].to_move) == 7
    whole, every = video.sweep(10**6)
    assert len(every) == len(video) and not same(whole, clips)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": "films"}, "unknown data source 'films'"),
        ({"reply": "best"}, "unknown reply 'best'"),
        ({"source": "sgf"}, "data.path=FOLDER"),
        ({"held_out": 0.5}, "data.held_out is 0.5"),
        ({"held_out": 0.0}, "data.held_out is 0.0"),
        ({"horizon": 0}, "data.horizon is 0"),
    ],
)
def test_impossible_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        GoDataConfig(**settings)


def test_games_of_another_size(config: GoDataConfig) -> None:
    with pytest.raises(UserError, match="the games are 3x3, but data.size is 9"):
        GoVideo(replace(config, size=9), "train")


# -- SGF folders -----------------------------------------------------------------------------------------------------


def write_games(folder: Path, count: int = 4, size: int = 5, plies: int = 12) -> list[list[int]]:
    """Random SGF games; their moves."""
    folder.mkdir(exist_ok=True)
    moves, lengths = random_moves(count, plies, size, seed=7)
    played = []
    for number in range(count):
        game = GoGame(size, komi=5.5)
        for point in moves[number, : lengths[number]]:
            game.play(int(point))
        write_sgf(game, folder / f"{size}-{number}.sgf", result="B+R" if number % 2 else "W+2")
        played.append([int(point) for point in moves[number, : lengths[number]]])
    return played


def test_a_folder_of_sgf_files(tmp_path: Path) -> None:
    played = write_games(tmp_path / "games")
    write_games(tmp_path / "games", count=1, size=9)
    handicap = GoGame(5)
    handicap.place_stones([12, 18], handicap=True)
    handicap.play(0)
    write_sgf(handicap, tmp_path / "games" / "handicap.sgf")
    records = records_from_sgf(tmp_path / "games", 5)
    assert records.size == 5 and records.lengths.tolist() == [len(game) for game in played]
    assert [row[:n].tolist() for row, n in zip(records.moves, records.lengths, strict=True)] == played
    assert records.result.tolist() == [-1, 1, -1, 1] and (records.komi == 5.5).all()
    config = GoDataConfig(source="sgf", path=str(tmp_path / "games"), size=5, reply="played", held_out=0.3)
    clips, moves = GoVideo(config, "train").sweep(1000)
    assert np.array_equal(clips.steps[1].last_move, moves)
    records.save(tmp_path / "records.npz")
    assert np.array_equal(GameRecords.load(tmp_path / "records.npz").moves, records.moves)


def test_no_game_of_that_size(tmp_path: Path) -> None:
    write_games(tmp_path / "games", count=3)
    with pytest.raises(UserError, match=r"no 9x9 game in .*\(3 of other sizes, 0 with setup stones\)") as error:
        records_from_sgf(tmp_path / "games", 9)
    one_line(error)
    (tmp_path / "none").mkdir()
    for folder in ("none", "missing"):
        with pytest.raises(UserError) as error:
            GoVideo(GoDataConfig(source="sgf", path=str(tmp_path / folder), size=5), "train")
        one_line(error)


# -- what reaches the stages -----------------------------------------------------------------------------------------


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
    assert [field.name for field in fields(BoardClips)] == ["steps", "geometry"]
    assert Positions._fields == ("stones", "to_move", "last_move", "ko")
    for stage in watching_stages(tmp_path, replace(config, horizon=horizon)):
        batch = stage.batch(0, 0, 0, 1, 6)
        assert type(batch) is BoardClips and set(vars(batch)) == {"steps", "geometry"}
        assert all(type(step) is Positions for step in batch.steps)
        frames = stage.to_device(batch, CPU)
        assert type(frames) is torch.Tensor and frames.dtype == torch.uint8
        assert frames.shape == (6, horizon + 1, 32, 32, 3)
        seen = read_board(frames[:, 0].numpy(), config.geometry)
        assert all(np.array_equal(a, b) for a, b in zip(seen, batch.steps[0], strict=True))
        loss, metrics = stage.model(frames)
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
    labelled = InverseDynamicsStage(InverseDynamicsStageConfig(data=config, inputs=inputs, model=model))
    with pytest.raises(AssertionError, match="asked for labels"):
        labelled.batch(0, 0, 0, 1, 8)


def test_moves_do_not_change_what_the_world_stage_sees(tmp_path: Path, config: GoDataConfig) -> None:
    """Other results and komi: the same frames, byte for byte."""
    before = WorldStage(
        WorldStageConfig(data=config, inputs=inputs_of(tmp_path, config), model=WorldConfig.preset("tiny"))
    )
    seen = before.to_device(before.batch(3, 0, 0, 1, 16), CPU)
    records = GameRecords.load(Path(config.path))
    replace(records, komi=records.komi - 20, result=1 - records.result).save(Path(config.path))
    after = WorldStage(before.config)
    assert torch.equal(after.to_device(after.batch(3, 0, 0, 1, 16), CPU), seen)


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
    with pytest.raises(UserError, match="data.cell=9 do not fit: frame_size 36 must be a multiple of 16 px"):
        TokenizerStage(TokenizerStageConfig(data=odd, model=TokenizerConfig.preset("tiny")))
    with pytest.raises(UserError, match="data.cell=9 do not fit: frame_size 36 must be a multiple of 8 px"):
        DynamicsStage(DynamicsStageConfig(data=odd, model=DynamicsConfig.preset("tiny")))
    with pytest.raises(UserError, match="inputs.tokenizer="):
        WorldStage(WorldStageConfig(data=config, model=WorldConfig.preset("tiny")))
