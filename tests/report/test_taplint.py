"""The linter finds every kind of violation."""

import pytest

from tests.report.taplint import lint

GOOD = """TAP version 13
1..5
# a file
ok 1 - a
not ok 2 - b
  ---
  message: "with \\"quotes\\" and \\u2028"
  duration_ms: 1.5
  at:
    line: 3
  called_from:
    - file: "x"
      line: 1
    - file: "y"
  last: true
  ...
ok 3 - c # SKIP a reason
not ok 4 - d # TODO known
  ---
  message: "m"
  ...
ok 5 - e
Bail out! interrupted
"""


def test_a_good_report_has_no_problems() -> None:
    assert lint(GOOD) == []
    assert lint("TAP version 13\n1..0 # SKIP nothing to do\n") == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("TAP version 13", "TAP version 14", "1: not the version"),
        ("1..5", "1..5 # five", "2: not the plan"),
        ("1..5", "1..6", "23: 6 points planned, 5 printed"),
        ("1..5", "1..0", "2: not the plan"),
        ("ok 3", "ok 4", "17: point 4 where 3 is due"),
        ("- e", "- a", "22: a second point 'a'"),
        ("- e", "- e{", "22: a name that begins a subtest"),
        ("- e", "- e # f", "22: neither point, comment nor block: 'ok 5 - e # f'"),
        ("- e", "- e\\", "22: neither point, comment nor block: 'ok 5 - e\\\\'"),
        ("- e", "- e ", "22: neither point, comment nor block: 'ok 5 - e '"),
        ("- e", "- e\t", "22: a control character"),
        ("ok 3", "not ok 3", "17: only 'ok # SKIP' and 'not ok # TODO' mean the same to all"),
        ("not ok 4", "ok 4", "18: only 'ok # SKIP' and 'not ok # TODO' mean the same to all"),
        ("# SKIP a reason", "# skip a reason", "17: neither point, comment nor block: 'ok 3 - c # skip a reason'"),
        ("ok 1 - a\n", "ok 1 - a\n# x\n  ---\n", "6: a YAML block that follows no point"),
        ("\nok 5", "\n\nok 5", "22: neither point, comment nor block: ''"),
        ('message: "m"', "message: m", "20: not plain YAML: '  message: m'"),
        ('message: "m"', "message: |", "20: not plain YAML: '  message: |'"),
        ('message: "m"', 'message: "\\q"', "20: not plain YAML: '  message: \"\\\\q\"'"),
        ('message: "m"', 'Message: "m"', "20: not plain YAML: '  Message: \"m\"'"),
        ('  message: "m"\n', "", "20: a key or a block without a value"),
        ("    line: 3\n", "", "10: wrong indentation"),
        ("    line: 3", "      line: 3", "10: wrong indentation"),
        ("interrupted\n", "interrupted\nok 6 - f\n", "24: a line after 'Bail out!'"),
        ("interrupted\n", "interrupted", "23: the last line has no end"),
    ],
)
def test_each_violation_is_found(old: str, new: str, problem: str) -> None:
    assert problem in lint(GOOD.replace(old, new, 1))


def test_a_block_must_end() -> None:
    assert "7: the YAML block has no end" in lint(GOOD[: GOOD.index("  duration_ms")])
