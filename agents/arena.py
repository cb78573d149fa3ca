"""Round robins between Go players: balanced colours, common openings, records of every game, and Elo ratings.

    python -m agents.arena PLAYER PLAYER [PLAYER ...] --games 100 --out runs/arena

A PLAYER is a checkpoint folder, gnugo, random or any GTP engine; `--help` says how to write it. The same command goes
on after an interruption: finished games stand in OUT/games.jsonl and OUT/sgf.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import re
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from rich.console import Console, Group
from rich.live import Live

from agents.commands import Parser, run_command
from agents.contestants import HELP, Contestant, parse_contestants
from agents.standings import Outcome, Standings, append_outcome, read_outcomes
from envs.errors import UserError
from envs.go.rules import BLACK, WHITE, GoGame, IllegalMoveError, check_size
from envs.go.sgf import write_sgf

if TYPE_CHECKING:
    from agents.players import Player

MOST_MOVES = 3.0  # per point of the board; then the game is counted as it stands
_SCORE = re.compile(r"([BW]\+[0-9.]+|0)(\s|$)")
OPENINGS = Path(__file__).parents[1] / "assets" / "go9" / "games.npz"


@dataclass(frozen=True)
class Pairing:
    """One game to play: a number, and the players' numbers with their colours."""

    number: int
    black: int
    white: int
    opening: int  # the two games of an opening have their colours changed


def pairings(players: int, games: int) -> list[Pairing]:
    """Every player meets every other in `games` games, colours changing, all pairs making progress together."""
    pairs = [(i, j) for i in range(players) for j in range(i + 1, players)]
    listed: list[Pairing] = []
    for game in range(games):
        for i, j in pairs:
            black, white = (i, j) if game % 2 == 0 else (j, i)
            listed.append(Pairing(len(listed), black, white, game // 2))
    return listed


def opening_moves(size: int, count: int, plies: int, seed: int) -> list[list[int]]:
    """`count` openings of `plies` moves, different while there are enough: from recorded games on 9x9, else random."""
    rng = np.random.default_rng([seed, size, plies])
    if plies == 0:
        return [[]] * count
    if size == 9 and OPENINGS.is_file():
        with np.load(OPENINGS, allow_pickle=False) as file:
            known = np.unique(file["moves"][file["lengths"] > plies, :plies], axis=0)
    else:
        inner = [row * size + col for row in range(1, size - 1) for col in range(1, size - 1)] or list(range(size**2))
        drawn = [rng.choice(inner, min(plies, len(inner)), replace=False) for _ in range(4 * count)]
        known = np.unique(drawn, axis=0)
    order = rng.permutation(len(known))
    return [[int(point) for point in known[order[number % len(order)]]] for number in range(count)]


class Referee:
    """Says how a finished game ended: by area as the board stands, or by an engine that takes dead stones off."""

    def __init__(self, contestant: Contestant | None) -> None:
        """UserError for a player that is no engine."""
        if contestant is not None and not contestant.is_engine:
            raise UserError(f"{contestant.name} cannot count a game; choose an engine as --referee, or area")
        self.contestant = contestant

    def score(self, game: GoGame) -> tuple[str, str, float]:
        """The result, such as "B+3.5" or "0"; a reason if the engine failed and area counts; its seconds."""
        if self.contestant is None:
            return game.result_text(), "", 0.0
        start = time.perf_counter()
        try:
            with closing(self.contestant.make(1)) as judge:
                said = judge.final_score(game).strip()  # type: ignore[attr-defined]
            if not _SCORE.match(said):
                raise UserError(f"{self.contestant.name} says {said[:80]!r} instead of a score")
            return said.split()[0], "", time.perf_counter() - start
        except UserError as error:
            return game.result_text(), f"counted by area: {_sentence(error)}", time.perf_counter() - start


def play_game(
    game: GoGame, players: dict[int, Player], referee: Referee, stopped: threading.Event | None = None
) -> tuple[str, str, float]:
    """Play a game to its end.

    Args:
        game: with the opening on it; it is played on.
        players: by colour.
        referee: of games that end with two passes or after too many moves.
        stopped: ends the game early by KeyboardInterrupt.

    Returns:
        result, reason and the seconds that players and referee took. A player that fails or plays an illegal move
        loses.
    """
    most, thinking = MOST_MOVES * game.area, 0.0
    while not game.is_over and len(game.history) < most:
        if stopped is not None and stopped.is_set():
            raise KeyboardInterrupt
        colour = game.to_move
        start = time.perf_counter()
        try:
            action = players[colour].choose(game).action
        except UserError as error:
            return forfeit(colour), _sentence(error), thinking
        finally:
            thinking += time.perf_counter() - start
        if action < 0:
            game.resign(colour)
            return game.result_text(), "", thinking
        try:
            game.play(action)
        except IllegalMoveError as error:
            return forfeit(colour), str(error), thinking
    result, reason, seconds = referee.score(game)
    said = [] if game.is_over else [f"counted after {len(game.history)} moves"]
    return result, "; ".join(said + [reason] * bool(reason)), thinking + seconds


def forfeit(colour: int) -> str:
    """The result where `colour` could not go on."""
    return f"{'BW'[colour == BLACK]}+F"


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split())


class Arena:
    """The games still to be played, the threads that play them, and the folder where everything ends up."""

    def __init__(self, contestants: Sequence[Contestant], options: argparse.Namespace, size: int) -> None:
        self.contestants, self.options, self.size = list(contestants), options, size
        self.out: Path = options.out
        self.schedule = pairings(len(contestants), options.games)
        openings = (options.games + 1) // 2
        moves = opening_moves(size, openings, options.opening_moves, options.seed)
        self.openings = [self._opened(points) for points in moves]
        self.outcomes: dict[int, Outcome] = {}
        self.stopped = threading.Event()
        referee = options.referee
        if referee == "auto":
            referee = next((c for c in contestants if c.kind == "gnugo"), None)
        elif referee != "area":
            referee = parse_contestants([referee])[0]
        self.referee = Referee(None if referee == "area" else referee)
        self._settings_file: IO[str] | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What has to be the same when an arena goes on."""
        players = [{"name": c.name, "kind": c.kind, "target": c.target, "options": c.options} for c in self.contestants]
        names = ("komi", "seed", "opening_moves")
        referee = self.referee.contestant.name if self.referee.contestant else "area"
        return {"players": players, "size": self.size, "referee": referee} | {
            name: getattr(self.options, name) for name in names
        }

    def open(self) -> None:
        """Make the folder, or read what was played there; UserError if that was, or is, another arena."""
        try:
            (self.out / "sgf").mkdir(parents=True, exist_ok=True)
            self._settings_file = (self.out / "arena.json").open("a+", encoding="utf-8")
            lock(self._settings_file, self.out)
            self._settings_file.seek(0)
            if told := self._settings_file.read():
                if json.loads(told) != json.loads(json.dumps(self.settings)):
                    raise UserError(f"{self.out} holds an arena with other players or settings; choose another --out")
            else:
                self._settings_file.write(json.dumps(self.settings, indent=2) + "\n")
                self._settings_file.flush()
            for outcome in read_outcomes(self.out / "games.jsonl"):
                if outcome.number < len(self.schedule):
                    self.outcomes[outcome.number] = outcome
        except (OSError, ValueError) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(f"cannot use {self.out} ({error}); choose another --out") from error

    def close(self) -> None:
        """Let another arena use the folder."""
        if self._settings_file is not None:
            self._settings_file.close()

    def run(self) -> Iterator[Outcome]:
        """Play what is left, several games at once; yields every game as it ends, once it is on the disk."""
        left = [pairing for pairing in self.schedule if pairing.number not in self.outcomes]
        waiting: queue.Queue[Pairing] = queue.Queue()
        for pairing in left:
            waiting.put(pairing)
        done: queue.Queue[Outcome | Exception | None] = queue.Queue()
        count = min(self.options.workers, len(left))
        threads = [threading.Thread(target=self._work, args=(waiting, done), daemon=True) for _ in range(count)]
        for thread in threads:
            thread.start()
        try:
            while count:
                item = done.get()
                if item is None:
                    count -= 1
                elif isinstance(item, Exception):
                    raise item
                else:
                    self.outcomes[item.number] = item
                    yield item
        finally:
            self.stopped.set()
            for thread in threads:
                thread.join()

    def _work(self, waiting: queue.Queue[Pairing], done: queue.Queue[Outcome | Exception | None]) -> None:
        try:
            while not self.stopped.is_set():
                done.put(self._play(waiting.get_nowait()))
        except queue.Empty:
            pass
        except KeyboardInterrupt:  # stopped in the middle of a game, which will be played anew
            pass
        except Exception as error:  # raised again by the main thread
            done.put(error)
        done.put(None)

    def _opened(self, points: Sequence[int]) -> GoGame:
        """A game with the opening `points` on the board."""
        game = GoGame(self.size, komi=self.options.komi)
        for point in points:
            if game.why_illegal(point) is None:
                game.play(point)
        return game

    def _play(self, pairing: Pairing) -> Outcome:
        start = time.perf_counter()
        game = self.openings[pairing.opening].copy()
        names = {BLACK: self.contestants[pairing.black].name, WHITE: self.contestants[pairing.white].name}
        result, reason, thinking = self._result(pairing, game)
        points = {"B": 1.0, "W": 0.0}.get(result[:1].upper(), 0.5)
        seconds = time.perf_counter() - start
        outcome = Outcome(
            pairing.number, names[BLACK], names[WHITE], points, result, reason, len(game.history), seconds, thinking
        )
        name = f"{pairing.number:05d}-{names[BLACK]}-{names[WHITE]}.sgf".replace("/", "_")
        write_sgf(game, self.out / "sgf" / name, black=names[BLACK], white=names[WHITE], result=result,
                  root_comment=reason)  # fmt: skip
        append_outcome(self.out / "games.jsonl", outcome)
        return outcome

    def _result(self, pairing: Pairing, game: GoGame) -> tuple[str, str, float]:
        """Make the players of a game and let them play it."""
        seed = self.options.seed * 1_000_003 + 2 * pairing.number
        players: dict[int, Player] = {}
        start = time.perf_counter()
        try:
            for colour, number in ((BLACK, pairing.black), (WHITE, pairing.white)):
                try:
                    players[colour] = self.contestants[number].make(seed + colour)
                except UserError as error:  # it could be made before the first game
                    return forfeit(colour), _sentence(error), time.perf_counter() - start
            starting = time.perf_counter() - start
            result, reason, thinking = play_game(game, players, self.referee, self.stopped)
            return result, reason, starting + thinking
        finally:
            for player in players.values():
                player.close()


def lock(stream: IO[str], folder: Path) -> None:
    """Keep other processes from this file until it is closed or this process ends; UserError if one holds it."""
    try:
        import fcntl
    except ImportError:  # no POSIX system; whoever starts two arenas in one folder there plays games twice
        return
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UserError(f"another arena is at work in {folder}; wait for its end or choose another --out") from error


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    what = "Play a round robin between Go players and rate them."
    parser = Parser("python -m agents.arena", description=what, epilog=f"players: {HELP}", allow_abbrev=False)
    add = parser.add_argument
    add("players", nargs="+", metavar="PLAYER")
    add("--games", type=int, default=20, help="between each two players (default: 20)")
    add("--out", type=Path, default=Path("runs/arena"), help="folder of records (default: %(default)s)")
    add("--size", type=int, help="board size (default: the checkpoints', else 9)")
    add("--komi", type=float, default=7.0)
    add("--opening-moves", type=int, default=2, help="moves of common openings (default: 2)")
    add("--workers", type=int, default=os.cpu_count() or 1, help="games at once (default: one for each core)")
    add("--anchor", help="the player whose Elo is 0 (default: the first)")
    add("--referee", default="auto", help="area, or an engine that counts (default: gnugo where it plays, else area)")
    add("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    for name, least in (("games", 1), ("workers", 1), ("opening_moves", 0), ("seed", 0)):
        if getattr(options, name) < least:
            raise UserError(f"--{name.replace('_', '-')} is {getattr(options, name)}; give {least} or more")
    if len(options.players) < 2:
        raise UserError("one player alone cannot play; name two or more")
    return options


def common_size(contestants: Sequence[Contestant], wanted: int | None) -> int:
    """The size all can play; UserError where there is none."""
    sizes = {contestant.size for contestant in contestants} - {None}
    if wanted is not None:
        sizes.add(check_size(wanted))
    if len(sizes) > 1:
        found = " and ".join(map(str, sorted(sizes)))  # type: ignore[type-var]
        cure = "choose players of one size" + ("" if wanted is None else f" or leave out --size {wanted}")
        raise UserError(f"these players need boards of different sizes, {found}; {cure}")
    return int(next(iter(sizes), 9))  # type: ignore[arg-type]


def show(arena: Arena, names: Sequence[str], anchor: int) -> None:
    """Play, with a table that grows on a terminal, else a line for each game on stderr; then the table on stdout."""
    total, watching = len(arena.schedule), Console(stderr=True)

    def table() -> Group:
        played = list(arena.outcomes.values())
        return Group(f"{len(played)} of {total} games", "", Standings.of(names, played, anchor, samples=0).table())

    live = Live(get_renderable=table, console=watching, refresh_per_second=1, transient=True)
    with live if watching.is_terminal else nullcontext():
        for outcome in arena.run():
            if not watching.is_terminal:
                said = f"{len(arena.outcomes)}/{total} {outcome.black} - {outcome.white}: {outcome.result}"
                print(f"{said}  {outcome.reason}".rstrip(), file=sys.stderr)
    played = list(arena.outcomes.values())
    final = Standings.of(names, played, anchor)
    final.save(arena.out / "ratings.json")
    paper = Console(width=None if sys.stdout.isatty() else 1000)  # a file has no width
    paper.print(f"{len(played)} games", "", final.table(), sep="\n")
    moves = max(1, sum(outcome.moves for outcome in played))
    overhead = 1000 * sum(outcome.seconds - outcome.thinking for outcome in played) / moves
    print(f"{overhead:.1f} ms a move besides the engines' own time; records in {arena.out}", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the arena; returns the exit status: 0, 2 after a mistake of the user, 130 after Ctrl-C."""

    def body() -> None:
        options = parse(arguments)
        contestants = parse_contestants(options.players)
        names = [contestant.name for contestant in contestants]
        if options.anchor not in (None, *names):
            raise UserError(f"--anchor {options.anchor} does not play; choose {' or '.join(names)}")
        anchor = names.index(options.anchor) if options.anchor else 0
        arena = Arena(contestants, options, common_size(contestants, options.size))
        with closing(arena):
            arena.open()
            for contestant in contestants:
                contestant.check(arena.size)
            show(arena, names, anchor)

    return run_command("arena", body)


if __name__ == "__main__":
    sys.exit(main())
