"""Workers that share jobs: every job is done once, deaths cost what they should, nothing is left running."""

from __future__ import annotations

import multiprocessing
import os
from contextlib import closing
from pathlib import Path

import pytest

from agents.rollout_workers import TRIES, Lost, run_jobs
from envs.errors import UserError
from tests.crews import Square


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_every_job_is_done(workers: int) -> None:
    done = dict(run_jobs(Square(), range(6), workers))
    assert {job: result[0] for job, result in done.items()} == {n: n * n for n in range(6)}
    assert len({pid for _, pid in done.values()} - {os.getpid()}) <= workers
    assert workers == 0 or os.getpid() not in {pid for _, pid in done.values()}
    assert not multiprocessing.active_children()


def test_a_job_that_kills_is_given_up_and_the_others_are_done() -> None:
    done = dict(run_jobs(Square(dies=(1,)), range(4), 2))
    assert done[1] == Lost(f"its process ended with status -9, {TRIES} times")
    assert [done[n][0] for n in (0, 2, 3)] == [0, 4, 9]


def test_a_death_by_chance_costs_nothing(tmp_path: Path) -> None:
    done = dict(run_jobs(Square(once=tmp_path / "died"), range(3), 1))
    assert {job: result[0] for job, result in done.items()} == {0: 0, 1: 1, 2: 4}


def test_workers_that_cannot_start_end_it() -> None:
    with pytest.raises(UserError, match="3 workers died as they started .* give fewer --workers"):
        list(run_jobs(Square(stillborn=True), range(3), 1))


def test_mistakes_and_bugs_come_through() -> None:
    with pytest.raises(UserError, match="that number is too large"):
        list(run_jobs(Square(refuses=2), range(4), 1))
    with pytest.raises(RuntimeError, match=r"a worker failed at 1:\n(.|\n)*ZeroDivisionError: a bug"):
        list(run_jobs(Square(breaks=1), range(4), 1))
    assert not multiprocessing.active_children()


def test_stopping_early_ends_the_processes() -> None:
    with closing(run_jobs(Square(), range(1000), 1)) as running:
        next(running)
        assert multiprocessing.active_children()
    assert not multiprocessing.active_children()


def test_no_jobs_start_nothing() -> None:
    assert list(run_jobs(Square(stillborn=True), [], 3)) == []
