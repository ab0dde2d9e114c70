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
# ```{glue} answer
# ```
#
# A trained model shows where meaning is shared; only its checkpoints show when, and what had to happen first.
# This chapter reads the tables that every run has written and puts them in the order of training.
# Beside the model stand its control, which has read no line of text in two languages, and two placebos: the same architecture, the same languages, as many tokens.
#
# <details>
# <summary>Reads, writes, costs</summary>
#
# | | |
# |---|---|
# | **Reads** | the tables of all runs of a sample sheet, and the published ones (`book/published`) for what was not run here |
# | **Writes** | nothing |
# | **Costs** | seconds where the runs are done |
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
import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from lingua_utils.charts import evolution as draw
from lingua_utils.charts import theme
from lingua_utils.charts.glue import glue
from lingua_utils.charts.lab import loss_by_language
from lingua_utils.charts.regions import region_atlas
from lingua_utils.measure.intervals import Estimate, rank_correlation, ratio
from lingua_utils.measure.similarity import align_planes, with_limits
from lingua_utils.runs import collate, findings, sheets
from lingua_utils.runs.settings import of_stages
from lingua_utils.text.languages import different_script

theme.use()

# %% tags=["parameters", "hide-input"]
sheet: str = "runs/lab.csv"  # the sample sheet whose runs are read
results: str = "results"  # root of all results
published: str = "book/published"  # tables of runs that are not repeated here; empty for none

# %% tags=["hide-cell"]
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
def tables_of(name, apart=apart):
    """A table of all runs that are like the one followed, in the order of training."""
    return collate.collate(name, results, published, like=main, apart=apart)


def of_main(table):
    """The rows of the model that this chapter follows, of its own training seed."""
    return table[(table.model_id == main.model_id) & (table.training_seed == main.training_seed)]


similarity = tables_of("similarity")
followed = of_main(similarity)
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
# ## When do language and meaning come?
#
# Both scores over all layers, at every checkpoint, each neuron in units of its own spread.
# The bands are 95 % intervals over meanings; the grey band is what shuffled sentences give.

# %% tags=["hide-input"]
if in_training:
    glue("scores_by_step", draw.scores_by_step(followed))
else:
    glue("scores_by_step", Markdown("This sheet follows no model through training: see the next chapter."))

# %% [markdown]
# By how much does SADS grow?
# A factor needs a start: it is counted from the untrained model, whose value stands beside it, and its interval is Fieller's, as it is a ratio of two estimates.
# (Counted from the minimum on the way, which need not be the start, a factor can be made as large as one likes.)


# %%
def over_all_layers(table, scale="standardised"):
    """Scores of all layers together, of all sentences, one row for each checkpoint with a step."""
    chosen = table[(table.layer == "all") & (table.kind == "all") & (table.scale == scale)]
    return chosen[chosen.step.notna()].sort_values("step")


def estimate(row, score):
    """A score of a checkpoint with its interval."""
    return Estimate(row[score], row[f"{score}_low"], row[f"{score}_high"])


def growth(scores):
    """SADS at the end over that of the first checkpoint, with Fieller's interval."""
    start, end = scores.iloc[0], scores.iloc[-1]
    return ratio(end.sads, end.sads_se, start.sads, start.sads_se, df=int(end.n_sentences) - 1)


# %% tags=["hide-input"]
def trend(table, scale):
    """What the two scores did through training, in words."""
    scores = over_all_layers(table, scale)
    start, end, peak = scores.iloc[0], scores.iloc[-1], scores.iloc[scores.lrds.to_numpy().argmax()]
    if peak.step == end.step:
        shape = "it is highest at the end"
    elif end.lrds_high < peak.lrds_low:
        shape = f"below its peak at step {peak.step:,}, {estimate(peak, 'lrds')}, beyond both intervals"
    else:
        shape = f"not clearly below its peak at step {peak.step:,}, {estimate(peak, 'lrds')}"
    return (
        f"{scale.capitalize()}, LRDS is {estimate(start, 'lrds')} untrained and ends at {estimate(end, 'lrds')}: {shape}; "
        f"SADS is {estimate(start, 'sads')} untrained and ends at {estimate(end, 'sads')}, {growth(scores)} times as much"
    )


if in_training:
    scores = over_all_layers(followed)
    start, end, peak = scores.iloc[0], scores.iloc[-1], scores.loc[scores.lrds.idxmax()]
    rising = scores[scores.sads_low > start.sads_high].step.min()
    answer = (
        f"In {findings.short(main.model_id)} language comes first: LRDS is highest at step {peak.step:,} ({peak.lrds:.2f}). "
        f"SADS is above that of the untrained model ({start.sads:.2f}) "
        f"{'at no step' if pd.isna(rising) else f'from step {rising:,} on'}, and ends at {end.sads:.2f} ({end.sads_low:.2f} to {end.sads_high:.2f})."
    )
    display(Markdown(f"**What we see.** {trend(followed, 'standardised')}. {trend(followed, 'raw')}."))
else:
    answer = "This sheet follows no model through training."
glue("answer", Markdown(answer), show=False)

# %% [markdown]
# ## In which layers, and above chance?
#
# Many checkpoints times many layers are many chances to lie above a null.
# The dashed line is the limit that shuffled sentences stay below in *all* of them together, 95 times in 100 ({eq}`limits` on [the method page](../book/method.md)).

# %%
if in_training:
    each_layer = followed[(followed.layer != "all") & followed.step.notna() & (followed.kind == "all")]
    limited = with_limits(each_layer, ["scale"])
    limited = limited[limited.scale == "standardised"]

# %% tags=["hide-input"]
if in_training:
    display(draw.sads_above_limit(limited))

# %% tags=["hide-input"]
if in_training:
    above = limited[limited.sads_low > limited.sads_null_limit]
    untrained, end = (limited[limited.step == step] for step in (limited.step.min(), limited.step.max()))
    display(
        Markdown(
            f"**What we see.** The interval of SADS lies above the common limit at {len(above)} of {len(limited)} points. "
            f"Untrained, it does in {len(above[above.step == untrained.step.min()])} of {len(untrained)} layers already "
            "(languages share tokens: [chapter 04](04_similarity.ipynb) tells scripts apart). "
            f"At the end SADS is highest in layer {end.loc[end.sads.idxmax()].layer} ({end.sads.max():.3f}) "
            f"and lowest in layer {end.loc[end.sads.idxmin()].layer} ({end.sads.min():.3f})."
        )
    )

# %% tags=["hide-input"]
if in_training:
    display(draw.layer_step_map(followed))

# %% [markdown]
# ## Is it the lines in which two languages meet?
#
# One pair of runs cannot say.
# So the model stands beside a control without two-language lines, and beside two placebos: in `bloom-mispaired` as many lines hold two languages, but the second half says something else; in `bloom-apart` the same translations are read, but never in one line.
# If meaning came from two languages in one line alone, the first placebo would do as well; if from reading the same things in several languages, the second.
# In the literature the weight of such lines is contested: much in small budgets, little in large ones. What follows holds in this lab, at this budget.
# Where a model was trained with several seeds, the line is their mean and the band reaches from the least to the most of them.

# %% [markdown]
# Translations are looked for between languages of *different scripts*: within one script, and between the two ways of writing Chinese, shared names alone let the untrained model find many.

# %%
stages = {stage for row in rows for stage in row.stages}
accuracy = tables_of("accuracy") if "accuracy" in stages else None
retrieval = tables_of("retrieval")
outcomes = collate.outcomes(similarity, retrieval, accuracy)

# %% tags=["hide-input"]
alone = retrieval[(retrieval.layer == "all") & (retrieval.kind == "all") & (retrieval.step == 0)]
if len(alone):
    other = np.array(list(map(different_script, alone.source, alone.target)))
    by_script = alone.groupby(np.where(other, "across", "within")).accuracy.mean()
    display(
        Markdown(
            f"**What we see.** Untrained models find {by_script.get('within', np.nan):.1%} of the translations within one script "
            f"and {by_script['across']:.1%} across scripts, where chance is {alone.chance.iloc[0]:.1%}. No sentence holds a digit; "
            "punctuation is much the same in every script, so what is found within one is found by shared names and characters."
        )
    )

# %% tags=["hide-input"]
if in_training:
    beside = (
        outcomes[outcomes.model_id.isin(collate.SAME_SIZE)]
        if main.model_id in collate.SAME_SIZE
        else outcomes
    )
    display(draw.models_side_by_side(beside))

# %% [markdown]
# The last checkpoints as numbers: mean over training seeds, and from the least to the most of them; untrained, the mean of all models.

# %%
last = outcomes[outcomes.step == outcomes.groupby(["model_id", "training_seed"]).step.transform("max")]
spread = last.groupby(["outcome", "model_id"], sort=False).value.agg(["mean", "min", "max", "size"])
untrained = outcomes[outcomes.step == 0].groupby("outcome").value.mean()

# %% tags=["hide-input"]
if in_training:
    told = [
        f"{row['mean']:.3f}"
        + (f" ({row['min']:.3f} to {row['max']:.3f}, {row['size']:.0f} seeds)" if row["size"] > 1 else "")
        for _, row in spread.iterrows()
    ]
    table = pd.Series(told, index=spread.index).unstack("outcome")[list(dict.fromkeys(last.outcome))]
    table.loc["untrained, mean"] = [f"{untrained.get(name, np.nan):.3f}" for name in table.columns]
    display(table.rename(index=lambda name: name.removeprefix("lab/")).rename_axis("model"))

# %% tags=["hide-input"]
if in_training and main.model_id in collate.SAME_SIZE:

    def clearly_below(name):
        """Models whose intervals all lie below those of the one followed, in every seed, in words."""
        limits = last[last.outcome == name].groupby("model_id").agg(low=("low", "min"), high=("high", "max"))
        others = [model for model in collate.SAME_SIZE if model != main.model_id and model in limits.index]
        below = [model for model in others if limits.high[model] < limits.low[main.model_id]]
        names = ", ".join(model.removeprefix("lab/") for model in below)
        return f"{name}: {f'all of {names}' if below == others else names or 'none'}"

    told = [name for name in dict.fromkeys(last.outcome) if main.model_id in spread.loc[name].index]
    text = "; ".join(map(clearly_below, told))
    name = main.model_id.removeprefix("lab/")
    display(Markdown(f"**What we see.** Below {name} beyond their intervals, by outcome. {text}."))

# %% [markdown]
# ## The sentence map
#
# Each point is a sentence in a language, placed by the two directions in which the sentences of that layer differ most.
# The map opens where translations lie nearest to each other; move the step, and they part again.
# Ten sentences, evenly taken, have a colour of their own.
# Point at a sentence, tap it, or choose it from the list: its translations are marked, and stand beside the map.
#
# Two dimensions show the two largest differences only, so how near translations are is computed: their mean distance on the map over that of all sentences, 1 where meaning plays no part.
# Successive maps are turned onto each other {cite}`schonemann1966procrustes`, so that points move and axes do not.
# Where the lab's long training was measured on the same text, it is the one shown.

# %%
points = tables_of("projection")
mapped = findings.LONG if findings.LONG in set(points.model_id) else main.model_id
points = points[(points.model_id == mapped) & (points.training_seed == main.training_seed)]
points = align_planes(points)

# %% tags=["hide-input"]
glue("sentence_map", draw.sentence_map(points, rows[-1].run(results).corpus()))

# %%
near = points.groupby(["layer", "step"], sort=False, dropna=False).apply(draw.nearness, include_groups=False)
ends = near.unstack("step")

# %% tags=["hide-input"]
closest = ends.iloc[:, -1].idxmin()
name = "all layers together" if closest == "all" else f"layer {closest}"
told = (
    f"On the map of {findings.short(mapped)} translations lie nearest in {name}: at the end {ends.loc[closest].iloc[-1]:.0%} as far "
    f"apart as any two sentences, and {ends.loc[closest].iloc[0]:.0%} at the first checkpoint."
)
glue("sentence_map_told", Markdown(told), show=False)
Markdown(
    f"**What we see.** {told} Of all layers together it is {ends.loc['all'].iloc[-1]:.0%}: the two largest differences between sentences "
    f"are {'mostly those of language' if ends.loc['all'].iloc[-1] > 0.8 else 'partly those of meaning'}."
)

# %% [markdown]
# ## Found by meaning
#
# The share of sentences whose nearest neighbour in another language is their translation.
# *Bridged* sentences speak of countries that occur in bilingual lines, *unbridged* ones of countries that never do: what the second reach was not memorised, but carried over.

# %% tags=["hide-input"]
if in_training:
    of_seed = retrieval[retrieval.training_seed == main.training_seed]
    display(draw.retrieval_by_step(of_seed, model=main.model_id))

# %% [markdown]
# ## The regions, through training
#
# How many neurons each rule calls key to a language, and how many it would call so by chance.
# `distinctive` asks whether a language stands out from how the others differ, `calibrated` whether languages differ here at all, `zscore` is the paper's; `lape` and `ap` take a fixed share ([chapter 05](05_regions.ipynb)).
# The paper finds that regions shrink as training goes on.

# %%
counts = tables_of("region_counts") if "regions" in stages else None

# %% tags=["hide-input"]
if counts is not None and in_training:
    display(draw.region_size_by_step(counts, model=main.model_id))

# %% tags=["hide-input"]
if counts is not None:
    display(region_atlas(of_main(counts)))

# %% tags=["hide-input"]
if counts is not None and in_training:
    of_model = of_main(counts)[of_main(counts).step.notna()]
    sizes = of_model.groupby(["rule", "step", "language"])["count"].sum().groupby(["rule", "step"]).mean()
    text = "; ".join(
        f"by `{rule}` {size.iloc[0]:.0f} untrained, {size.max():.0f} at its largest (step {size.idxmax()[1]:,}) and {size.iloc[-1]:.0f} at the end"
        for rule, size in sizes.groupby("rule")
    )
    display(Markdown(f"**What we see.** Neurons of a language's region, on average over languages: {text}."))

# %% [markdown]
# ## What silencing a region costs, through training
#
# At some checkpoints the regions of three languages are silenced; beside each, as many random neurons in each layer.
# Selectivity is how much more a region's own language loses than the others do, in bits per byte.

# %%
grids = set(of_stages(["ablation"])) - set(of_stages([]))  # on which regions are silenced
silenced = tables_of("selectivity", apart=(*apart, *grids)) if "ablation" in stages else None
if silenced is not None:
    silenced = of_main(silenced)
    few = silenced[(silenced.silenced_languages != "default") & silenced.step.notna()]
    few = few[few.control_kind == "layer"].drop(columns=["language", "selectivity"], errors="ignore")
    few = few.rename(columns={"region_language": "language", "control_difference": "control"})
    few = few.rename(
        columns={"difference": "selectivity", "difference_low": "low", "difference_high": "high"}
    )

# %% tags=["hide-input"]
if silenced is not None and in_training and few.step.nunique() > 1:
    display(draw.selectivity_by_step(few))

# %% tags=["hide-input"]
if silenced is not None and in_training and few.step.nunique() > 1:
    told = "; ".join(
        f"{theme.language_name(row.language)} {row.selectivity:.3f} ({row.low:.3f} to {row.high:.3f}; random {row.control:.3f})"
        for row in few[few.step == few.step.max()].itertuples()
    )
    display(
        Markdown(f"**What we see.** At step {few.step.max():,} the selectivity is: {told} bits per byte.")
    )

# %% [markdown]
# ## Accuracy and alignment
#
# The paper ties the sharing of meaning to accuracy on tasks.
# There is a point for every checkpoint of each training: mean accuracy over the languages against SADS.
# The cloze asks for recall within a language, transfer for what only another language was told, translation for alignment at the output ([chapter 07](07_tasks.ipynb)).

# %%
if accuracy is not None and in_training:
    keys = ["model_id", "training_seed", "revision", "step"]
    names = {"mean_accuracy": "accuracy", "mean_low": "low", "mean_high": "high"}
    means = accuracy.drop_duplicates([*keys, "asked"])[[*keys, "asked", "chance", *names]].rename(
        columns=names
    )
    both = means.merge(over_all_layers(similarity)[[*keys, "sads"]], on=keys)

# %% tags=["hide-input"]
if accuracy is not None and in_training:
    display(draw.accuracy_against_sads(both, model=main.model_id))

# %% tags=["hide-input"]
if accuracy is not None and in_training:

    def relation(task):
        """How a task's accuracy goes with SADS, over the model's checkpoints and over all, in words."""
        of_task = both[both.asked == task]
        own = of_task[of_task.model_id == main.model_id].sort_values("step")
        known = own[own.accuracy >= 0.95 * own.accuracy.max()].iloc[0]
        last = own[own.step == own.step.max()].mean(numeric_only=True)
        return (
            f"**{task}** ends at {last.accuracy:.0%} ({last.low:.0%} to {last.high:.0%}; chance {last.chance:.0%}). "
            f"Its rank correlation with SADS is {rank_correlation(own.sads, own.accuracy)} over {len(own)} checkpoints and seeds of "
            f"{main.model_id}, {rank_correlation(of_task.sads, of_task.accuracy)} over {len(of_task)} of all models. It comes within 5 % of "
            f"its best at step {known.step:,}, where SADS is {known.sads:.3f}, of {last.sads:.3f} at the end"
        )

    enough = [
        task
        for task, part in both[both.model_id == main.model_id].groupby("asked", sort=False)
        if len(part) >= 4
    ]
    if enough:
        display(Markdown("**What we see.** " + ". ".join(map(relation, enough)) + "."))

# %% [markdown]
# ## The loss, language by language

# %% tags=["hide-input"]
if main.model_id.startswith("lab/"):
    losses = collate.losses(published)
    display(loss_by_language(of_main(losses)))

# %% [markdown]
# ## What this does not show
#
# A few seeds of one small model are examples, not a law; where intervals are drawn they speak of the sentences, where seeds are, of so few trainings that only their spread can be told.
# A small world with a third of its lines bilingual is far denser in bridges than any real corpus, and all budgets here are small: that such lines matter here does not say that they matter in a model that has read a trillion tokens.
# Checkpoints of one training are not independent, so that a correlation over them describes this training and no other; both SADS and accuracy grow with training, whatever ties them.

# %% tags=["hide-cell"]
collate.provenance(results, published)
