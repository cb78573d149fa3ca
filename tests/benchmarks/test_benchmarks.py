"""The arithmetic behind the published figures."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agents.elo import wilson
from agents.standings import Outcome, Standings
from benchmarks import ablations, go_parts, plots, video_gobench, window
from benchmarks.report import percent, write
from benchmarks.video_gobench import PHASES, BenchStates, load_states, measure, move_probabilities
from envs.errors import UserError
from envs.go.batch import legal_moves, replay, symmetry_table, transform
from tests.go_games import WilfulModel, random_moves, random_positions, tiny_model
from train.compose import CONF
from train.data.go_games import GoDataConfig, GoVideo
from train.data.go_records import ASSETS
from train.plan import plan


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (5, 10, 0.2366, 0.7634),
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, Table I, case (a), method 3
        (15, 148, 0.0624, 0.1605),  # case (b)
        (1, 29, 0.0061, 0.1718),  # case (d)
    ],
)
def test_wilson(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson(successes, trials) == pytest.approx((low, high), abs=1e-4)


def test_wilson_without_trials() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


def test_percent() -> None:
    assert (percent(0.123), percent(0.12345, 2), percent(1.0)) == ("12.3 %", "12.35 %", "100.0 %")


def test_results_are_written_with_their_machine(tmp_path: Path) -> None:
    write({"wins": 3}, tmp_path / "deep" / "result.json")
    content = json.loads((tmp_path / "deep" / "result.json").read_text())
    assert content["wins"] == 3
    assert set(content["machine"]) == {"cpu", "cores", "gpu", "torch", "date"}
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["result.json"]
    write({"wins": 3}, None)


def test_figures_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the figures above cannot be written to .*; make room"):
        write({"wins": 3}, tmp_path)


@pytest.mark.parametrize("module", [video_gobench, go_parts, window])
def test_a_place_for_the_figures_is_asked_for_before_anything_is_measured(
    module: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path, tmp_path / "file" / "result.json"):
        assert module.main([str(tmp_path / "nowhere"), "--json", str(place)]) == 2
        err = capsys.readouterr().err
        assert f"{place} cannot be written" in err and "choose another file" in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("module", "option"), [(video_gobench, "--states"), (go_parts, "--clips"), (window, "--steps")]
)
@pytest.mark.parametrize("number", ["0", "-5", "x", "1.5"])
def test_nothing_to_measure(module: Any, option: str, number: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert module.main(["nowhere", f"{option}={number}"]) == 2
    assert f"'{number}' is no whole number of one or more" in capsys.readouterr().err


def test_the_window_keeps_stdout_for_its_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PYGAME_HIDE_SUPPORT_PROMPT", raising=False)
    assert window.main([str(tmp_path / "nowhere")]) == 2
    assert os.environ["PYGAME_HIDE_SUPPORT_PROMPT"]


def test_how_often_the_end_is_foreseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every point and every winner, where the model knows them; about half, where it always says Black."""
    model = tiny_model(9, outlook=True)
    for weight in model.world.tokenizer.post_encode.parameters():
        weight.mul_(50)  # untrained, it would give black and white stones the same code
    end = GoVideo(GoDataConfig(), "test").sweep(200, ending=True)[0].steps[-1]
    asked = []

    def knows(encoded: Any) -> tuple[torch.Tensor, torch.Tensor]:
        rows = slice(len(asked), len(asked) + len(encoded.stem))
        asked.extend(range(rows.start, rows.stop))
        owners = np.where(end.stones[rows] == 1, 0.9, -0.9)
        return torch.from_numpy(owners), torch.from_numpy(np.where(end.to_move[rows] == 1, 1.0, 0.0))

    monkeypatch.setattr(model, "end", knows)
    monkeypatch.setattr("agents.outlook.TRUST", 1.0)
    found = go_parts.measure_outlook(model, 200)
    assert found["positions"] == found["winner_foreseen"] == len(asked) == 200
    assert found["points"] == found["owner_foreseen"] > 0.95 * 200 * 81
    always = lambda encoded: (torch.full((len(encoded.stem), 9, 9), 0.9), torch.ones(len(encoded.stem)))  # noqa: E731
    monkeypatch.setattr(model, "end", always)
    found = go_parts.measure_outlook(model, 200)
    assert 0.3 < found["winner_foreseen"] / 200 < 0.7 and 0.3 < found["owner_foreseen"] / found["points"] < 0.7


# -- Video-GoBench ---------------------------------------------------------------------------------------------------


def states(count: int = 400, seed: int = 0) -> BenchStates:
    """9x9 positions of random games with a made-up teacher."""
    moves, lengths = random_moves(16, 80, 9, seed)
    positions, offsets = replay(moves, lengths, 9)
    rng = np.random.default_rng(seed)
    ply = np.arange(len(positions.to_move)) - np.repeat(offsets[:-1], lengths + 1)
    chosen = np.sort(rng.permutation(np.flatnonzero(ply >= 8))[:count])
    positions = positions.take(chosen)
    legal = legal_moves(positions)
    policy = rng.random(legal.shape).astype(np.float32) * legal
    return BenchStates(positions, policy / policy.sum(1, keepdims=True), legal, ply[chosen])


def test_a_perfect_agent() -> None:
    bench = states()
    best = np.eye(82)[bench.policy.argmax(1)]
    result = measure(best, bench)
    parts = [result, *result["phases"].values(), *result["colours"].values()]
    for part in parts:
        assert (part["legal"], part["best_move"], part["value"]) == (1.0, 1.0, 1.0)
    assert result["legal_mass"] == pytest.approx(1.0)
    assert result["best_move_interval"] == wilson(len(bench.ply), len(bench.ply))
    assert result["states"] == len(bench.ply) == sum(part["states"] for part in result["phases"].values())
    assert result["states"] == sum(part["states"] for part in result["colours"].values())


def test_a_uniform_agent() -> None:
    """It plays anything: as legal as the board is empty."""
    bench = states()
    result = measure(np.full((len(bench.ply), 82), 1 / 82), bench)
    share = bench.legal.mean()
    assert result["legal_mass"] == pytest.approx(share)
    assert result["legal"] == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / len(bench.ply)))
    first = np.zeros(len(bench.ply), int)  # the likeliest of equals is the first point
    value = np.where(bench.legal[:, 0], bench.policy[:, 0] / bench.policy.max(1), 0)
    assert result["best_move"] == pytest.approx((bench.policy.argmax(1) == first).mean())
    assert result["value"] == pytest.approx(value.mean(), rel=1e-5)


def test_illegal_and_unreadable_answers_count_as_wrong() -> None:
    bench = states()
    occupied = np.where(bench.legal.all(1), 81, (~bench.legal).argmax(1))
    some = ~bench.legal.all(1)
    result = measure(np.eye(82)[occupied], bench)
    assert result["legal"] == pytest.approx(1 - some.mean())
    assert result["legal_mass"] == pytest.approx(1 - some.mean())
    silent = measure(np.zeros((len(bench.ply), 82)), bench)
    assert silent["legal"] == 0.0 and silent["legal_mass"] == 0.0
    half = measure(0.5 * np.eye(82)[bench.policy.argmax(1)], bench)
    assert half["legal"] == pytest.approx(0.5, abs=0.1) and half["best_move"] == 1.0


def test_samples_follow_the_seed() -> None:
    bench = states()
    uniform = np.full((len(bench.ply), 82), 1 / 82)
    assert measure(uniform, bench, 1) == measure(uniform, bench, 1)
    assert len({measure(uniform, bench, seed)["legal"] for seed in range(5)}) > 1


def test_value_of_the_second_best() -> None:
    bench = states(50)
    second = np.argsort(-bench.policy, 1)[:, 1]
    result = measure(np.eye(82)[second], bench)
    expected = np.take_along_axis(bench.policy, second[:, None], 1)[:, 0] / bench.policy.max(1)
    assert result["best_move"] == 0.0 and result["value"] == pytest.approx(expected.mean(), rel=1e-5)


def test_phases_hold_every_ply_from_eight_on() -> None:
    for ply in range(8, 300):
        assert sum(low <= ply <= high for low, high in PHASES.values()) == 1


def test_averaging_over_symmetries_turns_the_moves_back() -> None:
    model = WilfulModel(3)
    positions = random_positions(10, 3)
    plain = move_probabilities(model, positions, "codes", 8, batch=4)
    for symmetry in range(8):
        turned = move_probabilities(model, transform(positions, symmetry), "codes", 8)
        places = symmetry_table(3)[symmetry][:-1]
        np.testing.assert_allclose(turned[:, places], plain, atol=1e-5)
    assert not np.allclose(move_probabilities(model, positions, "codes", 1), plain, atol=1e-3)


def test_the_shipped_states() -> None:
    bench = load_states(limit=40)
    assert bench.policy.shape == bench.legal.shape == (40, 82) and bench.positions.stones.shape == (40, 9, 9)
    assert (bench.ply > 7).all()
    assert np.array_equal(bench.legal, legal_moves(bench.positions))
    assert (bench.policy[~bench.legal] == 0).all()
    np.testing.assert_allclose(bench.policy.sum(1), 1, atol=1e-2)


def test_missing_states(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no benchmark states at"):
        load_states(tmp_path / "none.npz")


def test_the_window_is_measured_while_the_agent_thinks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    results = window.rounds(12, ASSETS / "checkpoints" / "go9-small", symmetries=1)
    assert 0 < results["window_step_ms"] <= results["window_step_ms_p95"] <= results["window_step_ms_worst"]
    assert results["share_of_steps_while_thinking"] > 0


@pytest.mark.parametrize("module", [video_gobench, go_parts, ablations, window])
def test_a_missing_checkpoint_is_one_sentence(module: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert module.main([str(tmp_path / "nowhere")]) == 2
    said = capsys.readouterr().err.strip()
    assert "nowhere" in said and "\n" not in said


def test_reliability() -> None:
    """An agent that is as sure as it is right has no error; one that is always sure has what it lacks."""
    rng = np.random.default_rng(0)
    sure = rng.choice([0.25, 0.75], 4000)
    probabilities = np.stack([sure, (1 - sure) / 2, (1 - sure) / 2], 1)
    right = np.r_[np.ones(1000), np.zeros(3000)].astype(bool)
    honest = np.where(probabilities.max(1) == 0.75, 0.75, 0.375)  # the likeliest of 0.25, 0.375, 0.375
    told = video_gobench.reliability(probabilities, rng.random(4000) < honest)
    assert told["error"] < 0.03 and sum(part["states"] for part in told["bins"]) == 4000
    always = video_gobench.reliability(np.eye(3)[np.zeros(4000, int)], right)
    assert always["error"] == pytest.approx(0.75) and always["bins"][0]["confidence"] == 1.0


def test_accuracy_by_ply_counts_every_state() -> None:
    bench = states()
    figures = measure(np.eye(82)[bench.policy.argmax(1)], bench)
    assert sum(step["states"] for step in figures["by_ply"]) == len(bench.ply)
    assert all(step["best_move"] == 1.0 and step["from"] % 10 == 0 for step in figures["by_ply"])


def test_the_table_beside_the_paper() -> None:
    figures = {"legal": 0.99, "value": 0.5, "best_move": 0.25}
    elo = {"elo": -70.4, "low": -130.0, "high": -10.0, "anchor": "gnugo"}
    ours, *theirs = video_gobench.beside_the_paper({"codes": figures}, elo)
    assert ours == ("this one, by codes", "99.0 %", "50.0 %", "25.0 %", "-70 (-130 to -10), gnugo 0")
    assert ("VideoWorld 300M", "99.7 %", "83.7 %", "88.1 %", "2317") in theirs
    assert video_gobench.beside_the_paper({"codes": figures}, None)[0][-1] == "-"


def test_elo_of_a_checkpoint(tmp_path: Path) -> None:
    games = [Outcome(n, "gnugo", "agent,symmetries=8", float(n % 3 == 0), "", "", 9, 1.0, 1.0) for n in range(9)]
    Standings.of(["gnugo", "agent,symmetries=8"], games, 0, samples=20).save(tmp_path / "ratings.json")
    rated = video_gobench.elo_of(Path("some/agent"), tmp_path)
    assert rated["anchor"] == "gnugo" and rated["low"] <= rated["elo"] <= rated["high"] and rated["elo"] > 0
    with pytest.raises(UserError, match="other did not play in"):
        video_gobench.elo_of(Path("other"), tmp_path)


# -- Plots -----------------------------------------------------------------------------------------------------------


def test_plots_of_everything(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the plots need matplotlib")
    bench = states()
    figures = measure(bench.policy, bench)
    write({"readers": {"codes": figures, "frames": figures}}, tmp_path / "gobench.json")
    write({"code_usage": [5, 3, 0], "clips": 8}, tmp_path / "parts.json")
    games = [Outcome(n, "gnugo", "agent", float(n % 3 == 0), "", "", 9, 1.0, 1.0) for n in range(9)]
    Standings.of(["gnugo", "agent"], games, 0, samples=20).save(tmp_path / "ratings.json")
    given = ["--gobench", tmp_path / "gobench.json", "--parts", tmp_path / "parts.json", "--arena", tmp_path]
    assert plots.main([*map(str, given), "--out", str(tmp_path / "plots")]) == 0
    drawn = {path.name: path.stat().st_size for path in (tmp_path / "plots").iterdir()}
    assert set(drawn) == {"accuracy_by_ply.png", "reliability.png", "code_usage.png", "elo.png"}
    assert min(drawn.values()) > 5000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "there is nothing to plot; give --gobench"),
        (["--gobench", "none.json"], "none.json cannot be read"),
        (["--parts", "pyproject.toml"], "pyproject.toml cannot be read"),
        (["--arena", "tests"], "holds no ratings of an arena"),
    ],
)
def test_nothing_to_plot(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert plots.main(words) == 2
    assert message in capsys.readouterr().err


# -- Ablations -------------------------------------------------------------------------------------------------------


def test_variants_get_the_same_arithmetic() -> None:
    """The steps of a smaller model are more, in proportion; settings of all variants are settings that exist."""
    agent = "assets/checkpoints/go9-small"
    words = [f"inputs.{stage}={agent}" for stage in ("tokenizer", "dynamics")]
    plain = ablations.steps_within(1.0, "world", words)
    assert ablations.steps_within(2.0, "world", words) == pytest.approx(2 * plain, abs=1)
    assert ablations.steps_within(1.0, "world", [*words, "trainer.batch_size=64"]) == pytest.approx(2 * plain, abs=1)
    assert ablations.steps_within(1.0, "world", [*words, "+model.world.stem_blocks=0"]) > 1.5 * plain
    for variant in ablations.VARIANTS:
        plan([("world", "world", ["stage=world", "out=runs/none", "trainer.steps=1", *words, *variant.world])], CONF)


@pytest.mark.slow
def test_a_variant_is_trained_and_measured(tmp_path: Path) -> None:
    words = ["assets/checkpoints/go9-small", "--tflop", "0.1", "--states", "50", "--out", str(tmp_path / "out")]
    chosen = ["--only", "shipped", "10x10 tokens", "without codes", "--json", str(tmp_path / "table.json")]
    assert ablations.main([*words, *chosen]) == 0
    rows = {row["name"]: row for row in json.loads((tmp_path / "table.json").read_text())["variants"]}
    assert set(rows) == {"shipped", "without codes", "10x10 tokens"}
    assert all(0 <= row["best_move"] <= 1 and row["steps"] >= 1 for row in rows.values())


def test_an_unknown_variant(capsys: pytest.CaptureFixture[str]) -> None:
    assert ablations.main(["assets/checkpoints/go9-small", "--only", "larger"]) == 2
    assert "there is no variant 'larger'; choose from shipped" in capsys.readouterr().err


def test_a_lookahead_counts_what_was_looked_at() -> None:
    model = tiny_model(3, outlook=True)
    for weight in model.world.tokenizer.post_encode.parameters():
        weight.mul_(50)  # untrained, it would give black and white stones the same code
    positions = random_positions(5, 3)
    plain, ahead = (move_probabilities(model, positions, "codes", 1, lookahead) for lookahead in (0, 20))
    assert ahead.shape == plain.shape == (5, 10) and np.allclose(ahead.sum(1), 1)
    shares = ahead * 20
    assert np.abs(shares - shares.round()).max() < 1e-3, "whole visits"
    assert not np.allclose(ahead, plain, atol=0.02)
