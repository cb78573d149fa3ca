"""The Go engine behind the Go Text Protocol (version 2). It knows the protocol and the rules, no model.

stdout carries responses alone. Commands may be sent without waiting; they are answered strictly in order. An analysis
goes on until the next line of input. The line protocol stands in `gtp_protocol.py`.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, Protocol

from envs.errors import UserError
from envs.go.coords import point_to_gtp
from envs.go.gtp_analysis import Report, Request, format_report, parse_request
from envs.go.gtp_board import GtpBoard, parse_colour
from envs.go.gtp_protocol import COMMANDS, GtpError, Inbox, administer, opening, parse_line, response
from envs.go.rules import GoGame, IllegalMoveError, opponent

logger = logging.getLogger(__name__)

GENMOVE_ANALYSIS = 1.0  # seconds of analysis before a move that is asked for with one
CLOCK_SHARE = 0.1  # of the seconds left may go into one move, so that main time lasts and messages have theirs


class Decided(Protocol):
    """What the server reads of a decision: a point, `size * size` for a pass, below zero to resign; and its thought."""

    @property
    def action(self) -> int: ...

    @property
    def thought(self) -> Any: ...


class Engine(Protocol):
    """Who chooses and judges; every call may block, for instance until a model is loaded."""

    def choose(self, game: GoGame, colour: int | None = None, *, seconds: float | None = None) -> Decided:
        """A move for `colour` (default: the side to move), in about `seconds` at most (None: without a limit)."""
        ...

    def analyse(self, game: GoGame, colour: int | None = None, *, allowed: Any = None) -> Iterator[Report | None]:
        """Ever better reports; None where there is nothing new, so that the caller can look whether to go on."""
        ...

    def dead_stones(self, game: GoGame) -> list[list[int]]:
        """The chains, as lists of points, that would not survive if both sides played on; asked once a position."""
        ...


class GtpServer:
    """Holds the game a GUI talks about and answers its commands.

    Boards of one size only are served, the size the engine plays. Superko is left to the controller: only the simple
    ko is enforced, and a game may go on after two passes, as GTP allows. A move takes a small part of a second; where
    the clock is short, the engine is given a share of what is left for the move, CLOCK_SHARE.
    """

    def __init__(
        self, engine: Engine, *, size: int = 9, komi: float = 7.0, name: str = "VideoWorld", version: str = ""
    ) -> None:
        """`name` must not contain the version."""
        self.engine = engine
        self.name = name
        self.version = version
        self.board = GtpBoard(size, komi)
        self.closed = False
        self._judged: tuple[object, list[list[int]]] = (None, [])  # a position and its dead stones
        self._commands: dict[str, Callable[[list[str]], str]] = {
            **self.board.commands,
            "genmove": self._genmove,
            "reg_genmove": self._reg_genmove,
            "kgs-genmove_cleanup": self._genmove_cleanup,
            "kgs-game_over": lambda _: "",
            "final_score": self._final_score,
            "final_status_list": self._final_status_list,
        }
        self._streams = {
            "kata-analyze": self._analyze,
            "lz-analyze": self._analyze,
            "kata-genmove_analyze": self._genmove_analyze,
            "lz-genmove_analyze": self._genmove_analyze,
        }
        assert set(COMMANDS) >= self._commands.keys() | self._streams.keys()

    @property
    def game(self) -> GoGame:
        """The game as it stands."""
        return self.board.game

    def serve(self, lines: Iterable[bytes] | Inbox, out: BinaryIO) -> None:
        """Answer every line until `quit` or the end of the input; each response is flushed at once."""
        inbox = lines if isinstance(lines, Inbox) else Inbox(lines)

        def write(text: str) -> None:
            out.write(text.encode("utf-8"))
            out.flush()

        for line in inbox:
            self.answer(line, write, inbox.has_line)
            if self.closed:
                return

    def respond(self, line: str) -> str | None:
        """Return the complete response to one line, its two line feeds included, or None if it asks for none.

        An analysis is cut off after its first line.
        """
        parts: list[str] = []
        self.answer(line, parts.append, lambda seconds: seconds > 0 or "info" in "".join(parts))
        return "".join(parts) or None

    def answer(self, line: str, write: Callable[[str], None], interrupted: Callable[[float], bool]) -> None:
        """Answer one line.

        Args:
            line: as it came in.
            write: takes the response, in parts where it is an analysis.
            interrupted: waits up to so many seconds and says whether more input has come, which ends an analysis.
        """
        parsed = parse_line(line)
        if parsed is None:
            return
        identity, command, arguments = parsed
        try:
            if command in self._streams:
                dialect = command.partition("-")[0]
                self._streams[command](identity, arguments, dialect, write, interrupted)
                return
            text = administer(command, arguments, self.name, self.version)
            if text is None:
                if command not in self._commands:
                    raise GtpError("unknown command")
                text = self._commands[command](arguments)
        except GtpError as error:
            write(response("?", identity, str(error)))
            return
        self.closed = command == "quit"
        write(response("=", identity, text))

    # Commands that ask the engine

    def _genmove(self, arguments: list[str]) -> str:
        colour = _only_colour(arguments)
        return self._make(self._choose(colour).action, colour)

    def _reg_genmove(self, arguments: list[str]) -> str:
        colour = _only_colour(arguments)
        decision = self._choose(colour)
        # A regression test wants the best move even where the player draws lots among its candidates.
        best = max(decision.thought.candidates, key=lambda candidate: candidate.probability, default=None)
        action = decision.action if best is None else best.point
        return "resign" if action < 0 else point_to_gtp(action, self.game.size)

    def _genmove_cleanup(self, arguments: list[str]) -> str:
        """As genmove, but without a pass while dead stones of the opponent stand on the board."""
        colour = _only_colour(arguments)
        decision = self._choose(colour)
        action = decision.action
        if action == self.game.area:
            stones = self.game.stones.reshape(-1)
            if any(stones[chain[0]] == opponent(colour) for chain in self._dead()):
                others = [candidate for candidate in decision.thought.candidates if candidate.point != action]
                if others:
                    action = max(others, key=lambda candidate: candidate.probability).point
        return self._make(action, colour)

    def _final_score(self, arguments: list[str]) -> str:
        return self.game.result_text([point for chain in self._dead() for point in chain])

    def _final_status_list(self, arguments: list[str]) -> str:
        """Chains, one a line. Whether both sides live for want of a move (seki) is not told apart from life."""
        if arguments not in (["alive"], ["dead"], ["seki"]):
            raise GtpError("syntax error")
        chains = [] if arguments == ["seki"] else self._dead()
        if arguments == ["alive"]:
            gone = {point for chain in chains for point in chain}
            chains = [chain for chain in self.game.chains() if chain[0] not in gone]
        return "\n".join(" ".join(point_to_gtp(point, self.game.size) for point in chain) for chain in chains)

    # Analysis

    def _analyze(
        self, identity: str, arguments: list[str], dialect: str, write: Callable[[str], None],
        interrupted: Callable[[float], bool],
    ) -> None:  # fmt: skip
        request = parse_request(arguments, self.game.size)
        write(opening("=", identity, "") + "\n")
        line = self._stream(request, dialect, write, interrupted, math.inf)
        while not interrupted(request.interval):  # nothing better will come; graphs go on all the same
            write(line)
        write("\n")

    def _genmove_analyze(
        self, identity: str, arguments: list[str], dialect: str, write: Callable[[str], None],
        interrupted: Callable[[float], bool],
    ) -> None:  # fmt: skip
        request = parse_request(arguments, self.game.size)
        colour = self.game.to_move if request.colour is None else request.colour
        action = self._choose(colour).action
        write(opening("=", identity, "") + "\n")
        self._stream(request, dialect, write, interrupted, self._seconds_for(colour))
        write(f"play {self._make(action, colour)}\n\n")

    def _stream(
        self, request: Request, dialect: str, write: Callable[[str], None], interrupted: Callable[[float], bool],
        seconds: float,
    ) -> str:  # fmt: skip
        """Write lines until the analysis has come to its end, `seconds` are over or input comes; returns the last."""
        start, due, line = time.monotonic(), 0.0, ""
        try:
            for report in self.engine.analyse(self.board.open_game(), request.colour, allowed=request.allowed):
                now = time.monotonic()
                if report is not None:
                    line = format_report(report, request, dialect, self.game.size) + "\n"
                if now >= due and line.strip():  # graphs go on where nothing is new, too
                    write(line)
                    due = now + request.interval
                # A move that is asked for comes with one line at least; a mere analysis gives way at once.
                if now - start > seconds or (interrupted(0.0) and (line or math.isinf(seconds))):
                    break
        except UserError as error:
            logger.error("%s", error)  # the response has begun, so it can only stay empty
        return line

    def _seconds_for(self, colour: int) -> float:
        allowed = self._allowed(colour)
        return GENMOVE_ANALYSIS if allowed is None else min(GENMOVE_ANALYSIS, allowed)

    def _allowed(self, colour: int) -> float | None:
        left = self.board.seconds_left(colour)
        return None if left is None else CLOCK_SHARE * left

    # The engine and the game

    def _choose(self, colour: int) -> Decided:
        try:
            return self.engine.choose(self.board.open_game(), colour, seconds=self._allowed(colour))
        except UserError as error:
            raise _failure(error) from None

    def _dead(self) -> list[list[int]]:
        """Judging takes seconds, and programs ask for dead stones, living stones and the score of one position."""
        game = self.board.open_game()
        position = (game.stones.tobytes(), game.to_move, game.last_move, game.ko_point)
        if self._judged[0] != position:
            try:
                self._judged = position, self.engine.dead_stones(game)
            except UserError as error:
                raise _failure(error) from None
        return self._judged[1]

    def _make(self, action: int, colour: int) -> str:
        """Play what the engine chose, and name it."""
        if action < 0:
            return "resign"
        try:
            self.board.play(action, colour)
        except IllegalMoveError as error:
            logger.error("the engine chose an illegal move: %s It passes instead.", error)
            action = self.game.area
            self.board.play(action, colour)
        return point_to_gtp(action, self.game.size)


def _only_colour(arguments: list[str]) -> int:
    if len(arguments) != 1:
        raise GtpError("syntax error")
    return parse_colour(arguments[0])


def _failure(error: UserError) -> GtpError:
    logger.error("%s", error)
    return GtpError(" ".join(str(error).split()))
