"""The values that the bytes of a range may have, now and after a power cut."""

from __future__ import annotations

from dataclasses import dataclass, field

from run_scenarios.content.range_map import RangeMap


@dataclass(frozen=True)
class Value:
    """A byte, and the step that wrote it, "" if it was never written.

    :param byte: None for what the backing file holds.
    """

    byte: int | None
    step: str = field(default="", compare=False)


Values = frozenset[Value] | None
"""The values that are possible; None if any is."""
ZERO = Value(0)
TRANSPARENT = Value(None)


@dataclass(frozen=True)
class Cell:
    """The possible values of each byte of a range in one image.

    :param now: what reading may return now.
    :param after: what reading may return after a power cut: the values at the last flush, and all later ones.
    """

    now: Values
    after: Values

    def write(self, values: Values, *, succeeded: bool = True) -> Cell:
        """Return the cell after a write of one of these values; one that failed may have been done or not."""
        after = unite(self.after, values)
        return Cell(values if succeeded else unite(self.now, values), after)

    def flush(self) -> Cell:
        """Return the cell after a flush."""
        return Cell(self.now, self.now)

    def lose_cache(self) -> Cell:
        """Return the cell after a power cut, or after QEMU lost what it held in memory."""
        return Cell(self.after, self.after)

    def look_through(self, backing: Cell) -> Cell:
        """Return what is read if `backing` is below this cell."""
        return Cell(_look_through(self.now, backing.now), _look_through(self.after, backing.after))


Layer = RangeMap[Cell]
UNKNOWN = Cell(None, None)
EMPTY = Cell(frozenset({TRANSPARENT}), frozenset({TRANSPARENT}))
ZEROES = Cell(frozenset({ZERO}), frozenset({ZERO}))


def unite(some: Values, others: Values) -> Values:
    """Return all values that are in one set or the other."""
    return None if some is None or others is None else others | some


def _look_through(top: Values, below: Values) -> Values:
    if top is None or TRANSPARENT not in top:
        return top
    return unite(top - {TRANSPARENT}, below)
