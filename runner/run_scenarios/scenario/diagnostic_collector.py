"""Collect everything that is wrong with a file instead of stopping at the first mistake."""

from __future__ import annotations

from collections.abc import Iterable

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.errors import ScenarioError

MAX_DIAGNOSTICS = 500


class DiagnosticCollector:
    """Collects diagnostics; used as a context manager, it catches a `ScenarioError` raised in the block.

    :raise ScenarioError: from any method, once there are more than `MAX_DIAGNOSTICS`; no block catches that one.
    """

    def __init__(self) -> None:
        self._diagnostics: dict[Diagnostic, None] = {}

    def add(self, *diagnostics: Diagnostic) -> None:
        """Add diagnostics, each of which is reported once."""
        self.extend(diagnostics)

    def extend(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Add diagnostics, each of which is reported once."""
        self._diagnostics |= dict.fromkeys(diagnostics)
        if len(self._diagnostics) > MAX_DIAGNOSTICS:
            raise _TooManyDiagnostics(*self._sort())

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, ScenarioError) and not isinstance(error, _TooManyDiagnostics):
            self.extend(error.diagnostics)
            return True
        return False

    def raise_any(self) -> None:
        """Raise what was collected.

        :raise ScenarioError: if there is anything.
        """
        if self._diagnostics:
            raise ScenarioError(*self._sort())

    def _sort(self) -> list[Diagnostic]:
        return sorted(self._diagnostics, key=lambda each: each.sort_key)


class _TooManyDiagnostics(ScenarioError):
    """So much is wrong that reading further does not help."""
