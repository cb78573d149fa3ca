"""Whether there is a display, as far as the environment tells before a window is tried."""

from __future__ import annotations

import argparse
import os
import sys

from envs.errors import UserError


def check_display(args: argparse.Namespace) -> None:
    """Raise UserError if a window is asked for and none can be opened, as far as the environment tells."""
    if args.ui == "window" and (problem := display_problem()):
        raise UserError(f"{problem}; use --ui terminal")


def display_problem() -> str | None:
    """Return why no window can be opened, as far as the environment tells; None if nothing speaks against it."""
    named = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"))
    if sys.platform.startswith("linux") and not named:
        return "there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)"
    return None
