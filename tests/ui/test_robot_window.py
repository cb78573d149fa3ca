"""The robot's window: keys, clicks, sizes, the instruction, and what is kept at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pygame
import pytest

from tests.ui.robot_fakes import FakeBenchmark, RobotDriver, session_of, tiny_agent
from ui.keymap import POINTER, ROBOT_KEYS
from ui.messages import WARNING
from ui.robot_benchmark import MOVES
from ui.robot_layout import lay_out_robot
from ui.robot_rig import AGENT, EXPERT, YOU
from ui.robot_speeds import FASTEST
from ui.theme import THEMES

SIZES = [(64, 48), (200, 150), (250, 180), (320, 240), (400, 300), (480, 800), (800, 480), (1600, 500), (2200, 1520)]

Open = Callable[..., RobotDriver]


@pytest.fixture(autouse=True)
def no_persons_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("SDL_AUDIODRIVER", "dummy")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def bench() -> FakeBenchmark:
    return FakeBenchmark()


@pytest.fixture
def opened(bench: FakeBenchmark) -> Iterator[Open]:
    drivers: list[RobotDriver] = []

    def make(*words: Any, agent: bool = False, size: tuple[int, int] = (1000, 700), **options: Any) -> RobotDriver:
        if agent:
            options["load_agent"] = tiny_agent
        driver = RobotDriver(session_of(bench, *words, **options), size)
        drivers.append(driver)
        driver.until(lambda: not driver.session.loading and not driver.session.agent_loading)
        return driver

    yield make
    for driver in drivers:
        bench.gate = None
        driver.window.close()


def test_keys_pause_step_and_change_the_speed(opened: Open) -> None:
    driver = opened(YOU, speed=0.25)
    session = driver.session
    driver.key("p")
    assert session.paused
    driver.key("right")
    driver.until(lambda: session.steps == 1)
    for key, speed in (("up", 0.5), ("up", 1.0), ("down", 0.5), ("down", 0.25), ("down", 0.25)):
        driver.key(key)
        assert session.speed == speed
    driver.key("p")
    assert not session.paused


def test_held_keys_take_over_and_move_the_hand(opened: Open, bench: FakeBenchmark) -> None:
    driver = opened(EXPERT, "left", speed=0.25)
    session = driver.session
    driver.key("w")
    assert session.actor == YOU and session.rig.steering.wanted == (0, 1, 0, 0, 0, 0)
    driver.key("d")
    driver.key("left shift")
    assert session.rig.steering.wanted == (1, 1, 0, 0, 0, 0) and session.rig.steering.finely
    driver.up("w")
    driver.up("left shift")
    assert session.rig.steering.wanted == (1, 0, 0, 0, 0, 0) and not session.rig.steering.finely
    session.choose_speed(FASTEST)
    driver.until(lambda: session.now is not None and session.now.view.observation["robot_obs"][0] > 1)
    driver.post(pygame.WINDOWFOCUSLOST)
    assert session.rig.steering.wanted == (0,) * 6
    driver.key("space")
    assert session.rig.steering.closed
    driver.key("g")
    assert session.actor == EXPERT


@pytest.mark.parametrize("name", MOVES)
def test_every_movement_has_a_key_of_its_own(opened: Open, name: str) -> None:
    driver = opened(YOU, speed=0.25)
    key = next(binding.keys[0] for binding in ROBOT_KEYS if binding.action == name)
    driver.key(key)
    axis, sign = driver.session.benchmark.moves[name]
    assert driver.session.rig.steering.wanted[axis] == sign
    driver.up(key)
    assert not any(driver.session.rig.steering.wanted)


def test_every_action_of_the_table_means_something(opened: Open) -> None:
    driver = opened()
    known = {*driver.window.actions, *driver.robot.actions}
    assert {binding.action for binding in ROBOT_KEYS if binding.keys[0] not in POINTER} <= known
    assert {binding.action for binding in driver.window.bindings} == {binding.action for binding in ROBOT_KEYS}


def test_buttons(opened: Open, bench: FakeBenchmark) -> None:
    driver = opened(YOU, speed=0.25)
    session = driver.session
    driver.press("speed 4.0")
    assert session.speed == 4.0
    driver.press("expert")
    assert session.actor == EXPERT
    driver.press("agent")  # there is none
    assert session.actor == EXPERT and session.status.kind == WARNING
    driver.press("scene B")
    driver.until(lambda: not session.loading)
    assert bench.resets[-1][0] == "B"
    driver.press("new")
    driver.until(lambda: not session.loading)
    driver.press("run")
    assert session.paused
    driver.press("record")
    driver.until(lambda: session.recorded is not None)
    driver.press("record")
    driver.press("help")
    assert driver.window.help


def test_an_instruction_is_typed(opened: Open) -> None:
    driver = opened(YOU, speed=0.25)
    driver.key("return")
    page = driver.robot.page
    assert page is not None and page.field.text == "go right" and page.marked == 1
    driver.type("go left")  # takes the place of what stood there
    assert page.field.text == "go left" and page.marked == 0 and "asks for left" in page.message.text
    driver.type(" and sing")
    assert page.marked == -1 and "success cannot be told" in page.message.text
    driver.key("return")
    driver.until(lambda: not driver.session.loading)
    assert driver.robot.page is None and driver.session.start.instruction == "go left and sing"
    assert driver.session.start.task is None and driver.session.actor == YOU


def test_an_instruction_is_picked_with_the_arrows(opened: Open, bench: FakeBenchmark) -> None:
    driver = opened(YOU, speed=0.25)
    driver.key("return")
    driver.key("up")
    assert driver.robot.page is not None and driver.robot.page.field.text == "go left"
    driver.key("ctrl+return")  # on from here
    driver.until(lambda: not driver.session.loading)
    assert driver.session.start.task == "left" and bench.resets[-1] == "on"


def test_an_instruction_is_picked_with_the_pointer(opened: Open, bench: FakeBenchmark) -> None:
    driver = opened(YOU, speed=0.25)
    driver.click(driver.robot._layout.head.center)
    page = driver.robot.page
    assert page is not None
    driver.move(page.lines[2].rect.center)
    driver.click(page.lines[2].rect.center)
    driver.until(lambda: not driver.session.loading)
    assert driver.session.start.task == "hold" and bench.resets[-1] == ("A", "hold", 1)
    driver.key("return")
    assert driver.robot.page is not None
    driver.click(driver.robot.page.verbs[2].rect.center)
    assert driver.robot.page is None


def test_an_empty_instruction_stays_in_the_field(opened: Open) -> None:
    driver = opened(YOU, speed=0.25)
    driver.key("return")
    driver.key("backspace")
    driver.key("return")
    assert driver.robot.page is not None and driver.robot.page.message.kind == WARNING
    driver.key("escape")
    assert driver.robot.page is None and driver.session.start.instruction == "go right"


def test_letters_that_are_typed_move_nothing(opened: Open) -> None:
    driver = opened(EXPERT, "left", speed=0.25)
    driver.key("return")
    driver.type("wasd q p ")
    assert driver.session.actor == EXPERT and not driver.session.paused and driver.robot.page is not None


def test_nothing_moves_while_the_help_is_read(opened: Open) -> None:
    driver = opened(EXPERT, "left", speed=0.25)
    driver.key("h")
    driver.key("w")
    assert driver.session.actor == EXPERT and driver.window.help
    driver.key("escape")
    assert not driver.window.help


def test_the_window_answers_while_the_robot_is_held_up(opened: Open, bench: FakeBenchmark) -> None:
    driver = opened(YOU, speed=FASTEST)
    bench.gate = threading.Semaphore(0)
    for key in ("p", "t", "c", "z"):
        assert driver.key(key)
    driver.picture()
    bench.gate.release(10_000)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_any_size_shows_all_states(opened: Open, size: tuple[int, int]) -> None:
    driver = opened(AGENT, agent=True, size=size, speed=FASTEST)
    driver.until(lambda: len(driver.session.looks) > 3)
    driver.picture()
    driver.key("h")
    driver.picture()
    driver.key("h")
    driver.key("return")
    driver.picture()
    driver.key("escape")
    driver.session.toggle_pause()
    driver.session.stop = driver.session.steps
    driver.picture()


@pytest.mark.parametrize("size", [(400, 300), (480, 800), (800, 480), (1100, 760), (1600, 500), (2200, 1520)], ids=str)
@pytest.mark.parametrize("foresees", [True, False])
def test_nothing_overlaps_or_sticks_out(size: tuple[int, int], foresees: bool) -> None:
    layout = lay_out_robot(size, foresees)
    places = [layout.head, layout.scene, layout.wrist, layout.bars, layout.strip, layout.panel, layout.status]
    places = [place for place in places if place.width and place.height]
    whole = pygame.Rect(0, 0, *size)
    assert all(whole.contains(place) for place in places)
    assert all(not one.colliderect(other) for i, one in enumerate(places) for other in places[:i])


def test_buttons_keep_their_words(opened: Open) -> None:
    from ui.theme import load_font

    driver = opened(YOU, speed=0.25)
    for size in [(400, 300), (480, 800), (800, 480), (1100, 760)]:
        driver.resize(size)
        driver.picture()
        for button in driver.robot.panel.buttons:
            assert load_font(8).size(button.label)[0] <= button.rect.width - 4, (size, button.label)


def test_themes_are_shared_and_remembered(opened: Open) -> None:
    driver = opened(YOU, speed=0.25)
    pictures = []
    for _ in THEMES:
        driver.key("t")
        pictures.append(driver.picture())
    assert not np.array_equal(pictures[0], pictures[1]) and not np.array_equal(pictures[1], pictures[2])


def test_a_failure_ends_the_window(bench: FakeBenchmark) -> None:
    bench.failing = "A"
    session = session_of(bench)
    driver = RobotDriver(session)
    with pytest.raises(Exception, match="scene A is locked"):
        driver.window.run()


def test_quit_keeps_what_is_recorded(opened: Open, bench: FakeBenchmark) -> None:
    driver = opened(YOU, speed=FASTEST)
    driver.key("e")
    driver.until(lambda: (driver.session.recorded or 0) > 3)
    assert not driver.key("q")
    driver.window.close()
    assert bench.told[-1] == "closed" and bench.told[-2][0] > 3 and driver.session.farewell is not None
