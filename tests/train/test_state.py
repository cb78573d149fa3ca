"""Training states on disk, and random states."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from envs.errors import UserError
from train import state
from train.state import Clock, load_state, save_state


def parts(value: float) -> dict[str, dict[str, torch.Tensor]]:
    return {part: {"x": torch.full((3,), value)} for part in state.PARTS}


def test_a_broken_newest_state_gives_way_to_an_older_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    old = save_state(tmp_path, Clock(1, 1.0), parts(1.0))
    kept = tmp_path / "aside"
    old.rename(kept)
    new = save_state(tmp_path, Clock(2, 2.0), parts(2.0))
    kept.rename(old)
    (new / "ema.safetensors").write_bytes(b"half")
    loaded = load_state(tmp_path)
    assert loaded is not None and loaded.clock == Clock(1, 1.0) and "skipping a broken training state" in caplog.text
    (old / "state.json").write_text("{")
    with pytest.raises(UserError, match=r"no training state in .* can be read; start over with resume=false"):
        load_state(tmp_path)


def test_a_half_written_state_is_not_seen(tmp_path: Path) -> None:
    """What a kill in the middle of writing leaves behind."""
    save_state(tmp_path, Clock(1, 1.0), parts(1.0))
    half = tmp_path / ".step-000000002.new"
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half")
    loaded = load_state(tmp_path)
    assert loaded is not None and loaded.clock.step == 1
    save_state(tmp_path, Clock(2, 2.0), parts(2.0))
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000002"]


def test_random_states_come_back() -> None:
    cpu = torch.device("cpu")
    random.gauss(0, 1), np.random.standard_normal()  # leaves one cached normal number in each
    saved = state.rng_tensors(cpu)

    def draw() -> list[float]:
        numbers = [random.gauss(0, 1), random.random(), np.random.standard_normal(), np.random.random()]
        return [*numbers, float(torch.randn(()))]

    first = draw()
    state.restore_rng(saved, cpu)
    assert draw() == first


def test_random_states_of_another_rank_come_back() -> None:
    cpu = torch.device("cpu")
    ranks = []
    for seed in (1, 2):
        random.seed(seed), np.random.seed(seed), torch.manual_seed(seed)
        ranks.append((state.rng_tensors(cpu), random.random(), np.random.random(), float(torch.rand(()))))
    stacked = {key: torch.stack([rank[0][key] for rank in ranks]) for key in ranks[0][0]}
    for number_of, (_, *drawn) in enumerate(ranks):
        state.restore_rng({key: tensor[number_of] for key, tensor in stacked.items()}, cpu)
        assert [random.random(), np.random.random(), float(torch.rand(()))] == drawn
