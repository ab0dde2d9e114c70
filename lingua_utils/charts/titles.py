"""What the title of a chart says: a finding, computed from the chart's own table, with what it stands beside.

One function for each chart, of the same name. Where a chart offers a choice of rule, scale, task or kind of
sentence, the title speaks of the one it opens with; of checkpoints, of the last.
"""

from collections.abc import Iterable, Sequence

import pandas as pd

from lingua_utils.charts import parts, theme

ALL = "all"
OWN_SCALE = "standardised"


def _layers(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of single layers, in their order."""
    return table[table.layer != ALL].sort_values("layer_index", kind="stable")


def _of(table: pd.DataFrame, column: str, value: str) -> pd.DataFrame:
    """The rows with a value in a column; all rows where there are none."""
    chosen = table[table[column] == value] if column in table else table[:0]
    return chosen if len(chosen) else table


def _last(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the last checkpoint; a row without a step is a finished model."""
    step = parts.SliderTable.step_of(table)
    return table[step == step.max()]


def _start(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of an untrained model, where there are any."""
    return table[table.step == 0] if "step" in table else table[:0]


def _pairs(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of two single languages."""
    return table[~table.target.isin([parts.OTHERS, parts.FAMILY])]


def _name(code: str) -> str:
    return theme.language_name(code)


def _counted(n: int, of: int, what: str = "languages") -> str:
    return f"{n} of {of} {what}"


def _join(words: Iterable[str]) -> str:
    words = list(words)
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]


def _layer(table: pd.DataFrame, layer: str) -> str:
    """ "layer 5 of 18", which counts from 0."""
    name = parts.layer_name(layer)
    return f"{name} of {table.layer[table.layer != ALL].nunique()}" if name.startswith("layer") else name


def _milli(value: float) -> str:
    """To three decimals, with no minus before a zero."""
    return f"{round(value, 3) + 0:.3f}"


def _ends(values: pd.Series) -> tuple:
    """Where values are highest, and where lowest."""
    return values.idxmax(), values.idxmin()


# Chapters 02 and 03


def loss_by_language(losses: pd.DataFrame, measure: str, unit: str) -> str:
    """What held-out text costs at the first and at the last step."""
    means = losses.groupby("step")[measure].mean()
    last = losses[losses.step == losses.step.max()].groupby("language")[measure].mean()
    most, least = _ends(last)
    return (
        f"Held-out text costs {means.iloc[0]:.1f} {unit} at step {means.index[0]:,} and "
        f"{means.iloc[-1]:.1f} at step {means.index[-1]:,}: most in {_name(most)}, {last[most]:.1f}, least "
        f"in {_name(least)}, {last[least]:.1f}"
    )


def tokens_by_language(tokens: pd.DataFrame) -> str:
    """In which language a sentence takes most tokens, and in which fewest."""
    means = tokens.groupby("language").tokens.mean()
    most, fewest = _ends(means)
    told = [f"{means[code]:.0f} tokens in {_name(code)}" for code in (most, fewest)]
    return f"The same sentence takes {_join(told)}"


def activity_by_layer(activity: pd.DataFrame) -> str:
    """In which layer neurons are active most often, and in which least."""
    means = _layers(activity).groupby("layer", sort=False).share_positive.mean()
    most, least = _ends(means)
    return (
        f"Neurons are above zero most often in {_layer(activity, most)}, {means[most]:.1%} of the time, "
        f"and least often in layer {least}, {means[least]:.1%}"
    )


def found_by_tokens(shared: pd.DataFrame) -> str:
    """What all tokens together give away, for each set of languages."""
    told = [
        f"{row.found:.1%} of the translations between languages with {row.scripts}"
        for row in _of(shared, "tokens", ALL).itertuples()
    ]
    return f"Shared tokens alone find {_join(told)}; chance is {shared.chance.iloc[0]:.1%}"


# Chapter 04


def scores_by_layer(similarity: pd.DataFrame, scale: str = OWN_SCALE) -> str:
    """Where meaning is shared most and where language is told apart least, beside the shuffled null."""
    rows = _layers(_of(_of(similarity, "kind", ALL), "scale", scale)).reset_index(drop=True)
    peak, trough = rows.loc[rows.sads.idxmax()], rows.loc[rows.lrds.idxmin()]
    return (
        f"Sentences are most alike by meaning in {_layer(rows, peak.layer)}: SADS {peak.sads:.2f} "
        f"({peak.sads_low:.2f} to {peak.sads_high:.2f}), shuffled {peak.sads_null:.2f}; least alike by "
        f"language in layer {trough.layer}: LRDS {trough.lrds:.2f}"
    )


def scores_by_scale(similarity: pd.DataFrame, scales: pd.DataFrame) -> str:
    """What the layer that three neurons rule most looks like on each scale."""
    held = _layers(scales)
    ruled = held.loc[held.top_three.idxmax()]
    at = _of(_of(similarity, "kind", ALL), "layer", ruled.layer)
    told = [f"{row.sads:.2f} {row.scale}" for row in at.itertuples()]
    return (
        f"In {_layer(held, ruled.layer)} three neurons hold {ruled.top_three:.0%} of the variance, and "
        f"SADS is {_join(told)}"
    )


def scores_by_pairs(scores: pd.DataFrame) -> str:
    """How far SADS reaches over each set of language pairs."""
    rows = _layers(scores).reset_index(drop=True)
    best = rows.loc[rows.groupby("pairs", sort=False).sads.idxmax()]
    told = [
        f"{row.sads:.2f} between languages with {row.pairs} (layer {row.layer}, shuffled {row.sads_null:.2f})"
        for row in best.itertuples()
    ]
    return f"SADS reaches {_join(told)}"


def variance_shares(variance: pd.DataFrame) -> str:
    """Where meaning holds most of the variance, and what language holds there and at most."""
    rows = _layers(_last(variance)).reset_index(drop=True)
    meaning, language = rows.loc[rows.meaning.idxmax()], rows.loc[rows.language.idxmax()]
    return (
        f"Meaning holds most in {_layer(rows, meaning.layer)}: {meaning.meaning:.0%} of the variance, "
        f"language {meaning.language:.0%}; language holds most in layer {language.layer}: "
        f"{language.language:.0%}"
    )


def retrieval_map(retrieval: pd.DataFrame) -> str:
    """In which layer translations are found best, beside the ends, the untrained model and chance."""
    rows = _pairs(retrieval) if len(_pairs(retrieval)) else retrieval
    means = _layers(_last(rows)).groupby("layer", sort=False).accuracy.mean()
    best, start = means.idxmax(), _of(_start(rows), "layer", means.idxmax()).accuracy.mean()
    untrained = "" if pd.isna(start) else f", untrained {start:.0%}"
    return (
        f"Translations are found best in {_layer(rows, best)}: {means[best]:.0%}{untrained}, chance "
        f"{rows.chance.iloc[0]:.1%}; {means.iloc[0]:.0%} in the first layer, {means.iloc[-1]:.0%} in the "
        "last"
    )


def mean_cosines(cosines: pd.DataFrame) -> str:
    """In which layer translations stand out most from sentences with different meanings."""
    rows = _layers(_last(cosines[cosines.source != cosines.target]))
    means = rows.groupby("layer", sort=False)[["same_meaning", "different_meaning"]].mean()
    best = (means.same_meaning - means.different_meaning).idxmax()
    return (
        f"Translations stand out most in {_layer(rows, best)}: a mean cosine of "
        f"{means.same_meaning[best]:.2f}, of different meanings {means.different_meaning[best]:.2f}"
    )


# Chapter 05


def null_shares(null: pd.DataFrame) -> str:
    """What the leading rule finds, and what it finds without languages or without training."""
    row = null[null.rule == parts.rules_of(null)[0]].iloc[0]
    beside = [f"with languages shuffled {row.share_shuffled:.1%}"]
    if "share_untrained" in null and pd.notna(row.share_untrained):
        beside.append(f"in the untrained twin {row.share_untrained:.1%}")
    return f"The rule {row.rule} calls {row.share:.1%} of the neurons key to some language, {_join(beside)}"


def region_atlas(counts: pd.DataFrame) -> str:
    """In which layer the leading rule finds most key neurons, and how many by chance."""
    rows = _last(counts[counts.rule == parts.rules_of(counts)[0]])
    sums = rows.groupby("layer", sort=False)[["count", "expected"]].sum()
    most, fewest = _ends(sums["count"])
    return (
        f"The rule {rows.rule.iloc[0]} finds most key neurons in {_layer(rows, most)}, "
        f"{sums['count'][most]:,.0f} of {sums['count'].sum():,.0f} (by chance {sums.expected[most]:,.0f}), "
        f"and fewest in layer {fewest}, {sums['count'][fewest]:,.0f}"
    )


def concentration(concentration: pd.DataFrame) -> str:
    """For how many languages the outer layers hold more than an even spread, rule by rule."""
    rows = concentration[concentration.n_neurons > 0]
    more = (rows.low > rows.uniform).groupby(rows.rule, sort=False).agg(["sum", "size"])
    return f"The outer layers hold more than an even spread for {_by_rule(more, rows)}"


def _by_rule(more: pd.DataFrame, rows: pd.DataFrame) -> str:
    """ "3 of 8 languages by one rule, 2 of 10 by another"."""
    told = [f"{more['sum'][rule]} of {more['size'][rule]} by {rule}" for rule in parts.rules_of(rows)]
    return _join([told[0].replace(" by ", " languages by "), *told[1:]])


def region_overlap(overlap: pd.DataFrame) -> str:
    """Which two languages share most by the first rule by which any do, beside chance."""
    known = _pairs(overlap).dropna(subset="jaccard")
    known = known[known.source != known.target]
    sharing = [rule for rule in parts.rules_of(known) if (known.jaccard[known.rule == rule] > 0).any()]
    if not sharing:
        return "No two languages share a key neuron"
    rows = known[known.rule == sharing[0]].reset_index(drop=True)
    most = rows.loc[(rows.jaccard - rows.chance).idxmax()]
    none = [rule for rule in parts.rules_of(known) if rule not in sharing]
    return (
        f"By {most.rule}, {_name(most.source)} and {_name(most.target)} share most: {most.jaccard:.0%} of "
        f"their key neurons, by chance {most.chance:.0%}"
        + (f"; by {_join(none)} no two share any" if none else "")
    )


def region_agreement(agreement: pd.DataFrame) -> str:
    """Which two rules agree most and which least, on average over languages, beside chance."""
    means = agreement.groupby(["rule_a", "rule_b"], sort=False)[["jaccard", "chance"]].mean()
    most, least = _ends(means.jaccard)
    told = [
        f"{a} and {b} {word}, {means.jaccard[a, b]:.0%} of their neurons (by chance {means.chance[a, b]:.0%})"
        for (a, b), word in ((most, "agree most"), (least, "least"))
    ]
    return " · ".join(told if most != least else told[:1])


# Chapters 06 and 07


def _own(table: pd.DataFrame) -> pd.DataFrame:
    return table[table.region_language == table.text_language]


def _beyond_random(table: pd.DataFrame) -> str:
    """For how many regions, by the leading rule, the cost lies above random neurons: own language, others."""
    rows = table[table.rule == parts.rules_of(table)[0]]
    own = _own(rows)
    others = rows.drop(own.index)
    return (
        f"{_counted(own.above.sum(), len(own), 'regions')} by {rows.rule.iloc[0]} cost their own language "
        "more than random neurons do; another language loses in "
        f"{_counted(others.above.sum(), len(others), 'cases')}"
    )


silencing_matrix = perplexity_matrix = _beyond_random


def selectivity(selectivity: pd.DataFrame) -> str:
    """For how many languages the cost to the own text exceeds that of random regions, rule by rule."""
    rows = _of(selectivity, "control_kind", "layer")
    rows = rows[rows.n_neurons > 0]
    more = (rows.excess_low > 0).groupby(rows.rule, sort=False).agg(["sum", "size"])
    return (
        f"Silencing a region costs its own language more, beyond random regions, for {_by_rule(more, rows)}"
    )


def dose_response(dose: pd.DataFrame) -> str:
    """What whole regions cost on average, by the rule by which they cost their own language most."""
    whole = dose[dose.share == dose.share.max()].groupby("rule")[["own", "others", "control_own"]].mean()
    rule = whole.own.idxmax()
    own, others, control = whole.loc[rule]
    return (
        f"By {rule}, silencing a whole region costs its own language {own:.3f} bits per byte, the others "
        f"{others:.3f}, and random neurons {_milli(control)}"
    )


def accuracy_by_language(accuracy: pd.DataFrame) -> str:
    """Right answers to each task, over all languages, beside chance."""
    means = accuracy.groupby("asked", sort=False)[["accuracy", "chance"]].mean()
    told = [f"{task} {row.accuracy:.0%} (chance {row.chance:.0%})" for task, row in means.iterrows()]
    return f"Right answers, over all languages: {_join(told)}"


def accuracy_by_direction(directions: pd.DataFrame) -> str:
    """What is known of facts in the language that told them, and in the others."""
    rows = _of(directions, "asked", "transfer")
    home = rows.source == rows.language
    by_chance = f"chance {rows.chance.iloc[0]:.0%}"
    if not home.any():
        return f"Right answers from one language to another: {rows.accuracy.mean():.0%}, {by_chance}"
    return (
        f"A fact told in one language: {rows.accuracy[home].mean():.0%} right asked in it, "
        f"{rows.accuracy[~home].mean():.0%} asked in another, {by_chance}"
    )


def accuracy_silenced(tasks: pd.DataFrame) -> str:
    """For how many languages accuracy falls beyond its interval, and by how much beside random neurons."""
    own, random = (_own(tasks[of_rule]) for of_rule in (tasks.rule != "random", tasks.rule == "random"))
    own = own[own.rule != "intact"]
    beside = f", random neurons by {100 * random.change.mean():+.1f}" if len(random) else ""
    return (
        f"{_counted((own.change_high < 0).sum(), len(own))} lose accuracy, beyond the interval, without "
        f"their own region; on average it changes by {100 * own.change.mean():+.1f} percentage "
        f"points{beside}"
    )


# Chapter 08


def scores_by_step(table: pd.DataFrame) -> str:
    """From where to where the scores of all layers go, of one model or of several."""
    rows = _of(table[table.layer == ALL], "kind", ALL)
    if rows.model.nunique() > 1:
        told = [f"{row.sads:.2f} in {row.model}" for row in _ends_of_training(rows).itertuples()]
        return f"SADS ends at {_join(told)}"
    start, end = rows.iloc[0], rows.iloc[-1]
    peak = rows.loc[rows.lrds.idxmax()] if rows.index.is_unique else end
    goes = "grows" if end.sads >= start.sads else "falls"
    return (
        f"SADS {goes} from {start.sads:.2f} at step {start.step:,} to {end.sads:.2f} ({end.sads_low:.2f} to "
        f"{end.sads_high:.2f}) at step {end.step:,}, shuffled {end.sads_null:.2f}; LRDS is highest at step "
        f"{peak.step:,}, {peak.lrds:.2f}, and ends at {end.lrds:.2f}"
    )


def _ends_of_training(rows: pd.DataFrame) -> pd.DataFrame:
    """The last row of each model."""
    return rows.sort_values("step", kind="stable").drop_duplicates("model", keep="last")


def layer_step_map(table: pd.DataFrame) -> str:
    """Where the scores are highest at the last step of the first model."""
    rows = _of(table, "kind", ALL)
    rows = _layers(_last(rows[rows.model == rows.model.iloc[0]])).reset_index(drop=True)
    lrds, sads = rows.loc[rows.lrds.idxmax()], rows.loc[rows.sads.idxmax()]
    return (
        f"At step {sads.step:,} of {sads.model} sentences are most alike by meaning in "
        f"{_layer(rows, sads.layer)}, SADS {sads.sads:.2f}, and by language in layer {lrds.layer}, LRDS "
        f"{lrds.lrds:.2f}"
    )


def sads_above_limit(rows: pd.DataFrame) -> str:
    """At how many checkpoints and layers SADS lies above its limit, and where it ends highest."""
    above, end = (rows.sads_low > rows.sads_null_limit).sum(), _last(rows).reset_index(drop=True)
    most, least = (end.loc[at] for at in _ends(end.sads))
    return (
        f"SADS lies above the limit at {_counted(above, len(rows), 'points')}; at step {most.step:,} it is "
        f"highest in layer {most.layer}, {most.sads:.2f}, and lowest in layer {least.layer}, "
        f"{least.sads:.2f}"
    )


def models_side_by_side(rows: pd.DataFrame) -> str:
    """Where each model ends, by the first outcome."""
    ends = _ends_of_training(rows[rows.outcome == rows.outcome.iloc[0]])
    told = [
        f"{row.value:.2f} in {row.model}" for row in ends.sort_values("value", ascending=False).itertuples()
    ]
    return f"{rows.outcome.iloc[0]} ends at {_join(told)}; null {ends['null'].iloc[0]:.2f}"


def selectivity_by_step(selectivity: pd.DataFrame) -> str:
    """What silencing costs a language beyond the others at the last step, beside random neurons."""
    end = _last(selectivity)
    above = (end.low > end.control).sum()
    return (
        f"At step {end.step.iloc[0]:,} regions cost their own language {end.selectivity.mean():.3f} bits "
        f"per byte more than the others, random neurons {_milli(end.control.mean())}: above it in "
        f"{_counted(above, len(end))}"
    )


def retrieval_by_step(rows: pd.DataFrame, layer: str) -> str:
    """From what to what the share of translations found goes, in the layer first shown."""
    rows = _of(rows, "kind", ALL)
    chosen = rows[(rows.layer == layer) & (rows.model == rows.model.iloc[0])].sort_values("step")
    start, end = chosen.iloc[0], chosen.iloc[-1]
    untrained = "untrained" if start.step == 0 else f"at step {start.step:,}"
    where = "over all layers" if layer == ALL else f"in layer {layer}"
    return (
        f"Translations found go from {start.accuracy:.0%} {untrained} to {end.accuracy:.0%} at step "
        f"{end.step:,}, {where} of {end.model}; chance {end.chance:.1%}"
    )


def region_size_by_step(rows: pd.DataFrame, model: str) -> str:
    """From how many to how many key neurons a language of a model has, rule by rule."""
    of_model = rows[rows.model == model].sort_values("step", kind="stable")
    told = []
    for rule in parts.rules_of(of_model):
        sizes = of_model[of_model.rule == rule].groupby("step").neurons.sum()
        told.append(f"{sizes.iloc[0]:,.0f} to {sizes.iloc[-1]:,.0f} by {rule}")
    return f"A language's key neurons in {model} go from {_join(told)}"


def accuracy_against_sads(rows: pd.DataFrame, model: str) -> str:
    """By which step each task is nearly known to a model, and what SADS is then, in its first training."""
    of_model = rows[rows.model == model].sort_values("step", kind="stable")
    of_model = of_model[of_model.training_seed == of_model.training_seed.min()]
    known, at_chance = [], []
    for task, points in of_model.groupby("asked", sort=False):
        first = points[points.accuracy >= 0.95 * points.accuracy.max()].iloc[0]
        if points.low.iloc[-1] > points.chance.iloc[-1]:
            known.append(f"in {task} at step {first.step:,}, where SADS is {first.sads:.2f}")
        else:
            at_chance.append(f"{task} stays at chance")
    told = f"{model} comes within 5% of its best accuracy {_join(known)}" if known else ""
    return "; ".join([*filter(None, [told]), *at_chance])


# Chapters 09 and 10


def scores_by_model(table: pd.DataFrame) -> str:
    """The model with the highest SADS, and that with the lowest."""
    rows = _of(table[table.layer == ALL], "kind", ALL).reset_index(drop=True)
    most, least = (rows.loc[at] for at in _ends(rows.sads))
    told = f"SADS is highest in {most.model}: {most.sads:.2f} ({most.sads_low:.2f} to {most.sads_high:.2f})"
    if most.model == least.model:
        return f"{told}, shuffled {most.sads_null:.2f}"
    interval = f"({least.sads_low:.2f} to {least.sads_high:.2f})"
    return f"{told}, and lowest in {least.model}: {least.sads:.2f} {interval}"


def beside_twin(table: pd.DataFrame) -> str:
    """How many trainings lie above their twin, by the first measure, and the one that does most."""
    rows = table[table.measure == table.measure.iloc[0]].dropna(subset="gain_low").reset_index(drop=True)
    if rows.empty:
        return "No untrained twin was measured"
    most = rows.loc[rows.gain.idxmax()]
    return (
        f"Less its untrained twin's, {most.measure} is above 0 in "
        f"{_counted((rows.gain_low > 0).sum(), len(rows), 'trainings')}, most in {most.model}: "
        f"{most.gain:.2f} ({most.gain_low:.2f} to {most.gain_high:.2f})"
    )


def scores_by_depth(table: pd.DataFrame) -> str:
    """How far through each of the first models SADS is highest."""
    return f"SADS is highest {_depths(table, 'sads', '.2f')}"


def retrieval_by_depth(rows: pd.DataFrame) -> str:
    """How far through each of the first models translations are found best, beside chance."""
    return f"Translations are found best {_depths(rows, 'accuracy', '.0%')}; chance {rows.chance.iloc[0]:.1%}"


def _depths(rows: pd.DataFrame, value: str, form: str, at_most: int = 3) -> str:
    means = rows.groupby(["model", "depth"], sort=False)[value].mean().reset_index()
    best = means.loc[means.groupby("model", sort=False)[value].idxmax()]
    best = best.sort_values(value, ascending=False)[:at_most]
    return _join(
        [
            f"{row.depth:.0%} of the way through {row.model} ({getattr(row, value):{form}})"
            for row in best.itertuples()
        ]
    )


def scores_against_size(table: pd.DataFrame) -> str:
    """SADS of the smallest and of the largest model."""
    rows = _of(table[table.layer == ALL], "kind", ALL).sort_values("n_parameters", kind="stable")
    told = [f"{row.sads:.2f} in {row.model}" for row in (rows.iloc[0], rows.iloc[-1])]
    return f"SADS of the smallest and the largest of {rows.model.nunique()} models: {told[0]}, {told[1]}"


def world_map(reach: pd.DataFrame, layer: str, model: str) -> str:
    """How many languages are found more often than without training, in the layer that the map opens with."""
    rows = reach[reach.layer == layer]
    return (
        f"{model} finds translations more often than its untrained twin in "
        f"{_counted(int(rows.above.sum()), len(rows))}, layer {layer}: {rows.found.mean():.0%} on average, "
        f"twin {rows.twin.mean():.0%}"
    )


def strip(reach: pd.DataFrame, model: str) -> str:
    """In which layer most is found over all languages, beside the ends and the twin."""
    means = _layers(reach).groupby("layer", sort=False)[["found", "twin"]].mean()
    best = means.found.idxmax()
    return (
        f"{model} finds most in {_layer(reach, best)}: {means.found[best]:.0%} of the translations, "
        f"untrained {means.twin[best]:.0%}; {means.found.iloc[0]:.0%} in the first layer and "
        f"{means.found.iloc[-1]:.0%} in the last"
    )


def language_by_language(reach: pd.DataFrame) -> str:
    """How many languages find more than half, and the twin's most, model by model."""
    told = [
        f"{_counted(int((rows.found > 0.5).sum()), len(rows))} in {model} (untrained at most "
        f"{rows.twin.max():.0%})"
        for model, rows in reach.groupby("model", sort=False)
    ]
    return f"More than half of the translations are found in {_join(told)}"


def odds(fits: pd.DataFrame) -> str:
    """Which factor, alone or with others, goes with the odds most clearly in the first model."""
    rows = fits[fits.model == fits.model.iloc[0]]
    rows = _of(rows, "fit", rows.fit.iloc[-1] if "all together" not in set(rows.fit) else "all together")
    told = [f"{row.term} × {row.ratio:.2g} ({row.low:.2g} to {row.high:.2g})" for row in rows.itertuples()]
    return f"Odds of finding a translation in {rows.model.iloc[0]}, {rows.fit.iloc[0]}: {_join(told)}"


def against(rows: pd.DataFrame, x: str, y: str, names: Sequence[str], text: str) -> str:
    """How many languages lie above the line where both are equal."""
    above = int((rows[y] > rows[x]).sum())
    return f"{text}: in {_counted(above, len(rows))}, {names[1]} is above {names[0]}"


def differences(families: pd.DataFrame, models: Sequence[str]) -> str:
    """In how many families one model finds more than the other, beyond the interval."""
    known = families.dropna(subset="low")
    more, less = (known.low > 0).sum(), (known.high < 0).sum()
    return (
        f"{models[0]} finds more than {models[1]} in {_counted(more, len(known), 'families')} beyond the "
        f"interval, less in {less}"
    )


# Chapter 11


def _first_outcome(table: pd.DataFrame) -> pd.DataFrame:
    return table[table.outcome == table.outcome.iloc[0]]


def _begun(text: str) -> str:
    """With a capital, as a sentence begins."""
    return text[:1].upper() + text[1:]


def effects(table: pd.DataFrame) -> str:
    """What moves the first outcome beyond its interval, the largest first."""
    rows = _first_outcome(table)
    moved = rows[(rows.low > 0) | (rows.high < 0)]
    moved = moved.loc[moved.effect.abs().sort_values(ascending=False, kind="stable").index]
    told = [
        f"{row.term} ({row.effect:+.2f}, {row.low:+.2f} to {row.high:+.2f})" for row in moved.itertuples()
    ]
    if not told:
        return f"No factor moves {rows.outcome.iloc[0]} beyond its interval"
    rest = f"; {len(told) - 3} others by less" if len(told) > 3 else ""
    return f"{_begun(rows.outcome.iloc[0])} is moved by {_join(told[:3])}{rest}"


def interaction(table: pd.DataFrame, one: str, other: str) -> str:
    """What one factor changes at each level of the other."""
    low, *_, high = dict.fromkeys(table[one])
    values = table.pivot(index=other, columns=one, values="value")
    changes = (values[high] - values[low])[list(dict.fromkeys(table[other]))]
    told = [f"{change:+.2f} where {other} is {level}" for level, change in changes.items()]
    return f"{_begun(table.outcome.iloc[0])}, from {one} {low} to {high}: {_join(told)}"


def by_cell(table: pd.DataFrame) -> str:
    """The cells with the most and the least of the first outcome, and the same untrained."""
    rows = _first_outcome(table).reset_index(drop=True)
    told = [
        f"{row.value:.2f} ({row.cell}; untrained {row.floor:.2f})"
        for row in (rows.loc[at] for at in _ends(rows.value))
    ]
    return f"{_begun(rows.outcome.iloc[0])} lies between {told[1]} and {told[0]}"


def doses(table: pd.DataFrame) -> str:
    """From what to what each series goes over its doses, by the first outcome that it has."""
    told = []
    for series, rows in table.groupby("series", sort=False):
        rows = _first_outcome(rows).sort_values("dose", kind="stable")
        start, end = rows.iloc[0], rows.iloc[-1]
        told.append(
            f"{rows.outcome.iloc[0]} from {start.value:.2f} at {start.dose:.0%} to {end.value:.2f} at "
            f"{end.dose:.0%} ({series})"
        )
    return _begun(_join(told))


def timeline(table: pd.DataFrame) -> str:
    """Where each cell ends, by the first outcome."""
    rows = _last(_first_outcome(table)).sort_values("value", ascending=False, kind="stable")
    told = [f"{row.value:.2f} ({row.cell})" for row in rows.itertuples()]
    return f"{_begun(rows.outcome.iloc[0])} ends at {_join(told)}"


def profiles(table: pd.DataFrame) -> str:
    """In which layer each cell has most."""
    best = table.loc[table.groupby("cell", sort=False).value.idxmax()]
    told = [f"{row.layer} ({row.cell}, {row.value:.2f})" for row in best.itertuples()]
    return f"SADS is highest in layer {_join(told)}"


def agreement(rows: pd.DataFrame) -> str:
    """With what the first outcome goes most, and with what least."""
    rows = rows[(rows.one == rows.one.iloc[0]) & (rows.other != rows.one.iloc[0])].reset_index(drop=True)
    most, least = (rows.loc[at] for at in _ends(rows.value))
    told = [f"{row.other} ({row.value:.2f})" for row in (most, least)]
    return f"{_begun(most.one)} goes most with {told[0]}, and least with {told[1]}"
