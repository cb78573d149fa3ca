"""What an agent thinks of a position: priors, continuations under the rules, playouts and what they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agents import analysis
from agents.analysis import Analysis, GoAnalyst
from agents.go_agent import GoAgent
from agents.players import AgentPlayer, BackgroundPlayer
from envs.errors import UserError
from envs.go.renderer import renderer_for
from envs.go.rules import BLACK, WHITE, GoGame
from tests.go_games import tiny_model


@pytest.fixture(scope="module")
def analyst() -> GoAnalyst:
    agent = GoAgent(tiny_model(3))
    return GoAnalyst(agent, renderer_for(agent.geometry))


@pytest.fixture(autouse=True)
def few_playouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis, "PLAYOUTS", 24)
    monkeypatch.setattr(analysis, "BATCH", 8)


def reports(analyst: GoAnalyst, game: GoGame, *arguments: object, **options: object) -> list[Analysis]:
    return [report for report in analyst.analyse(game, *arguments, **options) if report is not None]  # type: ignore[arg-type]


def test_an_analysis_grows(analyst: GoAnalyst) -> None:
    game = GoGame(3)
    game.play(4)
    history = list(game.history)
    grown = reports(analyst, game)
    first, last = grown[0], grown[-1]
    assert (first.playouts, first.winrate, first.score, first.ownership) == (0, 0.5, 0.0, None)
    assert all(len(variation.line) == 1 for variation in first.variations)
    assert [report.playouts for report in grown if report.playouts] == [8, 16, 24]
    assert game.history == history
    priors = [variation.prior for variation in last.variations]
    assert priors == sorted(priors, reverse=True) and sum(priors) <= 1 + 1e-6
    assert sum(variation.playouts for variation in last.variations) == 24
    assert 0 < last.winrate < 1 and last.ownership is not None and last.ownership.shape == (3, 3)
    assert np.abs(last.ownership).max() <= 1
    legal = game.legal_mask()
    assert all(legal[variation.line[0]] for variation in last.variations)
    again = reports(analyst, game)[-1]
    assert again.variations == last.variations and np.array_equal(again.ownership, last.ownership)


def test_priors_are_the_agents_probabilities(analyst: GoAnalyst) -> None:
    game = GoGame(3)
    wanted = analyst.agent.probabilities(analyst.renderer.render_game(game))
    for variation in reports(analyst, game, most=100)[0].variations:
        assert variation.prior == pytest.approx(wanted[variation.line[0]], rel=1e-4)


def test_continuations_follow_the_rules(analyst: GoAnalyst) -> None:
    game = GoGame(3)
    game.play(0)
    longest = 0
    for variation in reports(analyst, game)[-1].variations:
        follower = game.copy()
        for point in variation.line:
            follower.play(point)  # raises where it is illegal
        longest = max(longest, len(variation.line))
        assert len(variation.line) <= analysis.DEPTH
    assert longest > 1


def test_continuations_are_what_the_model_imagines(analyst: GoAnalyst) -> None:
    game, model = GoGame(3), analyst.agent.model
    line = max((variation.line for variation in reports(analyst, game)[-1].variations), key=len)
    frames = torch.from_numpy(analyst.renderer.render_game(game)[None])
    moves, frames = model.imagine_change(frames, torch.tensor([line[0]]))
    assert moves.tolist() == [line[0]]
    for point in line[1:]:
        moves, frames = model.imagine_change(frames)
        assert moves.tolist() == [point]


def test_either_side_and_some_moves_only(analyst: GoAnalyst) -> None:
    game = GoGame(3)
    game.play(4)
    allowed = np.zeros(10, bool)
    allowed[[0, 4, 9]] = True  # a corner, the stone, a pass
    last = reports(analyst, game, BLACK, allowed=allowed)[-1]
    assert {variation.line[0] for variation in last.variations} <= {0, 9}
    nothing = np.zeros(10, bool)
    assert reports(analyst, game, allowed=nothing) == []


def test_the_sides_see_the_same_from_their_ends(analyst: GoAnalyst) -> None:
    """With komi no side can make up for, every playout is lost for one and won for the other."""
    game = GoGame(3, komi=100)
    black, white = (reports(analyst, game, colour)[-1] for colour in (BLACK, WHITE))
    assert black.winrate == pytest.approx(1 / 26) and white.winrate == pytest.approx(25 / 26)
    assert black.score < -90 < 90 < white.score
    assert all(variation.winrate < 0.1 for variation in black.variations)


class Settled(GoAnalyst):
    """Both sides pass at once in its playouts, so that the board stays as it is."""

    def _advance(self, boards, rng):  # type: ignore[no-untyped-def]
        boards.play(np.full(boards.n, boards.size**2))
        return not boards.done.all()


def test_dead_stones_are_those_that_end_up_in_foreign_area(analyst: GoAnalyst, monkeypatch: pytest.MonkeyPatch) -> None:
    game = GoGame(3)
    assert analyst.dead_stones(game) == []
    for point in (3, 8, 4, game.area, 5):  # Black's middle row; a white stone in a corner
        game.play(point)
    settled = Settled(analyst.agent, analyst.renderer)
    assert settled.dead_stones(game) == [], "as it stands, nothing is surrounded on the white side"

    def taken(tally: object) -> np.ndarray:
        return np.ones((3, 3), np.float32)  # all of it becomes Black's

    monkeypatch.setattr(analysis._Tally, "ownership", property(taken))
    assert settled.dead_stones(game) == [[8]]


def test_players_pass_the_question_on(analyst: GoAnalyst) -> None:
    game = GoGame(3)
    player = AgentPlayer(analyst.agent, analyst.renderer, analyst=analyst)
    waiting = BackgroundPlayer("later", lambda: player)
    for asked in (player, waiting):
        found = [report for report in asked.analyse(game) if report is not None]
        assert found[-1].variations == reports(analyst, game)[-1].variations
        assert asked.dead_stones(game) == []
    with pytest.raises(UserError, match="plays 3x3, not 9x9"):
        player.dead_stones(GoGame(9))
    mute = AgentPlayer(analyst.agent, analyst.renderer)
    with pytest.raises(UserError, match="does not judge positions"):
        mute.analyse(game)


# -- an agent that looks ahead ---------------------------------------------------------------------------------------


@pytest.fixture
def seer(monkeypatch: pytest.MonkeyPatch) -> GoAnalyst:
    monkeypatch.setattr(analysis, "LOOKS", 48)
    monkeypatch.setattr(analysis, "LOOKS_AT_ONCE", 16)
    model = tiny_model(3, outlook=True)
    for weight in model.world.tokenizer.post_encode.parameters():
        weight.mul_(50)  # untrained, it would give black and white stones the same code
    agent = GoAgent(model)
    return GoAnalyst(agent, renderer_for(agent.geometry))


def test_a_search_is_an_analysis_that_grows(seer: GoAnalyst) -> None:
    game = GoGame(3)
    game.play(4)
    grown = reports(seer, game)
    assert [report.playouts for report in grown] == [0, 16, 32, 48]
    assert all(report.ownership is not None and report.ownership.shape == (3, 3) for report in grown)
    last, legal = grown[-1], game.legal_mask()
    assert sum(variation.playouts for variation in last.variations) == 48
    looked = [variation.playouts for variation in last.variations]
    assert looked == sorted(looked, reverse=True) and all(variation.visits >= 1 for variation in last.variations)
    for variation in last.variations:
        assert legal[variation.line[0]] and 0 <= variation.winrate <= 1
        follower = game.copy()
        for point in variation.line:
            follower.play(point)  # raises where it is illegal
    assert max(len(variation.line) for variation in last.variations) > 1
    again = reports(seer, game)[-1]
    assert again.variations == last.variations and again.winrate == last.winrate


def test_both_sides_see_the_same_outlook(seer: GoAnalyst) -> None:
    game = GoGame(3, komi=100)
    black, white = (reports(seer, game, colour)[-1] for colour in (BLACK, WHITE))
    assert black.winrate < 0.01 < 0.99 < white.winrate and black.score < -80 < 80 < white.score
    assert black.ownership is not None and white.ownership is not None
    assert black.ownership.shape == white.ownership.shape


def test_stones_are_dead_where_the_outlook_gives_them_to_the_opponent(
    seer: GoAnalyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    game = GoGame(3)
    for point in (3, 8, 4, game.area, 5):  # Black's middle row; a white stone in a corner
        game.play(point)
    model = seer.agent.model
    for end, dead in ((1.0, [[8]]), (-1.0, [[3, 4, 5]]), (0.1, []), (0.0, [])):
        owners = torch.full((1, 3, 3), end), torch.tensor([0.5])
        monkeypatch.setattr(type(model), "end", lambda self, encoded, owners=owners: owners)
        assert seer.dead_stones(game) == dead
