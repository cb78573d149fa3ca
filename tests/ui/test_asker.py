"""Questions about a match and about a robot at work, without a pixel of a window."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from agents.pixellm.answers import Answer
from agents.pixellm.checkpoint import save_pixellm
from agents.pixellm.config import FRAME_SIDE
from agents.pixellm.model import PixelLM
from envs.errors import UserError
from envs.go.rules import BLACK, WHITE, GoGame
from tests.agents.pixellm.shapes import model_of
from tests.ui.askers import ToldModel, asker_of, half
from tests.ui.fakes import GatedPlayer
from tests.ui.robot_fakes import Clock, FakeBenchmark, attend, session_of
from ui.ask_frames import board_frame
from ui.ask_model import check_model
from ui.asker import Asker, make_asker
from ui.match import Match
from ui.messages import WARNING
from ui.robot_rig import YOU
from ui.robot_session import RobotSession

# A match


def match_with(asker: Asker | None, white: object = None) -> Match:
    return Match(lambda: GoGame(9), {BLACK: None, WHITE: white}, asker=asker)  # type: ignore[dict-item]


def until(match: Match, condition: object) -> None:
    for _ in range(2000):
        if condition():  # type: ignore[operator]
            return
        match.poll(0.01)
    raise AssertionError("waited in vain")


def answered(match: Match) -> None:
    until(match, lambda: match.asker.reply is not None)


def test_the_model_sees_the_position_that_is_shown() -> None:
    model = ToldModel(half)
    match = match_with(asker_of(model))
    until(match, lambda: match.prepared)
    for point in (40, 41, 42):
        match.play(point)
    assert match.ask("where are the halves") and match.asker.busy and match.asker.question == "Where are the halves?"
    answered(match)
    (image, question), *_ = model.asked
    assert question == "Where are the halves?" and np.array_equal(image, board_frame(match.game))
    assert image.shape == (190, 190, 3) and max(image.shape) <= FRAME_SIDE
    match.look_first()
    match.poll()
    assert match.asker.reply is None and match.asker.question == ""
    match.ask("what is there")
    answered(match)
    assert np.array_equal(model.asked[1][0], board_frame(GoGame(9)))
    match.close()


def test_an_answer_stays_until_the_position_changes() -> None:
    match = match_with(asker_of(ToldModel(half)))
    until(match, lambda: match.prepared)
    match.play(40)
    match.ask("what is there")
    answered(match)
    for verb in (match.undo, lambda: match.play(41)):
        assert match.asker.reply is not None
        verb()
        assert match.poll() and match.asker.reply is None
        match.ask("what is there")
        answered(match)
    assert match.dismiss_answer() and match.asker.reply is None and not match.dismiss_answer()
    match.close()


def test_who_plays_on_meanwhile_is_told_to_ask_again() -> None:
    gate = threading.Semaphore(0)
    player = GatedPlayer()
    match = match_with(asker_of(ToldModel(half, gate)), player)
    until(match, lambda: match.prepared)
    match.play(40)
    match.ask("what is there")
    player.release()
    until(match, lambda: len(match.game.history) == 2 and not match.asker.question)
    assert match.status.text == "What you asked about is not shown any more; ask again."
    gate.release(2)
    match.ask("and now")  # the answer to the first question is not taken for that to the second
    answered(match)
    assert match.asker.reply is not None and match.asker.reply.question == "And now."
    match.close()


@pytest.mark.parametrize(
    ("asker", "question", "words"),
    [
        (None, "what?", "There is no model that answers questions."),
        (Asker(None, "there is none; train one"), "what?", "There is none; train one."),
        (asker_of(ToldModel(half)), "  ", "The question is empty: ask something about the picture."),
        (asker_of(ToldModel(half)), "why " * 2500, "The question has 10000 characters: ask in fewer words."),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(asker: Asker | None, question: str, words: str) -> None:
    match = match_with(asker)
    assert not match.ask(question) and not match.asker.question
    assert (match.status.text, match.status.kind) == (words, WARNING)
    match.close()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (UserError("the weights are damaged; copy them anew"), "The weights are damaged; copy them anew."),
        (ZeroDivisionError("a bug"), "The model failed (ZeroDivisionError); ask something else."),
    ],
)
def test_trouble_with_the_model_is_a_sentence(error: Exception, words: str) -> None:
    def fail() -> PixelLM:
        raise error

    match = match_with(Asker(fail))
    match.ask("what is there")
    until(match, lambda: not match.asker.question)
    assert (match.status.text, match.status.kind) == (words, WARNING) and match.failure is None
    match.close()


def test_a_model_is_loaded_at_the_first_question_and_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    loads: list[Path] = []
    folder = save_pixellm(model_of(), tmp_path / "ask")

    def load(path: Path) -> ToldModel:
        loads.append(path)
        return ToldModel(half)

    monkeypatch.setattr("agents.pixellm.checkpoint.load_pixellm", load)
    matches = [match_with(make_asker(folder)) for _ in range(2)]
    assert loads == []
    for match in matches:
        match.ask("what is there")
        assert match.asker.loading
        answered(match)
        assert not match.asker.loading and loads == [folder]
        match.close()


def test_a_named_model_is_checked_and_a_missing_shipped_one_is_told_when_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="no checkpoint in .* give a PixelLM with --ask FOLDER"):
        make_asker(tmp_path / "nothing")
    monkeypatch.setattr("ui.ask_model.ASK_CHECKPOINT", tmp_path / "checkpoints" / "ask-small")
    asker = make_asker(None)
    with pytest.raises(UserError, match="checkpoints/ask-small: give a PixelLM with --ask FOLDER"):
        asker.take_question("what is there")
    folder = save_pixellm(model_of(), tmp_path / "checkpoints" / "ask-small")
    assert check_model(None) == folder


# A robot


def robot(model: ToldModel, *words: str, **options: object) -> tuple[RobotSession, Clock]:
    clock = Clock()
    session = session_of(FakeBenchmark(), *words, clock=clock, asker=asker_of(model), **options)
    attend(session, lambda: not session.loading)
    return session, clock


def steps(session: RobotSession, clock: Clock, count: int) -> None:
    """Let time pass until so many more steps are done."""
    goal = session.steps + count

    def passed() -> bool:
        clock.now += 0.1
        return session.steps >= goal

    attend(session, passed)


def replied(session: RobotSession) -> None:
    attend(session, lambda: session.asker.reply is not None)


def test_time_stands_still_for_a_question() -> None:
    model = ToldModel(half)
    session, clock = robot(model, YOU)  # who never arrives
    steps(session, clock, 3)
    assert session.ask("where is the hand")
    replied(session)
    before = session.steps  # a stretch that was on its way has come to its end
    clock.now += 5
    for _ in range(5):
        session.poll(0.01)
    assert session.paused and session.steps == before and session.asker.reply is not None
    assert session.status.text == "Time stands still for the question; Escape goes on."
    (image, _), *_ = model.asked
    now = session.now
    assert now is not None and image.shape == (40, 40, 3)  # drawn for the question, not the picture of 20 px
    assert np.array_equal(image[::2, ::2], now.view.pictures["static"])
    assert session.dismiss_answer() and not session.paused
    steps(session, clock, 2)
    session.close()


def test_who_had_halted_stays_halted() -> None:
    session, _ = robot(ToldModel(half))
    session.toggle_pause()
    session.ask("where is the hand")
    replied(session)
    session.dismiss_answer()
    assert session.paused
    session.close()


def test_the_answer_goes_when_time_goes_on() -> None:
    for how in ("run", "step", "steer", "new"):
        session, clock = robot(ToldModel(half), YOU)
        steps(session, clock, 2)
        session.ask("where is the hand")
        replied(session)
        if how == "run":
            session.toggle_pause()
        elif how == "step":
            session.step_once()
        elif how == "steer":
            session.steer((1, 0, 0, 0, 0, 0))
        else:
            session.new_start()

        def gone(session: RobotSession = session, clock: Clock = clock) -> bool:
            clock.now += 0.1
            return session.asker.reply is None

        attend(session, gone)
        assert session.paused == (how == "step")
        session.close()


def test_questions_to_a_robot_that_cannot_be() -> None:
    model = ToldModel(half)
    session, _ = robot(model)
    assert not session.ask(" ") and session.status.kind == WARNING and not session.paused
    session.new_start()
    assert not session.ask("where is it") and "no picture yet" in session.status.text
    session.close()
    nobody = session_of(FakeBenchmark())
    attend(nobody, lambda: not nobody.loading)
    assert not nobody.ask("where is it") and nobody.status.text == "There is no model that answers questions."
    nobody.close()


def test_a_model_that_fails_lets_the_robot_go_on() -> None:
    def fail(image: np.ndarray, question: str) -> Answer:
        raise UserError("the question is odd; ask another")

    session, clock = robot(ToldModel(fail), YOU)
    session.ask("where is the hand")
    attend(session, lambda: not session.asker.question)
    assert session.status.text == "The question is odd; ask another." and not session.paused
    steps(session, clock, 1)
    session.close()
