"""A few inputs for each fuzz target; `python -m qa.fuzz` tries many more."""

from __future__ import annotations

import os
import string

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings
from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.events import Failure, Outcome, Result, TestPoint
from run_scenarios.core.nodes import JsonObject, JsonValue
from run_scenarios.core.source import Source, Span
from run_scenarios.steps import VERBS

from qa.fuzz import targets
from qa.fuzz.inputs import NASTY, WORDS, expressions, mutated, scenarios, values

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "40"))
fuzzed = settings(
    max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=False
)
TEXT = st.text(max_size=30) | st.sampled_from(NASTY) | st.lists(st.sampled_from([*NASTY, "\ud800", "\n"])).map("".join)
SPAN = st.builds(Span, st.builds(Source, TEXT, TEXT), st.integers(1, 3), st.integers(1, 9), st.integers(1, 5))
FAILURE = st.builds(
    Failure,
    diagnostic=st.builds(Diagnostic, SPAN, TEXT, TEXT),
    wanted=TEXT,
    found=TEXT,
    details=st.lists(TEXT, max_size=2).map(tuple),
    step=st.integers(0, 3),
    verb=st.sampled_from(list(VERBS)),
    name=TEXT,
    stack=st.lists(SPAN, max_size=2).map(tuple),
    rendered=TEXT,
    traffic=st.lists(TEXT, max_size=2).map(tuple),
    stderr_tail=TEXT,
    signal=TEXT,
    timeout_ms=st.none() | st.integers(0, 9),
)
RESULT = st.builds(
    Result,
    st.sampled_from(Outcome),
    st.floats(0, 1e6),
    st.none() | FAILURE,
    TEXT,
    TEXT.filter(lambda text: text.strip() != ""),
)
POINT = st.builds(TestPoint, TEXT, TEXT.filter(lambda text: text.strip() != ""), TEXT, TEXT)
MESSAGES = [
    '{"return": {}}\n',
    '{"event": "STOP"}\n',
    '{"error": {}}\n',
    '{"id": 1}\n',
    "[]\n",
    "{}\n",
    "null\n",
    '{"QMP": {}}\n',
]
MESSAGES += [
    '{"error": {"class": "X", "desc": "y"}}\n',
    '{"return": ' * 500,
    '{"event": 1, "timestamp": []}\n',
    "\0",
    "\n",
    "\xff",
]
BYTES = st.binary(max_size=60) | st.lists(st.sampled_from(MESSAGES) | values().map(str), max_size=5).map(
    lambda parts: "".join(parts).encode("utf-8", "replace")
)
VARIABLES = st.dictionaries(st.sampled_from(["a", "b", "x"]), values(), max_size=3)


@fuzzed
@given(mutated())
def test_a_shipped_file_with_mistakes(text: str) -> None:
    targets.check_file(text.encode("utf-8", "replace"))


@fuzzed
@given(scenarios())
def test_a_file_by_the_grammar(text: str) -> None:
    targets.check_file(text.encode())


@fuzzed
@given(st.binary(max_size=200) | st.text(string.printable, max_size=200).map(str.encode))
def test_any_bytes_as_a_file(content: bytes) -> None:
    targets.check_file(content)


@fuzzed
@given(expressions() | st.text(max_size=30).map(lambda text: f"{{{{ {text} }}}}"), VARIABLES)
def test_an_expression(text: str, variables: JsonObject) -> None:
    targets.check_expression(text, variables)


@fuzzed
@given(values(), values())
def test_an_expected_value(expected: JsonValue, actual: JsonValue) -> None:
    targets.check_match(expected, actual)


@fuzzed
@given(st.sampled_from(list(VERBS)), values())
def test_an_argument_that_may_reach_outside(verb: str, argument: JsonValue) -> None:
    targets.check_confinement(verb, argument)


@fuzzed
@given(st.lists(POINT, max_size=3), st.lists(RESULT, max_size=3))
def test_a_report(points: list[TestPoint], results: list[Result]) -> None:
    targets.check_result(points, results)


@fuzzed
@given(st.booleans(), BYTES)
def test_a_peer_other_than_qemu(greets: bool, answer: bytes) -> None:
    targets.check_qmp(greets, answer)


FUZZED = {name.removeprefix("test_"): each for name, each in list(globals().items()) if name.startswith("test_")}


def test_the_inputs_name_files_and_protocols() -> None:
    assert {"/etc/passwd", "nbd:x"} <= set(WORDS)
