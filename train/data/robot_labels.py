"""Actions and states that go with clips of robot episodes: for inverse dynamics and measurement alone.

They are read from the data sets once and kept in `.labels/` beside the frames; `RobotClips` never opens them.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from envs.errors import UserError
from envs.files import replace_bytes
from envs.tabletop.dataset import open_split
from train.data.robot_cache import CHUNK, CachedFrames, progress
from train.data.robot_clips import RobotClips, RobotDataConfig, VideoClips, open_parts

KEYS = ("rel_actions", "robot_obs", "scene_obs")


@dataclass(frozen=True)
class Labels:
    """What happened in B clips of T frames.

    actions: float32 (B, T - 1, 7), from each frame to the next: relative actions summed over the stride, so within
    -stride..stride, and the last gripper command, +1 or -1; zeros where a clip's last frame is repeated. robot: float32
    (B, T, 15) and scene: float32 (B, T, 24), the states in the frames.
    """

    actions: np.ndarray
    robot: np.ndarray
    scene: np.ndarray


class RobotLabels:
    """Labelled clips from one split; the same generator draws the same clips as `RobotClips.sample`."""

    def __init__(self, config: RobotDataConfig, split: str) -> None:
        """Open frames and labels. UserError where they cannot be read."""
        self.clips = RobotClips(config, split)
        parts, _ = open_parts(config, split)
        tables, begins, offset = [], [], 0
        for part, chosen in parts:
            table = _table(part, config.cache)
            rows = np.searchsorted(table["numbers"], part.numbers[chosen])
            begins.append(offset + rows)
            tables.append(table)
            offset += len(table["numbers"])
        self._begins = np.concatenate(begins)  # of each window, in the joined tables
        self._values = {key: np.concatenate([table[key] for table in tables]) for key in KEYS}

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.clips)

    def sample(self, rng: np.random.Generator, count: int, horizon: int, stride: int = 1) -> tuple[VideoClips, Labels]:
        """`count` random clips of horizon + 1 frames, `stride` apart, with their labels."""
        return self._cut(*self.clips.draw(rng, count, horizon, stride), horizon, stride)

    def take(self, numbers: np.ndarray, horizon: int, stride: int = 1) -> tuple[VideoClips, Labels]:
        """The clips of these numbers, each below `RobotClips.count`, with their labels."""
        return self._cut(*self.clips.locate(numbers, horizon, stride), horizon, stride)

    def _cut(self, windows: np.ndarray, begins: np.ndarray, horizon: int, stride: int) -> tuple[VideoClips, Labels]:
        clips = self.clips.cut(windows, begins, horizon, stride)
        rows = self._begins[windows, None] + self.clips.places(windows, begins, horizon, stride)
        relative = self._values["rel_actions"]
        actions = np.zeros((len(windows), horizon, 7), np.float32)
        for step in range(stride):
            row = rows[:, :-1] + step
            actions[..., :6] += np.where((row < rows[:, 1:])[..., None], relative[row.clip(max=rows[:, 1:]), :6], 0)
        actions[..., 6] = relative[np.maximum(rows[:, 1:] - 1, rows[:, :1]), 6]
        return clips, Labels(actions, self._values["robot_obs"][rows], self._values["scene_obs"][rows])


def _table(part: CachedFrames, cache: str) -> dict[str, np.ndarray]:
    """Labels of all frames of a part's windows, by number; from the cache or, the first time, from the frames."""
    spans = zip(part.numbers, part.lengths, strict=True)
    numbers = np.unique(np.concatenate([np.arange(first, first + length) for first, length in spans]))
    split = open_split(part.folder, part.folder.name)
    key = hashlib.sha256(split.fingerprint.encode() + numbers.tobytes()).hexdigest()[:16]
    path = Path(cache or part.folder / ".labels") / f"labels-{key}.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in ("numbers", *KEYS)}
    except (OSError, ValueError, LookupError, EOFError, zipfile.BadZipFile):
        pass
    table: dict[str, list[np.ndarray]] = {name: [] for name in KEYS}

    def read(start: int) -> list[dict[str, np.ndarray]]:
        return [split.frame(int(number), KEYS) for number in numbers[start : start + CHUNK]]

    with progress(f"labels of {part.folder}", len(numbers)) as advance, ThreadPoolExecutor(os.cpu_count()) as pool:
        for frames in pool.map(read, range(0, len(numbers), CHUNK)):
            for frame in frames:
                for name, value in frame.items():
                    table[name].append(value.astype(np.float32))
            advance(len(frames))
    made = {"numbers": numbers, **{name: np.stack(values) for name, values in table.items()}}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **made)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for old in [] if cache else path.parent.glob("labels-*.npz"):
            old.unlink()
        replace_bytes(path, buffer.getvalue())
    except OSError as error:
        raise UserError(
            f"cannot write to {path.parent} ({error.strerror or error}); make room, or name another folder with "
            "data.cache=FOLDER"
        ) from error
    return made
