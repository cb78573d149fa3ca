"""CALVIN as a benchmark for rollouts: its episodes, their starts, sentences and groups, and the play table behind."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents import rollout_shared
from agents.rollout_episodes import Episode
from agents.rollout_shared import EPISODES, Draws, Pictures, choose, read_tasks
from envs.calvin.actions import read_action
from envs.calvin.env import BACKENDS, make_world
from envs.calvin.language import VALIDATION, sentences_for
from envs.calvin.layouts import LAYOUTS, layout
from envs.calvin.sequences import CHAINS, VIDEOWORLD_TASKS, Chain, make_chains, start_observation
from envs.calvin.starts import start_for
from envs.calvin.tasks import TASKS, check_task, is_solved
from envs.calvin.world import CONTROL_HZ
from envs.errors import UserError

PROTOCOLS = ("single", "long")
SIZES = {"static": (200, 200), "gripper": (84, 84)}  # px; CALVIN's cameras
PLACES = "D"  # the scene that the protocols' starting states are measured in
STEPS = 360  # for each task, as in CALVIN's protocols
CHECKPOINT = "calvin-small"

# Ren et al. 2025, table 2: percent of 500 trials. The first was trained on 30,000 more trajectories than the second.
PUBLISHED = {
    "VideoWorld": {"push": 72.7, "open/close": 91.0, "lights": 93.8},
    "oracle": {"push": 75.4, "open/close": 95.3, "lights": 96.2},
}


@dataclass(frozen=True)
class CalvinBenchmark:
    """Episodes at the play table.

    Protocol "single" is the published one of VideoWorld: chains of one task each out of twelve. An episode is one of
    the chains that CALVIN's generator makes of these tasks. Other tasks, and scenes other than D, whose fixtures and
    blocks are elsewhere, have starts drawn from the seed (`start_for`, with lights, door, drawer and blocks as they
    come). Protocol "long" is CALVIN's own: chains of five tasks.

    Attributes:
        tasks: of protocol "single". count: episodes of each of them, or chains.
        scene: "A" to "D". protocol: see above. backend, assets: as in `CalvinEnv`.
        language: "protocol" (CALVIN's sentence of the task), "own" (one of those that training data ask in) or
            "held-out" (one that they leave out).
        seed: of starts, sentences and sampling.
    """

    tasks: tuple[str, ...] = VIDEOWORLD_TASKS
    count: int = EPISODES
    scene: str = PLACES
    protocol: str = "single"
    backend: str = "builtin"
    assets: str | None = None
    language: str = "protocol"
    seed: int = 0

    name = world = "calvin"
    hz = CONTROL_HZ
    source = "Ren et al. 2025, table 2, 500 trials in CALVIN itself"

    def __post_init__(self) -> None:
        layout(self.scene)
        for task in self.tasks:
            check_task(task)
        if self.protocol == "long" and self.scene != PLACES:
            raise UserError(
                f"--protocol long starts from states of scene {PLACES}, not {self.scene}; give --scene {PLACES}, or "
                "--protocol single"
            )
        if self.protocol == "long" and self.count > CHAINS:
            raise UserError(f"--episodes is {self.count}, but the protocol has {CHAINS} chains; give {CHAINS} or fewer")

    @property
    def published(self) -> Mapping[str, Mapping[str, float]]:
        """The paper's figures by group, in percent; only where the protocol is the paper's."""
        same = self.protocol == "single" and self.scene == PLACES
        return PUBLISHED if same else {}

    def settings(self) -> dict[str, Any]:
        """All but the tasks and their number: an episode's key says which it is."""
        names = ("scene", "protocol", "backend", "assets", "language", "seed")
        return {"benchmark": self.name} | {name: getattr(self, name) for name in names}

    def episodes(self) -> list[Episode]:
        """Task by task, or chain by chain; UserError where the protocol has fewer."""
        if self.protocol == "long":
            chains = make_chains(CHAINS)[: self.count]
            return [self._episode(f"chain-{number:03d}", chain, number) for number, chain in enumerate(chains)]
        return [
            self._episode(f"{task}-{number:03d}", chain, number, TASKS.index(task))
            for task in self.tasks
            for number, chain in enumerate(self._starts(task))
        ]

    def group(self, task: str) -> str:
        """Push, open/close and lights, as published; others by what is done."""
        words = task.split("_")
        if task == "push_into_drawer":
            return "push in"
        verbs = {"open": "open/close", "close": "open/close", "turn": "lights", "move": "slider", "unstack": "stack"}
        return verbs.get(words[0], words[0])

    def open(self) -> CalvinSimulation:
        """Start the play table; UserError where simulator, assets or the official package are missing."""
        return CalvinSimulation(self)

    def _starts(self, task: str) -> list[Chain | None]:
        """Chains of that task alone; None for a start that is drawn."""
        if self.scene != PLACES or task not in VIDEOWORLD_TASKS:
            return [None] * self.count
        chains = [chain for chain in _restricted_chains() if chain.tasks == (task,)]
        if self.count > len(chains):
            raise UserError(
                f"--episodes is {self.count}, but {task} comes in {len(chains)} of the protocol's {CHAINS} chains; "
                f"give {len(chains)} or fewer"
            )
        return list(chains[: self.count])

    def _episode(self, key: str, chain: Chain | None, number: int, task: int = -1) -> Episode:
        """`task`: its place among all, -1 in a chain."""
        tasks = (TASKS[task],) if task >= 0 else chain.tasks if chain is not None else ()
        draws = Draws((self.seed, list(LAYOUTS).index(self.scene), task + 1, number))
        start: dict[str, Any] = {"state": chain.state} if chain else {"drawn": draws.start, "task": tasks[0]}
        random = draws.sentences()
        sentences = tuple(self._sentence(task, random) for task in tasks)
        return Episode(key, tasks, sentences, start, draws.sampling)

    def _sentence(self, task: str, random: np.random.Generator) -> str:
        if self.language == "protocol":
            return VALIDATION[task]
        return choose(sentences_for(task, held_out=self.language == "held-out"), random)


def _restricted_chains() -> tuple[Chain, ...]:
    return make_chains(CHAINS, length=1, tasks=VIDEOWORLD_TASKS)


class CalvinSimulation:
    """The play table: `CalvinEnv` without what an agent of pictures does not use, so without drawing each step."""

    def __init__(self, benchmark: CalvinBenchmark) -> None:
        """Start it; raises UserError."""
        self._layout = layout(benchmark.scene)
        self.world = make_world(benchmark.backend, benchmark.scene, dict(SIZES), "fast", benchmark.assets)
        self.steps = 0
        self._task, self._begun = "", dict[str, Any]()

    trouble, failed = None, False  # relative actions are always carried out, and no task is ever lost

    @property
    def opening(self) -> float:
        """Between the gripper's fingers, m."""
        return float(self.world.states()[0][6])

    def reset(self, start: Mapping[str, Any]) -> None:
        """Begin at a chain's symbolic state, or at the start that a generator's seed draws."""
        if "state" in start:
            robot, scene = start_observation(start["state"])
        else:
            random = np.random.default_rng(start["drawn"])
            robot, scene = start_for(start["task"], self._layout, random, vary_scene=True)
        self.world.reset_to(robot, scene)
        self.steps += 1

    def begin(self, task: str) -> None:
        """Ask for a task from here on."""
        self._task, self._begun = task, self.world.info()

    def pictures(self) -> Pictures:
        """What the cameras "static" and "gripper" see now, in CALVIN's sizes."""
        return Pictures(tuple(SIZES), lambda camera: self.world.picture(camera)[0], lambda: self.steps)

    def step(self, action: NDArray[np.float32]) -> bool:
        """Carry out a relative action (7,); whether that solves the task."""
        self.world.act(read_action(action, "relative"))
        self.steps += 1
        return is_solved(self._task, self._begun, self.world.info())

    def close(self) -> None:
        """End the simulation."""
        self.world.close()


def add_options(parser: argparse.ArgumentParser) -> None:
    """CALVIN's own part of the command line."""
    rollout_shared.add_options(
        parser, name="CALVIN", tasks="the 12 of VideoWorld's published protocol",
        episodes="of each task, or chains of --protocol long", backends=BACKENDS, package="calvin_env",
    )  # fmt: skip
    add = parser.add_argument
    add("--scene", default=PLACES, help="A, B, C or D (default: D)")
    add("--protocol", choices=PROTOCOLS, default="single", help="one task an episode, or CALVIN's chains of five")
    add("--assets", type=Path, help="CALVIN's official meshes: the folder 'data' of calvin_env")


def make_benchmark(options: argparse.Namespace) -> CalvinBenchmark:
    """The benchmark that a command line describes; raises UserError."""
    tasks = VIDEOWORLD_TASKS
    if options.tasks is not None:
        if options.protocol == "long":
            raise UserError("--protocol long has its own tasks, all 34; leave --tasks out, or give --protocol single")
        tasks = read_tasks(options.tasks, "open_drawer,turn_on_led")
    return CalvinBenchmark(
        tasks, options.episodes, options.scene, options.protocol, options.backend,
        None if options.assets is None else str(options.assets), options.language, options.seed,
    )  # fmt: skip
