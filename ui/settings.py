"""What the window remembers from one time to the next: a small JSON file in the user's configuration folder."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass, field, fields
from pathlib import Path

from ui.theme import THEMES, Theme

logger = logging.getLogger(__name__)

MARKS = ("top", "heat", "territory", "off")
PLAYERS_KEPT = 5


def settings_file() -> Path:
    """Return `videoworld/settings.json` in the user's configuration folder (XDG_CONFIG_HOME or ~/.config)."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    # The XDG rule: a relative path there is to be ignored.
    root = Path(base) if os.path.isabs(base) else Path.home() / ".config"
    return root / "videoworld" / "settings.json"


@dataclass
class Settings:
    """How the window looks and sounds; change a field, then `save`.

    Attributes:
        theme: a name of THEMES.
        marks: what of the agent's thoughts is marked on the board, one of MARKS: its likeliest moves, all of them,
            whose it expects each point to be, or nothing.
        numbers: whether stones carry the numbers of their moves.
        rings: whether broken rules are ringed in a dream.
        sound: whether stones click; None means where there is a sound device.
        players: descriptions of players that were typed on the start screen, the last first; at most PLAYERS_KEPT.
        path: where this is kept; None keeps it nowhere.
    """

    theme: str = "wood"
    marks: str = "top"
    numbers: bool = False
    rings: bool = True
    sound: bool | None = None
    players: list[str] = field(default_factory=list)
    path: Path | None = None

    @classmethod
    def load(cls, path: Path | None = None) -> Settings:
        """Read the settings; what is missing or makes no sense there is as it is by default."""
        path = settings_file() if path is None else path
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            logger.debug("no settings from %s: %s", path, error)
            found = {}
        settings = cls(path=path)
        switch = (True, False)
        for name, allowed in (("theme", tuple(THEMES)), ("marks", MARKS), ("numbers", switch), ("rings", switch)):
            value = found.get(name) if isinstance(found, dict) else None
            if isinstance(value, (str, bool)) and value in allowed:
                setattr(settings, name, value)
        if isinstance(found, dict) and isinstance(found.get("sound"), bool):
            settings.sound = found["sound"]
        if isinstance(found, dict) and isinstance(found.get("players"), list):
            typed = [player for player in found["players"] if isinstance(player, str) and player.strip()]
            settings.players = typed[:PLAYERS_KEPT]
        return settings

    def save(self) -> None:
        """Write the settings; where that cannot be done they last as long as the window."""
        if self.path is None:
            return
        values = {kept.name: getattr(self, kept.name) for kept in fields(self) if kept.name != "path"}
        part = self.path.with_suffix(f".{os.getpid()}.part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
            part.replace(self.path)
        except OSError as error:
            logger.debug("settings were not saved to %s: %s", self.path, error)

    @property
    def colours(self) -> Theme:
        """The theme itself."""
        return THEMES[self.theme]

    def next_theme(self) -> None:
        """Choose the next theme."""
        names = list(THEMES)
        self.theme = names[(names.index(self.theme) + 1) % len(names)]
        self.save()

    def remember_player(self, description: str) -> None:
        """Offer a player that was typed first the next time."""
        others = [player for player in self.players if player != description]
        self.players = [description, *others][:PLAYERS_KEPT]
        self.save()

    def next_marks(self) -> None:
        """Choose the next way to mark candidates."""
        self.marks = MARKS[(MARKS.index(self.marks) + 1) % len(MARKS)]
        self.save()
