"""Format cases for `--list`."""

from __future__ import annotations

import json

from run_scenarios.scenario.case import Task


def format_case(task: Task, *, as_json: bool) -> str:
    """Return the name of a case, or a JSON object that describes it.

    `{name, file, case, title, tags, variables, rerun}`: `case` is the part after `FILE::`, "" without a matrix;
    `variables` has the values of variables and matrix dimensions by name; `rerun` is a command. Keys may be added;
    these remain.
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
