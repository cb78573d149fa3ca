"""Game records: SGF files read into `GoGame`s and games written back, through sgfmill.

Files of GOGoD, OGS, KGS and Fox read as they are: any usual text encoding, gzip, collections of many games, other board
sizes, handicap and setup stones. The main line is followed; side lines are counted and reported.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sgfmill import sgf

from envs.errors import UserError
from envs.go.coords import colour_to_gtp
from envs.go.rules import BLACK, WHITE, GoGame, check_size
from envs.go.sgf_reader import SgfGame, Skipped, load, read_games

__all__ = ["SgfFolder", "SgfGame", "Skipped", "format_sgf", "read_folder", "read_sgf", "write_sgf"]

SUFFIXES = (".sgf", ".sgf.gz")


@dataclass
class SgfFolder:
    """The games of all *.sgf and *.sgf.gz files under a folder (or of one file), read one at a time as you iterate.

    Attributes:
        path: the folder or file.
        size: read only games of this board size; None reads all.
        read: games yielded so far.
        skipped: what the iteration could not use so far.
    """

    path: Path
    size: int | None = None
    read: int = 0
    skipped: list[Skipped] = field(default_factory=list)

    def __iter__(self) -> Iterator[SgfGame]:
        """Yield the games in order of file names; raises UserError at the end if there was none."""
        self.read, self.skipped = 0, []
        for file in self._files():
            name = file.name if file == self.path else str(file.relative_to(self.path))
            try:
                data = load(file)
            except UserError as error:
                self.skipped.append(Skipped(name, str(error)))
                continue
            for game in read_games(data, name, self.size):
                if isinstance(game, Skipped):
                    self.skipped.append(game)
                else:
                    self.read += 1
                    yield game
        if not self.read:
            first = self.skipped[0]
            raise UserError(
                f"no game in {self.path} could be read ({len(self.skipped)} skipped; {first.source}: {first.reason}); "
                "give a folder with SGF game records"
            )

    def _files(self) -> list[Path]:
        if self.path.is_file():
            return [self.path]
        if not self.path.is_dir():
            raise UserError(f"{self.path} is neither a folder nor a file; give a folder with SGF game records")
        files = sorted(file for file in self.path.rglob("*") if file.name.lower().endswith(SUFFIXES) and file.is_file())
        if not files:
            raise UserError(f"{self.path} holds no {' or '.join(SUFFIXES)} file; give a folder with SGF game records")
        return files


def read_folder(path: str | Path, *, size: int | None = None) -> SgfFolder:
    """Return the games under `path` as an iterable that also counts what it skipped; see `SgfFolder`."""
    return SgfFolder(Path(path), None if size is None else check_size(size))


def read_sgf(source: str | Path | bytes) -> SgfGame:
    """Read the first game of a record.

    Args:
        source: a path (gzip is recognised), or the record itself as bytes.

    Raises:
        UserError: there is no such file, it is no SGF, or the game is not playable (wrong size, illegal move, ...).
    """
    name, data = ("the record", source) if isinstance(source, bytes) else (Path(source).name, load(Path(source)))
    games = read_games(data, name)
    game = next(games)
    if isinstance(game, Skipped):
        raise UserError(f"cannot read {game.source}: {game.reason}")
    if next(games, None) is not None:
        game = replace(game, notes=(*game.notes, "the file holds more games; the first was read"))
    return game


def format_sgf(
    game: GoGame,
    *,
    black: str = "",
    white: str = "",
    result: str | None = None,
    rules: str = "Chinese",
    date: str = "",
    event: str = "",
    root_comment: str = "",
    comments: Sequence[str] = (),
) -> bytes:
    """Return a game as SGF (UTF-8).

    Args:
        game: setup stones, moves and komi are taken from it.
        black, white, rules, date, event: written if not empty.
        result: such as "B+3.5"; by default the game's own result once it is over, else none.
        root_comment: shown before the first move.
        comments: `comments[k]` belongs to move k; may be shorter than the game, "" writes none.
    """
    record = sgf.Sgf_game(size=game.size)
    root = record.get_root()
    root.set("AP", ("VideoWorld Agents", ""))
    root.set("KM", game.komi)
    if result is None:
        result = game.result_text() if game.is_over else ""
    texts = {"PB": black, "PW": white, "RE": result, "RU": rules, "DT": date, "EV": event, "C": root_comment}
    for identifier, text in texts.items():
        if text:
            root.set(identifier, _encodable(text))
    stones = game.initial_stones.reshape(-1)
    if stones.any():
        black_setup, white_setup = ((stones == colour).nonzero()[0] for colour in (BLACK, WHITE))
        root.set_setup_stones(
            [_pair(int(point), game.size) for point in black_setup],
            [_pair(int(point), game.size) for point in white_setup],
        )
    if game.handicap_stones:
        root.set("HA", len(game.handicap_stones))
    first = game.history[0].colour if game.history else game.to_move
    if first != BLACK or stones.any():
        root.set("PL", colour_to_gtp(first).lower())
    node = root
    for number, move in enumerate(game.history):
        node = node.new_child()
        node.set_move(colour_to_gtp(move.colour).lower(), _pair(move.point, game.size))
        if number < len(comments) and comments[number]:
            node.set("C", _encodable(comments[number]))
    serialised: bytes = record.serialise()
    return serialised


def write_sgf(game: GoGame, path: str | Path, **details: Any) -> Path:
    """Write a game as an SGF file, whole or not at all, and return its path; `details` are those of `format_sgf`.

    Raises UserError if the file cannot be written; a file that stood there before is then untouched.
    """
    path = Path(path)
    data = format_sgf(game, **details)
    if not path.name:
        raise UserError(f"cannot write {path}: it is a folder; give the name of an SGF file in it")
    # Not made of the file's own name, which may be as long as names can be.
    part = path.with_name(f".sgf-{os.getpid()}-{threading.get_ident()}.part")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot write {path}: {reason}; choose another name or place") from error
    finally:
        with contextlib.suppress(OSError, ValueError):  # a place that takes no file has none to remove
            part.unlink(missing_ok=True)
    return path


def _pair(point: int, size: int) -> tuple[int, int] | None:
    if point == size * size:
        return None
    row, col = divmod(point, size)
    return size - 1 - row, col


def _encodable(text: str) -> str:
    """Names and comments may come from a command line in another encoding; lone surrogates cannot be written."""
    return text.encode("utf-8", "replace").decode("utf-8")
