"""What the mask side's parts are worth: decoders that learn anew beside one tower and its words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agents.pixellm.checkpoint import empty_pixellm, save_pixellm
from agents.pixellm.config import PixelLMConfig
from agents.pixellm.model import PixelLM
from benchmarks import pixels_decoders as table
from benchmarks.pixel_scores import overlap
from tests.agents.pixellm.shapes import model_of
from tests.benchmarks.shape_answers import asked
from train.data.questions import Question


def shape_questions(first: int, number: int) -> list[Question]:
    """Questions about shapes, with two or three targets."""
    return [asked(place, 2 + place % 2) for place in range(first, first + number)]


class Shapes:
    """Stands in for the questions that are learned from."""

    def questions(self, split: str) -> Shapes:
        assert split == "train"
        return self

    def sample(self, rng: np.random.Generator, number: int) -> list[Question]:
        return shape_questions(int(rng.integers(1000)), number)


def anew(model: PixelLM, seed: int = 0) -> PixelLM:
    """The same with another fusion and decoder, which alone can learn."""
    torch.manual_seed(seed)
    first = empty_pixellm(model.config, model.words)
    model.requires_grad_(False).fusion, model.decoder = first.fusion, first.decoder
    return model


def test_decoders_learn_and_nothing_else() -> None:
    model = anew(model_of().eval())
    steps = [table.told(model, shape_questions(8 * number, 8)) for number in range(40)]
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    test = table.told(model, shape_questions(900, 8))
    assert test.masks is not None
    first, _ = model.mask_loss(*table.draw(model, test), test.masks, test.samples, test.picture)
    table.learn(model, steps, 0, moved=lambda: None)
    last, _ = model.mask_loss(*table.draw(model, test), test.masks, test.samples, test.picture)
    assert last < 0.8 * first
    changed = {name for name, weight in model.state_dict().items() if not torch.equal(weight, before[name])}
    assert changed and all(name.startswith(("fusion.", "decoder.")) for name in changed)
    once = model.state_dict()
    again = anew(model)
    table.learn(again, steps, 0, moved=lambda: None)
    assert all(torch.equal(weight, once[name]) for name, weight in again.state_dict().items()), "not by the seed alone"


def test_a_step_has_about_as_many_targets_as_asked_for() -> None:
    model, questions = model_of().eval(), shape_questions(0, 8)
    assert len(table.told(model, questions).samples) == 20
    some = table.told(model, questions, most=6)
    assert some.samples.tolist() == [0, 0, 1, 1, 1, 2, 2], "whole answers"
    assert some.masks is not None and len(some.masks) == len(some.states) == len(some.picture) == 7


def test_contested_pixels_are_those_of_the_other_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    model, questions = model_of().eval(), shape_questions(0, 4)
    drawn = table.told(model, questions)
    rng = np.random.default_rng(0)
    found = rng.random((len(drawn.samples), 32, 32)) < 0.4
    logits = torch.from_numpy(np.where(found, 1.0, -1.0))
    monkeypatch.setattr(table, "draw", lambda *_: (logits, None))
    pixels, ious = table.contested(model, drawn)
    assert ious is not None
    for number, question in enumerate(questions):
        own = overlap(found[drawn.samples.numpy() == number], question.masks, in_order=True)
        assert pixels[:, number].tolist() == [own.claims, own.contested]
        assert ious[number] == pytest.approx(own.iou)
    claimed, disputed = pixels.sum(1)
    assert table.rate(pixels) == disputed / claimed
    assert table.rate(np.stack([pixels, pixels])) == disputed / claimed


def test_interval_of_the_difference() -> None:
    rng = np.random.default_rng(0)
    claimed = rng.integers(500, 1000, (2, 100))
    much, little = (np.stack([claimed, (claimed * share).astype(int)], 1) for share in (0.2, 0.1))
    low, high = table.rate_difference(little, much)
    assert -0.11 < low <= high < -0.09
    assert table.rate_difference(much, much) == (0.0, 0.0)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A model that has learned nothing."""
    save_pixellm(model_of().eval(), tmp_path / "model")
    return tmp_path / "model"


def test_table(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(table, "QuestionConfig", Shapes)
    monkeypatch.setattr(table, "several", lambda number: shape_questions(0, number))
    taught: list[PixelLMConfig] = []
    learn = table.learn

    def noted(model: PixelLM, *rest: Any, **named: Any) -> None:
        taught.append(model.config)
        assert ("decoder.mark_embeddings" in model.state_dict()) == model.config.guided
        learn(model, *rest, **named)

    monkeypatch.setattr(table, "learn", noted)
    file = tmp_path / "table.json"
    only = ["no-guide", "plain-decoder", "no-fusion", "alpha-1", "alpha-2.5"]
    words = [str(checkpoint), "--seeds", "2", "--steps", "2", "--questions", "6", "--json", str(file), "--only"]
    assert table.main([*words, *only]) == 0
    rows = json.loads(file.read_text())["variants"]
    assert [row["name"] for row in rows] == ["full", *only]
    full, *others = rows
    assert full["told"]["apart"] is None and full["giou_apart"] is None
    assert all(len(row["told"]["apart"]) == len(row["freely"]["seeds"]) == 2 for row in others)
    assert all(row["giou"] == pytest.approx(full["giou"] + row["giou_apart"][0]) for row in others)
    assert rows[2]["decoder_flops"] < full["decoder_flops"], "a plain decoder has no attention"
    own = taught[0]
    assert taught[::2] == [
        own,
        replace(own, guided=False),
        replace(own, guided=False, decoder="plain"),
        replace(own, fusion="mean"),
        replace(own, alpha=1.0),
        replace(own, alpha=2.5),
    ]
    assert "contested, told" in capsys.readouterr().out


CHOICES = "choose from no-fusion, alpha-1, plain-decoder, no-guide and alpha-N, N at least 1"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--only", "alpha-0.5"], f"there is no variant 'alpha-0.5'; {CHOICES}"),
        (["--only", "alpha-inf"], f"there is no variant 'alpha-inf'; {CHOICES}"),
        (["--only", "2"], f"there is no variant '2'; {CHOICES}"),
        (["--only", "lisa"], f"there is no variant 'lisa'; {CHOICES}"),
        (["--questions", "4000"], "--questions is 4000: of those with several targets there are 2000"),
    ],
)
def test_mistakes(words: list[str], told: str, checkpoint: Path, capsys: Any) -> None:
    assert table.main([str(checkpoint), *words]) == 2
    assert capsys.readouterr().err.strip() == f"pixels_decoders: {told}"
