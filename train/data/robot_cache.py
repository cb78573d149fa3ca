"""A data set's frames at training size, in one file that is mapped into memory.

    FOLDER/training/.clips/static128x128-gripper64x64/
        frames.npy   uint8 (frames, bytes): the cameras' pictures, one behind the other in a row
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
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from envs.errors import UserError
from envs.files import free_bytes
from envs.tabletop.canvas import resize
from envs.tabletop.dataset import DatasetSplit, Window
from envs.tabletop.frames import DamagedFrameError

log = logging.getLogger(__name__)

VERSION = 1  # of the cache's own format
MARGIN = 256 * 2**20  # bytes that stay free
CHUNK = 64  # frames that a thread takes at a time
Sizes: TypeAlias = "Mapping[str, tuple[int, int]]"  # camera -> height and width in px
LINE = 10.0  # seconds between lines where there is no terminal


@dataclass(frozen=True)
class CachedFrames:
    """Frames of one split, and which of them belong together.

    folder: of the split. frames: uint8 (N, bytes), mapped. sizes: camera -> height and width in px, in the order of a
    row's pictures. first: int64 (W,), the row in which each window begins. lengths: int64 (W,). episodes: int64 (W,),
    which episode it is part of. numbers: int64 (W,), its first frame's number in the data set. sentences: one for each
    window, empty for none.
    """

    folder: Path
    frames: np.ndarray
    sizes: Sizes
    first: np.ndarray
    lengths: np.ndarray
    episodes: np.ndarray
    numbers: np.ndarray
    sentences: tuple[str, ...]

    def pictures(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Camera -> uint8 (*rows.shape, h, w, 3)."""
        cut, start = {}, 0
        for name, (height, width) in self.sizes.items():
            stop = start + height * width * 3
            cut[name] = np.asarray(self.frames[:, start:stop][rows]).reshape(*rows.shape, height, width, 3)
            start = stop
        return cut


def cached_frames(split: DatasetSplit, sizes: Sizes, *, annotated: bool, cache: str = "") -> CachedFrames:
    """The frames of a split at these sizes, from the cache or, the first time, from the data set.

    Args:
        split: whose frames.
        sizes: camera -> height and width in px.
        annotated: only what the annotated windows cover; otherwise every episode is a window without words.
        cache: another folder for the cache than the split's own, such as for a data set that cannot be written to.

    Raises:
        UserError: nothing is annotated, no frame can be read, or the disk has no room for the cache.
    """
    name = "-".join(f"{camera}{height}x{width}" for camera, (height, width) in sizes.items())
    name += "" if annotated else "-all"
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


def _load(split: DatasetSplit, place: Path, sizes: Sizes, key: str) -> CachedFrames | None:
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


def _build(split: DatasetSplit, sizes: Sizes, annotated: bool, place: Path, key: str) -> None:
    windows = _windows(split, annotated)
    numbers = np.unique(np.concatenate([np.arange(window.first, window.last + 1) for window in windows]))
    _check_cameras(split, int(numbers[0]), sizes)
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


def _check_cameras(split: DatasetSplit, number: int, sizes: Sizes) -> None:
    """UserError if a frame was recorded with other cameras."""
    try:
        seen = [key.removeprefix("rgb_") for key in split.frame(number) if key.startswith("rgb_")]
    except DamagedFrameError:
        return  # others may be sound
    for camera in sizes:
        if camera not in seen:
            raise UserError(
                f"{split.folder} has no pictures of the camera {camera}, only of {' and '.join(seen) or 'none'}: name "
                "another data set, or other cameras"
            )


def _windows(split: DatasetSplit, annotated: bool) -> list[Window]:
    if not annotated:
        return [Window(int(first), int(last), "") for first, last in split.episodes]
    if not split.windows:
        raise UserError(
            f"nothing in {split.folder} is annotated: give a data set that is, or take all frames with "
            "data.annotated=false"
        )
    return list(split.windows)


def _fill(split: DatasetSplit, sizes: Sizes, numbers: np.ndarray, path: Path) -> np.ndarray:
    """Write the rows; bool (N,), which of them could be read."""
    rows = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(len(numbers), _row(sizes)))
    good = np.ones(len(numbers), bool)
    keys = {f"rgb_{name}": size for name, size in sizes.items()}

    def fill(start: int) -> int:
        chosen = range(start, min(start + CHUNK, len(numbers)))
        for row in chosen:
            try:
                frame = split.frame(int(numbers[row]), tuple(keys))
                rows[row] = np.concatenate([resize(frame[name], size).reshape(-1) for name, size in keys.items()])
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


def _row(sizes: Sizes) -> int:
    return sum(height * width * 3 for height, width in sizes.values())


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
