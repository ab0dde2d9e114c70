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
# A trained model shows where meaning is shared; only its checkpoints show when, and what had to happen first.
# This chapter reads the tables that every run has written and puts them in the order of training.
# Beside the model stands its control: the same architecture, the same languages, the same number of steps, but no line of text in two languages.
#
# | | |
# |---|---|
# | **Reads** | the tables of all runs of a sample sheet, and the published ones (`book/published`) for what was not run here |
# | **Writes** | nothing |
# | **Costs** | seconds |

# %% tags=["remove-cell"]
# On Colab: install the package beside Colab's own torch.
import importlib.util

if importlib.util.find_spec("lingua_utils") is None:
    get_ipython().run_line_magic("pip", "install -q git+https://github.com/lingua-franca-book/lingua-franca-book")

# %%
from IPython.display import Markdown

from lingua_utils import charts, corpus as corpora, evolution, projection, sheets, theme

theme.use()

# %% tags=["parameters"]
sheet: str = "runs/lab.csv"  # the sample sheet whose runs are read
results: str = "results"  # root of all results

# %%
rows = sheets.read_sheet(sheet)
main = rows[-1]  # the last row: the model and the corpus that this chapter follows
similarity = evolution.collate("similarity", results)
similarity = similarity[similarity.corpus == main["corpus"]]
