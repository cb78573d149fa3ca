"""The files beside the frames of a data set in CALVIN's format: index, annotations, statistics."""

from __future__ import annotations

import re
import sys
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import yaml

from envs.objects import array_bytes, object_bytes
from envs.tabletop.frames import Turn, turn_by_angles

SPLITS = ("training", "validation")
INDEX = "ep_start_end_ids.npy"
LENGTHS = "ep_lens.npy"
SCENES = "scene_info.npy"
STATISTICS = "statistics.yaml"
CONFIG = ".hydra/merged_config.yaml"
ANNOTATIONS = "lang_annotations/auto_lang_ann.npy"
EMBEDDINGS = "lang_annotations/embeddings.npy"
EMBEDDING = 384  # numbers of a sentence, as many as CALVIN's own encoder gives

Entry = Mapping[str, Any]  # a line of a writer's journal: first, last, task, sentence, moments


@dataclass(frozen=True)
class DatasetKind:
    """What a world says for itself in its data sets.

    Attributes:
        scene: its name in the index of scenes.
        cameras: their names, in the order in which frames hold their pictures.
        config: the content of `CONFIG`.
        fixed: places in it, as keys, of what all recordings in one folder have in common.
        states: state -> its length, of the states that statistics are made of.
        depth: whether frames hold what the cameras measured in depth.
        turn: how relative actions tell turns.
        sentences: task -> the protocol's sentence, which validation/ tells.
    """

    scene: str
    cameras: tuple[str, ...]
    config: bytes
    fixed: tuple[tuple[str, ...], ...]
    states: Mapping[str, int]
    depth: bool = False
    turn: Turn = turn_by_angles
    sentences: Mapping[str, str] = field(default_factory=dict)

    @property
    def picture_keys(self) -> tuple[str, ...]:
        """What frames hold of the cameras."""
        pictures = ("rgb", "depth") if self.depth else ("rgb",)
        return tuple(f"{what}_{camera}" for what in pictures for camera in self.cameras)


class Moments:
    """Running sums over an episode's states and actions, from which the statistics come."""

    def __init__(self, states: Mapping[str, int]) -> None:
        """`states`: those to count, with their lengths."""
        self.count = 0
        self._sums = {name: np.zeros((2, length)) for name, length in states.items()}
        self._low, self._high = np.full(7, np.inf), np.full(7, -np.inf)

    def add(self, states: Mapping[str, np.ndarray], action: np.ndarray) -> None:
        """Count a frame: its states and the absolute action (7,)."""
        self.count += 1
        for name, sums in self._sums.items():
            sums += (states[name], np.square(states[name]))
        self._low, self._high = np.minimum(self._low, action), np.maximum(self._high, action)

    def as_json(self) -> dict[str, Any]:
        """Numbers that survive JSON exactly."""
        sums = {name: sums.tolist() for name, sums in self._sums.items()}
        return {"count": self.count, **sums, "low": self._low.tolist(), "high": self._high.tolist()}


def derived_files(entries: Sequence[Entry], kind: DatasetKind, *, validation: bool) -> dict[str, bytes]:
    """Everything that follows from the episodes in a split: name -> content; the index is the last.

    Annotated windows are whole episodes. Sentences are embedded by counting their words (see `embed`).
    """
    spans = np.array([(entry["first"], entry["last"]) for entry in entries], np.int64).reshape(-1, 2)
    files = {ANNOTATIONS: _annotations(entries)}
    if validation and kind.sentences:
        files[EMBEDDINGS] = object_bytes(
            {task: {"ann": [text], "emb": embed([text])} for task, text in kind.sentences.items()}
        )
    if len(spans):
        files[SCENES] = object_bytes({kind.scene: [int(spans.min()), int(spans.max())]})
        files[STATISTICS] = _statistics(entries, kind)
    files[LENGTHS] = array_bytes(spans[:, 1] - spans[:, 0] + 1)
    files[INDEX] = array_bytes(spans)
    return files


def _annotations(entries: Iterable[Entry]) -> bytes:
    # A pickle spells a text once and then points to it; interned texts make it the same wherever they come from.
    told = [entry for entry in entries if entry["sentence"]]
    sentences = [sys.intern(entry["sentence"]) for entry in told]
    return object_bytes(
        {
            "language": {
                "ann": sentences,
                "task": [sys.intern(entry["task"]) for entry in told],
                "emb": embed(sentences),
            },
            "info": {"episodes": [], "indx": [(entry["first"], entry["last"]) for entry in told]},
        }
    )


def embed(sentences: Sequence[str]) -> np.ndarray:
    """float32 (N, 1, 384): which words a sentence has, hashed, of length 1.

    CALVIN's own come from a language model. These have their shape and tell sentences apart, no more.
    """
    vectors = np.zeros((len(sentences), 1, EMBEDDING), np.float32)
    for vector, sentence in zip(vectors, sentences, strict=True):
        for word in re.findall(r"[a-z]+", sentence.lower()):
            code = zlib.crc32(word.encode())
            vector[0, code % EMBEDDING] += 1 if code >> 16 & 1 else -1
        vector /= max(float(np.linalg.norm(vector)), 1e-6)
    return vectors


def _statistics(entries: Sequence[Entry], kind: DatasetKind) -> bytes:
    moments = [entry["moments"] for entry in entries]
    count = sum(moment["count"] for moment in moments)
    told: dict[str, Any] = {}
    for name in kind.states:
        total, squares = np.sum([moment[name] for moment in moments], axis=0) / count
        told[name] = [
            {
                "_target_": "calvin_agent.utils.transforms.NormalizeVector",
                "mean": total.tolist(),
                "std": np.sqrt(np.maximum(squares - total**2, 0)).tolist(),
            }
        ]
    told["act_min_bound"] = np.min([moment["low"] for moment in moments], axis=0).tolist()
    told["act_max_bound"] = np.max([moment["high"] for moment in moments], axis=0).tolist()
    return yaml.safe_dump(told, sort_keys=False, default_flow_style=None, width=120).encode()
