# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Alike by language, or alike by meaning?
#
# Two sentences can be alike in a model because they are written in one language, or because they mean the same.
# The first is measured by LRDS, the second by SADS {cite}`zeng2025lingua`: how much more alike two sentences are when they share the language, or the meaning, than when they share neither.
# A model with a lingua franca is one in which the second has grown.
#
# | | |
# |---|---|
# | **Reads** | `activations/` of the run (computed first, where it is missing) |
# | **Writes** | `similarity`, `variance`, `retrieval`, `blocks`, `projection` (parquet) |
# | **Costs** | seconds; linear in the number of sentences |

# %% tags=["remove-cell"]
# On Colab: install the package beside Colab's own torch.
import importlib.util

if importlib.util.find_spec("lingua_utils") is None:
    from IPython import get_ipython

    address = "git+https://github.com/lingua-franca-book/lingua-franca-book"
    get_ipython().run_line_magic("pip", f"install -q {address}")

# %%
from IPython.display import Markdown

from lingua_utils.charts import figures as charts
from lingua_utils.charts import theme
from lingua_utils.measure import similarity
from lingua_utils.runs import run as runs

theme.use()

# %% tags=["parameters"]
model_id: str = "lab/bloom-m"  # the lab, a local folder or a Hub repository
revision: str = "main"  # a branch, a tag or a lab checkpoint
corpus: str = "world"  # "world", "phrasebook", a published one such as "flores", or a path
languages: str = "default"  # FLORES codes separated by spaces, or "default"
n_sentences: int = 200  # meanings; 0 takes all there are
digits: str = ""  # "none", "latin" or "native"; empty for the corpus's default
pooling: str = "mean"  # "mean", "skip_first" or "last"
dtype: str = "auto"  # "auto" (as saved), "float32", "bfloat16" or "float16"
device: str = ""  # "cpu", "cuda" or "auto" (all GPUs together); empty for the best there is
seed: int = 0  # of the text and of every resampling
results: str = "results"  # root of all results

# %%
run = runs.Run(
    model_id,
    revision,
    corpus=corpus,
    languages=languages,
    n_sentences=n_sentences,
    digits=digits,
    pooling=pooling,
    dtype=dtype,
    device=device,
    seed=seed,
    results=results,
)
run

# %% [markdown]
# ## Two scores, layer by layer
#
# The band around zero is what the scores become when the languages, or the meanings, are shuffled; bars are 95 % intervals over meanings.

# %%
tables = run.stage("similarity")
scores = tables["similarity"]

# %% tags=["hide-input"]
charts.scores_by_layer(scores)

# %% tags=["hide-input"]
whole = scores.query("layer == 'all' and kind == 'all' and not centred").iloc[0]
peak = scores.query("layer != 'all' and kind == 'all' and not centred").sort_values("sads").iloc[-1]
Markdown(
    f"**What we see.** Over all layers LRDS is {whole.lrds:.3f} ({whole.lrds_low:.3f} to {whole.lrds_high:.3f}) "
    f"and SADS {whole.sads:.3f} ({whole.sads_low:.3f} to {whole.sads_high:.3f}); with meanings shuffled SADS lies "
    f"between {whole.sads_null_low:.3f} and {whole.sads_null_high:.3f}. "
    f"Meaning is shared most in layer {peak.layer}, where SADS is {peak.sads:.3f}."
)

# %% [markdown]
# ## What the values differ by
#
# The same question asked of variance: how much of it goes with the language, how much with the meaning, and how much with neither.

# %% tags=["hide-input"]
charts.variance_shares(tables["variance"])

# %% [markdown]
# ## Can a sentence be found by its meaning?
#
# Take an English sentence and look for its nearest neighbour among all sentences of another language.
# If the two share a space of meaning, the neighbour is the translation; by chance it is so once in as many tries as there are sentences.

# %% tags=["hide-input"]
charts.retrieval_map(tables["retrieval"])

# %% tags=["hide-input"]
found = tables["retrieval"].query("layer == 'all' and kind == 'all'")
best, worst = (found.sort_values("accuracy").iloc[place] for place in (-1, 0))
Markdown(
    f"**What we see.** Among {best.n_sentences} sentences, chance is {best.chance:.3f}. "
    f"The easiest direction is {best.source} → {best.target} ({best.accuracy:.2f}), "
    f"the hardest {worst.source} → {worst.target} ({worst.accuracy:.2f})."
)

# %% [markdown]
# ## Which languages are near each other?

# %% tags=["hide-input"]
charts.language_blocks(tables["blocks"])

# %% [markdown]
# ## Checks
#
# The scores come from closed sums.
# On a few sentences the plain double loop over all pairs gives the same.

# %%
import numpy as np

few = run.activations().layer(0)[:, :6].astype(float)
unit = few / np.linalg.norm(few, axis=-1, keepdims=True)
cosines = np.einsum("amj,bnj->abmn", unit, unit)
language, meaning = np.eye(len(few), dtype=bool), np.eye(few.shape[1], dtype=bool)
neither = cosines[~language][:, ~meaning].mean()
slow = cosines[language][:, ~meaning].mean() - neither, cosines[~language][:, meaning].mean() - neither
fast = similarity.pair_means(few)
assert np.allclose(slow, (fast.lrds, fast.sads), atol=1e-6)

# %% [markdown]
# ## What this does not show
#
# A high SADS says that translations lie nearer to each other than other sentences do, not that the model uses this when it speaks.
# Cosines of raw activations are high everywhere, because all sentences share a common direction; the tables therefore also hold the scores after the grand mean is taken away (`centred`).
# One checkpoint says nothing about how it came to be so: that is the chapter on training.

# %% tags=["hide-input", "nbval-ignore-output"]
run.provenance()
