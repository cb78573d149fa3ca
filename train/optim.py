"""Optimiser groups and the running average of weights."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from train.muon import MuonAdamW
from train.settings import TrainerConfig

# Embeddings kept as bare parameters are known by name
_EMBEDDING_WORDS = ("embed", "position")


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Trainable parameters in two groups: matrices decay, everything else (biases, norms, embeddings) does not."""
    exempt = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, (nn.Embedding, nn.EmbeddingBag)) or "Norm" in type(module).__name__
        for parameter in module.parameters(recurse=False)
    }
    decayed: list[Tensor] = []
    others: list[Tensor] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            spared = parameter.ndim < 2 or id(parameter) in exempt or any(word in name for word in _EMBEDDING_WORDS)
            (others if spared else decayed).append(parameter)
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def build_optimizer(model: nn.Module, config: TrainerConfig, device: torch.device) -> Optimizer:
    """The optimiser a run asks for; each group's `peak_lr` is what the schedule scales."""
    groups = parameter_groups(model, config.weight_decay)
    if config.optimizer == "muon":
        middle = [
            parameter
            for name, parameter in model.named_parameters()
            if parameter.requires_grad and _is_middle(name, parameter)
        ]
        chosen = {id(parameter) for parameter in middle}
        for group in groups:
            group["params"] = [parameter for parameter in group["params"] if id(parameter) not in chosen]
        muon = {"params": middle, "weight_decay": config.weight_decay, "muon": True, "peak_lr": config.muon_lr}
        rest = [{**group, "peak_lr": config.lr} for group in groups if group["params"]]
        return MuonAdamW([*rest, *([muon] if middle else [])], (config.betas[0], config.betas[1]))
    fused = device.type in ("cpu", "cuda")
    groups = [{**group, "peak_lr": config.lr} for group in groups]
    return AdamW(groups, lr=config.lr, betas=(config.betas[0], config.betas[1]), fused=fused)


def _is_middle(name: str, parameter: Tensor) -> bool:
    """Whether Muon may take a parameter: a matrix or kernel that is neither embedding nor output head."""
    return parameter.ndim >= 2 and not any(word in name for word in (*_EMBEDDING_WORDS, "head"))


class Ema:
    """A running average of a model's trainable weights, kept in a copy of the model; buffers are copied as they are.

    Early on the decay is min(decay, (1 + step) / (10 + step)), so the random start is soon forgotten.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self._pairs = [
            (mean, own)
            for mean, own in zip(self.model.parameters(), model.parameters(), strict=True)
            if own.requires_grad and own.is_floating_point()
        ]
        self._buffers = list(zip(self.model.buffers(), model.buffers(), strict=True))

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the model's weights after `step` steps."""
        decay = min(self.decay, (1 + step) / (10 + step))
        if self._pairs:
            means, own = (list(side) for side in zip(*self._pairs, strict=True))
            torch._foreach_lerp_(means, own, 1.0 - decay)
        for mean, buffer in self._buffers:
            mean.copy_(buffer)
