#!/usr/bin/env python3
"""The front door: play against an agent that learned from video, watch it play, or let a Go program talk to it.

This file reads the command line and connects the parts. Whatever is slow to import is imported where it is used, so
that help and mistakes answer at once.
"""

from __future__ import annotations

import argparse
import functools
import logging
import os
import random
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from agents.checkpoint_config import checkpoint_frames, checkpoint_has_outlook
from envs.errors import UserError
from ui.display import check_display, display_problem
from ui.options import LOOKAHEAD, ask_parser, calvin_parser, dream_parser, go_parser, gtp_parser, rlbench_parser

if TYPE_CHECKING:
    from agents.go_agent import GoAgent
    from agents.go_model import GoModel
    from agents.players import BackgroundPlayer, Player
    from envs.go.gtp import GtpServer
    from ui.board_window import BoardWindow
    from ui.lobby import Lobby, Setup
    from ui.match import Match

logger = logging.getLogger(__name__)

NAME = "VideoWorld"
VERSION = "0.20.0"  # Lizzie wants a second number of 15 or more
DEFAULT_SIZE = 9

OVERVIEW = """\
usage: play.py MODE [options]

  play.py go                    play Go against the agent in a window (in the terminal where there is no display)
  play.py go --color white      the agent begins
  play.py go --vs self          watch the agent play itself; also --vs gnugo, a checkpoint or any GTP engine
  play.py go GAME.sgf           look at a game with the agent's thoughts, and play on from any move
  play.py dream go              play inside the agent's imagination: the board is whatever it draws
  play.py gtp                   a GTP engine for Sabaki and other Go programs
  play.py calvin                watch a robot at CALVIN's play table, steer it yourself and record it
  play.py rlbench               the same at RLBench's tasks
  play.py ask IMAGE "..."       ask about a picture, a position or a scene; the answer marks what it speaks of

play.py MODE --help lists the options of a mode.
"""


# Wiring


def agent_frames(args: argparse.Namespace) -> dict[str, Any]:
    """Return what the agent's checkpoint says about its frames, before it is loaded; UserError if there is none."""
    return checkpoint_frames(args.checkpoint, "give its folder with --checkpoint FOLDER")


def board_size(args: argparse.Namespace) -> int:
    """Return the board size to play on; raises UserError if the checkpoint plays another one than --size."""
    from envs.go.rules import check_size

    if args.size is not None:
        check_size(args.size)
    own = agent_frames(args).get("size")
    if not isinstance(own, int):
        return DEFAULT_SIZE if args.size is None else int(args.size)
    if args.size not in (None, own):
        raise UserError(
            f"--size {args.size} does not fit the checkpoint {args.checkpoint}, which plays {own}x{own}; leave it out"
        )
    return own


def lookahead_of(args: argparse.Namespace) -> int:
    """Return how many frames the agent imagines before a move; UserError if it is asked for what it cannot."""
    able = checkpoint_has_outlook(args.checkpoint)
    if args.lookahead and not able:
        raise UserError(f"the checkpoint {args.checkpoint} was trained without an outlook; leave --lookahead out")
    return (LOOKAHEAD if able else 0) if args.lookahead is None else int(args.lookahead)


_loading = threading.Lock()


def networks(checkpoint: Path) -> GoModel:
    """The networks of a checkpoint, loaded once: every game and dream has an agent of its own around them."""
    with _loading:  # the second thread that asks finds what the first has loaded
        return _load_networks(checkpoint)


@functools.lru_cache(maxsize=1)
def _load_networks(checkpoint: Path) -> GoModel:
    from agents.go_model import load_go_model

    return load_go_model(checkpoint)


def load_go_agent(args: argparse.Namespace, seed: int) -> GoAgent:
    """Load the agent of --checkpoint; runs in a thread, and only here torch is imported."""
    from agents.go_agent import GoAgent

    return GoAgent(
        networks(args.checkpoint),
        temperature=args.temperature,
        symmetries=args.symmetries,
        lookahead=lookahead_of(args),
        seed=seed,
        name=NAME,
    )


def load_agent(args: argparse.Namespace, size: int, seed: int) -> Player:
    """Load the agent of --checkpoint as a player; runs in a thread."""
    from agents.analysis import GoAnalyst
    from agents.players import AgentPlayer
    from envs.go.renderer import renderer_for

    agent = load_go_agent(args, seed)
    if agent.size != size:
        raise UserError(f"the checkpoint {args.checkpoint} plays {agent.size}x{agent.size}; give --size {agent.size}")
    renderer = renderer_for(agent.geometry)
    return AgentPlayer(agent, renderer, analyst=GoAnalyst(agent, renderer))


def agent_in_background(args: argparse.Namespace, size: int, seed: int) -> BackgroundPlayer:
    """Start loading the agent."""
    from agents.players import BackgroundPlayer

    return BackgroundPlayer(NAME, lambda: load_agent(args, size, seed))


def play_go(args: argparse.Namespace) -> None:
    """Set up the game that the options ask for and show it until it is closed."""
    from ui.lobby import Setup, seats_for
    from ui.record import GameRecord
    from ui.review import read_record

    # Every mistake is found before anything slow begins.
    size, seed = board_size(args), seed_of(args)
    black, white = seats_for(args.vs, own_colour(args, seed))
    setup = Setup(
        black,
        white,
        komi=args.komi,
        handicap=args.handicap,
        seconds=args.time,
        temperature=args.temperature,
        symmetries=args.symmetries,
        lookahead=lookahead_of(args),
    )
    lobby = make_lobby(args, size, seed)
    lobby.check(setup)
    if args.game is not None:
        read_record(args.game)
    check_display(args)
    if args.sgf is not None and (place := GameRecord(args.sgf).path) != args.sgf:
        tell(f"{args.sgf} exists and stays as it is; this game is saved to {place}.")
    try:
        show(lobby, setup, args)
    finally:
        tell_saved(lobby)


def dream(args: argparse.Namespace) -> None:
    """Set up the dream that the options ask for and show it until it is closed."""
    from ui.lobby import HUMAN, Setup, seats_for

    size, seed = board_size(args), seed_of(args)
    black, white = seats_for(HUMAN, own_colour(args, seed))
    setup = Setup(black, white, komi=args.komi, temperature=args.temperature)
    lobby = make_lobby(args, size, seed)
    lobby.check_dream(setup)
    check_display(args)
    try:
        show_dream(lobby, setup, args)
    finally:
        tell_saved(lobby)


def seed_of(args: argparse.Namespace) -> int:
    """Return --seed, or another one each time."""
    return args.seed if args.seed is not None else random.SystemRandom().randrange(2**31)


def own_colour(args: argparse.Namespace, seed: int) -> int:
    """Return the colour that --color asks for."""
    from envs.go.rules import BLACK, WHITE

    return {"black": BLACK, "white": WHITE, "random": random.Random(seed).choice((BLACK, WHITE))}[args.color]


def make_lobby(args: argparse.Namespace, size: int, seed: int) -> Lobby:
    """Return what makes games and dreams with the agent of --checkpoint."""
    from envs.go.renderer import STYLE_WITH_TURN
    from ui.asker import make_asker
    from ui.lobby import Lobby

    make_asker(args.ask)  # a model that is named in vain is told now

    def asked(wanted: Setup) -> argparse.Namespace:
        how = {key: getattr(wanted, key) for key in ("temperature", "symmetries", "lookahead")}
        return argparse.Namespace(**{**vars(args), **how})

    return Lobby(
        size,
        lambda wanted: load_agent(asked(wanted), size, seed),
        load_dreamer=lambda wanted: load_go_agent(asked(wanted), seed),
        style=str(agent_frames(args).get("style", STYLE_WITH_TURN)),
        blind="" if checkpoint_has_outlook(args.checkpoint) else f"{NAME} was trained without an outlook.",
        make_asker=functools.partial(make_asker, args.ask),
        agent_name=NAME,
        seed=seed,
        sgf=args.sgf,
    )


def tell_saved(lobby: Lobby) -> None:
    """Say where the last game and the last film are."""
    if lobby.record is not None and lobby.record.written:
        tell(f"The game is saved in {lobby.record.path}.")
    if lobby.last_dream is not None and lobby.last_dream.film is not None:
        tell(f"The film of the dream is saved in {lobby.last_dream.film}.")


def open_window(lobby: Lobby, setup: Setup, args: argparse.Namespace, verb: str) -> BoardWindow | None:
    """Open the window on its start screen; None for the terminal, which "auto" takes and tells where there is none."""
    if args.ui == "terminal":
        return None
    problem = display_problem()
    if problem is None:
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # it greets on stdout
        from ui.board_window import BoardWindow, NoDisplayError
        from ui.settings import Settings

        try:
            return BoardWindow(lobby=lobby, setup=setup, settings=Settings.load(), size=None)
        except NoDisplayError as error:
            if args.ui == "window":
                raise
            problem = str(error).partition(";")[0]
    tell(f"{verb} in the terminal: {problem}.")
    return None


def show(lobby: Lobby, setup: Setup, args: argparse.Namespace) -> None:
    """Run the window or the terminal board."""
    window = open_window(lobby, setup, args, "Playing")
    if window is not None:
        if args.explicit:
            window.show(open_match(lobby, setup, args))
        window.run()
        return
    from ui.terminal import TerminalBoard

    match = open_match(lobby, setup, args)
    try:
        TerminalBoard(match).run()
    finally:
        match.close()


def show_dream(lobby: Lobby, setup: Setup, args: argparse.Namespace) -> None:
    """Run the window, in the dream, or the dream in the terminal."""
    window = open_window(lobby, setup, args, "Dreaming")
    if window is not None:
        window.show_dream(lobby.dream(setup))
        window.run()
        return
    from ui.dream_terminal import TerminalDream

    TerminalDream(lobby.dream(setup)).run()


def open_match(lobby: Lobby, setup: Setup, args: argparse.Namespace) -> Match:
    """Start the match that the options ask for, with the game to look at, if one is named."""
    match = lobby.open(setup)
    if args.game is not None:
        match.open_record(args.game)
    return match


def serve_gtp(args: argparse.Namespace) -> None:
    """Answer GTP commands until quit or the end of the input; the model is loaded meanwhile."""
    from envs.go.gtp_protocol import Inbox, answer_early

    # Whatever a library prints must not reach the protocol: stdout becomes stderr for everyone else.
    sys.stdout.flush()
    protocol = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    inbox, ready = Inbox(sys.stdin.buffer), threading.Event()
    servers: list[GtpServer] = []
    mistakes: list[Exception] = []

    def prepare() -> None:
        try:
            servers.append(gtp_server(args))
        except Exception as error:  # raised again below; a thread has nobody to raise to
            mistakes.append(error)
        ready.set()

    threading.Thread(target=prepare, name="prepare", daemon=True).start()
    try:
        if not answer_early(inbox, protocol, ready, name=NAME, version=VERSION):
            return
        if mistakes:
            raise mistakes[0]
        servers[0].serve(inbox, protocol)
    except BrokenPipeError:
        logger.debug("the controller went away")


def gtp_server(args: argparse.Namespace) -> GtpServer:
    """Return the engine behind GTP; its model is being loaded."""
    from envs.go.gtp import GtpServer
    from ui.lobby import EVEN_KOMI

    size = board_size(args)
    lookahead_of(args)
    seed = seed_of(args)
    komi = args.komi if args.komi is not None else EVEN_KOMI
    return GtpServer(agent_in_background(args, size, seed), size=size, komi=komi, name=NAME, version=VERSION)


def watch_robot(args: argparse.Namespace) -> None:
    """Show a robot at work until its window is closed."""
    problem = "a robot is watched in a window only" if args.ui == "terminal" else display_problem()
    if problem is not None:
        raise UserError(
            f"{problem}; python -m agents.rollout {args.mode} lets an agent act without one and counts successes"
        )
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # it greets on stdout
    from ui.robot_start import robot_session
    from ui.robot_window import RobotWindow
    from ui.settings import Settings

    session = robot_session(args, seed_of(args))
    try:
        RobotWindow(session, settings=Settings.load(), title=f"{NAME} robot").run()
    finally:
        session.close()  # where no window came about
        if session.farewell is not None:
            tell(session.farewell)


def ask(args: argparse.Namespace) -> None:
    """Answer a question about a picture, or those that are typed."""
    from ui.ask import answer_questions

    answer_questions(args, seed_of(args), tell)


def tell(sentence: str) -> None:
    """Say something that is no result: on stderr."""
    print(sentence, file=sys.stderr, flush=True)


MODES: dict[str, tuple[Callable[[], argparse.ArgumentParser], Callable[[argparse.Namespace], None]]] = {
    "go": (go_parser, play_go),
    "dream": (dream_parser, dream),
    "gtp": (gtp_parser, serve_gtp),
    "calvin": (calvin_parser, watch_robot),
    "rlbench": (rlbench_parser, watch_robot),
    "ask": (ask_parser, ask),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the front door; returns the exit status: 0, 2 after a mistake of the user, 130 after Ctrl-C."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        print(OVERVIEW, end="")
        return 0
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    try:
        if words[0] not in MODES:
            raise UserError(f"there is no mode {words[0]!r}; choose {', '.join(MODES)}")
        parser, run = MODES[words[0]]
        args = parser().parse_args(words[1:])
        # Whoever names nothing but the models is asked the rest on the start screen.
        options = {word.partition("=")[0] for word in words[1:] if word.startswith("--")}
        args.explicit = bool(options - {"--checkpoint", "--ask"})
        args.explicit = args.explicit or getattr(args, "game", None) is not None
        run(args)
    except UserError as error:
        tell(f"play.py: {error}")
        return 2
    except KeyboardInterrupt:
        tell("Stopped.")
        return 130
    return 0


def leave(status: int) -> NoReturn:
    """End the process now, even while a thread is still loading or thinking in native code, which cannot be stopped."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    if threading.active_count() > 1:
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    leave(main())
