"""The fair scheduler of inference jobs."""

import threading
from collections.abc import Iterator
from functools import partial

import pytest

from moodmirror.live.fair_scheduler import MAX_UTILIZATION, FairScheduler

pytestmark = pytest.mark.unit

TIMEOUT_SECONDS = 10


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def threads() -> Iterator[list[threading.Thread]]:
    """Threads that the test starts; all must have ended by its end."""
    threads: list[threading.Thread] = []
    yield threads
    for thread in threads:
        thread.join(TIMEOUT_SECONDS)
    assert not any(thread.is_alive() for thread in threads)


def submit(scheduler: FairScheduler, threads: list[threading.Thread], client: str, job) -> None:
    """Submit a job from a thread of its own; return once it is in the queue or running."""
    submitted = threading.Event()
    executor_submit = scheduler._executor.submit

    def submit_and_report(*arguments):
        future = executor_submit(*arguments)
        submitted.set()
        return future

    scheduler._executor.submit = submit_and_report  # type: ignore[method-assign,assignment]
    thread = threading.Thread(target=scheduler.run, args=(client, job), daemon=True)
    threads.append(thread)
    thread.start()
    assert submitted.wait(TIMEOUT_SECONDS), "the job was not submitted"
    scheduler._executor.submit = executor_submit  # type: ignore[method-assign]


def test_jobs_run_in_the_order_of_submission(threads):
    scheduler = FairScheduler(workers=1)
    order: list[int] = []
    release = threading.Event()
    try:
        submit(scheduler, threads, "first", partial(release.wait, TIMEOUT_SECONDS))
        for number in range(20):
            submit(scheduler, threads, str(number), partial(order.append, number))
    finally:
        release.set()
    for thread in threads:
        thread.join(TIMEOUT_SECONDS)
    assert order == list(range(20))


def test_as_many_jobs_run_at_once_as_there_are_workers_and_never_more(threads):
    scheduler = FairScheduler(workers=2)
    lock, full, release = threading.Lock(), threading.Barrier(3), threading.Event()
    running, most = 0, 0

    def job() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            is_early = running <= 2 and not release.is_set()
        if is_early:
            full.wait(TIMEOUT_SECONDS)
        release.wait(TIMEOUT_SECONDS)
        with lock:
            running -= 1

    try:
        for number in range(8):
            submit(scheduler, threads, str(number), job)
        full.wait(TIMEOUT_SECONDS)  # two jobs run at this moment; a third one would have started by now, too
        assert scheduler.waiting == 6
    finally:
        release.set()
    for thread in threads:
        thread.join(TIMEOUT_SECONDS)
    assert most == 2


def test_long_jobs_leave_the_workers_to_the_others(threads):
    scheduler = FairScheduler(workers=1)
    release = threading.Event()
    started: list[str] = []

    def long_job(name: str) -> None:
        started.append(name)
        release.wait(TIMEOUT_SECONDS)

    try:
        for name in ("first", "second"):
            thread = threading.Thread(target=scheduler.run, args=(name, partial(long_job, name)), kwargs={"is_long": True})
            threads.append(thread)
            thread.start()
        assert scheduler.run("frame", lambda: "done") == "done"
        assert len(started) <= 1
    finally:
        release.set()
    for thread in threads:
        thread.join(TIMEOUT_SECONDS)
    assert len(started) == 2


def test_a_job_that_raises_frees_its_worker():
    scheduler = FairScheduler(workers=1)
    with pytest.raises(ZeroDivisionError):
        scheduler.run("one", lambda: 1 / 0)
    assert scheduler.run("one", lambda: "done") == "done"


def test_after_close_the_running_job_is_finished_and_no_other_is_started():
    scheduler = FairScheduler(workers=1)

    def close() -> str:
        scheduler.close()
        return "done"

    assert scheduler.run("one", close) == "done"
    with pytest.raises(RuntimeError):
        scheduler.run("one", close)
    assert scheduler.waiting == 0


@pytest.mark.parametrize("clients", [1, 40])
def test_the_pause_keeps_the_workers_busy_but_not_overloaded(clients):
    clock = Clock()
    scheduler = FairScheduler(workers=2, clock=clock)
    for _ in range(10):
        for client in range(clients):
            scheduler.run(str(client), partial(clock.advance, 0.01))
    for _ in range(200):  # the first jobs no longer influence the mean
        scheduler.run("0", partial(clock.advance, 0.01))
    for client in range(clients):
        scheduler.run(str(client), partial(clock.advance, 0.01))
    assert scheduler.pause() == pytest.approx(clients * 0.01 / (2 * MAX_UTILIZATION), rel=0.05)


def test_inactive_clients_do_not_lengthen_the_pause():
    clock = Clock()
    scheduler = FairScheduler(workers=1, clock=clock)
    for client in range(50):
        scheduler.run(str(client), partial(clock.advance, 0.001))
    assert scheduler.pause() > 0.005
    clock.now += 10
    scheduler.run("newcomer", partial(clock.advance, 0.001))
    assert scheduler.pause() < 0.005
