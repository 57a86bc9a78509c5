"""Comments that suppress the findings of the audit on a line: `# audit: REASON`."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.source import Source
from run_scenarios.syntax.comments import find_comments


class Suppressions:
    """The suppressing comments of a file."""

    def __init__(self, source: Source) -> None:
        self._comments = list(find_comments(source, "audit"))
        self._reasons = {each.line: each.text for each in self._comments if each.text}

    def find_reason(self, line: int) -> str:
        """Return the reason given for a line, "" if there is none."""
        return self._reasons.get(line, "")

    def check(self, needed: Collection[int]) -> Iterator[Diagnostic]:
        """Yield a diagnostic for each comment that has no reason, or suppresses nothing.

        :param needed: the lines with mutants that were not killed.
        """
        for each in self._comments:
            if not each.text:
                yield Diagnostic(each.span, "this suppression has no reason", "# audit: REASON", code="audit")
            elif each.line not in needed:
                message = f"this suppression is unused: every mutant on line {each.line} is killed"
                yield Diagnostic(each.span, message, "remove it, or put it on the line above", "warning", "audit")
