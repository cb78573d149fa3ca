"""Stage 3: the transformer learns to foresee codes and frames. It sees clips of frames, nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from agents.checkpoint import as_values, save_checkpoint
from agents.videoworld.config import WorldConfig
from agents.videoworld.dynamics import LatentDynamicsModel
from agents.videoworld.tokenizer import FrameTokenizer
from agents.videoworld.transformer import VideoTransformer
from envs.errors import UserError
from train.data.video import Clips
from train.stages import (
    StageConfig,
    begin_with,
    check_frames,
    frozen,
    generator,
    load_dynamics,
    load_tokenizer,
    minibatches,
)


@dataclass(kw_only=True)
class WorldStageConfig(StageConfig):
    """Settings of stage 3."""

    model: WorldConfig


@dataclass(frozen=True)
class Watched:
    """All that the world model gets to see: frames uint8 (B, H+1, h, w, 3) and sentences (B, D) or None.

    alternatives: to the last change, as `Clips` tells of them.
    """

    frames: Tensor
    instructions: Tensor | None = None
    alternatives: tuple[Tensor, Tensor] | None = None


class WorldLearner(nn.Module):
    """The transformer behind its frozen eyes: what was watched -> loss."""

    def __init__(self, tokenizer: FrameTokenizer, dynamics: LatentDynamicsModel, config: WorldConfig) -> None:
        super().__init__()
        self.tokenizer, self.dynamics = frozen(tokenizer), frozen(dynamics)
        spatial, parts = config.code_readout == "spatial", dynamics.n_codes
        # Changes that are foretold before the next frame
        self.ahead = 1 if parts > 1 else max(config.codes, 1)
        self.transformer = VideoTransformer(
            replace(
                config,
                grid=tokenizer.grid,
                frame_levels=tokenizer.levels,
                codes=min(config.codes, 1) * parts if parts > 1 else config.codes,
                parts=parts,
                places=dynamics.n_where if spatial else 1,
                whats=dynamics.n_what if spatial else dynamics.codebook_size,
            )
        )

    def train(self, mode: bool = True) -> WorldLearner:
        """Only the transformer has a training mode."""
        super().train(mode)
        self.tokenizer.eval()
        self.dynamics.eval()
        return self

    def forward(self, watched: Watched) -> tuple[Tensor, dict[str, Tensor]]:
        """Frames to ids and codes, and the transformer's loss on them; with an outlook, the video's end stands last.

        Where several changes are foretold the first frame alone is known, the changes after it give its codes, and the
        second frame is to be drawn.
        """
        c, frames = self.transformer.config, watched.frames
        end = self.tokenizer.encode(frames[:, -1:])[:, 0] if c.outlook else None
        frames = frames[:, :-1] if c.outlook else frames
        count = len(frames) if not c.codes else max(1, round(len(frames) * c.frame_share))
        nothing = torch.zeros(len(frames), frames.shape[1] - 1, 0, dtype=torch.long, device=frames.device)
        codes = self.dynamics.encode(frames) if c.codes else nothing
        if self.ahead > 1:
            codes = codes[:, : c.codes, 0][:, None]  # (B, 1, K)
            frames = frames[:, :2]
        ids = self.tokenizer.encode(frames[:, :-1])
        last = self.tokenizer.encode(frames[:count, -1:])[:, 0]
        others = None
        if watched.alternatives is not None and c.codes and self.ahead == 1:
            different, chances = watched.alternatives  # (B, A, h, w, 3), (B, 1 + A)
            told = codes[:, None, -1].repeat(1, different.shape[1], 1)  # (B, A, K), of no meaning without a chance
            clip, which = torch.nonzero(chances[:, 1:], as_tuple=True)
            if len(clip):
                films = torch.cat([frames[clip, :-1], different[clip, which][:, None]], 1)
                told[clip, which] = self.dynamics.encode(films)[:, -1]
            others = told, chances
        return self.transformer(ids, codes, last, watched.instructions, end=end, others=others)


class WorldStage:
    """Clips in, a world model out."""

    name = "world"

    def __init__(self, config: WorldStageConfig) -> None:
        self.config = config
        check_frames(config, self.name, "tokenizer", "dynamics")
        tokenizer, dynamics = load_tokenizer(config.inputs), load_dynamics(config.inputs)
        model = WorldLearner(tokenizer, dynamics, config.model)
        ahead = model.ahead
        if ahead > 1 and config.data.horizon != ahead:
            raise UserError(
                f"{config.model.codes} codes tell of {ahead} changes, but data.horizon is {config.data.horizon}: "
                f"set data.horizon={ahead}"
            )
        begin_with(model.transformer, config.inputs, self.name)
        self.model: nn.Module = model
        self.train = config.data.video("train")
        self.validation = config.data.video("validation")
        self.tokens_per_sample = config.data.horizon * model.transformer.config.frame_tokens

    def batch(self, step: int, micro: int, rank: int, world_size: int, batch_size: int) -> Clips:
        """`batch_size` clips: positions to draw, without moves, labels or results."""
        rng = generator(self.config.seed, step, micro, rank)
        return self.train.sample(rng, batch_size, ending=self.config.model.outlook)

    def to_device(self, batch: Clips, device: torch.device) -> Watched:
        """All the model gets to see."""
        return Watched(batch.frames(device), batch.instructions(device), batch.alternatives(device))

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """The training losses and accuracies on held-out clips."""
        clips, _ = self.validation.sweep(self.config.evaluate_clips, ending=self.config.model.outlook)
        device = next(model.parameters()).device
        sums: dict[str, float] = {}
        told = clips.instructions(device)
        parts = [Watched(frames.to(device)) for frames in minibatches(clips.frames())]
        if told is not None:
            parts = [replace(part, instructions=rows) for part, rows in zip(parts, minibatches(told), strict=True)]
        for part in parts:
            for name, value in model(part)[1].items():
                sums[name] = sums.get(name, 0.0) + float(value) / len(parts)
        return sums

    def flops_per_sample(self) -> float:
        """The frozen models forward, the transformer forward and backward."""
        count = 8
        watched = self.to_device(self.batch(0, 0, 0, 1, count), next(self.model.parameters()).device)
        with FlopCounterMode(display=False) as counter:
            self.model(watched)
        own = sum(counter.get_flop_counts()["WorldLearner.transformer"].values())
        return (counter.get_total_flops() + 2.0 * own) / count

    def export(self, model: nn.Module, folder: Path, metrics: dict[str, float]) -> None:
        """The transformer alone; tokenizer and dynamics model stand in their own checkpoints."""
        assert isinstance(model, WorldLearner)
        config = {
            "kind": "world",
            "model": as_values(model.transformer.config),
            "data": as_values(self.config.data),
        }
        save_checkpoint(folder, config, model.transformer.state_dict(), metrics=metrics)
