"""Find the QMP schema of a program: in a file, in the cache, or by asking the program once.

The cache is below `$XDG_CACHE_HOME/run-scenarios`, else `~/.cache/run-scenarios`. Each answer is stored with what
identifies the program, so a program that has changed is asked again. A cache that cannot be read or written is ignored.
"""

from __future__ import annotations

import contextlib
import enum
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from run_scenarios.core.cache import fingerprint_file, is_script, locate_cache_file, read_json, write_json_atomically
from run_scenarios.core.errors import SetupError
from run_scenarios.core.nodes import JsonObject, JsonValue
from run_scenarios.qemu.programs import Programs
from run_scenarios.qmp.schema import QMP_PROGRAMS, InvalidSchema, QmpSchema, parse_schema

if TYPE_CHECKING:
    # Mostly the cache has the answer, and no program is started.
    from run_scenarios.qemu.guardian import Guardian


class NoSchema(enum.Enum):
    """Why there is no schema of a program."""

    UNKNOWN = "it is not in the cache, and the program must not be started only to ask it"
    UNAVAILABLE = "the program is missing or cannot be asked, or the file does not have it"


class SchemaProvider(Protocol):
    """Provides the schemas to check against."""

    problem: str
    """Why QEMU could not be asked, "" if it was not asked or has answered."""

    def find(self, program: str, *, is_run: bool) -> QmpSchema | NoSchema:
        """Return the schema of a program.

        :param is_run: whether a case is to be run, so that starting the program is not in vain.
        """


class SavedSchemas:
    """Schemas that are known already, by program."""

    def __init__(self, schemas: Mapping[str, QmpSchema]) -> None:
        self.problem = ""
        self._schemas = schemas

    def find(self, program: str, *, is_run: bool) -> QmpSchema | NoSchema:
        return self._schemas.get(program, NoSchema.UNAVAILABLE)


class ProgramSchemas:
    """Schemas of the programs of one build, each of which is asked at most once.

    :param may_ask: whether a program may be started only to ask it, although no case is to be run.
    """

    def __init__(self, programs: Programs, *, may_ask: bool) -> None:
        self.problem = ""
        self._programs = programs
        self._may_ask = may_ask
        self._found: dict[str, QmpSchema | NoSchema] = {}

    def find(self, program: str, *, is_run: bool) -> QmpSchema | NoSchema:
        if self._found.get(program, NoSchema.UNKNOWN) is NoSchema.UNKNOWN:
            self._found[program] = self._look_up(program, may_ask=self._may_ask or is_run)
        return self._found[program]

    def _look_up(self, program: str, *, may_ask: bool) -> QmpSchema | NoSchema:
        try:
            schema = load_cached_schema(self._programs, program)
            if schema is None and may_ask:
                schema = self._ask(program)
        except SetupError as error:
            if program == "qemu":
                self.problem = str(error)
            return NoSchema.UNAVAILABLE
        return NoSchema.UNKNOWN if schema is None else schema

    def _ask(self, program: str) -> QmpSchema:
        import asyncio

        from run_scenarios.qemu.guardian import Guardian

        guardian = Guardian.start()
        try:
            return asyncio.run(introspect(self._programs, guardian, program))
        finally:
            guardian.stop()


async def introspect(programs: Programs, guardian: Guardian, program: str = "qemu") -> QmpSchema:
    """Return the schema of a program, from the cache if it is there.

    :raise SetupError: if the program is missing or cannot be asked.
    """
    known = load_cached_schema(programs, program)
    if known is not None:
        return known
    from run_scenarios.qmp.query_schema import query_schema

    answer = await query_schema(programs, guardian, program)
    _store_in_cache(programs[program], answer)
    return _parse_answer(program, answer, programs[program])


def load_cached_schema(programs: Programs, program: str) -> QmpSchema | None:
    """Return the schema of a program from the cache, None if it is not there.

    :raise SetupError: if the program is missing.
    """
    path = programs[program]
    try:
        file = locate_cache_file("qmp", path)
        return _load_cache_file(program, file, tuple(fingerprint_file(str(file))), tuple(_identify(path)))
    except (OSError, ValueError, LookupError, TypeError, RuntimeError, InvalidSchema):
        return None


@lru_cache(maxsize=16)
def _load_cache_file(
    program: str, file: Path, version: tuple[str | int, ...], identity: tuple[str | int, ...]
) -> QmpSchema:
    """Return the schema in one version of a cache file; any exception means that there is none of this program."""
    stored = read_json(file, must_be_regular=True)
    if stored["identity"] != [*identity]:
        raise LookupError(program)
    return parse_schema(program, stored["version"], stored["schema"])


def _store_in_cache(path: str, answer: JsonObject) -> None:
    with contextlib.suppress(OSError, RuntimeError):
        if not is_script(path):
            write_json_atomically(locate_cache_file("qmp", path), {"identity": _identify(path), **answer})


def _identify(path: str) -> list[str | int]:
    return fingerprint_file(str(Path(path).resolve()))


async def save_schemas(programs: Programs, guardian: Guardian, file: Path) -> None:
    """Write the schemas of QEMU, and of qemu-storage-daemon if there is one, for `load_schemas`.

    :raise SetupError: if one of them cannot be asked, or the file cannot be written.
    """
    from run_scenarios.qmp.query_schema import query_schema

    present = [program for program in QMP_PROGRAMS if program in programs.paths]
    answers: JsonObject = {program: await query_schema(programs, guardian, program) for program in present}
    try:
        file.write_text(json.dumps(answers), encoding="utf-8")
    except OSError as error:
        raise SetupError(f"cannot write {file}: {error.strerror}") from None


def load_schemas(file: Path) -> dict[str, QmpSchema]:
    """Return the schemas in a file that `save_schemas` wrote, by program.

    :raise SetupError: if it cannot be read, or holds something else.
    """
    try:
        answers = read_json(file)
    except OSError as error:
        raise SetupError(f"cannot read {file}: {error.strerror}") from None
    except ValueError as error:
        raise SetupError(f"{file}: {error}") from None
    if not isinstance(answers, dict) or "qemu" not in answers:
        raise SetupError(f"{file} was not written by --save-qmp-schema")
    return {
        program: _parse_answer(program, answers[program], str(file)) for program in QMP_PROGRAMS if program in answers
    }


def _parse_answer(program: str, answer: JsonValue, origin: str) -> QmpSchema:
    try:
        if not isinstance(answer, dict):
            raise InvalidSchema("not a mapping of version and schema")
        return parse_schema(program, answer.get("version"), answer.get("schema"))
    except InvalidSchema as error:
        raise SetupError(f"{origin}: {error}") from None
