"""What the pixels of all sources are labelled with."""

from __future__ import annotations

import re

import numpy as np
import pytest

from train.data.questions import QuestionConfig
from train.data.questions.calvin_scenes import SIZE_WORDS, PlayTables
from train.data.questions.labels import LABELS, NAMES, SIZES, STATES, thing_labels, with_all_labels, word_labels
from train.data.questions.rlbench_scenes import Theatres

THING = list(LABELS).index("thing")
STANDS, LIES = r"(?:Yes, the|No, the|The) (.+) is (?:on the )?(\w+)\.", r"Yes, the (.+ block) is (?:on|in) the (\w+)\."
LARGE = r"The (.+ block) is the (\S+) one\."


def test_where_things_meet_the_smallest_is_shown() -> None:
    drawer, handle, lamp = (np.zeros((4, 6), np.bool_) for _ in range(3))
    drawer[:, :4], handle[1, 1:3], lamp[2:, 3:] = True, True, True
    shown = thing_labels({"drawer handle": handle, "drawer": drawer, "lamp": lamp}, (4, 6))
    assert shown.dtype == np.int8 and {NAMES[number - 1] for number in shown[handle]} == {"drawer handle"}
    assert NAMES[shown[2, 3] - 1] == "lamp" and NAMES[shown[0, 3] - 1] == "drawer" and shown[0, 5] == 0


def test_what_is_said_of_a_thing_is_not_said_of_its_parts() -> None:
    drawer, handle = (np.zeros((4, 6), np.bool_) for _ in range(2))
    drawer[:, :4], handle[1, 1:3] = True, True
    shown = word_labels({"drawer": drawer, "drawer handle": handle}, {"drawer": "closed"}, STATES, (4, 6))
    assert (shown[drawer & ~handle] == STATES.index("closed")).all() and (shown[~drawer | handle] == -1).all()


@pytest.mark.parametrize(
    "source, varied",
    [
        (PlayTables(), ("drawer", "sliding door", "LED", "light bulb", "red block")),
        (Theatres(), ("toilet seat", "lid")),
    ],
    ids=["calvin", "rlbench"],
)
def test_scenes_label_what_they_answer(source: PlayTables | Theatres, varied: tuple[str, ...]) -> None:
    """Cells say of a thing what the scene answers of it."""
    checked: set[tuple[str, str]] = set()
    for seed in range(30):
        top = source.draw(np.random.default_rng(seed), "train")
        answers = [one.answer.format(one.thing) for one in top.attributes]
        answers += [one.yes if one.truth else one.no for one in top.states]
        sizes = {name: SIZE_WORDS[word] for name, word in top.sizes.items()}
        for label, said, words, patterns in (
            ("state", top.said, STATES, (STANDS, LIES)),
            ("size", sizes, [SIZE_WORDS[word] for word in SIZES], (LARGE,)),
        ):
            column = top.labels[..., list(LABELS).index(label)]
            for name in said.keys() & top.things.keys():
                told = {words[number] for number in np.unique(column[top.things[name].mask]) if number >= 0}
                assert said[name] in told
                for found in (re.fullmatch(pattern, answer) for pattern in patterns for answer in answers):
                    if found and found[1] == name:
                        assert found[2] in told
                        checked.add((name, found[2]))
    for name in varied:
        assert len({word for own, word in checked if own == name}) >= 2, name


def test_labels_that_a_source_does_not_have_are_unknown() -> None:
    both = with_all_labels({"thing": np.full((2, 3), 5, np.int8)})
    assert both.shape == (2, 3, len(LABELS)) and (both[..., THING] == 5).all()
    assert (np.delete(both, THING, 2) == -1).all()


@pytest.mark.parametrize("source", [PlayTables(), Theatres()], ids=lambda source: source.source)
def test_every_thing_of_a_scene_has_a_number(source: PlayTables | Theatres) -> None:
    for seed in range(20):
        top = source.draw(np.random.default_rng(seed), "train")
        shown = top.labels[..., THING]
        assert shown.min() >= 0 and shown.max() < LABELS["thing"]
        for name, seen in top.things.items():
            there = {NAMES[number - 1] if number else "" for number in np.unique(shown[seen.mask])}
            assert there <= set(top.things), f"{name} shows {there}"
        assert not shown[~np.any([seen.mask for seen in top.things.values()], 0)].any()


@pytest.mark.parametrize("source", ["go", "calvin", "rlbench"])
def test_all_questions_bring_labels(source: str) -> None:
    config = QuestionConfig(**{name: float(name == source) for name in ("go", "calvin", "rlbench")})
    for question in config.questions("train").sample(np.random.default_rng(0), 6):
        assert question.labels is not None and question.labels.dtype == np.int8
        assert question.labels.shape == (*question.image.shape[:2], len(config.labels))
        assert ((question.labels[..., THING] >= 0).any()) == (source != "go")


def test_there_is_a_class_for_every_name_once() -> None:
    assert len(set(NAMES)) == len(NAMES) == LABELS["thing"] - 1 < 127
