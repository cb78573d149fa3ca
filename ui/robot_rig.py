"""What runs in the robot window's worker: the simulation, whoever acts in it, and the recording."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from envs.errors import UserError
from ui.robot_benchmark import Action, Benchmark, Policy, Recorder, Recording, Simulation, View

if TYPE_CHECKING:  # torch, behind it, is left to the thread that loads the agent
    from agents.robot_agent import RobotAgent, RobotThought

AGENT, EXPERT, YOU = "agent", "expert", "you"
ACTORS = (AGENT, EXPERT, YOU)

# Frames that are recorded after success: without them whoever learns from an episode stops short of what counts.
AFTERWARDS = 8
_LEAST_FRAMES = 2  # of an episode worth keeping

_REACH_OUT = np.repeat([0.35, 0.5], 3)  # share of the largest action that a held key asks for
_RAMP = 5  # steps until a held key has its full effect
_FINELY = 0.3
_TAUT = np.repeat([0.04, 0.25], 3)  # m, rad; the hand is not asked to go further ahead of itself


class Steering:
    """What the hands at the keyboard want. The front end writes the attributes, the worker asks for actions.

    Attributes:
        wanted: six of -1, 0, 1: the way along x, y, z, and about them. closed: the gripper. finely: slow movements.
    """

    def __init__(self) -> None:
        self.wanted: tuple[float, ...] = (0.0,) * 6
        self.closed = self.finely = False
        self._speed = np.zeros(6)

    def rest(self) -> None:
        """Stand still."""
        self._speed = np.zeros(6)

    def action(self, view: View) -> Action:
        """The next action: speeds up and slows down over a few steps, and never pulls the target far off the hand."""
        wanted = np.array(self.wanted) * _REACH_OUT * (_FINELY if self.finely else 1.0)
        step = _REACH_OUT / _RAMP
        self._speed = self._speed + np.clip(wanted - self._speed, -step, step)
        taut = (np.abs(view.lead) > _TAUT) & (view.lead * self._speed > 0)
        self._speed = np.where(taut, 0.0, self._speed)
        return np.append(self._speed, -1.0 if self.closed else 1.0).astype(np.float32)


@dataclass(frozen=True)
class Start:
    """Where an attempt begins.

    scene, size: of the benchmark. task: None where the instruction is not known to ask for one. seed: of the start.
    """

    scene: str
    size: int
    task: str | None
    instruction: str
    seed: int


@dataclass(frozen=True)
class Look:
    """A look of the agent: after how many steps it took it, and what it thought."""

    step: int
    thought: RobotThought


@dataclass(frozen=True)
class Progress:
    """What there is to tell after some steps.

    Attributes:
        start: what this is an attempt at. steps: since it began; done: those of them that are new.
        view, action: the last. looks: those that are new.
        solved_after: the step that solved the task; None until one does. problem: why nothing more was done.
        recorded: frames of the running recording; None where none runs. kept: what became of the one that ended.
        portrait: the scene camera's picture uint8 (H, W, 3) for a question about it, where one was asked for.
    """

    start: Start
    view: View
    steps: int
    done: int = 0
    action: NDArray[np.float32] | None = None
    looks: tuple[Look, ...] = ()
    solved_after: int | None = None
    problem: str | None = None
    recorded: int | None = None
    kept: str | None = None
    portrait: NDArray[np.uint8] | None = None

    @property
    def solved(self) -> bool:
        """Whether the task has been solved in this attempt."""
        return self.solved_after is not None


@dataclass
class _Attempt:
    start: Start
    view: View
    steps: int = 0
    action: NDArray[np.float32] | None = None
    looks: list[Look] = field(default_factory=list)
    solved_after: int | None = None
    afterwards: int = 0  # frames to record after success
    actor: str = ""

    @property
    def solved(self) -> bool:
        return self.solved_after is not None


class Rig:
    """The worker's thread calls everything here; `agent` and `steering` are handed over by the front end."""

    def __init__(self, benchmark: Benchmark) -> None:
        self.benchmark, self.steering = benchmark, Steering()
        self.agent: RobotAgent | None = None
        self._simulation: Simulation | None = None
        self._opened: tuple[str, int] | None = None
        self._attempt: _Attempt | None = None
        self._expert: Policy | None = None
        self._recorder: Recorder | None = None
        self._folder: Path | None = None
        self._recording: Recording | None = None
        self._recorded = 0
        self._kept: str | None = None

    # Attempts

    def begin(self, start: Start, *, anew: bool = True) -> Progress:
        """Begin an attempt, from a start of its own or from where things are.

        UserError where either cannot be; an attempt that was to go on from here then goes on as it was.
        """
        there = self._opened == (start.scene, start.size)
        view = self._simulation.go_on(start.task) if self._simulation is not None and there and not anew else None
        self._end_recording()
        if not there:
            simulation = self.benchmark.open(start.scene, start.size)
            if self._simulation is not None:
                self._simulation.close()
            self._simulation, self._opened = simulation, (start.scene, start.size)
        assert self._simulation is not None
        if view is None:
            view = self._simulation.reset(start.task, start.seed)
        self._attempt = _Attempt(start, view)
        self.steering.closed = view.closed
        self.steering.rest()
        self._begin_recording()
        return self._progress()

    def act(self, actor: str, steps: int, seconds: float, foresight: int, stop: int | None) -> Progress:
        """Let `actor` take up to so many steps, beginning none after so many seconds.

        foresight: how many frames an agent imagines. stop: the number of steps of the attempt at which its time is up.
        """
        attempt, until = self._need_attempt(), time.perf_counter() + seconds
        before, looks, problem = attempt.steps, len(attempt.looks), None
        try:
            while attempt.steps - before < steps and not self._over(attempt, stop):
                self._step(attempt, self._choose(attempt, actor, foresight))
                if time.perf_counter() >= until:
                    break
            if attempt.solved and not attempt.afterwards:
                self._end_recording()
        except UserError as error:
            problem = str(error)
        return self._progress(attempt.steps - before, tuple(attempt.looks[looks:]), problem)

    def foresee(self, changes: int) -> Progress:
        """Let the agent imagine further from its last look."""
        attempt = self._need_attempt()
        if self.agent is not None and attempt.looks:
            last = attempt.looks[-1]
            self.agent.thought = self.agent.foresee(last.thought, changes)
            attempt.looks[-1] = Look(last.step, self.agent.thought)
            return self._progress(looks=(attempt.looks[-1],))
        return self._progress()

    def portray(self, size: int) -> Progress:
        """Draw what the scene camera sees, for a question about it; size: px a side, if the simulation can choose."""
        assert self._simulation is not None
        return replace(self._progress(), portrait=self._simulation.portrait(size))

    def close(self) -> Progress | None:
        """Keep what is being recorded and end the simulation."""
        self._close_recorder()
        told = self._progress() if self._attempt is not None else None
        if self._simulation is not None:
            self._simulation.close()
            self._simulation = None
        return told

    @staticmethod
    def _over(attempt: _Attempt, stop: int | None) -> bool:
        if attempt.solved:
            return not attempt.afterwards
        return stop is not None and attempt.steps >= stop

    def _choose(self, attempt: _Attempt, actor: str, foresight: int) -> Action:
        """The next action of whoever acts; who has just taken over begins anew."""
        fresh, attempt.actor = attempt.actor != actor, actor
        start = attempt.start
        if actor == YOU:
            if fresh:
                self.steering.rest()
            return self.steering.action(attempt.view)
        assert self._simulation is not None
        if actor == EXPERT:
            if fresh or self._expert is None:
                if why := self.benchmark.why_no_expert(start.task):
                    attempt.actor = ""
                    raise UserError(why)
                assert start.task is not None
                self._expert = self._simulation.expert(start.task, start.seed + attempt.steps)
            return self._expert(attempt.view)
        assert self.agent is not None
        if fresh:
            self.agent.reset(start.instruction, start.seed)
        before = self.agent.thought
        # It may look at every step; people are shown what it foresees once a plan's length
        due = fresh or not attempt.looks or attempt.steps - attempt.looks[-1].step >= self.agent.model.steps
        try:
            action = self.agent.act(attempt.view.pictures, imagine=foresight if due else 0)
        except UserError:
            attempt.actor = ""
            raise
        if due and self.agent.thought is not before and self.agent.thought is not None:
            attempt.looks.append(Look(attempt.steps, self.agent.thought))
        return action

    def _step(self, attempt: _Attempt, action: Action) -> None:
        assert self._simulation is not None
        attempt.view, attempt.action = self._simulation.step(action), action
        attempt.steps += 1
        self._keep_frame(attempt.view)
        if attempt.afterwards:
            attempt.afterwards -= 1
        elif attempt.view.solved and not attempt.solved:
            attempt.solved_after = attempt.steps
            if self._recording is not None:
                self._simulation.go_on(None)  # nothing more is asked for
                attempt.afterwards = AFTERWARDS

    def _need_attempt(self) -> _Attempt:
        assert self._attempt is not None
        return self._attempt

    def _progress(self, done: int = 0, looks: tuple[Look, ...] = (), problem: str | None = None) -> Progress:
        attempt, kept = self._need_attempt(), self._kept
        self._kept = None
        return Progress(
            start=attempt.start,
            view=attempt.view,
            steps=attempt.steps,
            done=done,
            action=attempt.action,
            looks=looks,
            solved_after=attempt.solved_after,
            problem=problem,
            recorded=self._recorded if self._recording is not None else None,
            kept=kept,
        )

    # Recordings

    def record(self, folder: Path | None) -> Progress:
        """Record from here on into the data set in a folder; None ends that. UserError where it cannot be written."""
        self._close_recorder()
        if folder is not None:
            self._recorder = self.benchmark.record(folder, self._need_attempt().start.scene)
            self._folder = folder
            if not self._need_attempt().solved:
                self._begin_recording()
        return self._progress()

    def discard(self) -> Progress:
        """Drop what was recorded of this attempt; the next one is recorded again."""
        if self._recording is not None:
            self._recording.discard()
            self._kept = f"{_frames(self._recorded)} were discarded"
            self._recording = None
        return self._progress()

    def _begin_recording(self) -> None:
        if self._recorder is not None:
            self._recording, self._recorded = self._recorder.begin(), 0
            self._keep_frame(self._need_attempt().view)

    def _keep_frame(self, view: View) -> None:
        if self._recording is None:
            return
        try:
            self._recording.add(view.observation)
        except UserError:  # an episode with a hole is none
            self._recording.discard()
            self._recording = None
            raise
        self._recorded += 1

    def _end_recording(self) -> None:
        """Keep what was recorded: with its words if the task is solved, else as play without any."""
        recording, self._recording = self._recording, None
        if recording is None:
            return
        attempt = self._need_attempt()
        if self._recorded < _LEAST_FRAMES:
            recording.discard()
        elif attempt.solved:
            assert attempt.start.task is not None
            recording.commit(self.benchmark.recorded_as(attempt.start.task), attempt.start.instruction)
            self._kept = f"{_frames(self._recorded)} with their instruction are kept in {self._folder}"
        else:
            recording.commit()
            self._kept = f"{_frames(self._recorded)} without success are kept as play in {self._folder}"

    def _close_recorder(self) -> None:
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return
        try:
            self._end_recording()
        finally:
            recorder.close()


def _frames(count: int) -> str:
    return f"{count} frame{'s' * (count != 1)}"
