"""Small RLBench data sets for tests, without a simulation; tasks differ in how many numbers tell their things."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from envs.rlbench.dataset import rlbench_kind
from envs.tabletop.dataset_writer import DatasetWriter
from tests import calvin_data

TASKS = (("close_box", 9), ("close_microwave", 8), ("reach_target", 21))  # and how long their states are
SIZES = {"front": (20, 20), "wrist": (12, 12)}


def observations(count: int, seed: int = 0) -> Iterator[dict[str, np.ndarray]]:
    """As `calvin_data.observations`."""
    length = TASKS[seed % 3][1]
    for seen in calvin_data.observations(count, seed):
        pictures = {"rgb_front": seen["rgb_static"], "rgb_wrist": seen["rgb_gripper"]}
        yield {**pictures, "robot_obs": seen["robot_obs"], "scene_obs": seen["scene_obs"][:length]}


def record(folder: Path, lengths: list[int], *, first_seed: int = 0) -> None:
    """Append episodes of these lengths to a split."""
    with DatasetWriter(folder, rlbench_kind(SIZES)) as writer:
        for seed, length in enumerate(lengths, first_seed):
            episode, task = writer.begin(), TASKS[seed % 3][0]
            for observation in observations(length, seed):
                episode.add(observation)
            episode.commit(task, f"now {task.replace('_', ' ')}")
