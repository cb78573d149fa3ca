"""One game of Go: captures, suicide, ko and superko, handicap, undo and area scoring. No pixels, no files.

Points are ints `row * size + col` with row 0 on top; `size * size` is the pass and -1 stands for "no point".
"""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from envs.errors import UserError
from envs.go import kernels
from envs.go.coords import colour_to_gtp, point_to_gtp
from envs.go.kernels import BLACK, EMPTY, NO_POINT, WHITE, neighbour_table

__all__ = [
    "BLACK", "EMPTY", "KO_RULES", "MAX_SIZE", "MIN_SIZE", "NO_POINT", "WHITE",
    "GoGame", "IllegalMoveError", "Move", "check_size", "colour_name", "fixed_handicap", "opponent", "own_eyes",
]  # fmt: skip

MIN_SIZE, MAX_SIZE = 2, 25
KO_RULES = ("simple", "positional")

_REASONS = {
    kernels.OCCUPIED: "occupied",
    kernels.SUICIDE: "suicide",
    kernels.KO: "ko",
    kernels.OFF_BOARD: "off board",
}
_EXPLANATIONS = {
    "occupied": "a stone is already there; choose an empty point",
    "suicide": "the stone would have no liberty and captures nothing; choose another point",
    "ko": "it would retake the ko at once; play elsewhere first",
    "superko": "it would repeat an earlier position of the whole board; play elsewhere",
    "off board": "there is no such point on this board; choose a point of the board or pass",
    "game over": "the game is over; undo a move or start a new game",
}


class IllegalMoveError(UserError):
    """Raised when the rules forbid a move; the game is unchanged.

    `reason` is "occupied", "suicide", "ko", "superko", "off board" or "game over"; `point` and `colour` are the move.
    """

    def __init__(self, reason: str, point: int, colour: int, size: int) -> None:
        self.reason = reason
        self.point = point
        self.colour = colour
        name = point_to_gtp(point, size) if 0 <= point <= size * size else f"point {point}"
        super().__init__(f"{colour_name(colour)} cannot play {name}: {_EXPLANATIONS[reason]}.")


class Move(NamedTuple):
    """A stone or a pass: `colour` is BLACK or WHITE, `point` is 0..size*size (the last one is the pass)."""

    colour: int
    point: int


class _State(NamedTuple):
    """Everything a move changes; never altered once made, so that undo is dropping the last one."""

    board: np.ndarray  # int8 (size*size,), read-only
    to_move: int
    ko_point: int
    ko_colour: int  # the colour that may not take ko_point
    captures: tuple[int, int]  # stones taken by Black, by White
    passes: int  # in a row


def opponent(colour: int) -> int:
    """Return the other colour."""
    return BLACK + WHITE - colour


def colour_name(colour: int) -> str:
    """Return "Black" or "White"."""
    return "Black" if colour == BLACK else "White"


def check_size(size: int) -> int:
    """Return `size` as an int; raises UserError unless it is a whole number from 2 to 25."""
    try:
        whole = operator.index(size)
    except TypeError:
        whole = 0
    if not MIN_SIZE <= whole <= MAX_SIZE:
        raise UserError(f"board size {size} is not supported; choose a whole number from {MIN_SIZE} to {MAX_SIZE}")
    return whole


def fixed_handicap(size: int, n: int) -> list[int]:
    """Return the points of `n` fixed handicap stones in GTP order.

    Raises UserError if the board has no such handicap: 2 to 9 stones on odd boards from 9x9, 2 to 4 on 7x7 and on even
    boards from 8x8, none on smaller boards.
    """
    most = 0 if size < 7 else 4 if size == 7 or size % 2 == 0 else 9
    if not 2 <= n <= most:
        cure = f"choose 2 to {most}" if most else "play without handicap or on 7x7 and larger"
        raise UserError(f"{n} handicap stones do not fit a {size}x{size} board; {cure}")
    low = 2 if size < 13 else 3
    middle, high = size // 2, size - 1 - low
    # (row from the bottom, column), the way GTP orders them.
    corners = [(low, low), (high, high), (high, low), (low, high)]
    sides = [(middle, low), (middle, high)]
    ends = [(low, middle), (high, middle)]
    layout = corners[: min(n, 4)] + (sides if n >= 6 else []) + (ends if n >= 8 else [])
    layout += [(middle, middle)] if n >= 5 and n % 2 else []
    return [(size - 1 - row) * size + col for row, col in layout]


def own_eyes(game: GoGame, colour: int) -> np.ndarray:
    """Return bool (size, size): empty points that are most likely eyes of `colour`, which no player should fill.

    The usual test: all neighbours are stones of `colour`, and at most one diagonal neighbour is the opponent's, at the
    edge none. Random players need it, or they fill their own territory and no game ends.
    """
    size = game.size
    own = np.pad(game.stones == colour, 1, constant_values=True)
    surrounded = own[:-2, 1:-1] & own[2:, 1:-1] & own[1:-1, :-2] & own[1:-1, 2:]
    foreign = np.pad(game.stones == opponent(colour), 1, constant_values=False).astype(np.int8)
    corners = sum(foreign[down : down + size, right : right + size] for down in (0, 2) for right in (0, 2))
    tolerated = np.zeros((size, size), dtype=np.int8)
    tolerated[1:-1, 1:-1] = 1
    return (game.stones == EMPTY) & surrounded & (corners <= tolerated)


class GoGame:
    """One game of Go on a board of 2x2 to 25x25 points.

    Suicide is illegal and two passes in a row end the game. `ko_rule` "simple" forbids retaking a ko at once;
    "positional" (positional superko) forbids every move that repeats an earlier whole-board position as well, passes
    excepted. Scores count area: stones and the empty regions that touch one colour only.

    Attributes:
        size: points along an edge.
        komi: points White gets for moving second; may be changed at any time.
        ko_rule: "simple" or "positional".
        history: the moves so far, setup stones excluded; read it, change it through `play` and `undo`.
        handicap_stones: the points of Black's handicap stones, if any.
        resigned: the colour that resigned, or None.
    """

    def __init__(self, size: int = 9, *, komi: float = 7.0, ko_rule: str = "simple", handicap: int = 0) -> None:
        """Start a game; `handicap` 2..9 puts that many fixed stones and lets White move first. Raises UserError."""
        if ko_rule not in KO_RULES:
            raise UserError(f"ko rule {ko_rule!r} is unknown; choose one of {', '.join(KO_RULES)}")
        self.size = check_size(size)
        self.komi = komi
        self.ko_rule = ko_rule
        self.history: list[Move] = []
        self.handicap_stones: tuple[int, ...] = ()
        self.resigned: int | None = None
        self._neighbours = neighbour_table(self.size)
        self._states = [_State(_frozen(np.zeros(self.area, dtype=np.int8)), BLACK, NO_POINT, EMPTY, (0, 0), 0)]
        self._seen: Counter[bytes] = Counter([self._states[-1].board.tobytes()])
        if handicap:
            self.place_stones(fixed_handicap(self.size, handicap), handicap=True)

    # What the board shows

    @property
    def komi(self) -> float:
        """Points White gets for moving second; a new value that is no finite number raises UserError."""
        return self._komi

    @komi.setter
    def komi(self, points: float) -> None:
        if not math.isfinite(points):
            raise UserError(f"komi {points} is not a number of points; give a plain number such as 7 or 6.5")
        self._komi = float(points) + 0.0  # adding zero makes zero of minus zero, which people would see as "-0"

    @property
    def area(self) -> int:
        """The number of points, which is also the point that means pass."""
        return self.size * self.size

    @property
    def stones(self) -> np.ndarray:
        """The board now, int8 (size, size) of EMPTY, BLACK, WHITE; read-only, and later moves do not change it."""
        return self._states[-1].board.reshape(self.size, self.size)

    def stones_after(self, moves: int) -> np.ndarray:
        """The board after the first `moves` moves, like `stones`."""
        return self._states[moves].board.reshape(self.size, self.size)

    @property
    def initial_stones(self) -> np.ndarray:
        """The board before the first move (handicap and setup stones), int8 (size, size), read-only."""
        return self._states[0].board.reshape(self.size, self.size)

    @property
    def to_move(self) -> int:
        """The colour whose turn it is."""
        return self._states[-1].to_move

    @property
    def ko_point(self) -> int:
        """The point that the opponent of the last mover may not take now (simple ko), or -1."""
        return self._states[-1].ko_point

    @property
    def captures(self) -> dict[int, int]:
        """Stones each colour has taken: `captures[BLACK]` counts white stones."""
        black, white = self._states[-1].captures
        return {BLACK: black, WHITE: white}

    @property
    def last_move(self) -> int:
        """The point of the last move, `size * size` for a pass, -1 before the first move."""
        return self.history[-1].point if self.history else NO_POINT

    @property
    def is_over(self) -> bool:
        """Whether someone resigned or the last two moves were passes."""
        return self.resigned is not None or self._states[-1].passes >= 2

    def chains(self) -> list[list[int]]:
        """All chains of stones as lists of their points, in the order of their first points."""
        board, chains, seen = self._states[-1].board, [], set()
        for start in np.flatnonzero(board):
            if int(start) not in seen:
                chain = [int(start)]
                seen.add(int(start))
                for point in chain:  # grows as it is walked
                    for near in self._neighbours[point]:
                        if near >= 0 and board[near] == board[start] and int(near) not in seen:
                            seen.add(int(near))
                            chain.append(int(near))
                chains.append(chain)
        return chains

    # Playing

    def why_illegal(self, point: int, colour: int | None = None) -> str | None:
        """Return why `colour` (default: the side to move) may not play `point`, or None if it may.

        The reasons are those of `IllegalMoveError`.
        """
        return self._try(point, self.to_move if colour is None else colour)[0]

    def legal_mask(self, colour: int | None = None) -> np.ndarray:
        """Return bool (size*size + 1,): which moves `colour` (default: the side to move) may play.

        The last entry, the pass, is always True; once the game is over it is the only one.
        """
        colour = self.to_move if colour is None else colour
        state = self._states[-1]
        mask = np.zeros(self.area + 1, dtype=np.bool_)
        mask[self.area] = True
        if self.is_over:
            return mask
        kernels.mark_legal(state.board, self._neighbours, colour, self._ko_for(colour), mask)
        if self.ko_rule == "positional":
            for point in np.flatnonzero(mask[: self.area]):
                mask[point] = self._try(int(point), colour)[0] is None
        return mask

    def play(self, point: int, colour: int | None = None) -> None:
        """Play a stone or a pass.

        Args:
            point: 0..size*size; the last one passes.
            colour: BLACK or WHITE; by default the side to move. One colour may move twice in a row, as GTP allows.

        Raises:
            IllegalMoveError: the rules forbid it; the game is unchanged.
        """
        colour = self.to_move if colour is None else colour
        reason, board, ko, captured = self._try(point, colour)
        if reason is not None:
            raise IllegalMoveError(reason, point, colour, self.size)
        state = self._states[-1]
        black, white = state.captures
        captures = (black + captured, white) if colour == BLACK else (black, white + captured)
        passes = state.passes + 1 if point == self.area else 0
        self.history.append(Move(int(colour), int(point)))
        self._states.append(_State(_frozen(board), opponent(colour), ko, opponent(colour), captures, passes))
        self._seen[board.tobytes()] += 1

    def undo(self) -> None:
        """Take back a resignation or else the last move; raises UserError if there is nothing to take back."""
        if self.resigned is not None:
            self.resigned = None
            return
        if not self.history:
            raise UserError("there is no move to undo; setup and handicap stones stay")
        self.history.pop()
        board = self._states.pop().board.tobytes()
        self._seen[board] -= 1

    def resign(self, colour: int | None = None) -> None:
        """End the game: `colour` (default: the side to move) gives up; raises UserError if the game is over."""
        colour = self.to_move if colour is None else colour
        if self.is_over:
            raise UserError(f"{colour_name(colour)} cannot resign: {_EXPLANATIONS['game over']}")
        self.resigned = colour

    def resume(self) -> None:
        """Play on after two passes or a resignation, as when the players disagree about dead stones."""
        self.resigned = None
        self._states[-1] = self._states[-1]._replace(passes=0)

    def place_stones(
        self,
        black: Iterable[int] = (),
        white: Iterable[int] = (),
        *,
        to_move: int | None = None,
        handicap: bool = False,
    ) -> None:
        """Set up stones before the first move; they join stones set up earlier.

        Args:
            black, white: points of the board.
            to_move: who moves first; by default White after a handicap, else as before.
            handicap: the black stones are a handicap and are listed in `handicap_stones`.

        Raises:
            UserError: the game has begun, a point is off the board or taken, or stones would have no liberty.
        """
        if self.history:
            raise UserError(f"stones cannot be set up after {len(self.history)} moves; start a new game first")
        state = self._states[0]
        board = state.board.copy()
        black = [int(point) for point in black]
        placed = [(point, BLACK) for point in black] + [(int(point), WHITE) for point in white]
        for point, colour in placed:
            self._check_on_board(point)
            if board[point] != EMPTY:
                raise UserError(f"setup point {point_to_gtp(point, self.size)} is given twice; name each point once")
            board[point] = colour
        dead = kernels.find_captured_chain(board, self._neighbours)
        if dead != NO_POINT:
            name = point_to_gtp(int(dead), self.size)
            raise UserError(f"the setup leaves the stones at {name} without a liberty; give a legal position")
        if handicap:
            self.handicap_stones += tuple(black)
        if to_move is None:
            to_move = WHITE if handicap else state.to_move
        self._states = [state._replace(board=_frozen(board), to_move=to_move)]
        self._seen = Counter([board.tobytes()])

    def copy(self) -> GoGame:
        """Return an independent copy."""
        twin = GoGame(self.size, komi=self.komi, ko_rule=self.ko_rule)
        twin.history = list(self.history)
        twin.handicap_stones = self.handicap_stones
        twin.resigned = self.resigned
        twin._states = list(self._states)
        twin._seen = self._seen.copy()
        return twin

    # Counting

    def area_owner(self, dead: Iterable[int] = ()) -> np.ndarray:
        """Return int8 (size, size): whose area each point is (EMPTY: nobody's), with the `dead` stones taken off."""
        board = self._states[-1].board.copy()
        for point in dead:
            self._check_on_board(point)
            board[point] = EMPTY
        owners = np.empty_like(board)
        kernels.mark_owners(board, self._neighbours, owners)
        return owners.reshape(self.size, self.size)

    def area_score(self, dead: Iterable[int] = ()) -> float:
        """Return Black's area minus White's minus komi, with the `dead` stones taken off; handicap gives no bonus."""
        return float(kernels.area_difference(self.area_owner(dead).reshape(-1)) - self.komi)

    def result_text(self, dead: Iterable[int] = ()) -> str:
        """Return the result as GTP and SGF write it: "B+3.5", "W+12.0", "W+R" after a resignation, "0" for a draw."""
        if self.resigned is not None:
            return f"{colour_to_gtp(opponent(self.resigned))}+R"
        score = self.area_score(dead)
        if score == 0:
            return "0"
        margin = abs(score)
        # Half points are the rule; a komi such as 6.25 keeps its second digit.
        text = f"{margin:.1f}" if math.isclose(margin * 2, round(margin * 2)) else f"{margin:g}"
        return f"{colour_to_gtp(BLACK if score > 0 else WHITE)}+{text}"

    def __repr__(self) -> str:
        played = f"{len(self.history)} moves, {colour_name(self.to_move)} to move"
        return f"GoGame(size={self.size}, komi={self.komi:g}: {played})"

    def _check_on_board(self, point: int) -> None:
        if not 0 <= point < self.area:
            raise UserError(f"point {point} is off the {self.size}x{self.size} board; give 0 to {self.area - 1}")

    def _ko_for(self, colour: int) -> int:
        """The simple ko binds only the side whose stone was just taken; the taker may fill the point."""
        state = self._states[-1]
        return state.ko_point if state.ko_colour == colour else NO_POINT

    def _try(self, point: int, colour: int) -> tuple[str | None, np.ndarray, int, int]:
        """Return (reason or None, board after the move, next ko point, stones captured) and change nothing."""
        state = self._states[-1]
        if self.is_over:
            return "game over", state.board, NO_POINT, 0
        board = state.board.copy()
        verdict, ko, captured = kernels.play_move(board, self._neighbours, int(point), colour, self._ko_for(colour))
        if verdict != kernels.LEGAL:
            return _REASONS[verdict], state.board, NO_POINT, 0
        if self.ko_rule == "positional" and point != self.area and self._seen[board.tobytes()]:
            return "superko", state.board, NO_POINT, 0
        return None, board, int(ko), int(captured)


def _frozen(board: np.ndarray) -> np.ndarray:
    board.flags.writeable = False
    return board
