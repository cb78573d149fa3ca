"""Training on one's own games: a folder of SGF files as data."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from envs.errors import UserError
from envs.go.rules import GoGame
from envs.go.sgf import write_sgf
from tests.go_games import random_moves
from tests.train.fakes import one_line
from train.data.go_games import GoDataConfig, GoVideo
from train.data.go_records import GameRecords, records_from_sgf

GAME = "(;GM[1]SZ[9]KM[7]RE[W+3];B[ee];W[cc];B[gc];W[];B[])"


def test_games_become_records_and_clips(tmp_path: Path) -> None:
    (tmp_path / "one.sgf").write_text(GAME)
    (tmp_path / "two.sgf").write_text(GAME.replace("W+3", "B+R"))
    (tmp_path / "large.sgf").write_text(GAME.replace("SZ[9]", "SZ[13]"))
    (tmp_path / "setup.sgf").write_text(GAME.replace("SZ[9]", "SZ[9]AB[aa]"))
    records = records_from_sgf(tmp_path, 9)
    assert records.moves.tolist() == [[40, 20, 24, 81, 81]] * 2
    assert records.lengths.tolist() == [5, 5] and sorted(records.result.tolist()) == [-1, 1]
    config = GoDataConfig(source="sgf", path=str(tmp_path), reply="played")
    clips = GoVideo(config, "train").sample(np.random.default_rng(0), 4)
    assert clips.frames().shape == (4, 2, 80, 80, 3)


def test_a_folder_without_such_games_is_refused(tmp_path: Path) -> None:
    (tmp_path / "large.sgf").write_text(GAME.replace("SZ[9]", "SZ[13]"))
    with pytest.raises(UserError, match="no 9x9 game in .*1 of other sizes"):
        records_from_sgf(tmp_path, 9)


def test_what_is_left_out_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    texts = {
        "good": GAME,
        "lines": "(;GM[1]SZ[9];B[ee](;W[cc](;B[ab])(;B[ac];W[ad]))(;W[dd]))",
        "large": GAME.replace("SZ[9]", "SZ[13]"),
        "setup": GAME.replace("SZ[9]", "SZ[9]AB[aa]"),
        "twice": GAME.replace("W[cc]", "B[cc]"),
        "white": GAME.replace("B[ee];", ""),
        "none": "(;GM[1]SZ[9])",
        "bad": GAME.replace("B[gc]", "B[ee]"),
        "chess": GAME.replace("GM[1]", "GM[3]"),
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.sgf").write_text(text)
    with caplog.at_level(logging.INFO, logger="train.data.go_records"):
        records = records_from_sgf(tmp_path, 9)
    assert records.lengths.tolist() == [5, 3]
    (line,) = caplog.messages
    assert line.startswith(
        f"2 games from {tmp_path}; left out: 1 of other sizes, 1 with setup stones, 2 not by turns, "
    )
    assert "1 without moves, 2 damaged (first bad.sgf: move 3 is illegal" in line and line.endswith(", 2 side lines")


def test_nothing_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "one.sgf").write_text(GAME)
    with caplog.at_level(logging.INFO, logger="train.data.go_records"):
        records_from_sgf(tmp_path, 9)
    assert caplog.messages == [f"1 games from {tmp_path}; left out: nothing"]


def test_damaged_games_are_named_where_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "large.sgf").write_text(GAME.replace("SZ[9]", "SZ[13]"))
    (tmp_path / "bad.sgf").write_text(GAME.replace("B[gc]", "B[ee]"))
    with pytest.raises(UserError, match=r"\(1 of other sizes, 1 damaged \(first bad.sgf: move 3 is illegal") as error:
        records_from_sgf(tmp_path, 9)
    one_line(error)


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
    with pytest.raises(UserError, match=r"no 9x9 game in .*\(3 of other sizes\)") as error:
        records_from_sgf(tmp_path / "games", 9)
    one_line(error)
    (tmp_path / "none").mkdir()
    for folder in ("none", "missing"):
        with pytest.raises(UserError) as error:
            GoVideo(GoDataConfig(source="sgf", path=str(tmp_path / folder), size=5), "train")
        one_line(error)
