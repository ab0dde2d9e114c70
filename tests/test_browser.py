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
    titles = page.locator(".role-title-text").all_text_contents()
    at = page.locator(f".vega-bindings input[name={control}]").input_value()
    set_control(page, control, 1)
    assert changes(page, first)
    assert page.locator(".role-title-text").all_text_contents() != titles
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


# ---- the atlas --------------------------------------------------------------------------------------------


@pytest.fixture
def atlas(built_book, visit):
    """Open the atlas at a view."""

    def opened(view: str = "", **window) -> Visit:
        there = visit(built_book / "notebooks/13_atlas.html", **window)
        there.page.wait_for_function("document.querySelector('#atlas output')?.textContent")
        if view:
            there.page.evaluate("view => { location.hash = view; }", view)
            there.page.wait_for_function("view => location.hash.includes(view)", arg=view)
        return there

    return opened


def drawn(page: Page) -> list[str]:
    """Every mark and word of the atlas's figures, once they are at rest."""
    marks = "[...document.querySelectorAll('#atlas figure:not([hidden]) svg :is(path, line, text)')]"
    before, now = None, []
    while before != now:
        before = now
        page.wait_for_timeout(400)
        # Ticks keep the order in which they came, gradients a number and the page's address.
        now = page.evaluate(f"{marks}.map(mark => mark.outerHTML.replace(/url\\(.*?\\)/, '')).sort()")
    return now


def move(page: Page, control: str, value: str) -> None:
    """Choose from a list, or push a slider by the keyboard."""
    at = page.locator(f"#atlas [name={control}]")
    at.press(value) if control in ("layer", "step") else at.select_option(value)


LAB_VIEW = "#model=bloom-m-the-labs-text&measure=SADS&layer=2&step=400"


@pytest.mark.parametrize(
    ("control", "value"),
    [("model", "bloom-s-the-labs-text"), ("measure", "LRDS"), ("layer", "ArrowRight"), ("step", "ArrowLeft")],
)
def test_every_control_of_the_atlas_changes_what_is_drawn_and_its_address(atlas, control, value):
    opened = atlas(LAB_VIEW)
    page, before = opened.page, (drawn(opened.page), opened.page.url)
    move(page, control, value)
    after = drawn(page), page.url
    assert after[0] != before[0] and after[1] != before[1]
    assert opened.wrong == []


def test_the_address_of_an_atlas_view_brings_it_back(atlas):
    page = atlas(f"{LAB_VIEW}&language=Hindi&with=English").page
    move(page, "layer", "ArrowRight")
    sent, view = page.url, drawn(page)
    page.goto("about:blank")
    page.goto(sent)
    page.wait_for_function("document.querySelector('#atlas output')?.textContent")
    assert "layer=3" in sent and drawn(page) == view
    assert page.locator("#atlas section h3").inner_text() == "Hindi with English, layer 3, step 400"


def test_a_language_is_chosen_by_keyboard_and_mutes_the_others_in_every_figure(atlas):
    page = atlas(LAB_VIEW).page
    page.locator("[data-figure=languages] summary").press("Enter")
    hindi = page.locator("[data-figure=languages] .atlas-table button", has_text="Hindi").first
    hindi.press("Enter")
    assert "language=Hindi" in page.url
    drawn(page)
    for figure in ("layers", "steps", "languages", "pairs"):
        marks = f"[...document.querySelectorAll('[data-figure={figure}] svg [opacity]')]"
        opacities = page.evaluate(f"{marks}.map(mark => Number(mark.getAttribute('opacity')))")
        assert min(opacities) < 0.3 < max(opacities), figure
    assert page.evaluate("document.activeElement.closest('.atlas-table') !== null")
    page.locator("#atlas [name=all]").press("Enter")
    assert "language" not in page.url


def test_a_chosen_cell_shows_its_sentences_in_their_own_direction_and_its_neurons(atlas):
    page = atlas("#model=bloom-xs-12-sentences-of-world&measure=SADS&layer=1&step=100&language=Arabic").page
    cell = page.locator("#atlas section")
    cell.locator("td[dir=rtl][lang=ar]").first.wait_for()
    assert cell.locator("td[lang=en]").count() == cell.locator("td[dir=rtl]").count() == 10
    assert "key neuron" in cell.inner_text().lower()


def test_of_text_that_is_not_ours_the_atlas_shows_the_address_alone(atlas):
    page = atlas("#model=gemma-3-270m-pud&measure=SADS&layer=6&step=finished&language=Hindi").page
    link = page.locator("#atlas section a")
    link.wait_for()
    assert link.get_attribute("href") == "https://universaldependencies.org/treebanks/hi_pud/index.html"
    assert page.locator("#atlas section td").count() == 0


def test_a_csv_of_the_atlas_holds_the_table_beneath_its_figure(atlas):
    page = atlas(LAB_VIEW).page
    with page.expect_download() as fetched:
        page.locator("[data-figure=layers] [data-fetch=csv]").press("Enter")
    lines = Path(fetched.value.path()).read_text(encoding="utf-8").splitlines()
    rows = "[...document.querySelectorAll('[data-figure=layers] tr')]"
    assert lines == page.evaluate(f"{rows}.map(row => [...row.cells].map(cell => cell.textContent).join())")
    assert len(lines) == 7 and lines[3].startswith("layer 2,")


@pytest.mark.parametrize(("form", "start"), [("svg", b"<svg"), ("png", b"\x89PNG")])
def test_a_figure_of_the_atlas_is_fetched_with_the_network_off(atlas, form, start):
    opened = atlas(LAB_VIEW)
    with opened.page.expect_download() as fetched:
        opened.page.locator(f"[data-figure=pairs] [data-fetch={form}]").press("Enter")
    assert Path(fetched.value.path()).read_bytes().startswith(start)
    assert opened.wrong == []


def test_the_atlas_fits_a_phone_with_hundreds_of_languages(atlas):
    view = "#model=gemma-3-270m-the-declaration&measure=translations+found&layer=5&step=finished"
    opened = atlas(view, width=360)
    drawn(opened.page)
    dots = "document.querySelectorAll('[data-figure=families] .mark-symbol path').length"
    assert opened.page.evaluate(dots) > 300
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 360
    boxes = (
        "[...document.querySelectorAll('#atlas .atlas-chart')].map(box => box.scrollWidth - box.clientWidth)"
    )
    assert max(opened.page.evaluate(boxes)) <= 0


def test_the_atlas_weighs_less_than_three_megabytes(built_book):
    assert (built_book / "notebooks/13_atlas.html").stat().st_size < 3e6
