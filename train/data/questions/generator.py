"""Questions made on the fly: a pure function of split, seed and number."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from envs.errors import UserError
from train.data.questions import go_questions, robot_questions
from train.data.questions.calvin_scenes import PlayTables
from train.data.questions.go_boards import Board, BoardScenes
from train.data.questions.labels import LABELS
from train.data.questions.question import Question
from train.data.questions.rlbench_scenes import Theatres
from train.data.questions.splits import Draw, scene_random
from train.data.questions.subjects import Made
from train.data.questions.tabletops import Tabletop
from train.data.questions.wordings import reworded
from train.data.video import check_split

SOURCES = ("go", "calvin", "rlbench")
FIXED = 5000  # questions of the test set
MULTI_OF_FIVE = 2  # of five fixed questions have several targets
SCENES = 2**31  # scenes of each split and source
READING = "reading"  # a class of questions beside none, one and several
TRIES = 30  # questions a scene is asked before another is drawn
# Worlds are shared by all sets of this process: training draws in the background while an evaluation draws as well
_SIMULATING = threading.Lock()


@dataclass(frozen=True)
class QuestionConfig:
    """What is asked, and how often.

    go, calvin, rlbench: shares of the sources. several, one: shares of questions with several targets and with one; the
    rest have none. share_9: how many of the boards have 9 points a side, rather than 13 or 19. paper: share of boards
    in the published picture's style. per_frame: questions about one frame, at most; the fixed ones have a frame each.
    reading: share of the training questions about boards that are of the reading kinds: points read out one by one,
    what stands on a point or in a place, what was played last, how many there are of something. What they say has to be
    found on the board, so they teach to look. reworded: share of the training questions that are put in other words.
    """

    go: float = 0.5
    calvin: float = 0.3
    rlbench: float = 0.2
    several: float = 0.4
    one: float = 0.35
    share_9: float = 0.6
    paper: float = 0.1
    per_frame: int = 6
    reading: float = 0.0
    reworded: float = 0.4
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.shares) < 0 or sum(self.shares) <= 0:
            raise UserError(
                f"shares {self.shares} of Go, CALVIN and RLBench: give numbers from 0, and not all of them 0"
            )
        if min(self.several, self.one) < 0 or self.several + self.one > 1:
            raise UserError(
                f"data.several={self.several} and data.one={self.one}: give shares that add up to at most 1"
            )
        for name in ("share_9", "paper", "reading", "reworded"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"data.{name} is {getattr(self, name)}: choose a share from 0 to 1")
        for name, least in (("per_frame", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise UserError(f"data.{name} is {getattr(self, name)}: choose a whole number of at least {least}")

    @property
    def shares(self) -> tuple[float, ...]:
        """Of the sources, in their order."""
        return self.go, self.calvin, self.rlbench

    @property
    def labels(self) -> tuple[int, ...]:
        """How many classes each label of a pixel has."""
        return tuple(LABELS.values())

    def questions(self, split: str) -> QuestionSet:
        """The questions of a split."""
        return QuestionSet(self, split)


class _Source(Protocol):
    """Scenes of one kind: drawn by number, asked, and finished."""

    def scene(self, number: int) -> Any: ...

    def make(self, scene: Any, draw: Draw) -> Made | None: ...

    def finish(self, scene: Any, made: Made) -> Question: ...


class _Boards:
    def __init__(self, config: QuestionConfig, split: str) -> None:
        rest = (1 - config.share_9) / 2
        shares = (config.share_9, rest, rest)
        self.split = split
        self.scenes = BoardScenes(split, seed=config.seed, sizes=(9, 13, 19), shares=shares, paper=config.paper)

    def scene(self, number: int) -> Board:
        return self.scenes.board(number)

    def make(self, scene: Board, draw: Draw) -> Made | None:
        return go_questions.make_question(scene, draw)

    def finish(self, scene: Board, made: Made) -> Question:
        return go_questions.finish(scene, made, self.split)


class _Tabletops:
    def __init__(self, config: QuestionConfig, split: str, scenes: PlayTables | Theatres) -> None:
        self.config, self.split, self.scenes = config, split, scenes

    def scene(self, number: int) -> Tabletop:
        rng = scene_random(self.config.seed, self.split, self.scenes.source, number)
        with _SIMULATING:
            return self.scenes.draw(rng, self.split)

    def make(self, scene: Tabletop, draw: Draw) -> Made | None:
        return robot_questions.make_question(scene, draw)

    def finish(self, scene: Tabletop, made: Made) -> Question:
        return robot_questions.finish(scene, made, self.split)


class QuestionSet:
    """The questions of one split.

    Simulators are started when the first scene needs them, and kept.
    """

    def __init__(self, config: QuestionConfig, split: str) -> None:
        """ValueError for an unknown split."""
        check_split(split)
        self.config, self.split = config, split
        self._shares = np.array(config.shares) / sum(config.shares)
        make: dict[str, Callable[[], _Source]] = {
            "go": lambda: _Boards(config, split),
            "calvin": lambda: _Tabletops(config, split, PlayTables()),
            "rlbench": lambda: _Tabletops(config, split, Theatres()),
        }
        self._sources = {name: make[name]() for name in SOURCES}

    def sample(self, rng: np.random.Generator, count: int) -> list[Question]:
        """`count` questions, a few about each frame, in random order; what they are depends on the generator alone."""
        found: list[Question] = []
        while len(found) < count:
            source = SOURCES[int(rng.choice(len(SOURCES), p=self._shares))]
            wanted = [self._class(rng, source) for _ in range(self.config.per_frame)]
            found += self._ask(rng, source, wanted)
        return [found[int(index)] for index in rng.permutation(count)]

    def fixed(self, number: int) -> Question:
        """Question `number` of the fixed ones, 0 to 4999; two of five have several targets. UserError for others."""
        if not 0 <= number < FIXED:
            raise UserError(f"question {number} does not exist: give 0 to {FIXED - 1}")
        rng = scene_random(self.config.seed, self.split, "fixed questions", number)
        if number % 5 < MULTI_OF_FIVE:
            wanted = "several"
        else:
            rest = 1 - self.config.several
            wanted = "one" if rng.random() < (self.config.one / rest if rest else 1.0) else "none"
        source = SOURCES[int(rng.choice(len(SOURCES), p=self._shares))]
        while True:
            found = self._ask(rng, source, [wanted])
            if found:
                return found[0]

    def _class(self, rng: np.random.Generator, source: str) -> str:
        reading = self.config.reading if source == "go" and self.split == "train" else 0.0
        if reading and rng.random() < reading:
            return READING
        value = rng.random()
        if value < self.config.several:
            return "several"
        return "one" if value < self.config.several + self.config.one else "none"

    def _ask(self, rng: np.random.Generator, source: str, wanted: list[str]) -> list[Question]:
        """Questions about one scene, of the classes that are wanted; fewer where it has none of a class."""
        maker = self._sources[source]
        scene, draw = maker.scene(int(rng.integers(SCENES))), Draw(rng, self.split)
        found: list[Question] = []
        asked: set[str] = set()
        for one in wanted:
            for _ in range(TRIES):
                made = go_questions.make_reading(scene, draw) if one == READING else maker.make(scene, draw)
                if made is not None and one in (READING, _class_of(made)) and made.question not in asked:
                    asked.add(made.question)
                    if self.split == "train" and draw.chance(self.config.reworded):
                        made = replace(made, question=reworded(made.question, draw))
                    found.append(maker.finish(scene, made))
                    break
        return found


def _class_of(made: Made) -> str:
    return "none" if not made.targets else "one" if len(made.targets) == 1 else "several"
