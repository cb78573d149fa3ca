"""Files that are all there or not there at all, folders that one program writes at a time, and the user's own one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import IO

from envs.errors import UserError


def data_folder() -> Path:
    """Where what people make is kept: `videoworld` in the user's data folder (XDG_DATA_HOME or ~/.local/share)."""
    base = os.environ.get("XDG_DATA_HOME", "")
    # The XDG rule: a relative path there is to be ignored.
    root = Path(base) if os.path.isabs(base) else Path.home() / ".local" / "share"
    return root / "videoworld"


def replace_bytes(path: Path, content: bytes) -> None:
    """Write a file through a temporary name beside it, so that a reader sees the old content or the new one."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def claim(stream: IO[str], refusal: str) -> None:
    """Keep other processes from an open file until it is closed or this process ends.

    Raises:
        UserError: with the words of `refusal`, where another process holds it.
    """
    try:
        import fcntl
    except ImportError:  # no POSIX system; there nobody is kept away
        return
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UserError(refusal) from error


def free_bytes(folder: Path) -> int:
    """How much room is left where a folder is or would be made."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free
