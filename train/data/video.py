"""What the stages ask of their data, whatever world it shows: frames to watch, and how well frames were rebuilt."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from envs.errors import UserError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SPLITS = ("train", "validation", "test")


class FrameSpec(Protocol):
    """What frames show and how large they are. Two that have the same words are the same.

    One that has `canvases` shows the frames of several worlds.
    """

    @property
    def frame_shape(self) -> tuple[int, int]:
        """Height and width, px."""
        ...

    @property
    def words(self) -> str:
        """For people, such as "9x9 boards of style modern with 8 px a point"."""
        ...


class Clips(Protocol):
    """B clips of T frames. This is all that the tokenizer, dynamics and world stages get."""

    def frames(self, device: torch.device | None = None) -> Tensor:
        """uint8 (B, T, H, W, 3)."""
        ...

    def instructions(self, device: torch.device | None = None) -> Tensor | None:
        """Embedded sentences, float32 (B, D), where the videos have some."""
        ...

    def alternatives(self, device: torch.device | None = None) -> tuple[Tensor, Tensor] | None:
        """What else might have come instead of the last frame, uint8 (B, A, H, W, 3), where it is known.

        And how likely it and each of these are, float32 (B, 1 + A), summing to 1.
        """
        ...


class Video(Protocol):
    """Clips out of one split. Every method is a pure function of the generator it is given."""

    def __len__(self) -> int:
        """How many different clips there are."""
        ...

    def sample(self, rng: np.random.Generator, count: int, *, ending: bool = False) -> Clips:
        """`count` random clips; ending: behind each stands the last frame of its video."""
        ...

    def sample_labelled(self, rng: np.random.Generator, count: int, labels: int) -> tuple[Clips, np.ndarray]:
        """Clips out of `labels`, always the same ones, with what was done in each: for inverse dynamics alone."""
        ...

    def sweep(self, limit: int, *, ending: bool = False) -> tuple[Clips, np.ndarray]:
        """Up to `limit` clips spread evenly over the split, with what was done in each: for measuring."""
        ...

    def compare(self, frames: Tensor, rebuilt: Tensor) -> dict[str, np.ndarray]:
        """How well uint8 frames (N, H, W, 3) were rebuilt: figures (N,) by name, to be averaged."""
        ...

    def compare_codes(self, codes: np.ndarray, done: np.ndarray) -> dict[str, float]:
        """How much codes int64 (N, H, K) tell of what was done, (N, ...)."""
        ...


class VideoConfig(ABC):
    """Settings of a kind of video. `horizon` changes make a clip."""

    horizon: int
    # How many moves there are to tell apart, or how many actions make a change
    actions: int
    # What `sized` says to somebody whose frames do not fit a model
    cure: ClassVar[str]

    def at_least(self, key: str, least: int) -> None:
        """UserError if a setting is smaller."""
        if getattr(self, key) < least:
            raise UserError(f"data.{key} is {getattr(self, key)}: choose a whole number of at least {least}")

    @property
    @abstractmethod
    def frame_spec(self) -> FrameSpec:
        """What the frames show."""

    @abstractmethod
    def video(self, split: str) -> Video:
        """The clips of a split; UserError where there are none."""


def check_split(split: str) -> None:
    """ValueError for a name that is not of a split."""
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")


def kinds_of(spec: FrameSpec) -> set[str]:
    """What the frames show, world by world, in words."""
    return {canvas.words for canvas in getattr(spec, "canvases", (spec,))}


def frame_spec_from(values: dict[str, object]) -> FrameSpec:
    """What a checkpoint says of its frames.

    Raises:
        LookupError, TypeError, ValueError, UserError: it says nothing that makes sense.
    """
    from envs.go.renderer import BoardGeometry
    from envs.tabletop.canvas import CameraCanvas, Canvases

    if "style" in values:
        return BoardGeometry(values["size"], values["style"], values["cell"])  # type: ignore[arg-type]
    if "canvases" in values:
        return Canvases(tuple(CameraCanvas(**canvas) for canvas in values["canvases"]))  # type: ignore[attr-defined]
    if "worlds" in values:
        worlds: dict[str, dict[str, object]] = dict(values["worlds"])  # type: ignore[call-overload]
        if values["world"]:
            return frame_spec_from(worlds[str(values["world"])])
        return Canvases(tuple(frame_spec_from(world) for world in worlds.values()))  # type: ignore[misc]
    return CameraCanvas(values["side"], values["scene"], values["wrist"])  # type: ignore[arg-type]
