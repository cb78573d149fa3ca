"""Questions about boards: facts on positions made by hand, masks against the picture."""

from __future__ import annotations

import re

import numpy as np
import pytest

from envs.go.batch import Positions, replay
from envs.go.coords import gtp_to_point
from envs.go.facts import BoardFacts
from train.data.questions import go_questions, go_subjects
from train.data.questions.answers import answer_fields
from train.data.questions.go_boards import Board, BoardScenes, random_game
from train.data.questions.question import SIDE, SLOT
from train.data.questions.splits import Draw
from train.data.questions.subjects import Made, Subject, count, is_any, show

LETTERS = {".": 0, "X": 1, "O": 2}
ROWS = (
    ".XO......",
    "XO.......",
    "O.....X..",
    "......OX.",
    "......X..",
    "...XX....",
    "...X.....",
    ".........",
    "........O",
)


def board(rows: tuple[str, ...] = ROWS, *, to_move: int = 2, last: str = "G4", style: str = "modern") -> Board:
    size = len(rows)
    stones = np.array([[LETTERS[letter] for letter in row] for row in rows], np.int8)
    last_move = -1 if not last else gtp_to_point(last, size)
    fields = (np.array([to_move], np.int8), np.array([last_move], np.int16), np.array([-1], np.int16))
    return Board(Positions(stones[None], *fields), style)


class Fixed(Draw):
    """Draws the options it is told to, by what they are; else the first."""

    def __init__(self, *wanted: object, chances: bool = False, split: str = "test") -> None:
        super().__init__(np.random.default_rng(0), split)
        self.wanted, self.chances = wanted, chances

    def one(self, options):  # type: ignore[no-untyped-def]
        return next((option for option in options if option in self.wanted), options[0])

    def chance(self, share: float) -> bool:
        return self.chances


def names(subject: Subject | None) -> list[str]:
    assert subject is not None
    return [name for name, _ in subject.targets]


def test_in_training_a_place_is_asked_for_in_several_ways_and_told_in_one() -> None:
    here, asked, opened = board(), set[str](), set[str]()
    for seed in range(60):
        subject = go_subjects.in_row(here, Fixed("1", split="train"))
        assert subject is not None
        made = show(subject, Draw(np.random.default_rng(seed), "train"))
        assert made is not None and " on row " in made.answer
        asked.add(next(way for way in ("on", "in", "of", "along") if f" {way} row " in made.question))
        opened.add(made.question.rsplit(" ", 3)[0])
        made = show(subject, Draw(np.random.default_rng(seed), "test"))
        assert made is not None and " on row " in made.question and "stones are" not in made.question
    assert len(asked) == 4 and {"Which black stones are", "Where are the black stones"} <= opened


def test_questions_that_are_turned_round_ask_the_same() -> None:
    """The liberties of a group at a point are not liberties at that point."""
    here, found = board(), set[str]()
    asked = go_subjects.liberties_of, go_subjects.with_liberties, go_subjects.atari_stones, go_subjects.cut_points
    for family in asked:
        for seed in range(200):
            draw = Draw(np.random.default_rng(seed), "train")
            made = show(family(here, draw), draw)
            turned = re.fullmatch(r".*(?:Which|which|What) (\w.*? (?:are|have) .*)[?.]", made.question if made else "")
            if turned:
                found.add(turned[1])
    assert {"black stones are in atari", "white groups have 2 liberties"} <= found
    assert "cut points are between black groups" in found
    assert not any(question.startswith("liberties") for question in found)


def test_places_are_where_things_are_called_after() -> None:
    """Of the targets, in their order, and of what is counted or asked about without a mask."""
    here = board(last="E4")
    seen = 0
    for seed in range(400):
        made = go_questions.make_question(here, Draw(np.random.default_rng(seed), "test"))
        if made is None:
            continue
        question = go_questions.finish(here, made, "test")
        if question.places is None:
            assert made.family == "turn"
            continue
        for name, place in zip(question.names, question.places, strict=False):
            if name[-1].isdigit():
                point = gtp_to_point(name.split()[-1], 9)
                assert tuple(place) == pytest.approx(here.middle(point))
                seen += 1
        if made.family == "count":
            assert answer_fields(made.answer)["numbers"][0] == str(len(question.places))
        if made.family in ("at", "is there"):
            assert len(question.places) == 1
    assert seen > 200
    mask = here.mask((40,), stones=False)
    rows, columns = np.nonzero(mask)
    assert here.middle(40) == pytest.approx((columns.mean() + 0.5, rows.mean() + 0.5))


def test_counting_is_an_exercise() -> None:
    here, families = board(), set[str]()
    for seed in range(60):
        made = go_questions.counting(here, Draw(np.random.default_rng(seed), "train"))
        if made is not None:
            families.add(made.family)
            assert made.about is not None and answer_fields(made.answer)["numbers"][0] == str(len(made.about))
    assert families == {"count", "liberty count"}


def test_reading_out_a_line_and_points() -> None:
    here = board()
    row = go_questions.reading(here, Fixed("row"))
    line = int(row.question.removeprefix("Read row ").rstrip("."))
    said = {".": "empty", "X": "black", "O": "white"}
    stands = [said[letter] for letter in ROWS[9 - line]]
    assert row.answer == ", ".join(f"{name}{line} {what}" for name, what in zip("ABCDEFGHJ", stands, strict=True)) + "."
    column = go_questions.reading(here, Fixed("column"))
    assert column.question.startswith("Read column ") and column.answer.count(",") == 8
    for seed in range(20):
        made = go_questions.reading(here, Draw(np.random.default_rng(seed), "train"))
        for one in made.answer.rstrip(".").split(", "):
            name, what = one.split()
            point = gtp_to_point(name, 9)
            assert said[ROWS[point // 9][point % 9]] == what and made.targets == ()


def test_subjects_on_a_board_made_by_hand() -> None:
    here = board()
    assert names(go_subjects.in_row(here, Fixed(("any", "9")))) == ["B9", "C9"]
    assert names(go_subjects.in_row(here, Fixed(("white", "6")))) == ["G6"]
    assert names(go_subjects.in_column(here, Fixed(("black", "G")))) == ["G7", "G5"]
    assert names(go_subjects.in_corner(here, Fixed(("white", "upper left")))) == ["C9", "B8", "A7"]
    assert names(go_subjects.in_corner(here, Fixed(("white", "lower right")))) == ["J1"]
    assert names(go_subjects.on_edge(here, Fixed(("any", "left")))) == ["A8", "A7"]
    assert names(go_subjects.on_edge(here, Fixed(("white", "right")))) == ["J1"]
    assert names(go_subjects.atari_groups(here, Fixed(1))) == ["the group at B9", "the group at A8"]
    assert names(go_subjects.atari_stones(here, Fixed(2))) == ["G6"]
    assert names(go_subjects.with_liberties(here, Fixed(("white", "2")))) == [
        "the group at C9",
        "the group at B8",
        "the group at A7",
        "the group at J1",
    ]
    assert names(go_subjects.capturable(here, Fixed(2))) == ["the group at B9", "the group at A8"]
    assert names(go_subjects.capturing(here, Fixed(1))) == ["F6"]
    assert names(go_subjects.areas(board(("X.", "XX"), last=""), Fixed(1))) == ["the area at B2"]
    assert len(names(go_subjects.of_colour(here, Fixed("black")))) == 8


def test_training_asks_for_groups_of_both_colours_too() -> None:
    """So that a colour is listened to where only one of the two is ever asked for."""
    position, any_of = board(), Fixed("3", chances=True, split="train")
    cuts, three = go_subjects.cut_points(position, any_of), go_subjects.with_liberties(position, any_of)
    assert cuts is not None and cuts.plural == "cut points between groups of one colour" and not cuts.combination
    assert three is not None and three.singular == "group with 3 liberties" and not three.combination
    apart: dict[str, list[str]] = {"cuts": [], "three": []}
    for colour in ("black", "white"):
        apart["cuts"] += names(go_subjects.cut_points(position, Fixed((colour,))))
        apart["three"] += names(go_subjects.with_liberties(position, Fixed((colour, "3"))))
    assert sorted(set(apart["cuts"])) == sorted(names(cuts)) and len(cuts.targets) > 1
    assert sorted(apart["three"]) == sorted(names(three)) and three.targets


def test_show_count_and_any_tell_the_same() -> None:
    two = Subject("row", "stone on row 9", "stones on row 9", [("B9", ()), ("C9", ())])
    draw = Draw(np.random.default_rng(0), "train")
    shown = show(two, draw)
    assert shown is not None and shown.answer == f"The stones on row 9 are B9 {SLOT} and C9 {SLOT}."
    assert shown.targets == (("B9", ()), ("C9", ()))
    counted = count(two, draw)
    assert counted is not None and counted.answer == "There are 2 stones on row 9." and not counted.targets
    assert is_any(two, draw).answer == "Yes, there is a stone on row 9."
    none = Subject("row", "stone on row 9", "stones on row 9", [])
    assert show(none, draw).answer == "There are no stones on row 9."  # type: ignore[union-attr]
    assert is_any(none, draw).answer == "No, there are no stones on row 9."
    many = Subject("row", "stone", "stones", [("A1", ())] * 21)
    assert show(many, draw) is None and count(many, draw) is None, "more than an answer holds"


def asked(made: Made | None) -> tuple[str, tuple[str, ...]]:
    assert made is not None
    return made.answer, tuple(name for name, _ in made.targets)


def test_single_questions_by_hand() -> None:
    here = board(to_move=2, last="G7")
    assert asked(go_questions.last_move(here, Fixed())) == ("Black played G7 {seg} last.", ("G7",))
    assert asked(go_questions.just_played(here, Fixed(2))) == ("Black played last, not White.", ())
    assert asked(go_questions.just_played(here, Fixed(1))) == ("Black just played G7 {seg}.", ("G7",))
    assert asked(go_questions.turn(here, Fixed(chances=True)))[0] == "It is the turn of White."
    taken = "White would capture the group at B9 {seg} and the group at A8 {seg} by playing A9."
    drawn = go_questions.captured_by(here, Fixed(2, gtp_to_point("A9", 9), chances=True))
    assert asked(drawn) == (taken, ("the group at B9", "the group at A8"))
    largest = go_questions.largest(here, Fixed(("any",)))
    assert asked(largest) == ("The largest group is the group at D4 {seg}.", ("the group at D4",))
    assert largest is not None and len(largest.targets[0][1][1]) == 3
    assert go_questions.largest(here, Fixed(("white",))) is None, "they are all as large"
    chain = here.facts.chain_of[gtp_to_point("D4", 9)]
    found = go_questions.liberties(here, Fixed(chain, chain.points[0]))
    assert asked(found) == ("The group at D4 {seg} has 7 liberties.", ("The group at D4",))
    paper = board(style="paper")
    assert go_questions.last_move(paper, Fixed()) is None and go_questions.turn(paper, Fixed()) is None, "not shown"
    passed = Board(here.positions._replace(last_move=np.array([81], np.int16)))
    assert asked(go_questions.last_move(passed, Fixed())) == ("The last move was a pass.", ())


@pytest.mark.parametrize("style", ["modern", "paper"])
@pytest.mark.parametrize("size", [9, 13, 19])
def test_masks_are_where_the_picture_changes(size: int, style: str) -> None:
    moves = random_game(size, "train", 0, 1)[:40]
    positions, _ = replay(moves[None], np.array([len(moves)]), size)
    last = positions.take(slice(len(moves), len(moves) + 1))._replace(last_move=np.array([-1], np.int16))
    here = Board(last, style)
    assert max(here.image.shape) <= SIDE and here.image.dtype == np.uint8
    for point in np.flatnonzero(last.stones[0])[::5]:
        stones = last.stones.copy()
        stones[0].flat[point] = 0
        other = Board(last._replace(stones=stones), style)
        mask = here.mask((int(point),), stones=True)
        change = np.abs(here.image.astype(int) - other.image).max(-1)
        assert (change[mask] > 0).mean() > 0.85, "ink of the lines looks like black stones"
        assert not (change[~mask] > (0 if style == "modern" else 190)).any(), "hardly anything beside it"
        square = here.mask((int(point),), stones=False)
        assert (square & mask).sum() == mask.sum() or style == "paper"
        assert not other.mask((int(point),), stones=True).any()


def test_scenes_are_legal_positions_of_their_split() -> None:
    scenes = BoardScenes("validation", seed=0, sizes=(9, 13), shares=(0.5, 0.5), paper=0.3)
    seen = [scenes.board(number) for number in range(12)]
    assert {own.size for own in seen} == {9, 13} and {own.style for own in seen} == {"modern", "paper"}
    for own in seen:
        again = scenes.board(seen.index(own))
        assert np.array_equal(own.positions.stones, again.positions.stones)
        assert all(chain.liberties for chain in own.facts.chains)
    other = BoardScenes("train", seed=0, sizes=(9, 13), shares=(0.5, 0.5), paper=0.3)
    same = [np.array_equal(other.board(n).positions.stones, seen[n].positions.stones) for n in range(12)]
    assert sum(same) <= 2, "an early position may come twice"


def test_an_agent_says_where_it_would_play() -> None:
    here = board(to_move=1)
    seen: list[Positions] = []

    def choose(positions: Positions) -> np.ndarray:
        seen.append(positions)
        return np.array([gtp_to_point("E5", 9)])

    question = go_questions.next_move(here, choose, Draw(np.random.default_rng(0), "train"))
    assert question.answer == "Black would play E5 {seg}." and question.names == ("E5",)
    assert seen[0] is here.positions and question.family == "next move"
    assert np.array_equal(question.masks[0], here.mask((gtp_to_point("E5", 9),), stones=False))
    passing = go_questions.next_move(here, lambda positions: np.array([81]), Draw(np.random.default_rng(0), "train"))
    assert passing.answer == "Black would pass." and not len(passing.masks)


def test_facts_of_a_board_are_those_of_its_position() -> None:
    here = board()
    assert isinstance(here.facts, BoardFacts) and here.facts.size == 9
