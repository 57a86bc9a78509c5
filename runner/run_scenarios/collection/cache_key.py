"""What an answer follows from besides the text of files: options, the QEMU under test, and the code that answers.

Imports cache and options.
"""

from __future__ import annotations

import argparse
import codecs
import hashlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from run_scenarios.core.cache import fingerprint_file, is_script
from run_scenarios.core.errors import SetupError
from run_scenarios.qemu.builds import builds_of

ENVIRONMENT = ("GITHUB_ACTIONS", "GITHUB_WORKSPACE")
NO_CACHE = (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, SetupError)
"""What may come of reading or writing what is kept, and of looking at what it follows from: then nothing is known."""
Json = Any


def may_keep(options: argparse.Namespace) -> bool:
    """Tell whether an answer follows from no more than the text of scenarios and `basis_of` the options."""
    files = options.durations or options.qmp_schema or options.save_qmp_schema
    past = options.rerun_failed or options.changed is not None
    return not (files or past or len(options.qemu) > 1)


def basis_of(options: argparse.Namespace) -> dict[str, Json]:
    """Return what is another value once an answer may be another, as JSON gives it back.

    :raise LookupError: if that cannot be told.
    :raise OSError: if something cannot be looked at.
    :raise SetupError: if the programs under test are not there.
    """
    return {
        "environment": [os.environ.get(name) for name in ENVIRONMENT],
        "programs": [_program(path) for path in _programs(options)],
        "code": _code(),
    }


def digest_of(path: str) -> str:
    """Return the digest of a file's text, as `Text.digest` is.

    :raise OSError: if it cannot be read.
    """
    return hashlib.sha256(Path(path).read_bytes().removeprefix(codecs.BOM_UTF8)).hexdigest()


def _programs(options: argparse.Namespace) -> Iterable[str]:
    return builds_of(options)[0].programs.paths.values() if options.check else ()


def _program(path: str) -> Json:
    if is_script(path):
        raise LookupError("what a script starts may change while the script does not")
    return fingerprint_file(path)


def _code() -> Json:
    """Return what changes when this package is installed or edited, or a package that it uses is."""
    modules = [str(file) for file in Path(__file__).parents[1].rglob("*.py")]
    installed = [each for each in sys.path if each.endswith("-packages")]
    return [sys.version, *map(fingerprint_file, sorted([*modules, *installed]))]
