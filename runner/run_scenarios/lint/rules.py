"""The table of rules. A new rule is a function beside its like, its entry in `RULES`, and its files in `tests/lint/`.

Codes are stable: one that is no longer used is not given to another rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.source import Span
from run_scenarios.lint.assertions import compared_with_itself, nothing_asserted
from run_scenarios.lint.context import Finding, LintContext
from run_scenarios.lint.errors import matches_any_error
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
    """One rule, with what a user should know of it.

    :param explanation: a paragraph of Markdown.
    :param bad: steps, or further keys of a scenario, that break it; in YAML.
    :param good: the same, mended.
    :param find: what finds it in a file; None for the rules on silencing comments, which `silence` finds.
    """

    code: str
    name: str
    explanation: str
    bad: str
    good: str
    find: Callable[[LintContext], Iterable[Finding]] | None = None

    def diagnostic(self, span: Span, message: str, hint: str) -> Diagnostic:
        """Return a place that breaks the rule, as a warning."""
        return Diagnostic(span, message, hint, "warning", self.code)


NO_REASON = Rule(
    "RS011",
    "silenced-without-reason",
    """
A comment silences a rule and does not say why. Whoever comes to the line later cannot tell whether the reason still
holds. Write it behind the code.
""",
    """
- compare: [a.qcow2, a.qcow2]  # lint: RS009
""",
    """
- compare: [a.qcow2, a.qcow2]  # lint: RS009 two readers at a time must not be in each other's way
""",
)
UNKNOWN_CODE = Rule(
    "RS012",
    "silenced-unknown-rule",
    """
A comment names a rule that does not exist, so it silences nothing. It names one rule by its code, in capitals; a second
rule on the same line takes a second comment, on the line above.
""",
    """
- compare: [a.qcow2, a.qcow2]  # lint: RS9 two readers at a time must not be in each other's way
""",
    """
- compare: [a.qcow2, a.qcow2]  # lint: RS009 two readers at a time must not be in each other's way
""",
)
NOT_NEEDED = Rule(
    "RS013",
    "silenced-in-vain",
    """
A comment silences a rule on a line that does not break it. Either the line was mended and the comment is left over, or
it stands on the wrong line: it is about the line it is on, or about the next one if it is alone on its own.
""",
    """
- compare: [a.qcow2, b.qcow2]  # lint: RS009 two readers at a time must not be in each other's way
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
An expected error that every error matches passes for whatever reason the step fails, a misspelt argument included. Say
which error is meant: `desc: {$contains: …}` for QMP, `stderr: {$contains: …}` for a tool, the text itself for
`wait-job`. `{$any: true}`, `{$contains: ""}` and `{$regex: .*}` match everything, alone or as all there is for `class`,
`desc`, `status`, `stdout`, `stderr` and `output`.
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
An expression outside quotes. Where a value begins with `{{`, YAML reads a mapping: that is an error, which carries this
code. Further on in a text YAML lets it pass, until somebody writes the mapping around it on one line, where a brace
ends the text, or a `#` or `: ` gets into it: that is a warning. Write it in quotes, always.
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
`save` keeps a step's result in a variable, and nothing reads it before the variable is set anew or its block ends;
what is saved within `for-each`, `eventually` or a procedure is gone at its end. Often an assertion on the result was
meant, or the name is misspelt further on. A name that begins with `_` is not reported.
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
A variable of `variables`, `set` or `for-each` that nothing reads before it is set anew or its block ends. In a
`for-each` this means that every round does the same: often the variable was meant in one of the steps. A name that
begins with `_` is not reported, so `for-each: {_round: [1, 2, 3]}` says that repeating is all that is meant.
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
A parameter that neither the steps of its procedure nor its `returns` read: callers give a value that changes nothing.
Often the procedure has a fixed value where the parameter was meant. A name that begins with `_` is not reported.
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
A procedure in a scenario that its steps never call, neither themselves nor through other procedures. Procedures in a
file of their own are there for whoever imports them, and not reported.
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
A step starts a block job, and nothing in the case waits for that job, cancels it, or ends the VM. If the job fails, its
`BLOCK_JOB_ERROR` stays unseen; if it is slow, what follows races with it. `wait-job` follows it to its end. Only jobs
whose id is known before the run are reported, and only if no step could be about them: a `wait-event` on job events, a
`query-jobs` with `expect` or `save`, `shutdown` and `kill` all count as seeing to it.
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
The last step of a scenario, or every step of it, asserts nothing: nobody would notice if it did something else than it
is meant to. What asserts is `expect` or `error` beside a step, `read`, `compare`, `check-image`, `eventually`,
`shutdown`, and the verbs that begin with `assert` or `wait`; of a `call` or a `for-each`, any step within. `kill` and
`stop-nbd` at the end are passed over.
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
A `compare` of an image with itself, in the same format, finds them identical whatever is in it. In a loop or a
procedure it is reported only if it does so every time. As a probe of qemu-img itself it may be meant: silence it then.
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
A dimension of the matrix that no step reads: it multiplies the cases, and they are all the same. A name that begins
with `_` is not reported, so `_round: [1, 2, 3]` says that repeating is all that is meant.
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
    NOT_NEEDED,
)
BY_CODE = {rule.code: rule for rule in RULES}
