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
    from agents.players import BackgroundPlayer, Player
    from envs.go.gtp import GtpServer
    from ui.match import Match

logger = logging.getLogger(__name__)

NAME = "VideoWorld"
VERSION = "0.20.0"  # Lizzie wants a second number of 15 or more
DEFAULT_CHECKPOINT = Path(__file__).parent / "assets" / "checkpoints" / "go9-small"
DEFAULT_SIZE = 9
DEFAULT_KOMI, HANDICAP_KOMI = 7.0, 0.5
WATCHING_PACE = 0.6  # seconds between the moves of a game to watch in the window, at least

OVERVIEW = """\
usage: play.py MODE [options]

  play.py go                    play Go against the agent in a window (in the terminal where there is no display)
  play.py go --color white      the agent begins
  play.py go --vs self          watch the agent play itself; also --vs random and --vs gnugo
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
    add(
        "--vs", choices=("human", "self", "random", "gnugo"), default="human",
        help="who plays the agent (default: human, which is you)",
    )  # fmt: skip
    add(
        "--color", choices=("black", "white", "random"), default="black",
        help="your colour; in a game to watch, the agent's (default: black)",
    )  # fmt: skip
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


def load_agent(args: argparse.Namespace, size: int, seed: int) -> Player:
    """Load the agent of --checkpoint as a player; runs in a thread, and only here torch is imported."""
    from agents.analysis import GoAnalyst
    from agents.go_agent import GoAgent
    from agents.players import AgentPlayer
    from envs.go.renderer import renderer_for

    agent = GoAgent.load(args.checkpoint, temperature=args.temperature, symmetries=args.symmetries, seed=seed)
    if agent.size != size:
        raise UserError(f"the checkpoint {args.checkpoint} plays {agent.size}x{agent.size}; give --size {agent.size}")
    renderer = renderer_for(agent.geometry)
    return AgentPlayer(agent, renderer, analyst=GoAnalyst(agent, renderer))


def agent_in_background(args: argparse.Namespace, size: int, seed: int) -> BackgroundPlayer:
    """Start loading the agent."""
    from agents.players import BackgroundPlayer

    return BackgroundPlayer(NAME, lambda: load_agent(args, size, seed))


def opponent_in(mode: str, agent: Player, seed: int) -> Player | None:
    """Return who plays the agent with `--vs mode`; None is the human."""
    from agents.players import BackgroundPlayer, EnginePlayer, RandomPlayer
    from envs.go.engines import GtpEngine

    if mode == "gnugo":
        return BackgroundPlayer("GNU Go", lambda: EnginePlayer(GtpEngine("gnugo")))
    return {"human": None, "self": agent, "random": RandomPlayer(seed)}[mode]


def play_go(args: argparse.Namespace) -> None:
    """Set up the match that the options ask for and show it until it is closed."""
    from envs.go.engines import find_engine
    from envs.go.rules import BLACK, WHITE, GoGame, opponent
    from ui.match import Match
    from ui.record import GameRecord

    # Every mistake is found before anything slow begins.
    size = board_size(args)
    komi = args.komi if args.komi is not None else HANDICAP_KOMI if args.handicap else DEFAULT_KOMI
    # Engines know the simple ko only; among ourselves no position may come back, so that every game ends.
    ko_rule = "simple" if args.vs == "gnugo" else "positional"
    new_game = functools.partial(GoGame, size, komi=komi, ko_rule=ko_rule, handicap=args.handicap)
    new_game()
    if args.vs == "gnugo":
        find_engine("gnugo")
    if args.ui == "window" and (problem := display_problem()):
        raise UserError(f"{problem}; use --ui terminal")
    record = GameRecord(args.sgf)
    if args.sgf is not None and record.path != args.sgf:
        tell(f"{args.sgf} exists and stays as it is; this game is saved to {record.path}.")

    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(2**31)
    colours = {"black": BLACK, "white": WHITE, "random": random.Random(seed).choice((BLACK, WHITE))}
    agent = agent_in_background(args, size, seed)
    other = opponent_in(args.vs, agent, seed)
    # --color is the human's where there is one, else the agent's.
    own = opponent(colours[args.color]) if other is None else colours[args.color]
    match = Match(new_game, {own: agent, opponent(own): other}, record=record)
    try:
        show(match, args.ui)
    finally:
        match.close()
        if record.written:
            tell(f"The game is saved in {record.path}.")


def display_problem() -> str | None:
    """Return why no window can be opened, as far as the environment tells; None if nothing speaks against it."""
    named = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"))
    if sys.platform.startswith("linux") and not named:
        return "there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)"
    return None


def show(match: Match, ui: str) -> None:
    """Run the window or the terminal board; "auto" takes the terminal where no window can be opened, and says so."""
    from ui.terminal import TerminalBoard

    if ui != "terminal":
        problem = display_problem()
        if problem is None:
            os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # it greets on stdout
            from ui.board_window import BoardWindow, NoDisplayError

            try:
                window = BoardWindow(match)
            except NoDisplayError as error:
                if ui == "window":
                    raise
                problem = str(error).partition(";")[0]
            else:
                match.pace = WATCHING_PACE
                window.run()
                return
        tell(f"Playing in the terminal: {problem}.")
    TerminalBoard(match).run()


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

    size = board_size(args)
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(2**31)
    komi = args.komi if args.komi is not None else DEFAULT_KOMI
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
        run(parser().parse_args(words[1:]))
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
