# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Does a larger model share more?
#
# The paper finds that the sharing of meaning grows with the size of a model.
# This chapter puts finished models side by side, each at its last checkpoint: by size, by family, and by training seed where there are several.
# It reads what the runs of a sample sheet have written, and the published tables.
#
# | | |
# |---|---|
# | **Reads** | the tables of finished models, of this sheet and published |
# | **Writes** | nothing |
# | **Costs** | seconds where the runs are done |

# %% tags=["remove-cell"]
# On Colab: install the package beside Colab's own torch.
import importlib.util

if importlib.util.find_spec("lingua_utils") is None:
    from IPython import get_ipython

    address = "git+https://github.com/lingua-franca-book/lingua-franca-book"
    get_ipython().run_line_magic("pip", f"install -q {address}")

# %% tags=["hide-input"]
from IPython.display import Markdown, display

from lingua_utils.charts import scaling as draw
from lingua_utils.charts import theme
from lingua_utils.measure.intervals import rank_correlation
from lingua_utils.runs import collate, sheets

theme.use()

# %% tags=["parameters", "hide-input"]
sheet: str = "runs/lab.csv"  # the sample sheet whose runs are read
results: str = "results"  # root of all results
published: str = "book/published"  # tables of runs that are not repeated here; empty for none

# %% tags=["hide-input"]
rows = sheets.read_sheet(sheet)
main = rows[-1].settings  # its corpus, sentences and pooling are those of every model shown
apart = (*collate.APART, "code", "dtype")  # what may differ between the runs shown together
Markdown(f"Like: `{main.folder}`.")

# %% [markdown]
# ## The models
#
# Of each model and training seed the last checkpoint counts.


# %%
def finished(name):
    """A table of all models like the ones of the sheet, each at its last checkpoint."""
    whole = collate.collate(name, results, published, like=main, apart=apart)
    last = whole.step.fillna(2**62).groupby([whole.model_id, whole.training_seed]).transform("max")
    return whole[whole.step.fillna(2**62) == last]


similarity = finished("similarity")
in_sheet = list(dict.fromkeys(row.settings.model_id for row in rows))
order = [*in_sheet, *(name for name in dict.fromkeys(similarity.model_id) if name not in in_sheet)]

# %% tags=["hide-input"]
facts = similarity.drop_duplicates(["model_id", "training_seed"]).set_index("model_id").loc[order]
facts[["revision", "training_seed", "model_type", "n_parameters", "n_layers", "n_neurons"]].assign(
    source=facts.published.map({True: "published", False: "measured here"})
)

# %% [markdown]
# ## Side by side
#
# Both scores over all layers; lines are 95 % intervals over meanings, grey is what shuffled sentences give.

# %% tags=["hide-input"]
draw.scores_by_model(similarity, order, scale="standardised")

# %% [markdown]
# ## By size

# %%
whole = similarity.query("layer == 'all' and kind == 'all' and scale == 'standardised'")
sizes = whole.n_parameters.nunique()

# %% tags=["hide-input"]
if sizes > 1:
    display(draw.scores_against_size(similarity, scale="standardised"))
else:
    display(Markdown("All models here have one size; a sheet of several sizes shows the curve."))

# %% tags=["hide-input"]
highest, lowest = whole.loc[whole.sads.idxmax()], whole.loc[whole.sads.idxmin()]
text = (
    f"**What we see.** Of {len(whole)} finished models SADS is highest in {highest.model_id} ({highest.sads:.3f}, "
    f"{highest.sads_low:.3f} to {highest.sads_high:.3f}) and lowest in {lowest.model_id} ({lowest.sads:.3f}, "
    f"{lowest.sads_low:.3f} to {lowest.sads_high:.3f})."
)
if len(whole) >= 4 and sizes >= 3:
    text += f" The rank correlation of SADS with size is {rank_correlation(whole.n_parameters, whole.sads)}."
else:
    text += f" With {sizes} different sizes no trend over size can be told."
Markdown(text)

# %% [markdown]
# ## In which layers?
#
# Models differ in depth, so layers are placed by their share of the way from the first (0) to the last (1).

# %% tags=["hide-input"]
draw.scores_by_depth(similarity, scale="standardised")

# %% [markdown]
# ## Found by meaning

# %%
retrieval = finished("retrieval")

# %% tags=["hide-input"]
draw.retrieval_by_depth(retrieval)

# %%
best = (
    retrieval.query("kind == 'all' and layer != 'all'")
    .groupby(["model_id", "training_seed", "layer"], sort=False)
    .agg(accuracy=("accuracy", "mean"), chance=("chance", "first"))
    .reset_index()
)
best = best.loc[best.groupby(["model_id", "training_seed"], sort=False).accuracy.idxmax()]
best.set_index("model_id").round(3)

# %% [markdown]
# ## What this does not show
#
# Cosine similarities change with a model's width and depth by themselves, so a difference between models of different size is no proof of a difference in sharing; compare the shapes over depth, and each score with its own null.
# Models that differ in size often differ in their training text and budget too.
# Each model is one training; where a sheet names several training seeds, their spread says how much that matters.

# %% tags=["hide-cell"]
collate.provenance(results, published)
