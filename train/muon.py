"""Muon for the matrices in a network's middle, AdamW for the rest, as one optimiser.

Muon (Jordan et al. 2024, "Muon: an optimizer for hidden layers") replaces a matrix's momentum by the nearest
half-orthogonal matrix, found by a few Newton-Schulz steps. Convolution kernels count as matrices (outputs x everything
else), which the library's own version does not take.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from train.hardware import native_bf16

_A, _B, _C = 3.4445, -4.7750, 2.0315  # coefficients of the quintic Newton-Schulz step
_STEPS = 5
_MOMENTUM = 0.95


def orthogonalize(matrices: Tensor) -> Tensor:
    """Matrices (N, rows, columns) -> about the nearest ones with singular values near 1, in the same dtype."""
    x = matrices.bfloat16() if native_bf16(matrices.device) else matrices.float()
    wide = x.shape[1] <= x.shape[2]
    x = x if wide else x.mT
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(_STEPS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=_B, alpha=_C), x, beta=_A)
    return (x if wide else x.mT).to(matrices.dtype)


class MuonAdamW(Optimizer):
    """Parameter groups with `muon=True` take Muon steps, the others AdamW steps.

    A group's `lr` is taken as it is: set both kinds yourself (`train.optim` scales them by one schedule).
    """

    def __init__(self, groups: list[dict[str, Any]], betas: tuple[float, float]) -> None:
        super().__init__(groups, {"lr": 0.0, "weight_decay": 0.0, "muon": False, "betas": betas})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[Tensor]] = {}  # matrices of one shape are orthogonalized together
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    if group["muon"]:
                        alike.setdefault(parameter.flatten(1).shape, []).append(parameter)
                    else:
                        self._adam(parameter, group)
            for (rows, columns), parameters in alike.items():
                directions = orthogonalize(torch.stack([self._momentum(parameter) for parameter in parameters]))
                for parameter, direction in zip(parameters, directions, strict=True):
                    parameter.add_(direction.view_as(parameter), alpha=-group["lr"] * max(1.0, rows / columns) ** 0.5)

    def _momentum(self, parameter: Tensor) -> Tensor:
        """Nesterov's momentum of a matrix, (rows, columns)."""
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None
        momentum = state.setdefault("momentum", torch.zeros_like(parameter))
        momentum.mul_(_MOMENTUM).add_(gradient)
        return (gradient + _MOMENTUM * momentum).flatten(1)

    def _adam(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state, gradient = self.state[parameter], parameter.grad
        if not state:
            state["step"] = torch.zeros(())
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        first, second = group["betas"]
        state["step"] += 1
        count = float(state["step"])
        state["exp_avg"].lerp_(gradient, 1 - first)
        state["exp_avg_sq"].mul_(second).addcmul_(gradient, gradient, value=1 - second)
        spread = (state["exp_avg_sq"] / (1 - second**count)).sqrt_().add_(1e-8)
        parameter.addcdiv_(state["exp_avg"], spread, value=-group["lr"] / (1 - first**count))
