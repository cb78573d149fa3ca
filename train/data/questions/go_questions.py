"""Questions about a Go board."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from envs.go.batch import Positions
from envs.go.facts import BLACK, WHITE, Chain
from envs.go.rules import EMPTY
from train.data.questions.go_boards import Board
from train.data.questions.go_subjects import (
    COLOURS,
    PLACES,
    POINTS,
    STONES,
    SUBJECTS,
    adjective,
    groups,
    player,
    points,
)
from train.data.questions.question import Question, as_places, enumeration, marked, stack_masks
from train.data.questions.splits import Draw, combination_name
from train.data.questions.subjects import Made, ask, listing

# One position or several -> the point each is answered with, int (P,); N*N is a pass.
Chooser = Callable[[Positions], np.ndarray]

_ON_BOARD_SHARE = 0.3  # of training questions about what no board has say "on the board"


def subject(board: Board, draw: Draw) -> Made | None:
    """Show, count, or say whether there are any."""
    return ask(draw.weighted(SUBJECTS)(board, draw), draw, "sssssca")


def stones_of_a_place(board: Board, draw: Draw) -> Made | None:
    """The same of the stones of a row, a column, a corner, an edge or the whole board."""
    return ask(draw.weighted(PLACES)(board, draw), draw, "sssssca")


def at(board: Board, draw: Draw) -> Made:
    """What stands on a point."""
    wanted = draw.one((BLACK, WHITE, EMPTY))
    there = np.flatnonzero(board.facts.board == wanted)
    point = int(there[draw.rng.integers(len(there))]) if len(there) else int(draw.rng.integers(board.size**2))
    name, stone = board.name(point), int(board.facts.board[point])
    question = draw.one(
        ("What is at {}?", "What stands on {}?", "Which stone is on {}?", "Look at {}: what is there?", "Show me {}.")
    ).format(name)
    if stone == EMPTY:
        return Made("at", question, f"The point {name} is empty.", about=tuple(points(board, (point,))))
    called = f"{adjective(stone)} stone at {name}"
    return Made("at", question, f"There is a {marked(called)}.", ((called, (STONES, (point,))),))


def is_there(board: Board, draw: Draw) -> Made:
    """Whether a stone of a colour stands on a point."""
    colour, truth = draw.one((BLACK, WHITE)), draw.chance(0.5)
    there = np.flatnonzero((board.facts.board == colour) == truth)
    point = int(there[draw.rng.integers(len(there))]) if len(there) else int(draw.rng.integers(board.size**2))
    name, word, stone = board.name(point), adjective(colour), int(board.facts.board[point])
    question = draw.one(
        ("Is there a {} stone at {}?", "Does a {} stone stand on {}?", "Do you see a {} stone on {}?")
    ).format(word, name)
    no = f"No, {name} is empty." if stone == EMPTY else f"No, there is a {adjective(stone)} stone at {name}."
    answer = f"Yes, there is a {word} stone at {name}." if stone == colour else no
    return Made("is there", question, answer, about=tuple(points(board, (point,))))


def last_move(board: Board, draw: Draw) -> Made | None:
    """The stone played last."""
    facts = board.facts
    if not board.shows_marks:
        return None
    question = draw.one(
        ("Where was the last move?", "Which stone was played last?", "Show me the last move.", "What was just played?")
    )
    if facts.last_move == facts.size**2:
        return Made("last move", question, "The last move was a pass.")
    if facts.last_move < 0:
        return Made("last move", question, "There is no move yet.")
    name = board.name(facts.last_move)
    who = player(int(facts.board[facts.last_move]))
    return Made("last move", question, f"{who} played {marked(name)} last.", ((name, (STONES, (facts.last_move,))),))


def just_played(board: Board, draw: Draw) -> Made | None:
    """What a colour has just played, if it was its turn."""
    facts = board.facts
    if not board.shows_marks or not 0 <= facts.last_move < facts.size**2:
        return None
    colour, mover = draw.one((BLACK, WHITE)), int(facts.board[facts.last_move])
    question = draw.one(
        (
            "Which stones did {} just play?",
            "What did {} just play?",
            "Where did {} play last turn?",
            "Show {}'s last move.",
        )
    ).format(player(colour))
    if colour != mover:
        return Made("just played", question, f"{player(mover)} played last, not {player(colour)}.")
    name = board.name(facts.last_move)
    answer = f"{player(colour)} just played {marked(name)}."
    return Made("just played", question, answer, ((name, (STONES, (facts.last_move,))),))


def turn(board: Board, draw: Draw) -> Made | None:
    """Whose turn it is."""
    if not board.shows_marks:
        return None
    if draw.chance(0.5):
        question = draw.one(("Whose turn is it?", "Who plays next?", "Which colour is to move?"))
        return Made("turn", question, f"It is the turn of {player(board.facts.to_move)}.", about=None)
    asked = draw.one((BLACK, WHITE))
    question = draw.one(("Is it {}'s turn?", "Is {} to move?", "Does {} play next?")).format(player(asked))
    right = "Yes" if asked == board.facts.to_move else "No"
    return Made("turn", question, f"{right}, it is the turn of {player(board.facts.to_move)}.", about=None)


def captured_by(board: Board, draw: Draw) -> Made | None:
    """What a move takes: often one that takes something."""
    facts, colour = board.facts, draw.one((BLACK, WHITE))
    taking = facts.capturing_points(colour)
    if taking and draw.chance(0.8):
        point = draw.one(taking)
    else:
        empty = [int(p) for p in np.flatnonzero(facts.board == EMPTY) if facts.captures(int(p), colour) is not None]
        if not empty:
            return None
        point = draw.one(empty)
    taken, name, who = facts.captures(point, colour) or (), board.name(point), player(colour)
    question = draw.one(
        (
            "What would {} capture by playing at {}?",
            "Which group does {} take with a move at {}?",
            "{1}: what does {0} capture there?",
            "If {} plays {}, which stones come off?",
            "What is captured when {} plays {}?",
        )
    ).format(who, name)
    if not taken:
        return Made("captured by", question, f"{who} would capture nothing at {name}.")
    found = groups(board, taken)
    what = enumeration([marked(called) for called, _ in found])
    return Made("captured by", question, f"{who} would capture {what} by playing {name}.", tuple(found))


def group_at(board: Board, draw: Draw) -> Made | None:
    """The whole chain of a stone."""
    if not board.facts.chains:
        return None
    chain = draw.one(board.facts.chains)
    point = draw.one(chain.points)
    name = board.name(point)
    question = draw.one(
        (
            "Show the whole group at {}.",
            "Which stones are connected to {}?",
            "Mark the group that {} belongs to.",
            "What group is {} part of?",
        )
    ).format(name)
    called = f"{adjective(chain.colour)} group at {name}"
    return Made("group", question, f"It is the {marked(called)}.", ((called, _chain_at(chain, point)),))


def _chain_at(chain: Chain, point: int) -> tuple[str, tuple[int, ...]]:
    """A chain as a target's mask, called after one of its points."""
    return STONES, (point, *(other for other in chain.points if other != point))


def liberties(board: Board, draw: Draw) -> Made | None:
    """How many liberties a chain has."""
    if not board.facts.chains:
        return None
    chain = draw.one(board.facts.chains)
    point = draw.one(chain.points)
    name = board.name(point)
    question = draw.one(
        (
            "How many liberties does the group at {} have?",
            "Count the liberties of the group at {}.",
            "The group at {}: how many liberties?",
        )
    ).format(name)
    called, number = f"The group at {name}", len(chain.liberties)
    has = f"{number} {'liberty' if number == 1 else 'liberties'}"
    target, counted = (called, _chain_at(chain, point)), tuple(points(board, chain.liberties))
    return Made("liberty count", question, f"{marked(called)} has {has}.", (target,), about=counted)


def largest(board: Board, draw: Draw) -> Made | None:
    """The largest chain, of all or of a colour; none where two are as large."""
    drawn = draw.combination("largest", [("any",), *((colour,) for colour in COLOURS)])
    assert drawn is not None
    who = COLOURS.get(drawn[0])
    chains: list[Chain] = [chain for chain in board.facts.chains if who in (None, chain.colour)]
    chains.sort(key=lambda chain: -len(chain.points))
    if not chains or (len(chains) > 1 and len(chains[0].points) == len(chains[1].points)):
        return None
    what = f"largest {drawn[0]} group" if who else "largest group"
    question = draw.one(
        ("Which is the {}?", "Where is the {}?", "Show me the {}.", "Find the {} on the board.", "Mark the {}.")
    ).format(what)
    found = groups(board, chains[:1])
    answer = f"The {what} is {marked(found[0][0])}."
    return Made("largest", question, answer, tuple(found), combination_name("largest", drawn))


def territory(board: Board, draw: Draw) -> Made:
    """All the empty points that are a colour's, or how many they are."""
    colour = draw.one((BLACK, WHITE))
    who, owned = player(colour), board.facts.territory(colour)
    if draw.chance(0.3) and len(owned) <= 40:
        question = draw.one(
            ("How many points of territory does {} have?", "Count the territory of {}.", "How large is {}'s territory?")
        ).format(who)
        answer = f"{who} surrounds {len(owned)} empty points."
        return Made("territory count", question, answer, about=tuple(points(board, owned)))
    question = draw.one(
        (
            "Where is {}'s territory?",
            "Show the territory of {}.",
            "Which empty points belong to {}?",
            "What area does {} surround?",
        )
    ).format(who)
    if not owned:
        return Made("territory", question, f"{who} has no territory.")
    called = f"the territory of {who}"
    return Made("territory", question, f"This is {marked(called)}.", ((called, (POINTS, owned)),))


def not_there(board: Board, draw: Draw) -> Made:
    """Something that no Go board has."""
    what = draw.one(("red stones", "blue stones", "green stones", "chess pieces", "drawers", "robot arms", "dice"))
    question = draw.one(("Where are the {}?", "Show me the {}.", "How many {} are there?", "Find the {}.")).format(what)
    if draw.split == "train" and draw.chance(_ON_BOARD_SHARE):  # or these words would tell that it is there
        question = f"{question[:-1]} on the board{question[-1]}".replace(" are there on the board", " are on the board")
    return Made("absent", question, listing(what, what, []))


def reading(board: Board, draw: Draw) -> Made:
    """Point by point what stands on a row or column, or on some points: no part of the mix, see `QuestionConfig`."""
    size, kind = board.size, draw.one(("row", "column", "points", "points"))
    if kind == "points":
        stones = board.facts.board != EMPTY
        weights = np.where(stones, 0.6 / max(stones.sum(), 1), 0.4 / max((~stones).sum(), 1))
        points = draw.rng.choice(
            size**2, int(draw.rng.integers(4, 13)), replace=False, p=weights / weights.sum()
        ).tolist()
        what = ", ".join(board.name(point) for point in points)
    else:
        line = int(draw.rng.integers(size))
        points = [line * size + n if kind == "row" else n * size + line for n in range(size)]
        name = board.name(points[0])
        what = f"row {name[1:]}" if kind == "row" else f"column {name[0]}"
    words = {BLACK: "black", WHITE: "white", EMPTY: "empty"}
    said = [f"{board.name(point)} {words[int(board.facts.board[point])]}" for point in points]
    question = draw.one(("Read {}.", "Read out {}.", "What stands where: {}?")).format(what)
    return Made("reading", question, f"{', '.join(said)}.", about=None)


def counting(board: Board, draw: Draw) -> Made | None:
    """How many there are of something, in the mix a rare question."""
    return liberties(board, draw) if draw.chance(0.3) else ask(draw.weighted(SUBJECTS)(board, draw), draw, "c")


# Each with how often it is drawn.
FAMILIES: tuple[tuple[Callable[[Board, Draw], Made | None], float], ...] = (
    (subject, 12),
    (at, 1.5),
    (is_there, 1),
    (last_move, 1),
    (just_played, 1),
    (turn, 0.5),
    (captured_by, 2),
    (group_at, 1),
    (liberties, 1.5),
    (largest, 1),
    (territory, 1.5),
    (not_there, 0.3),
)


# Those that are answered by seeing what stands where, and exercises: points read out, and counting.
READING_FAMILIES: tuple[tuple[Callable[[Board, Draw], Made | None], float], ...] = (
    (reading, 3),
    (stones_of_a_place, 6),
    (counting, 8),
    (at, 3),
    (is_there, 1),
    (last_move, 1),
    (just_played, 1),
)


def make_question(board: Board, draw: Draw) -> Made | None:
    """A question of a family that is drawn; None where this board has nothing to ask so."""
    return draw.weighted(FAMILIES)(board, draw)


def make_reading(board: Board, draw: Draw) -> Made | None:
    """One of the reading kinds; None where this board has nothing to ask so."""
    return draw.weighted(READING_FAMILIES)(board, draw)


def finish(board: Board, made: Made, split: str) -> Question:
    """The question with its frame and masks."""
    masks = [board.mask(shown, stones=kind == STONES) for _, (kind, shown) in made.targets]
    places = None if made.about is None else [board.middle(shown[0]) for _, (_, shown) in made.targets + made.about]
    return Question(
        board.image, made.question, made.answer, stack_masks(masks, board.image.shape),
        tuple(name for name, _ in made.targets), made.family, "go", split, made.combination, board.labels,
        None if places is None else as_places(places),
    )  # fmt: skip


def next_move(board: Board, choose: Chooser, draw: Draw) -> Question:
    """Where the agent would play: no part of the mix, because it needs an agent that chooses.

    The target is the square of the point; a pass has none.
    """
    question = draw.one(
        ("Where would the agent play next?", "What is your next move?", "Where would you play?", "What comes next?")
    )
    point = int(np.asarray(choose(board.positions)).reshape(-1)[0])
    who = player(board.facts.to_move)
    if point == board.size**2:
        made = Made("next move", question, f"{who} would pass.")
    else:
        name = board.name(point)
        made = Made("next move", question, f"{who} would play {marked(name)}.", ((name, (POINTS, (point,))),))
    return finish(board, made, draw.split)
