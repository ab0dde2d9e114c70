"""Chapter 01: the same sentences, side by side."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lingua_utils.charts import theme


@dataclass(frozen=True)
class Page:
    """A piece of HTML that a notebook displays."""

    source: str

    def _repr_html_(self) -> str:
        return self.source


def side_by_side(corpus: Any, sentences: Sequence[int] = (0, 1, 2, 3)) -> Page:
    """The same sentences in every language of a corpus, one table per meaning, to be unfolded one by one.

    Very many languages stand under the names of their families.

    Every cell carries its language and writing direction, for browsers, screen readers and fonts; texts are
    escaped, so that a corpus cannot bring markup into the page.

    Parameters
    ----------
    corpus : ParallelCorpus
        Anything with ``languages``, ``texts`` [language][sentence], ``kinds`` (may be empty) and
        ``n_sentences``.
    sentences : sequence of int
        Which meanings to show; the first is unfolded.

    Raises
    ------
    ValueError
        When a meaning is not in the corpus.
    """
    outside = [number for number in sentences if not 0 <= number < corpus.n_sentences]
    if outside:
        raise ValueError(f"no sentence {outside[0]}; the corpus has {corpus.n_sentences}")
    texts_of = dict(zip(corpus.languages, corpus.texts, strict=True))
    many = len(texts_of) > theme.MANY
    labels = theme.labels(corpus.languages)  # many are in the order of families
    parts = []
    for position, number in enumerate(sentences):
        rows, above = "", None
        for code, label in labels.items():
            if many and label != above:
                rows += f"<tr><th colspan='2' scope='rowgroup'>{html.escape(label)}</th></tr>"
            rows += (
                f"<tr><th scope='row'>{theme.language_heading(code)}</th>"
                f"<td {theme.language_attributes(code)}>{html.escape(texts_of[code][number])}</td></tr>"
            )
            above = label
        kind = f" · {html.escape(corpus.kinds[number])}" if corpus.kinds else ""
        parts.append(
            f"<details{'' if position or many else ' open'}><summary>sentence {number}{kind}</summary>"
            f"<table class='side-by-side'>{rows}</table></details>"
        )
    return Page("".join(parts))
