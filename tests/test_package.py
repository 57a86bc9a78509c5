"""The package as users install it: it works, and does not get in the way of other projects."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment with this package, which borrows its dependencies from the running one."""
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    # A path in a .pth file comes after site-packages, and the .pth files there are not read.
    site_packages = sysconfig.get_path("purelib", vars={"base": str(environment)})
    (Path(site_packages) / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    done = run(python, *pip, "--ignore-installed", str(ROOT), directory=environment)
    assert done.returncode == 0, done.stderr
    return python


def run(python: Path, *arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run Python in a directory, without the variables that could make it find this repository."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [str(python), *arguments]
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)


def test_the_command_works(installed: Path, tmp_path: Path) -> None:
    shown = run(installed, "-c", "import run_scenarios; print(run_scenarios.__file__)", directory=tmp_path)
    assert Path(shown.stdout.strip()).is_relative_to(installed.parents[1])
    scenario = tmp_path / "a.yaml"
    scenario.write_text("scenario: a\nsteps:\n  - assert: '{{ 1 == 1 }}'\n")
    command = str(installed.with_name("run-scenarios"))
    assert "ok 1 - a\n" in run(installed, command, "a.yaml", directory=tmp_path).stdout
    assert '"$schema"' in run(installed, command, "--print-schema", directory=tmp_path).stdout


def test_there_is_no_package_named_runner(installed: Path, tmp_path: Path) -> None:
    done = run(installed, "-c", "import runner", directory=tmp_path)
    assert "ModuleNotFoundError: No module named 'runner'" in done.stderr


def test_a_project_with_a_package_named_runner_is_undisturbed(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "runner").mkdir()
    (tmp_path / "runner" / "__init__.py").write_text("VALUE = 7\n")
    (tmp_path / "test_it.py").write_text("from runner import VALUE\n\n\ndef test_it():\n    assert VALUE == 7\n")
    done = run(installed, "-m", "pytest", "-p", "no:cacheprovider", "--trace-config", directory=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "run_scenarios/pytest_plugin.py" in done.stdout
    assert "1 passed" in done.stdout
