"""A small Sphinx extension that keeps the book readable with the network off, and its pages light.

- Altair's HTML asks a CDN for Vega, Vega-Lite and vega-embed unless ``VEGA_DEBUG`` names the versions that it
  wants. Pages with charts load one local script that holds all three and says so.
- MathJax comes from the package sphinx-mathjax-offline: of its 24 MB only what a page loads.
- Scripts and style sheets that the theme and its extensions add to every page are dropped where they are not
  used; everywhere the state of widgets, and Thebe's, whose script would come twice: a console error.
- One brand's mark would load a font of 0.1 MB.
- The copies of the notebooks under ``runs/`` are not in the repository: they get no launch button.
"""

import re
import shutil
from importlib import metadata
from pathlib import Path

import altair
import vl_convert
from altair.vegalite.v6 import display

BUNDLE = "vega-bundle.js"
MATHJAX = re.compile(
    r"mathjax/(startup|core|input/tex|output/chtml|a11y/assistive-mml|output/chtml/fonts/(tex|woff-v2/.*))\."
)
# What a page holds that uses a script or a style sheet.
EQUATION, DESIGN = re.compile(r'class="[^"]*\bmath\b'), re.compile(r'class="sd-')


def bundle() -> str:
    """Vega, Vega-Lite and vega-embed as one script that answers for the versions Altair asks for."""
    version = ".".join(altair.SCHEMA_VERSION.split(".")[:2])
    versions = "".join(
        f"window.VEGA_DEBUG.{name}_version={value!r};"
        for name, value in (
            ("vega", display.VEGA_VERSION),
            ("vegalite", display.VEGALITE_VERSION),
            ("vegaembed", display.VEGAEMBED_VERSION),
        )
    )
    # In a function, since the bundle's one-letter names would otherwise be globals of the page.
    scripts = vl_convert.javascript_bundle(vl_version=version)
    return f"(function(){{{scripts}\n}})();window.VEGA_DEBUG={{}};{versions}"


def write_bundle(app) -> None:
    """Write the bundle into the site, once for a version of Altair."""
    if app.builder.format != "html":
        return
    target = Path(app.outdir) / "_static" / BUNDLE
    stamp = Path(app.doctreedir) / f"vega-bundle-{altair.__version__}"
    if target.is_file() and stamp.is_file():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(bundle(), encoding="utf-8")
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.touch()


def copy_mathjax(app) -> None:
    """Copy MathJax's scripts and fonts into the site, without its menu and its reader of equations aloud."""
    if app.builder.format != "html":
        return
    for file in metadata.files("sphinx-mathjax-offline"):
        _, _, name = file.as_posix().partition("/static/")
        target = Path(app.outdir) / "_static" / name
        if MATHJAX.match(name) and not target.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.locate(), target)


def settle_page(app, pagename, templatename, context, doctree) -> None:
    """Choose the scripts, style sheets and buttons of one page."""
    body = context.get("body", "")
    used = {"mathjax": EQUATION.search(body), "design": DESIGN.search(body)}
    used |= {"thebe": False, "@jupyter-widgets": False}
    for files in (context["script_files"], context["css_files"]):
        files[:] = [file for file in files if all(used[name] or name not in _source(file) for name in used)]
    charts, atlas = "vegaEmbed" in body, 'id="atlas"' in body
    if charts or atlas:
        # Synchronous and early: the charts' own scripts run while the page is read.
        app.add_js_file(BUNDLE, priority=100)
    if charts:
        app.add_js_file("charts.js", priority=101)
    if atlas:
        app.add_js_file("atlas.js", loading_method="defer")
    if EQUATION.search(body):
        app.add_js_file("equations.js", loading_method="defer")
    for group in context.get("header_buttons", []):
        for button in (group, *group.get("buttons", [])):
            if button.get("icon") == "fab fa-github":
                button["icon"] = "fas fa-code-branch"
    if pagename.startswith("runs/"):
        context["header_buttons"] = [
            button for button in context.get("header_buttons", []) if button.get("label") != "launch-buttons"
        ]


def _source(file) -> str:
    text = f"{getattr(file, 'filename', file)} {getattr(file, 'attributes', {}).get('body', '')}"
    return text.lower()


def setup(app) -> dict:
    """Register with Sphinx, after the theme so that its buttons are there to be dropped."""
    app.connect("builder-inited", write_bundle)
    app.connect("builder-inited", copy_mathjax)
    app.connect("html-page-context", settle_page, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
