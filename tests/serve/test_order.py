"""Sequence numbers and times: an event is applied once, in order, or refused."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("msgspec", reason="the server needs msgspec")

from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.errors import DataError
from ostinato.inference.clock import Clock
from ostinato.serve.order import Given, Order, OrderError, Taken

DAILY = Clock({"frequency": "1d"})


def take(order: Order, *events: tuple[Any, Any], late: int = 0) -> Taken:
    """Take events of a number and a time; the value of an event is its number or time."""
    return order.take([Given(seq, ds, seq or ds, i) for i, (seq, ds) in enumerate(events)], late, DAILY)


def numbers(taken: Taken) -> list[int]:
    return [one.seq for one in taken.placed]


def test_a_number_is_taken_once() -> None:
    order = Order()
    assert numbers(take(order, (1, None), (2, None))) == [1, 2]
    again = take(order, (1, None), (2, None), (3, None))
    assert numbers(again) == [3]
    assert again.repeated == [(0, 1), (1, 2)]


def test_a_number_that_leaves_events_out_is_refused_and_names_the_next() -> None:
    with pytest.raises(OrderError, match="leaves out events after 2") as refused:
        take(Order(2), (5, None))
    assert refused.value.expected == 3


def test_a_number_within_the_window_waits_for_those_before_it() -> None:
    order = Order(0)
    assert take(order, (3, None), late=2).held == [(0, 3)]
    assert take(order, (3, None), late=2).repeated == [(0, 3)]
    assert numbers(take(order, (2, None), late=2)) == []
    done = take(order, (1, None), late=2)
    assert numbers(done) == [1, 2, 3]
    assert [one.place for one in done.placed] == [0, -1, -1]
    assert not order.waiting


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(1, 9)), st.data())
def test_any_order_of_arrival_applies_each_event_once_in_order(numbers_: list[int], data: st.DataObject) -> None:
    order, applied = Order(), []
    for number in numbers_:
        for _ in range(data.draw(st.integers(1, 3))):
            order = Order.from_bytes(order.seq, order.to_bytes(), DAILY)
            applied += numbers(take(order, (number, None), late=8))
    assert applied == list(range(1, 9))


def test_times_that_leave_steps_out_count_them() -> None:
    done = take(Order(), (None, "2024-01-01"), (None, "2024-01-02"), (None, "2024-01-05"))
    assert [one.skipped for one in done.placed] == [0, 0, 2]


@pytest.mark.parametrize("time", ["2024-01-01", "2023-12-31", "2024-01-02T07:00", "soon", "3024-01-01", None])
def test_a_time_that_goes_back_is_off_the_grid_or_absent_is_refused(time: str | None) -> None:
    order = Order()
    take(order, (None, "2024-01-01"))
    with pytest.raises(DataError):
        take(order.copy(), (None, time))
    assert numbers(take(order, (None, "2024-01-02"))) == [2]


def test_a_late_time_within_the_window_fills_its_step() -> None:
    order = Order()
    take(order, (None, "2024-01-01"), late=3)
    assert take(order, (None, "2024-01-03"), late=3).held == [(0, 2)]
    order = Order.from_bytes(order.seq, order.to_bytes(), DAILY)
    done = take(order, (None, "2024-01-02"), late=3)
    assert [(one.y, one.skipped) for one in done.placed] == [("2024-01-02", 0), ("2024-01-03", 0)]
    assert [one.place for one in done.placed] == [0, -1]


def test_a_step_that_never_comes_is_given_up_when_the_window_has_passed() -> None:
    order = Order()
    take(order, (None, "2024-01-01"), late=2)
    assert not take(order, (None, "2024-01-03"), late=2).placed
    done = take(order, (None, "2024-01-05"), late=2)
    assert [(one.y, one.skipped) for one in done.placed] == [("2024-01-03", 1)]
    done = take(order, (None, "2024-01-04"), late=2)
    assert [(one.y, one.skipped) for one in done.placed] == [("2024-01-04", 0), ("2024-01-05", 0)]
    assert not order.waiting
