"""The image files of a case: their sizes, their backing files, and the content of each layer."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass, replace

from run_scenarios.content.cells import EMPTY, TRANSPARENT, UNKNOWN, ZEROES, Cell, Layer, Values, unite
from run_scenarios.content.range_map import RangeMap


@dataclass(frozen=True)
class Image:
    """What is known about an image file.

    :param size: the virtual size, None if it is unknown.
    :param backing: the name of its backing file, None without one.
    :param is_opaque: whether something that the model does not see may write to it at any time.
    """

    format: str
    size: int | None
    backing: str | None
    layer: Layer
    is_opaque: bool = False


UNKNOWN_IMAGE = Image("", None, None, RangeMap.filled(UNKNOWN))


class Images:
    """All image files of a case, by their names relative to its directory."""

    def __init__(self) -> None:
        self._images: dict[str, Image] = {}

    def copy(self) -> Images:
        """Return a copy that changes on its own."""
        copied = Images()
        copied._images = dict(self._images)
        return copied

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all files."""
        return tuple(self._images)

    def get(self, name: str) -> Image:
        """Return a file, of which nothing may be known."""
        return self._images.get(posixpath.normpath(name), UNKNOWN_IMAGE)

    def create(self, name: str, format_: str, size: int | None, backing: str | None = None) -> None:
        """Replace a file by an empty image; without a size, it gets that of its backing file."""
        if size is None and backing is not None:
            size = self.get(backing).size
        backing = None if backing is None else posixpath.join(posixpath.dirname(name), backing)
        self._put(name, Image(format_, size, backing and posixpath.normpath(backing), RangeMap.filled(EMPTY)))

    def set_backing(self, name: str, backing: str | None) -> None:
        """Change the name of the backing file that an image refers to."""
        self._put(name, replace(self.get(name), backing=backing and posixpath.normpath(backing)))

    def forget(self, name: str, *, forever: bool = False) -> None:
        """Take the content of an image as unknown; `forever` until the file is created again."""
        old = self.get(name)
        layer = RangeMap.filled(UNKNOWN)
        self._put(name, replace(old, size=None, layer=layer, is_opaque=old.is_opaque or forever))

    def change(self, name: str, start: int, end: int, change: Callable[[Cell], Cell]) -> None:
        """Change the cells of a range."""
        old = self.get(name)
        if not old.is_opaque:
            self._put(name, replace(old, layer=old.layer.change(start, end, change)))

    def change_all(self, name: str, change: Callable[[Cell], Cell]) -> None:
        """Change every cell of an image."""
        old = self.get(name)
        if not old.is_opaque:
            self._put(name, replace(old, layer=old.layer.convert(change)))

    def resize(self, name: str, size: int, *, succeeded: bool) -> None:
        """Change the size of an image; what is added reads as zeroes, even above a longer backing file."""
        old = self.get(name)
        if old.size is None or not succeeded:
            self.forget(name)
            return
        layer = old.layer.change(size, max(size, old.size), lambda cell: ZEROES)
        layer = layer.change(old.size, max(size, old.size), lambda cell: ZEROES)
        self._put(name, replace(old, size=size, layer=layer))

    def copy_content(self, name: str, content: Layer, size: int | None, *, completed: bool) -> None:
        """Let an image hold this content; unless that is completed, any part of it may be missing."""
        old = self.get(name)
        # A job that does not complete may have grown its target or not.
        if old.size is None or size is None or size > old.size or old.is_opaque:
            self.forget(name)
            return
        layer = old.layer.combine(content, lambda cell, new: cell.write(new.now, succeeded=completed))
        self._put(name, replace(old, layer=layer))

    def commit_layers(self, name: str, layers: Layer, size: int | None, *, completed: bool) -> None:
        """Let an image take over what the layers above it hold, up to a top image of this size."""
        old = self.get(name)
        if old.size is None or size is None or old.is_opaque or (size > old.size and not completed):
            self.forget(name)
            return
        if size > old.size:
            self.resize(name, size, succeeded=True)
        layer = self.get(name).layer.combine(layers, lambda cell, new: _commit(cell, new.now, completed=completed))
        self._put(name, replace(self.get(name), layer=layer))

    def copy_layer(self, name: str, layer: Layer, content: Layer, size: int | None, *, completed: bool) -> None:
        """Let an image hold what another image's own layer holds; QEMU copies whole clusters, so some more as well."""
        certain = layer.convert(lambda cell: completed and not _may_be_transparent(cell.now))
        old = self.get(name)
        if old.size is None or size is None or old.is_opaque:
            self.forget(name)
            return
        both = content.combine(certain, lambda cell, is_certain: (cell.now, is_certain))
        merged = old.layer.combine(both, lambda cell, new: cell.write(new[0], succeeded=new[1]))
        self._put(name, replace(old, layer=merged))

    def pull_backing(self, name: str, below: Layer, *, until: Layer | None, completed: bool) -> None:
        """Let an image take over what the images below it hold.

        :param below: the content of its backing chain.
        :param until: the layers above the base to copy from, None to copy everything.
        """
        if until is None:
            pulled = below.convert(lambda cell: cell.now)
        else:
            pulled = until.combine(below, lambda cell, deep: _keep_transparent(cell.now, deep.now))
        old = self.get(name)
        layer = old.layer.combine(pulled, lambda cell, values: _pull(cell, values, completed=completed))
        if not old.is_opaque:
            self._put(name, replace(old, layer=layer))

    def rebase(self, name: str, backing: str | None) -> None:
        """Change the backing file of an image and keep the content that a guest sees."""
        old = self.read(name)
        size = self.get(name).size
        self.set_backing(name, backing)
        new = self.read(name)
        if size is None:
            self.forget(name)
            return
        pulled = old.combine(new, _choose_rebased)
        layer = self.get(name).layer.combine(pulled, lambda cell, values: _pull(cell, values, completed=True))
        self._put(name, replace(self.get(name), layer=layer))

    def read(self, name: str) -> Layer:
        """Return the content of an image with its backing files as a guest sees it; unknown beyond its end."""
        return self.look_through(name, self._read_backing(name, frozenset({name})))

    def look_through(self, name: str, backing: Layer) -> Layer:
        """Return the content of an image above the content of a backing file."""
        image = self.get(name)
        if image.size is None or image.is_opaque:
            return RangeMap.filled(UNKNOWN)
        whole = image.layer.combine(backing, Cell.look_through)
        return whole.put(image.size, 1 << 64, UNKNOWN)

    def extend_with_zeroes(self, name: str, content: Layer) -> Layer:
        """Return the content of a backing file as an image above it sees it, which may be longer."""
        size = self.get(name).size
        return content if size is None else content.put(size, 1 << 64, ZEROES)

    def list_chain(self, name: str) -> list[str]:
        """Return an image and its backing files, the image first."""
        chain: list[str] = []
        at: str | None = posixpath.normpath(name)
        while at is not None and at not in chain:
            chain.append(at)
            at = self.get(at).backing
        return chain

    def _read_backing(self, name: str, seen: frozenset[str]) -> Layer:
        backing = self.get(name).backing
        if backing is None:
            return RangeMap.filled(ZEROES)
        if backing in seen:
            return RangeMap.filled(UNKNOWN)
        content = self.look_through(backing, self._read_backing(backing, seen | {backing}))
        return self.extend_with_zeroes(backing, content)

    def _put(self, name: str, image: Image) -> None:
        self._images[posixpath.normpath(name)] = image


def _may_be_transparent(values: Values) -> bool:
    return values is None or TRANSPARENT in values


def _keep_transparent(layer: Values, below: Values) -> Values:
    """Return the values that a partial stream leaves: clusters are copied whole, so a hole may have been filled."""
    return unite(layer, below) if _may_be_transparent(layer) else layer


def _pull(cell: Cell, pulled: Values, *, completed: bool) -> Cell:
    if cell.now is None or TRANSPARENT not in cell.now:
        return cell
    kept = cell.now - {TRANSPARENT} if completed else cell.now
    return Cell(unite(kept, pulled), unite(cell.after, pulled))


def _choose_rebased(old: Cell, new: Cell) -> Values:
    """Return what a hole holds after a rebase; where old and new backing files agree, it may still be a hole."""
    return unite(old.now, frozenset({TRANSPARENT})) if old.now == new.now else old.now


def _commit(cell: Cell, above: Values, *, completed: bool) -> Cell:
    if above == EMPTY.now:
        return cell
    certain = completed and not _may_be_transparent(above)
    return cell.write(above and above - {TRANSPARENT}, succeeded=certain)
