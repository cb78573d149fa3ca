"""What a Go agent expects of a position: candidate moves, imagined continuations, and how its own games would end.

Nothing here chooses a move. Priors are the agent's move probabilities. An agent with an outlook looks ahead: win rates,
scores and continuations are those of its search in the imagination, ownership is its outlook. For another one
continuations are imagined frame by frame, and win rates, scores and ownership are means over playouts, games that the
model goes on playing with itself under the rules. Either says as much as the model understands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from agents.go_agent import GoAgent
from agents.lookahead import Branch, Foreseen, Lookahead, report
from envs.go.batch import BatchedGo, Positions
from envs.go.renderer import BoardRenderer, positions_from_games
from envs.go.rules import BLACK, NO_POINT, GoGame, opponent

CANDIDATES = 10
DEPTH = 8  # moves of a continuation
BATCH = 16  # playouts side by side
PLAYOUTS = 192  # of one position, after which an analysis has nothing to add
VISITS = 1000  # reported for a move of probability 1 where nothing is searched; programs show labels from 10 on
LOOKS, LOOKS_AT_ONCE = 1024, 32  # frames imagined beyond one position, likewise, and between two reports
DEAD = -0.25  # mean ownership, for their owner, below which stones do not live


@dataclass(frozen=True)
class Variation:
    """A candidate move.

    Attributes:
        line: the move and what the agent imagines after it; points, N*N for a pass.
        prior: probability 0..1 that the agent plays it.
        winrate: 0..1 for the side that analyses, over playouts that begin with it, drawn towards that of all; or over
            what was imagined behind it.
        score: points ahead, komi counted, likewise.
        playouts: how many began with it, or how many frames were imagined behind it.
        visits: what Go programs are told of how well it was looked at, 1 or more.
    """

    line: tuple[int, ...]
    prior: float
    winrate: float
    score: float
    playouts: int
    visits: int


@dataclass(frozen=True)
class Analysis:
    """What is known so far, for the side that analyses; before the first playouts winrate is 0.5 and score 0.

    variations: most probable first, or most looked at. ownership: float32 (N, N) in [-1, 1], 1 where a point always
    becomes the own side's, None before the first playouts. playouts: how many have ended, or frames were imagined.
    """

    variations: tuple[Variation, ...]
    winrate: float
    score: float
    ownership: np.ndarray | None
    playouts: int


class GoAnalyst:
    """Analyses positions with a Go agent's networks; the same position gives the same analysis."""

    def __init__(self, agent: GoAgent, renderer: BoardRenderer, *, seed: int = 0) -> None:
        self.agent, self.renderer, self.seed = agent, renderer, seed

    def analyse(
        self, game: GoGame, colour: int | None = None, *, allowed: np.ndarray | None = None, most: int = CANDIDATES
    ) -> Iterator[Analysis | None]:
        """Yield ever better analyses: at first of the moves, then with continuations, then with more and more playouts.

        Args:
            game: read, never changed, and not over.
            colour: the side that analyses; default the side to move.
            allowed: bool (N*N + 1,), the first moves to consider; default all legal ones.
            most: candidates at most.

        None comes in between where work goes on without a new result.
        """
        colour = game.to_move if colour is None else colour
        start = positions_from_games([game])
        if colour != game.to_move:
            start = start._replace(to_move=np.array([colour], np.int8), ko=np.array([NO_POINT], np.int16))
        legal = game.legal_mask(colour)
        if allowed is not None:
            legal = legal & allowed
        frame = self.renderer(start)[0]
        wanted = np.where(legal, self.agent.probabilities(frame), 0.0)
        if not wanted.any():
            return
        wanted /= wanted.sum()
        if self.agent.model.has_outlook:
            yield from self._looks(game, colour, frame, wanted, most)
            return
        points = [int(point) for point in np.argsort(-wanted, kind="stable")[:most] if wanted[point] > 0]
        tally = _Tally(game, colour, points)
        lines: list[tuple[int, ...]] = [(point,) for point in points]
        yield tally.report(lines, wanted)
        for lines in self._continuations(game, colour, frame, points):
            yield tally.report(lines, wanted)
        rng = np.random.default_rng(self.seed)
        shares = wanted[points] / wanted[points].sum()
        while tally.playouts < PLAYOUTS:
            first = np.array(points)[rng.choice(len(points), BATCH, p=shares)]
            boards = _begin(game, start, first)
            while self._advance(boards, rng):
                yield None
            tally.add(first, boards)
            yield tally.report(lines, wanted)

    def _looks(
        self, game: GoGame, colour: int, frame: np.ndarray, wanted: np.ndarray, most: int
    ) -> Iterator[Analysis | None]:
        """Search on and on from the frame; lines end where they leave the rules."""
        search = Lookahead(self.agent.model, game.komi)
        roots = search.plant(frame[None], [colour == BLACK], wanted[None])
        own = 1 if colour == BLACK else -1
        ownership, imagined = (own * roots[0].outlook.owners).astype(np.float32), 0
        while True:
            found = report(roots[0])
            variations = tuple(_variation(game, colour, branch, found) for branch in found.branches[:most])
            yield Analysis(variations, found.winrate, found.lead, ownership, imagined)
            if imagined >= LOOKS or not variations:
                return
            search.grow(roots, LOOKS_AT_ONCE)
            imagined += LOOKS_AT_ONCE

    def dead_stones(self, game: GoGame, playouts: int = 2 * BATCH) -> list[list[int]]:
        """The chains, as lists of points, that mostly end up in the opponent's area: by the outlook, or in playouts."""
        chains = game.chains()
        if not chains:
            return []
        outlook = self.agent.outlook(self.renderer.render_game(game))
        if outlook is not None:
            return _lost(chains, game, outlook.owners)
        rng = np.random.default_rng(self.seed)
        tally = _Tally(game, BLACK, [])
        start, nothing = positions_from_games([game]), np.full(BATCH, NO_POINT)
        while tally.playouts < playouts:
            boards = _begin(game, start, nothing)
            while self._advance(boards, rng):
                pass
            tally.add(nothing, boards)
        return _lost(chains, game, tally.ownership)

    def _continuations(
        self, game: GoGame, colour: int, frame: np.ndarray, points: list[int]
    ) -> Iterator[list[tuple[int, ...]]]:
        """Imagine on from each of `points`, one move at a time; a line ends where it leaves the rules."""
        games = []
        for point in points:
            follower = game.copy()
            follower.play(point, colour)
            games.append(follower)
        lines: list[tuple[int, ...]] = [(point,) for point in points]
        open_lines = np.arange(len(points))
        frames = torch.from_numpy(np.repeat(frame[None], len(points), 0))
        moves, frames = self.agent.model.imagine_change(frames, torch.tensor(points))
        open_lines, frames = open_lines[moves.numpy() >= 0], frames[moves >= 0]
        for _ in range(DEPTH - 1):
            if not len(open_lines):
                return
            moves, frames = self.agent.model.imagine_change(frames)
            going = []
            for row, line in enumerate(open_lines):
                move, follower = int(moves[row]), games[line]
                if move >= 0 and not follower.is_over and follower.why_illegal(move) is None:
                    follower.play(move)
                    lines[line] += (move,)
                    going.append(row)
            open_lines, frames = open_lines[going], frames[going]
            yield list(lines)

    def _advance(self, boards: BatchedGo, rng: np.random.Generator) -> bool:
        """Play one move drawn from the model's probabilities in every game that goes on; False where none does."""
        area = boards.size**2
        going = np.flatnonzero(~boards.done & (boards.ply < 2 * area))
        if not len(going):
            return False
        frames = torch.from_numpy(self.renderer(boards.positions.take(going)))
        chances = self.agent.model.move_probabilities(frames).numpy() * boards.legal_mask()[going]
        chances[:, -1] += 1e-9  # a pass is always left
        steps = chances.cumsum(1)
        drawn = (steps <= rng.random((len(going), 1)) * steps[:, -1:]).sum(1).clip(max=area)
        moves = np.full(boards.n, NO_POINT)
        moves[going] = drawn
        boards.play(moves)
        return True


def _variation(game: GoGame, colour: int, branch: Branch, found: Foreseen) -> Variation:
    """A branch of a search, as far as its line keeps the rules; unseen, it is worth what all are."""
    follower, line = game.copy(), []
    for n, point in enumerate(branch.line):
        side = colour if n == 0 else None
        if follower.is_over or follower.why_illegal(point, side) is not None:
            break
        follower.play(point, side)
        line.append(point)
    seen = branch.visits > 0
    winrate, lead = (branch.winrate, branch.lead) if seen else (found.winrate, found.lead)
    return Variation(tuple(line), branch.prior, winrate, lead, branch.visits, max(1, branch.visits))


def _lost(chains: list[list[int]], game: GoGame, owners: np.ndarray) -> list[list[int]]:
    """The chains on points that mostly become the opponent's; owners: (N, N) in [-1, 1], 1 Black's."""
    signs = np.where(game.stones.reshape(-1) == BLACK, 1.0, -1.0)
    return [chain for chain in chains if (owners.reshape(-1) * signs)[chain].mean() < DEAD]


def _begin(game: GoGame, start: Positions, first: np.ndarray) -> BatchedGo:
    """Games from the position `start`, each with its `first` move (-1: none) played."""
    boards = BatchedGo(len(first), game.size, game.komi)
    boards.stones[:], boards.to_move[:] = start.stones[0], start.to_move[0]
    boards.last_move[:], boards.ko[:] = start.last_move[0], start.ko[0]
    boards.play(first)
    return boards


class _Tally:
    """Means over playouts, for the side `colour`."""

    def __init__(self, game: GoGame, colour: int, points: list[int]) -> None:
        self.game, self.colour = game, colour
        self.wins = dict.fromkeys(points, 0.0)
        self.scores = dict.fromkeys(points, 0.0)
        self.counts = dict.fromkeys(points, 0)
        self.playouts, self.won, self.scored = 0, 0.0, 0.0
        self.owners = np.zeros((game.size, game.size))

    @property
    def ownership(self) -> np.ndarray:
        """float32 (N, N) in [-1, 1] for the side."""
        return (self.owners / max(self.playouts, 1)).astype(np.float32)

    def add(self, first: np.ndarray, boards: BatchedGo) -> None:
        """Count games that have ended, by the moves they began with."""
        sign = 1 if self.colour == BLACK else -1
        scores = sign * boards.area_score()
        wins = np.where(scores > 0, 1.0, np.where(scores < 0, 0.0, 0.5))
        owners = boards.area_owners()
        self.owners += ((owners == self.colour).astype(int) - (owners == opponent(self.colour))).sum(0)
        self.playouts += len(first)
        self.won += float(wins.sum())
        self.scored += float(scores.sum())
        for point, win, score in zip(first.tolist(), wins, scores, strict=True):
            if point in self.counts:
                self.counts[point] += 1
                self.wins[point] += float(win)
                self.scores[point] += float(score)

    def report(self, lines: list[tuple[int, ...]], priors: np.ndarray) -> Analysis:
        """What is known so far."""
        winrate = (self.won + 1) / (self.playouts + 2)
        score = self.scored / max(self.playouts, 1)
        variations = []
        for line in lines:
            n = self.counts[line[0]]
            variations.append(
                Variation(
                    line=line,
                    prior=float(priors[line[0]]),
                    winrate=(self.wins[line[0]] + 4 * winrate) / (n + 4),
                    score=(self.scores[line[0]] + 4 * score) / (n + 4),
                    playouts=n,
                    visits=max(1, round(VISITS * float(priors[line[0]]))),
                )
            )
        ownership = self.ownership if self.playouts else None
        return Analysis(tuple(variations), winrate, score, ownership, self.playouts)
