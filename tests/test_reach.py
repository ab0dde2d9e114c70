"""Chapter 10: how far the lingua franca reaches, on made-up tables of the Declaration of Human Rights."""

import fake_tables
import numpy as np
import pandas as pd
import pytest
import vl_convert
from fake_tables import N_PARAGRAPHS, REACHING
from in_process import run_notebook
from scipy import stats
from specification import data_sets, fields, rows_of

from lingua_utils.charts import languages as draw
from lingua_utils.charts.parts import MAX_ROWS
from lingua_utils.runs.settings import RunSettings
from lingua_utils.text.languages import get_language


def publish(folder, retrieval, tokens):
    """Write tables as `make publish` does: with every setting, and a manifest for each run."""
    for name, table in (("retrieval", retrieval), ("tokens", tokens)):
        settings = RunSettings("m", corpus="udhr", n_sentences=0, dtype="bfloat16").as_dict()
        given = {key: value for key, value in settings.items() if key not in table}
        progress = {"step": pd.NA, "tokens_seen": pd.NA, "published": True, "code": "c"}
        whole = table.assign(**given, **progress)
        (folder / "real").mkdir(parents=True, exist_ok=True)
        whole.astype({"step": "Int64"}).to_parquet(folder / "real" / f"{name}.parquet", index=False)
    (folder / "real" / "manifests.json").write_text("[]")
    return folder


@pytest.fixture(scope="module")
def chapter(tmp_path_factory) -> dict:
    """What the chapter leaves behind."""
    folder = tmp_path_factory.mktemp("published")
    publish(folder, *fake_tables.declaration())
    nowhere = str(folder / "results")
    return run_notebook("10_languages", published=str(folder), results=nowhere, sheet="runs/lab.csv")
