"""The built book in a real browser with the network off: whole, silent, light, open to all, and it moves."""

import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import fake_tables
import in_group
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Locator, Page, sync_playwright
from playwright.sync_api import TimeoutError as TooLate
from test_book import CHAPTERS, PAGES, ROOT, extension
from test_charts import corpus

from lingua_utils.charts import evolution, similarity, theme
from workflow.print_argument import CHROMIUM, DRAWN, QUIET

PATIENCE = 120_000  # milliseconds; a page takes one or two seconds, much more on a busy machine
HEAVIEST = 3_000_000  # bytes of a page with all that it loads
FIRST_FIGURE = 2.0  # seconds
WINDOWS = [("light", 1280), ("dark", 360)]
# Axe would else fetch the style sheets again, which a page opened from disk may not.
AXE = {"resultTypes": ["violations"], "preload": False}


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
        self.loaded: set[Path] = set()
        context.route("**/*", self._only_files)
        context.set_default_timeout(PATIENCE)
        self.page: Page = context.new_page()
        self.page.on("console", self._listen)
        self.page.on("request", lambda request: self.loaded.add(Path(unquote(urlsplit(request.url).path))))
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

    def opened(path: Path, scheme: str = "light", width: int = 1400, **more) -> Visit:
        window = {"width": width, "height": 900}
        contexts.append(browser.new_context(color_scheme=scheme, viewport=window, **more))
        return Visit(contexts[-1], path)

    yield opened
    for context in contexts:
        context.close()


@dataclass(frozen=True)
class Seen:
    """What one visit of a page finds."""

    wrong: list[str]  # said on the console, failed, or asked of the network
    wider: list[str]  # the page and the boxes of its charts, where they scroll sideways
    barriers: list[str]  # serious and critical violations that axe finds, folded cells open
    weight: int  # bytes of the page and of all that it loads and a page of plain text does not
    first_figure: float | None  # seconds until the first chart is drawn


WIDER = """() => [document.documentElement, ...document.querySelectorAll('.vega-embed, .chart-wrapper')]
    .filter(box => box.scrollWidth > box.clientWidth + 1)
    .map(box => `${box.tagName}.${box.className}: ${box.scrollWidth} in ${box.clientWidth} pixels`)"""
# Folds within folds stay shut: they hold more of what the outer ones hold.
UNFOLD = """document.querySelectorAll('main details:not(.vega-embed *):not(details details)')
    .forEach(fold => fold.open = true)"""
CLOCK = """new MutationObserver((_, watch) => {
    if (!document.querySelector('[id^=altair-viz] svg')) return;
    window.firstFigure = performance.now() / 1000;
    watch.disconnect();
}).observe(document, {childList: true, subtree: true})"""


def barriers(page: Page) -> list[str]:
    """Serious and critical violations that axe finds on a page as it stands."""
    found = Axe().run(page, options=AXE).response["violations"]
    return [
        f"{violation['id']}: {node['html'][:200]}"
        for violation in found
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


@pytest.fixture(scope="module")
def seen(browser, built_book):
    """What a page looks like in a window, each visited once: ``seen(page, scheme, width)``."""
    known, contexts, shared = {}, {}, set()

    def look(name: str, scheme: str, width: int) -> Seen:
        if (scheme, width) not in contexts:
            window = {"width": width, "height": 900}
            contexts[scheme, width] = browser.new_context(color_scheme=scheme, viewport=window)
            contexts[scheme, width].add_init_script(CLOCK)
        visited = Visit(contexts[scheme, width], built_book / f"{name}.html")
        page, wrong = visited.page, list(visited.wrong)
        wider = page.evaluate(WIDER)
        page.evaluate(UNFOLD)
        page.wait_for_timeout(200)
        if not shared:
            shared.update(Visit(contexts[scheme, width], built_book / "book/glossary.html").loaded)
        weight = sum(path.stat().st_size for path in visited.loaded - shared if path.is_file())
        result = Seen(wrong, wider, barriers(page), weight, page.evaluate("window.firstFigure"))
        page.close()
        return result

    def once(*window) -> Seen:
        if window not in known:
            known[window] = look(*window)
        return known[window]

    yield once
    for context in contexts.values():
        context.close()


in_windows = pytest.mark.parametrize(("scheme", "width"), WINDOWS)
# The tests of one page run in one process, which visits it once.
of_pages = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in PAGES]
)


@in_windows
@of_pages
def test_a_page_is_shown_whole_and_in_silence(seen, name, scheme, width):
    assert seen(name, scheme, width).wrong == []


@in_windows
@of_pages
def test_neither_a_page_nor_a_chart_is_wider_than_its_window(seen, name, scheme, width):
    assert seen(name, scheme, width).wider == []


@in_windows
@of_pages
def test_a_page_keeps_nobody_out(seen, name, scheme, width):
    assert seen(name, scheme, width).barriers == []


@of_pages
def test_a_page_is_light(seen, name):
    assert seen(name, *WINDOWS[0]).weight < HEAVIEST


def test_the_first_figure_of_the_book_is_there_at_once(built_book, browser):
    context = browser.new_context()
    context.add_init_script(CLOCK)
    # The best of three: a busy machine is no bug.
    visits = [Visit(context, built_book / f"{PAGES[0]}.html").page for _ in range(3)]
    assert min(page.evaluate("window.firstFigure") for page in visits) < FIRST_FIGURE
    context.close()


def test_a_page_with_barriers_would_be_noticed(visit, tmp_path):
    page = tmp_path / "barred.html"
    page.write_text("<!doctype html><html lang=en><title>bar</title><details><summary></summary></details>")
    assert any("summary-name" in line for line in barriers(visit(page).page))


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


def test_the_book_can_be_searched(built_book, visit):
    opened = visit(built_book / "search.html")
    opened.page.goto(f"{(built_book / 'search.html').as_uri()}?q=perplexity")
    opened.page.locator(".search li a").first.wait_for()
    assert opened.wrong == []


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
    slider = page.locator(".vega-bindings input[name=step_at]").first
    last = int(slider.get_attribute("max"))
    assert last >= 1
    set_control(page, "step_at", last if slider.input_value() == "0" else 0)
    assert changes(page, before)


def test_the_sentence_map_is_coloured_by_language_when_asked(visit, chart_page):
    page = visit(chart_page(evolution.sentence_map(fake_tables.projection(), corpus()))).page
    before = drawing(page)
    page.locator("input[name=colour_by][value=language]").check()
    assert changes(page, before)


MEANS = ("keyboard", "mouse", "tap")


def far_end(slider: Locator) -> dict[str, float]:
    """The end of a slider that it does not stand at, in its own pixels."""
    at, low, high = (float(slider.evaluate(f"slider => slider.{part}")) for part in ("value", "min", "max"))
    box = slider.bounding_box()
    return {"x": 2 if 2 * at > low + high else box["width"] - 2, "y": box["height"] / 2}


def operate(page: Page, control: Locator, means: str) -> None:
    """Change a control by the keyboard, by the mouse or by a finger."""
    kind = control.evaluate("control => control.type")
    press = {"mouse": control.click, "tap": control.tap}.get(means)
    if kind == "range":
        if press:
            press(position=far_end(control))
        else:
            control.press("ArrowLeft" if float(control.input_value()) > 0 else "ArrowRight")
    elif kind == "radio":
        group = control.locator("xpath=ancestor::*[contains(@class, 'vega-bind-radio')]")
        if press:
            other = group.locator("input:not(:checked)").first
            other.click() if means == "mouse" else other.tap()
        else:
            group.locator("input:checked").press("ArrowRight")
    elif kind == "checkbox":
        press() if press else control.press("Space")
    elif kind == "select-one":
        # An open list is drawn by the system, not by the page: what is chosen there is what is set here.
        at, last = control.evaluate("list => [list.selectedIndex, list.length - 1]")
        if press:
            control.select_option(index=0 if at else last)
        else:
            control.press("ArrowUp" if at == last else "ArrowDown")
    else:
        (press or control.focus)()
        page.keyboard.press("Backspace" if control.input_value() else "h")


def idle(page: Page, patience: int = 20_000) -> list[str]:
    """Controls of a page that leave their chart as it was, for so many milliseconds."""
    found = []
    for chart in page.locator(".vega-embed:has(.vega-bindings)").all():
        first_of_group = ":is(input:not([type=radio]), select, .vega-bind-radio label:first-child input)"
        for control in chart.locator(f".vega-bindings {first_of_group}").all():
            name = control.get_attribute("name")
            for means in MEANS:
                chart.evaluate("chart => window.before = chart.querySelector('svg.marks').innerHTML")
                operate(page, control, means)
                try:
                    page.wait_for_function(
                        "chart => chart.querySelector('svg.marks').innerHTML !== window.before",
                        arg=chart.element_handle(),
                        timeout=patience,
                    )
                except TooLate:
                    title = chart.locator(".role-title-text").first.text_content()
                    found.append(f"{name} by {means}: {title}")
    return found


@of_pages
def test_every_control_changes_its_drawing_by_keyboard_mouse_and_tap(built_book, visit, name):
    page = visit(built_book / f"{name}.html", width=1280, has_touch=True).page
    page.evaluate(UNFOLD)
    assert idle(page) == []


def test_a_control_that_changes_nothing_would_be_noticed(visit, chart_page):
    page = visit(chart_page(similarity.mean_cosines(fake_tables.cosines())), has_touch=True).page
    deaf = "slider => slider.replaceWith(slider.cloneNode(true))"
    page.locator(".vega-bindings input[name=step_at]").evaluate(deaf)
    assert [line.partition(":")[0] for line in idle(page, patience=500) if line.startswith("step_at")] == [
        f"step_at by {means}" for means in MEANS
    ]


def test_a_slider_says_the_step_that_it_stands_at(visit, chart_page):
    steps = sorted(fake_tables.projection().step.unique())
    page = visit(chart_page(evolution.sentence_map(fake_tables.projection()))).page
    slider = page.locator("input[name=step_at]")
    assert slider.get_attribute("aria-valuetext") == f"{steps[int(slider.input_value())]:,}"
    for key, step in (("Home", steps[0]), ("End", steps[-1])):
        slider.press(key)
        page.wait_for_function(f"document.querySelector('[name=step_at]').ariaValueText === '{step:,}'")
        page.wait_for_function(
            f"document.querySelector('[name=step_at]').nextElementSibling.textContent === '{step:,}'"
        )


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


# Where the first and the last letter of a line stand, from the left.
# Between the marks that set a text apart from what stands beside it.
LETTERS = "line => [1, line.getNumberOfChars() - 2].map(at => line.getStartPositionOfChar(at).x)"


@pytest.mark.parametrize(
    ("text", "from_the_right"),
    [("في عام 2015، 7 كيلومترات.", True), ("2015年，7公里。", False)],
    ids=["Arabic", "Chinese"],
)
def test_a_text_beside_the_map_runs_in_its_own_direction(visit, chart_page, text, from_the_right):
    page = visit(chart_page(evolution.sentence_map(fake_tables.projection(), corpus(text)))).page
    line = page.locator(".vega-embed .mark-text text", has_text=text).first
    first, last = line.evaluate(LETTERS)
    assert (first > last) == from_the_right


def test_a_text_in_a_tooltip_runs_in_its_own_direction(visit, chart_page):
    page = visit(chart_page(evolution.sentence_map(fake_tables.projection()))).page
    page.locator(".vega-embed .mark-symbol path").first.hover(force=True)
    page.wait_for_selector("#vg-tooltip-element.visible")
    value = page.locator("#vg-tooltip-element td.value").first
    assert value.evaluate("value => getComputedStyle(value).unicodeBidi") == "plaintext"


def test_the_argument_is_printed_and_linked_from_the_first_page(built_book, tmp_path):
    html = shutil.copytree(built_book, tmp_path / "html", ignore=shutil.ignore_patterns("*.map", "_sources"))
    first = html / f"{PAGES[0]}.html"
    assert 'class="printed" hidden' in first.read_text()
    done = in_group.run([sys.executable, str(ROOT / "workflow/print_argument.py"), "--html", str(html)])
    assert done.returncode == 0, done.stderr
    printed = (html / "lingua-franca.pdf").read_bytes()
    assert printed.startswith(b"%PDF") and len(re.findall(rb"/Type ?/Page\b", printed)) > len(CHAPTERS)
    assert 'class="printed"><a href="../lingua-franca.pdf"' in first.read_text()


def test_a_missing_request_would_be_noticed(visit, tmp_path):
    page = tmp_path / "asks.html"
    page.write_text("<!doctype html><title>asks</title><img src='https://example.org/picture.png'>")
    assert any("example.org" in line for line in visit(page).wrong)


@pytest.fixture
def chart_page(tmp_path):
    """A page with one chart as a notebook shows it, beside the book's scripts and style sheet."""
    offline = extension("offline")

    def write(chart) -> Path:
        theme.use()
        (tmp_path / "bundle.js").write_text(offline.bundle(), encoding="utf-8")
        for name in ("charts.js", "book.css"):
            shutil.copy(ROOT / "book" / "_static" / name, tmp_path)
        page = tmp_path / "chart.html"
        page.write_text(
            "<!doctype html><meta charset='utf-8'><title>chart</title><link rel='stylesheet' href='book.css'>"
            "<script src='bundle.js'></script><script src='charts.js'></script>"
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


def test_the_controls_of_the_atlas_stay_in_sight_and_open_above_every_figure(atlas):
    page = atlas(LAB_VIEW).page
    top = "document.querySelector('#atlas form').getBoundingClientRect().top"
    bottom = top.replace("top", "bottom")
    assert page.evaluate(f"{bottom} <= document.querySelector('#atlas figure').getBoundingClientRect().top")
    page.locator("#atlas figure").last.scroll_into_view_if_needed()
    assert 0 <= page.evaluate(top) < page.viewport_size["height"] / 2


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
