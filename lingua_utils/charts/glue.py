"""Name a value in a notebook, so that a page of the book can show it.

``glue("last_sads", sads)`` in a notebook, and in a page
``{glue:text}`../notebooks/08_evolution.ipynb::last_sads:.2f```. This is the metadata that MyST-NB's own
``glue`` writes, without MyST-NB, whose import breaks on Colab.
"""

from typing import Any

from IPython.core.formatters import format_display_data
from IPython.display import display

_HIDDEN = "application/papermill.record/"


def glue(name: str, value: Any, show: bool = True) -> None:
    """Store how a value is displayed, under a name, in the output of the current cell.

    Parameters
    ----------
    name : str
        Unique within the notebook.
    value : object
        Anything that a notebook can display: a chart, a table, a number, a string.
    show : bool
        Display the value where it is glued as well.
    """
    bundle, metadata = format_display_data(value)
    prefix = "" if show else _HIDDEN
    record = {"scrapbook": {"name": name, "mime_prefix": prefix}}
    display({prefix + kind: data for kind, data in bundle.items()}, metadata=metadata | record, raw=True)
