"""Players: what the agent gets to see, engines kept in step with the game, and loading in the background."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from agents.agent import RESIGN, Agent, Decision, Thought
from agents.players import AgentPlayer, BackgroundPlayer, EnginePlayer, Player, RandomPlayer
from envs.errors import UserError
from envs.go.coords import gtp_to_point
from envs.go.engines import EngineError, GtpEngine
from envs.go.renderer import BoardGeometry, BoardRenderer, read_board
from envs.go.rules import BLACK, WHITE, GoGame, Move

PASS = 81


def at(name: str) -> int:
    return gtp_to_point(name, 9)


class Watcher:
    """An agent that remembers what it was given."""

    name = "Watcher"

    def __init__(self) -> None:
        self.seen: list[tuple[np.ndarray, np.ndarray | None, bool]] = []
        self.seconds: list[float | None] = []

    def decide(
        self,
        frame: np.ndarray,
        *,
        legal: np.ndarray | None = None,
        imagine: bool = True,
        komi: float = 7.0,
        seconds: float | None = None,
    ) -> Decision:
        self.seen.append((frame, legal, imagine))
        self.seconds.append(seconds)
        return Decision(40, Thought(frame=frame))

    def imagine(self, frame: np.ndarray, steps: int, *, action: int | None = None) -> np.ndarray:
        return np.repeat(frame[None], 0 if action == PASS else steps, 0)


def test_the_agent_gets_the_frame_and_the_legal_mask() -> None:
    watcher: Agent = Watcher()
    renderer = BoardRenderer()
    game = GoGame(9)
    game.play(at("C3"))
    assert AgentPlayer(watcher, renderer, imagine=False).choose(game).action == 40
    ((frame, legal, imagine),) = watcher.seen  # type: ignore[attr-defined]
    assert (frame == renderer.render_game(game)).all() and frame.dtype == np.uint8
    assert (legal == game.legal_mask()).all() and imagine is False


def test_the_agent_is_told_how_long_it_may_look() -> None:
    watcher = Watcher()
    player = BackgroundPlayer("Watcher", lambda: AgentPlayer(watcher, BoardRenderer()))
    player.choose(GoGame(9), seconds=0.5)
    player.choose(GoGame(9))
    assert watcher.seconds == [0.5, None]


def test_the_frame_shows_whose_move_is_asked_for() -> None:
    watcher = Watcher()
    renderer = BoardRenderer()
    game = GoGame(9)
    game.play(at("C3"))
    for colour in (BLACK, WHITE):
        AgentPlayer(watcher, renderer).choose(game, colour)
    read = read_board(np.stack([frame for frame, _, _ in watcher.seen]), renderer.geometry)
    assert read.to_move.tolist() == [BLACK, WHITE]
    assert game.to_move == WHITE  # the game itself is untouched


def test_what_it_foresees_is_read_back_as_boards() -> None:
    player, game = AgentPlayer(Watcher(), BoardRenderer()), GoGame(9)
    game.play(at("C3"))
    decision = player.choose(game)
    thought = player.foresee(decision, 4)
    assert thought.imagined is not None and thought.imagined.shape == (4, 80, 80, 3)
    assert thought.imagined_boards is not None and (thought.imagined_boards == game.stones).all()
    assert player.foresee(Decision(PASS, decision.thought), 4) is decision.thought, "it cannot picture this one"
    assert player.foresee(Decision(0), 4) == Thought(), "no frame was seen"
    loading = BackgroundPlayer("Watcher", lambda: player)
    assert loading.foresee(decision, 2).imagined_boards.shape == (2, 9, 9)  # type: ignore[union-attr]
    assert BackgroundPlayer("Random", RandomPlayer).foresee(decision, 2) is decision.thought


def test_the_ko_is_shown_only_to_whom_it_binds() -> None:
    game = GoGame(9)
    for name in ("C4", "D4", "D5", "E5", "D3", "E3", "A1", "F4", "E4"):
        game.play(at(name))
    assert game.ko_point == at("D4")
    watcher = Watcher()
    player = AgentPlayer(watcher, BoardRenderer())
    player.choose(game)
    player.choose(game, BLACK + WHITE - game.to_move)
    read = read_board(np.stack([frame for frame, _, _ in watcher.seen]), player.renderer.geometry)
    assert read.ko.tolist() == [game.ko_point, -1]


def test_another_board_size_is_refused() -> None:
    with pytest.raises(UserError, match="plays 9x9, not 13x13"):
        AgentPlayer(Watcher(), BoardRenderer(BoardGeometry(9))).choose(GoGame(13))


def test_random_players_finish_their_games_and_repeat_with_the_seed() -> None:
    def play() -> list[Move]:
        game, player = GoGame(5, ko_rule="positional"), RandomPlayer(seed=3)
        while not game.is_over:
            assert len(game.history) < 400
            game.play(player.choose(game).action)
        return game.history

    assert play() == play()


def test_a_random_player_keeps_its_eyes() -> None:
    game = GoGame(2)
    game.play(1, BLACK)
    game.play(2, BLACK)
    assert RandomPlayer().choose(game, BLACK).action == game.area
    game = GoGame(9)
    for name in ("D4", "E5", "D6", "C5"):
        game.play(at(name), BLACK)
    assert at("D5") not in {RandomPlayer(seed).choose(game, BLACK).action for seed in range(200)}


class FakeEngine:
    """Keeps the board it was told and plays the first empty point."""

    def __init__(self, undo: bool = True) -> None:
        self.name = "Fake"
        self.argv = ["fake"]
        self.timeout = 1.0
        self.commands = frozenset({"undo"} if undo else ())
        self.is_running = True
        self.log: list[str] = []
        self.game = GoGame(9)
        self.resigns = False
        self.fails = False
        self.closed = False

    def command(self, name: str, *words: str, timeout: float | None = None) -> str:
        self.log.append(" ".join((name, *words)))
        if self.fails:
            raise EngineError("the engine has gone")
        if name == "undo":
            self.game.undo()
        elif name == "komi":
            self.game.komi = float(words[0])
        elif name == "set_free_handicap":
            self.game.place_stones([at(word) for word in words], handicap=True)
        elif not name.endswith("time_settings"):
            raise AssertionError(name)
        return ""

    def new_game(self, size: int, komi: float) -> None:
        self.log.append("new_game")
        self.game = GoGame(size, komi=komi)

    def play(self, colour: int, point: int, size: int) -> None:
        self.log.append("play")
        if not self.game.history and colour == WHITE and self.game.to_move == BLACK:
            self.game.place_stones(white=[point])
        else:
            self.game.play(point, colour)

    def genmove(self, colour: int, size: int, *, timeout: float | None = None) -> int | None:
        self.log.append("genmove")
        if self.resigns:
            return None
        point = int(np.flatnonzero(self.game.legal_mask(colour))[0])
        self.game.play(point, colour)
        return point

    def close(self) -> None:
        self.closed = True


def engine_player(engine: FakeEngine) -> EnginePlayer:
    return EnginePlayer(engine)  # type: ignore[arg-type]


def test_an_engine_is_told_only_what_changed() -> None:
    engine, game = FakeEngine(), GoGame(9, komi=6.5)
    player = engine_player(engine)
    game.play(at("E5"))
    game.play(player.choose(game).action)
    assert engine.log == ["new_game", "play", "genmove"] and engine.game.komi == 6.5
    game.play(at("C3"))
    game.play(player.choose(game).action)
    assert engine.log[3:] == ["play", "genmove"]
    assert engine.game.history == game.history


def test_an_engine_follows_undo_komi_and_a_new_game() -> None:
    engine, game = FakeEngine(), GoGame(9)
    player = engine_player(engine)
    for name in ("E5", "C3"):
        game.play(at(name))
        game.play(player.choose(game).action)
    game.undo()
    game.undo()
    game.komi = 5.5
    game.play(at("D4"))
    engine.log.clear()
    game.play(player.choose(game).action)
    assert engine.log == ["komi 5.5", "undo", "undo", "play", "genmove"]
    assert engine.game.history == game.history and engine.game.komi == 5.5
    again = GoGame(9, komi=5.5)
    player.choose(again)
    assert len(engine.game.history) == 1


def test_an_answer_that_was_dropped_is_taken_back() -> None:
    engine, game = FakeEngine(), GoGame(9)
    player = engine_player(engine)
    player.choose(game)  # never played
    game.play(at("E5"))
    player.choose(game)
    assert engine.game.history[0] == Move(BLACK, at("E5")) and len(engine.game.history) == 2


def test_an_engine_without_undo_replays() -> None:
    engine, game = FakeEngine(undo=False), GoGame(9)
    player = engine_player(engine)
    player.choose(game)
    game.play(at("E5"))
    engine.log.clear()
    player.choose(game)
    assert engine.log == ["new_game", "play", "genmove"]


def test_handicap_and_setup_stones_reach_the_engine() -> None:
    engine, game = FakeEngine(), GoGame(9, handicap=3, komi=0.5)
    player = engine_player(engine)
    game.play(player.choose(game).action)
    assert engine.log[1].startswith("set_free_handicap C3 G7") and game.history[0].colour == WHITE
    setup = GoGame(9)
    setup.place_stones(white=[at("C3")])
    player.choose(setup)
    assert (engine.game.initial_stones == setup.initial_stones).all()


def test_an_engine_may_resign() -> None:
    engine = FakeEngine()
    engine.resigns = True
    assert engine_player(engine).choose(GoGame(9)).action == RESIGN


def test_after_trouble_the_engine_is_set_up_anew() -> None:
    engine, game = FakeEngine(), GoGame(9)
    player = engine_player(engine)
    player.choose(game)
    engine.fails = True
    game.komi = 1.0
    with pytest.raises(EngineError):
        player.choose(game)
    engine.fails = False
    engine.log.clear()
    player.choose(game)
    assert engine.log == ["new_game", "genmove"]


def test_a_dead_engine_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = FakeEngine(), FakeEngine()
    monkeypatch.setattr("agents.players.GtpEngine", lambda argv, timeout: second)
    player = engine_player(first)
    player.choose(GoGame(9))
    first.is_running = False
    assert player.choose(GoGame(9)).action == 0
    assert first.closed and second.log == ["new_game", "genmove"]
    player.close()
    assert second.closed


def test_gnugo_plays_along() -> None:
    try:
        engine = GtpEngine("gnugo")
    except UserError as error:
        pytest.skip(str(error))
    player = EnginePlayer(engine)
    game = GoGame(9, komi=0.5, handicap=2)
    for _ in range(2):
        game.play(player.choose(game).action)
        game.play(int(np.flatnonzero(game.legal_mask())[0]))
    for _ in range(3):
        game.undo()
    game.play(player.choose(game).action)
    assert player.name == "GNU Go" and len(game.history) == 2
    player.close()


def test_background_loading() -> None:
    gate = threading.Event()

    def load() -> Player:
        assert gate.wait(20)
        return RandomPlayer(1)

    player = BackgroundPlayer("soon", load)
    assert player.loading and player.name == "soon" and not player.wait(0.01)
    gate.set()
    assert 0 <= player.choose(GoGame(9)).action < PASS
    assert not player.loading and player.name == "Random"


def test_background_loading_that_fails() -> None:
    def load() -> Player:
        raise UserError("nothing there")

    player = BackgroundPlayer("never", load)
    with pytest.raises(UserError, match="nothing there"):
        player.choose(GoGame(9))
    player.close()


def test_a_player_closed_while_loading_is_closed_when_loaded() -> None:
    gate, engine = threading.Event(), FakeEngine()

    def load() -> Player:
        assert gate.wait(20)
        return engine_player(engine)

    player = BackgroundPlayer("late", load)
    player.close()
    gate.set()
    assert player.wait(20)
    end = time.monotonic() + 5
    while not engine.closed:
        assert time.monotonic() < end
        time.sleep(0.002)


def test_loading_again_after_an_error_of_the_kind_that_may_pass() -> None:
    tries: list[int] = []

    def load() -> Player:
        tries.append(1)
        if len(tries) < 3:
            raise EngineError("it did not start")
        return RandomPlayer()

    player = BackgroundPlayer("Engine", load, again=EngineError)
    for attempt in (1, 2):
        with pytest.raises(EngineError, match="did not start"):
            player.choose(GoGame(9))
        assert len(tries) == attempt and not player.hopeless
    assert player.choose(GoGame(9)).action >= 0
    lost = BackgroundPlayer("Engine", lambda: tries[9])  # type: ignore[arg-type, return-value]
    assert lost.wait(20) and lost.hopeless


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"time_settings"}, "time_settings 0 2 1"),
        ({"time_settings", "kata-time_settings"}, "kata-time_settings byoyomi 0 1.5 1"),
        (set(), ""),
    ],
)
def test_engines_are_told_their_time(known: set[str], said: str) -> None:
    engine = FakeEngine()
    engine.commands = frozenset(engine.commands | known)
    EnginePlayer(engine, seconds=1.5).choose(GoGame(9))  # type: ignore[arg-type]
    assert [line for line in engine.log if "time_settings" in line] == ([said] if said else [])
