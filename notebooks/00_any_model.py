# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Does your model share one space of meaning?
#
# This notebook goes the whole way for one model: from its name to the charts.
# Change `model_id` to any model that the Hugging Face Hub has in a known architecture, and run all cells.
# Each part is a chapter of this book in short; the chapters say what the numbers mean and where they mislead.
#
# | | |
# |---|---|
# | **Reads** | a model at one revision, and a corpus |
# | **Writes** | the tables of the stages `similarity` and `regions`, and with `silenced` of `ablation` (parquet), in the run's folder |
# | **Costs** | one download, one forward pass over the corpus, seconds of statistics; the default fits a T4 GPU with 16 GB |

# %% tags=["remove-cell"]
# On Colab: install the package beside Colab's own torch.
import importlib.util

if importlib.util.find_spec("lingua_utils") is None:
    from IPython import get_ipython

    address = "git+https://github.com/lingua-franca-book/lingua-franca-book"
    get_ipython().run_line_magic("pip", f"install -q {address}")

# %%
from IPython.display import Markdown, display

from lingua_utils.charts import figures as charts
from lingua_utils.charts import region_figures as region_charts
from lingua_utils.charts import theme
from lingua_utils.measure import activations
from lingua_utils.runs import run as runs

theme.use()

# %% tags=["parameters"]
model_id: str = "bigscience/bloom-560m"  # a Hub repository, a local folder, or lab/bloom-m without a network
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
silenced: bool = False  # also silence every region and measure the cost: many more passes

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
# ## What each neuron does
#
# Every sentence is read once; the mean over its tokens is kept for each neuron of each layer ([in full](03_activations.ipynb)).

# %%
captured = run.activations()
captured

# %% tags=["hide-input"]
charts.tokens_by_language(activations.token_counts(captured))

# %% [markdown]
# ## Alike by language, or by meaning
#
# LRDS says how much more alike two sentences are when they share the language, SADS when they share the meaning ([in full](04_similarity.ipynb)).

# %%
similarity = run.stage("similarity")

# %% tags=["hide-input"]
charts.scores_by_layer(similarity["similarity"])

# %% tags=["hide-input"]
charts.retrieval_map(similarity["retrieval"])

# %% [markdown]
# ## Whose neurons
#
# How many neurons each rule calls key to some language, beside what it calls so when the languages are shuffled, and where they lie ([in full](05_regions.ipynb)).

# %%
regions = run.stage("regions")

# %% tags=["hide-input"]
region_charts.null_shares(regions["region_null"])

# %% tags=["hide-input"]
region_charts.region_atlas(regions["region_counts"])

# %% [markdown]
# ## What silencing them costs
#
# Asked for with `silenced`: each region is set to zero, and so are random ones of its size ([in full](06_ablation.ipynb)).

# %%
if silenced:
    ablation = run.stage("ablation")
    display(region_charts.silencing_matrix(ablation["silencing"]))

# %% [markdown]
# ## In short

# %% tags=["hide-input"]
score = similarity["similarity"].query("layer == 'all' and kind == 'all' and not centred").iloc[0]
found = similarity["retrieval"].query("kind == 'all'").groupby("layer", sort=False).accuracy.mean()
chance = similarity["retrieval"].chance.iloc[0]
shares = regions["region_null"].set_index("method").loc["calibrated"]
Markdown(
    f"**What we see.** {model_id} at {revision}, {captured.n_sentences} meanings in {len(captured.languages)} "
    f"languages: SADS is {score.sads:.3f} ({score.sads_low:.3f} to {score.sads_high:.3f}), where shuffled meanings "
    f"give at most {score.sads_null_high:.3f}; LRDS is {score.lrds:.3f} ({score.lrds_low:.3f} to {score.lrds_high:.3f}). "
    f"A translation is found best in layer {found.idxmax()}, {found.max():.0%} of the time (chance {chance:.1%}). "
    f"The calibrated rule calls {shares.share:.0%} of the neurons key to some language, {shares.share_shuffled:.0%} by chance."
)

# %% [markdown]
# ## Checks
#
# The text that was measured is the text that is shown: its fingerprint is in the run's record.

# %%
assert captured.corpus_fingerprint == run.corpus().fingerprint

# %% [markdown]
# ## What this does not show
#
# One model at one revision is a state, not a development; for that, measure several checkpoints and read [the chapter on training](08_evolution.ipynb).
# The generated sentences of the default corpus are lists of facts: a model of the Hub should also be measured on published text, such as `flores`.
# Nothing here says whether the model uses what its neurons share.

# %% tags=["hide-input", "nbval-ignore-output"]
run.provenance()
