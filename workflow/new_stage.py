"""Lay out a new stage: a notebook that runs, its row in the table of stages, its page, and a test.

    make stage NAME=cka

What is written is a whole stage with one measure, to be replaced by yours.
"""

import argparse
import csv
import re
import subprocess
import sys
from pathlib import Path

import yaml

from lingua_utils import files
from lingua_utils.runs import settings, sheets

ROOT = Path(__file__).resolve().parent.parent
TABLE = Path("lingua_utils/runs/stages.csv")

NOTEBOOK = '''# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What does {name} show?
#
# How alike are the neurons' answers in two languages, layer by layer?
#
{head}

# %% tags=["remove-cell"]
# On Colab: install the package beside Colab's own torch.
import importlib.util

if importlib.util.find_spec("lingua_utils") is None:
    from IPython import get_ipython

    address = "git+{address}"
    get_ipython().run_line_magic("pip", f"install -q {{address}}")

# %% tags=["hide-input"]
import altair as alt
import numpy as np
from IPython.display import Markdown

from lingua_utils import runs
from lingua_utils.charts import theme

theme.use()

# %% tags=["parameters", "hide-input"]
{parameters}
results: str = "results"  # root of all results

# %% tags=["hide-input"]
run = runs.from_parameters(globals())
run

# %% [markdown]
# ## The measure
#
# The correlation, over neurons, of the mean activations of every two languages; below it is averaged over the pairs.


# %%
def measure(vectors):
    """Mean correlation of languages, of an array [language, sentence, neuron]; in [-1, 1]."""
    together = np.corrcoef(vectors.mean(axis=1))
    return together[~np.eye(len(together), dtype=bool)].mean()


# %%
@run.table
def {name}():
    """The measure in each layer, beside what it is when the languages are shuffled within each meaning."""
    rng = np.random.default_rng(run.seed)
    for index, layer in enumerate(run.activations().layers):
        vectors = run.activations().layer(index)
        shuffled = rng.permuted(vectors, axis=0)
        yield {{"layer": layer, "layer_index": index, "{name}": measure(vectors), "shuffled": measure(shuffled)}}


# %% tags=["hide-input"]
alt.Chart({name}, title="{name}, layer by layer").transform_fold(["{name}", "shuffled"]).mark_line(point=True).encode(
    alt.X("layer:N", sort=None), alt.Y("value:Q"), alt.Color("key:N", title=None)
).properties(width="container", description="{name} in each layer, and with languages shuffled.")

# %% tags=["hide-input"]
highest = {name}.loc[{name}["{name}"].idxmax()]
found = f"{{highest.{name}:.3f}} in layer {{highest.layer}}, where shuffled languages give {{highest.shuffled:.3f}}"
Markdown(f"**What we see.** At its highest it is {{found}}.")

# %% [markdown]
# ## What this does not show
#
# Languages whose means agree need not treat each sentence alike.

# %% tags=["hide-cell", "nbval-ignore-output"]
run.tables()
'''

TEST = '''"""The stage {name}."""

import numpy as np


def test_the_stage_{name}_writes_one_row_for_each_layer(small_run, tmp_path):
    executed = small_run("{notebook}", tmp_path)
    table = executed.table("{name}")
    assert len(table) == len(table.layer.unique()) and np.isfinite(table["{name}"]).all()
'''


def lay_out(name: str, root: Path = ROOT) -> list[Path]:
    """Write the files of a stage; returns them.

    Raises
    ------
    ValueError
        For a name that is no word of small letters, or that a stage, a table or a notebook has already.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(f"a stage cannot be named {name!r}; use small letters, digits and _")
    tables = [table for stage in sheets.STAGES for table in stage.writes]
    if name in tables or name in [stage.name for stage in sheets.STAGES]:
        raise ValueError(f"there is a stage or a table {name!r} already; choose another name")
    numbers = [int(path.name[:2]) for path in (root / "notebooks").glob("[0-9][0-9]_*.py")]
    notebook = f"{max(numbers) + 1:02d}_{name}"
    row = {
        "stage": name, "notebook": notebook, "per": "run", "reads": "the activations of the run", "writes": name,
        "published": "", "beside": "", "costs": "seconds",
    }  # fmt: skip
    with (root / TABLE).open("a", encoding="utf-8", newline="") as lines:
        csv.DictWriter(lines, list(row), lineterminator="\n").writerow(row)
    stage = sheets.Stage(name, notebook, "run", row["reads"], (name,), (), "", row["costs"])
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    text = NOTEBOOK.format(
        name=name,
        head="\n".join(f"# {line}" for line in sheets.head_of(notebook, [stage]).splitlines()),
        address=config["repository"]["url"],
        parameters=settings.parameters_cell(),
    )
    source, test = root / f"notebooks/{notebook}.py", root / f"tests/test_{name}.py"
    written = {source: text, test: TEST.format(name=name, notebook=notebook)}
    for path, content in written.items():
        with files.writing(path) as temporary:
            temporary.write_text(content, encoding="utf-8")
    jupytext = [sys.executable, "-m", "jupytext", "--quiet", "--to", "ipynb", str(source)]
    subprocess.run(jupytext, check=True, cwd=root)
    toc = root / "_toc.yml"
    entries = toc.read_text(encoding="utf-8")
    last = re.findall(r"^ +- file: notebooks/(?!00)\d\d_\w+\n", entries, flags=re.M)[-1]
    page = re.sub(r"notebooks/\w+", f"notebooks/{notebook}", last)
    with files.writing(toc) as temporary:
        temporary.write_text(entries.replace(last, last + page), encoding="utf-8")
    return [*written, source.with_suffix(".ipynb"), root / TABLE, toc]


def main() -> int:
    """Command line: the name of the stage."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", help="a word such as cka")
    try:
        for path in lay_out(parser.parse_args().name):
            print(path.relative_to(ROOT))
    except ValueError as error:
        print(f"{Path(__file__).name}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
