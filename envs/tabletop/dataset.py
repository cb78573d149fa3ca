"""Reads data sets in CALVIN's format, official ones and those that `dataset_writer` makes.

A data set is a folder with `training/` and `validation/`; in each, `episode_0001234.npz` is one frame and small files
tell which frames are an episode and what was done in them. See `frames` and `dataset_files` for what is in these.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from envs.errors import UserError
from envs.objects import load_array
from envs.tabletop.dataset_files import ANNOTATIONS, EMBEDDINGS, INDEX, SCENES, SPLITS, STATISTICS
from envs.tabletop.frames import frame_name, frame_number, read_frame

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Window:
    """Frames in which something was done: numbers of the first and last, the words for it, and the task's name."""

    first: int
    last: int
    sentence: str
    task: str | None = None

    def __len__(self) -> int:
        return self.last - self.first + 1


class DatasetSplit:
    """One split of a data set. What is missing but can be done without, or is wrong in places, is logged.

    Attributes:
        folder: where the frames are.
        episodes: int64 (N, 2), first and last frame of each, in order; numbers may have gaps between episodes.
        windows: what is annotated, in the order of the file; windows of different tasks may overlap.
        scenes: name, such as "calvin_scene_D" -> first and last frame; as the file says, which in some official
            downloads is wrong, and empty where there is none.
    """

    def __init__(self, folder: Path) -> None:
        """Read the small files in `folder`; UserError where one is damaged or there are no frames."""
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise UserError(f"{self.folder} is not there: give a data set's folder, with training/ in it")
        self.episodes = self._read_episodes()
        self.windows = self._read_windows()
        self.scenes = self._read_scenes()

    def __len__(self) -> int:
        """Number of frames."""
        return int((self.episodes[:, 1] - self.episodes[:, 0] + 1).sum())

    def frame(self, number: int, keys: Collection[str] | None = None) -> dict[str, np.ndarray]:
        """The arrays of one frame, all or those of `keys`; raises DamagedFrameError."""
        return read_frame(self.folder / frame_name(number), keys)

    def frames(self, first: int, last: int, keys: Collection[str]) -> dict[str, np.ndarray]:
        """The arrays of the frames first..last, stacked: key -> (T, ...).

        Raises:
            DamagedFrameError: of the first frame that is missing or cannot be read.
            UserError: the frames' arrays have different shapes.
        """
        read = [self.frame(number, keys) for number in range(first, last + 1)]
        for key in keys:
            shapes = [frame[key].shape for frame in read]
            odd = next((number for number, shape in enumerate(shapes) if shape != shapes[0]), None)
            if odd is not None:
                raise UserError(
                    f"{self.folder / frame_name(first + odd)} has {key} of shape {shapes[odd]}, but its episode began "
                    f"with {shapes[0]}: leave that episode out"
                )
        return {key: np.stack([frame[key] for frame in read]) for key in keys}

    def episode_of(self, number: int) -> int | None:
        """Which row of `episodes` a frame is in."""
        row = int(np.searchsorted(self.episodes[:, 0], number, side="right")) - 1
        return row if row >= 0 and number <= self.episodes[row, 1] else None

    def scene_of(self, number: int) -> str | None:
        """A to D, as far as the data set says."""
        named = [name for name, (first, last) in self.scenes.items() if first <= number <= last]
        return named[0].removeprefix("calvin_scene_") if named else None

    @property
    def statistics(self) -> dict[str, Any]:
        """What `statistics.yaml` says; empty where there is none. Raises UserError where it is damaged."""
        path = self.folder / STATISTICS
        if not path.exists():
            return {}
        try:
            return dict(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
            raise UserError(f"{path} is damaged: get it again, or remove it") from error

    @property
    def embeddings(self) -> dict[str, dict[str, Any]]:
        """Task -> {"ann": [sentence], "emb": array}, of a validation split; empty where there is none."""
        path = self.folder / EMBEDDINGS
        return dict(load_array(path).item()) if path.exists() else {}

    @property
    def fingerprint(self) -> str:
        """Changes with the index, the annotations or the statistics, so with anything that is recorded."""
        digest = hashlib.sha256()
        for name in (INDEX, ANNOTATIONS, STATISTICS):
            path = self.folder / name
            content = path.read_bytes() if path.exists() else b""
            digest.update(f"{name} {len(content)} ".encode() + content)
        digest.update(self.episodes.tobytes())
        return digest.hexdigest()

    def _read_episodes(self) -> np.ndarray:
        path = self.folder / INDEX
        if not path.exists():
            episodes = self._runs()
            log.warning("%s is missing: the frames in %s make %d runs of numbers", INDEX, self.folder, len(episodes))
            return episodes
        told = load_array(path)
        if told.shape == (2,):
            told = told[None]
        if told.ndim != 2 or told.shape[1] != 2 or told.dtype.kind not in "iu":
            raise UserError(f"{path} is no index of episodes (shape {told.shape}): get it again, or remove it")
        episodes = told.astype(np.int64)
        sound = (episodes[:, 0] >= 0) & (episodes[:, 0] <= episodes[:, 1])
        if not sound.all():
            log.warning("%s: %d episodes end before they begin and are left out", path, int((~sound).sum()))
        episodes = episodes[sound]
        return episodes[np.argsort(episodes[:, 0], kind="stable")]

    def _runs(self) -> np.ndarray:
        """Runs of consecutive frame numbers, int64 (N, 2)."""
        numbers = np.sort([n for n in map(frame_number, os.listdir(self.folder)) if n is not None]).astype(np.int64)
        if not len(numbers):
            raise UserError(f"{self.folder} holds no frames: give a data set's folder, with training/ in it")
        ends = np.flatnonzero(np.diff(numbers) > 1)
        return np.stack([numbers[np.append(0, ends + 1)], numbers[np.append(ends, len(numbers) - 1)]], axis=1)

    def _read_windows(self) -> tuple[Window, ...]:
        path = self.folder / ANNOTATIONS
        if not path.exists():
            log.warning("%s is missing: nothing in %s is annotated", ANNOTATIONS, self.folder)
            return ()
        try:
            told = load_array(path).item()
            sentences = [str(text) for text in told["language"]["ann"]]
            names = told["language"].get("task")
            tasks = [None] * len(sentences) if names is None else [str(name) for name in names]
            spans = [(int(first), int(last)) for first, last in told["info"]["indx"]]
            windows = [
                Window(first, last, sentence, task)
                for (first, last), sentence, task in zip(spans, sentences, tasks, strict=True)
            ]
        except UserError:
            raise
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise UserError(f"{path} holds no annotations as CALVIN has them ({error}): get it again") from error
        sound = [w for w in windows if w.first <= w.last and self._holds(w)]
        kept = tuple(dict.fromkeys(sound))  # some official splits repeat theirs to make a number full
        for count, what in (
            (len(windows) - len(sound), "are not within one episode"),
            (len(sound) - len(kept), "are repetitions"),
        ):
            if count:
                log.warning("%s: %d of %d annotations %s and are left out", path, count, len(windows), what)
        return kept

    def _holds(self, window: Window) -> bool:
        """Whether it lies within one episode."""
        episode = self.episode_of(window.first)
        return episode is not None and window.last <= self.episodes[episode, 1]

    def _read_scenes(self) -> dict[str, tuple[int, int]]:
        path = self.folder / SCENES
        if not path.exists():
            return {}
        try:
            return {str(name): (int(first), int(last)) for name, (first, last) in load_array(path).item().items()}
        except UserError:
            raise
        except (ValueError, TypeError, AttributeError) as error:
            raise UserError(f"{path} does not say where scenes are ({error}): get it again, or remove it") from error


def open_split(dataset: Path, split: str = "training") -> DatasetSplit:
    """A split of the data set in a folder; `dataset` may also be that split's folder itself.

    Raises:
        UserError: there is no such split, or one of its small files is damaged.
    """
    dataset = Path(dataset)
    if split not in SPLITS:
        raise UserError(f"split {split!r} is unknown; choose one of {', '.join(SPLITS)}")
    if (dataset / split).is_dir():
        return DatasetSplit(dataset / split)
    if dataset.name == split and dataset.is_dir():
        return DatasetSplit(dataset)
    raise UserError(f"{dataset} has no {split}/: give a data set's folder, or record one")
