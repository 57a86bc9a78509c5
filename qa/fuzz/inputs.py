"""Inputs of the fuzzers: scenarios by the grammar, and shipped files with mistakes."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import hypothesis.strategies as st
from run_scenarios.core.nodes import JsonValue
from run_scenarios.scenario.file_schema import MODIFIERS
from run_scenarios.steps import VERBS
from run_scenarios.syntax.matchers import OPERATORS
from run_scenarios.syntax.sandbox import ENVIRONMENT

ROOT = Path(__file__).parents[2]
NASTY = [
    "{{",
    "}}",
    "{{ a }}",
    "&a",
    "*a",
    "<<: *a",
    "!!str",
    "? ",
    "- ",
    ": ",
    "#",
    "\t",
    "\0",
    "\u2028",
    "\ufeff",
    "|",
]
NASTY += [
    ">",
    "%YAML 1.2",
    "---",
    "...",
    "0x1f",
    "1e999",
    ".inf",
    "~",
    "''",
    '""',
    "[",
    "]",
    "{",
    "}",
    "é",
    "\U0001f600",
]
WORDS = [
    "a",
    "b",
    "x",
    "drive0",
    "a.qcow2",
    "../x",
    "/etc/passwd",
    "nbd:x",
    "64k",
    "1M",
    "10s",
    "qcow2",
    "execute",
    "raw",
]
NAMES = st.sampled_from(
    [*VERBS, *MODIFIERS, *OPERATORS, *WORDS, "steps", "with", "arguments", "file", "size", "patterns"]
)


@functools.cache
def shipped() -> tuple[str, ...]:
    """Return the text of every YAML file in the scenarios and the tests."""
    folders = ("scenarios", "tests/good", "tests/bad", "tests/lint")
    files = [file for folder in folders for file in sorted((ROOT / folder).rglob("*.yaml"))]
    return tuple(file.read_text("utf-8", "replace") for file in files)


@functools.cache
def expressions() -> st.SearchStrategy[str]:
    """Generate expressions, most of them well-formed."""
    atoms = st.sampled_from(
        ["a", "b", "x", "omit", "1", "-1", "1.5", "'x'", "''", "none", "true", "[]", "{}", "99999999"]
    )
    filters = st.sampled_from(
        [*ENVIRONMENT.filters, "nosuch", "map('int')", "map(attribute='a')", "round(3)", "int(base=16)"]
    )
    binary = st.sampled_from(["+", "-", "*", "**", "/", "//", "%", "~", "==", "<", "and", "or", "in", "is", "if", "."])

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.tuples(inner, binary, inner).map(" ".join),
            st.tuples(inner, filters).map(" | ".join),
            st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
            st.tuples(inner, inner).map(lambda pair: f"({pair[0]})[{pair[1]}]"),
            inner.map(lambda each: f"({each})"),
            st.tuples(inner, inner, inner).map(lambda each: f"{each[0]} if {each[1]} else {each[2]}"),
        )

    whole = st.recursive(atoms, grow, max_leaves=8).map(lambda text: f"{{{{ {text} }}}}")
    return st.one_of(whole, st.tuples(st.sampled_from(WORDS), whole).map("".join), st.sampled_from(NASTY))


@functools.cache
def values() -> st.SearchStrategy[JsonValue]:
    """Generate JSON values, some with expressions and operators."""
    numbers = st.one_of(st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False))
    leaves = st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=8), st.sampled_from(WORDS), expressions())
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
        max_leaves=8,
    )


def plausible(schema: dict[str, object], depth: int = 0) -> st.SearchStrategy[JsonValue]:
    """Generate values that mostly satisfy a schema of the language."""
    if depth > 4:
        return values()
    match schema:
        case {"anyOf": list(choices)}:
            return st.one_of([plausible(each, depth + 1) for each in choices])
        case {"enum": list(choices)}:
            return st.sampled_from(choices)
        case {"type": "object", "properties": dict(properties)}:
            known = {key: plausible(each, depth + 1) for key, each in properties.items()}
            required = schema.get("required", [])
            needed = {key: known[key] for key in required if key in known} if isinstance(required, list) else {}
            return st.fixed_dictionaries(needed, optional={key: known[key] for key in known if key not in needed})
        case {"type": "array", "items": dict(items)}:
            return st.lists(plausible(items, depth + 1), min_size=1, max_size=2)
        case {"type": "string"}:
            return st.one_of(st.sampled_from(WORDS), expressions())
        case {"type": "integer"}:
            return st.integers(0, 300)
        case {"type": "boolean"}:
            return st.booleans()
        case {"type": "null"}:
            return st.none()
    return values()


@functools.cache
def steps(depth: int = 0) -> st.SearchStrategy[JsonValue]:
    """Generate steps of any verb."""

    return st.one_of([step(name, depth) for name in VERBS])


@functools.cache
def step(name: str, depth: int) -> st.SearchStrategy[JsonValue]:
    """Generate steps of a verb, with arguments that satisfy its schema or do not, and modifiers."""
    verb = VERBS[name]
    more = {key: plausible(schema, 1) for key, schema in {**MODIFIERS, **verb.SIBLING_KEYS}.items()}
    if verb.HAS_BODY and depth < 2:
        more["steps"] = st.deferred(lambda: st.lists(steps(depth + 1), max_size=2))
    return st.fixed_dictionaries({name: plausible(verb.SCHEMA) | values()}, optional=more)


@functools.cache
def scenarios() -> st.SearchStrategy[str]:
    """Generate scenario files by the grammar, as JSON, which is YAML."""
    dimension = st.lists(st.one_of(st.integers(0, 3), st.sampled_from(WORDS), st.booleans()), min_size=1, max_size=3)
    whole = st.fixed_dictionaries(
        {"scenario": st.just("x"), "steps": st.lists(steps(), min_size=1, max_size=4)},
        optional={
            "matrix": st.dictionaries(NAMES | st.just("include"), dimension | values(), max_size=2),
            "procedures": st.dictionaries(
                NAMES, st.fixed_dictionaries({"steps": st.lists(steps(), max_size=2)}), max_size=2
            ),
            "requires": values(),
            "tags": values(),
            "timeout": values(),
            "import": values(),
        },
    )
    return whole.map(json.dumps)


def mutated() -> st.SearchStrategy[str]:
    """Generate shipped files with some parts removed or replaced."""
    edit = st.tuples(
        st.floats(0, 1), st.integers(0, 40), st.sampled_from([*NASTY, "", "", *WORDS]) | st.text(max_size=4)
    )

    def apply(text: str, edits: list[tuple[float, int, str]]) -> str:
        for where, length, put in edits:
            at = int(where * len(text))
            text = text[:at] + put + text[at + length :]
        return text

    return st.builds(apply, st.sampled_from(shipped()), st.lists(edit, min_size=1, max_size=6))
