"""How a robot at work stands: what there is to see and to say. No pixels, and nothing here changes anything."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from envs.errors import UserError
from ui.messages import INFO, RESULT, WARNING, Message, sentence
from ui.robot_benchmark import Benchmark
from ui.robot_rig import AGENT, EXPERT, YOU, Look, Progress, Rig, Start

if TYPE_CHECKING:  # torch, behind it, is left to the thread that loads the agent
    from agents.robot_agent import RobotAgent

FORESIGHTS = (0, 1, 2, 4)  # frames ahead
WHO = {AGENT: "The agent", EXPERT: "The expert", YOU: "You"}


class RobotStanding:
    """See `ui.robot_session.RobotSession`, which moves it."""

    def __init__(
        self, benchmark: Benchmark, start: Start, actor: str, speed: float, clock: Callable[[], float]
    ) -> None:
        self.benchmark, self.start, self.clock = benchmark, start, clock
        self.actor, self.speed, self.paused = actor, speed, False
        self.now: Progress | None = None
        self.moment: object = object()  # stands for the picture that is shown
        self.looks: list[Look] = []
        self.foresight = 2
        self.folder: Path | None = None
        self.message: Message | None = None
        self.no_agent = ""  # why there is none, as a sentence
        self.stop = benchmark.limit  # the step of the attempt at which its time is up
        self.paces: deque[tuple[float, int]] = deque(maxlen=60)  # when steps came, and how many
        self.rig = Rig(benchmark)

    @property
    def loading(self) -> bool:
        """Whether the scene is being built, or another start made."""
        return self.now is None or self.now.start is not self.start

    @property
    def agent_loading(self) -> bool:
        """Whether the agent is being loaded."""
        return not self.no_agent and self.rig.agent is None

    @property
    def agent(self) -> RobotAgent | None:
        """The agent, once it is loaded."""
        return self.rig.agent

    @property
    def steps(self) -> int:
        """Of this attempt so far."""
        return self.now.steps if self.now is not None and not self.loading else 0

    @property
    def solved(self) -> bool:
        """Whether the task has been solved in this attempt."""
        return self.now is not None and not self.loading and self.now.solved

    @property
    def timed_out(self) -> bool:
        """Whether the time for the task is up; who acts at the keyboard has as much as they want."""
        return not self.solved and self.actor != YOU and self.steps >= self.stop

    @property
    def over(self) -> bool:
        """Whether nothing more happens in this attempt, unless somebody goes on."""
        return self.solved or self.timed_out

    @property
    def hz(self) -> float:
        """Steps a second over the last second or so; 0 while nothing runs."""
        if len(self.paces) < 2 or self.clock() - self.paces[-1][0] > 1.0:
            return 0.0
        seconds = self.paces[-1][0] - self.paces[0][0]
        return sum(steps for _, steps in list(self.paces)[1:]) / seconds if seconds > 0 else 0.0

    @property
    def recorded(self) -> int | None:
        """Frames of the recording that runs; None where none does."""
        return self.now.recorded if self.now is not None else None

    @property
    def trouble(self) -> str | None:
        """Why the arm does not do what it was told."""
        return self.now.view.trouble if self.now is not None and not self.loading else None

    def why_not(self, actor: str) -> str:
        """Why somebody cannot act now, as a sentence; "" if they can."""
        if actor == AGENT:
            return self.no_agent
        return self.benchmark.why_no_expert(self.start.task) if actor == EXPERT else ""

    def read(self, text: str) -> tuple[str | None, str]:
        """The task that words ask for, None for none, and a sentence about it."""
        try:
            task = self.benchmark.task_of(text)
        except UserError as error:
            hint = str(error).rpartition("; ")[2]
            return None, f"No known task: success cannot be told ({hint})."
        return task, f"This asks for {task}."

    @property
    def status(self) -> Message:
        """The sentence of the moment."""
        if self.message is not None and self.message.kind == WARNING:
            return self.message
        if self.trouble is not None and not self.over:
            return Message(sentence(UserError(self.trouble)), WARNING)
        if self.message is not None:
            return self.message
        if self.now is None:
            return Message(f"Building {self._place}; the very first time this takes up to a minute.")
        if self.loading:
            return Message(f"Preparing a start in {self._place}.")
        if self.solved:
            return Message("Solved. N: new start, B: the same again, Enter: another instruction, P: go on.", RESULT)
        if self.timed_out:
            return Message("Time is up. N: new start, B: the same again, P: more time, or take over.", WARNING)
        if self.actor == AGENT and self.agent_loading:
            return Message("Loading the agent.")
        untold = "" if self.start.task is not None else " No known task: success cannot be told."
        if self.paused:
            return Message(f"Paused. P goes on, Right takes one step.{untold}")
        if self.actor == YOU:
            return Message(f"You steer: W A S D R F move, J L U O K M turn, Space grips, G hands back.{untold}")
        return Message(f"{WHO[self.actor]} acts; any movement key takes over.{untold}")

    @property
    def _place(self) -> str:
        return f"scene {self.start.scene}" if len(self.benchmark.scenes) > 1 else "the scene"

    @property
    def over_for_good(self) -> bool:
        """Whether an attempt is over and its recording, which goes on for a moment, too."""
        return self.timed_out or (self.solved and self.recorded is None)

    def tell(self, text: str, kind: str = INFO) -> None:
        """Say something until something else happens."""
        self.message = Message(text, kind)
