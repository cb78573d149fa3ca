"""FrameTokenizer: one frame becomes a small grid of ids, each with its own square of the picture, and back."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.videoworld.config import TokenizerConfig
from agents.videoworld.layers import Attention, Down, Quantizer, Residual, Up, full_precision, norm, to_float, to_uint8


def level(inputs: int, outputs: int, blocks: int, attention: bool, c: TokenizerConfig) -> nn.Sequential:
    """The residual blocks of one resolution, with attention after each where asked for; the first changes the width."""
    layers: list[nn.Module] = []
    for i in range(blocks):
        layers.append(Residual(outputs if i else inputs, outputs, kernel=c.kernel, groups=c.groups))
        if attention:
            layers.append(Attention(outputs, c.groups))
    return nn.Sequential(*layers)


def refine(channels: int, c: TokenizerConfig) -> list[nn.Module]:
    """The middle stacks at the coarsest resolution."""
    layers: list[nn.Module] = []
    for _ in range(c.refine):
        layers.append(Residual(channels, channels, kernel=c.kernel, groups=c.groups))
        layers.append(Attention(channels, c.groups))
        layers.append(Residual(channels, channels, kernel=c.kernel, groups=c.groups))
    return layers


class FrameEncoder(nn.Module):
    """(N, 3, H, W) pixels in [-1, 1] -> (N, code_channels, *code_grid)."""

    def __init__(self, c: TokenizerConfig):
        super().__init__()
        widths, last = c.widths, len(c.widths) - 1
        layers: list[nn.Module] = []
        if c.patch == 1:
            layers.append(nn.Conv2d(3, widths[0], 3, padding=1))
        else:
            layers.append(nn.Conv2d(3, widths[0], c.patch, stride=c.patch))
        for i, width in enumerate(widths):
            layers.append(level(widths[max(i - 1, 0)], width, c.encoder_blocks, i > last - c.attention, c))
            if i < last:
                layers.append(Down(width, c.kernel))
        layers += refine(widths[-1], c)
        layers += [norm(widths[-1], c.groups), nn.SiLU()]
        layers.append(nn.Conv2d(widths[-1], c.code_channels, c.kernel, padding=c.kernel // 2))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class FrameDecoder(nn.Module):
    """(N, code_channels, *code_grid) -> (N, 3, H, W) pixels, about [-1, 1], not clamped."""

    def __init__(self, c: TokenizerConfig):
        super().__init__()
        widths, last = c.widths[::-1], len(c.widths) - 1
        self.stem = nn.Conv2d(c.code_channels, widths[0], c.kernel, padding=c.kernel // 2)
        self.position = nn.Parameter(torch.zeros(widths[0], *c.code_grid)) if c.position else None
        layers = refine(widths[0], c)
        for i, width in enumerate(widths):
            layers.append(level(widths[max(i - 1, 0)], width, c.decoder_blocks, i < c.attention, c))
            if i < last:
                layers.append(Up(width, c.kernel))
        layers += [norm(widths[-1], c.groups), nn.SiLU()]
        if c.patch == 1:
            layers.append(nn.Conv2d(widths[-1], 3, 3, padding=1))
        else:
            layers += [nn.Conv2d(widths[-1], 3 * c.patch**2, 1), nn.PixelShuffle(c.patch)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.layers(x if self.position is None else x + self.position)


class FrameTokenizer(nn.Module):
    """Frame <-> grid of FSQ ids.

    Frames are (..., H, W, 3), uint8 or float in [-1, 1], with any leading dimensions, usually (B, T); (H, W) is
    config.frame_shape. Ids are (..., h, w) int64 in [0, codebook_size). `forward` trains, `encode` and `decode` serve.
    """

    def __init__(self, config: TokenizerConfig):
        super().__init__()
        self.config = config
        self.grid, self.levels = config.grid, config.levels * config.parts**2
        self.codebook_size = math.prod(self.levels)
        channels = config.code_channels
        self.encoder = FrameEncoder(config)
        self.post_encode = nn.Conv2d(channels, channels, 1)
        self.quantizer = Quantizer(config.levels, channels, whiten=config.whiten, anneal=config.anneal)
        self.pre_decode = nn.Conv2d(channels, channels, 1)
        self.decoder = FrameDecoder(config)

    def forward(self, frames: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Reconstruction loss of `frames` and what to log.

        `clean` is the share of frames in which no pixel is off by more than 16 grey levels, `codes` the number of
        different codes (of tokens' parts) in the batch.
        """
        x = self._channels_first(frames)  # (N, 3, H, W)
        quantized, ids = self._quantize(x)
        error = self._paint(quantized).float() - x
        l1, mse = error.abs().mean(), error.square().mean()
        loss = self.config.l1 * l1 + self.config.mse * mse
        if self.config.worst:
            per_pixel = error.square().mean(1).flatten()  # (N*H*W,)
            loss = loss + self.config.worst * per_pixel.topk(max(1, len(per_pixel) // 1000)).values.mean()
        clean = (error.detach().abs().amax((1, 2, 3)) <= 16 / 127.5).float().mean()
        metrics = {"loss": loss.detach(), "l1": l1.detach(), "mse": mse.detach(), "clean": clean}
        metrics["codes"] = torch.tensor(float(ids.unique().numel()))
        return loss, metrics

    @torch.no_grad()
    def encode(self, frames: Tensor) -> Tensor:
        """Frames (..., H, W, 3) -> ids (..., h, w) int64. In float32 under any autocast: ids never depend on it."""
        with full_precision(frames):
            ids = self._join(self._quantize(self._channels_first(frames).float())[1])
        return ids.unflatten(0, frames.shape[:-3])

    @torch.no_grad()
    def decode(self, ids: Tensor) -> Tensor:
        """Ids (..., h, w) -> frames (..., H, W, 3) uint8."""
        pixels = self._paint(self.quantizer.lookup(self._split(ids.flatten(0, -3))))  # (N, 3, H, W)
        return to_uint8(pixels.movedim(1, -1)).unflatten(0, ids.shape[:-2])

    def vectors(self, ids: Tensor) -> Tensor:
        """Ids (...) -> their FSQ code vectors (..., len(levels)) float32 in [-1, 1], part by part."""
        return self.quantizer.vectors(self._digits(ids)).flatten(-2)

    def _digits(self, ids: Tensor) -> Tensor:
        """Ids (...) -> ids of their parts (..., parts^2), row-major, the first the least significant."""
        size = math.prod(self.config.levels)
        return ids[..., None] // size ** torch.arange(self.config.parts**2, device=ids.device) % size

    def _split(self, ids: Tensor) -> Tensor:
        """Ids (N, h, w) -> ids of the parts on their own, finer grid (N, h * parts, w * parts)."""
        return F.pixel_shuffle(self._digits(ids).movedim(-1, 1), self.config.parts)[:, 0]

    def _join(self, parts: Tensor) -> Tensor:
        """The inverse of _split."""
        digits = F.pixel_unshuffle(parts[:, None], self.config.parts)  # (N, parts^2, h, w)
        weights = math.prod(self.config.levels) ** torch.arange(digits.shape[1], device=parts.device)
        return (digits * weights[:, None, None]).sum(1)

    def _channels_first(self, frames: Tensor) -> Tensor:
        height, width = self.config.frame_shape
        if tuple(frames.shape[-3:]) != (height, width, 3):
            raise ValueError(f"frames are {tuple(frames.shape)}, but this tokenizer reads (..., {height}, {width}, 3)")
        return to_float(frames).flatten(0, -4).movedim(-1, 1)

    def _quantize(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = self.post_encode(self.encoder(x))  # (N, C, h, w)
        return self.quantizer(z.movedim(1, -1))  # (N, h, w, C), (N, h, w)

    def _paint(self, quantized: Tensor) -> Tensor:
        return self.decoder(self.pre_decode(quantized.movedim(-1, 1)))
