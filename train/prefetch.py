"""Prepares the next steps' data in the background, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch


class Prefetcher:
    """Calls `make(step, micro)` ahead of time in one background thread; errors come out of `get`.

    Args:
        make: a pure function, so that working ahead changes nothing.
        step: the first step.
        micros: micro steps in a step.
        depth: steps prepared ahead.
    """

    def __init__(self, make: Callable[[int, int], Any], step: int, micros: int, depth: int) -> None:
        self._make = make
        self._micros = micros
        self._next = step * micros
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="data")
        self._ahead: deque[Future[Any]] = deque()
        for _ in range(depth * micros):
            self._submit()

    def _submit(self) -> None:
        self._ahead.append(self._pool.submit(self._run, *divmod(self._next, self._micros)))
        self._next += 1

    @torch.no_grad()
    def _run(self, step: int, micro: int) -> Any:
        return self._make(step, micro)

    def get(self) -> Any:
        """The next batch in order; waits for it if need be."""
        batch = self._ahead.popleft().result()
        self._submit()
        return batch

    def close(self) -> None:
        """Drop what is ahead and end the thread."""
        self._pool.shutdown(wait=True, cancel_futures=True)
