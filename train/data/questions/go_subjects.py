"""What can be asked for on a board: stones of a place, chains with few liberties, captures, cut points, areas."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from envs.go.coords import point_to_gtp
from envs.go.facts import BLACK, WHITE, Chain
from envs.go.rules import opponent
from train.data.questions.go_boards import Board
from train.data.questions.splits import Draw, combination_name
from train.data.questions.subjects import Subject

COLOURS = {"black": BLACK, "white": WHITE}
CORNERS = ("upper left", "upper right", "lower left", "lower right")
EDGES = ("left", "right", "top", "bottom")
# Of training questions that would name a colour, so many ask for both: who only ever heard of black cut points does not
# listen to the colour, and held-out combinations could not be understood
ANY_SHARE = 0.35
GROUPS_SHARE = 0.2  # of training questions about all stones of a colour, so many are about its groups
STONES, POINTS = "stones", "points"  # what a mask shows: stones, or the squares of points
Target = tuple[str, tuple[str, tuple[int, ...]]]


def player(colour: int) -> str:
    """What the side is called."""
    return "Black" if colour == BLACK else "White"


def adjective(colour: int) -> str:
    """What its stones are called."""
    return player(colour).lower()


def stones(board: Board, points: Iterable[int]) -> list[Target]:
    """Single stones as targets."""
    return [(board.name(point), (STONES, (point,))) for point in points]


def points(board: Board, places: Iterable[int]) -> list[Target]:
    """Single points as targets."""
    return [(board.name(point), (POINTS, (point,))) for point in places]


def groups(board: Board, chains: Iterable[Chain]) -> list[Target]:
    """Chains as targets, called after their first stone. A target's first point is the one it is called after."""
    return [(f"the group at {board.name(chain.points[0])}", (STONES, chain.points)) for chain in chains]


def _colour_and(kind: str, draw: Draw, values: Iterable[str] = ()) -> tuple[str, ...] | None:
    """A colour, and one of the values where there are some, as this split may combine them."""
    options = [(colour, *([value] if value else [])) for colour in COLOURS for value in (tuple(values) or ("",))]
    return draw.combination(kind, options)


def _stones_at(
    board: Board, kind: str, values: tuple[str, ...], inside: Callable[[int], bool], where: str, *others: str
) -> Subject:
    """Stones of a colour, or of both. where: the place, as answers say it; others: as questions may say it too."""
    colour = COLOURS.get(values[0])
    wanted = (BLACK, WHITE) if colour is None else (colour,)
    there = [point for point, stone in enumerate(board.facts.board) if stone in wanted and inside(point)]
    what = f"{values[0]} stone" if colour else "stone"
    return Subject(
        kind, f"{what} {where}", f"{what}s {where}", stones(board, there), combination_name(kind, values),
        tuple((f"{what} {other}", f"{what}s {other}") for other in others),
    )  # fmt: skip


def of_colour(board: Board, draw: Draw) -> Subject:
    """All stones of a colour; for training, also all groups of one."""
    who = (draw.one(tuple(COLOURS)),)
    if draw.split == "train" and draw.chance(GROUPS_SHARE):
        chains = [chain for chain in board.facts.chains if chain.colour == COLOURS[who[0]]]
        one, many = f"{who[0]} group", f"{who[0]} groups"
        others = tuple((f"{one} {where}", f"{many} {where}") for where in ("on the board", "in the picture"))
        return Subject("groups", one, many, groups(board, chains), others=others)
    found = _stones_at(board, "stones", who, lambda point: True, "on the board", "in this position", "in the picture")
    alone = f"{who[0]} stone", f"{who[0]} stones"  # as most people say it, so as often as the others together
    return replace(found, others=(*found.others, alone, alone))


def in_row(board: Board, draw: Draw) -> Subject | None:
    """The stones of a row, rows counted from below as in GTP."""
    rows = [str(row + 1) for row in range(board.size)]
    drawn = draw.combination("row", [(who, row) for who in (*COLOURS, "any") for row in rows])
    if drawn is None:
        return None
    row, ways = board.size - int(drawn[1]), [f"{way} row {drawn[1]}" for way in ("on", "in", "of", "along")]
    return _stones_at(board, "row", drawn, lambda point: point // board.size == row, *ways)


def in_column(board: Board, draw: Draw) -> Subject | None:
    """The stones of a column."""
    letters = [point_to_gtp(column, board.size)[0] for column in range(board.size)]
    drawn = draw.combination("column", [(who, letter) for who in (*COLOURS, "any") for letter in letters])
    if drawn is None:
        return None
    column, ways = letters.index(drawn[1]), [f"{way} column {drawn[1]}" for way in ("in", "on", "of", "along")]
    return _stones_at(board, "column", drawn, lambda point: point % board.size == column, *ways)


def in_corner(board: Board, draw: Draw) -> Subject | None:
    """The stones of a corner, a third of the board wide and high."""
    drawn = draw.combination("corner", [(who, corner) for who in (*COLOURS, "any") for corner in CORNERS])
    if drawn is None:
        return None
    size, side = board.size, board.size // 3
    upper, left = "upper" in drawn[1], "left" in drawn[1]

    def inside(point: int) -> bool:
        row, column = divmod(point, size)
        return (row < side if upper else row >= size - side) and (column < side if left else column >= size - side)

    bottom = drawn[1].replace("lower", "bottom").replace("upper", "top")
    ways = (f"{way} corner" for way in (f"in the {drawn[1]}", f"of the {drawn[1]}", f"in the {bottom}"))
    return _stones_at(board, "corner", drawn, inside, *ways)


def on_edge(board: Board, draw: Draw) -> Subject | None:
    """The stones on the outermost line of a side."""
    drawn = draw.combination("edge", [(who, edge) for who in (*COLOURS, "any") for edge in EDGES])
    if drawn is None:
        return None
    size, last = board.size, board.size - 1
    tests = {
        "left": lambda point: point % size == 0,
        "right": lambda point: point % size == last,
        "top": lambda point: point < size,
        "bottom": lambda point: point >= size * last,
    }
    ways = (f"{way} {drawn[1]} edge" for way in ("on the", "at the", "along the"))
    return _stones_at(board, "edge", drawn, tests[drawn[1]], *ways)


def _in_atari(board: Board, draw: Draw) -> tuple[str, list[Chain]]:
    """Chains with one liberty: of a colour, which stands before them as a word, or for training also of both."""
    chains = [chain for chain in board.facts.chains if len(chain.liberties) == 1]
    if draw.split == "train" and draw.chance(ANY_SHARE):
        return "", chains
    colour = draw.one((BLACK, WHITE))
    return f"{adjective(colour)} ", [chain for chain in chains if chain.colour == colour]


def atari_groups(board: Board, draw: Draw) -> Subject:
    """Chains with one liberty."""
    word, found = _in_atari(board, draw)
    return Subject("atari", f"{word}group in atari", f"{word}groups in atari", groups(board, found))


def atari_stones(board: Board, draw: Draw) -> Subject:
    """The stones of chains with one liberty."""
    word, chains = _in_atari(board, draw)
    found = sorted(point for chain in chains for point in chain.points)
    return Subject("atari", f"{word}stone in atari", f"{word}stones in atari", stones(board, found))


def with_liberties(board: Board, draw: Draw) -> Subject | None:
    """Chains with so many liberties."""
    if draw.split == "train" and draw.chance(ANY_SHARE):
        number = draw.one("23456")
        either = [chain for chain in board.facts.chains if len(chain.liberties) == int(number)]
        has = f"with {number} liberties"
        return Subject("liberties", f"group {has}", f"groups {has}", groups(board, either))
    drawn = _colour_and("liberties", draw, "23456")
    if drawn is None:
        return None
    chains = board.facts.chains
    found = [c for c in chains if c.colour == COLOURS[drawn[0]] and len(c.liberties) == int(drawn[1])]
    what, has = f"{drawn[0]} group", f"with {drawn[1]} liberties"
    combined = combination_name("liberties", drawn)
    return Subject("liberties", f"{what} {has}", f"{what}s {has}", groups(board, found), combined)


def capturable(board: Board, draw: Draw) -> Subject:
    """Chains that the opponent may take with one move."""
    taker = draw.one((BLACK, WHITE))
    facts = board.facts
    taken = {chain for point in facts.capturing_points(taker) for chain in facts.captures(point, taker) or ()}
    what, by = f"{adjective(opponent(taker))} group", f"that {player(taker)} can capture"
    ordered = [chain for chain in facts.chains if chain in taken]
    return Subject("capturable", f"{what} {by}", f"{what}s {by}", groups(board, ordered))


def capturing(board: Board, draw: Draw) -> Subject:
    """Points at which a colour takes something."""
    taker = draw.one((BLACK, WHITE))
    what = f"where {player(taker)} captures something"
    found = points(board, board.facts.capturing_points(taker))
    return Subject("capturing points", f"point {what}", f"points {what}", found)


def cut_points(board: Board, draw: Draw) -> Subject | None:
    """Points between chains of a colour."""
    if draw.split == "train" and draw.chance(ANY_SHARE):
        either = sorted({*board.facts.cut_points(BLACK), *board.facts.cut_points(WHITE)})
        what = "between groups of one colour"
        return Subject("cut points", f"cut point {what}", f"cut points {what}", points(board, either))
    drawn = _colour_and("cut points", draw)
    if drawn is None:
        return None
    what = f"between {drawn[0]} groups"
    found = points(board, board.facts.cut_points(COLOURS[drawn[0]]))
    combined = combination_name("cut points", drawn)
    return Subject("cut points", f"cut point {what}", f"cut points {what}", found, combined)


def areas(board: Board, draw: Draw) -> Subject:
    """The connected pieces of a colour's territory."""
    colour = draw.one((BLACK, WHITE))
    regions = [region for region in board.facts.regions if region.owner == colour]
    found = [(f"the area at {board.name(region.points[0])}", (POINTS, region.points)) for region in regions]
    what = f"that {player(colour)} surrounds"
    return Subject("areas", f"area {what}", f"areas {what}", found)


def liberties_of(board: Board, draw: Draw) -> Subject | None:
    """The liberties of one chain."""
    if not board.facts.chains:
        return None
    chain = draw.one(board.facts.chains)
    what = f"of the group at {board.name(draw.one(chain.points))}"
    return Subject("liberty points", f"liberty {what}", f"liberties {what}", points(board, chain.liberties))


# Each with how often it is drawn.
PLACES: tuple[tuple[Callable[[Board, Draw], Subject | None], float], ...] = (
    (of_colour, 2),
    (in_row, 3),
    (in_column, 3),
    (in_corner, 3),
    (on_edge, 2),
)
SUBJECTS: tuple[tuple[Callable[[Board, Draw], Subject | None], float], ...] = (
    *PLACES,
    (atari_groups, 2),
    (atari_stones, 2),
    (with_liberties, 3),
    (capturable, 2),
    (capturing, 2),
    (cut_points, 2),
    (areas, 2),
    (liberties_of, 2),
)
