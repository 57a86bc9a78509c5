"""Find names in `requires` that no known QEMU offers: the scenario would always be skipped."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from run_scenarios.core.diagnostics import Diagnostic, did_you_mean
from run_scenarios.qmp.known_names import COMMANDS, EVENTS, FEATURES, NEWEST, OLDEST
from run_scenarios.qmp.requirements import parse_version_range
from run_scenarios.qmp.schema import QmpSchema
from run_scenarios.scenario.model import Requirements, Scenario

# Source: accel/*/*.c and target/i386/*/*-all.c, `ac->name`.
ACCELERATORS = frozenset({"hax", "hvf", "kvm", "mshv", "nvmm", "qtest", "tcg", "whpx", "xen"})
KNOWN = f"QEMU {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"
NEWER_HINT = f"if a QEMU after {NEWEST[0]}.{NEWEST[1]} has it, require that too: qemu: '>= …'"


def find_unknown_requirements(scenario: Scenario, schema: QmpSchema | None) -> Iterator[Diagnostic]:
    """Report the required commands, features and accelerators that no known QEMU has.

    Nothing is reported if the scenario requires a QEMU that is newer than all known ones.

    :param schema: that of the QEMU under test, whose names are known too; None if there is none.
    """
    requires = scenario.requires
    if _requires_newer_qemu(requires):
        return
    commands = COMMANDS | (schema.commands.keys() if schema else set())
    for name in requires.lists.get("commands", ()):
        if name not in commands:
            hint = f"'{name}' is an event" if name in EVENTS else did_you_mean(name, commands, NEWER_HINT)
            yield _report(scenario, name, f"QMP command '{name}'", hint)
    features = FEATURES | (schema.features if schema else frozenset())
    for name in requires.lists.get("features", ()):
        if name not in features:
            yield _report(scenario, name, f"QMP feature '{name}'", _explain_feature(name, features, schema))
    for name in requires.lists.get("accelerators", ()):
        if name not in ACCELERATORS:
            yield _report(scenario, name, f"accelerator '{name}'", did_you_mean(name, ACCELERATORS, NEWER_HINT))


def _requires_newer_qemu(requires: Requirements) -> bool:
    operator, limit = parse_version_range(requires.qemu) if requires.qemu else ("", ())
    return operator == ">=" and limit > NEWEST[: len(limit)]


def _report(scenario: Scenario, name: str, what: str, hint: str) -> Diagnostic:
    text = f"there is no {what} in {KNOWN}: the scenario would always be skipped"
    return Diagnostic(scenario.requires.places.get(name, scenario.span), text, hint)


def _explain_feature(name: str, features: Collection[str], schema: QmpSchema | None) -> str:
    owner, _, feature = name.partition("/")
    if schema and owner in schema.commands:
        arguments = schema.get_object(schema.commands[owner].arguments)
        if feature in schema.merge_variants(arguments):
            return f"'{feature}' is an argument of '{owner}': require the version of QEMU that added it, qemu: '>= …'"
    of_owner = [each for each in features if each.startswith(f"{owner}/")]
    return did_you_mean(name, of_owner) or did_you_mean(name, features, NEWER_HINT)
