"""The measures of answers in words and masks, by hand and on a model that answers perfectly."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from agents.pixellm.answers import Answer, Target
from agents.pixellm.checkpoint import save_pixellm
from agents.pixellm.model import PixelLM
from benchmarks import pixels
from benchmarks.pixel_scores import difference, overlap, parts, score, summary
from envs.errors import UserError
from tests.agents.pixellm.shapes import model_of
from tests.benchmarks.shape_answers import asked, perfect, scores, silent
from train.data.questions import Question
from train.data.questions.fixed import FixedQuestions


def rectangles(*spans: tuple[int, int]) -> np.ndarray:
    """Masks (K, 4, 10) of whole columns from..to."""
    masks = np.zeros((len(spans), 4, 10), np.bool_)
    for number, (first, last) in enumerate(spans):
        masks[number, :, first:last] = True
    return masks


# -- masks ---------------------------------------------------------------------------------------------------------


def test_masks_are_matched_whatever_their_order() -> None:
    found, truth = rectangles((4, 8), (0, 3)), rectangles((0, 4), (4, 8))
    own = overlap(found, truth)
    assert own.pairs == ((0, 1), (1, 0)) and own.ious == (1.0, 0.75)
    assert own.iou == pytest.approx(0.875) and own.matched == 2
    assert (own.both, own.either) == (16 + 12, 16 + 16)
    assert overlap(found, truth, in_order=True).ious == (0.0, 0.0)


def test_what_is_left_over_counts_against_nothing() -> None:
    one, two = rectangles((0, 4)), rectangles((0, 4), (5, 7))
    extra, missed = overlap(two, one), overlap(one, two)
    for own in (extra, missed):
        assert own.iou == 0.5 and own.matched == 1 and (own.both, own.either) == (16, 16 + 8)
    assert (extra.masks, extra.targets, missed.masks, missed.targets) == (2, 1, 1, 2)
    nothing = overlap(one[:0], one[:0])
    assert nothing.iou == 1.0 and (nothing.both, nothing.either, nothing.claims) == (0, 0, 0)
    assert overlap(one, one[:0]).iou == overlap(one[:0], one).iou == 0.0
    assert overlap(rectangles((0, 0)), one[:0]).iou == 0.0, "an empty mask is one too many"
    cut = overlap(one, two, in_order=True)  # an answer that was cut off
    assert cut.iou == 0.5 and cut.targets == 2


def test_half_a_mask_is_no_match() -> None:
    own = overlap(rectangles((0, 3)), rectangles((0, 7)))
    assert own.matched == 0 and own.ious == (pytest.approx(3 / 7),)


def test_contested_pixels_are_counted_for_everybody_who_claims_them() -> None:
    own = overlap(rectangles((0, 4), (3, 6), (3, 4)), rectangles((0, 4), (4, 6)))
    assert own.claims == 4 * (4 + 3 + 1) and own.contested == 4 * 3
    assert overlap(rectangles((0, 4), (4, 6)), rectangles((0, 4))).contested == 0


# -- questions -----------------------------------------------------------------------------------------------------


def test_perfect_answers() -> None:
    told = summary(scores())
    ones = ("giou", "ciou", "mask_iou", "told_giou", "told_ciou", "exact", "right", "named")
    assert all(told[key] == 1.0 for key in ones), told
    assert (told["questions"], told["targets"], told["matched"], told["missed"], told["extra"]) == (8, 12, 12, 0, 0)
    assert told["contested"] == told["score_error"] == 0.0 and told["giou_interval"] == (1.0, 1.0)
    assert told["right_interval"][0] > 0.6


def test_silence_is_right_where_there_is_nothing() -> None:
    told = summary(scores(silent))
    assert told["giou"] == 0.25 and told["ciou"] == told["exact"] == told["right"] == 0.0
    assert told["missed"] == 12 and told["named"] is told["contested"] is None
    low, high = told["giou_interval"]
    assert low < 0.25 < high
    groups = parts(scores(silent))
    assert list(groups["targets"]) == ["none", "1", "2", "3-4"] and list(groups["families"]) == ["go shapes"]
    assert summary(groups["targets"]["none"])["giou"] == 1.0
    nothing = summary(groups["targets"]["none"])
    assert nothing["ciou"] is nothing["told_giou"] is nothing["ciou_interval"] is None
    assert [len(groups["whole"][key]) for key in ("all", "with targets", "several targets")] == [8, 6, 4]
    assert "combinations never trained" not in groups["whole"]


def test_words_slots_and_names() -> None:
    """Swapped masks are found all the same, but called by other names."""
    question = asked(2)
    truth = perfect(question)
    swapped = [Target(own.span, other.mask, 0.5) for own, other in zip(truth.targets, truth.targets[::-1], strict=True)]
    own = score(0, question, Answer(truth.text, swapped), question.masks)
    assert own.exact and own.right and own.free.iou == 1.0 and own.named == 0
    assert own.score_error == pytest.approx(1.0)
    louder = Answer(truth.text.replace("There", "Here"), truth.targets)
    own = score(0, question, louder, question.masks)
    assert not own.exact and own.right, "the same fields in other words"
    own = score(0, question, Answer(truth.text, truth.targets[:1]), question.masks[:1])
    assert not own.right and own.told.iou == 0.5
    held_out = score(0, asked(1, combination="corner: white/upper left"), truth, question.masks[:1])
    assert held_out.held_out


def test_differences_are_paired() -> None:
    rng = np.random.default_rng(0)
    theirs = rng.random(300)
    mean, low, high = difference(theirs + 0.05 + 0.01 * rng.standard_normal(300), theirs)
    assert 0.04 < low < mean < high < 0.06
    mean, low, high = difference(theirs, rng.permutation(theirs))
    assert low < 0 < high and high - low > 0.04


def test_a_part_of_the_fixed_questions_has_all_kinds_in_their_shares() -> None:
    fixed = FixedQuestions()
    for count in (500, 1000, 1250):
        chosen = fixed.spread(count)
        assert chosen == sorted(set(chosen)) and len(chosen) == count
        several = sum(fixed.kinds[number][1] > 1 for number in chosen)
        assert several == pytest.approx(0.4 * count, abs=0.02 * count)
        for kind in {name for name, _ in fixed.kinds}:
            whole = sum(name == kind for name, _ in fixed.kinds)
            assert sum(fixed.kinds[number][0] == kind for number in chosen) == pytest.approx(
                whole * count / 5000, abs=1
            )
    assert fixed.spread(5000) == list(range(5000))
    with pytest.raises(UserError, match="5001 questions of 5000: give 1 to 5000"):
        fixed.spread(5001)


def test_kinds_are_those_of_the_questions() -> None:
    pytest.importorskip("pybullet", reason="the simulator (extra robots) is not installed")
    fixed = FixedQuestions()
    for number in (0, 3, 4999):
        own = fixed[number]
        assert fixed.kinds[number] == (f"{own.source} {own.family}", len(own.masks))


# -- examination ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model() -> PixelLM:
    torch.manual_seed(0)
    return model_of(max_answer=40).eval()


def test_an_examination_asks_everything_both_ways(model: PixelLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that says and draws the truth; one question is too long for it, and one answer to draw."""
    monkeypatch.setattr(pixels, "PORTION", 5)
    monkeypatch.setattr(pixels, "AT_ONCE", 2)
    questions = {number: asked(number) for number in range(10, 18)}
    questions[13] = Question(questions[13].image, "why? " * 40, *list(vars(questions[13]).values())[2:])
    known = {id(own.image): own for own in questions.values()}
    monkeypatch.setattr(model, "answers", lambda images, texts, seen=None: [perfect(known[id(i)]) for i in images])

    def drawn(batch: Any, seen: Any) -> Any:
        return torch.where(batch.masks, 5.0, -5.0), torch.ones(len(batch.masks))

    monkeypatch.setattr(model, "teacher_masks", drawn)
    done: list[int] = []
    examined = pixels.examine(model, list(questions), questions.__getitem__, keep={11, 13}, moved=done.append)
    assert [one.number for one in examined.scores] == list(questions) and sum(done) == 8 and examined.seconds > 0
    by_number = {one.number: one for one in examined.scores}
    assert all(one.free.iou == 1.0 and one.exact for one in examined.scores if one.number != 13)
    assert by_number[13].free.iou == 0.0 and not by_number[13].exact
    assert examined.kept[11][1].slotted == questions[11].answer and examined.kept[13][1] == Answer("", [])
    # 40 tokens of an answer hold three groups of six at most
    assert all(one.told.iou == 1.0 for one in examined.scores if one.told.targets in (1, 2))
    assert all(one.told.targets == len(questions[one.number].masks) for one in examined.scores)


def test_questions_in_other_words() -> None:
    """Those alone that can be put otherwise, always in the same words; all else of a question stays."""
    said = {0: "Where is the star?", 1: "Whose turn is it?", 2: "How many stars are there?"}
    known = {number: replace(asked(number), question=text) for number, text in said.items()}
    numbers, ask = pixels.in_other_words(list(known), known.__getitem__, seed=0)
    assert numbers == [0, 2] and ask(0).question == ask(0).question
    for number in numbers:
        own = ask(number)
        assert own.question != known[number].question and "star" in own.question
        assert own.answer == known[number].answer and own.masks is known[number].masks


def test_the_command(tmp_path: Path, model: PixelLM, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    questions = [asked(number, source=("go", "calvin")[number % 2]) for number in range(24)]
    monkeypatch.setattr(pixels, "questions_of", lambda split, count, seed: (list(range(24)), questions.__getitem__))
    monkeypatch.setenv("COLUMNS", "200")
    save_pixellm(model, tmp_path / "ask")
    out = [str(tmp_path / name) for name in ("sheet.png", "figures.json")]
    assert pixels.main([str(tmp_path / "ask"), "--sheet", out[0], "--json", out[1]]) == 0
    said = capsys.readouterr().out
    for words in ("gIoU", "told", "contested", "missed", "targets: none", "go shapes", "decoder", "ms a question"):
        assert words in said, words
    figures = json.loads(Path(out[1]).read_text())
    assert figures["whole"]["all"]["questions"] == 24 and figures["parameters"] > 0
    assert sum(own["questions"] for own in figures["sources"].values()) == 24
    assert 0 < figures["flops"]["one target"]["decoder_share"] < figures["flops"]["eight targets"]["decoder_share"] < 1
    assert figures["speed"]["seconds"]["median"] > 0 and figures["machine"]["cores"]
    width, height = Image.open(out[0]).size
    assert width == 2000 and height >= 4 * 500
    first = figures["whole"]
    assert pixels.main([str(tmp_path / "ask"), "--json", out[1]]) == 0
    assert json.loads(Path(out[1]).read_text())["whole"] == first, "the same questions have the same figures"


@pytest.mark.parametrize("words, message", [
    (["nowhere"], "nowhere"),
    (["assets/checkpoints/go9-small"], "not a PixelLM"),
    (["nowhere", "--questions", "0"], "'0' is no whole number of one or more"),
    (["nowhere", "--split", "exam"], "invalid choice: 'exam'"),
    (["nowhere", "--seed", "-1"], "--seed is -1"),
    (["nowhere", "--json", "tests"], "tests cannot be written"),
    (["nowhere", "--sheet", "tests"], "tests cannot be written"),
    (["nowhere", "--sheet", "answers.txt"], "answers.txt: give a path that ends in .png"),
    ([], "the following arguments are required: checkpoint"),
])  # fmt: skip
def test_mistakes_are_one_sentence(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert pixels.main(words) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


def test_questions_that_there_are_not(tmp_path: Path, model: PixelLM, capsys: pytest.CaptureFixture[str]) -> None:
    save_pixellm(model, tmp_path / "ask")
    assert pixels.main([str(tmp_path / "ask"), "--questions", "6000"]) == 2
    assert "6000 questions of 5000" in capsys.readouterr().err
