"""Actions that go with clips of robot episodes: for inverse dynamics and measurement alone.

They are read from the data sets once and kept in `.labels/` beside the frames; `RobotClips` never opens them.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from envs.errors import UserError
from envs.files import replace_bytes
from envs.tabletop.dataset import open_split
from train.data.robot_cache import CHUNK, CachedFrames, progress
from train.data.robot_clips import RobotClips, RobotDataConfig, VideoClips, open_parts

KEY = "rel_actions"


class RobotLabels:
    """Labelled clips from one split; the same generator draws the same clips as `RobotClips.sample`.

    Labels are float32 (B, T - 1, 7), what was done from each frame to the next: relative actions summed over the
    stride, so within -stride..stride, and the last gripper command, +1 or -1; zeros where a clip's last frame is
    repeated.
    """

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
        self._relative = np.concatenate([table[KEY] for table in tables])

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.clips)

    def sample(
        self, rng: np.random.Generator, count: int, horizon: int, stride: int = 1
    ) -> tuple[VideoClips, np.ndarray]:
        """`count` random clips of horizon + 1 frames, `stride` apart, with their labels."""
        return self._cut(*self.clips.draw(rng, count, horizon, stride), horizon, stride)

    def take(self, numbers: np.ndarray, horizon: int, stride: int = 1) -> tuple[VideoClips, np.ndarray]:
        """The clips of these numbers, each below `RobotClips.count`, with their labels."""
        return self._cut(*self.clips.locate(numbers, horizon, stride), horizon, stride)

    def _cut(self, windows: np.ndarray, begins: np.ndarray, horizon: int, stride: int) -> tuple[VideoClips, np.ndarray]:
        clips = self.clips.cut(windows, begins, horizon, stride)
        rows = self._begins[windows, None] + self.clips.places(windows, begins, horizon, stride)
        relative = self._relative
        actions = np.zeros((len(windows), horizon, 7), np.float32)
        for step in range(stride):
            row = rows[:, :-1] + step
            actions[..., :6] += np.where((row < rows[:, 1:])[..., None], relative[row.clip(max=rows[:, 1:]), :6], 0)
        actions[..., 6] = relative[np.maximum(rows[:, 1:] - 1, rows[:, :1]), 6]
        return clips, actions


def _table(part: CachedFrames, cache: str) -> dict[str, np.ndarray]:
    """Labels of all frames of a part's windows, by number; from the cache or, the first time, from the frames."""
    spans = zip(part.numbers, part.lengths, strict=True)
    numbers = np.unique(np.concatenate([np.arange(first, first + length) for first, length in spans]))
    split = open_split(part.folder, part.folder.name)
    key = hashlib.sha256(split.fingerprint.encode() + numbers.tobytes()).hexdigest()[:16]
    path = Path(cache or part.folder / ".labels") / f"labels-{key}.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in ("numbers", KEY)}
    except (OSError, ValueError, LookupError, EOFError, zipfile.BadZipFile):
        pass
    table: list[np.ndarray] = []

    def read(start: int) -> list[np.ndarray]:
        return [split.frame(int(number), [KEY])[KEY] for number in numbers[start : start + CHUNK]]

    with progress(f"labels of {part.folder}", len(numbers)) as advance, ThreadPoolExecutor(os.cpu_count()) as pool:
        for actions in pool.map(read, range(0, len(numbers), CHUNK)):
            table += actions
            advance(len(actions))
    made = {"numbers": numbers, KEY: np.stack(table).astype(np.float32)}
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
