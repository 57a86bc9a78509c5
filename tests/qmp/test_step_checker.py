"""Which expected values of a step are checked, and where mistakes in them are reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.scenarios import RunSteps


@pytest.mark.parametrize(
    ("step", "at", "message"),
    [
        (
            "image-info: a.qcow2, expect: {virtual-siz: 1048576}",
            "virtual-siz",
            "the result of 'image-info' has no key 'virtual-siz'",
        ),
        (
            "image-info: a.qcow2, expect: {formt: {$absent: true}}",
            "formt",
            "the result of 'image-info' has no key 'formt'",
        ),
        ("image-info: a.qcow2, expect: {$not: {formt: raw}}", "formt", "the result of 'image-info' has no key 'formt'"),
        (
            "image-info: a.qcow2, expect: {format-specific: {type: qcow2, data: {lazy-refcount: false}}}",
            "lazy-refcount",
            "the result of 'image-info' has no key 'format-specific.data.lazy-refcount'",
        ),
        (
            'image-info: a.qcow2, expect: {virtual-size: {$ne: "1048576"}}',
            '"1048576"',
            "key 'virtual-size' of the result of 'image-info' must be an integer, not a string",
        ),
        (
            "map-image: a.qcow2, expect: {$not: {$contains: {dept: 3}}}",
            "dept",
            "the result of 'map-image' has no key '[].dept'",
        ),
        (
            "check-image: a.qcow2, expect: {leak: {$absent: true}}",
            "leak",
            "the result of 'check-image' has no key 'leak'",
        ),
        (
            "qemu-img: [snapshot, -l, a.qcow2], expect: {stdou: {$absent: true}}",
            "stdou",
            "the result of 'qemu-img' has no key 'stdou'",
        ),
        (
            "compare: [a.qcow2, a.qcow2], error: {sterr: {$absent: true}}",
            "sterr",
            "the error of 'compare' has no key 'sterr'",
        ),
        (
            "flush: drive0, error: {stderr: x}",
            "stderr",
            "the error of 'flush' has no key 'stderr'",
        ),
        (
            "hmp: info block, expect: {$contains: 5}",
            "5",
            "'$contains' never matches: a part of the result of 'hmp' is a string",
        ),
        (
            "qmp: stop, error: {class: GenericErorr}",
            "GenericErorr",
            "key 'class' of the error of 'qmp' cannot be 'GenericErorr'",
        ),
        ("qmp: stop, error: {des: {$contains: x}}", "des:", "the error of 'qmp' has no key 'des'"),
        ("wait-job: job0, expect: {offse: {$absent: true}}", "offse", "the result of 'wait-job' has no key 'offse'"),
        (
            "wait-job: {id: job0, outcome: failed, error: {$ne: 5}}",
            "5",
            "'error' must be a string, not an integer",
        ),
        (
            'assert-bitmap: {node: a, name: b, recording: {$ne: "true"}}',
            '"true"',
            "'recording' must be a boolean, not a string",
        ),
        (
            "assert-bitmap: {node: a, name: b, count: 0}, expect: {cuont: {$absent: true}}",
            "cuont",
            "the result of 'assert-bitmap' has no key 'cuont'",
        ),
        (
            'wait-exit: {status: 1}, expect: {$ne: "1"}',
            '"1"',
            "the result of 'wait-exit' must be an integer, not a string",
        ),
        ("assert-no-events: {match: {data: {devise: a}}}", "devise", "an event has no key 'data.devise'"),
        ("assert-no-events: {match: {$not: {evnt: STOP}}}", "evnt", "an event has no key 'evnt'"),
        ("assert-no-events: {match: {event: STPO}}", "STPO", "key 'event' of an event cannot be 'STPO'"),
        ("forget-events: {match: {datum: a}}", "datum", "an event has no key 'datum'"),
        (
            "qmp: {exec-oob: query-status}, expect: {statu: {$absent: true}}",
            "statu:",
            "the result of 'query-status' has no key 'statu'",
        ),
    ],
)
def test_a_mistake_in_an_expected_value_is_reported_at_its_place(
    run_steps: RunSteps, step: str, at: str, message: str
) -> None:
    run = run_steps(f"- {{{step}}}", "--check")
    column = f"  - {{{step}".rindex(at) + 1
    assert run.status == 2
    assert f"case.yaml:3:{column}: error: {message}" in run.stderr


def test_expected_values_of_tools_are_checked_without_qemu(
    run_steps: RunSteps, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("QEMU_PROG", "QEMU_IMG_PROG", "QEMU_IO_PROG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    run = run_steps("- {image-info: a.qcow2, expect: {childre: [], children: []}}", "--check")
    assert run.status == 2
    assert "case.yaml:3:36: error: the result of 'image-info' has no key 'childre'" in run.stderr
    assert run.stderr.count("error:") == 1


def test_a_key_that_a_later_version_prints_is_a_warning(run_steps: RunSteps) -> None:
    run = run_steps("- {image-info: a.qcow2, expect: {limits: {$absent: true}}}", "--check")
    assert run.status == 0
    assert "case.yaml:3:36: warning: the result of 'image-info' has no key 'limits' yet" in run.stderr
    assert "QEMU 10.2 added it" in run.stderr


def test_a_mistake_in_a_step_that_may_not_run_is_a_warning(run_steps: RunSteps) -> None:
    steps = """
    - {image-info: a.qcow2, save: info}
    - {image-info: a.qcow2, expect: {formt: raw}, when: "{{ info.format == 'raw' }}"}
    """
    run = run_steps(steps, "--check")
    assert run.status == 0
    assert "warning: the result of 'image-info' has no key 'formt'" in run.stderr
