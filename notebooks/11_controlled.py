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
# | **Costs** | seconds; the study itself, `make study`, an hour and a half on two cores |
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
    f"{len(manifests)} of {len(cells)} cells were run: {hours:.1f} hours of computing in all, half of that on two cores ({devices}). "
    f"{len({(cell.spec, cell.seed, cell.hidden_size, cell.n_layers) for cell in cells})} trainings are distinct; the others belong to two or three parts of the study."
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
# (Sizes, budget and levels were chosen on single runs beforehand, which are no part of it. They showed that an untrained model has SADS where words are common; so the second expectation was added to the first.)

# %%
EXPECTED = {
    "common words": "common words raise SADS",
    "words learned": "they raise it beyond what they give an untrained model",
    "bilingual lines": "lines that hold a sentence and its translation raise SADS",
    "capacity": "a smaller model shares more, since it cannot afford two of everything",
    "transfer": "where SADS is higher, more facts are transferred",
    "middle layers": "what cannot be matched word by word moves SADS away from the first layer",
}

# %% tags=["hide-input"]
Markdown("\n".join(f"{number}. {text}." for number, text in enumerate(EXPECTED.values(), start=1)))

# %% [markdown]
# The first follows from models that read two languages with common tokens, the third from [the lab](08_evolution.ipynb), where such lines make the difference, the fourth from {cite}`dufter2020`, the fifth from {cite}`deshpande2022`, the last from what the lab lacks: [its SADS is highest in the first layer](04_similarity.ipynb), where matching words is enough.
#
# ## The design
#
# Five factors at two levels are 32 combinations; half of them, chosen so that the sign of the last factor is the product of the others, tell every factor and every pair of factors apart (resolution V).
# Each is run three times, with other languages, another text and other weights: with two, an effect of one standard deviation would be missed in one study of four.
# One line in twenty is code-switched in all of them, so that there is something to raise or to lower; every effect is one beside such lines.

# %%
signs = study.coded()
products = signs.assign(**{f"{a} × {b}": signs[a] * signs[b] for a, b in combinations(signs, 2)})
assert np.array_equal(products.T @ products, 16 * np.eye(15))  # no term is mixed up with another

# %% tags=["hide-input"]
draw.design(signs, study.FACTORS)

# %% [markdown]
# Each run gives one number for each outcome, at its last step.
# These are standardised SADS in the middle layer and in the best one; how much of it was learned (an untrained model has some too, where words are common); the share of translations found; LRDS; facts told in one language and asked in the other; translations chosen among sentences with another agent or patient; bits per sentence; when nine tenths of the fall of the loss are done; the share of neurons that are key to a language, and how many of these lie in the outer layers.

# %%
whole = pd.read_parquet(tables / "outcomes.parquet").query("study != 'crossed'")
key = ["study", "cell", "seed"]
last = whole[whole.step == whole.groupby(key).step.transform("max")].set_index(key).sort_index()
untrained = whole[whole.step == 0].set_index(key).sort_index()
last["learned"] = last.sads - untrained.sads  # what common words alone give, before any training, taken off


# %%
def nearly_down(run):
    """Doublings of the step at which nine tenths of the fall of a run's loss are done."""
    fallen = ((run.bits.iloc[0] - run.bits) / (run.bits.iloc[0] - run.bits.iloc[-1])).cummax()
    return np.interp(0.9, fallen.iloc[1:], np.log2(run.step.iloc[1:]))


in_time = whole.sort_values("step").groupby(key)[["step", "bits"]]
last["nearly_down"] = in_time.apply(nearly_down)
runs, before = last.loc["factorial"], untrained.loc["factorial"]
coded = signs.loc[runs.index.get_level_values("cell")]

# %% [markdown]
# ## What each factor does
#
# An effect is the mean of the runs at the high level less the mean at the low level.
# Fitted by least squares together with all pairs, it is the same number, and has an interval.
# The runs of a seed have their languages and their text in common, so what a seed adds to all of them is taken out first:


# %%
def blocked(outcome):
    """Effects on an outcome (one number for each run), with what each seed adds to all its runs taken out."""
    inner = outcome - outcome.groupby("seed").transform("mean")
    free = len(inner) - 16  # least squares does not know that three means were taken off, two of them free
    t = stats.t.ppf(0.975, free - 2) / stats.t.ppf(0.975, free)
    table, wider = effects(fit(inner, coded)), t * np.sqrt(free / (free - 2))
    low, high = (table.effect + wider * (table[end] - table.effect) for end in ("low", "high"))
    return table.assign(low=low, high=high)


# %%
high = coded.overlap.to_numpy() == 1
by_hand = runs.sads[high].mean() - runs.sads[~high].mean()
assert np.isclose(by_hand, blocked(runs.sads).set_index("term").effect["overlap"])

# %%
OUTCOMES = ["sads", "sads_best", "learned", "retrieval", "lrds", "transfer", "translation", "bits"]
OUTCOMES += ["nearly_down", "region", "region_outer"]
known = pd.concat(blocked(runs[name]).assign(outcome=name) for name in OUTCOMES)
at_start = pd.concat(blocked(before[name]).assign(outcome=name) for name in OUTCOMES if name in before)
known = known.merge(
    at_start[["term", "outcome", "effect"]].rename(columns={"effect": "floor"}),
    "left",
    on=["term", "outcome"],
)
alike, apart = (last.loc["controls"].loc[name].mean() for name in ("clone", "nothing in common"))
known["ceiling"] = known.outcome.map(alike - apart)

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
    f"**What we see.** SADS is {runs.sads.mean():.2f} on average, of which {runs.learned.mean():.2f} are learned. "
    f"Of the {len(known)} intervals in the figure some {len(known) / 20:.0f} leave out 0 by chance. One that holds 0 is a result as well: with 95 % confidence the effect, averaged over the levels of the other factors, lies within its ends."
)

# %% [markdown]
# ### Is the model of least squares fair?
#
# The residuals of each outcome: are they normal (Shapiro and Wilk), and as wide at the high levels as at the low ones (Levene, over the level that differs most, times the number of factors)?


# %%
def residual_checks(outcome):
    """p values for normal residuals, and for equal spread at both levels of the factor that differs most."""
    fitted = fit(runs[outcome] - runs.groupby("seed")[outcome].transform("mean"), coded)
    left, free = np.asarray(fitted.resid), fitted.df_resid - 2
    spread = [stats.levene(left[coded[f] == 1], left[coded[f] == -1]).pvalue for f in coded]
    checks = {"normal": stats.shapiro(left).pvalue, "equal spread": min(1, len(spread) * min(spread))}
    return {"outcome": outcome, "standard deviation": np.sqrt(np.square(left).sum() / free), **checks}


residuals = pd.DataFrame(map(residual_checks, OUTCOMES)).set_index("outcome").rename(index=draw.OUTCOMES)
residuals.round(3)

# %% tags=["hide-input"]
small = {check: list(residuals.index[residuals[check] < 0.05]) for check in ("normal", "equal spread")}
told_small = [f"{check}: {', '.join(names)}" for check, names in small.items() if names]
Markdown(
    "**What we see.** p below 0.05 for "
    + ("; ".join(told_small) if told_small else "nothing")
    + ". The intervals of these outcomes are rough: near 0 or 1 a share cannot spread."
)

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
# All pairs whose interval leaves out 0, the clearest first, and the means behind the two clearest:

# %%
pairs = known[known.term.str.contains("×") & ((known.low > 0) | (known.high < 0))]
pairs = pairs.iloc[(pairs.effect.abs() / (pairs.high - pairs.low)).argsort()[::-1]]
n_pairs = known.term.str.contains("×").sum()


def mean_with_interval(values):
    """Mean of a few runs with its 95 % t interval, as columns of a table."""
    low, high = DescrStatsW(values).tconfint_mean() if len(values) > 1 else (np.nan, np.nan)
    return pd.Series({"value": np.mean(values), "low": low, "high": high})


# %%
def together(term, outcome):
    """Means of an outcome at the four combinations of two factors, trained and untrained, as a figure."""
    a, b = term.split(" × ")
    level = {f: coded[f].map({-1: str(study.FACTORS[f][0]), 1: str(study.FACTORS[f][1])}) for f in (a, b)}
    names = {factor: values.to_numpy() for factor, values in level.items()}
    at = runs.assign(**names).groupby([a, b], sort=False)[outcome]
    means = pd.DataFrame({pair: mean_with_interval(values) for pair, values in at}).T.rename_axis([a, b])
    known_before = before.assign(**names).groupby([a, b])
    means["floor"] = known_before[outcome].mean() if outcome in before else np.nan
    return draw.interaction(means.reset_index().assign(outcome=outcome, ceiling=alike[outcome]), a, b)


# %% tags=["hide-input"]
for row in pairs.head(2).itertuples():
    display(together(row.term, row.outcome))
display(
    Markdown(
        f"{len(pairs)} of {n_pairs} intervals of pairs leave out 0 (by chance some {n_pairs / 20:.0f} would): "
        + "; ".join(
            f"{row.term} on {draw.OUTCOMES[row.outcome]} {brief(Estimate(row.effect, row.low, row.high))}"
            for row in pairs.itertuples()
        )
        + "."
    )
)

# %% [markdown]
# ## Controls
#
# The *clone* is the same language under other letters: all that structure alone can give.
# *Identical* languages are one language under two names.
# Languages on *unrelated* topics have no noun, person or action in common, but places, times and attributes; half of the sentences asked are of things that a language never read, so its bits say nothing and are left out.
# A model before training has learned nothing.
# Lines of two languages stand beside their placebos: a sentence of another meaning, or the translation some two thousand lines later.
# Of the words in mispaired switched lines a quarter are the right ones after all, for lack of another of their kind, so that this placebo is none too strict.

# %%
SHOWN = ["sads", "retrieval", "lrds", "transfer", "translation", "bits"]
SHARES = ["retrieval", "transfer", "translation"]
values = [*SHOWN, "bits_first", "bits_second"]
long, start = (
    table[values].rename_axis("outcome", axis=1).stack().rename(name)
    for table, name in ((last, "value"), (untrained, "floor"))
)
long = pd.concat([long, start], axis=1).reset_index()
long.loc[long.outcome.str.startswith("bits"), "floor"] = np.nan  # off the scale of the trained ones
long = long[(long.cell != "unrelated") | (long.outcome != "bits")]
clone = long.query("study == 'controls' and cell == 'clone'").groupby("outcome").value.mean()


# %%
def summary(part, keys=("cell",)):
    """Means over seeds with intervals (of a share, within 0 and 1), beside the untrained and the clone."""
    groups = part.groupby([*keys, "outcome"], sort=False)
    rows = groups.value.apply(lambda values: mean_with_interval(values.to_numpy())).unstack()
    rows = rows.join(groups.floor.mean()).reset_index()
    share = rows.outcome.isin(SHARES)
    rows.loc[share, ["low", "high"]] = rows.loc[share, ["low", "high"]].clip(0, 1)
    return rows.assign(ceiling=rows.outcome.map(clone))


place = {cell.cell: number for number, cell in enumerate(cells)}
in_order = long[long.study == "controls"].sort_values(
    "cell", key=lambda names: names.map(place), kind="stable"
)
controls = summary(in_order.query("outcome in @SHOWN"))

# %% tags=["hide-input"]
draw.by_cell(controls)

# %% tags=["hide-input"]
at = controls.set_index(["cell", "outcome"])


def told(cell, outcome):
    """A control's outcome with its interval, in words."""
    return brief(Estimate(*at.loc[(cell, outcome), ["value", "low", "high"]]))


def less(one, other, outcome="sads"):
    """By how much a control's outcome differs from another's, seed by seed."""
    difference = last.loc["controls"].loc[one][outcome] - last.loc["controls"].loc[other][outcome]
    return brief(Estimate(*mean_with_interval(difference.to_numpy())))


identical = last.loc[("controls", "identical")]
Markdown(
    f"**What we see.** With nothing in common SADS is {told('nothing in common', 'sads')}; a clone, which differs in its letters alone, has {told('clone', 'sads')} (the difference: {less('clone', 'nothing in common')}); beside switched lines a clone differs from another language by {less('clone, switched', 'switched')}. "
    f"Lines of a sentence and its translation: SADS {told('bilingual', 'sads')} (mispaired {told('bilingual, mispaired', 'sads')}, apart {told('bilingual, apart', 'sads')}), "
    f"translations chosen {told('bilingual', 'translation')} (mispaired {told('bilingual, mispaired', 'translation')}, apart {told('bilingual, apart', 'translation')}; chance 0.25 for a model that does not read what comes before: one that has only learned that sentences do not repeat each other can fall below). "
    f"Code-switched lines: SADS {told('switched', 'sads')} (mispaired {told('switched, mispaired', 'sads')}; the difference {less('switched', 'switched, mispaired')}), translations chosen {told('switched', 'translation')}. "
    f"Between identical languages LRDS is at most {identical.lrds.abs().max():.1e}, as it must be."
)

# %% [markdown]
# ## How much of it?
#
# Of the factors that move SADS the order of words has no halves; so beside common words stand code-switched lines, the bridge that is in every run of the factorial.
# Here each is alone.

# %%
dosed = long.query("study == 'doses' and outcome in @SHOWN").copy()
dosed[["series", "dose"]] = dosed.cell.str.rsplit(" ", n=1, expand=True)
none = long.query("study == 'controls' and cell == 'nothing in common' and outcome in @SHOWN")
dosed = pd.concat([*(none.assign(series=dial, dose=0) for dial in study.DOSES), dosed]).astype(
    {"dose": float}
)
by_dose = summary(dosed, ["series", "dose"])

# %% tags=["hide-input"]
draw.doses(by_dose, "share of words, or of lines")

# %%
sads = dosed[dosed.outcome == "sads"].assign(learned=lambda table: table.value - table.floor)
learned = sads.pivot(index="seed", columns=["series", "dose"], values="learned")
gained = {
    series: {
        dose: brief(Estimate(*mean_with_interval((learned[series][dose] - learned[series][0.0]).to_numpy())))
        for dose in sorted(learned[series].columns)[1:]
    }
    for series in study.DOSES
}


# %% tags=["hide-input"]
def at_dose(series, outcome, dose=None):
    """An outcome at a dose of a series, the highest by default, in words."""
    part = by_dose[(by_dose.series == series) & (by_dose.outcome == outcome)]
    row = part[part.dose == (part.dose.max() if dose is None else dose)].iloc[0]
    return brief(Estimate(row.value, row.low, row.high))


def same_words(spec, seed):
    """Share of the facts whose person and place are the same words in both languages."""
    dials = invented.Invented.read(f"{spec},seed={seed}")
    one, other = (tongue.words for tongue in dials.tongues)
    both = [
        one[person] == other[person] and one[home] == other[home] for person, (home, _) in dials.homes.items()
    ]
    return np.mean(both)


most = max(study.DOSES["overlap"])
literal = np.mean([same_words(f"invented:overlap={most}", seed) for seed in range(3)])
Markdown(
    "**What we see.** SADS learned beyond what it is without, seed by seed: "
    + "; ".join(
        f"{series} " + ", ".join(f"{dose:.0%}: {words}" for dose, words in doses.items())
        for series, doses in gained.items()
    )
    + f". From no common words to {most:.0%} of them, facts asked in the other language go from {at_dose('overlap', 'transfer', 0)} to {at_dose('overlap', 'transfer')} (chance {1 / invented.N_PLACES:.3f}); "
    f"but then {literal:.0%} of the questions hold the very words in which the fact was told, so that this is in part memory. With code-switched lines, and no word in common, they reach {at_dose('switched', 'transfer')}."
)

# %% [markdown]
# ## Who pays for an imbalance?
#
# The first language's share of the lines that are no facts rises from half to nearly all (facts are told half in each).
# Bits per sentence of either language, on the same meanings, and what becomes of the sharing.

# %%
sides = {"bits_first": "first language", "bits_second": "second language"}
uneven = long.query("study == 'imbalance' and outcome != 'bits'")
uneven = uneven.assign(
    dose=uneven.cell.str.rstrip("%").astype(float) / 100, series=uneven.outcome.map(sides).fillna("both")
)
imbalance = summary(uneven.replace({"outcome": dict.fromkeys(sides, "bits")}), ["series", "dose"])

# %% tags=["hide-input"]
draw.doses(imbalance, "share of the first language (facts aside)")

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
# What never rises by the least amount has no onset, and neither has what is there before the first checkpoint after step 0.

# %%
LEAST = {"sads": 0.05, "transfer": 0.15, "translation": 0.15}
parts = whole[whole.study.isin(["factorial", "controls", "doses"])].sort_values("step")
kept = parts[parts.cell != "switched 0.05"]  # the same runs as cell 00 of the factorial
in_turn = kept.groupby(["study", "cell", "seed"], sort=False)
onsets = in_turn[["step", *LEAST]].apply(
    lambda run: pd.Series({name: onset(run.step, run[name], least) for name, least in LEAST.items()})
)
fallen = in_turn[["step", "bits"]].apply(nearly_down)

# %% tags=["hide-input"]
shown = ["nothing in common", "bilingual", "switched", "clone", "identical"]
moving = whole.query("study == 'controls' and cell in @shown")
moving = moving.melt(["cell", "seed", "step"], SHOWN, "outcome", "value").assign(floor=np.nan)
draw.timeline(summary(moving, ["cell", "step"]))

# %% tags=["hide-input"]
later = {}
for name in ("transfer", "translation"):
    both = onsets[["sads", name]].dropna()
    later[name] = (Estimate(*mean_with_interval(np.log2(both[name] / both.sads))), len(both))
loss = Estimate(*mean_with_interval((fallen - np.log2(onsets.sads)).dropna()))
words = {"transfer": "transfer", "translation": "choosing translations"}
Markdown(
    f"**What we see.** SADS has an onset in {onsets.sads.notna().sum()} of {len(onsets)} runs. In doublings of the step after it (negative: before it), nine tenths of the fall of the loss are done at {brief(loss)}; "
    + "; ".join(
        f"the onset of {words[name]} is at {brief(estimate)} ({n} runs have both{', too few to say' if n < 10 else ''})"
        for name, (estimate, n) in later.items()
    )
    + f". In {(onsets.sads.notna() & onsets.transfer.isna()).sum()} runs SADS rises and transfer does not, by as much as {LEAST['transfer']}."
)

# %% [markdown]
# ## What moves sharing to the middle layers?
#
# In real models SADS is low, high, low over the layers; in [the lab](04_similarity.ipynb) it is highest in the first and falls.
# Five properties of text are switched on one at a time, over languages in which agents are told by what they are, and then all together; *roles* are told by marks of case then (order alone, which tells them in the rest of the study, is not among the five).

# %%
layers = pd.read_parquet(tables / "layers.parquet").query("study == 'hump'")
final = layers[layers.step == layers.step.max()].rename(columns={"sads": "value"})
profile = (
    final.groupby(["cell", "layer"], sort=False)
    .value.apply(lambda v: mean_with_interval(v.to_numpy()))
    .unstack()
)
floors = layers[layers.step == 0].groupby("layer").sads.mean()
profile = profile.reset_index().assign(floor=lambda table: table.layer.map(floors), ceiling=clone["sads"])

# %% tags=["hide-input"]
draw.profiles(profile)

# %%
by_run = final.pivot_table(index=["cell", "seed"], columns="layer", values="value")
inner = by_run.iloc[:, 1:-1].max(axis=1)
hump = pd.DataFrame({"above the first": inner - by_run[0], "above the last": inner - by_run.iloc[:, -1]})
centre = (by_run * by_run.columns).sum(axis=1) / by_run.sum(axis=1)  # in which layer SADS lies on average
hump["centre, less none's"] = centre - centre.index.get_level_values("seed").map(centre["none"])
humps = {
    cell: {side: Estimate(*mean_with_interval(part[side])) for side in hump}
    for cell, part in hump.groupby("cell")
}

# %% tags=["hide-input"]
table = pd.DataFrame(humps).T.map(brief).reindex(profile.cell.unique())
table.loc["none", "centre, less none's"] = "–"
table

# %% tags=["hide-input"]
first, final_layer = (Estimate(*mean_with_interval(by_run.loc["none"].iloc[:, at])) for at in (0, -1))
humped = [
    cell
    for cell, sides in humps.items()
    if all(sides[side].low > 0 for side in ("above the first", "above the last"))
]
shifts = {cell: sides["centre, less none's"] for cell, sides in humps.items() if cell != "none"}
moved = [
    f"{cell} by {brief(shift)} layers" for cell, shift in shifts.items() if shift.low > 0 or shift.high < 0
]
Markdown(
    f"**What we see.** With none of them SADS is {brief(first)} in the first layer and {brief(final_layer)} in the last. "
    + (
        f"An inner layer lies above both, beyond both intervals, with {', '.join(humped)}. "
        if humped
        else "With no property does an inner layer lie above both the first and the last, beyond both intervals (the inner layer is the best of four, which favours it; with three seeds a hump of 0.1 could be missed). "
    )
    + (
        f"The centre of SADS moves, toward the first layer where the sign is negative, with {', '.join(moved)}."
        if moved
        else "The centre of SADS does not measurably move."
    )
    + ("" if humped else " What makes the middle layers of real models the meeting place was not found.")
)

# %% [markdown]
# ## Key to a language, or to its letters?
#
# Four languages: two sets of words, each in two scripts; no line and no word makes the sets meet.
# If key neurons follow the language, the two scripts of one set share them; if they follow tokens, the two languages in one script do.
# (The first language has half of the text, the others a sixth each.)

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
clear = [kind for kind, estimate in crossed.items() if estimate.low > 0]
Markdown(
    "**What we see.** Overlap of key neurons (Jaccard, less chance) between languages with "
    + "; ".join(f"{kind}: {brief(estimate)}" for kind, estimate in crossed.items())
    + (
        f". Beyond chance: {', '.join(clear)}."
        if clear
        else f". None stands out from chance: neither letters nor words make key neurons common here, as far as three seeds can tell (half widths up to {max((e.high - e.low) / 2 for e in crossed.values()):.2f})."
    )
)

# %% [markdown]
# ## Do the measures agree?

# %%
MEASURES = ["sads", "sads_best", "retrieval", "mutual", "cka", "lrds", "transfer", "translation"]
ranks = runs[MEASURES].corr("spearman")
square = ranks.rename_axis("one").reset_index().melt("one", var_name="other")

# %% tags=["hide-input"]
draw.agreement(square)

# %% [markdown]
# With common words a fact may be told in the very words that are asked for, so transfer is compared with SADS over the runs without:

# %%
without = (coded.overlap == -1).to_numpy()
with_transfer = rank_correlation(runs.sads[without], runs.transfer[without])
with_translation = rank_correlation(runs.sads, runs.translation)

# %% tags=["hide-input"]
Markdown(
    f"**What we see.** Over the runs of the factorial SADS goes with translations found at {brief(rank_correlation(runs.sads, runs.retrieval))}, with CKA at "
    f"{brief(rank_correlation(runs.sads, runs.cka))} and with translations chosen at {brief(with_translation)}; with facts transferred, where no word is common, at {brief(with_transfer)} "
    "(rank correlations over the levels chosen here; runs of one seed have their languages in common, so the intervals are a rough guide)."
)

# %% [markdown]
# ## Findings, and what was expected

# %%
found = {
    "common words": (effect_of("overlap", "sads"), "SADS with common words, less without"),
    "words learned": (effect_of("overlap"), "SADS learned with common words, less without"),
    "bilingual lines": (effect_of("bilingual"), "SADS learned with such lines, less without"),
    "capacity": (effect_of("capacity"), "SADS learned by the larger model, less by the smaller"),
    "transfer": (with_transfer, "rank correlation of SADS and transfer, runs without common words"),
    "middle layers": (shifts["all"], "centre of SADS over layers, all properties on, less none"),
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
common, order = effect_of("overlap", "sads"), effect_of("order", "sads")
bilingual = effect_of("bilingual", "translation")
untaught = at_start.query("term == 'overlap' and outcome == 'sads'").iloc[0]
least = min(study.DOSES["overlap"])
told_so = [
    f"**Without a token in common**: with code-switched lines SADS is {told('switched', 'sads')} between languages that share no letter; with other words in the place of the translations it is {told('switched, mispaired', 'sads')}, and with neither {told('nothing in common', 'sads')}.",
    f"**Common words** {moves(common)} SADS: {brief(common)}. Untrained models have that from common tokens alone, {brief(Estimate(untaught.effect, untaught.low, untaught.high))}; what is learned changes by {brief(effect_of('overlap'))} beside code-switched lines, which teach it anyway, and without them by {gained['overlap'][least]} for {least:.0%} of the words, {gained['overlap'][most]} for {most:.0%}.",
    f"**Another order of words and attributes** changes SADS by {brief(order)}, translations found by {brief(effect_of('order', 'retrieval'))}.",
    f"**Lines of a sentence and its translation** {moves(bilingual)} the choice of a translation: {brief(bilingual)}. They {moves(effect_of('bilingual'))} the SADS that is learned: {brief(effect_of('bilingual'))}.",
    f"**Structure alone**, a language beside its copy in other letters: SADS {told('clone', 'sads')}, by {less('clone', 'nothing in common')} more than between languages with nothing in common.",
    f"**Alignment and transfer**: where lines switch and no word is common, a fact told in one language is known in the other {told('switched', 'transfer')} of the time (chance {1 / invented.N_PLACES:.3f}), at SADS {told('switched', 'sads')}.",
    f"**An imbalance** changes what a sentence costs the smaller language by {brief(paid['bits_second'])} bits, the larger by {brief(paid['bits_first'])}.",
]
Markdown("\n".join(f"{number}. {text}" for number, text in enumerate(told_so, start=1)))

# %% tags=["hide-input"]
by_verdict = {
    wording: [EXPECTED[name] for name in found if verdict(name) == wording]
    for wording in ("as expected", "not borne out", "against it")
}
Markdown(
    "**What it says.** "
    + ". ".join(
        f"{wording.capitalize()} ({len(texts)} of {len(found)}): {'; '.join(texts)}"
        for wording, texts in by_verdict.items()
        if texts
    )
    + "."
)

# %% tags=["hide-input"]
answer = Markdown(
    f"In small models of two invented languages that share no letter SADS is {told('switched', 'sads')} where lines switch between them, and {told('nothing in common', 'sads')} where they do not; {told('clone', 'sads')} between a language and its copy in other letters, "
    f"and {at_dose('overlap', 'sads')} where {most:.0%} of the words are common. "
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
# The models are tiny, the languages have some hundred words, and a minute of training is no corpus: an effect here says what can be, not how large it is in a large model, nor whether it is there at all.
# What has no effect at this budget may have one later; that facts do not cross here says nothing of models that read a thousand times as much.
# An effect of the factorial is its mean over the levels of the others that were chosen, and one beside code-switched lines.
# Intervals over three seeds are wide (Student's t).
# Two languages are not a hundred; how many there are is itself a dial, which this study leaves alone.
# Grammar here is one; natural languages differ in what they say, too.

# %% tags=["hide-cell"]
pd.DataFrame(manifests)[["study", "cell", "seed", "seconds", "device", "digest"]]
