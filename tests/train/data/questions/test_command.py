"""python -m train.data.questions: what it writes, and mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from train.data.questions.__main__ import main
from train.data.questions.muse import ANNOTATIONS, MuseSet

pytest.importorskip("pybullet", reason="the simulator (extra robots) is not installed")
pytest.importorskip("pycocotools", reason="pycocotools (extra ask) is not installed")


def test_a_sheet_is_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "sheet.png"
    assert main(["show", str(out), "--count", "3", "--seed", "4", "--calvin", "0", "--rlbench", "0"]) == 0
    assert "3 questions" in capsys.readouterr().out
    assert Image.open(out).size == (2000, 500)


def test_fixed_questions_are_written(tmp_path: Path) -> None:
    assert main(["write", str(tmp_path / "set"), "--split", "test", "--count", "5"]) == 0
    back = MuseSet(tmp_path / "set" / ANNOTATIONS)
    assert len(back) == 5 and [len(back[n].masks) > 1 for n in range(5)] == [True, True, False, False, False]


@pytest.mark.parametrize("arguments, words", [
    (["show", "OUT/sheet.txt", "--count", "1", "--calvin", "0", "--rlbench", "0"], "cannot write"),
    (["show", "OUT/sheet.png", "--count", "0"], "--count 0"),
    (["show", "OUT/sheet.png", "--go", "0", "--calvin", "0", "--rlbench", "0"], "not all of them 0"),
    (["write", "OUT/set", "--split", "train"], "give --count N"),
    (["write", "OUT/set", "--count", "5001"], "1 to 5000"),
    (["write", "OUT", "--count", "1"], "is not empty"),
])  # fmt: skip
def test_mistakes_are_one_sentence(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "something").touch()
    assert main([argument.replace("OUT", str(tmp_path)) for argument in arguments]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1
