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
import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from lingua_utils.charts import evolution as draw
from lingua_utils.charts import theme
from lingua_utils.charts.glue import glue
from lingua_utils.charts.lab import loss_by_language
from lingua_utils.charts.regions import region_atlas
from lingua_utils.measure.intervals import Estimate, rank_correlation, ratio
from lingua_utils.measure.similarity import align_planes
from lingua_utils.runs import collate, sheets

theme.use()

# %% tags=["parameters", "hide-input"]
sheet: str = "runs/lab.csv"  # the sample sheet whose runs are read
results: str = "results"  # root of all results
published: str = "book/published"  # tables of runs that are not repeated here; empty for none

# %% tags=["hide-input"]
rows = sheets.read_sheet(sheet)
main = rows[-1].settings  # the model and the corpus that this chapter follows
apart = (*collate.APART, "code")  # what may differ between the runs shown together
Markdown(f"Followed: `{main.folder}`.")

# %% [markdown]
# ## Which runs are on this page
#
# Runs are shown together when they differ in the model, the revision or the training seed, and in nothing else.
# What was not measured here is taken from the published tables, and marked so.


# %%
def tables_of(name):
    """A table of all runs that are like the one followed, in the order of training."""
    return collate.collate(name, results, published, like=main, apart=apart)


similarity = tables_of("similarity")
followed = similarity[similarity.model_id == main.model_id]
in_training = followed.step.nunique() > 1  # whether this sheet follows a model through training

# %% tags=["hide-input"]
sources = similarity.groupby(["model_id", "training_seed", "published"], sort=False)
shown = sources.agg(revisions=("revision", "nunique"), code=("code", "unique")).reset_index()
shown.assign(
    published=shown.published.map({True: "published", False: "measured here"}), code=shown.code.map(", ".join)
).set_index("model_id")

# %% [markdown]
# Two revisions of a series can hold the same weights.
# The weights of every run are hashed; a revision that repeats an earlier one is listed here and left out of the curves.

# %% tags=["hide-input"]
repeated = collate.repeated_weights(results, published)
if len(repeated):
    display(repeated[["model_id", "revision", "same_as"]])
else:
    display(Markdown("All revisions on this page have weights of their own."))

# %% [markdown]
# ## Language first, meaning later
#
# Both scores over all layers, at every checkpoint.
# The bands are 95 % intervals over meanings; the grey band is what shuffled sentences give.

# %% tags=["hide-input"]
if in_training:
    glue("scores_by_step", draw.scores_by_step(followed, scale="standardised"))
else:
    glue("scores_by_step", Markdown("This sheet follows no model through training: see the next chapter."))

# %% [markdown]
# Where does LRDS peak, and by how much does SADS grow?
# The growth is a ratio of two estimates, so its interval is Fieller's.
# It is counted from the untrained model and from step 32, where the random start has been unlearnt.


# %%
def over_all_layers(table, scale="standardised"):
    """Scores of all layers together, of all sentences, one row for each checkpoint with a step."""
    chosen = table[(table.layer == "all") & (table.kind == "all") & (table.scale == scale)]
    return chosen[chosen.step.notna()].sort_values("step")


def estimate(row, score):
    """A score of a checkpoint with its interval."""
    return Estimate(row[score], row[f"{score}_low"], row[f"{score}_high"])


def growth(scores, early):
    """SADS at the end over SADS at the checkpoint nearest to an early step, with Fieller's interval."""
    steps = scores.step.to_numpy(dtype=float)
    start = scores.iloc[np.abs(np.log1p(steps[:-1]) - np.log1p(early)).argmin()]
    end = scores.iloc[-1]
    return start, ratio(end.sads, end.sads_se, start.sads, start.sads_se)


# %% tags=["hide-input"]
def trend(table, scale):
    """What the two scores did through training, in words."""
    scores = over_all_layers(table, scale)
    end, peak = scores.iloc[-1], scores.iloc[scores.lrds.to_numpy().argmax()]
    below = end.lrds_high < peak.lrds_low
    parts = [
        f"{scale.capitalize()}, LRDS peaks at step {peak.step:,} with {estimate(peak, 'lrds')} and ends at "
        f"{estimate(end, 'lrds')}, {'below the peak beyond both intervals' if below else 'not clearly below it'}",
        f"SADS ends at {estimate(end, 'sads')}",
    ]
    for early in (0, 32):
        start, factor = growth(scores, early)
        parts.append(f"{factor} times its value at step {start.step:,}, {estimate(start, 'sads')}")
    return "; ".join(parts)


if in_training:
    display(Markdown(f"**What we see.** {trend(followed, 'standardised')}. {trend(followed, 'raw')}."))

# %% [markdown]
# ## Beside the control
#
# If both grew alike, training alone would make the lingua franca; if only the model's score grows, the lines in which two languages meet do, in this lab and at this budget.

# %% tags=["hide-input"]
if in_training:
    display(draw.scores_by_step(similarity, scale="standardised"))


# %% tags=["hide-input"]
def from_start_to_end(model):
    """SADS of a model untrained and at its end, in words."""
    scores = over_all_layers(similarity[similarity.model_id == model])
    return f"{model}: {estimate(scores.iloc[0], 'sads')} to {estimate(scores.iloc[-1], 'sads')}"


if in_training:
    trained = dict.fromkeys(similarity[similarity.step.notna()].model_id)
    text = "; ".join(map(from_start_to_end, trained))
    display(Markdown(f"**What we see.** Standardised SADS from the first checkpoint to the last: {text}."))

# %% [markdown]
# The same at the last checkpoint of each model, with 95 % intervals; the last column is the upper end of what shuffled sentences give.


# %%
def last_checkpoints(table, scale="standardised"):
    """Both scores over all layers at the last checkpoint of every model, for each kind of sentence."""
    chosen = table[(table.layer == "all") & (table.scale == scale)].sort_values("step", kind="stable")
    return chosen.groupby(["model_id", "training_seed", "kind"]).tail(1).sort_values(["model_id", "kind"])


# %% tags=["hide-input"]
ends = last_checkpoints(similarity)
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
    display(draw.layer_step_map(followed, scale="standardised"))

# %% [markdown]
# ## The sentence map
#
# Each point is a sentence in a language, placed by the two directions in which the sentences of that layer differ most.
# Move the step, and colour the points by meaning: where translations draw together, a lingua franca has formed.
# Successive maps are turned onto each other (orthogonal Procrustes), so that points move and axes do not.

# %%
points = tables_of("projection")
points = align_planes(points[points.model_id == main.model_id])

# %% tags=["hide-input"]
glue("sentence_map", draw.sentence_map(points, rows[-1].run(results).corpus()))

# %% [markdown]
# ## Found by meaning
#
# The share of sentences whose nearest neighbour in another language is their translation.
# *Bridged* sentences speak of countries that occur in bilingual lines, *unbridged* ones of countries that never do: what the second reach was not memorised, but carried over.

# %%
retrieval = tables_of("retrieval")

# %% tags=["hide-input"]
if in_training:
    display(draw.retrieval_by_step(retrieval))

# %% [markdown]
# ## The regions, through training
#
# How many neurons each rule calls key to a language, and how many it would call so by chance.
# The paper finds that regions shrink as training goes on.

# %%
stages = {stage for row in rows for stage in row.stages}
counts = tables_of("region_counts") if "regions" in stages else None

# %% tags=["hide-input"]
if counts is not None and in_training:
    display(draw.region_size_by_step(counts))

# %% tags=["hide-input"]
if counts is not None:
    display(region_atlas(counts[counts.model_id == main.model_id]))

# %% tags=["hide-input"]
if counts is not None and in_training:
    of_model = counts[(counts.model_id == main.model_id) & counts.step.notna()]
    sizes = of_model.groupby(["rule", "step", "language"])["count"].sum().groupby(["rule", "step"]).mean()
    text = "; ".join(
        f"by `{rule}` {size.max():.0f} at its largest (step {size.idxmax()[1]:,}) and {size.iloc[-1]:.0f} at the end"
        for rule, size in sizes.groupby("rule")
    )
    display(Markdown(f"**What we see.** Neurons of a language's region, on average over languages: {text}."))

# %% [markdown]
# ## Accuracy and alignment
#
# The paper ties the sharing of meaning to accuracy on tasks.
# Here each point is a checkpoint: mean accuracy over the languages against SADS.


# %%
def accuracy_and_sads(accuracy, scores):
    """Mean accuracy over languages beside SADS over all layers, one row for each checkpoint."""
    of_means = {"mean_accuracy": "accuracy", "mean_low": "low", "mean_high": "high"}
    means = accuracy.drop_duplicates("revision")[["revision", "chance", *of_means]].rename(columns=of_means)
    kept = ["model_id", "revision", "step", "sads", "sads_low", "sads_high"]
    return scores[kept].merge(means, on="revision").sort_values("step", ignore_index=True)


if "accuracy" in stages and in_training:
    accuracy = tables_of("accuracy")
    accuracy = accuracy[accuracy.model_id == main.model_id]
    both = accuracy_and_sads(accuracy, over_all_layers(followed))

# %% tags=["hide-input"]
if "accuracy" in stages and in_training:
    display(draw.accuracy_against_sads(both))

# %% tags=["hide-input"]
if "accuracy" in stages and in_training and len(both) >= 4:
    known = both[both.accuracy >= 0.95 * both.accuracy.max()].iloc[0]
    text = (
        f"**What we see.** Over {len(both)} checkpoints the rank correlation of accuracy with SADS is "
        f"{rank_correlation(both.sads, both.accuracy)}. Both grow with training, so a correlation alone does not say "
        f"that one needs the other: accuracy comes within 5 % of its best at step {known.step:,}, where SADS is "
        f"{known.sads:.3f} of the {both.sads.iloc[-1]:.3f} that it ends with."
    )
    display(Markdown(text))

# %% [markdown]
# ## The loss, language by language

# %% tags=["hide-input"]
if main.model_id.startswith("lab/"):
    losses = collate.losses(published)
    of_main = (losses.model_id == main.model_id) & (losses.training_seed == main.training_seed)
    display(loss_by_language(losses[of_main]))

# %% [markdown]
# ## What this does not show
#
# One seed of one small model is an example, not a law; the intervals speak of the sentences, not of other trainings.
# A small world with a third of its lines bilingual is far denser in bridges than any real corpus.
# The order in which LRDS and SADS move is measured here; what makes them move is only suggested by the control.

# %% tags=["hide-cell"]
collate.provenance(results, published)
