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
# A neuron here is one input channel of an MLP's down-projection: its value after the activation function, just before it is written back into the residual stream.
# For each sentence in each language this notebook reads that value in every layer and averages it over the sentence's tokens.
# The result, one number per language, sentence, layer and neuron, is all that the later chapters look at.
#
# | | |
# |---|---|
# | **Reads** | a model at one revision, and the corpus |
# | **Writes** | `activations/` in the run's folder: one float32 tensor a layer, read lazily |
# | **Costs** | one forward pass over the corpus |

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
from lingua_utils.measure import activations
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
# ## One pass over the corpus
#
# Sentences go through the model in batches of similar length.
# Padding and the tokenizer's special tokens are context only: they never enter a mean.

# %%
captured = run.activations()
captured

# %% [markdown]
# ## How many tokens does each language need?
#
# A tokenizer cuts some languages into more pieces than others, so the same meaning is read in more steps.

# %% tags=["hide-input"]
tokens = activations.token_counts(captured)
charts.tokens_by_language(tokens)

# %% [markdown]
# ## How active are the neurons?
#
# The share of content tokens for which a neuron is above zero, averaged over the neurons of a layer.

# %% tags=["hide-input"]
activity = activations.activity(captured)
charts.activity_by_layer(activity)

# %% tags=["hide-input"]
mean_tokens = tokens.groupby("language").tokens.mean()
by_layer = activity.groupby("layer", sort=False).share_positive.mean()
Markdown(
    f"**What we see.** {captured.n_sentences} meanings in {len(captured.languages)} languages, "
    f"{len(captured.layers)} layers of {captured.widths[0]} neurons. "
    f"A sentence takes {mean_tokens.min():.1f} tokens in {mean_tokens.idxmin()} and {mean_tokens.max():.1f} "
    f"in {mean_tokens.idxmax()}; {captured.n_truncated} sentences were too long and were cut. "
    f"The most active layer is {by_layer.idxmax()}, where {by_layer.max():.0%} of the values are above zero."
)

# %% [markdown]
# ## Checks
#
# One sentence, read alone and without any batch, gives the same numbers.

# %%
import numpy as np

alone = activations.capture(run.loaded, run.corpus().select([0, 1]), pooling=pooling, progress=False)
assert np.allclose(alone.layer(0), captured.layer(0)[:, :2], atol=1e-4)

# %% [markdown]
# ## What this does not show
#
# A mean over tokens forgets their order, and a sentence's longer words weigh more when they are cut into more tokens.
# That a neuron is active says nothing yet about whether the model needs it: that is asked by silencing it.

# %% tags=["hide-input", "nbval-ignore-output"]
run.provenance()
