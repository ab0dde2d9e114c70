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
# | **Reads** | the regions of the run |
# | **Writes** | `accuracy`, and with regions silenced `tasks` (parquet) |
# | **Costs** | a few minutes for the lab; the harness scores every choice of every item |

# %% tags=["remove-cell"]
# On Colab: install the package, with lm-evaluation-harness, beside Colab's own torch.
import importlib.util

if importlib.util.find_spec("lm_eval") is None:
    from IPython import get_ipython

    address = "git+https://github.com/lingua-franca-book/lingua-franca-book"
    get_ipython().run_line_magic("pip", f'install -q "lingua-utils[tasks] @ {address}"')

# %%
from IPython.display import Markdown, display

from lingua_utils.charts import region_figures as region_charts
from lingua_utils.charts import theme
from lingua_utils.measure import tasks
from lingua_utils.runs import run as runs

theme.use()

# %% tags=["parameters"]
model_id: str = "lab/bloom-m"  # the lab, a local folder or a Hub repository
revision: str = "main"  # a branch, a tag or a lab checkpoint
corpus: str = "world"  # "world", "phrasebook", a published one such as "flores", or a path
languages: str = "default"  # FLORES codes separated by spaces, or "default"
n_sentences: int = 200  # meanings; 0 takes all there are
digits: str = ""  # "none", "latin" or "native"; empty for the corpus's default
pooling: str = "mean"  # "mean", "skip_first" or "last"
dtype: str = "auto"  # "auto" (as saved), "float32", "bfloat16" or "float16"
device: str = ""  # "cpu", "cuda" or "auto" (all GPUs together); empty for the best there is
task: str = "cloze"  # "cloze" (no download) or "xstorycloze" (from the Hub)
seed: int = 0  # of the text and of every resampling
results: str = "results"  # root of all results
silenced: bool = True  # ask again with each region silenced

# %%
run = runs.Run(
    model_id,
    revision,
    corpus=corpus,
    languages=languages,
    n_sentences=n_sentences,
    digits=digits,
    pooling=pooling,
    dtype=dtype,
    device=device,
    task=task,
    seed=seed,
    results=results,
)
run

# %% [markdown]
# ## The questions
#
# An item of the cloze is a country and a fact that CLDR knows about it; the three wrong choices are the same fact of other countries.
# A model of the Hub can be asked XStoryCloze {cite}`lin2022xglm` instead: a story in four sentences, and the right one of two endings.

# %% tags=["hide-input"]
items = tasks.cloze_items(run.corpus().languages, n_items=200, seed=seed)
if task == "cloze":
    display(items.groupby("language", sort=False).head(1).set_index("language"))

# %% [markdown]
# ## Intact

# %%
intact = run.stage("accuracy")["accuracy"]

# %% tags=["hide-input"]
region_charts.accuracy_by_language(intact)

# %% tags=["hide-input"]
above = intact[intact.low > intact.chance]
Markdown(
    f"**What we see.** Of {intact.n_items.iloc[0]} items a language, {intact.accuracy.mean():.0%} are answered "
    f"rightly on average, where chance is {intact.chance.iloc[0]:.0%}; above chance beyond the interval in "
    f"{len(above)} of {len(intact)} languages."
)

# %% [markdown]
# ## With a region silenced
#
# The region is silent during the evaluation, not before it.
# Beside each region stands a random one with as many neurons in each layer.
# This is asked of a few checkpoints only (`silenced`).

# %% tags=["hide-input"]
if silenced:
    accuracy = run.stage("tasks")["tasks"]
    display(region_charts.accuracy_silenced(accuracy))

# %% tags=["hide-input"]
if silenced:
    at_home = accuracy.region_language == accuracy.text_language
    random = accuracy.method == "random"
    own, control = accuracy[at_home & ~random], accuracy[at_home & random]
    other = accuracy[~at_home & ~random & (accuracy.method != "intact")]
    text = (
        f"**What we see.** Without its own region a language's accuracy changes by {own.change.mean():+.3f} on "
        f"average, without another language's by {other.change.mean():+.3f}, without a random region by "
        f"{control.change.mean():+.3f}; {(own.change_high < 0).sum()} of {len(own)} languages lose beyond their "
        "interval without their own region."
    )
    display(Markdown(text))

# %% [markdown]
# ## Checks
#
# Items of the cloze are parallel: the right choice stands at the same place in every language.

# %%
assert items.groupby("item").answer.nunique().eq(1).all()

# %% [markdown]
# ## What this does not show
#
# Knowing which currency belongs to which country is recall of the small world, not reasoning; the endings of XStoryCloze ask for more, and only of real models.
# Whether accuracy goes with SADS through training is a question for all checkpoints together: see the chapter on training.
# One random region beside each is a sanity check, not a distribution; the chapter on silencing has that.

# %% tags=["hide-input", "nbval-ignore-output"]
run.provenance()
