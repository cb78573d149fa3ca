"""The compiled heart of the rules: liberties, captures, ko and area, on one flat board.

`GoGame` (one game) and `BatchedGo`, `replay`, `apply_moves` (many games) all call these functions, so that there is one
implementation of capture. A board is an int8 array of `N*N` points; `neighbours` comes from `neighbour_table(N)`. The
functions compile on first use (some seconds) and numba caches them on disk. It compiles anew when a function's own file
changes but not when the file of another function it calls does, so all of them stand in this one.
"""

from __future__ import annotations

from functools import cache
from typing import TypeAlias

import numpy as np
from numba import njit

Array: TypeAlias = np.ndarray  # boards int8 (N*N,), neighbours int32 (N*N, 4); scratch chain int32, visited bool (N*N,)

EMPTY, BLACK, WHITE = 0, 1, 2
NO_POINT = -1

# Verdicts on a move.
LEGAL, OCCUPIED, SUICIDE, KO, OFF_BOARD = 0, 1, 2, 3, 4


@cache
def neighbour_table(size: int) -> np.ndarray:
    """Return the int32 (size*size, 4) table of orthogonal neighbours; rows are filled up with -1 at the end."""
    table = np.full((size * size, 4), NO_POINT, dtype=np.int32)
    for row in range(size):
        for col in range(size):
            around = ((row - 1, col), (row, col - 1), (row, col + 1), (row + 1, col))
            inside = [r * size + c for r, c in around if 0 <= r < size and 0 <= c < size]
            table[row * size + col, : len(inside)] = inside
    table.flags.writeable = False
    return table


@njit(cache=True)
def _walk_chain(
    board: Array, neighbours: Array, start: int, excluded: int, chain: Array, visited: Array
) -> tuple[bool, int]:
    """Walk the chain of stones at `start` until it shows a liberty other than `excluded`.

    Returns (free, count). Without such a liberty `chain[:count]` holds every stone of the chain. `visited` is all False
    before and after the call, which saves clearing a whole board for each chain.
    """
    colour = board[start]
    chain[0] = start
    visited[start] = True
    count, head, free = 1, 0, False
    while head < count and not free:
        point = chain[head]
        head += 1
        for side in range(4):
            near = neighbours[point, side]
            if near < 0:
                break
            if board[near] == EMPTY:
                if near != excluded:
                    free = True
                    break
            elif board[near] == colour and not visited[near]:
                visited[near] = True
                chain[count] = near
                count += 1
    for index in range(count):
        visited[chain[index]] = False
    return free, count


@njit(cache=True)
def judge_move(board: Array, neighbours: Array, point: int, colour: int, ko: int, chain: Array, visited: Array) -> int:
    """Return the verdict on a move under simple ko; `ko` is the point `colour` may not take, or -1. A pass is legal."""
    area = board.shape[0]
    if point == area:
        return LEGAL
    if point < 0 or point > area:
        return OFF_BOARD
    if board[point] != EMPTY:
        return OCCUPIED
    if point == ko:
        return KO
    for side in range(4):
        near = neighbours[point, side]
        if near >= 0 and board[near] == EMPTY:
            return LEGAL
    for side in range(4):
        near = neighbours[point, side]
        if near < 0:
            break
        free, _ = _walk_chain(board, neighbours, near, point, chain, visited)
        # A friend with another liberty gives the new stone one; an enemy without another liberty is captured.
        if free == (board[near] == colour):
            return LEGAL
    return SUICIDE


@njit(cache=True)
def place_stone(
    board: Array, neighbours: Array, point: int, colour: int, chain: Array, visited: Array
) -> tuple[int, int]:
    """Play a legal move on `board` in place; returns (ko point of the opponent or -1, stones captured)."""
    if point == board.shape[0]:
        return NO_POINT, 0
    board[point] = colour
    captured, last_captured = 0, NO_POINT
    friends, liberties = 0, 0
    for side in range(4):
        near = neighbours[point, side]
        if near < 0:
            break
        if board[near] == EMPTY:
            liberties += 1
        elif board[near] == colour:
            friends += 1
        else:
            free, count = _walk_chain(board, neighbours, near, NO_POINT, chain, visited)
            if not free:
                for index in range(count):
                    board[chain[index]] = EMPTY
                captured += count
                last_captured = near
    # Retaking restores the position only if a lone stone took one stone and has no liberty but that stone's point.
    if captured == 1 and friends == 0 and liberties == 0:
        return last_captured, captured
    return NO_POINT, captured


@njit(cache=True)
def play_move(board: Array, neighbours: Array, point: int, colour: int, ko: int) -> tuple[int, int, int]:
    """Play one move on `board` in place if it is legal; returns (verdict, next ko point, stones captured)."""
    chain = np.empty(board.shape[0], np.int32)
    visited = np.zeros(board.shape[0], np.bool_)
    verdict = judge_move(board, neighbours, point, colour, ko, chain, visited)
    if verdict != LEGAL:
        return verdict, ko, 0
    next_ko, captured = place_stone(board, neighbours, point, colour, chain, visited)
    return verdict, next_ko, captured


@njit(cache=True)
def mark_legal(board: Array, neighbours: Array, colour: int, ko: int, out: Array) -> None:
    """Write into `out`, bool (N*N+1,), which moves are legal under simple ko; the last entry is the pass."""
    area = board.shape[0]
    chain = np.empty(area, np.int32)
    visited = np.zeros(area, np.bool_)
    for point in range(area + 1):
        out[point] = judge_move(board, neighbours, point, colour, ko, chain, visited) == LEGAL


@njit(cache=True)
def mark_owners(board: Array, neighbours: Array, out: Array) -> None:
    """Write into `out`, int8 (N*N,), whose area each point is: stones, and empty regions that touch one colour only."""
    area = board.shape[0]
    region = np.empty(area, np.int32)
    visited = np.zeros(area, np.bool_)
    for start in range(area):
        if board[start] != EMPTY:
            out[start] = board[start]
            continue
        if visited[start]:
            continue
        region[0] = start
        visited[start] = True
        count, head, touched = 1, 0, 0
        while head < count:
            point = region[head]
            head += 1
            for side in range(4):
                near = neighbours[point, side]
                if near < 0:
                    break
                touched |= board[near]
                if board[near] == EMPTY and not visited[near]:
                    visited[near] = True
                    region[count] = near
                    count += 1
        # BLACK is bit 1 and WHITE bit 2: both together, or neither, is nobody's.
        owner = touched if touched == BLACK or touched == WHITE else EMPTY
        for index in range(count):
            out[region[index]] = owner


@njit(cache=True)
def area_difference(owners: Array) -> int:
    """Return Black's area minus White's for an int8 (N*N,) array of owners."""
    difference = 0
    for index in range(owners.shape[0]):
        if owners[index] == BLACK:
            difference += 1
        elif owners[index] == WHITE:
            difference -= 1
    return difference


@njit(cache=True)
def find_captured_chain(board: Array, neighbours: Array) -> int:
    """Return a stone of some chain without liberties, or -1; no position that play can reach has one."""
    chain = np.empty(board.shape[0], np.int32)
    visited = np.zeros(board.shape[0], np.bool_)
    for point in range(board.shape[0]):
        if board[point] != EMPTY:
            free, _ = _walk_chain(board, neighbours, point, NO_POINT, chain, visited)
            if not free:
                return point
    return NO_POINT


# The same for many boards


@njit(cache=True)
def play_each(stones: Array, to_move: Array, last_move: Array, ko: Array, points: Array, neighbours: Array) -> Array:
    """Play `points[g]` on board g of `stones`, int8 (G, N*N), where legal, in place; returns bool (G,): it was."""
    games, area = stones.shape
    chain = np.empty(area, np.int32)
    visited = np.zeros(area, np.bool_)
    played = np.zeros(games, np.bool_)
    for game in range(games):
        board, point, colour = stones[game], points[game], to_move[game]
        if judge_move(board, neighbours, point, colour, ko[game], chain, visited) == LEGAL:
            ko[game], _ = place_stone(board, neighbours, point, colour, chain, visited)
            last_move[game] = point
            to_move[game] = BLACK + WHITE - colour
            played[game] = True
    return played


@njit(cache=True)
def replay_all(
    moves: Array, offsets: Array, neighbours: Array, stones: Array, to_move: Array, last_move: Array, ko: Array
) -> tuple[int, int]:
    """Fill in every position; returns the (game, ply) of the first illegal move, or (-1, -1)."""
    area = stones.shape[1]
    chain = np.empty(area, np.int32)
    visited = np.zeros(area, np.bool_)
    for game in range(len(offsets) - 1):
        first, last = offsets[game], offsets[game + 1] - 1
        stones[first] = 0
        to_move[first] = BLACK
        last_move[first] = NO_POINT
        ko[first] = NO_POINT
        for now in range(first, last):
            point = moves[game, now - first]
            colour = to_move[now]
            if judge_move(stones[now], neighbours, point, colour, ko[now], chain, visited) != LEGAL:
                return game, now - first
            stones[now + 1] = stones[now]
            ko[now + 1], _ = place_stone(stones[now + 1], neighbours, point, colour, chain, visited)
            last_move[now + 1] = point
            to_move[now + 1] = BLACK + WHITE - colour
    return -1, -1


@njit(cache=True)
def mark_legal_each(stones: Array, to_move: Array, ko: Array, neighbours: Array, mask: Array) -> None:
    """Write the legal moves of every board into `mask`, bool (G, N*N+1)."""
    for game in range(stones.shape[0]):
        mark_legal(stones[game], neighbours, to_move[game], ko[game], mask[game])


@njit(cache=True)
def area_each(stones: Array, neighbours: Array) -> Array:
    """Return Black's area minus White's, int32 (G,)."""
    games, area = stones.shape
    owners = np.empty(area, np.int8)
    scores = np.empty(games, np.int32)
    for game in range(games):
        mark_owners(stones[game], neighbours, owners)
        scores[game] = area_difference(owners)
    return scores


@njit(cache=True)
def scatter_each(stones: Array, symmetry: Array, table: Array, turned: Array) -> None:
    """Move the stone on point p of board i to point `table[symmetry[i], p]` of `turned[i]`."""
    for index in range(stones.shape[0]):
        to = table[symmetry[index]]
        for point in range(stones.shape[1]):
            turned[index, to[point]] = stones[index, point]


@njit(cache=True)
def _fills_eye(board: Array, neighbours: Array, point: int, colour: int) -> bool:
    """Whether the empty `point` is an eye of `colour`: own stones all round, and no way to cut them apart."""
    size = int(np.sqrt(board.shape[0]))
    for side in range(4):
        near = neighbours[point, side]
        if near >= 0 and board[near] != colour:
            return False
    row, col = point // size, point % size
    corners, hostile = 0, 0
    for down in (-1, 1):
        for right in (-1, 1):
            if 0 <= row + down < size and 0 <= col + right < size:
                corners += 1
                hostile += board[(row + down) * size + col + right] == BLACK + WHITE - colour
    return hostile <= (1 if corners == 4 else 0)


@njit(cache=True)
def random_owners_each(stones: Array, to_move: Array, neighbours: Array, playouts: int, seed: int) -> Array:
    """Let chance finish every board `playouts` times; returns int32 (G, N*N), how much oftener a point ended Black's.

    stones: int8 (G, N*N), unchanged. to_move: int8 (G,). Both sides play any legal move that fills no eye of their own,
    and pass where there is none, for three times as many moves as there are points at most.
    """
    np.random.seed(seed)
    games, area = stones.shape
    sums = np.zeros((games, area), np.int32)
    chain = np.empty(area, np.int32)
    visited = np.zeros(area, np.bool_)
    owners = np.empty(area, np.int8)
    open_points = np.empty(area, np.int32)
    for game in range(games):
        for _ in range(playouts):
            board, colour, ko, passes = stones[game].copy(), to_move[game], NO_POINT, 0
            for _ in range(3 * area):
                count = 0
                for point in range(area):
                    if board[point] == EMPTY and point != ko:
                        open_points[count] = point
                        count += 1
                chosen = area
                while count > 0 and chosen == area:
                    pick = np.random.randint(count)
                    point = open_points[pick]
                    count -= 1
                    open_points[pick] = open_points[count]
                    if not _fills_eye(board, neighbours, point, colour):
                        if judge_move(board, neighbours, point, colour, ko, chain, visited) == LEGAL:
                            chosen = point
                if chosen == area:
                    passes += 1
                    ko = NO_POINT
                    if passes == 2:
                        break
                else:
                    passes = 0
                    ko, _ = place_stone(board, neighbours, chosen, colour, chain, visited)
                colour = BLACK + WHITE - colour
            mark_owners(board, neighbours, owners)
            for point in range(area):
                sums[game, point] += (owners[point] == BLACK) - (owners[point] == WHITE)
    return sums
