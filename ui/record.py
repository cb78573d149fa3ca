"""Game records on disk: every game is saved after each move, whole or not at all, and never over another one."""

from __future__ import annotations

import logging
import os
import stat
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from envs.errors import UserError
from envs.files import data_folder
from envs.go.rules import BLACK, WHITE, GoGame
from envs.go.sgf import write_sgf

logger = logging.getLogger(__name__)


def games_folder() -> Path:
    """Return where games are kept: `games` in the user's data folder."""
    return data_folder() / "games"


class GameRecord:
    """Where the games of one match are saved, one file a game.

    Attributes:
        path: the file of the game now played.
        written: whether that file holds the game.
    """

    def __init__(self, path: Path | None = None) -> None:
        """`path` names the file of the first game; by default it is made of the date and time, in `games_folder()`.

        A file that exists is never written over, not even one that another window makes at the same moment: a number
        is added to the name. UserError if `path` is a folder, or no name that the system takes.
        """
        if path is not None and _is_folder(path):
            raise UserError(f"{path} is a folder; give the name of an SGF file in it")
        self._wanted = path
        self.path = _free_name(self._first_choice())
        self._date = time.strftime("%Y-%m-%d")
        self.written = False
        self._told = ""

    def next_game(self) -> None:
        """Use another file from now on, unless nothing was written to this one."""
        if self.written:
            self.written = False
            self.path = _free_name(self._first_choice())
            self._date = time.strftime("%Y-%m-%d")

    def save(self, game: GoGame, names: Mapping[int, str], result: str | None, comments: Sequence[str] = ()) -> str:
        """Write the game; returns "" or a sentence on why it could not be written, the same one only once.

        `comments[k]` belongs to move k, see `format_sgf`.

        A game without moves is written only over its own earlier record.
        """
        if not game.history and not self.written:
            return ""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if not self.written:
                self.path = claim(self.path)
            try:
                _write(game, self.path, names, result, comments, self._date)
            except UserError:
                if not self.written:
                    self.path.unlink(missing_ok=True)  # the empty file that held the name
                raise
        except (OSError, UserError) as error:
            folder = f"cannot make {self.path.parent}: {getattr(error, 'strerror', error)}; choose another place"
            reason = str(error) if isinstance(error, UserError) else folder
            told = f"The game goes on unsaved: {reason}."
            if told == self._told:
                return ""
            self._told = told
            logger.warning("%s", told)
            return told
        self.written, self._told = True, ""
        return ""

    def _first_choice(self) -> Path:
        return self._wanted if self._wanted is not None else games_folder() / _dated_name()


def save_copy(
    game: GoGame, folder: Path, names: Mapping[int, str], result: str | None, comments: Sequence[str] = ()
) -> Path:
    """Write a game under a new name in `folder` and return its path; UserError if that cannot be done."""
    path = claim(folder.absolute() / _dated_name())
    try:
        _write(game, path, names, result, comments, time.strftime("%Y-%m-%d"))
    except UserError:
        path.unlink(missing_ok=True)
        raise
    return path


def saved_games(folder: Path, most: int = 12) -> list[Path]:
    """The last games saved in `folder`, the newest first; none where there is no such folder."""
    try:
        files = [(entry.stat().st_mtime, entry.path) for entry in os.scandir(folder) if entry.name.endswith(".sgf")]
    except OSError:
        return []
    return [Path(path) for _, path in sorted(files, reverse=True)[:most]]


def _write(
    game: GoGame, path: Path, names: Mapping[int, str], result: str | None, comments: Sequence[str], date: str
) -> None:
    write_sgf(game, path, black=names[BLACK], white=names[WHITE], result=result, date=date, comments=comments)


def _dated_name() -> str:
    return time.strftime("go-%Y-%m-%d-%H%M%S.sgf")


def _free_name(wanted: Path) -> Path:
    path, number = wanted, 1
    # One that cannot even be looked for counts as free; `save` then tells what is wrong with it.
    while os.path.lexists(path):
        number += 1
        path = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
    return path


def claim(wanted: Path) -> Path:
    """Make an empty file under the first free name, so that nobody else takes it, and return its path; UserError."""
    while True:
        path = _free_name(wanted)
        try:
            path.open("xb").close()
        except FileExistsError:
            continue
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(f"cannot write {path}: {reason}; choose another name or place") from error
        return path


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:  # a name that is too long, a folder that may not be looked into
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"games cannot be saved to {path}: {reason}; choose another name or place") from error
