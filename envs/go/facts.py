"""What the rules say of one position: chains and their liberties, captures, cut points, whose territory a point is."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np

from envs.go import kernels
from envs.go.batch import Positions
from envs.go.kernels import EMPTY, LEGAL, NO_POINT, neighbour_table
from envs.go.rules import BLACK, WHITE, opponent


class Chain(NamedTuple):
    """Connected stones of one colour, and the empty points beside them; points in reading order."""

    colour: int
    points: tuple[int, ...]
    liberties: tuple[int, ...]


class Region(NamedTuple):
    """Connected empty points in reading order; owner: the only colour they touch, or EMPTY."""

    owner: int
    points: tuple[int, ...]


class BoardFacts:
    """One position. Points are `row * size + column`, row 0 on top; reading order is that of the points."""

    def __init__(self, stones: np.ndarray, to_move: int = BLACK, last_move: int = NO_POINT, ko: int = NO_POINT) -> None:
        """stones: int8 (N, N); last_move: N*N for a pass, -1 for none; ko: what `to_move` may not take, or -1."""
        self.size = len(stones)
        self.board = np.ascontiguousarray(stones, np.int8).reshape(-1)
        self.to_move, self.last_move, self.ko = int(to_move), int(last_move), int(ko)
        self._neighbours = neighbour_table(self.size)

    @classmethod
    def of(cls, positions: Positions, index: int = 0) -> BoardFacts:
        """The facts of one of several positions."""
        one = positions.take(slice(index, index + 1))
        return cls(one.stones[0], int(one.to_move[0]), int(one.last_move[0]), int(one.ko[0]))

    def beside(self, point: int) -> list[int]:
        """The points next to a point."""
        return [int(near) for near in self._neighbours[point] if near >= 0]

    @cached_property
    def chains(self) -> tuple[Chain, ...]:
        """All chains, in the order of their first points."""
        found = []
        for points in self._areas(stones=True):
            around = {near for point in points for near in self.beside(point) if self.board[near] == EMPTY}
            found.append(Chain(int(self.board[points[0]]), points, tuple(sorted(around))))
        return tuple(found)

    @cached_property
    def chain_of(self) -> dict[int, Chain]:
        """Point -> the chain whose stone stands there."""
        return {point: chain for chain in self.chains for point in chain.points}

    @cached_property
    def regions(self) -> tuple[Region, ...]:
        """All connected empty areas with their owners by the rules of area scoring."""
        owners = np.empty_like(self.board)
        kernels.mark_owners(self.board, self._neighbours, owners)
        return tuple(Region(int(owners[points[0]]), points) for points in self._areas(stones=False))

    def territory(self, colour: int) -> tuple[int, ...]:
        """The empty points that only `colour` touches, in reading order."""
        return tuple(sorted(p for region in self.regions if region.owner == colour for p in region.points))

    def captures(self, point: int, colour: int) -> tuple[Chain, ...] | None:
        """The chains that `colour` takes by playing at `point`; None where the rules forbid the move."""
        after = self.board.copy()
        verdict, _, _ = kernels.play_move(after, self._neighbours, point, colour, self._ko_for(colour))
        if verdict != LEGAL:
            return None
        return tuple(c for c in self.chains if c.colour == opponent(colour) and after[c.points[0]] == EMPTY)

    def capturing_points(self, colour: int) -> tuple[int, ...]:
        """The points at which a legal move of `colour` takes something."""
        last = sorted({c.liberties[0] for c in self.chains if c.colour != colour and len(c.liberties) == 1})
        return tuple(point for point in last if self.captures(point, colour))

    def cut_points(self, colour: int) -> tuple[int, ...]:
        """Empty points between two or more chains of `colour` at which the opponent may play."""
        found = []
        for point in np.flatnonzero(self.board == EMPTY):
            near = {self.chain_of[p].points[0] for p in self.beside(int(point)) if self.board[p] == colour}
            if len(near) > 1 and self.captures(int(point), opponent(colour)) is not None:
                found.append(int(point))
        return tuple(found)

    def _ko_for(self, colour: int) -> int:
        return self.ko if colour == self.to_move else NO_POINT

    def _areas(self, *, stones: bool) -> list[tuple[int, ...]]:
        """Connected points of one content, each in reading order, and so are the areas."""
        seen, areas = np.zeros(len(self.board), np.bool_), []
        for start in np.flatnonzero((self.board != EMPTY) == stones):
            if seen[start]:
                continue
            seen[start] = True
            area = [int(start)]
            for point in area:  # grows as it is walked
                for near in self.beside(point):
                    if not seen[near] and self.board[near] == self.board[start]:
                        seen[near] = True
                        area.append(near)
            areas.append(tuple(sorted(area)))
        return areas


__all__ = ["BLACK", "WHITE", "BoardFacts", "Chain", "Region"]
