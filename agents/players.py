"""Players: anything that can choose a move in a `GoGame`. The window, GTP server and arena deal with these alone."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from agents.agent import RESIGN, Agent, Decision, Rejection, Thought
from envs.errors import UserError
from envs.go.coords import point_to_gtp
from envs.go.engines import GtpEngine
from envs.go.renderer import BoardRenderer, positions_from_games, read_board
from envs.go.rules import NO_POINT, GoGame, Move, own_eyes

if TYPE_CHECKING:
    from agents.analysis import Analysis, GoAnalyst

logger = logging.getLogger(__name__)

PATIENCE = 30.0  # seconds an engine with time settings may be late


class Player(Protocol):
    """Chooses moves. `choose` may take long and is called from a worker thread, one call at a time."""

    name: str

    def choose(self, game: GoGame, colour: int | None = None) -> Decision:
        """Return the move of `colour` (default: the side to move); the game is read, never changed.

        `Decision.action` is a legal point, `size * size` for a pass, or `RESIGN`. Raises UserError where the player
        cannot go on (an engine that died, a board of the wrong size).
        """
        ...

    def close(self) -> None:
        """Let go of processes and memory; `choose` is not called any more."""
        ...


class AgentPlayer:
    """An agent that sees nothing but the picture of the game: it gets the frame and which actions are allowed."""

    def __init__(
        self, agent: Agent, renderer: BoardRenderer, *, imagine: bool = True, analyst: GoAnalyst | None = None
    ) -> None:
        """`imagine` False skips the imagined frames, which nobody looks at in an arena; `analyst` judges positions."""
        self.agent = agent
        self.renderer = renderer
        self.imagine = imagine
        self.analyst = analyst
        self.name = agent.name
        self._turn = threading.Lock()  # a window's agent is asked for moves and for what it imagines in two threads

    def choose(self, game: GoGame, colour: int | None = None, *, seconds: float | None = None) -> Decision:
        """Draw the game with `colour` to move and ask the agent, which looks ahead for `seconds` at most.

        UserError if the game's size is not the agent's.
        """
        self._check_size(game)
        positions = positions_from_games([game])
        if colour is not None and colour != game.to_move:
            # The ko binds only the side whose turn it was.
            positions = positions._replace(
                to_move=np.array([colour], dtype=np.int8), ko=np.array([NO_POINT], dtype=np.int16)
            )
        frame = self.renderer(positions)[0]
        with self._turn:
            decision = self.agent.decide(
                frame, legal=game.legal_mask(colour), imagine=self.imagine, komi=game.komi, seconds=seconds
            )
        reasons = tuple(
            Rejection(wish.point, wish.reason or game.why_illegal(wish.point, colour) or "")
            for wish in decision.thought.rejected
        )
        return replace(decision, thought=replace(decision.thought, rejected=reasons))

    def foresee(self, decision: Decision, steps: int) -> Thought:
        """The thought behind one of its decisions with the next `steps` frames and what stands on them."""
        thought = decision.thought
        if thought.frame is None or decision.action == RESIGN:
            return thought
        with self._turn:
            imagined = self.agent.imagine(thought.frame, steps, action=decision.action)
        if not len(imagined):
            return thought
        boards = read_board(imagined, self.renderer.geometry).stones
        return replace(thought, imagined=imagined, imagined_boards=boards)

    def analyse(
        self, game: GoGame, colour: int | None = None, *, allowed: np.ndarray | None = None
    ) -> Iterator[Analysis | None]:
        """See `GoAnalyst.analyse`; UserError without an analyst or for a game of another size."""
        self._check_size(game)
        return self._judge().analyse(game, colour, allowed=allowed)

    def dead_stones(self, game: GoGame) -> list[list[int]]:
        """See `GoAnalyst.dead_stones`; UserError without an analyst or for a game of another size."""
        self._check_size(game)
        return self._judge().dead_stones(game)

    def close(self) -> None:
        """Nothing to let go of."""

    def _check_size(self, game: GoGame) -> None:
        own = self.renderer.geometry.size
        if game.size != own:
            raise UserError(f"{self.name} plays {own}x{own}, not {game.size}x{game.size}; choose size {own}")

    def _judge(self) -> GoAnalyst:
        if self.analyst is None:
            raise UserError(f"{self.name} does not judge positions; choose another player")
        return self.analyst


class RandomPlayer:
    """Plays uniformly among the legal moves that do not fill its own single-point eyes, and passes when none is left.

    Without that exception it would fill its own territory until everything is captured, and no game would end.
    """

    name = "Random"

    def __init__(self, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)

    def choose(self, game: GoGame, colour: int | None = None) -> Decision:
        """Return a random move."""
        start = time.perf_counter()
        colour = game.to_move if colour is None else colour
        points = np.flatnonzero(game.legal_mask(colour)[:-1] & ~own_eyes(game, colour).reshape(-1))
        action = int(self._rng.choice(points)) if len(points) else game.area
        share = 1 / max(1, len(points))
        thought = Thought(
            confidence=share,
            milliseconds=(time.perf_counter() - start) * 1000,
            note=f"one of {len(points)} legal moves at random" if len(points) else "nothing left but its own eyes",
        )
        return Decision(action, thought)

    def close(self) -> None:
        """Nothing to let go of."""


class EnginePlayer:
    """A GTP engine as a player; before each move the engine is told what changed in the game since its last one."""

    def __init__(
        self, engine: GtpEngine, name: str | None = None, *, seconds: float | None = None, restart: bool = True
    ) -> None:
        """`engine` is running; it belongs to this player from now on and is closed with it.

        `seconds`: how long it may think about a move, which is told to engines that know time settings. `restart`:
        start it again if it has died.
        """
        self.engine = engine
        self.name = name or engine.name
        self.seconds, self.restart = seconds, restart
        self._setup: tuple[int, bytes] | None = None  # what the engine's board started from
        self._komi: float | None = None
        self._moves: list[Move] = []  # what the engine has played since

    def choose(self, game: GoGame, colour: int | None = None) -> Decision:
        """Bring the engine to the game and ask for its move; UserError if it refuses the game or talks no sense."""
        start = time.perf_counter()
        colour = game.to_move if colour is None else colour
        try:
            if self.restart and not self.engine.is_running:
                self._restart()
            self._synchronise(game)
            # Engines keep to their time loosely; one that takes far longer hangs.
            patience = None if self.seconds is None else PATIENCE + 3 * self.seconds
            point = self.engine.genmove(colour, game.size, timeout=patience)
        except UserError:
            self._setup = None  # whatever the engine holds now, it is set up anew next time
            raise
        if point is not None:
            self._moves.append(Move(colour, point))
        thought = Thought(milliseconds=(time.perf_counter() - start) * 1000)
        return Decision(RESIGN if point is None else point, thought)

    def close(self) -> None:
        """End the engine's process."""
        self.engine.close()

    def final_score(self, game: GoGame) -> str:
        """The engine's verdict on the game, dead stones taken off, such as "B+3.5"; UserError if it has none."""
        self._synchronise(game)
        return self.engine.command("final_score")

    def _restart(self) -> None:
        self.engine.close()
        self.engine = GtpEngine(self.engine.argv, timeout=self.engine.timeout)
        self._setup = None

    def _synchronise(self, game: GoGame) -> None:
        setup = (game.size, game.initial_stones.tobytes())
        common = 0
        while common < min(len(self._moves), len(game.history)) and self._moves[common] == game.history[common]:
            common += 1
        surplus = len(self._moves) - common
        if setup != self._setup or (surplus and "undo" not in self.engine.commands):
            self._set_up(game)
            self._setup = setup
            common = surplus = 0
        if game.komi != self._komi:
            self.engine.command("komi", f"{game.komi:g}")
            self._komi = game.komi
        for _ in range(surplus):
            self.engine.command("undo")
        del self._moves[common:]
        for move in game.history[common:]:
            self.engine.play(move.colour, move.point, game.size)
            self._moves.append(move)

    def _set_up(self, game: GoGame) -> None:
        self.engine.new_game(game.size, game.komi)
        if self.seconds is not None:
            if "kata-time_settings" in self.engine.commands:
                self.engine.command("kata-time_settings", "byoyomi", "0", f"{self.seconds:g}", "1")
            elif "time_settings" in self.engine.commands:
                # Canadian byoyomi counts whole seconds
                self.engine.command("time_settings", "0", str(max(1, round(self.seconds))), "1")
        self._komi, self._moves = game.komi, []
        stones = game.initial_stones.reshape(-1)
        if len(game.handicap_stones) >= 2 and np.count_nonzero(stones) == len(game.handicap_stones):
            names = (point_to_gtp(point, game.size) for point in game.handicap_stones)
            self.engine.command("set_free_handicap", *names)
            return
        for point in np.flatnonzero(stones):
            self.engine.play(int(stones[point]), int(point), game.size)


class BackgroundPlayer:
    """Stands for a player that is still being loaded in a thread; `choose` waits for it.

    The window opens and the GTP server answers while the model is read from disk.
    """

    def __init__(
        self, name: str, load: Callable[[], Player], *, again: type[Exception] | tuple[type[Exception], ...] = ()
    ) -> None:
        """Start loading at once. `name` serves until the player is there and brings its own.

        After an error of the kind `again` the next question loads anew: an engine may start the second time.
        """
        self.name = name
        self._load = load
        self._again = again
        self._player: Player | None = None
        self._closed = False
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._told = False  # whether the error was raised
        self.error: Exception | None = None
        self._start()

    def _start(self) -> None:
        self.error, self._told = None, False
        self._done.clear()
        self._thread = threading.Thread(target=self._run, name=f"load {self.name}", daemon=True)
        self._thread.start()

    @property
    def hopeless(self) -> bool:
        """Whether the player could not be loaded and asking again will not help."""
        return self.error is not None and not isinstance(self.error, self._again)

    @property
    def loading(self) -> bool:
        """Whether the player is still being loaded."""
        return not self._done.is_set()

    def choose(self, game: GoGame, colour: int | None = None, *, seconds: float | None = None) -> Decision:
        """Wait until the player is loaded and let it choose; raises what loading raised. `seconds` is for agents."""
        if self._told and isinstance(self.error, self._again):
            self._start()
        self._done.wait()
        if self.error is not None:
            self._told = True
            raise self.error
        assert self._player is not None
        if isinstance(self._player, AgentPlayer):
            return self._player.choose(game, colour, seconds=seconds)
        return self._player.choose(game, colour)

    def foresee(self, decision: Decision, steps: int) -> Thought:
        """As the player itself, if it is an agent; the thought as it is otherwise. Waits until the player is loaded."""
        self._done.wait()
        return self._player.foresee(decision, steps) if isinstance(self._player, AgentPlayer) else decision.thought

    def analyse(
        self, game: GoGame, colour: int | None = None, *, allowed: np.ndarray | None = None
    ) -> Iterator[Analysis | None]:
        """As the player itself; yields None while it is being loaded. Raises what loading raised."""
        while not self._done.wait(0.05):
            yield None
        yield from self._judge().analyse(game, colour, allowed=allowed)

    def dead_stones(self, game: GoGame) -> list[list[int]]:
        """As the player itself, once it is loaded. Raises what loading raised."""
        self._done.wait()
        return self._judge().dead_stones(game)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait up to `timeout` seconds until loading has ended, well or not; returns whether it has."""
        return self._done.wait(timeout)

    def close(self) -> None:
        """Close the player; one that is still loading is closed as soon as it is there."""
        with self._lock:
            self._closed = True
            player = self._player
        if player is not None:
            player.close()

    def _judge(self) -> AgentPlayer:
        if self.error is not None:
            raise self.error
        if not isinstance(self._player, AgentPlayer):
            raise UserError(f"{self.name} does not judge positions; choose another player")
        return self._player

    def _run(self) -> None:
        try:
            player = self._load()
        except Exception as error:  # handed to whoever asks for a move; a thread has nobody to raise to
            self.error = error
            if not isinstance(error, UserError):
                logger.exception("loading %s failed", self.name)
        else:
            with self._lock:
                self._player = player
                self.name = player.name
                closed = self._closed
            if closed:
                player.close()
        finally:
            self._done.set()
