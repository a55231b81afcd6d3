"""Who is served next when more comes in than can be read."""

import threading
from functools import partial

import pytest

from moodmirror.live.fair_scheduler import PLACES_USED, Turns


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


def test_places_are_given_in_the_order_of_asking():
    turns = Turns(places=1)
    served: list[int] = []
    threads = []

    def stand_in_line() -> None:
        for number in range(20):
            thread = threading.Thread(target=turns.take, args=(str(number), partial(served.append, number)))
            thread.start()
            threads.append(thread)
            while turns.waiting <= number:
                pass  # until it stands there

    turns.take("first", stand_in_line)
    for thread in threads:
        thread.join(timeout=60)
    assert served == list(range(20))


def test_never_more_work_than_there_are_places():
    turns, inside, most = Turns(places=2), 0, 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        with lock:
            inside -= 1

    def ask(name: str) -> None:
        for _ in range(50):
            turns.take(name, work)

    threads = [threading.Thread(target=ask, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert 1 <= most <= 2


def test_a_turn_that_fails_leaves_its_place():
    turns = Turns(places=1)
    with pytest.raises(ZeroDivisionError):
        turns.take("one", lambda: 1 / 0)
    assert turns.take("one", lambda: "done") == "done"


def test_what_is_being_done_when_the_site_closes_is_finished_and_no_more_begun():
    turns = Turns(places=1)

    def close() -> str:
        turns.close()
        return "done"

    assert turns.take("one", close) == "done"
    with pytest.raises(RuntimeError):
        turns.take("one", close)
    assert turns.waiting == 0


@pytest.mark.parametrize("visitors", [1, 40])
def test_the_pause_keeps_the_places_busy_but_not_overfull(visitors):
    clock = Clock()
    turns = Turns(places=2, clock=clock)
    for _ in range(10):
        for visitor in range(visitors):
            turns.take(str(visitor), partial(clock.pass_by, 0.01))
    for _ in range(200):  # however long ago the first ones were
        turns.take("0", partial(clock.pass_by, 0.01))
    for visitor in range(visitors):
        turns.take(str(visitor), partial(clock.pass_by, 0.01))
    assert turns.pause() == pytest.approx(visitors * 0.01 / (2 * PLACES_USED), rel=0.05)


def test_who_has_gone_takes_no_part():
    clock = Clock()
    turns = Turns(places=1, clock=clock)
    for visitor in range(50):
        turns.take(str(visitor), partial(clock.pass_by, 0.001))
    clock.now += 10
    turns.take("newcomer", partial(clock.pass_by, 0.001))
    assert turns.pause() < 0.005
