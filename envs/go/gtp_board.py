"""The commands of GTP that need no engine: the board, its moves and handicaps, game files, and the clock."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable

import numpy as np

from envs.errors import UserError
from envs.go.coords import GTP_COLUMNS, colour_to_gtp, gtp_to_colour, gtp_to_point, is_gtp_vertex, point_to_gtp
from envs.go.gtp_protocol import GtpError
from envs.go.rules import BLACK, WHITE, GoGame, fixed_handicap
from envs.go.tiles import star_points

logger = logging.getLogger(__name__)

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,9}", re.ASCII)


class GtpBoard:
    """The game that a controller talks about. Boards of one size only, and the simple ko only, as GTP leaves superko to
    the controller. `commands` maps a name to a function that gets the arguments and returns the text of success or
    raises GtpError.
    """

    def __init__(self, size: int, komi: float) -> None:
        self.game = GoGame(size, komi=komi)
        self._byoyomi: float | None = None  # seconds for a move where there is no main time; None: no limit
        self._left: dict[int, float] = {}  # seconds for the next move, as `time_left` had it
        self.commands: dict[str, Callable[[list[str]], str]] = {
            "boardsize": self._boardsize,
            "rectangular_boardsize": self._boardsize,
            "clear_board": self._clear_board,
            "komi": self._komi,
            "play": self._play,
            "gogui-play_sequence": self._play_sequence,
            "undo": self._undo,
            "showboard": lambda _: "\n" + board_text(self.game),
            "loadsgf": self._loadsgf,
            "fixed_handicap": self._fixed_handicap,
            "place_free_handicap": self._place_free_handicap,
            "set_free_handicap": self._set_free_handicap,
            "time_settings": self._time_settings,
            "kgs-time_settings": self._kgs_time_settings,
            "time_left": self._time_left,
        }

    def play(self, point: int, colour: int) -> None:
        """Play a move, also after two passes; IllegalMoveError if the rules forbid it."""
        if self.game.is_over and self.game.why_illegal(point, colour) == "game over":
            self.game.resume()
        self.game.play(point, colour)

    def open_game(self) -> GoGame:
        """The game; where it is over, a copy that goes on: after two passes a controller may still want a move."""
        if not self.game.is_over:
            return self.game
        game = self.game.copy()
        game.resume()
        return game

    def seconds_left(self, colour: int) -> float | None:
        """Seconds that `colour` has for its next move at most, None without a limit."""
        return self._left.get(colour, self._byoyomi)

    def _boardsize(self, arguments: list[str]) -> str:
        words = arguments[0].split(":") if len(arguments) == 1 else arguments
        if not 1 <= len(words) <= 2 or not all(_INTEGER.fullmatch(word) for word in words):
            raise GtpError("syntax error")
        if any(int(word) != self.game.size for word in words):
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
        colour, vertex = parse_colour(arguments[0]), arguments[1]
        if not is_gtp_vertex(vertex):
            raise GtpError("syntax error")
        try:
            self.play(gtp_to_point(vertex, self.game.size), colour)
        except UserError:  # off this board, occupied, suicide or ko
            raise GtpError("illegal move") from None
        return ""

    def _play_sequence(self, arguments: list[str]) -> str:
        before = self.game.copy()
        try:
            for colour, vertex in zip(arguments[::2], arguments[1::2], strict=True):
                self._play([colour, vertex])
        except (GtpError, ValueError) as error:
            self.game = before
            raise GtpError(str(error) if isinstance(error, GtpError) else "syntax error") from None
        return ""

    def _undo(self, arguments: list[str]) -> str:
        try:
            self.game.undo()
        except UserError:
            raise GtpError("cannot undo") from None
        return ""

    def _loadsgf(self, arguments: list[str]) -> str:
        from envs.go.sgf import read_sgf

        if not 1 <= len(arguments) <= 2 or (len(arguments) == 2 and not _INTEGER.fullmatch(arguments[1])):
            raise GtpError("syntax error")
        try:
            game = read_sgf(arguments[0]).game
        except (UserError, OSError) as error:
            logger.error("%s", error)
            raise GtpError("cannot load file") from None
        if game.size != self.game.size:
            raise GtpError("cannot load file")
        if len(arguments) == 2:
            while len(game.history) > max(0, int(arguments[1]) - 1):
                game.undo()
        self.game = game
        return ""

    def _fixed_handicap(self, arguments: list[str]) -> str:
        return self._handicap(arguments, fewer=False)

    def _place_free_handicap(self, arguments: list[str]) -> str:
        return self._handicap(arguments, fewer=True)

    def _handicap(self, arguments: list[str], fewer: bool) -> str:
        """Fixed points in either case: the engine has learned from even games and has no better ones."""
        if len(arguments) != 1 or not _INTEGER.fullmatch(arguments[0]):
            raise GtpError("syntax error")
        self._need_an_empty_board()
        wanted = int(arguments[0])
        while True:
            try:
                points = fixed_handicap(self.game.size, wanted)
                break
            except UserError:
                if not fewer or wanted <= 2:
                    raise GtpError("invalid number of stones") from None
                wanted = min(wanted, 10) - 1
        self._give_handicap(points)
        return " ".join(point_to_gtp(point, self.game.size) for point in points)

    def _set_free_handicap(self, arguments: list[str]) -> str:
        self._need_an_empty_board()
        try:
            points = [gtp_to_point(vertex, self.game.size) for vertex in arguments]
        except UserError:
            points = []
        if len(points) < 2 or len(set(points)) < len(points) or self.game.area in points:
            raise GtpError("bad vertex list")
        try:
            self._give_handicap(points)
        except UserError:  # a stone without a liberty
            raise GtpError("bad vertex list") from None
        return ""

    def _need_an_empty_board(self) -> None:
        if self.game.stones.any():
            raise GtpError("board not empty")

    def _give_handicap(self, points: list[int]) -> None:
        game = GoGame(self.game.size, komi=self.game.komi)  # passes before a handicap count for nothing
        game.place_stones(points, handicap=True)
        self.game = game

    def _time_settings(self, arguments: list[str]) -> str:
        main, extra, stones = _numbers(arguments, 3)
        self._left = {}
        # Canadian time: `extra` seconds for so many stones; no stones for some seconds means no limit
        self._byoyomi = None if main or (extra and not stones) else extra / max(stones, 1)
        return ""

    def _kgs_time_settings(self, arguments: list[str]) -> str:
        kinds = {"none": 0, "absolute": 1, "byoyomi": 3, "canadian": 3}
        if not arguments or arguments[0] not in kinds:
            raise GtpError("syntax error")
        numbers = _numbers(arguments[1:], kinds[arguments[0]])
        self._left = {}
        self._byoyomi = None if not numbers or numbers[0] or len(numbers) == 1 else numbers[1]
        return ""

    def _time_left(self, arguments: list[str]) -> str:
        if len(arguments) != 3:
            raise GtpError("syntax error")
        colour = parse_colour(arguments[0])
        seconds, stones = _numbers(arguments[1:], 2)
        self._left[colour] = seconds / max(stones, 1)
        return ""


def board_text(game: GoGame) -> str:
    """Return the board as text: X black, O white, + star points, lettered and numbered as GTP does; no blank line."""
    rows = [stones_text(game.stones)]
    last = game.history[-1] if game.history else None
    said = f"last {colour_to_gtp(last.colour)} {point_to_gtp(last.point, game.size)}, " if last else ""
    taken = f"captured by B {game.captures[BLACK]}, by W {game.captures[WHITE]}"
    rows.append(f"{said}{colour_to_gtp(game.to_move)} to move, komi {game.komi:g}, {taken}")
    return "\n".join(rows)


def stones_text(stones: np.ndarray) -> str:
    """Stones (N, N) as the rows of `board_text`."""
    size = len(stones)
    letters = "   " + " ".join(GTP_COLUMNS[:size])
    stars = star_points(size)
    rows = [letters]
    for row in range(size):
        signs = [".XO"[stone] for stone in stones[row]]
        signs = ["+" if sign == "." and row * size + col in stars else sign for col, sign in enumerate(signs)]
        rows.append(f"{size - row:2d} {' '.join(signs)} {size - row}")
    return "\n".join([*rows, letters])


def parse_colour(word: str) -> int:
    """BLACK or WHITE; GtpError for what is no colour."""
    try:
        return gtp_to_colour(word)
    except UserError:
        raise GtpError("syntax error") from None


def _numbers(words: list[str], count: int) -> list[float]:
    if len(words) != count or not all(_NUMBER.fullmatch(word) for word in words):
        raise GtpError("syntax error")
    return [max(0.0, float(word)) for word in words]
