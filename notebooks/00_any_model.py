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
# ```{glue} answer
# ```
#
# This notebook takes one model through the whole book, from its name to the charts.
# Change `model_id` to any model of a known architecture on the Hugging Face Hub, and run all cells.
# Each section is a chapter in a few lines; the chapters say what the numbers mean and where they mislead.
#
# <details>
# <summary>Reads, writes, costs</summary>
#
# | | |
# |---|---|
# | **Reads** | a model at one revision, and a corpus; the published tables of other models |
# | **Writes** | the activations of the run |
# | **Costs** | one download, one forward pass over the corpus, seconds of statistics; the default fits a T4 GPU with 16 GB |
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
import pandas as pd
from IPython.display import Markdown, display

from lingua_utils import runs
from lingua_utils.charts import regions as draw_regions
from lingua_utils.charts import scaling, theme
from lingua_utils.charts import similarity as draw
from lingua_utils.charts.corpus import side_by_side
from lingua_utils.charts.glue import glue
from lingua_utils.measure import similarity as measure
from lingua_utils.measure.ablation import SilencingText
from lingua_utils.runs import collate, findings

theme.use()

# %% tags=["parameters", "hide-input"]
model_id: str = "bigscience/bloom-560m"  # lab/NAME, pypi/NAME, a Hub repository, or a path
revision: str = "main"  # a branch, a tag, a lab checkpoint, or "untrained"
training_seed: int = 0  # of a lab model or an untrained twin: the seed of its weights
corpus: str = "world"  # generated: "world", "phrasebook"; published: such as "flores"; or a path
seed: int = 0  # of the text and of every resampling
n_sentences: int = 200  # meanings, where there are so many; 0 takes all
languages: str = "default"  # codes separated by spaces, "default" or "all"
digits: str = ""  # of generated text; empty for its default: "none", "latin", "native"
pooling: str = "mean"  # how tokens become one vector: "mean", "skip_first", "last"
max_tokens: int = 0  # longest sentence that is captured; 0 takes the model's positions, or 2048 if endless
dtype: str = "auto"  # type the model runs in; auto: as saved: "auto", "float32", "bfloat16", "float16"
device: str = ""  # "cpu", "cuda", "auto" (all GPUs together); empty for the best there is
gallery: int = 200  # sentences among which a translation is looked for
rules: str = "default"  # rules that select key neurons; default: all that can be had
silenced_rules: str = "default"  # whose regions are silenced; default: all of rules
silenced_languages: str = "default"  # whose regions are silenced; default: all
silenced_sentences: int = 28  # meanings to measure silencing on
n_controls: int = 10  # random regions of each kind beside a region
doses: str = "0 0.25 0.5 1"  # shares of a region that are silenced
silence_to: str = "zero"  # what silent neurons are held at: "zero", "mean"
task: str = "cloze"  # what is asked: "cloze", "transfer", "translation", "xstorycloze"
n_items: int = 100  # items per language
task_rule: str = "calibrated"  # rule to silence by: "distinctive", "calibrated", "zscore", "lape", "ap"
silenced_items: int = 100  # items per language with a region silenced
task_controls: int = 1  # random regions beside each
results: str = "results"  # root of all results
silenced: bool = False  # also silence every region: many more passes

# %% tags=["hide-cell"]
run = runs.from_parameters(globals())
run

# %% [markdown]
# ## The text
#
# The same sentences in every language ([in full](01_corpus.ipynb)).

# %%
text = run.corpus()
side_by_side(text, sentences=(0, 1))

# %% [markdown]
# ## What each neuron does
#
# Every sentence is read once; the mean over its tokens is kept for each neuron of each layer ([in full](03_activations.ipynb)).

# %%
captured = run.activations()
captured

# %% [markdown]
# ## Alike by language, or by meaning
#
# LRDS says how much more alike two sentences are when they share the language, SADS when they share the meaning; each neuron in units of its own spread ([in full](04_similarity.ipynb)).


# %%
def scores():
    """LRDS and SADS of each layer, with interval and null."""
    for layer, vectors in captured.by_layer():
        key = {"layer": layer, "layer_index": vectors.layer_index, "scale": "standardised", "kind": "all"}
        null = measure.permutation_null(vectors, seed=run.seed)
        yield key | measure.pair_means(vectors).row() | null.row() | null.draws()


similarity = pd.DataFrame(scores())
draw.scores_by_layer(measure.with_limits(similarity))

# %% [markdown]
# Is a sentence's nearest neighbour in another language its translation?

# %%
found = pd.concat(
    measure.retrieval(vectors, gallery=run.settings.gallery, seed=run.seed).assign(
        layer=layer, layer_index=vectors.layer_index, kind="all"
    )
    for layer, vectors in captured.by_layer()
)
draw.retrieval_map(found)

# %% [markdown]
# ## Beside the published ones
#
# By depth, above other models on the same text: how does this one compare with Gemma, SmolLM2 and the lab ([in full](09_scaling.ipynb))?
# Their published tables come with the package, and nothing is fetched; what was measured here before stands there too.
# Shapes compare; heights do between models of one build only.

# %%
alike = findings.tables_like(run.settings, results, "book/published", ("similarity", "retrieval"))
own = {"similarity": measure.with_limits(similarity), "retrieval": found}
mine = {"model_id": f"{run.settings.model_id} (yours)", "training_seed": 0}
beside = {}
for name, table in alike.items():
    others = collate.finished(table[table.training_seed == 0])
    others = others[others.model_id != run.settings.model_id]
    beside[name] = pd.concat([own[name].assign(**mine), others], ignore_index=True)

# %% tags=["hide-input"]
if len(beside) == len(own):
    display(scaling.scores_by_depth(beside["similarity"], scale="standardised"))
    display(scaling.retrieval_by_depth(beside["retrieval"]))
else:
    known = collate.provenance(results, "book/published").corpus.unique()
    display(
        Markdown(
            f"Nothing to compare with: no other model was measured, here or published, on `{run.settings.corpus}` with "
            f"these settings (n_sentences={run.settings.n_sentences}). Texts of published tables: {', '.join(known) or 'none'}."
        )
    )

# %% [markdown]
# ## Whose neurons
#
# How many neurons each rule calls key to some language, beside what it calls so when the languages are shuffled, and in the same network untrained ([in full](05_regions.ipynb)).
# `distinctive` asks whether a language stands out from how the others differ, `calibrated` whether languages differ on the neuron at all; `zscore` is the paper's rule; `lape` goes by how often a neuron is active, `ap` by how well it detects the language.

# %%
regions, untrained = run.regions(), run.untrained().regions()
null = pd.DataFrame(
    {
        "rule": rule,
        "share": r.share,
        "share_shuffled": r.expected_share,
        "share_untrained": untrained[rule].share,
    }
    for rule, r in regions.items()
)
draw_regions.null_shares(null)

# %% [markdown]
# ## What silencing them costs
#
# Asked for with `silenced`: the region of each language is set to zero while the model reads other sentences ([in full](06_ablation.ipynb), with random regions beside it).

# %%
if silenced:
    rule = next(rule for rule, r in regions.items() if r.share)  # the first that finds any
    other = run.corpus("test").select(slice(0, 10))
    reader = SilencingText(run.loaded, other)
    cost = [reader.change(regions[rule].of(language)).per_byte for language in other.languages]
    names = [theme.language_name(language) for language in other.languages]
    display(pd.DataFrame(cost, index=names, columns=names).rename_axis(f"without ({rule})").round(3))

# %% [markdown]
# ## In short

# %% tags=["hide-input"]
score = similarity.query("layer == 'all'").iloc[0]
by_layer = found.query("layer != 'all'").groupby("layer", sort=False).accuracy.mean()
shares = null.iloc[0]
limit = measure.with_limits(similarity).query("layer != 'all'")
above = int((limit.sads_low > limit.sads_null_limit).sum())
answer = (
    f"{run.settings.model_id} shares meaning beyond chance in {above} of {len(limit)} layers, and translations are found most "
    f"often in layer {by_layer.idxmax()}: {by_layer.max():.0%} of the time (chance {found.chance.iloc[0]:.1%})."
)
glue("answer", Markdown(answer), show=False)
Markdown(
    f"**What we see.** {run.settings.model_id} at {run.settings.revision}, {captured.n_sentences} meanings in "
    f"{len(captured.languages)} languages. SADS is {score.sads:.3f} ({score.sads_low:.3f} to {score.sads_high:.3f}), where shuffled "
    f"meanings give at most {score.sads_null_high:.3f}; LRDS is {score.lrds:.3f} ({score.lrds_low:.3f} to {score.lrds_high:.3f}). "
    f"Translations are found most often in layer {by_layer.idxmax()}, {by_layer.max():.0%} of the time (chance {found.chance.iloc[0]:.1%}). "
    f"The rule `{shares.rule}` calls {shares.share:.1%} of the neurons key to some language, {shares.share_shuffled:.1%} when the languages are shuffled"
    + (
        "."
        if pd.isna(shares.share_untrained)
        else f", and {shares.share_untrained:.1%} in the untrained network."
    )
)

# %% [markdown]
# ## What this does not show
#
# One model at one revision is a state, not a development; for that, measure several checkpoints and read [the chapter on training](08_evolution.ipynb).
# The generated sentences of the default corpus are lists of facts: a model of the Hub should also be measured on published text, such as `flores`.
# Nothing here says whether the model uses what its neurons share.

# %% tags=["hide-cell", "nbval-ignore-output"]
run.manifest
