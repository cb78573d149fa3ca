"""A data set's frames at training size, in one file that is mapped into memory.

    FOLDER/training/.clips/static128-gripper64/frames.npy   uint8 (frames, bytes): the cameras' pictures, one behind the
                                                            other in a row
                                               index.json   which rows are a window, and the words for it

It is made once, and again when the data set's index, annotations or statistics change. Only pictures and sentences are
read for it: no actions, no states, no names of tasks.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from envs.calvin.dataset import DatasetSplit, Window
from envs.calvin.frames import DamagedFrameError
from envs.errors import UserError
from envs.files import free_bytes

log = logging.getLogger(__name__)

VERSION = 1  # of the cache's own format
MARGIN = 256 * 2**20  # bytes that stay free
CHUNK = 64  # frames that a thread takes at a time
LINE = 10.0  # seconds between lines where there is no terminal


@dataclass(frozen=True)
class CachedFrames:
    """Frames of one split, and which of them belong together.

    folder: of the split. frames: uint8 (N, bytes), mapped. sizes: camera -> side in px, in the order of a row's
    pictures. first: int64 (W,), the row in which each window begins. lengths: int64 (W,). episodes: int64 (W,), which
    episode it is part of. numbers: int64 (W,), its first frame's number in the data set. sentences: one for each
    window, empty for none.
    """

    folder: Path
    frames: np.ndarray
    sizes: Mapping[str, int]
    first: np.ndarray
    lengths: np.ndarray
    episodes: np.ndarray
    numbers: np.ndarray
    sentences: tuple[str, ...]

    def pictures(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Camera -> uint8 (*rows.shape, side, side, 3)."""
        cut, start = {}, 0
        for name, side in self.sizes.items():
            stop = start + side * side * 3
            cut[name] = np.asarray(self.frames[:, start:stop][rows]).reshape(*rows.shape, side, side, 3)
            start = stop
        return cut


def shrink(picture: np.ndarray, side: int) -> np.ndarray:
    """A picture uint8 (H, W, 3) as (side, side, 3): averages over the area of each new pixel, rounded.

    Pillow's box filter takes whole pixels only, which is something else where the sizes are no multiples.
    """
    height, width, _ = picture.shape
    if height == width == side:
        return picture
    rows = _areas(height, side) @ picture.reshape(height, -1).astype(np.float32)
    columns = rows.reshape(side, width, 3).transpose(0, 2, 1) @ _areas(width, side).T
    return np.rint(columns.transpose(0, 2, 1)).astype(np.uint8)


@lru_cache(maxsize=8)
def _areas(length: int, side: int) -> np.ndarray:
    """float32 (side, length): how much of each old pixel makes up each new one."""
    lows, pixels = np.arange(side)[:, None] * length / side, np.arange(length)
    covered = np.minimum(pixels + 1, lows + length / side) - np.maximum(pixels, lows)
    return (np.maximum(covered, 0) * side / length).astype(np.float32)


def cached_frames(split: DatasetSplit, sizes: Mapping[str, int], *, annotated: bool, cache: str = "") -> CachedFrames:
    """The frames of a split at these sizes, from the cache or, the first time, from the data set.

    Args:
        split: whose frames.
        sizes: camera -> side in px.
        annotated: only what the annotated windows cover; otherwise every episode is a window without words.
        cache: another folder for the cache than the split's own, such as for a data set that cannot be written to.

    Raises:
        UserError: nothing is annotated, no frame can be read, or the disk has no room for the cache.
    """
    name = "-".join(f"{camera}{side}" for camera, side in sizes.items()) + ("" if annotated else "-all")
    if cache:
        place = Path(cache) / f"{hashlib.sha256(str(split.folder.resolve()).encode()).hexdigest()[:12]}-{name}"
    else:
        place = split.folder / ".clips" / name
    key = f"{VERSION} {split.fingerprint} {name}"
    try:
        found = _load(split, place, sizes, key)
        if found is None:
            place.parent.mkdir(parents=True, exist_ok=True)
            with _alone(place.with_name(name + ".lock")):
                found = _load(split, place, sizes, key)  # another process may have made it meanwhile
                if found is None:
                    _build(split, sizes, annotated, place, key)
                    found = _load(split, place, sizes, key)
    except OSError as error:
        raise UserError(
            f"cannot write to {place} ({error.strerror or error}); make room, or name another folder with "
            "data.cache=FOLDER"
        ) from error
    assert found is not None
    return found


def _load(split: DatasetSplit, place: Path, sizes: Mapping[str, int], key: str) -> CachedFrames | None:
    """The cache if it is there and up to date."""
    try:
        index = json.loads((place / "index.json").read_bytes())
        if index["key"] != key:
            return None
        frames = np.load(place / "frames.npy", mmap_mode="r")
    except (OSError, ValueError, LookupError, TypeError):
        return None
    if frames.shape != (index["frames"], _row(sizes)):
        return None
    first, lengths, episodes, numbers = (
        np.array(index[name], np.int64) for name in ("first", "lengths", "episodes", "numbers")
    )
    sentences = tuple(index["sentences"][number] for number in index["said"])
    return CachedFrames(split.folder, frames, dict(sizes), first, lengths, episodes, numbers, sentences)


def _build(split: DatasetSplit, sizes: Mapping[str, int], annotated: bool, place: Path, key: str) -> None:
    windows = _windows(split, annotated)
    numbers = np.unique(np.concatenate([np.arange(window.first, window.last + 1) for window in windows]))
    need, free = len(numbers) * _row(sizes), free_bytes(place)
    if free < need + MARGIN:
        raise UserError(
            f"{len(numbers)} frames of {split.folder} take {need / 1e9:.1f} GB at training size, but {place.parent} "
            f"has {free / 1e9:.1f} GB left; make room, or name another folder with data.cache=FOLDER"
        )
    partial = place.with_name(place.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        good = _fill(split, sizes, numbers, partial / "frames.npy")
        kept = [w for w in windows if good[slice(*np.searchsorted(numbers, (w.first, w.last + 1)))].all()]
        if len(kept) < len(windows):
            log.warning("%d of %d windows have damaged frames and are left out", len(windows) - len(kept), len(windows))
        if not kept:
            raise UserError(f"no window of {split.folder} can be read: get the data set again")
        texts = sorted({window.sentence for window in kept})
        index: dict[str, Any] = {
            "key": key,
            "frames": len(numbers),
            "first": np.searchsorted(numbers, [w.first for w in kept]).tolist(),
            "lengths": [len(w) for w in kept],
            "episodes": [split.episode_of(w.first) for w in kept],
            "numbers": [w.first for w in kept],
            "sentences": texts,
            "said": [texts.index(w.sentence) for w in kept],
        }
        (partial / "index.json").write_text(json.dumps(index), encoding="utf-8")
        shutil.rmtree(place, ignore_errors=True)
        partial.rename(place)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _windows(split: DatasetSplit, annotated: bool) -> list[Window]:
    if not annotated:
        return [Window(int(first), int(last), "") for first, last in split.episodes]
    if not split.windows:
        raise UserError(
            f"nothing in {split.folder} is annotated: give a data set that is, or take all frames with "
            "data.annotated=false"
        )
    return list(split.windows)


def _fill(split: DatasetSplit, sizes: Mapping[str, int], numbers: np.ndarray, path: Path) -> np.ndarray:
    """Write the rows; bool (N,), which of them could be read."""
    rows = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(len(numbers), _row(sizes)))
    good = np.ones(len(numbers), bool)
    keys = {f"rgb_{name}": side for name, side in sizes.items()}

    def fill(start: int) -> int:
        chosen = range(start, min(start + CHUNK, len(numbers)))
        for row in chosen:
            try:
                frame = split.frame(int(numbers[row]), tuple(keys))
                rows[row] = np.concatenate([shrink(frame[name], side).reshape(-1) for name, side in keys.items()])
            except DamagedFrameError as error:
                good[row] = False
                log.warning("%s", error)
        return len(chosen)

    with progress(f"{split.folder} at training size", len(numbers)) as advance:
        pool = ThreadPoolExecutor(max(1, os.cpu_count() or 1))
        try:
            for count in pool.map(fill, range(0, len(numbers), CHUNK)):
                advance(count)
        finally:
            pool.shutdown(cancel_futures=True)
    rows.flush()
    return good


def _row(sizes: Mapping[str, int]) -> int:
    return sum(side * side * 3 for side in sizes.values())


@contextmanager
def progress(what: str, total: int) -> Iterator[Any]:
    """A bar on a terminal, else a line now and then, on stderr."""
    console, start = Console(stderr=True), time.perf_counter()
    done, said = 0, start
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn("ETA"), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True)
    task = bar.add_task("", total=total)

    def advance(count: int) -> None:
        nonlocal done, said
        done += count
        bar.update(task, completed=done)
        now = time.perf_counter()
        if not console.is_terminal and now - said >= LINE:
            said = now
            print(f"{what}: {done}/{total} frames, {(now - start) / done * (total - done):.0f} s left", file=sys.stderr)

    with bar if console.is_terminal else nullcontext():
        yield advance


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time; others wait."""
    with path.open("w") as stream:
        try:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX)
        except ImportError:  # no POSIX system; there each process makes its own, and the last one stays
            pass
        yield
