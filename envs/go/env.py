"""Go as a Gymnasium environment: the observation is the picture of the board, the action a point."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded

from envs.errors import UserError
from envs.go.gtp_board import board_text
from envs.go.renderer import BoardGeometry, renderer_for
from envs.go.rules import BLACK, WHITE, GoGame, own_eyes
from envs.viewer import Viewer

PICTURE = 480  # px; about the side of a rendered picture, which people look at
AGENT_COLORS = ("black", "white", "random")
ILLEGAL_CHOICES = ("stay", "lose")


class ChoosesMoves(Protocol):
    """A player of the other side, such as those of `agents.players`."""

    def choose(self, game: GoGame) -> Any:
        """Return the point the side to move plays, or something that carries it as `action`; below zero resigns."""
        ...


Opponent: TypeAlias = "str | ChoosesMoves | Callable[[GoGame], Any] | None"


class GoEnv(gym.Env[np.ndarray, np.int64]):
    """The game of Go, seen as a picture and played on points.

    ## Description
    Two players take turns to put a stone on an empty point; stones without liberties are taken off; whoever holds more
    area at the end wins. The environment plays the opponent (`opponent="random"` or a player of yours) or leaves both
    colours to the caller (`opponent=None`).

    ```python
    import envs  # registers the environment
    env = gymnasium.make("videoworld/Go-v0", opponent="random")
    frame, info = env.reset(seed=1)
    action = env.action_space.sample(mask=info["action_mask"])
    frame, reward, terminated, truncated, info = env.step(action)
    ```

    ## Action Space
    `Discrete(size * size + 1)`: point `row * size + column`, row 0 on top; the last action is the pass.

    An illegal action never raises. With `illegal="stay"` the position does not change, the reward is 0 and
    `info["illegal"]` gives the reason, so that the agent may try again; the attempt counts towards `max_moves`. With
    `illegal="lose"` it ends the episode with reward -1.

    ## Observation Space
    `Box(0, 255, (S, S, 3), uint8)`: the board as an RGB picture, S pixels wide. The "modern" style shows stones, the
    last move, a ko point and whose turn it is; the published "paper" style shows stones alone.

    ## Starting State
    The empty board, or the handicap stones. `reset(options={"moves": [40, 41]})` plays those points first, by turns. If
    it is then the opponent's turn, it moves before `reset` returns. That may end the game (the opponent resigns, or
    answers a pass with a pass) or use up `max_moves`: the first step then plays nothing, whatever its action, and
    returns the outcome.

    ## Rewards
    At the end of the game +1 for a win, -1 for a loss and 0 for a draw, from the view of `agent_color`, also when the
    caller plays both colours; 0 before.

    ## Episode End
    Terminated when both sides have passed in a row, the opponent has resigned, or an illegal action loses. Truncated
    after `max_moves` moves of both colours, refused ones included; the reward is then 0 and `info["score"]` tells who
    leads.

    ## Information
    `reset` and `step` return a dict with
    - `legal_mask`: bool (size * size + 1,), the legal actions of the side to move; the pass is always among them.
    - `action_mask`: the same as int8, for `env.action_space.sample(mask=...)`.
    - `illegal`: why the action was refused ("occupied", "suicide", "ko", "superko", "off board"), else None.
    - `to_move`: 1 if Black is to move, 2 if White; `agent_color`: the agent's, in the same numbers.
    - `ply`: moves so far; `last_move`: the last one, -1 before the first.
    - `score`: Black's area minus White's minus komi, all stones counted as alive.
    - `result`: such as "B+3.5" once the game is over, else None.

    ## Arguments
    - `size`: 2 to 25, 9 by default.
    - `komi`: points White gets, 7.0 by default.
    - `opponent`: None, "random", a function from `GoGame` to a point, or an object with `choose(game)`; the answer is a
      legal point, something that carries one as `action`, or a negative number to resign. "random" plays any legal move
      that does not fill its own eyes, and passes when there is none.
    - `agent_color`: "black" (default), "white" or "random" (drawn at each reset).
    - `ko_rule`: "simple" (default) or "positional" (superko).
    - `handicap`: 0 (default) or the number of Black's handicap stones.
    - `style`: "modern" (default) or "paper"; `cell`: pixels per point of the modern style, 8 by default.
    - `max_moves`: `2 * size * size` by default.
    - `illegal`: "stay" (default) or "lose".
    - `render_mode`: "human" (a window), "rgb_array" (a picture larger than the observation), "ansi" (text) or None.
      Closing the window ends the showing, not the game; after `close()` the next reset opens it again.

    ## Version History
    - v0: first version.
    """

    metadata: dict[str, Any] = {"render_modes": ["human", "rgb_array", "ansi"], "render_fps": 4}

    def __init__(
        self,
        *,
        size: int = 9,
        komi: float = 7.0,
        opponent: Opponent = None,
        agent_color: str = "black",
        ko_rule: str = "simple",
        handicap: int = 0,
        style: str = "modern",
        cell: int = 8,
        max_moves: int | None = None,
        illegal: str = "stay",
        render_mode: str | None = None,
    ) -> None:
        """Check the arguments, listed in the class docstring; raises UserError."""
        self.game = GoGame(size, komi=komi, ko_rule=ko_rule, handicap=handicap)
        self._start = self.game.copy()
        for name, value, choices in (
            ("agent_color", agent_color, AGENT_COLORS),
            ("illegal", illegal, ILLEGAL_CHOICES),
            ("render_mode", render_mode, (None, *self.metadata["render_modes"])),
        ):
            if value not in choices:
                raise UserError(f"{name} {value!r} is unknown; choose one of {', '.join(map(str, choices))}")
        if max_moves is not None and max_moves < 2:
            raise UserError(f"max_moves {max_moves} leaves no game to play; give 2 or more")
        self.agent_color = agent_color
        self.max_moves = 2 * self.game.area if max_moves is None else max_moves
        self.illegal = illegal
        self.render_mode = render_mode
        self._opponent = self._as_function(opponent)
        self._agent = WHITE if agent_color == "white" else BLACK
        self._attempts = 0  # refused actions of this episode
        self._running = False
        self._viewer = Viewer("Go")
        self._renderer = renderer_for(BoardGeometry(self.game.size, style, cell))
        picture_cell = max(cell, min(64, PICTURE // self._renderer.geometry.cells))
        self._picture = renderer_for(BoardGeometry(self.game.size, style, picture_cell))
        side = self._renderer.geometry.frame_size
        self.observation_space = spaces.Box(0, 255, (side, side, 3), dtype=np.uint8)
        self.action_space = spaces.Discrete(self.game.area + 1)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start a game; `options={"moves": [...]}` plays those points first. Raises UserError if they are not legal."""
        super().reset(seed=seed)
        options = dict(options or {})
        moves = options.pop("moves", ())
        if options:
            raise UserError(f"reset option {next(iter(options))!r} is unknown; the only one is 'moves'")
        self.game = self._start.copy()
        for point in moves:
            self.game.play(int(point))
        if self.game.is_over or len(self.game.history) >= self.max_moves:
            raise UserError(f"the {len(self.game.history)} moves given to reset end the game; give fewer")
        if self.agent_color == "random":
            self._agent = BLACK + int(self.np_random.integers(2))
        self._attempts = 0
        self._running = True
        self._answer()
        self._show()
        return self._observe(), self._info(None)

    def step(self, action: np.int64 | int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Play a point or pass, and let the opponent answer; raises ResetNeeded after the end of an episode.

        Where the opponent's move in `reset` has ended the game already, nothing is played and the outcome comes back.
        """
        if not self._running:
            raise ResetNeeded("the game has not begun or is over; call reset() first")
        point = int(action)
        reason = None
        if not self.game.is_over and self._moves_left > 0:
            reason = self.game.why_illegal(point)
            if reason is None:
                self.game.play(point)
                self._answer()
            else:
                self._attempts += 1
        lost = reason is not None and self.illegal == "lose"
        terminated = self.game.is_over or lost
        truncated = not terminated and self._moves_left <= 0
        self._running = not (terminated or truncated)
        reward = -1.0 if lost else self._outcome() if terminated else 0.0
        self._show()
        return self._observe(), reward, terminated, truncated, self._info(reason)

    def render(self) -> np.ndarray | str | None:
        """Return the picture ("rgb_array") or the board as text ("ansi"); the window of "human" is drawn by step."""
        if self.render_mode == "ansi":
            return board_text(self.game) + "\n"
        if self.render_mode == "rgb_array":
            return self._picture.render_game(self.game)
        if self.render_mode == "human":
            self._show()
        return None

    def close(self) -> None:
        """Close the window, if there is one; a later reset may open it again."""
        self._viewer.close()

    @property
    def _moves_left(self) -> int:
        return self.max_moves - len(self.game.history) - self._attempts

    def _answer(self) -> None:
        """Let the opponent move if it is its turn."""
        if self._opponent is None or self.game.is_over or self.game.to_move == self._agent or self._moves_left <= 0:
            return
        answer = self._opponent(self.game)
        point = int(getattr(answer, "action", answer))
        if point < 0:
            self.game.resign()
        else:
            self.game.play(point)

    def _outcome(self) -> float:
        """+1, -1 or 0 for the agent."""
        if self.game.resigned is not None:
            return -1.0 if self.game.resigned == self._agent else 1.0
        score = self.game.area_score()
        return float(np.sign(score if self._agent == BLACK else -score))

    def _observe(self) -> np.ndarray:
        return self._renderer.render_game(self.game)

    def _info(self, reason: str | None) -> dict[str, Any]:
        legal = self.game.legal_mask()
        return {
            "legal_mask": legal,
            "action_mask": legal.astype(np.int8),
            "illegal": reason,
            "to_move": self.game.to_move,
            "agent_color": self._agent,
            "ply": len(self.game.history),
            "last_move": self.game.last_move,
            "score": self.game.area_score(),
            "result": self.game.result_text() if self.game.is_over else None,
        }

    def _as_function(self, player: Opponent) -> Callable[[GoGame], Any] | None:
        if player is None or player == "random":
            return None if player is None else self._random_move
        if callable(getattr(player, "choose", None)):
            return player.choose  # type: ignore[union-attr]
        if callable(player):
            return player
        raise UserError(
            f"opponent {player!r} cannot play; give None, 'random', a function, or an object with choose(game)"
        )

    def _random_move(self, game: GoGame) -> int:
        # Filling its own eyes, a random player would lose all its stones over and over, and no game would end.
        points = np.flatnonzero(game.legal_mask()[:-1] & ~own_eyes(game, game.to_move).reshape(-1))
        return int(self.np_random.choice(points)) if len(points) else game.area

    def _show(self) -> None:
        """Draw the window of the "human" mode; raises UserError without a display."""
        if self.render_mode == "human":
            self._viewer.show(self._picture.render_game(self.game), self.metadata["render_fps"])
