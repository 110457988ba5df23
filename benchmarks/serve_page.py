"""The page of a server in Chromium: do streams appear, does the chart move, and is an anomaly marked within a second?

Usage: python benchmarks/serve_page.py [--axe axe.min.js] [--pictures FOLDER]. At 400 and 1,400 pixels, light and dark,
the page is opened, a stream is chosen by the keyboard, and spikes are pushed among ordinary values, which arrive five
times a second. With ``--axe`` axe-core (npm i axe-core) judges the page, with its table open and closed, the form for
the token, and a stream of text. With ``--pictures`` each is drawn. No message may appear in the console, and nothing
may be wider than the window.
"""
# ruff: noqa: E402 - the folders of the tests are put on the path first

from __future__ import annotations

import argparse
import itertools
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1] / "tests" / "serve")]

from serving import Server

import zoo
from ostinato.model_file import save_model
from ostinato.serve.auth import add

#: The ids of the streams; some are long, of other scripts, or look like markup.
NAMES = [*(f"sensor-{k:02d}" for k in range(12)), "한국어 온도", "مرحبا", "a/b/../c", "<b>bold</b>&amp;", "x" * 256]
WATCHED = "sensor-03"
#: The events that each stream has before the page is opened.
PAST = 400
AXE = """async () => {
    const found = await axe.run(document, {resultTypes: ['violations', 'incomplete']});
    return [found.violations, found.incomplete].map((rules) => rules.map((one) => [one.id, one.nodes.length]));
}"""


class Feed:
    """Ordinary values of all streams, all the time."""

    def __init__(self, server: Server) -> None:
        self.server, self._rng, self._stop = server, np.random.default_rng(5), threading.Event()
        self._step, self._thread = 0, threading.Thread(target=self._run)
        for _ in range(PAST // 100):
            self._push(100)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._stop.set()
        self._thread.join()

    def spike(self) -> tuple[int, bool, float]:
        """Push a spike to the stream that is watched; return its number, whether it is an alarm, and the time."""
        answer = self.server.ask("POST", f"/v1/streams/{WATCHED}/events", {"y": 150.0})[1]["events"][0]
        return answer["seq"], answer["alarm"], time.monotonic()

    def _push(self, count: int) -> None:
        t = self._step + np.arange(count)
        y = 50 + 10 * np.sin(t / 8) + self._rng.standard_normal((len(NAMES), count))
        pushes = [
            {"unique_id": name, "events": [{"y": float(v)} for v in row]} for name, row in zip(NAMES, y, strict=True)
        ]
        code, answer = self.server.ask("POST", "/v1/events", {"pushes": pushes})
        assert code == 200, answer
        self._step += count

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            self._push(1)


def watch(page: Any, feed: Feed, width: int) -> str:
    """Open the page, choose a stream by the keyboard, and look for spikes."""
    begun = time.monotonic()
    page.goto(f"http://127.0.0.1:{feed.server.port}/")
    page.locator("#streams button").nth(len(NAMES) - 1).wait_for()
    appear = time.monotonic() - begun
    page.locator("#streams button", has_text=WATCHED).press("Enter")
    page.wait_for_function("name => document.getElementById('chart-title').textContent === name", arg=WATCHED)
    page.locator("#values .line").wait_for()
    line, begun = page.get_attribute("#values .line", "d"), time.monotonic()
    page.wait_for_function("d => document.querySelector('#values .line').getAttribute('d') !== d", arg=line)
    moved, marked, silent = time.monotonic() - begun, list[float](), 0
    for _ in range(3):
        seq, alarm, answered = feed.spike()
        if not alarm:  # in the cool-down of the spike before
            silent += 1
        else:
            text = f"Event {seq:,}:"
            page.wait_for_function("t => document.getElementById('alarm-list').textContent.includes(t)", arg=text)
            assert page.locator("#values .mark").count(), "the alarm is not marked in the chart"
            marked.append(time.monotonic() - answered)
        time.sleep(4)
    shown = page.evaluate("document.documentElement.scrollWidth")
    assert shown <= width, f"the page is {shown} pixels wide, the window {width}"
    assert marked, "no spike gave an alarm"
    spikes = f"{', '.join(f'{one:.2f}' for one in marked)} s ({silent} within a cool-down)"
    return f"streams after {appear:.2f} s, the chart moved after {moved:.2f} s, spikes marked after {spikes}"


class Looks:
    """The page at one width and in one scheme.

    Args:
        browser: Chromium.
        width: The width of the window in pixels.
        scheme: light or dark.
        axe: The text of axe-core; empty for none.
        pictures: The folder of the pictures; None for none.
    """

    def __init__(self, browser: Any, width: int, scheme: str, axe: str, pictures: Path | None) -> None:
        self._browser, self._width, self._axe, self._pictures = browser, width, axe, pictures
        self._how = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme, "bypass_csp": bool(axe)}
        self.name = f"{width}-{scheme}"

    def chart(self, feed: Feed, complaints: list[str]) -> str:
        """Look at the chart, at the table, and at streams with unusual ids."""
        page = self._browser.new_page(**self._how)
        page.on("console", lambda one: complaints.append(one.text))
        page.on("pageerror", lambda one: complaints.append(str(one)))
        found = watch(page, feed, self._width) + self._seen(page, "chart")
        page.locator("details summary").press("Enter")
        page.locator("#rows tr").nth(5).wait_for()
        found += self._seen(page, "table")
        for key in NAMES[12:]:
            page.locator("#streams button").and_(page.locator(f'[data-id="{key}"]')).click()
            page.wait_for_function("n => document.getElementById('chart-title').textContent === n", arg=key)
            assert page.evaluate("document.documentElement.scrollWidth") <= self._width, key
        found += self._seen(page, "long")
        page.close()
        return found

    def form(self, server: Server, secret: str) -> str:
        """Look at the form for the token, and fill it in."""
        page = self._browser.new_page(**self._how)
        page.goto(f"http://127.0.0.1:{server.port}/")
        page.locator("#token").wait_for()
        found = self._seen(page, "token")
        page.locator("#token").fill(secret)
        page.locator("#token").press("Enter")
        page.locator("#state", has_text="Connected.").wait_for()
        page.close()
        return found

    def text(self, server: Server, complaints: list[str]) -> str:
        """Look at a stream of text."""
        page = self._browser.new_page(**self._how)
        page.on("console", lambda one: complaints.append(one.text))
        page.on("pageerror", lambda one: complaints.append(str(one)))
        page.goto(f"http://127.0.0.1:{server.port}/")
        page.locator("#nats .sign").nth(10).wait_for()
        found = self._seen(page, "text")
        page.close()
        return found

    def _seen(self, page: Any, what: str) -> str:
        """Draw the page, and return what axe-core says of it."""
        if self._pictures:
            page.screenshot(path=self._pictures / f"{self.name}-{what}.png", full_page=True)
        if not self._axe:
            return ""
        page.evaluate(self._axe)
        violations, undecided = page.evaluate(AXE)
        return f"\n  axe-core, {what}: {len(violations)} violations {violations or ''}, undecided {undecided or 0}"


def main() -> None:
    """Open the page in each way, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--axe", type=Path)
    parser.add_argument("--pictures", type=Path)
    given = parser.parse_args()
    axe, complaints = given.axe.read_text(encoding="utf-8") if given.axe else "", list[str]()
    if given.pictures:
        given.pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        model, reference, tokens = (Path(folder) / name for name in ("model.ost", "reference.csv", "tokens.json"))
        save_model(zoo.fitted("series", "gru"), model)
        rng = np.random.default_rng(0)
        rows = [f"{50 + 10 * np.sin(i / 8) + rng.standard_normal():.4f}" for i in range(20_000)]
        reference.write_text("\n".join(["y", *rows, ""]))
        secret = add(tokens, "page", None, None, None)
        server = Server(model, Path(folder) / "open", "--alarm", "0.001", "--reference", str(reference))
        guarded = Server(model, Path(folder) / "guarded", "--tokens", str(tokens))
        feed, words = Feed(server), Path(folder) / "words.ost"
        save_model(zoo.fitted("text", "gru"), words)
        spoken = Server(words, Path(folder) / "spoken")
        assert spoken.ask("POST", "/v1/streams/text/events", {"y": "abacabac" * 40})[0] == 200
        try:
            browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            for width, scheme in itertools.product((400, 1400), ("light", "dark")):
                looks = Looks(browser, width, scheme, axe, given.pictures)
                found = looks.chart(feed, complaints) + looks.form(guarded, secret) + looks.text(spoken, complaints)
                print(f"{looks.name}: {found}", flush=True)
            browser.close()
        finally:
            feed.close()
            said = server.close() + guarded.close() + spoken.close()
        assert "Traceback" not in said, said
    print(f"console: {complaints or 'nothing'}")


if __name__ == "__main__":
    main()
