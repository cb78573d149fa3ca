"""Scaled dot-product attention, by whatever is fastest where it runs."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Queries (..., n, size), keys and values (..., m, size) -> (..., n, size).

    mask: bool, True where a query may look, at least at one key each, or additive; broadcast to (..., n, m).

    In bf16 on a CPU the library's fused kernel needs two to eight times as long as plain products for a step forwards
    and backwards, so that these train; in float32, and without gradients, it is the faster one.
    """
    if not (torch.is_grad_enabled() and _in_bf16_on_cpu(q)):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    q, k, v = q.bfloat16(), k.bfloat16(), v.bfloat16()
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if mask is not None:
        if mask.dtype == torch.bool:  # smaller than the scores, which would be copied to be filled
            mask = torch.zeros_like(mask, dtype=scores.dtype).masked_fill(~mask, torch.finfo(scores.dtype).min)
        scores = scores + mask.to(scores.dtype)
    return scores.softmax(-1) @ v


def _in_bf16_on_cpu(x: Tensor) -> bool:
    if x.device.type != "cpu":
        return False
    if torch.is_autocast_enabled("cpu"):
        return torch.get_autocast_dtype("cpu") == torch.bfloat16
    return x.dtype == torch.bfloat16
