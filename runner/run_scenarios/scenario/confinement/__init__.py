"""Confinement: what a step may reach is the case's own directory, and nothing else.

Every word that QEMU or a tool is given is read as that program reads it: an option table says which option takes a
value, in which syntax, and what the value is. What cannot be read that way is refused, and so is every block driver,
object, character device, command and option that is not on the list of those that stay inside.

SECURITY.md says what this promises and what it does not.
"""

from run_scenarios.scenario.confinement.links import find_outside_link
from run_scenarios.scenario.confinement.qmp import check_offered_command
from run_scenarios.scenario.confinement.verbs import find_escapes

__all__ = ["check_offered_command", "find_escapes", "find_outside_link"]
