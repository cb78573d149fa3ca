"""The set of questions: pure, of one kind, apart from the other splits."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from envs.errors import UserError
from train.data.questions import FIXED, MAX_TARGETS, SLOT, Question, QuestionConfig, QuestionSet
from train.data.questions.answers import is_right
from train.data.questions.fixed import FixedQuestions, checksums
from train.data.questions.question import SIDE
from train.data.questions.splits import HELD_OUT, Draw, combination_name, is_held_out, scene_random
from train.data.video import SPLITS

pytest.importorskip("pybullet", reason="the simulator (extra robots) is not installed")


@pytest.fixture(scope="module")
def drawn() -> dict[str, list[Question]]:
    return {
        split: QuestionSet(QuestionConfig(), split).sample(np.random.default_rng(1), 300) for split in ("train", "test")
    }


def same(a: Question, b: Question) -> bool:
    words = (a.question, a.answer, a.names, a.family, a.source) == (b.question, b.answer, b.names, b.family, b.source)
    return words and np.array_equal(a.image, b.image) and np.array_equal(a.masks, b.masks)


def test_every_question_is_whole(drawn: dict[str, list[Question]]) -> None:
    for split, questions in drawn.items():
        for own in questions:
            assert own.split == split and own.answer.count(SLOT) == len(own.masks) == len(own.names) <= MAX_TARGETS
            assert max(own.image.shape) <= SIDE and own.masks.any((1, 2)).all()
            assert not len(own.masks) or own.masks.sum(0).max() == 1, "targets of one answer share no pixel"
            assert is_right(own.answer, own.answer) and "{" not in own.question
            assert own.answer.endswith(".") and "  " not in own.answer


def test_the_mix_is_as_configured(drawn: dict[str, list[Question]]) -> None:
    for questions in drawn.values():
        sources = Counter(own.source for own in questions)
        assert 0.3 < sources["go"] / 300 < 0.7 and min(sources.values()) > 25 and len(sources) == 3
        several = sum(len(own.masks) > 1 for own in questions) / 300
        none = sum(not len(own.masks) for own in questions) / 300
        assert 0.28 < several < 0.5 and 0.15 < none < 0.38
        assert len({own.family for own in questions}) > 20
        assert len({own.question for own in questions}) > 200
    only = QuestionSet(QuestionConfig(go=1, calvin=0, rlbench=0, several=1, one=0), "train")
    assert all(own.source == "go" and len(own.masks) > 1 for own in only.sample(np.random.default_rng(0), 20))


def test_the_same_generator_gives_the_same_questions() -> None:
    first = QuestionSet(QuestionConfig(), "train").sample(np.random.default_rng(7), 24)
    questions = QuestionSet(QuestionConfig(), "train")
    questions.sample(np.random.default_rng(8), 10)
    again = questions.sample(np.random.default_rng(7), 24)
    assert all(same(a, b) for a, b in zip(first, again, strict=True))
    other = questions.sample(np.random.default_rng(9), 24)
    assert not any(same(a, b) for a, b in zip(first, other, strict=True))


def test_two_threads_share_the_simulators() -> None:
    """Training draws in the background while an evaluation draws as well."""
    config = QuestionConfig(go=0, calvin=1, rlbench=0, per_frame=1)

    def draw(split: str) -> list[Question]:
        return config.questions(split).sample(np.random.default_rng(3), 40)

    alone = {split: draw(split) for split in ("train", "validation")}
    with ThreadPoolExecutor(2) as pool:
        together = dict(zip(alone, pool.map(draw, alone), strict=True))
    assert all(same(a, b) for split in alone for a, b in zip(alone[split], together[split], strict=True))


def test_questions_about_a_frame_are_as_many_as_configured() -> None:
    for per_frame in (1, 8):
        drawn = QuestionConfig(go=1, calvin=0, rlbench=0, per_frame=per_frame).questions("train")
        asked = Counter(id(own.image) for own in drawn.sample(np.random.default_rng(0), 64))
        assert max(asked.values()) == per_frame and len(asked) <= 64 / per_frame + 4


def test_the_reading_kinds_are_for_training_alone() -> None:
    kinds = {"reading", "at", "is there", "last move", "just played", "stones", "row", "column", "corner", "edge"}
    kinds |= {"count", "any", "liberty count"}  # of stones of such places, and of anything
    for share, split, least, most in ((1.0, "train", 1.0, 1.0), (0.5, "train", 0.6, 0.95), (1.0, "test", 0.2, 0.7)):
        config = QuestionConfig(go=1, calvin=0, rlbench=0, reading=share)
        drawn = config.questions(split).sample(np.random.default_rng(2), 90)
        found = Counter(own.family for own in drawn)
        assert least <= sum(found[kind] for kind in kinds) / 90 <= most, (share, split)
        assert bool(found["reading"]) == (split == "train")
        assert all(not len(own.masks) for own in drawn if own.family == "reading")


def test_splits_share_no_scene() -> None:
    states = {
        (split, source, number, seed): tuple(scene_random(seed, split, source, number).integers(0, 2**62, 4))
        for split in SPLITS
        for source in ("go", "calvin", "rlbench")
        for number in range(50)
        for seed in (0, 1)
    }
    assert len(set(states.values())) == len(states)
    with pytest.raises(ValueError, match="unknown split 'exam'"):
        QuestionSet(QuestionConfig(), "exam")


def test_pictures_of_training_are_none_of_the_test(drawn: dict[str, list[Question]]) -> None:
    train, test = ({own.image.tobytes() for own in drawn[split]} for split in ("train", "test"))
    assert not train & test


def test_held_out_combinations_are_absent_from_training_and_there_in_the_test(drawn: dict[str, list[Question]]) -> None:
    training = {own.combination for own in drawn["train"]}
    assert len(training) > 30 and not any(is_held_out(name) for name in training)
    assert any(is_held_out(own.combination) for own in drawn["test"])


def test_a_draw_keeps_held_out_combinations_for_the_test() -> None:
    for kind, *values in HELD_OUT:
        option = tuple(values)
        other = ("something", *option[1:])
        for split in ("train", "validation"):
            draw = Draw(np.random.default_rng(0), split)
            assert draw.combination(kind, [option]) is None
            assert all(draw.combination(kind, [option, other]) == other for _ in range(8))
        draw = Draw(np.random.default_rng(0), "test")
        assert {draw.combination(kind, [option, other]) for _ in range(40)} == {option, other}
        assert is_held_out(combination_name(kind, option)) and not is_held_out(combination_name(kind, other))


def test_the_fixed_questions_are_those_of_the_recipe() -> None:
    fixed = FixedQuestions()
    assert len(fixed) == FIXED == 5000 and len(fixed.words) == len(fixed.pixels) == 50
    assert fixed.differing([7]) == [], "figures would not be comparable"
    first, again = fixed[3], FixedQuestions()[3]
    assert same(first, again) and first.split == "test"
    assert checksums([first]) != checksums([fixed[4]])
    several = [len(fixed[number].masks) > 1 for number in range(20)]
    assert several == [number % 5 < 2 for number in range(20)]
    with pytest.raises(IndexError):
        fixed[5000]


@pytest.mark.parametrize("settings, words", [
    ({"go": -1.0}, "shares"),
    ({"go": 0.0, "calvin": 0.0, "rlbench": 0.0}, "not all of them 0"),
    ({"several": 0.8, "one": 0.5}, "add up to at most 1"),
    ({"paper": 1.5}, "data.paper is 1.5"),
    ({"reading": -0.1}, "data.reading is -0.1"),
    ({"per_frame": 0}, "data.per_frame is 0"),
    ({"seed": -1}, "data.seed is -1"),
])  # fmt: skip
def test_settings_that_make_no_sense_are_named(settings: dict[str, float], words: str) -> None:
    with pytest.raises(UserError, match=words):
        QuestionConfig(**settings)


def test_a_question_refuses_what_does_not_go_together() -> None:
    image, mask = np.zeros((8, 8, 3), np.uint8), np.ones((1, 8, 8), np.bool_)
    rest = {"family": "f", "source": "s", "split": "train"}
    Question(image, "q", f"It is A1 {SLOT}.", mask, ("A1",), **rest)
    for answer, masks, names in (
        ("It is A1.", mask, ("A1",)),
        (f"It is A1 {SLOT}.", mask, ("B1",)),
        (f"It is A1 {SLOT}.", mask & False, ("A1",)),
        (f"It is A1 {SLOT}.", mask[:, :4], ("A1",)),
        (f"It is A1 {SLOT}.", mask.astype(np.uint8), ("A1",)),
    ):
        with pytest.raises(ValueError):
            Question(image, "q", answer, masks, names, **rest)
