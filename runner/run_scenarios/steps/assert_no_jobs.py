"""The verb `assert-no-jobs`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.errors import StepFailed
from run_scenarios.core.nodes import JsonValue
from run_scenarios.steps.argument_types import NOTHING
from run_scenarios.steps.mutations import replace_with_failure
from run_scenarios.steps.verb import Context, Verb, require_vm
from run_scenarios.syntax.matchers import describe_value


@dataclass(frozen=True)
class AssertNoJobs(Verb):
    """Assert that `query-jobs` knows no job, of whatever state.

    .. code-block:: yaml

        - assert-no-jobs
    """

    NAME = "assert-no-jobs"
    MUTATORS = (replace_with_failure,)
    OPENS_FILES = False
    SCHEMA: ClassVar[dict[str, Any]] = NOTHING

    @classmethod
    def parse(cls, argument: Any) -> Self:
        return cls()

    async def run(self, context: Context) -> JsonValue:
        jobs = await require_vm(context).query("query-jobs")
        if jobs:
            names = ", ".join(f"{job['id']} ({job['status']})" for job in jobs)
            raise StepFailed(f"there are jobs: {names}", wanted="[]", found=describe_value(jobs))
        return None
