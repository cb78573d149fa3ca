"""Small CALVIN data sets for tests: observations as the environment returns them, without a simulation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from envs.calvin.dataset import calvin_kind
from envs.tabletop.dataset_writer import DatasetWriter

SIZES = {"static": (20, 20), "gripper": (12, 12)}


def observations(count: int, seed: int = 0, *, depth: bool = False) -> Iterator[dict[str, np.ndarray]]:
    """An arm that wanders, with pictures that tell the frame's number."""
    random = np.random.default_rng(seed)
    robot, scene = random.normal(size=15), random.normal(size=24)
    for number in range(count):
        robot = robot + random.normal(scale=0.01, size=15)
        robot[14] = 1 if number < count // 2 else -1
        pictures = {}
        for name, size in SIZES.items():
            pictures[f"rgb_{name}"] = random.integers(0, 256, (*size, 3), dtype=np.uint8)
            pictures[f"rgb_{name}"][0, 0] = (seed, number, 0)
            if depth:
                pictures[f"depth_{name}"] = random.random(size, np.float32)
        yield {**pictures, "robot_obs": robot, "scene_obs": scene.copy()}


def record(folder: Path, lengths: list[int], *, first_seed: int = 0, scene: str = "D") -> None:
    """Append episodes of these lengths to a split; the sentences tell their seeds."""
    with DatasetWriter(folder, calvin_kind(scene, sizes=SIZES)) as writer:
        for seed, length in enumerate(lengths, first_seed):
            episode = writer.begin()
            for observation in observations(length, seed):
                episode.add(observation)
            episode.commit("open_drawer", f"open it {'again ' * (seed % 3)}now")
