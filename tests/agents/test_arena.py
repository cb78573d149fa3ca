"""Round robins: schedule, openings, records, resuming after an end in the middle, forfeits, ratings."""

from __future__ import annotations

import functools
import io
import json
import math
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import choix
import numpy as np
import pytest
from rich.console import Console

from agents.arena import Pairing, Referee, lock, main, opening_moves, pairings, play_game
from agents.contestants import parse_contestant, parse_contestants
from agents.elo import fit, rate
from agents.go_model import save_go_model
from agents.players import RandomPlayer
from agents.standings import Outcome, Standings, read_outcomes, read_standings
from envs.errors import UserError
from envs.go.engines import GtpEngine
from envs.go.rules import BLACK, WHITE, GoGame
from envs.go.sgf import read_sgf
from tests.go_games import tiny_model

ROOT = Path(__file__).parents[2]
FAST = ["--size", "3", "--workers", "2", "--seed", "1"]
ENGINE = """\
import pathlib, sys, time
for line in sys.stdin:
    word = line.split()
    identity = word.pop(0) if word[0].isdigit() else ""
    said = {"name": "Fake", "version": "1", "list_commands": "genmove\\nundo", "final_score": "W+2.5"}.get(word[0], "")
    if word[0] == "genmove":
        said = MOVE
        if said == "die":
            sys.exit(3)
        if said == "hang":
            time.sleep(600)
        while said == "flood":
            print("nothing but noise " * 1000)
    elif word[0] == "quit" and MOVE == "once":  # the next one will not start
        pathlib.Path(__file__).write_text("raise SystemExit(4)")
    print(f"={identity} {said}\\n", flush=True)
    if said == "pass" and MOVE == "faint":
        sys.exit(5)
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left in the project's folder."""
    monkeypatch.chdir(tmp_path)


def engine(tmp_path: Path, move: str) -> str:
    path = tmp_path / f"engine_{move}.py"
    path.write_text(
        ENGINE.replace("said = MOVE", f"said = {'pass' if move == 'faint' else move!r}").replace("MOVE", repr(move))
    )
    return f"{sys.executable} {path}"


def test_everybody_meets_everybody_with_both_colours() -> None:
    listed = pairings(3, 4)
    assert [pairing.number for pairing in listed] == list(range(12))
    for i, j in ((0, 1), (0, 2), (1, 2)):
        met = [pairing for pairing in listed if {pairing.black, pairing.white} == {i, j}]
        assert [(pairing.black, pairing.opening) for pairing in met] == [(i, 0), (j, 0), (i, 1), (j, 1)]
    assert listed[0] == Pairing(0, 0, 1, 0)


@pytest.mark.parametrize(("size", "plies"), [(9, 0), (9, 2), (9, 4), (13, 3), (2, 1)])
def test_openings_are_legal_different_and_repeatable(size: int, plies: int) -> None:
    moves = opening_moves(size, 6, plies, seed=3)
    assert moves == opening_moves(size, 6, plies, seed=3)
    assert all(len(opening) == plies for opening in moves)
    if plies > 1:
        assert len({tuple(opening) for opening in moves}) == 6 and moves != opening_moves(size, 6, plies, seed=4)
    for opening in moves:
        game = GoGame(size)
        for point in opening:
            game.play(point)


def test_an_arena_leaves_records_and_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "arena"
    players = ["random", "b=random", "tiny=checkpoint"]
    save_go_model(tiny_model(3), tmp_path / "checkpoint")
    assert main([*players, *FAST, "--games", "2", "--out", str(out), "--anchor", "b"]) == 0
    outcomes = read_outcomes(out / "games.jsonl")
    assert sorted(outcome.number for outcome in outcomes) == list(range(6))
    said = capsys.readouterr()
    assert "anchor" in said.out and "6 games" in said.out and "6/6" in said.err
    for outcome in outcomes:
        (path,) = (out / "sgf").glob(f"{outcome.number:05d}-*.sgf")
        record = read_sgf(path)
        assert (record.black, record.white, record.result) == (outcome.black, outcome.white, outcome.result)
        assert len(record.moves) == outcome.moves and 0 <= outcome.thinking <= outcome.seconds
        assert outcome.points == {"B": 1.0, "W": 0.0}.get(outcome.result[0], 0.5)
    assert main([*players, *FAST, "--games", "2", "--out", str(out), "--anchor", "b"]) == 0
    assert read_outcomes(out / "games.jsonl") == outcomes, "nothing is played twice"
    assert main([*players, *FAST, "--games", "3", "--out", str(out)]) == 0
    assert len(read_outcomes(out / "games.jsonl")) == 9, "more games may be asked for"


def test_seeds_repeat_games(tmp_path: Path) -> None:
    results = []
    for name in ("a", "b"):
        assert main(["random", "b=random", *FAST, "--games", "4", "--out", str(tmp_path / name)]) == 0
        outcomes = sorted(read_outcomes(tmp_path / name / "games.jsonl"), key=lambda outcome: outcome.number)
        results.append([(outcome.result, outcome.moves) for outcome in outcomes])
    assert results[0] == results[1] and len(set(results[0])) > 1


def test_kill_in_the_middle_loses_no_finished_game(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "agents.arena", "random", "b=random", *FAST, "--games", "2000", "--out", "arena"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stderr is not None
    seen = [process.stderr.readline() for _ in range(5)]
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()
    path = tmp_path / "arena" / "games.jsonl"
    finished = read_outcomes(path)
    assert len(finished) >= 5 and seen[4].startswith("5/2000")
    with path.open("a") as stream:
        stream.write('{"number": 7, "bla')  # as if killed while writing
    again = ["random", "b=random", *FAST, "--games", "30", "--out", str(tmp_path / "arena")]
    assert main(again) == 0
    outcomes = read_outcomes(path)
    assert outcomes[: len(finished)] == finished
    assert main([*again[:-1], str(tmp_path / "in-one-go")]) == 0

    def told(folder: str) -> dict[int, tuple[str, str, str, int]]:
        played = read_outcomes(tmp_path / folder / "games.jsonl")
        return {o.number: (o.black, o.white, o.result, o.moves) for o in played if o.number < 30}

    assert told("arena") == told("in-one-go") and len(told("arena")) == 30
    one, other = (read_standings(tmp_path / folder / "ratings.json") for folder in ("arena", "in-one-go"))
    assert one == other, "the same table as without the end in the middle"


def test_a_damaged_record_and_another_arena(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["random", "b=random", *FAST, "--games", "1", "--out", str(tmp_path / "arena")]
    assert main(words) == 0
    assert main([*words, "--komi", "5.5"]) == 2
    assert "other players or settings; choose another --out" in capsys.readouterr().err
    path = tmp_path / "arena" / "games.jsonl"
    path.write_text("nonsense\n" + path.read_text())
    assert main(words) == 2
    assert "damaged in line 1" in capsys.readouterr().err


def test_one_arena_at_a_time_in_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["random", "b=random", *FAST, "--games", "1", "--out", str(tmp_path / "arena")]
    (tmp_path / "arena").mkdir()
    with (tmp_path / "arena" / "arena.json").open("a") as other:
        lock(other, tmp_path / "arena")
        assert main(words) == 2
        assert "another arena is at work in" in capsys.readouterr().err
    assert main(words) == 0


def test_an_engine_that_does_not_play_the_size_is_found_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "small.py"
    refusing = 'mark = "?" if word[0] == "boardsize" else "="\n    print(f"{mark}{identity}'
    path.write_text(ENGINE.replace("MOVE", "'pass'").replace('print(f"={identity}', refusing))
    assert main(["random", f"{sys.executable} {path}", *FAST, "--out", str(tmp_path / "arena")]) == 2
    assert "refuses 'boardsize 3'" in capsys.readouterr().err and not (tmp_path / "arena" / "games.jsonl").exists()


@pytest.mark.parametrize(
    ("move", "reason"),
    [
        ("die", "ended with status 3 instead of answering"),
        ("hang", "did not answer '"),
        ("flood", "flooded its output"),
        ("faint", "ended with status 5 instead of answering"),  # between its moves
        ("once", "ended with status 4 instead of answering"),  # at the start of a later game
        ("A1", "already there"),
        ("Z9", "answered genmove with 'Z9'"),
    ],
)
def test_engines_that_fail_lose_and_the_run_goes_on(
    move: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "agents.contestants.GtpEngine", functools.partial(GtpEngine, timeout=1.0 if move == "hang" else 20)
    )
    out, bad = tmp_path / "arena", f"bad={engine(tmp_path, move)}"
    assert main([bad, "random", *FAST, "--games", "2", "--opening-moves", "0", "--out", str(out)]) == 0
    outcomes = read_outcomes(out / "games.jsonl")
    assert sorted((outcome.black, outcome.result) for outcome in outcomes) == [("bad", "W+F"), ("random", "B+F")]
    for outcome in outcomes:
        assert reason in outcome.reason or (move == "A1" and not outcome.reason), outcome.reason
        (path,) = (out / "sgf").glob(f"{outcome.number:05d}-*.sgf")
        assert read_sgf(path).root_comment == outcome.reason


def test_resignation_counting_and_an_engine_as_referee(tmp_path: Path) -> None:
    quitter = parse_contestant(engine(tmp_path, "resign"))
    passer = parse_contestant(engine(tmp_path, "pass"))
    for contestant, expected in ((quitter, "W+R"), (passer, "W+7.0")):
        player, other = contestant.make(1), passer.make(1)
        try:
            assert play_game(GoGame(3), {BLACK: player, WHITE: other}, Referee(None))[0] == expected
        finally:
            player.close()
            other.close()
    assert Referee(passer).score(GoGame(3))[:2] == ("W+2.5", "")
    with pytest.raises(UserError, match="cannot count"):
        Referee(parse_contestant("random"))


@pytest.mark.parametrize(
    ("said", "reason"), [("'nonsense'", "says 'nonsense'"), ("sys.exit(9)", "ended with status 9")]
)
def test_a_referee_that_fails_leaves_the_board_to_be_counted(said: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "referee.py"
    path.write_text(
        ENGINE.replace("MOVE", "'pass'").replace(
            '.get(word[0], "")', f'.get(word[0], "")\n    if word[0] == "final_score": said = {said}'
        )
    )
    result, why, _ = Referee(parse_contestant(f"{sys.executable} {path}")).score(GoGame(3))
    assert result == "W+7.0" and why.startswith("counted by area: ") and reason in why


def test_a_game_without_end_is_counted() -> None:
    class Shuffler(RandomPlayer):
        def choose(self, game: GoGame, colour: int | None = None):  # type: ignore[no-untyped-def]
            decision = super().choose(game, colour)
            if decision.action == game.area and game.legal_mask()[:-1].any():
                return type(decision)(int(np.flatnonzero(game.legal_mask())[0]))
            return decision

    result, why, _ = play_game(GoGame(3), {BLACK: Shuffler(1), WHITE: Shuffler(2)}, Referee(None))
    assert why == "counted after 27 moves" and result[1:2] in "+"


def test_stopping_ends_a_game_at_once() -> None:
    stopped = threading.Event()
    stopped.set()
    with pytest.raises(KeyboardInterrupt):
        play_game(GoGame(3), {BLACK: RandomPlayer(1), WHITE: RandomPlayer(2)}, Referee(None), stopped)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["random"], "one player alone"),
        (["random", "random"], "two players are called 'random'; name them"),
        (["random", "b=random", "--games", "0"], "--games is 0; give 1 or more"),
        (["random", "b=random", "--games", "x"], "invalid int value"),
        (["random", "b=random", "--anchor", "c"], "--anchor c does not play; choose random or b"),
        (["random", "nowhere/at/all"], "there is no checkpoint or program nowhere/at/all"),
        (["random", "no-such-engine --gtp"], "'no-such-engine' is not on PATH"),
        (["random", "b=random,level=3"], "'level=3' in 'b=random,level=3' is no option of random"),
        (["random", "gnugo,level=x"], "needs a number"),
        (["random", "b=random", "--size", "26"], "board size 26"),
        (["random", "b=random", "--size", "3", "--out", "/dev/null/x"], "choose another --out"),
    ],
)
def test_mistakes(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    said = capsys.readouterr().err
    assert message in said and len(said.strip().splitlines()) == 1


def test_boards_of_different_sizes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.yaml").write_text("kind: go_agent\nframes:\n  size: 9\n")
    assert main([str(tmp_path), "random", "--size", "13"]) == 2
    cure = "choose players of one size or leave out --size 13"
    assert f"need boards of different sizes, 9 and 13; {cure}" in capsys.readouterr().err


def test_names_and_options(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    texts = ["net,symmetries=8,temperature=0.5", "eight=net,symmetries=8", "random", engine(tmp_path, "pass")]
    four = parse_contestants(texts)
    assert [contestant.name for contestant in four[:3]] == ["net,symmetries=8,temperature=0.5", "eight", "random"]
    assert four[0].options == {"symmetries": 8, "temperature": 0.5} and four[0].kind == "checkpoint"
    assert four[3].kind == "command"


# Ratings


def test_elo_recovers_known_strengths() -> None:
    true = np.array([0.0, 120.0, -80.0])
    expected = 1 / (1 + 10 ** ((true[None] - true[:, None]) / 400))
    points = 10_000 * expected * (1 - np.eye(3))
    assert fit(points, 0) == pytest.approx(true, abs=1)
    assert fit(points, 1) == pytest.approx(true - 120, abs=1)


def test_the_fit_is_the_most_likely_one() -> None:
    """A random table, some pairs of which never met, against another method: gradients instead of Markov chains."""
    rng = np.random.default_rng(4)
    points = rng.integers(1, 9, (5, 5)) * (1 - np.eye(5, dtype=int))
    points[0, 3] = points[3, 0] = points[1, 4] = points[4, 1] = 0
    games = [(i, j) for i in range(5) for j in range(5) for _ in range(points[i, j])]
    logs = choix.opt_pairwise(5, games, tol=1e-10)
    assert fit(points.astype(float), 2) == pytest.approx((logs - logs[2]) * 400 / math.log(10), abs=0.1)


def test_two_players_follow_the_formula() -> None:
    results = [(0, 1, 1.0)] * 30 + [(1, 0, 1.0)] * 9 + [(0, 1, 0.5)] * 2
    first, second = rate(results, 2, anchor=1, samples=200)
    share = (31 + 0.5) / (41 + 1)  # with the prior's half a game for either side
    assert first.elo == pytest.approx(400 * math.log10(share / (1 - share)), abs=0.5)
    assert first.low < first.elo < first.high and 100 < first.high - first.low < 500
    assert (second.elo, second.low, second.high) == (0, 0, 0)
    assert first.share == pytest.approx(31 / 41) and first.share_low < 31 / 41 < first.share_high
    assert (first.games, second.games) == (41, 41)


def test_winning_everything_is_finite_and_more_games_say_more() -> None:
    few, many = (rate([(0, 1, 1.0)] * n, 2, anchor=1, samples=400)[0] for n in (5, 50))
    assert 200 < few.elo < many.elo < 1000
    assert few.low < many.low < many.elo < many.high < math.inf, "nobody knows how strong the unbeaten are"
    assert 0 < few.low < few.elo < few.high - 400


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(7)
    share, held = 1 / (1 + 10 ** (-150 / 400)), 0
    for _ in range(50):
        results = [(0, 1, float(point)) for point in rng.random(40) < share]
        rating = rate(results, 2, anchor=1, samples=60)[0]
        held += rating.low <= 150 <= rating.high
    assert held >= 42


def test_draws_leave_less_doubt_than_wins_and_losses() -> None:
    drawn = rate([(0, 1, 0.5)] * 40, 2, anchor=1)[0]
    fought = rate([(0, 1, 1.0), (0, 1, 0.0)] * 20, 2, anchor=1)[0]
    assert drawn.elo == pytest.approx(0, abs=1e-6) and fought.elo == pytest.approx(0, abs=1e-6)
    assert drawn.high - drawn.low < 0.5 * (fought.high - fought.low)


def test_who_has_not_met_the_anchor_has_no_elo() -> None:
    ratings = rate([(0, 1, 1.0), (2, 3, 1.0)], 5, anchor=0, samples=20)
    assert [math.isnan(rating.elo) for rating in ratings] == [False, False, True, True, True]
    assert ratings[2].share == 1 and math.isnan(ratings[4].share) and ratings[4].games == 0
    assert math.isnan(rate([(0, 1, 1.0)], 2, anchor=0, samples=0)[1].low), "no samples, no interval"


def test_outcomes_are_plain_json() -> None:
    outcome = Outcome(1, "a", "b", 0.5, "0", "", 3, 1.5, 1.0)
    assert Outcome(**json.loads(json.dumps(vars(outcome)))) == outcome


def test_standings(tmp_path: Path) -> None:
    """Points are counted for both sides, whoever had which colour, and the file gives them back."""

    def outcome(number: int, black: str, white: str, points: float) -> Outcome:
        return Outcome(number, black, white, points, "", "", 50, 1.0, 0.9)

    games = [outcome(0, "a", "b", 1.0), outcome(1, "b", "a", 0.5), outcome(2, "b", "c", 0.0), outcome(3, "c", "a", 0.0)]
    standings = Standings.of(["a", "b", "c"], games, 1, samples=50)
    assert standings.taken[0] == ((0.0, 0), (1.5, 2), (1.0, 1)) and standings.taken[1][0] == (0.5, 2)
    assert standings.ratings[1].elo == 0 < standings.ratings[0].elo and standings.ratings[0].games == 3
    standings.save(tmp_path / "ratings.json")
    told = read_standings(tmp_path / "ratings.json")
    assert told["anchor"] == "b" and tuple(told["ratings"]) == standings.ratings
    (tmp_path / "ratings.json").write_text("{}")
    with pytest.raises(UserError, match="holds no ratings of an arena"):
        read_standings(tmp_path / "ratings.json")


@pytest.mark.parametrize("samples", [0, 50])
def test_the_table_is_readable_in_80_columns(samples: int) -> None:
    names = ["gnugo,level=10", "go9-small,symmetries=8", "random", "never-met"]
    games = [
        Outcome(n, names[n % 3], names[(n + 1) % 3], (1.0, 0.5, 0.0)[n % 3], "", "", 9, 1.0, 0.9) for n in range(60)
    ]
    text = io.StringIO()
    Console(file=text, width=80).print(Standings.of(names, games, 1, samples=samples).table())
    lines = [line.split() for line in text.getvalue().splitlines() if line.strip()]
    assert [line[1] for line in lines if line[0] == "2"] == [names[1]] * 2, "names stand whole"
    assert [line[:3] for line in lines if line[0] == "1"] == [["1", names[0], "+645"], ["1", names[0], "20/20"]]
    assert next(line for line in lines if line[0] == "2")[2:5] == ["+0", "anchor", "40"]
    assert ("to" in lines[2][3:5]) == (samples > 0), "an interval is shown once there is one"
    assert lines[5] == ["4", "never-met", "-", "0", "-"]
