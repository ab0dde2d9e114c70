# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What does each neuron do when it reads a sentence?
#
# ```{glue} answer
# ```
#
# A *neuron* here is one input channel of an MLP's down-projection: its value after the activation function, just before it is written back into the residual stream.
# For each sentence in each language this chapter reads that value in every layer and averages it over the sentence's tokens.
# The result, one number for each language, sentence, layer and neuron, is all that the next two chapters look at.
#
# <details>
# <summary>Reads, writes, costs</summary>
#
# | | |
# |---|---|
# | **Reads** | a model at one revision, and the corpus |
# | **Writes** | `tokens`, `activity`, `shared_tokens`; `activations/` in the run's folder: one file per layer, read lazily |
# | **Costs** | one forward pass over the corpus |
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
import re

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown
from sklearn.feature_extraction.text import CountVectorizer

from lingua_utils import runs
from lingua_utils.charts import activations as draw
from lingua_utils.charts import theme
from lingua_utils.charts.glue import glue
from lingua_utils.measure.activations import capture
from lingua_utils.measure.similarity import retrieval
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
# ## One sentence, by hand
#
# Write $x_t[j]$ for what enters channel $j$ of a layer's down-projection at token $t$.
# The activation of neuron $j$ on sentence $m$ of language $l$ is its mean over the sentence's own tokens,
#
# $$a_{l,m}[j] = \frac{1}{|T|} \sum_{t \in T} x_t[j] .$$
#
# Padding and the tokenizer's special tokens are read as context and never enter the mean.
# A hook on the down-projection sees $x$ as it passes:


# %%
def by_hand(sentence, site):
    """Mean over a sentence's tokens of what enters one down-projection, shape [neuron]."""
    loaded, seen = run.loaded, []
    words = loaded.tokenizer(sentence, return_tensors="pt", return_special_tokens_mask=True).to(loaded.device)
    reader = loaded.base.get_encoder() if loaded.is_encoder_decoder else loaded.base
    hook = loaded.module(site).register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        reader(input_ids=words.input_ids, attention_mask=words.attention_mask)
    hook.remove()
    values = seen[0].reshape(words.input_ids.shape[1], -1)
    return values[words.special_tokens_mask[0] == 0].float().mean(dim=0).cpu().numpy()


# %% [markdown]
# A thousand sentences one by one take long.
# `capture` reads them in batches of similar length, all layers at once, and takes the means inside the hook, so that single tokens are never kept.
# On two sentences both give the same numbers:

# %%
two = run.corpus().select([0, 1])
fast = capture(run.loaded, two, progress=False).layer(0)
slow = np.array([[by_hand(text, run.loaded.sites[0]) for text in texts] for texts in two.texts])
rounding = 1e-4 if run.loaded.dtype == torch.float32 else 0.05
assert np.abs(fast - slow).max() <= rounding * np.abs(slow).max()

# %% [markdown]
# ## The whole corpus

# %%
run.activations()

# %% [markdown]
# ## How many tokens does each language need?
#
# A tokenizer cuts some languages into more pieces than others, so the same meaning takes more steps to read.


# %%
@run.table
def tokens():
    """Content tokens of each sentence in each language, and its bytes in UTF-8."""
    captured, texts = run.activations(), run.corpus().texts
    for language, counts, sentences in zip(captured.languages, captured.n_tokens, texts, strict=True):
        lengths = [len(sentence.encode()) for sentence in sentences]
        columns = {"sentence": range(len(counts)), "tokens": counts, "bytes": lengths}
        yield pd.DataFrame({"language": language} | columns)


# %% tags=["hide-input"]
draw.tokens_by_language(tokens)

# %% [markdown]
# ## How active are the neurons?
#
# The share of content tokens on which a neuron is above zero, averaged over the neurons of a layer.


# %%
@run.table
def activity():
    """Share of tokens on which the neurons of a layer are above zero, in [0, 1]."""
    captured = run.activations()
    for index, layer in enumerate(captured.layers):
        shares = captured.positive(index).mean(axis=1)
        for language, share in zip(captured.languages, shares, strict=True):
            yield {"layer": layer, "layer_index": index, "language": language, "share_positive": share}


# %% tags=["hide-input"]
draw.activity_by_layer(activity)

# %% tags=["hide-input"]
captured = run.activations()
mean_tokens = tokens.groupby("language").tokens.mean()
fewest, most = theme.language_name(mean_tokens.idxmin()), theme.language_name(mean_tokens.idxmax())
by_layer = activity.groupby("layer", sort=False).share_positive.mean()
answer = (
    f"It takes a value at every token, above zero {activity.share_positive.mean():.0%} of the time on average over layers and "
    f"languages; the mean over a sentence's tokens is kept, one number for each of {sum(captured.widths):,} neurons."
)
glue("answer", Markdown(answer), show=False)
Markdown(
    f"**What we see.** {captured.n_sentences} meanings in {len(captured.languages)} languages, "
    f"{len(captured.layers)} layers of {captured.widths[0]} neurons. "
    f"A sentence takes {mean_tokens.min():.1f} tokens in {fewest} and {mean_tokens.max():.1f} in {most}; "
    f"{captured.n_truncated} sentences were too long and were cut. "
    f"The most active layer is layer {by_layer.idxmax()}, where {by_layer.max():.0%} of the values are above zero."
)

# %% [markdown]
# ## What do shared tokens alone give away?
#
# Translations share digits, names and marks, and an untrained network passes on what its tokens share.
# So let each sentence be nothing but the count of its tokens, and look for translations by these counts: what is found so, no model had to learn.


# %%
KINDS = {"digits": r"\d", "Latin letters": "[A-Za-z]", "other letters": r"[^\W\d_]", "marks": ""}


def kind_of(piece):
    """The first kind of which a token's text has a character."""
    return next(kind for kind, pattern in KINDS.items() if re.search(pattern, piece))


def token_counts(tokenizer, texts):
    """Counts [language, sentence, token] of the tokens that two languages or more use, and their kinds."""
    counter = CountVectorizer(analyzer=tokenizer.tokenize)
    counts = counter.fit_transform(sentence for column in texts for sentence in column)
    ends = range(0, counts.shape[0], len(texts[0]))
    users = sum(counts[start : start + len(texts[0])].max(axis=0).toarray()[0] > 0 for start in ends)
    shared = np.flatnonzero(users > 1)
    dense = counts[:, shared].toarray().reshape(len(texts), len(texts[0]), -1).astype(np.float32)
    names = counter.get_feature_names_out()[shared]
    return dense, np.array([kind_of(tokenizer.convert_tokens_to_string([name])) for name in names])


# %%
def found_by_counts(counts, languages):
    """Share of translations found by counts of tokens, within a script and across; quartiles over pairs."""
    found = retrieval(counts, languages, gallery=run.settings.gallery, seed=run.seed)
    across = found.source.combine(found.target, different_script)
    for scripts, part in found.groupby(across.map({False: "the same script", True: "different scripts"})):
        low, high = part.accuracy.quantile([0.25, 0.75])
        shares = {"found": part.accuracy.mean(), "found_low": low, "found_high": high}
        yield {"scripts": scripts, **shares, "chance": part.chance.iloc[0]}


# %%
@run.table
def shared_tokens():
    """Translations found by the counts of their tokens alone, by kind of token, in up to 30 languages."""
    text = run.corpus().select(slice(0, run.settings.gallery))
    counts, kinds = token_counts(run.loaded.tokenizer, text.texts[:30])
    n_tokens = pd.Series(kinds).value_counts()
    for kind in ("all", *(kind for kind in KINDS if kind in n_tokens)):
        chosen = counts if kind == "all" else counts[..., kinds == kind]
        for shares in found_by_counts(chosen, text.languages[:30]):
            yield {"tokens": kind, "n_tokens": chosen.shape[-1], **shares}


# %% tags=["hide-input"]
draw.found_by_tokens(shared_tokens)

# %% tags=["hide-input"]
alone = shared_tokens.set_index(["scripts", "tokens"]).found.unstack("tokens")
chance = shared_tokens.chance.iloc[0]
told = [
    f"between languages with {scripts} the tokens alone find {row['all']:.1%} of the translations "
    f"({', '.join(f'{kind} {row[kind]:.1%}' for kind in KINDS if kind in row)})"
    for scripts, row in alone.iterrows()
]
Markdown(
    f"**What we see.** {'; '.join(told)}. Chance is {chance:.1%}: this is the floor that a model has to rise from."
)

# %% [markdown]
# ## What this does not show
#
# A mean over tokens forgets their order, and a word weighs more when it is cut into more tokens.
# That a neuron is active does not say that the model needs it: [silencing it](06_ablation.ipynb) asks that.

# %% tags=["hide-cell", "nbval-ignore-output"]
run.tables()
