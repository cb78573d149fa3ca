"""Go inside a model's imagination: the same `reset` and `step` as videoworld/Go-v0, and every frame is the model's own.

No rules are applied. What the model draws is the world; the rules only keep watch and tell how far it drifts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded

from envs.errors import UserError
from envs.go.batch import BatchedGo, Positions, apply_moves, legal_moves
from envs.go.coords import point_to_gtp
from envs.go.env import AGENT_COLORS, PICTURE
from envs.go.gtp_board import stones_text
from envs.go.renderer import BoardGeometry, check_shows_turn, read_board, read_move, renderer_for
from envs.go.rules import BLACK, EMPTY, WHITE, GoGame, colour_name
from envs.viewer import Viewer

UNIMAGINABLE = "unimaginable"


class Dreamer(Protocol):
    """What dreams of Go boards, such as `agents.go_agent.GoAgent`."""

    @property
    def geometry(self) -> BoardGeometry:
        """The frames' layout."""
        ...

    def probabilities(self, frame: np.ndarray) -> np.ndarray:
        """Frame uint8 (S, S, 3) -> how likely each move comes next (N*N + 1,)."""
        ...

    def imagine(self, frame: np.ndarray, steps: int, *, action: int | None = None) -> np.ndarray:
        """Frames uint8 (steps, S, S, 3) that follow `frame` when `action` is played; none if it cannot imagine that."""
        ...


@dataclass(frozen=True)
class Change:
    """One imagined change under the eyes of the rules.

    colour: who moves, as the frame before shows it. action: the move that was wanted. move: the one that the picture
    shows (-1: none). wrong: points where the stones are other than the rules make of the frame before. broken: what is
    wrong, in sentences; empty for a sound change.
    """

    colour: int
    action: int
    move: int
    wrong: tuple[int, ...]
    broken: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether the rules would have drawn the same stones, turn and marks."""
        return not self.broken


def judge(before: np.ndarray, after: np.ndarray, action: int, geometry: BoardGeometry) -> Change:
    """Hold an imagined change against the rules: modern frames uint8 (S, S, 3) before and after `action`.

    Judged is this change alone, from the board as the frame before shows it, so that an early mistake counts once.
    """
    size = geometry.size
    now, then = (read_board(frame[None], geometry) for frame in (before, after))
    expected, legal = apply_moves(now, [action])
    broken = []
    if not legal[0]:
        expected = now
        if not np.array_equal(now.stones, then.stones) or now.to_move[0] != then.to_move[0]:
            broken.append(f"{colour_name(int(now.to_move[0]))} may not play {point_to_gtp(action, size)}")
    came, due = then.stones.reshape(-1), expected.stones.reshape(-1)
    wrong = np.flatnonzero(came != due)
    for points, what in (
        (wrong[(due[wrong] != EMPTY) & (came[wrong] == EMPTY)], "vanished from"),
        (wrong[(due[wrong] == EMPTY) & (came[wrong] != EMPTY)], "came from nowhere to"),
        (wrong[(due[wrong] != EMPTY) & (came[wrong] != EMPTY)], "changed colour at"),
    ):
        if len(points):
            names = " ".join(point_to_gtp(int(point), size) for point in points)
            broken.append(f"{'a stone' if len(points) == 1 else f'{len(points)} stones'} {what} {names}")
    if legal[0]:
        marks = (
            (then.to_move, expected.to_move, "the turn did not change"),
            (then.last_move, expected.last_move, "the last move is marked elsewhere"),
            (then.ko, expected.ko, "the ko is marked wrongly"),
        )
        broken += [sentence for seen, right, sentence in marks if seen[0] != right[0]]
    move = int(read_move(before[None], after[None], geometry)[0])
    return Change(int(now.to_move[0]), action, move, tuple(int(point) for point in wrong), tuple(broken))


class DreamState(NamedTuple):
    """How far a dream has come.

    frames: uint8 (S, S, 3) each, the first one and one after each of the `changes`. attempts: at moves that could not
    be imagined. passes: shown in a row.
    """

    frames: tuple[np.ndarray, ...]
    changes: tuple[Change, ...]
    attempts: int
    passes: int


class DreamGoEnv(gym.Env[np.ndarray, np.int64]):
    """Go as a model imagines it: the action goes to the model, and what it draws is the next observation.

    ## Description
    The first frame is a real board; from then on the model sees its own frames alone. After each action it also
    imagines the other side's move (`answers=True`). Nothing stops it from breaking the rules: a captured stone may
    stay, a stone may stand on another. `info` tells when that happens.

    ```python
    import envs  # registers the environments
    from agents.go_agent import GoAgent
    env = gymnasium.make("videoworld/DreamGo-v0", dreamer=GoAgent.load("assets/checkpoints/go9-small"))
    frame, info = env.reset()
    frame, reward, terminated, truncated, info = env.step(40)
    ```

    ## Action Space
    `Discrete(size * size + 1)`, as in videoworld/Go-v0: a point, row 0 on top, or the pass. Any action may be tried;
    one that the model cannot imagine changes nothing, and `info["illegal"]` is "unimaginable".

    ## Observation Space
    `Box(0, 255, (S, S, 3), uint8)`: the model's own frame, in its own size and style.

    ## Starting State
    The empty board, `reset(options={"moves": [40, 41]})`: the board after these moves, or `options={"frame": frame}`:
    any picture uint8 (S, S, 3). If it is then the other side's turn, its move is imagined before `reset` returns.

    ## Rewards
    At the end +1, -1 or 0 by the area of the last frame's board, from the view of `agent_color`; 0 before.

    ## Episode End
    Terminated when the frames show two passes in a row; truncated after `max_moves` moves of both sides, attempts
    included.

    ## Information
    As in videoworld/Go-v0, read off the frame: `legal_mask`, `action_mask`, `to_move`, `agent_color`, `ply`,
    `last_move`, `score`, `result`, `illegal` (why the rules would refuse the action; it was imagined nevertheless). And
    - `changes`: the `Change`s of this step, the action's and the answer's.
    - `drift`: points at which stones came out otherwise than under the rules, summed over the episode.
    - `sound`: share of the episode's changes in which no rule was broken, 1 at the start.
    - `blur`: mean distance, in grey levels 0..255, of the frame from the nearest picture of a board.

    ## Arguments
    - `dreamer`: the model, such as a `GoAgent`.
    - `komi`: 7.0 by default. `agent_color`: "black" (default), "white" or "random".
    - `answers`: whether the model imagines the other side's moves too (default); else both colours are the caller's.
    - `temperature`: 0 (default) imagines the likeliest answer; 1 draws it by its probability.
    - `max_moves`: `2 * size * size` by default.
    - `render_mode`: "human" (a window), "rgb_array" (the frame, enlarged), "ansi" (the board as read) or None.

    ## Version History
    - v0: first version.
    """

    metadata: dict[str, Any] = {"render_modes": ["human", "rgb_array", "ansi"], "render_fps": 4}

    def __init__(
        self,
        dreamer: Dreamer,
        *,
        komi: float = 7.0,
        agent_color: str = "black",
        answers: bool = True,
        temperature: float = 0.0,
        max_moves: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        """Check the arguments, listed in the class docstring; raises UserError."""
        self.geometry = dreamer.geometry
        check_shows_turn(self.geometry.style)
        size = self.geometry.size
        GoGame(size, komi=komi)  # refuses what is no komi
        for name, value, choices in (
            ("agent_color", agent_color, AGENT_COLORS),
            ("render_mode", render_mode, (None, *self.metadata["render_modes"])),
        ):
            if value not in choices:
                raise UserError(f"{name} {value!r} is unknown; choose one of {', '.join(map(str, choices))}")
        if max_moves is not None and max_moves < 2:
            raise UserError(f"max_moves {max_moves} leaves no game to play; give 2 or more")
        if not 0 <= temperature < float("inf"):
            raise UserError(f"temperature is {temperature}: give 0 (always the likeliest answer) or more")
        self.dreamer, self.komi, self.agent_color = dreamer, komi, agent_color
        self.answers, self.temperature, self.render_mode = answers, temperature, render_mode
        self.max_moves = 2 * size * size if max_moves is None else max_moves
        self.frames: list[np.ndarray] = []  # since `reset`: the first and one after each change
        self.changes: list[Change] = []
        self._agent = WHITE if agent_color == "white" else BLACK
        self._attempts = 0  # actions that were not imagined
        self._running = False
        self._viewer = Viewer("Dream of Go")
        side = self.geometry.frame_size
        self.observation_space = spaces.Box(0, 255, (side, side, 3), dtype=np.uint8)
        self.action_space = spaces.Discrete(size * size + 1)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Fall asleep in front of a real board, or of any picture; raises UserError for options that make none."""
        super().reset(seed=seed)
        options = dict(options or {})
        moves, frame = options.pop("moves", ()), options.pop("frame", None)
        if options:
            raise UserError(f"reset option {next(iter(options))!r} is unknown; choose moves or frame")
        if frame is None:
            game = GoGame(self.geometry.size, komi=self.komi)
            for point in moves:
                game.play(int(point))
            frame = renderer_for(self.geometry).render_game(game)
        frame = np.asarray(frame)
        wanted = self.observation_space.shape
        if frame.shape != wanted or frame.dtype != np.uint8:
            raise UserError(f"the frame is {frame.dtype} {frame.shape}, but this dream has uint8 {wanted}")
        self.frames = [frame.copy()]
        self.changes = []
        self._attempts, self._passes, self._running = 0, 0, True
        if self.agent_color == "random":
            self._agent = BLACK + int(self.np_random.integers(2))
        self._answer()
        self._show()
        return self.frame.copy(), self._info(None, 0)

    def step(self, action: np.int64 | int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Imagine the action and the answer to it; raises ResetNeeded after the end of an episode."""
        if not self._running:
            raise ResetNeeded("the dream has not begun or is over; call reset() first")
        point, before = int(action), len(self.changes)
        reason = None if self._legal_mask()[point] else "against the rules"
        if not self._imagine(point):
            reason = UNIMAGINABLE
            self._attempts += 1
        else:
            self._answer()
        terminated = self._passes >= 2
        truncated = not terminated and self._moves_left <= 0
        self._running = not (terminated or truncated)
        reward = 0.0
        if terminated:
            score = self._score()
            reward = float(np.sign(score if self._agent == BLACK else -score))
        self._show()
        return self.frame.copy(), reward, terminated, truncated, self._info(reason, before)

    def render(self) -> np.ndarray | str | None:
        """Return the frame, enlarged ("rgb_array"), or the board as it is read ("ansi")."""
        if self.render_mode == "ansi":
            board = self._board
            turn = colour_name(int(board.to_move[0]))
            return f"{stones_text(board.stones[0])}\n{turn} to move, drift {self.drift}\n"
        if self.render_mode == "rgb_array":
            return self._picture()
        if self.render_mode == "human":
            self._show()
        return None

    def close(self) -> None:
        """Close the window, if there is one; a later reset may open it again."""
        self._viewer.close()

    @property
    def frame(self) -> np.ndarray:
        """The frame that is seen now, uint8 (S, S, 3)."""
        return self.frames[-1]

    @property
    def state(self) -> DreamState:
        """What `go_back` takes to return here."""
        return DreamState(tuple(self.frames), tuple(self.changes), self._attempts, self._passes)

    def go_back(self, state: DreamState) -> tuple[np.ndarray, dict[str, Any]]:
        """Dream on from an earlier `state` of this dream; returns what `reset` returns."""
        self.frames, self.changes = list(state.frames), list(state.changes)
        self._attempts, self._passes = state.attempts, state.passes
        self._running = self._passes < 2 and self._moves_left > 0
        return self.frame.copy(), self._info(None, len(self.changes))

    @property
    def drift(self) -> int:
        """Points at which stones came out otherwise than under the rules, summed over the episode."""
        return sum(len(change.wrong) for change in self.changes)

    @property
    def _board(self) -> Positions:
        return read_board(self.frame[None], self.geometry)

    @property
    def _moves_left(self) -> int:
        return self.max_moves - len(self.changes) - self._attempts

    def _imagine(self, action: int) -> bool:
        """Go on to the frame that follows `action`; False if the model cannot imagine it."""
        imagined = self.dreamer.imagine(self.frame, 1, action=action)
        if not len(imagined):
            return False
        after = imagined[0]
        change = judge(self.frame, after, action, self.geometry)
        area = self.geometry.size**2
        self.changes.append(change)
        self.frames.append(after)
        self._passes = self._passes + 1 if int(self._board.last_move[0]) == area else 0
        return True

    def _answer(self) -> None:
        """Imagine the other side's move, if its turn is shown."""
        over = self._passes >= 2 or self._moves_left <= 0
        if not self.answers or over or int(self._board.to_move[0]) == self._agent:
            return
        wanted = self.dreamer.probabilities(self.frame).astype(np.float64)
        if self.temperature == 0:
            order = np.argsort(-wanted, kind="stable")
        else:
            scores = np.log(np.maximum(wanted, 1e-30)) / self.temperature
            order = np.argsort(-(scores + self.np_random.gumbel(size=len(wanted))), kind="stable")
        for action in order:  # the first can all but always be imagined
            if self._imagine(int(action)):
                return

    def _legal_mask(self) -> np.ndarray:
        mask: np.ndarray = legal_moves(self._board)[0]
        return mask

    def _score(self) -> float:
        boards = BatchedGo(1, self.geometry.size, komi=self.komi)
        boards.stones[:] = self._board.stones
        return float(boards.area_score()[0])

    def _picture(self) -> np.ndarray:
        factor = max(1, PICTURE // len(self.frame))
        return self.frame.repeat(factor, 0).repeat(factor, 1)

    def _info(self, reason: str | None, since: int) -> dict[str, Any]:
        board, score = self._board, self._score()
        legal = self._legal_mask()
        drawn = renderer_for(self.geometry)(board)[0].astype(np.int16)
        over = self._passes >= 2
        winner = "0" if score == 0 else f"{'B' if score > 0 else 'W'}+{abs(score):.1f}"
        return {
            "legal_mask": legal,
            "action_mask": legal.astype(np.int8),
            "illegal": reason,
            "to_move": int(board.to_move[0]),
            "agent_color": self._agent,
            "ply": len(self.changes),
            "last_move": int(board.last_move[0]),
            "score": score,
            "result": winner if over else None,
            "changes": tuple(self.changes[since:]),
            "drift": self.drift,
            "sound": float(np.mean([change.sound for change in self.changes])) if self.changes else 1.0,
            "blur": float(np.abs(self.frame.astype(np.int16) - drawn).mean()),
        }

    def _show(self) -> None:
        """Draw the window of the "human" mode; raises UserError without a display."""
        if self.render_mode == "human":
            self._viewer.show(self._picture(), self.metadata["render_fps"])
