"""Warnings about valid scenarios that may not test what their author intended."""

from __future__ import annotations

from collections.abc import Iterable

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.lint.context import LintContext, make_library_context, make_scenario_context
from run_scenarios.lint.rules import RULES, Rule
from run_scenarios.lint.suppressions import apply_suppressions
from run_scenarios.scenario.dry_run import DryRun
from run_scenarios.scenario.model import Library, Scenario


def lint_scenario(scenario: Scenario, found: DryRun) -> list[Diagnostic]:
    """Return the warnings about a scenario in which the dry run found no errors.

    :param found: the result of its dry run.
    """
    return _lint(make_scenario_context(scenario, found))


def lint_library(library: Library, found: DryRun) -> list[Diagnostic]:
    """Return the warnings about a file of procedures in which the dry run found no errors.

    :param found: the result of their dry run.
    """
    return _lint(make_library_context(library, found))


def _lint(context: LintContext) -> list[Diagnostic]:
    found = dict.fromkeys(each for rule in RULES for each in _run_rule(rule, context))
    return sorted(apply_suppressions(context.source, list(found)), key=lambda each: (each.span.line, each.span.column))


def _run_rule(rule: Rule, context: LintContext) -> Iterable[Diagnostic]:
    for finding in rule.find(context) if rule.find else ():
        yield rule.diagnostic(finding.span, finding.message, finding.hint)
