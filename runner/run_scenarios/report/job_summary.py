"""The summary of a job, which GitHub shows on the page of a workflow's run. Imports model, errors.

Source: "Workflow commands for GitHub Actions", adding a job summary: Markdown that is appended to the file that
`GITHUB_STEP_SUMMARY` names, at most 1 MiB in a step; more, and GitHub shows none of it.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from run_scenarios.core.diagnostics import escape_unprintable, format_excerpt
from run_scenarios.core.events import (
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

# Less than the limit, for other commands of the step may write too.
MAX_BYTES = 1000 << 10
MAX_FAILURES = 200
MAX_REASONS = 50
# What means something in GitHub's Markdown, an HTML tag and the mention of a user included.
MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+!|~&@:$=^-])")
WORDS = {Outcome.PASSED: "passed", Outcome.SKIPPED: "skipped", Outcome.KNOWN_FAILURE: "known to fail"}


class JobSummary:
    """Appends totals, failures and the reasons for skipping to a file; does nothing outside of GitHub's workflows."""

    IGNORES_STEPS = True

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """Find the file.

        :raise OSError: if it cannot be written.
        """
        wanted = environment.get("GITHUB_ACTIONS") == "true"
        self._file = environment.get("GITHUB_STEP_SUMMARY", "") if wanted else ""
        if self._file:
            Path(self._file).open("a").close()
        self._started = RunStarted(())
        self._counts: Counter[str] = Counter()
        self._failures: list[str] = []
        self._skipped: Counter[str] = Counter()
        self._ended = False

    def __call__(self, event: RunEvent) -> None:
        """Take an event.

        :raise OSError: if the file cannot be written.
        """
        match event:
            case RunStarted():
                self._started = event
            case CaseFinished(index, result):
                self._note(self._started.points[index], result)
            case RunFinished(seconds):
                self._end(f"{seconds:.1f} s")
            case NothingToRun(reason) | RunStopped(reason) | RunAborted(reason):
                self._end(f"**{escape_markdown(reason)}**")

    def _note(self, point: TestPoint, result: Result) -> None:
        self._counts[WORDS.get(result.outcome, "failed")] += 1
        if result.outcome is Outcome.SKIPPED:
            self._skipped[result.note] += 1
        if result.outcome.is_failure and len(self._failures) < MAX_FAILURES:
            self._failures.append("\n".join(_told(point, result)))

    def _end(self, last: str) -> None:
        if self._ended or not self._file:
            return
        self._ended = True
        with Path(self._file).open("a", encoding="utf-8", errors="replace") as file:
            file.write(_fitting([*self._totals(last), *self._why_failed(), *self._why_skipped()]))

    def _totals(self, last: str) -> Iterator[str]:
        failed = self._counts["failed"]
        total = len(self._started.points)
        counts = {**{word: self._counts[word] for word in (*WORDS.values(), "failed")}}
        counts["not run"] = total - sum(self._counts.values())
        shown = {word: count for word, count in counts.items() if count}
        yield f"### {'❌' if failed or not total else '✅'} run-scenarios: {_counted(total, 'case')}"
        if shown:
            yield f"| {' | '.join(shown)} |\n|{' ---: |' * len(shown)}\n| {' | '.join(map(str, shown.values()))} |"
        yield ", ".join([*map(escape_markdown, self._started.qemus), last])

    def _why_failed(self) -> Iterator[str]:
        yield from self._failures
        left = self._counts["failed"] - len(self._failures)
        if left:
            yield f"… and {_counted(left, 'failure')} more"

    def _why_skipped(self) -> Iterator[str]:
        if not self._skipped:
            return
        reasons = [f"- {count} × {escape_markdown(reason)}" for reason, count in self._skipped.most_common(MAX_REASONS)]
        yield "#### Skipped\n\n" + "\n".join(reasons)
        if len(self._skipped) > MAX_REASONS:
            yield f"… for {_counted(len(self._skipped) - MAX_REASONS, 'reason')} more"


def escape_markdown(text: str) -> str:
    """Return a text on one line that Markdown shows as it is."""
    return MARKDOWN.sub(r"\\\1", escape_unprintable(text))


def _told(point: TestPoint, result: Result) -> Iterator[str]:
    """Say why a case failed: folded up, but for the line that one reads first."""
    why = result.failure.diagnostic.message if result.failure else result.note
    yield f"<details><summary><b>{_html(point.name)}</b>: {_html(why)}</summary>\n"
    if result.failure:
        yield _fenced(_story(result.failure))
    if point.rerun:
        yield _fenced([point.rerun])
    yield "</details>"


def _story(failure: Failure) -> list[str]:
    found = failure.diagnostic
    lines = [f"{found.span}: {escape_unprintable(found.message)}", *format_excerpt(found.span, found.hint)]
    if failure.step:
        lines.append(
            f"step {failure.step} ({failure.verb})" + (f": {escape_unprintable(failure.name)}" if failure.name else "")
        )
    if failure.wanted:
        lines += [f"expected: {escape_unprintable(failure.wanted)}", f"found:    {escape_unprintable(failure.found)}"]
    return lines


def _html(text: str) -> str:
    # GitHub reads Markdown within the tag too.
    return MARKDOWN.sub(lambda found: f"&#{ord(found[0])};", escape_unprintable(text))


def _fenced(lines: Sequence[str]) -> str:
    """Return lines as a block of code, within a fence longer than any that is in them."""
    text = "\n".join(lines)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}\n"


def _fitting(paragraphs: Sequence[str]) -> str:
    """Return as many whole paragraphs as GitHub shows, with an empty line between them."""
    room, kept = MAX_BYTES, []
    for paragraph in paragraphs:
        room -= len(paragraph.encode("utf-8", "replace")) + 2
        if room < 0:
            kept.append("… and more, which is more than GitHub shows")
            break
        kept.append(paragraph)
    return "\n\n".join(kept) + "\n\n"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
