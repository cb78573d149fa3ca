"""Clips cut from game records."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from envs.errors import UserError
from envs.go.batch import BatchedGo, apply_moves, legal_moves, transform
from envs.go.renderer import read_move
from tests.go_games import tiny_record_file, tiny_records, weighed
from tests.train.fakes import same
from train.data.go_games import GoDataConfig, GoVideo, split_games
from train.data.go_records import GameRecords
from train.data.video import SPLITS

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


def test_other_replies_are_weighed(config: GoDataConfig, tmp_path: Path) -> None:
    records = GameRecords.load(Path(config.path))
    told = weighed(records)
    told.save(tmp_path / "told.npz")
    video = GoVideo(replace(config, path=str(tmp_path / "told.npz"), replies=3, symmetries=False), "train")
    clips = video.sample(np.random.default_rng(0), 200)
    frames, (others, chances) = clips.frames(), clips.alternatives() or (torch.zeros(0), torch.zeros(0))
    assert others.shape == (200, 2, *frames.shape[2:]) and others.dtype == torch.uint8
    assert chances.shape == (200, 3) and torch.allclose(chances.sum(1), torch.ones(200))
    best, second, third = (step.last_move for step in (clips.steps[1], *clips.others))
    few = chances[:, 2].numpy() == 0
    assert 0 < few.sum() < 200, "there are positions with three replies, and such with two"
    assert np.allclose(chances[few], [0.75, 0.25, 0]) and np.allclose(chances[~few], [0.6, 0.2, 0.2])
    assert (third[few] == best[few]).all() and (second != best).all() and (third != second).all()
    for step in clips.others:
        assert np.array_equal(apply_moves(clips.steps[0], step.last_move.astype(int))[0].stones, step.stones)
    assert video.sweep(10)[0].alternatives() is None, "what is measured is the likeliest reply"
    extra = replace(video.config, extra=config.path, extra_share=0.5)
    mixed = GoVideo(extra, "train").sample(np.random.default_rng(0), 200).alternatives()
    assert mixed is not None and 0 < (mixed[1][:, 0] == 1).sum() < 200, "games without other replies count as sure"
    for other in (config, replace(video.config, replies=1), replace(video.config, reply="played")):
        assert GoVideo(other, "train").sample(np.random.default_rng(0), 5).alternatives() is None


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
        ({"replies": 0}, "data.replies is 0"),
    ],
)
def test_impossible_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        GoDataConfig(**settings)


def test_games_of_another_size(config: GoDataConfig) -> None:
    with pytest.raises(UserError, match="the games are 3x3, but data.size is 9"):
        GoVideo(replace(config, size=9), "train")


def test_the_end_of_the_video_stands_behind_a_clip(config: GoDataConfig) -> None:
    video = GoVideo(config, "train")
    plain, _ = video.sweep(1000)
    clips, _ = video.sweep(1000, ending=True)
    assert len(clips.steps) == len(plain.steps) + 1
    for one, other in zip(plain.steps, clips.steps[:-1], strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    finals = video.positions.take(video.offsets[1:] - 1)
    lengths = np.diff(video.offsets) - 1  # a clip starts at every ply but the last
    boards = BatchedGo(len(lengths), 3)
    boards.stones[:] = finals.stones
    owners, end = boards.area_owners()[np.repeat(np.arange(len(lengths)), lengths)], clips.steps[-1]
    assert np.array_equal(end.stones, owners)
    komi = np.where(owners == 1, 1, np.where(owners == 2, -1, 0)).sum((1, 2)) - 7.0
    assert (end.to_move[komi != 0] == np.where(komi > 0, 1, 2)[komi != 0]).all(), "the strip shows who won"
    assert (end.last_move == -1).all() and (end.ko == -1).all(), "no mark tells how the game went"
    turned = video.sample(np.random.default_rng(1), 50, ending=True)
    assert same(turned, video.sample(np.random.default_rng(1), 50, ending=True))


def test_counted_games_end_as_they_were_counted(tmp_path: Path) -> None:
    """`owners` fills the last frame; games that could not be counted give no clip with an ending, but others do."""
    records = tiny_records(games=12)
    owners = np.random.default_rng(0).integers(0, 3, (12, 9)).astype(np.int8)
    owners[::3] = -1
    replace(records, owners=owners).save(tmp_path / "games.npz")
    loaded = GameRecords.load(tmp_path / "games.npz")
    assert loaded.owners is not None and np.array_equal(loaded.owners, owners)
    video = GoVideo(GoDataConfig(path=str(tmp_path / "games.npz"), size=3, symmetries=False), "all")
    clips, _ = video.sweep(1000, ending=True)
    told = np.flatnonzero(owners[:, 0] >= 0)
    lengths = records.lengths[told].astype(int)
    assert np.array_equal(clips.steps[-1].stones.reshape(-1, 9), owners[np.repeat(told, lengths)])
    won = replace(records, owners=owners, result=np.where(np.arange(12) % 2, 1, -1).astype(np.int8))
    end = GoVideo(GoDataConfig(size=3, symmetries=False), "all", won).sweep(1000, ending=True)[0].steps[-1]
    assert np.array_equal(end.to_move, np.where(np.repeat(told, lengths) % 2, 1, 2)), "as the records tell"
    assert len(video.sweep(1000)[0].steps[0].to_move) == records.lengths.astype(int).sum()
    known = {row.tobytes() for row in owners[told]}
    drawn = video.sample(np.random.default_rng(0), 64, ending=True).steps[-1].stones
    assert {row.tobytes() for row in drawn} <= known


def test_owners_of_another_number_of_games(tmp_path: Path) -> None:
    replace(tiny_records(games=12), owners=np.zeros((11, 9), np.int8)).save(tmp_path / "games.npz")
    with pytest.raises(UserError, match=r"owners \(11, 9\) for 12 games of 3x3"):
        GameRecords.load(tmp_path / "games.npz")


# -- extra games -----------------------------------------------------------------------------------------------------


def test_extra_games_make_up_their_share(tmp_path: Path) -> None:
    """Clips of a second file come at about the share that was asked for, in training alone."""
    main_file = tiny_record_file(tmp_path / "games.npz", games=20, seed=1)
    tiny_records(games=4, seed=2).save(tmp_path / "met.npz")
    config = GoDataConfig(path=str(main_file), size=3, held_out=0.2, symmetries=False)
    mixed = replace(config, extra=str(tmp_path / "met.npz"), extra_share=0.4)
    known = GoVideo(replace(config, path=mixed.extra), "all")
    boards = {step.tobytes() for step in known.positions.stones}
    own = {step.tobytes() for split in SPLITS for step in GoVideo(config, split).positions.stones}
    video, share = GoVideo(mixed, "train"), []
    for seed in range(20):
        clips = video.sample(np.random.default_rng(seed), 50)
        assert len(clips.steps) == 2 and all(len(step.to_move) == 50 for step in clips.steps)
        assert clips.frames().shape == (50, 2, 32, 32, 3)
        share.append(np.mean([step.tobytes() in boards - own for step in clips.steps[0].stones]))
        assert set(step.tobytes() for step in clips.steps[0].stones) <= boards | own
    expected = 0.4 * np.mean([step.tobytes() not in own for step in known.positions.stones])
    assert np.mean(share) == pytest.approx(expected, abs=0.1) and expected > 0.15
    for split in ("validation", "test"):
        assert len(GoVideo(mixed, split)) == len(GoVideo(config, split))
    ending = video.sample(np.random.default_rng(0), 8, ending=True)
    assert len(ending.steps) == 3
    again = [GoVideo(mixed, "train").sample(np.random.default_rng(5), 30) for _ in range(2)]
    assert all(
        np.array_equal(a, b)
        for one, other in zip(*(c.steps for c in again), strict=True)
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"extra": "none.npz"}, "no game records at none.npz"),
        ({"extra_share": 0.0}, "data.extra_share is 0.0: choose a share"),
        ({"extra_share": 1.0}, "data.extra_share is 1.0: choose a share"),
    ],
)
def test_extra_games_that_cannot_be_used(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    path = tiny_record_file(tmp_path / "games.npz")
    with pytest.raises(UserError, match=message):
        GoVideo(GoDataConfig(path=str(path), size=3, **settings), "train")
