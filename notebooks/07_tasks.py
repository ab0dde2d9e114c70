# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Does it still choose the right ending?
#
# The paper ties the alignment of meaning to accuracy on tasks in several languages.
# Here the model is asked, without any example, to choose the right continuation of a text; once intact, and once with each region silenced while it is being asked.
# The questions are the same in every language, so the accuracies can be compared.
#
# | | |
# |---|---|
# | **Reads** | the model, and questions that are the same in every language; the model, its regions, and the same questions |
# | **Writes** | `accuracy`, `tasks` |
# | **Costs** | seconds for the lab; the harness scores every choice of every item; minutes for the lab |

# %% tags=["remove-cell"]
# On Colab: install the package, with lm-evaluation-harness, beside Colab's own torch.
import importlib.util

if importlib.util.find_spec("lm_eval") is None:
    from IPython import get_ipython

    address = "git+https://github.com/lingua-franca-book/lingua-franca-book"
    get_ipython().run_line_magic("pip", f'install -q "lingua-utils[tasks] @ {address}"')

# %% tags=["hide-input"]
import numpy as np
import torch
from IPython.display import Markdown, display
from tqdm.auto import tqdm

from lingua_utils import runs
from lingua_utils.charts import tasks as draw
from lingua_utils.charts import theme
from lingua_utils.measure import tasks as measure
from lingua_utils.measure.ablation import mean_activations, random_regions
from lingua_utils.measure.intervals import matched_change

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
silenced: bool = True  # ask again with each region silenced

# %% tags=["hide-input"]
run = runs.from_parameters(globals())
run

# %% [markdown]
# ## The questions
#
# An item of the cloze is a country and a fact that CLDR knows about it; the three wrong choices are the same fact of other countries.
# A model of the Hub can be asked XStoryCloze {cite}`lin2022xglm` instead: a story in four sentences, and the right one of two endings.

# %%
asked = run.settings
languages = measure.languages_of(asked.task, run.corpus().languages)
items = measure.cloze_items(run.corpus().languages, n_items=asked.n_items, seed=run.seed)
assert (
    items.groupby("item").answer.nunique().eq(1).all()
)  # the right choice stands at one place in every language

# %% tags=["hide-input"]
if asked.task == "cloze":
    shown = items.groupby("language", sort=False).head(1).set_index("language")
    display(shown.rename(index=theme.language_name))

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
first = items[items.language == languages[0]].head(5)
if asked.task == "cloze" and run.settings.model_id.startswith("lab/"):
    by_hand = [choose(item.context, item.choices) == item.answer for item in first.itertuples()]
    harness = measure.Harness(run.loaded, languages[:1], "cloze", asked.n_items, run.seed)
    assert np.array_equal(by_hand, harness.correct(n_items=len(first))[0, :, 0])

# %% [markdown]
# ## Intact


# %%
@run.table
def accuracy():
    """Share of items answered rightly in each language, with interval and chance."""
    return measure.accuracy(run.loaded, languages, asked.task, asked.n_items, seed=run.seed)


# %% tags=["hide-input"]
draw.accuracy_by_language(accuracy)

# %% tags=["hide-input"]
above = accuracy[accuracy.low > accuracy.chance]
Markdown(
    f"**What we see.** Of {accuracy.n_items.iloc[0]} items per language, {accuracy.accuracy.mean():.0%} are answered "
    f"rightly on average, where chance is {accuracy.chance.iloc[0]:.0%}; above chance beyond the interval in "
    f"{len(above)} of {len(accuracy)} languages."
)

# %% [markdown]
# ## With a region silenced
#
# The region is silent during the evaluation, not before it.
# Beside each region stands a random one with as many neurons in each layer.
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
    harness = measure.Harness(run.loaded, languages, asked.task, asked.n_items, run.seed)
    means = mean_activations(run.activations()) if asked.silence_to == "mean" else None
    held = {"to": asked.silence_to, "means": means}
    intact = harness.correct()
    for rule, language, draw_, region in tqdm(list(to_silence(selected)), desc=asked.task):
        correct = intact if region is None else harness.correct(region, asked.silenced_items, **held)
        at = {"rule": rule, "region_language": language, "draw": draw_}
        change = matched_change(intact[:, : correct.shape[1], 0], correct[..., 0])
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
# Whether accuracy goes with SADS through training is a question for all checkpoints together: see [the chapter on training](08_evolution.ipynb).
# One random region beside each is a sanity check, not a distribution; [the chapter on silencing](06_ablation.ipynb) has that.

# %% tags=["hide-cell", "nbval-ignore-output"]
run.tables()
