"""Which of the collected cases run, on which builds, how often and in which order. Imports collect, builds, shards.

The filters come one after the other: `-k`, `--tag` and `--not-tag`, `--changed`, `--rerun-failed`, and on what is left
`--shard`.
"""

from __future__ import annotations

import argparse
import hashlib
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from run_scenarios.collection.collector import Collection
from run_scenarios.collection.discover import describe_no_scenarios
from run_scenarios.collection.git_changes import list_changed_files
from run_scenarios.collection.history import History
from run_scenarios.collection.keyword_expression import parse_keyword_expression
from run_scenarios.collection.sharding import (
    Shard,
    choose_members,
    compute_fingerprint,
    count_steps,
    estimate_weights,
    load_durations,
)
from run_scenarios.collection.variable_overrides import format_overrides
from run_scenarios.core.diagnostics import did_you_mean
from run_scenarios.core.events import TestPoint
from run_scenarios.qemu.builds import Build
from run_scenarios.scenario.case import Case, Task
from run_scenarios.scenario.model import InvalidFile

MAX_LISTED = 5


@dataclass(frozen=True, eq=False)
class Candidate:
    """A case on a build.

    :param name: unique among the candidates of a run.
    """

    case: Case
    build: Build
    name: str

    @property
    def tags(self) -> tuple[str, ...]:
        """The words that its scenario is tagged with."""
        return self.case.file.tags


@dataclass(frozen=True)
class Selection:
    """What a run reports on, in its order: the files that cannot be run, then each task.

    :param reason: why nothing was selected, "" if something was.
    :param notes: what the user ought to know of the choice, a line each.
    :param qemus: what the builds under test say they are.
    :param left_out: the files, by absolute path, that cases read which were collected and not selected.
    :param further: what is reported besides, after the tasks.
    :param expected: seconds that cases took before, by name; empty if they are to start in the order of `tasks`.
    """

    bad: tuple[InvalidFile, ...]
    tasks: tuple[Task, ...]
    reason: str = ""
    notes: tuple[str, ...] = ()
    qemus: tuple[str, ...] = ()
    left_out: frozenset[str] = frozenset()
    further: tuple[TestPoint, ...] = ()
    expected: Mapping[str, float] = field(default_factory=dict)

    @property
    def points(self) -> tuple[TestPoint, ...]:
        """Every line of the report."""
        return (*(_point_of_file(each) for each in self.bad), *(task.point for task in self.tasks), *self.further)


def select_cases(
    options: argparse.Namespace, collection: Collection, builds: Sequence[Build], history: History
) -> Selection:
    """Choose what to run.

    :param builds: each case is a candidate on each of them, unless it was refused there.
    :param history: what `--rerun-failed` goes by.
    :raise UsageError: for `-D` that nothing knows, and for a file of durations that is none.
    """
    if not collection.bad:
        collection.definitions.check()
    candidates = _candidates(collection, builds)
    filters = _Filters(candidates)
    filters.by_keywords(options.keywords)
    filters.by_tags(options.tag, options.not_tag)
    if options.changed is not None:
        filters.by_change(options.changed)
    if options.rerun_failed:
        filters.by_failure(history)
    if options.shard:
        filters.by_shard(Shard(*options.shard), load_durations(options.durations))
    if options.shuffle is not None:
        filters.notes.append(f"shuffled; for the same order again: --shuffle={shlex.quote(options.shuffle)}")
    rounds = _rounds(filters.left, options.repeat, options.shuffle)
    tasks = _tasks(rounds, options, len(collection.bad))
    reason = "" if tasks else filters.reason or describe_no_scenarios(options.paths)
    return Selection(
        bad=tuple(collection.bad),
        tasks=tuple(tasks),
        reason=reason,
        notes=tuple(filters.notes),
        qemus=tuple(collection.qemus),
        # An order that was asked for stays as it is.
        expected=history.durations if options.shuffle is None else {},
        left_out=frozenset(at for each in {*candidates} - {*filters.left} for at in each.case.file.texts),
    )


def make_tasks(collection: Collection, build: Build, options: argparse.Namespace) -> list[Task]:
    """Return each of the collected cases, to run on a build."""
    return _tasks(((each, "") for each in _candidates(collection, (build,))), options, 0)


def _candidates(collection: Collection, builds: Sequence[Build]) -> list[Candidate]:
    return [
        Candidate(case, build, case.name(*build.labels))
        for case in collection.cases
        for build in builds
        if collection.runs_on(case, build.label)
    ]


@dataclass
class _Filters:
    """The candidates left, what took the last of them, and what is to be said."""

    left: list[Candidate]
    reason: str = ""
    notes: list[str] = field(default_factory=list)

    def by_keywords(self, expressions: Iterable[str]) -> None:
        for text in expressions:
            fits = parse_keyword_expression(text)
            chosen = {each for each in self.left if fits((each.name, *each.tags))}
            self._keep(chosen.__contains__, f"-k '{text}' fits none of")

    def by_tags(self, wanted: Sequence[str], refused: Sequence[str]) -> None:
        known = sorted({tag for each in self.left for tag in each.tags})
        strange = [tag for tag in (*wanted, *refused) if tag not in known]
        hints = {tag: did_you_mean(tag, known, f"tags: {', '.join(known) or 'none'}") for tag in strange}
        if self.left:
            self.notes += [f"no case has the tag '{tag}'; {hint}" for tag, hint in hints.items()]
        if wanted:
            self._keep(
                lambda each: not set(wanted).isdisjoint(each.tags), f"--tag {' --tag '.join(wanted)} fits none of"
            )
        if refused:
            self._keep(
                lambda each: set(refused).isdisjoint(each.tags), f"--not-tag {' --not-tag '.join(refused)} refuses"
            )

    def by_change(self, revision: str) -> None:
        changed = list_changed_files(revision)
        self._keep(
            lambda each: not changed.isdisjoint(each.case.file.texts), f"nothing has changed since {revision} of"
        )

    def by_failure(self, history: History) -> None:
        failed = sorted(history.failed)
        listed = ", ".join(failed[:MAX_LISTED]) + (", …" if len(failed) > MAX_LISTED else "")
        why = (
            f"what failed last is not among them: {listed};"
            if failed
            else "no case failed when last run in this directory,"
        )
        self._keep(lambda each: each.name in history.failed, why + " of")

    def by_shard(self, shard: Shard, durations: dict[str, float]) -> None:
        weights = estimate_weights({each.name: count_steps(each.case.load()) for each in self.left}, durations)
        chosen = choose_members(weights, shard)
        self.notes.append(
            f"shard {shard}: {len(chosen)} of {len(weights)} cases; "
            f"its like from the other shards must say {compute_fingerprint(weights)} too"
        )
        self._keep(lambda each: each.name in chosen, f"--shard {shard} is empty:")

    def _keep(self, wanted: Callable[[Candidate], bool], why: str) -> None:
        before = len(self.left)
        self.left = [each for each in self.left if wanted(each)]
        if before and not self.left:
            self.reason = f"{why} {'the only case' if before == 1 else f'{before} cases'}"


def _rounds(candidates: list[Candidate], count: int, seed: str | None) -> Iterator[tuple[Candidate, str]]:
    """Yield each candidate so many times, round by round, with what is to be added to its name."""
    for number in range(1, count + 1):
        shown = f" (round {number} of {count})" if count > 1 else ""
        for each in candidates if seed is None else _shuffled(candidates, f"{seed}/{number}"):
            yield each, shown


def _shuffled(candidates: list[Candidate], seed: str) -> list[Candidate]:
    """Return them in an order that the seed alone decides: two of them keep theirs, whatever else is selected."""
    return sorted(
        candidates, key=lambda each: hashlib.sha256(f"{seed}/{each.name}".encode(errors="surrogateescape")).digest()
    )


def _tasks(rounds: Iterable[tuple[Candidate, str]], options: argparse.Namespace, first: int) -> list[Task]:
    # Rounds share what is the same in each, for there may be very many.
    points: dict[Candidate, TestPoint] = {}
    tasks = []
    for index, (each, shown) in enumerate(rounds, first):
        if each not in points:
            points[each] = _point(each, options)
        point = replace(points[each], name=each.name + shown)
        tasks.append(Task(index, replace(each.case, cap_s=options.timeout), each.build.programs, point))
    return tasks


def _point(candidate: Candidate, options: argparse.Namespace) -> TestPoint:
    case = candidate.case
    return TestPoint(
        name=candidate.name,
        path=case.file.path,
        title=case.file.title,
        rerun=_rerun(candidate, options),
        tags=candidate.tags,
        case=candidate.name,
        build=candidate.build.label,
    )


def _rerun(candidate: Candidate, options: argparse.Namespace) -> str:
    defined = format_overrides(options.define, candidate.case)
    limit = ("--timeout", f"{options.timeout:g}") if options.timeout else ()
    return shlex.join(["run-scenarios", *candidate.build.arguments, *defined, *limit, candidate.case.selector])


def _point_of_file(bad: InvalidFile) -> TestPoint:
    where = f"invalid on QEMU {bad.label}" if bad.label else "invalid scenario file"
    return TestPoint(f"{bad.path} ({where})", bad.path, case=bad.path)
