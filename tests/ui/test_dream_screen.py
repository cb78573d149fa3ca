"""The dream as a screen of the window: from the start screen and back, keys, sizes, films, failures."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pygame
import pytest

from agents.players import AgentPlayer
from envs.dream import Dreamer
from envs.errors import UserError
from envs.go.coords import gtp_to_point
from envs.go.renderer import BoardGeometry, renderer_for
from envs.go.rules import WHITE, GoGame
from envs.go.sgf import read_sgf
from tests.dreamers import PerfectDreamer
from tests.ui.driver import Driver
from tests.ui.fakes import FakeAgent
from ui.game_screen import GameScreen
from ui.keymap import DREAM_KEYS, GAME_KEYS, POINTER, START_KEYS
from ui.lobby import AGENT, HUMAN, Lobby, Setup
from ui.messages import WARNING
from ui.settings import Settings
from ui.start_screen import StartScreen
from ui.theme import THEMES

GEOMETRY = BoardGeometry(9)
SIZES = [(64, 48), (200, 150), (320, 240), (400, 300), (480, 800), (800, 480), (1600, 500), (4000, 3000)]


class Gated(PerfectDreamer):
    """Draws only what it is released for."""

    def __init__(self) -> None:
        super().__init__(GEOMETRY)
        self.gate = threading.Semaphore(0)

    def imagine(self, frame: np.ndarray, steps: int, *, action: int | None = None) -> np.ndarray:
        assert self.gate.acquire(timeout=20), "nobody released the dreamer"
        return super().imagine(frame, steps, action=action)


class Forgetful(PerfectDreamer):
    """Draws the empty board after every move."""

    def imagine(self, frame: np.ndarray, steps: int, *, action: int | None = None) -> np.ndarray:
        return renderer_for(self.geometry).render_game(GoGame(self.geometry.size))[None]


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """The folder of the films."""
    return tmp_path / "data" / "videoworld" / "dreams"


def lobby_of(dreamer: Dreamer | None = None, **options: object) -> Lobby:
    def load_agent(setup: Setup) -> AgentPlayer:
        agent = FakeAgent()
        return AgentPlayer(agent, agent.renderer)

    dreamer = dreamer or PerfectDreamer(GEOMETRY)
    return Lobby(9, load_agent, load_dreamer=lambda setup: dreamer, **options)  # type: ignore[arg-type]


Open = Callable[..., Driver]


@pytest.fixture
def opened() -> Iterator[Open]:
    """A window on the start screen."""
    drivers: list[Driver] = []

    def begin(dreamer: Dreamer | None = None, settings: Settings | None = None, **options: object) -> Driver:
        drivers.append(Driver(lobby=lobby_of(dreamer, **options), settings=settings))
        return drivers[-1]

    yield begin
    for driver in drivers:
        driver.window.close()


@pytest.fixture
def dream(opened: Open) -> Open:
    """A window in a dream whose first frame is seen."""

    def begin(*args: object, **options: object) -> Driver:
        driver = opened(*args, **options)
        driver.key("d", "d")
        driver.until(lambda: not driver.dream.imagining)
        return driver

    return begin


def played(driver: Driver, *names: str) -> None:
    for name in names:
        driver.click(driver.asleep.centre(gtp_to_point(name, 9)))
        driver.until(lambda: not driver.dream.imagining)


def saved(films: Path) -> list[Path]:
    return sorted(films.glob("*.gif"))


# Ways in and out


def test_from_the_start_screen_into_the_dream_and_back(opened: Open, films: Path) -> None:
    driver = opened()
    driver.do("dream")
    driver.until(lambda: not driver.dream.imagining)
    played(driver, "C3")
    driver.key("escape")
    assert driver.window.dream is None and driver.start.setup == driver.window.setup
    (film,) = saved(films)
    assert driver.start.message.text == f"The film of 3 frames is saved in {film}."


def test_the_game_waits_behind_the_dream(opened: Open, films: Path) -> None:
    driver = opened()
    driver.key("return")
    match = driver.match
    driver.until(lambda: match.prepared)
    driver.click("C3")
    driver.until(lambda: match.human_to_move)
    driver.key("n")
    driver.key("d", "d")
    driver.until(lambda: not driver.dream.imagining)
    played(driver, "D4")
    driver.press("leave")
    assert driver.match is match and len(match.game.history) == 2 and isinstance(driver.window.screen, GameScreen)
    assert f"saved in {saved(films)[0]}" in match.status.text
    driver.click("E5")
    driver.until(lambda: match.human_to_move)
    assert len(match.game.history) == 4


def test_the_game_goes_on_while_one_dreams(opened: Open) -> None:
    driver = opened()
    driver.choose("black", "random")
    driver.choose("white", "random")
    driver.key("return")
    match = driver.match
    match.pace = 0.0
    driver.key("n")
    driver.key("d", "d")
    driver.until(lambda: len(match.game.history) > 3)


def test_nothing_is_saved_of_a_dream_without_a_move(dream: Open, films: Path) -> None:
    driver = dream()
    driver.key("escape")
    assert not films.exists() and "Enter starts" not in driver.start.message.text and not driver.start.message.text


def test_what_is_chosen_is_dreamt(opened: Open) -> None:
    driver = opened()
    driver.choose("black", AGENT)
    driver.choose("white", HUMAN)
    driver.choose("handicap", 4)
    driver.key("d", "d")
    driver.until(lambda: not driver.dream.imagining)
    now = driver.dream.now
    assert now is not None and now.info["agent_color"] == WHITE and driver.dream.komi == 0.5
    first = driver.dream.frames[0]
    assert len(driver.dream.changes) == 0, "White begins after a handicap"
    assert not np.array_equal(first, renderer_for(GEOMETRY).render_game(GoGame(9)))


def test_a_komi_that_makes_no_sense_is_no_dream(opened: Open) -> None:
    driver = opened()
    driver.click(driver.komi_place.center)
    driver.type("1e9")
    driver.do("dream")
    assert driver.window.dream is None and "does not fit a 9x9 board" in driver.start.message.text


def test_frames_without_the_turn_are_told(opened: Open) -> None:
    driver = opened(style="paper")
    driver.do("dream")
    assert driver.window.dream is None and driver.start.message.kind == WARNING
    assert "Frames of style 'paper' do not show whose turn it is" in driver.start.message.text


def test_a_lobby_without_dreamer_offers_no_dream() -> None:
    driver = Driver(lobby=Lobby(9, lambda setup: AgentPlayer(FakeAgent(), FakeAgent().renderer)))
    assert all(button.action != "dream" for button in driver.start.buttons.values())
    assert "dream" not in [binding.action for binding in driver.window.bindings]
    driver.key("d", "d")
    assert isinstance(driver.window.screen, StartScreen)
    driver.window.close()


# Inside


def test_keys_and_clicks(dream: Open, films: Path) -> None:
    driver = dream()
    for point in range(81):
        assert driver.asleep.point_at(driver.asleep.centre(point)) == point
    played(driver, "C3")
    assert len(driver.dream.changes) == 2
    driver.key("u")
    assert not driver.dream.changes
    driver.key("y")
    assert len(driver.dream.changes) == 2
    driver.key("p")
    driver.until(lambda: len(driver.dream.changes) == 4)
    driver.key("s")
    assert len(saved(films)) == 1 and "saved in" in driver.dream.status.text
    driver.press("undo")
    driver.press("new")
    driver.until(lambda: not driver.dream.imagining)
    assert not driver.dream.changes and len(saved(films)) == 1, "the film has it all"
    driver.key("v")
    assert "ound" in driver.dream.status.text


def test_a_dropped_game_has_to_wait(dream: Open, tmp_path: Path) -> None:
    driver = dream()
    driver.post(pygame.DROPFILE, file=str(tmp_path / "game.sgf"))
    assert driver.dream.status.text.startswith("Wake up first") and driver.dream.status.kind == WARNING


def test_the_help_lists_the_keys_of_the_screen_and_keeps_clicks(dream: Open) -> None:
    driver = dream()
    driver.key("h")
    driver.picture()
    driver.click(driver.asleep.centre(40))
    assert not driver.window.help and not driver.dream.imagining, "the click closed the help"
    assert tuple(driver.window.bindings) == DREAM_KEYS
    driver.key("escape")
    assert tuple(driver.window.bindings) == START_KEYS
    driver.key("return")
    assert tuple(driver.window.bindings) == GAME_KEYS


@pytest.mark.parametrize("keys", [DREAM_KEYS, START_KEYS], ids=["dream", "start"])
def test_every_key_does_something(dream: Open, keys: tuple[object, ...]) -> None:
    driver = dream()
    if keys is START_KEYS:
        driver.key("escape")
    window = driver.window
    known = {*window.actions, *window.screen.actions}
    assert {binding.action for binding in window.bindings if binding.keys[0] not in POINTER} == known


def test_broken_rules_are_ringed_and_the_rings_go_away(dream: Open) -> None:
    settings = Settings.load()
    driver = dream(Forgetful(GEOMETRY), settings)
    played(driver, "C3")
    assert "vanished from C3" in driver.dream.status.text
    driver.move((1, 1))
    ringed = driver.picture(driver.asleep.board)
    driver.key("c")
    assert (driver.picture(driver.asleep.board) != ringed).any() and not Settings.load().rings
    chart = driver.asleep.chart
    plain = driver.picture(chart.rect)
    driver.move((chart._graph.left + 2, chart._graph.centery))
    assert chart.change_at(driver.asleep.pointer) == 0 and (driver.picture(chart.rect) != plain).any()


def test_a_long_dream_is_drawn(dream: Open) -> None:
    driver = dream(Forgetful(GEOMETRY))
    for _ in range(24):
        played(driver, "C3", "D4")
    assert len(driver.dream.changes) > 40
    driver.picture()


def test_the_end_is_told(dream: Open) -> None:
    class Passes(PerfectDreamer):
        def probabilities(self, frame: np.ndarray) -> np.ndarray:
            return np.eye(82)[81]

    driver = dream(Passes(GEOMETRY))
    driver.key("p")
    driver.until(lambda: driver.dream.is_over)
    assert driver.dream.status.text.startswith("The dream is over: W+7.0")
    driver.picture()
    driver.move(driver.asleep.centre(40))
    driver.click(driver.asleep.centre(40))
    assert "take a move back or begin another" in driver.dream.status.text


# Looks


@pytest.mark.parametrize("size", SIZES)
def test_every_size(dream: Open, size: tuple[int, int]) -> None:
    driver = dream(Forgetful(GEOMETRY))
    played(driver, "C3")
    driver.resize(size)
    for key in ("c", "h", "h"):
        driver.key(key)
        driver.picture()
    whole, screen = driver.window.surface.get_rect(), driver.asleep
    parts = [button.rect for button in screen.panel.buttons]
    assert whole.contains(screen.board) and screen.board.contains(screen.frame)
    if min(size) >= 150:
        assert all(whole.contains(part) for part in parts)
        assert screen.board.collidelist(parts) < 0 and screen.status.collidelist([screen.board, *parts]) < 0
        words = [screen.panel._players, screen.panel._figures, screen.panel._changes]
        for index, part in enumerate(words):
            assert not part.height or part.collidelist([*words[index + 1 :], *parts, screen.board]) < 0
    for point in range(81):
        assert min(size) < 150 or screen.point_at(screen.centre(point)) == point


def test_every_theme(dream: Open) -> None:
    driver = dream()
    pictures = []
    for _ in THEMES:
        pictures.append(driver.picture())
        driver.key("t")
    assert all((one != other).any(-1).mean() > 0.3 for one, other in zip(pictures, pictures[1:], strict=False))


# Never losing anything, never waiting


@pytest.mark.parametrize("how", ["q", "close"])
def test_quitting_while_it_imagines_saves_game_and_film(opened: Open, tmp_path: Path, films: Path, how: str) -> None:
    dreamer = Gated()
    driver = opened(dreamer, sgf=tmp_path / "game.sgf")
    driver.key("return")
    driver.until(lambda: driver.match.prepared)
    driver.click("C3")
    driver.until(lambda: driver.match.human_to_move)
    driver.key("n")
    driver.key("d", "d")
    driver.until(lambda: not driver.dream.imagining)
    driver.click(driver.asleep.centre(40))
    dreamer.gate.release(2)
    driver.until(lambda: len(driver.dream.changes) == 2)
    driver.click(driver.asleep.centre(10))
    assert driver.dream.imagining
    key = pygame.event.Event(pygame.KEYDOWN, key=pygame.K_q, mod=0)
    pygame.event.post(key if how == "q" else pygame.event.Event(pygame.QUIT))
    driver.window.run()
    dreamer.gate.release(10)
    assert len(read_sgf(tmp_path / "game.sgf").moves) == 2 and len(saved(films)) == 1


def test_keys_rest_while_it_imagines(opened: Open) -> None:
    dreamer = Gated()
    driver = opened(dreamer)
    driver.key("d", "d")
    driver.click(driver.asleep.board.center)
    driver.until(lambda: not driver.dream.imagining)
    driver.click(driver.asleep.centre(40))
    for key in ("p", "u", "y", "n", "s"):
        driver.key(key)
        assert driver.dream.imagining and len(driver.dream.frames) == 1
    dreamer.gate.release(10)
    driver.until(lambda: len(driver.dream.changes) == 2)


def test_waking_while_it_loads(opened: Open) -> None:
    gate = threading.Event()

    def load(setup: Setup) -> Dreamer:
        assert gate.wait(20)
        return PerfectDreamer(GEOMETRY)

    driver = opened()
    driver.window.lobby._load_dreamer = load  # type: ignore[union-attr]
    driver.key("d", "d")
    driver.picture()
    driver.key("escape")
    assert isinstance(driver.window.screen, StartScreen)
    gate.set()
    driver.key("return")
    assert driver.match


@pytest.mark.parametrize("error", [UserError("the model broke"), ZeroDivisionError()])
def test_a_model_that_fails_leaves_its_film(dream: Open, films: Path, error: Exception) -> None:
    class Broken(PerfectDreamer):
        left = 2

        def imagine(self, frame: np.ndarray, steps: int, *, action: int | None = None) -> np.ndarray:
            self.left -= 1
            if self.left < 0:
                raise error
            return super().imagine(frame, steps, action=action)

    driver = dream(Broken(GEOMETRY))
    played(driver, "C3")
    driver.click(driver.asleep.centre(40))
    if isinstance(error, UserError):
        driver.until(lambda: driver.window.dream is None)
        assert driver.window._open and driver.start.status.text == "The model broke."
    else:
        with pytest.raises(ZeroDivisionError):
            driver.window.run()
    assert len(saved(films)) == 1


def test_a_model_that_does_not_load(opened: Open) -> None:
    def load(setup: Setup) -> Dreamer:
        raise UserError("no such checkpoint")

    driver = opened()
    driver.window.lobby._load_dreamer = load  # type: ignore[union-attr]
    driver.key("d", "d")
    driver.until(lambda: driver.window.dream is None)
    assert driver.window._open and driver.start.status.text == "No such checkpoint."
    driver.key("return")
    driver.until(lambda: driver.match.prepared)
    driver.key("n")
    driver.key("d", "d")
    driver.until(lambda: driver.window.dream is None)
    assert driver.match.status.text == "No such checkpoint.", "the game that waits is shown again"


def test_keys_in_any_order_never_end_it(dream: Open) -> None:
    driver = dream()
    keys = [key for b in DREAM_KEYS for key in b.keys if key not in POINTER and b.action not in ("quit", "fullscreen")]
    rng = np.random.default_rng(7)
    for _ in range(120):
        driver.key(keys[int(rng.integers(len(keys)))])
        driver.click((int(rng.integers(1000)), int(rng.integers(700))))
        if isinstance(driver.window.screen, StartScreen):
            driver.key("d", "d")
        assert driver.window._open and (driver.window.dream is None or driver.window.dream.failure is None)
