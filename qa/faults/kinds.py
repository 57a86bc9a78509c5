"""The faults that are injected, and what must come of each."""

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
class Scene:
    """What a fault can strike.

    :param orders: the case's own directory of orders, where the stand-ins look what to do.
    :param base: the directory of the case, with its directories of work and of logs.
    """

    orders: Path
    base: Path

    def struck(self) -> None:
        """Note that something was hit; the stand-ins do so too."""
        (self.orders / "struck").touch()

    def qemus(self) -> list[int]:
        """Return the QEMUs of the case that run; all of them are children of this process."""
        return [pid for pid in children_of("self") if self._is_qemu(Path(f"/proc/{pid}"))]

    def _is_qemu(self, process: Path) -> bool:
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            return bool({b"-mon", b"--monitor"} & set(words)) and (process / "cwd").readlink() == self.base / "work"
        return False


def _nothing(scene: Scene) -> None:
    """Heal what needs no healing."""


@dataclass(frozen=True)
class Kind:
    """One kind of fault.

    :param strike: injects it, and tells whether it hit anything.
    :param cause: a regular expression for what the case's report must say.
    :param needs: what must run at a step for it: "qemu", "stand-in" for one, "tool", or "" for nothing.
    :param may_pass: whether a case may go on to its end as if nothing had been.
    :param hangs: whether it is a time limit that ends it.
    :param fills_disk: whether it needs a small file system, and hits the case beside as well, which then runs after it.
    :param heal: takes the fault away once the case has ended; what is beside it then goes on.
    :param ends_with: the exit status of a run that it ends, None where the run goes on.
    """

    name: str
    strike: Callable[[Scene], bool]
    cause: str = ""
    needs: str = ""
    may_pass: bool = False
    hangs: bool = False
    fills_disk: bool = False
    heal: Callable[[Scene], None] = _nothing
    ends_with: int | None = None

    @property
    def is_alone(self) -> bool:
        """Tell whether it hits the whole run, and not just one of many cases in it."""
        return self.fills_disk or self.ends_with is not None

    @property
    def group(self) -> str:
        """What it strikes: "runner", "files", or what it needs."""
        return "runner" if self.ends_with is not None else self.needs or "files"


def _signal_qemu(number: signal.Signals) -> Callable[[Scene], bool]:
    def strike(scene: Scene) -> bool:
        for pid in scene.qemus():
            os.kill(pid, number)
            return True
        return False

    return strike


def _misbehave(how: str) -> Callable[[Scene], bool]:
    """Have the child of the first QEMU that runs do something to its QMP session."""

    def strike(scene: Scene) -> bool:
        (scene.orders / "qmp").write_text(how)
        for parent, child in ((pid, child) for pid in scene.qemus() for child in children_of(pid)):
            os.kill(parent, signal.SIGSTOP)
            os.kill(child, signal.SIGUSR1)
            return True
        return False

    return strike


def children_of(process: int | str) -> list[int]:
    """Return the children of a process, by number; none of one that is gone."""
    with contextlib.suppress(OSError):
        children = [file.read_text().split() for file in Path(f"/proc/{process}/task").glob("*/children")]
        return sorted(int(pid) for each in children for pid in each)
    return []


def _tool(how: str) -> Callable[[Scene], bool]:
    """Have the tools that the step runs fail; the stand-in tells whether there was one."""

    def strike(scene: Scene) -> bool:
        tell_tool(scene, how)
        return False

    return strike


def tell_tool(scene: Scene, how: str) -> None:
    """Have the stand-ins for tools do something when they run in the case's directory of work."""
    (scene.orders / "tool").write_text(f"{how}\n")


def _fill_disk(scene: Scene) -> bool:
    with _filling(scene).open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 20))
    return True


def _free_disk(scene: Scene) -> None:
    _filling(scene).unlink()


def _filling(scene: Scene) -> Path:
    return scene.base.parent / "filling"


def _make_unwritable(scene: Scene) -> bool:
    """Let nothing be made or removed in the case's directory; modes do not keep root from it."""
    return _change_attribute("+i", scene)


def _make_writable(scene: Scene) -> None:
    _change_attribute("-i", scene)


def _change_attribute(change: str, scene: Scene) -> bool:
    done = subprocess.run(["chattr", change, scene.base / "work"], capture_output=True, check=False)
    return done.returncode == 0


def _remove(name: str) -> Callable[[Scene], bool]:
    def strike(scene: Scene) -> bool:
        shutil.rmtree(scene.base / name)
        return True

    return strike


def _signal_runner(number: signal.Signals) -> Callable[[Scene], bool]:
    def strike(scene: Scene) -> bool:
        os.kill(os.getpid(), number)
        return True

    return strike


def _fill_report(scene: Scene) -> bool:
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, 1)
    os.close(full)
    return True


TIMED_OUT = r"timed out after .* waiting for"
# It may have been asked to quit just before.
ENDED = "exited with status 0"
LOST = f"its QMP session|{ENDED}"
MISBEHAVING = {
    "qmp-closes": ("closes", LOST),
    "qmp-garbage": ("garbage", LOST),
    "qmp-not-utf8": ("not-utf8", LOST),
    "qmp-half-line": ("half-line", f"{TIMED_OUT}|{ENDED}"),
    "qmp-long-line": ("long-line", f"{LOST}|{TIMED_OUT}"),
}
KINDS = (
    Kind("qemu-killed", _signal_qemu(signal.SIGKILL), "was killed by SIGKILL", "qemu"),
    Kind("qemu-aborts", _signal_qemu(signal.SIGABRT), "was killed by SIGABRT", "qemu"),
    Kind("qemu-stops", _signal_qemu(signal.SIGSTOP), TIMED_OUT, "qemu", hangs=True),
    *(Kind(name, _misbehave(how), cause, "stand-in", hangs=True) for name, (how, cause) in MISBEHAVING.items()),
    Kind("stderr-flooded", _misbehave("floods"), "", "stand-in", may_pass=True),
    Kind("tool-fails", _tool("fails"), "injected failure|status 86", "tool"),
    Kind("tool-killed", _tool("killed"), "SIGSEGV", "tool"),
    Kind("tool-hangs", _tool("hangs"), TIMED_OUT + " qemu-(img|io)", "tool", hangs=True),
    Kind("tool-floods", _tool("floods"), "status 86|yyyy", "tool"),
    # What comes of it is whatever the scenario asks about next.
    Kind("disk-full", _fill_disk, may_pass=True, hangs=True, fills_disk=True, heal=_free_disk),
    Kind("directory-unwritable", _make_unwritable, "not permitted", may_pass=True, heal=_make_writable),
    Kind("directory-removed", _remove("work"), "No such file or directory", may_pass=True),
    Kind("logs-removed", _remove("logs"), "No such file or directory", may_pass=True),
    Kind("runner-interrupted", _signal_runner(signal.SIGINT), ends_with=128 + signal.SIGINT),
    Kind("runner-terminated", _signal_runner(signal.SIGTERM), ends_with=128 + signal.SIGTERM),
    Kind("runner-killed", _signal_runner(signal.SIGKILL), ends_with=-signal.SIGKILL),
    Kind("report-unwritable", _fill_report, ends_with=3),
)
