"""Write the job summary that GitHub shows on the page of a workflow run.

Source: "Workflow commands for GitHub Actions", adding a job summary: Markdown appended to the file that
`GITHUB_STEP_SUMMARY` names. GitHub rejects more than 1 MiB from a step.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from run_scenarios.core.diagnostics import escape_unprintable, format_excerpt
from run_scenarios.core.events import (
    CATEGORIES,
    CaseFinished,
    Failure,
    NothingToRun,
    Outcome,
    Result,
    RunAborted,
    RunEvent,
    RunFinished,
    RunStarted,
    RunStopped,
    TestPoint,
)

# Less than the limit, because other commands of the step may write to the file too.
MAX_BYTES = 1000 << 10
MAX_FAILURES = 200
MAX_REASONS = 50
# Characters that are special in GitHub's Markdown, including HTML tags and mentions of users.
MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+!|~&@:$=^-])")


class JobSummary:
    """Appends totals, failures and reasons for skipping to the file; does nothing outside GitHub workflows."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """Find the file.

        :raise OSError: if it cannot be opened for writing.
        """
        is_workflow = environment.get("GITHUB_ACTIONS") == "true"
        self._file = environment.get("GITHUB_STEP_SUMMARY", "") if is_workflow else ""
        if self._file:
            Path(self._file).open("a").close()
        self._started = RunStarted(())
        self._counts: Counter[str] = Counter()
        self._failures: list[str] = []
        self._skipped: Counter[str] = Counter()
        self._ended = False

    def __call__(self, event: RunEvent) -> None:
        """Handle an event.

        :raise OSError: if the file cannot be written.
        """
        match event:
            case RunStarted():
                self._started = event
            case CaseFinished(index, result):
                self._count_result(self._started.points[index], result)
            case RunFinished(seconds):
                self._end(f"{seconds:.1f} s")
            case NothingToRun(reason) | RunStopped(reason) | RunAborted(reason):
                self._end(f"**{escape_markdown(reason)}**")

    def _count_result(self, point: TestPoint, result: Result) -> None:
        self._counts[result.outcome.category] += 1
        if result.outcome is Outcome.SKIPPED:
            self._skipped[result.note] += 1
        if result.outcome.is_failure and len(self._failures) < MAX_FAILURES:
            self._failures.append("\n".join(_describe_failure(point, result)))

    def _end(self, last: str) -> None:
        if self._ended or not self._file:
            return
        self._ended = True
        with Path(self._file).open("a", encoding="utf-8", errors="replace") as file:
            file.write(_fit([*self._format_totals(last), *self._format_failures(), *self._format_skip_reasons()]))

    def _format_totals(self, last: str) -> Iterator[str]:
        failed = self._counts["failed"]
        total = len(self._started.points)
        counts = {category: self._counts[category] for category in CATEGORIES}
        counts["not run"] = total - sum(self._counts.values())
        shown = {word: count for word, count in counts.items() if count}
        yield f"### {'❌' if failed or not total else '✅'} run-scenarios: {_count_noun(total, 'case')}"
        if shown:
            yield f"| {' | '.join(shown)} |\n|{' ---: |' * len(shown)}\n| {' | '.join(map(str, shown.values()))} |"
        yield ", ".join([*map(escape_markdown, self._started.qemus), last])

    def _format_failures(self) -> Iterator[str]:
        yield from self._failures
        omitted = self._counts["failed"] - len(self._failures)
        if omitted:
            yield f"… and {_count_noun(omitted, 'failure')} more"

    def _format_skip_reasons(self) -> Iterator[str]:
        if not self._skipped:
            return
        reasons = [f"- {count} × {escape_markdown(reason)}" for reason, count in self._skipped.most_common(MAX_REASONS)]
        yield "#### Skipped\n\n" + "\n".join(reasons)
        if len(self._skipped) > MAX_REASONS:
            yield f"… and {_count_noun(len(self._skipped) - MAX_REASONS, 'reason')} more"


def escape_markdown(text: str) -> str:
    """Escape a text so that Markdown shows it literally, on one line."""
    return MARKDOWN.sub(r"\\\1", escape_unprintable(text))


def _describe_failure(point: TestPoint, result: Result) -> Iterator[str]:
    """Yield the description of a failure; everything but its first line is collapsed."""
    why = result.failure.diagnostic.message if result.failure else result.note
    yield f"<details><summary><b>{_escape_html(point.name)}</b>: {_escape_html(why)}</summary>\n"
    if result.failure:
        yield _make_code_block(_list_details(result.failure))
    if point.rerun:
        yield _make_code_block([point.rerun])
    yield "</details>"


def _list_details(failure: Failure) -> list[str]:
    found = failure.diagnostic
    lines = [f"{found.span}: {escape_unprintable(found.message)}", *format_excerpt(found.span, found.hint)]
    if failure.step:
        lines.append(
            f"step {failure.step} ({failure.verb})" + (f": {escape_unprintable(failure.name)}" if failure.name else "")
        )
    if failure.wanted:
        lines += [f"expected: {escape_unprintable(failure.wanted)}", f"found:    {escape_unprintable(failure.found)}"]
    return lines


def _escape_html(text: str) -> str:
    # GitHub interprets Markdown within HTML tags too.
    return MARKDOWN.sub(lambda found: f"&#{ord(found[0])};", escape_unprintable(text))


def _make_code_block(lines: Sequence[str]) -> str:
    """Return lines as a code block, with a fence longer than any in them."""
    text = "\n".join(lines)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}\n"


def _fit(paragraphs: Sequence[str]) -> str:
    """Join as many whole paragraphs as fit into `MAX_BYTES`."""
    room, kept = MAX_BYTES, []
    for paragraph in paragraphs:
        room -= len(paragraph.encode("utf-8", "replace")) + 2
        if room < 0:
            kept.append("… the rest exceeds the size limit of GitHub")
            break
        kept.append(paragraph)
    return "\n\n".join(kept) + "\n\n"


def _count_noun(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
