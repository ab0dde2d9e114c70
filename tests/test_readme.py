"""What the README says, the published tables hold."""

import re
from pathlib import Path

import pandas as pd
import pytest

from workflow import readme_figure

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PUBLISHED = str(ROOT / "book/published")


@pytest.mark.parametrize("part", ["finding", "real", "lab"])
def test_the_finding_of_the_readme_is_that_of_the_published_tables(part):
    said = {
        name: text
        for _, name, text, _ in re.findall(
            r"(<!-- (\w+): computed -->)\n(.*?)\n(<!-- end -->)", README, flags=re.S
        )
    }
    assert said[part] == readme_figure.sentences(PUBLISHED)[part]


def test_what_the_readme_says_of_tasks_is_so():
    table = pd.read_parquet(ROOT / "book/published/lab-all/accuracy.parquet")
    last = table[(table.model_id == "lab/bloom-m") & (table.step == 800)]
    last = last.drop_duplicates("asked").set_index("asked")
    assert last.mean_low["transfer"] < last.chance["transfer"] < last.mean_high["transfer"]
    assert last.mean_low["translation"] > last.chance["translation"]


def test_the_finding_is_said_of_this_lab_only():
    assert "in this lab, at this budget" in README


def test_nothing_is_called_published_before_it_is():
    assert "github.io" not in README and "published book" not in README
