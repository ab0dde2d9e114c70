"""A small Sphinx extension that says of every page how to cite it, and what it was made from.

The citation comes from ``CITATION.cff``. The stamp is a digest of the package's source and one of the
published tables, so that two copies of the book can be told apart.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import yaml

from lingua_utils import files

SOURCE = {".py", ".csv"}


def digest(paths: Iterable[Path], root: Path) -> str:
    """Twelve hexadecimal digits that change with the name or the content of any of these files."""
    lines = sorted(f"{path.relative_to(root).as_posix()} {files.sha256_of(path)}\n" for path in paths)
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:12]


def stamp(root: Path = files.CHECKOUT) -> dict[str, str]:
    """Digests of the package's source and of the published tables."""
    package = [path for path in (root / "lingua_utils").rglob("*") if path.suffix in SOURCE]
    tables = [path for path in (root / "book" / "published").rglob("*") if path.is_file()]
    return {"package": digest(package, root), "tables": digest(tables, root)}


def read_imprint(app, config) -> None:
    """What every page says of itself; as configuration, so that a new stamp reaches every page."""
    text = (files.CHECKOUT / "CITATION.cff").read_text(encoding="utf-8")
    config.imprint = {**stamp(), "citation": yaml.safe_load(text), "year": config.copyright}


def add_imprint(app, pagename, templatename, context, doctree) -> None:
    """Hand the imprint to the templates."""
    context["imprint"] = app.config.imprint


def setup(app) -> dict:
    """Register with Sphinx."""
    app.add_config_value("imprint", None, "html", [dict])
    app.connect("config-inited", read_imprint)
    app.connect("html-page-context", add_imprint)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
