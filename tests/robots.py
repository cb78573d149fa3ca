"""Untrained robot agents, and a toy benchmark without a simulator, for the tests of everything that lets robots act."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agents import rollout
from agents.robot_agent import RobotModel, save_robot_model
from agents.rollout_episodes import Episode
from agents.sentences import KnownSentences
from agents.videoworld.config import DynamicsConfig, InverseMotionConfig, TokenizerConfig, WorldConfig
from agents.videoworld.dynamics import LatentDynamicsModel
from agents.videoworld.inverse_dynamics import InverseMotion
from agents.videoworld.motion import MotionCodes
from agents.videoworld.tokenizer import FrameTokenizer
from agents.videoworld.transformer import VideoTransformer
from agents.videoworld.world import VideoWorld
from envs.calvin.language import PARAPHRASES, VALIDATION
from envs.errors import UserError
from envs.rlbench.tasks import task_named, task_names
from envs.tabletop.canvas import CameraCanvas

STEPS = 3  # actions of a plan
SENTENCES = (
    "go left", "go right", *VALIDATION.values(), *(words for task in PARAPHRASES.values() for words in task),
    *(text for name in task_names() for words in task_named(name).words
      for text in (words.protocol, *words.own, *words.held_out)),
)  # fmt: skip
CANVASES = {"calvin": CameraCanvas(16), "rlbench": CameraCanvas(16, scene="front", wrist="wrist")}


def tiny_robot_model(seed: int = 0, sentences: Sequence[str] = SENTENCES, world: str = "calvin") -> RobotModel:
    """Networks for a world's canvases of 16x24 px that know these sentences by heart."""
    torch.manual_seed(seed)
    canvas = CANVASES[world]
    size = canvas.frame_shape
    tokenizer = FrameTokenizer(TokenizerConfig.preset("tiny", frame_size=size, parts=1))
    dynamics = LatentDynamicsModel(
        DynamicsConfig.preset("tiny", frame_size=size, readout="motion", parts=2, levels=(4, 4))
    )
    transformer = VideoTransformer(
        WorldConfig.preset(
            "tiny", grid=tokenizer.grid, frame_levels=tokenizer.levels, codes=2, parts=2, places=1,
            whats=dynamics.codebook_size, code_readout="last", instruction_dim=8,
        )
    )  # fmt: skip
    for parameter in transformer.parameters():  # far from the first, nearly uniform predictions
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    assert isinstance(dynamics.net, MotionCodes)
    head = InverseMotion(InverseMotionConfig.preset("tiny", steps=STEPS, numbers=4, frame_size=size))
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    vectors = np.random.default_rng(seed).normal(size=(len(sentences), 8)).astype(np.float32)
    known = KnownSentences(known=dict(zip(sentences, vectors, strict=True)))
    networks = VideoWorld(tokenizer, transformer, dynamics)
    return RobotModel(networks, head, canvas, known).eval().requires_grad_(False)


def tiny_robot(folder: Path, seed: int = 0, world: str = "calvin") -> Path:
    """The same as a checkpoint folder."""
    return save_robot_model({world: tiny_robot_model(seed, world=world)}, folder)


class ToySimulation:
    """A point that actions move; its pictures show where it is, and a task is solved a good way left or right.

    Which of the two it goes is drawn for each task of an episode; how far, the actions say. So an untrained agent,
    which may do anything, solves some tasks and fails others.
    """

    def __init__(self) -> None:
        self.place, self.task, self.begun, self.drawn = np.zeros(7), "", np.zeros(7), 0
        self.ways, self.way = list[int](), 0

    trouble: str | None = None
    failed = False

    @property
    def opening(self) -> float:
        return 0.04

    def reset(self, start: Mapping[str, Any]) -> None:
        if start["broken"]:
            raise ZeroDivisionError("a bug")
        self.place, self.ways = np.asarray(start["place"], float), list(start["ways"])

    def begin(self, task: str) -> None:
        self.task, self.begun, self.way = task, self.place.copy(), self.ways.pop(0)

    def pictures(self) -> dict[str, np.ndarray]:
        self.drawn += 1
        colour = (127 + 120 * np.sin(self.place[:3])).astype(np.uint8)
        return {"static": np.tile(colour, (20, 20, 1)), "gripper": np.tile(colour[::-1], (12, 12, 1))}

    def step(self, action: np.ndarray) -> bool:
        self.place = self.place + [self.way * (0.1 + abs(action[0])), *action[1:]]
        way = (self.place - self.begun)[0] * {"left": -1, "right": 1}.get(self.task, 0)
        return bool(way > 0.5)

    def close(self) -> None:
        self.place = np.zeros(7)


@dataclass(frozen=True)
class ToyBenchmark:
    """Episodes of `ToySimulation`; chains of two tasks if `chains`; `broken`: the simulation has a bug."""

    count: int = 4
    seed: int = 0
    chains: bool = False
    broken: bool = False

    name, world = "toy", "calvin"
    hz = 10
    source = "nowhere"

    @property
    def published(self) -> dict[str, dict[str, float]]:
        return {} if self.chains else {"Somebody": {"move": 55.5}}

    def settings(self) -> dict[str, Any]:
        return {"benchmark": "toy", "seed": self.seed, "chains": self.chains}

    def episodes(self) -> list[Episode]:
        tasks = (("left", "right"),) if self.chains else (("left",), ("right",))
        return [
            Episode(f"{'-'.join(names)}-{number:03d}", names, tuple(f"go {name}" for name in names),
                    self._start(number), 1000 * self.seed + number)
            for names in tasks for number in range(self.count)
        ]  # fmt: skip

    def _start(self, number: int) -> dict[str, Any]:
        random = np.random.default_rng([self.seed, number])
        place, ways = random.normal(size=7).round(3).tolist(), random.choice([-1, 1], 2).tolist()
        return {"place": place, "ways": ways, "broken": self.broken}

    def group(self, task: str) -> str:
        return "move"

    def open(self) -> ToySimulation:
        return ToySimulation()


class Toy:
    """The toy benchmark's part of the command line."""

    STEPS, CHECKPOINT = 360, "nowhere"

    @staticmethod
    def add_options(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--episodes", type=int, default=4)
        parser.add_argument("--chains", action="store_true")
        parser.add_argument("--broken", action="store_true")
        parser.add_argument("--missing", action="store_true")

    @staticmethod
    def make_benchmark(options: argparse.Namespace) -> ToyBenchmark:
        if options.missing:
            raise UserError("the toy is not there; buy one")
        return ToyBenchmark(options.episodes, options.seed, options.chains, options.broken)


def toy_rollout(arguments: Sequence[str]) -> int:
    """`python -m agents.rollout` with the toy benchmark."""
    rollout.BENCHMARKS["toy"] = Toy  # type: ignore[assignment]
    return rollout.main(["toy", *arguments])


if __name__ == "__main__":
    sys.exit(toy_rollout(sys.argv[1:]))
