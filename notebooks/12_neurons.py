# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What drives a neuron?
#
# ```{glue} answer
# ```
#
# Here are the strongest neurons of each language, and of meaning, one by one: which sentences and which words drive them, in the language and in translation, and what the model loses without them.
# Sentences that chose a neuron flatter it, so neurons are chosen on one half of the sentences, and all that is said of them is about the other half.
# Beside them stand neurons taken at random, and the strongest ones of the untrained twin.
#
# <details>
# <summary>Reads, writes, costs</summary>
#
# | | |
# |---|---|
# | **Reads** | the model, its activations, and its text; the published tables of a real model |
# | **Writes** | `neurons`, `neuron_readings`, `neuron_sentences`, `neuron_costs` |
# | **Costs** | a minute for the lab: a pass over the text for every set of neurons and every control |
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
from dataclasses import replace

import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from lingua_utils import runs
from lingua_utils.charts import neurons as draw
from lingua_utils.charts import theme
from lingua_utils.charts.glue import glue
from lingua_utils.measure import ablation, regions
from lingua_utils.measure.intervals import margin
from lingua_utils.measure.neurons import alikeness, readings, token_activations
from lingua_utils.measure.perplexity import measured
from lingua_utils.runs import collate, findings
from lingua_utils.text.corpus import GENERATED
from lingua_utils.text.languages import DEFAULT_LANGUAGES

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
published: str = "book/published"  # tables of runs that are not repeated here; empty for none

# %% tags=["hide-cell"]
run = runs.from_parameters(globals())
run

# %% [markdown]
# ## Alike for a meaning, neuron by neuron
#
# How strongly a neuron answers to a language is the *t* of [chapter 05](05_regions.ipynb): how far that language goes beyond what the others predict.
# How strongly it answers to meaning is a SADS of its own, as in [chapter 04](04_similarity.ipynb) with one neuron for a vector: its activations in units of its own spread, multiplied over pairs of translations, less the same over pairs that share neither meaning nor language.
# On a few sentences of one layer we can take every pair; `alikeness` closes the sums:


# %%
def by_every_pair(values):
    """SADS of each neuron, from an array [language, sentence, neuron]."""
    spread = values.std(axis=(0, 1))
    units = (values - values.mean(axis=(0, 1))) / np.where(spread > 0, spread, 1)
    places = list(np.ndindex(units.shape[:2]))
    pairs = [(a, b, units[a] * units[b]) for a in places for b in places if a[0] != b[0]]
    same = [product for a, b, product in pairs if a[1] == b[1]]
    neither = [product for a, b, product in pairs if a[1] != b[1]]
    return np.mean(same, axis=0) - np.mean(neither, axis=0)


few = run.activations().layer(-1)[:, :4, :5].astype(float)
assert np.allclose(alikeness(few)[1], by_every_pair(few))

# %% [markdown]
# ## One half chooses
#
# The meanings are divided at random.
# On the first half the `N_STRONGEST` neurons with the highest scores are taken, of each language and of meaning.
# Where there are many languages, all of them enter the scores, and those of the book's own text are shown.

# %%
N_STRONGEST, N_SENTENCES, N_SHOWN = 5, 10, 3
MEANING = "meaning"
order = np.random.default_rng(run.seed).permutation(run.activations().n_sentences)
choosing, showing = (np.sort(half).tolist() for half in np.array_split(order, 2))
read = run.activations().languages
named = [code for code in DEFAULT_LANGUAGES if code in read] or list(read[: len(DEFAULT_LANGUAGES)])


# %%
def scores(activations):
    """How much each neuron answers to each language (t) and to meaning (SADS): arrays [layer, neuron] by name."""
    found = regions.key_regions(activations, "distinctive", seed=run.seed, n_shuffles=1)
    sads = np.full(found.score.shape[1:], np.nan)
    for index, width in enumerate(activations.widths):
        sads[index, :width] = alikeness(activations.layer(index))[1]
    return {name: found.score[found.languages.index(name)] for name in named} | {MEANING: sads}


# %% [markdown]
# A random neuron of a language is one that answers to none of the others more; a random neuron of meaning is any.


# %%
def strongest(chosen, name):
    """Places (layer, neuron) of the highest scores."""
    highest = np.argsort(-np.nan_to_num(chosen[name], nan=-np.inf), axis=None, kind="stable")[:N_STRONGEST]
    return np.stack(np.unravel_index(highest, chosen[name].shape), axis=1)


def at_random(chosen, name):
    """Places of as many random neurons that answer to a language, or to anything."""
    rng = np.random.default_rng([run.seed, list(chosen).index(name)])
    best = np.max([chosen[language] for language in named], axis=0)
    among = ~np.isnan(best) if name == MEANING else chosen[name] == best
    return rng.permutation(np.argwhere(among))[:N_STRONGEST]


# %% [markdown]
# ## The other half shows
#
# A neuron is driven in one direction: that of its mean activation in its language; of meaning, the one in which it reaches further from its mean.
# The sentences of all languages are ranked by the activation in this direction.
# Of a language's neuron we ask how many of the first `N_SENTENCES` are in the language, of a neuron of meaning how many of those next after the first, as many as it has translations, translate it.


# %%
def direction(values, language):
    """1 or -1, from a neuron's activations [language, sentence] on the half that chose it."""
    if language is not None:
        return 1 if values[language].mean() >= 0 else -1
    return 1 if values.max() + values.min() >= 2 * values.mean() else -1


def own_share(driven, language):
    """Share of the sentences that drive a neuron most which are its own, and what chance gives."""
    (n_languages, n_sentences), ranked = driven.shape, np.argsort(-driven, axis=None, kind="stable")
    if language is not None:
        return np.mean(ranked[:N_SENTENCES] // n_sentences == language), 1 / n_languages
    meaning = ranked[:n_languages] % n_sentences
    return np.mean(meaning[1:] == meaning[0]), (n_languages - 1) / (driven.size - 1)


# %%
def described(activations, name, places):
    """A row for each neuron: where it is, and what drives it on the second half."""
    language = None if name == MEANING else activations.languages.index(name)
    for rank, (layer, neuron) in enumerate(places.tolist()):
        values = activations.layer(layer)[:, :, neuron]
        sign = direction(values[:, choosing], language)
        share, chance = own_share(sign * values[:, showing], language)
        at = {"rank": rank, "layer": activations.layers[layer], "layer_index": layer, "neuron": neuron}
        yield {"answers_to": name, **at, "sign": sign, "share": share, "chance": chance}


# %%
@run.table
def neurons():
    """The strongest neurons of each language and of meaning, random ones, and the untrained twin's strongest."""
    own, twin = run.activations(), run.untrained().activations()
    for activations, sets in (
        (own, {"strongest": strongest, "random": at_random}),
        (twin, {"untrained": strongest}),
    ):
        chosen, shown = (scores(activations.select(half)) for half in (choosing, showing))
        for what, name in ((what, name) for what in sets for name in chosen):
            for row in described(activations, name, sets[what](chosen, name)):
                at = row["layer_index"], row["neuron"]
                yield {"what": what, **row, "score": chosen[name][at], "score_shown": shown[name][at]}


# %% tags=["hide-input"]
draw.driven(neurons, N_SENTENCES)


# %% tags=["hide-input"]
def interval(values):
    """A mean of shares as text, with its 95 % interval."""
    half = margin((values - values.mean()) / len(values))
    return f"{values.mean():.0%} ({max(values.mean() - half, 0):.0%} to {min(values.mean() + half, 1):.0%})"


def what_drives(neurons):
    """What the table of neurons says, in words."""
    of_meaning = neurons.answers_to == MEANING
    means = neurons[~of_meaning].groupby(["what", "answers_to"]).share.mean()
    told = {what: interval(means[what].to_numpy()) for what in ("strongest", "random", "untrained")}
    each = neurons[of_meaning].groupby("what").share
    next_after = {what: interval(share.to_numpy()) for what, share in each}
    halves = neurons[neurons.what == "strongest"].groupby(of_meaning)[["score", "score_shown"]].median()
    chance = neurons.groupby(of_meaning).chance.first()
    return Markdown(
        f"**What we see.** Of the {N_SENTENCES} sentences that drive a language's strongest neurons most, {told['strongest']} "
        f"are in that language, of its random neurons {told['random']}, of the untrained twin's strongest {told['untrained']}; "
        f"chance is {chance[False]:.0%}. Intervals are over languages. Of the sentences next after the one that drives a "
        f"neuron of meaning most, {next_after['strongest']} are its translations, of random neurons {next_after['random']}, "
        f"of the twin's {next_after['untrained']}; chance is {chance[True]:.1%}, and intervals are over neurons. "
        f"From the half that chose to the other the median *t* goes from {halves.score[False]:.1f} to {halves.score_shown[False]:.1f}, "
        f"the median SADS from {halves.score[True]:.2f} to {halves.score_shown[True]:.2f}."
    )


what_drives(neurons)

# %% [markdown]
# ## Sentences and words
#
# Each neuron is read again, token by token, on the `N_SHOWN` meanings of the second half that drive it most, in every language.
# A sentence's activation is the mean over its tokens:

# %%
sentence = run.corpus().texts[0][0]
by_token = token_activations(run.loaded, [sentence], [(0, 0), (0, 1)])[0]  # [token, neuron]
rounding = 1e-4 if run.loaded.dtype.itemsize == 4 else 0.05
mean = run.activations().layer(0)[0, 0, :2]
if run.settings.pooling == "mean":
    assert np.abs(by_token.mean(axis=0) - mean).max() <= rounding * max(1, np.abs(by_token).max())


# %%
def sentence_means(neuron):
    """A neuron's activations on the languages that are shown, [language, sentence]."""
    values = run.activations().layer(neuron.layer_index)[:, :, neuron.neuron]
    return values[[run.activations().languages.index(name) for name in named]]


def leading(neuron):
    """The meanings of the second half whose sentences drive a neuron most."""
    ranked = np.argsort(-neuron.sign * sentence_means(neuron)[:, showing], axis=None, kind="stable")
    return [showing[meaning] for meaning in dict.fromkeys((ranked % len(showing)).tolist())][:N_SHOWN]


# %%
def read_again(rows):
    """Leading meanings of some neurons, and what all of these do on each of their sentences."""
    meanings = [leading(neuron) for neuron in rows.itertuples()]
    each = sorted({(name, meaning) for found in meanings for meaning in found for name in named})
    texts = dict(zip(run.corpus().languages, run.corpus().texts, strict=True))
    places = list(zip(rows.layer_index, rows.neuron, strict=True))
    read = readings(run.loaded, [texts[name][meaning] for name, meaning in each], places)
    return meanings, dict(zip(each, read, strict=True))


# %%
@run.table
def neuron_readings():
    """What each neuron does on each piece of the sentences that drive it most, and of their translations."""
    by_chance = (neurons.what == "random") & (neurons.answers_to == MEANING)
    rows = neurons[(neurons.what == "strongest") | by_chance]
    meanings, read = read_again(rows)
    for at, (neuron, found) in enumerate(zip(rows.itertuples(), meanings, strict=True)):
        means = sentence_means(neuron)
        for meaning_rank, language in np.ndindex(len(found), len(named)):
            meaning, name = found[meaning_rank], named[language]
            own = {"what": neuron.what, "answers_to": neuron.answers_to, "rank": neuron.rank}
            own |= {"meaning_rank": meaning_rank, "sentence": meaning, "text_language": name}
            pieces, values = read[name, meaning].pieces, read[name, meaning].values[:, at]
            yield pd.DataFrame(
                own | {"mean": means[language, meaning], "piece": pieces, "activation": values}
            )


# %% [markdown]
# The generated text is the book's own and can be shown.
# Of the Declaration of Human Rights there are links to its articles in English, and the one token that drives the neuron most; of any other text only the number of the sentence.

# %%
SHOWN = dict.fromkeys(GENERATED, "text") | {"udhr": "link"}
shown_as = SHOWN.get(run.settings.corpus, "number")


@run.table
def neuron_sentences():
    """The sentences that drive each neuron most, by number, with their translations, and how strongly."""
    keys = ["what", "answers_to", "rank", "meaning_rank", "sentence", "text_language"]
    signs = neurons.set_index(keys[:3]).sign
    for key, pieces in neuron_readings.groupby(keys, sort=False):
        at = (signs[key[:3]] * pieces.activation).idxmax()
        token = "" if shown_as == "number" else pieces.piece[at]
        found = {"mean": pieces["mean"].iloc[0], "peak": pieces.activation[at], "token": token}
        yield dict(zip(keys, key, strict=True)) | found


# %% [markdown]
# The more a word drives the neuron, the denser the ground under it.
# The last group holds random neurons: their sentences can be told a story, too.

# %% tags=["hide-input"]
draw.sentences(neurons, neuron_sentences, shown_as, neuron_readings)

# %% [markdown]
# ## What silencing them costs
#
# The strongest neurons of a language are silenced together, as in [chapter 06](06_ablation.ipynb), while the model reads sentences of the second half; so are as many random neurons of the same layers.

# %%
asked = run.settings


def text_to_silence():
    """Sentences of the second half in the languages that are shown, ready to be read with neurons silent."""
    corpus, means = run.corpus(), None
    if asked.silence_to == "mean":
        means = ablation.mean_activations(run.activations().select(choosing))
    texts = tuple(corpus.texts[corpus.languages.index(name)] for name in named)
    few = replace(corpus, languages=tuple(named), texts=texts).select(showing[: asked.silenced_sentences])
    return ablation.SilencingText(run.loaded, few, asked.silence_to, means)


# %%
def multiplied(weights, changes):
    """What perplexity is multiplied by, a geometric mean over languages, with its 95 % interval."""
    logs = np.stack([weights @ one.log_ratio for one in changes])
    parts = np.stack([weights @ one.log_ratio_influences for one in changes])
    return dict(zip(("ratio", "low", "high"), np.exp(ablation.over_draws(logs, parts)), strict=True))


def compared(weights, change, controls):
    """Without some neurons, without random ones, and the first over the second, on the same sentences."""
    over = [ablation.Change(change.nll - one.nll, one.n_bytes, one.n_tokens) for one in controls]
    for start, changes in (("", [change]), ("control_", controls), ("excess_", over)):
        for name, value in multiplied(weights, changes).items():
            yield start + name, float(value)


# %%
def weights_of(name):
    """Which languages' texts are looked at, as weights of a mean."""
    if name == MEANING:
        return {"all": np.full(len(named), 1 / len(named))}
    own = np.eye(len(named))[named.index(name)]
    return {"own": own, "others": (1 - own) / (len(named) - 1)}


# %%
@run.table
def neuron_costs():
    """Perplexity without the strongest neurons, over that of the intact model, beside random neurons."""
    reader, widths = text_to_silence(), run.activations().widths
    for name, rows in neurons[neurons.what == "strongest"].groupby("answers_to", sort=False):
        region = np.zeros((len(widths), max(widths)), dtype=bool)
        region[rows.layer_index, rows.neuron] = True
        drawn = ablation.random_regions(region, asked.n_controls, run.seed, widths=widths)
        change, controls = reader.change(region), [reader.change(control) for control in drawn]
        for text, weights in weights_of(name).items():
            at = {"answers_to": name, "text": text, "measure": measured(run.loaded)}
            yield at | dict(compared(weights, change, controls))


# %% tags=["hide-input"]
draw.costs(neuron_costs)


# %% tags=["hide-input"]
def times(ratio):
    """What something is multiplied by, with as many digits as can be read."""
    return f"{ratio:.3f}" if ratio < 2 else f"{ratio:.2f}" if ratio < 10 else f"{ratio:,.0f}"


def typical(ratios):
    """The geometric mean of ratios, in words."""
    return times(np.exp(np.log(ratios).mean()))


def what_it_costs(costs):
    """What the table of costs says, in words."""
    own, others = (costs[costs.text == text] for text in ("own", "others"))
    meaning = costs[costs.text == "all"].iloc[0]
    least, most = own.loc[own.ratio.idxmin()], own.loc[own.ratio.idxmax()]
    return Markdown(
        f"**What we see.** Without its {N_STRONGEST} strongest neurons the {own.measure.iloc[0]} of a language's own text is multiplied by "
        f"{typical(own.ratio)} (geometric mean), from {times(least.ratio)} in {theme.language_name(least.answers_to)} to {times(most.ratio)} "
        f"({times(most.low)} to {times(most.high)}) in {theme.language_name(most.answers_to)}; that of the others by "
        f"{typical(others.ratio)}, and without random neurons its own by {typical(own.control_ratio)}. "
        f"It rises more than without random neurons, beyond its interval, for {(own.excess_low > 1).sum()} of {len(own)} "
        f"languages (the others' does for {(others.excess_low > 1).sum()}). Without the strongest neurons of meaning it is multiplied "
        f"by {times(meaning.ratio)} over all languages ({times(meaning.low)} to {times(meaning.high)}), without random ones by "
        f"{times(meaning.control_ratio)}."
    )


what_it_costs(neuron_costs)

# %% [markdown]
# ## In a real model
#
# The same of real models that have read the Declaration of Human Rights, from the published tables.


# %%
def of_declaration(name):
    """A table of this chapter for each further run of a real model on the Declaration, by its settings."""
    try:
        apart = (*collate.SETTINGS, "code")  # each run is shown by itself
        whole = collate.collate(name, results, published, apart=apart)
    except FileNotFoundError:
        return {}
    further = findings.is_real(whole) & (whole.model_id != run.settings.model_id)
    whole = whole[further & (whole.corpus == "udhr") & (whole.revision != "untrained")]
    return dict(iter(whole.groupby(collate.SETTINGS, sort=False)))


real = {name: of_declaration(name) for name in ("neurons", "neuron_sentences", "neuron_costs")}

# %% tags=["hide-input"]
for settings in real["neurons"]:
    found, of_text, without = (tables[settings] for tables in real.values())
    display(Markdown(f"**{findings.short(found.model_id.iloc[0])}**"))
    display(draw.driven(found, N_SENTENCES), what_drives(found))
    display(draw.sentences(found, of_text, "link"), draw.costs(without), what_it_costs(without))
if not real["neurons"]:
    display(
        Markdown(
            "Not measured: no further model has read the Declaration for this chapter, and none is published."
        )
    )


# %% tags=["hide-input"]
def in_short(neurons, costs, model):
    """The answer of this chapter for one model."""
    share = neurons[neurons.answers_to != MEANING].groupby("what").share.mean()
    own, others = (costs[costs.text == text] for text in ("own", "others"))
    return (
        f"In {findings.short(model)}, {share.strongest:.0%} of the {N_SENTENCES} sentences that drive a language's strongest "
        f"neurons most are in that language (of random neurons {share.random:.0%}, of the untrained twin's strongest "
        f"{share.untrained:.0%}); without these neurons its {own.measure.iloc[0]} is multiplied by {typical(own.ratio)}, that of "
        f"other languages by {typical(others.ratio)}, and without random ones by {typical(own.control_ratio)}."
    )


told = [
    in_short(found, real["neuron_costs"][at], found.model_id.iloc[0]) for at, found in real["neurons"].items()
]
told.append(in_short(neurons, neuron_costs, run.settings.model_id))
glue("answer", Markdown(" ".join(told)), show=False)

# %% [markdown]
# ## What this does not show
#
# The sentences that drive a neuron most are not what it means: they are the end of a list, and the middle of the list, where the model works most of the time, may say something else.
# A neuron can serve several ends at once; that its first sentences are alike does not exclude others further down.
# To read a story into the words under a neuron is easy, into those of random neurons too.
# The neurons are the extremes of thousands, so their scores are flattered on the half that chose them; on the other half they are not, but they remain the extremes, and tell nothing of an ordinary neuron.
# What a few silent neurons do not cost, others may have taken over.

# %% tags=["hide-cell", "nbval-ignore-output"]
run.tables()
