"""What is printed of cases that do not run: for people, for machines, for shells. Imports task."""

from __future__ import annotations

import json
from collections.abc import Iterable

from run_scenarios.scenario.case import Case, Task


def format_case(task: Task, *, as_json: bool) -> str:
    """Return the line for a case: its name, or all that selects it as one JSON object.

    `{name, file, case, title, tags, variables, rerun}`: `case` is what stands behind `FILE::`, "" where there is no
    matrix; `variables` maps the names of dimensions and variables to their values; `rerun` is a command. More keys may
    come, these stay.
    """
    point, case = task.point, task.case
    if not as_json:
        return point.name
    return json.dumps(
        {
            "name": point.name,
            "file": point.path,
            "case": case.label,
            "title": point.title,
            "tags": point.tags,
            "variables": {**case.variables, **case.dimensions},
            "rerun": point.rerun,
        }
    )


def list_completions(kind: str, cases: Iterable[Case]) -> list[str]:
    """Return what may complete a word in a shell, a line each.

    :param kind: "case" for what stands behind `FILE::`, "tag" for tags.
    """
    words = [case.label for case in cases] if kind == "case" else [tag for case in cases for tag in case.file.tags]
    return [word for word in dict.fromkeys(words) if word and word.isprintable()]
