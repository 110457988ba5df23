"""The options of the server that cannot be used: a message, exit code 2, and nothing started."""

from __future__ import annotations

import re
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("msgspec", reason="the server needs msgspec")
pytest.importorskip("starlette", reason="the server needs starlette")
pytest.importorskip("uvicorn", reason="the server needs uvicorn")

import zoo
from ostinato.cli.main import main
from ostinato.model_file import save_model
from ostinato.serve.auth import Kept, digest, read
from ostinato.serve.run import listening
from warm import programs

BAD = [
    ("--host 0.0.0.0", "0.0.0.0 is reached by other machines, and there are no tokens"),
    ("--host example.org", "example.org is reached by other machines"),
    ("--store mongo://host/x", "the store mongo:// is unknown"),
    ("--store redis://:secret@host:word", "an invalid host or port"),
    ("--store postgresql://me:secret@[::1/x", "cannot parse the address"),
    ("--store valkey://[::1/0", "an invalid host or port"),
    ("--events redis://host:word --store none", "an invalid host or port"),
    ("--events kafka://host --store none", "events come from a stream of Redis, got kafka://host"),
    ("--tokens none.json", "cannot read the file of tokens"),
    ("--demo none.csv --store none", "none.csv"),
    ("--alarm 2 --reference data.csv --store none", "alarm"),
    ("--late -1", "--late"),
    ("--port 70000", "--port"),
]


@pytest.mark.parametrize(("options", "what"), BAD, ids=[options for options, _ in BAD])
def test_an_option_that_cannot_be_used_is_refused(
    options: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    save_model(zoo.fitted("series", "ar"), tmp_path / "model.ost")
    (tmp_path / "data.csv").write_text("y\n" + "50\n51\n" * 60)
    with pytest.raises(SystemExit) as stop:
        main(["serve", "model.ost", *options.split()])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert what in said
    assert "secret" not in said


def test_a_port_that_is_taken_is_refused_and_a_free_one_is_named(tmp_path: Path) -> None:
    save_model(zoo.fitted("series", "ar"), tmp_path / "model.ost")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [str(programs() / "ostinato"), "serve", "model.ost", "--store", "none", "--port"]
        refused = subprocess.run([*command, str(port)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert f"port {port} of 127.0.0.1: Address already in use" in refused.stderr
    assert "--port 0" in refused.stderr
    assert "serves" not in refused.stderr
    with subprocess.Popen([*command, "0"], cwd=tmp_path, stderr=subprocess.PIPE, text=True) as free:
        assert free.stderr is not None
        address = re.search(r"http://127\.0\.0\.1:[1-9]\d*/", free.stderr.readline())
        assert address is not None
        with urllib.request.urlopen(f"{address[0]}healthz", timeout=60) as answer:
            assert answer.status == 200
        free.terminate()


def test_a_token_is_printed_once_and_replaced_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "tokens.json"
    for _ in range(2):
        with pytest.raises(SystemExit):
            main(["token", "sensors", "--tokens", str(path), "--rate", "5"])
    first, second = capsys.readouterr().out.split()
    assert first != second
    assert read(path) == [Kept("sensors", digest(second.encode()), 5.0)]


def test_a_port_whose_connections_have_ended_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            other.accept()[0].close()
    (one,) = listening("127.0.0.1", port)
    with one:
        assert one.getsockname() == ("127.0.0.1", port)
