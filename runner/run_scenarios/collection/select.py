"""Select the cases to run, and put them in order.

The filters are applied in this order: `-k`, `--tag` and `--not-tag`, `--changed`, `--rerun-failed`, `--shard`.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from run_scenarios.collection.collector import Collection
from run_scenarios.collection.discover import describe_no_scenarios
from run_scenarios.collection.git_changes import find_changed_files
from run_scenarios.collection.history import History
from run_scenarios.collection.keyword_expression import parse_keyword_expression
from run_scenarios.collection.options import SelectionOptions, Shard
from run_scenarios.collection.sharding import (
    choose_members,
    compute_fingerprint,
    count_steps,
    estimate_weights,
    load_durations,
)
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
        """The tags of its scenario."""
        return self.case.file.tags


@dataclass(frozen=True)
class Selection:
    """Everything that a run reports on, in order: invalid files, then tasks.

    :param reason: why nothing was selected, "" if something was.
    :param notes: lines for the user about the selection.
    :param qemus: the versions that the builds report.
    :param left_out: the absolute paths of files that deselected cases read.
    :param further: entries of the report after those of the tasks.
    :param expected: the seconds that cases took before, by name; empty to start them in the order of `tasks`.
    """

    invalid_files: tuple[InvalidFile, ...]
    tasks: tuple[Task, ...]
    reason: str = ""
    notes: tuple[str, ...] = ()
    qemus: tuple[str, ...] = ()
    left_out: frozenset[str] = frozenset()
    further: tuple[TestPoint, ...] = ()
    expected: Mapping[str, float] = field(default_factory=dict)

    @property
    def points(self) -> tuple[TestPoint, ...]:
        """Every entry of the report."""
        files = (_make_file_point(each) for each in self.invalid_files)
        return (*files, *(task.point for task in self.tasks), *self.further)


def select_cases(
    options: SelectionOptions, collection: Collection, builds: Sequence[Build], history: History
) -> Selection:
    """Select the cases to run on each build.

    :param history: the results of earlier runs, for `--rerun-failed`.
    :raise UsageError: for a `-D` that no scenario uses, and for an invalid file of durations.
    """
    if not collection.invalid_files:
        collection.overrides.check_all_used()
    candidates = _make_candidates(collection, builds)
    filters = _Filters(candidates)
    filters.by_keywords(options.keywords)
    filters.by_tags(options.tags, options.excluded_tags)
    if options.changed is not None:
        filters.by_change(options.changed)
    if options.rerun_failed:
        filters.by_failure(history)
    if options.shard:
        filters.by_shard(options.shard, load_durations(options.durations))
    if options.shuffle is not None:
        filters.notes.append(f"shuffled; to repeat this order: --shuffle={shlex.quote(options.shuffle)}")
    rounds = _repeat(filters.left, options.repeat, options.shuffle)
    tasks = _make_tasks(rounds, collection, options.timeout_s, len(collection.invalid_files))
    reason = "" if tasks else filters.reason or describe_no_scenarios(collection.paths)
    return Selection(
        invalid_files=tuple(collection.invalid_files),
        tasks=tuple(tasks),
        reason=reason,
        notes=tuple(filters.notes),
        qemus=tuple(collection.qemus),
        # The user asked for this order, so do not start long cases first.
        expected=history.durations if options.shuffle is None else {},
        left_out=frozenset(at for each in {*candidates} - {*filters.left} for at in each.case.file.texts),
    )


def make_tasks(collection: Collection, build: Build, timeout_s: float | None) -> list[Task]:
    """Return a task for each collected case on a build."""
    candidates = _make_candidates(collection, (build,))
    return _make_tasks(((each, "") for each in candidates), collection, timeout_s, 0)


def _make_candidates(collection: Collection, builds: Sequence[Build]) -> list[Candidate]:
    return [
        Candidate(case, build, case.name(*build.labels))
        for case in collection.cases
        for build in builds
        if collection.can_run(case, build.label)
    ]


@dataclass
class _Filters:
    """The candidates left, the reason if none is, and notes for the user."""

    left: list[Candidate]
    reason: str = ""
    notes: list[str] = field(default_factory=list)

    def by_keywords(self, expressions: Iterable[str]) -> None:
        for text in expressions:
            matches = parse_keyword_expression(text)
            selected = {each for each in self.left if matches((each.name, *each.tags))}
            self._keep(selected.__contains__, f"-k '{text}'")

    def by_tags(self, wanted: Sequence[str], excluded: Sequence[str]) -> None:
        known = sorted({tag for each in self.left for tag in each.tags})
        unknown = [tag for tag in (*wanted, *excluded) if tag not in known]
        hints = {tag: did_you_mean(tag, known, f"tags: {', '.join(known) or 'none'}") for tag in unknown}
        if self.left:
            self.notes += [f"no case has the tag '{tag}'; {hint}" for tag, hint in hints.items()]
        if wanted:
            self._keep(lambda each: not set(wanted).isdisjoint(each.tags), f"--tag {' --tag '.join(wanted)}")
        if excluded:
            self._keep(lambda each: set(excluded).isdisjoint(each.tags), f"--not-tag {' --not-tag '.join(excluded)}")

    def by_change(self, revision: str) -> None:
        changed = find_changed_files({at for each in self.left for at in each.case.file.texts}, revision)
        self._keep(lambda each: not changed.isdisjoint(each.case.file.texts), f"--changed={revision}")

    def by_failure(self, history: History) -> None:
        failed = sorted(history.failed)
        listed = ", ".join(failed[:MAX_LISTED]) + (", …" if len(failed) > MAX_LISTED else "")
        why = (
            f"none of the previously failed cases is selected ({listed})"
            if failed
            else "no case failed when last run in this directory"
        )
        self._keep(lambda each: each.name in history.failed, "--rerun-failed", why)

    def by_shard(self, shard: Shard, durations: dict[str, float]) -> None:
        weights = estimate_weights({each.name: count_steps(each.case.load()) for each in self.left}, durations)
        chosen = choose_members(weights, shard)
        self.notes.append(
            f"shard {shard}: {len(chosen)} of {len(weights)} cases; "
            f"every shard must report the fingerprint {compute_fingerprint(weights)}"
        )
        self._keep(lambda each: each.name in chosen, f"--shard {shard}")

    def _keep(self, matches: Callable[[Candidate], bool], option: str, why: str = "") -> None:
        before = len(self.left)
        self.left = [each for each in self.left if matches(each)]
        if before and not self.left:
            every = "the only case" if before == 1 else f"all {before} cases"
            self.reason = f"{option} deselects {every}{why and f': {why}'}"


def _repeat(candidates: list[Candidate], count: int, seed: str | None) -> Iterator[tuple[Candidate, str]]:
    """Yield the candidates once per round, each with a suffix for its name."""
    for number in range(1, count + 1):
        suffix = f" (round {number} of {count})" if count > 1 else ""
        for each in candidates if seed is None else _shuffle(candidates, f"{seed}/{number}"):
            yield each, suffix


def _shuffle(candidates: list[Candidate], seed: str) -> list[Candidate]:
    """Return the candidates in random order; the order of two of them depends on the seed alone."""
    return sorted(
        candidates, key=lambda each: hashlib.sha256(f"{seed}/{each.name}".encode(errors="surrogateescape")).digest()
    )


def _make_tasks(
    rounds: Iterable[tuple[Candidate, str]], collection: Collection, timeout_s: float | None, first: int
) -> list[Task]:
    # All rounds share the parts of a point, because there may be very many rounds.
    points: dict[Candidate, TestPoint] = {}
    tasks = []
    for index, (each, suffix) in enumerate(rounds, first):
        if each not in points:
            points[each] = _make_point(each, collection, timeout_s)
        point = replace(points[each], name=each.name + suffix)
        tasks.append(Task(index, replace(each.case, cap_s=timeout_s), each.build.programs, point))
    return tasks


def _make_point(candidate: Candidate, collection: Collection, timeout_s: float | None) -> TestPoint:
    case = candidate.case
    overrides = collection.overrides.format_arguments(case)
    limit = ("--timeout", f"{timeout_s:g}") if timeout_s else ()
    return TestPoint(
        name=candidate.name,
        path=case.file.path,
        title=case.file.title,
        rerun=shlex.join(["run-scenarios", *candidate.build.arguments, *overrides, *limit, case.selector]),
        tags=candidate.tags,
        case=candidate.name,
        build=candidate.build.label,
    )


def _make_file_point(file: InvalidFile) -> TestPoint:
    where = f"invalid on QEMU {file.label}" if file.label else "invalid scenario file"
    return TestPoint(f"{file.path} ({where})", file.path, case=file.path)
