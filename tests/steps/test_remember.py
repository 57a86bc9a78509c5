"""The verb `remember`; `assert-content` compares with what it has remembered."""

from __future__ import annotations

from tests.support.scenarios import RunSteps


def test_later_writes_do_not_change_what_is_remembered(run_steps: RunSteps) -> None:
    steps = """
        - create-image: {file: a.raw, size: 1M}
        - write: {file: a.raw, patterns: [{byte: 7, at: 0, size: 64k}]}
        - remember: {disk: a.raw, as: then}
        - write: {file: a.raw, patterns: [{byte: 8, at: 0, size: 512}]}
        - assert-content: {file: a.raw, is: now}
    """
    assert run_steps(steps).status == 0
    assert run_steps(f"{steps}    - assert-content: {{file: a.raw, is: then}}\n").status == 1


def test_content_that_is_not_known_cannot_be_remembered(run_steps: RunSteps) -> None:
    run = run_steps("""
        - remember: {disk: nosuch.raw, as: then}
    """)
    assert run.status == 1
    assert "the content of 'nosuch.raw' is not known" in run.message
