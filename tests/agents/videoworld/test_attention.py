"""Attention by plain products gives what the library's kernel gives."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from agents.videoworld.attention import attend


@pytest.mark.parametrize("kind", ["none", "bool", "additive"])
@pytest.mark.parametrize("autocast", [False, True])
def test_products_are_the_kernels(kind: str, autocast: bool) -> None:
    """Values and gradients agree with float32 as far as bf16 goes, with and without autocast."""
    torch.manual_seed(0)
    exact = [torch.randn(2, 3, count, 8) for count in (5, 7, 7)]
    allowed = torch.rand(2, 1, 5, 7) > 0.4
    allowed[..., 0] = True
    additive = torch.zeros(2, 1, 5, 7).masked_fill(~allowed, torch.finfo(torch.float32).min)
    mask = {"none": None, "bool": allowed, "additive": additive}[kind]
    results = []
    for dtype in (torch.float32, torch.float32 if autocast else torch.bfloat16):
        q, k, v = (x.to(dtype, copy=True).requires_grad_() for x in exact)
        low = bool(results)
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast and low):
            mixed = attend(q, k, v, mask) if low else F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        assert mixed.dtype == (torch.bfloat16 if low else torch.float32)
        mixed.float().square().sum().backward()
        results.append((mixed.float(), q.grad.float(), k.grad.float(), v.grad.float()))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0.1, atol=0.08)
    assert not torch.equal(results[0][0], results[1][0])


def test_without_gradients_it_is_the_kernel() -> None:
    q = torch.randn(1, 2, 4, 8)
    assert torch.equal(attend(q, q, q), F.scaled_dot_product_attention(q, q, q))
    with torch.no_grad():
        half = q.bfloat16()
        assert torch.equal(attend(half, half, half), F.scaled_dot_product_attention(half, half, half))
