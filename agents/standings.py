"""What an arena's games add up to: records of finished games, ratings, and the table of who took what from whom."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Group
from rich.table import Table

from agents.elo import Rating, rate
from agents.json_lines import append_line, read_lines
from envs.errors import UserError


@dataclass(frozen=True)
class Outcome:
    """One finished game, as a line of games.jsonl.

    Attributes:
        number: of the pairing.
        black, white: names.
        points: Black's: 1, 0.5 or 0.
        result: such as "B+3.5" or "W+R"; "W+F" where Black could not go on.
        reason: what happened, where it is not plain counting.
        moves: how many, openings included.
        seconds, thinking: wall time of the game, and the part of it that players and referee took, to start too.
    """

    number: int
    black: str
    white: str
    points: float
    result: str
    reason: str
    moves: int
    seconds: float
    thinking: float


def read_outcomes(path: Path) -> list[Outcome]:
    """The games in a games.jsonl; a last line that was cut off is left out."""
    return read_lines(path, lambda line: Outcome(**line))


_APPENDING = threading.Lock()


def append_outcome(path: Path, outcome: Outcome) -> None:
    """Add a game to a games.jsonl and force it to the disk; UserError if that fails."""
    with _APPENDING:
        append_line(path, asdict(outcome))


@dataclass(frozen=True)
class Standings:
    """Ratings of all who play.

    names: the players, in the order they were named. ratings: theirs. taken: (points, games) of player i against
    player j. anchor: whose Elo is 0. games: how many were played.
    """

    names: tuple[str, ...]
    ratings: tuple[Rating, ...]
    taken: tuple[tuple[tuple[float, int], ...], ...]
    anchor: int
    games: int

    @classmethod
    def of(cls, names: Sequence[str], outcomes: Sequence[Outcome], anchor: int, samples: int = 500) -> Standings:
        """Rate the players by their games; `samples` of the bootstrap, 0 for no intervals of Elo."""
        place = {name: number for number, name in enumerate(names)}
        in_order = sorted(outcomes, key=lambda outcome: outcome.number)  # not as they ended, so that seeds repeat all
        results = [(place[o.black], place[o.white], o.points) for o in in_order]
        points = [[(0.0, 0)] * len(names) for _ in names]
        for black, white, share in results:
            for one, other, gain in ((black, white, share), (white, black, 1 - share)):
                total, games = points[one][other]
                points[one][other] = (total + gain, games + 1)
        rated = rate(results, len(names), anchor, samples=samples)
        return cls(tuple(names), tuple(rated), tuple(map(tuple, points)), anchor, len(results))

    def table(self) -> Group:
        """Best first: Elo and share with 95 % intervals, and below what each took from each, by their places."""
        order = sorted(range(len(self.names)), key=lambda n: (-np.nan_to_num(self.ratings[n].elo, nan=-np.inf), n))
        rated, crossed = (Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False) for _ in range(2))
        for table, columns in (
            (rated, ("Elo", "95 %", "games", "share", "95 %")),
            (crossed, [str(place) for place in range(1, len(order) + 1)]),
        ):
            table.add_column("", justify="right", no_wrap=True)
            table.add_column("player", overflow="fold")
            for column in columns:
                table.add_column(column, justify="right", no_wrap=True)
        for place, number in enumerate(order, 1):
            rating, name = self.ratings[number], self.names[number]
            elo = f"{rating.elo:+.0f}" if math.isfinite(rating.elo) else "-"
            interval = f"{rating.low:+.0f} to {rating.high:+.0f}" if math.isfinite(rating.low) else ""
            share = f"{100 * rating.share:.1f} %" if rating.games else "-"
            between = f"{100 * rating.share_low:.0f} to {100 * rating.share_high:.0f} %" if rating.games else ""
            played = "anchor" if number == self.anchor else interval
            rated.add_row(str(place), name, elo, played, str(rating.games), share, between)
            cells = [self.taken[number][other] for other in order]
            crossed.add_row(str(place), name, *(f"{points:g}/{games}" if games else "" for points, games in cells))
        return Group(rated, "", crossed)

    def save(self, path: Path) -> None:
        """Write everything as JSON; UserError if the disk refuses."""
        content = {**asdict(self), "anchor": self.names[self.anchor]}
        try:
            path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror or error}; the games are safe") from error


def read_standings(path: Path) -> dict[str, Any]:
    """What `Standings.save` wrote; UserError where it is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {**content, "ratings": [Rating(**rating) for rating in content["ratings"]]}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path} holds no ratings of an arena ({error}); give the folder of a finished one") from error
