"""The table of PixelLM's parts: equal arithmetic, nothing trained or measured twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import pixels_ablations as table
from benchmarks.pixels import Examined
from tests.agents.pixellm.shapes import model_of
from tests.benchmarks.shape_answers import scores, silent


class Trainings:
    """Stands in for trainings and examinations, and tells what was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.trained: list[tuple[str, list[str]]] = []
        self.examined: list[str] = []
        self.minutes_are = 90
        costs = {"full": 3e9, "lisa": 2e9}
        monkeypatch.setattr(table, "train", self.train)
        monkeypatch.setattr(table, "step_flops", lambda stage, words: costs[self.variant(words)])
        monkeypatch.setattr(table, "load", self.load)
        monkeypatch.setattr(table, "examine", self.examine)
        monkeypatch.setattr(table, "questions_of", lambda split, count, seed: (list(range(8)), None))

    @staticmethod
    def variant(words: list[str]) -> str:
        return next((word.partition("=")[2] for word in words if word.startswith("stage.ablation=")), "full")

    def train(self, stage: str, out: Path, words: list[str]) -> dict[str, Any]:
        assert stage == "pixellm" and out.name == "run"
        out.mkdir(parents=True, exist_ok=True)
        self.trained.append((self.variant(words), words))
        steps = [int(word.partition("=")[2]) for word in words if word.startswith("trainer.steps=")]
        return {"step": steps[0] if steps else self.minutes_are, "elapsed_seconds": 1.5}

    def load(self, folder: Path) -> Any:
        self.examined.append(folder.parts[-3])
        return model_of().eval()

    def examine(self, model: Any, numbers: list[int], ask: Any, moved: Any) -> Examined:
        moved(len(numbers))
        found = scores() if self.examined[-1] == "full" else scores(silent)
        return Examined(found, seconds=2.0)


def run(out: Path, *words: str) -> dict[str, dict[str, Any]]:
    """The table's rows by name."""
    file = out / "table.json"
    assert table.main([*words, "--questions", "8", "--out", str(out), "--json", str(file)]) == 0
    return {row["name"]: row for row in json.loads(file.read_text())["variants"]}


def test_variants_get_the_same_arithmetic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    fakes = Trainings(monkeypatch)
    rows = run(tmp_path, "--steps", "60", "model=tiny", "--only", "lisa")
    assert [name for name, _ in fakes.trained] == ["full", "lisa"]
    full, lisa = (words for _, words in fakes.trained)
    assert "trainer.steps=60" in full and "trainer.steps=90" in lisa and "model=tiny" in full and "model=tiny" in lisa
    assert rows["full"]["steps"] * rows["full"]["step_flops"] == rows["lisa"]["steps"] * rows["lisa"]["step_flops"]
    assert rows["full"]["against_lisa"][0] == 0.75 and rows["full"]["against_lisa"][1] > 0.3
    assert rows["lisa"]["against_lisa"] is None and "ious" not in rows["full"]
    said = capsys.readouterr().out
    assert "+75.0 (" in said and "0.18 TFLOP each, 8 questions" in said and "images/s" in said
    assert rows["full"]["questions_per_second"] == 4.0 and 0 < rows["full"]["decoder_share"] < 1


def test_minutes_are_those_of_the_full_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fakes = Trainings(monkeypatch)
    rows = run(tmp_path, "--minutes", "2", "--only", "lisa")
    assert "trainer.minutes=2.0" in fakes.trained[0][1] and "trainer.steps=135" in fakes.trained[1][1]
    assert (rows["full"]["steps"], rows["lisa"]["steps"]) == (90, 135)


def test_what_is_measured_is_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fakes = Trainings(monkeypatch)
    first = run(tmp_path, "--steps", "60", "--only", "lisa")
    assert run(tmp_path, "--steps", "60", "--only", "lisa") == first and fakes.examined == ["full", "lisa"]
    (tmp_path / "lisa" / "measured.json").write_text('{"of": ')  # stopped while it was written
    assert run(tmp_path, "--steps", "60", "--only", "lisa") == first and fakes.examined == ["full", "lisa", "lisa"]
    run(tmp_path, "--steps", "80", "--only", "lisa")
    assert fakes.examined[3:] == ["full", "lisa"], "another budget is another measurement"


def test_a_longer_training_is_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fakes = Trainings(monkeypatch)
    monkeypatch.setattr(table, "train", lambda *rest: {**fakes.train(*rest), "step": 500})
    assert table.main(["--steps", "60", "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "has learned for 500 steps, where this comparison has 60: give another --out" in said


@pytest.mark.parametrize("words, message", [
    ([], "one of the arguments --steps --minutes is required"),
    (["--steps", "0"], "'0' is no whole number of one or more"),
    (["--minutes", "0"], "--minutes is 0"),
    (["--minutes", "nan"], "--minutes is nan"),
    (["--steps", "1", "--minutes", "1"], "not allowed with"),
    (["--steps", "1", "--only", "larger"], "there is no variant 'larger'; choose from lisa, "),
    (["--steps", "1", "tiny"], "'tiny' is not of the form KEY=VALUE"),
    (["--steps", "1", "--questions", "6000"], "6000 questions of 5000"),
])  # fmt: skip
def test_mistakes_are_one_sentence(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert table.main(words) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


@pytest.mark.slow
def test_variants_are_trained_and_measured(tmp_path: Path) -> None:
    words = [
        "model=tiny", "trainer=cpu", "trainer.batch_size=8", "data.calvin=0", "data.rlbench=0",
        "stage.vocabulary_questions=40", "+stage.pieces=320", "+model.pixellm.max_answer=60", "--only", "lisa",
    ]  # fmt: skip
    rows = run(tmp_path, "--steps", "3", *words)
    assert set(rows) == {"full", "lisa"} and rows["full"]["steps"] == 3 <= rows["lisa"]["steps"]
    spent = [row["steps"] * row["step_flops"] for row in rows.values()]
    assert spent[0] == pytest.approx(spent[1], rel=0.5 / rows["lisa"]["steps"])
    assert all(0 <= row["figures"]["all"]["giou"] <= 1 for row in rows.values())
    assert run(tmp_path, "--steps", "3", *words) == rows
