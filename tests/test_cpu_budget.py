"""The budget of CPU time of a visitor and an address."""

import random
import time

import pytest

from moodmirror.cpu_budget import PRUNED_SIZE, VISITOR_RATE, VISITOR_SECONDS, BudgetSpentError, Client, CpuBudget

pytestmark = pytest.mark.unit

ANN, BEN, OTHER = Client("ann", "address 1"), Client("ben", "address 1"), Client(None, "address 2")
PROGRAM = Client(None, "address 1")  # without a cookie


class Clock:
    """A clock that the test sets, in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def is_spent(budget: CpuBudget, client: Client) -> bool:
    try:
        budget.require(client)
    except BudgetSpentError:
        return True
    return False


def test_a_visitor_has_half_of_what_their_address_has(clock):
    budget = CpuBudget(clock=clock)
    budget.charge(ANN, 30.1)
    assert is_spent(budget, ANN)
    assert not is_spent(budget, BEN)
    budget.charge(BEN, 30.1)
    assert is_spent(budget, PROGRAM)
    assert not is_spent(budget, OTHER)


def test_many_cheap_requests_count_as_their_cpu_time(clock):
    budget = CpuBudget(clock=clock)
    for _ in range(5000):
        budget.charge(PROGRAM, 0.01)
    assert not is_spent(budget, PROGRAM)
    budget.charge(PROGRAM, 200.0)  # what begins with some time left is finished
    assert is_spent(budget, PROGRAM)


@pytest.mark.parametrize("used", [30.5, 45.0, 200.0])
def test_the_refusal_names_the_time_after_which_there_is_time_again(clock, used):
    budget = CpuBudget(clock=clock)
    budget.charge(ANN, used)
    with pytest.raises(BudgetSpentError, match=r"Try again in \d+ s\.") as refused:
        budget.require(ANN)
    clock.now += refused.value.retry_after - 1.1
    assert is_spent(budget, ANN)
    clock.now += 1.1
    assert not is_spent(budget, ANN)


def test_nobody_waits_longer_than_a_minute(clock):
    budget = CpuBudget(clock=clock)
    for _ in range(100):
        budget.charge(ANN, 100.0)
    with pytest.raises(BudgetSpentError) as refused:
        budget.require(ANN)
    assert refused.value.retry_after == 60


def use_cpu(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        random.random()


def test_work_of_this_thread_and_of_other_processes_is_charged(clock):
    budget = CpuBudget(clock=clock)
    budget.charge(PROGRAM, 59.9)
    with budget.charged(PROGRAM):
        use_cpu(0.2)
    assert is_spent(budget, PROGRAM)
    with pytest.raises(BudgetSpentError), budget.charged(PROGRAM):
        pytest.fail("the work was started")
    with budget.charged(OTHER) as meter:
        meter.add(61.0)
    assert is_spent(budget, OTHER)


def test_without_rate_limits_nothing_is_refused():
    budget = CpuBudget(enabled=False)
    budget.charge(PROGRAM, 1000.0)
    assert not is_spent(budget, PROGRAM)


def test_who_always_wants_more_gets_half_a_core(clock):
    budget = CpuBudget(clock=clock)
    used, rng = 0.0, random.Random(0)
    for _ in range(6000):
        clock.now += 0.1
        if not is_spent(budget, ANN):
            seconds = rng.uniform(0.0, 20.0)
            budget.charge(ANN, seconds)
            used += seconds
    assert used == pytest.approx(VISITOR_SECONDS + 600 * VISITOR_RATE, abs=20)


def test_clients_who_have_regained_everything_are_forgotten(clock):
    budget = CpuBudget(clock=clock)
    for number in range(PRUNED_SIZE + 100):
        clock.now += 1.0
        budget.charge(Client(None, f"address {number}"), 0.5)
    assert len(budget._alone._regained_at) <= PRUNED_SIZE
