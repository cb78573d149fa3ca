"""Where-what codes: a change between two frames is a place on a grid and a small content code for that place.

The code says only what the frame before leaves open; everything that follows from it is the painter's to work out.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.videoworld.config import DynamicsConfig
from agents.videoworld.layers import Quantizer, Residual, norm

PRIOR, LEARNED = 8.0, 1.0  # logit of the place where most appears; how far what is learned can raise or lower a logit
CHANGED = 0.5  # weight of a pixel's mere change beside its move away from the usual colour


class Appearing(nn.Module):
    """Frames before and after (N, 3, H, W) -> how much appears in each grid square (N, h*w): mostly 0, else near 1.

    A pixel counts as far as it moves away from its usual colour, the running mean over training. So what comes counts,
    what goes does not, and neither does what swings around its mean (a turn marker). Where stones stand in most frames,
    their mean is no more usual than the empty board; there a change counts in itself, by what exceeds twice the usual
    change.
    """

    usual: Tensor
    usual_change: Tensor
    square: Tensor
    updates: Tensor

    def __init__(self, frame_shape: tuple[int, int], side: int):
        super().__init__()
        self.side = side
        self.register_buffer("usual", torch.zeros(3, *frame_shape))
        self.register_buffer("usual_change", torch.zeros(*frame_shape))
        self.register_buffer("square", torch.ones(()))  # running mean of the squared amounts
        self.register_buffer("updates", torch.zeros(()))

    @torch.no_grad()
    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        change = (after - before).abs().mean(1)  # (N, H, W)
        if self.training:
            self.updates += 1
            rate = (1 / self.updates).clamp(min=0.01)
            self.usual.lerp_((before.mean(0) + after.mean(0)).float() / 2, rate)
            self.usual_change.lerp_(change.mean(0).float(), rate)
        oddness = [(frame - self.usual).abs().mean(1) for frame in (before, after)]  # (N, H, W) each
        amount = F.relu(oddness[1] - oddness[0]) + CHANGED * F.relu(change - 2 * self.usual_change)
        amount = F.avg_pool2d(amount, self.side).flatten(1)
        if self.training:
            self.square.lerp_(amount.square().amax(1).mean().float(), rate)
        return amount * (self.square + 1e-8).rsqrt()


class ChangeEncoder(nn.Module):
    """Frames before and after (N, 3, H, W) -> logits of the place (N, h*w) and content at every place (N, h*w, C).

    The logits are mostly what appears at a place; what is learned decides close calls. Left to learn the rest, place
    and painter settle on habits that serve some of the clips only: those of one colour, or, where stones are captured,
    the place they vanish from. A step's code comes from its two frames alone, so it never depends on a later one.
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
        self.appearing = Appearing(c.frame_shape, c.frame_shape[0] // c.grid[0])

    def forward(self, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        x = self.layers[1:](self._look(before, after))  # (N, 1 + C, h, w)
        x = x.flatten(2).transpose(1, 2)  # (N, h*w, 1 + C)
        return LEARNED * torch.tanh(x[..., 0]) + PRIOR * self.appearing(before, after), x[..., 1:]

    def _look(self, before: Tensor, after: Tensor) -> Tensor:
        """The first convolution, of both frames and their difference, without laying these side by side."""
        first = self.layers[0]
        assert isinstance(first, nn.Conv2d)
        old, new, change = first.weight.chunk(3, 1)
        seen = F.conv2d(before, old - change, stride=first.stride)
        return seen + F.conv2d(after, new + change, first.bias, first.stride)


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
        self.quantizer = Quantizer(c.levels, len(c.levels), whiten=c.whiten)
        self.say = nn.Sequential(nn.Linear(len(c.levels), c.width), nn.SiLU(), nn.Linear(c.width, c.width))
        self.painter = Painter(c)

    def forward(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        """Clip (B, H+1, 3, H, W) -> painted clip of the same shape, codes (B, H, 1)."""
        steps = clip.shape[1] - 1
        logits, content = self.encoder(*_changes(clip))
        place = self._choose(logits)  # (B*H, h*w), one-hot
        vectors, what = self.quantizer(torch.einsum("np,npc->nc", place, content))  # (B*H, levels), (B*H,)
        spots = torch.einsum("np,nc->ncp", place, self.say(vectors)).unflatten(2, self.config.grid)  # (B*H, C, h, w)
        painted = self._paint(clip[:, 0], spots.unflatten(0, (-1, steps)))
        return painted, (place.argmax(-1) * self.quantizer.size + what).view(-1, steps, 1)

    def read(self, clip: Tensor) -> Tensor:
        """Clip (B, H+1, 3, H, W) -> codes (B, H, 1) int64, without painting."""
        steps = clip.shape[1] - 1
        logits, content = self.encoder(*_changes(clip))
        where = logits.argmax(-1)
        what = self.quantizer(content[torch.arange(len(where), device=where.device), where])[1]
        return (where * self.quantizer.size + what).view(-1, steps, 1)

    def paint(self, first: Tensor, codes: Tensor) -> Tensor:
        """First frame (B, 3, H, W) and codes (B, H, 1) -> clip (B, H+1, 3, H, W)."""
        height, width = self.config.grid
        where, what = codes[..., 0] // self.quantizer.size, codes[..., 0] % self.quantizer.size
        place = F.one_hot(where, height * width).float()  # (B, H, h*w)
        spots = torch.einsum("bkp,bkc->bkcp", place, self.say(self.quantizer.lookup(what)))
        return self._paint(first, spots.unflatten(3, self.config.grid))

    def _choose(self, logits: Tensor) -> Tensor:
        """One-hot place with the gradient of a soft one. Gumbel noise, in training only, makes the choice a sample."""
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


def _changes(clip: Tensor) -> tuple[Tensor, Tensor]:
    """Clip (B, H+1, 3, H, W) -> frames before and after each change (B*H, 3, H, W), each in order in memory."""
    return clip[:, :-1].flatten(0, 1).contiguous(), clip[:, 1:].flatten(0, 1).contiguous()
