"""Who records: this process, several, or a Ray cluster. A worker that dies is replaced and its slot done again."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import traceback
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from envs.errors import UserError
from train.data.demonstrations import Demonstrator, Recorded, Setting, Slot

DEATHS = 3  # of workers at one slot, before the recording stops


def cores() -> int:
    """How many processes can run at the same time here."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def record_slots(settings: Setting, slots: Sequence[Slot], workers: int | str) -> Iterator[Recorded]:
    """Record all slots and yield each as it is done, in any order.

    Args:
        settings: what episodes depend on.
        slots: what to record.
        workers: how many processes (1: this one alone), or "ray".

    Raises:
        UserError: a simulator or Ray is missing, or workers die again and again.
    """
    if workers == "ray":
        return _with_ray(settings, slots)
    count = min(int(workers), len(slots))
    return _with_processes(settings, slots, count) if count > 1 else _alone(settings, slots)


def _alone(settings: Setting, slots: Sequence[Slot]) -> Iterator[Recorded]:
    if slots:
        demonstrator = Demonstrator(settings)
        try:
            for slot in slots:
                yield demonstrator.record(slot)
        finally:
            demonstrator.close()


class _Deaths:
    """Counts how often a slot has taken its worker with it."""

    def __init__(self) -> None:
        self._counts: Counter[Slot] = Counter()

    def add(self, slot: Slot, how: str) -> None:
        self._counts[slot] += 1
        if self._counts[slot] >= DEATHS:
            raise UserError(
                f"{DEATHS} workers died at episode {slot.number} of {slot.task} ({how}); if memory ran out give fewer "
                "--workers, and run the same command again"
            )


def _with_processes(settings: Setting, slots: Sequence[Slot], count: int) -> Iterator[Recorded]:
    left, deaths = deque(slots), _Deaths()
    workers: dict[Connection, tuple[BaseProcess, Slot]] = {}
    try:
        for _ in range(count):
            _start(settings, left.popleft(), workers)
        while workers:
            for pipe in wait(list(workers)):
                assert isinstance(pipe, Connection)
                process, slot = workers[pipe]
                try:
                    answer = pipe.recv()
                except (EOFError, OSError):  # it is dead
                    del workers[pipe]
                    process.join()
                    deaths.add(slot, f"exit status {process.exitcode}")
                    _start(settings, slot, workers)
                    continue
                if isinstance(answer, UserError):
                    raise answer
                if isinstance(answer, str):
                    raise RuntimeError(f"a worker failed at {slot.key}:\n{answer}")
                if left:
                    workers[pipe] = (process, left.popleft())
                    _send(pipe, workers[pipe][1])
                else:
                    del workers[pipe]
                    pipe.close()  # tells it to end
                yield answer
    finally:
        for process, _ in workers.values():
            process.terminate()
            process.join()


def _start(settings: Setting, slot: Slot, workers: dict[Connection, tuple[BaseProcess, Slot]]) -> None:
    context = multiprocessing.get_context("spawn")  # a simulator's threads and locks do not survive a fork
    pipe, other = context.Pipe()
    process = context.Process(target=_work, args=(settings, other), daemon=True)
    process.start()
    other.close()  # so that the pipe ends when the worker does
    workers[pipe] = (process, slot)
    _send(pipe, slot)


def _send(pipe: Connection, slot: Slot) -> None:
    try:
        pipe.send(slot)
    except OSError:  # it is dead, which the next reading from the pipe tells
        pass


def _work(settings: Setting, pipe: Connection) -> None:
    """A worker's life: slots in, episodes out, until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that commits
    try:
        demonstrator = Demonstrator(settings)
        while True:
            pipe.send(demonstrator.record(pipe.recv()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except UserError as error:
        pipe.send(error)
    except Exception:
        pipe.send(traceback.format_exc())


def _with_ray(settings: Setting, slots: Sequence[Slot]) -> Iterator[Recorded]:
    """One worker for each of the cluster's processors. They send episodes back; this process alone writes."""
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError as error:
        raise UserError(
            "--workers ray needs Ray, which is not installed: pip install 'videoworld-agents[cluster]', or give a "
            "number"
        ) from error
    if not ray.is_initialized():
        ray.init(log_to_driver=False)
    make = ray.remote(Demonstrator)
    left, deaths = deque(slots), _Deaths()
    busy: dict[Any, tuple[Any, Slot]] = {}
    for _ in range(min(len(slots), max(1, int(ray.cluster_resources().get("CPU", 1))))):
        actor, slot = make.remote(settings), left.popleft()
        busy[actor.record.remote(slot)] = (actor, slot)
    try:
        while busy:
            done, _ = ray.wait(list(busy))
            for answer in done:
                actor, slot = busy.pop(answer)
                try:
                    recorded = ray.get(answer)
                except ray.exceptions.RayActorError as error:
                    deaths.add(slot, type(error).__name__)
                    actor = make.remote(settings)
                    busy[actor.record.remote(slot)] = (actor, slot)
                    continue
                if left:
                    slot = left.popleft()
                    busy[actor.record.remote(slot)] = (actor, slot)
                yield recorded
    finally:
        for actor, _ in busy.values():
            ray.kill(actor)
