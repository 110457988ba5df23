"""A fit killed with SIGKILL and resumed ends with the weights, bit for bit, of a fit that was never killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ostinato.cli.checkpoint import alone, checkpoint
from ostinato.cli.main import main
from ostinato.data.sequences import SequenceSet
from ostinato.dispatch.fit import fit
from ostinato.errors import ConfigError, ModelFileError
from ostinato.fits.budget import Budget
from ostinato.storage import load_bundle
from warm import programs
from zoo import rungs

#: a checkpoint after every step, so that many a kill falls into the writing of one; dropout draws on the generator
OPTIONS = ["--model", "gru", "--steps", "40", "--hidden", "12", "--depth", "2", "--dropout", "0.3"]
OPTIONS += ["--checkpoint-every", "0s"]


def short_lines(path: Path) -> None:
    rng = np.random.default_rng(0)
    path.write_text("".join("".join(rng.choice(list("abcde"), rng.integers(2, 9))) + "\n" for _ in range(300)))


def long_series(path: Path) -> None:
    rng = np.random.default_rng(0)
    values = np.sin(np.arange(3000) / 5) + 0.3 * rng.standard_normal(3000)
    path.write_text("y\n" + "".join(f"{v:.4f}\n" for v in values))


#: full BPTT, and truncated BPTT with a state that is carried
DATA: dict[str, Callable[[Path], None]] = {"lines.txt": short_lines, "series.csv": long_series}


#: A process of its own, in which sets have another order than in one that was forked.
OWN = (sys.executable, "-m", "ostinato")


def start(data: Path, output: Path, *more: str, own: bool = False) -> subprocess.Popen[bytes]:
    program = OWN if own else (programs() / "ostinato",)
    command = [*program, "fit", data, *OPTIONS, "-o", output, *more]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes]) -> None:
    _, words = process.communicate(timeout=300)
    assert process.returncode == 0, words.decode()


def kill_when(process: subprocess.Popen[bytes], reached: Callable[[], bool]) -> None:
    while not reached():
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.0005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def checkpoints(path: Path, count: int) -> Callable[[], bool]:
    """Return whether ``path`` has been written ``count`` times since the first call."""
    seen: list[int] = []

    def reached() -> bool:
        number = path.stat().st_ino if path.exists() else -1
        if not seen or seen[-1] != number:
            seen.append(number)
        return len(seen) > count

    return reached


@pytest.mark.parametrize("name", DATA)
def test_killed_and_resumed_is_bitwise_never_killed(name: str, tmp_path: Path) -> None:
    data, spot = tmp_path / name, tmp_path / "killed.ost.checkpoint"
    DATA[name](data)
    straight = start(data, tmp_path / "straight.ost", own=True)
    kill_when(start(data, tmp_path / "killed.ost"), (spot / "ar.ost").exists)  # between two rungs
    kill_when(start(data, tmp_path / "killed.ost", "--resume"), checkpoints(spot / "gru.running", 11))
    finish(start(data, tmp_path / "killed.ost", "--resume"))
    finish(straight)
    (expected, said), (got, says) = (load_bundle(tmp_path / f"{n}.ost") for n in ("straight", "killed"))
    assert expected.keys() == got.keys()
    assert all(torch.equal(expected[k], got[k]) for k in expected)
    tables = [[r["held_out"] for r in d["description"]["record"]["table"]] for d in (said, says)]
    assert tables[0] == tables[1]
    assert not spot.exists()


def test_a_model_file_that_another_fit_is_writing_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two fits of one checkpoint folder would go on from each other's models; that of the first is not touched."""
    output = tmp_path / "m.ost"
    short_lines(tmp_path / "a.txt")
    words = ["fit", str(tmp_path / "a.txt"), "--model", "ar", "-o", str(output)]
    with checkpoint(output, resume=False) as folder:
        (folder / "ar.ost").write_bytes(b"of the first")
        for more in ([], ["--resume"]):
            with pytest.raises(SystemExit) as stopped:
                main([*words, *more])
            assert stopped.value.code == 2
            assert "another fit is writing this model file" in capsys.readouterr().err
            assert (folder / "ar.ost").read_bytes() == b"of the first"
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.txt", "m.ost"]


def test_a_direct_fit_and_a_classifier_take_the_lock_of_their_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{i}{j},{t},{t % 5 + j},{i}" for i in "ab" for j in range(3) for t in range(20)]
    (tmp_path / "a.csv").write_text("\n".join(["unique_id,ds,y,kind", *rows]) + "\n")
    words = ["fit", str(tmp_path / "a.csv"), "-o", str(tmp_path / "m.ost")]
    for more in (["--label", "kind"], ["--horizon", "3"]):
        with alone(tmp_path / "m.ost"), pytest.raises(SystemExit) as stopped:
            main([*words, *more])
        assert stopped.value.code == 2
        assert "another fit is writing this model file" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize("size", [237, 255, 300])
def test_a_name_that_leaves_no_room_for_the_checkpoint_is_refused_before_the_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], size: int
) -> None:
    short_lines(tmp_path / "a.txt")
    with pytest.raises(SystemExit) as stopped:
        main(["fit", str(tmp_path / "a.txt"), "--model", "ar", "-o", str(tmp_path / ("x" * size))])
    assert stopped.value.code == (2 if size <= 255 else 1)
    assert "give a shorter name" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_the_lock_of_a_killed_fit_is_free(tmp_path: Path) -> None:
    data, lock = tmp_path / "lines.txt", tmp_path / ".m.ost.lock"
    short_lines(data)
    kill_when(start(data, tmp_path / "m.ost"), lock.exists)
    assert lock.exists()
    finish(start(data, tmp_path / "m.ost", "--resume"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["lines.txt", "m.ost"]


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    wave = np.sin(np.arange(200) / 3)
    how: dict[str, Any] = {"model": "gru", "budget": Budget(None, 3), "checkpoint": tmp_path / "spot"}
    first = fit(wave, hidden=4, **how)
    again = fit(wave, hidden=4, **how)
    assert [r.held_out for r in rungs(first)] == [r.held_out for r in rungs(again)]
    changes: tuple[dict[str, Any], ...] = ({"hidden": 5}, {"hidden": 4, "seed": 1})
    for other in changes:
        with pytest.raises(ConfigError, match="checkpoint belongs to a fit of other data or other options"):
            fit(wave, **other, **how)
    with pytest.raises(ConfigError, match="checkpoint belongs to a fit of other data"):
        fit(wave[1:], hidden=4, **how)


@pytest.mark.parametrize(("name", "cut"), [("gru.ost", 0), ("gru.ost", 800), ("gru.running", 800)])
def test_a_checkpoint_that_was_cut_short_is_refused(tmp_path: Path, name: str, cut: int) -> None:
    how: dict[str, Any] = {"model": "gru", "budget": Budget(None, 3), "checkpoint": tmp_path / "spot", "hidden": 4}
    wave = np.sin(np.arange(200) / 3)
    fit(wave, **how)
    whole = (tmp_path / "spot" / "gru.ost").read_bytes()
    (tmp_path / "spot" / "gru.ost").unlink()
    (tmp_path / "spot" / name).write_bytes(whole[:cut])
    with pytest.raises(ModelFileError, match="cannot continue from its checkpoint") as refused:
        fit(wave, **how)
    assert refused.value.where == str(tmp_path / "spot" / name)
    (tmp_path / "spot" / name).unlink()
    (tmp_path / "spot" / "gru.running").write_bytes(whole)  # a model is not the state of a fit
    with pytest.raises(ModelFileError, match="not the state of a fit"):
        fit(wave, **how)


@pytest.mark.parametrize("name", ["BLOCKS", "LEAST_BLOCK", "ENOUGH"])
def test_a_checkpoint_of_a_release_that_cuts_the_data_in_another_way_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = np.random.default_rng(0).choice(list(b"abc \n"), size=(40_000, 1)).astype(np.int32)
    text = SequenceSet("text", points, np.array([0, len(points)]), ("a",), meta={"alphabet": "characters"})
    how: dict[str, Any] = {"model": "ar", "checkpoint": tmp_path / "spot", "refit": False}
    fit(text, **how)
    monkeypatch.setattr(f"ostinato.data.split.{name}", 1 if name == "BLOCKS" else 500)
    with pytest.raises(ConfigError, match="of another version"):
        fit(text, **how)
