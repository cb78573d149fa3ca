"""The front door as a process of its own: what it imports, games and GTP through pipes, signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agents.players import EnginePlayer
from envs.go.engines import GtpEngine
from envs.go.rules import GoGame
from envs.go.sgf import read_sgf
from tests.front_door import ROOT, nobody_at_home, one_sentence, write_checkpoint

# The front door with a fake agent instead of a trained one, as a process of its own.
WITH_FAKE = """
import sys, time
import play
from agents.players import AgentPlayer
from tests.ui.fakes import FakeAgent
class NoStoneIsDead:
    def dead_stones(self, game):
        return []
def load(args, size, seed):
    print("a library that prints")
    time.sleep({delay})
    agent = FakeAgent(size)
    return AgentPlayer(agent, agent.renderer, analyst=NoStoneIsDead())
play.load_agent = load
play.leave(play.main(sys.argv[1:]))
"""


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "checkpoint")


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nobody_at_home(monkeypatch, tmp_path)


def fake_process(*words: str, delay: float = 0.0) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WITH_FAKE.format(delay=delay), *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def run(*words: str, feed: str = "", delay: float = 0.0) -> tuple[int, str, str]:
    process = fake_process(*words, delay=delay)
    out, err = process.communicate(feed, timeout=60)
    return process.returncode, out, err


def test_help_and_mistakes_import_nothing_slow() -> None:
    code = (
        "import sys, play\n"
        "try:\n    play.main(['go', '--help'])\nexcept SystemExit: pass\n"
        "play.main(['dream', 'chess'])\n"
        "play.main(['go', '--komi', 'x'])\n"
        "print(sorted({'torch', 'transformers', 'numba', 'pygame', 'gymnasium'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.endswith("[]\n") and "--handicap" in done.stdout


def test_a_game_from_a_pipe(checkpoint: Path, tmp_path: Path) -> None:
    target = tmp_path / "game.sgf"
    words = ("go", "--checkpoint", str(checkpoint), "--ui", "terminal", "--sgf", str(target), "--seed", "1")
    status, out, err = run(*words, feed="E5\nE5\nundo\nC3\npass\nresign\nquit\n")
    assert status == 0 and "already there" in out and f"saved in {target}" in err
    assert read_sgf(target).result == "W+R" and read_sgf(target).black == "You"


@pytest.mark.skipif(sys.platform == "win32", reason="the engine is a shell script")
def test_an_engine_that_dies_in_the_game_ends_it_with_status_2(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = tmp_path / "bin" / "gnugo"
    engine.parent.mkdir()
    engine.write_text(
        "#!/bin/sh\nwhile read -r line; do\ncase $line in *genmove*) exit 3;; esac\nprintf '=\\n\\n'\ndone\n"
    )
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", f"{engine.parent}{os.pathsep}{os.environ['PATH']}")
    target = tmp_path / "game.sgf"
    words = ("go", "--checkpoint", str(checkpoint), "--ui", "terminal", "--vs", "gnugo", "--sgf", str(target))
    status, _, err = run(*words)
    assert status == 2 and "cannot go on: " in err and "Traceback" not in err
    assert f"saved in {target}" in err and len(read_sgf(target).moves) == 1


@pytest.mark.parametrize("feed", ["", "name\ngenmove b\n"])
@pytest.mark.parametrize(
    ("words", "part"),
    [(["--size", "19"], "--size 19 does not fit"), (["--checkpoint", "nowhere"], "no checkpoint in nowhere")],
)
def test_mistakes_at_the_start_of_gtp(words: list[str], part: str, feed: str, checkpoint: Path) -> None:
    """A process of its own, for its stdout is a file descriptor and it answers while it starts."""
    status, out, err = run("gtp", "--checkpoint", str(checkpoint), *words, feed=feed)
    assert status == 2 and part in err and one_sentence(err)
    assert out in ("", "= VideoWorld\n\n")


def test_gtp_as_a_process_keeps_stdout_clean(checkpoint: Path) -> None:
    feed = "1 list_commands\n2 genmove b\n3 play w A1\n\n4 boardsize 13\n5 final_score\n6 quit\n"
    status, out, err = run("gtp", "--checkpoint", str(checkpoint), feed=feed)
    answers = out.split("\n\n")
    assert status == 0 and answers[-1] == "" and len(answers) == 7
    assert answers[0].startswith("=1 protocol_version\nname\n") and answers[1].startswith("=2 ")
    assert answers[2:6] == ["=3", "?4 unacceptable size", answers[4], "=6"]
    assert "a library that prints" in err


def test_our_own_client_plays_with_our_own_server(checkpoint: Path) -> None:
    argv = [sys.executable, "-c", WITH_FAKE.format(delay=0), "gtp", "--checkpoint", str(checkpoint)]
    with GtpEngine(argv, folder=ROOT) as engine:
        player, game = EnginePlayer(engine), GoGame(9, komi=6.5)
        for _ in range(4):
            game.play(player.choose(game).action)
        game.undo()
        game.undo()
        game.play(player.choose(game).action)
        assert player.name == "VideoWorld" and len(game.history) == 3
        assert engine.command("final_score") == game.result_text()


def test_gtp_answers_before_the_model_is_there_and_leaves_at_the_end_of_input(checkpoint: Path) -> None:
    begun = time.monotonic()
    status, out, err = run("gtp", "--checkpoint", str(checkpoint), feed="name\n", delay=40)
    assert (status, out) == (0, "= VideoWorld\n\n") and "Traceback" not in err
    assert time.monotonic() - begun < 30


def test_a_controller_that_goes_away(checkpoint: Path) -> None:
    process = fake_process("gtp", "--checkpoint", str(checkpoint))
    assert process.stdin and process.stdout and process.stderr
    process.stdout.close()
    process.stdin.write("name\nname\n")
    process.stdin.close()
    assert process.wait(60) == 0 and "Traceback" not in process.stderr.read()
    process.stderr.close()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of this kind are POSIX")
def test_ctrl_c_leaves_cleanly_with_the_game_saved(checkpoint: Path, tmp_path: Path) -> None:
    target = tmp_path / "game.sgf"
    process = fake_process("go", "--checkpoint", str(checkpoint), "--ui", "terminal", "--sgf", str(target))
    assert process.stdin and process.stdout
    process.stdin.write("E5\n")
    process.stdin.flush()
    end = time.monotonic() + 40
    while not (target.exists() and len(read_sgf(target).moves) == 2):
        assert time.monotonic() < end, "the game was not saved"
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=40)
    assert process.returncode == 130 and "Stopped." in err and f"saved in {target}" in err and "Traceback" not in err
    assert len(read_sgf(target).moves) == 2
