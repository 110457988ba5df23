"""Check the built site in Chromium: what the search finds, the links, the width of pages, and accessibility.

python tools/check_site.py out/site [--axe node_modules/axe-core/axe.min.js] [--pictures out/pictures] [--external]

``WORDS`` lists what a newcomer types, and the page that must be among the first two results. With ``--axe`` every
page is checked by axe-core (npm i axe-core). With ``--pictures`` every page is drawn at 400 and 1,400 pixels.
``--external`` asks the addresses outside of the site too. The exit code is 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import itertools
import shutil
import sys
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

#: What is typed, and the page that answers it, for each language.
WORDS = {
    "": {
        "sales": "guides/sales",
        "predict": "forecast",
        "weather": "guides/electricity",
        "stock prices": "guides/prices",
        "value at risk": "guides/prices",
        "anomaly detection": "guides/sensor",
        "alarm": "live",
        "linguistics": "guides/surprisal",
        "audio": "guides/sound",
        "pytorch": "guides/swap-torch",
        "gpu": "guides/gpu-cluster",
        "cluster": "guides/gpu-cluster",
        "vanishing gradient": "theory/08-vanishing-exploding",
        "lstm": "theory/10-lstm",
        "excel": "reading",
        "missing values": "tables",
        "holidays": "guides/electricity",
        "confidence interval": "live",
        "cross-validation": "backtest",
        "statsforecast": "coming-from",
        "rest api": "serve",
        "install": "index",
        "csv": "reading",
        "pandas": "reading",
        "anomaly": "guides/sensor",
        "perplexity": "guides/surprisal",
        "learning rate": "options",
        "hidden size": "options",
        "seasonality": "forecast",
        "prophet": "coming-from",
        "batch size": "api",
        "real time": "live",
        "export": "edge",
        "onnx": "edge",
        "Korean": "guides/surprisal",
        "install error": "messages",
        "out of memory": "scale",
        "notebook": "api",
    },
    "ko": {
        "매출": "guides/sales",
        "예측": "forecast",
        "날씨": "guides/electricity",
        "주식": "guides/prices",
        "위험": "guides/prices",
        "이상 탐지": "guides/sensor",
        "경보": "live",
        "언어학": "guides/surprisal",
        "녹음": "guides/sound",
        "PyTorch": "guides/swap-torch",
        "GPU": "guides/gpu-cluster",
        "클러스터": "guides/gpu-cluster",
        "기울기 소실": "theory/08-vanishing-exploding",
        "LSTM": "theory/10-lstm",
        "엑셀": "reading",
        "결측값": "tables",
        "휴일": "guides/electricity",
        "신뢰 구간": "live",
        "교차 검증": "backtest",
        "서버": "serve",
        "설치": "index",
        "용어집": "glossary",
        "csv": "reading",
        "이상": "guides/sensor",
        "퍼플렉서티": "guides/surprisal",
        "학습률": "options",
        "은닉 크기": "options",
        "계절성": "forecast",
        "prophet": "coming-from",
        "배치 크기": "api",
        "실시간": "live",
        "내보내기": "edge",
        "onnx": "edge",
        "형태소": "guides/surprisal",
        "설치 오류": "messages",
        "메모리 부족": "scale",
        "노트북": "api",
    },
}
#: What reaches beyond the screen and stands in no box that scrolls.
WIDER = """() => [...document.querySelectorAll('article *')].filter(e => {
  const box = e.getBoundingClientRect();
  for (let p = e.parentElement; p && p.tagName !== 'ARTICLE'; p = p.parentElement)
    if (getComputedStyle(p).overflowX !== 'visible') return false;
  return box.width && box.right > innerWidth + 1;
}).slice(0, 3).map(e => e.outerHTML.slice(0, 90))"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A server of files without a log."""

    def log_message(self, *_args: Any) -> None:  # noqa: D102, the name is that of http.server
        pass


def found(page: Any, base: str, language: str, words: str) -> list[str]:
    """Return the pages that the search of the site finds, best first."""
    root = f"{base}/{language}/" if language else f"{base}/"
    page.goto(f"{root}search.html?q={urllib.parse.quote(words)}")
    # results appear one by one, and the message at their end is empty in Korean
    count, before = 0, -1
    while count != before:
        page.wait_for_timeout(500)
        count, before = page.locator("#search-results h2, #search-results li").count(), count
    links = page.eval_on_selector_all("#search-results li > a", "all => all.map(a => a.href)")
    short = (link.split("?")[0].split("#")[0].removeprefix(root).removesuffix(".html") for link in links)
    return list(dict.fromkeys(short))


def search(page: Any, site: Path, base: str) -> Iterator[str]:
    """Yield the words whose page is not among the first two results."""
    for language, words in WORDS.items():
        if not (site / language / "search.html").exists():
            yield f"search {language or 'en'}: this site was not built"
            continue
        hits = 0
        for word, expected in words.items():
            first = found(page, base, language, word)[:2]
            hits += expected in first
            if expected not in first:
                yield f"search {language or 'en'}: {word!r} finds {first}, not {expected}"
        print(f"search {language or 'en'}: {hits} of {len(words)} words")


def links(page: Any, where: str, site: Path, base: str) -> Iterator[str]:
    """Yield the links within the site that lead nowhere."""
    for link in page.eval_on_selector_all("a[href], img[src]", "all => all.map(a => a.href || a.src)"):
        address, _, anchor = link.partition("#")
        if not address.startswith(base):
            continue
        target = site / urllib.parse.unquote(urllib.parse.urlsplit(address).path).lstrip("/")
        target = target / "index.html" if target.is_dir() else target
        if not target.exists():
            yield f"{where}: no file for {link}"
        elif anchor and f'id="{urllib.parse.unquote(anchor)}"' not in text_of(target):
            yield f"{where}: no place for {link}"


@functools.cache
def text_of(path: Path) -> str:
    """Return the text of a page."""
    return path.read_text(encoding="utf-8") if path.suffix == ".html" else ""


def accessible(page: Any, where: str, axe: str) -> Iterator[str]:
    """Yield the rules of axe-core that a page breaks."""
    page.evaluate(axe)
    for one in page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]:
        yield f"{where}: axe {one['id']} ({one['impact']}), {len(one['nodes'])}: {one['nodes'][0]['html'][:110]}"


def external(page: Any, base: str) -> list[str]:
    """Return the addresses of a page that lie outside of the site."""
    every: list[str] = page.eval_on_selector_all("a[href]", "all => all.map(a => a.href)")
    return [one for one in every if one.startswith("http") and not one.startswith(base)]


def reached(address: str) -> bool:
    """Say whether an address answers."""
    request = urllib.request.Request(address.split("#", maxsplit=1)[0], headers={"User-Agent": "Mozilla/5.0"})
    try:
        with urllib.request.urlopen(request, timeout=20):
            return True
    except OSError:
        return False


def look(browser: Any, site: Path, base: str, told: argparse.Namespace) -> Iterator[str]:
    """Yield what is wrong on any page, at both widths."""
    axe = told.axe.read_text(encoding="utf-8") if told.axe else ""
    pages = sorted(path.relative_to(site) for path in site.rglob("*.html"))
    outside: set[str] = set()
    for width in (400, 1400):
        page = browser.new_page(viewport={"width": width, "height": 900})
        for path in pages:
            where = f"{path} at {width}"
            page.goto(f"{base}/{path}")
            wide = page.evaluate(WIDER)
            if wide:
                yield f"{where}: wider than the screen: {wide}"
            if axe:
                yield from accessible(page, where, axe)
            if width == 400:
                yield from links(page, where, site, base)
                outside |= set(external(page, base))
            if told.pictures:
                name = str(path.with_suffix("")).replace("/", "-")
                told.pictures.mkdir(parents=True, exist_ok=True)
                page.screenshot(path=told.pictures / f"{name}-{width}.png", full_page=True)
        page.close()
    print(f"{len(pages)} pages at 400 and 1,400 pixels; {len(outside)} addresses outside")
    if told.external:
        yield from (f"no answer: {one}" for one in sorted(outside) if not reached(one))


def main() -> int:
    """Run the checks, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", type=Path)
    parser.add_argument("--axe", type=Path)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--external", action="store_true")
    parser.add_argument("--search", action="store_true", help="the search alone")
    told = parser.parse_args()
    site = told.site.resolve()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        wrong = search(browser.new_page(), site, base)
        count = 0
        for one in wrong if told.search else itertools.chain(wrong, look(browser, site, base, told)):
            print(one, flush=True)  # at once, since a hundred pages take minutes
            count += 1
        browser.close()
    server.shutdown()
    return bool(count)


if __name__ == "__main__":
    sys.exit(main())
