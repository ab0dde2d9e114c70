"""Tables of all runs as one, and trends whose numbers are known."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lingua_utils.measure.trends import ratio
from lingua_utils.runs import collate as evolution
from lingua_utils.runs import run as runs

STEPS = (0, 32, 128, 1200)


def write_run(results, model_id, revision, corpus="world", sads=0.1, weights=None):
    folder = results / corpus / model_id.replace("/", "--") / revision
    folder.mkdir(parents=True)
    run = {"model_id": model_id, "revision": revision, "corpus": corpus}
    stages = {"similarity": {"seconds": 1.5, "finished": "2025-01-01", "digest": "d", "weights": weights}}
    (folder / "manifest.json").write_text(json.dumps({"run": run, "stages": stages}))
    pd.DataFrame({"layer": ["0", "all"], "sads": [0.0, sads]}).to_parquet(folder / "similarity.parquet")


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setenv("LINGUA_CHECKPOINTS", str(tmp_path / "checkpoints"))
    for revision in ("step001200", "main", "step000032"):
        write_run(tmp_path / "results", "lab/bloom-m", revision)
    write_run(tmp_path / "results", "lab/llama-m", "step000032")
    return tmp_path / "results"


def lab_rows(*revisions, model_id="lab/bloom-m"):
    return [{"model_id": model_id, "revision": revision} for revision in revisions]


def write_losses(results, name):
    folder = results.parent / "checkpoints" / name
    folder.mkdir(parents=True)
    table = pd.DataFrame(
        {"step": [0, 8], "language": "eng_Latn", "loss": [8.0, 2.0], "bits_per_byte": [4.0, 1.0]}
    )
    table.to_parquet(folder / "losses.parquet")


def scores(lrds, sads, se=0.01, steps=STEPS):
    table = pd.DataFrame({"step": steps, "lrds": lrds, "sads": sads, "lrds_se": se, "sads_se": se})
    for score in ("lrds", "sads"):
        table[f"{score}_low"], table[f"{score}_high"] = table[score] - 2 * se, table[score] + 2 * se
        table[f"{score}_null_high"] = 0.001
    table["revision"] = [f"step{step:06}" for step in steps]
    constant = dict(corpus="world", model_id="lab/bloom-m", layer="all", kind="all", centred=False)
    return table.assign(**constant).astype({"step": "Int64"})


# ---- collation ------------------------------------------------------------------------------------------


def test_runs_come_in_the_order_of_training_with_the_final_model_last(results):
    table = evolution.collate("similarity", results)
    bloom = table[table["model_id"] == "lab/bloom-m"].drop_duplicates("revision")
    assert bloom["revision"].tolist() == ["step000032", "step001200", "main"]
    assert bloom["step"].tolist() == [32, 1200, pd.NA]
    assert table["step"].dtype == "Int64"
    assert table.columns.tolist() == [
        *("corpus", "model_id", "revision", "step", "tokens", "published"),
        *("layer", "sads"),
    ]
    assert not table["published"].any() and len(table) == 8


def test_tokens_seen_are_told_where_the_revision_tells_them(results):
    write_run(results, "swiss-ai/Apertus-8B-2509", "step50000-tokens210B", corpus="flores")
    table = evolution.collate("similarity", results)
    tokens = table.drop_duplicates(["model_id", "revision"]).set_index("revision")["tokens"]
    assert tokens["step50000-tokens210B"] == 210_000_000_000
    assert tokens.drop("step50000-tokens210B").isna().all()


def test_a_revision_with_the_weights_of_an_earlier_one_is_reported_and_is_no_point_of_a_curve(results):
    for revision, weights in (("100000", "a"), ("200000", "a"), ("300000", "b")):
        write_run(results, "bigscience/bloom-7b1-intermediate", f"global_step{revision}", weights=weights)
    write_run(results, "someone/copy", "global_step100000", weights="a")
    repeated = evolution.repeated_weights(results)
    assert repeated.to_numpy().tolist() == [
        ["world", "bigscience/bloom-7b1-intermediate", "global_step200000", "global_step100000"]
    ]
    table = evolution.collate("similarity", results)
    of_bloom = table[table["model_id"] == "bigscience/bloom-7b1-intermediate"]
    assert of_bloom["step"].unique().tolist() == [100_000, 300_000]
    assert "someone/copy" in set(table["model_id"])


def test_a_table_that_is_still_being_written_is_passed_over(results):
    write_run(results / ".scratch", "lab/bloom-m", "step000064")
    assert len(evolution.collate("similarity", results)) == 8


def test_only_the_corpus_asked_for_is_read(results):
    write_run(results, "lab/bloom-m", "step000032", corpus="phrasebook")
    assert set(evolution.collate("similarity", results, corpus="phrasebook")["corpus"]) == {"phrasebook"}


def test_only_the_runs_of_a_sheet_are_read(results, tmp_path):
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("model_id,revision\nlab/bloom-m,step000032\n")
    table = evolution.collate("similarity", results, sheet=sheet)
    assert set(zip(table["model_id"], table["revision"], strict=True)) == {("lab/bloom-m", "step000032")}


def test_a_table_that_no_run_has_is_named(results):
    with pytest.raises(FileNotFoundError, match="no table 'regions' on corpus 'world'"):
        evolution.collate("regions", results, corpus="world")


def test_only_what_is_missing_is_measured(results, tmp_path, monkeypatch):
    measured = []
    monkeypatch.setattr(runs.Run, "stage", lambda run, stage: measured.append((run.revision, stage)))
    rows = [
        {"model_id": "lab/bloom-m", "revision": revision, "stages": "activations similarity regions"}
        for revision in ("step000032", "step000064")
    ]
    evolution.complete(rows, ["similarity", "accuracy"], results)
    assert measured == [("step000064", "similarity")]


# ---- publishing -----------------------------------------------------------------------------------------


def test_published_runs_stand_in_for_those_that_are_not_there(results, tmp_path):
    write_losses(results, "bloom-m")
    rows = lab_rows("step000032", "step001200")
    folder = evolution.publish(results, rows, tmp_path / "published", tables=["similarity"])
    elsewhere = tmp_path / "elsewhere"
    write_run(elsewhere, "lab/bloom-m", "step000032", sads=0.7)
    table = evolution.collate("similarity", elsewhere, folder).query("layer == 'all'")
    assert table["published"].tolist() == [False, True]
    assert table["sads"].tolist() == pytest.approx([0.7, 0.1])
    assert table["step"].tolist() == [32, 1200]
    assert table["step"].dtype == "Int64"


def test_publishing_writes_only_the_rows_asked_for_and_their_manifests(results, tmp_path):
    write_losses(results, "bloom-m")
    write_losses(results, "llama-m")
    folder = evolution.publish(results, lab_rows("step000032"), tmp_path / "published", tables=["similarity"])
    assert len(pd.read_parquet(folder / "similarity.parquet")) == 2
    assert set(pd.read_parquet(folder / "losses.parquet")["model_id"]) == {"lab/bloom-m"}
    manifests = json.loads((folder / "manifests.json").read_text())
    assert [manifest["run"]["revision"] for manifest in manifests] == ["step000032"]


def test_a_run_that_was_not_done_is_not_published(results, tmp_path):
    write_losses(results, "bloom-m")
    with pytest.raises(FileNotFoundError, match="step000999"):
        evolution.publish(results, lab_rows("step000999"), tmp_path / "published", tables=["similarity"])
    assert not (tmp_path / "published").exists()


def test_losses_of_models_not_trained_here_are_the_published_ones(results, tmp_path):
    write_losses(results, "bloom-m")
    write_losses(results, "llama-m")
    rows = lab_rows("step000032") + lab_rows("step000032", model_id="lab/llama-m")
    folder = evolution.publish(results, rows, tmp_path / "published", tables=["similarity"])
    (results.parent / "checkpoints" / "bloom-m" / "losses.parquet").unlink()
    losses = evolution.collate_losses(folder)
    assert dict(zip(losses["model_id"], losses["published"], strict=True)) == {
        "lab/bloom-m": True,
        "lab/llama-m": False,
    }
    assert len(losses) == 4


def test_provenance_tells_published_runs_from_those_done_here(results, tmp_path):
    write_losses(results, "bloom-m")
    folder = evolution.publish(
        results, lab_rows("step000032", "step001200"), tmp_path / "published", ["similarity"]
    )
    write_run(tmp_path / "elsewhere", "lab/bloom-m", "step000032")
    table = evolution.provenance(tmp_path / "elsewhere", folder)
    assert dict(zip(table["revision"], table["published"], strict=True)) == {
        "step000032": False,
        "step001200": True,
    }
    assert table["seconds"].tolist() == [1.5, 1.5]


# ---- trends ---------------------------------------------------------------------------------------------


def test_a_trend_finds_the_peak_and_the_growth():
    trend = evolution.trend(scores(lrds=[0.2, 0.05, 0.34, 0.21], sads=[0.07, 0.02, 0.06, 0.2], se=0.001))
    assert (trend.peak_step, trend.early_step, trend.end_step) == (128, 32, 1200)
    assert trend.past_peak
    assert trend.growth.value == pytest.approx(10)
    assert trend.growth.low > 8
    assert "peaks at step 128 with 0.34 (0.338 to 0.342)" in trend.sentence()
    assert "the factor is 10 (" in trend.sentence()


def test_a_fall_within_the_intervals_is_not_called_one():
    trend = evolution.trend(scores(lrds=[0.1, 0.2, 0.23, 0.22], sads=[0, 0, 0.1, 0.2]))
    assert not trend.past_peak
    assert "not clearly below the peak" in trend.sentence()


def test_growth_is_counted_from_the_nearest_checkpoint():
    table = scores([0.1] * 3, [0.1, 0.2, 0.3], steps=(0, 48, 1200))
    assert evolution.trend(table).early_step == 48


def test_a_trend_of_two_models_is_refused():
    table = scores([0.1] * 4, [0.1] * 4)
    with pytest.raises(ValueError, match="a trend is of one model, got lab/bloom-m, other"):
        evolution.trend(pd.concat([table, table.assign(model_id="other")]))


def test_end_points_are_the_last_checkpoint_of_each_model():
    table = scores([0.1] * 4, [0.1, 0.2, 0.3, 0.4])
    ends = evolution.end_points(pd.concat([table, table.assign(model_id="other", sads=0.0)]))
    assert ends["model_id"].tolist() == ["lab/bloom-m", "other"]
    assert ends["step"].tolist() == [1200, 1200]
    assert ends["sads"].tolist() == [0.4, 0.0]


def test_the_interval_of_a_ratio_covers_it_as_often_as_it_says():
    rng = np.random.default_rng(0)
    draws = rng.normal([0.1, 0.02], [0.01, 0.005], (2000, 2))
    limits = [ratio(above, 0.01, below, 0.005) for above, below in draws]
    covered = np.mean([estimate.low <= 5 <= estimate.high for estimate in limits])
    assert covered == pytest.approx(0.95, abs=0.02)


@settings(max_examples=50)
@given(st.floats(0.1, 10), st.floats(0.1, 10))
def test_a_ratio_of_precise_numbers_has_the_interval_of_the_delta_method(above, below):
    estimate = ratio(above, 1e-4 * above, below, 2e-4 * below)
    half = 1.96 * np.sqrt(5) * 1e-4 * above / below
    assert (estimate.low, estimate.high) == pytest.approx(
        (above / below - half, above / below + half), rel=1e-5
    )


def test_a_ratio_over_what_may_be_zero_has_no_upper_limit():
    estimate = ratio(0.1, 0.01, 0.002, 0.002)
    assert estimate.high == np.inf
    assert str(estimate) == f"at least {estimate.low:.3g}"
    assert 10 < estimate.low < 50
    assert str(ratio(0.001, 0.01, 0.002, 0.002)) == "undetermined"


def test_rank_correlation_sees_order_and_not_scale():
    x = np.arange(12.0)
    assert evolution.rank_correlation(x, np.exp(x)).value == pytest.approx(1)
    assert evolution.rank_correlation(x, -(x**3)).value == pytest.approx(-1)


def test_rank_correlation_of_noise_has_zero_in_its_interval():
    x, y = np.random.default_rng(5).normal(size=(2, 40))
    estimate = evolution.rank_correlation(x, y)
    assert estimate.low < 0 < estimate.high
    assert estimate.value == pytest.approx(pd.Series(x).rank().corr(pd.Series(y).rank()))


def test_rank_correlation_leaves_out_pairs_with_a_missing_value():
    x = [0.1, 0.2, 0.3, 0.4, np.nan]
    assert evolution.rank_correlation(x, [1, 2, 3, 4, 0]).value == pytest.approx(1)
    with pytest.raises(ValueError, match="at least 4 pairs, got 3"):
        evolution.rank_correlation(x, [1, 2, 3, np.nan, 0])
