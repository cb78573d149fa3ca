"""The training loop, on a linear regression."""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import random
import signal
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agents.checkpoint import load_checkpoint, read_tensors
from envs.errors import UserError
from tests.train.fakes import FakeConfig, FakeStage
from train import state
from train.settings import Budget, TrainerConfig, learning_rate
from train.state import load_state
from train.stopping import Interrupted
from train.trainer import Trainer


@pytest.fixture(autouse=True)
def quick_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """No speed measurement of 0.3 s in every test."""
    monkeypatch.setattr("train.trainer.measure_peak", lambda device, precision: 1e9)


def settings(out: Path, **changes: Any) -> TrainerConfig:
    values: dict[str, Any] = {
        "steps": 12,
        "batch_size": 8,
        "warmup_steps": 3,
        "log_every": 4,
        "devices": "cpu",
        "lr": 0.02,
    }
    return TrainerConfig(out=out, **{**values, **changes})


def train(out: Path, *, stage: FakeStage | None = None, resume: bool = True, **changes: Any) -> dict[str, float]:
    stage = stage or FakeStage(FakeConfig())
    return Trainer(settings(out, **changes), stage, settings=asdict(stage.config)).run(resume)


def weights(out: Path) -> dict[str, bytes]:
    """The bytes of everything in the last training state but the clock."""
    saved = load_state(out / "state")
    assert saved is not None
    return {
        f"{part}/{key}": tensor.numpy().tobytes()
        for part, all_of in saved.parts.items()
        for key, tensor in all_of.items()
    }


class StopAt(FakeStage):
    """Asks for a stop, as Ctrl-C does, when the loop comes to a step."""

    def __init__(self, config: FakeConfig, step: int, number: int = signal.SIGINT) -> None:
        super().__init__(config)
        self._steps_left = step
        self._signal = number

    def to_device(self, batch: Any, device: torch.device) -> Any:
        if self._steps_left == 0:
            os.kill(os.getpid(), self._signal)
        self._steps_left -= 1
        return super().to_device(batch, device)


# -- a whole run -----------------------------------------------------------------------------------------------------


def test_a_run_learns_and_leaves_its_folder(tmp_path: Path) -> None:
    out = tmp_path / "run"
    stage = FakeStage(FakeConfig())
    with torch.no_grad():
        before = float(stage.model(stage.batch(0, 0, 0, 1, 64))[0])
    stage.ranks.clear()
    metrics = train(out, stage=stage, steps=150, accumulate=2, ema=0.9)
    assert metrics["eval_loss"] < 0.3 * before
    assert sorted(path.name for path in out.iterdir()) == [
        "checkpoint", "finished.json", "metrics.jsonl", "run.json", "state", "tb"
    ]  # fmt: skip
    exported = load_checkpoint(out / "checkpoint")
    assert exported.metrics == metrics
    assert not any("pickle" in path.suffix or path.suffix in (".pt", ".pth") for path in out.rglob("*"))
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if row["kind"] == "train"] == list(range(4, 151, 4))
    assert {"loss", "mae", "grad_norm", "lr", "samples/s", "data", "mfu"} <= rows[0].keys()
    assert rows[-1] == {"kind": "eval", "step": 150, "elapsed_seconds": rows[-1]["elapsed_seconds"], **metrics}
    assert [place for place in stage.ranks if place[0] < 2] == [(0, 0, 0, 1), (0, 1, 0, 1), (1, 0, 0, 1), (1, 1, 0, 1)]
    assert stage.shares[0] == 0.0 and stage.shares == sorted(stage.shares) and stage.shares[-1] < 1.0


def test_exports_the_running_average(tmp_path: Path) -> None:
    train(tmp_path / "run", ema=0.9)
    saved = load_state(tmp_path / "run" / "state")
    exported = load_checkpoint(tmp_path / "run" / "checkpoint").tensors
    assert saved is not None
    assert all(torch.equal(exported[key], tensor) for key, tensor in saved.parts["ema"].items())
    assert not torch.equal(exported["layers.0.weight"], saved.parts["model"]["layers.0.weight"])


def test_without_running_average(tmp_path: Path) -> None:
    train(tmp_path / "run", ema=0)
    saved = load_state(tmp_path / "run" / "state")
    exported = load_checkpoint(tmp_path / "run" / "checkpoint").tensors
    assert saved is not None and "ema" not in saved.parts
    assert all(torch.equal(exported[key], tensor) for key, tensor in saved.parts["model"].items())


def test_says_what_it_will_cost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="train"):
        train(tmp_path / "run", accumulate=2, precision="fp32")
    text = caplog.text
    for part in ("65 parameters", "16 samples = 48 tokens per step", "1 x cpu", "fp32", "ends after 12 steps", "ETA"):
        assert part in text


# -- budgets ---------------------------------------------------------------------------------------------------------


def test_a_budget_of_time_ends_the_run(tmp_path: Path) -> None:
    train(tmp_path / "run", steps=None, minutes=0.5 / 60, stage=FakeStage(FakeConfig(pause=0.01)))
    finished = json.loads((tmp_path / "run" / "finished.json").read_text())
    assert 0.5 <= finished["elapsed_seconds"] < 1.5 and finished["step"] > 3


def test_no_budget_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"trainer.minutes=... or trainer.steps=..."):
        train(tmp_path / "run", steps=None)


def test_progress_is_the_budget_used_up_first() -> None:
    budget = Budget(steps=100, seconds=60.0)
    assert budget.progress(25, 6.0) == 0.25
    assert budget.progress(25, 45.0) == 0.75
    assert budget.progress(300, 0.0) == 1.0
    assert Budget(None, 60.0).remaining(5, 45.0, 0.0) == 15.0
    assert budget.remaining(90, 5.0, 2.0) == 20.0


def test_learning_rate_warms_up_and_follows_a_cosine(tmp_path: Path) -> None:
    config = settings(tmp_path, lr=1.0, warmup_steps=4, min_lr_ratio=0.1)
    assert [learning_rate(config, step, 0.0) for step in range(5)] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])
    assert learning_rate(config, 50, 0.5) == pytest.approx(0.55)
    assert learning_rate(config, 99, 1.0) == pytest.approx(0.1)


# -- stopping and going on -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "optimizer"), [(signal.SIGINT, "adamw"), (signal.SIGTERM, "muon")])
def test_stopped_and_resumed_is_bit_identical(tmp_path: Path, number: int, optimizer: str) -> None:
    train(tmp_path / "whole", accumulate=2, optimizer=optimizer)
    with pytest.raises(Interrupted, match=r"stopped at step 4, .*run the same command again"):
        train(tmp_path / "parts", accumulate=2, stage=StopAt(FakeConfig(), 7, number), optimizer=optimizer)
    assert signal.getsignal(number) in (signal.default_int_handler, signal.SIG_DFL), "handlers are put back"
    assert not (tmp_path / "parts" / "finished.json").exists()
    random.seed(1), np.random.seed(1), torch.manual_seed(1)  # another process has other random states
    stage = FakeStage(FakeConfig())
    train(tmp_path / "parts", accumulate=2, stage=stage, optimizer=optimizer)
    assert min(step for step, *_ in stage.ranks) == 4, "done steps are not done again"
    assert weights(tmp_path / "parts") == weights(tmp_path / "whole")
    steps = [json.loads(line)["step"] for line in (tmp_path / "parts" / "metrics.jsonl").read_text().splitlines()]
    assert steps == [4, 8, 12, 12]


def test_evaluations_and_states_in_between_change_nothing(tmp_path: Path) -> None:
    train(tmp_path / "plain")
    train(tmp_path / "busy", eval_every_minutes=1e-6, checkpoint_every_minutes=1e-6)
    assert weights(tmp_path / "busy") == weights(tmp_path / "plain")
    assert len(list((tmp_path / "busy" / "state").iterdir())) == 1, "older states are removed"


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    metrics = train(tmp_path / "run")
    stage = FakeStage(FakeConfig())
    assert train(tmp_path / "run", stage=stage) == metrics
    assert stage.ranks == []


def test_a_larger_budget_goes_on(tmp_path: Path) -> None:
    train(tmp_path / "run")
    stage = FakeStage(FakeConfig())
    train(tmp_path / "run", stage=stage, steps=16)
    assert min(step for step, *_ in stage.ranks) == 12
    assert json.loads((tmp_path / "run" / "finished.json").read_text())["step"] == 16


def test_resume_false_starts_over(tmp_path: Path) -> None:
    train(tmp_path / "run")
    before = weights(tmp_path / "run")
    stage = FakeStage(FakeConfig())
    train(tmp_path / "run", stage=stage, resume=False)
    assert (0, 0, 0, 1) in stage.ranks
    assert weights(tmp_path / "run") == before
    rows = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert len(rows) == 4, "records of the old run are gone"


def test_the_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    train(tmp_path / "run")
    with pytest.raises(UserError, match=r"trainer.lr=0.02 where this command says 0.5; .*out=.*resume=false"):
        train(tmp_path / "run", lr=0.5)
    with pytest.raises(UserError, match=r"stage.seed=0 where this command says 7"):
        train(tmp_path / "run", stage=FakeStage(FakeConfig(seed=7)))
    train(tmp_path / "run", log_every=2, checkpoint_every_minutes=1)  # these do not change what is learned


def test_a_run_of_an_older_version_goes_on(tmp_path: Path) -> None:
    """A setting added since had its default then."""
    train(tmp_path / "run")
    path = tmp_path / "run" / "run.json"
    record = json.loads(path.read_text())
    del record["trainer"]["min_lr_ratio"]
    path.write_text(json.dumps(record))
    with pytest.raises(UserError, match=r"trainer.min_lr_ratio=0.05 where this command says 0.5"):
        train(tmp_path / "run", min_lr_ratio=0.5)
    train(tmp_path / "run", steps=13)


def test_a_full_disk_at_a_log_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("train.meters.Reporter.record", refuse)
    with pytest.raises(UserError, match=r"cannot write to .*: No space left on device; the last state is kept"):
        train(tmp_path / "run")


def test_a_folder_of_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(UserError, match="holds other files than a run"):
        train(tmp_path)
    with pytest.raises(UserError, match="is a file"):
        train(tmp_path / "thesis.tex")


def test_runs_outside_the_main_thread(tmp_path: Path) -> None:
    results: list[dict[str, float]] = []
    thread = threading.Thread(target=lambda: results.append(train(tmp_path / "run")))
    thread.start()
    thread.join()
    assert results and "eval_loss" in results[0]


# -- the training state ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", ["ema.safetensors", "state.json"])
def test_a_full_disk_keeps_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    with pytest.raises(Interrupted):
        train(tmp_path / "run", stage=StopAt(FakeConfig(), 5))
    name = "write_text" if at == "state.json" else "write_tensors"
    write = getattr(state, name)

    def refuse(path: Path, content: Any) -> None:
        if path.name == at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write(path, content)

    monkeypatch.setattr(state, name, refuse)
    with pytest.raises(UserError, match=r"No space left on device; the state of step 6 is kept, make room and run"):
        train(tmp_path / "run")
    saved = load_state(tmp_path / "run" / "state")
    assert saved is not None and saved.clock.step == 6
    assert [path.name for path in (tmp_path / "run" / "state").iterdir()] == ["step-000000006"]
    monkeypatch.undo()
    train(tmp_path / "run")


def test_a_failed_export_costs_no_training(tmp_path: Path) -> None:
    """The state is saved before each evaluation, whatever checkpoint_every_minutes says."""
    stage = FakeStage(FakeConfig(full_at=2, pause=0.002))
    with pytest.raises(UserError, match="no room for the checkpoint"):
        train(tmp_path / "run", stage=stage, eval_every_minutes=1e-6, checkpoint_every_minutes=None)
    saved = load_state(tmp_path / "run" / "state")
    assert saved is not None and 0 < saved.clock.step < 12
    train(tmp_path / "whole", stage=FakeStage(FakeConfig(full_at=99, pause=0.002)))
    again = FakeConfig(full_at=2, pause=0.002)
    stage = FakeStage(again)
    train(tmp_path / "run", stage=stage, checkpoint_every_minutes=None)
    assert min(step for step, *_ in stage.ranks) == saved.clock.step
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")


class TwoRanks:
    """Stands in for Fabric on one rank of two; the other one reports `other`."""

    world_size = 2
    device = torch.device("cpu")

    def __init__(self, rank: int, other: float = 0.0) -> None:
        self.is_global_zero = rank == 0
        self.other = other
        self.told: list[float] = []

    def all_reduce(self, tensor: torch.Tensor, reduce_op: str) -> torch.Tensor:
        assert reduce_op == "max"
        self.told.append(float(tensor))
        return tensor.clamp_min(self.other)


def test_a_failure_on_rank_0_is_told_before_it_leaves(tmp_path: Path) -> None:
    trainer = Trainer(settings(tmp_path / "run"), FakeStage(FakeConfig()))
    done: list[int] = []

    def fail() -> None:
        done.append(1)
        raise UserError("no room")

    first, second = TwoRanks(0), TwoRanks(1, other=1.0)
    trainer.fabric = first  # type: ignore[assignment]
    with pytest.raises(UserError, match="no room"):
        trainer._on_rank_zero(fail)
    assert first.told == [1.0] and done == [1]
    trainer.fabric = second  # type: ignore[assignment]
    with pytest.raises(Interrupted, match="rank 0 stopped with an error"):
        trainer._on_rank_zero(fail)
    assert second.told == [0.0] and done == [1], "the others do nothing but wait"
    for rank in (0, 1):
        trainer.fabric = TwoRanks(rank)  # type: ignore[assignment]
        trainer._on_rank_zero(lambda: done.append(2))
    assert done == [1, 2]


def test_a_loss_beyond_numbers_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"fake: .* is nan at step 8; .*lower trainer.lr \(now 0.02\)"):
        train(tmp_path / "run", stage=FakeStage(FakeConfig(diverge_at=6)))
    assert load_state(tmp_path / "run" / "state") is None, "weights that are no numbers are never saved"


def test_state_of_another_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        train(tmp_path / "run", stage=StopAt(FakeConfig(), 3))
    saved = load_state(tmp_path / "run" / "state")
    assert saved is not None
    stage = FakeStage(FakeConfig(width=5))
    with pytest.raises(UserError, match=r"'layers.0.weight' of shape \(8, 4\) where the model needs \(8, 5\)"):
        state.restore_model(stage.model, saved, "model")
    optimizer = torch.optim.AdamW(stage.model.parameters())
    with pytest.raises(UserError, match=r"'layers.0.weight/exp_avg', which fits no parameter"):
        state.restore_optimizer(stage.model, optimizer, saved.parts["optimizer"])


# -- devices -----------------------------------------------------------------------------------------------------------


def test_compile_without_a_compiler_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("train.trainer.has_cpp_compiler", lambda: False)
    with caplog.at_level(logging.INFO, logger="train"):
        train(tmp_path / "run", steps=2, compile=True)
    assert "no C++ compiler found, going on without trainer.compile" in caplog.text


def test_bf16_runs(tmp_path: Path) -> None:
    assert math.isfinite(train(tmp_path / "run", steps=2, precision="bf16")["eval_loss"])


def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(UserError, match=r"trainer.devices is 'cuda', but there is no such device here"):
        train(tmp_path / "run", devices="cuda")


def test_states_hold_no_pickles(tmp_path: Path) -> None:
    train(tmp_path / "run", steps=2)
    for path in (tmp_path / "run" / "state").rglob("*.*"):
        assert path.suffix in (".safetensors", ".json")
        if path.suffix == ".safetensors":
            read_tensors(path)
