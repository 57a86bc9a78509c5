"""The kinds of faults, and the result that each must lead to."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

FULL = "No space left on device"


@dataclass(frozen=True)
class CaseFiles:
    """The directories of the case that a fault is injected into.

    :param orders: tells the stand-ins for programs what to do in this case.
    :param base: holds the case's working directory and its logs.
    """

    orders: Path
    base: Path

    def hit(self) -> None:
        """Note that the fault hit something; the stand-ins do so too."""
        (self.orders / "hit").touch()

    def qemus(self) -> list[int]:
        """Return the PIDs of the running QEMUs of the case; all of them are children of this process."""
        return [pid for pid in list_children("self") if self._is_qemu(Path(f"/proc/{pid}"))]

    def _is_qemu(self, process: Path) -> bool:
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            return (
                any(word.startswith(b"socket,id=qmp") for word in words)
                and (process / "cwd").readlink() == self.base / "work"
            )
        return False


def _heal_nothing(files: CaseFiles) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class FaultKind:
    """One kind of fault.

    :param inject: injects the fault, and returns whether it hit anything.
    :param cause: a regular expression that the case's report must match.
    :param needs: what must run during the step: "qemu", a "stand-in" for it, a "tool", or "" for nothing.
    :param may_pass: whether the case may pass.
    :param hangs: whether the case ends by a time limit.
    :param fills_disk: whether it needs a small file system; other cases must not run at the same time.
    :param heal: removes the fault after the case, so that the other cases of the run can go on.
    :param ends_with: the exit status if it ends the whole run, None otherwise.
    """

    name: str
    inject: Callable[[CaseFiles], bool]
    cause: str = ""
    needs: str = ""
    may_pass: bool = False
    hangs: bool = False
    fills_disk: bool = False
    heal: Callable[[CaseFiles], None] = _heal_nothing
    ends_with: int | None = None

    @property
    def is_alone(self) -> bool:
        """Whether it affects the whole run, and not only one of its cases."""
        return self.fills_disk or self.ends_with is not None

    @property
    def group(self) -> str:
        """What it affects: "runner", "files", or what it needs."""
        return "runner" if self.ends_with is not None else self.needs or "files"


def _signal_qemu(number: signal.Signals) -> Callable[[CaseFiles], bool]:
    def inject(files: CaseFiles) -> bool:
        for pid in files.qemus():
            os.kill(pid, number)
            return True
        return False

    return inject


def _break_qmp(how: str) -> Callable[[CaseFiles], bool]:
    """Return a function that breaks the QMP session of the first running QEMU."""

    def inject(files: CaseFiles) -> bool:
        (files.orders / "qmp").write_text(how)
        for parent, child in ((pid, child) for pid in files.qemus() for child in list_children(pid)):
            os.kill(parent, signal.SIGSTOP)
            os.kill(child, signal.SIGUSR1)
            return True
        return False

    return inject


def list_children(process: int | str) -> list[int]:
    """Return the PIDs of the children of a process, sorted; none if it has exited."""
    with contextlib.suppress(OSError):
        children = [file.read_text().split() for file in Path(f"/proc/{process}/task").glob("*/children")]
        return sorted(int(pid) for each in children for pid in each)
    return []


def _break_tools(how: str) -> Callable[[CaseFiles], bool]:
    """Return a function that makes the tools of a step fail; their stand-in notes whether there was one."""

    def inject(files: CaseFiles) -> bool:
        instruct_tools(files, how)
        return False

    return inject


def instruct_tools(files: CaseFiles, how: str) -> None:
    """Tell the stand-ins for tools what to do in the working directory of the case."""
    (files.orders / "tool").write_text(f"{how}\n")


def _fill_disk(files: CaseFiles) -> bool:
    with _filler(files).open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 20))
    return True


def _free_disk(files: CaseFiles) -> None:
    _filler(files).unlink()


def _filler(files: CaseFiles) -> Path:
    return files.base.parent / "filling"


def _make_unwritable(files: CaseFiles) -> bool:
    """Forbid to create and remove files in the case's directory, even for root."""
    return _change_attribute("+i", files)


def _make_writable(files: CaseFiles) -> None:
    _change_attribute("-i", files)


def _change_attribute(change: str, files: CaseFiles) -> bool:
    done = subprocess.run(["chattr", change, files.base / "work"], capture_output=True, check=False)
    return done.returncode == 0


def _remove(name: str) -> Callable[[CaseFiles], bool]:
    def inject(files: CaseFiles) -> bool:
        shutil.rmtree(files.base / name)
        return True

    return inject


def _signal_runner(number: signal.Signals) -> Callable[[CaseFiles], bool]:
    def inject(files: CaseFiles) -> bool:
        os.kill(os.getpid(), number)
        return True

    return inject


def _fill_report(files: CaseFiles) -> bool:
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, 1)
    os.close(full)
    return True


TIMED_OUT = r"timed out after .* waiting for"
# QEMU may have been asked to quit just before.
ENDED = "exited with status 0"
LOST = f"its QMP session|{ENDED}"
BROKEN_QMP = {
    "qmp-closes": ("closes", LOST),
    "qmp-garbage": ("garbage", LOST),
    "qmp-not-utf8": ("not-utf8", LOST),
    "qmp-half-line": ("half-line", f"{TIMED_OUT}|{ENDED}"),
    "qmp-long-line": ("long-line", f"{LOST}|{TIMED_OUT}"),
}
KINDS = (
    FaultKind("qemu-killed", _signal_qemu(signal.SIGKILL), "was killed by SIGKILL", "qemu"),
    FaultKind("qemu-aborts", _signal_qemu(signal.SIGABRT), "was killed by SIGABRT", "qemu"),
    FaultKind("qemu-stops", _signal_qemu(signal.SIGSTOP), TIMED_OUT, "qemu", hangs=True),
    *(FaultKind(name, _break_qmp(how), cause, "stand-in", hangs=True) for name, (how, cause) in BROKEN_QMP.items()),
    FaultKind("stderr-flooded", _break_qmp("floods"), "", "stand-in", may_pass=True),
    FaultKind("tool-fails", _break_tools("fails"), "injected failure|status 86", "tool"),
    FaultKind("tool-killed", _break_tools("killed"), "SIGSEGV", "tool"),
    FaultKind("tool-hangs", _break_tools("hangs"), TIMED_OUT + " qemu-(img|io)", "tool", hangs=True),
    FaultKind("tool-floods", _break_tools("floods"), "status 86|yyyy", "tool"),
    # The cause in the report depends on what the scenario does next.
    FaultKind("disk-full", _fill_disk, may_pass=True, hangs=True, fills_disk=True, heal=_free_disk),
    FaultKind("directory-unwritable", _make_unwritable, "not permitted", may_pass=True, heal=_make_writable),
    FaultKind("directory-removed", _remove("work"), "No such file or directory", may_pass=True),
    FaultKind("logs-removed", _remove("logs"), "No such file or directory", may_pass=True),
    FaultKind("runner-interrupted", _signal_runner(signal.SIGINT), ends_with=128 + signal.SIGINT),
    FaultKind("runner-terminated", _signal_runner(signal.SIGTERM), ends_with=128 + signal.SIGTERM),
    FaultKind("runner-killed", _signal_runner(signal.SIGKILL), ends_with=-signal.SIGKILL),
    FaultKind("report-unwritable", _fill_report, ends_with=3),
)
