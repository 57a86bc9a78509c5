"""Dataclasses that only the type checker keeps frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def unchecked_frozen(kind: type[T]) -> type[T]:
    """Make a class a frozen dataclass, of values made by the million: the type checker alone sees to it.

    Python's own check makes each of them take four times as long to create.
    """
    return dataclass(slots=True, unsafe_hash=True)(kind)


@dataclass_transform(frozen_default=True, eq_default=False)
def unchecked_frozen_by_identity(kind: type[T]) -> type[T]:
    """Make a class a dataclass like those of `unchecked_frozen`, each of which is equal to itself alone."""
    return dataclass(eq=False)(kind)
