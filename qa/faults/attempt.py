"""Run the command in a forked process, with a fault in each of several cases and healthy cases between them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from run_scenarios.cli import main as cli
from run_scenarios.cli.reporters import Broadcast
from run_scenarios.core.events import CaseFinished, RunEvent, RunStarted, StepFinished, StepStarted
from run_scenarios.execution import session as run
from run_scenarios.execution.deadlines import Deadlines
from run_scenarios.execution.step_runner import StepRunner
from run_scenarios.qemu import machine as qemu
from run_scenarios.qemu.programs import TOOLS as VARIABLES
from run_scenarios.qemu.programs import Programs
from run_scenarios.scenario.case import Task

from qa.faults.kinds import CaseFiles, FaultKind, instruct_tools, list_children

DEADLINE_S = 180.0
SHORT_S = 2.0
SHORTER_S = 2.0
GONE_S = 10.0
DISK = "256m"
PR_SET_CHILD_SUBREAPER, CLONE_NEWNS = 36, 0x20000
HERE = Path(__file__).parent
QEMUS, TOOLS = ("qemu", "qemu-storage-daemon"), ("qemu-img", "qemu-io")
KEPT = "run-scenarios-kept-"
HEALTHY_NAME = "healthy-"
HEALTHY_EVERY = 6
HEALTHY = """\
scenario: healthy
steps:
  - create-image: {file: d.qcow2, size: 1M}
  - launch: {drives: [{id: drive0, file: d.qcow2, format: qcow2}]}
  - for-each: {byte: [1, 2, 3, 4, 5]}
    steps:
      - write: {device: drive0, patterns: [{byte: "{{ byte }}", at: 0, size: 64k}]}
  - shutdown
  - read: {file: d.qcow2, patterns: [{byte: 5, at: 0, size: 64k}]}
"""


@dataclass(frozen=True)
class Target:
    """A step of a case, and what a fault can hit there.

    :param number: its place in the order of running.
    :param at: its position in the file, as `file:line:column`.
    :param soon_kills: whether it or one of the next two steps kills a QEMU; a fault of that QEMU is lost then.
    """

    case: str
    number: int
    verb: str
    at: str
    runs_qemu: bool
    runs_tool: bool
    soon_kills: bool

    @property
    def source(self) -> tuple[str, str]:
        """The scenario and the position of the step, which many cases and rounds may share."""
        return self.case.partition("::")[0], self.at


Fault = tuple[FaultKind, Target]
"""A kind of fault, and the step at which to inject it."""


@dataclass(frozen=True)
class Observation:
    """A run as seen from outside.

    :param status: the exit status, minus the number of a signal; None if it did not end.
    :param hit: the names of the cases in which the fault hit something.
    :param names: the names of all cases, in the order of the arguments.
    :param left: processes and files that the run left behind.
    :param kept: the size of the artifacts in bytes.
    :param peak: the peak memory of the runner or of one of its children, in bytes.
    """

    status: int | None
    hit: frozenset[str]
    names: tuple[str, ...]
    report: str
    stderr: str
    left: tuple[str, ...]
    kept: int
    peak: int


@dataclass
class Watcher:
    """Takes the events of a run, and finds the directories of its cases."""

    place: Path

    def __call__(self, event: RunEvent) -> None:
        """Take an event."""
        match event:
            case RunStarted():
                for index, _ in enumerate(event.points):
                    self.prepare(index, self.place / "orders" / str(index))
                (self.place / "names").write_text("\n".join(point.name for point in event.points))
            case StepStarted():
                self.begin(event, self._scene(event.index))
            case StepFinished():
                self.end(event, self._scene(event.index))
            case CaseFinished():
                self.finish(event.index, self._scene(event.index))

    def prepare(self, index: int, orders: Path) -> None:
        """Make the directory for the orders of a case."""
        orders.mkdir()

    def begin(self, step: StepStarted, files: CaseFiles) -> None:
        """Called when a step begins."""

    def end(self, step: StepFinished, files: CaseFiles) -> None:
        """Called when a step ends."""

    def finish(self, index: int, files: CaseFiles) -> None:
        """Called when a case ends."""

    def _scene(self, index: int) -> CaseFiles:
        (root,) = (each for each in (self.place / "test-dir").iterdir() if KEPT not in each.name)
        return CaseFiles(self.place / "orders" / str(index), root / str(index))


@dataclass
class StepRecorder(Watcher):
    """Records each step of a case, whether a QEMU was running when it began, and whether it ran a tool."""

    began: dict[int, bool] = field(default_factory=dict)

    def begin(self, step: StepStarted, files: CaseFiles) -> None:
        instruct_tools(files, "runs")
        (files.orders / "hit").unlink(missing_ok=True)
        self.began[step.number] = bool(files.qemus())

    def end(self, step: StepFinished, files: CaseFiles) -> None:
        runs_tool = (files.orders / "hit").exists()
        (files.orders / "hit").unlink(missing_ok=True)
        with (self.place / "steps").open("a") as file:
            print(step.number, step.verb, int(self.began[step.number]), int(runs_tool), step.span, file=file)


@dataclass
class Injector(Watcher):
    """Injects each fault when its step begins.

    :param faults: by the index of the case.
    """

    faults: dict[int, Fault] = field(default_factory=dict)
    faulty: set[int] = field(default_factory=set)

    def prepare(self, index: int, orders: Path) -> None:
        orders.mkdir()
        kind, _ = self.faults.get(index, (None, None))
        if kind and kind.needs == "stand-in":
            (orders / "stand-in").touch()

    def begin(self, step: StepStarted, files: CaseFiles) -> None:
        kind, target = self.faults.get(step.index, (None, None))
        if kind is None or target is None or step.number != target.number:
            return
        if kind.hangs:
            _shorten(step.index)
        self.faulty.add(step.index)
        if kind.ends_with is not None:
            # This process may end with it.
            files.hit()
        if kind.inject(files):
            files.hit()

    def end(self, step: StepFinished, files: CaseFiles) -> None:
        if step.index in self.faulty and step.number == self.faults[step.index][1].number:
            (files.orders / "tool").unlink(missing_ok=True)

    def finish(self, index: int, files: CaseFiles) -> None:
        if index in self.faulty:
            self.faults[index][0].heal(files)


class FaultRunner:
    """Runs the command with faults, each time in a directory of its own, in a process without threads.

    :param programs: the programs of the QEMU under test.
    :param schema: its QMP schema, which would not be cached for a stand-in.
    :param directory: the parent of the directories.
    """

    def __init__(self, programs: Programs, schema: Path, directory: Path) -> None:
        self._programs = programs
        self._schema = schema
        self._directory = directory
        libc = ctypes.CDLL(None)
        # Processes that a run leaves behind become children of this process.
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        # Mounts go away with the namespace, even if this process is killed.
        self.can_mount = libc.unshare(CLONE_NEWNS) == 0 and _succeeds(["mount", "--make-rprivate", "/"])

    def steps(self, case: str) -> list[Target]:
        """Run a case without a fault, and return its steps; none if it does not pass."""
        with _make_place(self._directory) as place:
            self._prepare(place, TOOLS)
            seen = self._run(place, [case], StepRecorder(place))
            passed = seen.status == 0 and (place / "steps").exists()
            lines = (place / "steps").read_text().splitlines() if passed else []
        words = [line.split(maxsplit=4) for line in sorted(lines, key=lambda line: int(line.split()[0]))]
        verbs = [verb for _, verb, *_ in words]
        return [
            Target(case, int(number), verb, at, qemu == "1", tool == "1", "kill" in verbs[index : index + 3])
            for index, (number, verb, qemu, tool, at) in enumerate(words)
        ]

    def attempt(self, faults: Sequence[Fault]) -> Observation:
        """Run the cases of some faults, with healthy cases between them.

        A kind that affects the whole run must be alone. If it fills the disk, a healthy case runs after it.
        """
        needs = {kind.needs for kind, _ in faults}
        alone = faults[0][0] if faults[0][0].is_alone else None
        with _make_place(self._directory) as place:
            self._prepare(place, (QEMUS if "stand-in" in needs else ()) + (TOOLS if "tool" in needs else ()))
            # Healthy cases run first, last, and in between.
            paths = [target.case for _, target in faults]
            for number, position in enumerate(range(0, len(faults) + 1, HEALTHY_EVERY)):
                healthy = place / f"{HEALTHY_NAME}{number}.yaml"
                healthy.write_text(HEALTHY)
                paths.insert(position + number, str(healthy))
            if alone and alone.fills_disk:
                paths.reverse()
            indices = [index for index, path in enumerate(paths) if HEALTHY_NAME not in path]
            injector = Injector(place, dict(zip(indices, faults, strict=True)))
            with _small_disk(place / "test-dir") if alone and alone.fills_disk else contextlib.nullcontext():
                jobs = "-j1" if alone and alone.fills_disk else "-j2" if alone else f"-j{len(faults)}"
                return self._run(place, [jobs, *paths], injector)

    def _prepare(self, place: Path, stand_ins: tuple[str, ...]) -> None:
        """Make a directory with the real programs, and one with the stand-ins that the run gets."""
        for name in ("real", "programs", "tmp", "test-dir", "orders"):
            (place / name).mkdir()
        (place / "real" / "python").symlink_to(Path(sys.executable).resolve())
        (place / "real" / "stand_in.py").symlink_to(HERE / "stand_in.py")
        for tool, program in self._programs.paths.items():
            script = HERE / ("stand_in.sh" if tool in QEMUS else "failing_tool.sh")
            (place / "real" / tool).symlink_to(program)
            (place / "programs" / tool).symlink_to(script if tool in stand_ins else program)

    def _run(self, place: Path, arguments: list[str], watcher: Watcher) -> Observation:
        pid = os.fork()
        if pid == 0:
            try:
                os._exit(self._command(place, arguments, watcher))
            finally:
                sys.excepthook(*sys.exc_info())
                sys.stderr.flush()
                os._exit(70)
        status, peak = _wait_for_run(pid)
        names = (place / "names").read_text().split("\n") if (place / "names").exists() else []
        return Observation(
            status=status,
            hit=frozenset(names[int(each.parent.name)] for each in (place / "orders").glob("*/hit")),
            names=tuple(names),
            report=(place / "report.tap").read_text(),
            stderr=(place / "stderr").read_text(errors="replace"),
            left=(*_find_left_processes(), *_find_left_files(place)),
            kept=sum(each.lstat().st_blocks * 512 for each in (place / "test-dir").rglob("*")),
            peak=peak,
        )

    def _command(self, place: Path, arguments: list[str], watcher: Watcher) -> int:
        """Run the command with its output in files, and its events also sent to the watcher."""
        for number, name in ((1, "report.tap"), (2, "stderr")):
            os.dup2(os.open(place / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        named = {variable: str(place / "programs" / tool) for tool, variable in VARIABLES.items()}
        directories = {"TEST_DIR": str(place / "test-dir"), "TMPDIR": str(place / "tmp")}
        # The programs exist only during this run: nothing about them needs to be cached.
        os.environ.update(named | directories | {"FAULTS": str(place), "XDG_CACHE_HOME": str(place / "cache")})
        tempfile.tempdir = None
        # Background jobs of a shell ignore SIGINT, and the command would inherit that.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _make_deadlines_adjustable()
        real = run.run_selection
        run.run_selection = lambda options, selection, emit, *more: real(
            options, selection, Broadcast(emit, watcher), *more
        )
        return cli.main(["--qmp-schema", str(self._schema), *arguments])


@contextlib.contextmanager
def _make_place(directory: Path) -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="", dir=directory))
    try:
        yield place
    finally:
        try:
            shutil.rmtree(place)
        except PermissionError:
            # The run was killed before it could make a directory writable again.
            subprocess.run(["chattr", "-R", "-f", "-i", place], check=False)
            shutil.rmtree(place)


@contextlib.contextmanager
def _small_disk(directory: Path) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "faults", directory], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


_deadlines: dict[int, Deadlines] = {}
"""The deadlines of each case, by its index."""
_shortened: set[Deadlines] = set()


def _make_deadlines_adjustable() -> None:
    """Remember the deadlines of each case, and let `_shorten` shorten them."""
    init, run_within = StepRunner.__init__, Deadlines.run_within

    def remember(self: StepRunner, task: Task, *more: Any) -> None:
        init(self, task, *more)
        _deadlines[task.index] = self.deadlines

    async def run_shortened(self: Deadlines, limit_s: float | None, *more: Any) -> Any:
        return await run_within(self, SHORT_S if limit_s is not None and self in _shortened else limit_s, *more)

    StepRunner.__init__ = remember  # type: ignore[method-assign, assignment]
    Deadlines.run_within = run_shortened  # type: ignore[method-assign, assignment]


def _shorten(index: int) -> None:
    """Shorten all time limits of one case, and the time that QEMUs may take to exit after hanging up."""
    _shortened.add(_deadlines[index])
    qemu.EXIT_GRACE_S = SHORTER_S


def _wait_for_run(pid: int) -> tuple[int | None, int]:
    """Wait for the end of a run, and return its status, None if it did not end, and its peak memory in bytes."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        ended, status, used = os.wait4(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), used.ru_maxrss << 10
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None, 0


def _find_left_processes() -> list[str]:
    """Return the processes that do not exit within `GONE_S` seconds, and kill them."""
    deadline = time.monotonic() + GONE_S
    while children := _list_children():
        if time.monotonic() > deadline:
            left = [Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") for pid in children]
            for pid in children:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            return left
        time.sleep(0.002)
    return []


def _list_children() -> list[int]:
    """Return the children of this process, after waiting for those that have exited."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return list_children("self")


def _find_left_files(place: Path) -> list[str]:
    return [str(each) for name in ("test-dir", "tmp") for each in (place / name).iterdir() if KEPT not in each.name]
