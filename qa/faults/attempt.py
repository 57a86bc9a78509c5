"""One run of the command with faults in it: a forked process runs cases with one each, and healthy ones among them."""

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

from qa.faults.kinds import Kind, Scene, children_of, tell_tool

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
    """A step of a case: its number in the order of running, and what a fault could hit there.

    :param at: where it is written, as `file:line:column`.
    :param soon_kills: whether it kills a QEMU, or one of the next two does; a fault of that QEMU's is lost with it.
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
        """The step as written, in the scenario that runs it: many cases and rounds may share it."""
        return self.case.partition("::")[0], self.at


Blow = tuple[Kind, Target]
"""A fault, and the step that it strikes at."""


@dataclass(frozen=True)
class Observed:
    """What was seen of a run from outside.

    :param status: the exit status, minus the signal's number; None if it did not end.
    :param struck: the names of the cases whose step was reached, and where there was something to hit.
    :param names: those of all cases, in the order of the arguments.
    :param left: processes and files that are there although the run has ended.
    :param kept: bytes of artifacts.
    :param peak: the most memory that the runner or a child of it has had, in bytes.
    """

    status: int | None
    struck: frozenset[str]
    names: tuple[str, ...]
    report: str
    stderr: str
    left: tuple[str, ...]
    kept: int
    peak: int


@dataclass
class Watcher:
    """Takes the events of a run, and knows where its cases run."""

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
        """Make the directory with the orders for a case."""
        orders.mkdir()

    def begin(self, step: StepStarted, scene: Scene) -> None:
        """See a step begin."""

    def end(self, step: StepFinished, scene: Scene) -> None:
        """See a step end."""

    def finish(self, index: int, scene: Scene) -> None:
        """See a case end."""

    def _scene(self, index: int) -> Scene:
        (root,) = (each for each in (self.place / "test-dir").iterdir() if KEPT not in each.name)
        return Scene(self.place / "orders" / str(index), root / str(index))


@dataclass
class Observer(Watcher):
    """Writes down each step of a case, whether a QEMU runs as it begins, and whether it runs a tool itself."""

    began: dict[int, bool] = field(default_factory=dict)

    def begin(self, step: StepStarted, scene: Scene) -> None:
        tell_tool(scene, "runs")
        (scene.orders / "struck").unlink(missing_ok=True)
        self.began[step.number] = bool(scene.qemus())

    def end(self, step: StepFinished, scene: Scene) -> None:
        runs_tool = (scene.orders / "struck").exists()
        (scene.orders / "struck").unlink(missing_ok=True)
        with (self.place / "steps").open("a") as file:
            print(step.number, step.verb, int(self.began[step.number]), int(runs_tool), step.span, file=file)


@dataclass
class Injector(Watcher):
    """Strikes as one step of each of these cases begins."""

    blows: dict[int, Blow] = field(default_factory=dict)
    hurt: set[int] = field(default_factory=set)

    def prepare(self, index: int, orders: Path) -> None:
        orders.mkdir()
        kind, _ = self.blows.get(index, (None, None))
        if kind and kind.needs == "stand-in":
            (orders / "stand-in").touch()

    def begin(self, step: StepStarted, scene: Scene) -> None:
        kind, target = self.blows.get(step.index, (None, None))
        if kind is None or target is None or step.number != target.number:
            return
        if kind.hangs:
            _shorten(step.index)
        self.hurt.add(step.index)
        if kind.ends_with is not None:
            # It may be the last that we do.
            scene.struck()
        if kind.strike(scene):
            scene.struck()

    def end(self, step: StepFinished, scene: Scene) -> None:
        if step.index in self.hurt and step.number == self.blows[step.index][1].number:
            (scene.orders / "tool").unlink(missing_ok=True)

    def finish(self, index: int, scene: Scene) -> None:
        if index in self.hurt:
            self.blows[index][0].heal(scene)


class Attempts:
    """Makes attempts, each in a directory of its own, in a process that has no threads.

    :param programs: the QEMU under test, by tool.
    :param schema: what it says of its QMP, for a stand-in is a script, whose answer is not remembered.
    :param directory: where theirs are, which whoever removes it removes with it.
    """

    def __init__(self, programs: Programs, schema: Path, directory: Path) -> None:
        self._programs = programs
        self._schema = schema
        self._directory = directory
        libc = ctypes.CDLL(None)
        # Whatever a run leaves behind becomes a child of this process.
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        # A mount goes with the namespace, however this process ends.
        self.can_mount = libc.unshare(CLONE_NEWNS) == 0 and _can(["mount", "--make-rprivate", "/"])

    def steps(self, case: str) -> list[Target]:
        """Run a case without a fault, and return its steps; none if it does not pass, or is skipped."""
        with _place(self._directory) as place:
            self._prepare(place, TOOLS)
            seen = self._run(place, [case], Observer(place))
            passed = seen.status == 0 and (place / "steps").exists()
            lines = (place / "steps").read_text().splitlines() if passed else []
        words = [line.split(maxsplit=4) for line in sorted(lines, key=lambda line: int(line.split()[0]))]
        verbs = [verb for _, verb, *_ in words]
        return [
            Target(case, int(number), verb, at, qemu == "1", tool == "1", "kill" in verbs[index : index + 3])
            for index, (number, verb, qemu, tool, at) in enumerate(words)
        ]

    def attempt(self, blows: Sequence[Blow]) -> Observed:
        """Run cases with a fault in each, and healthy ones among them; the cases and their order are those of `blows`.

        A kind that hits the whole run comes alone. If that is a full disk, a healthy case runs after it.
        """
        needs = {kind.needs for kind, _ in blows}
        alone = blows[0][0] if blows[0][0].is_alone else None
        with _place(self._directory) as place:
            self._prepare(place, (QEMUS if "stand-in" in needs else ()) + (TOOLS if "tool" in needs else ()))
            # In an order that puts them first, last and between.
            paths = [target.case for _, target in blows]
            for number, position in enumerate(range(0, len(blows) + 1, HEALTHY_EVERY)):
                healthy = place / f"{HEALTHY_NAME}{number}.yaml"
                healthy.write_text(HEALTHY)
                paths.insert(position + number, str(healthy))
            if alone and alone.fills_disk:
                paths.reverse()
            indices = [index for index, path in enumerate(paths) if HEALTHY_NAME not in path]
            injector = Injector(place, dict(zip(indices, blows, strict=True)))
            with _small_disk(place / "test-dir") if alone and alone.fills_disk else contextlib.nullcontext():
                jobs = "-j1" if alone and alone.fills_disk else "-j2" if alone else f"-j{len(blows)}"
                return self._run(place, [jobs, *paths], injector)

    def _prepare(self, place: Path, stand_ins: tuple[str, ...]) -> None:
        """Make a directory with the programs, and one with those that the run is to have instead."""
        for name in ("real", "programs", "tmp", "test-dir", "orders"):
            (place / name).mkdir()
        (place / "real" / "python").symlink_to(Path(sys.executable).resolve())
        (place / "real" / "stand_in.py").symlink_to(HERE / "stand_in.py")
        for tool, program in self._programs.paths.items():
            script = HERE / ("stand_in.sh" if tool in QEMUS else "failing_tool.sh")
            (place / "real" / tool).symlink_to(program)
            (place / "programs" / tool).symlink_to(script if tool in stand_ins else program)

    def _run(self, place: Path, arguments: list[str], watcher: Watcher) -> Observed:
        pid = os.fork()
        if pid == 0:
            try:
                os._exit(self._command(place, arguments, watcher))
            finally:
                sys.excepthook(*sys.exc_info())
                sys.stderr.flush()
                os._exit(70)
        status, peak = _end_of(pid)
        names = (place / "names").read_text().split("\n") if (place / "names").exists() else []
        return Observed(
            status=status,
            struck=frozenset(names[int(each.parent.name)] for each in (place / "orders").glob("*/struck")),
            names=tuple(names),
            report=(place / "report.tap").read_text(),
            stderr=(place / "stderr").read_text(errors="replace"),
            left=(*_left_processes(), *_left_files(place)),
            kept=sum(each.lstat().st_blocks * 512 for each in (place / "test-dir").rglob("*")),
            peak=peak,
        )

    def _command(self, place: Path, arguments: list[str], watcher: Watcher) -> int:
        """Run the command itself, whose events go to the watcher as well, and its output to files."""
        for number, name in ((1, "report.tap"), (2, "stderr")):
            os.dup2(os.open(place / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        named = {variable: str(place / "programs" / tool) for tool, variable in VARIABLES.items()}
        directories = {"TEST_DIR": str(place / "test-dir"), "TMPDIR": str(place / "tmp")}
        # What is remembered of programs that are here for this attempt is of no use to anybody.
        os.environ.update(named | directories | {"FAULTS": str(place), "XDG_CACHE_HOME": str(place / "cache")})
        tempfile.tempdir = None
        # What runs in a shell's background ignores Ctrl-C, and so would the command.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _make_deadlines_adjustable()
        real = run.run_selection
        run.run_selection = lambda options, selection, emit, *more: real(
            options, selection, Broadcast(emit, watcher), *more
        )
        return cli.main(["--qmp-schema", str(self._schema), *arguments])


@contextlib.contextmanager
def _place(directory: Path) -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="", dir=directory))
    try:
        yield place
    finally:
        try:
            shutil.rmtree(place)
        except PermissionError:
            # Who makes a directory writable again has been ended for taking too long.
            subprocess.run(["chattr", "-R", "-f", "-i", place], check=False)
            shutil.rmtree(place)


@contextlib.contextmanager
def _small_disk(directory: Path) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "faults", directory], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)


def _can(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


_deadlines: dict[int, Deadlines] = {}
"""Those of each case, by its index."""
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
    """Give everything in one case little time, and QEMUs that hung up little time to exit."""
    _shortened.add(_deadlines[index])
    qemu.EXIT_GRACE_S = SHORTER_S


def _end_of(pid: int) -> tuple[int | None, int]:
    """Wait for the end of a run, and return its status and the most memory that it had; None if it did not end."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        ended, status, used = os.wait4(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), used.ru_maxrss << 10
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None, 0


def _left_processes() -> list[str]:
    """Return the processes that do not end by themselves soon, and end them."""
    deadline = time.monotonic() + GONE_S
    while children := _children():
        if time.monotonic() > deadline:
            left = [Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") for pid in children]
            for pid in children:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            return left
        time.sleep(0.002)
    return []


def _children() -> list[int]:
    """Return the children that this process has, once those that have ended are buried."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return children_of("self")


def _left_files(place: Path) -> list[str]:
    return [str(each) for name in ("test-dir", "tmp") for each in (place / name).iterdir() if KEPT not in each.name]
