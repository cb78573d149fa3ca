"""Players by name: `gnugo,level=5`, a checkpoint folder, `random`, or the command line of any GTP engine."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.checkpoint_config import checkpoint_size
from envs.errors import UserError
from envs.go.engines import GtpEngine, engine_command, gnugo_command, katago_command, pachi_command

if TYPE_CHECKING:
    from agents.go_model import GoModel
    from agents.players import Player

HELP = (
    "gnugo[,level=0..10], pachi[,seconds=S], katago[,model=FILE], random, a checkpoint folder"
    "[,symmetries=8][,lookahead=N][,temperature=T][,reader=frames], or a GTP command line in quotes; NAME=... gives it "
    "a name"
)
_OPTIONS: dict[str, dict[str, type]] = {
    "gnugo": {"level": int},
    "pachi": {"seconds": float, "threads": int},
    "katago": {"model": str, "config": str},
    "random": {},
    "checkpoint": {"symmetries": int, "temperature": float, "reader": str, "lookahead": int},
}
_NAMED = re.compile(r"([\w.+-]+)=(?!=)(.+)", re.DOTALL)


@dataclass
class Contestant:
    """A player that can be made anew for each thread and game.

    Attributes:
        name: unique among those who meet.
        kind: gnugo, pachi, katago, random, checkpoint or command.
        target: the folder or command line, "" for the others.
        options: what was given after the commas.
    """

    name: str
    kind: str
    target: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    _model: GoModel | None = field(default=None, repr=False, compare=False)

    def check(self, size: int) -> None:
        """Raise UserError if the player cannot be made or refuses `size`; starts an engine, loads a checkpoint."""
        if self.kind == "checkpoint":
            self.model()
        elif self.is_engine:
            with GtpEngine(self.argv(0)) as engine:
                engine.new_game(size, 7.0)

    @property
    def is_engine(self) -> bool:
        """Whether it is a process that speaks GTP."""
        return self.kind not in ("checkpoint", "random")

    @property
    def size(self) -> int | None:
        """The only board size it plays, as a checkpoint's `config.yaml` names it; None if that is left open."""
        return checkpoint_size(self.target) if self.kind == "checkpoint" else None

    def model(self) -> GoModel:
        """The networks of a checkpoint, loaded once; they may be used from several threads."""
        if self._model is None:
            from agents.go_model import load_go_model

            self._model = load_go_model(self.target)
        return self._model

    def argv(self, seed: int) -> list[str]:
        """The command of an engine; GNU Go gets the seed."""
        if self.kind == "gnugo":
            return [*gnugo_command(**self.options), "--seed", str(seed % 2**31 or 1)]
        if self.kind == "pachi":
            return pachi_command(**self.options)
        return katago_command(**self.options) if self.kind == "katago" else engine_command(self.target)

    def make(self, seed: int, seconds: float | None = None, *, restart: bool = False) -> Player:
        """A player for one game; the same seed gives the same game as far as the player can.

        `seconds`: how long engines may think about a move. `restart`: whether one that has died is started again.
        """
        from agents.players import AgentPlayer, EnginePlayer, RandomPlayer

        if self.kind == "random":
            return RandomPlayer(seed)
        if self.kind == "checkpoint":
            from agents.go_agent import GoAgent
            from envs.go.renderer import renderer_for

            agent = GoAgent(self.model(), seed=seed, name=self.name, **self.options)
            return AgentPlayer(agent, renderer_for(agent.geometry), imagine=False)
        return EnginePlayer(GtpEngine(self.argv(seed)), self.name, seconds=seconds, restart=restart)


def parse_contestant(text: str) -> Contestant:
    """Read one player's description (see HELP); UserError if it is none."""
    named = _NAMED.fullmatch(text)
    name, rest = (named[1], named[2]) if named and "," not in named[1] and " " not in named[1] else ("", text)
    what, *words = rest.split(",")
    if what in _OPTIONS and what != "checkpoint":
        kind, target = what, ""
    elif Path(what).is_dir():
        kind, target = "checkpoint", what
    else:
        if "/" in what and " " not in what and not Path(what).exists():
            raise UserError(f"there is no checkpoint or program {what}; give one of: {HELP}")
        engine_command(rest)  # names what is missing
        return Contestant(name or Path(shlex.split(rest)[0]).name, "command", rest)
    options = dict(_option(word, kind, text) for word in words)
    label = Path(what).name or what
    return Contestant(name or ",".join([label, *words]), kind, target, options)


def parse_contestants(texts: Sequence[str]) -> list[Contestant]:
    """Read several players; UserError where two have the same name."""
    contestants = [parse_contestant(text) for text in texts]
    names = [contestant.name for contestant in contestants]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"two players are called {name!r}; name them, as in new={texts[names.index(name)]}")
    return contestants


def _option(word: str, kind: str, text: str) -> tuple[str, Any]:
    key, equals, value = word.partition("=")
    known = _OPTIONS[kind]
    if not equals or key not in known:
        raise UserError(f"{word!r} in {text!r} is no option of {kind}; choose from {', '.join(known) or 'none'}")
    try:
        return key, known[key](value)
    except ValueError:
        raise UserError(f"{word!r} in {text!r} needs a number; see {HELP}") from None
