"""The workflows call what exists here: targets of make, tools and files; and a release is prepared from one place."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

yaml: Any = pytest.importorskip("yaml")
HOME = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((HOME / ".github" / "workflows").glob("*.yml"))
JOBS = [
    pytest.param(path, job, id=f"{path.stem}-{job}")
    for path in WORKFLOWS
    for job in yaml.safe_load(path.read_text())["jobs"]
]


def tool(name: str) -> ModuleType:
    """A script of tools/ as a module."""
    loader = importlib.machinery.SourceFileLoader(f"tool_{name}", str(HOME / "tools" / name))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def commands(path: Path, job: str) -> str:
    """The text of all commands of a job."""
    steps = yaml.safe_load(path.read_text())["jobs"][job]["steps"]
    return "\n".join(step["run"] for step in steps if "run" in step)


@pytest.mark.parametrize(("path", "job"), JOBS)
def test_a_job_calls_what_exists(path: Path, job: str) -> None:
    words = commands(path, job)
    targets = set(re.findall(r"^([a-z-]+):", (HOME / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake (?:-C \w+ )?([a-z-]+)", words)) <= targets
    for name in re.findall(r"(?<![\w.])tools/([\w.]+)", words):
        assert (HOME / "tools" / name).is_file()


def test_what_compiles_does_not_see_the_jobs_of_make() -> None:
    recipes = (HOME / "Makefile").read_text().replace("\\\n", " ")
    compiling = [line for line in recipes.splitlines() if re.search(r"--no-build-isolation|cmake --build", line)]
    assert len(compiling) == 4
    assert all("$(NINJA_ALONE)" in line for line in compiling)


@pytest.mark.parametrize("fails", [(), ("beside",), ("tests",), ("beside", "tests")], ids=str)
def test_what_runs_beside_the_tests_fails_them_and_is_told_at_the_end(fails: tuple[str, ...], tmp_path: Path) -> None:
    for name in ("beside", "tests"):
        (tmp_path / name).write_text(f"echo says {name}\nexit {int(name in fails) * 2}\n")
    command = [str(HOME / "tools" / "beside"), "sh beside", "--", "sh", "tests"]
    done = subprocess.run(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    told = ["says beside"] if "beside" in fails else ["passed: sh beside"]
    ended = [f"failed: sh {name}" for name in ("tests", "beside") if name in fails]
    assert done.stdout.splitlines() == ["says tests", *told, *ended]
    assert done.returncode == bool(fails)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_gives_no_right_to_all_jobs_but_reading(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["permissions"] == {"contents": "read"}


def test_the_commands_of_a_job_run_in_their_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    text = {
        "jobs": {
            "say": {
                "env": {"WORD": "${{ matrix.word }}"},
                "steps": [{"uses": "actions/checkout@v5"}, {"run": 'echo "$WORD" > a'}, {"run": "cat a a > b"}],
            },
            "fail": {"steps": [{"run": "false | true"}, {"run": "touch never"}]},
        }
    }
    (folder / "one.yml").write_text(yaml.safe_dump(text))
    monkeypatch.chdir(tmp_path)
    workflow = tool("workflow")
    assert workflow.main("one.yml", "say", ["matrix.word=yes"]) == 0
    assert (tmp_path / "b").read_text() == "yes\nyes\n"
    assert workflow.main("one.yml", "fail", []) == 1
    assert not (tmp_path / "never").exists()
    with pytest.raises(SystemExit, match=r"matrix\.word"):
        workflow.main("one.yml", "say", [])


def test_a_release_is_prepared_from_one_place(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "src" / "ostinato").mkdir(parents=True)
    shutil.copy(HOME / "tools" / "release", tmp_path / "tools")
    shutil.copy(HOME / "src" / "ostinato" / "_version.py", tmp_path / "src" / "ostinato")
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n\n- More.\n\n## [0.0.1] - 2020-01-01\n")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(tmp_path / "tools" / "release"), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert "no version" in run("bump", "next").stderr
    assert run("check", "9.8.7").returncode == 1
    assert run("bump", "9.8.7").returncode == 0
    assert run("check", "9.8.7").returncode == 0
    assert run("notes", "9.8.7").stdout == "- More.\n"
    assert "not released" in run("bump", "9.8.8").stderr
    assert '__version__ = "9.8.7"' in (tmp_path / "src" / "ostinato" / "_version.py").read_text()
    changes = (tmp_path / "CHANGELOG.md").read_text()
    (tmp_path / "CHANGELOG.md").write_text(re.sub(r"(\[9\.8\.7\]) - .*", r"\1", changes))
    assert "without a date" in run("check", "9.8.7").stderr
    # the first heading of the project's own changelog is that of the next release, or that of this one at its commit
    changes = (HOME / "CHANGELOG.md").read_text(encoding="utf-8")
    version = (HOME / "src" / "ostinato" / "_version.py").read_text(encoding="utf-8").split('"')[-2]
    first, released = re.findall("^## .*", changes, re.M)[0], rf"## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d"
    assert first == "## [Unreleased]" or re.fullmatch(released, first)
    more = changes if first == "## [Unreleased]" else changes.replace(first, f"## [Unreleased]\n\n{first}", 1)
    (tmp_path / "CHANGELOG.md").write_text(more, encoding="utf-8")
    assert run("bump", "9.9.9").returncode == 0
    assert run("check", "9.9.9").returncode == 0


def test_the_version_stands_in_one_place() -> None:
    import ostinato

    tracked = [HOME / "pyproject.toml", HOME / "CITATION.cff", HOME / "CMakeLists.txt", HOME / "docs" / "conf.py"]
    assert all(f'"{ostinato.__version__}"' not in path.read_text() for path in tracked)


def test_the_newest_versions_are_those_of_a_user_first_and_go_into_the_new_environment(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    shutil.copy(HOME / "tools" / "resolve", tmp_path / "tools")
    uv, told = tmp_path / "uv", tmp_path / "told"
    uv.write_text(f'#!/bin/sh\necho "$@" >> {told}\n')
    uv.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "UV_PYTHON": "/usr/bin/python3"}
    subprocess.run([tmp_path / "tools" / "resolve", "highest"], check=True, env=environment)
    calls = [line for line in told.read_text().splitlines() if line.startswith("pip ")]
    assert all("--python .venv/bin/python" in line for line in calls)
    users, all_of_them = (line for line in calls if " compile " in f"{line} ")
    assert "--extra" not in users
    assert f"-c {users.split('-o ')[1]}" in all_of_them
