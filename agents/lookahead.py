"""Looking ahead inside the imagination: a tree search whose every position is a frame that the model drew itself.

No rule takes part. The world model says which changes are likely (the priors), draws the frame after each, and its
outlook says how the film will end, whose every point will be; that, with the komi, is the value. Branches are chosen as
in AlphaZero (Silver et al. 2018, PUCT). What the rules forbid is crossed out at the first move alone, if the caller
names it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from agents.go_model import GoModel
from agents.outlook import KOMI, Outlook
from agents.videoworld.transformer import Encoded

CODES = 48  # likeliest codes that a frame's moves are read from
WIDTH = 16  # moves considered from an imagined frame; from the first all are
EXPLORATION = 2.0  # of PUCT
FIRST_PLAY = 0.25  # how much worse than its parent an untried move is taken to be, times the root of what was tried
PARALLEL = 8  # positions that one tree imagines at once


@dataclass
class Node:
    """An imagined position, and what is known of the moves from it.

    sign: 1 where Black is to move, else -1. outlook: how the game ends from here. seen: the transformer's state, one
    row. moves, codes: int64 (K,). priors: float64 (K,), sum 1. passed: whether a pass led here. visits: int64 (K,).
    sums: float64 (3, K), value, chance of winning and lead for the side to move, summed over the visits. coming: int64
    (K,), visits on their way. children: by place in `moves`.
    """

    sign: int
    outlook: Outlook
    seen: Encoded
    moves: np.ndarray
    codes: np.ndarray
    priors: np.ndarray
    passed: bool = False
    visits: np.ndarray = field(init=False)
    sums: np.ndarray = field(init=False)
    coming: np.ndarray = field(init=False)
    children: dict[int, Node] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.worth = worth(self.outlook)
        self.narrow(np.arange(len(self.moves)))

    def narrow(self, places: np.ndarray) -> None:
        """Consider only the moves at these places, before any was looked at."""
        self.moves, self.codes = self.moves[places], self.codes[places]
        self.priors = self.priors[places].astype(np.float64)
        self.priors /= self.priors.sum() or 1.0
        self.visits, self.coming = np.zeros((2, len(places)), np.int64)
        self.sums = np.zeros((3, len(places)))

    def mean(self) -> np.ndarray:
        """Value, chance of winning and lead for the side to move, over the position itself and all behind it: (3,)."""
        return (self.for_mover(self.worth) + self.sums.sum(1)) / (1 + self.visits.sum())

    def for_mover(self, black: np.ndarray) -> np.ndarray:
        """What something is to the side to move that is `black` to Black (3,)."""
        return black if self.sign > 0 else np.array([-black[0], 1 - black[1], -black[2]])

    def pick(self) -> int:
        """The place in `moves` of the move to look at next."""
        tried = self.visits + self.coming
        untried = self.mean()[0] - FIRST_PLAY * math.sqrt(self.priors[tried > 0].sum())
        # A visit on its way counts as lost, so that the next one goes elsewhere
        values = np.where(tried > 0, (self.sums[0] - self.coming) / np.maximum(tried, 1), untried)
        return int((values + EXPLORATION * self.priors * math.sqrt(tried.sum() + 1) / (1 + tried)).argmax())

    def line(self, place: int) -> tuple[int, ...]:
        """The move at `place`, and behind it always the one that was looked at most."""
        moves = [int(self.moves[place])]
        node = self.children.get(place)
        while node is not None and node.visits.any():
            place = int(node.visits.argmax())
            moves.append(int(node.moves[place]))
            node = node.children.get(place)
        return tuple(moves)


Edge = tuple[Node, int]  # a position, and the place of a move among its moves


def worth(outlook: Outlook) -> np.ndarray:
    """Value, chance of winning and lead for Black: float64 (3,)."""
    return np.array([outlook.value, outlook.black_wins, outlook.lead])


@dataclass(frozen=True)
class Branch:
    """A first move, and what is foreseen behind it, for the side that plays it.

    prior: 0..1, how likely it was taken to be. visits: imagined positions behind it. value in [-1, 1], winrate 0..1,
    lead in points: means over these, nan where there are none. line: the move and what most probably follows.
    """

    move: int
    prior: float
    visits: int
    value: float
    winrate: float
    lead: float
    line: tuple[int, ...]


@dataclass(frozen=True)
class Foreseen:
    """What a search has found for a frame, for the side to move.

    branches: most visited first. outlook: of the frame itself. winrate 0..1 and lead, in points: means over the frame
    and all that was imagined behind it.
    """

    branches: tuple[Branch, ...]
    outlook: Outlook
    winrate: float
    lead: float


class Lookahead:
    """Searches from several frames side by side.

    Args:
        model: networks with an outlook (`GoModel.has_outlook`).
        komi: points that White gets, which no frame shows.
    """

    def __init__(self, model: GoModel, komi: float = KOMI) -> None:
        self.model, self.komi = model, komi
        self.area = model.geometry.size**2

    def search(
        self,
        frames: np.ndarray,
        black: Sequence[bool],
        visits: int,
        *,
        priors: np.ndarray | None = None,
        parallel: int = PARALLEL,
        seconds: float | None = None,
    ) -> list[Foreseen]:
        """Imagine `visits` positions beyond each frame; arguments as `plant` and `grow` have them."""
        roots = self.plant(frames, black, priors)
        self.grow(roots, visits, parallel, seconds)
        return [report(root) for root in roots]

    @torch.inference_mode()
    def plant(self, frames: np.ndarray, black: Sequence[bool], priors: np.ndarray | None = None) -> list[Node]:
        """Positions to search from.

        Args:
            frames: uint8 (B, S, S, 3).
            black: whether Black is to move, for each.
            priors: float (B, N*N + 1), how likely the first moves are, 0 for those that are not to be considered;
                default the model's own.
        """
        ids = self.model.world.tokenizer.encode(torch.from_numpy(frames))
        roots = self._nodes(ids, [1 if is_black else -1 for is_black in black], self.area + 1, None)
        if priors is not None:
            for root, wanted in zip(roots, priors, strict=True):
                root.priors = wanted[root.moves].astype(np.float64)
                root.narrow(np.flatnonzero(root.priors > 0))
        return roots

    @torch.inference_mode()
    def grow(self, roots: Sequence[Node], visits: int, parallel: int = PARALLEL, seconds: float | None = None) -> None:
        """Imagine `visits` more positions behind each root, `parallel` of one tree at once.

        Fewer at once are better chosen, more are faster. Roots without a move stay as they are. With `seconds` no round
        begins later than so many from now, but for the first.
        """
        start = time.perf_counter()
        roots = [root for root in roots if len(root.moves)]
        for done in range(0, visits, parallel):
            if done and seconds is not None and time.perf_counter() - start >= seconds:
                return
            paths = [_descend(root) for root in roots for _ in range(min(parallel, visits - done))]
            self._imagine([path[-1] for path in paths])
            for path in paths:
                _look_back(path)

    def _imagine(self, ends: Sequence[Edge]) -> None:
        """Draw the positions behind these moves, where there are none yet."""
        fresh = {(id(node), place): (node, place) for node, place in ends if place not in node.children}
        if not fresh:
            return
        seen = Encoded.join([node.seen for node, _ in fresh.values()])
        codes = torch.from_numpy(np.array([node.codes[place] for node, place in fresh.values()]))
        children = self._nodes(self.model.next_ids(seen, codes), [-node.sign for node, _ in fresh.values()])
        for (node, place), child in zip(fresh.values(), children, strict=True):
            child.passed = bool(node.moves[place] == self.area)
            if child.passed and node.passed:
                child.narrow(np.zeros(0, np.int64))  # two passes: the game is over
            node.children[place] = child

    def _nodes(
        self, ids: torch.Tensor, signs: Sequence[int], width: int = WIDTH, keep: int | None = CODES
    ) -> list[Node]:
        """Positions of frames with token ids (B, h, w)."""
        seen = self.model.look(ids)
        chances, codes = (found.numpy() for found in self.model.moves_and_codes(ids, seen, keep))
        owners, winners = (found.numpy() for found in self.model.end(seen))
        best = np.argsort(-chances, 1, kind="stable")[:, :width]
        nodes = []
        for row, (sign, moves) in enumerate(zip(signs, best, strict=True)):
            outlook = Outlook(owners[row], float(winners[row]), self.komi)
            node = Node(sign, outlook, seen.row(row), moves, codes[row, moves], chances[row, moves])
            node.narrow(np.flatnonzero(node.priors > 0))
            nodes.append(node)
        return nodes


def _descend(root: Node) -> list[Edge]:
    """From the root along the most promising moves to one that nothing follows yet."""
    path, node = [], root
    while True:
        place = node.pick()
        node.coming[place] += 1
        path.append((node, place))
        child = node.children.get(place)
        if child is None or not len(child.moves):
            return path
        node = child


def _look_back(path: Sequence[Edge]) -> None:
    """Tell every position on the way what was found at its end."""
    last, place = path[-1]
    found = last.children[place].worth
    for node, place in path:
        node.coming[place] -= 1
        node.visits[place] += 1
        node.sums[:, place] += node.for_mover(found)


def report(root: Node) -> Foreseen:
    """What is known behind a position so far."""
    with np.errstate(invalid="ignore"):
        means = root.sums / np.where(root.visits, root.visits, np.nan)
    branches = []
    for place in np.lexsort((-root.priors, -root.visits)).tolist():
        value, winrate, lead = means[:, place].tolist()
        prior, visits = float(root.priors[place]), int(root.visits[place])
        branches.append(Branch(int(root.moves[place]), prior, visits, value, winrate, lead, root.line(place)))
    _, winrate, lead = root.mean().tolist()
    return Foreseen(tuple(branches), root.outlook, winrate, lead)
