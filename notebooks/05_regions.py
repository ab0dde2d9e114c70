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
# Some neurons answer to one language more than to the others; the paper calls those of a language its region, and asks where they lie and how they change in training {cite}`zeng2025lingua`.
# Any rule that picks neurons picks some by chance, so every count here stands beside the count that the same rule gives when the languages are shuffled within each meaning.
# Four rules are read from the same activations: the paper's, a calibrated one, and two others of the field.
#
# | | |
# |---|---|
# | **Reads** | `activations/` of the run (computed first, where it is missing) |
# | **Writes** | `region_counts`, `region_null`, `region_concentration`, `region_overlap`, `region_agreement`, `region_neurons` (parquet) |
# | **Costs** | seconds for the lab, minutes for a large model |

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
from lingua_utils.charts.glue import glue
from lingua_utils.measure import regions
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
# ## How many neurons, and how many by chance?
#
# - `zscore`, the paper's: the neuron's score for a language lies more than two standard deviations above its mean over the languages.
# - `calibrated`: a neuron is prominent for a language beyond what shuffled languages give, at a false discovery rate of 5 %; several languages may share it.
# - `lape`: the neuron's activation probability is concentrated on few languages {cite}`tang2024language`.
# - `ap`: the neuron's mean activation detects the language among all sentences {cite}`kojima2024multilingual`.

# %%
tables = run.stage("regions")

# %% tags=["hide-input"]
glue("region_null", region_charts.null_shares(tables["region_null"]))

# %% tags=["hide-input"]
null = tables["region_null"].set_index("method")
text = Markdown(
    "**What we see.** "
    + "; ".join(
        f"`{method}` calls {row.share:.1%} of the neurons key to some language, and {row.share_shuffled:.1%} "
        "when the languages are shuffled"
        for method, row in null.iterrows()
    )
    + "."
)
glue("region_null_sentence", text)

# %% [markdown]
# ## Where do they lie?
#
# One strip a layer; the ticks are what chance selects.

# %% tags=["hide-input"]
region_charts.region_atlas(tables["region_counts"])

# %% [markdown]
# The paper finds key neurons crowded in the first and last layers.
# The share of each region in the first and last tenth of the layers, beside the share that an even spread would have:

# %% tags=["hide-input"]
region_charts.concentration(tables["region_concentration"])

# %% tags=["hide-input"]
outer = tables["region_concentration"].query("n_neurons > 0")
groups = outer.assign(crowded=outer.low > outer.uniform).groupby(["method", "stack"], sort=False)
crowded = groups.crowded.agg(["sum", "size"]).reset_index()
Markdown(
    "**What we see.** More of the region lies in the outer layers than an even spread gives, beyond its interval, for "
    + ", ".join(
        f"{row['sum']} of {row['size']} languages by `{row['method']}`"
        + ("" if row["stack"] == "all" else f" in the {row['stack']}")
        for _, row in crowded.iterrows()
    )
    + "."
)

# %% [markdown]
# ## Do languages share key neurons?

# %% tags=["hide-input"]
region_charts.region_overlap(tables["region_overlap"])

# %% [markdown]
# ## Do the rules agree?

# %% tags=["hide-input"]
region_charts.region_agreement(tables["region_agreement"])

# %% [markdown]
# ## Checks
#
# The neuron scores come from closed sums; on a few sentences the mean over all pairs gives the same.

# %%
import numpy as np

few = np.stack([run.activations().layer(layer)[:, :5] for layer in (0, -1)], axis=2).astype(float)
unit = few / np.linalg.norm(few.reshape(*few.shape[:2], -1), axis=-1)[..., None, None]
first, second = np.triu_indices(few.shape[1], k=1)
assert np.allclose(regions.neuron_scores(few), (unit[:, first] * unit[:, second]).mean(axis=1), atol=1e-6)

# %% [markdown]
# ## What this does not show
#
# A z above 2 is no test of significance: with ten languages the largest possible value is 3, and one language far above the others is enough to reach 2, whatever the noise.
# A neuron that answers to a language need not be needed for it: what its silence costs is measured in the next chapter, on other sentences.
# Sentences are averages over tokens, so a neuron that marks one word of a language may be missed by every rule but `lape`.

# %% tags=["hide-input", "nbval-ignore-output"]
run.provenance()
