"""Looking ahead inside the imagination: a tree search whose every position is a frame that the model drew itself.

No rule takes part. The world model says which changes are likely (the priors), draws the frame after each, and its
outlook says how the film will end, whose every point will be; that, with the komi, is the value. Branches are chosen as
in AlphaZero (Silver et al. 2018, PUCT). What the rules forbid is crossed out at the first move alone, if the caller
names it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from agents.go_model import GoModel
from agents.outlook import KOMI, Outlook
from agents.videoworld.transformer import Encoded

CODES = 48  # likeliest codes that a frame's moves are read from
WIDTH = 16  # moves considered from a frame
EXPLORATION = 1.6  # of PUCT
FIRST_PLAY = 0.25  # how much worse than its parent an untried move is taken to be, times the root of what was tried
PARALLEL = 8  # positions that one tree imagines at once


@dataclass
class Node:
    """An imagined position, and what is known of the moves from it.

    sign: 1 where Black is to move, else -1. outlook: how the game ends from here. value: what that is
    worth to Black. seen: the transformer's state, one
    row. moves, codes: int64 (K,). priors: float64 (K,), sum 1. visits: int64 (K,). worth: float64 (K,), summed values
    for the side to move. coming: int64 (K,), visits that are on their way. children: by place in `moves`.
    passed: whether a pass led here.
    """

    sign: int
    outlook: Outlook
    seen: Encoded
    moves: np.ndarray
    codes: np.ndarray
    priors: np.ndarray
    visits: np.ndarray = field(init=False)
    worth: np.ndarray = field(init=False)
    coming: np.ndarray = field(init=False)
    children: dict[int, Node] = field(default_factory=dict)
    passed: bool = False
    value: float = field(init=False)

    def __post_init__(self) -> None:
        self.value = self.outlook.value
        self.narrow(np.arange(len(self.moves)))

    def narrow(self, places: np.ndarray) -> None:
        """Consider only the moves at these places, before any was looked at."""
        self.moves, self.codes = self.moves[places], self.codes[places]
        self.priors = self.priors[places].astype(np.float64)
        self.priors /= self.priors.sum() or 1.0
        self.visits, self.coming = np.zeros((2, len(places)), np.int64)
        self.worth = np.zeros(len(places))

    def pick(self) -> int:
        """The place in `moves` of the move to look at next."""
        tried = self.visits + self.coming
        total = int(tried.sum())
        own = self.sign * self.value
        mean = (own + self.worth.sum()) / (1 + self.visits.sum())
        untried = mean - FIRST_PLAY * math.sqrt(self.priors[tried > 0].sum())
        # A visit on its way counts as lost, so that the next one goes elsewhere
        values = np.where(tried > 0, (self.worth - self.coming) / np.maximum(tried, 1), untried)
        return int((values + EXPLORATION * self.priors * math.sqrt(total + 1) / (1 + tried)).argmax())


Edge = tuple[Node, int]  # a position, and the place of a move among its moves


@dataclass(frozen=True)
class Foreseen:
    """What a search has found for a frame.

    moves: int64 (K,), most visited first. visits: int64 (K,). values: float64 (K,) in [-1, 1] for the side to move,
    nan where nothing was looked at. outlook: of the frame itself. value: of the frame, in [-1, 1] for the side to
    move, over all that was looked at. line: the moves that were looked at most, one after another.
    """

    moves: np.ndarray
    visits: np.ndarray
    values: np.ndarray
    outlook: Outlook
    value: float
    line: tuple[int, ...]


class Lookahead:
    """Searches from several frames side by side.

    Args:
        model: networks with an outlook; ValueError without one.
        komi: points that White gets, which no frame shows.
    """

    def __init__(self, model: GoModel, komi: float = KOMI) -> None:
        self.model, self.komi = model, komi
        self.area = model.geometry.size**2

    @torch.inference_mode()
    def search(
        self,
        frames: np.ndarray,
        black: Sequence[bool],
        visits: int,
        *,
        priors: np.ndarray | None = None,
        parallel: int = PARALLEL,
    ) -> list[Foreseen]:
        """Look at `visits` positions from each frame.

        Args:
            frames: uint8 (B, S, S, 3).
            black: whether Black is to move, for each.
            visits: positions to imagine beyond the frame.
            priors: float (B, N*N + 1), how likely the first moves are, 0 for those that are not to be considered;
                default the model's own.
            parallel: positions of one tree at once; fewer are better chosen, more are faster.
        """
        roots = self._roots(frames, black, priors)
        left = np.array([visits if len(root.moves) else 0 for root in roots])
        while left.any():
            paths = []
            for number, root in enumerate(roots):
                for _ in range(min(parallel, left[number])):
                    paths.append(_descend(root))
                    left[number] -= 1
            self._grow(paths)
        return [_report(root) for root in roots]

    def _roots(self, frames: np.ndarray, black: Sequence[bool], priors: np.ndarray | None) -> list[Node]:
        ids = self.model.world.tokenizer.encode(torch.from_numpy(frames))
        signs = [1 if is_black else -1 for is_black in black]
        roots = self._nodes(ids, signs, width=self.area + 1)
        if priors is not None:
            for root, wanted in zip(roots, priors, strict=True):
                root.priors = wanted[root.moves].astype(np.float64)
                root.narrow(np.flatnonzero(root.priors > 0))
        return roots

    def _nodes(self, ids: torch.Tensor, signs: Sequence[int], width: int = WIDTH) -> list[Node]:
        """Positions of frames with token ids (B, h, w)."""
        seen = self.model.look(ids)
        chances, codes = (
            found.numpy() for found in self.model.moves_and_codes(ids, seen, None if width > WIDTH else CODES)
        )
        owners = self.model.owners(seen).numpy()
        best = np.argsort(-chances, 1, kind="stable")[:, :width]
        nodes = []
        for row, sign in enumerate(signs):
            moves = best[row]
            outlook = Outlook(owners[row], self.komi)
            node = Node(sign, outlook, seen.row(row), moves, codes[row, moves], chances[row, moves])
            node.narrow(np.flatnonzero(node.priors > 0))
            nodes.append(node)
        return nodes

    def _grow(self, paths: list[list[Edge]]) -> None:
        """Imagine the positions at the ends of the paths, and tell all on the way what they are worth."""
        fresh = {(id(node), place): (node, place) for node, place in (path[-1] for path in paths)}
        edges = [(node, place) for node, place in fresh.values() if place not in node.children]
        if edges:
            seen = Encoded.join([node.seen for node, _ in edges])
            codes = torch.from_numpy(np.array([node.codes[place] for node, place in edges]))
            ids = self.model.next_ids(seen, codes)
            grown = self._nodes(ids, [-node.sign for node, _ in edges])
            for (node, place), child in zip(edges, grown, strict=True):
                child.passed = bool(node.moves[place] == self.area)
                if child.passed and node.passed:
                    child.narrow(np.zeros(0, np.int64))  # the game is over
                node.children[place] = child
        for path in paths:
            node, place = path[-1]
            black_value = node.children[place].value
            for node, place in path:
                node.coming[place] -= 1
                node.visits[place] += 1
                node.worth[place] += node.sign * black_value


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


def _report(root: Node) -> Foreseen:
    order = np.lexsort((-root.priors, -root.visits))
    with np.errstate(invalid="ignore"):
        values = root.worth / np.where(root.visits, root.visits, np.nan)
    line, node = [], root
    while len(node.moves) and node.visits.any():
        place = int(node.visits.argmax())
        line.append(int(node.moves[place]))
        if place not in node.children:
            break
        node = node.children[place]
    own = root.sign * root.value
    value = (own + root.worth.sum()) / (1 + root.visits.sum())
    return Foreseen(root.moves[order], root.visits[order], values[order], root.outlook, float(value), tuple(line))
