"""Looking ahead: in a small made-up world whose every future is known, and on untrained networks."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from agents import lookahead, outlook
from agents.go_agent import GoAgent, look_ahead, visit_shares
from agents.go_model import GoModel
from agents.lookahead import Foreseen, Lookahead
from agents.outlook import Outlook
from agents.videoworld.llama import KVCache
from agents.videoworld.transformer import Encoded
from envs.errors import UserError
from envs.go.renderer import renderer_for
from tests.go_games import random_positions, tiny_model

PASS = 4


class Fable:
    """A world of 2x2 boards in which a position is the tuple of moves made, `owners` says how each one ends.

    Token ids hold the moves as a number in base 6, the first move the least significant, each counted from 1.
    """

    geometry = SimpleNamespace(size=2)

    def __init__(self, priors: dict[tuple[int, ...], list[float]], ends: dict[tuple[int, ...], float]) -> None:
        self.priors, self.ends, self.drawn = priors, ends, 0
        self.world = SimpleNamespace(tokenizer=SimpleNamespace(encode=lambda frames: frames[:, :1, :1, 0].long()))

    def look(self, ids: torch.Tensor) -> Encoded:
        self.drawn += len(ids)
        states = ids.reshape(-1, 1, 1, 1).float()
        return Encoded(states[:, 0], states[:, 0], KVCache((states,), (states,)))

    def moves_and_codes(self, ids: torch.Tensor, seen: Encoded, keep: int | None) -> tuple[torch.Tensor, torch.Tensor]:
        chances = torch.tensor([self.priors.get(self._moves(int(n)), [0.25] * 4 + [0.0]) for n in ids.flatten()])
        return chances, torch.arange(5).expand(len(chances), -1) + 10

    def end(self, seen: Encoded) -> tuple[torch.Tensor, torch.Tensor]:
        ends = torch.tensor([self._end(self._moves(int(n))) for n in seen.stem.flatten()])
        return ends[:, None, None].expand(-1, 2, 2), (ends + 1) / 2

    def next_ids(self, seen: Encoded, codes: torch.Tensor) -> torch.Tensor:
        numbers = seen.cache.keys[0].flatten().long()
        after = [
            int(n) + 6 ** len(self._moves(int(n))) * (int(code) - 9) for n, code in zip(numbers, codes, strict=True)
        ]
        return torch.tensor(after).reshape(-1, 1, 1)

    def _end(self, moves: tuple[int, ...]) -> float:
        """That of the longest beginning that has one."""
        return next((self.ends[moves[:n]] for n in range(len(moves), -1, -1) if moves[:n] in self.ends), 0.0)

    @staticmethod
    def _moves(number: int) -> tuple[int, ...]:
        moves = []
        while number:
            moves.append(number % 6 - 1)
            number //= 6
        return tuple(moves)


def search(fable: Fable, visits: int, *, black: bool = True, parallel: int = 1, **settings: Any) -> Foreseen:
    frames = np.zeros((1, 2, 2, 3), np.uint8)
    model: Any = fable
    return Lookahead(model, komi=0.0).search(frames, [black], visits, parallel=parallel, **settings)[0]


@pytest.fixture
def level(monkeypatch: pytest.MonkeyPatch) -> None:
    """The films were of games without komi, as the fable's are."""
    monkeypatch.setattr(outlook, "KOMI", 0.0)


LIKES_0 = {(): [0.85, 0.05, 0.05, 0.05, 0.0]}


@pytest.mark.usefixtures("level")
@pytest.mark.parametrize("black", [True, False])
@pytest.mark.parametrize("parallel", [1, 8])
def test_it_sees_that_the_likeliest_move_loses_and_another_wins(black: bool, parallel: int) -> None:
    """Move 0 looks good at once and loses to the reply 3; move 2 looks bad until the reply to it."""
    own = 1.0 if black else -1.0
    ends = {(0,): own * 0.9, (0, 3): own * -0.9, (2,): own * -0.1, (2, 0): own * 0.8, (2, 1): own * 0.8,
            (2, 2): own * 0.8, (2, 3): own * 0.8}  # fmt: skip
    few, many = (search(Fable(LIKES_0, ends), visits, black=black, parallel=parallel) for visits in (1, 400))
    assert few.branches[0].move == 0 and many.branches[0].move == 2
    best, liked = many.branches[0], next(branch for branch in many.branches if branch.move == 0)
    assert best.winrate > 0.7 > 0.5 > liked.winrate and best.lead > 0 > liked.lead
    assert best.line[0] == 2 and len(best.line) >= 2 and liked.line[:2] == (0, 3)
    assert sum(branch.visits for branch in many.branches) == 400
    assert many.winrate > 0.5 and many.lead > 0


def test_the_same_search_gives_the_same() -> None:
    ends = {(1,): 0.5, (1, 2): -0.3, (3, 0): 0.7}
    one, other = (search(Fable(LIKES_0, ends), 60, parallel=4) for _ in range(2))
    assert repr(one.branches) == repr(other.branches) and (one.winrate, one.lead) == (other.winrate, other.lead)


def test_what_is_crossed_out_is_never_looked_at() -> None:
    wanted = np.array([[0.0, 0.5, 0.0, 0.5, 0.0]])
    found = search(Fable(LIKES_0, {(0,): 1.0}), 50, priors=wanted)
    assert sorted(branch.move for branch in found.branches) == [1, 3]
    shares = visit_shares(found, 5)
    assert shares.sum() == pytest.approx(1) and (shares[[0, 2, 4]] == 0).all()


@pytest.mark.usefixtures("level")
def test_nothing_to_choose_from_leaves_the_pass() -> None:
    found = search(Fable(LIKES_0, {}), 50, priors=np.zeros((1, 5)))
    assert found.branches == () and visit_shares(found, 5).tolist() == [0, 0, 0, 0, 1]
    assert found.winrate == 0.5 and found.lead == 0


def test_two_passes_end_the_game() -> None:
    """Behind them nothing is drawn, however often the branch is looked at."""
    only_pass = [0.0, 0.0, 0.0, 0.0, 1.0]
    fable = Fable({(): only_pass, (PASS,): only_pass, (PASS, PASS): only_pass}, {(): 0.5})
    found = search(fable, 30)
    assert fable.drawn == 3 and found.branches[0].visits == 30 and found.branches[0].line == (PASS, PASS)


def test_several_frames_side_by_side_are_searched_as_each_alone() -> None:
    ends = {(1,): 0.5, (1, 2): -0.3, (3, 0): 0.7, (0, 1): -0.9}
    model: Any = Fable(LIKES_0, ends)
    frames = np.zeros((2, 2, 2, 3), np.uint8)
    frames[1] = 2  # begins where move 1 has been made
    both = Lookahead(model, komi=0.0).search(frames, [True, False], 40, parallel=2)
    alone = [Lookahead(model, komi=0.0).search(frames[n : n + 1], [n == 0], 40, parallel=2)[0] for n in range(2)]
    assert repr(both[0].branches) == repr(alone[0].branches) and repr(both[1].branches) == repr(alone[1].branches)


def test_growing_goes_on_where_it_stopped() -> None:
    model: Any = Fable(LIKES_0, {(1,): 0.5, (0, 2): -0.7})
    search = Lookahead(model, komi=0.0)
    roots = search.plant(np.zeros((1, 2, 2, 3), np.uint8), [True])
    for visits in (10, 30, 24):
        search.grow(roots, visits, parallel=1)
    at_once = search.plant(np.zeros((1, 2, 2, 3), np.uint8), [True])
    search.grow(at_once, 64, parallel=1)
    assert roots[0].visits.tolist() == at_once[0].visits.tolist()


@pytest.mark.parametrize(("seconds", "visits"), [(None, 64), (100.0, 64), (2.5, 24), (0.0, 8), (-1.0, 8)])
def test_time_ends_a_search_after_one_round_at_least(
    monkeypatch: pytest.MonkeyPatch, seconds: float | None, visits: int
) -> None:
    ticks = itertools.count()  # a second passes between two looks at the clock
    monkeypatch.setattr(lookahead, "time", SimpleNamespace(perf_counter=lambda: float(next(ticks))))
    model: Any = Fable(LIKES_0, {(1,): 0.5})
    search = Lookahead(model, komi=0.0)
    roots = search.plant(np.zeros((1, 2, 2, 3), np.uint8), [True])
    search.grow(roots, 64, parallel=8, seconds=seconds)
    assert roots[0].visits.sum() == visits


# -- how a game ends -------------------------------------------------------------------------------------------------


def test_the_value_of_an_outlook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlook, "TRUST", 0.5)
    sure = Outlook(np.ones((9, 9), np.float32), 1.0, 7.0)
    assert sure.lead == 74 and sure.black_wins > 0.999 and sure.value > 0.99
    even = Outlook(np.zeros((9, 9), np.float32), 0.5, 0.0)
    assert even.lead == 0 and even.black_wins > 0.5, "the films were of games with komi"
    settled, open_board = np.ones((9, 9), np.float32), np.full((9, 9), 9 / 81, np.float32)
    settled.reshape(-1)[:36] = -1
    assert settled.sum() == 9 and Outlook(settled).lead == 2
    # Two points ahead say more where nothing is open any more
    assert Outlook(settled).black_wins > 0.75 > Outlook(open_board).black_wins > 0.5
    # So does a winner that is foreseen more surely
    chances = [Outlook(open_board, shown).black_wins for shown in (0.0, 0.2, 0.5, 0.8, 1.0)]
    assert chances == sorted(chances) and chances[0] < 0.1 and chances[-1] > 0.9
    # Black's loss is White's gain
    for owners in (settled, open_board):
        own, other = Outlook(owners - 7 / 81, 0.7), Outlook(-owners + 21 / 81, 0.3)
        assert own.lead == pytest.approx(-other.lead, abs=1e-4) and -1 <= own.value <= 1
    for komi in (-1e9, 1e9):
        assert Outlook(settled, 0.5, komi).value == pytest.approx(-np.sign(komi))


# -- on networks -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model() -> GoModel:
    model = tiny_model(3, outlook=True)
    for weight in model.world.tokenizer.post_encode.parameters():
        weight.mul_(50)  # untrained, it would give black and white stones the same code
    return model


def test_owners_are_those_of_the_board_that_is_foreseen(model: GoModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the digits of a black stone are foreseen the point will be Black's, where those of a white one White's."""
    positions = random_positions(5, 3)
    encoded = model.read(torch.from_numpy(renderer_for(model.geometry)(positions)))
    owners, _ = model.end(encoded)
    assert owners.shape == (5, 3, 3) and owners.abs().max() < 1 and owners.std() > 0.01
    assert model._colours is not None
    end = np.array([[1, 1, 2], [2, 1, 2], [1, 2, 2]])
    side = 2 * model.world.tokenizer.grid[0]
    of_parts = torch.from_numpy(np.pad(end, ((0, side - 3), (0, side - 3)), constant_values=1))
    of_parts = torch.nn.functional.pixel_unshuffle(of_parts[None, None], 2)[0].flatten(1)  # (parts, tokens)
    levels = model.world.config.frame_levels
    foreseen = []
    for n, (black, white, size) in enumerate(zip(*model._colours, levels, strict=True)):
        digit = torch.where(of_parts[n // (len(levels) // 4)] == 1, black, white)
        foreseen.append(9.0 * torch.nn.functional.one_hot(digit, size)[None, None])
    monkeypatch.setattr(model.world.transformer, "read_outlook", lambda *_: foreseen)
    found = model.end(encoded)[0][0].numpy()
    assert (np.where(end == 1, found, -found) > 0.99).all()
    assert (model.end(encoded)[1] > 0.99).all(), "the strip is Black's"


def test_rows_of_a_state_join_to_the_state(model: GoModel) -> None:
    frames = renderer_for(model.geometry)(random_positions(4, 3))
    encoded = model.read(torch.from_numpy(frames))
    again = Encoded.join([encoded.row(n) for n in range(4)])
    for one, other in zip((encoded.stem, encoded.hidden), (again.stem, again.hidden), strict=True):
        assert torch.equal(one, other)
    codes = model.logits(encoded).argmax(-1)
    together = model.next_ids(again, codes)
    single = torch.cat([model.next_ids(encoded.row(n), codes[n : n + 1]) for n in range(4)])
    assert together.shape == (4, 2, 2) and torch.equal(together, single)


def test_moves_and_their_codes(model: GoModel) -> None:
    """Probabilities are those of `move_probabilities`; the code of a move is the likeliest that may mean it."""
    frames = torch.from_numpy(renderer_for(model.geometry)(random_positions(6, 3)))
    ids = model.world.tokenizer.encode(frames)
    encoded = model.look(ids)
    chances, codes = model.moves_and_codes(ids, encoded, None)
    torch.testing.assert_close(chances, model.move_probabilities(frames, keep=None))
    head, vectors = model.inverse_dynamics, model.world.tokenizer.vectors(ids).flatten(1, 2)
    every = torch.arange(model.world.config.code_size).expand(6, -1)
    meaning = head(every, head.tokens_at(vectors, every)).softmax(-1)
    joint = model.logits(encoded).softmax(-1)[..., None] * meaning
    assert torch.equal(codes, joint.argmax(1))


def test_an_agent_short_of_time_looks_less_far(model: GoModel) -> None:
    frame = renderer_for(model.geometry)(random_positions(1, 3))[0]
    agent = GoAgent(model, lookahead=4000)
    hurried, free = (agent.decide(frame, seconds=seconds).thought for seconds in (0.0, 60.0))
    assert hurried.probabilities is not None and hurried.probabilities.sum() == pytest.approx(1)
    assert hurried.milliseconds < free.milliseconds


def test_an_agent_that_looks_ahead(model: GoModel) -> None:
    positions = random_positions(8, 3)
    frames = renderer_for(model.geometry)(positions)
    agent = GoAgent(model, lookahead=24)
    for frame in frames:
        decision = agent.decide(frame)
        thought = decision.thought
        assert thought.outlook is not None and thought.outlook.owners.shape == (3, 3)
        assert thought.probabilities is not None and thought.probabilities.sum() == pytest.approx(1)
        assert thought.candidates[0].point == decision.action == int(thought.probabilities.argmax())
        assert agent.decide(frame).action == decision.action
        legal = np.zeros(10, bool)
        legal[[4, 9]] = True
        assert agent.decide(frame, legal=legal).action in (4, 9)
    other = agent.decide(frames[0], komi=-30.0).thought.outlook
    assert other is not None and other.komi == -30.0


def test_a_pass_is_weighed_only_where_it_is_wanted_most(model: GoModel) -> None:
    frames = renderer_for(model.geometry)(random_positions(1, 3))
    wanted = np.full((1, 10), 0.05)
    wanted[0, 3] = 0.4
    moves = {branch.move for branch in look_ahead(model, frames, wanted, 20)[0].branches}
    assert 9 not in moves and 3 in moves
    wanted[0, 9] = 0.5
    assert 9 in {branch.move for branch in look_ahead(model, frames, wanted, 20)[0].branches}


def test_it_searches_for_the_side_whose_turn_the_frame_shows(model: GoModel) -> None:
    positions = random_positions(1, 3)
    found = []
    for colour in (1, 2):
        frames = renderer_for(model.geometry)(positions._replace(to_move=np.array([colour], np.int8)))
        found.append(look_ahead(model, frames, np.full((1, 10), 0.1), 1, komi=40.0)[0])
    assert found[0].winrate < 0.05 < 0.95 < found[1].winrate, "White has 40 points on top"


@pytest.mark.parametrize("lookahead", [-1, 10_001])
def test_impossible_lookaheads(model: GoModel, lookahead: int) -> None:
    with pytest.raises(UserError, match=f"lookahead is {lookahead}: give 0 to 10000"):
        GoAgent(model, lookahead=lookahead)


def test_without_an_outlook_nobody_looks_ahead() -> None:
    blind = tiny_model(3)
    assert not blind.has_outlook
    with pytest.raises(UserError, match="without an outlook"):
        GoAgent(blind, lookahead=8)
    with pytest.raises(ValueError, match="an outlook"):
        blind.end(blind.read(torch.zeros(1, 32, 32, 3, dtype=torch.uint8)))
    decision = GoAgent(blind).decide(np.zeros((32, 32, 3), np.uint8))
    assert decision.thought.outlook is None
