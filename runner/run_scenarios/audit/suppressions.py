"""Comments that say why a case need not fail for something: `# audit: the reason`. Imports comments."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.source import Source
from run_scenarios.syntax.comments import find_comments


class Suppressions:
    """The comments of a file."""

    def __init__(self, source: Source) -> None:
        self._comments = list(find_comments(source, "audit"))
        self._reasons = {each.line: each.text for each in self._comments if each.text}

    def reason(self, line: int) -> str:
        """Return the reason that is given for what is on a line, "" if there is none."""
        return self._reasons.get(line, "")

    def wrong(self, needed: Collection[int]) -> Iterator[Diagnostic]:
        """Yield what is wrong with the comments.

        :param needed: the lines that have something to excuse, or may have.
        """
        for each in self._comments:
            if not each.text:
                yield Diagnostic(each.span, "this comment gives no reason", "# audit: the reason", code="audit")
            elif each.line not in needed:
                message = f"this comment excuses nothing: a case fails for whatever is broken on line {each.line}"
                yield Diagnostic(each.span, message, "remove it, or put it on the line above", "warning", "audit")
