"""A second opinion on the rules: sgfmill's boards, slow and written by others; and boards drawn as text."""

from __future__ import annotations

import numpy as np
from sgfmill import boards

from envs.go.coords import gtp_to_point
from envs.go.rules import BLACK, WHITE, GoGame

_LETTERS = {None: 0, "b": BLACK, "w": WHITE}


class Reference:
    """The same verbs as `GoGame`, by other means."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.board = boards.Board(size)
        self.to_move = BLACK
        self.ko_point = -1
        self.seen = {self.key(self.board)}

    @staticmethod
    def key(board: boards.Board) -> tuple[tuple[str | None, ...], ...]:
        return tuple(tuple(row) for row in board.board)

    @property
    def stones(self) -> np.ndarray:
        return np.array([[_LETTERS[stone] for stone in row] for row in self.board.board], dtype=np.int8)

    def attempt(self, point: int) -> tuple[str | None, boards.Board, int]:
        """Return (why illegal or None, the board after, the next ko point)."""
        row, col = divmod(point, self.size)
        if self.board.get(row, col) is not None:
            return "occupied", self.board, -1
        if point == self.ko_point:
            return "ko", self.board, -1
        after = self.board.copy()
        ko = after.play(row, col, "bw"[self.to_move - BLACK])
        if after.get(row, col) is None:
            return "suicide", self.board, -1
        return None, after, -1 if ko is None else ko[0] * self.size + ko[1]

    def why_illegal(self, point: int, *, superko: bool = False) -> str | None:
        if point == self.size**2:
            return None
        reason, after, _ = self.attempt(point)
        if reason is None and superko and self.key(after) in self.seen:
            return "superko"
        return reason

    def play(self, point: int) -> None:
        """Play a legal move."""
        ko = None if point == self.size**2 else self.board.play(*divmod(point, self.size), "bw"[self.to_move - BLACK])
        self.ko_point = -1 if ko is None else ko[0] * self.size + ko[1]
        self.seen.add(self.key(self.board))
        self.to_move = BLACK + WHITE - self.to_move

    def area(self) -> int:
        return int(self.board.area_score())


def game_from_text(text: str, *, to_move: int = BLACK, ko_rule: str = "simple") -> GoGame:
    """Return a game set up from rows of `.XO`, top row first."""
    rows = ["".join(line.split()) for line in text.strip().splitlines()]
    points = [(sign, index) for index, sign in enumerate("".join(rows))]
    game = GoGame(len(rows), komi=0, ko_rule=ko_rule)
    game.place_stones(
        [point for sign, point in points if sign == "X"],
        [point for sign, point in points if sign == "O"],
        to_move=to_move,
    )
    return game


def text_from_stones(stones: np.ndarray) -> str:
    """Return rows of `.XO`, for readable comparisons."""
    return "\n".join("".join(".XO"[stone] for stone in row) for row in stones)


def picture(text: str) -> str:
    """Return a drawing as `text_from_stones` writes it."""
    return "\n".join("".join(line.split()) for line in text.strip().splitlines())


def play(game: GoGame, *names: str) -> None:
    """Play points by their GTP names, colours by turns."""
    for name in names:
        game.play(gtp_to_point(name, game.size))


def shown(game: GoGame) -> str:
    """Return the board of a game as text."""
    return text_from_stones(game.stones)
