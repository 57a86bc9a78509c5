"""Where a QMP schema comes from: the program itself, asked once, or a file. Imports programs and qapi.

The answer of a program is kept below `$XDG_CACHE_HOME/run-scenarios`, else `~/.cache/run-scenarios`, beside what
identifies the program; a program that has changed since is asked again. A cache that cannot be read or written is none.
What starts programs is imported where it is used, for mostly the cache has the answer.
"""

from __future__ import annotations

import contextlib
import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from run_scenarios.core.cache import fingerprint_file, is_script, locate_cache_file, write_json_atomically
from run_scenarios.core.errors import SetupError
from run_scenarios.core.nodes import JsonObject, JsonValue
from run_scenarios.qemu.programs import Programs
from run_scenarios.qmp.schema import InvalidSchema, QmpSchema, parse_schema

if TYPE_CHECKING:
    from run_scenarios.qemu.guardian import Guardian

QMP_PROGRAMS = ("qemu", "qemu-storage-daemon")


class SchemaProvider:
    """The schemas to check against, by program: those of a file, or of the programs themselves.

    :param saved: what `load_schemas` returned; the programs do not matter then.
    :param may_ask: whether a program may be started for what the cache does not have although no case is to be run.
    """

    def __init__(self, programs: Programs | None, saved: dict[str, QmpSchema] | None, *, may_ask: bool) -> None:
        self.problem = ""
        """Why QEMU could not be asked."""
        self._programs = programs
        self._may_ask = may_ask
        self._known: dict[str, QmpSchema | None] = dict.fromkeys(QMP_PROGRAMS) | saved if saved else {}

    def __call__(self, program: str, to_run: bool = True) -> QmpSchema | None:
        """Return the schema of a program, None if it is not known and cannot be asked for.

        :param to_run: whether there is a case to run, for which a program may be started anyway.
        """
        if program not in self._known:
            found = self._find(program, self._may_ask or to_run)
            if found is None and not (self._may_ask or to_run):
                return None
            self._known[program] = found
        return self._known[program]

    def _find(self, program: str, may_ask: bool) -> QmpSchema | None:
        try:
            return self._ask(program, may_ask) if self._programs else None
        except SetupError as error:
            if program == "qemu":
                self.problem = str(error)
            return None

    def _ask(self, program: str, may_ask: bool) -> QmpSchema | None:
        assert self._programs
        known = load_cached_schema(self._programs, program)
        if known is not None or not may_ask:
            return known
        import asyncio

        from run_scenarios.qemu.guardian import Guardian

        guardian = Guardian.start()
        try:
            return asyncio.run(introspect(self._programs, guardian, program))
        finally:
            guardian.stop()


async def introspect(programs: Programs, guardian: Guardian, program: str = "qemu") -> QmpSchema:
    """Return the schema of a program, from the cache if that has it.

    :raise SetupError: if the program is not there, or cannot be asked.
    """
    known = load_cached_schema(programs, program)
    if known is not None:
        return known
    from run_scenarios.qmp.query_schema import query_schema

    answer = await query_schema(programs, guardian, program)
    _keep(programs[program], answer)
    return _parse(program, answer, programs[program])


def load_cached_schema(programs: Programs, program: str) -> QmpSchema | None:
    """Return the schema of a program if it is known without starting that.

    :raise SetupError: if the program is not there.
    """
    path = programs[program]
    try:
        file = locate_cache_file("qmp", path)
        return _kept(program, file, tuple(fingerprint_file(str(file))), tuple(_identity(path)))
    except (OSError, ValueError, LookupError, TypeError, RuntimeError, InvalidSchema):
        return None


@lru_cache(maxsize=16)
def _kept(program: str, file: Path, version: tuple[str | int, ...], identity: tuple[str | int, ...]) -> QmpSchema:
    """Return what a version of a file says of a program; whatever may be raised, it says nothing of this program."""
    kept = json.loads(file.read_text(encoding="utf-8"))
    if kept["identity"] != [*identity]:
        raise LookupError(program)
    return parse_schema(program, kept["version"], kept["schema"])


async def save_schemas(programs: Programs, guardian: Guardian, file: Path) -> None:
    """Write what QEMU speaks, and what qemu-storage-daemon does if there is one, for `load_schemas`.

    :raise SetupError: if one of them cannot be asked, or the file cannot be written.
    """
    from run_scenarios.qmp.query_schema import query_schema

    answers: JsonObject = {
        program: await query_schema(programs, guardian, program)
        for program in QMP_PROGRAMS
        if program in programs.paths
    }
    try:
        file.write_text(json.dumps(answers), encoding="utf-8")
    except OSError as error:
        raise SetupError(f"cannot write {file}: {error.strerror}") from None


def load_schemas(file: Path) -> dict[str, QmpSchema]:
    """Return the schemas in a file that `save_schemas` wrote, by program.

    :raise SetupError: if it cannot be read, or is no such file.
    """
    try:
        answers = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SetupError(f"cannot read {file}: {error.strerror}") from None
    except ValueError as error:
        raise SetupError(f"{file}: {error}") from None
    if not isinstance(answers, dict) or "qemu" not in answers:
        raise SetupError(f"{file} was not written by --save-qmp-schema")
    return {program: _parse(program, answers[program], str(file)) for program in QMP_PROGRAMS if program in answers}


def _parse(program: str, answer: JsonValue, origin: str) -> QmpSchema:
    try:
        if not isinstance(answer, dict):
            raise InvalidSchema("not a mapping of version and schema")
        return parse_schema(program, answer.get("version"), answer.get("schema"))
    except InvalidSchema as error:
        raise SetupError(f"{origin}: {error}") from None


def _keep(path: str, answer: JsonObject) -> None:
    with contextlib.suppress(OSError, RuntimeError):
        if not is_script(path):
            write_json_atomically(locate_cache_file("qmp", path), {"identity": _identity(path), **answer})


def _identity(path: str) -> list[str | int]:
    return fingerprint_file(str(Path(path).resolve()))
