"""The standard error in a failure report belongs to the VM that matters."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.scenarios import RunSteps

# QEMU warns about global properties of a class that it does not have.
LAUNCHES = """
- create-image: {file: d.raw, size: 1M}
- {vm: one, launch: {machine: none, arguments: [-global, first.x=1]}}
- vm: two
  launch: {machine: none, arguments: [-global, second.x=1], drives: [{id: drive0, file: d.raw, format: raw}]}
- {vm: quiet, launch: {machine: none}}
"""


@pytest.mark.parametrize(
    ("step", "vm", "warning"),
    [
        ("- {vm: one, qmp: query-name, expect: {name: other}}", "one", "first.x"),
        ("- {vm: two, qmp: query-name, expect: {name: other}}", "two", "second.x"),
        ("- {vm: quiet, qmp: query-name, expect: {name: other}}", "one", "first.x"),
        ('- {vm: two, hmp: qemu-io drive0 "sigraise 11"}', "two", "second.x"),
        ("- {vm: two, kill: }\n- {vm: quiet, qmp: query-name, expect: {name: other}}", "one", "first.x"),
    ],
    ids=["the VM of the step", "another VM", "a VM without output", "a crash", "a killed VM"],
)
def test_standard_error_is_that_of_the_vm_that_failed(run_steps: RunSteps, step: str, vm: str, warning: str) -> None:
    run = run_steps(LAUNCHES + step)
    assert run.status == 1, run.stderr
    heading, _, text = run.stderr.partition("stderr of ")[2].partition("\n")
    assert heading == f"'{vm}':", run.stderr
    assert warning in text.split("\n")[0]


def test_standard_error_of_a_crashed_vm_comes_first(run_steps: RunSteps, tmp_path: Path) -> None:
    program = tmp_path / "qemu"
    crash = 'case "$*" in *second.x*) (sleep 0.5; kill -SEGV $$) & ;; esac'
    program.write_text(f'#!/bin/sh\n{crash}\nexec qemu-system-x86_64 "$@"\n')
    program.chmod(0o755)
    run = run_steps(LAUNCHES + "- {vm: one, wait-event: STOP, timeout: 1.5}", "--qemu", str(program))
    assert "VM 'two' was killed by SIGSEGV" in run.stderr
    assert "stderr of 'two':" in run.stderr
