"""Muon's steps: orthogonal directions, for matrices of one shape at once, in float32 and bf16."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from train.muon import MuonAdamW, orthogonalize


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("shape", [(8, 8), (6, 24), (24, 6)])
def test_directions_are_about_orthogonal(monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int], bf16: bool) -> None:
    monkeypatch.setattr("train.muon.native_bf16", lambda device: bf16)
    matrices = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    directions = orthogonalize(matrices)
    assert directions.shape == matrices.shape and directions.dtype == torch.float32
    for matrix, direction in zip(matrices, directions, strict=True):
        sizes = torch.linalg.svdvals(direction)
        assert sizes.max() < 1.3 and sizes.median() > 0.6
        assert (matrix * direction).sum() > 0, "the same way as the matrix"
        torch.testing.assert_close(direction, orthogonalize(matrix[None])[0], rtol=0, atol=0.02 if bf16 else 1e-5)


def test_a_step_moves_each_matrix_by_its_own_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels and matrices of one shape are taken together, and do not mix; tall ones move further."""
    monkeypatch.setattr("train.muon.native_bf16", lambda device: False)
    rng = torch.Generator().manual_seed(1)
    shapes = [(4, 18), (4, 2, 3, 3), (18, 4), (4, 18)]
    weights = [nn.Parameter(torch.zeros(shape)) for shape in shapes]
    for weight in weights[:3]:  # the last one has none
        weight.grad = torch.randn(weight.shape, generator=rng)
    group = {"params": weights, "lr": 0.1, "weight_decay": 0.0, "muon": True}
    MuonAdamW([group], (0.9, 0.95)).step()
    for weight, scale in zip(weights[:3], (1.0, 1.0, (18 / 4) ** 0.5), strict=True):
        assert weight.grad is not None
        expected = -0.1 * scale * orthogonalize(weight.grad.flatten(1)[None])[0]
        torch.testing.assert_close(weight.detach().flatten(1), expected, rtol=1e-3, atol=1e-4)
    assert not weights[3].any()
