"""LatentDynamicsModel: what happens in a clip becomes one code per step, and the codes make the clip again."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from agents.videoworld.causal3d import ClipDecoder, ClipEncoder
from agents.videoworld.config import DynamicsConfig
from agents.videoworld.layers import Quantizer, full_precision, to_float, to_uint8
from agents.videoworld.motion import MotionCodes
from agents.videoworld.query_transformer import QueryReadout
from agents.videoworld.where_what import WhereWhat


class QueryCodes(nn.Module):
    """The published network: causal 3-D encoder, one learned query per step, FSQ, causal 3-D decoder.

    Unlike WhereWhat it paints the first frame too, and a code may carry a trace of later frames:
    the encoder's last norm pools its statistics over the clip (causal3d.py).
    """

    def __init__(self, c: DynamicsConfig):
        super().__init__()
        self.encoder = ClipEncoder(c)
        self.readout = QueryReadout(c.widths[-1], c.horizon)
        self.quantizer = Quantizer(c.levels, c.widths[-1])
        self.decoder = ClipDecoder(c)

    def forward(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        """Clip (B, H+1, 3, h, w) -> painted clip of the same shape, codes (B, H, 1)."""
        features, lead_in = self.encoder(clip.transpose(1, 2))
        said, codes = self.quantizer(self.readout(features))  # (B, H, C), (B, H)
        return self.decoder(lead_in, said).transpose(1, 2), codes[..., None]

    def read(self, clip: Tensor) -> Tensor:
        """Clip (B, H+1, 3, h, w) -> codes (B, H, 1), without painting."""
        return self.quantizer(self.readout(self.encoder(clip.transpose(1, 2))[0]))[1][..., None]

    def paint(self, first: Tensor, codes: Tensor) -> Tensor:
        """First frame (B, 3, h, w) and codes (B, H, 1) -> clip (B, H+1, 3, h, w)."""
        lead_in = self.encoder.lead_in(first[:, :, None])
        return self.decoder(lead_in, self.quantizer.lookup(codes[..., 0])).transpose(1, 2)


class LatentDynamicsModel(nn.Module):
    """Clip of H+1 frames <-> H x K latent codes. A where-what code is where * n_what + what, its place row-major.

    Clips are (B, H+1, h, w, 3), uint8 or float in [-1, 1]; (h, w) = config.frame_shape, H = config.horizon (the
    where-what and the motion read-out take any H). Codes are (B, H, K) int64 in [0, codebook_size), K = n_codes; those
    of step k depend on frames 0..k only. `forward` trains, `encode` and `decode` serve.
    """

    def __init__(self, config: DynamicsConfig):
        super().__init__()
        self.config = config
        self.n_codes = config.parts
        self.n_what = math.prod(config.levels)
        self.n_where = math.prod(config.grid) if config.readout == "where_what" else 1
        self.codebook_size = self.n_where * self.n_what
        nets: dict[str, type[WhereWhat | MotionCodes | QueryCodes]]
        nets = {"where_what": WhereWhat, "motion": MotionCodes, "query": QueryCodes}
        self.net = nets[config.readout](config)

    def forward(self, clip: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Reconstruction loss of `clip` and what to log.

        Pixels that change from one frame to the next weigh 1 + config.changed. `clean` is the share of clips in which
        no pixel is off by more than 16 grey levels, `codes` the number of different codes in the batch.
        """
        x = self._channels_first(clip)  # (B, H+1, 3, h, w)
        painted, said = self.net(x)
        error = painted.float() - x
        changed = (x[:, 1:] != x[:, :-1]).any(2, keepdim=True)  # (B, H, 1, h, w)
        weight = 1 + self.config.changed * torch.cat([torch.zeros_like(changed[:, :1]), changed], dim=1)
        if self.config.readout != "query":  # the first frame is given, not painted
            error, weight = error[:, 1:], weight[:, 1:]
        l1, mse = (weight * error.abs()).mean(), (weight * error.square()).mean()
        loss = self.config.l1 * l1 + self.config.mse * mse
        clean = (error.detach().abs().amax((1, 2, 3, 4)) <= 16 / 127.5).float().mean()
        codes = said.unique().numel()
        metrics = {"loss": loss, "l1": error.abs().mean(), "mse": error.square().mean(), "clean": clean}
        return loss, {**{k: v.detach() for k, v in metrics.items()}, "codes": torch.tensor(float(codes))}

    @torch.no_grad()
    def encode(self, clip: Tensor) -> Tensor:
        """Clip (B, H+1, h, w, 3) -> codes (B, H, 1) int64, in float32 under any autocast: codes never depend on it.

        A query model of single changes (config.horizon 1) takes a longer clip change by change.
        """
        if self.config.readout == "query" and self.config.horizon == 1 and clip.shape[1] > 2:
            pairs = torch.stack([clip[:, :-1], clip[:, 1:]], 2)  # (B, H, 2, h, w, 3)
            return self.encode(pairs.flatten(0, 1)).unflatten(0, pairs.shape[:2])[:, :, 0]
        with full_precision(clip):
            return self.net.read(self._channels_first(clip).float())

    @torch.no_grad()
    def decode(self, first_frame: Tensor, codes: Tensor) -> Tensor:
        """First frame (B, h, w, 3) and codes (B, H, K) -> clip (B, H+1, h, w, 3) uint8."""
        return to_uint8(self.net.paint(self._channels_first(first_frame), codes)).movedim(2, -1)

    def _channels_first(self, frames: Tensor) -> Tensor:
        height, width = self.config.frame_shape
        if tuple(frames.shape[-3:]) != (height, width, 3):
            raise ValueError(f"frames are {tuple(frames.shape)}, but this model reads (..., {height}, {width}, 3)")
        # In order in memory: differences with buffers and concatenations take several times as long on a mere view
        return to_float(frames.movedim(-1, -3).contiguous())
