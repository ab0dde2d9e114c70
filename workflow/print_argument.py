"""Print the argument of the built book as one PDF, and show the link to it on the first page.

    python workflow/print_argument.py --html _build/html

The first page, the chapters of the argument and the pages that they lean on are joined to one page, which the
system's Chromium prints: charts in the state in which they open, without code and what is folded away.
"""

import argparse
import os
import re
import sys
from pathlib import Path

import yaml
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
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
DRAWN = "() => [...document.querySelectorAll('[id^=altair-viz]')].every(chart => chart.querySelector('svg'))"
SET = "() => window.MathJax?.startup?.promise"
PDF = "lingua-franca.pdf"
LEANED_ON = ("book/method", "book/glossary", "book/bibliography")
PAGE_NUMBER = "<p class='pageNumber' style='font-size: 8px; text-align: center; width: 100%'></p>"


def pages_of_the_argument(toc: dict) -> list[str]:
    """The first page, the chapters of the first part, and what they lean on."""
    return [toc["root"], *(chapter["file"] for chapter in toc["parts"][0]["chapters"]), *LEANED_ON]


def article(page: str) -> str:
    """What stands between the bars of a built page."""
    start = page.index('<article class="bd-article">')
    return page[start : page.rindex("</article>") + len("</article>")]


def anchor(page: str) -> str:
    """The id of a page in the document of all pages."""
    return "page-" + page.replace("/", "-")


def joined(html: Path, pages: list[str]) -> str:
    """One HTML document of several built pages, which link within it; links to other pages are plain text."""
    texts = {page: (html / f"{page}.html").read_text(encoding="utf-8") for page in pages}
    articles = {page: article(text) for page, text in texts.items()}
    ids = re.findall(r'\bid="([^"]+)"', "".join(articles.values()))

    def within(match: re.Match, page: str) -> str:
        path, _, fragment = match[1].partition("#")
        if re.match(r"[a-z]+:", path):
            return match[0]
        there = os.path.normpath(Path(page).parent / path).removesuffix(".html") if path else page
        if ids.count(fragment) == 1:
            return f'href="#{fragment}"'
        return f'href="#{anchor(there)}"' if there in articles else ""

    sections = [
        f'<section id="{anchor(page)}">'
        + re.sub(r'href="([^"]*)"', lambda match, page=page: within(match, page), text)
        + "</section>"
        for page, text in articles.items()
    ]
    heads = [text[: text.index("</head>")] for text in texts.values()]
    scripts = [script for head in heads for script in re.findall(r"<script\b.*?</script>", head, flags=re.S)]
    first = heads[0]
    more = [script for script in dict.fromkeys(scripts) if script not in first]
    body = ["<body><main class='bd-content argument'>", *sections, "</main></body>"]
    return "\n".join([first, *more, "</head>", *body, "</html>"])


def show_link(page: Path) -> None:
    """Show the link to the PDF, which the page holds hidden."""
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace('<p class="printed" hidden>', '<p class="printed">'), encoding="utf-8")


def main() -> int:
    """Command line: the folder of the built book."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--html", type=Path, default=Path("_build/html"), help="folder of the built book")
    html = parser.parse_args().html.absolute()
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    if not Path(CHROMIUM).exists():
        print(f"{Path(__file__).name}: no browser at {CHROMIUM}; install Chromium to print", file=sys.stderr)
        return 1
    # Beside the chapters, so that the addresses of pictures and scripts hold.
    document = html / "notebooks" / "argument.html"
    document.write_text(joined(html, pages_of_the_argument(toc)), encoding="utf-8")
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
            page = browser.new_page(viewport={"width": 720, "height": 1000})
            page.set_default_timeout(600_000)
            page.emulate_media(media="print", color_scheme="light")
            page.goto(document.as_uri())
            # The theme's own scripts, which would choose one, are left out.
            page.evaluate("document.documentElement.dataset.theme = 'light'")
            page.wait_for_function(DRAWN)
            page.evaluate(SET)
            page.pdf(
                path=html / PDF,
                format="A4",
                margin={side: "18mm" for side in ("top", "right", "bottom", "left")},
                display_header_footer=True,
                header_template="<span></span>",
                footer_template=PAGE_NUMBER,
                print_background=True,
                outline=True,
                tagged=True,
            )
            browser.close()
    finally:
        document.unlink()
    show_link(html / f"{toc['root']}.html")
    print(f"the argument is at {html / PDF}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
