"""Comments that silence a rule on a line: `# lint: RS004 the reason`. Imports comments and rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from run_scenarios.core.diagnostics import Diagnostic, did_you_mean
from run_scenarios.core.source import Source
from run_scenarios.lint.rules import BY_CODE, NO_REASON, NOT_NEEDED, UNKNOWN_CODE
from run_scenarios.syntax.comments import MarkedComment, find_comments


@dataclass(frozen=True)
class Suppression:
    """What one comment silences, and why."""

    comment: MarkedComment
    code: str
    reason: str

    def covers(self, finding: Diagnostic) -> bool:
        """Tell whether it silences this finding."""
        return finding.code == self.code and finding.span.line == self.comment.line


def apply_suppressions(source: Source, findings: list[Diagnostic]) -> list[Diagnostic]:
    """Return the findings in a file that no comment there silences, and what is wrong with the comments."""
    silences = [_silence(comment) for comment in find_comments(source, "lint")]
    kept = [each for each in findings if not any(one.covers(each) for one in silences)]
    return [*kept, *(wrong for one in silences for wrong in _wrong(one, findings))]


def _silence(comment: MarkedComment) -> Suppression:
    code, *rest = comment.text.split(maxsplit=1) or [""]
    return Suppression(comment, code, "".join(rest))


def _wrong(suppression: Suppression, findings: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    code, span, line = suppression.code, suppression.comment.span, suppression.comment.line
    if code not in BY_CODE:
        message = f"there is no rule '{code}'" if code else "this comment names no rule"
        hint = did_you_mean(code.upper(), BY_CODE, "for instance '# lint: RS007 the reason'")
        yield UNKNOWN_CODE.diagnostic(span, message, hint)
        return
    if not any(suppression.covers(each) for each in findings):
        message = f"this comment silences nothing: line {line} does not break {code}"
        yield NOT_NEEDED.diagnostic(span, message, "remove it, or put it on the line or the one above")
    if not suppression.reason:
        yield NO_REASON.diagnostic(span, "this comment gives no reason", f"# lint: {code} the reason")
