"""Other words for questions: the same things are asked for, and some wordings are left to measuring."""

from __future__ import annotations

import re

import numpy as np
import pytest

from train.data.questions import QuestionConfig
from train.data.questions.robot_questions import _USE, _WHERE
from train.data.questions.splits import Draw
from train.data.questions.subjects import _ANY, _COUNT, _SHOW
from train.data.questions.wordings import _WAYS, reworded

SHOWN = "groups with 3 liberties"


def put(question: str, count: int = 200, **options: bool) -> set[str]:
    draw = Draw(np.random.default_rng(0), "train")
    return {reworded(question, draw, **options) for _ in range(count)}


@pytest.mark.parametrize("template", [*_SHOW, *_COUNT, *_ANY[:3]])
def test_every_template_of_a_subject_has_other_words(template: str) -> None:
    question = template.format(one="group with 3 liberties", a_one="a group with 3 liberties", many=SHOWN)
    for unseen in (False, True):
        found = put(question, unseen=unseen)
        assert len(found) > 1 and question not in found
        assert all(re.search(r"groups? with (3|three) liberties", one) and "{" not in one for one in found)


@pytest.mark.parametrize("template", _WHERE[:5])
def test_things_by_their_names(template: str) -> None:
    assert all("the light bulb" in one for one in {one.lower() for one in put(template.format("light bulb"))})


@pytest.mark.parametrize("template", _USE[:2])
def test_what_to_do_stays(template: str) -> None:
    found = put(template.format(verb="press", doing="switch the LED on"))
    assert "How do I switch the LED on?" in found and all("switch the LED on" in one for one in found)


def test_words_for_measuring_are_no_words_of_training() -> None:
    for way in _WAYS:
        assert not set(way.seen) & {other for each in _WAYS for other in each.unseen}
        assert way.seen and way.unseen and all(one.count("{}") == 1 for one in (*way.seen, *way.unseen))


def test_synonyms() -> None:
    assert any("closest to the button" in one for one in put("Which is the block nearest to the button?"))
    assert any("biggest group" in one for one in put("Where is the largest group?"))
    assert put("Whose turn is it?") == {"Whose turn is it?"}


@pytest.mark.parametrize("split", ["train", "test", "validation"])
def test_training_alone_is_reworded(split: str) -> None:
    """All of it is the same but the words of some questions, and those of training alone."""
    pytest.importorskip("pybullet", reason="the simulator (extra robots) is not installed")
    plain, other = (
        QuestionConfig(calvin=0, rlbench=0, per_frame=1, reworded=share)
        .questions(split)
        .sample(np.random.default_rng(0), 40)
        for share in (0.0, 1.0)
    )
    changed = {one.question for one in other} - {one.question for one in plain}
    assert bool(changed) == (split == "train")


def test_people_say_it_without_the_board() -> None:
    pytest.importorskip("pybullet", reason="the simulator (extra robots) is not installed")
    drawn = QuestionConfig(calvin=0, rlbench=0).questions("train").sample(np.random.default_rng(0), 1500)
    asked = {one.question: one.answer for one in drawn}
    bare = [answer for one, answer in asked.items() if re.fullmatch(r"Where are the (black|white) stones\?", one)]
    assert bare and all(answer.startswith(("The", "There")) for answer in bare)
    absent = [one for one in drawn if one.family == "absent"]
    assert any("on the board" in one.question for one in absent), "the words tell nothing of what is there"
    assert {"groups", "atari"} <= {one.family for one in drawn}
