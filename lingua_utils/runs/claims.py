"""Whether what the paper claims holds, model by model: a rule for each claim, and the numbers that decide.

An effect counts where its interval lies above its null and above the untrained twin. "In part" is what holds
in some layers, languages or tasks and not in others; what the tables do not tell is said to be so.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from lingua_utils.measure.intervals import Estimate, rank_correlation
from lingua_utils.runs import collate
from lingua_utils.runs.findings import (
    CONTROL,
    FOUND,
    LONG,
    MODEL,
    RUN,
    beside_twins,
    is_real,
    measures,
    short,
)

HOLDS, IN_PART, FAILS = "holds", "holds in part", "does not hold"
UNTOLD, UNMEASURED = "cannot be told here", "not measured"
#: The rule whose key neurons count here: a language's mean against what the other languages' foretell.
RULE = "distinctive"
#: Checkpoints that a rank correlation with an interval is told from.
ENOUGH = 8
#: Of the lab, trained on the same text as the main model, and smaller.
SMALL = "lab/bloom-s"
CROSS_LINGUAL = ("translation", "transfer")


@dataclass(frozen=True)
class Verdict:
    """What becomes of a claim in one model, and the numbers that decide."""

    verdict: str
    told: str = ""


def of_counts(n_true: int, n: int) -> str:
    """A claim about every one of ``n`` cases, of which it is true in ``n_true``."""
    return HOLDS if n_true == n else IN_PART if n_true else FAILS


def alike(beside: pd.DataFrame, names: tuple[str, ...]) -> Verdict:
    """Claims 1 and 2: measures above the null and the untrained twin, layer by layer.

    Parameters
    ----------
    beside : DataFrame
        Of :func:`lingua_utils.runs.findings.beside_twins`, of one model.
    names : tuple of str
        Measures that must all be above. In every layer of every training: it holds; in some: in part.
    """
    rows = beside[beside.measure.isin(names)]
    if set(rows.measure) != set(names):
        return Verdict(UNMEASURED)
    whole = rows[rows.layer == "all"].groupby("measure")[
        ["value", "low", "high", "limit", "twin", "twin_high"]
    ]
    told = "; ".join(
        f"{name} {_span(row.value, row.low, row.high, name)}, by chance {_number(row.limit, name)}, "
        f"untrained {'not measured' if np.isnan(row.twin) else _number(row.twin, name)}"
        for name, row in whole.mean().loc[list(names)].iterrows()
    )
    if rows.twin.isna().any():
        return Verdict(UNTOLD, f"{told}; the untrained twin was not measured")
    layers = rows[rows.layer != "all"]
    above = (layers.low > layers[["limit", "twin_high"]].max(axis=1)).groupby(
        [layers.training_seed, layers.layer]
    )
    n_above, n = int(above.all().sum()), above.ngroups
    trainings = rows.training_seed.nunique()
    of = "layers" if trainings == 1 else f"layers of {trainings} trainings"
    return Verdict(of_counts(n_above, n), f"{told}; above both in {n_above} of {n} {of}")


def grows_with_training(measured: pd.DataFrame, model: str = MODEL, control: str = CONTROL) -> Verdict:
    """Claim 3, training: alignment at the end above that of the untrained model, and above the control's end.

    Parameters
    ----------
    measured : DataFrame
        Of :func:`lingua_utils.runs.findings.measures`. SADS and translations found, over all layers, must be
        above both with their intervals in every training: it holds; one of the two measures: in part.
    """
    rows = measured[(measured.layer == "all") & measured.measure.isin(["SADS", FOUND])]
    last, first = collate.finished(rows), collate.untrained(rows)
    ends, starts = last[last.model_id == model], first[first.model_id == model]
    beside = last[last.model_id == control]
    if ends.empty or starts.empty:
        return Verdict(UNMEASURED)
    if ends.step.isna().any():
        return Verdict(UNTOLD, "no checkpoint between the untrained twin and the end was measured")
    if beside.empty:
        return Verdict(UNTOLD, "the control was not measured")
    told, grown = [], []
    for name in ("SADS", FOUND):
        end, start, other = (part[part.measure == name] for part in (ends, starts, beside))
        grown.append(end.low.min() > max(start.high.max(), other.high.max()))
        told.append(
            f"{name} {_number(start.value.mean(), name)} untrained, "
            f"{_span(end.value.mean(), end.low.min(), end.high.max(), name)} at the end, "
            f"{_number(other.value.mean(), name)} in the control"
        )
    trainings = f" ({ends.training_seed.nunique()} trainings)"
    return Verdict(of_counts(sum(grown), len(grown)), "; ".join(told) + trainings)


def grows_with_size(measured: pd.DataFrame) -> Verdict:
    """Claim 3, size: SADS of models of one text, from the smallest to the largest.

    Parameters
    ----------
    measured : DataFrame
        Of :func:`lingua_utils.runs.findings.measures`, of finished models that differ in size and in nothing
        else. With fewer than three sizes nothing is told: it holds where each is above the one before beyond
        their intervals, in part where the largest is above the smallest.
    """
    rows = collate.finished(measured[(measured.layer == "all") & (measured.measure == "SADS")])
    sizes = rows.groupby("n_parameters").agg(
        value=("value", "mean"), low=("low", "min"), high=("high", "max")
    )
    sizes = sizes.sort_index()
    if sizes.empty:
        return Verdict(UNMEASURED)
    told = ", ".join(
        f"{_span(row.value, row.low, row.high, 'SADS')} with {n:,.0f} parameters"
        for n, row in sizes.iterrows()
    )
    if len(sizes) < 3:
        return Verdict(UNTOLD, f"{len(sizes)} size{'s' * (len(sizes) > 1)} trained on the same text: {told}")
    steps = sizes.low.to_numpy()[1:] > sizes.high.to_numpy()[:-1]
    if steps.all():
        return Verdict(HOLDS, told)
    return Verdict(IN_PART if sizes.low.iloc[-1] > sizes.high.iloc[0] else FAILS, told)


def denser_outside(counts: pd.DataFrame) -> Verdict:
    """Claim 4, place: the share of key neurons in the first and in the last layer, less the middle third's.

    Parameters
    ----------
    counts : DataFrame
        ``region_counts`` of one model and of its untrained twin. The difference is a mean over languages with
        Student's interval over them; it counts above 0 and above the twin's. In the first and in the last
        layer: it holds; in one of them: in part.
    """
    counts = counts[counts.rule == RULE]
    model, twin = collate.finished(counts), collate.untrained(counts)
    if model.empty or twin.empty:
        return Verdict(UNTOLD, f"{'the model' if model.empty else 'the untrained twin'} was not measured")
    own, null = _outside(model), _outside(twin)
    above = [own[end].low > max(0.0, null[end].high) for end in own]
    told = "; ".join(
        f"{end} layer less the middle third {own[end]} per 1,000 neurons, untrained {null[end].value:.3g}"
        for end in own
    )
    return Verdict(of_counts(sum(above), len(above)), told)


def _outside(counts: pd.DataFrame) -> dict[str, Estimate]:
    """Key neurons per 1,000 in the first and the last layer, less those of the middle third."""
    share = counts.groupby(["language", "layer_index"]).share.mean().unstack() * 1_000
    n = share.shape[1]
    middle = share.iloc[:, n // 3 : n - n // 3].mean(axis=1)
    return {end: _over_languages(share.iloc[:, at] - middle) for end, at in (("first", 0), ("last", -1))}


def _over_languages(values: pd.Series) -> Estimate:
    """A mean with Student's interval over languages; of no width where nothing varies."""
    if values.nunique() == 1:
        return Estimate(*[float(values.iloc[0])] * 3)
    low, high = stats.ttest_1samp(values, 0).confidence_interval()
    return Estimate(float(values.mean()), float(low), float(high))


def shrinks(counts: pd.DataFrame) -> Verdict:
    """Claim 4, training: key neurons of a language at the end, less those at the first trained checkpoint.

    Parameters
    ----------
    counts : DataFrame
        ``region_counts`` of one model through training. Below 0 with its interval over languages: it holds;
        only below the largest on the way: in part; otherwise it does not hold.
    """
    rows = counts[(counts.rule == RULE) & counts.step.notna()]
    sizes = rows.groupby(["language", "step", "training_seed"])["count"].sum()
    sizes = sizes.groupby(["language", "step"]).mean().unstack()
    trained = sizes.loc[:, sizes.columns > 0]
    if trained.shape[1] < 2:
        return Verdict(UNTOLD, "no two checkpoints of its training were measured")
    first, last, peak = trained.columns[0], trained.columns[-1], trained.mean().idxmax()
    change, from_peak = (_over_languages(trained[last] - trained[step]) for step in (first, peak))
    told = (
        f"neurons of a language: {trained[last].mean():.3g} at step {last:,}, a change of {change} since "
        f"step {first:,}; most, {trained[peak].mean():.3g}, at step {peak:,}"
    )
    if change.high < 0:
        return Verdict(HOLDS, told)
    return Verdict(IN_PART if from_peak.high < 0 else FAILS, told)


def hurts_its_own(selectivity: pd.DataFrame) -> Verdict:
    """Claim 5: what silencing a language's region costs it beyond the others, and beyond random neurons.

    Parameters
    ----------
    selectivity : DataFrame
        Of one finished model. Both intervals above 0 in every language that has a region: it holds; in some:
        in part.
    """
    rows = selectivity[(selectivity.rule == RULE) & (selectivity.control_kind == "layer")]
    rows = collate.finished(rows)
    # An empty region costs nothing, and its interval has no width.
    rows = rows[rows.difference_high > rows.difference_low].drop_duplicates(
        ["training_seed", "region_language"]
    )
    if rows.empty:
        return Verdict(UNTOLD, f"no language has a region by the rule {RULE}")
    more = (rows.difference_low > 0) & (rows.excess_low > 0)
    # Rounded, and 0 without a sign.
    own, others, random = rows[["own", "others", "control_own"]].mean().round(4) + 0.0
    return Verdict(
        of_counts(int(more.sum()), len(rows)),
        f"its own language loses {own:.4f} bits per byte, the others {others:.4f}; random neurons cost it "
        f"{random:.4f}; beyond both in {int(more.sum())} of {len(rows)} languages that have a region",
    )


def goes_with_accuracy(measured: pd.DataFrame, accuracy: pd.DataFrame) -> Verdict:
    """Claim 6: rank correlation of SADS with cross-lingual accuracy, over a model's checkpoints.

    Parameters
    ----------
    measured : DataFrame
        Of :func:`lingua_utils.runs.findings.measures`, of one model.
    accuracy : DataFrame
        Its ``accuracy`` table. A task counts where the correlation's interval is above 0 and the accuracy
        ends above chance with its interval, in every training. All cross-lingual tasks: it holds; one: in
        part. Fewer than :data:`ENOUGH` checkpoints tell no correlation.
    """
    if accuracy.empty or measured.empty:
        return Verdict(UNMEASURED)
    sads = measured[(measured.layer == "all") & (measured.measure == "SADS")][[*RUN, "value"]]
    keys = ["model_id", "training_seed", "revision"]
    told, together = [], []
    for task in CROSS_LINGUAL:
        of_task = accuracy[accuracy.asked == task].drop_duplicates(keys)
        both, ends = of_task.merge(sads[[*keys, "value"]], on=keys), collate.finished(of_task)
        if ends.empty:
            return Verdict(UNTOLD, f"{task} was not asked")
        text = (
            f"{task} ends at {ends.mean_accuracy.mean():.0%} ({ends.mean_low.min():.0%} to "
            f"{ends.mean_high.max():.0%}; chance {ends.chance.iloc[0]:.0%})"
        )
        if len(both) >= ENOUGH:
            related = rank_correlation(both.value, both.mean_accuracy)
            together.append(related.low > 0 and (ends.mean_low > ends.chance).all())
            text += f", rank correlation with SADS {related} over {len(both)} checkpoints"
        told.append(text)
    if len(together) < len(CROSS_LINGUAL):
        return Verdict(UNTOLD, f"{'; '.join(told)}; {len(both)} checkpoints are too few for a correlation")
    return Verdict(of_counts(sum(together), len(together)), "; ".join(told))


def _number(value: float, measure: str) -> str:
    return f"{value:.1%}" if measure == FOUND else f"{value:.3f}"


def _span(value: float, low: float, high: float, measure: str) -> str:
    return f"{_number(value, measure)} ({_number(low, measure)} to {_number(high, measure)})"


_SAID = {
    "language": ("Sentences of one language excite the same neurons.", "04_similarity"),
    "meaning": ("Sentences of one meaning do too, across languages: the lingua franca.", "04_similarity"),
    "training": ("Sharing of meaning grows with training.", "08_evolution"),
    "size": ("It grows with the size of the model.", "09_scaling"),
    "place": ("A language's key neurons sit in the first and last layers.", "05_regions"),
    "shrinking": ("They grow fewer with training.", "08_evolution"),
    "silencing": ("Silencing them hurts mainly that language.", "06_ablation"),
    "accuracy": ("Sharing of meaning goes with accuracy on tasks.", "07_tasks"),
}


def verdicts(real: Mapping[str, pd.DataFrame], lab: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """A line for each claim of the paper and each model.

    Parameters
    ----------
    real, lab : dict
        Of :func:`lingua_utils.runs.findings.tables_like`, for real models on real text and for the lab's.

    Returns
    -------
    DataFrame
        ``claim`` (a name), ``model``, ``verdict``, ``told``. Of real models none stands there where none was
        measured.
    """
    scored = {"real": measures(real), "lab": measures(lab)}
    names = list(dict.fromkeys(scored["real"].model_id[is_real(scored["real"])])) or [""]
    found = [(name, *line) for name in names for line in _of_model(name, real, scored["real"])]
    found += [(MODEL, *line) for line in _of_model(MODEL, lab, scored["lab"])]
    if "accuracy" in lab and LONG in set(lab["accuracy"].model_id):
        found.append((LONG, "accuracy", _accuracy(LONG, lab, scored["lab"])))
    table = pd.DataFrame(
        {"claim": claim, "model": short(name) or "a real model", **vars(verdict)}
        for name, claim, verdict in found
    )
    return table.sort_values("claim", key=lambda claims: claims.map(list(_SAID).index), kind="stable")


def _of_model(
    name: str, tables: Mapping[str, pd.DataFrame], scored: pd.DataFrame
) -> Iterator[tuple[str, Verdict]]:
    """Every claim, and what becomes of it in one model."""
    of_model = scored[scored.model_id == name]
    beside = beside_twins(of_model)
    yield "language", alike(beside, ("LRDS",))
    yield "meaning", alike(beside, ("SADS", FOUND))
    yield "training", grows_with_training(scored, name)
    if name == MODEL:
        yield "size", grows_with_size(scored[scored.model_id.isin([SMALL, MODEL])])
    else:
        yield "size", Verdict(UNTOLD, "real models of several sizes differ in their training text as well")
    for claim, judge, table in (
        ("place", denser_outside, "region_counts"),
        ("shrinking", shrinks, "region_counts"),
        ("silencing", hurts_its_own, "selectivity"),
    ):
        rows = tables[table][tables[table].model_id == name] if table in tables else ()
        yield claim, judge(rows) if len(rows) else Verdict(UNMEASURED)
    yield "accuracy", _accuracy(name, tables, scored)


def _accuracy(name: str, tables: Mapping[str, pd.DataFrame], scored: pd.DataFrame) -> Verdict:
    if "accuracy" not in tables:
        return Verdict(UNMEASURED)
    accuracy = tables["accuracy"]
    return goes_with_accuracy(scored[scored.model_id == name], accuracy[accuracy.model_id == name])


def as_markdown(table: pd.DataFrame) -> str:
    """The verdicts as a table of a page: each claim with its chapter once, then a line for each model."""
    lines = ["| claim | model | verdict | what decides |", "| --- | --- | --- | --- |"]
    before = None
    for row in table.itertuples():
        said, chapter = _SAID[row.claim]
        claim = f"{said} ([{chapter[3:]}](../notebooks/{chapter}.ipynb))" if row.claim != before else ""
        lines.append(f"| {claim} | {row.model} | **{row.verdict}** | {row.told or '–'} |")
        before = row.claim
    return "\n".join(lines)
