"""The field, the answer and the tints in both windows, with keys and the pointer."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pygame
import pytest

from agents.pixellm.answers import Answer
from agents.pixellm.config import FRAME_SIDE
from agents.pixellm.overlay import tint_of
from envs.go.renderer import BoardGeometry
from envs.go.rules import BLACK, WHITE, GoGame
from tests.ui.askers import ToldModel, answer_of, asker_of, half
from tests.ui.driver import SIZES, Driver, Open, at
from tests.ui.fakes import fake_player
from tests.ui.robot_fakes import FakeBenchmark, RobotDriver, session_of
from ui.ask_box import LEAST, tint_surface, wrap_parts
from ui.keymap import GAME_KEYS
from ui.robot_rig import EXPERT, YOU
from ui.theme import THEMES, load_font

STONES = ("C3", "G7")  # that the answers below speak of


def stones(image: np.ndarray, question: str) -> Answer:
    """Two targets, the squares of two points; none where the question is after red stones."""
    if "red" in question:
        return answer_of("There are no red stones.", [])
    points = BoardGeometry.within(FRAME_SIDE, 9).point_map
    masks = [points == at(name) for name in STONES]
    return answer_of("The stones are C3 {seg} and G7 {seg}, in opposite corners.", masks)


LONG = ", ".join(f"the white group at {letter}{row} {{seg}}" for letter in "ABCD" for row in range(1, 6))


def long(image: np.ndarray, question: str) -> Answer:
    """Twenty targets and many words."""
    mask = np.zeros(image.shape[:2], bool)
    mask[20:40, 20:40] = True
    return answer_of(f"The white groups with two liberties are {LONG}, and there is no other.", [mask] * 20)


@pytest.fixture
def model() -> ToldModel:
    return ToldModel(stones)


@pytest.fixture
def driver(play: Open, model: ToldModel) -> Driver:
    return play(None, None, adviser=fake_player(1), asker=asker_of(model))


def ask(driver: Driver, words: str) -> None:
    driver.key("i")
    driver.type(words)
    driver.key("return")
    driver.until(lambda: driver.match.asker.reply is not None)


@pytest.fixture
def display() -> Iterator[None]:
    """A display without a window of ours."""
    pygame.display.init()
    pygame.display.set_mode((10, 10))
    yield
    pygame.display.quit()


# Go


def test_a_question_is_typed_and_its_answer_shown(driver: Driver, model: ToldModel) -> None:
    for name in STONES:
        driver.click(name)
    before = driver.picture()
    driver.key("i")
    assert driver.screen.typing and "Enter asks" in driver.screen.ask.status(driver.match.status).text
    driver.type("where are stones")
    assert driver.screen.ask.field is not None and driver.screen.ask.field.text == "where are stones"
    driver.key("return")
    assert not driver.screen.typing and driver.match.asker.question == "Where are stones?"
    driver.until(lambda: driver.match.asker.reply is not None)
    assert model.asked[0][1] == "Where are stones?"
    shown = driver.picture()
    for number, name in enumerate(STONES):
        assert holds(shown[panel(driver)], tint_of(number)), "the phrase stands on its target's colour"
        x, y = driver.screen.board.centre(at(name))
        assert nearer(shown[x, y], before[x, y], tint_of(number)), "the stone is tinted"
    x, y = driver.screen.board.centre(at("E5"))
    assert (shown[x, y] == before[x, y]).all()
    driver.key("escape")
    assert not driver.screen.ask.shown and np.array_equal(driver.picture(), before)


def panel(driver: Driver) -> tuple[slice, slice]:
    rect = driver.screen.panel.room
    return slice(rect.left, rect.right), slice(rect.top, rect.bottom)


def holds(pixels: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return int((pixels == colour).all(-1).sum()) > 30


def nearer(pixel: np.ndarray, before: np.ndarray, tint: tuple[int, int, int]) -> bool:
    """Whether a pixel lies about halfway between what it was and a tint."""
    middle = (before.astype(int) + tint) / 2
    return bool(np.abs(pixel - middle).max() < 8)


def test_what_is_not_there_is_said_and_nothing_is_tinted(driver: Driver) -> None:
    before = driver.picture(driver.screen.board.rect)
    ask(driver, "where are the red stones")
    reply = driver.match.asker.reply
    assert reply is not None and reply.answer.targets == [] and reply.answer.text == "There are no red stones."
    assert np.array_equal(driver.picture(driver.screen.board.rect), before)


def test_a_move_takes_the_answer_away(driver: Driver) -> None:
    ask(driver, "where are stones")
    driver.click("E5")
    assert not driver.screen.ask.shown
    ask(driver, "where are stones")
    driver.key("left")
    assert not driver.screen.ask.shown and driver.match.review is not None
    ask(driver, "where are stones")
    driver.key("escape")  # first the answer, then the review
    assert driver.match.review is not None
    driver.key("escape")
    assert driver.match.review is None


def test_letters_that_are_typed_are_no_keys(driver: Driver) -> None:
    driver.click("C3")
    driver.key("i")
    driver.type("pause nhqtm")
    for name in ("ctrl+z", "ctrl+shift+z", "page up", "home", "left", "backspace", "up"):
        driver.key(name)
    assert driver.window._open and len(driver.match.game.history) == 1 and driver.match.review is None
    assert driver.screen.ask.field is not None and driver.screen.ask.field.text == "pause nhqtm"
    driver.key("f1")
    assert driver.window.help and driver.screen.typing
    driver.key("escape")
    assert not driver.window.help and driver.screen.typing
    driver.key("escape")
    assert not driver.screen.typing and not driver.screen.ask.shown


def test_a_question_is_pasted(driver: Driver) -> None:
    pygame.scrap.init()
    pygame.scrap.put("text/plain;charset=utf-8", b"where are\nstones")
    driver.key("ctrl+v", "\x16")  # nobody types
    assert not driver.screen.ask.shown
    driver.key("i")
    driver.key("ctrl+v", "\x16")
    assert driver.screen.ask.field is not None and driver.screen.ask.field.text == "where are stones"


def test_the_last_question_can_be_changed(driver: Driver, model: ToldModel) -> None:
    ask(driver, "where are stones")
    driver.key("i")
    field = driver.screen.ask.field
    assert field is not None and field.text == "Where are stones?"
    driver.key("end")
    driver.key("backspace")
    driver.type(" now")
    driver.key("return")
    driver.until(lambda: driver.match.asker.reply is not None and len(model.asked) == 2)
    assert model.asked[1][1] == "Where are stones now?"
    driver.key("i")
    driver.type("x")  # what stood there goes with the first letter
    assert driver.screen.ask.field is not None and driver.screen.ask.field.text == "x"


def test_an_empty_question_stays_in_the_field(driver: Driver) -> None:
    driver.key("i")
    driver.key("return")
    assert driver.screen.typing and driver.match.status.text.startswith("The question is empty")


def test_without_a_model_the_status_line_says_so(play: Open) -> None:
    driver = play(None, None)
    driver.key("i")
    driver.type("where")
    driver.key("return")
    assert driver.match.status.text == "There is no model that answers questions." and driver.screen.typing


def test_buttons_and_clicks(driver: Driver) -> None:
    driver.press("ask")
    driver.type("ab")
    field = driver.screen.ask.field
    assert field is not None
    driver.picture()
    driver.click((field._shown.left + 1, field._shown.centery))
    driver.type("x")
    assert field.text == "xab"
    driver.click("E5")  # the board is still there
    assert len(driver.match.game.history) == 1 and driver.screen.typing


def test_the_window_does_not_wait_for_the_model(play: Open) -> None:
    gate = threading.Semaphore(0)
    driver = play(None, None, asker=asker_of(ToldModel(stones, gate)))
    driver.key("i")
    driver.type("where are stones")
    driver.key("return")
    driver.picture()
    driver.key("t")
    driver.click("C3")
    assert len(driver.match.game.history) == 1 and not driver.match.asker.question
    gate.release()


def test_an_imagined_frame_makes_room_for_the_board(driver: Driver) -> None:
    driver.click("C3")
    driver.key("left")
    driver.until(lambda: driver.match.considered is not None and driver.match.considered.foreseen)
    driver.click(driver.screen.panel.thoughts._places[1].center)
    assert driver.screen.enlarged == 0
    driver.key("i")
    assert driver.screen.enlarged is None and driver.screen.typing


@pytest.mark.parametrize("size", SIZES)
def test_every_state_in_any_size(play: Open, size: tuple[int, int]) -> None:
    driver = play(None, None, asker=asker_of(ToldModel(long)))
    driver.resize(size)
    window = pygame.Rect(0, 0, *size)
    driver.key("i")
    driver.picture()
    box, field = driver.screen._ask_place(), driver.screen.ask._place
    assert window.contains(box) and box.contains(field) and not box.colliderect(driver.screen.status)
    text = driver.screen._text
    assert box.width >= min(size[0], LEAST[0] * text) and box.height >= LEAST[1] * text
    driver.type("which white groups")
    driver.key("return")
    driver.picture()
    driver.until(lambda: driver.match.asker.reply is not None)
    shown = driver.picture()
    assert holds(shown[box.left : box.right, box.top : box.bottom], tint_of(0))
    driver.key("i")
    driver.picture()


@pytest.mark.parametrize("theme", THEMES)
def test_phrases_stand_on_their_colours_in_every_theme(driver: Driver, theme: str) -> None:
    while driver.window.surroundings.theme.name != theme:
        driver.key("t")
    ask(driver, "where are stones")
    shown = driver.picture()[panel(driver)]
    assert holds(shown, tint_of(0)) and holds(shown, tint_of(1)) and not holds(shown, tint_of(2))


def test_lines_are_no_wider_than_their_room() -> None:
    pygame.font.init()
    parts = long(np.zeros((50, 50, 3), np.uint8), "").parts
    whole = "".join(text for text, _ in parts)
    for width in (150, 300, 900):
        lines = wrap_parts(parts, 14, width)
        texts = ["".join(text for text, _ in line) for line in lines]
        assert " ".join(texts) == whole and all(load_font(14).size(text)[0] <= width for text in texts)
        told = {number for line in lines for _, number in line if number is not None}
        assert told == set(range(20))
    assert wrap_parts([("", 0), (" and", None)], 14, 900) == [[("*", 0), (" and", None)]]
    assert wrap_parts([("unbreakable" * 9, 3)], 14, 50) == [[("unbreakable" * 9, 3)]]


def test_tints_lie_where_the_masks_are(display: None) -> None:
    masks = np.zeros((2, 20, 20), bool)
    masks[0, 5:10, 0:5], masks[1, 12:16, 12:20] = True, True
    pixels = pygame.surfarray.array_alpha(tint_surface(list(masks), (200, 100))).T
    colours = pygame.surfarray.array3d(tint_surface(list(masks), (200, 100))).swapaxes(0, 1)
    there = pixels > 0
    expected = masks.any(0).repeat(5, 0).repeat(10, 1)
    assert (there & expected).sum() > 0.93 * expected.sum() and (there & ~expected).sum() < 0.07 * expected.sum()
    assert np.abs(colours[37, 20].astype(int) - tint_of(0)).max() <= 2
    assert np.abs(colours[70, 160].astype(int) - tint_of(1)).max() <= 2
    assert pixels[37, 20] == 128 and pixels[70, 199] == 255  # the inside lets through, the edge does not
    assert not pygame.surfarray.array_alpha(tint_surface([masks[0] & False], (30, 20))).any()


@pytest.mark.parametrize("corner", [(0, 0), (0, 399), (399, 0), (399, 399)])
def test_a_mask_of_one_pixel_in_a_picture_that_is_drawn_small(display: None, corner: tuple[int, int]) -> None:
    mask = np.zeros((400, 400), bool)
    mask[corner] = True
    assert tint_surface([mask], (60, 50)).get_size() == (60, 50)


def test_a_board_of_another_size_is_tinted_where_its_points_are(opened: list[Driver]) -> None:
    from ui.match import Match

    geometry = BoardGeometry.within(FRAME_SIDE, 13)

    def corner(image: np.ndarray, question: str) -> Answer:
        return answer_of("The corner is N1 {seg}.", [geometry.point_map == 168])

    match = Match(lambda: GoGame(13), {BLACK: None, WHITE: None}, asker=asker_of(ToldModel(corner)))
    driver = Driver(match)
    opened.append(driver)
    driver.until(lambda: match.prepared)
    before = driver.picture()
    ask(driver, "where is the corner")
    changed = (driver.picture() != before).any(-1)
    board = driver.screen.board
    changed[panel(driver)] = False
    x, y = np.nonzero(changed[: board.rect.right, : board.rect.bottom])
    centre = board.centre(168)
    assert abs(x.mean() - centre[0]) < 2 and abs(y.mean() - centre[1]) < 2
    assert abs(x.max() - x.min() - board.cell) < 4 and abs(y.max() - y.min() - board.cell) < 4


def test_ask_is_in_the_help_and_has_a_key_of_its_own(driver: Driver) -> None:
    listed = [binding for binding in driver.window.bindings if binding.action == "ask"]
    assert listed == [binding for binding in GAME_KEYS if binding.keys == ("i",)] and len(listed) == 1


# A robot


@pytest.fixture
def robots() -> Iterator[Open]:
    drivers: list[RobotDriver] = []

    def make(model: ToldModel, *words: str, size: tuple[int, int] = (1000, 700), **options: object) -> RobotDriver:
        session = session_of(FakeBenchmark(), *words, asker=asker_of(model), **options)
        drivers.append(RobotDriver(session, size))
        drivers[-1].until(lambda: not session.loading)
        return drivers[-1]

    yield make  # type: ignore[misc]
    for driver in drivers:
        driver.window.close()


def test_a_robot_is_asked_about(robots: Open) -> None:
    driver = robots(ToldModel(half), EXPERT, "left", speed=0.25)
    assert isinstance(driver, RobotDriver)
    session, screen = driver.session, driver.robot
    driver.key("w")
    driver.key("i")
    assert screen.typing and session.paused and session.rig.steering.wanted == (0,) * 6
    driver.type("where is wasd")
    driver.key("return")
    driver.until(lambda: session.asker.reply is not None)
    before_and_after = [driver.picture(screen._layout.scene)]
    room = screen._ask_place()
    answer = driver.picture(room)
    assert holds(answer, tint_of(0)) and holds(answer, tint_of(1))
    driver.key("escape")
    assert not session.paused and not screen.ask.shown
    session.paused = True
    before_and_after.append(driver.picture(screen._layout.scene))
    tinted, plain = before_and_after
    side = screen._layout.scene.width
    for number, x in enumerate((side // 4, 3 * side // 4)):
        assert nearer(tinted[x, side // 2], plain[x, side // 2], tint_of(number))


def test_escape_from_the_field_lets_the_robot_go_on(robots: Open) -> None:
    driver = robots(ToldModel(half), EXPERT, "left", speed=0.25)
    assert isinstance(driver, RobotDriver)
    driver.press("ask")
    assert driver.session.paused and driver.robot.typing
    driver.type("x")
    driver.key("escape")
    assert not driver.robot.typing and not driver.session.paused
    driver.press("run")
    driver.key("i")
    driver.key("escape")
    assert driver.session.paused, "who had halted it finds it halted"


def test_an_instruction_takes_the_place_of_a_question(robots: Open) -> None:
    driver = robots(ToldModel(half), YOU, speed=0.25)
    assert isinstance(driver, RobotDriver)
    driver.key("i")
    driver.click(driver.robot._layout.head.center)
    assert driver.robot.page is not None and not driver.robot.ask.shown and not driver.session.paused
    driver.type("go left")
    assert driver.robot.page.field.text == "go left"


@pytest.mark.parametrize("size", [(200, 150), (320, 240), (400, 300), (480, 800), (1100, 760), (1600, 500)], ids=str)
def test_every_state_of_a_robot_in_any_size(robots: Open, size: tuple[int, int]) -> None:
    driver = robots(ToldModel(long), YOU, size=size, speed=0.25)
    assert isinstance(driver, RobotDriver)
    driver.key("i")
    driver.picture()
    box, field = driver.robot._ask_place(), driver.robot.ask._place
    assert pygame.Rect(0, 0, *size).contains(box) and box.contains(field)
    assert not box.colliderect(driver.robot._layout.status)
    driver.type("which")
    driver.key("return")
    driver.until(lambda: driver.session.asker.reply is not None)
    assert holds(driver.picture(box), tint_of(0))
