"""Processes that share a list of jobs. One that dies costs the job it was at, which is tried again by another."""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import threading
import traceback
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Generic, Protocol, TypeVar

from envs.errors import UserError

TRIES = 3  # at a job whose workers die, and at starting workers at all

J = TypeVar("J")
R = TypeVar("R")
J_contra = TypeVar("J_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)


class Worker(Protocol[J_contra, R_co]):
    """What a process makes first, and then does every job with."""

    def run(self, job: J_contra) -> R_co: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Lost:
    """What there is of a job that its workers have died of, `TRIES` times: how the last one ended."""

    reason: str


def run_jobs(
    make: Callable[[], Worker[J, R]], jobs: Sequence[J], workers: int
) -> Generator[tuple[J, R | Lost], None, None]:
    """Do all jobs and yield each with its result as it is done, in any order.

    Close the iterator to stop early: the processes are ended then. Ctrl-C reaches this process alone.

    Args:
        make: makes a worker; it is pickled, as jobs and results are.
        jobs: what to do.
        workers: how many processes; 0: none but this one.

    Raises:
        UserError: as a worker raised it, or workers die before they get to any job. RuntimeError: a bug in a worker,
            with its stack trace.
    """
    if workers == 0:
        return _alone(make, jobs)
    return _Crew(make, jobs).run(min(workers, len(jobs)))


def _alone(make: Callable[[], Worker[J, R]], jobs: Sequence[J]) -> Generator[tuple[J, R | Lost], None, None]:
    if jobs:
        with closing(make()) as worker:
            for job in jobs:
                yield job, worker.run(job)


class _Crew(Generic[J, R]):
    """The processes at work, each with its job; None while it is starting."""

    def __init__(self, make: Callable[[], Worker[J, R]], jobs: Sequence[J]) -> None:
        self._make, self._jobs = make, jobs
        self._waiting = deque(range(len(jobs)))
        self._deaths: Counter[int] = Counter()
        self._stillborn = 0
        self._busy: dict[Connection, tuple[BaseProcess, int | None]] = {}
        self._leaving: list[BaseProcess] = []

    def run(self, count: int) -> Generator[tuple[J, R | Lost], None, None]:
        try:
            while self._waiting or self._busy:
                starting = sum(job is None for _, job in self._busy.values())
                while len(self._busy) < count and starting < len(self._waiting):
                    self._start()
                    starting += 1
                for pipe in wait(list(self._busy)):
                    assert isinstance(pipe, Connection)
                    yield from self._hear(pipe)
        finally:
            for process, _ in self._busy.values():
                process.terminate()
            for process in [*self._leaving, *(process for process, _ in self._busy.values())]:
                process.join(5)
                if process.is_alive():
                    process.kill()
                    process.join()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")  # a simulator's threads and locks do not survive a fork
        pipe, other = context.Pipe()
        process = context.Process(target=_work, args=(self._make, other), daemon=True)
        with _deaf():
            process.start()
        other.close()  # so that the pipe ends when the worker does
        self._busy[pipe] = (process, None)

    def _hear(self, pipe: Connection) -> Iterator[tuple[J, R | Lost]]:
        process, job = self._busy[pipe]
        try:
            kind, content = pipe.recv()
        except (EOFError, OSError, pickle.UnpicklingError):  # it is dead
            del self._busy[pipe]
            pipe.close()
            process.join()
            yield from self._bury(job, f"its process ended with status {process.exitcode}")
            return
        if kind == "mistake":
            raise content
        if kind == "bug":
            raise RuntimeError(f"a worker failed{'' if job is None else f' at {self._jobs[job]}'}:\n{content}")
        if kind == "ready":
            self._stillborn = 0
        if self._waiting:
            following = self._waiting.popleft()
            self._busy[pipe] = (process, following)
            try:
                pipe.send(self._jobs[following])
            except OSError:  # it is dead, which the next reading from the pipe tells
                pass
        else:
            del self._busy[pipe]
            pipe.close()  # tells it to end
            self._leaving.append(process)
        if kind == "done":
            assert job is not None
            yield self._jobs[job], content

    def _bury(self, job: int | None, how: str) -> Iterator[tuple[J, R | Lost]]:
        if job is None:
            self._stillborn += 1
            if self._stillborn >= TRIES:
                raise UserError(
                    f"{TRIES} workers died as they started ({how}); if memory ran out give fewer --workers, and run "
                    "the same command again"
                )
            return
        self._deaths[job] += 1
        if self._deaths[job] < TRIES:
            self._waiting.appendleft(job)
        else:
            yield self._jobs[job], Lost(f"{how}, {TRIES} times")


@contextmanager
def _deaf() -> Iterator[None]:
    """Processes started in here do not hear Ctrl-C, from their first moment on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _work(make: Callable[[], Worker[J, R]], pipe: Connection) -> None:
    """A worker's life: jobs in, results out, until the other end is closed."""
    try:
        with closing(make()) as worker:
            pipe.send(("ready", None))
            while True:
                pipe.send(("done", worker.run(pipe.recv())))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except UserError as error:
        pipe.send(("mistake", error))
    except Exception:
        pipe.send(("bug", traceback.format_exc()))
