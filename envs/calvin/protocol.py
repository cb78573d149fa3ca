"""CALVIN's long-horizon evaluation: chains of tasks without a reset in between, and the scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from envs.calvin.env import CalvinEnv, Observation
from envs.calvin.sequences import CHAIN_STEPS, Chain, start_observation
from envs.errors import UserError

# Observation, instruction and how many steps this task has had already -> action.
Choose: TypeAlias = Callable[[Observation, str, int], Any]


def run_chain(env: CalvinEnv, chain: Chain, choose: Choose, *, steps: int = CHAIN_STEPS) -> int:
    """Let `choose` play a chain from its starting state and return how many tasks it solves in a row.

    Each task has `steps` steps and is asked for in the protocol's sentence; the first that fails ends the chain.
    """
    robot, scene = start_observation(chain.state)
    observation, _ = env.reset(options={"robot_obs": robot, "scene_obs": scene})
    for solved, task in enumerate(chain.tasks):
        instruction, done = env.start_task(task)["instruction"], False
        for step in range(steps):
            observation, _, done, out_of_time, _ = env.step(choose(observation, instruction, step))
            if done or out_of_time:
                break
        if not done:
            return solved
    return len(chain.tasks)


def score(solved: Sequence[int], length: int) -> tuple[list[float], float]:
    """From tasks solved in a row, a chain each: shares of chains with at least 1 .. `length` solved, and the mean."""
    if not len(solved):
        raise UserError("there are no chains to score; run one or more")
    counts = np.asarray(solved)
    return [float((counts >= least).mean()) for least in range(1, length + 1)], float(counts.mean())
