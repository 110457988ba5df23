"""The page in a browser without a network: no requests, no console errors, and nothing wider than the screen."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hostile import KINDS

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt install chromium")

VIEWS = [(width, scheme) for width in (400, 1400) for scheme in ("light", "dark")]

#: Elements that reach beyond the screen, other than within a box that scrolls.
WIDER = """() => [...document.querySelectorAll('body *')].filter(e => {
  const box = e.getBoundingClientRect();
  return box.width && (box.right > innerWidth + 1 || box.left < -1) && !e.closest('.scroll *');
}).map(e => e.outerHTML.slice(0, 120))"""

#: Ratio of luminances (WCAG 2.1) of the text of every element with text of its own to what is behind it; the least.
CONTRAST = """() => {
  const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126*r + 0.7152*g + 0.0722*b; };
  const clear = c => c === 'transparent' || c.startsWith('rgba') && c.endsWith(', 0)');
  const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (!clear(c)) return c; } return 'rgb(255, 255, 255)'; };
  let worst = [99, ''];
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || !e.getClientRects().length) continue;
    const style = getComputedStyle(e), svg = e.namespaceURI.endsWith('svg');
    const [a, b] = [light(svg ? style.fill : style.color), light(behind(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < worst[0]) worst = [ratio, e.outerHTML.slice(0, 120)];
  }
  return worst; }"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as play:
        # inside a container chromium's own sandbox cannot be set up; the page is ours
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def show(browser: Any, path: Path, width: int, scheme: str) -> tuple[Any, list[str]]:
    """Open a page, and return it with its console messages and requests."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    page.on("dialog", lambda dialog: said.append(f"dialog: {dialog.message}"))
    page.on("request", lambda r: said.append(f"request: {r.url[:200]}") if r.url != path.as_uri() else None)
    page.goto(path.as_uri(), wait_until="load")
    return page, [line for line in said if not line.startswith("request: data:")]


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_shown(kind: str, width: int, scheme: str, pages: dict[str, Path], browser: Any) -> None:
    page, said = show(browser, pages[kind], width, scheme)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(WIDER) == []
    ratio, where = page.evaluate(CONTRAST)
    assert ratio >= 4.5, where
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")
    figures = page.query_selector_all("figure")
    assert figures
    for figure in figures:
        shown = [box for svg in figure.query_selector_all("svg") if (box := svg.bounding_box())]
        assert len(shown) == 1
        assert shown[0]["width"] > 250
        assert shown[0]["height"] > 100
    assert page.evaluate("window.hacked === undefined && document.scripts.length === 0")
    assert said == []
    page.context.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_printed_on_white(kind: str, pages: dict[str, Path], browser: Any) -> None:
    page, said = show(browser, pages[kind], 700, "dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    ratio, where = page.evaluate(CONTRAST)
    assert ratio >= 4.5, where
    assert page.pdf(format="A4").startswith(b"%PDF")
    assert said == []
    page.context.close()


def test_the_browser_check_finds_broken_pages(tmp_path: Path, browser: Any) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text(
        '<body style="background: #fff"><p style="width: 3000px; color: #ccc">wide</p>'
        '<img src="http://example.invalid/a.png"><script>console.error("no"); window.hacked = 1</script>'
    )
    page, said = show(browser, bad, 400, "light")
    assert page.evaluate(WIDER)
    assert page.evaluate(CONTRAST)[0] < 2
    assert {line.split(":")[0] for line in said} == {"console", "request"}
    page.context.close()
