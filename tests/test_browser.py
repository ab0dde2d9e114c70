"""The built book in a real browser with the network off: it draws, stays silent, and its controls work."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import fake_tables
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from test_book import PAGES, ROOT
from test_charts import corpus

from lingua_utils.charts import evolution, similarity, theme

CHROMIUM = "/usr/bin/chromium"
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 120_000  # milliseconds; a page takes one or two seconds, much more on a busy machine
DRAWN = "() => [...document.querySelectorAll('[id^=altair-viz]')].every(chart => chart.querySelector('svg'))"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; without it these tests fail, they do not skip."""
    if not Path(CHROMIUM).exists():
        pytest.fail(f"no browser at {CHROMIUM}; install it with `apt-get install chromium`", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


class Visit:
    """A page opened from disk with the network blocked, and everything that went wrong on it."""

    def __init__(self, context: BrowserContext, path: Path) -> None:
        self.wrong: list[str] = []
        context.route("**/*", self._only_files)
        context.set_default_timeout(PATIENCE)
        self.page: Page = context.new_page()
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("requestfailed", lambda request: self.wrong.append(f"failed: {request.url}"))
        self.page.goto(path.as_uri())
        self.page.wait_for_function(DRAWN)

    def _only_files(self, route) -> None:
        if route.request.url.startswith(("file:", "data:", "blob:")):
            route.continue_()
        else:
            route.abort()

    def _listen(self, message) -> None:
        if message.type in {"error", "warning"}:
            self.wrong.append(f"{message.type}: {message.text}")


@pytest.fixture
def visit(browser):
    """Open a page in a context of its own."""
    contexts = []

    def opened(path: Path, scheme: str = "light", width: int = 1400) -> Visit:
        contexts.append(browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}))
        return Visit(contexts[-1], path)

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 420)])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_shown_whole_in_silence_and_fits_its_window(built_book, visit, name, scheme, width):
    opened = visit(built_book / f"{name}.html", scheme, width)
    assert opened.wrong == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_run_page_is_shown_whole_and_in_silence(built_book, visit):
    page = next((built_book / "runs").rglob("04_similarity.html"))
    assert visit(page).wrong == []


def test_charts_stand_on_the_dark_page_without_a_light_box(built_book, visit):
    page = visit(built_book / "notebooks/08_evolution.html", "dark").page
    boxes = "[...document.querySelectorAll('.output.text_html:has(.vega-embed)')]"
    colours = page.evaluate(f"{boxes}.map(box => getComputedStyle(box).backgroundColor)")
    assert set(colours) == {"rgba(0, 0, 0, 0)"}
    labels = "[...document.querySelectorAll('.vega-embed .role-axis-label text')]"
    assert page.evaluate(f"getComputedStyle({labels}[0]).fill === getComputedStyle(document.body).color")


def test_formulas_are_set_by_the_local_mathjax(built_book, visit):
    page = visit(built_book / "book/method.html").page
    page.wait_for_selector("mjx-container")
    assert page.locator("mjx-merror").count() == 0


def drawing(page: Page) -> str:
    """Places and colours of the marks of the page's first chart that has a control, or else of its first."""
    return page.evaluate(
        "[...([...document.querySelectorAll('.vega-embed')]"
        ".find(chart => chart.querySelector('.vega-bindings input')) ?? document)"
        ".querySelector('svg.marks').querySelectorAll('.mark-symbol path, .mark-rect path')]"
        ".map(mark => ['transform', 'd', 'fill'].map(name => mark.getAttribute(name)).join()).join()"
    )


def set_control(page: Page, name: str, value: int) -> None:
    page.evaluate(
        "([name, value]) => { const input = document.querySelector(`.vega-bindings input[name=${name}]`);"
        "input.value = value; input.dispatchEvent(new Event('input')); }",
        [name, value],
    )


def changes(page: Page, before: str, seconds: int = 30) -> bool:
    """Whether the drawing changes, which takes the browser a moment."""
    for _ in range(10 * seconds):
        if drawing(page) != before:
            return True
        page.wait_for_timeout(100)
    return False


MOVED = {
    "the sentence map by its step": (
        lambda: evolution.sentence_map(fake_tables.projection(), corpus()),
        "step_at",
    ),
    "the sentence map by its layer": (
        lambda: evolution.sentence_map(fake_tables.projection(), layer="all"),
        "layer_at",
    ),
    "the mean cosines by their step": (
        lambda: similarity.mean_cosines(fake_tables.cosines()),
        "step_at",
    ),
    "the retrieval map by its step": (lambda: similarity.retrieval_map(fake_tables.retrieval()), "step_at"),
}


@pytest.mark.parametrize("moved", MOVED)
def test_a_moved_slider_changes_the_drawing_there_and_back(visit, chart_page, moved):
    chart, control = MOVED[moved]
    opened = visit(chart_page(chart()))
    page, first = opened.page, drawing(opened.page)
    titles = page.locator(".role-title-subtitle").all_text_contents()
    at = page.locator(f".vega-bindings input[name={control}]").input_value()
    set_control(page, control, 1)
    assert changes(page, first)
    assert page.locator(".role-title-subtitle").all_text_contents() != titles
    there = drawing(page)
    set_control(page, control, at)
    assert changes(page, there)
    assert drawing(page) == first
    assert opened.wrong == []


def test_the_sentence_map_opens_the_book_and_answers_its_slider(built_book, visit):
    page = visit(built_book / "book/intro.html").page
    page.locator(".vega-bindings input[name=step_at]").first.wait_for()
    before = drawing(page)
    assert int(page.locator(".vega-bindings input[name=step_at]").first.get_attribute("max")) >= 1
    set_control(page, "step_at", 0)
    assert changes(page, before)


def test_the_sentence_map_is_coloured_by_language_when_asked(visit, chart_page):
    page = visit(chart_page(evolution.sentence_map(fake_tables.projection(), corpus()))).page
    before = drawing(page)
    page.locator("input[name=colour_by][value=language]").check()
    assert changes(page, before)


def test_a_sentence_that_is_pointed_at_or_chosen_stands_beside_the_map_with_its_translations(
    visit, chart_page
):
    text = corpus()
    text.texts = tuple(tuple(f"{code} number{at}" for at in range(20)) for code in text.languages)
    opened = visit(chart_page(evolution.sentence_map(fake_tables.projection(), text)))
    page, texts = opened.page, text.texts

    def shown():
        return "".join(page.locator(".vega-embed .mark-text").all_text_contents())

    assert all(column[0] in shown() for column in texts)
    before = drawing(page)
    page.locator("select[name=marked_sentence]").select_option(label=texts[0][13])
    assert changes(page, before)
    assert all(column[13] in shown() for column in texts)
    before = drawing(page)
    page.locator(".vega-embed .mark-symbol path").first.dispatch_event("click")
    assert changes(page, before)
    assert opened.wrong == []


def test_a_text_beside_the_map_is_shown_as_text(visit, chart_page):
    hostile = "<img src=x onerror='window.broken=true'></script><b>bold</b>"
    opened = visit(chart_page(evolution.sentence_map(fake_tables.projection(), corpus(hostile))))
    shown = opened.page.locator(".vega-embed svg.marks")
    assert "onerror='window.broken=true'" in "".join(shown.locator(".mark-text").all_text_contents())
    assert shown.locator("img, b").count() == 0
    assert opened.page.evaluate("window.broken") is None
    assert opened.wrong == []


def test_a_missing_request_would_be_noticed(visit, tmp_path):
    page = tmp_path / "asks.html"
    page.write_text("<!doctype html><title>asks</title><img src='https://example.org/picture.png'>")
    assert any("example.org" in line for line in visit(page).wrong)


@pytest.fixture
def chart_page(tmp_path):
    """A page with one chart as a notebook shows it, beside the book's bundle."""
    specification = importlib.util.spec_from_file_location("offline", ROOT / "book" / "_ext" / "offline.py")
    offline = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(offline)

    def write(chart) -> Path:
        theme.use()
        (tmp_path / "bundle.js").write_text(offline.bundle(), encoding="utf-8")
        page = tmp_path / "chart.html"
        page.write_text(
            "<!doctype html><meta charset='utf-8'><title>chart</title><script src='bundle.js'></script>"
            f"<body style='width: 800px'>{chart._repr_mimebundle_()['text/html']}</body>",
            encoding="utf-8",
        )
        return page

    return write
