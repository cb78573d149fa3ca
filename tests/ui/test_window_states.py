"""The window's other states: start screen, review, imagined frames, heat, themes, sound, engines that misbehave."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pygame
import pytest

from agents.players import AgentPlayer, Player
from envs.errors import UserError
from envs.go.coords import gtp_to_point
from envs.go.rules import BLACK, WHITE, GoGame
from envs.go.sgf import read_sgf, write_sgf
from tests.ui.driver import Driver
from tests.ui.fakes import FakeAgent, GatedPlayer, ScriptedPlayer
from ui.keymap import GAME_KEYS, POINTER
from ui.lobby import AGENT, HUMAN, Lobby, Setup, seats_for
from ui.match import WARNING, Match
from ui.record import GameRecord
from ui.settings import MARKS, Settings, settings_file
from ui.sound import Sounds, click_samples
from ui.theme import THEMES
from ui.thought_panel import compare

SIZES = [(200, 150), (320, 240), (400, 300), (480, 800), (800, 480), (1600, 500), (2400, 1600), (4000, 3000)]


def at(name: str) -> int:
    return gtp_to_point(name, 9)


def fake_player(seed: int = 0) -> AgentPlayer:
    agent = FakeAgent(seed=seed)
    return AgentPlayer(agent, agent.renderer)


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("SDL_AUDIODRIVER", "dummy")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


Open = Callable[..., Driver]


@pytest.fixture
def opened() -> Iterator[list[Driver]]:
    drivers: list[Driver] = []
    yield drivers
    for driver in drivers:
        driver.window.close()


@pytest.fixture
def play(opened: list[Driver]) -> Open:
    """A window on a match."""

    def begin(
        black: Player | None, white: Player | None, settings: Settings | None = None, **options: object
    ) -> Driver:
        match = Match(lambda: GoGame(9, ko_rule="positional"), {BLACK: black, WHITE: white}, **options)  # type: ignore[arg-type]
        opened.append(Driver(match, settings=settings))
        opened[-1].until(lambda: match.prepared)
        return opened[-1]

    return begin


@pytest.fixture
def lobby(opened: list[Driver]) -> Open:
    """A window on the start screen."""

    def begin(**options: object) -> Driver:
        opened.append(Driver(lobby=Lobby(9, lambda setup: fake_player(), **options)))  # type: ignore[arg-type]
        return opened[-1]

    return begin


def played(driver: Driver, *names: str) -> None:
    for name in names:
        driver.click(name)
        driver.until(lambda: driver.match.human_to_move and not driver.match.thinking)


# The start screen


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


def test_saved_games_are_listed_and_opened(lobby: Open, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "videoworld" / "games"
    folder.mkdir(parents=True)
    game = GoGame(9)
    game.play(at("C3"))
    write_sgf(game, folder / "one.sgf", black="Ada", white="Bo", result="B+2.5")
    (folder / "damaged.sgf").write_bytes(b"\xff\xfe(;")
    driver = lobby()
    driver.do("open")
    listed = [line.label for line in driver.page.lines]
    assert any("Ada - Bo" in label and "B+2.5" in label for label in listed) and len(listed) == 2
    index = next(i for i, label in enumerate(listed) if "Ada" in label)
    driver.click(driver.page.lines[index].rect.center)
    driver.until(lambda: driver.match.review is not None)
    assert driver.match.shown_names[BLACK] == "Ada"
    driver.key("n")
    driver.do("open")
    driver.key("escape")
    driver.key("escape")
    assert driver.screen.match.review is not None


def test_an_empty_list_of_games(lobby: Open) -> None:
    driver = lobby()
    driver.do("open")
    driver.picture()
    driver.do("back")
    assert driver.start.page is None


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


# Review


def test_keys_wheel_and_graph_go_through_the_game(play: Open) -> None:
    driver = play(None, ScriptedPlayer([at("G7"), at("C7"), at("G3")]))
    played(driver, "C3", "D4", "E5")
    match = driver.match
    driver.key("left")
    assert match.shown_ply == 5
    driver.key("home")
    assert match.shown_ply == 0
    driver.key("right")
    driver.post(pygame.MOUSEWHEEL, x=0, y=-1)
    assert match.shown_ply == 2
    driver.post(pygame.MOUSEWHEEL, x=0, y=1)
    driver.key("page down")
    assert match.review is None
    driver.key("page up")
    assert match.shown_ply == 0
    graph = driver.screen.timeline.rect
    driver.click(graph.center)
    assert match.shown_ply == 3
    driver.move((graph.left + 30, graph.centery))
    driver.key("end")
    assert match.review is None
    driver.key("left")
    driver.key("escape")
    assert match.review is None and len(match.game.history) == 6


def test_review_buttons_and_playing_on(play: Open) -> None:
    driver = play(None, ScriptedPlayer([at("G7"), at("C7"), at("H8")]))
    played(driver, "C3", "D4")
    driver.key("left")
    driver.picture()
    for action, ply in (("first", 0), ("next", 1), ("next", 2), ("previous", 1), ("next", 2)):
        driver.press(action)
        assert driver.match.shown_ply == ply
    driver.press("play_on")
    assert driver.match.review is None and len(driver.match.game.history) == 2
    played(driver, "E5")
    assert len(driver.match.game.history) == 4


def test_a_click_on_an_earlier_position_plays_nothing(play: Open) -> None:
    driver = play(None, ScriptedPlayer([at("G7")]))
    played(driver, "C3")
    driver.key("home")
    driver.click("E5")
    assert len(driver.match.game.history) == 2 and "Escape returns" in driver.match.status.text
    assert driver.screen.ghost() == -1


def test_a_dropped_record_of_another_size_is_shown(play: Open, tmp_path: Path) -> None:
    game = GoGame(19)
    for point in (60, 72, 300):
        game.play(point)
    path = write_sgf(game, tmp_path / "large.sgf")
    driver = play(None, ScriptedPlayer([]), adviser=fake_player())
    driver.post(pygame.DROPFILE, file=str(path))
    driver.until(lambda: driver.match.review is not None)
    driver.key("end")
    driver.picture()
    assert driver.screen.board.size == 19
    driver.key("escape")
    driver.picture()
    assert driver.screen.board.size == 9


def test_a_damaged_record_is_told(play: Open, tmp_path: Path) -> None:
    path = tmp_path / "bad.sgf"
    path.write_text("(;SZ[9];B[zz])")
    driver = play(None, ScriptedPlayer([]))
    driver.post(pygame.DROPFILE, file=str(path))
    driver.until(lambda: not driver.match.opening)
    assert driver.match.status.kind == WARNING and driver.match.review is None


# Thoughts


def test_the_strip_is_filled_and_a_click_enlarges_a_frame(play: Open) -> None:
    driver = play(None, fake_player())
    played(driver, "A1")
    driver.until(lambda: driver.match.last_decision is not None and driver.match.last_decision.foreseen)
    places = driver.screen.panel.thoughts._places
    board = driver.picture(driver.screen.board.rect)
    driver.click(places[2].center)
    assert driver.screen.enlarged == 1
    assert (driver.picture(driver.screen.board.rect) != board).mean() > 0.2
    driver.click("E5")
    assert driver.screen.enlarged is None and len(driver.match.game.history) == 2, "the click only closes it"
    driver.click(places[0].center)
    assert driver.screen.enlarged is None, "what it sees is no imagined frame"
    driver.click(places[1].center)
    driver.key("escape")
    assert driver.screen.enlarged is None
    driver.click(places[1].center)
    driver.click("D5")
    played(driver, "D5")
    assert len(driver.match.game.history) == 4


def test_imagined_frames_are_held_against_what_came(play: Open) -> None:
    driver = play(None, fake_player(), adviser=fake_player(1))
    played(driver, "A1", "B1")
    driver.key("home")
    match = driver.match
    driver.until(lambda: match.considered is not None and match.considered.foreseen)
    considered = match.considered
    assert considered is not None
    found = compare(match, considered, 0)
    assert found is not None and len(found[0]) == 2 and found[1] == pytest.approx(79 / 81)
    assert compare(match, considered, 3) is not None
    place = driver.screen.panel.thoughts._places[1]
    driver.move((2, 2))
    plain = driver.picture(place)
    driver.move(place.center)
    assert (driver.picture(place) != plain).any(), "the points that differ are ringed"
    driver.click(place.center)
    driver.picture()


def test_heat_numbers_and_marks(play: Open) -> None:
    driver = play(None, fake_player())
    played(driver, "A1")
    settings = driver.window.surroundings.settings
    rect = driver.screen.board.rect
    pictures = {}
    for _ in MARKS:
        pictures[settings.marks] = driver.picture(rect)
        driver.key("c")
    assert settings.marks == "top"
    tinted = (pictures["heat"] != pictures["off"]).any(-1).mean()
    marked = (pictures["top"] != pictures["off"]).any(-1).mean()
    assert tinted > marked > 0
    driver.key("m")
    assert settings.numbers and (driver.picture(rect) != pictures["top"]).any()


def test_what_it_could_not_have_is_told(play: Open) -> None:
    class Stubborn(FakeAgent):
        def decide(self, frame: np.ndarray, *, legal: np.ndarray | None = None, imagine: bool = True):  # type: ignore[no-untyped-def]
            from dataclasses import replace

            from agents.agent import Rejection

            decision = super().decide(frame, legal=legal, imagine=imagine)
            return replace(decision, thought=replace(decision.thought, rejected=(Rejection(at("A1")),)))

    agent = Stubborn()
    driver = play(None, AgentPlayer(agent, agent.renderer), record=None)
    played(driver, "A1")
    thought = driver.match.last_decision
    assert thought is not None and thought.decision.thought.rejected[0].reason == "occupied"
    driver.picture()


def test_the_agent_moves_for_you(play: Open) -> None:
    driver = play(None, ScriptedPlayer([0]), adviser=fake_player())
    driver.key("a")
    driver.until(lambda: len(driver.match.game.history) == 2)
    driver.key("ctrl+z")
    assert not driver.match.game.history
    driver.key("ctrl+shift+z")
    assert len(driver.match.game.history) == 2
    driver.press("undo")
    driver.press("redo")
    assert len(driver.match.game.history) == 2


def test_resigning_waits_for_the_second_press(play: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = play(None, ScriptedPlayer([]))
    now = [100.0]
    monkeypatch.setattr("ui.game_screen.time.monotonic", lambda: now[0])
    driver.key("r")
    now[0] += 3.5
    driver.key("r")
    assert not driver.match.is_over, "too late, the first press is forgotten"
    now[0] += 1
    driver.key("r")
    assert driver.match.result == "W+R"


def test_a_copy_is_saved_with_a_key(play: Open, tmp_path: Path) -> None:
    driver = play(None, ScriptedPlayer([at("G7")]), copies=tmp_path)
    played(driver, "C3")
    driver.key("s")
    assert len(read_sgf(next(tmp_path.glob("go-*.sgf"))).moves) == 2 and str(tmp_path) in driver.match.status.text


# Themes, settings, sound


@pytest.mark.parametrize("theme", THEMES)
def test_themes_differ_and_are_readable(theme: str) -> None:
    colours = THEMES[theme]

    def light(colour: tuple[int, int, int]) -> float:
        parts = [value / 255 for value in colour]
        linear = [part / 12.92 if part <= 0.04 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
        low, high = sorted((light(one), light(other)))
        return (high + 0.05) / (low + 0.05)

    for back in (colours.background, colours.panel, colours.raised):
        assert contrast(colours.text, back) > 7 and contrast(colours.warning, back) > 4
    assert contrast(colours.muted, colours.panel) > 4.5 and contrast(colours.on_accent, colours.accent) > 4.5
    assert contrast(colours.line, colours.board_light) > 3 and contrast(colours.label, colours.board_light) > 3


def test_the_theme_is_remembered(play: Open) -> None:
    settings = Settings.load()
    driver = play(None, ScriptedPlayer([]), settings=settings)
    wood = driver.picture()
    driver.key("t")
    assert (driver.picture() != wood).any(-1).mean() > 0.9
    driver.key("c")
    driver.key("m")
    again = Settings.load()
    assert (again.theme, again.marks, again.numbers) == ("slate", "heat", True) and again.path == settings_file()
    driver.key("t")
    driver.key("t")
    assert Settings.load().theme == "wood"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"theme": 3, "marks": [], "sound": "loud", "numbers": "no"}', "\xff", "[" * 100_000]
)
def test_damaged_settings_are_the_defaults(text: str) -> None:
    settings_file().parent.mkdir(parents=True)
    settings_file().write_bytes(text.encode("latin-1"))
    assert Settings.load() == Settings(path=settings_file())


def test_settings_that_cannot_be_written_last_as_long_as_the_window(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = Settings.load(tmp_path / "file" / "settings.json")
    settings.next_theme()
    assert settings.theme == "slate"
    settings = Settings(path=tmp_path / "settings.json")
    settings.next_marks()
    assert json.loads((tmp_path / "settings.json").read_text())["marks"] == "heat"


@pytest.mark.parametrize("driver_name", ["dummy", "none", "nosuchdriver"])
def test_sound_never_fails(play: Open, monkeypatch: pytest.MonkeyPatch, driver_name: str) -> None:
    monkeypatch.setenv("SDL_AUDIODRIVER", driver_name)
    pygame.mixer.quit()
    driver = play(None, ScriptedPlayer([at("G7"), at("C7")]))
    assert driver_name == "nosuchdriver" or not driver.window.surroundings.sounds.on, "off without a device"
    driver.key("v")
    played(driver, "C3")
    driver.key("v")
    played(driver, "D4")


def test_the_click_is_short_and_in_range() -> None:
    samples = click_samples()
    assert (
        samples.dtype == np.int16 and len(samples) < 0.1 * 44_100 and 10_000 < abs(samples.astype(int)).max() < 32_767
    )
    assert Sounds(Settings(sound=True)).on


# Sizes


@pytest.mark.parametrize("size", SIZES)
def test_every_state_in_any_size(play: Open, size: tuple[int, int]) -> None:
    driver = play(None, fake_player(), adviser=fake_player(1))
    played(driver, "A1", "B1")
    driver.resize(size)
    for keys in (["c", "m"], ["left"], ["h"], ["h"], ["end"], ["p"]):
        for key in keys:
            driver.key(key)
        driver.picture()
        whole, board = driver.window.surface.get_rect(), driver.screen.board.rect
        parts = [button.rect for button in driver.screen.panel.buttons]
        assert whole.contains(board) and all(whole.contains(part) for part in parts)
        assert board.collidelist(parts) < 0 and driver.screen.status.collidelist([board, *parts]) < 0
        if driver.screen.timeline.rect.height > 16:
            assert driver.screen.timeline.rect.collidelist([board, *parts, driver.screen.status]) < 0
        frames = driver.screen.panel.thoughts._places
        assert board.collidelist(frames) < 0 and all(whole.contains(frame) for frame in frames)


def test_help_fits_every_size(play: Open) -> None:
    driver = play(None, ScriptedPlayer([]))
    driver.key("h")
    for size in SIZES:
        driver.resize(size)
        driver.picture()
    assert driver.window.help
    driver.key("escape")
    assert not driver.window.help


# Engines


ENGINE = """
import sys, time
def answer(number, text=""):
    print(f"={number} {text}\\n", flush=True)
moves = 0
for line in sys.stdin:
    number, _, command = line.strip().partition(" ")
    if command == "list_commands":
        answer(number, "genmove\\nundo\\ntime_settings")
    elif command.startswith("genmove"):
        BODY
    elif command == "quit":
        answer(number)
        break
    else:
        answer(number)
"""
BAD = {
    "dies": "sys.exit(3)",
    "hangs": "time.sleep(60)",
    "floods": "[print('x' * 100_000, flush=True) for _ in range(100)]",
    "plays illegal moves": "answer(number, 'C3')",
    "talks no sense": "answer(number, 'Z99')",
    "does not start": "",
}


@pytest.mark.skipif(sys.platform == "win32", reason="command lines differ")
@pytest.mark.parametrize("how", BAD)
def test_an_engine_that_misbehaves_rests_the_game_and_loses_nothing(
    opened: list[Driver], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr("envs.go.engines.CLOSE_GRACE", 0.3)
    monkeypatch.setattr("agents.players.PATIENCE", 0.2)
    script = tmp_path / "engine.py"
    script.write_text("import sys; sys.exit(1)" if how == "does not start" else ENGINE.replace("BODY", BAD[how]))
    command = f"{sys.executable} -S -E {script}"
    lobby = Lobby(9, lambda setup: fake_player(), sgf=tmp_path / "game.sgf")
    driver = Driver(lobby=lobby, setup=Setup(white=command, seconds=0.1))
    opened.append(driver)
    driver.key("return")
    match = driver.match
    driver.until(lambda: match.prepared)
    driver.click("C3")
    for _ in range(2):
        driver.until(lambda: match.trouble is not None, 40)
        assert match.paused and match.failure is None and "cannot go on" in match.status.text
        assert match.status.kind == WARNING and "\n" not in match.status.text
        assert [move.point for move in read_sgf(tmp_path / "game.sgf").moves] == [at("C3")]
        driver.key("space")
        assert match.trouble is None
    driver.until(lambda: match.trouble is not None, 40)
    script.write_text(ENGINE.replace("BODY", "answer(number, 'E5')"))
    driver.key("space")
    if how != "plays illegal moves":  # that one is still running
        driver.until(lambda: match.human_to_move, 40)
        assert match.game.last_move == at("E5")


def test_engines_against_each_other_and_the_agent_watching(lobby: Open) -> None:
    driver = lobby()
    driver.choose("black", "random")
    driver.choose("white", "random")
    driver.key("return")
    match = driver.match
    driver.until(lambda: len(match.game.history) >= 2)
    driver.key("space")
    driver.key("left")
    driver.until(lambda: match.considered is not None)
    assert match.considered is not None and match.considered.name == "Fake agent"


# Never losing anything


def test_keys_in_any_order_never_end_it(play: Open, tmp_path: Path) -> None:
    record = GameRecord(tmp_path / "games" / "game.sgf")
    driver = play(None, fake_player(), adviser=fake_player(1), record=record, copies=tmp_path)
    keys = [key for b in GAME_KEYS for key in b.keys if key not in POINTER and b.action not in ("quit", "fullscreen")]
    rng = np.random.default_rng(11)
    for _ in range(150):
        driver.key(keys[int(rng.integers(len(keys)))])
        driver.click((int(rng.integers(1000)), int(rng.integers(700))))
        assert driver.window._open and driver.match.failure is None
    driver.key("escape")
    driver.key("escape")


def test_quitting_from_the_start_screen_keeps_the_game_behind_it(lobby: Open, tmp_path: Path) -> None:
    driver = lobby(sgf=tmp_path / "game.sgf")
    driver.key("return")
    driver.until(lambda: driver.match.prepared)
    played(driver, "C3")
    driver.key("n")
    driver.key("q")
    driver.window.run()
    assert len(read_sgf(tmp_path / "game.sgf").moves) == 2


def test_a_step_of_the_window_does_not_wait_for_the_agent(play: Open) -> None:
    gate = GatedPlayer()
    driver = play(None, gate, adviser=gate)
    driver.click("C3")
    driver.until(lambda: gate.asked)
    driver.key("home")  # the adviser is asked as well, and does not answer either
    times = []
    for index in range(30):
        begun = time.perf_counter()
        driver.move((100 + 9 * index, 300))
        times.append(time.perf_counter() - begun)
    assert np.median(times) < 0.05 and driver.match.thinking
