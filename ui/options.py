"""The command lines of play.py. Nothing slow is imported here, so that help and mistakes answer at once."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any, NoReturn

from agents.checkpoint_config import MOST_LOOKAHEAD
from envs.errors import UserError
from ui.robot_speeds import SPEEDS

DEFAULT_CHECKPOINT = Path(__file__).parent.parent / "assets" / "checkpoints" / "go9-small"
ROBOT_CHECKPOINTS = {
    "calvin": DEFAULT_CHECKPOINT.parent / "calvin-small",
    "rlbench": DEFAULT_CHECKPOINT.parent / "robots-small",
}
ASK_CHECKPOINT = DEFAULT_CHECKPOINT.parent / "ask-small"
WORLDS = ("go",)
LOOKAHEAD = 64  # frames that are imagined before a move, about a quarter of a second's


class _Parser(argparse.ArgumentParser):
    """Mistakes become one sentence instead of a usage text."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see {self.prog} --help")


def whole_number(text: str) -> int:
    """Return a whole number of zero or more; argparse shows the error."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of zero or more")
    return int(text)


def frames_ahead(text: str) -> int:
    """Return how many frames to imagine before a move; argparse shows the error."""
    number = whole_number(text)
    if number > MOST_LOOKAHEAD:
        raise argparse.ArgumentTypeError(f"{text} frames are too many to imagine; give 0 to {MOST_LOOKAHEAD}")
    return number


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


def world(text: str) -> str:
    """Return the name of something to dream of; argparse shows the error."""
    if text not in WORLDS:
        raise argparse.ArgumentTypeError(f"there is no dream of {text!r}; choose {' or '.join(WORLDS)}")
    return text


def _options() -> argparse.ArgumentParser:
    """Return the options of every mode with a Go agent."""
    options = argparse.ArgumentParser(add_help=False)
    add = options.add_argument
    add(
        "--checkpoint", type=Path, metavar="FOLDER", default=DEFAULT_CHECKPOINT,
        help="the trained agent (default: the shipped go9-small)",
    )  # fmt: skip
    add("--komi", type=finite_number, metavar="POINTS", help="points for White (default: 7, with a handicap 0.5)")
    add(
        "--temperature", type=temperature, default=0.0, metavar="T",
        help="0 plays the best move, 1 draws lots by probability (default: 0)",
    )  # fmt: skip
    add("--seed", type=whole_number, metavar="N", help="makes chance repeatable (default: another one each time)")
    return options


def _asking_options() -> argparse.ArgumentParser:
    """Return the options of the windows in which one can ask about what is shown."""
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument(
        "--ask",
        type=Path,
        metavar="FOLDER",
        help="the model that answers your questions (default: the shipped ask-small)",
    )
    return options


def _player_options() -> argparse.ArgumentParser:
    """Return the options of the modes in which the agent plays on a real board."""
    options = argparse.ArgumentParser(add_help=False, parents=[_options()])
    add = options.add_argument
    add("--size", type=whole_number, metavar="N", help="board size; has to be the checkpoint's, which is the default")
    add(
        "--symmetries", type=int, choices=(1, 8), default=1,
        help="8 looks at the board in all its orientations: slower and better (default: 1)",
    )  # fmt: skip
    add(
        "--lookahead", type=frames_ahead, metavar="N",
        help=f"frames it imagines before a move, 0 for none: more are slower and better (default: {LOOKAHEAD}, or none "
        "where the checkpoint cannot)",
    )  # fmt: skip
    return options


def _person_options() -> argparse.ArgumentParser:
    """Return the options of the modes in which somebody plays or watches."""
    options = argparse.ArgumentParser(add_help=False)
    add = options.add_argument
    add(
        "--color", choices=("black", "white", "random"), default="black",
        help="your colour; in a game to watch, the agent's (default: black)",
    )  # fmt: skip
    add(
        "--ui", choices=("auto", "window", "terminal"), default="auto",
        help="auto takes the window where there is a display (default: auto)",
    )  # fmt: skip
    return options


def go_parser() -> argparse.ArgumentParser:
    """Return the command line of `play.py go`."""
    what = "Play Go against the agent, or watch it play."
    parents = [_player_options(), _person_options(), _asking_options()]
    parser = _Parser("play.py go", description=what, parents=parents, allow_abbrev=False)
    add = parser.add_argument
    add("game", type=Path, nargs="?", metavar="GAME.sgf", help="a game to look at instead")
    add(
        "--vs", default="human", metavar="WHO",
        help="who plays the agent: human (the default, which is you), self, random, gnugo, pachi, katago, a checkpoint "
        "folder, or the command of a GTP engine in quotes",
    )  # fmt: skip
    add("--time", type=seconds, metavar="SECONDS", help="for each move of an engine that knows time settings")
    add("--handicap", type=whole_number, default=0, metavar="N", help="Black's stones at the start (default: none)")
    add(
        "--sgf", type=Path, metavar="FILE",
        help="where the game is saved after every move (default: a dated file in your data folder)",
    )  # fmt: skip
    return parser


def dream_parser() -> argparse.ArgumentParser:
    """Return the command line of `play.py dream`."""
    what = "Play inside the agent's imagination: the board is whatever frames it draws."
    parents = [_options(), _person_options()]
    parser = _Parser("play.py dream", description=what, parents=parents, allow_abbrev=False)
    parser.add_argument("world", type=world, metavar="go", help="what to dream of")
    parser.set_defaults(size=None, symmetries=1, lookahead=0, sgf=None, ask=None)  # of the games that may follow
    return parser


def gtp_parser() -> argparse.ArgumentParser:
    """Return the command line of `play.py gtp`."""
    what = "Speak GTP 2 on stdin and stdout, for Sabaki and other Go programs."
    return _Parser("play.py gtp", description=what, parents=[_player_options()], allow_abbrev=False)


def pace(text: str) -> float:
    """Return a speed of the robot window, infinity for "max"; argparse shows the error."""
    found = {"max": math.inf, **{f"{speed:g}": speed for speed in SPEEDS}, **{w: s for s, w in SPEEDS.items()}}
    if text not in found:
        raise argparse.ArgumentTypeError(f"there is no speed {text!r}; choose 0.25, 0.5, 1, 2, 4 or max")
    return found[text]


def calvin_parser() -> argparse.ArgumentParser:
    """Return the command line of `play.py calvin`."""
    what = "Watch a robot at CALVIN's play table, steer it and record it."
    parser = _robot_parser("calvin", what, task="turn_on_lightbulb", hz=30, package="calvin_env")
    parser.add_argument("--scene", default="D", metavar="A|B|C|D", help="the table (default: D)")
    parser.add_argument(
        "--assets", type=Path, metavar="PATH", help="CALVIN's own meshes: the folder data of calvin_env"
    )
    return parser


def rlbench_parser() -> argparse.ArgumentParser:
    """Return the command line of `play.py rlbench`."""
    what = "Watch a robot at RLBench's tasks, steer it and record it."
    parser = _robot_parser("rlbench", what, task="close_microwave", hz=20, package="rlbench")
    parser.add_argument(
        "--variation", type=whole_number, metavar="N", help="of the task, such as which drawer (default: drawn)"
    )
    return parser


def _robot_parser(mode: str, what: str, *, task: str, hz: int, package: str) -> argparse.ArgumentParser:
    """What the modes with a robot have in common; task: the one without --task. package: of the official backend."""
    parser = _Parser(f"play.py {mode}", description=what, parents=[_asking_options()], allow_abbrev=False)
    parser.set_defaults(mode=mode)
    add = parser.add_argument
    shipped = ROBOT_CHECKPOINTS[mode].name
    add(
        "--checkpoint", type=Path, metavar="FOLDER",
        help=f"the trained agent (default: {shipped}, and the scripted expert where that is missing)",
    )  # fmt: skip
    told = parser.add_mutually_exclusive_group()
    told.add_argument("--task", metavar="NAME", help=f"what to do, by its name (default: {task})")
    told.add_argument("--instruction", metavar="TEXT", help="what to do, in words")
    paces = f"0.25, 0.5, 1, 2, 4 or max (default: 1, which is {hz} Hz)"
    add("--speed", type=pace, default=1.0, metavar="S", help=paces)
    add("--record", type=Path, metavar="FOLDER", help="the data set that every episode is recorded into")
    add("--seed", type=whole_number, metavar="N", help="makes starts repeatable (default: another one each time)")
    add(
        "--backend", choices=("builtin", "official"), default="builtin",
        help=f"official runs on the installed {package} (default: builtin)",
    )  # fmt: skip
    add(
        "--temperature", type=temperature, default=0.0, metavar="T",
        help="0 takes the likeliest codes, 1 draws lots by probability (default: 0)",
    )  # fmt: skip
    add("--replan", type=whole_number, metavar="K", help="actions between two looks of the agent (default: its own)")
    add("--ui", choices=("auto", "window", "terminal"), default="auto", help="there is a window only")
    return parser


class _AskParser(_Parser):
    """Takes the picture and the question wherever they stand among the options, and only where they belong."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """See `argparse`; mistakes are UserErrors."""
        asked = self.parse_intermixed_args(args, namespace)
        words, drawn = list(asked.words), asked.board is not None or asked.scene is not None
        if asked.board is not None and asked.scene is not None:
            self.error("--board and --scene are two pictures: give one of them")
        for name in ("task", "variation"):
            if getattr(asked, name) is not None and asked.scene is None:
                self.error(f"--{name} goes with --scene, and there is none")
        if not drawn and not words:
            self.error("there is nothing to ask about: give a picture, --board GAME.sgf or --scene calvin")
        asked.image = None if drawn else Path(words.pop(0))
        if len(words) > 1 and drawn and Path(words[0]).suffix and " " not in words[0]:
            self.error(f"{words[0]!r} besides --board or --scene is a second picture: give one of them")
        if len(words) > 1:
            self.error(f"{' '.join(words)[:60]!r} are several words: put the question in quotes")
        asked.question = words[0] if words else None
        return asked


def ask_parser() -> argparse.ArgumentParser:
    """Return the command line of `play.py ask`."""
    what = "Ask about a picture, a position or a scene; the answer marks what it speaks of."
    usage = "play.py ask (IMAGE | --board GAME.sgf[:MOVE] | --scene WORLD) [QUESTION] [options]"
    parser = _AskParser("play.py ask", usage=usage, description=what, allow_abbrev=False)
    add = parser.add_argument
    told = (
        "a picture file, and what to ask, such as 'Where are the white stones?'; without it you are asked for questions"
    )
    add("words", nargs="*", metavar="IMAGE QUESTION", help=told)
    add("--board", metavar="GAME.sgf[:MOVE]", help="ask about a position: after so many moves (default: the last)")
    add("--scene", metavar="WORLD", help="ask about a simulated scene: calvin, a table such as calvin:B, or rlbench")
    add("--task", metavar="NAME", help="a start of the scene in which this task makes sense (default: drawn)")
    add("--variation", type=whole_number, metavar="N", help="of RLBench's task (default: drawn)")
    add("--seed", type=whole_number, metavar="N", help="makes the scene repeatable (default: another one each time)")
    add("--checkpoint", type=Path, metavar="FOLDER", help="the model that answers (default: the shipped ask-small)")
    add(
        "--out", type=Path, metavar="FOLDER|FILE.png",
        help="where the picture with its marks and, beside it, the masks as JSON go (default: your data folder)",
    )  # fmt: skip
    return parser
