"""Writes episodes in CALVIN's format, one split a folder; an episode is either all there or not there.

    training/episode_0000000.npz ...   the frames, numbered without gaps
    training/episodes.jsonl            our journal: a line for each episode; what is not in it does not exist
    training/.staged/KEY/              frames of episodes on their way, and of those that wait for their turn
    training/ep_start_end_ids.npy, ep_lens.npy, scene_info.npy, statistics.yaml, .hydra/, lang_annotations/
                                       made from the journal, after an episode or, where they come fast, after a few

An episode is first written aside. To commit it its frames are moved into their places, then its line is written; a
program killed anywhere in between is caught up with when the folder is opened again.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import IO, Any

import numpy as np
import yaml

from envs.errors import UserError
from envs.files import claim, replace_bytes
from envs.tabletop.dataset_files import CONFIG, INDEX, DatasetKind, Moments, derived_files
from envs.tabletop.frames import STATE_KEYS, absolute_action, encode_frame, frame_name, frame_number

log = logging.getLogger(__name__)

JOURNAL = "episodes.jsonl"
STAGED = ".staged"
SHARE = 0.05  # of the time at most that goes into keeping the files made from the journal up to date
_KEY = re.compile(r"[A-Za-z0-9_.-]*[A-Za-z0-9_-]")


class EpisodeEncoder:
    """Turns observations into the contents of frames, one behind: a frame's action shows in the next observation."""

    def __init__(self, sink: Callable[[bytes], None], kind: DatasetKind) -> None:
        """`sink` is given each frame's content."""
        self._sink, self._kind = sink, kind
        self._keys = (*STATE_KEYS, *kind.picture_keys)
        self._waiting: dict[str, np.ndarray] | None = None
        self.moments = Moments(kind.states)

    def add(self, observation: Mapping[str, np.ndarray]) -> None:
        """The next observation, under the names of a frame's arrays; what frames do not hold is left out."""
        if self._waiting is not None:
            self._emit(observation["robot_obs"])
        self._waiting = {key: np.array(observation[key]) for key in self._keys if key in observation}

    def finish(self) -> None:
        """No observation follows; the last frame's action is to stay."""
        if self._waiting is not None:
            self._emit(self._waiting["robot_obs"])
            self._waiting = None

    def _emit(self, following: np.ndarray) -> None:
        assert self._waiting is not None
        self.moments.add(self._waiting, absolute_action(following))
        self._sink(encode_frame(self._waiting, following, self._kind.picture_keys, self._kind.turn))


@dataclass(frozen=True)
class Episode:
    """A recorded episode in memory: the contents of its frames, and what was to be done."""

    task: str | None
    sentence: str | None
    frames: Sequence[bytes]
    moments: Mapping[str, Any]


class EpisodeRecorder:
    """An episode on its way to the disk: add every observation, then commit or discard."""

    def __init__(self, writer: DatasetWriter, key: str) -> None:
        self._writer, self._key, self._count = writer, key, 0
        self._encoder = EpisodeEncoder(self._write, writer.kind)
        self._folder = writer.staging_folder(key)

    def __len__(self) -> int:
        """Frames on the disk; one less than observations."""
        return self._count

    def add(self, observation: Mapping[str, np.ndarray]) -> None:
        """The next observation, as for `EpisodeEncoder`. UserError where the disk refuses."""
        self._encoder.add(observation)

    def commit(self, task: str | None = None, sentence: str | None = None) -> tuple[int, int]:
        """Make the episode part of the dataset, annotated if it was to do something; its first and last frame.

        Raises:
            UserError: it has no frames, or the disk refuses.
        """
        self._encoder.finish()
        if not self._count:
            raise UserError("the episode has no frames; take a step before it is kept, or discard it")
        self._writer.complete(self._key, self._count, task, sentence, self._encoder.moments.as_json())
        return self._writer.commit(self._key)

    def discard(self) -> None:
        """Leave nothing of it."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _write(self, content: bytes) -> None:
        with self._writer.writing():
            (self._folder / frame_name(self._count)).write_bytes(content)
        self._count += 1


class DatasetWriter:
    """One split of a dataset, open for writing by this process alone; a context manager."""

    def __init__(self, folder: Path, kind: DatasetKind, *, in_turn: bool = False) -> None:
        """Open or make a split's folder, and finish or remove what a killed program left there.

        Args:
            folder: such as DATASET/training; a folder named validation gets the protocol's sentences too.
            kind: the world, one for the whole folder.
            in_turn: episodes that wait for `commit` stay waiting; otherwise they are committed now.

        Raises:
            UserError: the folder is in use, holds another dataset or scene, or cannot be written.
        """
        self.folder, self.kind = Path(folder), kind
        self.entries: list[dict[str, Any]] = []
        self._cost = self._refreshed = 0.0
        self._stale = False
        self._journal: IO[str] | None = None
        try:
            with self.writing():
                self._open()
                self._read_journal()
                self._recover(in_turn)
        except BaseException:
            if self._journal is not None:
                self._journal.close()
            raise

    def __enter__(self) -> DatasetWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def next_frame(self) -> int:
        """The number of the next frame."""
        return max((entry["last"] for entry in self.episodes), default=-1) + 1

    @property
    def episodes(self) -> list[dict[str, Any]]:
        """The journal's entries with frames."""
        return [entry for entry in self.entries if "first" in entry]

    @property
    def keys(self) -> set[str]:
        """Keys of everything in the journal."""
        return {entry["key"] for entry in self.entries}

    @property
    def waiting(self) -> set[str]:
        """Keys of episodes that are written and wait for `commit`."""
        return {path.parent.name for path in (self.folder / STAGED).glob("*/episode.json")}

    def begin(self, key: str | None = None) -> EpisodeRecorder:
        """Record an episode frame by frame; key: a name of its own, made up where there is none."""
        return EpisodeRecorder(self, key or f"episode-{len(self.entries):06d}")

    def stage(self, key: str, episode: Episode, **notes: Any) -> None:
        """Write an episode aside, where it outlives this process and waits for `commit`; notes go into its line."""
        folder = self.staging_folder(key)
        with self.writing():
            for number, content in enumerate(episode.frames):
                (folder / frame_name(number)).write_bytes(content)
        self.complete(key, len(episode.frames), episode.task, episode.sentence, episode.moments, **notes)

    def staging_folder(self, key: str) -> Path:
        """An empty folder for the frames of an episode."""
        assert _KEY.fullmatch(key), key
        folder = self.folder / STAGED / key
        with self.writing():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        return folder

    def complete(
        self, key: str, count: int, task: str | None, sentence: str | None, moments: Mapping[str, Any], **notes: Any
    ) -> None:
        """Say that all frames of a staged episode are written."""
        told = {"key": key, "count": count, "task": task, "sentence": sentence, **notes, "moments": moments}
        with self.writing():
            replace_bytes(self.folder / STAGED / key / "episode.json", json.dumps(told).encode())

    def commit(self, key: str) -> tuple[int, int]:
        """Make a waiting episode part of the dataset; its first and last frame."""
        folder = self.folder / STAGED / key
        with self.writing():
            entry = json.loads((folder / "episode.json").read_bytes())
            place = folder / "first"
            if not place.exists():
                replace_bytes(place, str(self.next_frame).encode())
            first, count = int(place.read_bytes()), entry.pop("count")
            for number in range(count):
                source, target = folder / frame_name(number), self.folder / frame_name(first + number)
                if source.exists() or not target.exists():
                    source.replace(target)
            self._append({"key": entry.pop("key"), "first": first, "last": first + count - 1, **entry})
            shutil.rmtree(folder, ignore_errors=True)
        self._stale = True
        if time.perf_counter() - self._refreshed >= self._cost / SHARE:
            self.refresh()
        return first, first + count - 1

    def skip(self, key: str, **notes: Any) -> None:
        """Note that there will be no episode of this key, and why."""
        with self.writing():
            self._append({"key": key, **notes})

    def refresh(self) -> None:
        """Bring the files that are made from the journal up to date."""
        start = time.perf_counter()
        files = derived_files(self.episodes, self.kind, validation=self.folder.name == "validation")
        with self.writing():
            for name, content in files.items():
                (self.folder / name).parent.mkdir(exist_ok=True)
                replace_bytes(self.folder / name, content)
        self._refreshed = time.perf_counter()
        self._cost, self._stale = self._refreshed - start, False

    def close(self) -> None:
        """Leave everything up to date, and the folder to others."""
        if self._journal is None:
            return
        try:
            if self._stale:
                self.refresh()
            staged = self.folder / STAGED
            if staged.is_dir() and not any(staged.iterdir()):
                staged.rmdir()
        finally:
            journal, self._journal = self._journal, None
            with self.writing():
                journal.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Turns what a disk says against writing into one sentence."""
        try:
            yield
        except UserError:
            raise
        except OSError as error:
            raise UserError(
                f"cannot write to {self.folder} ({error.strerror or error}); make room or choose another folder, what "
                "is recorded is kept"
            ) from error

    def _open(self) -> None:
        journal, told = self.folder / JOURNAL, self.folder / CONFIG
        if not journal.exists() and self.folder.is_dir():
            if (self.folder / INDEX).exists() or any(
                frame_number(name) is not None for name in os.listdir(self.folder)
            ):
                raise UserError(f"{self.folder} holds a dataset that was not recorded here; choose another folder")
        told.parent.mkdir(parents=True, exist_ok=True)
        self._journal = journal.open("a+", encoding="utf-8")
        claim(self._journal, f"another program records into {self.folder}; wait for its end or choose another folder")
        if told.exists() and self._setting(told.read_bytes()) != self._setting(self.kind.config):
            raise UserError(
                f"{self.folder} was recorded in another scene than {self.kind.scene}, or with other cameras; choose "
                "another folder"
            )
        if not told.exists():
            replace_bytes(told, self.kind.config)

    def _read_journal(self) -> None:
        """Read the lines; the last may be torn, and then it does not count."""
        assert self._journal is not None
        self._journal.seek(0)
        whole = 0
        lines = self._journal.read().encode().splitlines(keepends=True)
        for number, line in enumerate(lines):
            try:
                entry = json.loads(line) if line.endswith(b"\n") else None
            except ValueError as error:
                raise UserError(
                    f"{self.folder / JOURNAL} is damaged in line {number + 1}; restore it, or remove {self.folder} and "
                    "record again"
                ) from error
            if entry is None:
                break
            self.entries.append(entry)
            whole += len(line)
        self._journal.truncate(whole)

    def _recover(self, in_turn: bool) -> None:
        known, recorded = self.keys, len(self.episodes)
        for folder in sorted((self.folder / STAGED).glob("*")):
            complete = (folder / "episode.json").exists()
            if not complete or folder.name in known:
                shutil.rmtree(folder, ignore_errors=True)
            elif (folder / "first").exists():
                self.commit(folder.name)
        for key in [] if in_turn else sorted(self.waiting):
            self.commit(key)
        following = self.next_frame
        for name in os.listdir(self.folder):
            number = frame_number(name)
            if number is not None and number >= following:
                log.warning("%s belongs to no episode and is removed", self.folder / name)
                (self.folder / name).unlink()
        if recorded != len(self.episodes) or not (self.folder / INDEX).exists():
            self._stale = True
        elif recorded and _indexed(self.folder) != recorded:
            self._stale = True
        if self._stale:
            self.refresh()

    def _setting(self, config: bytes) -> list[Any]:
        """What two recordings in one folder must have in common: the scene and the cameras."""
        told = yaml.safe_load(config)
        return [reduce(lambda part, key: part.get(key, {}), keys, told) for keys in self.kind.fixed]

    def _append(self, entry: dict[str, Any]) -> None:
        assert self._journal is not None, "the writer is closed"
        self._journal.write(json.dumps(entry) + "\n")
        self._journal.flush()
        os.fsync(self._journal.fileno())
        self.entries.append(entry)


def _indexed(folder: Path) -> int:
    try:
        return len(np.load(folder / INDEX, allow_pickle=False))
    except (OSError, ValueError, EOFError):
        return -1
