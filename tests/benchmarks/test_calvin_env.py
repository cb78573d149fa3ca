"""The play table's benchmark: its figures add up, and its mistakes are one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.calvin_env import CASES, main

pytest.importorskip("pybullet", reason="the simulator (extra robots) is not installed")


def test_figures_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"
    assert main(["--steps", "3", "--renderers", "fast", "--json", str(file)]) == 0
    figures = json.loads(file.read_text())
    assert all(0 < figures[f"built in, fast, {case}"]["wall_ms"] < 5000 for case, _ in CASES)
    assert figures["machine"]["cores"] > 0
    assert "both cameras" in capsys.readouterr().out


def test_a_wrong_folder_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--steps", "1", "--renderers", "fast", "--assets", str(tmp_path / "nowhere")]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and "nowhere is not there; give the folder 'data' of calvin_env" in captured.err
