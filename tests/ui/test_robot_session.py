"""A robot at work, without a pixel and without a simulator."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.errors import UserError
from tests.ui.robot_fakes import Clock, FakeBenchmark, attend, session_of, tiny_agent
from ui.messages import RESULT, WARNING
from ui.robot_rig import AFTERWARDS, AGENT, EXPERT, YOU, Steering
from ui.robot_session import RobotSession
from ui.robot_speeds import FASTEST, SPEEDS
from ui.robot_strip import difference, foreseen_for, pairs_of

Open = Callable[..., RobotSession]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bench() -> FakeBenchmark:
    return FakeBenchmark()


@pytest.fixture
def opened(bench: FakeBenchmark, clock: Clock) -> Iterator[Open]:
    """A session that is ready."""
    sessions: list[RobotSession] = []

    def make(*words: Any, agent: bool = False, **options: Any) -> RobotSession:
        if agent:
            options["load_agent"] = tiny_agent
        session = session_of(bench, *words, clock=clock, **options)
        sessions.append(session)
        attend(session, lambda: session.now is not None and not session.agent_loading)
        return session

    yield make
    for session in sessions:
        session.close()


def let_pass(session: RobotSession, clock: Clock, seconds: float, rounds: int = 20) -> None:
    """Let time pass in even rounds, each of which is answered."""
    for _ in range(rounds):
        clock.now += seconds / rounds
        session.poll()
        attend(session, lambda: not session._thinker.busy)


@pytest.mark.parametrize(("speed", "steps"), [(0.25, 1), (1.0, 4), (4.0, 16)])
def test_time_runs_at_the_speed_that_is_chosen(opened: Open, clock: Clock, speed: float, steps: int) -> None:
    session = opened(EXPERT, "hold", load_agent=None, speed=speed)
    session.let_act(YOU)
    let_pass(session, clock, 0.41)
    assert session.steps == steps and session.hz == pytest.approx(10 * speed if steps > 1 else 0, rel=0.35)


def test_what_comes_too_late_is_not_made_up_for(opened: Open, clock: Clock) -> None:
    session = opened(YOU)
    let_pass(session, clock, 60.0, rounds=1)
    assert session.steps <= 3


def test_as_fast_as_it_goes(opened: Open) -> None:
    session = opened(YOU, speed=FASTEST)
    attend(session, lambda: session.steps > 50)  # the clock stands still


def test_pause_and_single_steps(opened: Open, clock: Clock) -> None:
    session = opened()
    session.toggle_pause()
    let_pass(session, clock, 1.0)
    assert session.steps == 0 and session.paused and "Paused" in session.status.text
    for steps in (1, 2):
        session.step_once()
        let_pass(session, clock, 1.0)
        assert session.steps == steps
    session.toggle_pause()
    let_pass(session, clock, 0.5)
    assert session.steps > 2


def test_success_is_told_and_ends_the_attempt(opened: Open, clock: Clock, bench: FakeBenchmark) -> None:
    session = opened()
    let_pass(session, clock, 3.0)
    assert session.solved and session.steps == 6 and session.now is not None and session.now.solved_after == 6
    assert session.status.kind == RESULT and session.status.text.startswith("Solved")
    session.toggle_pause()  # on from here
    attend(session, lambda: not session.loading)
    assert not session.solved and bench.resets[-1] == "on" and session.steps == 0


def test_time_is_up_but_not_for_who_steers(opened: Open, clock: Clock) -> None:
    session = opened(EXPERT, "left", speed=FASTEST)
    session.toggle_pause()
    session.instruct("go left")
    attend(session, lambda: not session.loading)
    session.stop = 3
    session.toggle_pause()
    attend(session, lambda: session.timed_out)
    assert session.steps == 3 and session.over and session.status.kind == WARNING
    session.steer((1.0, 0, 0, 0, 0, 0))
    assert session.actor == YOU and not session.timed_out
    attend(session, lambda: session.steps > 60)
    session.steer((0.0,) * 6)
    session.hand_back()
    assert session.actor == EXPERT and not session.timed_out and session.stop == session.steps + 40


def test_steering_speeds_up_and_slows_down_smoothly(opened: Open, clock: Clock, bench: FakeBenchmark) -> None:
    session = opened()
    session.steer((1.0, 0, 0, 0, 0, 0))
    let_pass(session, clock, 1.0)
    session.steer((0.0,) * 6)
    let_pass(session, clock, 1.0)
    x = np.array([action[0] for action in bench.actions])
    assert x.max() == pytest.approx(0.35) and abs(x[-1]) < 1e-6
    assert np.abs(np.diff(x)).max() < 0.08 and all((np.abs(action) <= 1).all() for action in bench.actions)


def test_the_target_is_not_pulled_away_from_a_hand_that_is_held_back(bench: FakeBenchmark) -> None:
    view = bench.open("A", 20).view()
    far = type(view)(view.pictures, view.observation, 0.04, False, lead=np.array([0.05, 0, 0, 0, 0, 0]))
    steering = Steering()
    steering.wanted = (1.0, 1.0, 0, 0, 0, 0)
    assert steering.action(far)[0] == 0 and steering.action(far)[1] > 0
    steering.wanted = (-1.0, 0, 0, 0, 0, 0)
    assert steering.action(far)[0] < 0


def test_the_gripper_begins_as_it_is(opened: Open, clock: Clock, bench: FakeBenchmark) -> None:
    session = opened(YOU, "hold")
    let_pass(session, clock, 0.3)
    assert all(action[6] == -1 for action in bench.actions)
    session.toggle_gripper()
    let_pass(session, clock, 0.3)
    assert bench.actions[-1][6] == 1


def test_the_agent_looks_foresees_and_is_compared(opened: Open, clock: Clock) -> None:
    session = opened(AGENT, agent=True)
    let_pass(session, clock, 1.0)
    looks = session.looks
    assert [look.step for look in looks] == list(range(0, session.steps, 3)) and len(looks) >= 3
    assert looks[0].thought.imagined is not None and len(looks[0].thought.imagined) == session.foresight == 2
    assert foreseen_for(looks, 1, 3) is looks[0].thought.imagined[0] or np.array_equal(
        foreseen_for(looks, 1, 3), looks[0].thought.imagined[0]
    )
    assert foreseen_for(looks, 0, 3) is None and foreseen_for(looks, 1, 4) is None
    pairs = pairs_of(looks, 3, past=2, future=3)
    assert [pair.when for pair in pairs[-3:]] == ["+3", "+6", "+9"] and pairs[-1].foreseen is None
    assert difference(pairs[1]) is not None and difference(pairs[-1]) is None
    session.toggle_pause()  # there is time to look further ahead
    attend(session, lambda: len(session.looks[-1].thought.imagined) == 4)
    session.new_start()
    attend(session, lambda: not session.loading)
    assert session.looks == []


def test_a_sentence_nobody_can_embed_pauses_with_the_reason(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(sentences: object) -> None:
        raise UserError("sentences need the package transformers: install it")

    session = opened(AGENT, agent=True, speed=FASTEST)
    assert session.agent is not None
    monkeypatch.setattr(session.agent.model, "sentences", refuse)
    session.instruct("sing a song")
    attend(session, lambda: session.paused)
    assert "transformers" in session.status.text and session.status.kind == WARNING


def test_an_instruction_of_no_known_task(opened: Open, clock: Clock) -> None:
    session = opened(AGENT, agent=True)
    assert session.instruct("  dance ") and session.start.task is None and session.start.instruction == "dance"
    attend(session, lambda: not session.loading)
    assert "success cannot be told" in session.status.text
    assert not session.let_act(EXPERT) and session.status.text == "There is no script for that."
    assert not session.instruct("   ") and session.status.kind == WARNING


def test_instructions_begin_anew_or_go_on(opened: Open, bench: FakeBenchmark) -> None:
    session = opened(YOU, seed=5)
    session.instruct("go left", anew=False)
    attend(session, lambda: not session.loading)
    assert bench.resets == [("A", "right", 5), "on"]
    session.instruct("go right")
    attend(session, lambda: not session.loading)
    assert bench.resets[-1] == ("A", "right", 6)


def test_starts(opened: Open, bench: FakeBenchmark) -> None:
    session = opened(YOU, seed=5)
    for verb in (session.new_start, session.same_start):
        verb()
        attend(session, lambda: not session.loading)
    assert bench.resets == [("A", "right", 5), ("A", "right", 6), ("A", "right", 6)]
    session.next_scene()
    attend(session, lambda: not session.loading)
    assert bench.resets[-2:] == ["closed", ("B", "right", 6)]
    session.sharpen()
    attend(session, lambda: not session.loading)
    assert session.now is not None and session.now.view.pictures["static"].shape == (40, 40, 3)


def test_a_scene_that_cannot_be_had_is_told(opened: Open, bench: FakeBenchmark) -> None:
    session = opened(YOU)
    bench.failing = "B"
    session.next_scene()
    attend(session, lambda: session.message is not None)
    assert session.start.scene == "A" and not session.loading
    assert session.status.text == "Scene B is locked; take another."


def test_the_first_scene_failing_is_a_failure(bench: FakeBenchmark) -> None:
    bench.failing = "A"
    session = session_of(bench)
    attend(session, lambda: session.failure is not None)
    assert isinstance(session.failure, UserError)
    session.close()


def test_without_an_agent_the_expert_acts(opened: Open) -> None:
    session = opened(AGENT, no_agent="There is none.")
    assert session.actor == EXPERT and session.status.text.startswith("There is none. Meanwhile")
    assert not session.let_act(AGENT) and session.actor == EXPERT


def test_an_agent_that_does_not_load(bench: FakeBenchmark) -> None:
    def load() -> Any:
        raise UserError("the checkpoint is damaged; copy it anew")

    session = session_of(bench, AGENT, load_agent=load)
    attend(session, lambda: session.no_agent)
    assert session.actor == EXPERT and "damaged" in session.status.text and session.failure is None
    session.close()


def test_trouble_is_told(opened: Open) -> None:
    session = opened(YOU, "hold", speed=FASTEST)
    session.steer((1.0, 0, 0, 0, 0, 0))
    attend(session, lambda: session.trouble)
    assert session.status.text == "The arm cannot reach that far." and session.status.kind == WARNING


def test_recordings(opened: Open, bench: FakeBenchmark) -> None:
    session = opened(EXPERT, speed=FASTEST, record=Path("mine"))
    attend(session, lambda: session.solved and session.recorded is None)
    assert bench.told == [("mine", "A"), (1 + 6 + AFTERWARDS, "the right", "go right")]  # on after success
    assert "are kept in mine" in session.status.text and session.status.kind == RESULT
    session.let_act(YOU)
    session.new_start()
    attend(session, lambda: session.recorded is not None and session.recorded > 3)
    session.discard()
    attend(session, lambda: session.recorded is None)
    assert bench.told[-1] == "discarded"
    session.new_start()
    attend(session, lambda: session.recorded is not None and session.recorded > 3)
    session.toggle_recording()
    attend(session, lambda: session.recorded is None)
    assert bench.told[-1] == "closed" and bench.told[-2][1:] == (None, None)  # play, without words


def test_quitting_keeps_the_recording(opened: Open, bench: FakeBenchmark) -> None:
    session = opened(YOU, speed=FASTEST, record=Path("mine"))
    attend(session, lambda: session.recorded is not None and session.recorded > 3)
    session.close()
    assert bench.told[-1] == "closed" and bench.told[-2][0] > 3 and bench.resets[-1] == "closed"
    assert session.farewell is not None and "are kept as play in mine" in session.farewell
    session.close()


def test_another_scene_is_recorded_elsewhere(opened: Open, bench: FakeBenchmark) -> None:
    session = opened(YOU)
    session.toggle_recording()
    session.next_scene()
    attend(session, lambda: session.recorded is not None and session.start.scene == "B" and not session.loading)
    assert [entry for entry in bench.told if isinstance(entry, tuple) and len(entry) == 2] == [
        ("data-A", "A"),
        ("data-B", "B"),
    ]
    session.sharpen()
    assert session.status.kind == WARNING and session.start.size == 20


def test_a_data_set_that_cannot_be_written(opened: Open, bench: FakeBenchmark) -> None:
    session = opened(YOU, record=Path("locked"))
    attend(session, lambda: session.folder is None)
    assert session.status.text.startswith("Another program records") and session.failure is None


def test_a_full_disk_loses_the_episode_and_says_so(opened: Open, bench: FakeBenchmark) -> None:
    bench.broken = True
    session = opened(YOU, speed=FASTEST, record=Path("mine"))
    attend(session, lambda: session.paused)
    assert session.status.text == "The disk is full; make room." and bench.told[-1] == "discarded"


def test_verbs_are_answered_while_a_step_takes_long(opened: Open, bench: FakeBenchmark) -> None:
    session = opened(YOU, speed=FASTEST)
    bench.gate = threading.Semaphore(0)
    session.poll()
    session.new_start()
    session.let_act(EXPERT)
    assert session.loading
    session.poll()
    bench.gate.release(10_000)
    attend(session, lambda: not session.loading)


def test_speeds_are_in_order() -> None:
    assert list(SPEEDS) == sorted(SPEEDS)
