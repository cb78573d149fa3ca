"""What an arena's games add up to: records of finished games, ratings, and the table of who took what from whom."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from agents.elo import Rating, rate
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
        seconds, thinking: wall time of the game, and the part of it that the players took.
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
    if not path.is_file():
        return []
    outcomes = []
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines):
        try:
            outcomes.append(Outcome(**json.loads(line)))
        except (ValueError, TypeError) as error:
            if number < len(lines) - 1 and line.strip():
                raise UserError(f"{path} is damaged in line {number + 1}; repair it or choose another --out") from error
    if lines[-1].strip():  # killed in the middle of a line: the next one must not be glued to it
        path.write_bytes(path.read_bytes()[: -len(lines[-1])])
    return outcomes


@dataclass(frozen=True)
class Standings:
    """Ratings of all who play.

    names: the players, in the order they were named. ratings: theirs, empty while some have not met the others.
    taken: (points, games) of player i against player j. anchor: whose Elo is 0.
    """

    names: tuple[str, ...]
    ratings: tuple[Rating, ...]
    taken: tuple[tuple[tuple[float, int], ...], ...]
    anchor: int
    games: int

    @classmethod
    def of(cls, names: Sequence[str], outcomes: Sequence[Outcome], anchor: int, samples: int = 500) -> Standings:
        """Rate the players by their games; `samples` of the bootstrap, 0 for no intervals."""
        place = {name: number for number, name in enumerate(names)}
        results = [(place[o.black], place[o.white], o.points) for o in outcomes]
        count = len(names)
        points = [[(0.0, 0)] * count for _ in names]
        for black, white, share in results:
            for one, other, gain in ((black, white, share), (white, black, 1 - share)):
                total, games = points[one][other]
                points[one][other] = (total + gain, games + 1)
        linked = {anchor}
        for _ in names:
            linked |= {j for i, j, _ in results if i in linked} | {i for i, j, _ in results if j in linked}
        rated = rate(results, count, anchor, samples=samples) if results and len(linked) == count else []
        return cls(tuple(names), tuple(rated), tuple(map(tuple, points)), anchor, len(results))

    def table(self) -> Table:
        """Best first: Elo, share and what was taken from each other player, all with 95 % intervals."""
        table = Table(title=f"{self.games} games", title_justify="left")
        table.add_column("player", overflow="fold")
        for column in ("Elo", "95 %", "games", "share", "95 %", *self.names):
            table.add_column(column, justify="right", overflow="fold")
        for number in sorted(range(len(self.ratings)), key=lambda n: -self.ratings[n].elo):
            rating = self.ratings[number]
            own = ["" if games == 0 else f"{points:g}/{games}" for points, games in self.taken[number]]
            interval = "anchor" if number == self.anchor else f"{rating.low:+.0f} to {rating.high:+.0f}"
            share = f"{100 * rating.share:.1f} %"
            between = f"{100 * rating.share_low:.0f} to {100 * rating.share_high:.0f} %"
            elo = f"{rating.elo:+.0f}"
            table.add_row(self.names[number], elo, interval, str(rating.games), share, between, *own)
        return table

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
