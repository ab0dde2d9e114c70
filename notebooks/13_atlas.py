# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Which language, which layer, which step?
#
# ```{glue} answer
# ```
#
# The chapters before this one answer questions; here you ask them.
# The atlas holds every model that was measured, real ones and the lab's, layer by layer and language by language, each beside its untrained twin.
#
# <details>
# <summary>Reads, writes, costs</summary>
#
# | | |
# |---|---|
# | **Reads** | the tables of all models, of this sheet and published |
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
from dataclasses import replace

import pandas as pd
from IPython.display import Markdown

from lingua_utils.charts import atlas as draw
from lingua_utils.charts import neurons, theme
from lingua_utils.charts.glue import glue
from lingua_utils.measure.sums import FAMILY, OTHERS
from lingua_utils.runs import Run, collate, findings, sheets
from lingua_utils.runs.claims import RULE
from lingua_utils.text.languages import get_language

theme.use()

# %% tags=["parameters", "hide-input"]
sheet: str = "runs/lab.csv"  # the sample sheet whose runs are read
results: str = "results"  # root of all results
published: str = "book/published"  # tables of runs that are not repeated here; empty for none

# %% tags=["hide-input"]
PUD, LAB = findings.REAL, findings.LAB
DECLARATION = replace(PUD, corpus="udhr")
asked = sheets.read_sheet(sheet)[-1].settings
own = replace(LAB, corpus=asked.corpus, n_sentences=asked.n_sentences)
texts = list(dict.fromkeys([PUD, DECLARATION, LAB, own]))
TABLES = ("similarity", "retrieval", "cosines", "region_counts", "region_neurons")
AT = ["model", "step", "layer_index"]


def tables_on(text):
    """The tables of all models that read a text, layer by layer, of each model's first training seed."""
    # Of the Declaration a twin need not have read every language.
    apart = (*collate.APART, "code", "dtype", *(["languages"] if text == DECLARATION else []))
    found = {}
    for name in TABLES:
        try:
            whole = collate.collate(name, results, published, like=text, apart=apart)
        except FileNotFoundError:
            continue
        if text not in (PUD, DECLARATION):
            whole = whole[~findings.is_real(whole)]  # for whom generated text is no language
        first = whole.training_seed == whole.groupby("model_id").training_seed.transform("min")
        rows = whole[first & (whole.layer != "all")] if "layer" in whole else whole[first]
        found[name] = rows.assign(model=rows.model_id.map(findings.short))
    return found


def of_similarity(similarity):
    """SADS and LRDS of all languages together, with the limit that shuffled sentences stay below."""
    rows = findings.measures({"similarity": similarity}).rename(columns={"limit": "null"})
    rows = rows.assign(model=rows.model_id.map(findings.short))[["measure", *AT, *NUMBERS]]
    return {"whole": rows}


NUMBERS = ["value", "low", "high", "null"]


def of_retrieval(retrieval):
    """Translations found, by layer, by language and by pair; as means, across scripts only.

    Within one script shared tokens alone find many. Where English is the only target, every language counts.
    """
    names = dict(zip(["accuracy", "accuracy_low", "accuracy_high", "chance"], NUMBERS, strict=True))
    pairs = retrieval[(retrieval.kind == "all") & (retrieval.target != OTHERS)].rename(columns=names)
    pairs = pairs.rename(columns={"source": "language", "target": "other"}).assign(measure=findings.FOUND)
    across = collate.across_scripts(pairs.assign(source=pairs.language, target=pairs.other))
    if pairs.other.nunique() < 3:
        return levels(pairs, pairs)
    return levels(across, across) | {"pairs": pairs[["measure", *AT, "language", "other", *NUMBERS[:3]]]}


def levels(whole, each):
    """Means over all languages, and over the others of each language."""
    keys = ["measure", *AT]
    return {
        "whole": whole.groupby(keys, as_index=False, dropna=False)[NUMBERS].mean(),
        "each": each.groupby([*keys, "language"], as_index=False, dropna=False)[NUMBERS].mean(),
    }


def of_cosines(cosines):
    """SADS and LRDS of single languages, which are means over the others, and of pairs.

    SADS of a pair is its cosine over translations less that over different meanings; LRDS of a pair is the
    mean of the cosines within its two languages less the one between them.
    """
    table = cosines[~cosines.target.isin([OTHERS, FAMILY])]
    within = table[table.source == table.target].set_index([*AT, "source"]).different_meaning
    pairs = table[table.source != table.target]
    inside = [within.reindex(pd.MultiIndex.from_frame(pairs[[*AT, end]])) for end in ("source", "target")]
    inside = (inside[0].to_numpy() + inside[1].to_numpy()) / 2
    values = {
        "SADS": pairs.same_meaning - pairs.different_meaning,
        "LRDS": inside - pairs.different_meaning,
    }
    names = {"source": "language", "target": "other"}
    both = [pairs.rename(columns=names).assign(measure=name, value=value) for name, value in values.items()]
    rows = pd.concat(both).dropna(subset="value")[["measure", *AT, "language", "other", "value"]]
    each = rows.groupby(["measure", *AT, "language"], as_index=False, dropna=False).value.mean()
    return {"each": each, "pairs": rows} if pairs.target.nunique() > 2 else {"each": each}


def of_regions(counts):
    """Key neurons by the book's leading rule, as shares of a layer, beside what shuffled languages give."""
    rows = counts[counts.rule == RULE].rename(columns={"share": "value"})
    rows = rows.assign(measure="key neurons", null=rows.expected * rows.n_layers / rows.n_neurons)
    keys = ["measure", *AT]
    return {
        "whole": rows.groupby(keys, as_index=False, dropna=False)[["value", "null"]].sum(),
        "each": rows[[*keys, "language", "value", "null"]],
    }


# %% tags=["hide-input"]
MAKERS = {
    "similarity": of_similarity,
    "retrieval": of_retrieval,
    "cosines": of_cosines,
    "region_counts": of_regions,
}


def part_of(text):
    """What the atlas holds of one text: three levels of numbers, key neurons, and the text or its address."""
    tables = tables_on(text)
    if "similarity" not in tables:
        return None
    made = [make(tables[name]) for name, make in MAKERS.items() if name in tables]
    held = {level: [part[level] for part in made if level in part] for level in ("whole", "each", "pairs")}
    numbers = {level: pd.concat(parts) for level, parts in held.items() if parts}
    neurons = tables.get("region_neurons")
    neurons = neurons[neurons.rule == RULE] if neurons is not None else None
    layers = [
        table[[*AT, "layer", "n_parameters"]].drop_duplicates()
        for table in tables.values()
        if "layer" in table
    ]
    layers = pd.concat(layers, ignore_index=True).drop_duplicates()
    main_first = layers.model.ne(findings.short(findings.MODEL)).sort_values(kind="stable").index
    return draw.Part(name_of(text), layers.loc[main_first], numbers, neurons, shown(text))


def name_of(text):
    """A text in words."""
    if text in (PUD, DECLARATION):
        return {PUD: "PUD", DECLARATION: "the Declaration"}[text]
    return "the lab's text" if text == LAB else f"{text.n_sentences} sentences of {text.corpus}"


def shown(text):
    """The first sentences of a text, where it is our own; else where each language's stands."""
    if text in (PUD, DECLARATION):
        return {PUD: treebank, DECLARATION: declaration}[text]
    corpus = Run.of(text).corpus()
    return {code: list(texts[:10]) for code, texts in zip(corpus.languages, corpus.texts, strict=True)}


def treebank(language):
    """Where a language's treebank of PUD stands."""
    code = get_language(language).tag.partition("-")[0]
    return f"https://universaldependencies.org/treebanks/{code}_pud/index.html"


def declaration(language):
    """Where the Declaration stands in all languages."""
    return neurons.DECLARATION


# %% tags=["hide-input"]
parts_of = [part for part in map(part_of, texts) if part is not None]
on_pud = findings.tables_like(PUD, results, published, ("similarity", "retrieval"))
in_lab = findings.tables_like(LAB, results, published, ("similarity", "retrieval"))
finding = findings.finding(findings.measures(on_pud), findings.measures(in_lab))
glue("answer", Markdown(f"**{finding}**"), show=False)

# %% [markdown]
# ## The atlas
#
# Choose a model, a measure, a layer and a step; press a language in a figure, or in the table beneath it, to see it alone.
# The page's address holds what you chose, so that you can send it to someone.

# %% tags=["hide-input"]
draw.atlas(parts_of, findings.FOUND) if parts_of else Markdown(
    "Not measured: no model was measured here, and none is published."
)

# %% [markdown]
# ## What is drawn
#
# - **Alikeness by meaning (SADS) and by language (LRDS)** are those of [chapter 04](04_similarity.ipynb), each neuron in units of its own spread. The thick line is over all languages, with its interval over sentences, and dotted is what shuffled sentences stay below in all layers together. A single language's is the mean over its pairs (of the Declaration, its pair with English, so that the line over all pairs lies lower); a pair's SADS is the cosine of its translations less that of its other sentences, and a pair's LRDS the mean of the cosines within the two languages less the one between them.
# - **Translations found** is the share of sentences that find their translation, by [chapter 04](04_similarity.ipynb), with Wilson's interval; of means the mean interval is shown, which is wider than that of a mean. A mean is over languages of another script, since shared tokens find translations within one; of the Declaration it is the share found in English.
# - **Key neurons** are those that the rule `distinctive` of [chapter 05](05_regions.ipynb) finds at a false discovery rate of 5 %, as a share of the layer. What drives the strongest of them is shown in [chapter 12](12_neurons.ipynb).
# - The **untrained twin** is the same network with its weights as they were drawn: the null that keeps tokens, digits and lengths. Step 0 of a lab model is its twin.
#
# Of models that were trained from several seeds the first is shown.
# Numbers are rounded to four decimals and kept in the page as whole ten-thousandths; a CSV has all that its figure draws, or what the table beneath it shows.
# The text of PUD and of the Declaration belongs to others, and stands where the links lead; sentences of the lab's own text are shown.

# %% [markdown]
# ## What this does not show
#
# A number of one language or of one pair, in one layer of one training, is one of hundreds on this page: of so many some are high by luck, and the highest one chosen from them is so more likely than not.
# Single languages and pairs have no interval for SADS and LRDS, and are not corrected for the bias of few sentences, as the line over all languages is.
# Colours compare within a map and its twin's, not from one model to another; and neurons of two models have no common numbers.
# What goes with what is not seen here, and what causes what even less: for that there are the chapters.

# %% tags=["hide-cell"]
collate.provenance(results, published)
