"""What the benchmarks share: intervals, machine, JSON and tables."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from agents.commands import Parser, machine
from envs.errors import UserError
from envs.go.renderer import BoardGeometry

__all__ = ["Parser", "benchmark", "check_states_fit", "machine", "percent", "show", "write"]

Main = Callable[[Sequence[str] | None], int]


def count(text: str) -> int:
    """Return a whole number of one or more; argparse shows the error."""
    if not (text.isascii() and text.isdecimal() and 0 < len(text) < 10 and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of one or more")
    return int(text)


def results_file(text: str) -> Path:
    """Return the path of a file that can be written, before hours of measuring; argparse shows the error."""
    path = Path(text)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{path} cannot be written ({error.strerror}); choose another file") from error
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{path} cannot be written; choose another file")
    return path


def benchmark(work: Callable[[Sequence[str] | None], None]) -> Main:
    """Make a command of a benchmark: exit status 0, 2 after a mistake of the user in one sentence, 130 after Ctrl-C."""

    @wraps(work)
    def main(arguments: Sequence[str] | None = None) -> int:
        try:
            work(arguments)
        except UserError as error:
            name = work.__globals__["__spec__"].name.rpartition(".")[2]  # also where the module runs as __main__
            print(f"{name}: {error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("Stopped.", file=sys.stderr)
            return 130
        return 0

    return main


def check_states_fit(geometry: BoardGeometry) -> None:
    """UserError unless the checkpoint plays the size of the benchmark's states."""
    if geometry.size != 9:
        size = geometry.size
        raise UserError(f"this checkpoint plays {size}x{size}, but the states are 9x9: give a 9x9 checkpoint")


def write(results: dict[str, Any], path: Path | None) -> None:
    """Write `results` with the machine they come from as JSON, if a path is given; UserError if that cannot be done."""
    if path is None:
        return
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps({**results, "machine": machine()}, indent=2) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise UserError(f"the figures above cannot be written to {path} ({error.strerror}); make room there") from error


def show(title: str, rows: Sequence[tuple[str, ...]], header: tuple[str, ...]) -> None:
    """Print a table to stdout."""
    table = Table(title=title, title_justify="left")
    for column in header:
        table.add_column(column, justify="left" if column == header[0] else "right")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def percent(value: float, digits: int = 1) -> str:
    """0.123 -> "12.3 %"."""
    return f"{100 * value:.{digits}f} %"
