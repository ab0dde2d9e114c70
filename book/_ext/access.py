"""A small Sphinx extension for readers who listen to the book: names and roles that the theme leaves out.

- The triangles of the sidebar open the pages below a page; each says which.
- docutils gives the entries of a bibliography a role that is none of a list's.
"""

import re

FOLDED = re.compile(r'(<a class="[^"]*" href="[^"]*">)([^<]*)(</a><details[^>]*><summary)>')


def name_parts(app, pagename, templatename, context, doctree) -> None:
    """Name the sidebar's triangles, and make the entries of a bibliography a list."""
    context["body"] = context.get("body", "").replace('role="doc-biblioentry"', 'role="listitem"')
    if "generate_toctree_html" in context:
        tree = context["generate_toctree_html"]
        context["generate_toctree_html"] = lambda *given, **named: named_triangles(tree(*given, **named))


def named_triangles(sidebar: str) -> str:
    """The sidebar's HTML, in which a triangle says which page's pages it shows."""
    return FOLDED.sub(r'\1\2\3 aria-label="Pages of \2">', str(sidebar))


def setup(app) -> dict:
    """Register with Sphinx, after the theme, which makes the sidebar."""
    app.connect("html-page-context", name_parts, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
