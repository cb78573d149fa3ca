"""The parts of the training loop, one by one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from lightning.fabric import Fabric
from torch import nn

from envs.errors import UserError
from train.hardware import choose_precision, measure_peak, probable_device
from train.meters import Averages, duration, number, quantity
from train.optim import Ema, parameter_groups
from train.prefetch import Prefetcher
from train.settings import TrainerConfig
from train.step import train_step


def test_train_step_averages_micro_batches() -> None:
    """Two micro batches of 4 give the step of one batch of 8."""
    fabric = Fabric(accelerator="cpu", devices=1)
    x, y = torch.randn(8, 3), torch.randn(8, 1)
    results = []
    for cut in ([(x, y)], [(x[:4], y[:4]), (x[4:], y[4:])]):
        torch.manual_seed(0)
        layer = nn.Linear(3, 1)

        class Forward(nn.Module):
            def __init__(self, layer: nn.Linear) -> None:
                super().__init__()
                self.layer = layer

            def forward(self, box: Any) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
                inputs, targets = box()
                return (self.layer(inputs) - targets).square().mean(), {"half": torch.tensor(0.5)}

        forward, optimizer = fabric.setup(Forward(layer), torch.optim.SGD(layer.parameters(), lr=0.1))
        metrics = train_step(fabric, forward, optimizer, cut, accumulate=len(cut), clip=0.1)
        results.append((layer.weight.detach().clone(), metrics))
    (one, whole), (two, halves) = results
    torch.testing.assert_close(one, two)
    for key in ("loss", "grad_norm", "half"):
        torch.testing.assert_close(whole[key], halves[key])
    assert not whole["loss"].requires_grad


def test_only_matrices_decay() -> None:
    model = nn.ModuleDict({"linear": nn.Linear(3, 3), "norm": nn.LayerNorm(3), "table": nn.Embedding(5, 3)})
    model.register_parameter("position_embedding", nn.Parameter(torch.zeros(4, 3)))
    model["frozen"] = nn.Linear(2, 2).requires_grad_(False)
    decayed, others = parameter_groups(model, 0.1)
    assert [tuple(parameter.shape) for parameter in decayed["params"]] == [(3, 3)] and decayed["weight_decay"] == 0.1
    assert len(others["params"]) == 5 and others["weight_decay"] == 0.0


def test_running_average_warms_up() -> None:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(layer.weight)
    ema = Ema(layer, 0.999)
    nn.init.ones_(layer.weight)
    ema.update(0)
    assert float(ema.model.get_parameter("weight")) == pytest.approx(0.9)  # decay 1/10
    ema.update(10**6)
    assert float(ema.model.get_parameter("weight")) == pytest.approx(0.9 + 0.001 * 0.1)


def test_data_comes_in_order_and_errors_come_out() -> None:
    made: list[tuple[int, int]] = []

    def make(step: int, micro: int) -> tuple[int, int]:
        if step == 5:
            raise ValueError("no more data")
        made.append((step, micro))
        return step, micro

    data = Prefetcher(make, step=3, micros=2, depth=2)
    assert [data.get() for _ in range(4)] == [(3, 0), (3, 1), (4, 0), (4, 1)]
    with pytest.raises(ValueError, match="no more data"):
        data.get()
    data.close()


def test_precision_is_chosen_by_what_the_device_does_natively(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    monkeypatch.setattr("train.hardware._cpu_flags", lambda: frozenset({"avx2", "fma"}))
    assert choose_precision("auto", cpu) == "fp32"
    assert choose_precision("bf16", cpu) == "bf16"
    monkeypatch.setattr("train.hardware._cpu_flags", lambda: frozenset({"avx2", "avx512_bf16"}))
    assert choose_precision("auto", cpu) == "bf16"


def test_peak_is_measured() -> None:
    assert 1e8 < measure_peak(torch.device("cpu"), "fp32", seconds=0.0) < 1e14


def test_averages() -> None:
    averages = Averages()
    averages.add({"a": torch.tensor(1.0), "b": 2.0})
    averages.add({"a": torch.tensor(3.0)})
    assert {key: float(value) for key, value in averages.take().items()} == {"a": 2.0, "b": 2.0}
    assert averages.take() == {}


def test_numbers_for_readers() -> None:
    assert [duration(5), duration(245), duration(3723)] == ["0:05", "4:05", "1:02:03"]
    assert [number(0.0), number(0.5), number(2e-5), number(123456.0)] == ["0", "0.5", "2.00e-05", "1.23e+05"]
    assert [quantity(12), quantity(1_250_000), quantity(4.3e10)] == ["12 ", "1.25 M", "43 G"]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("lr", "fast", "trainer.lr is 'fast'"),
        ("lr", 0, "trainer.lr is 0"),
        ("minutes", -3, "trainer.minutes is -3"),
        ("steps", 2.5, "trainer.steps is 2.5; choose a whole number"),
        ("batch_size", 0, "trainer.batch_size is 0"),
        ("accumulate", True, "trainer.accumulate is True"),
        ("ema", 1.0, r"trainer.ema is 1.0; choose a number in \[0, 1\)"),
        ("betas", [0.9], r"trainer.betas is \[0.9\]"),
        ("precision", "fp8", "trainer.precision is 'fp8'; choose one of auto, fp32, bf16"),
        ("devices", "tpu", "trainer.devices is 'tpu'"),
        ("num_processes", 0, "trainer.num_processes is 0"),
        ("num_processes", -2, "trainer.num_processes is -2"),
        ("seed", -1, "trainer.seed is -1"),
        ("seed", 5_000_000_000, "trainer.seed is 5000000000; choose a whole number below 4294967296"),
        ("compile", "yes", "trainer.compile is 'yes'; choose true or false"),
    ],
)
def test_settings_out_of_range(key: str, value: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        TrainerConfig(**{key: value})


def test_all_gpus_where_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="trainer.num_processes is -1, all GPUs, but trainer.devices is cpu"):
        TrainerConfig(num_processes=-1, devices="cpu")
    assert TrainerConfig(num_processes=-1, seed=2**32 - 1).devices == "auto"
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    assert probable_device("auto", 2).type == "cpu"
    with pytest.raises(UserError, match="trainer.num_processes is -1, all GPUs, but there is no GPU here"):
        probable_device("auto", -1)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert probable_device("auto", -1).type == "cuda"
