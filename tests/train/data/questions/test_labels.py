"""What the pixels of all sources are labelled with."""

from __future__ import annotations

import numpy as np
import pytest

from train.data.questions import QuestionConfig
from train.data.questions.calvin_scenes import PlayTables
from train.data.questions.labels import LABELS, NAMES, SIZES, STATES, thing_labels, with_all_labels, word_labels
from train.data.questions.rlbench_scenes import Theatres

THING = list(LABELS).index("thing")


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


def test_scenes_say_how_their_things_stand() -> None:
    """By the answers to their own questions."""
    state, size = (list(LABELS).index(name) for name in ("state", "size"))
    found = set()
    for seed in range(12):
        for source in (PlayTables(), Theatres()):
            top = source.draw(np.random.default_rng(seed), "train")
            assert set(top.said) <= {*top.things, "LED", "light bulb"}, "lights may be hidden"
            for attribute in top.attributes:
                if attribute.thing not in top.said:
                    continue
                shown = [int(number) for number in np.unique(top.labels[top.things[attribute.thing].mask][:, state])]
                words = {STATES[number] for number in shown if number >= 0}
                if top.said[attribute.thing] in words and attribute.answer.endswith(f"{top.said[attribute.thing]}."):
                    found.add(attribute.thing)
            sizes = top.labels[..., size]
            assert set(np.unique(sizes)) <= {-1, *range(len(SIZES))}
            assert (sizes >= 0).any() == any(name.endswith("block") for name in top.things)
    assert {"drawer", "light bulb", "LED"} <= found and len(found) > 6


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
