# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What does a language lose without its neurons?
#
# If a region belongs to a language, silencing it should cost that language, and the others little.
# The cost is the rise in bits per byte on sentences that the selection never saw.
# A region of the same size drawn at random in each layer, and one whose neurons are as active, are silenced as well: only what exceeds them is the region's own.
#
# | | |
# |---|---|
# | **Reads** | the regions of the run, and the test split of its corpus |
# | **Writes** | `silencing`, `selectivity`, `dose` (parquet) |
# | **Costs** | minutes for the lab: every region and every control is a pass over the text |

# %% tags=["remove-cell"]
# On Colab: install the package beside Colab's own torch.
import importlib.util

if importlib.util.find_spec("lingua_utils") is None:
    from IPython import get_ipython

    address = "git+https://github.com/lingua-franca-book/lingua-franca-book"
    get_ipython().run_line_magic("pip", f"install -q {address}")

# %%
from IPython.display import Markdown

from lingua_utils.charts import region_figures as region_charts
from lingua_utils.charts import theme
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
# ## The matrix
#
# Rows are the regions that are silenced, columns the languages of the text.
# Colour is the change in bits per byte; red is a cost.

# %%
tables = run.stage("ablation")

# %% tags=["hide-input"]
region_charts.silencing_matrix(tables["silencing"])

# %% [markdown]
# ## Is the cost selective?
#
# Selectivity is what the own language loses more than the others, in standard deviations of the same difference under random regions.

# %% tags=["hide-input"]
region_charts.selectivity(tables["selectivity"])


# %% tags=["hide-input"]
verdicts = tables["selectivity"].query("control_kind == 'layer'").copy()
verdicts["both"] = verdicts.own_exceeds_others & verdicts.own_exceeds_controls
Markdown(
    "**What we see.** A language's own text loses more than the others' and more than under any random region for "
    + ", ".join(
        f"{rows.both.sum()} of {len(rows)} languages by `{method}` (own {rows.own.mean():+.3f}, others "
        f"{rows.others.mean():+.3f}, random {rows.control_own.mean():+.3f} bits per byte)"
        for method, rows in verdicts.groupby("method", sort=False)
    )
    + "."
)

# %% [markdown]
# Language by language: the change of its own text in bits per byte when its region is silenced, and whether that is
# more than the others lose (`>others`) and more than under any random region of the same size (`>random`).

# %% tags=["hide-input"]
verdicts["answer"] = (
    verdicts.own.map("{:+.3f}".format)
    + verdicts.own_exceeds_others.map({True: " >others", False: ""})
    + verdicts.own_exceeds_controls.map({True: " >random", False: ""})
)
verdicts.region_language = verdicts.region_language.map(theme.language_name)
verdicts.pivot(index="region_language", columns="method", values="answer").rename_axis(index="language")

# %% [markdown]
# ## How much of a region matters?
#
# The strongest part of each region is silenced first.

# %% tags=["hide-input"]
region_charts.dose_response(tables["dose"])

# %% [markdown]
# ## Checks
#
# Silencing is a context: after it the model is as it was, to the last bit.

# %%
import numpy as np
import torch

from lingua_utils.measure.ablation import silence

tokens = run.loaded.tokenizer(run.corpus("test").texts[0][0], return_tensors="pt").input_ids.to(
    run.loaded.device
)
widest = max(site.width for site in run.loaded.sites)
everything = np.stack([np.arange(widest) < site.width for site in run.loaded.sites])
with torch.inference_mode():
    before = run.loaded.model(tokens).logits
    with silence(run.loaded, everything):
        silent = run.loaded.model(tokens).logits
    after = run.loaded.model(tokens).logits
assert torch.equal(before, after) and not torch.equal(before, silent)

# %% [markdown]
# ## What this does not show
#
# Silencing to zero takes a neuron out of the distribution it was trained in; part of any cost is that shock, which is why the controls are shown.
# A small cost does not say that a neuron does nothing: others may stand in for it.
# Bits per byte are an average over a text; what the model can no longer say is not read from them.

# %% tags=["hide-input", "nbval-ignore-output"]
run.provenance()
