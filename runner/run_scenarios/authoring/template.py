"""Write a new scenario from a template."""

from __future__ import annotations

import os
from pathlib import Path

from run_scenarios.core.errors import RunnerError

SUFFIXES = (".yaml", ".yml")
SCHEMA = Path("schema/scenario.schema.json")
TEMPLATE = """\
scenario: a bitmap records what is written
summary: >
  Describe what the scenario shows and why it matters. This one passes as it is: change a number to see it fail.
tags: [bitmap, quick]
# If the QEMU under test lacks any of these, the scenario is skipped.
requires: {commands: [block-dirty-bitmap-add], formats: [qcow2]}

# Each value is a case; the steps refer to it as "{{ granularity }}".
matrix:
  granularity: [65536, 32768]

steps:
  # Each case has a directory of its own for its files. No cleanup is needed: files and VMs are removed afterwards.
  - create-image: {file: drive0.qcow2, size: 64M}
  - launch:
      drives: [{id: drive0, file: drive0.qcow2, format: qcow2}]

  # A QMP command, written as in QEMU's documentation.
  - qmp: {execute: block-dirty-bitmap-add, arguments: {node: drive0, name: bitmap0, granularity: "{{ granularity }}"}}
  - write: {device: drive0, patterns: [{byte: 0xab, at: 1M, size: 64k}]}
  - name: exactly the written bytes are dirty
    assert-bitmap: {node: drive0, name: bitmap0, dirty: [{at: 1M, size: 64k}], recording: true}

  # A step with `error` must fail with that error.
  - qmp: {execute: block-dirty-bitmap-remove, arguments: {node: drive0, name: nosuch}}
    error: {class: GenericError, desc: {$contains: nosuch}}

  # Wait until a job has ended. `expect` checks the result of a step, `save` stores it in a variable.
  - create-image: {file: copy.qcow2, size: 64M}
  - qmp:
      execute: blockdev-add
      arguments: {node-name: copy, driver: qcow2, file: {driver: file, filename: copy.qcow2}}
  - qmp: {execute: blockdev-backup, arguments: {job-id: job0, device: drive0, target: copy, sync: full}}
  - wait-job: job0
    expect: {len: 67108864}
    save: job
  - assert: "{{ job.offset == job.len }}"
  - assert-no-events

  - shutdown
  - compare: [drive0.qcow2, copy.qcow2]
  - read: {file: copy.qcow2, patterns: [{byte: 0xab, at: 1M, size: 64k}, {byte: 0, at: 2M, size: 64k}]}

# For help on a verb: run-scenarios --explain VERB. Scenarios can share steps with `procedures` and `import`.
"""


class CannotWriteTemplate(RunnerError):
    """The file for a new scenario exists already, or has the wrong suffix."""


def write_template(file: Path) -> str:
    """Write a scenario that passes as it is, and return its text.

    The first line refers editors to the schema, if a directory above has one.

    :raise CannotWriteTemplate: if the file already exists, or its name does not end in a scenario's suffix.
    :raise OSError: if it cannot be written.
    """
    if file.suffix not in SUFFIXES:
        raise CannotWriteTemplate(f"'{file}' is not a name for a scenario: it must end in .yaml")
    text = _make_schema_line(file.absolute().parent) + TEMPLATE
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8", newline="\n") as new:
            new.write(text)
    except (FileExistsError, NotADirectoryError) as error:
        raise CannotWriteTemplate(f"'{error.filename}' already exists") from None
    return text


def _make_schema_line(directory: Path) -> str:
    for above in (directory, *directory.parents):
        if (above / SCHEMA).is_file():
            schema = os.path.relpath(above / SCHEMA, directory)
            return f"# yaml-language-server: $schema={schema}\n"
    return ""
