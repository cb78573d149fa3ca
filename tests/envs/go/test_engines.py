"""The GTP client against engines that behave, misbehave, die and hang; and against GNU Go where it is installed."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from envs.errors import UserError
from envs.go import engines
from envs.go.coords import gtp_to_point
from envs.go.engines import (
    EngineError,
    EngineRefusal,
    GtpEngine,
    engine_command,
    find_engine,
    gnugo_command,
    katago_command,
    pachi_command,
)
from envs.go.rules import BLACK, WHITE, GoGame

# A small engine; tests add code at #BODY, such as another `react`.
FAKE = """
import signal, sys, time

def send(text):
    sys.stdout.write(text)
    sys.stdout.flush()

def answer(number, text, sign="="):
    send(f"{sign}{number} {text}\\n\\n")

ANSWERS = {"name": "Fake", "version": "1.2", "list_commands": "name\\nversion\\nquit\\ngenmove", "quit": ""}

def react(number, name, arguments):
    if name in ANSWERS:
        answer(number, ANSWERS[name])
    else:
        answer(number, "unknown command", "?")
#BODY
def main():
    for line in sys.stdin:
        words = line.split()
        number = words.pop(0) if words[0].isdigit() else ""
        name, *arguments = words
        react(number, name, arguments)
        if name == "quit":
            return

main()
"""

Fake = Callable[..., GtpEngine]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    """Start a fake engine whose code is FAKE with `body` added; it is closed after the test."""
    monkeypatch.setattr(engines, "CLOSE_GRACE", 20)  # a limit, not a wait; a busy machine must not change results
    started: list[GtpEngine] = []

    def start(body: str = "", **options: object) -> GtpEngine:
        script = tmp_path / "fake.py"
        script.write_text(FAKE.replace("#BODY", body))
        engine = GtpEngine([sys.executable, "-S", "-E", str(script)], **options)  # type: ignore[arg-type]
        started.append(engine)
        return engine

    yield start
    for engine in started:
        engine.close()
        engine._process.wait(timeout=20)
        for reader in engine._readers:
            reader.join(timeout=20)
            assert not reader.is_alive()


def reaction(command: str, *lines: str) -> str:
    """Return code that replaces the fake's reaction to `command`."""
    body = "\n        ".join(lines)
    head = "def react(number, name, arguments, usual=react):"
    return f"{head}\n    if name == {command!r}:\n        {body}\n    else:\n        usual(number, name, arguments)\n"


# Engines that behave


def test_the_engine_introduces_itself_and_closes_politely(fake: Fake) -> None:
    engine = fake()
    assert (engine.name, engine.version) == ("Fake", "1.2")
    assert engine.commands == {"name", "version", "quit", "genmove"}
    assert engine.is_running
    assert "running" in repr(engine)
    engine.close()
    assert engine._process.returncode == 0
    engine.close()
    with pytest.raises(EngineError, match="Fake is closed and cannot take 'name'; start a new one"):
        engine.command("name")


def test_a_with_block_closes_the_engine(fake: Fake) -> None:
    with fake() as engine:
        assert engine.is_running
    assert not engine.is_running


def test_answers_of_several_lines_with_junk_around_them(fake: Fake) -> None:
    engine = fake(reaction("show", r'send(f"\n\nGNU says hi\r\n={number}\t A\tB \r\nC\x07D\n\n\n")'))
    assert engine.command("show") == "A B\nCD"
    assert engine.command("name") == "Fake"
    assert engine.stderr_tail == "GNU says hi"


@pytest.mark.parametrize("head", ["=", "={number}"])
def test_answers_without_number_or_text(fake: Fake, head: str) -> None:
    engine = fake(reaction("clear_board", f'send(f"{head}\\n\\n")'))
    assert engine.command("clear_board") == ""


def test_a_refusal_is_no_end(fake: Fake) -> None:
    engine = fake()
    with pytest.raises(EngineRefusal, match=r"Fake refuses 'undo' \(unknown command\)") as caught:
        engine.command("undo")
    assert caught.value.answer == "unknown command"
    assert engine.command("name") == "Fake"


def test_an_engine_may_refuse_to_introduce_itself(fake: Fake) -> None:
    engine = fake("ANSWERS.clear()\nANSWERS['quit'] = ''")
    assert engine.name.startswith("python")
    assert (engine.version, engine.commands) == ("", frozenset())


def test_moves_and_answers(fake: Fake) -> None:
    engine = fake(
        'ANSWERS.update(boardsize="", clear_board="", komi="")\n'
        'MOVES = iter(["C3", "pass", "RESIGN", "Z99"])\n'
        + reaction("genmove", "answer(number, next(MOVES))")
        + reaction("play", 'answer(number, "", "=" if arguments == ["W", "D4"] else "?")')
    )
    engine.new_game(9, 6.5)
    engine.play(WHITE, 48, 9)
    with pytest.raises(EngineRefusal, match="refuses 'play B pass'"):
        engine.play(BLACK, 81, 9)
    assert [engine.genmove(BLACK, 9) for _ in range(3)] == [56, 81, None]
    with pytest.raises(EngineError, match="answered genmove with 'Z99'; check that it plays 9x9"):
        engine.genmove(BLACK, 9)
    assert not engine.is_running


@pytest.mark.parametrize("line", ["name\nquit", "play B D4 # comment", "na\x00me", "\udcff"])
def test_only_single_clean_commands_are_sent(fake: Fake, line: str) -> None:
    engine = fake()
    with pytest.raises(UserError, match="cannot be sent as a GTP command"):
        engine.command(line)
    assert engine.command("name") == "Fake"


def test_threads_take_turns(fake: Fake) -> None:
    engine = fake(reaction("echo", 'answer(number, " ".join(arguments))'))
    answers: dict[int, list[str]] = {}

    def ask(worker: int) -> None:
        answers[worker] = [engine.command("echo", str(worker), str(turn)) for turn in range(30)]

    workers = [threading.Thread(target=ask, args=(worker,)) for worker in range(4)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join(timeout=30)
    assert answers == {worker: [f"{worker} {turn}" for turn in range(30)] for worker in range(4)}


# Engines that do not


def test_an_engine_that_is_silent_is_stopped(fake: Fake) -> None:
    engine = fake(reaction("think", "pass"))
    with pytest.raises(EngineError, match=r"Fake did not answer 'think' within 0.05 s; give it more time") as caught:
        engine.command("think", timeout=0.05)
    assert not engine.is_running
    with pytest.raises(EngineError, match="did not answer 'think'"):
        engine.command("name")
    assert not isinstance(caught.value, EngineRefusal)


def test_an_engine_that_never_says_a_word(fake: Fake) -> None:
    with pytest.raises(EngineError, match="did not answer 'name' within 0.2 s"):
        fake("def react(*_): pass", start_timeout=0.2)


def test_an_engine_that_dies_while_thinking(fake: Fake) -> None:
    engine = fake(reaction("genmove", 'print("out of memory", file=sys.stderr)', "sys.exit(3)"))
    with pytest.raises(EngineError, match="Fake ended with status 3 instead of answering 'genmove B'") as caught:
        engine.command("genmove", "B")
    assert "its last words: 'out of memory'" in str(caught.value)
    assert "try it by hand: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_engine_that_died_between_commands(fake: Fake) -> None:
    engine = fake()
    engine._process.kill()
    engine._process.wait()
    assert not engine.is_running
    with pytest.raises(EngineError, match="ended with status -9 instead of answering 'name'"):
        engine.command("name")


def test_an_engine_that_fails_at_once(fake: Fake) -> None:
    with pytest.raises(EngineError, match="ended with status 1 instead of answering 'name'.*no such flag"):
        fake("sys.exit('no such flag')")


def test_a_program_that_is_no_engine(fake: Fake) -> None:
    with pytest.raises(
        EngineError, match="ended with status 0 instead of answering 'name'; its last words: 'hello, you'"
    ):
        fake("send('hello, you\\n')\nsys.exit()")


@pytest.mark.parametrize(
    "flood",
    ['send("x" * 4096)', 'send("junk\\n" * 1000)', 'send("= \\n" + "line\\n" * 1000)', 'send("=\\n\\n" * 1000)'],
    ids=["one line", "lines", "one answer", "answers"],
)
def test_a_flood_is_cut_off(fake: Fake, flood: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "MAX_ANSWER", 2**16)
    engine = fake(reaction("flood", 'send("start ")', "while True:", f"    {flood}"))
    with pytest.raises(EngineError, match="Fake flooded its output after"):
        engine.command("flood")  # the last flood begins with what looks like the answer
        engine._readers[0].join(timeout=10)
        engine.command("name")
    assert not engine.is_running


def test_a_flood_of_errors_keeps_only_the_last_words(fake: Fake) -> None:
    engine = fake(
        reaction("shout", 'sys.stderr.write("y" * 10**6 + "\\nlast\\n")', "sys.stderr.flush()", "sys.exit(1)")
    )
    with pytest.raises(EngineError, match="last'"):
        engine.command("shout")
    assert engine.stderr_tail.endswith("last")
    assert len(engine.stderr_tail) <= engines.ERROR_LINES * (engines.ERROR_LINE + 1)


def test_a_wrong_number_is_not_taken_for_the_answer(fake: Fake) -> None:
    engine = fake(reaction("genmove", 'answer(int(number) + 7, "D4")'))
    with pytest.raises(EngineError, match="answered 'genmove B', number 4, as number 11; check that it speaks GTP"):
        engine.command("genmove", "B")
    assert not engine.is_running


def test_bytes_that_are_no_text(fake: Fake) -> None:
    engine = fake(reaction("noise", 'sys.stdout.buffer.write(b"\\xff\\xfe\\n= \\xe9\\n\\n")', "sys.stdout.flush()"))
    assert engine.command("noise") == "\N{REPLACEMENT CHARACTER}"


def test_an_engine_that_ignores_quit_and_terminate_is_killed(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "CLOSE_GRACE", 0.05)
    stubborn = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + reaction("quit", "while True:", "    time.sleep(60)")
    engine = fake(stubborn)
    engine.close()
    assert engine._process.wait(timeout=20) == -9


def test_closing_ends_a_command_that_waits(fake: Fake) -> None:
    engine = fake(reaction("genmove", 'print("thinking", file=sys.stderr, flush=True)', "time.sleep(60)"))
    failures: list[str] = []

    def ask() -> None:
        try:
            engine.command("genmove", "B")
        except EngineError as error:
            failures.append(str(error))

    worker = threading.Thread(target=ask)
    worker.start()
    deadline = time.monotonic() + 30
    while engine.stderr_tail != "thinking" and time.monotonic() < deadline:
        worker.join(timeout=0.01)
    engine.close()
    worker.join(timeout=10)
    assert failures == ["Fake was closed while it worked on 'genmove B'; start a new one"]


# Finding and starting


def test_engines_are_found_on_path_and_in_game_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("bin", "games"):
        (tmp_path / folder).mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(engines, "GAME_FOLDERS", (str(tmp_path / "games"),))
    with pytest.raises(UserError, match="the Go engine 'gnugo' is not on PATH or in .*games; install GNU Go"):
        find_engine("gnugo")
    with pytest.raises(UserError, match="install it or give its full path"):
        find_engine("mygo")
    for folder in ("games", "bin"):
        program = tmp_path / folder / "gnugo"
        program.touch(mode=0o755)
        assert find_engine("gnugo") == str(program)
        assert find_engine(str(program)) == str(program)


def test_commands_of_known_engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "find_engine", lambda program: f"/bin/{program}")
    assert gnugo_command(3) == ["/bin/gnugo", "--mode", "gtp", "--level", "3", "--chinese-rules"]
    assert pachi_command(0.5, threads=2) == ["/bin/pachi", "-t", "0.5", "threads=2"]
    model = tmp_path / "model.bin.gz"
    model.touch()
    assert katago_command(model) == ["/bin/katago", "gtp", "-model", str(model)]
    assert engine_command("gnugo") == gnugo_command()
    assert engine_command("mygo --level '1 2'") == ["/bin/mygo", "--level", "1 2"]
    assert engine_command(["mygo", "a b"]) == ["/bin/mygo", "a b"]
    for call, words in (
        (lambda: gnugo_command(11), "GNU Go has no level 11; choose 0 to 10"),
        (lambda: pachi_command(0), "Pachi cannot think 0 s on 1 threads"),
        (lambda: katago_command(tmp_path / "no.gz"), "KataGo's model .*no.gz is no file; check the path"),
        (lambda: engine_command(""), "the engine command is empty"),
        (lambda: engine_command("mygo 'x"), "is not well-formed"),
    ):
        with pytest.raises(UserError, match=words):
            call()


def test_the_platform_game_pachi_is_not_taken_for_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "find_engine", lambda program: f"/usr/games/{program}")
    with pytest.raises(UserError, match="/usr/games/pachi is a platform game, not the Go engine Pachi; install"):
        GtpEngine("pachi")


def test_a_program_that_cannot_be_run(tmp_path: Path) -> None:
    script = tmp_path / "engine"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    with pytest.raises(EngineError, match="cannot start .*engine: No such file or directory; check the command"):
        GtpEngine([str(script)])


# The real thing


@pytest.fixture(scope="module")
def gnugo() -> Iterator[GtpEngine]:
    try:
        command = [*gnugo_command(level=0), "--seed", "1", "--never-resign"]
    except UserError as error:
        pytest.skip(f"GNU Go is not installed: {error}")
    with GtpEngine(command) as engine:
        yield engine


def test_gnugo_plays_a_legal_game_to_the_end(gnugo: GtpEngine) -> None:
    assert gnugo.name == "GNU Go"
    assert "genmove" in gnugo.commands
    game = GoGame(5, komi=0.5)
    gnugo.new_game(5, 0.5)
    while not game.is_over and len(game.history) < 60:
        move = gnugo.genmove(game.to_move, 5)
        assert move is not None
        game.play(move)
    assert game.is_over
    dead = [gtp_to_point(name, 5) for name in gnugo.command("final_status_list", "dead").split()]
    assert gnugo.command("final_score") == game.result_text(dead)


def test_gnugo_refuses_illegal_moves_and_plays_on(gnugo: GtpEngine) -> None:
    gnugo.new_game(9, 7)
    gnugo.play(BLACK, 40, 9)
    with pytest.raises(EngineRefusal, match="illegal move"):
        gnugo.play(WHITE, 40, 9)
    gnugo.command("undo")
    gnugo.play(WHITE, 40, 9)
    assert os.path.isabs(gnugo.argv[0])
