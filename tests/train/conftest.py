"""What several tests of the training need."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.go_games import tiny_record_file
from tests.train import fake_cli
from train.data.go_games import GoDataConfig


@pytest.fixture
def config(tmp_path: Path) -> GoDataConfig:
    """Twelve random 3x3 games."""
    return GoDataConfig(path=str(tiny_record_file(tmp_path / "games.npz")), size=3, held_out=0.2)


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Fake settings, fake stages, an empty working folder."""
    for module in ("train.registry", "train.experiment"):
        monkeypatch.setattr(f"{module}.STAGES", fake_cli.FAKE_STAGES)
    monkeypatch.setattr("train.trainer.measure_peak", lambda device, precision: 1e9)
    monkeypatch.chdir(tmp_path)
    return fake_cli.write_conf(tmp_path / "conf")
