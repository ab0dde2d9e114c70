# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How far does the lingua franca reach?
#
# ```{glue} answer
# ```
#
# A model shares meaning between some languages; between how many of the world's?
# The Universal Declaration of Human Rights says the same fifty paragraphs in hundreds of languages, large and small.
# This chapter asks of each whether its paragraphs find their English translations, layer by layer, and what goes with it.
#
# <details>
# <summary>Reads, writes, costs</summary>
#
# | | |
# |---|---|
# | **Reads** | the tables of models that read the Declaration of Human Rights, of this sheet and published |
# | **Writes** | nothing |
# | **Costs** | seconds where the runs are done |
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
import langcodes
import numpy as np
import pandas as pd
from IPython.display import Markdown, display
from scipy import stats

from lingua_utils.charts import languages as draw
from lingua_utils.charts import theme
from lingua_utils.charts.glue import glue
from lingua_utils.measure.intervals import clustered_regression, margin
from lingua_utils.measure.sums import OTHERS
from lingua_utils.runs import collate, sheets
from lingua_utils.runs.settings import RunSettings
from lingua_utils.text.languages import get_language

theme.use()

# %% tags=["parameters", "hide-input"]
sheet: str = "runs/gemma-3-270m.csv"  # the sample sheet whose runs are read
results: str = "results"  # root of all results
published: str = "book/published"  # tables of runs that are not repeated here; empty for none

# %% tags=["hide-input"]
asked = [row.settings for row in sheets.read_sheet(sheet) if row.settings.corpus == "udhr"]
like = asked[-1] if asked else RunSettings("pypi/gemma-3-270m", corpus="udhr", n_sentences=0)
apart = (*collate.APART, "code", "dtype", "languages")  # what may differ between the runs shown together


def of_all(name, *also_apart):
    """A table of all models that read the Declaration, or whatever else may differ; no rows where none did."""
    try:
        whole = collate.collate(name, results, published, like=like, apart=(*apart, *also_apart))
    except FileNotFoundError:
        return pd.DataFrame(
            columns=["model", "revision", "target", "published", "corpus", "language", "share"]
        )
    return whole.assign(model=whole.model_id.str.rpartition("/")[2])


retrieval, tokens = of_all("retrieval"), of_all("tokens")


def shown(make, *tables):
    """What a function makes of some tables; where one of them has no rows, that nothing was measured."""
    if all(len(table) for table in tables):
        return make()
    return Markdown("Not measured: no model has read the Declaration here, and none is published.")


def named(language):
    """A row's language with the share that it finds and its interval."""
    return f"{language['name']} ({language.found:.0%}, {language.low:.0%} to {language.high:.0%})"


# %% tags=["hide-input"]
def sources():
    """The models on this page: which languages they read, and where that was measured."""
    each = retrieval.groupby(["model", "revision", "published"], sort=False)
    counted = each.agg(languages=("source", "nunique"), layers=("layer", "nunique")).reset_index()
    return counted.assign(published=counted.published.map({True: "published", False: "measured here"}))


shown(sources, retrieval)

# %% [markdown]
# ## Above what?
#
# A paragraph is looked for as in [chapter 04](04_similarity.ipynb), among all fifty, so that chance is one in fifty.
# But length, digits and shared tokens find some translations without any learning.
# So beside each model stands its **untrained twin**: the same network and tokenizer, with weights as they were drawn.
#
# The twin finds *k*₀ of *n*₀ paragraphs, the model *k* of *n*; where the twin did not read a language, *k*₀ and *n*₀ are those of all the languages that it read.
# A model without a twin is left out.
# Fisher's exact test says how often so many would be found if the two found equally often:


# %%
def exact_test(found, n, twin_found, twin_n):
    """Probability of at least as many found, given how many both find together; vectorised."""
    return stats.hypergeom.sf(found - 1, n + twin_n, found + twin_found, n)


table = [[12, 38], [3, 47]]
assert np.isclose(exact_test(12, 50, 3, 50), stats.fisher_exact(table, alternative="greater").pvalue)

# %% [markdown]
# With hundreds of languages some pass by luck.
# A language counts as above the twin where the false discovery rate over all languages of a model and layer is held at 5 % {cite}`benjamini1995fdr`.


# %%
def beside_twin(target):
    """How often each language finds its translation in `target`, by model and layer, beside the twin."""
    rows = retrieval[(retrieval.target == target) & (retrieval.kind == "all") & (retrieval.layer != "all")]
    rows = rows.assign(n=rows.measured_n_sentences, k=(rows.accuracy * rows.measured_n_sentences).round())
    twin, model = (rows[(rows.revision == "untrained") == untrained] for untrained in (True, False))
    model = model[model.model.isin(twin.model)]
    own = twin.set_index(["model", "layer", "source"])[["k", "n"]]
    all_read = own.groupby(level=["model", "layer"]).sum()
    keys = model[["model", "layer", "source"]]
    pooled = all_read.reindex(pd.MultiIndex.from_frame(keys[["model", "layer"]])).set_axis(model.index)
    beside = own.reindex(pd.MultiIndex.from_frame(keys)).set_axis(model.index).fillna(pooled)
    p = pd.Series(exact_test(model.k, model.n, beside.k, beside.n), model.index)
    discovered = p.groupby([model.model, model.layer]).transform(stats.false_discovery_control) < 0.05
    found = {"found": model.accuracy, "low": model.accuracy_low, "high": model.accuracy_high}
    return keys.assign(layer_index=model.layer_index, **found, twin=beside.k / beside.n, above=discovered)


# %% tags=["hide-input"]
def facts(codes):
    """What is known of some languages: family and place (Glottolog), script, speakers (CLDR)."""
    known = [get_language(code) for code in codes]
    columns = {name: [getattr(language, name) for language in known] for name in FACTS}
    speakers = [langcodes.Language.get(language.tag).speaking_population() or np.nan for language in known]
    latin = [language.script == "Latn" for language in known]
    return pd.DataFrame({"language": codes, **columns, "speakers": speakers, "latin": latin})


FACTS = ("name", "family", "latitude", "longitude")


def reach_into(target):
    """The table of this chapter: what is found in `target`, with what is known of each language."""
    found = beside_twin(target).rename(columns={"source": "language"})
    return found.merge(facts(sorted(set(found.language))), on="language")


reach = reach_into("eng_Latn") if len(retrieval) else retrieval
models = list(dict.fromkeys(reach.model))
if len(reach):
    by_layer = reach.groupby(["model", "layer"], sort=False).found.mean()
    best = {model: by_layer[model].idxmax() for model in models}
    at_best = reach[reach.layer == reach.model.map(best)]

# %% [markdown]
# ## The map
#
# One dot for each language, at the one place that Glottolog gives for it; push the slider through the layers.
# Each map opens at the layer in which most is found over all languages.


# %% tags=["hide-input"]
def maps():
    """A map of the world for each model."""
    for model in models:
        display(draw.world_map(reach[reach.model == model], best[model], model))


shown(maps, reach)

# %% [markdown]
# How many languages does it reach?


# %%
def counts(model):
    """Of one model in its best layer: of how many languages translations are found, and how often."""
    rows = at_best[at_best.model == model]
    return {
        "languages": len(rows),
        "most (above 50 %)": (rows.found > 0.5).sum(),
        "surely most (whole interval)": (rows.low > 0.5).sum(),
        "some (above 20 %)": (rows.found > 0.2).sum(),
        "no more than the untrained twin": (~rows.above).sum(),
    }


# %% tags=["hide-input"]
shown(lambda: pd.DataFrame({model: counts(model) for model in models}).T, reach)


# %% tags=["hide-input"]
def seen_on_the_map():
    """The counts of each model in words."""
    lines = []
    for model in models:
        rows, n = at_best[at_best.model == model].sort_values("found"), counts(model)
        read = retrieval[(retrieval.model == model) & (retrieval.revision == "untrained")].source.nunique()
        lines.append(
            f"In layer {best[model]} of {model} most paragraphs find their English translation in "
            f"{n['most (above 50 %)']} of {n['languages']} languages, and more than one in five in "
            f"{n['some (above 20 %)']}; in {n['no more than the untrained twin']} no more than without training is found. "
            f"The twin, which read {read} languages, finds {rows.twin.mean():.1%} on average and at most {rows.twin.max():.0%}. "
            f"Best: {named(rows.iloc[-1])}; in the middle: {named(rows.iloc[len(rows) // 2])}."
        )
    return Markdown("**What we see.** " + "\n\n".join(lines))


shown(seen_on_the_map, reach)


# %% tags=["hide-input"]
def answer():
    """How far the first model reaches, in a sentence."""
    n, rows = counts(models[0]), at_best[at_best.model == models[0]]
    return Markdown(
        f"In {models[0]} most paragraphs find their English translation in {n['most (above 50 %)']} of "
        f"{n['languages']} languages, {rows.found.mean():.0%} on average (untrained {rows.twin.mean():.0%}); in "
        f"{n['no more than the untrained twin']} languages no more are found than without training."
    )


glue("answer", shown(answer, reach), show=False)

# %% [markdown]
# ## Layer by layer, family by family
#
# The same numbers as a strip: the means of each family, or a line for each language, families one below the other.
# Type a part of a name, or of that of a family, to see some languages only.


# %% tags=["hide-input"]
def strips():
    """A strip of languages by layers for each model."""
    for model in models:
        display(draw.strip(reach[reach.model == model], model))


shown(strips, reach)

# %% [markdown]
# Every language with its interval, for the family that you choose; each model at its best layer.

# %% tags=["hide-input"]
shown(lambda: draw.language_by_language(at_best), reach)

# %% [markdown]
# ## Does the family tell?
#
# If languages of one family fare alike, two of them have correlated values.
# How closely, the variance between and within families tells; the interval leaves out one family at a time, and the null gives languages to families at random.


# %%
def alike_within(values, families):
    """Correlation of two languages of one family, by a one-way analysis of variance."""
    groups = values.groupby(np.asarray(families))
    sizes, n = groups.size(), len(values)
    between = (sizes * (groups.mean() - values.mean()) ** 2).sum() / (len(sizes) - 1)
    inside = ((values - groups.transform("mean")) ** 2).sum() / (n - len(sizes))
    typical = (n - (sizes**2).sum() / n) / (len(sizes) - 1)
    return (between - inside) / (between + (typical - 1) * inside)


# %%
def with_interval(values, families):
    """The correlation, its 95 % interval over families, and the limit of 95 in 100 shufflings."""
    left_out = [families != family for family in families.unique()]
    without = np.array([alike_within(values[kept], families[kept]) for kept in left_out])
    half = margin((without - without.mean()) * (1 - 1 / len(without)))
    generator = np.random.default_rng(0)
    shuffled = [alike_within(values, generator.permutation(families)) for _ in range(199)]
    return alike_within(values, families), half, np.quantile(shuffled, 0.95)


# %% tags=["hide-input"]
def seen_in_families():
    """Correlation within families in words, and the families that lie highest and lowest."""
    lines = []
    for model in models:
        rows = at_best[at_best.model == model]
        within, half, limit = with_interval(rows.found, rows.family)
        groups = rows.groupby(draw.family_groups(rows.family), observed=True).found
        means = groups.mean().drop(draw.OTHERS, errors="ignore").sort_values()
        spread = [f"{groups.min()[family]:.0%} to {groups.max()[family]:.0%}" for family in means.index]
        lines.append(
            f"In {model} two languages of one family correlate by {within:.2f} ({within - half:.2f} to {within + half:.2f}; "
            f"shuffled, below {limit:.2f} 95 times in 100). "
            f"Of the large families {means.index[-1]} lies highest, at {means.iloc[-1]:.0%} on average (its languages: {spread[-1]}), "
            f"and {means.index[0]} lowest, at {means.iloc[0]:.0%} ({spread[0]})."
        )
    return Markdown("**What we see.** " + "\n\n".join(lines))


shown(seen_in_families, reach)

# %% [markdown]
# ## What goes with it?
#
# Three things are known of most languages.
# **Tokens**: how many the Declaration takes, as a multiple of English, since a text that a tokenizer cuts finely was rare when the tokenizer was made.
# **Speakers**: how many people use the language (CLDR, after `langcodes`); the smallest languages are missing there.
# **Script**: whether it is Latin, as that of English is.
#
# The outcome is a share, so its log odds are what the factors add up to {cite}`papke1996fractional`.
# And languages of one family are not independent: fifty relatives are not fifty witnesses.
# A standard error that allows for any dependence within a family {cite}`liang1986gee` needs many families of like size, and here a few large ones stand beside many of one language.
# `clustered_regression` corrects for their small number {cite}`mancl2001covariance` and for their unlike sizes {cite}`carter2017asymptotic`, and its intervals hold the truth in simulations with families of these sizes.


# %%
def with_tokens(rows):
    """Rows of languages with their tokens, as a multiple of English and per byte, on log scales."""
    finished = tokens[tokens.revision != "untrained"]
    sums = finished.groupby(["model", "language"])[["measured_tokens", "bytes"]].sum()
    english = sums.xs("eng_Latn", level="language").measured_tokens
    per_language = pd.DataFrame(
        {
            "twice the tokens": np.log2(sums.measured_tokens / english.reindex(sums.index, level="model")),
            "twice the tokens per byte": np.log2(sums.measured_tokens / sums.bytes),
        }
    )
    known = {"ten times the speakers": np.log10(rows.speakers), "Latin script": rows.latin.astype(float)}
    return rows.assign(**known).join(per_language, on=["model", "language"])


FACTORS = ["twice the tokens", "ten times the speakers", "Latin script"]


# %%
def fit(rows, factors):
    """Odds ratios of some factors together, over the languages of which all are known."""
    known = rows.dropna(subset=factors)
    return known, clustered_regression(known.found, known[factors], known.family)


def odds_ratios(rows, factors, name):
    """The odds ratios as a table: what a factor multiplies the odds of finding a translation by."""
    known, regression = fit(rows, factors)
    terms = regression.terms.query("term != 'intercept'")
    ratios = np.exp(terms[["estimate", "low", "high"]]).rename(columns={"estimate": "ratio"})
    return terms[["term"]].join(ratios).assign(fit=name, n_languages=len(known))


# %% tags=["hide-input"]
PER_BYTE = [f"{FACTORS[0]} per byte", *FACTORS[1:]]
SETS = {
    "all together": FACTORS,
    "without speakers": [FACTORS[0], FACTORS[2]],
    "per byte": PER_BYTE,
}


def all_fits():
    """Odds ratios of each factor alone and of several together, in each model."""
    for model, rows in with_tokens(at_best).groupby("model", sort=False):
        alone = [([factor], "alone") for factor in FACTORS]
        for factors, name in (*alone, *((factors, name) for name, factors in SETS.items())):
            yield odds_ratios(rows, factors, name).assign(model=model)


fits = pd.concat(all_fits()) if len(reach) and len(tokens) else tokens
shown(lambda: draw.odds(fits[fits.fit != "per byte"]), fits)

# %% [markdown]
# Factors that go together cannot be told apart by a regression: rich languages have many speakers, short texts and a tokenizer that knows them.
# So each factor is shown alone and together with the others, and how closely they go together is said below.
# Bytes are no neutral measure of length (a letter takes one in Latin, three in Devanagari), which is why tokens are counted against English; per byte they are given for comparison.


# %% tags=["hide-input"]
def ratio_in_words(model, name, term):
    """An odds ratio with its interval."""
    row = fits[(fits.model == model) & (fits.fit == name) & (fits.term == term)].iloc[0]
    return f"× {row.ratio:.2g} ({row.low:.2g} to {row.high:.2g})"


def seen_in_factors():
    """The odds ratios in words, and how far they can be told apart."""
    lines = []
    for model, rows in with_tokens(at_best).groupby("model", sort=False):
        known = rows.dropna(subset=FACTORS)
        together = known[FACTORS].corr()
        told = "; ".join(f"{term} {ratio_in_words(model, 'all together', term)}" for term in FACTORS)
        alone = ratio_in_words(model, "alone", FACTORS[1])
        lines.append(
            f"{model}, {len(known)} of {len(rows)} languages, all together: {told}. "
            f"Speakers alone: {alone}. Tokens and speakers correlate by {together.iloc[0, 1]:.2f}, "
            f"tokens and script by {together.iloc[0, 2]:.2f}, speakers and script by {together.iloc[1, 2]:.2f}. "
            f"With tokens per byte instead: {PER_BYTE[0]} {ratio_in_words(model, 'per byte', PER_BYTE[0])}."
        )
    told = (
        "**What we see.** What the odds of finding a translation are multiplied by, with 95 % intervals.\n\n"
    )
    return Markdown(told + "\n\n".join(lines))


shown(seen_in_factors, fits)

# %% [markdown]
# Do the factors miss anything?
# Where they predict well, dots lie around the line; a language far above it is found more often than its tokens, speakers and script suggest.


# %%
def predicted(rows):
    """Languages of a model with the share that the three factors predict, and what that misses."""
    known, regression = fit(with_tokens(rows), FACTORS)
    return known.assign(predicted=regression.fitted, missed=known.found - regression.fitted)


# %% tags=["hide-input"]
expected = {m: predicted(at_best[at_best.model == m]) for m in models} if len(fits) else {}


def residuals():
    """Found against predicted, a chart for each model."""
    for model, rows in expected.items():
        axes = ("predicted", "translations found")
        display(draw.against(rows, "predicted", "found", *axes, model))


shown(residuals, fits)


# %% tags=["hide-input"]
def seen_in_residuals():
    """The largest residual of a tenth of the predictions, and the languages farthest from the line."""
    lines = []
    for model, rows in expected.items():
        tenths = rows.groupby(pd.qcut(rows.predicted, 10, duplicates="drop"), observed=True).missed.mean()
        names = rows.sort_values("missed").name.tolist()
        lines.append(
            f"{model}: in tenths of the predictions the mean residual is at most {tenths.abs().max():.2f}; "
            f"the factors leave {rows.missed.var() / rows.found.var():.0%} of the variance. "
            f"Found far more often than predicted: {', '.join(names[:-5:-1])}; far less often: {', '.join(names[:4])}."
        )
    return Markdown("**What we see.** " + "\n\n".join(lines))


shown(seen_in_residuals, fits)

# %% [markdown]
# ## Is it only English?
#
# English is one pivot, and the one that most of the training text is in.
# The same paragraphs can be looked for in the mean of all other languages instead: a paragraph's translations averaged.


# %% tags=["hide-input"]
others = reach_into(OTHERS) if (retrieval.get("target") == OTHERS).any() else retrieval[:0]


def both_targets(model):
    """What each language finds in English and in the mean of all others, in the best layer for English."""
    keys = ["model", "layer", "language"]
    return at_best[at_best.model == model].merge(others[[*keys, "found"]].rename(columns={"found": "others"}))


def pivots():
    """The two targets against each other, a chart for each model."""
    for model in models:
        axes = ("found in English", "found in all others' mean")
        display(draw.against(both_targets(model), "found", "others", *axes, model))


shown(pivots, others)


# %% tags=["hide-input"]
def seen_in_pivots():
    """The mean difference between the targets in words."""
    lines = []
    for model in models:
        rows = both_targets(model)
        more = clustered_regression(rows.others - rows.found, rows[[]], rows.family, logit=False)["intercept"]
        lines.append(
            f"{model}: in the others' mean {(rows.others > rows.found).sum()} of {len(rows)} languages find more than in English; "
            f"on average {100 * more.value:+.0f} percentage points "
            f"({100 * more.low:+.0f} to {100 * more.high:+.0f}, families not independent)."
        )
    return Markdown("**What we see.** " + "\n\n".join(lines))


shown(seen_in_pivots, others)

# %% [markdown]
# ## Whose neurons, among hundreds?
#
# The rules of [chapter 05](05_regions.ipynb) ask of every neuron whether it is key to a language.
# Here they are asked with few languages (of PUD) and with hundreds (of the Declaration), each beside the same with the languages shuffled and beside the untrained twin.


# %%
def with_few_and_many():
    """Share of a model's neurons that are key to some language, among the languages of PUD and of the Declaration."""
    whole = of_all("region_null", "corpus", "n_sentences", "gallery")
    counts = of_all("region_counts", "corpus", "n_sentences", "gallery")
    keys = ["model", "corpus"]
    read = counts.groupby(keys).language.nunique().rename("read").reset_index()
    rows = whole[(whole.revision != "untrained") & whole.corpus.isin(["pud", "udhr"])]
    return rows.merge(read).sort_values(["model", "read"], kind="stable").reset_index(drop=True)


rules = with_few_and_many()
rules = rules[rules.model.isin(rules[rules.corpus == "udhr"].model)]

# %% tags=["hide-input"]
shown(
    lambda: (
        pd.concat(
            {
                "as it is": rules.share,
                "languages shuffled": rules.share_shuffled,
                "untrained twin": rules.share_untrained,
            },
            axis=1,
        )
        .map("{:.1%}".format)
        .set_axis(
            pd.MultiIndex.from_frame(
                rules[["model", "read", "rule"]].set_axis(["model", "languages", "rule"], axis=1)
            )
        )
    ),
    rules,
)

# %% [markdown]
# What a rule says depends on how many languages it is asked among.
#
# - `zscore` calls a neuron key to a language that lies two standard deviations above the mean of all. The more languages, the more chances to do so: with hundreds, nearly every neuron has some language that does, whatever it does.
# - `lape` keeps the hundredth of the neurons whose activity is least evenly spread, however many languages there are, and `ap` gives every language the same number of neurons: with hundreds of languages most neurons are some language's. Only where they lie, and how far the twin's agree, can say something.
# - `calibrated` and `distinctive` hold differences against errors, so that shuffled languages give none. But languages differ in their tokens before anything is learned, and among hundreds there is nearly always one, with a script or a spelling of its own, that sets a neuron apart. What such a rule finds is a language's own only as far as it goes beyond the untrained twin.


# %% tags=["hide-input"]
def seen_in_rules():
    """How the share of key neurons changes from few languages to many, in words."""
    lines = []
    for model, rows in rules.groupby("model", sort=False):
        few, many = (
            rows[rows.read == count].set_index("rule") for count in (rows.read.min(), rows.read.max())
        )
        told = ", ".join(
            f"`{rule}` {few.share[rule]:.1%} and {many.share[rule]:.1%} "
            f"(shuffled {many.share_shuffled[rule]:.1%}, untrained {many.share_untrained[rule]:.1%})"
            for rule in many.index.intersection(few.index)
        )
        above = [f"`{rule}`" for rule in many.index if many.share[rule] > many.share_untrained[rule]]
        lines.append(
            f"{model}, with {rows.read.min()} and with {rows.read.max()} languages: {told}. "
            f"With {rows.read.max()} languages more neurons than in the untrained network are key by "
            f"{', '.join(above) if above else 'none of the rules'}."
        )
    return Markdown("**What we see.** " + "\n\n".join(lines))


shown(seen_in_rules, rules)

# %% [markdown]
# ## Two models
#
# The same languages in two models, each at its own best layer, family by family.


# %%
def between_models(one, other):
    """Difference in what two models find, by family: mean and 95 % interval over its languages."""
    found = at_best.pivot(index=["language", "family"], columns="model", values="found").dropna()
    rows = (found[one] - found[other]).rename("difference").reset_index()
    for family, part in rows.groupby("family"):
        mean, n = part.difference.mean(), len(part)
        half = margin((part.difference - mean).to_numpy() / n)
        yield {
            "family": family,
            "n_languages": n,
            "difference": mean,
            "low": mean - half,
            "high": mean + half,
        }


# %% tags=["hide-input"]
def two_models():
    """The difference between the first two models, of families with more than one language."""
    if len(models) < 2:
        return Markdown("One model has read the Declaration: there is nothing to compare.")
    families = pd.DataFrame(between_models(*models[:2])).query("n_languages > 1")
    return draw.differences(families.sort_values("difference", ascending=False), models)


shown(two_models, reach)


# %% tags=["hide-input"]
def seen_in_models():
    """The overall difference in words, and the languages that the second model finds more often."""
    if len(models) < 2:
        return None
    found = at_best.pivot(index=["language", "family"], columns="model", values="found").dropna()
    found = found.reset_index()
    difference = found[models[0]] - found[models[1]]
    more = clustered_regression(difference, found[[]], found.family, logit=False)["intercept"]
    return Markdown(
        f"**What we see.** Averaged over languages, {models[0]} finds {100 * more.value:+.0f} percentage points "
        f"({100 * more.low:+.0f} to {100 * more.high:+.0f}, families not independent) against {models[1]}; "
        f"in {(difference < 0).sum()} of {len(found)} languages it finds less."
    )


shown(seen_in_models, reach)

# %% [markdown]
# ## What this does not show
#
# One text, in the language of law, and fifty paragraphs of it: a language that is not reached here may be reached in a story.
# The Declaration stands on the web in all these languages side by side, and every model has read it.
# The untrained twin knows nothing of that: it does not tell a shared space of meaning from translations learned by heart.
# The best layer is chosen on the same paragraphs that are counted in it; with hundreds of languages and some tens of layers, that flatters little.
# Sentences of one text are not independent, which the intervals over paragraphs do not know.
# A dot is one place for a whole language, and speakers are counted by CLDR as states count them.
# What goes with a language's reach need not bring it about: tokens, speakers and script all follow from how much is written in a language.

# %% tags=["hide-cell"]
collate.provenance(results, published)
