"""`reproduce.sh` fails as the case did, at the same step, and does not fail once the defect is fixed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from run_scenarios.execution.reproduce import ScriptHeader, make_script
from run_scenarios.qemu.programs import TOOLS, find_programs

from tests.support.scenarios import RunSteps

pytestmark = pytest.mark.slow

DEADLINE_S = 60.0
SHIPPED = Path(__file__).parents[2] / "scenarios"
STEP = re.compile(r"^# step (\d+) ", re.MULTILINE)
DRIVE = """
- create-image: {file: d.qcow2, size: 1M}
- launch: {drives: [{id: drive0, file: d.qcow2, format: qcow2}]}
"""


@dataclass(frozen=True)
class Broken:
    """A scenario that fails, and a tool without the defect.

    :param step: the number of the step that fails.
    :param fixed: the variable of the tool, and a sed script that changes its input or output.
    :param reads: whether the sed script changes the input.
    :param other: the same as `fixed`, but with a third outcome, which the script cannot judge.
    """

    name: str
    steps: str
    step: int
    fixed: tuple[str, str]
    reads: bool = False
    other: tuple[str, str] | None = None


BROKEN = [
    Broken(
        "a wrong count of a bitmap, with another VM beside it",
        DRIVE
        + """
- launch:
  vm: other
- qmp: {execute: block-dirty-bitmap-add, arguments: {node: drive0, name: bitmap0}}
- qmp: stop
  vm: other
- write: {device: drive0, patterns: [{byte: 0xab, at: 0, size: 512}]}
- assert-bitmap: {node: drive0, name: bitmap0, count: 65535}
""",
        7,
        ("QEMU_PROG", 's/"count": 65536/"count": 65535/'),
    ),
    Broken(
        "an error that was not expected",
        """
- launch: {program: qemu-storage-daemon}
  vm: daemon
- qmp: {execute: block-dirty-bitmap-add, arguments: {node: nosuch, name: bitmap0}}
  vm: daemon
""",
        2,
        ("QSD_PROG", 's/^{"error".*/{"return": {}}/'),
    ),
    Broken(
        "an error that did not come",
        """
- launch
- qmp: query-status
  error: {class: GenericError, desc: {$any: true}}
""",
        2,
        ("QEMU_PROG", 's/^{"return": {"status".*/{"error": {"class": "GenericError", "desc": ""}}/'),
    ),
    Broken(
        "images that differ",
        """
- create-image: {file: a.qcow2, size: 1M}
- create-image: {file: b.qcow2, size: 2M}
- write: {file: b.qcow2, patterns: [{byte: 0xab, at: 0, size: 512}]}
- compare: [a.qcow2, b.qcow2]
""",
        4,
        ("QEMU_IMG_PROG", ""),
    ),
    Broken(
        "a job that fails",
        """
- create-image: {file: d.qcow2, size: 1M}
- create-image: {file: t.qcow2, size: 1M}
- write: {file: d.qcow2, patterns: [{byte: 0xab, at: 0, size: 1M}]}
- launch:
    blockdev:
      - {node-name: d, driver: qcow2, file: {driver: file, filename: d.qcow2}}
      - node-name: t
        driver: qcow2
        file:
          driver: blkdebug
          image: {driver: file, filename: t.qcow2}
          inject-error: [{event: write_aio, errno: 5, immediately: false}]
- qmp: {execute: blockdev-backup, arguments: {job-id: job0, device: d, target: t, sync: full}}
- wait-job: job0
""",
        6,
        ("QEMU_PROG", 's/, "error": "Input.output error"//'),
    ),
    Broken("a crash", DRIVE + '- hmp: qemu-io drive0 "sigraise 11"\n', 3, ("QEMU_PROG", "s/sigraise 11/length/"), True),
    Broken(
        "an event that does not come",
        """
- launch
- launch:
  vm: other
- qmp: stop
  vm: other
- wait-event: RESUME
  vm: other
  timeout: 1s
""",
        4,
        ("QEMU_PROG", 's/"event": "STOP"/"event": "RESUME"/'),
    ),
    Broken(
        "an event with another number",
        DRIVE
        + """
- create-image: {file: t.qcow2, size: 1M}
- qmp: {execute: blockdev-add, arguments: {driver: qcow2, node-name: t, file: {driver: file, filename: t.qcow2}}}
- qmp: {execute: blockdev-backup, arguments: {job-id: job0, device: drive0, target: t, sync: full}}
- wait-event: {name: BLOCK_JOB_COMPLETED, match: {data: {device: job0, len: 104857}}}
  timeout: 1s
""",
        6,
        ("QEMU_PROG", 's/"len": 1048576/"len": 104857/'),
    ),
    Broken(
        "an event too many",
        """
- launch
- qmp: stop
- qmp: cont
- wait-event: RESUME
- assert-no-events
""",
        5,
        ("QEMU_PROG", '/"event": "STOP"/d'),
    ),
    Broken(
        "a pattern that differs, in a VM",
        DRIVE + "- read: {device: drive0, patterns: [{byte: 0xab, at: 0, size: 512}]}\n",
        3,
        ("QEMU_PROG", "/Pattern verification failed/d"),
    ),
    Broken(
        "a pattern that differs, in a file",
        """
- create-image: {file: d.qcow2, size: 1M}
- read: {file: d.qcow2, patterns: [{byte: 0xab, at: 0, size: 512}]}
""",
        2,
        ("QEMU_IO_PROG", ""),
    ),
    Broken(
        "a state that is never reached",
        """
- launch
- eventually: {within: 120ms}
  steps:
    - qmp: query-status
      expect: {running: false}
""",
        0,
        ("QEMU_PROG", 's/"running": true/"running": false/'),
    ),
    Broken(
        "a QEMU that does not start",
        "- launch: {drives: [{id: drive0, file: nosuch.qcow2, format: qcow2}]}\n",
        1,
        ("QEMU_PROG", ""),
    ),
    Broken(
        "what is said of an image",
        """
- create-image: {file: d.qcow2, size: 1M}
- image-info: {file: d.qcow2}
  expect: {virtual-size: 12}
""",
        2,
        ("QEMU_IMG_PROG", 's/"virtual-size": 1048576/"virtual-size": 12/'),
    ),
    Broken(
        "the length of a job",
        DRIVE
        + """
- create-image: {file: t.qcow2, size: 1M}
- qmp: {execute: blockdev-add, arguments: {driver: qcow2, node-name: t, file: {driver: file, filename: t.qcow2}}}
- qmp: {execute: blockdev-backup, arguments: {job-id: job0, device: drive0, target: t, sync: full}}
- wait-job: job0
  expect: {outcome: completed, len: 4096}
""",
        6,
        ("QEMU_PROG", "/BLOCK_JOB_COMPLETED/s/1048576/4096/g"),
        other=("QEMU_PROG", "/BLOCK_JOB_COMPLETED/s/1048576/8192/g"),
    ),
    Broken(
        "a job that completes instead of failing",
        DRIVE
        + """
- create-image: {file: t.qcow2, size: 1M}
- qmp: {execute: blockdev-add, arguments: {driver: qcow2, node-name: t, file: {driver: file, filename: t.qcow2}}}
- qmp: {execute: blockdev-backup, arguments: {job-id: job0, device: drive0, target: t, sync: full}}
- wait-job: {id: job0, outcome: failed, error: {$contains: No space}}
""",
        6,
        ("QEMU_PROG", '/BLOCK_JOB_COMPLETED/s/"type"/"error": "No space left", "type"/'),
        other=("QEMU_PROG", "s/BLOCK_JOB_COMPLETED/BLOCK_JOB_CANCELLED/"),
    ),
    Broken(
        "a job without an end event that fails",
        """
- launch: {blockdev: [{driver: null-co, node-name: n, read-zeroes: true, size: 1048576}]}
- qmp:
    execute: blockdev-create
    arguments: {job-id: job0, options: {driver: qcow2, file: n, size: 1000000000000000000}}
- wait-job: {id: job0, until: concluded}
""",
        3,
        ("QEMU_PROG", 's/"aborting"/"pending"/'),
    ),
    Broken(
        "one of several extents of an image",
        """
- create-image: {file: d.raw, format: raw, size: 1M}
- write: {file: d.raw, format: raw, patterns: [{byte: 1, at: 0, size: 64k}, {byte: 1, at: 512k, size: 64k}]}
- map-image: {file: d.raw, format: raw}
  expect: [{start: 0}, {start: 65536}, {start: 524288, length: 131072}, {start: 589824}]
""",
        3,
        (
            "QEMU_IMG_PROG",
            '/"start": 524288/s/"length": 65536/"length": 131072/',
        ),
        other=("QEMU_IMG_PROG", '/"start": 65536/d'),
    ),
    Broken(
        "the text of a tool's error",
        """
- create-image: {file: a.qcow2, size: 1M}
- qemu-img: [bitmap, --remove, a.qcow2, nosuch]
  error: {status: 1, stderr: {$contains: no such bitmap}}
""",
        2,
        ("QEMU_IMG_PROG", "s/not found/no such bitmap/"),
        other=("QEMU_IMG_PROG", "s/not found/otherwise/"),
    ),
    Broken(
        "a tool that does not fail",
        """
- create-image: {file: a.qcow2, size: 1M}
- qemu-img: [resize, a.qcow2, 2M]
  error: {status: 1, stderr: {$contains: cannot grow}}
""",
        2,
        ("QEMU_IMG_PROG", "cannot grow"),
        other=("QEMU_IMG_PROG", "cannot shrink"),
    ),
    Broken(
        "the text of QEMU's error",
        """
- launch
- qmp: {execute: block-dirty-bitmap-add, arguments: {node: nosuch, name: bitmap0}}
  error: {class: GenericError, desc: {$contains: no such node}}
""",
        2,
        ("QEMU_PROG", "s/Cannot find device=/no such node/"),
        other=("QEMU_PROG", "s/Cannot find device=/otherwise/"),
    ),
    Broken(
        "a key that is missing",
        """
- create-image: {file: d.qcow2, size: 1M}
- launch: {drives: [{id: drive0, file: d.qcow2, format: qcow2}]}
- qmp: query-block
  expect: [{device: drive0, io-status: failed}]
""",
        3,
        ("QEMU_PROG", 's/"device": "drive0"/"io-status": "failed", &/'),
        other=("QEMU_PROG", 's/"device": "drive0"/"io-status": "nospace", &/'),
    ),
    Broken(
        "a job that is left",
        DRIVE
        + """
- create-image: {file: t.qcow2, size: 1M}
- qmp: {execute: blockdev-add, arguments: {driver: qcow2, node-name: t, file: {driver: file, filename: t.qcow2}}}
- qmp:
    execute: blockdev-backup
    arguments: {job-id: job0, device: drive0, target: t, sync: full, auto-dismiss: false}
- wait-job: {id: job0, until: concluded}
- assert-no-jobs
""",
        7,
        ("QEMU_PROG", 's/"return": \\[{.*"job0".*/"return": []}/'),
        other=("QEMU_PROG", '/"return": /s/"job0"/"job1"/'),
    ),
    Broken(
        "a number below a limit",
        DRIVE + "- image-info: d.qcow2\n  expect: {virtual-size: {$gt: 1048576}}\n",
        3,
        ("QEMU_IMG_PROG", 's/"virtual-size": 1048576/"virtual-size": 2000000/'),
        other=("QEMU_IMG_PROG", 's/"virtual-size": 1048576/"virtual-size": 5/'),
    ),
    Broken(
        "an exit status",
        """
- launch
- qmp: quit
- wait-exit: {status: 3}
""",
        3,
        ("QEMU_PROG", ""),
    ),
    Broken(
        "a node name taken twice, beside an NBD server",
        DRIVE
        + """
- create-image: {file: t.qcow2, size: 1M}
- serve-nbd: {file: t.qcow2, export: t}
- qmp:
    execute: blockdev-add
    arguments: {driver: nbd, node-name: t, server: {type: unix, path: nbd.sock}, export: t}
- qmp: {execute: blockdev-add, arguments: {driver: raw, node-name: t, file: t}}
""",
        6,
        ("QEMU_PROG", 's/^{"error".*/{"return": {}}/'),
    ),
]


def replay(script: Path, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a script in a temporary directory, and return its exit status and output."""
    # The path of a socket is limited to 107 bytes: a short path is needed.
    with tempfile.TemporaryDirectory() as temporary:
        done = subprocess.run(
            ["bash", script],
            env={**os.environ, "TMPDIR": temporary, **(env or {})},
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )
        assert list(Path(temporary).iterdir()) == []
    return done.returncode, done.stdout + done.stderr


def write_fixed_tool(broken: Broken, place: Path) -> dict[str, str]:
    """Write a tool without the defect, the real one with a sed, and return its environment variable."""
    variable, script = broken.fixed
    tool = {variable: tool for tool, variable in TOOLS.items()}[variable]
    real = shlex.quote(find_programs({}, os.environ)[tool])
    sed = f"sed --unbuffered --expression={shlex.quote(script)}"
    piped = f'{sed} | {real} "$@"' if broken.reads else f'{real} "$@" | {sed}'
    if broken.name == "an exit status":
        piped = f'{real} "$@"; exit 3'
    elif broken.name == "a QEMU that does not start":
        piped = f'while [ "$1" != -drive ]; do shift; done; {real} -machine none -nodefaults -display none -qmp stdio'
    elif broken.name == "a tool that does not fail":
        piped = f'[ "$1" = resize ] || exec {real} "$@"; echo {shlex.quote(script)} >&2; exit 1'
    elif variable in ("QEMU_IMG_PROG", "QEMU_IO_PROG") and script:
        piped = f'{real} "$@" >"$0.out" 2>"$0.err"; status=$?; {sed} "$0.out"; {sed} "$0.err" >&2; exit $status'
    elif not script:
        piped = f'{real} "$@"; exit 0'
    file = place / "fixed"
    file.write_text(f"#!/bin/bash\n{piped}\n")
    file.chmod(0o755)
    return {variable: str(file)}


@pytest.mark.parametrize("broken", BROKEN, ids=[each.name for each in BROKEN])
def test_it_fails_as_the_case_did_until_the_defect_is_fixed(
    broken: Broken, run_steps: RunSteps, tmp_path: Path
) -> None:
    run = run_steps(broken.steps, "--artifacts", str(tmp_path / "kept"))
    assert run.status == 1, run.stderr
    (script,) = (tmp_path / "kept").glob("*/reproduce.sh")
    step = run.only.block["step"]["index"]
    assert step == broken.step or not broken.step
    status, printed = replay(script)
    assert (status, STEP.findall(printed)[-1]) == (1, str(step)), printed
    status, printed = replay(script, write_fixed_tool(broken, tmp_path))
    assert (status, STEP.findall(printed)[-1]) == (0, str(step)), printed
    if broken.other:
        status, printed = replay(script, write_fixed_tool(replace(broken, fixed=broken.other), tmp_path))
        assert (status, STEP.findall(printed)[-1]) == (125, str(step)), printed
    subprocess.run(["shellcheck", script], check=True)


def test_a_result_that_was_saved_is_judged_only_if_it_is_the_same(run_steps: RunSteps, tmp_path: Path) -> None:
    steps = '- launch\n- qmp: query-status\n  save: status\n- assert: "{{ not status.running }}"\n'
    run_steps(steps, "--artifacts", str(tmp_path / "kept"))
    (script,) = (tmp_path / "kept").glob("*/reproduce.sh")
    assert replay(script)[0] == 1
    sed = Broken("", "", 0, ("QEMU_PROG", 's/"running": true/"running": false/'))
    assert replay(script, write_fixed_tool(sed, tmp_path))[0] == 125


def test_an_event_is_not_judged_by_an_operator(run_steps: RunSteps, tmp_path: Path) -> None:
    steps = (
        "- launch\n- qmp: stop\n- wait-event: {name: STOP, match: {timestamp: {seconds: {$lt: 5}}}}\n  timeout: 1s\n"
    )
    run_steps(steps, "--artifacts", str(tmp_path / "kept"))
    (script,) = (tmp_path / "kept").glob("*/reproduce.sh")
    status, printed = replay(script)
    assert status == 125
    assert "an event came that may be the awaited one" in printed


def test_a_deviation_or_a_missing_program_exits_with_125(run_steps: RunSteps, tmp_path: Path) -> None:
    run_steps(BROKEN[0].steps, "--artifacts", str(tmp_path / "kept"))
    (script,) = (tmp_path / "kept").glob("*/reproduce.sh")
    assert replay(script, {"QEMU_IMG_PROG": "false"})[0] == 125
    assert replay(script, {"QEMU_PROG": "no-such-program"})[0] == 125
    assert replay(script, {"TMPDIR": str(tmp_path / "nosuch")})[0] == 125


def test_a_failure_that_it_cannot_judge_exits_with_125(run_steps: RunSteps, tmp_path: Path) -> None:
    run_steps('- launch\n- assert: "{{ 1 == 2 }}"\n', "--artifacts", str(tmp_path / "kept"))
    (script,) = (tmp_path / "kept").glob("*/reproduce.sh")
    status, printed = replay(script)
    assert status == 125
    assert "cannot judge this failure from what QEMU and its tools report: the assertion is false" in printed


def test_a_tool_that_fails_otherwise_exits_with_125(run_steps: RunSteps, tmp_path: Path) -> None:
    (broken,) = [each for each in BROKEN if each.name == "what is said of an image"]
    run_steps(broken.steps, "--artifacts", str(tmp_path / "kept"))
    (script,) = (tmp_path / "kept").glob("*/reproduce.sh")
    (tmp_path / "fails").write_text('#!/bin/sh\n[ "$1" = create ] || exit 1\nexec qemu-img "$@"\n')
    (tmp_path / "fails").chmod(0o755)
    assert replay(script, {"QEMU_IMG_PROG": str(tmp_path / "fails")})[0] == 125


def test_a_qemu_that_hangs_exits_with_125(run_steps: RunSteps, tmp_path: Path) -> None:
    run_steps(BROKEN[0].steps, "--artifacts", str(tmp_path / "kept"))
    (script,) = (tmp_path / "kept").glob("*/reproduce.sh")
    (tmp_path / "hangs").write_text("#!/bin/sh\nexec sleep 1000\n")
    (tmp_path / "hangs").chmod(0o755)
    status, printed = replay(script, {"QEMU_PROG": str(tmp_path / "hangs"), "LIMIT": "1"})
    assert status == 125
    assert "no greeting from vm" in printed


def test_the_images_are_kept_on_request(run_steps: RunSteps, tmp_path: Path) -> None:
    run_steps(BROKEN[0].steps, "--artifacts", str(tmp_path / "kept"))
    (script,) = (tmp_path / "kept").glob("*/reproduce.sh")
    done = subprocess.run(
        ["bash", script], env={**os.environ, "TMPDIR": str(tmp_path), "KEEP": "1"}, capture_output=True, text=True
    )
    (place,) = tmp_path.glob("reproduce.*")
    assert f"# kept: {place}/work" in done.stdout
    assert (place / "work/d.qcow2").exists()


def test_it_needs_only_qemu_and_common_tools(run_steps: RunSteps, tmp_path: Path) -> None:
    run_steps(BROKEN[0].steps, "--artifacts", str(tmp_path / "kept"))
    (script,) = (tmp_path / "kept").glob("*/reproduce.sh")
    assert not re.search(r"python|jq|socat|run-scenarios |\bfd=\d", script.read_text())


CASES = [
    "mirror/discard.yaml::by=discard,format=qcow2,moment=while-copying",
    "nbd-reconnect/cancel.yaml::job=blockdev-mirror",
    "bitmaps/migrated-with-foreign-flags.yaml::bitmap=none",
    "incremental-backup/transaction-failure.yaml",
    "backup/unaligned-write.yaml",
]


def test_passing_cases_are_replayed_to_the_end(run_command: RunSteps, tmp_path: Path) -> None:
    run = run_command("--artifacts", "kept", *(SHIPPED / case for case in CASES))
    assert run.status == 0, run.stderr
    scripts = sorted((tmp_path / "kept").glob("*/reproduce.sh"))
    assert len(scripts) == len(CASES)
    for script in scripts:
        status, printed = replay(script)
        assert status == 0, printed
        assert "\n# everything went as recorded\n" in printed
    subprocess.run(["shellcheck", *scripts], check=True)


def test_a_deviation_of_a_passing_case_exits_with_1(run_steps: RunSteps, tmp_path: Path) -> None:
    run_steps("- launch\n- qmp: stop\n- wait-event: STOP\n", "--artifacts", str(tmp_path / "kept"))
    (script,) = (tmp_path / "kept").glob("*/reproduce.sh")
    sed = Broken("", "", 0, ("QEMU_PROG", '/"event": "STOP"/d'))
    status, printed = replay(script, {**write_fixed_tool(sed, tmp_path), "LIMIT": "1"})
    assert status == 1, printed


def test_names_are_escaped() -> None:
    hostile = "x\n$(touch bad)`touch bad`'\"\u202e"
    records = [
        {"t": 0, "vm": None, "kind": "step", "data": {"number": 1, "verb": "v", "at": hostile, "name": hostile}},
        {"t": 0, "vm": None, "kind": "exec", "data": ["/bin/qemu-img", hostile]},
        {"t": 0, "vm": None, "kind": "exit", "data": 0},
    ]
    text = make_script(records, ScriptHeader(hostile, [hostile], {"qemu-img": "/bin/qemu-img"}))  # type: ignore[arg-type]
    assert all(line.startswith("#") for line in text.split("\n")[:6])
    assert f'run 0 "$QEMU_IMG_PROG" {shlex.quote(hostile)}' in text
    assert f"step {shlex.quote(f'1 (v) {hostile} {hostile}')}" in text
