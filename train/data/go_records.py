"""Game records: what a file of Go games holds, and how it is made of self-play shards or SGF files.

A record file (`assets/go9/games.npz`) holds G games as numpy arrays; points are row * N + column, row 0 on top, N*N a
pass:

    size     int64  ()     points per side
    moves    uint8  (G, T) moves played, Black first; padding N*N after the end
    replies  uint8  (G, T) what the teacher would have played in the same position
    lengths  uint8  (G,)   plies
    komi     float32 (G,)
    result   int8   (G,)   +1 Black won, -1 White won, 0 draw
    owners   int8   (G, N*N) optional: whose each point was when the game was counted, 1 Black's, 2 White's, 0 nobody's,
                    -1 in all of a game that could not be counted (`train.data.go_counts` adds them)
    others   uint8  (G, T, A) optional: what else the teacher might have played, likelier moves first; N*N+1 for nothing
    chances  uint8  (G, T, 1 + A) with others: how likely it plays `replies` and each of these, in 255ths

`python -m train.data.go_records SHARD [SHARD ...] --out FILE` makes it from self-play shards; the same shards give the
same bytes.
"""

from __future__ import annotations

import argparse
import logging
import sys
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from envs.errors import UserError

if TYPE_CHECKING:
    from envs.go.sgf_reader import SgfGame

log = logging.getLogger(__name__)

ASSETS = Path(__file__).parents[2] / "assets"
FIELDS = ("size", "moves", "replies", "lengths", "komi", "result")
OPTIONAL = ("owners", "others", "chances")
SHARD_FIELDS = ("moves", "best", "length", "komi", "result")  # as self-play writes them
SHARD_CHANCES = ("alt", "best_p", "alt_p")  # the same, of the teacher's other moves; a shard has all or none
# Whatever a file that is no archive of arrays, or a damaged one, makes numpy raise
_UNREADABLE = (
    OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error
)  # fmt: skip


@dataclass(frozen=True)
class GameRecords:
    """Games as arrays; see the module's docstring."""

    size: int
    moves: np.ndarray
    replies: np.ndarray
    lengths: np.ndarray
    komi: np.ndarray
    result: np.ndarray
    owners: np.ndarray | None = None
    others: np.ndarray | None = None
    chances: np.ndarray | None = None

    def save(self, path: Path) -> None:
        """Write the record file; equal games give equal bytes. UserError if the disk refuses; an old file stays."""
        partial = path.with_name(path.name + ".partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with zipfile.ZipFile(partial, "w") as archive:
                    for name in (*FIELDS, *OPTIONAL):
                        if getattr(self, name) is None:
                            continue
                        buffer = BytesIO()
                        np.save(buffer, np.asarray(getattr(self, name)), allow_pickle=False)
                        entry = zipfile.ZipInfo(f"{name}.npy")  # carries a fixed date
                        archive.writestr(entry, buffer.getvalue(), zipfile.ZIP_DEFLATED, 9)
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)
        except OSError as error:
            raise UserError(
                f"cannot write {path}: {error.strerror or error}; make room or choose another file"
            ) from error

    @classmethod
    def load(cls, path: Path) -> GameRecords:
        """Read a record file; UserError where it is none."""
        if not path.is_file():
            raise UserError(f"no game records at {path}: give data.path=FILE, or restore assets/go9/games.npz")
        try:
            with np.load(path, allow_pickle=False) as file:
                values = {name: file[name] for name in FIELDS}
                values |= {name: file[name] for name in OPTIONAL if name in file.files}
            records = cls(size=int(values.pop("size")), **values)
            records.check()
            return records
        except _UNREADABLE as error:
            raise UserError(
                f"{path} is not a readable record file ({error}): make it again with train.data.go_records"
            ) from error

    def check(self) -> None:
        """ValueError where optional fields do not fit the games."""
        games, size = len(self.lengths), self.size
        if self.owners is not None and self.owners.shape != (games, size**2):
            raise ValueError(f"owners {self.owners.shape} for {games} games of {size}x{size}")
        if (self.others is None) != (self.chances is None):
            raise ValueError("others and chances are not both there")
        if self.others is None or self.chances is None:
            return
        shapes = self.moves.shape, self.others.shape, self.chances.shape
        if self.others.shape[:-1] != self.moves.shape or shapes[2] != (*self.moves.shape, shapes[1][-1] + 1):
            raise ValueError("moves {}, others {} and chances {} do not go together".format(*shapes))
        if self.others.size and self.others.max() > size**2 + 1:
            raise ValueError(f"one of the others is {self.others.max()}, beyond {size**2 + 1}")


def records_from_shards(paths: Sequence[Path]) -> GameRecords:
    """Merge self-play shards (fields moves, best, length, komi, result; 9x9) in the given order.

    Raises:
        UserError: a shard is missing, broken or something else, or the shards do not go together.
    """
    parts = [_read_shard(path) for path in paths]
    for path, part in zip(paths, parts, strict=True):
        if part.moves.shape[1] != parts[0].moves.shape[1]:
            raise UserError(
                f"{path} has room for {part.moves.shape[1]} plies, {paths[0]} for {parts[0].moves.shape[1]}: "
                "merge shards of one self-play run"
            )
    fields = [*FIELDS[1:], *(OPTIONAL[1:] if all(part.others is not None for part in parts) else ())]
    return GameRecords(9, **{name: np.concatenate([getattr(part, name) for part in parts]) for name in fields})


def _read_shard(path: Path) -> GameRecords:
    """A shard's games, with the teacher's other moves if it has them."""
    if not path.is_file():
        raise UserError(f"no shard at {path}: give the path of an existing .npz file")
    try:
        with np.load(path, allow_pickle=False) as file:
            moves, replies, lengths, komi, result = (file[name] for name in SHARD_FIELDS)
            known = [file[name] for name in SHARD_CHANCES if name in file.files]
        games = moves.shape[:1]
        if moves.ndim != 2 or replies.shape != moves.shape or any(x.shape != games for x in (lengths, komi, result)):
            raise ValueError("its fields are not as long as each other")
        if not ((lengths >= 0) & (lengths <= min(moves.shape[1], 255))).all():
            raise ValueError(f"a length is outside 0 to {min(moves.shape[1], 255)} plies")
        past = np.arange(moves.shape[1]) >= lengths[:, None]
        moves, replies = np.where(past, 81, moves), np.where(past, 81, replies)
        if not all(x.min() >= 0 and x.max() <= 81 for x in (moves, replies)):
            raise ValueError("a move is outside 0 to 81")
        kinds = (np.uint8, np.uint8, np.uint8, np.float32, np.int8)
        told = [x.astype(kind) for x, kind in zip((moves, replies, lengths, komi, result), kinds, strict=True)]
        records = GameRecords(9, *told)
        if len(known) == len(SHARD_CHANCES):
            others, chances = _chances(known[0], known[1], known[2], past)
            records = replace(records, others=others, chances=chances)
        records.check()
        return records
    except _UNREADABLE as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is no readable self-play shard of 9x9 games ({reason}): leave it out") from error


def _chances(others: np.ndarray, first: np.ndarray, rest: np.ndarray, past: np.ndarray) -> tuple[np.ndarray, ...]:
    """A shard's `others` and `chances` as `GameRecords` has them; past: bool (G, T), behind the games' ends."""
    if others.ndim != 3 or rest.shape != others.shape or not others.shape[:2] == first.shape == past.shape:
        raise ValueError("the chances do not fit the moves")
    nothing = past[..., None] | (others > 81)
    chances = np.concatenate([np.where(past, 0, first)[..., None], np.where(nothing, 0, rest)], -1)
    return np.where(nothing, 82, others).astype(np.uint8), chances.astype(np.uint8)


def records_from_sgf(folder: Path, size: int) -> GameRecords:
    """The games of one size in a folder of SGF files: main lines that alternate from an empty board.

    The log counts what is left out.

    Raises:
        UserError: there is no such game.
    """
    from envs.go.sgf import read_folder

    found, games = read_folder(folder), []
    left_out = dict.fromkeys(("of other sizes", "with setup stones", "not by turns", "without moves"), 0)
    for game in found:
        reason = _reason_against(game, size)
        if reason:
            left_out[reason] += 1
        else:
            games.append(game)
    counts = [f"{count} {reason}" for reason, count in left_out.items() if count]
    if found.skipped:
        first = found.skipped[0]
        counts.append(f"{len(found.skipped)} damaged (first {first.source}: {first.reason})")
    lines = sum(game.variations for game in games)
    if lines:
        counts.append(f"{lines} side lines")
    if not games:
        raise UserError(f"no {size}x{size} game in {folder} ({', '.join(counts)}): give another data.path or data.size")
    log.info("%d games from %s; left out: %s", len(games), folder, ", ".join(counts) or "nothing")
    longest = max(len(game.moves) for game in games)
    moves = np.full((len(games), longest), size * size, np.int16)
    for row, game in zip(moves, games, strict=True):
        row[: len(game.moves)] = [point for _, point in game.moves]
    lengths = np.array([len(game.moves) for game in games], np.int32)
    outcome = {"B": 1, "W": -1}
    result = np.array([outcome.get((game.result or "0")[0], 0) for game in games], np.int8)
    komi = np.array([game.komi for game in games], np.float32)
    return GameRecords(size, moves, moves, lengths, komi, result)


def _reason_against(game: SgfGame, size: int) -> str:
    """Why a game cannot be learned from; empty if it can."""
    if game.size != size:
        return "of other sizes"
    if game.black_setup or game.white_setup:
        return "with setup stones"
    if any(move.colour != 1 + ply % 2 for ply, move in enumerate(game.moves)):
        return "not by turns"
    return "" if game.moves else "without moves"


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert shards to a record file."""
    parser = argparse.ArgumentParser(
        prog="python -m train.data.go_records", description="Make a record file from self-play shards."
    )
    parser.add_argument(
        "shards", nargs="+", type=Path, metavar="SHARD", help=".npz with moves, best, length, komi, result"
    )
    parser.add_argument(
        "--out", type=Path, default=ASSETS / "go9" / "games.npz", help="file to write (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    try:
        records = records_from_shards(options.shards)
        records.save(options.out)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{options.out}: {len(records.lengths)} games, {int(records.lengths.astype(int).sum())} positions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
