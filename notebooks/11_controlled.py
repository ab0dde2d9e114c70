# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What makes two languages meet inside a model?
#
# ```{glue} answer
# ```
#
# Natural languages cannot be dialled: those that share a script share words too, and those that have much text have it on everything.
# Invented languages can.
# Here small models read two languages that differ in what is dialled and in nothing else, in a replicated factorial design with positive and negative controls, and are measured as every other model of the book is.
#
# <details>
# <summary>Reads, writes, costs</summary>
#
# | | |
# |---|---|
# | **Reads** | the tables of the study on invented languages: `book/published/controlled` |
# | **Writes** | nothing |
# | **Costs** | seconds; the study itself, `make study`, some two hours on two cores |
#
# </details>

# %% tags=["remove-cell"]
# On Colab: install the package beside Colab's own torch.
import importlib.util

if importlib.util.find_spec("lingua_utils") is None:
    from IPython import get_ipython

    address = "git+https://github.com/lingua-franca-book/lingua-franca-book"
    get_ipython().run_line_magic("pip", f"install -q {address}")

# %% tags=["hide-input"]
import json
from itertools import combinations

import numpy as np
import pandas as pd
from IPython.display import Markdown, display
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW

from lingua_utils.charts import controlled as draw
from lingua_utils.charts import theme
from lingua_utils.charts.glue import glue
from lingua_utils.measure.controlled import effects, fit, onset
from lingua_utils.measure.intervals import Estimate, rank_correlation
from lingua_utils.runs import controlled as study
from lingua_utils.text import invented

theme.use()

# %% tags=["parameters", "hide-input"]
published: str = "book/published"  # in its folder "controlled" are the tables of all cells

# %% tags=["hide-input"]
cells = study.read_sheet()
tables = study.published(published)
manifests = json.loads((tables / study.RECORDS).read_text())
hours = sum(record["seconds"] for record in manifests) / 3600
devices = ", ".join(sorted({record["device"] for record in manifests}))
Markdown(
    f"{len(manifests)} of {len(cells)} cells were run, {hours:.1f} hours of one process each on {devices}."
)

# %% [markdown]
# ## The languages
#
# A meaning says who does what to whom, where and when.
# A language puts it into words; its words, letters, order and endings are dials.
# The same meaning in languages of four settings of the dials:

# %%
meaning = invented.parallel_meanings(invented.Invented(), 1)[0]._replace(place="place:1", tense="past")
settings = [
    "invented:overlap=0.3",
    "invented:order=SOVn",
    "invented:script=clone",
    "invented:morphology=agglutinating",
]
said = {
    spec: [tongue.render(meaning) for tongue in invented.Invented.read(spec).tongues] for spec in settings
}
pd.DataFrame(said, index=["first language", "second language"]).T

# %% [markdown]
# Every sentence can be parsed back, so the languages are exactly parallel.
# Without overlap and in two scripts they have no letter in common, and no token but the special ones:

# %%
dials = invented.Invented()
meanings = invented.parallel_meanings(dials, 50)
one, other = invented.parallel_sentences(dials, 50)
assert [dials.tongues[0].parse(sentence) for sentence in one] == meanings
assert [dials.tongues[1].parse(sentence) for sentence in other] == meanings
assert set("".join(one)) & set("".join(other)) == {" "}

# %% [markdown]
# ## What is expected
#
# Said before the study was run, each as something that a number can speak against.
# (Sizes, budget and levels were chosen on single runs beforehand, which are no part of it.)

# %%
EXPECTED = {
    "common words": "common words raise SADS, beyond what they give an untrained model",
    "bilingual lines": "lines that hold a sentence and its translation raise SADS",
    "capacity": "a smaller model shares more, since it cannot afford two of everything",
    "transfer": "where SADS is higher, more facts are transferred",
    "middle layers": "what cannot be matched word by word moves the peak of SADS away from the first layer",
}

# %% tags=["hide-input"]
Markdown("\n".join(f"{number}. {text}." for number, text in enumerate(EXPECTED.values(), start=1)))

# %% [markdown]
# The first follows from models that read two languages with common tokens, the second from [the lab](08_evolution.ipynb), where such lines make the difference, the third from {cite}`dufter2020`, the fourth from {cite}`deshpande2022`, the fifth from what the lab lacks: [its SADS is highest in the first layer](04_similarity.ipynb), where matching words is enough.
#
# ## The design
#
# Five factors at two levels are 32 combinations; half of them, chosen so that the sign of the last factor is the product of the others, tell every factor and every pair of factors apart (resolution V).
# Each is run three times, with other languages, another text and other weights.
# One line in twenty is code-switched in all of them, so that there is something to raise or to lower.

# %%
signs = study.coded()
products = signs.assign(**{f"{a} × {b}": signs[a] * signs[b] for a, b in combinations(signs, 2)})
assert np.array_equal(products.T @ products, 16 * np.eye(15))  # no term is mixed up with another

# %% tags=["hide-input"]
draw.design(signs, study.FACTORS)

# %% [markdown]
# Each run gives one number for each outcome, at its last step: standardised SADS in the middle layer, how much of it was learned (an untrained model has some too, where words are common), the share of translations found there, facts told in one language and asked in the other, translations chosen among sentences with another agent or patient, bits per sentence, the step at which the loss is halfway down (by a fitted sigmoid), the share of neurons that are key to a language, and how many of these lie in the outer layers.

# %%
whole = pd.read_parquet(tables / "outcomes.parquet").query("study != 'crossed'")
key = ["study", "cell", "seed"]
last = whole[whole.step == whole.groupby(key).step.transform("max")].set_index(key).sort_index()
untrained = whole[whole.step == 0].set_index(key).sort_index()
last["learned"] = last.sads - untrained.sads  # what common words alone give, before any training, taken off


# %%
def halfway_down(run):
    """Doublings of the step at which the loss of a run is halfway down."""
    return np.log2(onset(run.step, -run.bits, least=1.0))


in_time = whole.sort_values("step").groupby(key)[["step", "bits"]]
last["halfway"] = in_time.apply(halfway_down)
runs = last.loc["factorial"]
coded = signs.loc[runs.index.get_level_values("cell")]

# %% [markdown]
# ## What each factor does
#
# An effect is the mean of the runs at the high level less the mean at the low level.
# Fitted by least squares together with all pairs, it is the same number, and has an interval:

# %%
high = coded.overlap.to_numpy() == 1
by_hand = runs.sads[high].mean() - runs.sads[~high].mean()
fitted = effects(fit(runs.sads, coded)).set_index("term")
assert np.isclose(by_hand, fitted.effect["overlap"])

# %%
OUTCOMES = [
    "sads",
    "learned",
    "retrieval",
    "lrds",
    "transfer",
    "translation",
    "bits",
    "halfway",
    "region",
    "region_outer",
]
known = pd.concat(effects(fit(runs[name], coded)).assign(outcome=name) for name in OUTCOMES)

# %% tags=["hide-input"]
draw.effects(known)


# %% tags=["hide-input"]
def brief(estimate):
    """An estimate with its interval, to two decimals."""
    value, low, high = (round(end, 2) + 0.0 for end in (estimate.value, estimate.low, estimate.high))
    return f"{value:.2f} ({low:.2f} to {high:.2f})"


def effect_of(term, outcome="learned"):
    """An effect with its interval."""
    row = known.query("term == @term and outcome == @outcome").iloc[0]
    return Estimate(row.effect, row.low, row.high)


def moves(estimate):
    """What an effect does to its outcome, in a word or two."""
    return "raise" if estimate.low > 0 else "lower" if estimate.high < 0 else "do not measurably move"


NAMES = {"sads": "SADS", "learned": "SADS learned", "translation": "translations chosen (chance 0.25)"}
pd.DataFrame(
    {NAMES[name]: [brief(effect_of(factor, name)) for factor in study.FACTORS] for name in NAMES},
    index=list(study.FACTORS),
)

# %% tags=["hide-input"]
Markdown(
    f"**What we see.** SADS is {runs.sads.mean():.2f} on average, of which {runs.learned.mean():.2f} are learned; the factors do to it what the table says. "
    "An interval that holds 0 is a result as well: whatever the factor does, it does less than the interval's ends."
)

# %% [markdown]
# ### Is the model of least squares fair?
#
# The residuals of each outcome: are they normal (Shapiro and Wilk), and as wide at the high levels as at the low ones (Levene, over the level that differs most)?
# With so many tests a small p here and there is to be expected.


# %%
def residual_checks(outcome):
    """p values for normal residuals, and for equal spread at both levels of the factor that differs most."""
    left = np.asarray(fit(runs[outcome], coded).resid)
    spread = [stats.levene(left[coded[f] == 1], left[coded[f] == -1]).pvalue for f in coded]
    checks = {"normal": stats.shapiro(left).pvalue, "equal spread": min(1, len(spread) * min(spread))}
    return {"outcome": outcome, "standard deviation": left.std(ddof=coded.shape[1]), **checks}


pd.DataFrame(map(residual_checks, OUTCOMES)).set_index("outcome").round(3)

# %% [markdown]
# ### Could it have found anything?
#
# 500 studies of made-up numbers, in which one factor moves the outcome by one standard deviation of a run, and nothing else does anything:

# %%
rng = np.random.default_rng(0)
made_up = [fit(0.5 * coded.script.to_numpy() + rng.normal(size=len(coded)), coded) for _ in range(500)]
called = pd.DataFrame([(made.pvalues < 0.05) for made in made_up]).drop(columns="const").mean()
power, false = called["script"], called.drop("script").mean()

# %% tags=["hide-input"]
Markdown(
    f"The effect is found in {power:.0%} of the studies; where there is none, one is called in {false:.1%}."
)

# %% [markdown]
# ## Which factors need each other?
#
# Pairs whose interval leaves out 0, for the SADS learned and for the translations chosen; of 20 intervals around nothing, one does so by chance.

# %%
pairs = known[known.term.str.contains("×") & ((known.low > 0) | (known.high < 0))]
pairs = pairs[pairs.outcome.isin(["learned", "translation"])]
largest = pairs.iloc[pairs.effect.abs().argsort()[::-1]].head(1)


def mean_with_interval(values):
    """Mean of a few runs with its 95 % t interval, as columns of a table."""
    low, high = DescrStatsW(values).tconfint_mean() if len(values) > 1 else (np.nan, np.nan)
    return pd.Series({"value": np.mean(values), "low": low, "high": high})


# %% tags=["hide-input"]
if len(largest):
    a, b = largest.term.iloc[0].split(" × ")
    level = {f: coded[f].map({-1: str(study.FACTORS[f][0]), 1: str(study.FACTORS[f][1])}) for f in (a, b)}
    named = runs.assign(**{factor: values.to_numpy() for factor, values in level.items()})
    at = named.groupby([a, b], sort=False)[largest.outcome.iloc[0]]
    means = (
        pd.DataFrame({key: mean_with_interval(values) for key, values in at})
        .T.rename_axis([a, b])
        .reset_index()
    )
    display(draw.interaction(means.assign(outcome=largest.outcome.iloc[0]), a, b))
else:
    display(Markdown("No pair leaves out 0: the factors add up."))

# %% [markdown]
# ## Floor and ceiling
#
# The *clone* is the same language under other letters: all that structure alone can give.
# *Identical* languages are one language under two names.
# Languages on *unrelated* topics have nothing to share, and a model before training has learned nothing.
# Lines of two languages stand beside their placebos: a sentence of another meaning, or the translation some hundred lines later.

# %%
SHOWN = ["sads", "retrieval", "lrds", "transfer", "translation", "bits"]
values = [*SHOWN, "bits_first", "bits_second"]
long, start = (
    table[values].rename_axis("outcome", axis=1).stack().rename(name)
    for table, name in ((last, "value"), (untrained, "floor"))
)
long = pd.concat([long, start], axis=1).reset_index()
clone = long.query("study == 'controls' and cell == 'clone'").groupby("outcome").value.mean()


def summary(part, keys=("cell",)):
    """Means over seeds with intervals, beside the same cells untrained, and the clone."""
    groups = part.groupby([*keys, "outcome"], sort=False)
    rows = groups.value.apply(lambda values: mean_with_interval(values.to_numpy())).unstack()
    rows = rows.join(groups.floor.mean()).reset_index()
    return rows.assign(ceiling=rows.outcome.map(clone))


# %%
in_order = long[long.study == "controls"].sort_values(
    "cell", key=lambda names: names.map({cell.cell: place for place, cell in enumerate(cells)}), kind="stable"
)
controls = summary(in_order.query("outcome in @SHOWN"))

# %% tags=["hide-input"]
draw.by_cell(controls)

# %% tags=["hide-input"]
at = controls.set_index(["cell", "outcome"])


def told(cell, outcome):
    """A control's outcome with its interval, in words."""
    return brief(Estimate(*at.loc[(cell, outcome), ["value", "low", "high"]]))


identical = last.loc[("controls", "identical")]
Markdown(
    f"**What we see.** With nothing in common SADS is {told('nothing in common', 'sads')}; a clone, which differs in its letters alone, has {told('clone', 'sads')}. "
    f"Lines of a sentence and its translation: SADS {told('bilingual', 'sads')} (mispaired {told('bilingual, mispaired', 'sads')}, apart {told('bilingual, apart', 'sads')}), "
    f"translations chosen {told('bilingual', 'translation')} (mispaired {told('bilingual, mispaired', 'translation')}, apart {told('bilingual, apart', 'translation')}; chance 0.25). "
    f"Code-switched lines: SADS {told('switched', 'sads')} (mispaired {told('switched, mispaired', 'sads')}), translations chosen {told('switched', 'translation')}. "
    f"Between identical languages LRDS is at most {identical.lrds.abs().max():.1e}, as it must be."
)

# %% [markdown]
# ## How much of it?
#
# Common words are the factor that can be dosed; the order of words has no halves.
# Beside them stand code-switched lines, the bridge that is in every run of the factorial.

# %%
dosed = long.query("study == 'doses' and outcome in @SHOWN").copy()
dosed[["series", "dose"]] = dosed.cell.str.rsplit(" ", n=1, expand=True)
none = long.query("study == 'controls' and cell == 'nothing in common' and outcome in @SHOWN")
dosed = pd.concat([*(none.assign(series=dial, dose=0) for dial in study.DOSES), dosed]).astype(
    {"dose": float}
)

# %% tags=["hide-input"]
draw.doses(summary(dosed, ["series", "dose"]), "share of words, or of lines")

# %% tags=["hide-input"]
slopes = {}
for series, part in dosed.query("outcome == 'sads'").groupby("series"):
    line = stats.linregress(part.dose, part.value - part.floor)
    reach = stats.t.ppf(0.975, len(part) - 2) * line.stderr
    slopes[series] = Estimate(line.slope / 10, (line.slope - reach) / 10, (line.slope + reach) / 10)


def at_dose(series, outcome, dose=None):
    """An outcome at a dose of a series, the highest by default."""
    part = dosed[(dosed.series == series) & (dosed.outcome == outcome)]
    values = part.value[part.dose == (part.dose.max() if dose is None else dose)]
    return brief(Estimate(*mean_with_interval(values.to_numpy())))


Markdown(
    "**What we see.** SADS learned for ten points more of "
    + "; ".join(f"{name}: {brief(slope)}" for name, slope in slopes.items())
    + f". From no common words to {dosed.dose[dosed.series == 'overlap'].max():.0%} of them, facts transferred go from {at_dose('overlap', 'transfer', 0)} to {at_dose('overlap', 'transfer')} "
    f"(chance {1 / invented.N_PLACES:.3f}); with code-switched lines they reach {at_dose('switched', 'transfer')}."
)

# %% [markdown]
# ## Who pays for an imbalance?
#
# The first language's share of the text rises from half to nearly all.
# Bits per sentence of either language, on the same meanings, and what becomes of the sharing.

# %%
sides = {"bits_first": "first language", "bits_second": "second language"}
uneven = long.query("study == 'imbalance' and outcome != 'bits'")
uneven = uneven.assign(
    dose=uneven.cell.str.rstrip("%").astype(float) / 100, series=uneven.outcome.map(sides).fillna("both")
)
imbalance = summary(uneven.replace({"outcome": dict.fromkeys(sides, "bits")}), ["series", "dose"])

# %% tags=["hide-input"]
draw.doses(imbalance, "share of the first language")

# %% tags=["hide-input"]
wide = uneven.pivot(index="seed", columns=["outcome", "dose"], values="value")
shares = sorted(uneven.dose.unique())
paid = {name: wide[name][shares[-1]] - wide[name][shares[0]] for name in (*sides, "sads")}
paid = {name: Estimate(*mean_with_interval(change.to_numpy())) for name, change in paid.items()}
Markdown(
    f"**What we see.** As the first language's share goes from {shares[0]:.0%} to {shares[-1]:.0%}, its bits per sentence change by "
    f"{brief(paid['bits_first'])}, those of the second by {brief(paid['bits_second'])}, and SADS by {brief(paid['sads'])}."
)

# %% [markdown]
# ## What comes first?
#
# The step at which an outcome is halfway up, by a sigmoid fitted over log steps, run by run.
# The loss falls, so its sign is turned; what never rises has no onset.

# %%
kept = whole[whole.study.isin(["factorial", "controls", "doses"])].sort_values("step")
kept = kept.assign(gain=-kept.bits)
least = {"gain": 1.0, "sads": 0.05, "retrieval": 0.05, "transfer": 0.15, "translation": 0.15}
onsets = pd.DataFrame(
    {name: onset(run.step, run[name], rise) for name, rise in least.items()}
    for _, run in kept.groupby(["study", "cell", "seed"], sort=False)
)

# %% tags=["hide-input"]
shown = ["nothing in common", "bilingual", "switched", "clone", "identical"]
moving = whole.query("study == 'controls' and cell in @shown")
moving = moving.melt(["cell", "seed", "step"], SHOWN, "outcome", "value").assign(floor=np.nan)
draw.timeline(summary(moving, ["cell", "step"]))

# %% tags=["hide-input"]
later = {}
for name in ("gain", "transfer", "translation"):
    both = onsets[["sads", name]].dropna()
    ratio = np.log2(both[name] / both.sads)
    later[name] = (Estimate(*mean_with_interval(ratio)), len(both), len(onsets))
words = {"gain": "the fall of the loss", "transfer": "transfer", "translation": "choosing translations"}
Markdown(
    "**What we see.** In doublings of the step after the onset of SADS (negative: before it): "
    + "; ".join(
        f"{words[name]} {brief(estimate)} ({n} of {total} runs have both)"
        for name, (estimate, n, total) in later.items()
    )
    + f". SADS has an onset in {onsets.sads.notna().sum()} runs; in {(onsets.sads.notna() & onsets.transfer.isna()).sum()} of these nothing is transferred."
)

# %% [markdown]
# ## What moves sharing to the middle layers?
#
# In real models SADS is low, high, low over the layers; in [the lab](04_similarity.ipynb) it is highest in the first and falls.
# Five properties of text are switched on one at a time, over languages in which agents are told by what they are, and then all together.

# %%
layers = pd.read_parquet(tables / "layers.parquet").query("study == 'hump'")
final = layers[layers.step == layers.step.max()].rename(columns={"sads": "value"})
profile = (
    final.groupby(["cell", "layer"], sort=False)
    .value.apply(lambda v: mean_with_interval(v.to_numpy()))
    .unstack()
)
start = layers[layers.step == 0].groupby("layer").sads.mean()
profile = profile.reset_index().assign(floor=lambda table: table.layer.map(start))

# %% tags=["hide-input"]
draw.profiles(profile)

# %%
by_run = final.pivot_table(index=["cell", "seed"], columns="layer", values="value")
inner = by_run.iloc[:, 1:-1].max(axis=1)
hump = pd.DataFrame(
    {"above the first": inner - by_run.iloc[:, 0], "above the last": inner - by_run.iloc[:, -1]}
)
humps = {
    cell: [Estimate(*mean_with_interval(part[side])) for side in hump] for cell, part in hump.groupby("cell")
}

# %% tags=["hide-input"]
pd.DataFrame(humps, index=list(hump)).T.map(brief).reindex(profile.cell.unique())

# %% tags=["hide-input"]
humped = [cell for cell, sides in humps.items() if all(side.low > 0 for side in sides)]
Markdown(
    "**What we see.** "
    + (
        f"An inner layer holds more than the first and the last, beyond both intervals, with {', '.join(humped)}."
        if humped
        else "With none of the properties, nor with all of them, does an inner layer hold more than the first and the last, beyond both intervals: "
        "what makes the middle layers of real models the meeting place is not among them, at this size."
    )
    + " (The inner layer is the best of those between, which favours it.)"
)

# %% [markdown]
# ## Key to a language, or to its letters?
#
# Four languages: two sets of words, each in two scripts.
# If key neurons follow the language, the two scripts of one set share them; if they follow tokens, the two languages in one script do.

# %%
overlaps = pd.read_parquet(tables / "overlaps.parquet").query("study == 'crossed'")
overlaps = overlaps[overlaps.step == overlaps.step.max()]
kinds = {"qaa_Latn qab_Grek": "same words", "qac_Latn qad_Grek": "same words"}
kinds |= {"qaa_Latn qac_Latn": "same script", "qab_Grek qad_Grek": "same script"}
overlaps["kind"] = (overlaps.source + " " + overlaps.target).map(kinds).fillna("neither")
shared_keys = (
    (overlaps.jaccard - overlaps.chance).groupby([overlaps.kind, overlaps.seed]).mean().groupby("kind")
)
crossed = {kind: Estimate(*mean_with_interval(values)) for kind, values in shared_keys}

# %% tags=["hide-input"]
Markdown(
    "**What we see.** Overlap of key neurons (Jaccard, less chance) between languages with "
    + "; ".join(f"{kind}: {brief(estimate)}" for kind, estimate in crossed.items())
    + "."
)

# %% [markdown]
# ## Do the measures agree?

# %%
MEASURES = ["sads", "sads_best", "retrieval", "mutual", "cka", "lrds", "transfer", "translation"]
ranks = runs[MEASURES].corr("spearman")
square = ranks.rename_axis("one").reset_index().melt("one", var_name="other")

# %% tags=["hide-input"]
draw.agreement(square)

# %%
with_transfer = rank_correlation(runs.sads, runs.transfer)
with_translation = rank_correlation(runs.sads, runs.translation)

# %% tags=["hide-input"]
Markdown(
    f"**What we see.** Over the runs of the factorial SADS goes with translations found at {brief(rank_correlation(runs.sads, runs.retrieval))}, with CKA at "
    f"{brief(rank_correlation(runs.sads, runs.cka))}, with facts transferred at {brief(with_transfer)} and with translations chosen at {brief(with_translation)} (rank correlations)."
)

# %% [markdown]
# ## Findings, and what was expected

# %%
found = {
    "common words": (effect_of("overlap"), "SADS learned with common words, less without"),
    "bilingual lines": (effect_of("bilingual"), "SADS learned with such lines, less without"),
    "capacity": (effect_of("capacity"), "SADS learned by the larger model, less by the smaller"),
    "transfer": (with_transfer, "rank correlation of SADS and transfer over runs"),
    "middle layers": (humps["all"][0], "SADS of the best inner layer, less the first, all properties on"),
}
wanted = {name: -1 if name == "capacity" else 1 for name in found}  # the sign that was expected


def verdict(name):
    """Whether the interval is on the side that was expected, on the other, or around 0."""
    estimate = found[name][0]
    low, high = sorted((wanted[name] * estimate.low, wanted[name] * estimate.high))
    return "as expected" if low > 0 else "against it" if high < 0 else "not borne out"


# %% tags=["hide-input"]
rows = [
    {"expected": EXPECTED[name], "measured": text, "value": brief(estimate), "verdict": verdict(name)}
    for name, (estimate, text) in found.items()
]
display(pd.DataFrame(rows).set_index("expected"))

# %% tags=["hide-input"]
before = effects(fit(untrained.loc["factorial"].sads, coded)).set_index("term").loc["overlap"]
order, bilingual = effect_of("order", "sads"), effect_of("bilingual", "translation")
told_so = [
    f"**Common words** {moves(effect_of('overlap', 'sads'))} SADS: {brief(effect_of('overlap', 'sads'))}. In untrained models, whose tokens are common too, the effect is "
    f"{brief(Estimate(before.effect, before.low, before.high))}; on what is learned it is {brief(effect_of('overlap'))}.",
    f"**Another order of words** and attributes: SADS {brief(order)}, translations found {brief(effect_of('order', 'retrieval'))}.",
    f"**Lines of a sentence and its translation** {moves(bilingual)} the choice of a translation: {brief(bilingual)}. They {moves(effect_of('bilingual'))} the SADS that is learned: {brief(effect_of('bilingual'))}.",
    f"**Code-switched lines** bring SADS to {told('switched', 'sads')}, with other words in the place of translations to {told('switched, mispaired', 'sads')}; translations chosen are {told('switched', 'translation')} then (chance 0.25).",
    f"**Structure alone**, a language beside its copy in other letters: SADS {told('clone', 'sads')}, and {told('nothing in common', 'sads')} between languages with nothing in common.",
    f"**Facts** cross from language to language {at_dose('overlap', 'transfer')} of the time where {dosed.dose[dosed.series == 'overlap'].max():.0%} of the words are common, and {told('switched', 'transfer')} of the time where lines switch "
    f"(chance {1 / invented.N_PLACES:.3f}), at SADS of {at_dose('overlap', 'sads')} and {told('switched', 'sads')}.",
    f"**An imbalance** changes what a sentence costs the smaller language by {brief(paid['bits_second'])} bits, the larger by {brief(paid['bits_first'])}.",
]
Markdown("\n".join(f"{number}. {text}" for number, text in enumerate(told_so, start=1)))

# %% tags=["hide-input"]
against = [EXPECTED[name] for name in found if verdict(name) != "as expected"]
Markdown(
    f"**What it says.** Of {len(found)} expectations {len(found) - len(against)} {'is' if len(found) - len(against) == 1 else 'are'} borne out"
    + (f"; not borne out: {'; '.join(against)}." if against else ".")
)

# %% tags=["hide-input"]
answer = Markdown(
    f"In small models of two invented languages SADS is {told('switched', 'sads')} where lines switch between the languages, {at_dose('overlap', 'sads')} where {dosed.dose[dosed.series == 'overlap'].max():.0%} of the words are common, "
    f"{told('nothing in common', 'sads')} with nothing in common, and {told('clone', 'sads')} between a language and its copy in other letters. "
    f"Lines of a sentence and its translation leave it at {told('bilingual', 'sads')}, and teach to choose translations: {told('bilingual', 'translation')}, chance 0.25."
)
glue("answer", answer, show=False)

# %% [markdown]
# ## The numbers

# %% tags=["hide-input"]
runs[OUTCOMES].join(signs, on="cell").round(3)

# %% [markdown]
# ## What this does not show
#
# The models are tiny, the languages have some hundred words, and a minute of training is no corpus: an effect here says what can be, not how large it is elsewhere.
# What has no effect at this budget may have one later.
# Two languages are not a hundred; how many there are is itself a dial, which this study leaves alone.
# Intervals over three seeds are wide (Student's t; those of shares may reach beyond 0 and 1), and an effect of a factor is its mean over the levels of the others chosen here.
# Grammar here is one; natural languages differ in what they say, too.

# %% tags=["hide-cell"]
pd.DataFrame(manifests)[["study", "cell", "seed", "seconds", "device", "digest"]]
