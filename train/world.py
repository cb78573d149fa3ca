"""Stage 3: the transformer learns to foresee codes and frames. It sees clips of frames, nothing else."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from agents.checkpoint import save_checkpoint
from agents.videoworld.config import WorldConfig
from agents.videoworld.dynamics import LatentDynamicsModel
from agents.videoworld.tokenizer import FrameTokenizer
from agents.videoworld.transformer import VideoTransformer
from envs.errors import UserError
from train.data.go_games import BoardClips, GoVideo
from train.stages import (
    StageConfig,
    begin_with,
    check_boards,
    frozen,
    generator,
    load_dynamics,
    load_tokenizer,
    minibatches,
    plain,
)


@dataclass(kw_only=True)
class WorldStageConfig(StageConfig):
    """Settings of stage 3."""

    model: WorldConfig


class WorldLearner(nn.Module):
    """The transformer behind its frozen eyes: frames uint8 (B, H+1, S, S, 3) -> loss."""

    def __init__(self, tokenizer: FrameTokenizer, dynamics: LatentDynamicsModel, config: WorldConfig) -> None:
        super().__init__()
        self.tokenizer, self.dynamics = frozen(tokenizer), frozen(dynamics)
        spatial = config.code_readout == "spatial"
        self.transformer = VideoTransformer(
            replace(
                config,
                grid=tokenizer.grid,
                frame_levels=tokenizer.levels,
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

    def forward(self, frames: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Frames to ids and codes, and the transformer's loss on them; with an outlook, the video's end stands last.

        With K > 1 codes the first frame alone is known, the K changes after it give its codes, and the second frame is
        to be drawn.
        """
        c = self.transformer.config
        end = self.tokenizer.encode(frames[:, -1:])[:, 0] if c.outlook else None
        frames = frames[:, :-1] if c.outlook else frames
        count = len(frames) if not c.codes else max(1, round(len(frames) * c.frame_share))
        nothing = torch.zeros(len(frames), frames.shape[1] - 1, 0, dtype=torch.long, device=frames.device)
        codes = self.dynamics.encode(frames) if c.codes else nothing
        if c.codes > 1:
            codes = codes[:, : c.codes, 0][:, None]  # (B, 1, K)
            frames = frames[:, :2]
        ids = self.tokenizer.encode(frames[:, :-1])
        last = self.tokenizer.encode(frames[:count, -1:])[:, 0]
        return self.transformer(ids, codes, last, end=end)


class WorldStage:
    """Clips in, a world model out."""

    name = "world"

    def __init__(self, config: WorldStageConfig) -> None:
        self.config = config
        if config.model.codes > 1 and config.data.horizon != config.model.codes:
            raise UserError(
                f"{config.model.codes} codes tell of as many changes, but data.horizon is {config.data.horizon}: "
                f"set data.horizon={config.model.codes}"
            )
        check_boards(config, "tokenizer", "dynamics", self.name)
        tokenizer, dynamics = load_tokenizer(config.inputs), load_dynamics(config.inputs)
        model = WorldLearner(tokenizer, dynamics, config.model)
        begin_with(model.transformer, config.inputs, self.name)
        self.model: nn.Module = model
        self.train = GoVideo(config.data, "train")
        self.validation = GoVideo(config.data, "validation")
        self.tokens_per_sample = config.data.horizon * model.transformer.config.frame_tokens

    def batch(self, step: int, micro: int, rank: int, world_size: int, batch_size: int) -> BoardClips:
        """`batch_size` clips: positions to draw, without moves, labels or results."""
        rng = generator(self.config.seed, step, micro, rank)
        return self.train.sample(rng, batch_size, ending=self.config.model.outlook)

    def to_device(self, batch: BoardClips, device: torch.device) -> Tensor:
        """uint8 (B, H+1, S, S, 3): all the model gets to see."""
        return batch.frames(device)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """The training losses and accuracies on held-out clips."""
        clips, _ = self.validation.sweep(self.config.evaluate_clips, ending=self.config.model.outlook)
        device = next(model.parameters()).device
        sums: dict[str, float] = {}
        parts = minibatches(clips.frames())
        for frames in parts:
            for name, value in model(frames.to(device))[1].items():
                sums[name] = sums.get(name, 0.0) + float(value) / len(parts)
        return sums

    def flops_per_sample(self) -> float:
        """The frozen models forward, the transformer forward and backward."""
        count, size = 8, self.config.data.geometry.frame_size
        length = self.config.data.horizon + 1 + self.config.model.outlook
        frames = torch.zeros(count, length, size, size, 3, dtype=torch.uint8)
        frames = frames.to(next(self.model.parameters()).device)
        with FlopCounterMode(display=False) as counter:
            self.model(frames)
        own = sum(counter.get_flop_counts()["WorldLearner.transformer"].values())
        return (counter.get_total_flops() + 2.0 * own) / count

    def export(self, model: nn.Module, folder: Path, metrics: dict[str, float]) -> None:
        """The transformer alone; tokenizer and dynamics model stand in their own checkpoints."""
        assert isinstance(model, WorldLearner)
        config = {
            "kind": "world",
            "model": plain(asdict(model.transformer.config)),
            "data": plain(asdict(self.config.data)),
        }
        save_checkpoint(folder, config, model.transformer.state_dict(), metrics=metrics)
