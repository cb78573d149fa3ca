"""A dream between a human and a model, without a pixel of a window: what was imagined, what may be taken back.

One thread, the front end's, calls `poll` and the verbs. The model loads and imagines in the worker of a `Thinker`.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from envs.errors import UserError
from envs.files import data_folder
from envs.go.coords import point_to_gtp
from envs.go.rules import GoGame, colour_name, opponent
from ui.messages import INFO, RESULT, WARNING, Message
from ui.record import claim
from ui.thinker import Thinker

if TYPE_CHECKING:  # Gymnasium, behind it, is left to the worker: the window opens sooner
    from envs.dream import Change, DreamGoEnv, DreamState
    from envs.go.renderer import BoardGeometry

logger = logging.getLogger(__name__)

_FILM_SECONDS = 0.6  # of each frame
_FILM_HEIGHT = 480  # pixels, about


@dataclass(frozen=True)
class Moment:
    """A place in the dream that can be gone back to: the environment's state, and what it told there."""

    state: DreamState
    info: dict[str, Any]


class Dream:
    """One dream after another; every film is saved.

    Attributes:
        name: what the model is called.
        moments: from the first frame to the one now seen, one for each of the human's moves; empty while loading.
        message: what to tell about the last verb, None if nothing.
        failure: why the dream cannot go on at all (a model that does not load, a bug).
        film: the file of the last film that was saved.
    """

    def __init__(
        self,
        make: Callable[[], DreamGoEnv],
        *,
        name: str = "The model",
        game: GoGame | None = None,
        seed: int | None = None,
    ) -> None:
        """Begin to load.

        Args:
            make: loads the model and makes the environment; it runs in the worker.
            name: see above.
            game: the position with which dreams begin (default: the empty board).
            seed: of the first dream.
        """
        self.name = name
        self.moments: list[Moment] = []
        self.message: Message | None = None
        self.failure: Exception | None = None
        self.film: Path | None = None
        self._game, self._seed = game, seed
        self._env: DreamGoEnv | None = None
        self._undone: list[Moment] = []
        self._filmed: tuple[np.ndarray, ...] = ()  # the frames of the last film
        self._starting = True
        self._closed = False
        self._thinker = Thinker("dreamer")
        self._thinker.ask(lambda: self._begin(make()))

    # What there is to see

    @property
    def loading(self) -> bool:
        """Whether the model is still being loaded."""
        return not self.moments

    @property
    def imagining(self) -> bool:
        """Whether the worker is busy."""
        return self._thinker.busy

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
        return None if self._env is None else self._env.geometry

    @property
    def komi(self) -> float:
        """Points for White; 0 while loading."""
        return 0.0 if self._env is None else self._env.komi

    @property
    def is_over(self) -> bool:
        """Whether two passes have been shown, or the dream has become too long."""
        return self.now is not None and bool(self.now.info["over"])

    @property
    def can_play(self) -> bool:
        """Whether a move would be imagined now."""
        return self.now is not None and not self.imagining and not self.is_over

    @property
    def can_undo(self) -> bool:
        """Whether there is a move to take back."""
        return len(self.moments) > 1 and not self.imagining

    @property
    def can_redo(self) -> bool:
        """Whether a move was taken back and none played since."""
        return bool(self._undone) and not self.imagining

    @property
    def unfilmed(self) -> bool:
        """Whether there are imagined frames that no film has."""
        frames, film = self.frames, self._filmed[: len(self.frames)]
        kept = len(film) == len(frames) and all(one is other for one, other in zip(film, frames, strict=True))
        return len(frames) > 1 and not kept

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
            told = info["result"] or "no result, it became too long"
            return Message(f"The dream is over: {told}, by the area of its last frame.", RESULT)
        broken = [sentence for change in info["changes"] for sentence in change.broken]
        if broken:
            return Message(f"Against the rules: {'; '.join(broken)}.", WARNING)
        turn, own = info["to_move"], info["agent_color"]
        if turn != own:
            name = colour_name(turn)
            return Message(f"The picture shows {name} to move; your move is imagined as {name}'s.")
        return Message(f"Your turn: you dream as {colour_name(own)}, {self.name} as {colour_name(opponent(own))}.")

    def tell(self, text: str, kind: str = INFO) -> None:
        """Say something until something else happens."""
        self.message = Message(text, kind)

    # What people do; each returns whether anything changed

    def play(self, point: int) -> bool:
        """Have the model imagine the human's move, whatever the rules say, and its own answer."""
        if self.is_over and not self.imagining:
            return self._refuse("The dream is over; take a move back or begin another.")
        if not self.can_play:
            return self._refuse(f"One moment, {self.name} is {'being loaded' if self.loading else 'imagining'}.")
        self.message = None
        self._thinker.ask(functools.partial(_step, self._need_env(), point))
        return True

    def pass_turn(self) -> bool:
        """Have the model imagine a pass."""
        return self.play(self.geometry.size**2 if self.geometry is not None else 0)

    def undo(self) -> bool:
        """Go back to the moment before the human's last move."""
        if not self.can_undo:
            return self._refuse("One moment, please." if self.imagining else "There is nothing to take back.")
        self._undone.append(self.moments.pop())
        self._go_to(self.moments[-1])
        self.tell("One move and its answer are taken back.")
        return True

    def redo(self) -> bool:
        """Bring back what `undo` took."""
        if not self.can_redo:
            return self._refuse("One moment, please." if self.imagining else "There is nothing to bring back.")
        self.moments.append(self._undone.pop())
        self._go_to(self.moments[-1])
        self.message = None
        return True

    def new_dream(self) -> bool:
        """Begin again from the first frame; the film of what was dreamt is saved."""
        if self.loading or self.imagining:
            return self._refuse("One moment, please.")
        self.message = None
        if self.unfilmed and not self.save_film():
            return False  # the message says why; nothing is thrown away unasked
        self._starting = True
        self._thinker.ask(functools.partial(self._begin, self._need_env()))
        return True

    def save_film(self, path: Path | None = None) -> bool:
        """Write all frames so far as an animated GIF, enlarged, never over another file.

        By default it is named after the time, in the folder `dreams` beside the user's games.
        """
        if not self.frames:
            return self._refuse("There is nothing to save yet.")
        try:
            self.film = write_film(self.frames, path or _dated_path())
        except UserError as error:
            return self._refuse(f"The film is not saved: {error}.")
        self._filmed = self.frames
        self.tell(f"The film of {len(self.frames)} frames is saved in {self.film}.")
        return True

    # What happens by itself

    def poll(self, timeout: float = 0.0) -> bool:
        """Take in what the worker has imagined, waiting at most `timeout` seconds; returns whether anything changed."""
        answer = self._thinker.take(timeout)
        if answer is None:
            return False
        if answer.error is not None:
            self.failure = answer.error  # raised by the front end
            return True
        self._env, moment = answer.value
        from envs.dream import UNIMAGINABLE

        if moment.info["illegal"] == UNIMAGINABLE:
            self._go_to(self.moments[-1])
            self.tell(f"{self.name} cannot imagine that move here.", WARNING)
            return True
        if self._starting:
            self.moments, self._starting, self._filmed = [], False, ()
        self.moments.append(moment)
        self._undone.clear()
        return True

    def wait(self, timeout: float = 60.0) -> bool:
        """Wait for the worker, at most `timeout` seconds, and take in what it found; returns whether it has ended."""
        if self.imagining:
            self.poll(timeout)
        return not self.imagining

    def close(self) -> Message | None:
        """Save the film, if it has frames that none has, and let the worker go; returns what there is to tell."""
        if self._closed:
            return None
        self._closed = True
        self._thinker.close()
        if not self.unfilmed:
            return None
        if not self.save_film():
            logger.warning("%s", self.status.text)
        return self.message

    # In the worker

    def _begin(self, env: DreamGoEnv) -> tuple[DreamGoEnv, Moment]:
        from envs.go.renderer import renderer_for

        options = None if self._game is None else {"frame": renderer_for(env.geometry).render_game(self._game)}
        _, info = env.reset(seed=self._seed, options=options)
        self._seed = None  # the next dream is another one
        return env, Moment(env.state, {**info, "over": False})

    # In the front end's thread, while the worker rests

    def _go_to(self, moment: Moment) -> None:
        self._need_env().go_back(moment.state)

    def _need_env(self) -> DreamGoEnv:
        assert self._env is not None
        return self._env

    def _refuse(self, text: str) -> bool:
        self.tell(text, WARNING)
        return False


def _step(env: DreamGoEnv, point: int) -> tuple[DreamGoEnv, Moment]:
    _, _, terminated, truncated, info = env.step(point)
    return env, Moment(env.state, {**info, "over": terminated or truncated})


def _dated_path() -> Path:
    return data_folder() / "dreams" / time.strftime("dream-%Y-%m-%d-%H%M%S.gif")


def write_film(frames: Sequence[np.ndarray], path: Path) -> Path:
    """Write frames uint8 (S, S, 3) as an animated GIF to `path`, or beside a file that has this name.

    Returns where it is; UserError if that cannot be done.
    """
    from PIL import Image

    side = max(1, _FILM_HEIGHT // len(frames[0])) * len(frames[0])
    # The few colours are chosen before the pixels are enlarged: a quarter of the time
    pictures = [Image.fromarray(frame).quantize().resize((side, side), Image.Resampling.NEAREST) for frame in frames]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path = claim(path)
        try:
            milliseconds = round(1000 * _FILM_SECONDS)
            pictures[0].save(path, "GIF", save_all=True, append_images=pictures[1:], duration=milliseconds, loop=0)
        except OSError:
            path.unlink(missing_ok=True)  # the file that held the name
            raise
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"cannot write {path}: {reason}; choose another name or place") from error
    return path


def move_text(change: Change, size: int) -> str:
    """A change for people: "D4", or "D4 (shown: E5)" where the picture shows another move."""
    text = point_to_gtp(change.action, size)
    if change.move == change.action:
        return text
    return f"{text} (shown: {point_to_gtp(change.move, size) if change.move >= 0 else 'none'})"
