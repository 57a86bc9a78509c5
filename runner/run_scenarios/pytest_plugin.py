"""A pytest plugin that collects scenario files: each case is a test.

Pytest imports this module in every project, so it imports the rest only when there is a scenario to collect.
Source: pytest's manual, "Working with non-python tests" and "API Reference".
"""

from __future__ import annotations

import re
import signal
import warnings
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from run_scenarios.qemu.programs import TOOLS

if TYPE_CHECKING:
    from run_scenarios.cli.options import Options
    from run_scenarios.collection.collector import Collection
    from run_scenarios.core.diagnostics import Diagnostic
    from run_scenarios.core.events import Result
    from run_scenarios.execution.case_runner import Settings
    from run_scenarios.qmp.step_checker import QmpChecker
    from run_scenarios.scenario.case import Task

MAX_TITLE_OFFSET = 1 << 16
"""A scenario has its title within so many bytes."""
SCENARIO_TITLE = re.compile(rb"""^(?:\xef\xbb\xbf)?(?:\{[ \t]*)?(["']?)scenario\1[ \t]*:[ \t]+[^\s#]""", re.M)
MARKER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.+/-]*")
OPTIONS: dict[str, dict[str, Any]] = {
    **{f"--{tool}": {"metavar": "PROG", "help": f"the {tool} to use"} for tool in TOOLS},
    "--define": {"metavar": "NAME=VALUE", "action": "append", "help": "set a variable, as -D of run-scenarios"},
    "--timeout": {"metavar": "SECONDS", "help": "limit the time of each case"},
    "--artifacts": {"metavar": "DIR", "help": "keep a directory per case, with its trace"},
    "--keep": {"action": "store_true", "help": "also keep the images of every case"},
    "--allow-outside": {"action": "store_true", "help": "trust the files that say 'allow-outside-paths: true'"},
}
"""Options of `run-scenarios` that pytest has with the prefix `--scenario`."""
SHORT_OPTIONS = {"--define": "-D"}


class ScenarioWarning(UserWarning):
    """A lint warning about a scenario."""


class QemuDeprecationWarning(DeprecationWarning):
    """A scenario uses something that QEMU has deprecated."""


class CaseFailed(Exception):
    """A case did not pass; the argument is the failure as `run-scenarios` prints it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and settings of the plugin."""
    group = parser.getgroup("scenarios", "scenarios of run-scenarios; see its docs/ci.md")
    for option, details in OPTIONS.items():
        group.addoption(_add_prefix(option), **details)
    text = "files and directories to collect scenarios from; by default those named on the command line"
    parser.addini("scenario_paths", text, type="paths", default=None)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    """Collect a scenario file, but no other YAML file."""
    if _is_wanted(file_path, parent.config) and _is_scenario(file_path):
        return ScenarioFile.from_parent(parent, path=file_path)
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make the report of a skipped case point to its scenario, not to this module."""
    report = yield
    if isinstance(item, ScenarioItem) and isinstance(report.longrepr, tuple):
        path, line, _ = item.reportinfo()
        report.longrepr = (str(path), line + 1, report.longrepr[2])
    return report


class ScenarioFile(pytest.File):
    """A scenario file."""

    def collect(self) -> Iterator[ScenarioItem]:
        """Yield the cases.

        :raise pytest.Collector.CollectError: if the file or an option is invalid.
        """
        from run_scenarios.core.errors import RunnerError

        try:
            session = _get_session(self.config)
            collection = session.collect(self.path)
        except RunnerError as error:
            raise self.CollectError(str(error)) from None
        for each in collection.findings:
            if each.severity == "warning":
                self._warn(each)
        if errors := [each.render() for file in collection.invalid_files for each in file.diagnostics]:
            raise self.CollectError("\n".join(errors))
        for task in session.make_tasks(collection):
            yield ScenarioItem.from_parent(self, name=_make_item_name(task.case.label or self.path.stem), task=task)

    def _warn(self, finding: Diagnostic) -> None:
        text = finding.render().partition(": ")[2]
        warning = ScenarioWarning(text) if finding.code else QemuDeprecationWarning(text)
        try:
            warnings.warn_explicit(warning, None, str(self.path), finding.span.line)
        except Warning:
            raise self.CollectError(finding.render()) from None


class ScenarioItem(pytest.Item):
    """One case of a scenario; its tags are markers."""

    def __init__(self, *, task: Task, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.task = task
        for tag in task.point.tags:
            self.extra_keyword_matches.add(tag)
            if MARKER_NAME.fullmatch(tag):
                self.config.addinivalue_line("markers", f"{tag}: scenarios with this tag")
                self.add_marker(tag)

    def runtest(self) -> None:
        """Run the case.

        :raise CaseFailed: if it did not pass; a skipped case and a known failure raise pytest's own exceptions.
        """
        from run_scenarios.core.errors import SetupError
        from run_scenarios.core.events import Outcome
        from run_scenarios.report.console import describe_failure

        try:
            result = _get_session(self.config).run(self.task)
        except SetupError as error:
            raise CaseFailed(str(error)) from None
        match result.outcome:
            case Outcome.PASSED:
                return
            case Outcome.SKIPPED:
                pytest.skip(result.note)
            case Outcome.KNOWN_FAILURE:
                # With --runxfail, this returns.
                pytest.xfail(result.note)
            case Outcome.UNEXPECTED_PASS if self.config.option.runxfail:
                return
        raise CaseFailed(describe_failure(self.task.point, result))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the failure as `run-scenarios` prints it, without a traceback."""
        if not isinstance(excinfo.value, CaseFailed):
            return super().repr_failure(excinfo, style)
        failure = str(excinfo.value)
        shown = excinfo.getrepr(style="native")
        shown.reprtraceback.reprentries[0].lines = [f"{failure}\n"]
        # The line for the summary, which pytest does not shorten in CI.
        if shown.reprcrash:
            shown.reprcrash.message = failure.partition("\n")[0]
        return shown

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return the location of the scenario and the name of the case."""
        return self.path, self.task.case.load().span.line - 1, self.task.point.name


class _ScenarioSession:
    """The options, the QEMU under test and the workspace that all scenarios of a pytest session share.

    :raise UsageError: if a variable override is invalid.
    """

    def __init__(self, options: Options) -> None:
        from run_scenarios.collection.collector import make_qmp_checker
        from run_scenarios.collection.variable_overrides import VariableOverrides
        from run_scenarios.core.errors import SetupError
        from run_scenarios.qemu.builds import find_builds_under_test
        from run_scenarios.qmp.introspection import ProgramSchemas
        from run_scenarios.scenario.parser import Reader

        self._options = options
        self._overrides = VariableOverrides(options.collection.overrides)
        self._reader = Reader.from_disk(allow_outside=options.collection.allow_outside)
        self._checkers: dict[str, QmpChecker] = {}
        self._reported_deprecations: set[str] = set()
        self._problem = ""
        try:
            (self._build,) = find_builds_under_test(options.collection.programs)
            schemas = ProgramSchemas(self._build.programs, may_ask=False)
            self._checkers[""] = make_qmp_checker(self._build.programs, schemas)
        except SetupError as error:
            # Each case can still be listed, but not run.
            (self._build,) = find_builds_under_test(options.collection.programs, must_exist=False)
            self._problem = str(error)
        self._settings: Settings | None = None
        self._open = ExitStack()
        self.close = self._open.close

    def collect(self, file: Path) -> Collection:
        """Check a file; report each deprecation only once per session."""
        from run_scenarios.collection.check_file import check_file
        from run_scenarios.collection.collector import Collection
        from run_scenarios.collection.discover import FoundFile, display_path

        collection = Collection(overrides=self._overrides)
        collection.add_file(
            check_file(FoundFile(file, display_path(file)), self._reader, self._checkers, self._overrides.values)
        )
        for message in self._reported_deprecations & collection.deprecated.keys():
            del collection.deprecated[message]
        self._reported_deprecations |= collection.deprecated.keys()
        return collection

    def make_tasks(self, collection: Collection) -> list[Task]:
        """Return a task for each case."""
        from run_scenarios.collection.select import make_tasks

        return make_tasks(collection, self._build, self._options.selection.timeout_s)

    def run(self, task: Task) -> Result:
        """Run a case; a signal that asks to stop also stops pytest.

        :raise SetupError: if QEMU is not found, the workspace cannot be created, or an override is not used by any
            scenario. All scenarios are known only now, and a worker of pytest-xdist cannot refuse its options.
        """
        from run_scenarios.core.errors import SetupError
        from run_scenarios.core.signals import Interrupted
        from run_scenarios.execution.session import prepare_settings, run_single_task

        if self._problem:
            raise SetupError(self._problem)
        self._overrides.check_all_used()
        if self._settings is None:
            self._settings = self._open.enter_context(prepare_settings(self._options.run))
        try:
            return run_single_task(task, self._settings)
        except Interrupted as stop:
            if stop.exit_status == 128 + signal.SIGINT:
                raise KeyboardInterrupt from None
            pytest.exit(str(stop), stop.exit_status)


SESSION = pytest.StashKey[_ScenarioSession]()


def _get_session(config: pytest.Config) -> _ScenarioSession:
    if SESSION not in config.stash:
        session = config.stash[SESSION] = _ScenarioSession(_parse_options(config))
        config.add_cleanup(session.close)
    return config.stash[SESSION]


def _parse_options(config: pytest.Config) -> Options:
    """Return the options of `run-scenarios` that pytest was given.

    :raise UsageError: if a value is invalid.
    """
    from argparse import ArgumentError

    from run_scenarios.cli.options import make_options
    from run_scenarios.cli.parser import make_parser
    from run_scenarios.core.errors import UsageError

    parser = make_parser()
    parser.exit_on_error = False
    try:
        return make_options(parser.parse_args(list(_make_arguments(config))))
    except ArgumentError as error:
        raise UsageError(f"in the options of pytest that begin with --scenario: {error}") from None


def _make_arguments(config: pytest.Config) -> Iterator[str]:
    for option in OPTIONS:
        match config.getoption(_add_prefix(option)):
            case None | False:
                continue
            case True:
                yield option
            case str() as value:
                yield f"{option}={value}"
            case values:
                yield from (part for value in values for part in (SHORT_OPTIONS[option], value))


def _make_item_name(label: str) -> str:
    """Escape `::`, which pytest would take for the separator of a node ID, so that `--lf` did not find the case."""
    return label.replace("::", "%3A%3A")


def _add_prefix(option: str) -> str:
    return f"--scenario-{option.removeprefix('--')}"


def _is_wanted(file: Path, config: pytest.Config) -> bool:
    paths: list[Path] | None = config.getini("scenario_paths")
    if paths is None:
        return config.args_source is pytest.Config.ArgsSource.ARGS
    return any(file.is_relative_to(path) for path in paths)


def _is_scenario(file: Path) -> bool:
    """Return whether a file has the title of a scenario near its beginning."""
    from run_scenarios.collection.discover import SCENARIO_SUFFIXES

    if file.suffix not in SCENARIO_SUFFIXES:
        return False
    with file.open("rb") as content:
        return bool(SCENARIO_TITLE.search(content.read(MAX_TITLE_OFFSET)))
