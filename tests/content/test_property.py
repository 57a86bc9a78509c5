"""The content model against arrays of bytes on which every operation is really performed."""

from __future__ import annotations

import random
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from run_scenarios.content.cells import Cell, Value, Values
from run_scenarios.content.disks import Disks

SIZE = 24
OFFSETS = st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)).map(sorted)
BYTES = st.integers(1, 4)
Operation = tuple[str, list[int], int, int]
OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ["write", "fail", "discard", "flush", "snapshot", "commit", "crash", "stream", "copy", "rebase"]
        ),
        OFFSETS,
        BYTES,
        st.integers(0, 1 << 30),
    ),
    max_size=30,
)


class NaiveChain:
    """A chain of images as lists of bytes, None where a layer is empty; the top one also as it is on disk.

    Whatever QEMU is free to decide, such as which unflushed writes reach the disk, is decided at random.
    """

    def __init__(self) -> None:
        self.layers: list[list[int | None]] = [[0] * SIZE]
        self.unflushed: list[tuple[int, int | None]] = []
        self.on_disk: list[int | None] = [0] * SIZE

    @property
    def top(self) -> list[int | None]:
        return self.layers[-1]

    def put(self, offset: int, value: int | None) -> None:
        self.top[offset] = value
        self.unflushed.append((offset, value))

    def flush(self) -> None:
        self.on_disk = list(self.top)
        self.unflushed = []

    def lose_power(self, chance: random.Random) -> None:
        """Some of the unflushed writes have reached the disk, in any order."""
        chance.shuffle(self.unflushed)
        for offset, value in self.unflushed:
            if chance.random() < 0.5:
                self.on_disk[offset] = value
        self.layers[-1] = list(self.on_disk)
        self.unflushed = []

    def read(self) -> list[int]:
        content = [0] * SIZE
        for layer in self.layers:
            content = [below if own is None else own for own, below in zip(layer, content, strict=True)]
        return content


class Pair:
    """The model and the naive chain; each method performs one operation on both."""

    def __init__(self, seed: int) -> None:
        self.disks, self.naive, self.chance = Disks(), NaiveChain(), random.Random(seed)
        self.disks.images.create("0.qcow2", "qcow2", SIZE)
        self.names = ["0.qcow2"]
        self.made = 0

    @property
    def top(self) -> str:
        return self.names[-1]

    def make_name(self) -> str:
        self.made += 1
        return f"{self.made}.qcow2"

    def write(self, span: list[int], byte: int) -> None:
        self.disks.images.change(self.top, span[0], span[1], lambda cell: cell.write(_values(byte)))
        for offset in range(*span):
            self.naive.put(offset, byte)

    def fail(self, span: list[int], byte: int) -> None:
        self.disks.images.change(self.top, span[0], span[1], lambda cell: cell.write(_values(byte), succeeded=False))
        for offset in range(*span):
            if self.chance.random() < 0.5:
                self.naive.put(offset, byte)

    def discard(self, span: list[int], byte: int) -> None:
        self.disks.discard_file(self.top, "qcow2", span[0], span[1] - span[0])
        for offset in range(*span):
            outcome = self.chance.randrange(3)
            if outcome:
                self.naive.put(offset, 0 if outcome == 1 else None if len(self.names) > 1 else 0)

    def flush(self, span: list[int], byte: int) -> None:
        self.disks.flush_file(self.top)
        self.naive.flush()

    def snapshot(self, span: list[int], byte: int) -> None:
        if len(self.names) > 3:
            return
        self.flush(span, byte)
        name = self.make_name()
        self.disks.images.create(name, "qcow2", SIZE, self.top)
        self.names.append(name)
        self.naive.layers.append([None] * SIZE)
        self.naive.flush()

    def commit(self, span: list[int], byte: int) -> None:
        if len(self.names) == 1:
            return
        self.disks.commit_file(self.top, None, succeeded=True)
        self.names.pop()
        content = self.naive.read()
        self.naive.layers.pop()
        self.naive.layers[-1] = list(content)
        self.naive.flush()

    def stream(self, span: list[int], byte: int) -> None:
        below = self.disks.images._read_backing(self.top, frozenset())
        self.disks.images.pull_backing(self.top, below, until=None, completed=True)
        self.disks.images.set_backing(self.top, None)
        content = self.naive.read()
        self.naive.layers[:-1] = [[0] * SIZE for _ in self.naive.layers[:-1]]
        for offset, value in enumerate(content):
            if self.naive.top[offset] is None:
                self.naive.put(offset, value)
        self.names = [self.top]
        self.naive.layers = [self.naive.top]

    def copy(self, span: list[int], byte: int) -> None:
        """A mirror that pivots: the guest goes on with a copy."""
        copy = self.make_name()
        self.disks.images.create(copy, "qcow2", SIZE)
        self.disks.images.copy_content(copy, self.disks.read(self.top), SIZE, completed=True)
        self.disks.flush_file(copy)
        self.names = [copy]
        self.naive.layers = [list(self.naive.read())]
        self.naive.flush()

    def rebase(self, span: list[int], byte: int) -> None:
        """A safe rebase to nothing, or to an empty image."""
        if len(self.names) == 1:
            return
        empty = self.make_name()
        self.disks.images.create(empty, "qcow2", SIZE)
        self.disks.images.rebase(self.top, empty)
        self.disks.flush_file(self.top)
        content = self.naive.read()
        self.names = [empty, self.top]
        kept = [value if value or self.chance.random() < 0.5 else None for value in content]
        self.naive.layers = [[0] * SIZE, list(kept)]
        self.naive.flush()

    def crash(self, span: list[int], byte: int) -> None:
        self.disks.images.change_all(self.top, Cell.lose_cache)
        self.naive.lose_power(self.chance)


def _values(byte: int) -> Values:
    return frozenset({Value(byte)})


def is_allowed(values: Values, byte: int) -> bool:
    return values is None or any(value.byte == byte for value in values)


@given(OPERATIONS)
def test_what_is_read_is_always_among_the_values_of_the_model(operations: list[Operation]) -> None:
    for seed in range(3):
        pair = Pair(seed)
        for name, span, byte, _ in operations:
            operate: Callable[[list[int], int], None] = getattr(pair, name)
            operate(span, byte)
            content = pair.disks.read(pair.top)
            assert all(is_allowed(content.get(at).now, byte) for at, byte in enumerate(pair.naive.read()))


@given(OPERATIONS)
def test_the_model_knows_the_value_of_every_byte_after_writes_and_flushes_alone(operations: list[Operation]) -> None:
    pair = Pair(0)
    for name, span, byte, _ in operations:
        if name in ("write", "flush", "snapshot", "commit", "stream", "copy", "rebase"):
            getattr(pair, name)(span, byte)
    content = pair.disks.read(pair.top)
    for at, byte in enumerate(pair.naive.read()):
        assert {value.byte for value in content.get(at).now or ()} == {byte}
