"""What comes next, and how many are left: read off a map of the places that have yet to be told.

Answers list things in reading order, boards row by row and tabletops from left to right, and call each by what is seen
at one place. So words need not search: they are given what the cell of the first place that is left holds, in both
orders, and how many places are left. Attention, a mean, can do neither.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from agents.pixellm.config import PixelLMConfig

_MOST = 40  # places that are counted one by one
_LOUD = 16.0  # norm of what tells a number, about that of what cells hold; one of 1 was hardly learned in 500 steps
_SPREAD = 0.4  # places; how far from a number a sum of likelihoods may be and still look like it


@dataclass(frozen=True)
class Places:
    """The n cells of F frames as they are pointed at.

    Attributes:
        values: (F, n, dim), what they hold, row by row.
        across: (F, n, dim), the same in the order of places from left to right.
        order: int64 (F, n), which cell comes when from left to right.
        offsets: (F, n), logits of how far to the right in its cell a place lies, 0..1 of its width.
    """

    values: Tensor
    across: Tensor
    order: Tensor
    offsets: Tensor

    def of(self, pictures: Tensor) -> Places:
        """The same for questions, each with the frame of its number in `pictures`, int64 (B,)."""
        return Places(*(part[pictures] for part in vars(self).values()))


def first(left: Tensor) -> Tensor:
    """How likely each of n cells is the first that is left, (..., n): it is, and none before it is.

    left: float32 (..., n), how likely each is left, in the cells' order.
    """
    none = torch.log1p(-left.clamp(max=1 - 1e-6))
    return left * torch.exp(none.cumsum(-1) - none)


class Pointing(nn.Module):
    """What words get from the places that are left; nothing in the beginning."""

    def __init__(self, c: PixelLMConfig) -> None:
        super().__init__()
        self.grid = c.grid
        self.offset, self.value = nn.Linear(c.vision_width, 1), nn.Linear(c.vision_width, c.dim)
        self.out = nn.Linear(2 * c.dim, c.dim, bias=False)
        self.count = nn.Linear(_MOST + 2, c.dim, bias=False)
        for part in (self.out, self.count):
            nn.init.zeros_(part.weight)

    def places(self, x: Tensor) -> Places:
        """What cells hold and how they are ordered; x: (F, n, width), the tower's deepest features, row by row."""
        offsets, values = self.offset(x)[..., 0], self.value(x)
        columns = torch.arange(self.grid, device=x.device).repeat(self.grid)
        order = (columns + offsets.detach().float().sigmoid()).argsort(dim=-1, stable=True)
        return Places(values, values.gather(1, order[..., None].expand_as(values)), order, offsets)

    def forward(self, left: Tensor, places: Places) -> Tensor:
        """left: float32 (F, L, n), how likely each cell is a place that is left -> (F, L, dim)."""
        sorted_left = left.gather(-1, places.order[:, None].expand_as(left))
        found = torch.cat(
            [
                first(cells).to(values.dtype) @ values
                for cells, values in ((left, places.values), (sorted_left, places.across))
            ],
            -1,
        )
        number = left.sum(-1, keepdim=True)
        apart = number - torch.arange(_MOST + 1, device=left.device)
        shown = _LOUD * torch.cat([torch.exp(-0.5 * (apart / _SPREAD) ** 2), number / _MOST], -1)
        return self.out(found) + self.count(shown.to(found.dtype))
