"""Videos of robots in several worlds, for one agent that knows them all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from envs.errors import UserError
from envs.tabletop.canvas import CameraCanvas, Canvases
from train.data.robot_video import CanvasClips, RobotVideo, RobotVideoConfig
from train.data.video import VideoConfig, check_split

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class JointVideoConfig(VideoConfig):
    """Which worlds, and how much of each.

    worlds: name -> its videos; their canvases have one shape, and horizon and encoder are the same. shares: name -> its
    part of the clips, 1 unless told; they are scaled to sum to 1. world: one of them, whose videos alone are shown
    then: inverse dynamics have a head for each world. "": all.
    """

    worlds: Mapping[str, RobotVideoConfig] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)
    world: str = ""

    cure: ClassVar[str] = "choose another data.worlds.NAME.side, the same for all"

    def __post_init__(self) -> None:
        if not self.worlds:
            raise UserError("data.worlds is empty: name one, such as data.worlds.calvin")
        names = ", ".join(self.worlds)
        for name, config in self.worlds.items():
            if config.world != name:
                raise UserError(f"data.worlds.{name} shows {config.world}: name it data.worlds.{config.world}")
        for what in ("horizon", "encoder"):
            told = {name: getattr(config, what) for name, config in self.worlds.items()}
            if len(set(told.values())) > 1:
                each = ", ".join(f"{value} for {name}" for name, value in told.items())
                raise UserError(f"data.worlds have different {what}s ({each}): choose one for all")
        for name, share in self.shares.items():
            if name not in self.worlds:
                raise UserError(f"data.shares names {name}, which is not in data.worlds: there are {names}")
            if not 0 < share < float("inf"):
                raise UserError(f"data.shares.{name} is {share}: choose a number above 0")
        if self.world and self.world not in self.worlds:
            raise UserError(f"data.world is {self.world!r}: choose one of {names}, or leave it empty for all")
        assert self.frame_spec.frame_shape  # raises UserError where the canvases differ

    @property
    def horizon(self) -> int:  # type: ignore[override]
        """Changes in a clip."""
        return next(iter(self.worlds.values())).horizon

    @property
    def actions(self) -> int:  # type: ignore[override]
        """Actions that make a change in the world that is chosen."""
        return self._chosen().actions

    @property
    def frame_spec(self) -> Canvases | CameraCanvas:
        """What the frames show: a canvas of each world, or that of the chosen one."""
        if self.world:
            return self._chosen().frame_spec
        return Canvases(tuple(config.frame_spec for config in self.worlds.values()))

    def video(self, split: str) -> JointVideo | RobotVideo:
        """The clips of a split, of all worlds or of the chosen one."""
        check_split(split)
        return self._chosen().video(split) if self.world else JointVideo(self, split)

    def parts(self, count: int) -> dict[str, float]:
        """How many of `count` clips each world has by its share; they are no whole numbers."""
        shares = {name: self.shares.get(name, 1.0) for name in self.worlds}
        return {name: count * share / sum(shares.values()) for name, share in shares.items()}

    def _chosen(self) -> RobotVideoConfig:
        if not self.world:
            raise UserError(f"data.world is empty: actions are told in one world, choose of {', '.join(self.worlds)}")
        return self.worlds[self.world]


@dataclass(frozen=True)
class JointClips:
    """Clips of several worlds, world by world."""

    parts: tuple[CanvasClips, ...]

    def frames(self, device: torch.device | None = None) -> Tensor:
        """uint8 (B, T, H, W, 3)."""
        import torch

        return torch.cat([part.frames(device) for part in self.parts])

    def instructions(self, device: torch.device | None = None) -> Tensor:
        """What was told, embedded: float32 (B, D)."""
        import torch

        return torch.cat([part.instructions(device) for part in self.parts])

    def alternatives(self, device: torch.device | None = None) -> None:
        """As `CanvasClips.alternatives`."""


class JointVideo:
    """Clips from one split of all worlds. Every sampling method is a pure function of the generator it is given."""

    def __init__(self, config: JointVideoConfig, split: str) -> None:
        self.config = config
        self._videos = {name: one.video(split) for name, one in config.worlds.items()}

    def __len__(self) -> int:
        """How many different clips there are."""
        return sum(map(len, self._videos.values()))

    def sample(self, rng: np.random.Generator, count: int, *, ending: bool = False) -> JointClips:
        """`count` random clips, of each world by its share; what does not come out even is drawn."""
        counts = _whole(self.config.parts(count), rng)
        return JointClips(
            tuple(self._videos[name].sample(rng, part, ending=ending) for name, part in counts.items() if part)
        )

    def sample_labelled(self, rng: np.random.Generator, count: int, labels: int) -> tuple[JointClips, np.ndarray]:
        """UserError: actions mean something in one world only."""
        raise UserError(
            f"labels are those of one world: choose data.world, one of {', '.join(self._videos)}, for this stage"
        )

    def sweep(self, limit: int, *, ending: bool = False) -> tuple[JointClips, np.ndarray]:
        """Up to `limit` clips spread evenly over each world's split, by their shares.

        And what was done in each, float32 (B, 8): the mean action, and behind it the number of its world.
        """
        parts, done = [], []
        for number, (name, part) in enumerate(self.config.parts(limit).items()):
            clips, actions = self._videos[name].sweep(max(1, int(part)), ending=ending)
            parts.append(clips)
            done.append(np.concatenate([actions, np.full((len(actions), 1), number, np.float32)], 1))
        return JointClips(tuple(parts)), np.concatenate(done)

    def compare(self, frames: Tensor, rebuilt: Tensor) -> dict[str, np.ndarray]:
        """As `RobotVideo.compare`."""
        return next(iter(self._videos.values())).compare(frames, rebuilt)

    def compare_codes(self, codes: np.ndarray, done: np.ndarray) -> dict[str, float]:
        """As `RobotVideo.compare_codes`, for each world: its name stands behind a dot."""
        figures: dict[str, float] = {}
        for number, (name, video) in enumerate(self._videos.items()):
            mine = done[:, 7] == number
            told = video.compare_codes(codes[mine], done[mine, :7])
            figures |= {f"{key}.{name}": value for key, value in told.items()}
        return figures


def _whole(parts: Mapping[str, float], rng: np.random.Generator) -> dict[str, int]:
    """Whole numbers with the same sum: rounded down, and what is left drawn by what was cut off."""
    counts = np.array([int(part + 1e-9) for part in parts.values()])
    rest = np.maximum(np.array(list(parts.values())) - counts, 0)
    left = round(sum(parts.values())) - int(counts.sum())
    if left:
        counts += rng.multinomial(left, rest / rest.sum())
    return dict(zip(parts, map(int, counts), strict=True))
