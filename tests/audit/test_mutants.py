"""The mutants of each verb, and their positions."""

from __future__ import annotations

import textwrap

import pytest
from run_scenarios.audit.mutants import generate_mutants
from run_scenarios.core.source import Source
from run_scenarios.steps import VERBS

VACUOUS = "!"
"""Marks a mutant that cannot fail."""


def list_mutants(steps: str, head: str = "") -> list[str]:
    """Return the text that each mutant changes, after "-" if it is dropped."""
    parts = ["scenario: s", textwrap.dedent(head), "steps:", textwrap.indent(textwrap.dedent(steps), "  ")]
    source = Source("a.yaml", "\n".join(parts))
    found = []
    for each in generate_mutants(source, "/a.yaml"):
        line = source.line(each.span.line)
        sign = "-" if each.is_dropped else VACUOUS if each.cannot_fail else ""
        found.append(sign + line[each.span.column - 1 :][: each.span.width])
    return found


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        ('- assert: "{{ 1 == 1 }}"', ['"{{ 1 == 1 }}"']),
        ("- assert: true", ["!true"]),
        ("- assert: {value: 1, expect: {a: 2, b: {$ge: 0}}}", ["2", "!$ge"]),
        ("- assert-bitmap: {node: n, name: b, count: 1, busy: false}", ["1", "false"]),
        ("- assert-bitmap: {node: n, name: b, dirty: [{at: 0, size: 1}, {at: 1M, size: 1}]}", ["{", "{"]),
        ("- assert-bitmap: {node: n, name: b, dirty: []}", ["["]),
        ("- assert-bitmap: {node: n, name: b, exists: false}", ["false"]),
        ("- assert-bitmap: {node: n, name: b, exists: true, count: 1}", ["1"]),
        ("- assert-no-events", ["assert-no-events"]),
        ("- assert-no-events: BLOCK_JOB_ERROR", ["BLOCK_JOB_ERROR"]),
        ("- assert-no-jobs", ["assert-no-jobs"]),
        ("- check-image: a.qcow2\n  expect: {check-errors: 0}", ["a.qcow2", "0"]),
        ("- check-image: a.qcow2\n  error: {status: 2}", ["2"]),
        ("- compare: [a.raw, b.raw]", ["["]),
        ("- compare: [a.raw, a.raw]", ["!["]),
        ("- compare: {images: [a.raw, b.raw], outcome: different}", ["different"]),
        ("- read: {device: d, patterns: [{byte: 1, at: 0, size: 1}, {at: 0, size: 1}]}", ["1"]),
        ("- write: {device: d, patterns: [{byte: 1, at: 0, size: 1}]}", ["-write"]),
        ("- write: {device: d, patterns: [{byte: 1, at: 0, size: 1}]}\n  error: {output: x}", ["x"]),
        ("- write: {device: d, patterns: [{at: 0, size: 1}, {at: 1M, size: 1}]}", ["-write", "-{", "-{"]),
        ("- discard: {device: d, ranges: [{at: 0, size: 1}]}", ["-discard"]),
        ("- wait-event: STOP", ["STOP"]),
        ("- wait-event: {name: STOP, match: {data: {a: 1}}, expect: {data: {b: 2}}}", ["STOP", "1", "2"]),
        ("- wait-exit", ["wait-exit"]),
        ("- wait-exit: {status: -6}", ["-6"]),
        ("- wait-job: job0", ["job0"]),
        ("- wait-job: {id: job0, outcome: failed, error: no space}", ["failed", "no space"]),
        ("- wait-job: {id: job0, until: ready}", []),
        ("- wait-job: {id: job0, until: ready, outcome: cancelled}", ["cancelled"]),
        ("- qmp: query-status\n  expect: {status: {$any: true}, running: true}", ["$any", "true"]),
        ("- qmp: query-jobs\n  expect: {$any: true}", ["!$any"]),
        ("- qmp: stop\n  error: {class: GenericError, desc: {$contains: x}}", ["GenericError", "$contains"]),
        ("- shutdown", []),
    ],
)
def test_each_assertion_of_a_step_is_broken(steps: str, found: list[str]) -> None:
    assert list_mutants(steps) == found


def test_blocks_and_procedures_are_mutated_too() -> None:
    head = """
      procedures:
        p:
          steps: [{for-each: {x: [1]}, steps: [assert-no-jobs]}]
    """
    steps = """
    - eventually: {within: 30s}
      steps:
        - call: p
        - assert-no-events
    """
    assert list_mutants(steps, head) == ["assert-no-jobs", "assert-no-events"]


def test_eventually_is_shortened_for_its_mutants() -> None:
    source = Source("a.yaml", "scenario: s\nsteps:\n- eventually: {within: 30s}\n  steps: [assert-no-events]\n")
    (mutant,) = generate_mutants(source, "/a.yaml")
    assert [change.path for change in mutant.changes] == [
        ("steps", 0, "steps", 0),
        ("steps", 0, "eventually", "within"),
    ]


def test_every_verb_declares_its_mutators() -> None:
    silent = [name for name, verb in VERBS.items() if not hasattr(verb, "MUTATORS")]
    assert not silent
