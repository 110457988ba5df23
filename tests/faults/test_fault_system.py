"""What the system and odd files do to a command: signals, full disks, locales, headers without a length."""

from __future__ import annotations

import contextlib
import importlib
import os
import resource
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor

import ostinato
from ostinato.cli import stopping
from ostinato.cli.main import main
from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError, ModelFileError
from ostinato.model_file import model_digest
from ostinato.storage import atomic_write, load_bundle, save_bundle
from warm import programs

SERIES = "ds,y\n" + "".join(f"2024-01-{i + 1:02},{i % 7}.5\n" for i in range(30))
COMMAND = [sys.executable, "-m", "ostinato"]


@contextlib.contextmanager
def answered(words: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a stream of a command, which goes on when it has answered two values."""
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"1\n2\n")
        process.stdin.flush()
        for _ in range(3):
            process.stdout.readline()
        yield process


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "s.csv"
    path.write_text(SERIES)
    ostinato.fit(read(path), model="ar").model.save(path.with_suffix(".ost"))
    return path.with_suffix(".ost")


@pytest.mark.usefixtures("heeded")
class TestStopping:
    """SIGINT, SIGTERM and SIGHUP unwind a command."""

    @pytest.mark.parametrize("number", stopping.SIGNALS)
    def test_a_file_that_is_being_written_leaves_nothing(self, tmp_path: Path, number: int) -> None:
        def parts() -> Any:
            yield b"half"
            os.kill(os.getpid(), number)
            yield b"whole"

        (tmp_path / "m.ost").write_bytes(b"earlier")
        before = signal.getsignal(number)
        with pytest.raises(stopping.Stopped) as stopped, stopping.unwinding():
            atomic_write(tmp_path / "m.ost", parts())
        assert stopped.value.code == 128 + number
        assert [p.name for p in tmp_path.iterdir()] == ["m.ost"]
        assert (tmp_path / "m.ost").read_bytes() == b"earlier"
        assert signal.getsignal(number) is before

    def test_a_signal_that_another_library_swallows_stops_the_next_stage(self) -> None:
        with stopping.unwinding():
            with contextlib.suppress(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGTERM)
            with pytest.raises(stopping.Stopped):
                stopping.check()
        stopping.check()

    @pytest.mark.parametrize("number", stopping.SIGNALS)
    def test_a_signal_waits_until_a_module_is_loaded(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        name = f"loads_slowly_{number}"
        words = f"import os, time\nos.kill(os.getpid(), {number})\ntime.sleep(0.1)\nwhole = True\n"
        (tmp_path / f"{name}.py").write_text(words)
        monkeypatch.syspath_prepend(tmp_path)

        def loads_and_waits() -> None:
            importlib.import_module(name)
            threading.Event().wait(60)  # a wait that only a signal to this thread ends

        with pytest.raises(stopping.Stopped) as stopped, stopping.unwinding():
            loads_and_waits()
        assert stopped.value.code == 128 + number
        assert sys.modules[name].whole

    def test_a_module_that_runs_a_command_while_it_is_loaded_is_stopped_at_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        words = "import os, signal\nfrom ostinato.cli import stopping\nwith stopping.unwinding():\n"
        (tmp_path / "runs_a_command.py").write_text(words + "    os.kill(os.getpid(), signal.SIGTERM)\n    late = 1\n")
        monkeypatch.syspath_prepend(tmp_path)
        with pytest.raises(stopping.Stopped):
            importlib.import_module("runs_a_command")

    @pytest.mark.parametrize("number", stopping.SIGNALS)
    def test_a_signal_while_words_are_parsed_ends_at_once(self, tmp_path: Path, number: int) -> None:
        """The parser would end with 130 and no word, whichever signal it was."""
        lines = (
            "import os, ostinato.cli.main as cli, ostinato.__main__ as start",
            f"cli._Verbs.parse_args = lambda *given: os.kill(os.getpid(), {int(number)})",
            "start.main()",
        )
        (tmp_path / "script.py").write_text("\n".join(lines))
        words = [str(programs() / "python"), str(tmp_path / "script.py"), "doctor"]
        done = subprocess.run(words, capture_output=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (-number, b"", b"")

    def test_an_ignored_signal_stays_ignored(self) -> None:
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            with stopping.unwinding():
                assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
                os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        finally:
            signal.signal(signal.SIGHUP, before)

    @pytest.mark.parametrize("number", stopping.SIGNALS)
    def test_a_stream_that_is_stopped_keeps_its_state(self, model: Path, tmp_path: Path, number: int) -> None:
        state = tmp_path / "state"
        words = [str(programs() / "ostinato"), "stream", str(model), "--state", str(state)]
        with answered(words) as process:
            process.send_signal(number)
            # its input stays open: at the end of it a stream ends too, perhaps before the signal has come
            process.wait(timeout=60)
            said = process.stderr.read() if process.stderr else b""
        assert (process.returncode, said) == (128 + number, b"stopped\n")
        assert [p.name for p in tmp_path.iterdir()] == ["state"]

    def test_a_stream_that_is_killed_had_kept_what_it_answered_a_while_ago(self, model: Path, tmp_path: Path) -> None:
        """Also if nothing has come since; and while it runs no other process keeps the same file."""
        state = tmp_path / "state"
        words = [*COMMAND, "stream", str(model), "--state", str(state)]
        forked = [str(programs() / "ostinato"), *words[len(COMMAND) :]]  # the one that is killed has no such stand-in
        with answered(words) as process:
            other = subprocess.run(forked, input=b"5\n", capture_output=True, check=False)
            assert other.returncode == 2
            assert b"another process keeps its states in this file" in other.stderr
            assert other.stdout == b""
            until = time.monotonic() + 60
            while not state.exists() and time.monotonic() < until:
                time.sleep(0.1)
            process.kill()
        again = subprocess.run(forked, input=b"3\n", capture_output=True, check=False)
        assert again.returncode == 0, again.stderr
        assert b"with 1 series" in again.stderr
        whole = subprocess.run(forked[:-2], input=b"1\n2\n3\n", capture_output=True, check=True)
        last, wanted = ([float(cell) for cell in one.stdout.splitlines()[-1].split(b",")] for one in (again, whole))
        assert last == pytest.approx(wanted, rel=1e-5)
        assert [p.name for p in tmp_path.iterdir()] == ["state"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("earlier", [b"", b"1\n2\n"])
def test_a_state_counts_no_value_whose_answer_was_lost(model: Path, tmp_path: Path, earlier: bytes) -> None:
    state = tmp_path / "state"
    words = [str(programs() / "ostinato"), "stream", str(model), "--state", str(state)]
    if earlier:
        subprocess.run(words, input=earlier, capture_output=True, check=True)
    before = state.read_bytes() if earlier else None
    with Path("/dev/full").open("wb") as full:
        cold = [*COMMAND, *words[1:]]  # the stand-in ends with the exit code of Python
        lost = subprocess.run(cold, input=b"3\n4\n", stdout=full, stderr=subprocess.PIPE, check=False)
    assert (lost.returncode, b"No space left on device" in lost.stderr) == (1, True)
    assert (state.read_bytes() if state.exists() else None) == before
    again, whole = (
        subprocess.run(one, input=given, capture_output=True, check=True).stdout.splitlines()[-2:]
        for one, given in ((words, b"3\n4\n"), (words[:-2], earlier + b"3\n4\n"))
    )
    assert again == whole


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", ["--version", "--help", "fit --help-all"])
def test_no_space_for_what_no_command_prints(words: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*COMMAND, *words.split()], stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert b"error: No space left on device" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("device", ["/dev/full", "/dev/null"])
def test_a_model_for_a_device_leaves_no_folder_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], device: str
) -> None:
    (tmp_path / "s.csv").write_text(SERIES)
    before = {path.name for path in Path("/dev").iterdir()}
    with pytest.raises(SystemExit) as ended:
        main(["fit", str(tmp_path / "s.csv"), "--model", "ar", "-o", device])
    assert ended.value.code == (1 if device == "/dev/full" else 0)
    assert ("No space left on device" in capsys.readouterr().err) == (device == "/dev/full")
    assert not any(
        name.startswith(Path(device).name + ".") for name in {p.name for p in Path("/dev").iterdir()} - before
    )


@pytest.mark.parametrize(
    ("environment", "printed"),
    [
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "\ubc25".encode()),
        ({"PYTHONIOENCODING": "ascii"}, b"\\ubc25"),
        ({"PYTHONIOENCODING": "latin-1"}, b"\\ubc25"),
    ],
)
def test_every_character_can_be_printed(tmp_path: Path, environment: dict[str, str], printed: bytes) -> None:
    (tmp_path / "s.csv").write_text(SERIES.replace("y", "\ubc25", 1), encoding="utf-8")
    given = {k: v for k, v in os.environ.items() if k not in {"PYTHONIOENCODING", "PYTHONUTF8"}}
    words = [*COMMAND, "inspect", str(tmp_path / "s.csv")]
    done = subprocess.run(words, capture_output=True, check=False, env=given | environment)
    assert (done.returncode, printed in done.stdout) == (0, True), done.stderr.decode()


def test_a_demo_writes_over_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text(SERIES)
    with pytest.raises(SystemExit) as stopped:
        main(["demo", "series", "-o", str(tmp_path)])
    assert stopped.value.code == 2
    assert (tmp_path / "sales.csv").read_text() == SERIES


SAMPLES = np.arange(-50, 51, dtype="<i2")[:, None]
FORM = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)


def wav(size: int | None = None, tail: bytes = b"") -> bytes:
    body = SAMPLES.tobytes()
    rest = FORM + b"data" + struct.pack("<I", len(body) if size is None else size) + body + tail
    return b"RIFF" + struct.pack("<I", min(len(rest), 0xFFFFFFFF)) + rest


class TestHeadersOfSound:
    """WAV files whose header gives no length, or that stand behind a tag."""

    @pytest.mark.parametrize("size", [0, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFDB])
    def test_a_header_without_a_length_is_read_to_the_end_with_a_note(self, tmp_path: Path, size: int) -> None:
        (tmp_path / "a.wav").write_bytes(wav(size))
        data = read(tmp_path / "a.wav")
        np.testing.assert_array_equal(data.values, SAMPLES)
        assert "the header of a.wav gives no length; the samples last to the end of the file" in data.notes

    @pytest.mark.parametrize("tag", [10, 11, 300])
    def test_a_tag_before_the_file_costs_no_sample(self, tmp_path: Path, tag: int) -> None:
        size = bytes([0, 0, tag >> 7, tag & 0x7F])
        (tmp_path / "a.wav").write_bytes(b"ID3\x03\0\0" + size + b"\0" * tag + wav())
        np.testing.assert_array_equal(read(tmp_path / "a.wav").values, SAMPLES)

    def test_a_file_without_samples_and_with_a_chunk_behind_them_is_empty(self, tmp_path: Path) -> None:
        raw = b"RIFF" + struct.pack("<I", 52) + FORM + b"data" + struct.pack("<I", 0) + b"LIST\4\0\0\0INFO"
        (tmp_path / "a.wav").write_bytes(raw)
        with pytest.raises(DataError, match="no samples"):
            read(tmp_path / "a.wav")

    def test_a_length_that_is_one_is_still_held_to(self, tmp_path: Path) -> None:
        (tmp_path / "a.wav").write_bytes(wav(0x7FFFE000))
        with pytest.raises(DataError, match="cut short"):
            read(tmp_path / "a.wav")


def _filled(value: float) -> Any:
    def change(tensors: dict[str, Tensor], document: dict[str, Any]) -> None:
        name = next(k for k, v in tensors.items() if v.is_floating_point() and v.numel())
        tensors[name].view(-1)[0] = value

    return change


def _other_type(tensors: dict[str, Tensor], document: dict[str, Any]) -> None:
    name = next(k for k, v in tensors.items() if v.is_floating_point() and not k.startswith("before."))
    tensors[name] = tensors[name].int()


def _put(place: str, value: Any) -> Any:
    def change(tensors: dict[str, Tensor], document: dict[str, Any]) -> None:
        *way, last = place.split(".")
        for name in way:
            document = document[name]
        document[last] = value

    return change


PLACES = ("encoding", "encoding.per_id", "description.config.parts", "description.config.parts.base.ar", "description")
FORMS = [_put(place, value) for place in PLACES for value in (None, 1, "x", [], [1], True)]
NUMBERS = [
    *(_put("description.config.parts.hidden", value) for value in (10**9, 10**18, 1e308)),
    *map(_filled, (float("nan"), float("inf"), -float("inf"))),
    _other_type,
]


@pytest.mark.parametrize("change", FORMS)
def test_an_edited_model_with_a_right_digest_is_refused_or_loads(model: Path, tmp_path: Path, change: Any) -> None:
    tensors, document = load_bundle(model)
    change(tensors, document)
    save_bundle(tmp_path / "m.ost", tensors, document)
    with contextlib.suppress(ModelFileError):
        assert ostinato.load_model(tmp_path / "m.ost").description.kind == "series"


@pytest.mark.parametrize("change", NUMBERS)
def test_wrong_numbers_in_a_model_are_refused(model: Path, tmp_path: Path, change: Any) -> None:
    tensors, document = load_bundle(model)
    change(tensors, document)
    save_bundle(tmp_path / "m.ost", tensors, document)
    with pytest.raises(ModelFileError, match=r"not finite|is more than|is of type"):
        ostinato.load_model(tmp_path / "m.ost")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model file of each layout: with a network, a direct one and exponential smoothing."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "s.csv").write_text(SERIES)
    data = read(folder / "s.csv")
    fits: dict[str, dict[str, Any]] = {
        "gru": {"budget": ostinato.Budget(max_steps=2), "hidden": 4},
        "direct": {"horizon": 2, "networks": 0},
        "ets": {"season": 7},
    }
    for name, options in fits.items():
        ostinato.fit(data, model=name, **options).model.save(folder / f"{name}.ost")
    return {name: folder / f"{name}.ost" for name in fits}


PARTS, WINDOW = "description.config.parts.", "direct.window."
#: A size that does not fit the weights, and the word of the error about it.
SIZES = [
    *[
        ("gru", f"{PARTS}{name}", value, name)
        for name in ("hidden", "depth", "channels")
        for value in (0, -1, 1.5, "4")
    ],
    *[("gru", f"{PARTS}hidden", value, "sizes") for value in (40_000, 999_999)],
    *[("gru", f"{PARTS}depth", value, "layer") for value in (100_000, 999_999)],
    *[("gru", f"{PARTS}channels", value, "channel") for value in (100_000, 999_999)],
    *[("gru", f"{PARTS}base.ar.channels", value, "channels") for value in (0, 2, 999_999)],
    *[("gru", f"{PARTS}base.ar.order", value, "lags") for value in (0, -1, 500)],
    *[(name, "encoding.scale", [value], "scale") for name in ("gru", "ets") for value in (0.0, -1.0)],
    ("gru", "encoding.location", [], "location"),
    *[("ets", f"{PARTS}base.smoothing.season", value, "season") for value in (-1, 1.5, 999_999)],
    *[("direct", f"{WINDOW}lookback", value, "lookback") for value in (0, -1, 1.5)],
    *[("direct", f"{WINDOW}lookback", value, "window") for value in (1, 999, 999_999)],
    *[("direct", f"{WINDOW}season", value, "season") for value in (0, -1, 1.5)],
    *[(name, "another", 1, "another") for name in ("gru", "direct", "ets")],
]


@pytest.mark.parametrize(("name", "place", "value", "word"), SIZES)
def test_a_size_that_the_weights_do_not_have_is_refused_without_building_it(
    models: dict[str, Path], tmp_path: Path, name: str, place: str, value: Any, word: str
) -> None:
    tensors, document = load_bundle(models[name])
    _put(place, value)(tensors, document)
    save_bundle(tmp_path / "m.ost", tensors, document)
    with pytest.raises(ModelFileError, match=word) as refused:
        ostinato.load_model(tmp_path / "m.ost")
    assert refused.value.where == str(tmp_path / "m.ost")
    assert peak_kilobytes() < 4_000_000


@pytest.mark.parametrize("bits", [16, 24, 32])
def test_the_scale_of_loud_sound_is_no_size(tmp_path: Path, bits: int) -> None:
    loud = np.rint(0.9 * 2 ** (bits - 1) * np.sin(np.arange(200) / 9)).astype(np.int32)[:, None]
    meta = {"sample_rate": 8000, "bits": bits}
    offsets = np.array([0, 200], dtype=np.int64)
    data = SequenceSet("sound", loud, offsets, ("a",), ("amplitude",), step=np.ones(1), meta=meta)
    fitted = ostinato.fit(data, model="filter").model
    fitted.save(tmp_path / "m.ost")
    assert model_digest(ostinato.load_model(tmp_path / "m.ost")) == model_digest(fitted)


def peak_kilobytes() -> int:
    """The most memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_weights_that_change_places_make_another_model(models: dict[str, Path], tmp_path: Path) -> None:
    """Who signs such a file anew has made a model: no state, snapshot or compressed file of the first goes with it."""
    tensors, document = load_bundle(models["gru"])
    by_form: dict[Any, list[str]] = {}
    for name, tensor in tensors.items():
        if not name.startswith("before.") and tensor.is_floating_point() and tensor.numel() > 1:
            by_form.setdefault(tuple(tensor.shape), []).append(name)
    a, b = next(
        names for names in by_form.values() if len(names) > 1 and not tensors[names[0]].equal(tensors[names[1]])
    )[:2]
    tensors[a], tensors[b] = tensors[b], tensors[a]
    save_bundle(tmp_path / "m.ost", tensors, document)
    first, other = (ostinato.load_model(path) for path in (models["gru"], tmp_path / "m.ost"))
    assert model_digest(first) != model_digest(other)
    ostinato.Monitor(first).save(tmp_path / "states", model_digest(first))
    with pytest.raises(ModelFileError, match="another model"):
        ostinato.Monitor(other).load(tmp_path / "states", model_digest(other))


@pytest.mark.parametrize("name", ["gru", "direct", "ets"])
def test_a_tensor_that_nobody_knows_is_refused(models: dict[str, Path], tmp_path: Path, name: str) -> None:
    tensors, document = load_bundle(models[name])
    tensors["another"] = next(iter(tensors.values())).clone()
    save_bundle(tmp_path / "m.ost", tensors, document)
    with pytest.raises(ModelFileError, match="another"):
        ostinato.load_model(tmp_path / "m.ost")
