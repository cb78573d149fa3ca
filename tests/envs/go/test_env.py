"""The Gymnasium environment: contract, rewards, opponents, illegal actions, pictures."""

from __future__ import annotations

import subprocess
import sys
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

import envs
from envs.errors import UserError
from envs.go.env import GoEnv
from envs.go.renderer import BoardGeometry, BoardRenderer
from envs.go.rules import BLACK, WHITE, GoGame, IllegalMoveError

PASS = 25  # on 5x5


class Scripted:
    """Plays what it was told to play."""

    def __init__(self, *moves: int) -> None:
        self.moves = list(moves)
        self.colours: list[int] = []

    def choose(self, game: GoGame) -> int:
        self.colours.append(game.to_move)
        return self.moves.pop(0)


class Decision:
    def __init__(self, action: int) -> None:
        self.action = action


def first_legal(game: GoGame) -> Decision:
    return Decision(int(game.legal_mask().argmax()))


@pytest.fixture(autouse=True)
def no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


VARIANTS: list[dict[str, Any]] = [
    {},
    {"opponent": "random"},
    {"size": 5, "opponent": "random", "agent_color": "random", "komi": 0.5, "illegal": "lose"},
    {"size": 2, "agent_color": "white", "opponent": "random"},
    {"size": 19, "ko_rule": "positional", "handicap": 4, "cell": 4, "opponent": first_legal},
    {"style": "paper", "max_moves": 10},
    {"render_mode": "rgb_array"},
]


@pytest.mark.parametrize("kwargs", VARIANTS, ids=lambda kwargs: ",".join(kwargs) or "defaults")
def test_the_checker_has_no_complaint(kwargs: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gym.make(envs.GO_ENV_ID, **kwargs)
        check_env(env.unwrapped)
        env.close()


@pytest.mark.parametrize("kwargs", VARIANTS[:5], ids=lambda kwargs: ",".join(kwargs) or "defaults")
def test_two_runs_with_one_seed_are_equal_and_end(kwargs: dict[str, Any]) -> None:
    def run() -> list[tuple[bytes, float, bool, bool, str]]:
        env = gym.make(envs.GO_ENV_ID, **kwargs, max_moves=60)
        env.action_space.seed(3)
        frame, info = env.reset(seed=5)
        trail, done = [], False
        while not done:
            action = env.action_space.sample(mask=info["action_mask"])
            frame, reward, terminated, truncated, info = env.step(action)
            assert frame in env.observation_space
            assert np.array_equal(info["legal_mask"], info["action_mask"].astype(bool))
            assert info["illegal"] is None
            done = terminated or truncated
            trail.append((frame.tobytes(), float(reward), terminated, truncated, str(info)))
        assert len(trail) <= 60
        return trail

    assert run() == run()


def test_importing_the_package_registers_without_loading() -> None:
    code = (
        "import sys, envs, gymnasium; gymnasium.spec('videoworld/Go-v0');"
        "print([name for name in ('envs.go', 'numba', 'pygame', 'torch') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.strip() == "[]"


def test_playing_without_a_window_does_not_load_pygame() -> None:
    code = (
        "import sys, envs, gymnasium; env = gymnasium.make('videoworld/Go-v0', size=5); env.reset(); env.step(0);"
        "print([name for name in ('pygame', 'torch') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert result.stdout.strip() == "[]"


def test_the_observation_is_the_picture_of_the_game() -> None:
    env = GoEnv(size=5, cell=6)
    frame, _ = env.reset()
    assert (frame.dtype, frame.shape) == (np.uint8, env.observation_space.shape)
    frame, *_ = env.step(12)
    assert np.array_equal(frame, BoardRenderer(BoardGeometry(5, "modern", 6)).render_game(env.game))


def test_both_colours_play_by_turns_without_an_opponent() -> None:
    env = GoEnv(size=5)
    _, info = env.reset()
    assert (info["to_move"], info["ply"], info["last_move"], info["agent_color"]) == (BLACK, 0, -1, BLACK)
    assert info["legal_mask"].shape == (26,)
    assert info["legal_mask"].all()
    _, reward, terminated, truncated, info = env.step(12)
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert (info["to_move"], info["ply"], info["last_move"], info["result"]) == (WHITE, 1, 12, None)
    assert info["score"] == 25 - 7


@pytest.mark.parametrize(
    ("agent_color", "komi", "reward", "result"),
    [
        ("black", 7, 1.0, "B+18.0"),
        ("white", 7, -1.0, "B+18.0"),
        ("black", 25, 0.0, "0"),
        ("white", 25, 0.0, "0"),
        ("black", 30.5, -1.0, "W+5.5"),
        ("white", 30.5, 1.0, "W+5.5"),
    ],
)
def test_rewards_are_the_agents(agent_color: str, komi: float, reward: float, result: str) -> None:
    env = GoEnv(size=5, komi=komi, agent_color=agent_color)
    env.reset()
    env.step(12)
    assert env.step(PASS)[1:4] == (0.0, False, False)
    _, last, terminated, truncated, info = env.step(PASS)
    assert (last, terminated, truncated, info["result"]) == (reward, True, False, result)
    with pytest.raises(ResetNeeded, match=r"call reset\(\) first"):
        env.step(0)


def test_stepping_before_reset_is_refused() -> None:
    with pytest.raises(ResetNeeded):
        GoEnv().step(0)


# Opponents


def test_the_opponent_answers() -> None:
    opponent = Scripted(13)
    env = GoEnv(size=5, opponent=opponent)
    env.reset()
    _, _, _, _, info = env.step(12)
    assert opponent.colours == [WHITE]
    assert (info["ply"], info["last_move"], info["to_move"]) == (2, 13, BLACK)


def test_the_opponent_begins_when_the_agent_is_white() -> None:
    opponent = Scripted(12, PASS)
    env = GoEnv(size=5, opponent=opponent, agent_color="white")
    _, info = env.reset()
    assert (info["ply"], info["last_move"], info["to_move"]) == (1, 12, WHITE)
    _, reward, terminated, _, info = env.step(PASS)
    assert (reward, terminated, info["result"]) == (-1.0, True, "B+18.0")
    assert opponent.colours == [BLACK, BLACK]


@pytest.mark.parametrize("illegal", ["stay", "lose"])
@pytest.mark.parametrize("action", [12, PASS, 99])
def test_a_game_that_ends_in_reset_pays_its_outcome_at_the_first_step(illegal: str, action: int) -> None:
    def first_step(opponent: Scripted, **kwargs: Any) -> tuple[float, bool, bool, str | None, str | None]:
        env = GoEnv(size=5, opponent=opponent, illegal=illegal, **kwargs)
        env.reset(options={"moves": [12, PASS] if kwargs.get("agent_color") == "white" else [PASS]})
        before = len(env.game.history)
        _, reward, terminated, truncated, info = env.step(action)
        assert info["ply"] == before
        with pytest.raises(ResetNeeded):
            env.step(action)
        return reward, terminated, truncated, info["illegal"], info["result"]

    assert first_step(Scripted(-2)) == (1.0, True, False, None, "B+R")
    assert first_step(Scripted(PASS)) == (-1.0, True, False, None, "W+7.0")
    assert first_step(Scripted(PASS), agent_color="white") == (-1.0, True, False, None, "B+18.0")
    assert first_step(Scripted(PASS), agent_color="white", komi=30) == (1.0, True, False, None, "W+5.0")
    assert first_step(Scripted(3), max_moves=2) == (0.0, False, True, None, None)


def test_after_a_handicap_white_begins() -> None:
    opponent = Scripted(0)
    env = GoEnv(size=9, opponent=opponent, handicap=2)
    _, info = env.reset()
    assert opponent.colours == [WHITE]
    assert info["to_move"] == BLACK


def test_an_opponent_may_resign() -> None:
    env = GoEnv(size=5, opponent=lambda game: Decision(-2))
    env.reset()
    _, reward, terminated, _, info = env.step(12)
    assert (reward, terminated, info["result"]) == (1.0, True, "B+R")


def test_an_illegal_move_of_the_opponent_is_an_error() -> None:
    env = GoEnv(size=5, opponent=lambda game: 12)
    env.reset()
    with pytest.raises(IllegalMoveError, match="White cannot play C3"):
        env.step(12)


def test_the_random_opponent_ends_its_games() -> None:
    env = GoEnv(size=5, opponent="random", max_moves=400)
    env.reset(seed=0)
    for _ in range(200):
        _, _, terminated, truncated, info = env.step(PASS)
        if terminated:
            break
    assert terminated
    assert not truncated
    assert info["result"].startswith("W+")


def test_the_agents_colour_can_be_drawn() -> None:
    env = GoEnv(size=5, opponent="random", agent_color="random")
    colours = {env.reset(seed=seed)[1]["agent_color"] for seed in range(20)}
    assert colours == {BLACK, WHITE}
    for seed in range(4):
        _, info = env.reset(seed=seed)
        assert info["to_move"] == info["agent_color"]


# Illegal actions and limits


def test_an_illegal_action_leaves_the_position() -> None:
    env = GoEnv(size=5, opponent=Scripted(13, 14))
    env.reset()
    before, *_ = env.step(12)
    for action, reason in ((12, "occupied"), (13, "occupied"), (99, "off board"), (-1, "off board")):
        frame, reward, terminated, truncated, info = env.step(action)
        assert np.array_equal(frame, before)
        assert (reward, terminated, truncated, info["illegal"], info["ply"]) == (0.0, False, False, reason, 2)
    assert env.step(0)[4]["illegal"] is None


def test_an_illegal_action_can_lose_the_game() -> None:
    env = GoEnv(size=5, illegal="lose")
    env.reset()
    env.step(12)
    _, reward, terminated, truncated, info = env.step(12)
    assert (reward, terminated, truncated, info["illegal"]) == (-1.0, True, False, "occupied")
    with pytest.raises(ResetNeeded):
        env.step(0)


def test_refused_actions_count_towards_the_limit() -> None:
    env = GoEnv(size=5, max_moves=4)
    env.reset()
    outcomes = [env.step(action)[2:4] for action in (12, 12, 12, 0)]
    assert outcomes == [(False, False)] * 3 + [(False, True)]
    with pytest.raises(ResetNeeded):
        env.step(1)
    _, info = env.reset()
    assert info["ply"] == 0


def test_the_limit_may_fall_on_the_agents_move() -> None:
    opponent = Scripted(0, 1, 2)
    env = GoEnv(size=5, opponent=opponent, max_moves=3)
    env.reset()
    assert env.step(12)[3] is False
    _, reward, terminated, truncated, info = env.step(13)
    assert (reward, terminated, truncated, info["ply"]) == (0.0, False, True, 3)


@pytest.mark.parametrize(("ko_rule", "reason"), [("simple", None), ("positional", "superko")])
def test_superko_is_an_option(ko_rule: str, reason: str | None) -> None:
    env = GoEnv(size=2, ko_rule=ko_rule, max_moves=20)
    _, info = env.reset(options={"moves": [0, 1, 2, 3, 0, 2]})
    assert info["legal_mask"][0] == (reason is None)
    assert env.step(0)[4]["illegal"] == reason


# Reset


def test_reset_can_start_from_a_position() -> None:
    env = GoEnv(size=5, opponent=Scripted(3))
    _, info = env.reset(options={"moves": [12, 13, 14]})
    assert [move.point for move in env.game.history] == [12, 13, 14, 3]
    assert info["to_move"] == BLACK
    _, info = GoEnv(size=5).reset(options={"moves": np.array([12, 13])})
    assert info["ply"] == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"moves": [12, 12]}, "White cannot play C3"),
        ({"moves": [PASS, PASS]}, "the 2 moves given to reset end the game"),
        ({"moves": [0, 1, 2, 3]}, "the 4 moves given to reset end the game"),
        ({"komi": 5}, "reset option 'komi' is unknown; the only one is 'moves'"),
    ],
)
def test_impossible_starts_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        GoEnv(size=5, max_moves=4).reset(options=options)


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"size": 1}, "board size 1 is not supported"),
        ({"komi": float("inf")}, "komi inf is not a number of points"),
        ({"ko_rule": "none"}, "ko rule 'none' is unknown"),
        ({"handicap": 99}, "99 handicap stones do not fit"),
        ({"style": "cubist"}, "cubist"),
        ({"agent_color": "green"}, "agent_color 'green' is unknown; choose one of black, white, random"),
        ({"illegal": "cry"}, "illegal 'cry' is unknown; choose one of stay, lose"),
        ({"max_moves": 1}, "max_moves 1 leaves no game to play"),
        ({"opponent": "stockfish"}, "opponent 'stockfish' cannot play; give None, 'random'"),
        ({"opponent": 5}, "opponent 5 cannot play"),
        ({"render_mode": "hologram"}, "render_mode 'hologram' is unknown; choose one of None, human"),
    ],
)
def test_wrong_arguments_are_named(kwargs: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        GoEnv(**kwargs)


# Rendering


def test_text() -> None:
    env = GoEnv(size=5, render_mode="ansi")
    env.reset()
    env.step(0)
    text = env.render()
    assert isinstance(text, str)
    assert "A B C D E" in text
    assert "5 X" in text
    assert "W to move" in text


@pytest.mark.parametrize("kwargs", [{"size": 9}, {"size": 25}, {"size": 5, "cell": 64}, {"style": "paper"}])
def test_pictures_are_at_least_as_large_as_the_observation(kwargs: dict[str, Any]) -> None:
    env = GoEnv(render_mode="rgb_array", **kwargs)
    frame, _ = env.reset()
    picture = env.render()
    assert isinstance(picture, np.ndarray)
    assert (picture.dtype, picture.ndim, picture.shape[0]) == (np.uint8, 3, picture.shape[1])
    assert picture.shape[0] >= frame.shape[0]
    if kwargs != {"style": "paper"}:
        assert picture.shape[0] >= 350


def test_the_window_opens_draws_and_closes() -> None:
    pygame = pytest.importorskip("pygame", reason="the window needs pygame")
    env = GoEnv(size=5, render_mode="human")
    env.metadata = {**env.metadata, "render_fps": 1000}
    env.reset()
    window = pygame.display.get_surface()
    before = pygame.surfarray.array3d(window)
    env.step(12)
    assert not np.array_equal(pygame.surfarray.array3d(window), before)
    assert env.render() is None
    env.close()
    assert pygame.display.get_surface() is None
    env.close()
    env.reset()
    assert pygame.display.get_surface() is not None, "it opens again"
    env.close()


def test_a_window_that_is_closed_stays_closed_and_the_game_goes_on() -> None:
    pygame = pytest.importorskip("pygame", reason="the window needs pygame")
    env = GoEnv(size=5, render_mode="human")
    env.metadata = {**env.metadata, "render_fps": 1000}
    env.reset()
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    assert env.step(12)[4]["ply"] == 1
    assert pygame.display.get_surface() is None
    assert env.step(13)[4]["ply"] == 2 and env.render() is None
    env.reset()
    assert pygame.display.get_surface() is None, "whoever closed it does not want it back for every game"
    env.close()
    env.reset()
    assert pygame.display.get_surface() is not None, "it opens again"
    env.close()


def test_no_display_is_told_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pygame", reason="the window needs pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "nosuchdriver")
    env = GoEnv(size=5, render_mode="human")
    with pytest.raises(UserError, match=r"render_mode 'human' cannot show its window \(.+\); give it a display or"):
        env.reset()
    env.close()
