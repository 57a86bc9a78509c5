"""A scenario to start from, for `--new`. Imports errors only."""

from __future__ import annotations

import os
from pathlib import Path

from run_scenarios.core.errors import RunnerError

SUFFIXES = (".yaml", ".yml")
SCHEMA = Path("schema/scenario.schema.json")
TEMPLATE = """\
scenario: what is written is dirty in a bitmap
summary: >
  Say here what the scenario shows, and why it matters. This one passes as it is; change a number and see how it fails.
tags: [bitmap, quick]
# Without these in the QEMU under test, the scenario is skipped.
requires: {commands: [block-dirty-bitmap-add], formats: [qcow2]}

# One case for each value; "{{ granularity }}" stands for it in the steps.
matrix:
  granularity: [65536, 32768]

steps:
  # Files are in a directory of the case's own, which is gone afterwards, as is the VM: cleaning up is not written.
  - create-image: {file: drive0.qcow2, size: 64M}
  - launch:
      drives: [{id: drive0, file: drive0.qcow2, format: qcow2}]

  # QMP as the manual of QEMU prints it.
  - qmp: {execute: block-dirty-bitmap-add, arguments: {node: drive0, name: bitmap0, granularity: "{{ granularity }}"}}
  - write: {device: drive0, patterns: [{byte: 0xab, at: 1M, size: 64k}]}
  - name: the bytes that were written are dirty, and no others
    assert-bitmap: {node: drive0, name: bitmap0, dirty: [{at: 1M, size: 64k}], recording: true}

  # A step that must fail names the error.
  - qmp: {execute: block-dirty-bitmap-remove, arguments: {node: drive0, name: nosuch}}
    error: {class: GenericError, desc: {$contains: nosuch}}

  # A job is followed to its end; `save` keeps a result, `expect` says what it must be.
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

# Every verb: run-scenarios --explain VERB. Steps that several scenarios share: `procedures` and `import`.
"""


class CannotWriteTemplate(RunnerError):
    """The file for a new scenario has a name that will not do."""


def write_template(file: Path) -> str:
    """Write a scenario that passes as it is, and return its text.

    The first line leads an editor to the schema, if there is one in a directory above.

    :raise CannotStart: if the file is there already, or its name is not a scenario's.
    :raise OSError: if it cannot be written.
    """
    if file.suffix not in SUFFIXES:
        raise CannotWriteTemplate(f"'{file}' is no name for a scenario: it must end in .yaml")
    text = _schema_line(file.absolute().parent) + TEMPLATE
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8", newline="\n") as new:
            new.write(text)
    except (FileExistsError, NotADirectoryError) as error:
        raise CannotWriteTemplate(f"'{error.filename}' is there already") from None
    return text


def _schema_line(directory: Path) -> str:
    for above in (directory, *directory.parents):
        if (above / SCHEMA).is_file():
            schema = os.path.relpath(above / SCHEMA, directory)
            return f"# yaml-language-server: $schema={schema}\n"
    return ""
