"""One worker thread that does what takes long, so that no front end ever waits for it."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from envs.errors import UserError

logger = logging.getLogger(__name__)

_PREPARATION = 0  # the ticket of what runs before the first question


class Answer(NamedTuple):
    """What came of a question: its value, or the error that kept it from one."""

    ticket: int
    value: Any
    error: Exception | None


class Thinker:
    """Answers one question at a time; the answer to a question that was forgotten meanwhile is dropped.

    All methods belong to one thread, the front end's.
    """

    def __init__(self, name: str, prepare: Callable[[], None] = lambda: None) -> None:
        """Start the worker; it runs `prepare` (such as compiling the rules) before it answers anything."""
        self._ticket = _PREPARATION
        self._busy = False
        self._prepared = threading.Event()
        self._jobs: queue.SimpleQueue[tuple[int, Callable[[], Any]] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._worker = threading.Thread(target=self._work, args=(prepare,), name=name, daemon=True)
        self._worker.start()

    @property
    def prepared(self) -> bool:
        """Whether the preparation has ended."""
        return self._prepared.is_set()

    @property
    def busy(self) -> bool:
        """Whether an answer is awaited."""
        return self._busy

    def ask(self, work: Callable[[], Any]) -> None:
        """Let the worker call `work`; what it returns or raises is the answer. It must not touch what others change."""
        self._ticket += 1
        self._busy = True
        self._jobs.put((self._ticket, work))

    def forget(self) -> None:
        """Drop the answer now awaited, if any."""
        self._ticket += 1
        self._busy = False

    def take(self, timeout: float = 0.0) -> Answer | None:
        """Return the awaited answer, waiting for it up to `timeout` seconds; None if there is none yet."""
        until = time.monotonic() + timeout
        while True:
            left = until - time.monotonic()
            try:
                answer = self._answers.get(timeout=left) if left > 0 else self._answers.get_nowait()
            except queue.Empty:
                return None
            if answer.ticket in (_PREPARATION, self._ticket):
                self._busy = False
                return answer

    def close(self) -> None:
        """End the worker as soon as it has answered; waits a moment for that and no longer."""
        self.forget()
        self._jobs.put(None)
        self._worker.join(timeout=0.2)

    def _work(self, prepare: Callable[[], None]) -> None:
        try:
            prepare()
        except Exception as error:  # all errors go to the front end's thread, which shows or raises them
            self._answers.put(Answer(_PREPARATION, None, error))
        finally:
            self._prepared.set()
        while (job := self._jobs.get()) is not None:
            ticket, work = job
            if ticket != self._ticket:  # forgotten before anyone began to think about it
                continue
            try:
                answer = Answer(ticket, work(), None)
            except Exception as error:
                answer = Answer(ticket, None, error)
                if not isinstance(error, UserError):
                    logger.exception("the %s failed", self._worker.name)
            self._answers.put(answer)
