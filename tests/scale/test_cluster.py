"""A Ray cluster of two nodes gives the same rows as one process, also if workers are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ostinato import scale
from ostinato.data.sequences import SequenceSet
from ostinato.errors import ConfigError, DataError
from ostinato.scale.local_ar import FitLocalAR
from ostinato.scale.plan import plan
from ostinato.scale.run import run
from ostinato.scale.work import PartResult
from panels_made import POISON

cloudpickle = pytest.importorskip("ray.cloudpickle", reason="needs ostinato[ray]")


def contents(folder: Path) -> Iterator[tuple[str, pl.DataFrame]]:
    for file in sorted([*folder.glob("part-*.parquet"), folder / "errors.parquet"]):
        yield file.name, pl.read_parquet(file)


def assert_same(first: Path, second: Path) -> None:
    """Check that two folders have the same files and rows, bit for bit."""
    for (name, one), (other, two) in zip(contents(first), contents(second), strict=True):
        assert name == other
        assert_frame_equal(one, two, check_exact=True)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_the_files_are_those_of_one_process(workers: int, panel: Path, tmp_path: Path, cluster: str) -> None:
    on = scale.ray(workers=workers)
    scale.fit_each(panel, tmp_path / "here")
    assert scale.fit_each(panel, tmp_path / "there", on=on).failed == len(POISON)
    assert_same(tmp_path / "here", tmp_path / "there")
    scale.forecast("ar", panel, tmp_path / "here-ahead", horizon=12)
    scale.forecast("ar", panel, tmp_path / "there-ahead", horizon=12, on=on)
    assert_same(tmp_path / "here-ahead", tmp_path / "there-ahead")


@dataclass(frozen=True)
class Shot(FitLocalAR):
    """A verb whose worker is killed at the first try of the third and of the fifth part."""

    folder: str

    def __call__(self, data: SequenceSet, number: int) -> PartResult:
        mark = Path(self.folder) / f"shot-{number}"
        if number in (2, 4) and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(data, number)


def test_killed_workers_leave_every_series_exactly_once(panel: Path, tmp_path: Path, cluster: str) -> None:
    scale.fit_each(panel, tmp_path / "here", season=7)
    (tmp_path / "marks").mkdir()
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # which the workers cannot import
    run(plan(panel), Shot(7, str(tmp_path / "marks")), tmp_path / "there", scale.ray())
    assert len(list((tmp_path / "marks").iterdir())) == 2
    assert_same(tmp_path / "here", tmp_path / "there")


def test_a_mistake_on_a_worker_is_the_users_message(panel: Path, tmp_path: Path, cluster: str) -> None:
    planned = plan(panel)
    for file in panel.iterdir():
        file.unlink()
    with pytest.raises(DataError, match="cannot read the files of part"):
        run(planned, FitLocalAR(7), tmp_path / "out", scale.ray())
    with pytest.raises(ConfigError, match="workers must be at least 1, got 0"):
        scale.ray(workers=0)


def test_a_killed_driver_leaves_parts_that_a_rerun_goes_on_from(panel: Path, tmp_path: Path, cluster: str) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    scale.fit_each(panel, here)
    code = (
        "from ostinato import scale; from ostinato.scale import plan; plan.ROWS, plan.MOST = 150, 1200; "
        f"scale.fit_each({str(panel)!r}, {str(there)!r}, on=scale.ray({cluster!r}, workers=1))"
    )
    driver = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)
    while len(list(there.glob("part-*.parquet"))) < 2:
        assert driver.poll() is None, driver.stderr.read() if driver.stderr else ""
        time.sleep(0.01)  # a part takes longer
    driver.kill()
    driver.communicate()
    assert not (there / "errors.parquet").exists()
    found = scale.fit_each(panel, there, on=scale.ray())
    assert 2 <= found.earlier < found.parts
    assert_same(here, there)


def test_another_program_connects_to_the_cluster_by_its_address(
    panel: Path, tmp_path: Path, cluster: str, clients: int
) -> None:
    here, there, address = tmp_path / "here", tmp_path / "there", f"ray://127.0.0.1:{clients}"
    scale.fit_each(panel, here)
    words = ["fit", str(panel), "--each", "-o", str(there), "--on", address, "--workers", "2"]
    code = (
        "from ostinato.cli.main import main; from ostinato.scale import plan; plan.ROWS, plan.MOST = 150, 1200; "
        f"main({words!r})"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    assert f"Ray runs at {address}" in ran.stderr or "Ray's dashboard: http" in ran.stderr
    assert_same(here, there)


@pytest.mark.parametrize(("failures", "connects"), [(0, True), (2, True), (3, False)])
def test_a_head_that_starts_no_process_for_a_program_is_tried_again(
    failures: int, connects: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    tries: list[str] = []

    def init(**given: object) -> dict[str, str]:
        tries.append(str(given["address"]))
        if len(tries) <= failures:
            raise ConnectionError("Initialization failure from server:\nZombieProcess")
        return {}

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    if connects:
        with scale.ray("ray://head:10001").joined():
            pass
    else:
        with (
            pytest.raises(ConfigError, match="cannot connect to a Ray cluster"),
            scale.ray("ray://head:10001").joined(),
        ):
            pass
    assert len(tries) == min(failures + 1, 3)


def test_a_wrong_address_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    tries: list[object] = []

    def init(**given: object) -> None:
        tries.append(given)
        raise ConnectionError("ray client connection timeout")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(ConfigError, match="timeout"), scale.ray("ray://head:10001").joined():
        pass
    assert len(tries) == 1
