"""A robot at work, without a pixel: who acts, how fast, on which instruction, what is recorded.

One thread, the front end's, calls `poll` and the verbs. Simulation and model run in the worker of a `Thinker`, a short
stretch of steps at a time.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from envs.errors import UserError
from ui.asker import Asker
from ui.messages import RESULT, WARNING, sentence
from ui.robot_asking import RobotAsking
from ui.robot_benchmark import Benchmark
from ui.robot_rig import ACTORS, AGENT, EXPERT, YOU, Progress, Start
from ui.robot_speeds import FASTEST, SPEEDS
from ui.robot_standing import FORESIGHTS
from ui.thinker import Thinker

if TYPE_CHECKING:  # torch, behind it, is left to the thread that loads the agent
    from agents.robot_agent import RobotAgent

PAUSED_FORESIGHT = 4  # while nothing runs there is time for so many

_STRETCH = 0.1  # seconds of the worker after which it reports
_BEHIND = 0.25  # seconds; what is later than that is not made up for
_CLOSING = 30.0  # seconds that a recording may take to be kept


@dataclass(frozen=True)
class Setup:
    """What the window begins with; task None with an instruction that is no known task's; record: a data set."""

    scene: str
    task: str | None
    instruction: str
    actor: str = AGENT
    speed: float = 1.0
    record: Path | None = None
    seed: int = 0


class RobotSession(RobotAsking):
    """One attempt after the other.

    Attributes:
        start: what is attempted, or will be as soon as the worker gets to it.
        actor: who acts, one of ACTORS. paused, speed: of time; speed is a key of SPEEDS.
        now: what the worker told last; None while the first scene is being built.
        looks: of the agent in this attempt. foresight: frames it imagines at each while time runs.
        folder: the data set that is recorded into; None where nothing is recorded.
        message: what to tell about the last verb, None if nothing.
        failure: why nothing can go on at all (no simulator, a bug).
        farewell: what became of the recordings, once the session is closed; None if there were none.
    """

    def __init__(
        self,
        benchmark: Benchmark,
        setup: Setup,
        load_agent: Callable[[], RobotAgent] | None = None,
        *,
        no_agent: str = "There is no agent.",
        asker: Asker | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to build the scene and to load the agent.

        Args:
            benchmark: what there is to do, and where.
            setup: what to begin with.
            load_agent: runs in a thread of its own; None where there is no agent.
            no_agent: why not, as a sentence.
            asker: answers questions about the picture; None: nobody can be asked.
            clock: seconds.
        """
        start = Start(setup.scene, benchmark.sizes[0], setup.task, setup.instruction, setup.seed)
        super().__init__(benchmark, start, setup.actor, setup.speed, clock)
        self.failure: Exception | None = None
        self.farewell: str | None = None
        self.no_agent = "" if load_agent is not None else no_agent
        self.asker = asker if asker is not None else Asker()
        self._wanted_folder = setup.record
        self._before = setup.actor if setup.actor != YOU else AGENT  # to whom YOU hand back
        self._owed, self._since = 0.0, clock()
        self._single = False  # one step is wanted though time stands still
        self._closed = False
        self._orders: deque[Callable[[], Progress | None]] = deque()
        self._thinker = Thinker("robot")
        self._loader = Thinker("loader") if load_agent is not None else None
        if self._loader is not None and load_agent is not None:
            self._loader.ask(load_agent)
        self._order_start()
        told = []
        if self.actor == AGENT and load_agent is None:
            self.actor = self._before = EXPERT
            told = [no_agent, self.why_not(EXPERT) or "Meanwhile the scripted expert acts."]
            self.paused = bool(self.why_not(EXPERT))
        if setup.record is not None:
            self.toggle_recording()
            told += [self.message.text if self.message is not None else ""]
        if told:
            self.tell(" ".join(told))

    # What people do

    def toggle_pause(self) -> None:
        """Stop or go on; once an attempt is over, go on from there with the same task and new time."""
        self.message = None
        if why := self.why_not(self.actor):
            self.tell(why, WARNING)
            return
        if self.over:
            self._go_on()
            return
        self.paused, self._halted = not self.paused, False
        self._catch_up()
        if self.paused and self.actor == AGENT and self.looks and self.agent is not None:
            self._orders.append(lambda: self.rig.foresee(PAUSED_FORESIGHT))

    def step_once(self) -> None:
        """Take one step, and stand still behind it."""
        self.message = None
        if self.over:
            self.tell("This attempt is over; P goes on from here, N makes a new start.")
            return
        self.paused = self._single = True
        self._halted = False

    def change_speed(self, by: int) -> None:
        """The next speed up or down."""
        speeds = list(SPEEDS)
        self.choose_speed(speeds[max(0, min(speeds.index(self.speed) + by, len(speeds) - 1))])

    def choose_speed(self, speed: float) -> None:
        """One of SPEEDS."""
        self.speed, self.message = speed, None
        self._catch_up()

    def let_act(self, actor: str) -> bool:
        """Let one of ACTORS act from now on; returns whether they can."""
        assert actor in ACTORS
        if why := self.why_not(actor):
            self.tell(why, WARNING)
            return False
        self.message = None
        if actor == self.actor:
            return True
        if actor == YOU:
            self._before = self.actor
            if self.now is not None:
                self.rig.steering.closed = self.now.view.closed
        self.actor = actor
        self.stop = self.steps + self.benchmark.limit  # who takes over has the whole time
        self._catch_up()
        return True

    def hand_back(self) -> None:
        """Let act who did before you took over."""
        if self.actor == YOU:
            self.let_act(self._before)

    def steer(self, wanted: tuple[float, ...]) -> None:
        """The movements that are held, six of -1, 0, 1; the first takes over, and goes on where an attempt is over."""
        self.rig.steering.wanted = wanted
        if any(wanted):
            self._take_over()

    def steer_finely(self, finely: bool) -> None:
        """Whether held keys move slowly."""
        self.rig.steering.finely = finely

    def toggle_gripper(self) -> None:
        """Open or close it; that takes over as well."""
        self._take_over()
        self.rig.steering.closed = not self.rig.steering.closed

    def new_start(self) -> None:
        """Another start for the same task."""
        self._begin(replace(self.start, seed=self.start.seed + 1))

    def same_start(self) -> None:
        """The same start again."""
        self._begin(replace(self.start))

    def instruct(self, text: str, *, anew: bool = True) -> bool:
        """Ask for something else: in a new start that makes sense for it, or from here; returns whether it is taken."""
        words = " ".join(text.split())
        if not words:
            self.tell("The instruction is empty; say what to do, such as 'open the drawer'.", WARNING)
            return False
        task = self.read(words)[0]
        seed = self.start.seed + anew
        self._begin(replace(self.start, task=task, instruction=words, seed=seed), anew=anew)
        return True

    def choose_scene(self, scene: str) -> None:
        """Another table; a recording goes on in a data set of that scene."""
        if scene == self.start.scene:
            return
        recording = self.folder is not None
        if recording:
            self.toggle_recording()
        self._begin(replace(self.start, scene=scene))
        if recording:
            self.toggle_recording()

    def next_scene(self) -> None:
        """The next table."""
        scenes = self.benchmark.scenes
        self.choose_scene(scenes[(scenes.index(self.start.scene) + 1) % len(scenes)])

    def sharpen(self) -> None:
        """The next size of pictures."""
        sizes = self.benchmark.sizes
        size = sizes[(sizes.index(self.start.size) + 1) % len(sizes)]
        if self.folder is not None:
            self.tell(f"Recordings have pictures of {sizes[0]} px; E ends the recording.", WARNING)
            return
        self._begin(replace(self.start, size=size))
        self.tell(f"Pictures of {size} px; the start is the same again.")

    def next_foresight(self) -> None:
        """Let the agent imagine another number of frames."""
        self.foresight = FORESIGHTS[(FORESIGHTS.index(self.foresight) + 1) % len(FORESIGHTS)]
        frames = f"{self.foresight} frame{'s' * (self.foresight != 1)} ahead" if self.foresight else "no frames"
        self.tell(f"While it acts, the agent imagines {frames}.")

    def toggle_recording(self) -> None:
        """Begin to record, or keep what was recorded and stop."""
        if self.folder is not None:
            self.folder = None
            self._orders.append(lambda: self.rig.record(None))
            self.tell("Nothing more is recorded.")
            return
        if self.start.size != self.benchmark.sizes[0]:
            self.tell(f"Recordings have pictures of {self.benchmark.sizes[0]} px; Z changes their size.", WARNING)
            return
        folder = self._wanted_folder or self.benchmark.data_set(self.start.scene)
        self.folder = folder
        self._orders.append(lambda: self.rig.record(folder))
        self.tell(f"Episodes are recorded into {folder}.")

    def discard(self) -> None:
        """Drop what was recorded of this attempt."""
        if self.recorded is None:
            self.tell("Nothing is being recorded; E begins.", WARNING)
        else:
            self._orders.append(self.rig.discard)

    # What happens by itself

    def poll(self, timeout: float = 0.0) -> bool:
        """Take in what came and ask for what is due, waiting at most `timeout` seconds; whether anything changed."""
        changed = self._take_agent() | self._attend_asker()
        answer = self._thinker.take(timeout)
        if answer is not None:
            changed = True
            if answer.error is not None:
                self._fail(answer.error)
            elif answer.value is not None:
                self._take(answer.value)
        if self.failure is None and not self._closed and not self._thinker.busy:
            self._ask()
        return changed

    def close(self) -> None:
        """Keep what was recorded and let the worker go; `farewell` then says what became of it."""
        if self._closed:
            return
        self._closed = True
        recorded = self.folder is not None and self.now is not None
        self.asker.close()
        self._thinker.ask(self.rig.close)
        answer = self._thinker.take(_CLOSING if recorded else 0.5)
        for thinker in (self._thinker, self._loader):
            if thinker is not None:
                thinker.close()
        if recorded and (answer is None or answer.error is not None):
            reason = sentence(answer.error) if answer is not None and isinstance(answer.error, UserError) else ""
            self.farewell = f"The last recording was not kept. {reason}".strip()
        elif recorded and answer is not None:
            kept = answer.value.kept if answer.value is not None else None
            self.farewell = sentence(UserError(kept)) if kept else f"The recordings are in {self.folder}."

    # Inside

    def _take_over(self) -> None:
        self._go_on_after_question()
        if self.actor != YOU and self.let_act(YOU):
            self.paused = False
        if self.solved:
            self._go_on()

    def _begin(self, start: Start, *, anew: bool = True) -> None:
        self.start, self.message = start, None
        if why := self.why_not(self.actor):
            self.paused = True
            self.tell(why, WARNING)
        self._order_start(anew)

    def _go_on(self) -> None:
        self.start = replace(self.start)
        self.paused = False
        self._order_start(anew=False)

    def _order_start(self, anew: bool = True) -> None:
        start = self.start
        self._orders.append(lambda: self.rig.begin(start, anew=anew))

    def _catch_up(self) -> None:
        """Forget what was due before."""
        self._owed, self._since = 0.0, self.clock()
        self.paces.clear()

    def _ask(self) -> None:
        """Give the worker something to do, if anything is due."""
        if self._orders:
            self._thinker.ask(self._orders.popleft())
            return
        now = self.clock()
        passed, self._since = now - self._since, now
        waits = self.loading or self.over_for_good or (self.actor == AGENT and self.agent is None)
        if waits or (self.paused and not self._single) or self.why_not(self.actor):
            self._owed, self._single = 0.0, self._single and waits
            return
        if self._single or self.speed == FASTEST:
            steps = 1 if self._single else 1_000
        else:
            pace = self.benchmark.hz * self.speed
            self._owed = min(self._owed + passed * pace, max(1.0, _BEHIND * pace))
            steps = int(self._owed)
        if steps:
            foresight = max(self.foresight, PAUSED_FORESIGHT) if self._single and self.foresight else self.foresight
            actor, stop = self.actor, None if self.actor == YOU else self.stop
            self._single = False
            self._thinker.ask(lambda: self.rig.act(actor, steps, _STRETCH, foresight, stop))

    def _take(self, progress: Progress) -> None:
        if self.now is None or progress.start is not self.now.start:
            self.looks, self.stop = [], self.benchmark.limit
            self._catch_up()
        if self.now is None or progress.view is not self.now.view:
            self.moment = object()
        self.now = progress
        self._take_portrait(progress)
        if progress.done:
            self._owed = max(0.0, self._owed - progress.done)
            self.paces.append((self.clock(), progress.done))
            while self.paces and self.clock() - self.paces[0][0] > 1.5:
                self.paces.popleft()
        for look in progress.looks:
            if self.looks and self.looks[-1].step == look.step:
                self.looks[-1] = look
            else:
                self.looks.append(look)
        if progress.problem is not None:
            self.paused = True
            self.tell(sentence(UserError(progress.problem)), WARNING)
        elif progress.kept is not None:
            self.tell(sentence(UserError(progress.kept)), RESULT)

    def _fail(self, error: Exception) -> None:
        """What a user can mend is told, if there is a scene to go on in; the rest ends the window."""
        if not isinstance(error, UserError) or self.now is None:
            self.failure = error
            return
        self.start = self.now.start
        self.folder = self.folder if self.recorded is not None else None
        self.tell(sentence(error), WARNING)

    def _take_agent(self) -> bool:
        answer = self._loader.take() if self._loader is not None and self.rig.agent is None else None
        if answer is None:
            return False
        if answer.error is None:
            self.rig.agent = answer.value
        elif isinstance(answer.error, UserError):
            self.no_agent = f"The agent cannot act: {answer.error}."
            self._loader = None
            self.actor = EXPERT if self.actor == AGENT else self.actor
            self.tell(self.no_agent, WARNING)
        else:
            self.failure = answer.error
        return True
