"""Comments that suppress a rule on a line: `# lint: RS004 the reason`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from run_scenarios.core.diagnostics import Diagnostic, did_you_mean
from run_scenarios.core.source import Source
from run_scenarios.lint.rules import BY_CODE, NO_REASON, UNKNOWN_CODE, UNUSED
from run_scenarios.syntax.comments import MarkedComment, find_comments


@dataclass(frozen=True)
class Suppression:
    """A comment that suppresses a rule: which one, and the reason."""

    comment: MarkedComment
    code: str
    reason: str

    def covers(self, finding: Diagnostic) -> bool:
        """Return whether it suppresses this finding."""
        return finding.code == self.code and finding.span.line == self.comment.line


def apply_suppressions(source: Source, findings: list[Diagnostic]) -> list[Diagnostic]:
    """Return the findings that no comment in the file suppresses, and the findings about the comments themselves."""
    suppressions = [_parse_suppression(comment) for comment in find_comments(source, "lint")]
    kept = [each for each in findings if not any(one.covers(each) for one in suppressions)]
    return [*kept, *(each for one in suppressions for each in _check_suppression(one, findings))]


def _parse_suppression(comment: MarkedComment) -> Suppression:
    code, *rest = comment.text.split(maxsplit=1) or [""]
    return Suppression(comment, code, "".join(rest))


def _check_suppression(suppression: Suppression, findings: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    code, span, line = suppression.code, suppression.comment.span, suppression.comment.line
    if code not in BY_CODE:
        message = f"there is no rule '{code}'" if code else "this comment names no rule"
        hint = did_you_mean(code.upper(), BY_CODE, "for example '# lint: RS007 REASON'")
        yield UNKNOWN_CODE.diagnostic(span, message, hint)
        return
    if not any(suppression.covers(each) for each in findings):
        message = f"unused suppression: line {line} does not break {code}"
        yield UNUSED.diagnostic(span, message, "remove it, or move it to the line in question or the line above")
    if not suppression.reason:
        yield NO_REASON.diagnostic(span, "this comment gives no reason", f"# lint: {code} REASON")
