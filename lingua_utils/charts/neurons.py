"""Chapter 12: what drives the strongest neurons, and what silencing them costs."""

import html
from collections.abc import Iterator
from itertools import groupby

import altair as alt
import numpy as np
import pandas as pd

from lingua_utils.charts import parts, theme
from lingua_utils.charts.corpus import Page

MEANING = "meaning"
STRONGEST, RANDOM, UNTRAINED = "the strongest", "at random", "the untrained twin's strongest"
OWN, OTHERS, RANDOM_OWN = "its own language", "the other languages", "its own, at random"
SHADES = ("", "2a", "48", "66", "84")  # opacity of what lies under a piece, from not driven to most

# How many paragraphs each article of the Declaration of Human Rights has.
PARAGRAPHS = (
    *(1, 2, 1, 1, 1, 1, 1, 1, 1, 1),
    *(2, 1, 2, 2, 2, 3, 2, 1, 1, 2),
    *(3, 1, 4, 1, 2, 3, 2, 1, 3, 1),
)
DECLARATION = "https://www.un.org/en/about-us/universal-declaration-of-human-rights"

_NEURON = ["what", "answers_to", "rank"]


def driven(neurons: pd.DataFrame, n_sentences: int) -> alt.LayerChart:
    """How many of the sentences that drive a neuron most are its own; beside random and untrained neurons.

    Parameters
    ----------
    neurons : DataFrame
        The ``neurons`` table of one run: ``what``, ``answers_to``, ``share``, ``chance``, a row for each
        neuron.
    n_sentences : int
        How many sentences are looked at.
    """
    parts.need(neurons, ["what", "answers_to", "share", "chance"])
    names = {"strongest": STRONGEST, "random": RANDOM, "untrained": UNTRAINED}
    grouped = neurons.groupby(["what", "answers_to"], sort=False)
    rows = grouped.agg(share=("share", "mean"), low=("share", "min"), high=("share", "max")).reset_index()
    rows = _named(rows.assign(chance=grouped.chance.first().to_numpy(), neurons=rows.what.map(names)))
    means = rows[rows.answers_to != MEANING].groupby("what").share.mean()
    tooltip = parts.tips("label", "neurons", **dict.fromkeys(["share", "low", "high", "chance"], ".0%"))
    colours = [theme.LANGUAGE_SCORE, theme.BASELINE, theme.UNTRAINED]
    base = parts.chart_of(rows.drop(columns=["what", "answers_to"])).encode(
        alt.Y("label:N", title=None, sort=list(dict.fromkeys(rows.label))),
        alt.YOffset("neurons:N", sort=list(names.values())),
        alt.Color("neurons:N", title=None, scale=alt.Scale(domain=list(names.values()), range=colours)),
    )
    chart = alt.layer(
        base.mark_tick(thickness=2).encode(alt.X("chance:Q"), color=alt.value(theme.BASELINE)),
        base.mark_rule(strokeWidth=2).encode(alt.X("low:Q"), alt.X2("high:Q")),
        base.mark_point(size=50, opacity=1).encode(
            parts.share_axis(alt.X, "share", "top sentences of its own", domain=[0, 1]),
            tooltip=tooltip,
        ),
    )
    return parts.finish(
        chart.properties(width="container", height=34 * rows.label.nunique()),
        alt.Title(
            f"Of {n_sentences} sentences that drive a language's neuron, {means['strongest']:.0%} are in "
            f"that language, {means['random']:.0%} at random",
            subtitle="meaning: that translate the first · line: lowest to highest · tick: chance",
        ),
        "Share of the sentences that drive a neuron most which are in its language or translate the first.",
    )


def costs(neuron_costs: pd.DataFrame) -> alt.LayerChart:
    """Perplexity without the strongest neurons, over intact: of their own language, of the others, at random.

    Parameters
    ----------
    neuron_costs : DataFrame
        The ``neuron_costs`` table of one run: ``answers_to``, ``text`` (own, others or all), ``measure``, and
        ``ratio`` and ``control_ratio`` with their ``low`` and ``high``.
    """
    numbers = ["ratio", "low", "high"]
    controls = [f"control_{name}" for name in numbers]
    parts.need(neuron_costs, ["answers_to", "text", "measure", *numbers, *controls])
    own = neuron_costs.text != "others"
    silenced = neuron_costs.assign(cost_to=own.map({True: OWN, False: OTHERS}))
    random = neuron_costs[own].drop(columns=numbers).assign(cost_to=RANDOM_OWN)
    random = random.rename(columns=dict(zip(controls, numbers, strict=True)))
    rows = _named(pd.concat([silenced, random], ignore_index=True))
    of_language = rows[rows.answers_to != MEANING]
    typical = np.exp(np.log(of_language.ratio).groupby(of_language.cost_to).mean())
    # A language that loses nearly all would leave nothing to see of the others.
    scale = alt.Scale(type="log") if rows.high.max() > 2 else alt.Scale(zero=False)
    domain, colours = [OWN, OTHERS, RANDOM_OWN], [theme.LANGUAGE_SCORE, theme.MEANING_SCORE, theme.BASELINE]
    base = parts.chart_of(rows[["label", "cost_to", *numbers]]).encode(
        alt.Y("label:N", title=None, sort=list(dict.fromkeys(rows.label))),
        alt.YOffset("cost_to:N", sort=domain),
        alt.Color("cost_to:N", title=None, scale=alt.Scale(domain=domain, range=colours)),
    )
    intact = alt.Chart(alt.Data(values=[{"ratio": 1}])).mark_rule(color=theme.BASELINE, strokeDash=[5, 4])
    chart = alt.layer(
        intact.encode(alt.X("ratio:Q")),
        base.mark_rule(strokeWidth=2).encode(alt.X("low:Q", scale=scale), alt.X2("high:Q")),
        base.mark_point(size=50, opacity=1).encode(
            alt.X("ratio:Q", title="times that of the intact model", axis=alt.Axis(tickCount=5)),
            tooltip=parts.tips("label", "cost_to", **dict.fromkeys(numbers, ".4f")),
        ),
    )
    measure = rows.measure.iloc[0]
    return parts.finish(
        chart.properties(width="container", height=34 * rows.label.nunique()),
        alt.Title(
            f"Without its strongest neurons a language's {measure} is multiplied by {typical[OWN]:.4g} "
            f"(random: {typical[RANDOM_OWN]:.4g})",
            subtitle="lines: 95 % intervals · meaning: all languages",
        ),
        f"Ratio to intact of each language's {measure} without its strongest neurons, and at random.",
    )


def sentences(
    neurons: pd.DataFrame,
    table: pd.DataFrame,
    shown_as: str = "number",
    readings: pd.DataFrame | None = None,
) -> Page:
    """The sentences that drive each neuron most, in their language and in translation.

    Parameters
    ----------
    neurons : DataFrame
        The ``neurons`` table of one run.
    table : DataFrame
        Its ``neuron_sentences``: the neuron, ``meaning_rank``, ``sentence``, ``text_language``, ``mean``,
        ``peak`` and ``token``.
    shown_as : {"text", "link", "number"}
        The text, with what drives the neuron shaded; a link to the article of the Declaration; a number.
    readings : DataFrame, optional
        Of text its ``neuron_readings``: ``piece`` and ``activation`` of every sentence.

    Raises
    ------
    ValueError
        When text is to be shown without its readings.
    """
    parts.need(neurons, [*_NEURON, "layer", "neuron", "sign", "share", "score", "score_shown"])
    parts.need(table, [*_NEURON, "meaning_rank", "sentence", "text_language", "mean", "peak", "token"])
    if shown_as == "text" and readings is None:
        raise ValueError("text is shown by its readings, and none are given")
    known = {row[:3]: row for row in neurons[_NEURON + _FACTS].itertuples(index=False, name=None)}
    pieces_of = {} if readings is None else dict(iter(readings.groupby(_NEURON, sort=False)))
    text = ""
    for number, ((what, answers_to), rows) in enumerate(table.groupby(_NEURON[:2], sort=False)):
        body = ""
        for rank, found in rows.groupby("rank"):
            neuron = dict(zip(_FACTS, known[what, answers_to, rank][3:], strict=True))
            cells = _cells(found, neuron["sign"], shown_as, pieces_of.get((what, answers_to, rank)))
            body += _headed(answers_to, neuron) + _tables(found, neuron["sign"], cells)
        is_open = " open" if number == 0 else ""
        text += f"<details{is_open}><summary>{_group(what, answers_to)}</summary>{body}</details>"
    return Page(text)


_FACTS = ["layer", "neuron", "sign", "share", "score", "score_shown"]


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(label=rows.answers_to.map(lambda code: theme.language_name(code)))


def _group(what: str, answers_to: str) -> str:
    if what != "strongest":
        return "Random neurons"
    return "Meaning" if answers_to == MEANING else theme.language_heading(answers_to)


def _headed(answers_to: str, neuron: dict) -> str:
    """A line on one neuron: where it is, its score on the half that chose it and on the other."""
    name = html.escape(theme.language_name(answers_to))
    score, own = ("SADS", "translate the first") if answers_to == MEANING else ("<i>t</i>", f"are in {name}")
    halves = f"{neuron['score']:.2g} on one half, {neuron['score_shown']:.2g} on the other"
    return (
        f"<p><strong>Layer {html.escape(str(neuron['layer']))}, neuron {neuron['neuron']}</strong>: {score} "
        f"{halves}; {neuron['share']:.0%} of the sentences that drive it most {own}.</p>"
    )


def _tables(found: pd.DataFrame, sign: int, cells: dict) -> str:
    """The sentence of each meaning that drives the neuron most, and the first meaning in every language."""
    driven_by = found.assign(towards=sign * found["mean"])
    leading = driven_by.loc[driven_by.groupby("meaning_rank").towards.idxmax()]
    first = driven_by[driven_by.meaning_rank == 0].sort_values("towards", ascending=False, kind="stable")
    return (
        f"<table class='side-by-side'>{''.join(cells[at] for at in leading.index)}</table>"
        "<details><summary>the first in every language, by how strongly it drives the neuron</summary>"
        f"<table class='side-by-side'>{''.join(cells[at] for at in first.index)}</table></details>"
    )


def _cells(found: pd.DataFrame, sign: int, shown_as: str, readings: pd.DataFrame | None) -> dict:
    """The row of each sentence, by its place in the table."""
    texts = {}
    if shown_as == "text":
        towards = (sign * readings.activation).clip(lower=0)
        shade = (towards / max(towards.max(), 1e-9) * (len(SHADES) - 1)).round().astype(int)
        colour = theme.MEANING_SCORE if readings.answers_to.iloc[0] == MEANING else theme.LANGUAGE_SCORE
        for key, own in readings.assign(shade=shade).groupby(["sentence", "text_language"], sort=False):
            texts[key] = "".join(_shaded(own.piece, own["shade"], colour))
    rows = {}
    for row in found.itertuples():
        attributes = theme.language_attributes(row.text_language)
        title = f"mean {row.mean:.2g}, most {row.peak:.2g}"
        if shown_as == "text":
            cell = f"<td {attributes} title='{title}'>{texts[row.sentence, row.text_language]}</td>"
        else:
            token = html.escape(row.token.strip() or "a space") if row.token else ""
            most = f", at <bdi {attributes}>{token}</bdi>" if token else ""
            cell = f"<td>{_place(row.sentence, shown_as)}: {title}{most}</td>"
        rows[row.Index] = f"<tr><th scope='row'>{theme.language_heading(row.text_language)}</th>{cell}</tr>"
    return rows


def _shaded(pieces: pd.Series, shades: pd.Series, colour: str) -> Iterator[str]:
    """Text as HTML, the pieces that drive a neuron on a ground of a colour, the more the denser."""
    for shade, run in groupby(zip(pieces, shades, strict=True), key=lambda pair: pair[1]):
        text = html.escape("".join(piece for piece, _ in run))
        yield f"<mark style='background:{colour}{SHADES[shade]}'>{text}</mark>" if shade else text


def _place(sentence: int, shown_as: str) -> str:
    """A sentence by its number, or by a link to the article that it is a paragraph of."""
    if shown_as != "link":
        return f"sentence {sentence}"
    ends = np.cumsum(PARAGRAPHS)
    article = int(np.searchsorted(ends, sentence, side="right"))
    paragraph = sentence - (ends[article] - PARAGRAPHS[article]) + 1
    which = f", paragraph {paragraph}" if PARAGRAPHS[article] > 1 else ""
    return f"<a href='{DECLARATION}#:~:text=Article%20{article + 1}'>Article {article + 1}{which}</a>"
