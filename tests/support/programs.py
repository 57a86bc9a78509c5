"""Programs of QEMU for tests, and stand-ins for those that must fail in ways the real ones do not on demand."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from run_scenarios.qemu.programs import find_programs


def install_program(directory: Path, name: str, script: str) -> Path:
    """Write a bash script in place of a program; `REAL` in it stands for the path of the real one."""
    real = shutil.which(name)
    assert real
    program = directory / f"{name}-stand-in"
    program.write_text(f"#!/bin/bash\n{script.replace('REAL', real)}\n")
    program.chmod(0o755)
    return program


def find_program(name: str) -> str:
    """Return the path of a program of the QEMU under test."""
    return find_programs({}, os.environ)[name]


def create_image(file: Path) -> None:
    """Create an image of 1 MiB whose suffix is its format."""
    subprocess.run([find_program("qemu-img"), "create", "-q", "-f", file.suffix[1:], file, "1M"], check=True)
