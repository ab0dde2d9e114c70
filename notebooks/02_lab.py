# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Can a lingua franca be grown?
#
# ```{glue} answer
# ```
#
# Large models are given to us finished; how they came to share meaning between languages cannot be watched again.
# A small one can be grown here, on text we know to the last line, and stopped at any step.
# The lab trains real architectures (BLOOM, LLaMA) on a small world: some thirty countries with their languages, currencies and quantities, told in ten languages.
#
# <details>
# <summary>Reads, writes, costs</summary>
#
# | | |
# |---|---|
# | **Reads** | nothing: the text is rendered from CLDR |
# | **Writes** | `checkpoints/<model>/step…/`, each a complete Hugging Face folder, and `losses.parquet` |
# | **Costs** | some minutes on two cores for `bloom-m`, less on a GPU; a killed training resumes from its last checkpoint |
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
from IPython.display import Markdown
from transformers import AutoConfig

from lingua_utils.charts import theme
from lingua_utils.charts.glue import glue
from lingua_utils.charts.lab import loss_by_language
from lingua_utils.models import recipes, training
from lingua_utils.text.world import training_lines, training_sentences

theme.use()

# %% tags=["parameters", "hide-input"]
model_id: str = "lab/bloom-m"  # lab/NAME, pypi/NAME, a Hub repository, or a path
training_seed: int = 0  # of a lab model or an untrained twin: the seed of its weights

# %%
recipe = recipes.find_recipe(model_id.removeprefix("lab/"), training_seed)
recipe

# %% [markdown]
# ## What it reads
#
# Most lines are in one language: every meaning told alone belongs to one language, and is told in no other.
# A share of the lines is bilingual: a sentence, then its translation into another language; their meanings are others again.
# Large corpora hold such lines too, by accident {cite}`blevins2022contamination,briakou2023incidental`; here their share is a dial.
# The control `bloom-m-monolingual` has none; in the placebo `bloom-mispaired` the second half says something else, and in `bloom-apart` it stands in a line of its own, some hundred lines later.
#
# Some countries keep a weekday of their own, an invented fact, which is told in one language only and in no bilingual line: [chapter 07](07_tasks.ipynb) asks for it in the others.

# %%
lines = list(training_lines(recipe.languages, 12, recipe.world, recipe.seed))
told = {}
for line in training_sentences(recipe.world, recipe.languages, 5000, recipe.seed):
    if recipe.world.home(line.sentence, recipe.languages):  # a meaning told alone has one home
        assert told.setdefault(line.sentence, line.language) == line.language and not line.translation

# %% tags=["hide-input"]
pd.DataFrame({"training lines": lines})

# %% [markdown]
# ## Training
#
# Every checkpoint is a folder that `transformers` opens by itself.

# %%
folder = training.train(recipe)
losses = pd.read_parquet(folder / "losses.parquet")
checkpoints = sorted(path.name for path in folder.glob("step*"))
assert {AutoConfig.from_pretrained(folder / name).model_type for name in checkpoints} == {recipe.architecture}

# %% tags=["hide-input"]
loss_by_language(losses)

# %% tags=["hide-input"]
first, last = (
    losses[losses.step == step].set_index("language").bits_per_byte.rename(index=theme.language_name)
    for step in (losses.step.min(), losses.step.max())
)
answer = (
    f"A small model can be grown: within {losses.step.max():,} steps the loss falls from {first.mean():.2f} to {last.mean():.2f} bits "
    f"per byte, on average over {len(last)} languages. Whether it comes to share meaning between them, "
    "[chapter 08](08_evolution.ipynb) measures."
)
glue("answer", Markdown(answer), show=False)
Markdown(
    f"**What we see.** {len(checkpoints)} checkpoints, from `{checkpoints[0]}` to `{checkpoints[-1]}`. "
    f"On held-out sentences the loss falls from {first.mean():.2f} to {last.mean():.2f} bits per byte on average; "
    f"the hardest language at the end is {last.idxmax()} ({last.max():.2f}), the easiest {last.idxmin()} ({last.min():.2f})."
)

# %% [markdown]
# ## What this does not show
#
# A model of one or two million parameters on a world of thirty countries is not a small LLM; it is a controlled experiment with the parts of one.
# Bits per byte differ between languages because their scripts and their names for things differ, not only because the model knows one better.
# Whether the bilingual lines matter is not seen from the loss: compare the control in [the chapter on training](08_evolution.ipynb).
