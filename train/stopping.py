"""Ending a run early without losing anything."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


class Interrupted(Exception):  # noqa: N818 - no error
    """Raised after Ctrl-C or SIGTERM, once the state is saved; the message says how to go on.

    Also on the other ranks where rank 0 stops with an error, which it tells itself.
    """


class Signals:
    """While it lasts, the first Ctrl-C or SIGTERM calls `ask`; a second Ctrl-C interrupts at once.

    Outside the main thread, where Python takes no signals, it does nothing.
    """

    def __init__(self, ask: Callable[[], None]) -> None:
        self._ask = ask
        self._old: dict[int, Any] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._old[number] = signal.signal(number, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._ask()

    def __exit__(self, *error: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)
