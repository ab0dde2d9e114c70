"""The ledger: whether what the paper and this book claim holds, model by model, and what decides.

The rule of each claim stands in :data:`CLAIMS`, which the book shows beside the verdicts; a function judges
by it. What the tables do not tell is said to be so.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from lingua_utils.measure.intervals import Estimate, rank_correlation, wilson
from lingua_utils.measure.regions import outer_layers
from lingua_utils.runs import collate
from lingua_utils.runs.findings import (
    CONTROL,
    FOUND,
    LONG,
    MODEL,
    NAMES,
    RUN,
    beside_twins,
    between_the_ends,
    is_real,
    measures,
    short,
)

HOLDS, IN_PART, FAILS = "holds", "holds in part", "does not hold"
UNTOLD, UNMEASURED = "cannot be told here", "not measured"
#: The rule whose regions are silenced here: a language's mean against what the other languages' foretell.
RULE = "distinctive"
#: Rules that may call as many or as few neurons key as they find; the others take a fixed share.
FREE = ("distinctive", "calibrated", "zscore")
#: Checkpoints that a rank correlation with an interval is told from.
ENOUGH = 8
#: Of the lab, trained on the same text as the main model, and smaller.
SMALL = "lab/bloom-s"
CROSS_LINGUAL = ("translation", "transfer")
PAPER, BOOK = "the paper", "this book"


@dataclass(frozen=True)
class Claim:
    """What is claimed, by whom, in which chapter it is measured, and the rule of its verdict."""

    said: str
    by: str
    chapter: str
    rule: str


#: What every rule goes by.
GENERAL = (
    "An effect counts where its whole 95 % interval lies above its null (shuffled sentences, or chance) and "
    "above the untrained twin. A claim *holds* where the effect counts in everything that the rule names, it "
    "*holds in part* where it counts in some of that, and it *does not hold* where it counts in none. Where "
    "the tables are there and cannot decide, it *cannot be told here*; where a table is missing, it was "
    "*not measured*."
)
CLAIMS = {
    "language": Claim(
        "Sentences of one language excite the same neurons.",
        PAPER,
        "04_similarity",
        "LRDS, in each layer of every training.",
    ),
    "meaning": Claim(
        "So do sentences of one meaning, across languages: the lingua franca.",
        PAPER,
        "04_similarity",
        "SADS and translations found, both, in each layer of every training.",
    ),
    "training": Claim(
        "Sharing of meaning grows with training.",
        PAPER,
        "08_evolution",
        "SADS, and translations found: at the end above the untrained model and above the end of the "
        "control, in every training.",
    ),
    "size": Claim(
        "It grows with the size of the model.",
        PAPER,
        "09_scaling",
        "SADS, of three sizes or more that were trained on the same text: each above the one before. It "
        "holds in part where only the largest lies above the smallest.",
    ),
    "place": Claim(
        "A language's key neurons sit in the first and last layers.",
        PAPER,
        "05_regions",
        "The share of a language's key neurons that lies in the first and last tenth of the layers, by each "
        "rule: above what an even spread would put there, and above the untrained twin's share, in every "
        "language that has key neurons.",
    ),
    "shrinking": Claim(
        "They grow fewer with training.",
        PAPER,
        "08_evolution",
        "The number of a language's key neurons, by each rule that is free in their number: at the end below "
        "the first trained checkpoint, on average over languages.",
    ),
    "silencing": Claim(
        "Silencing them hurts mainly that language.",
        PAPER,
        "06_ablation",
        f"What a language loses without its region by `{RULE}`: more than the other languages lose, and more "
        "than random neurons cost it, in every language that has a region.",
    ),
    "accuracy": Claim(
        "Sharing of meaning goes with accuracy on tasks.",
        PAPER,
        "07_tasks",
        f"Translation and transfer: the rank correlation of accuracy with SADS over at least {ENOUGH} "
        "checkpoints is above 0, and accuracy ends above chance in every training.",
    ),
    "middle": Claim(
        "Meaning is shared most between the first and the last layer.",
        BOOK,
        "04_similarity",
        "SADS, and translations found: in the highest layer above those of the first and of the last layer, "
        "in every training.",
    ),
    "bridge": Claim(
        "It takes lines in which a sentence meets its translation.",
        BOOK,
        "08_evolution",
        "SADS, and translations found: at the end above the control and above both placebos, in every "
        "training.",
    ),
    "knowing": Claim(
        "What one language was told, the others know.",
        BOOK,
        "07_tasks",
        "Transfer: accuracy ends above chance, in every training.",
    ),
}


@dataclass(frozen=True)
class Verdict:
    """What becomes of a claim in one model, the numbers that decide, and what they stand beside."""

    verdict: str
    numbers: str = ""
    beside: str = ""


def of_counts(n_true: int, n: int) -> str:
    """A claim about every one of ``n`` cases, of which it is true in ``n_true``."""
    return HOLDS if n_true == n else IN_PART if n_true else FAILS


def alike(beside: pd.DataFrame, names: tuple[str, ...]) -> Verdict:
    """Claims "language" and "meaning": measures above the null and the untrained twin, layer by layer.

    Parameters
    ----------
    beside : DataFrame
        Of :func:`lingua_utils.runs.findings.beside_twins`, of one model.
    names : tuple of str
        Measures that must all be above.
    """
    rows = beside[beside.measure.isin(names)]
    if set(rows.measure) != set(names):
        return Verdict(UNMEASURED)
    whole = rows[rows.layer == "all"].groupby("measure")[["value", "low", "high", "limit", "twin"]].mean()
    numbers = _joined(names, (_span(*whole.loc[name, ["value", "low", "high"]], name) for name in names))
    null = _joined(
        names,
        (
            f"by chance {_number(row.limit, name)}, untrained "
            f"{'not measured' if np.isnan(row.twin) else _number(row.twin, name)}"
            for name, row in whole.loc[list(names)].iterrows()
        ),
    )
    if rows.twin.isna().any():
        return Verdict(UNTOLD, f"{numbers}; the untrained twin was not measured", null)
    layers = rows[rows.layer != "all"]
    above = (layers.low > layers[["limit", "twin_high"]].max(axis=1)).groupby(
        [layers.training_seed, layers.layer]
    )
    n_above, n = int(above.all().sum()), above.ngroups
    trainings = rows.training_seed.nunique()
    of = "layers" if trainings == 1 else f"layers of {trainings} trainings"
    return Verdict(of_counts(n_above, n), f"{numbers}; above both in {n_above} of {n} {of}", null)


def shared_between_the_ends(measured: pd.DataFrame) -> Verdict:
    """Claim "middle": whether the layer in which most is shared lies between the first and the last.

    Parameters
    ----------
    measured : DataFrame
        Of :func:`lingua_utils.runs.findings.measures`, of one model.
    """
    layers = collate.finished(measured[(measured.layer != "all") & measured.measure.isin(["SADS", FOUND])])
    if layers.measure.nunique() < 2:
        return Verdict(UNMEASURED)
    higher, numbers, ends = [], [], []
    for name in ("SADS", FOUND):
        of_measure = layers[layers.measure == name].sort_values("layer_index")
        higher.append(all(between_the_ends(rows) for _, rows in of_measure.groupby("training_seed")))
        mean = of_measure.groupby(["layer_index", "layer"])[["value", "low", "high"]].mean().reset_index()
        best = mean.loc[mean.value.idxmax()]
        numbers.append(f"{_span(best.value, best.low, best.high, name)} in layer {best.layer}")
        ends.append(" and ".join(_number(value, name) for value in mean.value.iloc[[0, -1]]))
    beside = f"at the two ends {_joined(('SADS', FOUND), ends)}"
    return Verdict(of_counts(sum(higher), len(higher)), _joined(("SADS", FOUND), numbers), beside)


def grows_with_training(measured: pd.DataFrame, model: str = MODEL, control: str = CONTROL) -> Verdict:
    """Claim "training": alignment at the end beside that of the untrained model, and the control's end.

    Parameters
    ----------
    measured : DataFrame
        Of :func:`lingua_utils.runs.findings.measures`.
    """
    rows = measured[(measured.layer == "all") & measured.measure.isin(["SADS", FOUND])]
    ends, starts = (
        part[part.model_id == model] for part in (collate.finished(rows), collate.untrained(rows))
    )
    if ends.empty or starts.empty:
        return Verdict(UNMEASURED)
    if ends.step.isna().any():
        return Verdict(UNTOLD, "no checkpoint between the untrained twin and the end was measured")
    return _above(
        ends, {"untrained": starts, "the control": collate.finished(rows[rows.model_id == control])}
    )


def takes_bridges(measured: pd.DataFrame) -> Verdict:
    """Claim "bridge": the lab's model at its end beside its control and its placebos.

    Parameters
    ----------
    measured : DataFrame
        Of :func:`lingua_utils.runs.findings.measures`.
    """
    rows = collate.finished(measured[(measured.layer == "all") & measured.measure.isin(["SADS", FOUND])])
    others = {name: rows[rows.model_id == model] for model, name in NAMES.items() if model != MODEL}
    ends = rows[rows.model_id == MODEL]
    return _above(ends, others) if len(ends) else Verdict(UNMEASURED)


def _above(ends: pd.DataFrame, others: Mapping[str, pd.DataFrame]) -> Verdict:
    """Whether a model ends above all of some others, in SADS and in translations found."""
    missing = [name for name, rows in others.items() if rows.empty]
    if missing:
        return Verdict(UNTOLD, f"{', '.join(missing)}: not measured")
    above, numbers, beside = [], [], []
    for name in ("SADS", FOUND):
        end = ends[ends.measure == name]
        of_measure = {other: rows[rows.measure == name] for other, rows in others.items()}
        above.append(end.low.min() > max(rows.high.max() for rows in of_measure.values()))
        numbers.append(_span(end.value.mean(), end.low.min(), end.high.max(), name))
        means = (f"{other} {_number(rows.value.mean(), name)}" for other, rows in of_measure.items())
        beside.append(", ".join(means))
    names, trainings = ("SADS", FOUND), ends.training_seed.nunique()
    numbers = f"{_joined(names, numbers)}; {trainings} training{'s' * (trainings > 1)}"
    return Verdict(of_counts(sum(above), len(above)), numbers, _joined(names, beside))


def grows_with_size(measured: pd.DataFrame) -> Verdict:
    """Claim "size": SADS of models of one text, from the smallest to the largest.

    Parameters
    ----------
    measured : DataFrame
        Of :func:`lingua_utils.runs.findings.measures`, of finished models that differ in size and in nothing
        else.
    """
    rows = collate.finished(measured[(measured.layer == "all") & (measured.measure == "SADS")])
    sizes = rows.groupby("n_parameters").agg(
        value=("value", "mean"), low=("low", "min"), high=("high", "max")
    )
    sizes = sizes.sort_index()
    if sizes.empty:
        return Verdict(UNMEASURED)
    told = "SADS " + ", ".join(
        f"{_span(row.value, row.low, row.high, 'SADS')} with {n:,.0f} parameters"
        for n, row in sizes.iterrows()
    )
    if len(sizes) < 3:
        return Verdict(UNTOLD, f"{told}: too few sizes")
    steps = sizes.low.to_numpy()[1:] > sizes.high.to_numpy()[:-1]
    if steps.all():
        return Verdict(HOLDS, told)
    return Verdict(IN_PART if sizes.low.iloc[-1] > sizes.high.iloc[0] else FAILS, told)


def denser_outside(counts: pd.DataFrame) -> Verdict:
    """Claim "place": the share of key neurons in the outer layers, language by language and rule by rule.

    Parameters
    ----------
    counts : DataFrame
        ``region_counts`` of one model and of its untrained twin.
    """
    model, twin = collate.finished(counts), collate.untrained(counts)
    if model.empty or twin.empty:
        return Verdict(UNTOLD, f"{'the model' if model.empty else 'the untrained twin'} was not measured")
    own, null = _outer(model), _outer(twin)
    null = null.reindex(own.index)
    more = own.low > np.fmax(own.even, null.high)
    by_rule = more.groupby(level="rule", sort=False).agg(["sum", "size"])
    told = ", ".join(f"{row['sum']} of {row['size']} by `{rule}`" for rule, row in by_rule.iterrows())
    twins = null.share.groupby(level="rule", sort=False).mean()
    of_twin = ", ".join(f"{share:.0%} by `{rule}`" for rule, share in twins.dropna().items()) or "no region"
    return Verdict(
        of_counts(int(more.sum()), len(more)),
        f"languages with more in the outer layers, beyond the interval: {told}",
        f"an even spread {own.even.mean():.0%}; untrained {of_twin}",
    )


def _outer(counts: pd.DataFrame) -> pd.DataFrame:
    """Share of key neurons in the outer layers by rule and language, with interval, and an even spread."""
    layers = counts.drop_duplicates("layer_index").sort_values("layer_index").layer
    outside = counts.layer.isin(layers[outer_layers(tuple(layers))])
    widths = (counts["count"] / counts.share).groupby(counts.layer_index).median()
    keys = [counts.rule, counts.language]
    n = counts["count"].groupby(keys, sort=False).sum()
    n_outer = counts["count"].where(outside, 0).groupby(keys, sort=False).sum()[n > 0]
    n = n[n > 0]
    low, high = wilson((n_outer / n).to_numpy(), n.to_numpy())
    even = widths[counts[outside].layer_index.unique()].sum() / widths.sum()
    return pd.DataFrame({"share": n_outer / n, "low": low, "high": high, "even": even})


def _over_languages(values: pd.Series) -> Estimate:
    """A mean with Student's interval over languages; of no width where nothing varies."""
    if values.nunique() == 1:
        return Estimate(*[float(values.iloc[0])] * 3)
    low, high = stats.ttest_1samp(values, 0).confidence_interval()
    return Estimate(float(values.mean()), float(low), float(high))


def shrinks(counts: pd.DataFrame) -> Verdict:
    """Claim "shrinking": key neurons of a language at the end, less those at the first trained checkpoint.

    Parameters
    ----------
    counts : DataFrame
        ``region_counts`` of one model through training.
    """
    rows = counts[counts.rule.isin(FREE) & (counts.step > 0)]
    if rows.step.nunique() < 2:
        return Verdict(UNTOLD, "no two checkpoints of its training were measured")
    fewer, told, peaks = [], [], []
    for rule in [rule for rule in FREE if (rows.rule == rule).any()]:
        sizes = rows[rows.rule == rule].groupby(["language", "step", "training_seed"])["count"].sum()
        sizes = sizes.groupby(["language", "step"]).mean().unstack()
        first, last, peak = sizes.columns[0], sizes.columns[-1], sizes.mean().idxmax()
        change = _over_languages(sizes[last] - sizes[first])
        fewer.append(change.high < 0)
        told.append(f"{sizes[last].mean():.3g} by `{rule}`, a change of {change} since step {first:,}")
        peaks.append(f"{sizes[peak].mean():.3g} by `{rule}` at step {peak:,}")
    return Verdict(
        of_counts(sum(fewer), len(fewer)),
        f"key neurons of a language at step {last:,}: {'; '.join(told)}",
        f"most on the way: {', '.join(peaks)}",
    )


def hurts_its_own(selectivity: pd.DataFrame) -> Verdict:
    """Claim "silencing": what a region's silence costs its language beyond the others and random neurons.

    Parameters
    ----------
    selectivity : DataFrame
        Of one finished model.
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
        f"a language loses {own:.4f} bits per byte, {_over(rows, 'difference')} more than the others and "
        f"{_over(rows, 'excess')} more than without random neurons; beyond both in {int(more.sum())} of "
        f"{len(rows)} languages that have a region",
        f"the other languages lose {others:.4f}; random neurons cost {random:.4f}",
    )


def _over(rows: pd.DataFrame, name: str) -> str:
    """The mean of a column over languages, with Student's interval over them."""
    mean = _over_languages(rows[name])
    return f"{mean.value:.4f} ({mean.low:.4f} to {mean.high:.4f})"


def goes_with_accuracy(measured: pd.DataFrame, accuracy: pd.DataFrame) -> Verdict:
    """Claim "accuracy": rank correlation of SADS with cross-lingual accuracy, over a model's checkpoints.

    Parameters
    ----------
    measured : DataFrame
        Of :func:`lingua_utils.runs.findings.measures`, of one model.
    accuracy : DataFrame
        Its ``accuracy`` table.
    """
    if accuracy.empty or measured.empty:
        return Verdict(UNMEASURED)
    sads = measured[(measured.layer == "all") & (measured.measure == "SADS")][[*RUN, "value"]]
    keys = ["model_id", "training_seed", "revision"]
    both = accuracy.drop_duplicates([*keys, "asked"]).merge(sads[[*keys, "value"]], on=keys)
    told, together = [], []
    for task in CROSS_LINGUAL:
        of_task, ends = both[both.asked == task], collate.finished(accuracy[accuracy.asked == task])
        if ends.empty:
            return Verdict(UNTOLD, f"{task} was not asked")
        text = f"{task} {_ends_at(ends)}"
        if len(of_task) >= ENOUGH:
            related = rank_correlation(of_task.value, of_task.mean_accuracy)
            together.append(related.low > 0 and (ends.mean_low > ends.chance).all())
            text += f", rank correlation with SADS {related} over {len(of_task)} checkpoints"
        told.append(text)
    beside = f"chance {', '.join(f'{task} {_chance(accuracy, task)}' for task in CROSS_LINGUAL)}"
    if len(together) < len(CROSS_LINGUAL):
        told.append(f"{len(of_task)} checkpoints are too few for a correlation")
        return Verdict(UNTOLD, "; ".join(told), beside)
    told += _known_early(both)
    return Verdict(of_counts(sum(together), len(together)), "; ".join(told), beside)


def _known_early(both: pd.DataFrame) -> list[str]:
    """When recall within a language has come within 5 % of its best, and what SADS was by then, in words."""
    recall = both[both.asked == "cloze"].groupby("step")[["mean_accuracy", "value"]].mean()
    if recall.empty:
        return []
    known = recall[recall.mean_accuracy >= 0.95 * recall.mean_accuracy.max()]
    return [
        f"recall within a language comes within 5 % of its best at step {known.index[0]:,}, where SADS is "
        f"{known.value.iloc[0]:.3f}, of {recall.value.iloc[-1]:.3f} at the end"
    ]


def known_elsewhere(accuracy: pd.DataFrame) -> Verdict:
    """Claim "knowing": accuracy on facts that only another language was told.

    Parameters
    ----------
    accuracy : DataFrame
        The ``accuracy`` table of one model.
    """
    ends = collate.finished(accuracy[accuracy.asked == "transfer"])
    if ends.empty:
        return Verdict(UNMEASURED)
    verdict = HOLDS if (ends.mean_low > ends.chance).all() else FAILS
    return Verdict(verdict, f"transfer {_ends_at(ends)}", f"chance {_chance(accuracy, 'transfer')}")


def _ends_at(ends: pd.DataFrame) -> str:
    return f"{ends.mean_accuracy.mean():.0%} ({ends.mean_low.min():.0%} to {ends.mean_high.max():.0%})"


def _chance(accuracy: pd.DataFrame, task: str) -> str:
    return f"{accuracy.chance[accuracy.asked == task].iloc[0]:.0%}"


def _joined(names: tuple[str, ...], told: Iterable[str]) -> str:
    """What is told of each measure, under its name."""
    return "; ".join(f"{name.split()[-1]} {text}" for name, text in zip(names, told, strict=True))


def _number(value: float, measure: str) -> str:
    return f"{value:.1%}" if measure == FOUND else f"{value:.3f}"


def _span(value: float, low: float, high: float, measure: str) -> str:
    return f"{_number(value, measure)} ({_number(low, measure)} to {_number(high, measure)})"


def verdicts(real: Mapping[str, pd.DataFrame], lab: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """A line for each claim and each model.

    Parameters
    ----------
    real, lab : dict
        Of :func:`lingua_utils.runs.findings.tables_like`, for real models on real text and for the lab's.

    Returns
    -------
    DataFrame
        ``claim`` (a key of :data:`CLAIMS`), ``model``, ``verdict``, ``numbers``, ``beside``. "A real model"
        stands there where none was measured.
    """
    scored = {"real": measures(real), "lab": measures(lab)}
    names = list(dict.fromkeys(scored["real"].model_id[is_real(scored["real"])])) or [""]
    found = [(name, *line) for name in names for line in _of_model(name, real, scored["real"])]
    found += [(MODEL, *line) for line in _of_model(MODEL, lab, scored["lab"])]
    if "accuracy" in lab and LONG in set(lab["accuracy"].model_id):
        found += [(LONG, *line) for line in _of_tasks(LONG, lab, scored["lab"])]
    table = pd.DataFrame(
        {"claim": claim, "model": short(name) or "a real model", **vars(verdict)}
        for name, claim, verdict in found
    )
    return table.sort_values("claim", key=lambda claims: claims.map(list(CLAIMS).index), kind="stable")


def _of_model(
    name: str, tables: Mapping[str, pd.DataFrame], scored: pd.DataFrame
) -> Iterator[tuple[str, Verdict]]:
    """Every claim, and what becomes of it in one model."""
    of_model = scored[scored.model_id == name]
    beside = beside_twins(of_model)
    yield "language", alike(beside, ("LRDS",))
    yield "meaning", alike(beside, ("SADS", FOUND))
    yield "training", grows_with_training(scored, name)
    yield "middle", shared_between_the_ends(of_model)
    if name == MODEL:
        yield "size", grows_with_size(scored[scored.model_id.isin([SMALL, MODEL])])
        yield "bridge", takes_bridges(scored)
    else:
        yield "size", Verdict(UNTOLD, "real models of several sizes differ in their training text as well")
        yield "bridge", Verdict(UNTOLD, "its training text is not known line by line")
    for claim, judge, table in (
        ("place", denser_outside, "region_counts"),
        ("shrinking", shrinks, "region_counts"),
        ("silencing", hurts_its_own, "selectivity"),
    ):
        rows = tables[table][tables[table].model_id == name] if table in tables else ()
        yield claim, judge(rows) if len(rows) else Verdict(UNMEASURED)
    yield from _of_tasks(name, tables, scored)


def _of_tasks(
    name: str, tables: Mapping[str, pd.DataFrame], scored: pd.DataFrame
) -> Iterator[tuple[str, Verdict]]:
    """What is claimed of tasks, and what becomes of it in one model."""
    if "accuracy" not in tables:
        yield from (("accuracy", Verdict(UNMEASURED)), ("knowing", Verdict(UNMEASURED)))
        return
    accuracy = tables["accuracy"][tables["accuracy"].model_id == name]
    yield "accuracy", goes_with_accuracy(scored[scored.model_id == name], accuracy)
    yield "knowing", known_elsewhere(accuracy)


def as_markdown(table: pd.DataFrame) -> str:
    """The verdicts as a table of a page: each claim with its chapter once, then a line for each model."""
    lines = [
        "| claim | model | verdict | numbers, with 95 % intervals | null, twin or control |",
        "| --- | --- | --- | --- | --- |",
    ]
    before = None
    for row in table.itertuples():
        claim = CLAIMS[row.claim]
        link = f"[chapter {claim.chapter[:2]}](../notebooks/{claim.chapter}.ipynb)"
        said = f"{claim.said} ({claim.by}; {link})" if row.claim != before else ""
        lines.append(
            f"| {said} | {row.model} | **{row.verdict}** | {row.numbers or '–'} | {row.beside or '–'} |"
        )
        before = row.claim
    return "\n".join(lines)


def rules_as_markdown() -> str:
    """The rules of the verdicts, as a page shows them: what all go by, and that of each claim."""
    rules = (f"- **{claim.said}** {claim.rule}" for claim in CLAIMS.values())
    return "\n".join([GENERAL, "", *rules])


def in_short(table: pd.DataFrame) -> str:
    """How many of the claims come out which way in each model, in a sentence.

    Parameters
    ----------
    table : DataFrame
        Of :func:`verdicts`. A model of which few claims are judged is left out.
    """
    told = []
    for model, rows in table.groupby("model", sort=False):
        if len(rows) == len(CLAIMS):
            counts = rows.verdict.value_counts()
            ways = (
                f"{counts[way]} {words[int(counts[way] > 1)]}"
                for way, words in _COUNTED.items()
                if way in counts
            )
            told.append(f"in {model} {', '.join(ways)}")
    return f"Of {len(CLAIMS)} claims, {'; '.join(told)}."


_COUNTED = {
    HOLDS: (HOLDS, "hold"),
    IN_PART: (IN_PART, "hold in part"),
    FAILS: (FAILS, "do not hold"),
    UNTOLD: (UNTOLD, UNTOLD),
    UNMEASURED: ("was not measured", "were not measured"),
}
