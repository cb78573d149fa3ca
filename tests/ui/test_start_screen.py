"""The start screen: what can be chosen, on which sizes, and why the rest cannot; sizes of the window."""

from __future__ import annotations

import sys
from pathlib import Path

import pygame
import pytest

from envs.errors import UserError
from envs.go.rules import BLACK, WHITE, GoGame
from envs.go.sgf import read_sgf, write_sgf
from tests.ui.driver import SIZES, Driver, Open, at, played
from tests.ui.fakes import fake_player
from ui.lobby import AGENT, HUMAN, Lobby, Setup, seats_for
from ui.messages import WARNING
from ui.settings import Settings
from ui.start_rows import OTHER
from ui.theme import load_font


def reason(driver: Driver, row: str, value: object) -> str:
    """What the status line says while the pointer is on a choice."""
    driver.move(driver.choice(row, value).rect.center)
    told = driver.start.status
    driver.move((0, 0))
    return told.text if told.kind == WARNING else ""


def can_have(driver: Driver, row: str) -> list[object]:
    """The values of a row that are not grey."""
    choices = next(r for r in driver.start.rows if r.name == row).choices
    return [choice.value for choice in choices if driver.choice(row, choice.value).enabled]


# Choosing


def test_enter_starts_the_game_that_was_chosen(lobby: Open) -> None:
    driver = lobby()
    driver.choose("black", AGENT)
    driver.choose("white", HUMAN)
    driver.choose("handicap", 4)
    driver.choose("symmetries", 8)
    driver.key("return")
    match = driver.match
    assert match.seats[BLACK] is match.adviser and match.seats[WHITE] is None
    assert (match.game.komi, len(match.game.handicap_stones), match.game.ko_rule) == (0.5, 4, "positional")
    assert driver.window.setup.symmetries == 8 and match.pace > 0 and match.foresight == 4


def test_a_record_may_be_dropped_on_the_start_screen(lobby: Open, tmp_path: Path) -> None:
    game = GoGame(9)
    game.play(at("C3"))
    path = write_sgf(game, tmp_path / "dropped.sgf")
    driver = lobby()
    driver.post(pygame.DROPFILE, file=str(path))
    driver.until(lambda: driver.match.review is not None)


@pytest.mark.parametrize("size", SIZES)
def test_the_start_screen_in_any_size(lobby: Open, size: tuple[int, int]) -> None:
    driver = lobby()
    driver.resize(size)
    driver.picture()
    whole = driver.window.surface.get_rect()
    buttons = list(driver.start.buttons.values())
    assert all(whole.contains(button.rect) for button in buttons)
    if min(size) >= 240:
        for index, button in enumerate(buttons):
            assert button.rect.collidelist([other.rect for other in buttons[index + 1 :]]) < 0


def test_lobby_mistakes() -> None:
    lobby = Lobby(9, lambda setup: fake_player())
    for setup, part in (
        (Setup(ko_rule="odd"), "ko rule 'odd'"),
        (Setup(handicap=1), "1 handicap stones"),
        (Setup(white="nobody"), "'nobody' is no player"),
        (Setup(komi=float("nan")), "komi nan"),
    ):
        with pytest.raises(UserError, match=part):
            lobby.check(setup)
    assert seats_for("self", WHITE) == (AGENT, AGENT) and seats_for("gnugo", WHITE) == ("gnugo", AGENT)
    assert [stones for stones, why in lobby.handicaps(5) if not why] == [0]
    assert [stones for stones, why in lobby.handicaps(7) if not why] == [0, 2, 3, 4]


@pytest.mark.parametrize(
    ("typed", "part"),
    [
        ("nan", "Komi nan does not fit"),
        ("1e9", "does not fit a 9x9 board"),
        ("x", "is no number"),
        ("inf", "Komi inf"),
    ],
)
def test_a_komi_that_makes_no_sense_is_refused_in_place(lobby: Open, typed: str, part: str) -> None:
    driver = lobby()
    driver.click(driver.komi_place.center)
    driver.type(typed)
    driver.key("return")
    message = driver.start.message
    assert driver.window.match is None and message.kind == WARNING
    assert part in message.text and "\n" not in message.text
    for _ in range(4):
        driver.key("backspace")
    driver.type("6,5")
    driver.key("return")
    assert driver.match.game.komi == 6.5


def test_letters_are_keys_again_outside_the_komi(lobby: Open) -> None:
    driver = lobby()
    driver.click(driver.komi_place.center)
    driver.key("q", "q")
    assert driver.window._open
    driver.choose("ko_rule", "simple")
    driver.key("t", "t")
    assert driver.window.surroundings.settings.theme == "slate"
    assert not driver.key("q", "q")


def test_arrows_go_through_rows_and_choices(lobby: Open) -> None:
    driver = lobby()
    driver.key("right")
    assert driver.start.setup.black == AGENT
    for name in ("down", "left", "tab", "tab", "right", "up"):
        driver.key(name)
    assert driver.start.setup.white == HUMAN and driver.start.setup.handicap == 2
    assert driver.start.komi.text == "0.5"
    driver.key("down")
    driver.key("down")
    assert driver.start.typing and driver.start.rows[driver.start.row].name == "komi"
    driver.key("shift+tab")
    driver.key("up")
    assert not driver.start.typing and driver.start.rows[driver.start.row].name == "size"


def test_an_engine_that_is_not_installed_is_grey_and_says_why(lobby: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("envs.go.engines.GAME_FOLDERS", ())
    driver = lobby()
    driver.choose("white", "gnugo")
    assert driver.start.setup.white == AGENT and "GNU Go: the Go engine 'gnugo' is not" in driver.start.message.text
    driver.move(driver.start.buttons["white", 5].rect.center)
    assert driver.start.status.text.startswith("KataGo: ")


def test_new_game_asks_and_escape_returns(lobby: Open) -> None:
    driver = lobby()
    driver.key("return")
    match = driver.match
    driver.until(lambda: match.prepared)
    played(driver, "C3")
    driver.key("n")
    assert driver.start.setup == driver.window.setup
    driver.key("escape")
    assert driver.match is match and len(match.game.history) == 2 and driver.screen
    driver.key("n")
    driver.do("start")
    assert driver.match is not match and read_sgf(match.record.path).moves  # type: ignore[union-attr]
    assert match._closed


# Sizes


def test_the_agent_keeps_its_size_and_the_pointer_says_why(lobby: Open) -> None:
    driver = lobby()
    assert can_have(driver, "size") == [9]
    assert reason(driver, "size", 13) == "VideoWorld has learned 9x9; other sizes are for games without it."
    driver.choose("size", 13)
    assert driver.start.setup.size == 9 and driver.start.message.kind == WARNING
    driver.key("right")
    assert "has learned 9x9" in driver.start.status.text, "the arrows say it as well"
    driver.choose("white", HUMAN)
    assert can_have(driver, "size") == [5, 7, 9, 13, 19]
    driver.choose("size", 13)
    driver.choose("white", AGENT)
    assert driver.start.setup.size == 9 and driver.start.status.text.startswith("The board is 9x9 now")


def test_without_the_agent_there_are_no_thoughts_and_the_panel_says_so(lobby: Open, tmp_path: Path) -> None:
    driver = lobby(Setup(HUMAN, HUMAN))
    driver.choose("size", 13)
    driver.do("start")
    match = driver.match
    driver.until(lambda: match.prepared)
    assert match.adviser is None and match.silence == "VideoWorld has learned 9x9 and has no thoughts on 13x13."
    driver.click("G7")
    driver.picture()
    driver.key("a")
    assert "no agent" in match.status.text
    driver.key("left")
    driver.picture()
    driver.post(pygame.DROPFILE, file=str(write_sgf(GoGame(9), tmp_path / "nine.sgf")))
    driver.until(lambda: match.shown.size == 9)
    driver.picture()
    driver.key("n")
    assert driver.start.setup.size == 13, "the next game is like the last"
    driver.choose("size", 9)
    driver.key("return")
    assert driver.match.adviser is not None and driver.match.silence == ""


def test_a_checkpoint_brings_its_size(lobby: Open, checkpoint13: Path) -> None:
    driver = lobby(Setup(HUMAN, HUMAN))
    driver.take("black", str(checkpoint13))
    assert driver.start.setup.size == 13 and can_have(driver, "size") == [13]
    assert reason(driver, "size", 9).startswith("go13 has learned 13x13")
    driver.choose("white", AGENT)
    assert can_have(driver, "size") == [] and "choose players of one size" in driver.start.status.text
    driver.key("return")
    assert driver.window.match is None
    driver.choose("black", HUMAN)
    assert driver.start.setup.size == 9


@pytest.mark.parametrize(("size", "most"), [(5, 0), (7, 4), (9, 9), (13, 9), (19, 9)])
def test_every_handicap_of_every_size(lobby: Open, size: int, most: int) -> None:
    driver = lobby(Setup(HUMAN, HUMAN))
    driver.choose("handicap", 9)
    driver.choose("size", size)
    assert driver.start.setup.handicap == most and driver.start.komi.text == ("0.5" if most else "7")
    assert (driver.start.status.text.startswith("The handicap is")) == (most < 9)
    assert can_have(driver, "handicap") == [n for n in (0, *range(2, 10)) if n <= most]
    if most < 9:
        assert f"9 handicap stones do not fit a {size}x{size} board" in reason(driver, "handicap", 9)
    setup = driver.start.chosen()
    for stones in can_have(driver, "handicap"):
        driver.choose("handicap", stones)
        game = driver.window.lobby.new_game(driver.start.chosen())  # type: ignore[union-attr]
        assert (game.size, len(game.handicap_stones)) == (size, stones)
    assert setup.size == size


def test_a_dream_is_on_the_board_that_was_learned() -> None:
    lobby = Lobby(9, lambda setup: None, load_dreamer=lambda setup: None)  # type: ignore[arg-type,return-value]
    assert lobby._first_position(Setup(HUMAN, HUMAN, size=19)).size == 9
    with pytest.raises(UserError, match="komi 200"):
        lobby.check_dream(Setup(size=19, komi=200))


def test_sizes_that_do_not_fit_are_mistakes(checkpoint13: Path) -> None:
    lobby = Lobby(9, lambda setup: None)  # type: ignore[arg-type,return-value]
    for setup, part in (
        (Setup(size=13), "VideoWorld has learned 9x9, not 13x13"),
        (Setup(HUMAN, HUMAN, size=99), "board size 99"),
        (Setup(white=str(checkpoint13)), "go13 has learned 13x13, not 9x9"),
        (Setup(AGENT, str(checkpoint13)), "choose players of one size"),
        (Setup(HUMAN, HUMAN, size=7, handicap=5), "5 handicap stones do not fit a 7x7 board"),
    ):
        with pytest.raises(UserError, match=part):
            lobby.check(setup)
    lobby.check(Setup(HUMAN, str(checkpoint13), size=13))


# Time


def test_rows_say_what_they_mean(lobby: Open) -> None:
    driver = lobby()
    names = [row.name for row in driver.start.rows]
    driver.move(driver.start._layout.rows[names.index("seconds")].midright)
    driver.move((driver.start._layout.box.right - 3, driver.choice("seconds", None).rect.centery))
    assert "VideoWorld needs none" in driver.start.status.text
    driver.move((0, 0))
    assert driver.start.status.text.startswith("Enter starts")
    for _ in range(names.index("seconds")):
        driver.key("down")
    assert "VideoWorld needs none" in driver.start.status.text, "the arrows say it as well"
    for seconds in (1.0, 5.0, 15.0):
        driver.key("right")
        assert driver.start.setup.seconds == seconds
    driver.choose("seconds", None)
    assert driver.start.setup.seconds is None


# Picture


@pytest.mark.parametrize("size", SIZES)
def test_a_long_name_and_the_field_in_any_size(lobby: Open, checkpoint13: Path, size: tuple[int, int]) -> None:
    settings = Settings(players=[str(checkpoint13), "gone/agent", "gnugo,level=5", "a b c", "x" * 250])
    driver = lobby(Setup("name-that-is-much-longer-than-others=" + sys.executable, HUMAN), settings)
    driver.resize(size)
    driver.picture()
    whole = driver.window.surface.get_rect()
    for opened in (False, True):
        if opened:
            driver.choose("white", OTHER)
            driver.picture()
        parts = [b.rect for b in driver.start.buttons.values()]
        parts += [driver.field._place, *(line.rect for line in driver.field.lines)] if opened else []
        assert all(whole.contains(part) for part in parts)
        if min(size) >= 240:
            for index, part in enumerate(parts):
                assert part.collidelist(parts[index + 1 :]) < 0
                assert not part.colliderect(driver.start._layout.status)


@pytest.mark.parametrize("size", [size for size in SIZES if size[0] >= 400])
def test_no_word_of_the_rows_is_cut(lobby: Open, size: tuple[int, int]) -> None:
    driver = lobby()
    driver.resize(size)
    for (name, _), button in driver.start.buttons.items():
        assert load_font(8).size(button.label)[0] <= button.rect.width - 4, (name, button.label)


def test_names_of_players(lobby: Open, engine: str) -> None:
    driver = lobby()
    names = driver.window.lobby.name_of  # type: ignore[union-attr]
    assert [names(word) for word in (HUMAN, AGENT, "gnugo", "random", engine, "gone/agent")] == [
        "You", "VideoWorld", "GNU Go", "Random", "fake", "agent",
    ]  # fmt: skip
