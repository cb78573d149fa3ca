"""Looking at the positions of a game, one's own or a record's, without touching the game."""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from envs.errors import UserError
from envs.go.rules import GoGame
from envs.go.sgf import SgfGame, read_sgf
from envs.go.sgf_reader import load
from ui.thoughts import ThoughtLog

MAX_MEGABYTES = 10
MAX_NODES = 10_000


def rewound(game: GoGame, ply: int) -> GoGame:
    """A copy of `game` as it was after its first `ply` moves."""
    earlier = game.copy()
    if ply < len(game.history):
        earlier.resigned = None
    while len(earlier.history) > ply:
        earlier.undo()
    return earlier


def read_record(path: Path) -> SgfGame:
    """Read a record's first game to look at; UserError if it cannot be used, or is too large to wait for."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot read {path}: {reason}; check the file") from error
    if not stat.S_ISREG(status.st_mode):  # a pipe might never end
        raise UserError(f"cannot read {path}: it is no file; give an SGF file")
    megabytes = status.st_size / 10**6
    if megabytes <= MAX_MEGABYTES:
        data = load(path)
        megabytes = len(data) / 10**6  # unpacked
    if megabytes > MAX_MEGABYTES:
        raise UserError(f"{path.name} has {megabytes:.0f} MB; {MAX_MEGABYTES} MB are the limit, give a smaller file")
    # What stands in brackets is no node; without regular expressions, which damaged files can make slow.
    parts = data.replace(b"\\\\", b"").replace(b"\\]", b"").split(b"]")
    nodes = sum(part.partition(b"[")[0].count(b";") for part in parts)
    if nodes > MAX_NODES:
        raise UserError(f"{path.name} has {nodes:,} nodes; {MAX_NODES:,} are the limit, give a smaller file")
    return read_sgf(path)


class Review:
    """A cursor over the positions of one game.

    Attributes:
        game: the game that is looked at, which may go on meanwhile.
        thoughts: what was thought about its positions.
        names: colour -> who plays.
        title: what the game is called, "" for one's own.
        result: the record's own words, "" where there are none.
        comments: the record's own, one for each position from the start on; may be shorter than the game.
        path: the record's file, None for one's own game.
    """

    def __init__(
        self,
        game: GoGame,
        thoughts: ThoughtLog,
        names: Callable[[], Mapping[int, str]],
        *,
        title: str = "",
        result: str = "",
        comments: Sequence[str] = (),
        path: Path | None = None,
    ) -> None:
        """Start at the end of the game."""
        self.game = game
        self.thoughts = thoughts
        self.title, self.result, self.path = title, result, path
        self.comments = comments
        self._names = names
        self.ply = self.length
        self._shown = game.copy()

    @classmethod
    def of_record(cls, record: SgfGame, path: Path) -> Review:
        """A look at a game that was read from a file."""
        names = {1: record.black or "Black", 2: record.white or "White"}
        comments = (record.root_comment, *record.comments)
        review = cls(
            record.game, ThoughtLog(), lambda: names,
            title=path.name, result=record.result, comments=comments, path=path,
        )  # fmt: skip
        review.go(0)
        return review

    @property
    def own(self) -> bool:
        """Whether this is the match's own game."""
        return self.path is None

    @property
    def names(self) -> Mapping[int, str]:
        """Colour -> who plays."""
        return self._names()

    @property
    def length(self) -> int:
        """Moves of the game by now."""
        return len(self.game.history)

    @property
    def shown(self) -> GoGame:
        """The position that is looked at, as a game of its own."""
        return self._shown

    @property
    def comment(self) -> str:
        """The record's comment on the position that is looked at, on one line."""
        return " ".join(self.comments[self.ply].split()) if self.ply < len(self.comments) else ""

    def go(self, ply: int) -> bool:
        """Look at the position after `ply` moves, or the nearest there is; returns whether it is another one."""
        ply = max(0, min(ply, self.length))
        if ply == self.ply:
            return False
        self.ply = ply
        self._shown = rewound(self.game, ply)
        return True

    def unknown(self) -> int | None:
        """The nearest position, later ones first, about which nothing is known yet; None if there is none."""
        ahead = range(self.ply, self.length + 1)
        behind = range(self.ply - 1, -1, -1)
        return next((ply for part in (ahead, behind) for ply in part if self.thoughts.telling(ply) is None), None)
