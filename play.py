#!/usr/bin/env python3
"""The front door: play against an agent that learned from video, watch it play, or let a Go program talk to it.

This file reads the command line and connects the parts. Whatever is slow to import is imported where it is used, so
that help and mistakes answer at once.
"""

from __future__ import annotations

import argparse
import functools
import logging
import math
import os
import random
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from envs.errors import UserError

if TYPE_CHECKING:
    from agents.go_agent import GoModel
    from agents.players import BackgroundPlayer, Player
    from envs.go.gtp import GtpServer
    from ui.lobby import Lobby, Setup
    from ui.match import Match

logger = logging.getLogger(__name__)

NAME = "VideoWorld"
VERSION = "0.20.0"  # Lizzie wants a second number of 15 or more
DEFAULT_CHECKPOINT = Path(__file__).parent / "assets" / "checkpoints" / "go9-small"
DEFAULT_SIZE = 9

OVERVIEW = """\
usage: play.py MODE [options]

  play.py go                    play Go against the agent in a window (in the terminal where there is no display)
  play.py go --color white      the agent begins
  play.py go --vs self          watch the agent play itself; also --vs gnugo, a checkpoint or any GTP engine
  play.py go GAME.sgf           look at a game with the agent's thoughts, and play on from any move
  play.py gtp                   a GTP engine for Sabaki and other Go programs

play.py MODE --help lists the options of a mode.
"""


class _Parser(argparse.ArgumentParser):
    """Mistakes become one sentence instead of a usage text."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see {self.prog} --help")


def whole_number(text: str) -> int:
    """Return a whole number of zero or more; argparse shows the error."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of zero or more")
    return int(text)


def finite_number(text: str) -> float:
    """Return a number that is neither infinite nor nan; argparse shows the error."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text!r} is no plain number such as 7 or 6.5")
    return number


def temperature(text: str) -> float:
    """Return a finite number of zero or more; argparse shows the error."""
    number = finite_number(text)
    if number < 0:
        raise argparse.ArgumentTypeError(
            f"{text} is below zero; give 0 for the best move, 1 to follow its probabilities"
        )
    return number


def seconds(text: str) -> float:
    """Return a finite number above zero; argparse shows the error."""
    number = finite_number(text)
    if number <= 0:
        raise argparse.ArgumentTypeError(f"{text} is no time to think; give seconds above zero")
    return number


def agent_options() -> argparse.ArgumentParser:
    """Return the options that every mode with a Go agent has."""
    options = argparse.ArgumentParser(add_help=False)
    add = options.add_argument
    add(
        "--checkpoint", type=Path, metavar="FOLDER", default=DEFAULT_CHECKPOINT,
        help="the trained agent (default: the shipped go9-small)",
    )  # fmt: skip
    add("--size", type=whole_number, metavar="N", help="board size; has to be the checkpoint's, which is the default")
    add("--komi", type=finite_number, metavar="POINTS", help="points for White (default: 7, with a handicap 0.5)")
    add(
        "--temperature", type=temperature, default=0.0, metavar="T",
        help="0 plays the best move, 1 draws lots by probability (default: 0)",
    )  # fmt: skip
    add(
        "--symmetries", type=int, choices=(1, 8), default=1,
        help="8 looks at the board in all its orientations: slower and better (default: 1)",
    )  # fmt: skip
    add("--seed", type=whole_number, metavar="N", help="makes chance repeatable (default: another one each time)")
    return options


def go_parser() -> argparse.ArgumentParser:
    """Return the command line of `play.py go`."""
    what = "Play Go against the agent, or watch it play."
    parser = _Parser("play.py go", description=what, parents=[agent_options()], allow_abbrev=False)
    add = parser.add_argument
    add("game", type=Path, nargs="?", metavar="GAME.sgf", help="a game to look at instead")
    add(
        "--vs", default="human", metavar="WHO",
        help="who plays the agent: human (the default, which is you), self, random, gnugo, pachi, katago, a checkpoint "
        "folder, or the command of a GTP engine in quotes",
    )  # fmt: skip
    add(
        "--color", choices=("black", "white", "random"), default="black",
        help="your colour; in a game to watch, the agent's (default: black)",
    )  # fmt: skip
    add("--time", type=seconds, metavar="SECONDS", help="for each move of an engine that knows time settings")
    add("--handicap", type=whole_number, default=0, metavar="N", help="Black's stones at the start (default: none)")
    add(
        "--ui", choices=("auto", "window", "terminal"), default="auto",
        help="auto takes the window where there is a display (default: auto)",
    )  # fmt: skip
    add(
        "--sgf", type=Path, metavar="FILE",
        help="where the game is saved after every move (default: a dated file in your data folder)",
    )  # fmt: skip
    return parser


def gtp_parser() -> argparse.ArgumentParser:
    """Return the command line of `play.py gtp`."""
    what = "Speak GTP 2 on stdin and stdout, for Sabaki and other Go programs."
    return _Parser("play.py gtp", description=what, parents=[agent_options()], allow_abbrev=False)


# Wiring


def checkpoint_size(folder: Path) -> int | None:
    """Return the board size that a checkpoint's `config.yaml` names, None if it names none.

    Reads only that file, so it answers long before the model is loaded; raises UserError where there is no checkpoint.
    """
    import yaml

    path = folder / "config.yaml"
    if not path.is_file():
        raise UserError(
            f"there is no checkpoint in {folder} (no config.yaml); give its folder with --checkpoint FOLDER"
        )
    try:
        config: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise UserError(f"{path} cannot be read ({' '.join(str(error).split())}); copy the checkpoint anew") from error
    frames = config.get("frames") if isinstance(config, dict) else None
    size = frames.get("size") if isinstance(frames, dict) else None
    return size if isinstance(size, int) else None


def board_size(args: argparse.Namespace) -> int:
    """Return the board size to play on; raises UserError if the checkpoint plays another one than --size."""
    from envs.go.rules import check_size

    if args.size is not None:
        check_size(args.size)
    own = checkpoint_size(args.checkpoint)
    if own is None:
        return DEFAULT_SIZE if args.size is None else int(args.size)
    if args.size not in (None, own):
        raise UserError(
            f"--size {args.size} does not fit the checkpoint {args.checkpoint}, which plays {own}x{own}; leave it out"
        )
    return own


@functools.lru_cache(maxsize=1)
def networks(checkpoint: Path) -> GoModel:
    """The networks of a checkpoint, loaded once: each game with other settings gets an agent of its own around them."""
    from agents.go_agent import load_go_model

    return load_go_model(checkpoint)


def load_agent(args: argparse.Namespace, size: int, seed: int) -> Player:
    """Load the agent of --checkpoint as a player; runs in a thread, and only here torch is imported."""
    from agents.analysis import GoAnalyst
    from agents.go_agent import GoAgent
    from agents.players import AgentPlayer
    from envs.go.renderer import renderer_for

    agent = GoAgent(
        networks(args.checkpoint), temperature=args.temperature, symmetries=args.symmetries, seed=seed, name=NAME
    )
    if agent.size != size:
        raise UserError(f"the checkpoint {args.checkpoint} plays {agent.size}x{agent.size}; give --size {agent.size}")
    renderer = renderer_for(agent.geometry)
    return AgentPlayer(agent, renderer, analyst=GoAnalyst(agent, renderer))


def agent_in_background(args: argparse.Namespace, size: int, seed: int) -> BackgroundPlayer:
    """Start loading the agent."""
    from agents.players import BackgroundPlayer

    return BackgroundPlayer(NAME, lambda: load_agent(args, size, seed))


def play_go(args: argparse.Namespace) -> None:
    """Set up what the options ask for and show it until it is closed."""
    from envs.go.rules import BLACK, WHITE
    from ui.lobby import Lobby, Setup, seats_for
    from ui.record import GameRecord
    from ui.review import read_record

    # Every mistake is found before anything slow begins.
    size = board_size(args)
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(2**31)
    own = {"black": BLACK, "white": WHITE, "random": random.Random(seed).choice((BLACK, WHITE))}[args.color]
    black, white = seats_for(args.vs, own)
    setup = Setup(
        black, white, komi=args.komi, handicap=args.handicap, temperature=args.temperature, symmetries=args.symmetries
    )

    def load(wanted: Setup) -> Player:
        options = {**vars(args), "temperature": wanted.temperature, "symmetries": wanted.symmetries}
        return load_agent(argparse.Namespace(**options), size, seed)

    lobby = Lobby(size, load, agent_name=NAME, seed=seed, sgf=args.sgf, seconds=args.time)
    lobby.check(setup)
    if args.game is not None:
        read_record(args.game)
    if args.ui == "window" and (problem := display_problem()):
        raise UserError(f"{problem}; use --ui terminal")
    if args.sgf is not None and (place := GameRecord(args.sgf).path) != args.sgf:
        tell(f"{args.sgf} exists and stays as it is; this game is saved to {place}.")
    try:
        show(lobby, setup, args)
    finally:
        if lobby.record is not None and lobby.record.written:
            tell(f"The game is saved in {lobby.record.path}.")


def display_problem() -> str | None:
    """Return why no window can be opened, as far as the environment tells; None if nothing speaks against it."""
    named = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"))
    if sys.platform.startswith("linux") and not named:
        return "there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)"
    return None


def show(lobby: Lobby, setup: Setup, args: argparse.Namespace) -> None:
    """Run the window or the terminal board; "auto" takes the terminal where no window can be opened, and says so."""
    if args.ui != "terminal":
        problem = display_problem()
        if problem is None:
            os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # it greets on stdout
            from ui.board_window import BoardWindow, NoDisplayError
            from ui.settings import Settings

            try:
                window = BoardWindow(lobby=lobby, setup=setup, settings=Settings.load(), size=None)
            except NoDisplayError as error:
                if args.ui == "window":
                    raise
                problem = str(error).partition(";")[0]
            else:
                if args.explicit:
                    window.show(open_match(lobby, setup, args))
                window.run()
                return
        tell(f"Playing in the terminal: {problem}.")
    from ui.terminal import TerminalBoard

    match = open_match(lobby, setup, args)
    try:
        TerminalBoard(match).run()
    finally:
        match.close()


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
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(2**31)
    komi = args.komi if args.komi is not None else EVEN_KOMI
    return GtpServer(agent_in_background(args, size, seed), size=size, komi=komi, name=NAME, version=VERSION)


def tell(sentence: str) -> None:
    """Say something that is no result: on stderr."""
    print(sentence, file=sys.stderr, flush=True)


MODES: dict[str, tuple[Callable[[], argparse.ArgumentParser], Callable[[argparse.Namespace], None]]] = {
    "go": (go_parser, play_go),
    "gtp": (gtp_parser, serve_gtp),
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
            raise UserError(f"there is no mode {words[0]!r}; choose {' or '.join(MODES)}")
        parser, run = MODES[words[0]]
        args = parser().parse_args(words[1:])
        # Whoever names nothing but the agent is asked the rest on the start screen.
        args.explicit = any(word.partition("=")[0] != "--checkpoint" for word in words[1:] if word.startswith("--"))
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
