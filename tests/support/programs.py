"""Stand-ins for programs of QEMU that fail in ways the real ones do not on demand."""

from __future__ import annotations

import shutil
from pathlib import Path


def install_program(directory: Path, name: str, script: str) -> Path:
    """Write a bash script in place of a program; `REAL` in it stands for the path of the real one."""
    real = shutil.which(name)
    assert real
    program = directory / f"{name}-stand-in"
    program.write_text(f"#!/bin/bash\n{script.replace('REAL', real)}\n")
    program.chmod(0o755)
    return program
