"""What the tables of all runs come to: the numbers of the first page, and the sentences over its figure.

A real model on real text, beside its untrained twin, says what is so; the lab's main model through training,
beside its control, says how it comes about.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from lingua_utils.measure.similarity import with_limits
from lingua_utils.runs import collate, sheets
from lingua_utils.runs.settings import RunSettings, of_stages

#: The settings of real models and of the lab's for which the book speaks.
REAL, LAB = replace(RunSettings(), corpus="pud", n_sentences=0), RunSettings()
MODEL, CONTROL = collate.SAME_SIZE[:2]
LONG = "lab/bloom-m-long"
#: A run, and what is known of its model.
RUN = ["model_id", "training_seed", "revision", "step", "n_parameters"]
FOUND = "translations found"
MEASURES = ("SADS", FOUND, "LRDS")
_TABLES = ("similarity", "retrieval", "region_counts", "selectivity", "accuracy")
#: What the lab's models of one size are called in a sentence.
NAMES = {
    MODEL: "the model",
    "lab/bloom-mispaired": "mispaired lines",
    "lab/bloom-apart": "translations apart",
    CONTROL: "the control",
}


def tables_like(
    settings: RunSettings,
    results: str | Path,
    published: str | Path | None,
    names: Sequence[str] = _TABLES,
) -> dict[str, pd.DataFrame]:
    """Tables of all runs that measure what some settings say, whatever the model; by name.

    Parameters
    ----------
    settings : RunSettings
        Their corpus, sentences and pooling. Models may differ, and what they run in; so may the grids on
        which regions are silenced, and the number of sentences then.
    results, published : str or Path
        As of :func:`lingua_utils.runs.collate.collate`.
    names : sequence of str

    Returns
    -------
    dict
        A table that no run has is left out.
    """
    found = {}
    for name in names:
        apart = {*collate.APART, "dtype", "code"}
        if sheets.stage_of(name).name == "ablation":
            # A model that is dear to run is silenced on fewer sentences.
            apart |= {"n_sentences"} | set(of_stages(["ablation"])) - set(of_stages([]))
        try:
            found[name] = collate.collate(name, results, published, like=settings, apart=tuple(apart))
        except FileNotFoundError:
            continue
    return found


def short(model_id: str) -> str:
    """A model's name without where it comes from.

    Examples
    --------
    >>> short("pypi/gemma-3-270m")
    'gemma-3-270m'
    """
    return model_id.rpartition("/")[2]


def is_real(table: pd.DataFrame) -> pd.Series:
    """Which rows are of a model that the lab did not train."""
    return ~table.model_id.str.startswith("lab/")


def measures(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """SADS, translations found and LRDS of every run, in each layer and over all, beside what chance gives.

    Parameters
    ----------
    tables : dict
        Of :func:`tables_like`; without ``similarity`` and ``retrieval`` nothing is measured.

    Returns
    -------
    DataFrame
        The run (:data:`RUN`), ``layer``, ``layer_index``, ``measure`` (of :data:`MEASURES`), ``value``, its
        95 % interval ``low`` to ``high``, the null's ``null_low`` to ``null_high``, and ``limit``, which the
        null stays below in all layers of the run together. Scores are standardised, of all sentences.
        Translations are looked for across scripts: within one, shared tokens alone find many. Their interval
        is the mean one of a pair of languages, which is wider than that of the mean.
    """
    keys = [*RUN, "layer", "layer_index"]
    parts = [pd.DataFrame(columns=[*keys, "measure", *_NUMBERS])]
    if "similarity" in tables:
        scores = tables["similarity"].query("kind == 'all' and scale == 'standardised'")
        scores = with_limits(scores, RUN) if "sads_null_draws" in scores else scores
        for measure in ("SADS", "LRDS"):
            score = measure.lower()
            names = [score, *(f"{score}_{part}" for part in ("low", "high", "null_low", "null_high"))]
            numbers = scores[[*names, f"{score}_null_limit"]].set_axis(_NUMBERS, axis=1)
            parts.append(pd.concat([scores[keys], numbers], axis=1).assign(measure=measure))
    if "retrieval" in tables:
        pairs = collate.across_scripts(tables["retrieval"].query("kind == 'all'"))
        names = ["accuracy", "accuracy_low", "accuracy_high", "chance"]
        means = pairs.groupby(keys, sort=False, dropna=False)[names].mean().reset_index()
        numbers = means[[*names, "chance", "chance"]].set_axis(_NUMBERS, axis=1)
        parts.append(pd.concat([means[keys], numbers], axis=1).assign(measure=FOUND))
    parts = [part for part in parts if len(part)] or parts
    return pd.concat(parts, ignore_index=True)


_NUMBERS = ["value", "low", "high", "null_low", "null_high", "limit"]


def beside_twins(measured: pd.DataFrame) -> pd.DataFrame:
    """Every finished model beside its untrained twin, layer by layer: the difference is calibrated.

    Scores grow with a network's width and depth by themselves, and with what its tokens share; the twin has
    the same of all three, and has learned nothing.

    Parameters
    ----------
    measured : DataFrame
        Of :func:`measures`.

    Returns
    -------
    DataFrame
        The finished models' rows with ``twin``, ``twin_low``, ``twin_high`` (NaN where no twin was measured)
        and ``gain``, ``gain_low``, ``gain_high``: the value less its twin's. The interval is put together
        from the two (Zou and Donner 2008, MOVER) as if they were independent; they are measured on the same
        sentences, so that it is rather too wide.
    """
    keys = ["model_id", "training_seed", "layer", "measure"]
    twins = collate.untrained(measured)[[*keys, "value", "low", "high"]]
    twins = twins.set_axis([*keys, "twin", "twin_low", "twin_high"], axis=1)
    both = collate.finished(measured).merge(twins, on=keys, how="left")
    below = np.hypot(both.value - both.low, both.twin_high - both.twin)
    above = np.hypot(both.high - both.value, both.twin - both.twin_low)
    gain = both.value - both.twin
    return both.assign(gain=gain, gain_low=gain - below, gain_high=gain + above)


def front(real: pd.DataFrame, lab: pd.DataFrame) -> pd.DataFrame:
    """What the figure of the first page shows: the largest real model by layer, the lab through training.

    Parameters
    ----------
    real, lab : DataFrame
        Of :func:`measures`, for the settings :data:`REAL` and :data:`LAB`.

    Returns
    -------
    DataFrame
        As of :func:`measures`, with ``part`` ("real" or "lab") and ``series`` ("model", "untrained twin",
        "control"). The real model's rows are single layers; the lab's are of all layers together, and have a
        ``step``. Empty where neither was measured.
    """
    real = real[is_real(real) & (real.layer != "all")]
    shown = real[real.model_id == _largest(collate.finished(real))]
    return pd.concat(
        [
            collate.finished(shown).assign(part="real", series="model"),
            collate.untrained(shown).assign(part="real", series="untrained twin"),
            *(
                lab[(lab.model_id == model) & (lab.layer == "all")].assign(part="lab", series=series)
                for model, series in ((MODEL, "model"), (CONTROL, "control"))
            ),
        ],
        ignore_index=True,
    )


def _largest(table: pd.DataFrame) -> str | None:
    known = table.sort_values("n_parameters", ascending=False, kind="stable")
    return None if known.empty else known.model_id.iloc[0]


def finding(real: pd.DataFrame, lab: pd.DataFrame) -> str:
    """What was found, in one sentence: in the largest real model first, then in the lab.

    Parameters
    ----------
    real, lab : DataFrame
        Of :func:`measures`, for the settings :data:`REAL` and :data:`LAB`.

    Returns
    -------
    str
        Markdown; of what was not measured it says so.
    """
    return f"{_in_real(real)}; {_in_lab(lab)}."


def _in_real(real: pd.DataFrame) -> str:
    """The finding in the largest real model."""
    layers = real[is_real(real) & (real.layer != "all") & (real.measure == FOUND)]
    layers = layers[layers.model_id == _largest(collate.finished(layers))]
    if layers.empty:
        return f"Real models were not measured on {REAL.corpus}"
    layers = beside_twins(layers).sort_values("layer_index").reset_index(drop=True)
    best = layers.loc[layers.value.idxmax()]
    middle = between_the_ends(layers)
    twin = "" if np.isnan(best.twin) else f"untrained {best.twin:.1%}, "
    return (
        f"In {short(best.model_id)}, a real model, languages {'meet in the middle' if middle else 'meet'}: "
        f"in layer {best.layer} a sentence's nearest neighbour in a language of another script is its "
        f"translation {best.value:.0%} of the time ({best.low:.0%} to {best.high:.0%}; {twin}chance "
        f"{best.limit:.1%}), in the first layer {layers.value.iloc[0]:.0%} and in the last "
        f"{layers.value.iloc[-1]:.0%}"
    )


def _in_lab(lab: pd.DataFrame) -> str:
    """The finding in the lab's model at its end, beside the control."""
    found = lab[(lab.layer == "all") & (lab.measure == FOUND)]
    ends, starts = collate.finished(found), collate.untrained(found)
    own, other = (ends[ends.model_id == model] for model in (MODEL, CONTROL))
    if own.empty:
        return "the lab was not measured"
    start = starts.value[starts.model_id == MODEL].mean()
    told = (
        f"in a small model that was trained here this share rises from {start:.0%} to {own.value.mean():.0%} "
        f"({own.low.min():.0%} to {own.high.max():.0%}; chance {own.limit.iloc[0]:.1%})"
    )
    if other.empty:
        return told
    less = other.high.max() < own.low.min()
    return (
        f"{told}, {'but only' if less else 'and'} to {other.value.mean():.0%} where no line of its text held "
        "two languages"
    )


def real_models(real: pd.DataFrame) -> str:
    """What real models do with meaning and language from layer to layer, in a sentence or two for each.

    Parameters
    ----------
    real : DataFrame
        Of :func:`measures`, for the settings :data:`REAL`.

    Returns
    -------
    str
        Markdown; it says so where no real model was measured.
    """
    both = beside_twins(real[is_real(real) & (real.layer != "all")])
    both = both.sort_values(["n_parameters", "layer_index"], ascending=[False, True], kind="stable")
    told = [_by_layer(part) for _, part in both.groupby("model_id", sort=False) if FOUND in set(part.measure)]
    if not told:
        return f"Real models were not measured on {REAL.corpus}."
    return "\n".join(told)


def _by_layer(rows: pd.DataFrame) -> str:
    """One real model's measures from its first layer to its last, in words."""
    of = {measure: part.reset_index(drop=True) for measure, part in rows.groupby("measure")}
    found = of[FOUND]
    best = found.loc[found.value.idxmax()]
    twin = "not measured" if np.isnan(best.twin) else f"{best.twin:.1%}"
    text = (
        f"In {short(best.model_id)} translations are found most often in layer {best.layer}, "
        f"{best.value:.0%} of the time among {1 / best.limit:.0f} sentences ({best.low:.0%} to "
        f"{best.high:.0%}; its untrained twin: {twin}; chance {best.limit:.1%}), "
        f"{found.value.iloc[0]:.0%} in the first layer and "
        f"{found.value.iloc[-1]:.0%} in the last."
    )
    if not {"SADS", "LRDS"} <= set(of):
        return text
    sads, lrds = of["SADS"], of["LRDS"]
    peak, trough = sads.loc[sads.value.idxmax()], lrds.loc[lrds.value.idxmin()]
    return (
        f"{text}\nThere {shape(sads, lrds)}: alikeness by meaning (SADS) is {_at_ends(sads)} at the two ends "
        f"and {peak.value:.2f} in layer {peak.layer}, that by language (LRDS) {_at_ends(lrds)} and "
        f"{trough.value:.2f} in layer {trough.layer}."
    )


def _at_ends(layers: pd.DataFrame) -> str:
    return f"{layers.value.iloc[0]:.2f} and {layers.value.iloc[-1]:.2f}"


def between_the_ends(layers: pd.DataFrame) -> bool:
    """Whether the highest layer lies, with its interval, above those of the first and of the last.

    Parameters
    ----------
    layers : DataFrame
        ``value``, ``low``, ``high`` of a measure in each layer of one model, from the first to the last.
    """
    return bool(layers.low[layers.value.idxmax()] > layers.high.iloc[[0, -1]].max())


def shape(sads: pd.DataFrame, lrds: pd.DataFrame) -> str:
    """Whether meaning is shared most, and language told apart least, between the first and the last layer.

    Parameters
    ----------
    sads, lrds : DataFrame
        ``value``, ``low``, ``high`` of each layer of one model, from the first to the last.

    Returns
    -------
    str
        In words, after "there"; what lies beyond the intervals of both ends counts.
    """
    trough = lrds.loc[lrds.value.idxmin()]
    rises = between_the_ends(sads)
    falls = trough.high < lrds.low.iloc[[0, -1]].min()
    if rises and falls:
        return "meaning rises and language falls toward the middle, then the reverse"
    if rises:
        return "meaning rises toward the middle and falls again, language does not do the reverse"
    if falls:
        return "language falls toward the middle and rises again, meaning does not do the reverse"
    return "neither meaning nor language does clearly otherwise in the middle than at both ends"


def heading(real: pd.DataFrame) -> str:
    """What meaning and language do in the largest real model, as the title of the first page's figure.

    Parameters
    ----------
    real : DataFrame
        Of :func:`measures`, for the settings :data:`REAL`.
    """
    layers = collate.finished(real[is_real(real) & (real.layer != "all")])
    layers = layers[layers.model_id == _largest(layers)].sort_values("layer_index")
    sads, lrds = (layers[layers.measure == score].reset_index(drop=True) for score in ("SADS", "LRDS"))
    if sads.empty or lrds.empty:
        return "Meaning and language, by layer and by step"
    told = shape(sads, lrds)
    return told[0].upper() + told[1:]


def lab_models(lab: pd.DataFrame) -> str:
    """Where the lab's model, its control and its placebos end: mean and range over their trainings.

    Parameters
    ----------
    lab : DataFrame
        Of :func:`measures`, for the settings :data:`LAB`.

    Returns
    -------
    str
        Markdown; it says so where the lab was not measured.
    """
    ends = collate.finished(lab)
    ends = ends[(ends.layer == "all") & ends.model_id.isin(NAMES)]
    if MODEL not in set(ends.model_id):
        return "The lab was not measured."
    trainings = ends.groupby("model_id").training_seed.nunique()
    told = "one training of each"
    if trainings.max() > 1:
        counted = " or ".join(map(str, sorted(set(trainings))))
        told = f"means over {counted} trainings of each, beside the least and the most"
    of = {measure: part for measure, part in ends.groupby("measure")}
    found = of[FOUND]
    return (
        f"Standardised SADS ends at {_by_name(of['SADS'], '.2f')}; translations found among "
        f"{1 / found.limit.iloc[0]:.0f} sentences, between languages of different scripts, are "
        f"{_by_name(found, '.0%')}, where chance is {found.limit.iloc[0]:.1%}: {told}."
    )


def _by_name(rows: pd.DataFrame, form: str) -> str:
    told = []
    for model, name in NAMES.items():
        values = rows.value[rows.model_id == model]
        if len(values):
            spread = f"; {values.min():{form}} to {values.max():{form}}" if len(values) > 1 else ""
            told.append(f"{values.mean():{form}} ({name}{spread})")
    return f"{', '.join(told[:-1])} and {told[-1]}" if len(told) > 1 else told[0]
