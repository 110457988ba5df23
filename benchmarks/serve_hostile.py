"""A server that is asked wrongly: does it refuse what it must, and does it never fail?

Usage: python benchmarks/serve_hostile.py [--parts access ids sockets schemathesis] [--schemathesis PROGRAM]. ``access``
calls every route without a token and with wrong ones, ``ids`` pushes, reads and deletes under names that look like
something else, ``sockets`` sends 10,000 messages over a WebSocket, most of which are wrong, and ``schemathesis`` makes
requests from /openapi.json, by a program that is installed in an environment of its own. Every answer must be below
500, every message must be answered, and the server must end as ever, without a traceback.
"""
# ruff: noqa: E402 - the folders of the tests are put on the path first

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import websockets

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1] / "tests" / "serve")]

from serving import Server

import zoo
from ostinato.model_file import save_model
from ostinato.serve.auth import add
from ostinato.serve.gate import OPEN

#: Names that look like paths, statements, escapes or other names, and some that are too long.
IDS = [
    "..", "../..", "a/../b", "/etc/passwd", "//host/share", "\\..\\x", "C:\\x", ".", "~", "-", "con", "%2e%2e", "%00",
    "a\0b", "\n", "\r\nSet-Cookie: a=b", "a?b", "a#b", "a b", " ", "*", "'; drop table streams;--", "${jndi:ldap://x}",
    "<script>", "{unique_id}", "e\u0301", "\ufb01", "\ud7ff", "\u202e", "\u2028", "\ufeff", "\U0001f642" * 64,
    "\U0001f642" * 65, "x" * 256, "x" * 257, "x" * 10_240, "\u00e9" * 128, "\uac00" * 85, "\uac00" * 86,
]  # fmt: skip
#: Values that no field expects.
ODD: list[Any] = [
    None, True, -1, 0, 1.5, 2**53, 2**63, 10**400, 1e308, -1e308, 5e-324, "", "NaN", "2024-01-01", "x" * 300, "\ud800",
    "\0", [], {}, [1], [None], [[[]]], {"y": 1},
]  # fmt: skip
#: Words in the place of a number.
NUMBERS = ["NaN", "-Infinity", "1e999", "1" * 500, "0x10", "1_0", ".5"]
FIELDS = ["y", "ds", "seq", "events", "level", "p", "top", "next", "ref", "unique_id", "unknown"]
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def access(server: Server, secret: str) -> str:
    """Call every route in the document, and those that are not in it, without the token."""
    right = {"authorization": f"Bearer {secret}"}
    paths = server.ask("GET", "/openapi.json", **right)[1]["paths"]
    calls = [(method.upper(), path.replace("{unique_id}", "a")) for path, ways in paths.items() for method in ways]
    calls += [("GET", "/metrics"), ("GET", "/openapi.json")]
    wrong: list[dict[str, str]] = [
        {},
        {"authorization": "Bearer x"},
        {"authorization": "Basic " + base64.b64encode(secret.encode()).decode()},
        {"authorization": secret},
        {"authorization": f"Bearer {secret[:-1]}"},
        {"authorization": f"Bearer {secret}x"},
        {"authorization": "Bearer " + "x" * 10_000},
        {"cookie": f"token={secret}"},
    ]
    for method, path in calls:
        for headers in wrong:
            code, _ = server.ask(method, path, {} if method in {"POST", "PUT"} else None, **headers)
            assert code == 401 or path in OPEN, (method, path, code, headers)
    guarded = [call for call in calls if call[1] not in OPEN]

    async def socket() -> int:
        refused = 0
        for headers in wrong:
            try:
                async with websockets.connect(f"ws://127.0.0.1:{server.port}/v1/live", additional_headers=headers):
                    pass
            except websockets.exceptions.InvalidStatus:
                refused += 1
        return refused

    refused = asyncio.run(socket())
    assert refused == len(wrong), refused
    return f"{len(guarded) * len(wrong)} calls of {len(guarded)} routes and {refused} WebSockets refused"


def ids(server: Server, secret: str) -> str:
    """Do something under each name, and read the list of streams."""
    right = {"authorization": f"Bearer {secret}"}
    found: Counter[int] = Counter()
    for name in IDS:
        where = "/v1/streams/" + quote(name, safe="")
        pushed, answer = server.ask("POST", f"{where}/events", {"y": 50.0}, **right)
        codes = [pushed, server.ask("POST", "/v1/events", {"pushes": [{"unique_id": name, "y": 50.0}]}, **right)[0]]
        codes += [server.ask("GET", f"{where}{more}", **right)[0] for more in ("", "/history", "/next?p=0.5")]
        if pushed == 200:
            assert server.ask("GET", where, **right)[1]["unique_id"] == name, name
            assert name in [
                one["unique_id"] for one in server.ask("GET", "/v1/streams?limit=1000", **right)[1]["streams"]
            ]
        codes.append(server.ask("DELETE", where, **right)[0])
        assert max(codes) < 500, (name[:40], codes, answer)
        found.update(codes)
    return f"{len(IDS)} names in {sum(found.values())} calls: " + ", ".join(
        f"{n} x {c}" for c, n in sorted(found.items())
    )


def messages(rng: random.Random) -> str | bytes:
    """Return a message that may be wrong in one of many ways."""
    right: dict[str, Any] = {"unique_id": rng.choice(["a", "b", "c"]), "y": 50.0}
    text = json.dumps(right)
    at = rng.randrange(len(text))
    ways: list[Callable[[], str | bytes]] = [
        lambda: text,
        lambda: json.dumps({**right, rng.choice(FIELDS): rng.choice(ODD)}),
        lambda: json.dumps({**right, "events": [{"y": rng.choice(ODD), "seq": rng.choice(ODD)}]}),
        lambda: json.dumps([right] * rng.randrange(30) + [rng.choice(ODD)] * rng.randrange(2)),
        lambda: json.dumps({"unique_id": rng.choice(IDS), "y": rng.choice(ODD)}),
        lambda: f'{{"unique_id":"a","y":{rng.choice(NUMBERS)}}}',
        lambda: text[:at],
        lambda: text[:at] + chr(rng.randrange(1, 0xD7FF)) + text[at + 1 :],
        lambda: '{"unique_id":"a","y":' + '{"a":' * rng.randrange(1, 3000),
        lambda: "[" * rng.randrange(1, 5000) + "]" * rng.randrange(10),
        lambda: rng.randbytes(rng.randrange(300)),
        lambda: b"\xff\xfe" + text.encode(),
    ]
    return rng.choice(ways)()


def sockets(server: Server, secret: str, count: int = 10_000) -> str:
    """Send messages in flights of 100, with pings among them."""
    rng, found = random.Random(7), Counter[str]()

    async def main() -> None:
        headers = {"authorization": f"Bearer {secret}"}
        uri = f"ws://127.0.0.1:{server.port}/v1/live"
        async with websockets.connect(uri, additional_headers=headers, compression=None, max_size=None) as line:
            for _ in range(count // 100):
                for _ in range(100):
                    await line.send(messages(rng))
                await line.ping(rng.randbytes(rng.randrange(126)))
                for _ in range(100):
                    told = json.loads(await asyncio.wait_for(line.recv(), 30))
                    found["messages"] += 1
                    for one in told if isinstance(told, list) else [told]:
                        assert "the server failed" not in str(one.get("error")), one
                        found["refused" if "error" in one else "applied"] += 1

    asyncio.run(main())
    return f"{found['messages']:,} messages answered: {found['applied']:,} pushes applied, {found['refused']:,} refused"


def schemathesis(server: Server, secret: str, program: str, seconds: float) -> str:
    """Let schemathesis make requests from the document."""
    command = [program, "run", f"http://127.0.0.1:{server.port}/openapi.json", "-H", f"Authorization: Bearer {secret}"]
    command += ["--checks", CHECKS, "--max-examples", "300", "--seed", "1", "--suppress-health-check", "all"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as ended:
        return f"ended after {seconds:.0f} s: {str(ended.stdout)[-2000:]}"
    return f"exit code {told.returncode}\n{told.stdout[-3000:]}"


def main() -> None:
    """Ask a server wrongly in each way, and print what it answered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", default=["access", "ids", "sockets", "schemathesis"])
    parser.add_argument("--schemathesis", help="the program; without it, this part is left out")
    parser.add_argument("--seconds", type=float, default=300.0, help="that schemathesis may take")
    given = parser.parse_args()
    parts: dict[str, Callable[[Server, str], str]] = {"access": access, "ids": ids, "sockets": sockets}
    if given.schemathesis:
        parts["schemathesis"] = lambda server, secret: schemathesis(server, secret, given.schemathesis, given.seconds)
    with tempfile.TemporaryDirectory() as folder:
        model, tokens, reference = (Path(folder) / name for name in ("model.ost", "tokens.json", "reference.csv"))
        save_model(zoo.fitted("series", "gru"), model)
        rng = np.random.default_rng(0)
        rows = [f"{50 + 10 * np.sin(i / 8) + rng.standard_normal():.4f}" for i in range(400)]
        reference.write_text("\n".join(["y", *rows, ""]))
        secret = add(tokens, "hostile", None, None, None)
        more = ("--tokens", str(tokens), "--alarm", "0.001", "--reference", str(reference))
        server = Server(model, Path(folder) / "streams", *more)
        try:
            for name in given.parts:
                if name in parts:
                    print(f"{name}: {parts[name](server, secret)}", flush=True)
            assert server.ask("GET", "/readyz")[0] == 200
        finally:
            words = server.close()
        assert "Traceback" not in words, words
        assert server.process.returncode == 0, words


if __name__ == "__main__":
    main()
