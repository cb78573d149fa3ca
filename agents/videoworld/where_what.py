"""Where-what codes: a change between two frames is a place on a grid and a small content code for that place.

The code says only what the frame before leaves open; everything that follows from it is the painter's to work out.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.videoworld.config import DynamicsConfig
from agents.videoworld.layers import Quantizer, Residual, norm

PRIOR = 8.0  # logit of a place with a most unusual change, before anything is learned: sure, yet open to being overruled


class Unusual(nn.Module):
    """How far a measurement (N, places) is from its running mean at each place, in units of the overall spread.

    A change that every clip shows (a turn marker) thus counts for little.
    """

    mean: Tensor
    variance: Tensor
    updates: Tensor

    def __init__(self, places: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(places))
        self.register_buffer("variance", torch.ones(()))
        self.register_buffer("updates", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.updates += 1
            rate = (1 / self.updates).clamp(min=0.01)
            self.mean.lerp_(x.mean(0), rate)
            self.variance.lerp_((x - self.mean).square().mean(), rate)
        return (x - self.mean) * (self.variance + 1e-8).rsqrt()


class ChangeEncoder(nn.Module):
    """Frames before and after (N, 3, H, W) -> logits of the place (N, h*w) and content at every place (N, h*w, C).

    The logits start out as how unusual the amount of change at a place is: with a random start instead, place and painter
    settle on a habit that serves some of the clips, such as those of one colour. A step's code comes from these two frames
    alone, so it never depends on a later one.
    """

    def __init__(self, c: DynamicsConfig):
        super().__init__()
        block = {"kernel": 3, "groups": c.groups}
        layers: list[nn.Module] = [nn.Conv2d(9, c.widths[0], c.patch, stride=c.patch)]
        for i, width in enumerate(c.widths):
            if i > 0:
                layers.append(nn.Conv2d(c.widths[i - 1], width, 2, stride=2))
            layers += [Residual(width, width, **block) for _ in range(c.blocks)]
        head = nn.Conv2d(c.widths[-1], 1 + len(c.levels), 1)
        nn.init.zeros_(head.weight[:1])
        layers += [norm(c.widths[-1], c.groups), nn.SiLU(), head]
        self.layers = nn.Sequential(*layers)
        self.square = c.frame_size // c.grid[0]
        self.unusual = Unusual(math.prod(c.grid))

    def forward(self, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        change = after - before
        x = self.layers(torch.cat([before, after, change], dim=1))  # (N, 1 + C, h, w)
        x = x.flatten(2).transpose(1, 2)  # (N, h*w, 1 + C)
        amount = F.avg_pool2d(change.abs().mean(1), self.square).flatten(1)  # (N, h*w)
        return x[..., 0] + PRIOR * torch.tanh(self.unusual(amount) / 2), x[..., 1:]


class PaintBlock(Residual):
    """Residual block that also tells every position the mean and the maximum over all of them."""

    def __init__(self, channels: int, groups: int):
        super().__init__(channels, channels, kernel=3, groups=groups)
        self.overview = nn.Linear(2 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.silu(self.norm1(x)))
        overview = self.overview(torch.cat([y.mean((2, 3)), y.amax((2, 3))], dim=1))
        return x + self.conv2(F.silu(self.norm2(y + overview[..., None, None])))


class Painter(nn.Module):
    """Frame (N, 3, H, W) and content on the grid (N, C, h, w), zero where nothing is said -> the next frame."""

    def __init__(self, c: DynamicsConfig):
        super().__init__()
        width, scale = c.width, 2 ** (len(c.multipliers) - 1)
        self.look = nn.Conv2d(3, width, c.patch, stride=c.patch)
        self.listen = nn.ConvTranspose2d(width, width, scale, stride=scale, bias=False)
        self.blocks = nn.Sequential(*(PaintBlock(width, c.groups) for _ in range(c.paint_blocks)))
        out = nn.Conv2d(width, 3 * c.patch**2, 1)
        nn.init.zeros_(out.weight)  # at first the next frame is the same frame
        self.head = nn.Sequential(norm(width, c.groups), nn.SiLU(), out, nn.PixelShuffle(c.patch))

    def forward(self, frame: Tensor, content: Tensor) -> Tensor:
        return frame + self.head(self.blocks(self.look(frame) + self.listen(content)))


class WhereWhat(nn.Module):
    """Encoder, code and painter. Code id = where * n_what + what, where = row-major cell of the grid."""

    def __init__(self, c: DynamicsConfig):
        super().__init__()
        self.config = c
        self.encoder = ChangeEncoder(c)
        self.quantizer = Quantizer(c.levels, len(c.levels), whiten=True)
        self.say = nn.Sequential(nn.Linear(len(c.levels), c.width), nn.SiLU(), nn.Linear(c.width, c.width))
        self.painter = Painter(c)

    def forward(self, clip: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Clip (B, H+1, 3, H, W) -> painted clip of the same shape, where and what (B, H)."""
        steps = clip.shape[1] - 1
        logits, content = self.encoder(clip[:, :-1].flatten(0, 1), clip[:, 1:].flatten(0, 1))
        place = self._choose(logits)  # (B*H, h*w), one-hot
        vectors, what = self.quantizer(torch.einsum("np,npc->nc", place, content))  # (B*H, levels), (B*H,)
        spots = torch.einsum("np,nc->ncp", place, self.say(vectors)).unflatten(2, self.config.grid)  # (B*H, C, h, w)
        painted = self._paint(clip[:, 0], spots.unflatten(0, (-1, steps)))
        return painted, place.argmax(-1).view(-1, steps), what.view(-1, steps)

    def read(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        """Clip (B, H+1, 3, H, W) -> where and what (B, H) int64, without painting."""
        steps = clip.shape[1] - 1
        logits, content = self.encoder(clip[:, :-1].flatten(0, 1), clip[:, 1:].flatten(0, 1))
        where = logits.argmax(-1)
        what = self.quantizer(content[torch.arange(len(where), device=where.device), where])[1]
        return where.view(-1, steps), what.view(-1, steps)

    def paint(self, first: Tensor, where: Tensor, what: Tensor) -> Tensor:
        """First frame (B, 3, H, W), where and what (B, H) -> clip (B, H+1, 3, H, W)."""
        height, width = self.config.grid
        place = F.one_hot(where, height * width).float()  # (B, H, h*w)
        spots = torch.einsum("bkp,bkc->bkcp", place, self.say(self.quantizer.lookup(what)))
        return self._paint(first, spots.unflatten(3, self.config.grid))

    def _choose(self, logits: Tensor) -> Tensor:
        """One-hot place with the gradient of a soft one. In training Gumbel noise makes the choice a sample of it."""
        logits = logits.float()
        if self.training and self.config.noise:
            logits = logits - self.config.noise * torch.empty_like(logits).exponential_().log()
        soft = (logits / self.config.temperature).softmax(-1)
        hard = F.one_hot(logits.argmax(-1), logits.shape[-1]).float()
        return hard + soft - soft.detach()

    def _paint(self, first: Tensor, spots: Tensor) -> Tensor:
        """Frame by frame, each from the painter's own last one: (B, 3, H, W), (B, H, C, h, w) -> (B, H+1, 3, H, W)."""
        frames = [first]
        for k in range(spots.shape[1]):
            frames.append(self.painter(frames[-1], spots[:, k]))
        return torch.stack(frames, dim=1)
