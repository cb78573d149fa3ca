"""A Go Text Protocol server (version 2): lines in, responses out. It knows the protocol and the rules, no model.

stdout carries responses alone. Commands may be sent without waiting; they are answered strictly in order.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO, Protocol

from envs.errors import UserError
from envs.go.coords import GTP_COLUMNS, colour_to_gtp, gtp_to_colour, gtp_to_point, is_gtp_vertex, point_to_gtp
from envs.go.renderer import star_points
from envs.go.rules import BLACK, WHITE, GoGame, IllegalMoveError

logger = logging.getLogger(__name__)

_MAX_ID = 2**31 - 1
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,9}", re.ASCII)
# Everything up to the blank, and DEL, except the tab and the line feed.
_DROPPED = dict.fromkeys([code for code in range(32) if chr(code) not in "\t\n"] + [127])


class GtpError(Exception):
    """Raised by a command that fails; the text is the response after `?`."""


class Decided(Protocol):
    """What the server reads of a decision: a point, `size * size` for a pass, below zero to resign; and its thought."""

    @property
    def action(self) -> int: ...

    @property
    def thought(self) -> Any: ...


class Chooser(Protocol):
    """Who chooses the moves; `choose` may block, for instance until a model is loaded."""

    def choose(self, game: GoGame, colour: int | None = None) -> Decided: ...


def parse_line(line: str) -> tuple[str, str, list[str]] | None:
    """Return (id, command, arguments) of one line, or None where nothing is to be answered.

    The id is "" where none is given and is otherwise echoed as written. Control characters go, tabs become blanks, and
    a comment runs from `#` to the end of the line.
    """
    words = line.translate(_DROPPED).replace("\t", " ").partition("#")[0].replace("\n", " ").split(" ")
    words = [word for word in words if word]
    if not words:
        return None
    identity = ""
    if words[0].isascii() and words[0].isdecimal() and int(words[0][:20]) <= _MAX_ID:
        identity = words.pop(0)
    return identity, words[0] if words else "", words[1:]


class GtpServer:
    """Holds the game a GUI talks about and answers its commands.

    Boards of one size only are served, the size the chooser plays. Superko is left to the controller: only the simple
    ko is enforced, and a game may go on after two passes, as GTP allows.
    """

    def __init__(
        self, player: Chooser, *, size: int = 9, komi: float = 7.0, name: str = "VideoWorld", version: str = ""
    ) -> None:
        """`player` chooses for genmove and reg_genmove; `name` must not contain the version."""
        self.player = player
        self.name = name
        self.version = version
        self.game = GoGame(size, komi=komi)
        self.closed = False
        self._commands: dict[str, Callable[[list[str]], str]] = {
            "protocol_version": lambda _: "2",
            "name": lambda _: self.name,
            "version": lambda _: self.version,
            "known_command": self._known_command,
            "list_commands": lambda _: "\n".join(self._commands),
            "quit": self._quit,
            "boardsize": self._boardsize,
            "clear_board": self._clear_board,
            "komi": self._komi,
            "play": self._play,
            "genmove": self._genmove,
            "reg_genmove": self._reg_genmove,
            "undo": self._undo,
            "showboard": self._showboard,
            "final_score": self._final_score,
        }

    def serve(self, lines: Iterable[bytes], out: BinaryIO) -> None:
        """Answer every line until `quit` or the end of the input; each response is flushed at once."""
        for line in lines:
            response = self.respond(line.decode("utf-8", errors="replace"))
            if response is not None:
                out.write(response.encode("utf-8"))
                out.flush()
            if self.closed:
                return

    def respond(self, line: str) -> str | None:
        """Return the complete response to one line, its two line feeds included, or None if it asks for none."""
        parsed = parse_line(line)
        if parsed is None:
            return None
        identity, command, arguments = parsed
        handler = self._commands.get(command)
        try:
            if handler is None:
                raise GtpError("unknown command")
            mark, text = "=", handler(arguments)
        except GtpError as error:
            mark, text = "?", str(error)
        gap = "" if not text or text.startswith("\n") else " "
        return f"{mark}{identity}{gap}{text}\n\n"

    # Commands: each gets its arguments, returns the text of success or raises GtpError.

    def _known_command(self, arguments: list[str]) -> str:
        return "true" if arguments and arguments[0] in self._commands else "false"

    def _quit(self, arguments: list[str]) -> str:
        self.closed = True
        return ""

    def _boardsize(self, arguments: list[str]) -> str:
        if len(arguments) != 1 or not _INTEGER.fullmatch(arguments[0]):
            raise GtpError("syntax error")
        if int(arguments[0]) != self.game.size:
            raise GtpError("unacceptable size")
        return self._clear_board([])

    def _clear_board(self, arguments: list[str]) -> str:
        self.game = GoGame(self.game.size, komi=self.game.komi)
        return ""

    def _komi(self, arguments: list[str]) -> str:
        if len(arguments) != 1 or not _NUMBER.fullmatch(arguments[0]) or not math.isfinite(float(arguments[0])):
            raise GtpError("syntax error")
        self.game.komi = float(arguments[0])
        return ""

    def _play(self, arguments: list[str]) -> str:
        if len(arguments) != 2:
            raise GtpError("syntax error")
        colour, vertex = _colour(arguments[0]), arguments[1]
        if not is_gtp_vertex(vertex):
            raise GtpError("syntax error")
        try:
            self._play_on(gtp_to_point(vertex, self.game.size), colour)
        except UserError:  # off this board, occupied, suicide or ko
            raise GtpError("illegal move") from None
        return ""

    def _genmove(self, arguments: list[str]) -> str:
        colour = _only_colour(arguments)
        action = self._choose(colour).action
        if action < 0:
            return "resign"
        try:
            self._play_on(action, colour)
        except IllegalMoveError as error:
            logger.error("the player chose an illegal move: %s It passes instead.", error)
            action = self.game.area
            self._play_on(action, colour)
        return point_to_gtp(action, self.game.size)

    def _reg_genmove(self, arguments: list[str]) -> str:
        colour = _only_colour(arguments)
        decision = self._choose(colour)
        # A regression test wants the best move even where the player draws lots among its candidates.
        best = max(decision.thought.candidates, key=lambda candidate: candidate.probability, default=None)
        action = decision.action if best is None else best.point
        return "resign" if action < 0 else point_to_gtp(action, self.game.size)

    def _undo(self, arguments: list[str]) -> str:
        try:
            self.game.undo()
        except UserError:
            raise GtpError("cannot undo") from None
        return ""

    def _showboard(self, arguments: list[str]) -> str:
        return "\n" + board_text(self.game)

    def _final_score(self, arguments: list[str]) -> str:
        return self.game.result_text()

    def _choose(self, colour: int) -> Decided:
        """Ask the player, with the game open: after two passes a controller may still want a move."""
        game = self.game
        if game.is_over:
            game = game.copy()
            game.resume()
        try:
            return self.player.choose(game, colour)
        except UserError as error:
            logger.error("%s", error)
            raise GtpError(" ".join(str(error).split())) from None

    def _play_on(self, point: int, colour: int) -> None:
        if self.game.is_over and self.game.why_illegal(point, colour) == "game over":
            self.game.resume()
        self.game.play(point, colour)


def board_text(game: GoGame) -> str:
    """Return the board as text: X black, O white, + star points, lettered and numbered as GTP does; no blank line."""
    letters = "   " + " ".join(GTP_COLUMNS[: game.size])
    stars = star_points(game.size)
    rows = [letters]
    for row in range(game.size):
        signs = [".XO"[stone] for stone in game.stones[row]]
        signs = ["+" if sign == "." and row * game.size + col in stars else sign for col, sign in enumerate(signs)]
        rows.append(f"{game.size - row:2d} {' '.join(signs)} {game.size - row}")
    rows.append(letters)
    last = game.history[-1] if game.history else None
    said = f"last {colour_to_gtp(last.colour)} {point_to_gtp(last.point, game.size)}, " if last else ""
    taken = f"captured by B {game.captures[BLACK]}, by W {game.captures[WHITE]}"
    rows.append(f"{said}{colour_to_gtp(game.to_move)} to move, komi {game.komi:g}, {taken}")
    return "\n".join(rows)


def _colour(word: str) -> int:
    try:
        return gtp_to_colour(word)
    except UserError:
        raise GtpError("syntax error") from None


def _only_colour(arguments: list[str]) -> int:
    if len(arguments) != 1:
        raise GtpError("syntax error")
    return _colour(arguments[0])
