"""An engine that knows nothing, to put behind the GTP server, and a way to ask the server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from agents.agent import Decision, Thought
from agents.analysis import Analysis, Variation
from envs.errors import UserError
from envs.go.gtp import GtpServer
from envs.go.rules import GoGame

# One response: "=" or "?", the id, and text without an empty line; closed by exactly one empty line.
RESPONSE = re.compile(r"[=?]\d*( [^\n]+)?(\n[^\n]+)*\n\n")
# One candidate of a line of analysis: move, visits, win rate, score, prior, order, variation.
INFO = re.compile(
    r"info move (\S+) visits (\d+) winrate (\S+) (?:scoreMean (\S+) scoreLead \S+ )?prior (\S+) "
    r"lcb \S+ (?:utility \S+ )?order (\d+) pv ((?:[A-T]\d+|pass)(?: (?:[A-T]\d+|pass))*)"
)


@dataclass
class Chooser:
    """Plays the first legal point, or what it is told to; thinks as much of every legal point; calls `dead` dead."""

    name: str = "Chooser"
    told: list[Decision] = field(default_factory=list)
    asked: list[tuple[GoGame, int | None]] = field(default_factory=list)
    seconds: list[float | None] = field(default_factory=list)  # that it had for each move
    dead: list[list[int]] = field(default_factory=list)
    judged: int = 0  # times it was asked for dead stones
    reports: int = 3  # of an analysis
    failure: str = ""

    def choose(self, game: GoGame, colour: int | None = None, *, seconds: float | None = None) -> Decision:
        self.asked.append((game.copy(), colour))
        self.seconds.append(seconds)
        if self.told:
            return self.told.pop(0)
        return Decision(int(np.flatnonzero(game.legal_mask(colour))[0]), Thought())

    def analyse(
        self, game: GoGame, colour: int | None = None, *, allowed: np.ndarray | None = None
    ) -> Iterator[Analysis | None]:
        if self.failure:
            raise UserError(self.failure)
        self.asked.append((game.copy(), colour))
        legal = game.legal_mask(colour) if allowed is None else game.legal_mask(colour) & allowed
        points = [int(point) for point in np.flatnonzero(legal)[:3]]
        for number in range(self.reports):
            yield None
            variations = tuple(
                Variation(
                    line=(point, game.area),
                    prior=1 / (2 + place),
                    winrate=0.25,
                    score=-1.5,
                    playouts=number,
                    visits=1000 // (2 + place),
                )
                for place, point in enumerate(points)
            )  # fmt: skip
            ownership = np.full((game.size, game.size), 0.5, np.float32) if number else None
            yield Analysis(variations, 0.25, -1.5, ownership, number)

    def dead_stones(self, game: GoGame) -> list[list[int]]:
        if self.failure:
            raise UserError(self.failure)
        self.judged += 1
        return self.dead

    def close(self) -> None:
        self.told = []


def ask(server: GtpServer, *lines: str) -> list[str]:
    """The responses without their closing line feeds; lines that are not answered give none."""
    responses = [response for line in lines if (response := server.respond(line)) is not None]
    for response in responses:
        assert RESPONSE.fullmatch(response), repr(response)
    return [response[:-2] for response in responses]
