"""Integers kept as ranges are the integers that were put in."""

import tracemalloc
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.checkers.evenly import Evenly

INTEGERS = st.integers(-(1 << 40), 1 << 40)
EVEN = st.builds(
    lambda first, step, count: list(range(first, first + step * count, step)),
    INTEGERS,
    st.integers(1, 10**8),
    st.integers(0, 9),
)
PARTS = st.lists(st.one_of(EVEN, st.lists(INTEGERS, max_size=6)), max_size=6)


def evenly(parts):
    numbers = Evenly()
    for part in parts:
        numbers.extend(part)
    return numbers


@given(parts=PARTS, data=st.data())
def test_they_are_the_integers_that_were_put_in(parts, data):
    plain, numbers = list(chain(*parts)), evenly(parts)
    assert [*numbers] == plain
    assert len(numbers) == len(plain)
    assert [numbers[place] for place in range(-len(plain), len(plain))] == plain + plain
    place = st.none() | st.integers(-len(plain) - 2, len(plain) + 2)
    span = slice(data.draw(place), data.draw(place))
    assert [*numbers[span]] == plain[span]
    assert [*numbers[span][:3]] == plain[span][:3]


def test_what_begins_and_ends_like_a_range_is_none_yet():
    assert [*evenly([[0, 1, 7, 3], [0, 2, 4, 5]])] == [0, 1, 7, 3, 0, 2, 4, 5]


@pytest.mark.parametrize("place", [-3, 2])
def test_there_are_none_beyond_the_ends(place):
    with pytest.raises(IndexError):
        evenly([[7], [9]])[place]


def test_a_year_of_minutes_takes_next_to_nothing():
    block = 4096
    tracemalloc.start()
    try:
        numbers = evenly([range(n, n + block) for n in range(0, 128 * block, block)])
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < len(numbers) / 4  # bytes; an array takes eight each
