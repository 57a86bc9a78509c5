"""What is published of the rules: one explained, or all of them. Imports rules and reference."""

from __future__ import annotations

from run_scenarios.authoring.reference import render_verb
from run_scenarios.core.diagnostics import did_you_mean
from run_scenarios.core.errors import RunnerError
from run_scenarios.lint.rules import BY_CODE, RULES, Rule
from run_scenarios.steps import VERBS

HEAD = """
# Lint rules

Generated from the rules themselves by `run-scenarios --print-rules`; `run-scenarios --explain CODE` prints one. A
scenario that breaks a rule is right, and runs; but it may not prove what it seems to. Each finding is a warning with
the rule's code, in `--check` and before each run. It does not change the exit status, unless `--check --strict` is
given: then it is 2.

A comment silences one rule on its own line; alone on a line, on the next one. It must say why:

```yaml
- compare: [drive0.qcow2, drive0.qcow2]  # lint: RS009 qemu-img must open one image twice without a lock in its way
```

Codes are stable. A variable, parameter or dimension whose name begins with `_` is not meant to be used, and no rule
wants it to be.
"""


class UnknownTopic(RunnerError):
    """The word is neither the code of a rule nor a verb."""


def explain(word: str) -> str:
    """Return what there is to know of a rule, by its code or name, or of a verb.

    :raise NothingToExplain: for any other word.
    """
    rules = {**BY_CODE, **{rule.name: rule for rule in RULES}}
    if word in VERBS:
        return render_verb(VERBS[word])
    if word.upper() in BY_CODE or word in rules:
        return _section(rules[word] if word in rules else BY_CODE[word.upper()])
    known = (*VERBS, *rules)
    otherwise = f"rules: {RULES[0].code} to {RULES[-1].code}; verbs: {', '.join(VERBS)}"
    hint = did_you_mean(word.upper(), BY_CODE) or did_you_mean(word, known, otherwise)
    raise UnknownTopic(f"there is neither a rule nor a verb '{word}'; {hint}")


def render_rule_reference() -> str:
    """Return the reference of all rules as Markdown."""
    rows = [f"| [`{rule.code}`](#{rule.code.lower()}-{rule.name}) | {rule.name} |" for rule in RULES]
    table = "\n".join(["| code | rule |", "|---|---|", *rows])
    return "\n\n".join([HEAD.strip(), table, *map(_section, RULES)])


def _section(rule: Rule) -> str:
    examples = ("Bad:", _fenced(rule.bad), "Good:", _fenced(rule.good))
    return "\n\n".join([f"## {rule.code}: {rule.name}", rule.explanation.strip(), *examples])


def _fenced(example: str) -> str:
    return f"```yaml\n{example.strip()}\n```"
