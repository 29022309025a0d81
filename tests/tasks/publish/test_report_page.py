"""The report page as a person meets it: in a real browser, from a file, on data that the factory made."""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from storage.records import PairRow, RejectRow
from tasks.publish.provenance import explain_version

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARTIFACTS = Path(__file__).parents[3] / "test-artifacts" / "report"
WIDE, NARROW = ("wide", 1280, "light"), ("narrow", 390, "dark")
both_views = pytest.mark.parametrize("view", [WIDE, NARROW], ids=["wide", "narrow"], indirect=True)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(240),
    pytest.mark.skipif(
        CHROMIUM is None, reason="no chromium on this machine: apt-get install chromium to test the report page"
    ),
]


@dataclass
class Tab:
    """A page with everything that it asked of the network or said on the console."""

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def shot(self, name: str, full: bool = False) -> None:
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        path = ARTIFACTS / f"{name}.png"
        self.page.screenshot(path=path, full_page=full)
        print(f"screenshot {path}")

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def focused(self) -> str:
        """The sample whose button has the focus, or the id of whatever has it."""
        return self.page.evaluate("document.activeElement.dataset.open ?? document.activeElement.id")

    def colour(self) -> tuple[int, int, int]:
        found = re.findall(r"\d+", self.page.evaluate("getComputedStyle(document.body).backgroundColor"))
        return int(found[0]), int(found[1]), int(found[2])


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def view(request: pytest.FixtureRequest) -> tuple[str, int, str]:
    """Name, width and colour scheme of the window."""
    return getattr(request, "param", WIDE)


@pytest.fixture
def tab(browser: Any, factory_version: Any, view: tuple[str, int, str]) -> Iterator[Tab]:
    """The page open from its file; when the test is done, it has fetched nothing and complained of nothing."""
    context = browser.new_context(viewport={"width": view[1], "height": 860}, color_scheme=view[2])
    tab = Tab(context.new_page())
    tab.page.set_default_timeout(40_000)
    address = (factory_version.folder / "card" / "report.html").as_uri()
    tab.page.on("request", lambda r: None if r.url.startswith(("data:", address)) else tab.requests.append(r.url))
    tab.page.on("console", lambda m: tab.complaints.append(m.text) if m.type in ("error", "warning") else None)
    tab.page.on("pageerror", lambda error: tab.complaints.append(str(error)))
    tab.page.goto(address)
    yield tab
    assert tab.requests == []
    assert tab.complaints == []
    context.close()


@pytest.fixture
def rows(factory_version: Any) -> list[PairRow]:
    """The accepted samples, in their order."""
    return list(factory_version.rows())


@pytest.fixture
def samples(rows: list[PairRow]) -> list[str]:
    """Their ids."""
    return [row.sample_id for row in rows]


@pytest.fixture
def reject(factory_version: Any) -> RejectRow:
    """A rejected sample."""
    return next(factory_version.rejects())


@both_views
def test_films_and_figures_are_there_and_fit_the_width(
    tab: Tab, view: tuple[str, int, str], samples: list[str], factory_version: Any
) -> None:
    shown = tab.page.eval_on_selector_all(".film", "buttons => buttons.map(b => b.dataset.open)")
    assert shown == samples
    loaded = "all => Promise.all(all.map(i => i.decode().then(() => i.naturalWidth)))"
    assert tab.page.eval_on_selector_all(".film img", loaded) == [128] * len(samples)
    assert tab.page.evaluate("document.documentElement.scrollWidth") == view[1]
    manifest = factory_version.manifest
    figures = tab.text(".figures")
    assert f"accepted\n{manifest.accepted}" in figures
    assert f"rejected\n{manifest.rejected}" in figures
    assert manifest.rejected > 0
    for chart in ("#balance .bars rect.accepted", "#gates .histogram rect.refused", "#yields rect.accepted"):
        assert tab.page.locator(chart).count() > 0, chart
    tab.page.evaluate("scrollTo(0, 0)")
    tab.shot(f"{view[0]}-{view[2]}-top")
    tab.shot(f"{view[0]}-{view[2]}-whole", full=True)


def test_a_search_finds_films_and_rejects_and_says_how_many(tab: Tab, rows: list[PairRow], reject: RejectRow) -> None:
    samples, entity = [row.sample_id for row in rows], rows[0].entities[0]
    has = {row.sample_id for row in rows if entity in row.entities}
    tab.page.fill("#query", entity.replace("_", " ").upper())
    visible = tab.page.eval_on_selector_all(".film", "all => all.filter(b => b.offsetParent).map(b => b.dataset.open)")
    assert set(visible) == has
    assert len(has) < len(samples)
    assert tab.text("#found").startswith(f"{len(has)} of {len(samples)} films")
    tab.page.fill("#query", f"{reject.sample_id} {reject.gate}")
    assert tab.page.locator(".refusal:visible").count() == 1
    assert tab.page.locator("#films .none").is_visible()
    tab.page.fill("#query", "no such words")
    assert tab.page.locator(".film:visible, .refusal:visible").count() == 0
    tab.page.press("#query", "Escape")
    assert tab.page.locator(".film:visible").count() == len(samples)
    assert tab.text("#found") == ""


@both_views
def test_the_keyboard_alone_is_enough(tab: Tab, view: tuple[str, int, str], samples: list[str]) -> None:
    keys = tab.page.keyboard
    for _ in range(12):
        keys.press("Tab")
        if tab.focused() == samples[0]:
            break
    assert tab.focused() == samples[0]
    ring = tab.page.evaluate("(s => [s.outlineStyle, s.outlineWidth])(getComputedStyle(document.activeElement))")
    assert ring == ["solid", "3px"]
    tab.shot(f"{view[0]}-{view[2]}-focus")
    keys.press("ArrowRight")
    assert tab.focused() == samples[1]
    keys.press("ArrowLeft")
    columns = tab.page.evaluate("new Set([...document.querySelectorAll('.film')].map(f => f.offsetLeft)).size")
    keys.press("ArrowDown")
    assert tab.focused() == samples[columns]
    keys.press("Enter")
    assert tab.text("#viewer-title") == samples[columns]
    tab.shot(f"{view[0]}-{view[2]}-sample")
    keys.press("ArrowRight")
    assert tab.text("#viewer-title") == samples[columns + 1]
    keys.press("Escape")
    assert tab.page.locator("#viewer").is_hidden()
    assert tab.focused() == samples[columns + 1]
    keys.press("End")
    assert tab.focused() == samples[-1]
    for _ in range(2):  # the narrow page has a table that scrolls sideways in between, with a tab stop of its own
        keys.press("Tab")
        if tab.page.evaluate("document.activeElement.className") == "refusal":
            break
    assert tab.page.evaluate("document.activeElement.className") == "refusal"
    keys.press("/")
    assert tab.focused() == "query"


def test_a_sample_tells_where_it_comes_from(tab: Tab, rows: list[PairRow], factory_version: Any) -> None:
    row = rows[1]
    tab.page.click(f'[data-open="{row.sample_id}"]')
    told = tab.text("#viewer-text")
    facts = [
        row.findings,
        row.impression,
        str(row.report_seed),
        str(row.image_seed),
        row.png_sha256,
        "pairs/00000.tar",
    ]
    facts += [entity.partition("/")[2] for entity in row.entities]
    facts += [value for chapter in explain_version(factory_version.manifest) for _, value in chapter.facts]
    assert [fact for fact in facts if fact not in told] == []
    scores = tab.page.eval_on_selector_all(
        "#viewer-text .scores tbody th", "all => all.map(t => t.firstChild.textContent)"
    )
    assert scores == [gate.gate.replace("_", " ") for gate in row.gates]
    size, first = map(int, re.findall(r"png\s+(\d+) bytes from byte (\d+)", told)[0])
    tar = (factory_version.folder / "pairs" / "00000.tar").read_bytes()
    assert tar[first : first + 4] == b"\x89PNG"
    assert tar[first + size - 8 : first + size - 4] == b"IEND"


@both_views
def test_a_reject_tells_why_and_has_no_film(tab: Tab, view: tuple[str, int, str], reject: RejectRow) -> None:
    tab.page.click(f'[data-open="{reject.sample_id}"]')
    told = tab.text("#viewer-text")
    for fact in (reject.reason, reject.gate, reject.findings, "Rejected", "rejects/00000.parquet"):
        assert fact in told, fact
    assert tab.page.locator("#viewer-film").is_hidden()
    assert tab.page.locator("#viewer-text .failed").count() == 1
    tab.shot(f"{view[0]}-{view[2]}-reject")
    tab.page.click("#close")
    assert tab.page.locator("#viewer").is_hidden()


def test_a_sample_has_an_address(tab: Tab, samples: list[str]) -> None:
    tab.page.click(f'[data-open="{samples[2]}"]')
    assert tab.page.url.endswith(f"#{samples[2]}")
    tab.page.reload()
    assert tab.text("#viewer-title") == samples[2]
    tab.page.click("#close")
    tab.page.wait_for_function("location.hash === ''")  # the dialog's close event comes after the click


@both_views
def test_dark_follows_the_system_and_the_button_goes_against_it(tab: Tab, view: tuple[str, int, str]) -> None:
    dark = view[2] == "dark"
    assert (max(tab.colour()) < 60) is dark
    assert tab.page.get_attribute("#theme", "aria-pressed") == str(dark).lower()
    tab.page.click("#theme")
    assert (max(tab.colour()) < 60) is not dark
    assert tab.page.get_attribute("#theme", "aria-pressed") == str(not dark).lower()
    tab.shot(f"{view[0]}-{'light' if dark else 'dark'}-by-button")


@both_views
def test_every_text_can_be_read_on_its_ground(tab: Tab) -> None:
    """WCAG AA: 4.5 to 1, measured on the colours that the browser computes."""
    pairs = tab.page.evaluate(
        """() => [['body', 'body'], ['.note', 'body'], ['nav a', 'body'], ['.caption', '.film'],
                  ['.entities', '.film'], ['.refusal .report', '.refusal'], ['.refusal .reason', '.refusal'],
                  ['.plain', '.plain']]
        .map(([text, ground]) => [text, getComputedStyle(document.querySelector(text)).color,
                                  getComputedStyle(document.querySelector(ground)).backgroundColor])"""
    )
    assert {text: ratio for text, ink, ground in pairs if (ratio := contrast(ink, ground)) < 4.5} == {}


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours written as ``rgb(r, g, b)``."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_a_script_in_a_report_is_shown_as_text(tab: Tab, evil: str) -> None:
    assert "owned" not in tab.page.title()
    tab.page.click('[data-open="attack"]')
    assert evil in tab.text("#viewer-text")
    assert evil in tab.page.locator('[data-open="attack"]').text_content()
    assert tab.page.locator("script").count() == 1
    assert tab.page.locator("img:not([src^='data:image/webp'])").count() == 0
    assert "owned" not in tab.page.title()


def test_the_policy_stops_what_escaping_would_miss(tab: Tab) -> None:
    """Markup that did get in would still not run, load or send anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(1.0)
        tab.page.evaluate(
            """port => { for (const [tag, set] of [['script', {textContent: 'document.title = "owned"'}],
                                                   ['img', {src: `http://127.0.0.1:${port}/x.png`}]]) {
                try { document.body.append(Object.assign(document.createElement(tag), set)); } catch (error) {} } }""",
            server.getsockname()[1],
        )
        with pytest.raises(TimeoutError):
            server.accept()
    assert "owned" not in tab.page.title()
    assert any("Content Security Policy" in complaint for complaint in tab.complaints)
    tab.complaints.clear()
    tab.requests.clear()  # the browser announces a request before the policy refuses it
