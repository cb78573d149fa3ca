"""The start screen: players by name, sizes, handicaps, engines' time, and a game that comes of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pygame
import pytest

from agents.players import AgentPlayer
from envs.errors import UserError
from envs.go.coords import gtp_to_point
from envs.go.rules import GoGame
from envs.go.sgf import read_sgf, write_sgf
from tests.ui.driver import Driver
from tests.ui.fakes import FakeAgent
from ui.lobby import AGENT, HUMAN, Lobby, Setup
from ui.messages import INFO, WARNING
from ui.settings import PLAYERS_KEPT, Settings, settings_file
from ui.start_rows import OTHER
from ui.text_field import TextField, clipboard_text
from ui.theme import load_font

SIZES = [(200, 150), (320, 240), (400, 300), (480, 800), (800, 480), (1600, 500), (2400, 1600), (4000, 3000)]

# Answers on any board; plays up the first column, passes after "passes", and writes down what it hears.
ENGINE = """
import sys
moves = 0
for line in sys.stdin:
    number, _, command = line.strip().partition(" ")
    print(command, file=open(sys.argv[1], "a"))
    text = ""
    if command == "list_commands":
        text = "genmove\\nundo\\ntime_settings\\nset_free_handicap"
    elif command.startswith("genmove"):
        moves += 1
        text = f"A{moves}" if moves < 4 else "pass"
    print(f"={number} {text}\\n", flush=True)
    if command == "quit":
        break
"""


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("SDL_AUDIODRIVER", "dummy")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


Open = Callable[..., Driver]


@pytest.fixture
def lobby() -> Iterator[Open]:
    """A window on the start screen of an agent for 9x9."""
    drivers: list[Driver] = []

    def load(setup: Setup) -> AgentPlayer:
        agent = FakeAgent()
        return AgentPlayer(agent, agent.renderer)

    def begin(setup: Setup | None = None, settings: Settings | None = None, **options: object) -> Driver:
        drivers.append(Driver(lobby=Lobby(9, load, **options), setup=setup, settings=settings))  # type: ignore[arg-type]
        return drivers[-1]

    yield begin
    for driver in drivers:
        driver.window.close()


@pytest.fixture
def engine(tmp_path: Path) -> str:
    """The command of a fake engine; what it hears is in the file `heard`."""
    script = tmp_path / "engine.py"
    script.write_text(ENGINE)
    return f"fake={sys.executable} -S -E {script} {tmp_path / 'heard'}"


@pytest.fixture
def checkpoint13(tmp_path: Path) -> Path:
    folder = tmp_path / "go13"
    folder.mkdir()
    (folder / "config.yaml").write_text("kind: go_agent\nframes:\n  size: 13\n")
    return folder


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


def take(driver: Driver, row: str, description: str) -> None:
    """Type a player."""
    driver.choose(row, OTHER)
    driver.field.write("")
    driver.type(description)
    driver.key("return")


# Players by name


@pytest.mark.skipif(sys.platform == "win32", reason="command lines differ")
def test_a_whole_game_on_13x13_with_an_engine_that_was_typed(lobby: Open, engine: str, tmp_path: Path) -> None:
    driver = lobby(sgf=tmp_path / "game.sgf")
    take(driver, "white", engine)
    assert driver.start.page is None and driver.choice("white", engine).label == "fake"
    for row, value in (("size", 13), ("handicap", 2), ("seconds", 5.0)):
        driver.choose(row, value)
    driver.key("return")
    match = driver.match
    driver.until(lambda: match.prepared and match.human_to_move)
    assert (match.game.size, match.game.komi, match.game.last_move) == (13, 0.5, gtp_to_point("A1", 13))
    driver.picture()
    for name in ("G7", "H8", "J9"):
        driver.click(name)
        driver.until(lambda: match.human_to_move)
    assert match.game.last_move == match.game.area, "it has passed"
    driver.key("p")
    driver.until(lambda: match.is_over)
    driver.picture()
    assert match.adviser is None and match.result and match.result.startswith("B+")
    driver.window.close()
    record = read_sgf(tmp_path / "game.sgf")
    assert (record.size, record.white, len(record.moves)) == (13, "fake", 8)
    heard = (tmp_path / "heard").read_text()
    assert "boardsize 13" in heard and "time_settings 0 5 1" in heard and "set_free_handicap" in heard


@pytest.mark.parametrize(
    ("typed", "part"),
    [
        ("nobody", "'nobody' is no player"),
        ("nowhere/at/all", "There is no checkpoint or program nowhere/at/all"),
        ("gnugo,level=x", "needs a number"),
        ("random,level=3", "no option of random"),
        ("engine 'of", "not well-formed"),
        (" ", "has no name"),
        ("{folder}", "There is no checkpoint in"),
        ("{folder}/file", "no program that can be run"),
    ],
)
def test_a_player_that_makes_no_sense_is_told_and_not_taken(lobby: Open, tmp_path: Path, typed: str, part: str) -> None:
    (tmp_path / "file").write_text("no program")
    driver = lobby(settings=Settings.load())
    driver.choose("white", OTHER)
    driver.type(typed.replace("{folder}", str(tmp_path)))
    assert part in driver.start.status.text and driver.start.status.kind == WARNING, "while it is typed"
    driver.key("return")
    told = driver.start.status
    assert part in told.text and "\n" not in told.text and told.text.endswith(".")
    assert driver.field and driver.window.match is None and not Settings.load().players
    driver.picture()
    driver.key("escape")
    assert driver.start.page is None and driver.start.setup.white == AGENT


def test_letters_in_the_field_are_no_keys(lobby: Open) -> None:
    driver = lobby()
    driver.choose("black", OTHER)
    driver.type("qdtv")
    assert driver.field.field.text == "qdtv" and driver.window._open
    driver.key("f1")
    driver.key("escape")
    assert driver.field.field.text == "qdtv" and not driver.window.help


def test_a_word_of_the_row_is_no_player_by_name(lobby: Open) -> None:
    driver = lobby(settings=Settings.load())
    take(driver, "black", "random")
    assert driver.start.setup.black == "random" and not Settings.load().players
    take(driver, "black", "human")
    assert driver.start.setup.black == HUMAN


def test_folders_and_programs_are_dropped_into_the_field(lobby: Open, tmp_path: Path, checkpoint13: Path) -> None:
    driver = lobby()
    driver.post(pygame.DROPFILE, file=str(checkpoint13))
    assert "is a folder" in driver.start.status.text and driver.window.match is None
    driver.choose("white", OTHER)
    program = tmp_path / "my engine"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    driver.post(pygame.DROPFILE, file=str(program))
    assert driver.start.status.kind == INFO and "my engine is an engine" in driver.start.status.text
    driver.post(pygame.DROPFILE, file=str(checkpoint13))
    assert driver.start.status.text == "go13 is a checkpoint that has learned 13x13."
    driver.do("take")
    assert driver.start.setup.white == str(checkpoint13)


def test_a_folder_is_remembered_by_its_full_name(
    lobby: Open, checkpoint13: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for typed in ("./go13", "~/go13/"):
        driver = lobby(settings=Settings(path=settings_file()))
        take(driver, "white", typed)
        assert driver.start.setup.white == str(checkpoint13) and Settings.load().players == [str(checkpoint13)]


def test_a_record_dropped_on_the_field_is_opened(lobby: Open, tmp_path: Path) -> None:
    driver = lobby()
    driver.choose("white", OTHER)
    driver.post(pygame.DROPFILE, file=str(write_sgf(GoGame(9), tmp_path / "game.SGF")))
    driver.until(lambda: driver.match.review is not None)


def test_players_typed_before_are_offered_again(lobby: Open, checkpoint13: Path) -> None:
    Settings(players=["gone/agent", str(checkpoint13)], path=settings_file()).save()
    driver = lobby(settings=Settings.load())
    driver.choose("white", OTHER)
    gone, there = driver.field.lines
    assert not gone.enabled and there.enabled
    driver.move(gone.rect.center)
    assert "There is no checkpoint or program gone/agent" in driver.start.status.text
    driver.click(gone.rect.center)
    driver.move((0, 0))
    assert driver.field.field.text == ""
    driver.key("down")
    assert driver.field.field.text == str(checkpoint13)
    driver.field.write("")
    driver.click(there.rect.center)
    driver.key("return")
    assert driver.start.setup.white == str(checkpoint13)
    assert Settings.load().players == [str(checkpoint13), "gone/agent"]


def test_only_a_few_players_are_remembered() -> None:
    settings = Settings.load()
    for number in range(9):
        settings.remember_player(f"engine{number}")
    settings.remember_player("engine6")
    assert Settings.load().players == ["engine6", "engine8", "engine7", "engine5", "engine4"]
    assert len(settings.players) == PLAYERS_KEPT
    settings_file().write_text(json.dumps({"players": [3, "", "x", None, *"abcdefgh"]}))
    assert Settings.load().players == ["x", "a", "b", "c", "d"]


def test_a_player_of_the_command_line_stands_in_its_row(lobby: Open, engine: str) -> None:
    driver = lobby(Setup(engine, HUMAN, seconds=3.0, temperature=0.7))
    assert driver.choice("black", engine).label == "fake" and driver.choice("seconds", 3.0).label == "3 s"
    assert driver.choice("temperature", 0.7).label == "0.7"
    driver.choose("black", OTHER)
    assert driver.field.field.text == engine
    driver.type("x")
    assert driver.field.field.text == "x", "what is typed takes the place of what stood there"


def test_a_checkpoint_that_cannot_be_loaded_rests_the_game(lobby: Open, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / "config.yaml").write_text("kind: go_agent\nframes:\n  size: 9\n")
    driver = lobby()
    take(driver, "white", str(folder))
    driver.key("return")
    driver.until(lambda: driver.match.prepared)
    driver.click("C3")
    driver.until(lambda: driver.match.trouble is not None, 60)
    assert driver.window._open and "empty cannot go on" in driver.match.status.text


# Typing


def test_pasting(lobby: Open) -> None:
    driver = lobby()
    driver.choose("white", OTHER)
    pygame.scrap.init()
    pygame.scrap.put("text/plain;charset=utf-8", b" gnugo,\tlevel=5\n")
    driver.key("ctrl+v", "\x16")
    assert driver.field.field.text == "gnugo, level=5"
    driver.key("escape")
    pygame.scrap.put("text/plain;charset=utf-8", b"6.5")
    driver.click(driver.komi_place.center)
    driver.key("ctrl+v", "\x16")
    driver.key("return")
    assert driver.match.game.komi == 6.5


def test_no_clipboard(monkeypatch: pytest.MonkeyPatch, lobby: Open) -> None:
    def fail(*_: object) -> None:
        raise pygame.error("no clipboard")

    driver = lobby()
    driver.choose("white", OTHER)
    monkeypatch.setattr(pygame.scrap, "init", fail)
    driver.key("ctrl+v", "\x16")
    assert clipboard_text() == "" and driver.field.field.text == ""


def test_the_caret_goes_through_the_text(lobby: Open) -> None:
    driver = lobby()
    driver.choose("white", OTHER)
    field = driver.field.field
    driver.type("abcd")
    for name in ("left", "left", "backspace", "home", "delete", "end"):
        driver.key(name)
    driver.type("e")
    assert field.text == "cde"
    driver.picture()
    driver.click((field._shown.left + 1, field._shown.centery))
    driver.type("x")
    assert field.text == "xcde"
    field.write("long " * 100)
    driver.picture()
    assert len(field.text) == field.most and driver.window.surface.get_rect().contains(driver.field._place)


def test_altgr_types_letters(lobby: Open) -> None:
    driver = lobby()
    driver.choose("white", OTHER)
    held = pygame.KMOD_LCTRL | pygame.KMOD_RALT
    driver.post(pygame.KEYDOWN, key=pygame.K_q, mod=held, unicode="@")
    assert driver.field.field.text == "@"


def test_a_field_that_is_full_takes_no_more() -> None:
    field = TextField("ab", most=3)
    field.insert("cdef")
    assert field.text == "abc"


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
    take(driver, "black", str(checkpoint13))
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


def test_saved_games_are_chosen_with_the_arrows(lobby: Open, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "videoworld" / "games"
    folder.mkdir(parents=True)
    for name in ("one", "two"):
        write_sgf(GoGame(9), folder / f"{name}.sgf")
    driver = lobby()
    driver.do("open")
    driver.key("return")
    assert driver.page.marked == -1 and driver.window.match is None, "nothing is marked yet"
    for name in ("down", "down", "down", "up"):
        driver.key(name)
    label = driver.page.lines[0].label
    driver.picture()
    driver.key("return")
    driver.until(lambda: driver.match.review is not None)
    assert driver.match.review is not None and driver.match.review.path is not None
    assert driver.match.review.path.stem in label
