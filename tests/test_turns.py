"""Who is served next when more comes in than can be read."""

import threading

import pytest

from moodmirror.web.turns import PLACES_USED, Turns


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_places_are_given_in_the_order_of_asking():
    turns = Turns(places=1)
    served: list[int] = []
    threads = []

    def work(number: int) -> None:
        with turns.turn(str(number)):
            served.append(number)

    with turns.turn("first"):
        for number in range(20):
            thread = threading.Thread(target=work, args=(number,))
            thread.start()
            threads.append(thread)
            while turns.waiting <= number:
                pass  # until it stands in line
    for thread in threads:
        thread.join(timeout=60)
    assert served == list(range(20))


def test_never_more_work_than_there_are_places():
    turns, inside, most = Turns(places=2), 0, 0
    lock = threading.Lock()

    def work(name: str) -> None:
        nonlocal inside, most
        for _ in range(50):
            with turns.turn(name):
                with lock:
                    inside += 1
                    most = max(most, inside)
                with lock:
                    inside -= 1

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert 1 <= most <= 2


def test_a_turn_that_fails_leaves_its_place():
    turns = Turns(places=1)
    with pytest.raises(RuntimeError), turns.turn("one"):
        raise RuntimeError
    with turns.turn("one"):
        pass


@pytest.mark.parametrize("visitors", [1, 40])
def test_the_pause_keeps_the_places_busy_but_not_overfull(visitors):
    clock = Clock()
    turns = Turns(places=2, clock=clock)
    for _ in range(10):
        for visitor in range(visitors):
            with turns.turn(str(visitor)):
                clock.now += 0.01
    for _ in range(200):  # however long ago the first ones were
        with turns.turn("0"):
            clock.now += 0.01
    for visitor in range(visitors):
        with turns.turn(str(visitor)):
            clock.now += 0.01
    assert turns.pause() == pytest.approx(visitors * 0.01 / (2 * PLACES_USED), rel=0.05)


def test_who_has_gone_takes_no_part():
    clock = Clock()
    turns = Turns(places=1, clock=clock)
    for visitor in range(50):
        with turns.turn(str(visitor)):
            clock.now += 0.001
    clock.now += 10
    with turns.turn("newcomer"):
        clock.now += 0.001
    assert turns.pause() < 0.005
