"""Questions as people put them, and answers as pictures and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from pycocotools import mask as coco

from agents.pixellm.answers import Answer, Target
from agents.pixellm.asking import Reply, ask, doubts, put_question, unknown_words
from agents.pixellm.coco import box_of, encode
from agents.pixellm.model import PixelLM
from agents.pixellm.overlay import FILL, TINTS, edge_of, ink_on, overlay, tint_of
from envs.errors import UserError
from tests.agents.pixellm.shapes import STAR, WHAT, taught_model

Taught = tuple[PixelLM, np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def taught() -> Taught:
    return taught_model()


# Questions


@pytest.mark.parametrize(
    ("typed", "put"),
    [
        ("Where is it?", "Where is it?"),
        ("where is it", "Where is it?"),
        ("  is\tit \n there ", "Is it there?"),
        ("show me the stones", "Show me the stones."),
        ("find them!", "Find them!"),
        ("what is at \ud83d\udc4d C3", "What is at ?? C3?"),  # letters that no encoding has
        ("whatever stands there", "Whatever stands there."),
    ],
)
def test_questions_are_put_as_in_training(typed: str, put: str) -> None:
    assert put_question(typed) == put


@pytest.mark.parametrize("typed", ["", "   \n", "?", "...", "\u200b", "🙂"])
def test_what_asks_nothing(typed: str) -> None:
    with pytest.raises(UserError, match="ask something about the picture"):
        put_question(typed)


def test_a_question_of_ten_thousand_letters() -> None:
    with pytest.raises(UserError, match="10000 characters: ask in fewer words"):
        put_question("why " * 2500)


def test_unknown_words(taught: Taught) -> None:
    words = taught[0].words
    assert unknown_words(words, WHAT) == unknown_words(words, STAR) == []
    assert unknown_words(words, "Is there a white giraffe, or zebra?") == ["giraffe", "or", "zebra"]
    assert unknown_words(words, "") == []
    assert unknown_words(words, "Is there a white \U0001f431?") == ["\U0001f431"]


def test_an_answer_with_targets(taught: Taught) -> None:
    model, image, masks = taught
    reply = ask(model, image, "what shapes are there")
    assert reply.question == WHAT and reply.notes == () and len(reply.answer.targets) == 2
    for target, mask in zip(reply.answer.targets, masks, strict=True):
        assert (target.mask & mask).sum() / (target.mask | mask).sum() > 0.6


def test_of_what_is_not_there_it_says_so_and_marks_nothing(taught: Taught) -> None:
    reply = ask(taught[0], taught[1], STAR)
    assert reply.answer.text == "No, there is no white star." and reply.answer.targets == []


def test_few_unknown_words_are_told_with_the_answer(taught: Taught) -> None:
    reply = ask(taught[0], taught[1], "Is there a white giraffe?")
    assert reply.answer.text and reply.notes == (
        "The answer may be wrong: 'giraffe' is a word that this model has not learned.",
    )


@pytest.mark.parametrize(
    ("typed", "part"),
    [
        ("Où sont les pierres blanches?", "'Où'"),
        ("黒石はどこですか？", "'黒石はどこですか'"),
        ("Где чёрные камни", "'Где'"),
        ("qwertz", "'Qwertz'"),
        ("abc " * 1000, "'Abc'"),
    ],
)
def test_questions_of_unknown_words_are_refused(taught: Taught, typed: str, part: str) -> None:
    with pytest.raises(UserError, match="ask in English about what the picture shows") as caught:
        ask(taught[0], taught[1], typed)
    assert part in str(caught.value) and len(str(caught.value)) < 200


def test_a_model_on_a_language_model_is_asked_anything(taught: Taught, monkeypatch: pytest.MonkeyPatch) -> None:
    model = taught[0]
    monkeypatch.setattr(model, "config", type("Hub", (), {**vars(model.config), "backbone": "hub"})())
    monkeypatch.setattr(model, "answer", lambda image, question: Answer(question, []))
    assert ask(model, taught[1], "Où sont les pierres?").answer.text == "Où sont les pierres?"


def test_too_long_for_the_model(taught: Taught) -> None:
    with pytest.raises(UserError, match="ask in fewer words"):
        ask(taught[0], taught[1], "Is there a white star? " * 100)


def test_every_token_is_read_once(taught: Taught, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key-value cache is on: behind the question the model is fed what it has just said, and nothing twice."""
    model, image, _ = taught
    fed: list[int] = []
    forward = type(model.language).forward

    def counted(self: Any, x: torch.Tensor, *rest: Any, **named: Any) -> Any:
        fed.append(x.shape[1])
        return forward(self, x, *rest, **named)

    monkeypatch.setattr(type(model.language), "forward", counted)
    reply = ask(model, image, WHAT)
    said = model.words.encode_answer(reply.answer.slotted, 500).ids
    question = 1 + model.config.image_tokens + 3 + len(model.words.encode_question(WHAT))
    assert fed[0] == question and max(fed[1:]) <= model.config.group
    assert sum(fed[1:]) == len(said) - 1  # the end marker needs no reading


def test_a_picture_in_a_question_is_told_of(taught: Taught) -> None:
    reply = ask(taught[0], taught[1], "Is there a white \U0001f431?")
    assert any("'\U0001f431' is a word that this model has not learned" in note for note in reply.notes)


# Answers


@pytest.mark.parametrize(
    ("text", "spans", "scores", "told"),
    [
        ("See A1, and B2.", [(4, 6), (12, 14)], [0.9, 0.5], []),
        ("See A1, and A1.", [(4, 6), (12, 14)], [0.9, 0.9], ["it names 'a1' more than once"]),
        ("See A1, and B2.", [(4, 6), (12, 14)], [0.9, 0.34], ["unsure of what it marks as 'B2' (0.34 of 1)"]),
        ("There is a stone at", [], [], ["it does not come to an end"]),
        ("See A1 and A1 a", [(4, 6), (11, 13)], [0.9, 0.2], ["more than once", "come to an end", "'A1' (0.20 of 1)"]),
        ("There is none.", [], [], []),
    ],
)
def test_what_an_answer_gives_away(
    text: str, spans: list[tuple[int, int]], scores: list[float], told: list[str]
) -> None:
    mask = np.ones((2, 2), bool)
    targets = [Target(span, mask, score) for span, score in zip(spans, scores, strict=True)]
    found = doubts(Answer(text, targets))
    assert len(found) == len(told) and all(part in note for part, note in zip(told, found, strict=True))


@pytest.fixture
def answer() -> Iterator[Answer]:
    masks = np.zeros((2, 6, 9), bool)
    masks[0, 1:4, 2:5], masks[1, 3:6, 4:9] = True, True
    yield Answer("See A1, and B2.", [Target((4, 6), masks[0], 0.87654), Target((12, 14), masks[1], 0.5)])


def test_parts(answer: Answer) -> None:
    assert answer.parts == [("See ", None), ("A1", 0), (", and ", None), ("B2", 1), (".", None)]
    assert Answer("No.", []).parts == [("No.", None)] and Answer("", []).parts == []
    nameless = Answer("", [Target((0, 0), answer.targets[0].mask, 1.0)])
    assert nameless.parts == [("", 0)]


def test_a_record_is_json_with_cocos_masks(answer: Answer) -> None:
    record = json.loads(json.dumps(Reply("Which?", answer, ("Careful.",)).record("game.sgf")))
    assert (record["question"], record["text"], record["source"]) == ("Which?", answer.text, "game.sgf")
    assert record["notes"] == ["Careful."]
    first = record["targets"][0]
    assert (first["phrase"], first["span"], first["score"]) == ("A1", [4, 6], 0.8765)
    assert (first["area"], first["bbox"]) == (9, [2, 1, 3, 3])
    for told, target in zip(record["targets"], answer.targets, strict=True):
        assert np.array_equal(coco.decode(told["segmentation"]).astype(bool), target.mask)


def test_an_empty_mask_is_written_too() -> None:
    nothing = np.zeros((4, 5), bool)
    assert not coco.decode(encode(nothing)).any() and box_of(nothing) == [0, 0, 0, 0]


def test_an_overlay_tints_each_target_in_its_own_colour(answer: Answer) -> None:
    image = np.full((6, 9, 3), 100, np.uint8)
    found = overlay(image, [target.mask for target in answer.targets])
    assert found.dtype == np.uint8 and (image == 100).all()
    assert (found[0] == 100).all()
    assert found[2, 3].tolist() == [round((1 - FILL) * 100 + FILL * value) for value in tint_of(0)]  # inside
    assert found[1, 2].tolist() == list(tint_of(0)) and found[5, 8].tolist() == list(tint_of(1))  # edges
    assert np.array_equal(overlay(image, []), image)


def test_edges_are_inside_the_mask(answer: Answer) -> None:
    mask = answer.targets[0].mask
    edge = edge_of(mask)
    assert edge.sum() == 8 and not (edge & ~mask).any() and not edge[2, 3]
    assert edge_of(np.ones((3, 3), bool)).sum() == 8


def test_tints_differ_and_can_be_written_on() -> None:
    assert len(set(TINTS)) == len(TINTS) == 20 and tint_of(20) == tint_of(0)
    for tint in TINTS:
        light = np.dot(tint, (0.299, 0.587, 0.114))
        assert abs(light - np.dot(ink_on(tint), (0.299, 0.587, 0.114))) > 85
