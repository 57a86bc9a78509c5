"""`pytest scenarios/`: each case of a scenario file is a test of pytest's. Imports run, check, select and below.

Pytest imports this module wherever we are installed, so it imports the rest only once there is a scenario to collect.
Source: pytest's manual, "Working with non-python tests" and "API Reference".
"""

from __future__ import annotations

import argparse
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
    from run_scenarios.collection.collector import Collection
    from run_scenarios.core.diagnostics import Diagnostic
    from run_scenarios.core.events import Result
    from run_scenarios.execution.case_runner import Settings
    from run_scenarios.qmp.step_checker import QmpChecker
    from run_scenarios.scenario.case import Task

HEAD = 1 << 16
"""How much of a file must show whether it is a scenario, in bytes."""
IS_SCENARIO = re.compile(rb"""^(?:\xef\xbb\xbf)?(?:\{[ \t]*)?(["']?)scenario\1[ \t]*:[ \t]+[^\s#]""", re.M)
FIT_FOR_A_MARKER = re.compile(r"[A-Za-z][A-Za-z0-9_.+/-]*")
OPTIONS: dict[str, dict[str, Any]] = {
    **{f"--{tool}": {"metavar": "PROG", "help": f"the {tool} under test"} for tool in TOOLS},
    "--define": {"metavar": "NAME=VALUE", "action": "append", "help": "as -D of run-scenarios: set a variable"},
    "--timeout": {"metavar": "SECONDS", "help": "cap on each case"},
    "--artifacts": {"metavar": "DIR", "help": "keep a directory per case, with its trace"},
    "--keep": {"action": "store_true", "help": "keep the images of every case too"},
    "--allow-outside": {"action": "store_true", "help": "trust files that say 'allow-outside-paths'"},
}
"""Options of the command, which pytest has with the prefix `--scenario`."""
SPELT = {"--define": "-D"}


class ScenarioWarning(UserWarning):
    """A scenario breaks a lint rule."""


class QemuDeprecationWarning(DeprecationWarning):
    """A scenario uses what QEMU may do without one day."""


class CaseFailed(Exception):
    """A case did not pass; the argument is what the command prints of it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options, none of which another plugin has."""
    group = parser.getgroup("scenarios", "scenarios of run-scenarios, see its docs/ci.md")
    for option, details in OPTIONS.items():
        group.addoption(_prefixed(option), **details)
    text = "files and directories whose scenarios are collected; by default those below what the command line names"
    parser.addini("scenario_paths", text, type="paths", default=None)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    """Collect a scenario, and leave alone any other YAML file."""
    if _is_wanted(file_path, parent.config) and _is_scenario(file_path):
        return ScenarioFile.from_parent(parent, path=file_path)
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Have a skipped case point at its scenario, not at this module."""
    report = yield
    if isinstance(item, ScenarioItem) and isinstance(report.longrepr, tuple):
        path, line, _ = item.reportinfo()
        report.longrepr = (str(path), line + 1, report.longrepr[2])
    return report


class ScenarioFile(pytest.File):
    """A scenario file."""

    def collect(self) -> Iterator[ScenarioItem]:
        """Yield the cases.

        :raise pytest.Collector.CollectError: if the file is wrong, or the value of one of our options.
        """
        from run_scenarios.core.errors import RunnerError

        try:
            front = _front(self.config)
            collection = front.collect(self.path)
        except RunnerError as error:
            raise self.CollectError(str(error)) from None
        for each in collection.findings:
            if each.severity == "warning":
                self._warn(each)
        if collection.bad:
            raise self.CollectError("\n".join(each.render() for bad in collection.bad for each in bad.diagnostics))
        for task in front.tasks(collection):
            yield ScenarioItem.from_parent(self, name=task.case.label or self.path.stem, task=task)

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
            if FIT_FOR_A_MARKER.fullmatch(tag):
                self.config.addinivalue_line("markers", f"{tag}: scenarios with this tag")
                self.add_marker(tag)

    def runtest(self) -> None:
        """Run the case.

        :raise CaseFailed: if it did not pass; as pytest's own outcomes are, if it was skipped or is known to fail.
        """
        from run_scenarios.core.errors import SetupError
        from run_scenarios.core.events import Outcome
        from run_scenarios.report.console import describe_failure

        try:
            result = _front(self.config).run(self.task)
        except SetupError as error:
            raise CaseFailed(str(error)) from None
        match result.outcome:
            case Outcome.PASSED:
                return
            case Outcome.SKIPPED:
                pytest.skip(result.note)
            case Outcome.KNOWN_FAILURE:
                # With --runxfail it returns.
                pytest.xfail(result.note)
            case Outcome.UNEXPECTED_PASS if self.config.option.runxfail:
                return
        raise CaseFailed(describe_failure(self.task.point, result))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the story of a failure as the command tells it, without a traceback of ours."""
        if not isinstance(excinfo.value, CaseFailed):
            return super().repr_failure(excinfo, style)
        story = str(excinfo.value)
        told = excinfo.getrepr(style="native")
        told.reprtraceback.reprentries[0].lines = [f"{story}\n"]
        # What the summary in the end says: in CI, pytest does not shorten that.
        if told.reprcrash:
            told.reprcrash.message = story.partition("\n")[0]
        return told

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return where the scenario begins."""
        return self.path, self.task.case.load().span.line - 1, self.task.point.name


class _Front:
    """What all scenarios of a session share: our options, the QEMU under test, and the place where cases run.

    :raise UsageError: if a variable is not set as it should be.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        from run_scenarios.collection.qmp_check import make_qmp_check
        from run_scenarios.collection.variable_overrides import VariableOverrides, parse_overrides
        from run_scenarios.core.errors import SetupError
        from run_scenarios.qemu.builds import builds_of
        from run_scenarios.qmp.introspection import ProgramSchemas
        from run_scenarios.scenario.parser import Reader

        self._options = options
        self._definitions = VariableOverrides(parse_overrides(options.define))
        self._reader = Reader.from_disk(allow_outside=options.allow_outside)
        self._checks: dict[str, QmpChecker] = {}
        self._deprecated: set[str] = set()
        self._problem = ""
        try:
            (self._build,) = builds_of(options)
            self._checks[""] = make_qmp_check(self._build.programs, ProgramSchemas(self._build.programs, may_ask=False))
        except SetupError as error:
            # As with the command, each case is there to be listed, and cannot run.
            (self._build,) = builds_of(options, must_be_there=False)
            self._problem = str(error)
        self._settings: Settings | None = None
        self._open = ExitStack()
        self.close = self._open.close

    def collect(self, file: Path) -> Collection:
        """Return what there is in a file, checked as the command does, which tells what is deprecated once a name."""
        from run_scenarios.collection.check_file import check_file
        from run_scenarios.collection.collector import Collection
        from run_scenarios.collection.discover import FoundFile, display_path

        collection = Collection(self._definitions)
        collection.add(
            check_file(FoundFile(file, display_path(file)), self._reader, self._checks, self._definitions.values)
        )
        for told in self._deprecated & collection.deprecated.keys():
            del collection.deprecated[told]
        self._deprecated |= collection.deprecated.keys()
        return collection

    def tasks(self, collection: Collection) -> list[Task]:
        """Return the cases to run."""
        from run_scenarios.collection.select import make_tasks

        return make_tasks(collection, self._build, self._options)

    def run(self, task: Task) -> Result:
        """Run a case; what asks to stop meanwhile stops pytest.

        :raise SetupError: if there is no QEMU, no place for cases, or a variable was set that no scenario has: only
            now are all of them known, and a worker of pytest-xdist cannot refuse its options.
        """
        from run_scenarios.core.errors import SetupError
        from run_scenarios.core.signals import Interrupted
        from run_scenarios.execution.session import prepare_settings, run_single_task

        if self._problem:
            raise SetupError(self._problem)
        self._definitions.check()
        if self._settings is None:
            self._settings = self._open.enter_context(prepare_settings(self._options))
        try:
            return run_single_task(task, self._settings)
        except Interrupted as stop:
            if stop.exit_status == 128 + signal.SIGINT:
                raise KeyboardInterrupt from None
            pytest.exit(str(stop), stop.exit_status)


FRONT = pytest.StashKey[_Front]()


def _front(config: pytest.Config) -> _Front:
    if FRONT not in config.stash:
        front = config.stash[FRONT] = _Front(_options_of(config))
        config.add_cleanup(front.close)
    return config.stash[FRONT]


def _options_of(config: pytest.Config) -> argparse.Namespace:
    """Return the command's options, with what pytest was given of them.

    :raise UsageError: if a value is none for its option.
    """
    from run_scenarios.cli.options import make_parser
    from run_scenarios.core.errors import UsageError

    parser = make_parser()
    parser.exit_on_error = False
    try:
        return parser.parse_args(list(_arguments(config)))
    except argparse.ArgumentError as error:
        raise UsageError(f"in the options of pytest that begin with --scenario: {error}") from None


def _arguments(config: pytest.Config) -> Iterator[str]:
    for option in OPTIONS:
        match config.getoption(_prefixed(option)):
            case None | False:
                continue
            case True:
                yield option
            case str() as value:
                yield f"{option}={value}"
            case values:
                yield from (part for value in values for part in (SPELT[option], value))


def _prefixed(option: str) -> str:
    return f"--scenario-{option.removeprefix('--')}"


def _is_wanted(file: Path, config: pytest.Config) -> bool:
    paths: list[Path] | None = config.getini("scenario_paths")
    if paths is None:
        return config.args_source is pytest.Config.ArgsSource.ARGS
    return any(file.is_relative_to(path) for path in paths)


def _is_scenario(file: Path) -> bool:
    """Tell whether a file has a title where a scenario has it, without a look at the rest of it."""
    from run_scenarios.collection.discover import SCENARIO_SUFFIXES

    if file.suffix not in SCENARIO_SUFFIXES:
        return False
    with file.open("rb") as content:
        return bool(IS_SCENARIO.search(content.read(HEAD)))
