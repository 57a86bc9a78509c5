"""The verb `assert-no-jobs`."""

from __future__ import annotations

from dataclasses import dataclass

from run_scenarios.core.errors import StepFailed
from run_scenarios.core.nodes import JsonValue
from run_scenarios.steps.mutations import replace_with_failure
from run_scenarios.steps.verb import Context, VerbWithoutArgument, require_vm
from run_scenarios.syntax.matchers import describe_value


@dataclass(frozen=True)
class AssertNoJobs(VerbWithoutArgument):
    """Assert that `query-jobs` returns no jobs, in any state.

    .. code-block:: yaml

        - assert-no-jobs
    """

    NAME = "assert-no-jobs"
    MUTATORS = (replace_with_failure,)
    OPENS_FILES = False

    async def run(self, context: Context) -> JsonValue:
        jobs = await require_vm(context).query("query-jobs")
        if jobs:
            names = ", ".join(f"{job['id']} ({job['status']})" for job in jobs)
            raise StepFailed(
                f"there are jobs: {names}",
                wanted="[]",
                found=describe_value(jobs),
                difference={"expected": [], "found": jobs},
            )
        return None
