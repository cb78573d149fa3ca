"""Robot videos for the stages: both cameras' pictures on one canvas, and what the robot was told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from agents.sentences import MINILM, KnownSentences
from envs.tabletop.canvas import CameraCanvas
from train.data.robot_clips import RobotClips, RobotDataConfig, VideoClips
from train.data.robot_labels import RobotLabels
from train.data.video import VideoConfig, check_split

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class RobotVideoConfig(VideoConfig):
    """Which videos, and how they become clips.

    folders: data sets in CALVIN's format. world: that they show; an agent has one head for inverse dynamics for each.
    side: height of the canvas in px; scene, wrist: its cameras. stride: steps of
    the environment between two frames of a clip. horizon: changes in a clip. held_out: share of the episodes that are
    for validation, where a data set has no validation/ of its own. encoder: of sentences, as `KnownSentences` takes it.
    cache: a folder for the resized frames; empty: beside the data sets.
    """

    folders: tuple[str, ...] = ("runs/calvin",)
    world: str = "calvin"
    side: int = 96
    scene: str = "static"
    wrist: str = "gripper"
    stride: int = 4
    horizon: int = 1
    held_out: float = 0.05
    encoder: str = MINILM
    cache: str = ""

    cure: ClassVar[str] = "choose another data.side"

    def __post_init__(self) -> None:
        object.__setattr__(self, "folders", tuple(self.folders))
        self.at_least("stride", 1)
        self.at_least("horizon", 1)
        assert self.clips.sizes  # raises UserError for settings of clips that make no sense

    @property
    def actions(self) -> int:  # type: ignore[override]
        """Actions that make a change."""
        return self.stride

    @property
    def frame_spec(self) -> CameraCanvas:
        """What the frames show: a canvas of both cameras."""
        return CameraCanvas(self.side, self.scene, self.wrist)

    @property
    def clips(self) -> RobotDataConfig:
        """The clips before they stand on a canvas."""
        return RobotDataConfig(self.folders, self.frame_spec.shapes, held_out=self.held_out, cache=self.cache)

    def video(self, split: str) -> RobotVideo:
        """The clips of a split; "test" is the same as "validation"."""
        check_split(split)
        return RobotVideo(self, "train" if split == "train" else "validation")


@dataclass(frozen=True)
class CanvasClips:
    """Clips on a canvas; drawing them and embedding their sentences waits until somebody asks."""

    clips: VideoClips
    canvas: CameraCanvas
    sentences: KnownSentences

    def frames(self, device: torch.device | None = None) -> Tensor:
        """uint8 (B, T, H, W, 3)."""
        import torch

        return torch.from_numpy(self.canvas.join(self.clips.frames)).to(device)

    def instructions(self, device: torch.device | None = None) -> Tensor:
        """What was told, embedded: float32 (B, D)."""
        import torch

        return torch.from_numpy(self.sentences(self.clips.sentences)).to(device)

    def alternatives(self, device: torch.device | None = None) -> None:
        """Nobody knows what else might have happened."""


class RobotVideo:
    """Clips from one split. Every sampling method is a pure function of the generator it is given."""

    def __init__(self, config: RobotVideoConfig, split: str) -> None:
        self.config, self.split = config, split
        self.canvas, self._sentences = config.frame_spec, KnownSentences(config.encoder)
        self._clips = RobotClips(config.clips, split)
        self._labels: RobotLabels | None = None  # read only for those who may ask

    def __len__(self) -> int:
        """How many different clips there are."""
        return self._clips.count(self.config.horizon, self.config.stride)

    def sample(self, rng: np.random.Generator, count: int, *, ending: bool = False) -> CanvasClips:
        """`count` random clips; ending: behind each stands the last frame of its window."""
        if ending:
            raise ValueError("robots' clips do not show how their video ends: leave model.world.outlook off")
        return self._on_canvas(self._clips.sample(rng, count, self.config.horizon, self.config.stride))

    def sample_labelled(self, rng: np.random.Generator, count: int, labels: int) -> tuple[CanvasClips, np.ndarray]:
        """Clips out of `labels`, spread over all videos, with the mean action of the first change, float32 (count, 7).

        The first six are relative motions in [-1, 1], the last is the gripper's last command, +1 or -1.
        """
        labels = min(labels, len(self))
        return self._labelled(rng.integers(0, labels, count) * len(self) // labels)

    def sweep(self, limit: int, *, ending: bool = False) -> tuple[CanvasClips, np.ndarray]:
        """Up to `limit` clips spread evenly over the split, with their mean actions."""
        total = len(self)
        return self._labelled(np.arange(total) if total <= limit else np.arange(limit) * total // limit)

    def compare(self, frames: Tensor, rebuilt: Tensor) -> dict[str, np.ndarray]:
        """psnr: peak signal-to-noise ratio in dB, of each frame."""
        error = (frames.float() - rebuilt.float()).square().mean((1, 2, 3)).numpy()
        return {"psnr": 10 * np.log10(255.0**2 / np.maximum(error, 1e-3))}

    def compare_codes(self, codes: np.ndarray, done: np.ndarray) -> dict[str, float]:
        """How much the first change's codes tell of the mean action.

        motion_from_codes: share of the motions' variance that the mean over each code explains (codes of several parts:
        the sum of such means, fitted by ridge regression). codes_used: different ones.
        """
        first = codes[:, 0]
        columns = [first[:, part, None] == np.unique(first[:, part]) for part in range(first.shape[1])]
        x = np.concatenate([*columns, np.ones((len(first), 1))], 1).astype(np.float64)
        y = done[:, :6].astype(np.float64)
        weights = np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ y)
        rest, whole = ((y - x @ weights) ** 2).sum(), ((y - y.mean(0)) ** 2).sum()
        return {"motion_from_codes": float(1 - rest / whole), "codes_used": float(len(np.unique(first, axis=0)))}

    def _labelled(self, numbers: np.ndarray) -> tuple[CanvasClips, np.ndarray]:
        self._labels = self._labels or RobotLabels(self.config.clips, self.split)
        clips, actions = self._labels.take(numbers, self.config.horizon, self.config.stride)
        mean = actions[:, 0].copy()
        mean[:, :6] /= self.config.stride
        return self._on_canvas(clips), mean

    def _on_canvas(self, clips: VideoClips) -> CanvasClips:
        return CanvasClips(clips, self.canvas, self._sentences)
