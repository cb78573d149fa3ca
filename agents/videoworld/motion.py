"""Motion codes: all that changes between two frames of a moving scene is a few small FSQ codes, without a place.

Where a camera rides on the arm every pixel changes, so that no place stands out; what frames leave open is how the arm
moves and what its gripper does, a handful of numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agents.videoworld.config import DynamicsConfig
from agents.videoworld.layers import Quantizer, Residual, norm
from agents.videoworld.where_what import PaintBlock


class MotionEncoder(nn.Module):
    """Frames before and after (N, 3, H, W) -> what moved (N, numbers), unbounded."""

    def __init__(self, c: DynamicsConfig, numbers: int):
        super().__init__()
        block = {"kernel": 3, "groups": c.groups}
        layers: list[nn.Module] = [nn.Conv2d(9, c.widths[0], c.patch, stride=c.patch)]
        for i, width in enumerate(c.widths):
            if i > 0:
                layers.append(nn.Conv2d(c.widths[i - 1], width, 2, stride=2))
            layers += [Residual(width, width, **block) for _ in range(c.blocks)]
        rows, columns = c.grid
        layers += [norm(c.widths[-1], c.groups), nn.SiLU(), nn.Flatten()]
        layers += [nn.Linear(c.widths[-1] * rows * columns, 4 * c.width), nn.SiLU(), nn.Linear(4 * c.width, numbers)]
        self.layers = nn.Sequential(*layers)

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        return self.layers(torch.cat([before, after, after - before], dim=1))


class MotionPainter(nn.Module):
    """Frame (N, 3, H, W) and code vectors (N, numbers) -> the next frame."""

    def __init__(self, c: DynamicsConfig, numbers: int):
        super().__init__()
        width = c.width
        self.look = nn.Conv2d(3, width, c.patch, stride=c.patch)
        self.position = nn.Parameter(torch.zeros(width, *c.squares(c.patch)))
        self.listen = nn.Linear(numbers, 2 * width * c.paint_blocks)  # scale and shift of every block
        self.blocks = nn.ModuleList(PaintBlock(width, c.groups) for _ in range(c.paint_blocks))
        out = nn.Conv2d(width, 3 * c.patch**2, 1)
        nn.init.zeros_(out.weight)  # at first the next frame is the same frame
        self.head = nn.Sequential(norm(width, c.groups), nn.SiLU(), out, nn.PixelShuffle(c.patch))

    def forward(self, frame: Tensor, vectors: Tensor) -> Tensor:
        x = self.look(frame) + self.position
        told = self.listen(vectors).unflatten(1, (len(self.blocks), 2, -1, 1, 1))  # (N, blocks, 2, C, 1, 1)
        for i, block in enumerate(self.blocks):
            x = block(x * (1 + told[:, i, 0]) + told[:, i, 1])
        return frame + self.head(x)


class MotionCodes(nn.Module):
    """Encoder, `parts` codes a step and painter. Codes are int64 (B, H, parts) in [0, prod(levels))."""

    def __init__(self, c: DynamicsConfig):
        super().__init__()
        self.config = c
        numbers = c.parts * len(c.levels)
        self.encoder = MotionEncoder(c, numbers)
        self.quantizer = Quantizer(c.levels * c.parts, numbers, whiten=c.whiten)
        self.painter = MotionPainter(c, numbers)
        self.part = Quantizer(c.levels, len(c.levels))  # for its arithmetic alone: it has no weights

    def forward(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        """Clip (B, H+1, 3, H, W) -> painted clip of the same shape, codes (B, H, parts)."""
        vectors, codes = self._say(clip)
        return self._paint(clip[:, 0], vectors), codes

    def read(self, clip: Tensor) -> Tensor:
        """Clip (B, H+1, 3, H, W) -> codes (B, H, parts) int64, without painting."""
        return self._say(clip)[1]

    def paint(self, first: Tensor, codes: Tensor) -> Tensor:
        """First frame (B, 3, H, W) and codes (B, H, parts) -> clip (B, H+1, 3, H, W)."""
        return self._paint(first, self.vectors(codes))

    def vectors(self, codes: Tensor) -> Tensor:
        """Codes (..., parts) -> their FSQ vectors (..., parts * levels) float32 in [-1, 1]."""
        return self.part.vectors(codes).flatten(-2)

    def _say(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        steps = clip.shape[1] - 1
        said = self.encoder(clip[:, :-1].flatten(0, 1), clip[:, 1:].flatten(0, 1))
        vectors = self.quantizer(said)[0]  # (B*H, parts * levels)
        codes = self.part.ids(vectors.detach().unflatten(1, (self.config.parts, -1)))
        return vectors.unflatten(0, (-1, steps)), codes.unflatten(0, (-1, steps))

    def _paint(self, first: Tensor, vectors: Tensor) -> Tensor:
        """Frame by frame, each from the painter's own last one."""
        frames = [first]
        for k in range(vectors.shape[1]):
            frames.append(self.painter(frames[-1], vectors[:, k]))
        return torch.stack(frames, dim=1)
