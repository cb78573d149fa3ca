"""Whose every point was when a game was counted: what a game's film ends with.

    python -m train.data.go_counts assets/go9/games.npz [MORE.npz ...] [--agent CHECKPOINT] [--batch 256]

adds the field `owners` (see `go_records`) to record files, in place. A game that was stopped before two passes is first
played out by the agent. Then the board is counted as people count it, without dead stones: a point is whose it mostly
is after chance has finished the board many times. A game whose count contradicts its recorded result is counted as it
stands, then played out differently, some tries long; at last it counts as unknown. The same files and agent give the
same bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from agents.commands import Parser
from envs.errors import UserError
from envs.go import kernels
from envs.go.batch import BatchedGo, Positions, replay
from envs.go.rules import BLACK, WHITE
from train.data.go_records import ASSETS, GameRecords

PLAYOUTS, SEED = 64, 1  # by chance, of a finished board
TRIES = 4  # to play a game out to its recorded result

Chooser = Callable[[Positions], np.ndarray]  # P positions -> how likely each move is, (P, N*N + 1)


def ended_by_passes(records: GameRecords) -> np.ndarray:
    """bool (G,): the last two moves were passes."""
    lengths, rows = records.lengths.astype(np.int64), np.arange(len(records.lengths))
    moves = records.moves[rows[:, None], np.maximum(lengths[:, None] - np.array([1, 2]), 0)]
    return (lengths >= 2) & (moves == records.size**2).all(1)


def count_games(records: GameRecords, choose: Chooser, batch: int = 256) -> Iterator[np.ndarray]:
    """Yield whose the points are in the next n games, int8 (n, N*N): 1 Black's, 2 White's, 0 nobody's, -1 unknown.

    Where all of the records' results are 0, none is known, and nothing can contradict a count.
    """
    finished, told = ended_by_passes(records), bool(records.result.any())
    for start in range(0, len(finished), batch):
        rows = slice(start, start + batch)
        lengths = records.lengths[rows].astype(np.int64)
        positions, offsets = replay(records.moves[rows], lengths, records.size)
        last, done = positions.take(offsets[1:] - 1), finished[rows]
        owners = np.full((len(lengths), records.size**2), -1, np.int8)
        rng = np.random.default_rng(start)
        for attempt in range(TRIES):
            open_games = np.flatnonzero(owners[:, 0] < 0)
            if attempt:
                open_games = open_games[~done[open_games]]  # nothing else can become of the others
            if not len(open_games):
                break
            boards = _begin(last.take(open_games), done[open_games])
            _play_out(boards, choose, rng if attempt else None)
            for counted in (_without_dead_stones(boards), boards.area_owners().reshape(len(open_games), -1)):
                score = (counted == BLACK).sum(1) - (counted == WHITE).sum(1) - records.komi[rows][open_games]
                fits = (owners[open_games, 0] < 0) & ((np.sign(score) == records.result[rows][open_games]) | (not told))
                owners[open_games[fits]] = counted[fits]
        yield owners


def _begin(last: Positions, done: np.ndarray) -> BatchedGo:
    """Games that go on from the positions `last`, but for those that are done."""
    boards = BatchedGo(len(done), last.size)
    boards.stones[:], boards.to_move[:], boards.ko[:] = last.stones, last.to_move, last.ko
    boards.last_move[:] = last.last_move
    boards.passes[done] = 2
    return boards


def _play_out(boards: BatchedGo, choose: Chooser, rng: np.random.Generator | None) -> None:
    """Play until every game has ended, or has as many more plies as two boards have points.

    The likeliest legal moves, or with `rng` moves drawn at temperature 0.5.
    """
    for _ in range(2 * boards.size**2):
        going = np.flatnonzero(~boards.done)
        if not len(going):
            return
        chances = np.where(boards.legal_mask()[going], choose(boards.positions.take(going)), 0.0)
        chances[:, -1] += 1e-9  # a pass is always left
        moves = np.full(boards.n, -1)
        if rng is None:
            moves[going] = chances.argmax(1)
        else:
            steps = np.cumsum(chances.astype(np.float64) ** 2, 1)
            moves[going] = (steps <= rng.random((len(going), 1)) * steps[:, -1:]).sum(1).clip(max=boards.size**2)
        boards.play(moves)


def _without_dead_stones(boards: BatchedGo) -> np.ndarray:
    """Whose each point is, int8 (n, N*N)."""
    flat = boards.stones.reshape(boards.n, -1)
    sums = kernels.random_owners_each(flat, boards.to_move, kernels.neighbour_table(boards.size), PLAYOUTS, SEED)
    return np.where(sums > 0, BLACK, np.where(sums < 0, WHITE, 0)).astype(np.int8)


def main(arguments: Sequence[str] | None = None) -> int:
    """Count the games of record files."""
    parser = Parser(prog="python -m train.data.go_counts", description="Add to game records whose each point was.")
    parser.add_argument("records", nargs="+", type=Path, metavar="RECORDS", help="record file, written anew")
    parser.add_argument("--agent", type=Path, default=ASSETS / "checkpoints" / "go9-small", help="plays games out")
    parser.add_argument("--batch", type=int, default=256, help="games side by side (default: %(default)s)")
    try:
        options = parser.parse_args(arguments)
        if options.batch < 1:
            raise UserError(f"--batch is {options.batch}: give 1 or more")
        files = [(path, GameRecords.load(path)) for path in options.records]
        choose = _chooser(options.agent)
        for path, records in files:
            _count_file(path, records, choose, options.batch)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _chooser(folder: Path) -> Chooser:
    import torch

    from agents.go_model import load_go_model
    from envs.go.renderer import renderer_for

    model = load_go_model(folder)
    render = renderer_for(model.geometry)
    return lambda positions: model.move_probabilities(torch.from_numpy(render(positions))).numpy()


def _count_file(path: Path, records: GameRecords, choose: Chooser, batch: int) -> None:
    from rich.progress import track

    parts = count_games(records, choose, batch)
    total = -(-len(records.lengths) // batch)
    owners = np.concatenate(list(track(parts, f"{path.name}", total=total)))
    replace(records, owners=owners).save(path)
    played, unknown = int((~ended_by_passes(records)).sum()), int((owners[:, 0] < 0).sum())
    print(f"{path}: {len(owners)} games, {played} of them played out; {unknown} could not be counted")


if __name__ == "__main__":
    sys.exit(main())
