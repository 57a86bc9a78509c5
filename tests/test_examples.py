"""The examples for CI systems: their syntax by the systems' own rules, and what they run, run."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tree_sitter
import tree_sitter_groovy
import yaml

from tests.support import command

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parent.parent / "examples"
GITLAB = EXAMPLES / "gitlab/.gitlab-ci.yml"
GITHUB = EXAMPLES / "github/.github/workflows/scenarios.yml"
JENKINS = EXAMPLES / "jenkins/Jenkinsfile"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, test_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a project with three scenarios, with the command on PATH."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/run-scenarios"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={command.PYTHON_PATH} exec {sys.executable} -m run_scenarios "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    (tmp_path / "project/scenarios").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    for name in ("a", "b", "c"):
        Path(f"scenarios/{name}.yaml").write_text(command.PASSES)


def run_lines(lines: Iterable[str], **env: str) -> int:
    """Run lines of a script as the systems do, and return the exit status."""
    script = "\n".join(["set -eo pipefail", *lines])
    return subprocess.run(["bash", "-c", script], env={**os.environ, **env}, timeout=60).returncode


def cases_of(report: str) -> list[str]:
    """Return the names of the cases in a JUnit report."""
    return [f"{case.get('classname')}/{case.get('name')}" for case in ElementTree.parse(report).iter("testcase")]


def fail_one() -> None:
    """Have one of the scenarios fail."""
    Path("scenarios/b.yaml").write_text(command.FAILS)


@pytest.mark.parametrize(("schema", "file"), [("gitlab-ci", GITLAB), ("github-workflows", GITHUB)])
def test_the_system_accepts_the_file(schema: str, file: Path) -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(file)]
    done = subprocess.run(check, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_gitlab() -> None:
    jobs = yaml.safe_load(GITLAB.read_text())
    job = jobs["scenarios"]
    assert run_lines(jobs["check"]["script"]) == 0
    seen: list[str] = []
    for number in range(1, job["parallel"] + 1):
        assert run_lines(job["script"], CI_NODE_INDEX=str(number), CI_NODE_TOTAL=str(job["parallel"])) == 0
        seen += cases_of(job["artifacts"]["reports"]["junit"])
        assert all(Path(each).exists() for each in job["artifacts"]["paths"])
    assert len(seen) == len(set(seen)) == 3
    fail_one()
    assert run_lines(job["script"], CI_NODE_INDEX="1", CI_NODE_TOTAL="1") == 1


def test_github() -> None:
    job = yaml.safe_load(GITHUB.read_text())["jobs"]["scenarios"]
    steps = {step["name"]: step for step in job["steps"] if "name" in step}
    assert job["env"]["SHARD"] == "${{ matrix.shard }}/${{ strategy.job-total }}"
    seen: list[str] = []
    shards = job["strategy"]["matrix"]["shard"]
    for shard in shards:
        assert run_lines([steps["run"]["run"]], SHARD=f"{shard}/{len(shards)}") == 0
        seen += cases_of("junit.xml")
        assert all(Path(each).exists() for each in steps["keep"]["with"]["path"].split())
    assert len(seen) == len(set(seen)) == 3
    fail_one()
    assert run_lines([steps["run"]["run"]], SHARD="1/1") == 1


def test_jenkins() -> None:
    root = tree_sitter.Parser(tree_sitter.Language(tree_sitter_groovy.language())).parse(JENKINS.read_bytes()).root_node
    assert not root.has_error
    scripts = [text for text in _arguments_of("sh", root) if text.startswith("run-scenarios")]
    assert len(scripts) == 2
    assert run_lines(scripts) == 0
    assert len(cases_of(*_arguments_of("junit", root))) == 3
    assert Path("report.tap").read_text().splitlines()[1] == "1..3"
    assert Path("report.html").exists()
    assert Path("artifacts").exists()
    fail_one()
    assert run_lines(scripts) == 1


def _arguments_of(step: str, node: Any) -> Iterator[str]:
    """Yield the argument of each call of a pipeline's step that has one, a string without values in it."""
    if node.type == "juxt_function_call" and node.child_by_field_name("name").text.decode() == step:
        yield node.child_by_field_name("args").text.decode().strip("'")
    for child in node.children:
        yield from _arguments_of(step, child)
