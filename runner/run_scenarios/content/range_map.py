"""A value for every offset, stored as one value per range."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")
V = TypeVar("V")


@dataclass(frozen=True)
class RangeMap(Generic[T]):
    """An immutable map from the offsets 0, 1, … without an upper limit to values; neighbouring ranges differ.

    :param starts: where each range begins, in ascending order, the first at 0.
    :param values: the value of each range.
    """

    starts: tuple[int, ...]
    values: tuple[T, ...]

    @classmethod
    def filled(cls, value: T) -> RangeMap[T]:
        """Return a map with the same value everywhere."""
        return cls((0,), (value,))

    def get(self, offset: int) -> T:
        """Return the value at an offset."""
        return self.values[bisect_right(self.starts, offset) - 1]

    def iterate(self, start: int, end: int) -> Iterator[tuple[int, int, T]]:
        """Yield the ranges between two offsets as (start, end, value)."""
        index = bisect_right(self.starts, start) - 1
        while start < end:
            index += 1
            stop = min(end, self.starts[index]) if index < len(self.starts) else end
            yield start, stop, self.values[index - 1]
            start = stop

    def change(self, start: int, end: int, change: Callable[[T], T]) -> RangeMap[T]:
        """Return a map in which the values between two offsets are changed."""
        if start >= end:
            return self
        inside = RangeMap.filled(False).put(start, end, True)
        return self.combine(inside, lambda value, is_inside: change(value) if is_inside else value)

    def put(self, start: int, end: int, value: T) -> RangeMap[T]:
        """Return a map with one value between two offsets."""
        before = [(at, each) for at, _, each in self.iterate(0, start)]
        behind = [(at, each) for at, each in zip(self.starts, self.values, strict=True) if at > end]
        return _join([*before, (start, value), (end, self.get(end)), *behind]) if start < end else self

    def combine(self, other: RangeMap[U], combine: Callable[[T, U], V]) -> RangeMap[V]:
        """Return the map of the combined values of two maps."""
        starts = sorted({*self.starts, *other.starts})
        return _join([(start, combine(self.get(start), other.get(start))) for start in starts])

    def convert(self, convert: Callable[[T], V]) -> RangeMap[V]:
        """Return the map of the converted values."""
        return _join([(start, convert(value)) for start, value in zip(self.starts, self.values, strict=True)])


def _join(pieces: list[tuple[int, V]]) -> RangeMap[V]:
    kept = [piece for index, piece in enumerate(pieces) if index == 0 or piece[1] != pieces[index - 1][1]]
    return RangeMap(tuple(start for start, _ in kept), tuple(value for _, value in kept))
