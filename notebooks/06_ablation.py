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
# A region was selected because its neurons answer to a language; whether the language needs them is another question.
# Here each region is silenced while the model reads, and the cost is measured on sentences that the regions were not selected on.
# Silencing any neurons costs something, so beside each region stand random ones of the same size.
#
# | | |
# |---|---|
# | **Reads** | the model, its activations, and sentences that its regions were not selected on |
# | **Writes** | `costs`, `intact`, `silencing`, `selectivity`, `dose` |
# | **Costs** | minutes for the lab: every region and every control is a pass over the text |

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
from lingua_utils.measure import ablation
from lingua_utils.measure.intervals import margin
from lingua_utils.measure.perplexity import score

theme.use()

# %% tags=["parameters", "hide-input"]
model_id: str = "lab/bloom-m"  # the lab, a local folder or a Hub repository
revision: str = "main"  # a branch, a tag or a lab checkpoint
training_seed: int = 0  # of a lab model: the seed that it is trained with
corpus: str = "world"  # generated: "world", "phrasebook"; published: such as "flores"; or a path
seed: int = 0  # of the text and of every resampling
n_sentences: int = 200  # meanings, where there are so many; 0 takes all
languages: str = "default"  # codes separated by spaces, or "default"
digits: str = ""  # of generated text; empty for its default: "none", "latin", "native"
pooling: str = "mean"  # how tokens become one vector: "mean", "skip_first", "last"
max_tokens: int = 0  # longest sentence that is captured; 0 takes the model's positions, or 2048 if endless
dtype: str = "auto"  # type the model runs in; auto: as saved: "auto", "float32", "bfloat16", "float16"
device: str = ""  # "cpu", "cuda", "auto" (all GPUs together); empty for the best there is
rules: str = "default"  # rules that select key neurons; default: all that can be had
silenced_rules: str = "default"  # whose regions are silenced; default: all of rules
silenced_languages: str = "default"  # whose regions are silenced; default: all
silenced_sentences: int = 60  # meanings to measure silencing on
control_sentences: int = 20  # of these, to measure random regions on
n_controls: int = 10  # random regions of each kind beside a region
doses: str = "0 0.25 0.5 1"  # shares of a region that are silenced
silence_to: str = "zero"  # what silent neurons are held at: "zero", "mean"
task: str = "cloze"  # what is asked: "cloze", "xstorycloze"
n_items: int = 200  # items per language
task_rule: str = "calibrated"  # whose regions are then silenced: "zscore", "calibrated", "lape", "ap"
silenced_items: int = 100  # items per language with a region silenced
task_controls: int = 1  # random regions beside each
results: str = "results"  # root of all results

# %% tags=["hide-input"]
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
texts, site = [column[0] for column in run.corpus("test").texts[:2]], run.loaded.sites[0]
everywhere = np.zeros((len(run.loaded.sites), max(site.width for site in run.loaded.sites)), dtype=bool)
everywhere[0, : site.width : 2] = True  # every other neuron of the first layer
before = score(run.loaded, texts).nll
with ablation.silence(run.loaded, everywhere):
    silent = score(run.loaded, texts).nll
assert np.allclose(silent, without_rows(site, everywhere[0, : site.width], texts), rtol=1e-3)
assert np.array_equal(score(run.loaded, texts).nll, before) and not np.allclose(silent, before)

# %% [markdown]
# ## What is silenced
#
# For each language: its region, parts of it (the strongest neurons first), and random neurons, as many in each layer; either any others (`layer`), or others of a like magnitude (`magnitude`).

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
    kinds = {"layer": None, "magnitude": ablation.mean_magnitudes(run.activations())} if region.any() else {}
    for kind, size in kinds.items():
        drawn = ablation.random_regions(region, asked.n_controls, run.seed, size, selected.widths)
        yield from ((kind, draw, 1.0, control) for draw, control in enumerate(drawn))


# %% [markdown]
# The cost of a sentence is how many nats more the model needs for it.
# All costs are measured once and kept, sentence by sentence; everything below is arithmetic on this table.


# %%
def ready(n_sentences):
    """The first sentences that regions were not selected on, to be silenced as often as needed."""
    means = ablation.mean_activations(run.activations()) if asked.silence_to == "mean" else None
    chosen = run.corpus("test").select(slice(0, n_sentences))
    return ablation.SilencingText(run.loaded, chosen, asked.silence_to, means)


def by_language(changed):
    """Nats and bytes of each sentence, language by language."""
    parts = zip(run.corpus().languages, changed.nll, changed.n_bytes, strict=True)
    return [{"text_language": language, "nll": nll, "n_bytes": size} for language, nll, size in parts]


# %%
@run.table
def costs():
    """Nats that each sentence costs more with neurons silent."""
    wide, short = ready(asked.silenced_sentences), ready(asked.control_sentences)
    pairs = [(rule, language) for rule in found for language in languages]
    for rule, language in tqdm(pairs, desc="silencing", unit=" regions"):
        for kind, draw_, share, silent in to_silence(found[rule], language):
            changed = (wide if kind == "region" else short).change(silent)
            at = {"rule": rule, "region_language": language, "what": kind, "draw": draw_}
            at |= {"share": share, "n_neurons": int(silent.sum())}
            yield from (pd.DataFrame(at | part) for part in by_language(changed))


# %%
@run.table
def intact():
    """Bits per byte of each language with the model as it is."""
    chosen = run.corpus("test").select(slice(0, asked.silenced_sentences))
    whole = ablation.SilencingText(run.loaded, chosen).intact
    return pd.DataFrame({"text_language": chosen.languages, "intact": whole})


# %% [markdown]
# ## The matrix
#
# A cost in bits per byte is a ratio of sums, $\sum \text{nats} / \ln 2 / \sum \text{bytes}$; its interval takes the sentences as a sample.


# %%
def changes(rows):
    """Costs of one silencing as a `Change`: arrays [language of the text, sentence]."""
    order = list(dict.fromkeys(rows.text_language))
    arrays = (rows[name].to_numpy().reshape(len(order), -1) for name in ("nll", "n_bytes"))
    return ablation.Change(*arrays)


def of_controls(rows, kind):
    """Costs of random regions in bits per byte, [draw, language of the text]; 0 beside an empty region."""
    drawn = rows[rows.what == kind]
    if drawn.empty:
        return np.zeros((asked.n_controls, rows.text_language.nunique()))
    return np.stack([changes(one).per_byte for _, one in drawn.groupby("draw")])


kinds = ("layer", "magnitude")
regions_of = ["rule", "region_language"]


# %%
@run.table
def silencing():
    """Cost to each language of silencing each region, with interval, beside random regions."""
    for (rule, language), rows in costs.groupby(regions_of, sort=False):
        whole = rows.query("what == 'region' and share == 1")
        cost, half = changes(whole).per_byte, margin(changes(whole).influences)
        for kind in kinds:
            controls = of_controls(rows, kind)
            spread = controls.std(axis=0, ddof=1) if len(controls) > 1 else np.nan
            at = {"rule": rule, "region_language": language, "control_kind": kind}
            at |= {"n_neurons": whole.n_neurons.iloc[0], "text_language": whole.text_language.unique()}
            at |= {"change": cost, "low": cost - half, "high": cost + half}
            at |= {"control_mean": controls.mean(axis=0), "control_sd": spread}
            yield pd.DataFrame(at).merge(intact, on="text_language")


# %% tags=["hide-input"]
draw.silencing_matrix(silencing)

# %% [markdown]
# ## Is the cost selective?
#
# A region is selective when its own language loses more than the others do, by more than it does under random regions.
# Selectivity counts that difference in standard deviations of the same difference under random regions, on the same sentences.


# %%
@run.table
def selectivity():
    """Cost to the own language and to the others, and how it compares with random regions."""
    for (rule, language), rows in costs.groupby(regions_of, sort=False):
        whole = rows.query("what == 'region' and share == 1")
        change, own = changes(whole), list(whole.text_language.unique()).index(language)
        for kind in kinds:
            same_sentences = change.first(asked.control_sentences)
            beside = ablation.beside_controls(same_sentences, own, of_controls(rows, kind))
            at = {"rule": rule, "region_language": language, "control_kind": kind}
            at |= {"n_neurons": int(whole.n_neurons.iloc[0])}
            yield at | ablation.own_and_others(change, own) | beside


# %% tags=["hide-input"]
draw.selectivity(selectivity)

# %% tags=["hide-input"]
verdicts = selectivity.query("control_kind == 'layer'").copy()
verdicts["both"] = verdicts.own_exceeds_others & verdicts.own_exceeds_controls
Markdown(
    "**What we see.** A language's own text loses more than the others' and more than under any random region for "
    + ", ".join(
        f"{rows.both.sum()} of {len(rows)} languages by `{rule}` (own {rows.own.mean():+.3f}, others "
        f"{rows.others.mean():+.3f}, random {rows.control_own.mean():+.3f} bits per byte)"
        for rule, rows in verdicts.groupby("rule", sort=False)
    )
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
# The strongest part of each region is silenced first.


# %%
@run.table
def dose():
    """Cost to the own language and to the others as more of a region is silenced."""
    for (rule, language), rows in costs.groupby(regions_of, sort=False):
        for share, part in rows.query("what == 'region'").groupby("share"):
            own = list(part.text_language.unique()).index(language)
            both = ablation.own_and_others(changes(part), own)
            kept = {name: value for name, value in both.items() if name.startswith(("own", "others"))}
            kept.pop("own_exceeds_others")
            at = {"rule": rule, "region_language": language, "share": share}
            yield at | {"n_neurons": int(part.n_neurons.iloc[0])} | kept


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
