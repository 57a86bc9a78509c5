"""The rule on block jobs that nobody waits for. Imports subject and plan.

It knows little, so it says little: a job counts as seen to wherever its id, or what might be its id, is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from run_scenarios.core.nodes import MappingNode, Node, ScalarNode, SequenceNode
from run_scenarios.core.source import Span
from run_scenarios.lint.context import Finding, LintContext
from run_scenarios.scenario.dry_run import VisitedStep

STARTING = frozenset(
    {"block-commit", "block-stream", "blockdev-backup", "blockdev-mirror", "drive-backup", "drive-mirror"}
)
ENDING = frozenset({"block-job-cancel", "block-job-dismiss", "job-cancel", "job-dismiss"})
ASKING = frozenset({"query-block-jobs", "query-jobs"})


def job_never_awaited(subject: LintContext) -> Iterator[Finding]:
    """Yield the steps that start a block job of a known id which the rest of the case leaves alone."""
    for walk in subject.walks if subject.scenario else ():
        jobs = _Jobs()
        for met in walk:
            if see := SEEING.get(met.step.verb.NAME):
                see(jobs, met)
        for job in jobs.running:
            hint = f"add '- wait-job: {job.id}'"
            yield Finding(job.span, f"job '{job.id}' is never waited for: if it fails, nothing tells", hint)


@dataclass(frozen=True)
class _Job:
    """A job that runs.

    :param named: whether it was started with an id; the id of a job without is that of the drive, which the name of a
        node does not tell.
    """

    vm: str
    id: str
    named: bool
    span: Span


@dataclass
class _Jobs:
    """The jobs that nothing has seen to yet, and the ids of all that were started."""

    running: list[_Job] = field(default_factory=list)
    started: set[str] = field(default_factory=set)

    def start(self, job: _Job) -> None:
        """A job begins."""
        self.running.append(job)
        self.started.add(job.id)

    def seen(self, vm: str | None, ids: set[str] | None = None) -> None:
        """Forget the jobs with these ids; all that it might be about where one is not known."""
        maybe_unnamed = ids is None or not ids <= self.started
        self.running = [
            job
            for job in self.running
            if (vm is not None and job.vm != vm)
            or (ids is not None and job.id not in ids and (job.named or not maybe_unnamed))
        ]


def _all_seen(jobs: _Jobs, met: VisitedStep) -> None:
    jobs.seen(met.vm)


def _wait_job(jobs: _Jobs, met: VisitedStep) -> None:
    argument = met.argument
    name = _text(argument.get("id") if isinstance(argument, MappingNode) else argument)
    jobs.seen(met.vm, {name} if name else None)


def _wait_event(jobs: _Jobs, met: VisitedStep) -> None:
    argument = met.argument
    name = _text(argument.get("name") if isinstance(argument, MappingNode) else argument)
    if "JOB" in (name or "JOB"):
        named = set(_texts(argument)) & jobs.started
        jobs.seen(met.vm, named if named and not argument.dynamic else None)


def _hmp(jobs: _Jobs, met: VisitedStep) -> None:
    texts = " ".join(_texts(met.argument))
    if "job" in texts or "quit" in texts or met.argument.dynamic:
        jobs.seen(met.vm)


def _qmp(jobs: _Jobs, met: VisitedStep) -> None:
    message = met.argument
    if not isinstance(message, MappingNode):
        _command(jobs, met, _text(message), None)
        return
    name = message.entry("execute") or message.entry("exec-oob")
    _command(jobs, met, _text(name.value) if name else None, message.get("arguments"))


def _command(jobs: _Jobs, met: VisitedStep, name: str | None, arguments: Node | None) -> None:
    if name == "transaction":
        for action in _actions(arguments):
            _start(jobs, met, _text(action.get("type")), action.get("data"))
    elif name in ENDING:
        given = arguments if isinstance(arguments, MappingNode) else None
        id_ = _text(given.get("id") or given.get("device")) if given else None
        jobs.seen(met.vm, {id_} if id_ else None)
    elif name is None or name == "quit" or (name in ASKING and (met.step.expect is not None or met.step.save)):
        jobs.seen(met.vm)
    else:
        _start(jobs, met, name, arguments)


def _actions(arguments: Node | None) -> Iterator[MappingNode]:
    actions = arguments.get("actions") if isinstance(arguments, MappingNode) else None
    for action in actions if isinstance(actions, SequenceNode) else ():
        if isinstance(action, MappingNode):
            yield action


def _start(jobs: _Jobs, met: VisitedStep, name: str | None, arguments: Node | None) -> None:
    if name not in STARTING or not isinstance(arguments, MappingNode):
        return
    given = arguments.get("job-id")
    id_ = _text(given if given is not None else arguments.get("device"))
    if id_ and met.vm is not None and met.is_certain and met.step.error is None:
        jobs.start(_Job(met.vm, id_, given is not None, met.locate(met.step.span)))


def _text(node: Node | None) -> str | None:
    return node.value if isinstance(node, ScalarNode) and isinstance(node.value, str) else None


def _texts(node: Node) -> Iterator[str]:
    match node:
        case ScalarNode():
            yield str(node.value)
        case SequenceNode():
            for item in node:
                yield from _texts(item)
        case MappingNode():
            for entry in node:
                yield from _texts(entry.value)


SEEING: dict[str, Callable[[_Jobs, VisitedStep], None]] = {
    "hmp": _hmp,
    "kill": _all_seen,
    "qmp": _qmp,
    "shutdown": _all_seen,
    "wait-event": _wait_event,
    "wait-exit": _all_seen,
    "wait-job": _wait_job,
}
