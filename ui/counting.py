"""The end of a game: which stones are dead, who has won, and that in words."""

from __future__ import annotations

from collections.abc import Mapping

from envs.go.rules import BLACK, EMPTY, WHITE, GoGame, colour_name, opponent


def dead_region(game: GoGame, point: int) -> frozenset[int]:
    """The stones that reach `point` over stones of the colour there and empty points; none for an empty point."""
    board = game.stones.reshape(-1)
    colour = board[point]
    if colour == EMPTY:
        return frozenset()
    seen, front = {point}, [point]
    while front:
        row, col = divmod(front.pop(), game.size)
        for r, c in ((row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1)):
            near = r * game.size + c
            if 0 <= r < game.size and 0 <= c < game.size and near not in seen and board[near] in (EMPTY, colour):
                seen.add(near)
                front.append(near)
    return frozenset(index for index in seen if board[index] == colour)


def winner_of(game: GoGame, dead: frozenset[int] = frozenset()) -> int:
    """Return BLACK or WHITE by resignation or by area as the board stands, EMPTY for a draw."""
    if game.resigned is not None:
        return opponent(game.resigned)
    score = game.area_score(dead)
    return EMPTY if score == 0 else BLACK if score > 0 else WHITE


def result_sentence(
    game: GoGame, names: Mapping[int, str], dead: frozenset[int] = frozenset(), stopped: bool = False
) -> str:
    """Return who has won and how; `stopped` says that the game was ended at its limit of moves."""
    winner = winner_of(game, dead)
    if game.resigned is not None:
        return f"{colour_name(winner)} wins: {names[game.resigned]} ({colour_name(game.resigned)}) resigned."
    end = f"Stopped after {len(game.history)} moves: " if stopped else ""
    removed = f", {len(dead)} dead {'stone' if len(dead) == 1 else 'stones'} taken off" if dead else ""
    count = f"by area, komi {game.komi:g}{removed}"
    if winner == EMPTY:
        return f"{end}a draw ({count})."
    points = abs(game.area_score(dead))
    return f"{end}{colour_name(winner)} ({names[winner]}) wins by {points:g} points ({count})."
