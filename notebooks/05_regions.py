# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Which neurons are key to a language?
#
# ```{glue} answer
# ```
#
# A language's region is the set of neurons that answer to it more than to other languages.
# There is more than one way to say "more"; this chapter takes five, and sets each beside what the same rule selects when the languages are shuffled, and in the same network before it was trained.
# A rule is a plain function, so yours can stand beside them.
#
# <details>
# <summary>Reads, writes, costs</summary>
#
# | | |
# |---|---|
# | **Reads** | the activations of the run |
# | **Writes** | `region_null`, `region_limits`, `region_counts`, `region_concentration`, `region_overlap`, `region_agreement`, `region_neurons` |
# | **Costs** | seconds for the lab, minutes for a large model |
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
import html
from itertools import combinations

import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown
from scipy.stats import norm

from lingua_utils import runs
from lingua_utils.charts import regions as draw
from lingua_utils.charts import theme
from lingua_utils.charts.glue import glue
from lingua_utils.measure import regions
from lingua_utils.measure.intervals import wilson

theme.use()

# %% tags=["parameters", "hide-input"]
model_id: str = "lab/bloom-m"  # lab/NAME, pypi/NAME, a Hub repository, or a path
revision: str = "main"  # a branch, a tag, a lab checkpoint, or "untrained"
training_seed: int = 0  # of a lab model or an untrained twin: the seed of its weights
corpus: str = "world"  # generated: "world", "phrasebook"; published: such as "flores"; or a path
seed: int = 0  # of the text and of every resampling
n_sentences: int = 200  # meanings, where there are so many; 0 takes all
languages: str = "default"  # codes separated by spaces, "default" or "all"
digits: str = ""  # of generated text; empty for its default: "none", "latin", "native"
pooling: str = "mean"  # how tokens become one vector: "mean", "skip_first", "last"
max_tokens: int = 0  # longest sentence that is captured; 0 takes the model's positions, or 2048 if endless
dtype: str = "auto"  # type the model runs in; auto: as saved: "auto", "float32", "bfloat16", "float16"
device: str = ""  # "cpu", "cuda", "auto" (all GPUs together); empty for the best there is
gallery: int = 200  # sentences among which a translation is looked for
rules: str = "default"  # rules that select key neurons; default: all that can be had
silenced_rules: str = "default"  # whose regions are silenced; default: all of rules
silenced_languages: str = "default"  # whose regions are silenced; default: all
silenced_sentences: int = 28  # meanings to measure silencing on
n_controls: int = 10  # random regions of each kind beside a region
doses: str = "0 0.25 0.5 1"  # shares of a region that are silenced
silence_to: str = "zero"  # what silent neurons are held at: "zero", "mean"
task: str = "cloze"  # what is asked: "cloze", "transfer", "translation", "xstorycloze"
n_items: int = 100  # items per language
task_rule: str = "calibrated"  # rule to silence by: "distinctive", "calibrated", "zscore", "lape", "ap"
silenced_items: int = 100  # items per language with a region silenced
task_controls: int = 1  # random regions beside each
results: str = "results"  # root of all results

# %% tags=["hide-cell"]
run = runs.from_parameters(globals())
run

# %% [markdown]
# ## Does a language stand out?
#
# No two languages activate a neuron alike.
# A neuron is key to a language, by the rule that leads this chapter, if that language goes beyond how languages ordinarily differ: its mean activation lies further from 0 than the means of all the others predict.
# For one language and one neuron this is Student's $t$ of a mean left out against those left in; a language that is noisier than the others is measured by its own standard error:


# %%
def left_out(mean, error, others):
    """t of a language's mean against what the other languages' means predict, outwards from 0."""
    spread = others.std(ddof=1)
    beyond = abs(mean) - max(np.sign(mean) * others.mean(), 0)
    return beyond / np.sqrt(max(spread, error) ** 2 + spread**2 / len(others))


values = run.activations().layer(-1)[:, :, :5].astype(float)  # [language, sentence, neuron]
n_languages, n_sentences, n_neurons = values.shape
means, apart = values.mean(axis=1), values - values.mean(axis=0)
errors = apart.std(axis=1, ddof=1) * np.sqrt(n_languages / (n_languages - 1) / n_sentences)
if n_languages > 3:  # with fewer, there is no telling how the others differ
    each = [(language, neuron) for language in range(n_languages) for neuron in range(n_neurons)]
    t = [left_out(means[at], errors[at], np.delete(means[:, at[1]], at[0])) for at in each]
    assert np.allclose(regions.distinctness(means, errors).ravel(), t)

# %% [markdown]
# Over all neurons and languages, the rule keeps the largest set of $t$ that is expected to be wrong in at most one of twenty {cite}`benjamini1995fdr`.
#
# ## The paper's score
#
# A neuron scores high for a language when it fires alike on all of its sentences:
#
# $$s_l[j] = \frac{2}{M(M-1)} \sum_{m < m'} u_{l,m}[j]\, u_{l,m'}[j],$$
#
# with $u$ the unit vector of all layers' activations together.
# On five sentences we can take every pair; `neuron_scores` uses $\left(\sum_m u\right)^2 - \sum_m u^2$ instead:

# %%
few = np.stack([run.activations().layer(layer)[:, :5] for layer in (0, -1)], axis=2).astype(float)
unit = few / np.linalg.norm(few.reshape(*few.shape[:2], -1), axis=-1)[..., None, None]
first, second = np.triu_indices(few.shape[1], k=1)
by_every_pair = (unit[:, first] * unit[:, second]).mean(axis=1)  # [language, layer, neuron]
assert np.allclose(regions.neuron_scores(few), by_every_pair, atol=1e-6)

# %% [markdown]
# ## Five rules, and yours
#
# - `distinctive`: the language stands out from how languages ordinarily differ, at a false discovery rate of 5 %. A neuron has then one language.
# - `calibrated`: languages differ on the neuron at all, and this one is prominent: it goes beyond half a standard deviation of a sentence by more than shuffled languages give, at the same rate. Several languages may share a neuron.
# - `zscore`, the paper's: the score stands more than two standard deviations above its mean over the languages.
# - `lape`: how often the neuron is active depends most on the language {cite}`tang2024language`.
# - `ap`: the neuron's mean activation detects the language among all sentences {cite}`kojima2024multilingual`.
#
# The paper's in plain code:


# %%
def two_deviations(activations):
    """Neurons whose score is more than two standard deviations above its mean over languages."""
    score = regions.neuron_scores(activations)  # [language, layer, neuron]
    spread = score.std(axis=0)
    return score - score.mean(axis=0) > np.where(spread > 0, 2 * spread, np.inf)


if len(run.corpus().languages) > 5:  # with five languages no z can be above 2
    fast = regions.key_regions(run.activations(), "zscore", seed=run.seed)
    assert np.array_equal(fast.region, two_deviations(run.activations()))

# %% [markdown]
# A rule of your own is such a function: activations in, a boolean array [language, layer, neuron] out.
# Add it to this list, and it has its null, its row in every table and its place in every figure below.

# %%
chosen = list(run.regions())  # names of rules, or functions: [*run.regions(), two_deviations]

# %% [markdown]
# ## How many neurons, and how many by chance?
#
# Chance is asked twice: by shuffling the languages within every meaning, and by the untrained twin, the same network with its weights as they were drawn.
# The twin has learned nothing, and still different languages are different tokens to it.


# %%
@run.table
def region_null():
    """Share of all neurons that are key to some language; with languages shuffled; in the untrained twin."""
    untrained = run.untrained().regions(chosen)
    for rule, found in run.regions(chosen).items():
        shares = {"share": found.share, "share_shuffled": found.expected_share}
        shares["share_untrained"] = untrained[rule].share
        yield {"rule": rule, **shares, "n_neurons": sum(found.widths)}


# %% tags=["hide-input"]
glue("region_null", draw.null_shares(region_null))

# %% tags=["hide-input"]
calls = "; ".join(
    f"<code>{html.escape(row.rule)}</code> calls {row.share:.1%} of the neurons key to some language, "
    f"{row.share_shuffled:.1%} when the languages are shuffled, and {row.share_untrained:.1%} in the untrained network"
    for row in region_null.itertuples()
)
# As HTML, since another page shows it too, where Markdown would not be read.
lead = region_null.iloc[0]
answer = (
    f"By the rule `{lead.rule}`, which leads this chapter, {lead.share:.1%} of the neurons are key to some language, "
    f"{lead.share_shuffled:.1%} when the languages are shuffled and {lead.share_untrained:.1%} in the untrained network. "
    f"By all {len(region_null)} rules it is {region_null.share.min():.1%} to {region_null.share.max():.1%}: what is key depends on the rule."
)
glue("answer", Markdown(answer), show=False)
text = HTML(f"<p><strong>What we see.</strong> {calls}.</p>")
glue("region_null_sentence", text)

# %% [markdown]
# `calibrated` asks whether languages differ here, and in an untrained network they do: tokens differ, and so do their random embeddings.
# Shuffling takes these differences away too, which is why its null is empty and says little; `distinctive` counts such differences as ordinary.
# `lape` and `ap` take a fixed share of all neurons whatever the activations are, so that only *where* their neurons lie can differ from the nulls.
# What a rule says depends on how many languages there are:

# %% tags=["hide-input"]
n_languages, null = len(run.activations().languages), region_null.set_index("rule")
by_chance = 1 - norm.cdf(2) ** n_languages
means = {
    "distinctive": f"a language is held against {n_languages - 1} others (*t* with {n_languages - 2} degrees of freedom)",
    "calibrated": f"up to {n_languages // 2} languages can share a neuron",
    "zscore": f"z can be {np.sqrt(n_languages - 1):.1f} at most, and each neuron has {n_languages} chances to pass 2: "
    f"were z normal, {by_chance:.1%} of the neurons would be key to some language",
    "lape": "a neuron that is kept belongs to every language in which it is among the most active",
    "ap": f"chance is a precision of {1 / n_languages:.3f}, and each language takes the same share of the neurons",
}
Markdown(
    f"**With {n_languages} languages:** "
    + "; ".join(
        f"`{rule}`: {means[rule]} (with languages shuffled {null.share_shuffled[rule]:.1%} of the neurons)"
        for rule in null.index
        if rule in means
    )
    + "."
)

# %% [markdown]
#
# ## Where do power and precision end?
#
# In a model nobody knows the truth, so here it is planted: of 400 neurons, 100 are raised by 1.5 standard deviations in some of the languages.


# %%
def planted(shared_by=1, n_languages=10, n_sentences=100, tails=1000, noisy=1, ordinary=0.0):
    """Activations [language, sentence, layer, neuron], and where they are raised [language, layer, neuron]."""
    rng = np.random.default_rng(run.seed)
    shape = (n_languages, n_sentences, 1, 400)
    noise = rng.standard_t(tails, shape)  # Student's: the fewer degrees of freedom, the heavier the tails
    noise[0] *= noisy
    meaning = rng.standard_normal((1, *shape[1:]))
    language = ordinary * rng.standard_normal((n_languages, 1, 1, 400))
    order = rng.random((n_languages, 1, 400)).argsort(axis=0)
    truth = (order < shared_by) & (np.arange(400) < 100)
    return noise + meaning + language + 1.5 * truth[:, None], truth


# %%
situations = {
    "one language each": {},
    "languages differ by 0.3 anyway": {"ordinary": 0.3},
    "20 sentences, heavy tails": {"n_sentences": 20, "tails": 3},
    "one language five times as noisy": {"noisy": 5},
    "shared by 2 of 10 languages": {"shared_by": 2},
    "shared by 6 of 10 languages": {"shared_by": 6},
    "5 languages": {"n_languages": 5},
    "nothing planted, languages differ by 0.3": {"shared_by": 0, "ordinary": 0.3},
}


# %%
@run.table
def region_limits():
    """Precision and recall of the rules that promise a rate, on planted neurons; with 95 % intervals."""
    for situation, settings in situations.items():
        values, truth = planted(**settings)
        for rule in ("distinctive", "calibrated"):
            found = regions.key_regions(values, rule, seed=run.seed).region
            row = {"situation": situation, "rule": rule, "found": int(found.sum())}
            for name, of in (("precision", found), ("recall", truth)):
                share = (found & truth).sum() / of.sum() if of.any() else np.nan
                low, high = map(float, wilson(share, int(of.sum())))
                row |= {name: share, f"{name}_low": low, f"{name}_high": high}
            yield row


# %% tags=["hide-input"]
def percent(row, name):
    """A share with its interval."""
    share, low, high = row[name], row[f"{name}_low"], row[f"{name}_high"]
    return "–" if np.isnan(share) else f"{share:.0%} ({low:.0%} to {high:.0%})"


shown = region_limits[["situation", "rule", "found"]].assign(
    **{name: [percent(row, name) for _, row in region_limits.iterrows()] for name in ("precision", "recall")}
)
shown.set_index(["situation", "rule"])

# %% tags=["hide-input"]
limits = region_limits.set_index("situation")
parts_of = []
for rule, rows in limits.groupby("rule", sort=False):
    wrong, missed = rows.index[rows.precision_high < 0.95], rows.index[rows.recall < 0.5]
    parts_of.append(
        f"`{rule}` finds more that is wrong than its rate allows where: {'; '.join(wrong) or 'nowhere'}. "
        f"It misses more than half of what is planted where: {'; '.join(missed) or 'nowhere'}."
    )
Markdown(f"**What we see.** {' '.join(parts_of)}")

# %% [markdown]
# ## Where do they lie?


# %%
@run.table
def region_counts():
    """Key neurons of each language in each layer, and how many shuffled languages have."""
    for rule, found in run.regions(chosen).items():
        counts = found.count  # [language, layer]
        for index, (layer, width) in enumerate(zip(found.layers, found.widths, strict=True)):
            at = {"rule": rule, "layer": layer, "layer_index": index, "language": found.languages}
            count, expected = counts[:, index], found.expected[:, index]
            yield pd.DataFrame(at | {"count": count, "share": count / width, "expected": expected})


# %% tags=["hide-input"]
draw.region_atlas(region_counts)

# %% [markdown]
# The paper finds key neurons crowded in the first and last layers.
# Here is the share of each region that lies in the first and last tenth of the layers, beside the share that an even spread would have.
# Encoder and decoder, where a model has both, have two ends each.


# %%
@run.table
def region_concentration():
    """Share of each region in the outer tenths of the layers, with interval, beside an even spread."""
    for rule, found in run.regions(chosen).items():
        outer, widths = regions.outer_layers(found.layers), np.array(found.widths)
        for stack, within in regions.stacks(found.layers).items():
            uniform = widths[within & outer].sum() / widths[within].sum()
            for language, count in zip(found.languages, found.count, strict=True):
                n_neurons, n_outer = int(count[within].sum()), int(count[within & outer].sum())
                share = n_outer / n_neurons if n_neurons else np.nan
                low, high = map(float, wilson(share, n_neurons))
                at = {"rule": rule, "stack": stack, "language": language, "share_outer": share}
                yield at | {"low": low, "high": high, "uniform": uniform, "n_neurons": n_neurons}


# %% tags=["hide-input"]
draw.concentration(region_concentration)

# %% tags=["hide-input"]
outer = region_concentration.query("n_neurons > 0")
outer = outer.assign(more=outer.low > outer.uniform, fewer=outer.high < outer.uniform)
groups = outer.groupby(["rule", "stack"], sort=False)[["more", "fewer"]].agg(["sum", "size"])
Markdown(
    "**What we see.** Beyond its interval, more of the region than an even spread gives lies in the outer layers for "
    + ", ".join(
        f"{row['more', 'sum']} of {row['more', 'size']} languages by `{rule}`"
        + ("" if stack == "all" else f" in the {stack}")
        + f" (less for {row['fewer', 'sum']})"
        for (rule, stack), row in groups.iterrows()
    )
    + "".join(f"; `{rule}` finds no region" for rule in region_null.rule if rule not in set(outer.rule))
    + ". The paper's claim holds here only for those."
)

# %% [markdown]
# ## Do languages share key neurons?
#
# The overlap of two regions is their Jaccard index, $|A \cap B| \,/\, |A \cup B|$.
# Regions that keep their numbers in each layer and are otherwise drawn at random overlap too: that is the column `chance`.
# `overlap` has the index of every two languages.
# Of more than thirty languages it has that of each with English (or the first language), and the mean over the other languages of its family and over all others.

# %%
found = next(iter(run.regions(chosen).values()))
row = regions.overlap(found).iloc[0]  # the first pair
pair = regions.jaccard(found.of(row.source), found.of(row.target), found.widths)
assert np.allclose((row.jaccard, row.chance), pair, equal_nan=True)


# %%
@run.table
def region_overlap():
    """Jaccard index of every two languages' regions, and what chance gives."""
    for rule, found in run.regions(chosen).items():
        for stack, within in regions.stacks(found.layers).items():
            yield regions.overlap(found, within).assign(rule=rule, stack=stack)


# %% tags=["hide-input"]
draw.region_overlap(region_overlap)

# %% [markdown]
# ## Do the rules agree?


# %%
@run.table
def region_agreement():
    """Jaccard index of the regions that two rules select for one language, and what chance gives."""
    for (rule_a, a), (rule_b, b) in combinations(run.regions(chosen).items(), 2):
        for stack, within in regions.stacks(a.layers).items():
            widths = np.array(a.widths)[within]
            for language in a.languages:
                share, chance = regions.jaccard(a.of(language)[within], b.of(language)[within], widths)
                at = {"rule_a": rule_a, "rule_b": rule_b, "stack": stack, "language": language}
                yield at | {"jaccard": share, "chance": chance}


# %% tags=["hide-input"]
draw.region_agreement(region_agreement)

# %% [markdown]
# Every key neuron is kept by its place, for other work to start from.


# %%
@run.table
def region_neurons():
    """Every key neuron: rule, language, layer, neuron, and its score under the rule."""
    for rule, found in run.regions(chosen).items():
        language, layer, neuron = np.nonzero(found.region)
        names = np.array(found.languages)[language]
        at = {"rule": rule, "language": names, "layer_index": layer, "neuron": neuron}
        yield pd.DataFrame(at | {"score": found.score[language, layer, neuron]})


# %% [markdown]
# ## What this does not show
#
# `distinctive` sees one language at a time: where two share a neuron, each widens what the other is held against, and neither is found.
# Its $t$ takes the ordinary differences between languages for normal; if a few languages far from all others are the ordinary case, as scripts may make them, it calls them distinct.
# A z above 2 is no test of significance: with ten languages the largest possible value is 3, and one language far above the others is enough to reach 2, whatever the noise; the more languages there are, the more neurons have one above 2.
# A neuron that answers to a language need not be needed for it: what its silence costs is measured in [the next chapter](06_ablation.ipynb), on other sentences.
# Sentences are averages over tokens, so a neuron that marks one word of a language may be missed by every rule but `lape`.

# %% tags=["hide-cell", "nbval-ignore-output"]
run.tables()
