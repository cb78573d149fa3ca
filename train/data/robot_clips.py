"""Robot episodes as video: clips of the cameras' frames, and the sentence that says what is being done.

This is all that tokenizer, dynamics and world stages get: frames and sentences. There are no actions, states or names
of tasks here; those are `robot_labels`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from envs.errors import UserError
from envs.tabletop.dataset import open_split
from train.data.robot_cache import CachedFrames, cached_frames

SPLITS = ("train", "validation")


@dataclass(frozen=True)
class RobotDataConfig:
    """Which episodes, and at what size.

    folders: data sets in CALVIN's format, official or recorded; at least one. cameras: name -> side of its pictures in
    px, or height and width. annotated: only what annotated windows cover, which is what has a sentence; false: all
    episodes, without words. padded: clips may begin where fewer frames are left than they have, and then end with the
    last frame repeated. held_out: share of a folder's episodes that are for validation, where it has no validation/ of
    its own. cache: a folder for the resized frames; empty: .clips/ beside them.
    """

    folders: tuple[str, ...] = ()
    cameras: Mapping[str, int | tuple[int, int]] = field(default_factory=lambda: {"static": 128, "gripper": 64})
    annotated: bool = True
    padded: bool = True
    held_out: float = 0.05
    cache: str = ""

    def __post_init__(self) -> None:
        if not self.folders:
            raise UserError("data.folders is empty: name a data set, or record one with train.data.robot_episodes")
        if not self.cameras:
            raise UserError("no camera is named: name one of the data set's, such as static")
        for name, shape in self.sizes.items():
            if not all(1 <= side <= 1024 for side in shape):
                raise UserError(f"pictures of the camera {name} of {shape} px: choose sides of 1 to 1024 pixels")
        if not 0 < self.held_out < 1:
            raise UserError(f"data.held_out is {self.held_out}: choose a share between 0 and 1")

    @property
    def sizes(self) -> dict[str, tuple[int, int]]:
        """Camera -> height and width in px."""
        return {name: as_shape(size) for name, size in self.cameras.items()}


def as_shape(size: int | tuple[int, int]) -> tuple[int, int]:
    """Height and width of pictures of which a side is given, or both."""
    return (size, size) if isinstance(size, int) else size


@dataclass(frozen=True)
class VideoClips:
    """B clips of T frames.

    frames: camera -> uint8 (B, T, h, w, 3). instructions: int64 (B,), numbers of the sentences in
    `RobotClips.sentences`. sentences: the same in words; empty where nothing is said.
    """

    frames: Mapping[str, np.ndarray]
    instructions: np.ndarray
    sentences: tuple[str, ...]


class RobotClips:
    """Clips from one split. Every sampling method is a pure function of the generator it is given.

    Attributes:
        sentences: the different sentences of the folders, in both splits, sorted; an instruction's number is its place.
    """

    def __init__(self, config: RobotDataConfig, split: str) -> None:
        """Open the frames, which are resized the first time. split: "train" or "validation". Raises UserError."""
        if split not in SPLITS:
            raise ValueError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")
        self.config, self.split = config, split
        parts, texts = open_parts(config, split)
        self._parts = [part for part, _ in parts]
        # Part and window in it, for each window of the split
        self._windows = np.concatenate(
            [np.stack([np.full(len(chosen), i), chosen], axis=1) for i, (_, chosen) in enumerate(parts)]
        )
        self.sentences: tuple[str, ...] = texts
        number = {text: i for i, text in enumerate(self.sentences)}
        self._lengths = np.array([self._parts[part].lengths[window] for part, window in self._windows])
        self._said = np.array([number[self._parts[part].sentences[window]] for part, window in self._windows])

    def __len__(self) -> int:
        """Number of windows."""
        return len(self._windows)

    def sample(self, rng: np.random.Generator, count: int, horizon: int, stride: int = 1) -> VideoClips:
        """`count` random clips of horizon + 1 frames, `stride` frames apart, each within one window.

        Every frame that a clip may begin with is as likely as any other. UserError if no window is long enough.
        """
        return self.cut(*self.draw(rng, count, horizon, stride), horizon, stride)

    def sweep(self, limit: int, horizon: int, stride: int = 1) -> VideoClips:
        """Up to `limit` clips spread evenly over the split: for evaluation."""
        total = self.count(horizon, stride)
        numbers = np.arange(total) if total <= limit else np.arange(limit) * total // limit
        return self.cut(*self.locate(numbers, horizon, stride), horizon, stride)

    def count(self, horizon: int, stride: int = 1) -> int:
        """How many different clips there are. UserError if no window is long enough."""
        return int(self._room(horizon, stride).sum())

    def locate(self, numbers: np.ndarray, horizon: int, stride: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Where the clips of these numbers, each below `count`, begin: windows and frames within them, as `draw`."""
        return _at(np.cumsum(self._room(horizon, stride)), numbers)

    def draw(
        self, rng: np.random.Generator, count: int, horizon: int, stride: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        """Where `sample` takes its clips from: windows and frames within them, int64 (count,) each."""
        room = np.cumsum(self._room(horizon, stride))
        return _at(room, rng.integers(0, int(room[-1]), count))

    def cut(self, windows: np.ndarray, begins: np.ndarray, horizon: int, stride: int = 1) -> VideoClips:
        """The clips that begin there."""
        within = self.places(windows, begins, horizon, stride)
        parts, numbers = self._windows[windows].T
        frames: dict[str, np.ndarray] = {}
        for part in np.unique(parts):
            mine = parts == part
            pictures = self._parts[part].pictures(self._parts[part].first[numbers[mine], None] + within[mine])
            if mine.all():
                frames = pictures
                break
            for name, some in pictures.items():
                frames.setdefault(name, np.empty((len(windows), *some.shape[1:]), np.uint8))[mine] = some
        said = self._said[windows]
        return VideoClips(frames, said.astype(np.int64), tuple(self.sentences[i] for i in said))

    def places(self, windows: np.ndarray, begins: np.ndarray, horizon: int, stride: int) -> np.ndarray:
        """Which frames of their windows the clips show: int64 (B, horizon + 1), the last again where no more follow."""
        within = begins[:, None] + stride * np.arange(horizon + 1)
        return np.minimum(within, self._lengths[windows, None] - 1)

    def _room(self, horizon: int, stride: int) -> np.ndarray:
        """In how many places a clip may begin, for each window."""
        if horizon < 1 or stride < 1:
            raise UserError(f"clips of horizon {horizon} and stride {stride} show no change: choose 1 or more of both")
        if self.config.padded:
            room = np.maximum(self._lengths - 1, 0)  # at least one frame is another one
        else:
            room = np.maximum(self._lengths - horizon * stride, 0)
        if not room.any():
            raise UserError(
                f"no window of {', '.join(self.config.folders)} has the {horizon * stride + 1} frames of a clip: "
                "choose a smaller horizon or stride, or data.padded=true"
            )
        return room


def open_parts(config: RobotDataConfig, split: str) -> tuple[list[tuple[CachedFrames, np.ndarray]], tuple[str, ...]]:
    """Of each folder the cached frames and which windows are in the split; and both splits' sentences, sorted."""
    parts, texts = [], set[str]()
    for folder in map(Path, config.folders):
        training, validation = _cached(config, folder, "training"), None
        if (folder / "validation").is_dir() and _has_clips(folder, config.annotated):
            validation = _cached(config, folder, "validation")
        texts.update(training.sentences, () if validation is None else validation.sentences)
        if validation is None:
            parts.append((training, _held_out(training.episodes, config.held_out)[split]))
        else:
            part = training if split == "train" else validation
            parts.append((part, np.arange(len(part.first))))
    return parts, tuple(sorted(texts))


def _has_clips(folder: Path, annotated: bool) -> bool:
    """Whether validation/ holds more than what a recording begins with."""
    split = open_split(folder, "validation")
    return bool(len(split.windows) if annotated else len(split.episodes))


def _cached(config: RobotDataConfig, folder: Path, name: str) -> CachedFrames:
    return cached_frames(open_split(folder, name), config.sizes, annotated=config.annotated, cache=config.cache)


def _held_out(episodes: np.ndarray, share: float) -> dict[str, np.ndarray]:
    """Windows of each split: whole episodes go to one or the other. A single episode is in both."""
    different = np.unique(episodes)
    order = np.random.default_rng(2024).permutation(different)
    few = max(1, round(len(different) * share)) if len(different) > 1 else 0
    chosen = {"validation": order[:few] if few else order, "train": order[few:]}
    return {name: np.flatnonzero(np.isin(episodes, numbers)) for name, numbers in chosen.items()}


def _at(room: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Windows and frames in them, from places in the windows' summed room."""
    windows = np.searchsorted(room, places, side="right")
    return windows, places - np.where(windows > 0, room[windows - 1], 0)
