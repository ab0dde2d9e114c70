"""What the README says, the published tables hold."""

from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MODELS = {"lab/bloom-m": "the model", "lab/bloom-m-monolingual": "the control"}


def last_sads(model: str, scale: str = "standardised") -> float:
    """SADS over all layers at the last published checkpoint of a model."""
    table = pd.read_parquet(ROOT / "book/published/similarity.parquet")
    of_model = table[(table.model_id == model) & (table.layer == "all") & (table.scale == scale)]
    return of_model[of_model.kind == "all"].sort_values("step").sads.iloc[-1]


def best_retrieval(model: str) -> float:
    """Mean retrieval over language pairs at the last checkpoint, in the layer where it is highest."""
    table = pd.read_parquet(ROOT / "book/published/retrieval.parquet")
    last = table[(table.model_id == model) & (table.kind == "all") & (table.layer != "all")]
    last = last[last.step == last.step.max()]
    return last.groupby("layer").accuracy.mean().max()


@pytest.mark.parametrize("model", MODELS)
def test_the_finding_of_the_readme_is_that_of_the_published_tables(model):
    (finding,) = (line for line in README.splitlines() if line.startswith("Standardised SADS"))
    assert f"{last_sads(model):.2f} in {MODELS[model]}" in finding
    assert f"{best_retrieval(model):.0%} in {MODELS[model]}" in finding


def test_the_finding_is_said_of_this_lab_only():
    assert "in this lab, at this budget" in README


def test_nothing_is_called_published_before_it_is():
    assert "github.io" not in README and "published book" not in README
