"""What the README says, the published tables hold."""

from pathlib import Path

import pandas as pd
import pytest

from lingua_utils.runs import collate

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
NAMES = {
    "lab/bloom-m": "the model",
    "lab/bloom-m-monolingual": "the control",
    "lab/bloom-mispaired": "mispaired lines",
    "lab/bloom-apart": "translations apart",
}


@pytest.fixture(scope="module")
def ends() -> pd.DataFrame:
    """Outcomes at the last checkpoint: mean over training seeds of each model."""
    folder = ROOT / "book/published/lab-all"
    tables = (pd.read_parquet(folder / f"{name}.parquet") for name in ("similarity", "retrieval"))
    outcomes = collate.outcomes(*tables)
    last = outcomes[outcomes.step == outcomes.groupby("model_id").step.transform("max")]
    return last.groupby(["outcome", "model_id"]).value.agg(["mean", "size"])


@pytest.mark.parametrize("model", NAMES)
def test_the_finding_of_the_readme_is_that_of_the_published_tables(ends, model):
    (finding,) = (line for line in README.splitlines() if line.startswith("Standardised SADS"))
    assert f"{ends['mean'].loc['SADS', model]:.2f} ({NAMES[model]})" in finding
    found = ends["mean"].loc["translations found, across scripts", model]
    assert f"{found:.0%} ({NAMES[model]})" in finding
    assert ends["size"].loc["SADS", model] == 1 and "one training each" in finding


def test_what_the_readme_says_of_tasks_is_so():
    table = pd.read_parquet(ROOT / "book/published/lab-all/accuracy.parquet")
    last = table[(table.model_id == "lab/bloom-m") & (table.step == table.step.max())]
    last = last.drop_duplicates("asked").set_index("asked")
    assert last.mean_low["transfer"] < last.chance["transfer"] < last.mean_high["transfer"]
    assert last.mean_low["translation"] > last.chance["translation"]


def test_the_finding_is_said_of_this_lab_only():
    assert "in this lab, at this budget" in README


def test_nothing_is_called_published_before_it_is():
    assert "github.io" not in README and "published book" not in README
