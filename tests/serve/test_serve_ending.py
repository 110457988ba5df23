"""A server ends in order, whatever signals come and however often, and its streams are kept."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

pytest.importorskip("msgspec", reason="the server needs msgspec")
pytest.importorskip("starlette", reason="the server needs starlette")
pytest.importorskip("uvicorn", reason="the server needs uvicorn")
pytest.importorskip("httpx", reason="the tests of the server need httpx")

from serving import Server

import zoo
from ostinato.errors import ConfigError
from ostinato.model_file import save_model
from ostinato.serve.store import open_store

INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
#: The usual handling of signals, whatever the tests run under: nohup ignores SIGHUP, a job in the background SIGINT.
USUAL = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "signal.signal(signal.SIGHUP, signal.SIG_DFL)"
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "m.ost"
    save_model(zoo.fitted("series", "gru"), path)
    return path


@pytest.mark.parametrize(
    ("signals", "code"), [((INT, INT, INT), 130), ((HUP,), 129), ((HUP, HUP), 129), ((TERM, INT), 130)], ids=str
)
def test_signals_end_a_server_in_order(model: Path, tmp_path: Path, signals: tuple[int, ...], code: int) -> None:
    server = Server(model, tmp_path / "streams", first=USUAL)
    try:
        status, _ = server.ask("POST", "/v1/streams/a/events", {"y": 5.0})
    finally:
        for number in signals[:-1]:
            server.process.send_signal(number)
            time.sleep(0.02)  # signals that come at once are one signal
        words = server.close(signals[-1])
    assert status == 200
    assert server.process.returncode == code
    assert "Traceback" not in words
    assert words.endswith("stopped\n")


@pytest.mark.parametrize("url", ["sqlite:///nodir/x.db", "sqlite://x.db", "SQLITE:////tmp/x.db"])
def test_the_address_of_a_file_of_sqlite_is_no_store(url: str) -> None:
    with pytest.raises(ConfigError, match="is the address of a file, expected a folder"):
        open_store(url)
