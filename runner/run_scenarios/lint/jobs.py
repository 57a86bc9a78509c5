"""The rule about block jobs that are never awaited.

A job counts as handled by any step that contains its id, or that may contain it.
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
QUERIES = frozenset({"query-block-jobs", "query-jobs"})


def job_never_awaited(context: LintContext) -> Iterator[Finding]:
    """Yield the steps that start a block job of a known id which no later step handles."""
    for walk in context.walks if context.scenario else ():
        jobs = _Jobs()
        for visited in walk:
            if follow := FOLLOWED.get(visited.step.verb.NAME):
                follow(jobs, visited)
        for job in (*jobs.replaced, *jobs.unhandled):
            hint = f"add '- wait-job: {job.id}'"
            yield Finding(job.span, f"no step waits for job '{job.id}': its failure would go unnoticed", hint)


@dataclass(frozen=True)
class _Job:
    """A started job.

    :param has_job_id: whether it was started with `job-id`; otherwise its id is that of its drive, which may have been
        given by node name.
    """

    vm: str
    id: str
    has_job_id: bool
    span: Span


@dataclass
class _Jobs:
    """The jobs that no step has handled yet, and the ids of all started jobs.

    :ivar replaced: those whose id another job has taken since: a later step handles that one.
    """

    unhandled: list[_Job] = field(default_factory=list)
    replaced: list[_Job] = field(default_factory=list)
    started: set[str] = field(default_factory=set)

    def start(self, job: _Job) -> None:
        same = [other for other in self.unhandled if (other.vm, other.id) == (job.vm, job.id) and other.has_job_id]
        self.replaced += same
        self.unhandled = [other for other in self.unhandled if other not in same]
        self.unhandled.append(job)
        self.started.add(job.id)

    def handle(self, vm: str | None, id_: str | None) -> None:
        """Forget the jobs that a step may handle; None is a VM or an id that is not known before the run."""
        self.unhandled = [
            job for job in self.unhandled if not (vm in (None, job.vm) and (id_ is None or self._may_be(job, id_)))
        ]

    def _may_be(self, job: _Job, id_: str) -> bool:
        return job.id == id_ or (not job.has_job_id and id_ not in self.started)


def _follow_exit(jobs: _Jobs, visited: VisitedStep) -> None:
    jobs.handle(visited.vm, None)


def _follow_wait_job(jobs: _Jobs, visited: VisitedStep) -> None:
    argument = visited.argument
    jobs.handle(visited.vm, _text(argument.get("id") if isinstance(argument, MappingNode) else argument))


def _follow_wait_event(jobs: _Jobs, visited: VisitedStep) -> None:
    argument = visited.argument
    name = _text(argument.get("name") if isinstance(argument, MappingNode) else argument)
    if name is not None and "JOB" not in name:
        return
    ids: set[str] = set() if argument.dynamic else jobs.started.intersection(_texts(argument))
    for id_ in ids or (None,):
        jobs.handle(visited.vm, id_)


def _follow_hmp(jobs: _Jobs, visited: VisitedStep) -> None:
    texts = " ".join(_texts(visited.argument))
    if "job" in texts or "quit" in texts or visited.argument.dynamic:
        jobs.handle(visited.vm, None)


def _follow_qmp(jobs: _Jobs, visited: VisitedStep) -> None:
    message = visited.argument
    if not isinstance(message, MappingNode):
        _follow_command(jobs, visited, _text(message), None)
        return
    name = message.entry("execute") or message.entry("exec-oob")
    _follow_command(jobs, visited, _text(name.value) if name else None, message.get("arguments"))


def _follow_command(jobs: _Jobs, visited: VisitedStep, name: str | None, arguments: Node | None) -> None:
    if name == "transaction":
        for action in _actions(arguments):
            _follow_start(jobs, visited, _text(action.get("type")), action.get("data"))
    elif name in ENDING:
        given = arguments if isinstance(arguments, MappingNode) else None
        jobs.handle(visited.vm, _text(given.get("id") or given.get("device")) if given else None)
    elif name is None or name == "quit" or (name in QUERIES and (visited.step.expect is not None or visited.step.save)):
        jobs.handle(visited.vm, None)
    else:
        _follow_start(jobs, visited, name, arguments)


def _actions(arguments: Node | None) -> Iterator[MappingNode]:
    actions = arguments.get("actions") if isinstance(arguments, MappingNode) else None
    for action in actions if isinstance(actions, SequenceNode) else ():
        if isinstance(action, MappingNode):
            yield action


def _follow_start(jobs: _Jobs, visited: VisitedStep, name: str | None, arguments: Node | None) -> None:
    if name not in STARTING or not isinstance(arguments, MappingNode):
        return
    given = arguments.get("job-id")
    id_ = _text(given if given is not None else arguments.get("device"))
    if id_ and visited.vm is not None and visited.is_certain and visited.step.error is None:
        jobs.start(_Job(visited.vm, id_, given is not None, visited.locate(visited.step.span)))


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


FOLLOWED: dict[str, Callable[[_Jobs, VisitedStep], None]] = {
    "hmp": _follow_hmp,
    "kill": _follow_exit,
    "qmp": _follow_qmp,
    "shutdown": _follow_exit,
    "wait-event": _follow_wait_event,
    "wait-exit": _follow_exit,
    "wait-job": _follow_wait_job,
}
