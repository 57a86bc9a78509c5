"""The table of rules. A new rule is a function in this package, an entry in `RULES`, and files in `tests/lint/`.

Codes are stable: the code of a removed rule is not reused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.source import Span
from run_scenarios.lint.assertions import any_failure_expected, compared_with_itself, nothing_asserted
from run_scenarios.lint.conditions import condition_never_true
from run_scenarios.lint.context import Finding, LintContext
from run_scenarios.lint.errors import matches_any_error
from run_scenarios.lint.events import event_from_before
from run_scenarios.lint.images import open_image_written, read_unchecked
from run_scenarios.lint.jobs import job_never_awaited
from run_scenarios.lint.names import (
    dimension_unused,
    parameter_unused,
    procedure_unused,
    saved_value_unused,
    unquoted_expression,
    variable_unused,
)


@dataclass(frozen=True)
class Rule:
    """One rule and its documentation.

    :param explanation: a paragraph of Markdown.
    :param bad: steps, or keys of a scenario, that break it; in YAML.
    :param good: the same steps or keys, corrected.
    :param find: finds its violations in a file; None for the rules about suppressions, see `apply_suppressions`.
    """

    code: str
    name: str
    explanation: str
    bad: str
    good: str
    find: Callable[[LintContext], Iterable[Finding]] | None = None

    def diagnostic(self, span: Span, message: str, hint: str) -> Diagnostic:
        """Return a warning about a place that breaks the rule."""
        return Diagnostic(span, message, hint, "warning", self.code)


NO_REASON = Rule(
    "RS011",
    "suppression-without-reason",
    """
A comment suppresses a rule without giving a reason, so a later reader cannot tell whether the suppression is still
justified. Write the reason after the code.
""",
    """
- compare: [a.qcow2, a.qcow2]  # lint: RS009
""",
    """
- compare: [a.qcow2, a.qcow2]  # lint: RS009 concurrent readers must not conflict
""",
)
UNKNOWN_CODE = Rule(
    "RS012",
    "suppression-of-unknown-rule",
    """
A comment names a rule that does not exist, so it suppresses nothing. A comment names one rule by its code, in capitals;
to suppress a second rule on the same line, add a second comment on the line above.
""",
    """
- compare: [a.qcow2, a.qcow2]  # lint: RS9 concurrent readers must not conflict
""",
    """
- compare: [a.qcow2, a.qcow2]  # lint: RS009 concurrent readers must not conflict
""",
)
UNUSED = Rule(
    "RS013",
    "unused-suppression",
    """
A comment suppresses a rule on a line that does not break it. Either the line was fixed and the comment remained, or the
comment is on the wrong line: it applies to its own line, or to the next line if nothing else is on its line.
""",
    """
- compare: [a.qcow2, b.qcow2]  # lint: RS009 concurrent readers must not conflict
""",
    """
- compare: [a.qcow2, b.qcow2]
""",
)

RULES = (
    Rule(
        "RS001",
        "any-error-expected",
        """
An expected error that matches every error lets the step fail for any reason, including a misspelt argument. Expect a
specific error: `desc: {$contains: …}` for QMP, `stderr: {$contains: …}` for a tool, the text itself for `wait-job`.
`{$any: true}`, `{$contains: ""}` and `{$regex: .*}` match everything, whether alone or as the only values expected for
`class`, `desc`, `status`, `stdout`, `stderr` and `output`.
""",
        """
- launch
- qmp: {execute: blockdev-del, arguments: {node-name: nosuch}}
  error: {desc: {$any: true}}
""",
        """
- launch
- qmp: {execute: blockdev-del, arguments: {node-name: nosuch}}
  error: {class: GenericError, desc: {$contains: nosuch}}
""",
        matches_any_error,
    ),
    Rule(
        "RS002",
        "unquoted-expression",
        """
An expression without quotes. If a value begins with `{{`, YAML reads a mapping: that is an error with this code. Later
in a plain scalar, YAML accepts it, but it breaks once the surrounding mapping is written on one line, where a brace
ends the scalar, or once the text contains ` #` or `: `: that is a warning. Always put expressions in quotes.
""",
        """
- set: {number: 0}
- check-image: inc{{ number }}.qcow2
""",
        """
- set: {number: 0}
- check-image: "inc{{ number }}.qcow2"
""",
        unquoted_expression,
    ),
    Rule(
        "RS003",
        "saved-value-unused",
        """
`save` stores a step's result in a variable that is not read before it is set again or its block ends; variables saved
inside `for-each`, `eventually` or a procedure end with it. Often an assertion on the result is missing, or the name is
misspelt where it is used. Names that begin with `_` are not reported.
""",
        """
- launch
- qmp: query-block-jobs
  save: jobs
- assert-no-jobs
""",
        """
- launch
- qmp: query-block-jobs
  save: jobs
- assert: "{{ jobs | length == 0 }}"
""",
        saved_value_unused,
    ),
    Rule(
        "RS004",
        "variable-unused",
        """
A variable of `variables`, `set` or `for-each` that is not read before it is set again or its block ends. In a
`for-each`, every iteration then does the same: often one of the steps should use the variable. Names that begin with
`_` are not reported: `for-each: {_round: [1, 2, 3]}` just repeats its steps.
""",
        """
- for-each: {drive: [drive0, drive1]}
  steps:
    - compare: [drive0.qcow2, copy.qcow2]
""",
        """
- for-each: {drive: [drive0, drive1]}
  steps:
    - compare: ["{{ drive }}.qcow2", copy.qcow2]
""",
        variable_unused,
    ),
    Rule(
        "RS005",
        "parameter-unused",
        """
A parameter that is read neither by the steps of its procedure nor by its `returns`, so its argument has no effect.
Often the procedure has a fixed value instead of the parameter. Names that begin with `_` are not reported.
""",
        """
procedures:
  check:
    parameters: {image: string}
    steps:
      - check-image: drive0.qcow2
steps:
  - call: check
    with: {image: drive1.qcow2}
""",
        """
procedures:
  check:
    parameters: {image: string}
    steps:
      - check-image: "{{ image }}"
steps:
  - call: check
    with: {image: drive1.qcow2}
""",
        parameter_unused,
    ),
    Rule(
        "RS006",
        "procedure-unused",
        """
A procedure of a scenario that its steps never call, directly or through other procedures. Procedures in a file without
a scenario are meant for other files to import, and are not reported.
""",
        """
procedures:
  check-both:
    steps:
      - check-image: drive0.qcow2
      - check-image: drive1.qcow2
steps:
  - check-image: drive0.qcow2
""",
        """
procedures:
  check-both:
    steps:
      - check-image: drive0.qcow2
      - check-image: drive1.qcow2
steps:
  - call: check-both
""",
        procedure_unused,
    ),
    Rule(
        "RS007",
        "job-never-awaited",
        """
A step starts a block job, and no later step of the case waits for the job, cancels it, or stops the VM. If the job
fails, its `BLOCK_JOB_ERROR` goes unnoticed; if it is slow, the following steps race with it. `wait-job` follows a job
to its end. Only jobs whose id is known before the run are reported, and only if no step might handle them:
`wait-event` for an event of jobs, `query-jobs` with `expect` or `save`, `shutdown` and `kill` all count.
""",
        """
- launch:
    drives: [{id: drive0, file: drive0.qcow2, format: qcow2}]
- qmp:
    execute: drive-backup
    arguments: {job-id: job0, device: drive0, sync: full, format: qcow2, target: full.qcow2}
- compare: [drive0.qcow2, full.qcow2]
""",
        """
- launch:
    drives: [{id: drive0, file: drive0.qcow2, format: qcow2}]
- qmp:
    execute: drive-backup
    arguments: {job-id: job0, device: drive0, sync: full, format: qcow2, target: full.qcow2}
- wait-job: job0
- compare: [drive0.qcow2, full.qcow2]
""",
        job_never_awaited,
    ),
    Rule(
        "RS008",
        "nothing-asserted",
        """
The last step of a scenario, or every step, asserts nothing, so a wrong effect would go unnoticed. Steps with `expect`
or `error` assert something, and so do `read`, `compare`, `check-image`, `eventually`, `shutdown` and the verbs that
begin with `assert` or `wait`; `call` and `for-each` do if one of their steps does. `kill` and `stop-nbd` at the end
are ignored.
""",
        """
- create-image: {file: a.qcow2, size: 1M}
- resize-image: {file: a.qcow2, size: 2M}
- image-info: a.qcow2
""",
        """
- create-image: {file: a.qcow2, size: 1M}
- resize-image: {file: a.qcow2, size: 2M}
- image-info: a.qcow2
  expect: {virtual-size: 2097152}
""",
        nothing_asserted,
    ),
    Rule(
        "RS009",
        "compared-with-itself",
        """
Comparing an image with itself, in the same format, always finds it identical. In a loop or a procedure, the step is
reported only if it does so every time. It may be intended as a test of qemu-img itself: suppress the rule then.
""",
        """
- compare: [drive0.qcow2, drive0.qcow2]
""",
        """
- compare: [drive0.qcow2, copy.qcow2]
""",
        compared_with_itself,
    ),
    Rule(
        "RS010",
        "dimension-unused",
        """
A dimension of the matrix that no step reads, so it only repeats the same cases. Names that begin with `_` are not
reported: `_round: [1, 2, 3]` just repeats the case.
""",
        """
matrix:
  format: [qcow2, raw]
steps:
  - create-image: {file: a.qcow2, size: 1M}
  - check-image: a.qcow2
""",
        """
matrix:
  format: [qcow2, vmdk]
steps:
  - create-image: {file: "a.{{ format }}", size: 1M}
  - check-image: "a.{{ format }}"
""",
        dimension_unused,
    ),
    NO_REASON,
    UNKNOWN_CODE,
    UNUSED,
    Rule(
        "RS014",
        "condition-never-true",
        """
A step's `when` is false in every case, so the step never runs and what it asserts is never checked. Mostly a value is
misspelt, or compared with a value of another type: `1` is not `"1"`. In a procedure, a comparison of a parameter with a
value that its type excludes is found too. A `when` that depends on the scenario's `variables` is not, because `-D` may
change them.
""",
        """
matrix:
  size: [1M, 2M]
steps:
  - create-image: {file: a.qcow2, size: "{{ size }}"}
  - check-image: a.qcow2
    when: "{{ size == '1m' }}"
  - image-info: a.qcow2
    expect: {format: qcow2}
""",
        """
matrix:
  size: [1M, 2M]
steps:
  - create-image: {file: a.qcow2, size: "{{ size }}"}
  - check-image: a.qcow2
    when: "{{ size == '1M' }}"
  - image-info: a.qcow2
    expect: {format: qcow2}
""",
        condition_never_true,
    ),
    Rule(
        "RS015",
        "event-from-before",
        """
`wait-event` takes an event that came before a command whose own event has been awaited since. It then says nothing
about what happened after that command. Wait for the event earlier, choose a later one with `after`, or empty the log
with `forget-events`. The rule knows the events that a command causes each time, such as `STOP` and `RESUME`.
""",
        """
- launch
- qmp: stop
- qmp: cont
- wait-event: RESUME
- wait-event: STOP
""",
        """
- launch
- qmp: stop
- wait-event: STOP
- qmp: cont
- wait-event: RESUME
- qmp: stop
- wait-event: {name: STOP, after: RESUME}
""",
        event_from_before,
    ),
    Rule(
        "RS016",
        "open-image-written",
        """
A step writes to the file of an image that a running VM has open. The VM does not notice: it may overwrite the change,
or keep using data that it has cached. Write through the VM with `device`, or before it is launched.
""",
        """
- create-image: {file: a.raw, size: 1M}
- launch: {drives: [{id: drive0, file: a.raw, format: raw}]}
- write: {file: a.raw, patterns: [{byte: 1, at: 0, size: 512}]}
- read: {device: drive0, patterns: [{byte: 1, at: 0, size: 512}]}
""",
        """
- create-image: {file: a.raw, size: 1M}
- launch: {drives: [{id: drive0, file: a.raw, format: raw}]}
- write: {device: drive0, patterns: [{byte: 1, at: 0, size: 512}]}
- read: {device: drive0, patterns: [{byte: 1, at: 0, size: 512}]}
""",
        open_image_written,
    ),
    Rule(
        "RS017",
        "read-unchecked",
        """
A pattern of `read` without `byte` is read, and its content is not checked. Such a step only says that reading does not
fail. Name the byte, or the error that the read must fail with.
""",
        """
- create-image: {file: a.raw, size: 1M}
- read: {file: a.raw, patterns: [{at: 0, size: 512}]}
""",
        """
- create-image: {file: a.raw, size: 1M}
- read: {file: a.raw, patterns: [{byte: 0, at: 0, size: 512}]}
""",
        read_unchecked,
    ),
    Rule(
        "RS018",
        "any-failure-expected",
        """
An `expected-failure` does not say which step fails or with which message, so every failure counts as the expected one:
a new bug, a crash, a mistake in the scenario. Give the message, or the name or number of the step.
""",
        """
expected-failure: "https://gitlab.com/qemu-project/qemu/-/issues/1234"
steps:
  - create-image: {file: a.raw, size: 1M}
  - check-image: {file: a.raw, format: raw}
""",
        """
expected-failure:
  because: https://gitlab.com/qemu-project/qemu/-/issues/1234
  message: {$contains: does not support checks}
steps:
  - create-image: {file: a.raw, size: 1M}
  - check-image: {file: a.raw, format: raw}
""",
        any_failure_expected,
    ),
)
BY_CODE = {rule.code: rule for rule in RULES}
