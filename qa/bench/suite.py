"""Writes scenario files to measure with: as many as wanted, each like one that people write, no two the same."""

from __future__ import annotations

from pathlib import Path

PER_DIRECTORY = 100
STEPS = 30
PROCEDURES = """\
summary: What the scenarios of this directory share.

procedures:
  create-patterned-image:
    summary: An image with a pattern in two places, so that data that got lost or mixed up shows.
    parameters:
      file: string
      bytes: {type: list, default: [0x41, 0xd5]}
    steps:
      - create-image: {file: "{{ file }}", size: 64M}
      - write:
          file: "{{ file }}"
          patterns:
            - {byte: "{{ bytes[0] }}", at: 0, size: 512}
            - {byte: "{{ bytes[1] }}", at: 1M, size: 32k}

  back-up-fully:
    summary: A full backup, which must copy every byte of the device.
    parameters:
      device: {type: string, default: drive0}
      target: string
      length: {type: size, default: 64M}
    steps:
      - qmp:
          execute: blockdev-backup
          arguments: {job-id: "{{ device }}", device: "{{ device }}", sync: full, target: "{{ target }}"}
      - wait-job: "{{ device }}"
        expect: {len: "{{ length | bytes }}"}
"""
SCENARIO = """\
# yaml-language-server: $schema=../schema/scenario.schema.json
scenario: incremental backup number {number}
summary: >
  An incremental backup, chained on a full one, equals a full backup taken at the same moment, whatever was written
  in between.
tags: [backup, bitmap, quick]
requires: {{commands: [blockdev-backup, block-dirty-bitmap-add], formats: [qcow2]}}
import: [procedures.yaml]

steps:
  - call: create-patterned-image
    with: {{file: drive{number}.qcow2, bytes: [0x{byte:02x}, 0xdc]}}
  - create-image: {{file: target{number}.qcow2, size: 64M}}
  - create-image: {{file: inc{number}.qcow2, size: 64M, backing: target{number}.qcow2}}
  - launch:
      drives: [{{id: drive0, file: drive{number}.qcow2, format: qcow2, node-name: node0}}]
  - qmp:
      execute: blockdev-add
      arguments:
        node-name: target0
        driver: qcow2
        file: {{driver: file, filename: target{number}.qcow2}}
  - set: {{granularity: {granularity}, name: "bitmap{number}"}}
  - qmp:
      execute: block-dirty-bitmap-add
      arguments: {{node: node0, name: "{{{{ name }}}}", granularity: "{{{{ granularity }}}}"}}
  - assert-bitmap: {{node: drive0, name: "{{{{ name }}}}", count: 0, busy: false, recording: true}}
  - write:
      device: drive0
      patterns:
        - {{byte: 0xab, at: 0, size: 512}}
        - {{byte: 0xfe, at: {offset}, size: 256k}}
        - {{byte: 0x64, at: 32736k, size: 64k}}
  - flush: drive0
  - assert-bitmap:
      node: drive0
      name: "{{{{ name }}}}"
      dirty: [{{at: 0, size: 512}}, {{at: {offset}, size: 256k}}, {{at: 32736k, size: 64k}}]
    save: bitmap
  - name: the full backup that the others are chained on
    call: back-up-fully
    with: {{target: target0}}
  - qmp:
      execute: blockdev-add
      arguments: {{node-name: inc0, driver: qcow2, file: {{driver: file, filename: inc{number}.qcow2}}}}
  - qmp:
      execute: blockdev-backup
      arguments: {{job-id: job{number}, device: node0, target: inc0, sync: incremental, bitmap: "{{{{ name }}}}"}}
  - wait-job: job{number}
    expect: {{len: "{{{{ [bitmap.count, 65536] | max }}}}"}}
  - assert-bitmap: {{node: drive0, name: "{{{{ name }}}}", count: 0, busy: false, recording: true}}
  - qmp: query-block-jobs
    expect: []
  - assert-no-jobs
  - qmp: {{execute: block-job-cancel, arguments: {{device: job{number}}}}}
    error: {{class: DeviceNotActive, desc: {{$contains: job{number}}}}}
  - qmp: query-named-block-nodes
    save: nodes
  - assert: "{{{{ nodes | length >= 3 }}}}"
  - for-each: {{node: [target0, inc0]}}
    steps:
      - qmp: {{execute: blockdev-del, arguments: {{node-name: "{{{{ node }}}}"}}}}
  - discard: {{device: drive0, ranges: [{{at: {offset}, size: 64k}}]}}
  - hmp: info block-jobs
    expect: {{$contains: No active}}
  - shutdown
  - image-info: inc{number}.qcow2
    expect: {{virtual-size: 67108864, format: qcow2}}
  - check-image: inc{number}.qcow2
  - compare: [drive{number}.qcow2, target{number}.qcow2]
    when: "{{{{ granularity >= 65536 }}}}"
  - name: what was written is there
    read:
      file: inc{number}.qcow2
      patterns:
        - {{byte: 0xab, at: 0, size: 512}}
        - {{byte: 0xfe, at: {offset}, size: 256k}}
"""


def write_suite(directory: Path, files: int) -> None:
    """Write scenario files of `STEPS` steps each, `PER_DIRECTORY` to a directory, with the procedures they share."""
    for number in range(files):
        folder = directory / f"{number // PER_DIRECTORY:04d}"
        if number % PER_DIRECTORY == 0:
            folder.mkdir(parents=True)
            (folder / "procedures.yaml").write_text(PROCEDURES)
        (folder / f"scenario{number:05d}.yaml").write_text(_scenario(number))


def _scenario(number: int) -> str:
    granularity = 65536 << number % 3
    return SCENARIO.format(number=number, byte=number % 256, granularity=granularity, offset=(16 << 20) + number * 512)
