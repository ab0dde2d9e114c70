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
# ```{glue} answer
# ```
#
# The paper finds that the sharing of meaning grows with the size of a model.
# This chapter puts finished models side by side, each at its last checkpoint and beside its untrained twin: real models and the lab's on the same text, by size, by depth, and by training seed where there are several.
# It also says of each claim of the paper whether it holds in them.
# It reads what the runs of a sample sheet have written, and the published tables.
#
# <details>
# <summary>Reads, writes, costs</summary>
#
# | | |
# |---|---|
# | **Reads** | the tables of finished models, of this sheet and published |
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
import html

import pandas as pd
from IPython.display import HTML, Markdown, display

from lingua_utils.charts import scaling as draw
from lingua_utils.charts import theme
from lingua_utils.charts.front import real_beside_lab
from lingua_utils.charts.glue import glue
from lingua_utils.measure.intervals import rank_correlation
from lingua_utils.runs import claims, collate, findings, sheets

theme.use()

# %% tags=["parameters", "hide-input"]
sheet: str = "runs/lab.csv"  # the sample sheet whose runs are read
results: str = "results"  # root of all results
published: str = "book/published"  # tables of runs that are not repeated here; empty for none

# %% tags=["hide-cell"]
rows = sheets.read_sheet(sheet)
main = rows[-1].settings  # its corpus, sentences and pooling are those of every model shown
apart = (*collate.APART, "code", "dtype")  # what may differ between the runs shown together
Markdown(f"Like: `{main.folder}`.")

# %% [markdown]
# ## A real model, and the lab
#
# On the left the largest real model on published sentences (PUD), layer by layer; on the right the model that the lab trains, at every checkpoint, all layers together.
# The three measures are the same: alikeness by meaning (SADS) and by language (LRDS), each neuron in units of its own spread, and how often a sentence finds its translation in a language of another script.
# The untrained twin is the same network with its weights as they are drawn; the control of the lab has read no line in two languages.

# %%
on_real = findings.tables_like(findings.REAL, results, published)
on_real |= findings.tables_like(findings.REAL, results, published, ("variance",))
in_lab = findings.tables_like(findings.LAB, results, published)
real, lab = findings.measures(on_real), findings.measures(in_lab)
front = findings.front(real, lab)

# %% tags=["hide-input"]
if len(front):
    glue("real_beside_lab", real_beside_lab(front, findings.heading(real)))
else:
    glue("real_beside_lab", Markdown("Neither was measured."))

# %% tags=["hide-input"]
glue("finding", Markdown(f"**{findings.finding(real, lab)}**"))

# %% tags=["hide-input"]
glue("real_models", Markdown(findings.real_models(real)))

# %% tags=["hide-input"]
glue("lab_models", Markdown(findings.lab_models(lab)))

# %% [markdown]
# ## What becomes of the claims
#
# Each claim, the paper's and this book's, model by model: verdict, the numbers that decide with their intervals, and the null, twin or control that they stand beside.
# The rules are code (`lingua_utils.runs.claims`), not opinion: change them, and the table follows.
# Real models are judged on published sentences, the lab's on its own text.

# %%
judged = claims.verdicts(on_real, in_lab)

# %% tags=["hide-input"]
glue("claims_in_short", Markdown(claims.in_short(judged)))

# %% tags=["hide-input", "remove-output"]
glue("claims", Markdown(claims.as_markdown(judged)))

# %% [markdown]
# ```{glue} claims
# ```

# %% [markdown]
# The rules:

# %% tags=["hide-input"]
glue("rules", Markdown(claims.rules_as_markdown()))

# %% [markdown]
# ## The models
#
# Of each model and training seed the last checkpoint counts.


# %%
def of_all(name):
    """A table of all models like the ones of the sheet, at every checkpoint."""
    return collate.collate(name, results, published, like=main, apart=apart)


everywhere = {name: of_all(name) for name in ("similarity", "retrieval")}
similarity, retrieval = (collate.finished(table) for table in everywhere.values())
in_sheet = list(dict.fromkeys(row.settings.model_id for row in rows))
in_sheet = [name for name in in_sheet if name in set(similarity.model_id)]
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
# ## Less the untrained twin
#
# Cosines grow with a network's width and depth by themselves, and with the tokens that languages share, so raw scores of models of different build do not compare.
# The untrained twin has the same build and the same tokens, and has learned nothing: what a score is above its twin's was learned.
# On the left each measure as it is, with its twin's as a tick; on the right the difference, whose interval holds the errors of both.

# %%
beside = findings.beside_twins(findings.measures(everywhere))
over_all = beside[beside.layer == "all"]
order_of = {name: at for at, name in enumerate(order)}
over_all = over_all.sort_values("model_id", key=lambda ids: ids.map(order_of), kind="stable")

# %% tags=["hide-input"]
draw.beside_twin(over_all)

# %% tags=["hide-input"]
gains = over_all[over_all.measure == "SADS"].dropna(subset="gain")
ranked = gains.groupby("model_id")[["value", "gain"]].mean().sort_values("gain", ascending=False)
if len(ranked) > 1:
    same = ranked.value.is_monotonic_decreasing
    told = ", ".join(
        f"{findings.short(name)} {row.gain:.3f} (as measured {row.value:.3f})"
        for name, row in ranked.iterrows()
    )
    display(
        Markdown(
            f"**What we see.** SADS less the twin's: {told}. The order is {'the same' if same else 'another'} as measured. "
            f"The difference is above 0, beyond its interval, in {int((gains.gain_low > 0).sum())} of {len(gains)} trainings."
        )
    )
else:
    display(Markdown("Too few models have an untrained twin on this text."))

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
    f"**What we see.** Of {len(whole)} trainings SADS is highest in {highest.model_id} ({highest.sads:.3f}, "
    f"{highest.sads_low:.3f} to {highest.sads_high:.3f}) and lowest in {lowest.model_id} ({lowest.sads:.3f}, "
    f"{lowest.sads_low:.3f} to {lowest.sads_high:.3f})."
)
of_models = whole.groupby("model_id")[["n_parameters", "sads"]].mean()
if len(of_models) >= 4 and sizes >= 3:
    related = rank_correlation(of_models.n_parameters, of_models.sads)
    text += f" The rank correlation of SADS with size is {related} over {len(of_models)} models."
    answer = f"Over {len(of_models)} models the rank correlation of SADS with size is {related}; they differ in more than size."
else:
    text += f" With {sizes} different sizes no trend over size can be told."
    answer = (
        f"That cannot be told from {sizes} size{'s' * (sizes > 1)}; what models of one text share stands below, between SADS "
        f"{lowest.sads:.2f} ({lowest.model_id.removeprefix('lab/')}) and {highest.sads:.2f} ({highest.model_id.removeprefix('lab/')})."
    )
glue("answer", Markdown(answer), show=False)
Markdown(text)

# %% [markdown]
# ## In which layers?
#
# Models differ in depth, so layers are placed by their share of the way from the first (0) to the last (1).

# %% tags=["hide-input"]
draw.scores_by_depth(similarity, scale="standardised")

# %% [markdown]
# ## Found by meaning

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
# ## What four times the text brings
#
# `bloom-m-long` is the lab's main model, trained on four times as many steps.
# Does it share more, and in other layers? And does it know in one language what it was told in another?

# %%
pair = [findings.MODEL, findings.LONG]
wanted = ("similarity", "retrieval", "accuracy")
ends = {
    name: collate.finished(table[table.model_id.isin(pair)])
    for name, table in in_lab.items()
    if name in wanted
}
both_there = len(ends) == len(wanted) and all(set(pair) <= set(table.model_id) for table in ends.values())

# %% tags=["hide-input"]
if both_there:
    display(draw.scores_by_depth(ends["similarity"], scale="standardised"))
else:
    display(Markdown("The two were not both measured."))

# %% tags=["hide-input"]
if both_there:
    scored, asked = findings.measures(ends), ends["accuracy"].groupby(["model_id", "asked"])
    asked = asked[["mean_accuracy", "mean_low", "mean_high", "chance"]].mean()

    def told(name):
        """Where a model stands at its end, in words."""
        own = scored[scored.model_id == name]
        found = own[own.measure == findings.FOUND]
        over_all = found[found.layer == "all"][["value", "low", "high"]].mean()
        layers = own[(own.measure == "SADS") & (own.layer != "all")].groupby("layer").value.mean()
        tasks = ", ".join(
            f"{task} {row.mean_accuracy:.0%} ({row.mean_low:.0%} to {row.mean_high:.0%}; chance {row.chance:.0%})"
            for task, row in asked.loc[name].iterrows()
        )
        return (
            f"{findings.short(name)} at step {own.step.max():,} finds {over_all.value:.0%} of the translations "
            f"({over_all.low:.0%} to {over_all.high:.0%}; chance {found.limit.iloc[0]:.1%}), has its highest SADS in layer "
            f"{layers.idxmax()} ({layers.max():.2f}; {layers.min():.2f} in layer {layers.idxmin()}), and answers right: {tasks}"
        )

    display(Markdown(f"**What we see.** {'. '.join(told(name) for name in pair)}."))

# %% [markdown]
# ## Real models on real text, by depth
#
# The text above is the one of the sheet's last row; a generated text is made of lists of facts, and no real model was trained on it.
# Here are the real models on published sentences, where only they were measured, each above its untrained twin (named so).


# %%
def with_twins(table):
    """Real models on real text, each at its end, and its untrained twin as a model of its own."""
    table = table[findings.is_real(table)]
    twins = collate.untrained(table)
    twins = twins.assign(model_id=twins.model_id + ", untrained", step=pd.NA)
    return pd.concat([collate.finished(table), twins])


of_real = {name: with_twins(on_real[name]) for name in ("similarity", "retrieval") if name in on_real}

# %% tags=["hide-input"]
if all(map(len, of_real.values())) and len(of_real) == 2:
    display(draw.scores_by_depth(of_real["similarity"], scale="standardised"))
    display(draw.retrieval_by_depth(of_real["retrieval"]))
else:
    display(Markdown(f"Not measured: no run of a real model on `{findings.REAL.corpus}`, here or published."))

# %% [markdown]
# The same in numbers, for each model and its twin:


# %% tags=["hide-input"]
def by_layer(model_id):
    """Every score of a real model by layer, with its interval, on all three scales, and of its twin below."""

    def of_model(name):
        table = on_real[name]
        return table[(table.model_id == model_id) & (table.layer != "all")].sort_values("layer_index")

    scores = of_model("similarity").query("kind == 'all'").set_index(["revision", "layer"])
    columns = {}
    for score in ("sads", "lrds"):
        for scale, rows in scores.groupby("scale", sort=False):
            values = rows[[score, f"{score}_low", f"{score}_high"]]
            told = [f"{value:.3f} ({low:.3f} to {high:.3f})" for value, low, high in values.to_numpy()]
            columns[score.upper(), scale] = pd.Series(told, rows.index)
    found = of_model("retrieval").query("kind == 'all'").groupby(["revision", "layer"]).accuracy.mean()
    columns["translations found", ""] = found.map("{:.1%}".format)
    shares = of_model("variance").set_index(["revision", "layer"])
    for share in ("language", "meaning"):
        columns["share of the variance", share] = shares[share].map("{:.1%}".format)
    return pd.DataFrame(columns).reindex(scores.index.unique())


def folded(model_id):
    """The table of one model, folded away."""
    table = by_layer(model_id).to_html(border=0)
    return f"<details><summary>{html.escape(findings.short(model_id))}, layer by layer</summary><div style='overflow-x: auto' tabindex='0'>{table}</div></details>"


# %% tags=["hide-input"]
HTML("".join(map(folded, dict.fromkeys(of_real["similarity"].model_id.str.removesuffix(", untrained")))))

# %% [markdown]
# ## What this does not show
#
# A difference between models of different width or depth is no proof of a difference in sharing, not even less the twin's: a wider network has more room for what it learns as well. What compares are shapes over depth, and each score with its own null and twin.
# Neuron by neuron nothing compares between two models: their neurons have no common order.
# Models that differ in size often differ in their training text and budget too.
# Each model is one training; where a sheet names several training seeds, their spread says how much that matters.

# %% tags=["hide-cell"]
collate.provenance(results, published)
