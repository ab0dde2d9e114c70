# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How does a lingua franca come about?
#
# A trained model shows where meaning is shared; only its checkpoints show when, and what had to happen first.
# This chapter reads the tables that every run has written and puts them in the order of training.
# Beside the model stands its control: the same architecture, the same languages, the same number of steps, but no line of text in two languages.
#
# | | |
# |---|---|
# | **Reads** | the tables of all runs of a sample sheet, and the published ones (`book/published`) for what was not run here |
# | **Writes** | nothing, but runs of the sheet that are in neither place are measured first |
# | **Costs** | seconds where the runs are done |

# %% tags=["remove-cell"]
# On Colab: install the package beside Colab's own torch.
import importlib.util

if importlib.util.find_spec("lingua_utils") is None:
    from IPython import get_ipython

    address = "git+https://github.com/lingua-franca-book/lingua-franca-book"
    get_ipython().run_line_magic("pip", f"install -q {address}")

# %%
import pandas as pd
from IPython.display import Markdown, display

from lingua_utils.charts import figures as charts
from lingua_utils.charts import region_figures as region_charts
from lingua_utils.charts import theme
from lingua_utils.charts.glue import glue
from lingua_utils.measure import projection
from lingua_utils.runs import collate as evolution
from lingua_utils.runs import sheets

theme.use()

# %% tags=["parameters"]
sheet: str = "runs/lab.csv"  # the sample sheet whose runs are read
results: str = "results"  # root of all results
published: str = "book/published"  # tables of runs that are not repeated here; empty for none

# %%
rows = sheets.read_sheet(sheet)
main = sheets.run_of(rows[-1], results)  # the model and the corpus that this chapter follows
evolution.complete(rows, ["similarity", "regions", "accuracy"], results, published)
main

# %% [markdown]
# ## Language first, meaning later
#
# Both scores over all layers, at every checkpoint.
# The bands are 95 % intervals over meanings; the grey band is what shuffled sentences give.
# Where a sheet names finished models only, they stand side by side instead.

# %%
similarity = evolution.collate("similarity", results, published, corpus=main.corpus_name)
followed = similarity[similarity.model_id == main.model_id]
in_training = followed.step.nunique() > 1  # whether this sheet follows a model through training

# %% tags=["hide-input"]
models = [row["model_id"] for row in rows]
scores = charts.scores_by_step(followed) if in_training else charts.scores_by_model(similarity, models)
glue("scores_by_step", scores)

# %% tags=["hide-input"]
seen = evolution.trend(followed).sentence() if in_training else "No model of this sheet was kept in training."
Markdown(f"**What we see.** {seen}")

# %% [markdown]
# Two revisions of a series can hold the same weights.
# The weights of every run are hashed; those that repeat an earlier revision are listed here, and are no points of a curve.

# %% tags=["hide-input"]
repeated = evolution.repeated_weights(results, published)
if len(repeated):
    display(repeated)
else:
    display(Markdown("All revisions on this page have weights of their own."))

# %% [markdown]
# ## Beside the control
#
# The lab's control has seen the same ten languages, and no line in two of them.
# Models that were not run here are read from the published tables.

# %% tags=["hide-input"]
if in_training:
    display(charts.scores_by_step(similarity))

# %% [markdown]
# The same at the last checkpoint of each model, with 95 % intervals; the last column is the upper end of what shuffled sentences give.

# %% tags=["hide-input"]
ends = evolution.end_points(similarity)
pd.DataFrame(
    {
        "model": ends.model_id.str.removeprefix("lab/"),
        "revision": ends.revision,
        "sentences": ends.kind,
        "LRDS": [f"{row.lrds:.3f} ({row.lrds_low:.3f} to {row.lrds_high:.3f})" for row in ends.itertuples()],
        "SADS": [f"{row.sads:.3f} ({row.sads_low:.3f} to {row.sads_high:.3f})" for row in ends.itertuples()],
        "shuffled": ends.sads_null_high.map("{:.3f}".format),
    }
).set_index("model")

# %% [markdown]
# ## In which layers?

# %% tags=["hide-input"]
if in_training:
    display(charts.layer_step_map(followed))
else:
    display(charts.scores_by_layer(followed))

# %% [markdown]
# ## The sentence map
#
# Each point is a sentence in a language, placed by the two directions in which the sentences of that layer differ most.
# Move the step: the languages stand apart first; then, where a lingua franca arises, translations draw together.
# Successive maps are turned onto each other, so that points move and axes do not.

# %%
points = evolution.collate("projection", results, published, corpus=main.corpus_name)
points = projection.align(points[points.model_id == main.model_id])

# %% tags=["hide-input"]
glue("sentence_map", charts.sentence_map(points, main.corpus()))

# %% [markdown]
# ## Found by meaning
#
# The share of sentences whose nearest neighbour in another language is their translation.
# *Bridged* sentences speak of countries that occur in bilingual lines, *unbridged* ones of countries that never do: what the second reach was not memorised, but carried over.

# %%
retrieval = evolution.collate("retrieval", results, published, corpus=main.corpus_name)

# %% tags=["hide-input"]
if in_training:
    display(charts.retrieval_by_step(retrieval))
else:
    display(charts.retrieval_map(retrieval[retrieval.model_id == main.model_id]))

# %% [markdown]
# ## The regions, through training
#
# How many neurons each rule calls key to a language, and how many it would call so by chance.
# The paper finds that regions shrink as training goes on.

# %%
stages = {stage for row in rows for stage in row["stages"].split()}
if "regions" in stages:
    counts = evolution.collate("region_counts", results, published, corpus=main.corpus_name)

# %% tags=["hide-input"]
if "regions" in stages and in_training:
    display(region_charts.region_size_by_step(counts))

# %% tags=["hide-input"]
if "regions" in stages:
    display(region_charts.region_atlas(counts[counts.model_id == main.model_id]))

# %% [markdown]
# ## Accuracy and alignment
#
# The paper ties the sharing of meaning to accuracy on tasks.
# One point a checkpoint: mean accuracy over the languages against SADS.

# %%
if "accuracy" in stages and in_training:
    accuracy = evolution.collate("accuracy", results, published, corpus=main.corpus_name)
    points_of_accuracy = evolution.accuracy_and_sads(accuracy, followed)

# %% tags=["hide-input"]
if "accuracy" in stages and in_training:
    display(region_charts.accuracy_against_sads(points_of_accuracy))

# %% tags=["hide-input"]
if "accuracy" in stages and in_training and len(points_of_accuracy) >= 4:
    tie = evolution.rank_correlation(points_of_accuracy.sads, points_of_accuracy.accuracy)
    text = (
        f"**What we see.** Over {len(points_of_accuracy)} checkpoints the rank correlation of accuracy with SADS "
        f"is {tie}. Both grow with training, so a correlation alone does not say that one needs the other."
    )
    display(Markdown(text))

# %% [markdown]
# ## The loss, language by language

# %% tags=["hide-input"]
if main.model_id.startswith("lab/"):
    losses = evolution.collate_losses(published)
    display(charts.loss_by_language(losses[losses.model_id == main.model_id]))

# %% [markdown]
# ## Checks
#
# Every run of the sheet is on the page, and nothing is on it twice.

# %%
expected = {(row["model_id"], row["revision"]) for row in rows}
expected -= set(zip(repeated.model_id, repeated.revision, strict=True))
shown = similarity.query("layer == 'all' and kind == 'all' and not centred")
assert expected <= set(zip(shown.model_id, shown.revision, strict=True))
assert not shown.duplicated(["model_id", "revision"]).any()

# %% [markdown]
# ## What this does not show
#
# One seed of one small model is an example, not a law; the intervals speak of the sentences, not of other trainings.
# A small world with a third of its lines bilingual is far denser in bridges than any real corpus.
# The order in which LRDS and SADS move is measured here; what makes them move is only suggested by the control.

# %% tags=["hide-cell"]
evolution.provenance(results, published, corpus=main.corpus_name)
