"""Files of JSON lines that grow by a line for each finished thing and survive a kill at any moment."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from envs.errors import UserError

T = TypeVar("T")


def read_lines(path: Path, make: Callable[[dict[str, Any]], T]) -> list[T]:
    """What `make` builds of each line; none where there is no file. A last line that was cut off is removed.

    Raises:
        UserError: another line is damaged.
    """
    if not path.is_file():
        return []
    found = []
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines[:-1]):
        try:
            if line.strip():
                found.append(make(json.loads(line)))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UserError(f"{path} is damaged in line {number + 1}; repair it or choose another --out") from error
    if lines[-1].strip():  # killed in the middle of a line: the next one must not be glued to it
        with path.open("r+b") as stream:
            stream.truncate(sum(len(line) + 1 for line in lines[:-1]))
    return found


def append_line(path: Path, content: dict[str, Any]) -> None:
    """Add a line and force it to the disk; UserError if the disk refuses."""
    try:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(content) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror or error}; make room and run the same command again, what is "
            "finished is kept"
        ) from error
