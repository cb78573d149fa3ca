"""A dream between a human and a model, without a pixel of a window: what was imagined, what may be taken back.

One thread, the front end's, calls `poll` and the verbs. The model loads and imagines in a worker.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from envs.dream import UNIMAGINABLE, Change, DreamGoEnv, DreamState
from envs.errors import UserError
from envs.go.coords import point_to_gtp
from envs.go.renderer import BoardGeometry
from envs.go.rules import colour_name, opponent
from ui.match import RESULT, WARNING, Message
from ui.record import games_folder

logger = logging.getLogger(__name__)
FILM_SECONDS = 0.6  # of each frame in a saved film


@dataclass(frozen=True)
class Moment:
    """A place in the dream that can be gone back to: the environment's state, and what it told there."""

    state: DreamState
    info: dict[str, Any]


class Dream:
    """One dream after another.

    Attributes:
        moments: from the first frame to the one now seen, one for each of the human's moves; empty while loading.
        message: what to tell about the last verb, None if nothing.
        failure: why the dream cannot go on at all (a model that does not load, a bug).
    """

    def __init__(self, make: Callable[[], DreamGoEnv], *, name: str = "The model", seed: int | None = None) -> None:
        """`make` loads the model and makes the environment; it runs in the worker. `seed`: of the first dream."""
        self.name, self._seed = name, seed
        self.moments: list[Moment] = []
        self.message: Message | None = None
        self.failure: Exception | None = None
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="dream")
        self._env: DreamGoEnv | None = None
        self._job: Future[Moment] | None = self._worker.submit(self._load, make)
        self._starting = True
        self._filmed = 0  # frames in the latest film

    # What there is to see

    @property
    def loading(self) -> bool:
        """Whether the model is still being loaded."""
        return not self.moments

    @property
    def imagining(self) -> bool:
        """Whether the worker is busy."""
        return self._job is not None

    @property
    def now(self) -> Moment | None:
        """The moment that is seen; None while loading."""
        return self.moments[-1] if self.moments else None

    @property
    def frames(self) -> tuple[np.ndarray, ...]:
        """All frames so far, uint8 (S, S, 3) each; the last is the one that is seen. Empty while loading."""
        return () if self.now is None else self.now.state.frames

    @property
    def changes(self) -> tuple[Change, ...]:
        """All changes so far."""
        return () if self.now is None else self.now.state.changes

    @property
    def geometry(self) -> BoardGeometry | None:
        """The frames' layout; None while loading."""
        return None if self.loading else self._need_env().geometry

    @property
    def is_over(self) -> bool:
        """Whether two passes have been shown, or the dream has become too long."""
        return self.now is not None and bool(self.now.info["over"])

    @property
    def unfilmed(self) -> bool:
        """Whether there are imagined frames that no saved film has."""
        return len(self.frames) > max(1, self._filmed)

    @property
    def status(self) -> Message:
        """The sentence of the moment."""
        if self.message is not None:
            return self.message
        if self.now is None:
            return Message(f"Loading {self.name}.")
        if self.imagining:
            return Message(f"{self.name} is imagining.")
        info = self.now.info
        if self.is_over:
            told = info["result"] or "no result: the dream became too long"
            return Message(f"The dream is over: {told}, by the area of its last frame.", RESULT)
        broken = [sentence for change in info["changes"] for sentence in change.broken]
        if broken:
            return Message(f"Against the rules: {'; '.join(broken)}.", WARNING)
        turn, own = info["to_move"], info["agent_color"]
        if turn != own:
            return Message(
                f"The picture shows {colour_name(turn)} to move; your move is imagined as {colour_name(turn)}'s."
            )
        return Message(f"Your turn: you dream as {colour_name(own)}, {self.name} as {colour_name(opponent(own))}.")

    # What people do; each returns whether anything changed

    def play(self, point: int) -> bool:
        """Have the model imagine the human's move, whatever the rules say, and its own answer."""
        if self.now is None or self.imagining:
            return self._tell(f"One moment, {self.name} is {'being loaded' if self.loading else 'imagining'}.")
        if self.is_over:
            return self._tell("The dream is over; take a move back or begin another.")
        env = self._need_env()
        self.message = None
        self._job = self._worker.submit(self._step, env, point)
        return True

    def pass_turn(self) -> bool:
        """Have the model imagine a pass."""
        return self.play(self._need_env().geometry.size ** 2) if self._env is not None else self.play(0)

    def undo(self) -> bool:
        """Go back to the moment before the human's last move."""
        if self.imagining or len(self.moments) < 2:
            return self._tell("There is nothing to take back." if not self.imagining else "One moment, please.")
        self.moments.pop()
        self._need_env().go_back(self.moments[-1].state)
        self.message = Message("One move and its answer are taken back.")
        return True

    def new_dream(self) -> bool:
        """Begin again from the empty board."""
        if self.imagining:
            return self._tell("One moment, please.")
        self.message = None
        self._starting = True
        self._job = self._worker.submit(self._begin, self._need_env())
        return True

    def save_film(self, path: Path) -> bool:
        """Write all frames so far as an animated GIF, enlarged; never over another file."""
        if not self.frames:
            return self._tell("There is nothing to save yet.")
        try:
            write_film(self.frames, path)
        except OSError as error:
            return self._tell(f"The film could not be written to {path}: {error.strerror or error}.")
        self._filmed = len(self.frames)
        self.message = Message(f"The film of {len(self.frames)} frames is saved in {path}.")
        return True

    # What happens by itself

    def poll(self) -> bool:
        """Take in what the worker has imagined; returns whether anything changed."""
        if self._job is None or not self._job.done():
            return False
        job, self._job = self._job, None
        try:
            moment = job.result()
        except Exception as error:  # shown or raised by the front end
            if not isinstance(error, UserError):
                logger.debug("the dream failed", exc_info=error)
            self.failure = error
            return True
        if self._starting:
            self.moments, self._starting, self._filmed = [], False, 0
        self.moments.append(moment)
        if moment.info["illegal"] == UNIMAGINABLE:
            self.moments.pop()
            self.message = Message(f"{self.name} cannot imagine that move here.", WARNING)
        return True

    def wait(self, timeout: float = 60.0) -> bool:
        """Wait for the worker, at most `timeout` seconds, and take in what it found; returns whether it has ended."""
        if self._job is not None:
            try:
                self._job.exception(timeout)
            except TimeoutError:
                return False
        self.poll()
        return True

    def close(self) -> None:
        """Let the worker go as soon as it has finished what it does."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    # In the worker

    def _load(self, make: Callable[[], DreamGoEnv]) -> Moment:
        self._env = make()
        return self._begin(self._env)

    def _begin(self, env: DreamGoEnv) -> Moment:
        _, info = env.reset(seed=self._seed)
        self._seed = None  # the next dream is another one
        return Moment(env.state, {**info, "over": False})

    def _step(self, env: DreamGoEnv, point: int) -> Moment:
        _, _, terminated, truncated, info = env.step(point)
        return Moment(env.state, {**info, "over": terminated or truncated})

    def _need_env(self) -> DreamGoEnv:
        assert self._env is not None
        return self._env

    def _tell(self, text: str) -> bool:
        self.message = Message(text, WARNING)
        return False


def film_path(folder: Path | None = None) -> Path:
    """A free name for a film, by default in the folder `dreams` beside the user's games."""
    folder = folder or games_folder().parent / "dreams"
    wanted = folder / time.strftime("dream-%Y-%m-%d-%H%M%S.gif")
    path, number = wanted, 1
    while os.path.lexists(path):
        number += 1
        path = wanted.with_name(f"{wanted.stem}-{number}.gif")
    return path


def write_film(frames: Sequence[np.ndarray], path: Path, height: int = 480) -> None:
    """Write frames uint8 (S, S, 3) as an animated GIF about `height` pixels high; OSError if that cannot be done."""
    import imageio.v3 as imageio

    factor = max(1, height // len(frames[0]))
    large = [frame.repeat(factor, 0).repeat(factor, 1) for frame in frames]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        imageio.imwrite(file, large, extension=".gif", duration=1000 * FILM_SECONDS, loop=0)


def move_text(change: Change, size: int) -> str:
    """A change for people: "D4", or "D4 (shown: E5)" where the picture shows another move."""
    text = point_to_gtp(change.action, size)
    if change.move == change.action:
        return text
    return f"{text} (shown: {point_to_gtp(change.move, size) if change.move >= 0 else 'none'})"
