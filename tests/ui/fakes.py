"""Fakes for the front ends: an agent that sees frames only, and one that thinks until it is told to stop."""

from __future__ import annotations

import threading
import time

import numpy as np

from agents.agent import Candidate, Decision, Rejection, Thought
from agents.outlook import Outlook
from agents.players import AgentPlayer
from envs.go.batch import apply_moves
from envs.go.renderer import BoardGeometry, BoardRenderer, read_board
from envs.go.rules import GoGame


class FakeAgent:
    """Prefers the points nearest to the centre of what it sees and imagines the next frame a little wrongly."""

    name = "Fake agent"

    def __init__(self, size: int = 9, seconds: float = 0.0, seed: int = 0) -> None:
        self.geometry = BoardGeometry(size)
        self.renderer = BoardRenderer(self.geometry)
        self.seconds = seconds
        self.frames: list[np.ndarray] = []
        self._rng = np.random.default_rng(seed)
        self._noise = np.random.default_rng(seed)

    def decide(
        self,
        frame: np.ndarray,
        *,
        legal: np.ndarray | None = None,
        imagine: bool = True,
        komi: float = 7.0,
        seconds: float | None = None,
    ) -> Decision:
        self.frames.append(frame)
        start = time.perf_counter()
        time.sleep(self.seconds)
        size = self.geometry.size
        rows, cols = np.divmod(np.arange(size * size), size)
        logits = -0.45 * np.hypot(rows - size // 2, cols - size // 2) + self._rng.normal(0, 0.8, size * size)
        logits = np.append(logits, -9.0)
        wish = int(logits.argmax())
        if legal is not None:
            logits = np.where(legal, logits, -np.inf)
        chances = np.exp(logits - logits.max())
        chances /= chances.sum()
        order = np.argsort(-chances)[:8]
        candidates = tuple(Candidate(int(p), float(chances[p])) for p in order if chances[p] > 0)
        best = candidates[0]
        rejected = () if wish == best.point else (Rejection(wish, "occupied"),)
        imagined = self.imagine(frame, 1, action=best.point) if imagine else None
        milliseconds = (time.perf_counter() - start) * 1000
        return Decision(
            best.point,
            Thought(
                frame,
                imagined,
                candidates=candidates,
                probabilities=chances,
                rejected=rejected,
                confidence=best.probability,
                milliseconds=milliseconds,
                outlook=Outlook(np.linspace(-1, 1, size * size).reshape(size, size).astype(np.float32), 0.4, komi),
                note="a fake for tests",
            ),
        )

    def imagine(self, frame: np.ndarray, steps: int, *, action: int | None = None) -> np.ndarray:
        """After the first move it sees stones at ever the next empty point."""
        positions, frames = read_board(frame[None], self.geometry), []
        for step in range(steps):
            empty = np.flatnonzero(positions.stones.reshape(-1) == 0)
            point = action if step == 0 and action is not None else int(empty[0])
            positions, _ = apply_moves(positions, np.array([point]))
            picture = self.renderer(positions).astype(np.float32)
            frames.append((picture + self._noise.normal(0, 14, picture.shape)).clip(0, 255).astype(np.uint8)[0])
        return np.stack(frames)


def fake_player(seed: int = 0) -> AgentPlayer:
    """The fake agent as a player."""
    agent = FakeAgent(seed=seed)
    return AgentPlayer(agent, agent.renderer)


class GatedPlayer:
    """Answers only after `release()`; each answer is the lowest empty point that is legal."""

    name = "Gated"

    def __init__(self) -> None:
        self.asked: list[GoGame] = []
        self.closed = False
        self._gate = threading.Semaphore(0)

    def release(self, times: int = 1) -> None:
        for _ in range(times):
            self._gate.release()

    def choose(self, game: GoGame, colour: int | None = None) -> Decision:
        self.asked.append(game)
        assert self._gate.acquire(timeout=20), "nobody released the gated player"
        return Decision(int(np.flatnonzero(game.legal_mask(colour))[0]))

    def close(self) -> None:
        self.closed = True
        self.release(10)


class ScriptedPlayer:
    """Plays a list of points in order, whatever the game, and passes after the last."""

    name = "Script"

    def __init__(self, points: list[int]) -> None:
        self.points = list(points)

    def choose(self, game: GoGame, colour: int | None = None) -> Decision:
        return Decision(self.points.pop(0) if self.points else game.area)

    def close(self) -> None:
        self.points = []
