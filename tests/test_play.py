"""The front door: mistakes and wiring."""

from __future__ import annotations

import io
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import play
from agents.players import AgentPlayer
from envs.go.renderer import BoardGeometry
from envs.go.rules import BLACK, WHITE, GoGame
from envs.go.sgf import read_sgf, write_sgf
from tests.dreamers import PerfectDreamer
from tests.front_door import nobody_at_home, one_sentence, write_checkpoint
from tests.ui.fakes import FakeAgent
from ui.board_window import WATCHING_PACE, BoardWindow
from ui.dream_screen import DreamScreen
from ui.match import Match
from ui.start_screen import StartScreen


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "checkpoint")


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nobody_at_home(monkeypatch, tmp_path)


@pytest.fixture
def fake_agent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Replaces the trained agent; returns what it was loaded with."""
    loaded: list[tuple[Any, ...]] = []

    def load(args: Any, size: int, seed: int) -> AgentPlayer:
        loaded.append((args, size, seed))
        agent = FakeAgent(size)
        return AgentPlayer(agent, agent.renderer)

    monkeypatch.setattr(play, "load_agent", load)
    return loaded


def test_overview(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["-h"], ["--help"]):
        assert play.main(words) == 0
        assert capsys.readouterr().out == play.OVERVIEW


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["chess"], ["'chess'", "choose go, dream, gtp, calvin, rlbench"]),
        (["go", "--vs", "alphago"], ["alphago", "gnugo"]),
        (["go", "--size", "nine"], ["'nine' is no whole number"]),
        (["go", "--size", "1"], ["board size 1"]),
        (["go", "--size", "13"], ["--size 13 does not fit", "plays 9x9"]),
        (["go", "--size", "13", "--vs", "gnugo"], ["--size 13 does not fit", "plays 9x9; leave it out"]),
        (["go", "--komi", "nan"], ["--komi", "'nan' is no plain number"]),
        (["go", "--komi", "seven"], ["'seven' is no plain number"]),
        (["go", "--handicap", "10"], ["10 handicap stones do not fit a 9x9 board"]),
        (["go", "--handicap", "1"], ["1 handicap stones"]),
        (["go", "--handicap", "-2"], ["--handicap", "-2"]),
        (["go", "--temperature", "-1"], ["--temperature", "below zero"]),
        (["go", "--temperature", "inf"], ["'inf' is no plain number"]),
        (["go", "--symmetries", "4"], ["--symmetries", "4"]),
        (["gtp", "--lookahead", "-1"], ["--lookahead", "-1"]),
        (["go", "--lookahead", "10001"], ["--lookahead", "10001", "10000"]),
        (["go", "--seed", "-1"], ["--seed", "-1"]),
        (["go", "--color", "green"], ["green", "black"]),
        (["go", "--checkpoint", "nowhere"], ["no checkpoint in nowhere", "--checkpoint FOLDER"]),
        (["go", "--ui", "window"], ["no display", "--ui terminal"]),
        (["go", "--sgf", "."], [". is a folder"]),
        (["go", "--sgf", "n" * 300], ["games cannot be saved to nnn", "choose another name or place"]),
        (["go", "--colour", "black"], ["--colour"]),
        (["go", "extra"], ["cannot read extra", "check the file"]),
        (["go", "--komi", "1e9"], ["komi 1e+09 does not fit a 9x9 board"]),
        (["go", "--vs", " "], ["a player has no name"]),
        (["go", "--vs", "nowhere/to be/found"], ["nowhere/to", "full path"]),
        (["go", "--vs", "random,level=3"], ["'level=3'", "no option of random"]),
        (["go", "--time", "0"], ["--time", "no time to think"]),
        (["gtp", "--vs", "self"], ["--vs"]),
        (["dream", "chess"], ["no dream of 'chess'", "choose go"]),
        (["dream"], ["required: go", "play.py dream --help"]),
        (["dream", "go", "--komi", "nan"], ["--komi", "'nan' is no plain number"]),
        (["dream", "go", "--komi", "1e9"], ["komi 1e+09 does not fit a 9x9 board"]),
        (["dream", "go", "--temperature", "-1"], ["--temperature", "below zero"]),
        (["dream", "go", "--handicap", "2"], ["--handicap"]),
        (["dream", "go", "--checkpoint", "nowhere"], ["no checkpoint in nowhere"]),
        (["dream", "go", "--ui", "window"], ["no display", "--ui terminal"]),
    ],
)
def test_mistakes_get_one_sentence_and_status_2(
    words: list[str], parts: list[str], checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if "--checkpoint" not in words and len(words) > 1:
        words = [*words, "--checkpoint", str(checkpoint)]
    assert play.main(words) == 2
    out, err = capsys.readouterr()
    assert out == "" and one_sentence(err)
    for part in parts:
        assert part in err


def test_an_engine_that_is_not_installed(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("envs.go.engines.GAME_FOLDERS", ())
    assert play.main(["go", "--checkpoint", str(checkpoint), "--vs", "gnugo"]) == 2
    assert "gnugo" in (err := capsys.readouterr().err) and one_sentence(err)


def test_a_checkpoint_of_another_size(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "large"
    other.mkdir()
    (other / "config.yaml").write_text("kind: go_agent\nframes:\n  size: 13\n")
    assert play.main(["go", "--checkpoint", str(checkpoint), "--vs", str(other)]) == 2
    err = capsys.readouterr().err
    assert "VideoWorld has learned 9x9 and large 13x13; choose players of one size" in err and one_sentence(err)


@pytest.mark.parametrize("text", ["[1, 2", "\xff"])
def test_a_broken_config(checkpoint: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    (checkpoint / "config.yaml").write_bytes(text.encode("latin-1"))
    assert play.main(["go", "--checkpoint", str(checkpoint)]) == 2
    assert "cannot be read" in (err := capsys.readouterr().err) and one_sentence(err)


def seats_of(words: list[str], checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Match:
    """The match that the front door would show."""
    shown: list[Match] = []
    monkeypatch.setattr(play, "show", lambda *asked: shown.append(play.open_match(*asked)))
    assert play.main(["go", "--checkpoint", str(checkpoint), *words]) == 0
    return shown[0]


@pytest.mark.parametrize(
    ("words", "black", "white"),
    [
        ([], "You", "agent"),
        (["--color", "white"], "agent", "You"),
        (["--vs", "random"], "agent", "Random"),
        (["--vs", "random", "--color", "white"], "Random", "agent"),
        (["--vs", "self"], "agent", "agent"),
    ],
)
def test_who_sits_where(
    words: list[str], black: str, white: str, checkpoint: Path, fake_agent: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    match = seats_of(words, checkpoint, monkeypatch)
    names = {colour: name if name in ("You", "Random") else "agent" for colour, name in match.names.items()}
    assert names == {BLACK: black, WHITE: white}


def test_random_colours_follow_the_seed(
    checkpoint: Path, fake_agent: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = [seats_of(["--color", "random", "--seed", str(seed)], checkpoint, monkeypatch).human for seed in range(12)]
    again = [seats_of(["--color", "random", "--seed", str(seed)], checkpoint, monkeypatch).human for seed in range(12)]
    assert drawn == again and set(drawn) == {BLACK, WHITE}


def test_komi_and_handicap(checkpoint: Path, fake_agent: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    games = [
        seats_of(words, checkpoint, monkeypatch).game
        for words in ([], ["--komi", "-3.5"], ["--handicap", "4"], ["--handicap", "2", "--komi", "0"])
    ]
    assert [game.komi for game in games] == [7.0, -3.5, 0.5, 0.0]
    assert [len(game.handicap_stones) for game in games] == [0, 0, 4, 2]


def test_the_agent_is_loaded_as_asked(checkpoint: Path, fake_agent: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    seats_of(["--temperature", "0.5", "--symmetries", "8", "--seed", "5"], checkpoint, monkeypatch)
    ((args, size, seed),) = fake_agent
    assert (args.temperature, args.symmetries, size, seed) == (0.5, 8, 9, 5)


def test_without_a_display_the_terminal_is_used_and_said(
    checkpoint: Path, fake_agent: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("D4\nquit\n"))
    assert play.main(["go", "--checkpoint", str(checkpoint)]) == 0
    out, err = capsys.readouterr()
    assert "Playing in the terminal: there is no display" in err and "The game is saved in " in err
    assert "Fake agent" in out


def test_a_display_that_does_not_answer(
    checkpoint: Path, fake_agent: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "nosuchdriver")
    monkeypatch.setattr("sys.stdin", io.StringIO("quit\n"))
    assert play.main(["go", "--checkpoint", str(checkpoint)]) == 0
    assert "Playing in the terminal: no window can be opened" in capsys.readouterr().err
    assert play.main(["go", "--checkpoint", str(checkpoint), "--ui", "window"]) == 2
    assert "use --ui terminal" in (err := capsys.readouterr().err) and one_sentence(err)


def test_the_window_opens(checkpoint: Path, fake_agent: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    opened: list[BoardWindow] = []
    monkeypatch.setattr("ui.board_window.BoardWindow.run", lambda window: opened.append(window))
    assert play.main(["go", "--checkpoint", str(checkpoint), "--ui", "window"]) == 0
    match = opened[0].match
    assert match is not None and match.pace == WATCHING_PACE and match.foresight == 4
    match.close()


def test_without_options_the_window_asks_who_plays(
    checkpoint: Path, fake_agent: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    opened: list[BoardWindow] = []
    monkeypatch.setattr("ui.board_window.BoardWindow.run", lambda window: opened.append(window))
    assert play.main(["go", "--checkpoint", str(checkpoint)]) == 0
    assert opened[0].match is None and isinstance(opened[0].screen, StartScreen)


def test_a_game_to_look_at(
    checkpoint: Path, tmp_path: Path, fake_agent: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    game = GoGame(9)
    game.play(40)
    path = write_sgf(game, tmp_path / "theirs.sgf")
    match = seats_of([str(path)], checkpoint, monkeypatch)
    assert match.wait(20) and match.review is not None and match.review.path == path
    match.close()


@pytest.fixture
def dreamer(fake_agent: list[Any], monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Replaces what dreams; returns what it was loaded with."""
    loaded: list[tuple[Any, ...]] = []

    def load(args: Any, seed: int) -> PerfectDreamer:
        loaded.append((args, seed))
        return PerfectDreamer(BoardGeometry(9))

    monkeypatch.setattr(play, "load_go_agent", load)
    return loaded


def test_a_dream_in_the_terminal(
    checkpoint: Path,
    dreamer: list[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("D4\nquit\n"))
    words = ["dream", "go", "--checkpoint", str(checkpoint), "--color", "white", "--komi", "5", "--seed", "4"]
    assert play.main([*words, "--temperature", "0.5"]) == 0
    out, err = capsys.readouterr()
    (film,) = (tmp_path / "data" / "videoworld" / "dreams").iterdir()
    assert "Dreaming in the terminal: there is no display" in err and f"film of the dream is saved in {film}" in err
    assert "Black A9" in out and "White D4" in out and "you dream as White" in out
    ((args, seed),) = dreamer
    assert (args.temperature, args.symmetries, seed) == (0.5, 1, 4)


def test_the_window_opens_in_the_dream(checkpoint: Path, dreamer: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    opened: list[BoardWindow] = []
    monkeypatch.setattr("ui.board_window.BoardWindow.run", lambda window: opened.append(window))
    assert play.main(["dream", "go", "--checkpoint", str(checkpoint), "--komi", "5"]) == 0
    (window,) = opened
    assert window.dream is not None and window.match is None and isinstance(window.screen, DreamScreen)
    assert window.dream.wait(20) and window.dream.komi == 5
    window.do("leave")
    assert isinstance(window.screen, StartScreen) and window.setup.komi == 5
    window.close()


def test_frames_without_the_turn_are_no_dream(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkpoint / "config.yaml").write_text("kind: go_agent\nframes:\n  size: 9\n  style: paper\n")
    assert play.main(["dream", "go", "--checkpoint", str(checkpoint)]) == 2
    assert "style 'paper' do not show whose turn it is" in (err := capsys.readouterr().err) and one_sentence(err)


def test_the_networks_are_loaded_once(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads, both = [], threading.Barrier(2, timeout=20)

    def load(folder: Path) -> object:
        loads.append(folder)
        return object()

    def ask() -> None:
        both.wait()
        found.append(play.networks(checkpoint))

    monkeypatch.setattr("agents.go_model.load_go_model", load)
    found: list[object] = []
    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert loads == [checkpoint] and found[0] is found[1]


def test_engines_get_their_time(
    checkpoint: Path, fake_agent: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "heard"
    engine = tmp_path / "engine"
    engine.write_text(
        f"#!/bin/sh\nwhile read -r number line; do\necho $line >> {log}\ncase $line in\n"
        "list_commands) printf '=%s genmove\\ntime_settings\\n\\n' $number;;\n"
        "genmove*) printf '=%s E5\\n\\n' $number;;\n*) printf '=%s\\n\\n' $number;;\nesac\ndone\n"
    )
    engine.chmod(0o755)
    match = seats_of(["--vs", str(engine), "--time", "3", "--color", "white"], checkpoint, monkeypatch)
    end = time.monotonic() + 20
    while not match.game.history:
        assert time.monotonic() < end
        match.poll(0.05)
    match.close()
    assert "time_settings 0 3 1" in log.read_text() and match.names[BLACK] == "engine"


def test_an_existing_record_is_left_alone(
    checkpoint: Path,
    fake_agent: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    taken = tmp_path / "mine.sgf"
    taken.write_text("precious")
    monkeypatch.setattr("sys.stdin", io.StringIO("D4\n"))
    assert play.main(["go", "--checkpoint", str(checkpoint), "--sgf", str(taken)]) == 0
    assert taken.read_text() == "precious" and len(read_sgf(tmp_path / "mine-2.sgf").moves) == 2
    assert "exists and stays as it is" in capsys.readouterr().err


def test_how_far_the_agent_looks_ahead(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As far as it is told, by default where the checkpoint has an outlook; without one it is a mistake to ask."""
    text = "kind: go_agent\nframes:\n  size: 9\nworld:\n  outlook: {}\n"
    args = play.gtp_parser().parse_args(["--checkpoint", str(checkpoint)])
    for outlook, told, found in (("true", None, play.LOOKAHEAD), ("true", 0, 0), ("true", 5, 5), ("false", None, 0)):
        (checkpoint / "config.yaml").write_text(text.format(outlook))
        os.utime(checkpoint / "config.yaml", ns=(0, len(outlook)))  # what was read before is another file
        args.lookahead = told
        assert play.lookahead_of(args) == found
    assert play.main(["go", "--checkpoint", str(checkpoint), "--lookahead", "8"]) == 2
    assert "trained without an outlook; leave --lookahead out" in (err := capsys.readouterr().err) and one_sentence(err)
