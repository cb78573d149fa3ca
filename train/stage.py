"""What the training loop needs from a stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn


class Stage(Protocol):
    """What the loop needs from a stage.

    Two names are optional: `tokens_per_sample: int` is printed at the start, and `on_progress(share: float)` is called
    before each step with the share of the budget used, 0 to 1 (for temperatures and the like).
    """

    name: str
    # model(batch) -> (loss, metrics): a scalar to minimise, and scalar tensors by the names they have in the log
    model: nn.Module

    def batch(self, step: int, micro: int, rank: int, world_size: int, batch_size: int) -> Any:
        """Data of one micro step, on the CPU: `batch_size` samples for this rank.

        A pure function of its arguments and the stage's seed (exact resume hangs on it), called in a background thread.
        """

    def to_device(self, batch: Any, device: torch.device) -> Any:
        """The batch as the model takes it."""

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Measure `model`: eval mode, no gradients, on the training device, on rank 0 alone.

        It is not `self.model` but the running average of weights, where there is one.
        """

    def flops_per_sample(self) -> float:
        """FLOPs of forward and backward for one sample; asked once, with the model on its device."""

    def export(self, model: nn.Module, folder: Path, metrics: dict[str, float]) -> None:
        """Write the stage's checkpoint folder (`agents.checkpoint.save_checkpoint`); called after each evaluation."""
