"""Warnings on scenarios that are right, and yet may not say what their author means. Imports plan and validate."""

from __future__ import annotations

from collections.abc import Iterable

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.lint.context import LintContext, make_library_context, make_scenario_context
from run_scenarios.lint.rules import RULES, Rule
from run_scenarios.lint.suppressions import apply_suppressions
from run_scenarios.scenario.dry_run import VisitedSteps
from run_scenarios.scenario.model import Library, Scenario


def lint_scenario(scenario: Scenario, walks: Iterable[VisitedSteps]) -> list[Diagnostic]:
    """Return the warnings on a scenario that planning has found nothing wrong with.

    :param walks: the dry walk through each of its cases.
    """
    return _lint(make_scenario_context(scenario, walks))


def lint_library(library: Library, walks: Iterable[VisitedSteps]) -> list[Diagnostic]:
    """Return the warnings on a file of procedures that planning has found nothing wrong with.

    :param walks: the dry walk through each of its procedures.
    """
    return _lint(make_library_context(library, walks))


def _lint(subject: LintContext) -> list[Diagnostic]:
    found = dict.fromkeys(each for rule in RULES for each in _findings(rule, subject))
    return sorted(apply_suppressions(subject.source, list(found)), key=lambda each: (each.span.line, each.span.column))


def _findings(rule: Rule, subject: LintContext) -> Iterable[Diagnostic]:
    for finding in rule.find(subject) if rule.find else ():
        yield rule.diagnostic(finding.span, finding.message, finding.hint)
