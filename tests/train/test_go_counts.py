"""Counting games: dead stones, games that were stopped, results that contradict."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agents.go_model import save_go_model
from envs.go import kernels
from envs.go.batch import Positions, legal_moves
from tests.go_games import tiny_model, tiny_records
from train.data.go_counts import count_games, ended_by_passes, main
from train.data.go_records import GameRecords

PASS = 25


def game(moves: list[int], *, komi: float = 0.0, result: int = 0, size: int = 5) -> GameRecords:
    """One game as records."""
    row = np.full((1, 60), size * size, np.uint8)
    row[0, : len(moves)] = moves
    return GameRecords(
        size,
        row,
        row.copy(),
        np.array([len(moves)], np.uint8),
        np.array([komi], np.float32),
        np.array([result], np.int8),
    )


def nobody(positions: Positions) -> np.ndarray:
    raise AssertionError("nothing is to be played out")


def walls() -> list[int]:
    """Black's wall on the second column, White's on the fourth, nine points each side and five between them."""
    return [point for row in range(5) for point in (5 * row + 1, 5 * row + 3)]


def test_dead_stones_are_no_ones_area() -> None:
    """A white stone in Black's corner does not live, so the corner is Black's; as it stands it would be nobody's."""
    moves = [*walls(), PASS, 0, PASS, PASS]
    owners = next(count_games(game(moves, result=1, komi=-0.5), nobody)).reshape(5, 5)
    assert (owners[:, :2] == 1).all() and (owners[:, 3:] == 2).all()


def test_a_game_that_was_stopped_is_played_out() -> None:
    """Here the player to move always takes the first point that is legal, and the board is counted after it."""
    asked = []

    def choose(positions: Positions) -> np.ndarray:
        asked.append(len(positions.to_move))
        chances = legal_moves(positions).astype(float) * np.linspace(1.0, 0.5, 26)
        chances[:, -1] = 2.0 if len(asked) > 4 else 0.0
        return chances

    records = game(walls(), result=0)
    assert not ended_by_passes(records)[0]
    owners = next(count_games(records, choose))
    assert len(asked) >= 6 and set(np.unique(owners)) <= {0, 1, 2}


def test_a_count_that_contradicts_the_result_is_unknown() -> None:
    moves = [*walls(), PASS, PASS]
    good = game(moves, komi=-2.5, result=1)
    assert (next(count_games(good, nobody)) >= 0).all()
    bad = game(moves, komi=-2.5, result=-1)
    assert (next(count_games(bad, nobody)) == -1).all()


def test_stopped_games_are_tried_some_times() -> None:
    """Where every way to play on ends with the other winner, the tries end some time, and the count is unknown."""
    calls = []

    def choose(positions: Positions) -> np.ndarray:
        calls.append(1)
        chances = np.zeros((len(positions.to_move), 26))
        chances[:, -1] = 1.0
        return chances

    owners = next(count_games(game(walls(), komi=-6.5, result=-1), choose))
    assert (owners == -1).all() and len(calls) == 2 * 4, "two passes a try, four tries"


def test_unknown_results_contradict_nothing() -> None:
    moves = [*walls(), PASS, PASS]
    assert (next(count_games(game(moves, komi=-2.5), nobody)) >= 0).all()


def test_the_command_counts_files_in_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    agent = save_go_model(tiny_model(3), tmp_path / "agent")
    records = tiny_records(games=7)
    path = tmp_path / "games.npz"
    records.save(path)
    assert main([str(path), "--agent", str(agent), "--batch", "3"]) == 0
    counted = GameRecords.load(path)
    assert counted.owners is not None and counted.owners.shape == (7, 9)
    assert np.array_equal(counted.moves, records.moves) and "7 games" in capsys.readouterr().out
    first = path.read_bytes()
    replace(counted, owners=None).save(path)
    assert main([str(path), "--agent", str(agent), "--batch", "3"]) == 0
    assert path.read_bytes() == first, "the same files and agent give the same bytes"


@pytest.mark.parametrize(
    ("words", "message"),
    [(["nowhere.npz"], "nowhere.npz"), (["nowhere.npz", "--batch", "0"], "--batch is 0"), ([], "RECORDS")],
)
def test_mistakes_are_one_sentence(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error and len(error.splitlines()) == 1


def test_chance_finishes_boards_the_same_way_each_time() -> None:
    """Whole walls are safe, and what lies behind them belongs to them; the same seed gives the same sums."""
    stones = np.zeros((2, 25), np.int8)
    stones[:, [5 * row + 1 for row in range(5)]] = 1
    stones[:, [5 * row + 3 for row in range(5)]] = 2
    stones[1, 0] = 2
    arguments = (stones, np.ones(2, np.int8), kernels.neighbour_table(5), 200, 7)
    sums = kernels.random_owners_each(*arguments)
    assert np.array_equal(sums, kernels.random_owners_each(*arguments))
    assert (sums[:, [0, 5, 10, 15, 20]] > 0).all() and (sums[:, [4, 9, 14, 19, 24]] < 0).all()
    assert abs(sums).max() <= 200 and stones[1, 0] == 2, "the boards themselves stay"
