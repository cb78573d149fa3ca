"""One optimiser step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.optim import Optimizer

from train.meters import Averages


class Forward(nn.Module):
    """Hides the batch from the libraries in between, which would take containers they know apart."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, box: Callable[[], Any]) -> tuple[Tensor, dict[str, Tensor]]:
        loss, metrics = self.model(box())
        return loss, metrics


def train_step(
    fabric: Fabric, forward: nn.Module, optimizer: Optimizer, batches: Iterable[Any], *, accumulate: int, clip: float
) -> dict[str, Tensor]:
    """One optimiser step over `accumulate` micro batches, whose gradients are averaged.

    Args:
        fabric: launched.
        forward: takes `lambda: batch`, gives (loss, metrics); as set up by Fabric.
        optimizer: with its learning rate set.
        batches: exactly `accumulate` micro batches on the device.
        clip: largest gradient norm; 0 leaves gradients as they are.

    Returns:
        Scalar tensors without gradient: "loss" and metrics, averaged over micro batches; "grad_norm" before clipping.
    """
    averages = Averages()
    for micro, batch in enumerate(batches):
        with fabric.no_backward_sync(forward, enabled=micro + 1 < accumulate):  # type: ignore[arg-type]
            loss, metrics = forward(lambda batch=batch: batch)
            fabric.backward(loss / accumulate)
        averages.add({"loss": loss, **metrics})
    norm = fabric.clip_gradients(forward, optimizer, max_norm=clip or math.inf, error_if_nonfinite=False)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return {**averages.take(), "grad_norm": norm if norm is not None else torch.zeros(())}
