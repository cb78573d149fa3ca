"""What the tests of the front ends share: surroundings that are no person's, and windows that are closed again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.players import Player
from envs.go.rules import BLACK, WHITE, GoGame
from tests.ui.driver import Driver, Open
from tests.ui.fakes import fake_player
from ui.lobby import Lobby, Setup
from ui.match import Match
from ui.settings import Settings

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
    """A window on the start screen of an agent for 9x9."""

    def begin(setup: Setup | None = None, settings: Settings | None = None, **options: object) -> Driver:
        made = Lobby(9, lambda setup: fake_player(), **options)  # type: ignore[arg-type]
        opened.append(Driver(lobby=made, setup=setup, settings=settings))
        return opened[-1]

    return begin


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
