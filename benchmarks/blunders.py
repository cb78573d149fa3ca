"""What a player loses its stones by: blunders that can be seen on the board, counted over the records of an arena.

    python -m benchmarks.blunders runs/arena go9-small,symmetries=8 [--json FILE]

The rules and the moves that followed judge, no estimate:

- *ignored atari*: a chain of its own of two or more stones stood in atari, it played elsewhere and took nothing, and
  the next move captured the chain, which a move could have given a second liberty;
- *self-atari*: its move left a chain of two or more stones, the new one among them, with one liberty, and the next
  move captured it;
- *missed capture*: a chain of two or more opposing stones stood in atari, it did not take it, and the chain was on the
  board to the end;
- *filled eye*: it played into an eye of its own.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.report import Parser, benchmark, percent, results_file, show, write
from envs.errors import UserError
from envs.go.rules import BLACK, EMPTY, WHITE, GoGame, opponent, own_eyes
from envs.go.sgf import SgfGame, read_folder

KINDS = ("ignored atari", "self-atari", "missed capture", "filled eye")
CHAIN = 2  # stones, from which on a loss counts: single ones are often given away on purpose


@dataclass(frozen=True)
class Blunder:
    """One of KINDS, at which ply (moves before it), and how many stones it cost."""

    kind: str
    ply: int
    cost: int


def liberties(game: GoGame, chain: Sequence[int]) -> set[int]:
    """The empty points next to a chain."""
    size, board = game.size, game.stones.reshape(-1)
    free = set()
    for point in chain:
        row, column = divmod(point, size)
        for near_row, near_column in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            near = near_row * size + near_column
            if 0 <= near_row < size and 0 <= near_column < size and board[near] == EMPTY:
                free.add(near)
    return free


def in_atari(game: GoGame, colour: int) -> list[frozenset[int]]:
    """Chains of `colour` of CHAIN or more stones with a single liberty."""
    board = game.stones.reshape(-1)
    return [
        frozenset(chain)
        for chain in game.chains()
        if board[chain[0]] == colour and len(chain) >= CHAIN and len(liberties(game, chain)) == 1
    ]


def can_save(game: GoGame, chain: frozenset[int]) -> bool:
    """Whether a legal move of the side to move leaves the chain in `game` with two liberties or more."""
    for point in game.legal_mask()[: game.area].nonzero()[0]:
        after = game.copy()
        after.play(int(point))
        held = next((other for other in after.chains() if chain <= set(other)), None)
        if held is not None and len(liberties(after, held)) > 1:
            return True
    return False


def blunders(record: SgfGame, colour: int) -> Iterator[Blunder]:
    """All blunders of `colour` in a game, in the order they were played."""
    game = GoGame(record.size, komi=record.komi)
    if record.black_setup or record.white_setup:
        game.place_stones(record.black_setup, record.white_setup)
    last = record.game.stones.reshape(-1)
    for ply, move in enumerate(record.moves):
        before = game.copy()
        game.play(move.point, move.colour)
        if move.colour != colour or move.point == game.area:
            continue
        reply = record.moves[ply + 1] if ply + 1 < len(record.moves) else None
        if own_eyes(before, colour).reshape(-1)[move.point]:
            yield Blunder("filled eye", ply, 1)
        other = opponent(colour)
        took = before.captures[colour] != game.captures[colour]
        for chain in in_atari(before, other):
            if game.stones.reshape(-1)[next(iter(chain))] == other and all(last[point] == other for point in chain):
                yield Blunder("missed capture", ply, len(chain))
        if reply is None or reply.point == game.area:
            continue
        after = game.copy()
        after.play(reply.point, reply.colour)
        gone = after.stones.reshape(-1) != colour
        doomed = [chain for chain in in_atari(game, colour) if all(gone[point] for point in chain)]
        for chain in doomed:
            if move.point in chain:
                yield Blunder("self-atari", ply, len(chain))
            elif not took and chain in in_atari(before, colour) and can_save(before, chain):
                yield Blunder("ignored atari", ply, len(chain))


def count(folder: Path, player: str) -> dict[str, Any]:
    """Games of `player` in a folder of records: how they ended, and of each kind how many, in how many, how dear."""
    place = folder / "sgf" if (folder / "sgf").is_dir() else folder
    records = [game for game in read_folder(place) if player in (game.black, game.white)]
    if not records:
        raise UserError(f"there is no game of {player!r} in {folder}; give the name that its records show")
    results = Counter[str]()
    kinds = {kind: {"times": 0, "games": 0, "cost": 0, "lost_games": 0} for kind in KINDS}
    for record in records:
        for colour in [c for c, name in ((BLACK, record.black), (WHITE, record.white)) if name == player]:
            lost = record.winner == opponent(colour)
            results["won" if record.winner == colour else "lost" if lost else "drawn"] += 1
            found = list(blunders(record, colour))
            for kind, row in kinds.items():
                own = [blunder for blunder in found if blunder.kind == kind]
                row["times"] += len(own)
                row["cost"] += sum(blunder.cost for blunder in own)
                row["games"] += bool(own)
                row["lost_games"] += bool(own) and lost
            results["with a blunder, lost"] += bool(found) and lost
    return {"player": player, "games": len(records), "results": dict(results), "kinds": kinds}


@benchmark
def main(arguments: Sequence[str] | None) -> None:
    """Count and print the table."""
    parser = Parser(
        prog="python -m benchmarks.blunders", description="Count a player's blunders in an arena's records."
    )
    parser.add_argument("folder", type=Path, help="an arena's folder, or any folder of SGF files")
    parser.add_argument("player", help="its name in the records")
    parser.add_argument("--json", type=results_file)
    args = parser.parse_args(arguments)
    found = count(args.folder, args.player)
    rows = [
        (
            kind,
            str(row["times"]),
            f"{row['games']} ({percent(row['games'] / found['games'], 0)})",
            str(row["lost_games"]),
            f"{row['cost'] / row['times']:.1f}" if row["times"] else "-",
        )
        for kind, row in found["kinds"].items()
    ]
    told = ", ".join(f"{number} {what}" for what, number in sorted(found["results"].items()))
    show(f"{found['games']} games: {told}", rows, ("blunder", "times", "games", "of them lost", "stones each"))
    write(found, args.json)


if __name__ == "__main__":
    sys.exit(main(None))
