"""Workers for tests, cheap to start: they square numbers, and some die or fail at it."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from envs.errors import UserError


@dataclass(frozen=True)
class Square:
    """One that squares numbers.

    dies: at these numbers, always. once: at its first number, unless the file is there already; it makes it. refuses:
    with a UserError at this number. breaks: with a bug at this number. stillborn: dies before it can do anything.
    """

    dies: tuple[int, ...] = ()
    once: Path | None = None
    refuses: int = -1
    breaks: int = -1
    stillborn: bool = False

    def __call__(self) -> Square:
        if self.stillborn:
            os.kill(os.getpid(), signal.SIGKILL)
        return self

    def run(self, job: int) -> tuple[int, int]:
        if job in self.dies or (self.once is not None and not self.once.exists()):
            if self.once is not None:
                self.once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if job == self.refuses:
            raise UserError("that number is too large; give a smaller one")
        if job == self.breaks:
            raise ZeroDivisionError("a bug")
        return job * job, os.getpid()

    def close(self) -> None:
        pass
