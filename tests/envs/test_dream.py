"""Dreams under the eyes of the rules, with dreamers that know them and such that do not."""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import envs
from agents.go_agent import GoAgent
from envs.dream import UNIMAGINABLE, DreamGoEnv, judge
from envs.errors import UserError
from envs.go.env import GoEnv
from envs.go.renderer import BoardGeometry, read_board, renderer_for
from envs.go.rules import BLACK, WHITE, GoGame
from tests.dreamers import GEOMETRY, Painter, PerfectDreamer

PASS = 25


def board(*moves: int) -> np.ndarray:
    """The frame after these moves on 5x5."""
    game = GoGame(5)
    for move in moves:
        game.play(move)
    return renderer_for(GEOMETRY).render_game(game)


def painted(frame: np.ndarray, tile: int, source: np.ndarray) -> np.ndarray:
    """`frame` with the tile of one point taken from another frame."""
    row, col = divmod(tile, 5)
    cut = (slice(8 * row, 8 * row + 8), slice(8 * col, 8 * col + 8))
    result = frame.copy()
    result[cut] = source[cut]
    return result


def test_it_passes_the_checker_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(DreamGoEnv(PerfectDreamer()), skip_render_check=True)
        env = gym.make(envs.DREAM_GO_ENV_ID, dreamer=PerfectDreamer(), temperature=1.0)
        frame, info = env.reset(seed=3)
        again = env.reset(seed=3)
        assert np.array_equal(frame, again[0]) and info["ply"] == 0
        env.close()


@pytest.mark.parametrize("mode", ["rgb_array", "ansi", "human"])
def test_render_modes(mode: str) -> None:
    env = DreamGoEnv(PerfectDreamer(), render_mode=mode)
    env.metadata = {**env.metadata, "render_fps": 1000}
    env.reset()
    env.step(12)
    shown = env.render()
    if mode == "rgb_array":
        assert isinstance(shown, np.ndarray) and shown.shape == (480, 480, 3)
    elif mode == "ansi":
        assert isinstance(shown, str) and "X" in shown and "Black to move, drift 0" in shown
    env.close()


def test_a_perfect_dream_is_the_real_game() -> None:
    """The same actions in the dream and in the real environment, whose opponent answers alike, give the same frames."""
    dreamer = PerfectDreamer()

    def opponent(game: GoGame) -> int:
        return int(dreamer.probabilities(renderer_for(GEOMETRY).render_game(game)).argmax())

    dream, real = DreamGoEnv(dreamer), GoEnv(size=5, opponent=opponent)
    frame, info = dream.reset()
    true_frame, true_info = real.reset()
    rng, steps, terminated = np.random.default_rng(0), 0, False
    while not terminated and steps < 24:
        assert np.array_equal(frame, true_frame)
        for key in ("to_move", "last_move", "score", "ply", "agent_color", "result"):
            assert info[key] == true_info[key], key
        assert np.array_equal(info["legal_mask"], true_info["legal_mask"])
        action = int(rng.choice(np.flatnonzero(info["legal_mask"])))
        frame, reward, terminated, truncated, info = dream.step(action)
        true_frame, true_reward, true_terminated, true_truncated, true_info = real.step(action)
        assert (reward, terminated, truncated) == (true_reward, true_terminated, true_truncated)
        assert info["illegal"] is None and info["drift"] == 0 and info["sound"] == 1.0 and info["blur"] == 0.0
        steps += 1
    assert steps > 5


def test_two_passes_end_it() -> None:
    env = DreamGoEnv(PerfectDreamer(), answers=False)
    env.reset(options={"moves": [12]})
    assert env.step(PASS)[2] is False
    _, reward, terminated, _, info = env.step(PASS)
    assert terminated and reward == 1.0 and info["result"] == "B+18.0" and info["score"] == 18.0
    with pytest.raises(gym.error.ResetNeeded):
        env.step(0)


def test_white_wakes_up_after_the_first_move() -> None:
    env = DreamGoEnv(PerfectDreamer(), agent_color="white")
    _, info = env.reset()
    assert info["to_move"] == WHITE == info["agent_color"] and info["ply"] == 1 and len(info["changes"]) == 1


def test_what_cannot_be_imagined_changes_nothing() -> None:
    env = DreamGoEnv(PerfectDreamer(), answers=False, max_moves=3)
    env.reset(options={"moves": [12]})
    frame, _, _, truncated, info = env.step(12)
    assert np.array_equal(frame, board(12)) and info["illegal"] == UNIMAGINABLE
    assert not truncated and info["changes"] == ()
    env.step(12)
    assert env.step(12)[3], "attempts count"


def test_temperature_draws_other_answers() -> None:
    env = DreamGoEnv(PerfectDreamer(), temperature=8.0)
    answers = {env.reset(seed=seed) and env.step(12)[4]["last_move"] for seed in range(12)}
    assert len(answers) > 3


# -- The rules keep watch ----------------------------------------------------------------------------------------------


def test_a_sound_change() -> None:
    change = judge(board(12), board(12, 7), 7, GEOMETRY)
    assert change.sound and change.move == 7 and change.wrong == () and change.action == 7


def test_a_captured_stone_that_stays() -> None:
    before = board(0, 1, 24, PASS, 23)  # White at B5, Black at A5: White takes A5 at A4
    after = board(0, 1, 24, PASS, 23, 5)
    change = judge(before, painted(after, 0, before), 5, GEOMETRY)
    assert change.broken == ("a stone came from nowhere to A5",) and change.wrong == (0,)
    assert judge(before, after, 5, GEOMETRY).sound


def test_stones_that_vanish_and_change_colour() -> None:
    before, after = board(12, 7), board(12, 7, 3)
    gone = judge(before, painted(after, 12, board()), 3, GEOMETRY)
    assert gone.broken == ("a stone vanished from C3",) and gone.wrong == (12,)
    turned = judge(before, painted(after, 12, board(7, 12)), 3, GEOMETRY)
    assert "a stone changed colour at C3" in turned.broken


def test_marks_that_are_wrong() -> None:
    before, after = board(12), board(12, 7)
    assert judge(before, before, 7, GEOMETRY).broken == (
        "a stone vanished from C4", "the turn did not change", "the last move is marked elsewhere",
    )  # fmt: skip
    strip = after.copy()
    strip[40:], strip[:, 40:] = board(12)[40:], board(12)[:, 40:]
    assert judge(before, strip, 7, GEOMETRY).broken == ("the turn did not change",)


def test_a_forbidden_move_that_is_drawn() -> None:
    before = board(12)
    change = judge(before, painted(board(12, 7), 12, board(7, 12)), 12, GEOMETRY)
    assert change.broken[0] == "White may not play C3" and not change.sound
    turned = before.copy()
    turned[40:], turned[:, 40:] = board(12, 7)[40:], board(12, 7)[:, 40:]
    assert judge(before, turned, 12, GEOMETRY).broken == ("White may not play C3",), "the turn is lost"
    assert judge(before, before, 12, GEOMETRY).sound, "to refuse it by changing nothing is what the rules do"


def test_the_meters_add_up() -> None:
    first, second = painted(board(12), 0, board(0, 24)), painted(board(12, 1), 0, board(0, 24))
    blurred = second.copy()
    blurred[:8, :8] += 3
    env = DreamGoEnv(Painter(first, blurred))
    env.reset()
    _, _, _, _, info = env.step(12)
    assert [change.wrong for change in info["changes"]] == [(0,), ()]
    assert info["drift"] == 1 and info["sound"] == 0.5 and 0 < info["blur"] < 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"agent_color": "red"}, "agent_color 'red' is unknown"),
        ({"max_moves": 1}, "max_moves 1 leaves no game"),
        ({"temperature": -1.0}, "temperature is -1.0: give 0"),
        ({"komi": float("nan")}, "komi"),
        ({"render_mode": "film"}, "render_mode 'film' is unknown"),
    ],
)
def test_mistakes_are_one_sentence(options: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        DreamGoEnv(PerfectDreamer(), **options)


def test_what_is_no_dream() -> None:
    env = DreamGoEnv(PerfectDreamer())
    with pytest.raises(UserError, match="reset option 'board' is unknown"):
        env.reset(options={"board": 1})
    with pytest.raises(UserError, match=r"the frame is uint8 \(4, 4, 3\)"):
        env.reset(options={"frame": np.zeros((4, 4, 3), np.uint8)})
    with pytest.raises(UserError, match="do not show whose turn it is"):
        DreamGoEnv(PerfectDreamer(BoardGeometry(9, "paper")))


def test_any_picture_can_be_dreamt_on() -> None:
    noise = np.random.default_rng(0).integers(0, 256, board().shape).astype(np.uint8)
    env = DreamGoEnv(Painter(noise, noise, noise, noise))
    env.reset(options={"frame": noise})
    _, reward, _, _, info = env.step(3)
    assert reward == 0.0 and info["blur"] > 10 and np.isfinite(info["score"])


def test_the_shipped_agent_dreams() -> None:
    """A few moves are sound, and what it draws is its own."""
    env = DreamGoEnv(GoAgent.load("assets/checkpoints/go9-small"))
    env.reset()
    for action in (40, 24, 56):
        frame, _, _, _, info = env.step(action)
    assert info["ply"] == 6 and info["agent_color"] == BLACK
    assert info["sound"] > 0.6 and info["blur"] < 3
    assert read_board(frame[None], env.geometry).stones[0].reshape(-1)[40] == BLACK


def test_going_back_in_a_dream() -> None:
    env = DreamGoEnv(PerfectDreamer(), max_moves=6)
    env.reset()
    states, frames = [env.state], [env.frame.copy()]
    for action in (12, 7, 8):
        frames.append(env.step(action)[0])
        states.append(env.state)
    frame, info = env.go_back(states[1])
    assert np.array_equal(frame, frames[1]) and info["ply"] == 2 and info["changes"] == ()
    assert np.array_equal(env.step(7)[0], frames[2]), "the same action leads to the same frame"
    assert np.array_equal(env.go_back(states[0])[0], frames[0]) and env.drift == 0
