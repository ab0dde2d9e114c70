"""Tables of many runs as one: in order, with their settings, and never mixed without a word."""

import json

import fake_tables
import pandas as pd
import pytest

from lingua_utils.runs import collate
from lingua_utils.runs.settings import RunSettings
from lingua_utils.runs.sheets import Row
from lingua_utils.text.languages import different_script


def write_run(results, model_id="lab/bloom-m", revision="main", sads=0.1, weights="w", code="c", **settings):
    """A run's folder as a notebook leaves it, with the table of similarity."""
    asked = RunSettings(model_id, revision, **settings)
    folder = results / asked.folder
    folder.mkdir(parents=True)
    entry = {"seconds": 1.5, "finished": "2025-01-01", "device": "cpu", "threads": 2}
    manifest = {
        "settings": asked.as_dict(),
        "fingerprints": {"weights": weights if weights != "w" else f"{model_id} {revision}"},
        "model": {"model_type": "bloom", "n_parameters": 10, "n_layers": 1, "n_neurons": 4},
        "tables": {"similarity": entry | {"code": code, "modules": "m"}},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    pd.DataFrame({"layer": ["0", "all"], "sads": [0.0, sads]}).to_parquet(folder / "similarity.parquet")


def row_of(model_id="lab/bloom-m", revision="main", **settings):
    return Row(RunSettings(model_id, revision, **settings), ("similarity",))


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setenv("LINGUA_CHECKPOINTS", str(tmp_path / "checkpoints"))
    for revision in ("step001200", "main", "step000032"):
        write_run(tmp_path / "results", revision=revision)
    write_run(tmp_path / "results", "lab/llama-m", "step000032")
    return tmp_path / "results"


def write_losses(results, name, seed=0, digest="a", loss=1.0):
    folder = results.parent / "checkpoints" / f"{name}-{digest}"
    folder.mkdir(parents=True)
    (folder / "lab.json").write_text(json.dumps({"recipe": {"name": name, "seed": seed}}))
    table = pd.DataFrame({"step": [0, 8], "language": "eng_Latn", "loss": [8.0, loss], "bits_per_byte": 1.0})
    table.to_parquet(folder / "losses.parquet")


# ---- one table ------------------------------------------------------------------------------------------


def test_runs_come_in_the_order_of_training_with_the_final_model_last(results):
    table = collate.collate("similarity", results)
    bloom = table[table.model_id == "lab/bloom-m"].drop_duplicates("revision")
    assert bloom.revision.tolist() == ["step000032", "step001200", "main"]
    assert bloom.step.tolist() == [32, 1200, pd.NA]
    assert table.step.dtype == "Int64" and not table.published.any() and len(table) == 8


def test_settings_and_what_the_model_is_are_columns(results):
    table = collate.collate("similarity", results)
    assert set(collate.SETTINGS) <= set(table)
    assert {"model_type", "n_parameters", "n_layers", "n_neurons", "code", "layer", "sads"} <= set(table)


def test_tokens_seen_are_told_where_the_revision_tells_them(results):
    write_run(results, "swiss-ai/Apertus-8B-2509", "step50000-tokens210B")
    table = collate.collate("similarity", results).drop_duplicates(["model_id", "revision"])
    tokens = table.set_index("revision").tokens
    assert tokens["step50000-tokens210B"] == 210_000_000_000
    assert tokens.drop("step50000-tokens210B").isna().all()


def test_a_revision_with_the_weights_of_an_earlier_one_is_reported_and_is_no_point_of_a_curve(results):
    for revision, weights in (("100000", "a"), ("200000", "a"), ("300000", "b")):
        write_run(results, "bigscience/bloom-7b1-intermediate", f"global_step{revision}", weights=weights)
    write_run(results, "someone/copy", "global_step100000", weights="a")
    (repeated,) = collate.repeated_weights(results).itertuples()
    assert (repeated.revision, repeated.same_as) == ("global_step200000", "global_step100000")
    table = collate.collate("similarity", results)
    of_bloom = table[table.model_id == "bigscience/bloom-7b1-intermediate"]
    assert of_bloom.step.unique().tolist() == [100_000, 300_000]
    assert "someone/copy" in set(table.model_id)


def test_a_run_that_is_still_being_written_or_is_damaged_is_passed_over(results, capsys):
    write_run(results / ".scratch", revision="step000064")
    write_run(results, revision="step000128")
    damaged = results / RunSettings("lab/bloom-m", "step000128").folder / "manifest.json"
    damaged.write_text(damaged.read_text()[:40])
    assert len(collate.collate("similarity", results)) == 8
    assert "is damaged" in capsys.readouterr().err


def test_only_the_runs_of_a_sheet_are_read(results):
    table = collate.collate("similarity", results, rows=[row_of(revision="step000032")])
    assert set(zip(table.model_id, table.revision, strict=True)) == {("lab/bloom-m", "step000032")}


def test_a_table_that_no_run_has_is_named_with_the_chapter_that_writes_it(results):
    with pytest.raises(FileNotFoundError, match=r"no table .region_counts. in .*: run 05_regions"):
        collate.collate("region_counts", results)


# ---- never mixed ----------------------------------------------------------------------------------------

DIFFERENT = {
    "corpus": "phrasebook",
    "languages": "eng_Latn fra_Latn",
    "n_sentences": 60,
    "pooling": "last",
    "dtype": "float16",
    "seed": 1,
}


@pytest.mark.parametrize(("name", "value"), DIFFERENT.items())
def test_runs_that_differ_in_what_was_measured_are_refused_by_the_name_of_the_setting(results, name, value):
    write_run(results, **{name: value})
    with pytest.raises(ValueError, match=rf"runs that differ in {name}: .*{value}"):
        collate.collate("similarity", results)
    assert len(collate.collate("similarity", results, apart=(*collate.APART, name))) == 10


@pytest.mark.parametrize(("name", "value"), DIFFERENT.items())
def test_of_runs_that_differ_those_like_a_given_one_can_be_chosen(results, name, value):
    write_run(results, **{name: value})
    for settings, n_rows in ((RunSettings(), 8), (RunSettings(**{name: value}), 2)):
        assert len(collate.collate("similarity", results, like=settings)) == n_rows


def test_runs_of_different_code_are_refused_unless_it_is_allowed(results):
    write_run(results, revision="step000064", code="other")
    with pytest.raises(ValueError, match=r"differ in code: .*measure them anew"):
        collate.collate("similarity", results)
    table = collate.collate("similarity", results, apart=(*collate.APART, "code"))
    assert table.code.nunique() == 2


def test_a_setting_that_a_table_does_not_depend_on_keeps_no_run_out(results):
    write_run(results, "lab/bloom-s", n_controls=3)
    assert "lab/bloom-s" in set(collate.collate("similarity", results).model_id)


def test_training_seeds_stand_side_by_side(results):
    write_run(results, training_seed=1)
    table = collate.collate("similarity", results)
    assert table[table.model_id == "lab/bloom-m"].training_seed.unique().tolist() == [0, 1]


# ---- ends and beginnings --------------------------------------------------------------------------------


def test_a_finished_model_is_its_last_checkpoint_and_never_an_untrained_one():
    steps = {"untrained": 0, "step000008": 8, "step000032": 32, "main": None}
    of = {"org/a": list(steps), "org/b": ["untrained"], "lab/c": ["step000008", "step000032"]}
    rows = [(name, 0, revision, steps[revision]) for name, revisions in of.items() for revision in revisions]
    rows += [("lab/c", 1, "step000008", 8)]
    table = pd.DataFrame(rows, columns=["model_id", "training_seed", "revision", "step"]).astype(
        {"step": "Int64"}
    )
    ends = collate.finished(table)[["model_id", "training_seed", "revision"]].to_numpy().tolist()
    assert ends == [["org/a", 0, "main"], ["lab/c", 0, "step000032"], ["lab/c", 1, "step000008"]]
    assert collate.untrained(table).model_id.tolist() == ["org/a", "org/b"]


# ---- publishing -----------------------------------------------------------------------------------------


def test_published_runs_stand_in_for_those_that_are_not_there(results, tmp_path, monkeypatch):
    write_losses(results, "bloom-m")
    monkeypatch.setattr(collate.sheets, "STAGES", only_similarity())
    rows = [row_of(revision=revision) for revision in ("step000032", "step001200")]
    folder = collate.publish(results, rows, tmp_path / "published/lab")
    elsewhere = tmp_path / "elsewhere"
    write_run(elsewhere, revision="step000032", sads=0.7)
    table = collate.collate("similarity", elsewhere, folder.parent).query("layer == 'all'")
    assert table.published.tolist() == [False, True]
    assert table.sads.tolist() == pytest.approx([0.7, 0.1])
    assert table.step.tolist() == [32, 1200] and table.step.dtype == "Int64"


def only_similarity():
    """The table of stages, as if the similarity of a run were all there is to publish."""
    stages = []
    for stage in collate.sheets.STAGES:
        published = ("similarity",) if stage.name == "similarity" else ()
        stages.append(type(stage)(**(vars(stage) | {"published": published})))
    return tuple(stages)


def test_publishing_writes_only_the_rows_asked_for_and_their_manifests(results, tmp_path, monkeypatch):
    write_losses(results, "bloom-m")
    write_losses(results, "llama-m")
    monkeypatch.setattr(collate.sheets, "STAGES", only_similarity())
    folder = collate.publish(results, [row_of(revision="step000032")], tmp_path / "published/lab")
    assert len(pd.read_parquet(folder / "similarity.parquet")) == 2
    assert set(pd.read_parquet(folder / "losses.parquet").model_id) == {"lab/bloom-m"}
    (manifest,) = json.loads((folder / "manifests.json").read_text())
    assert manifest["settings"]["revision"] == "step000032"


def test_a_manifest_says_once_where_its_tables_were_made_and_with_a_table_only_what_is_other():
    tables = {
        "a": {"versions": {"torch": "1"}, "device": "cpu", "started": "then"},
        "b": {"versions": {"torch": "2"}, "device": "cpu"},
        "c": {"versions": {"torch": "1"}, "device": "cuda"},
    }
    told = collate._told_once({"tables": tables})
    assert told == {
        "versions": {"torch": "1"},
        "device": "cpu",
        "threads": None,
        "tables": {"a": {}, "b": {"versions": {"torch": "2"}}, "c": {"device": "cuda"}},
    }


def test_a_run_that_was_not_done_is_not_published(results, tmp_path, monkeypatch):
    monkeypatch.setattr(collate.sheets, "STAGES", only_similarity())
    with pytest.raises(FileNotFoundError, match="no table 'similarity' of run world/lab--bloom-m/step000064"):
        rows = [row_of(revision="step000032"), row_of(revision="step000064")]
        collate.publish(results, rows, tmp_path / "published/lab")
    assert not (tmp_path / "published").exists()


def test_what_was_published_before_there_was_a_setting_has_its_default(results, tmp_path, monkeypatch):
    write_losses(results, "bloom-m")
    monkeypatch.setattr(collate.sheets, "STAGES", only_similarity())
    folder = collate.publish(results, [row_of(revision="step000032")], tmp_path / "published/lab")
    pd.read_parquet(folder / "similarity.parquet").drop(columns="pooling").to_parquet(
        folder / "similarity.parquet"
    )
    (manifest,) = json.loads((folder / "manifests.json").read_text())
    del manifest["settings"]["pooling"]
    (folder / "manifests.json").write_text(json.dumps([manifest]))
    table = collate.collate("similarity", tmp_path / "elsewhere", folder.parent, like=RunSettings())
    assert table.pooling.eq(RunSettings.pooling).all() and len(table) == 2
    assert collate.provenance(tmp_path / "elsewhere", folder.parent).published.all()
    write_run(tmp_path / "here", revision="step000032", sads=0.7)  # the same run
    table = collate.collate("similarity", tmp_path / "here", folder.parent)
    assert not table.published.any()


def test_published_numbers_are_in_single_precision_and_what_is_only_drawn_in_half():
    frame = pd.DataFrame({"corpus": "world", "x": [0.1], "sads_null_draws": [[0.1, 0.2]], "n": [3]})
    frame["training_seed"] = 0
    for table, kind in (("similarity", "float32"), ("projection", "float16"), ("cosines", "float16")):
        short = collate._shortened(table, frame)
        assert short.x.dtype == kind and short.n.dtype == "int64"
        assert short.sads_null_draws[0].dtype == "float16"


def test_of_the_map_only_the_books_own_text_and_the_first_training_are_published():
    frame = pd.DataFrame({"corpus": ["world", "pud", "phrasebook", "world"], "x": 0.1})
    frame["training_seed"] = [0, 0, 0, 1]
    assert list(collate._shortened("projection", frame).index) == [0, 2]
    assert len(collate._shortened("similarity", frame)) == 4


def test_of_key_neurons_those_of_trained_models_by_the_leading_rule_in_few_languages_are_published():
    codes = ["eng_Latn", *(f"q{a}{b}_Latn" for a in "ab" for b in "abcdefghijklmnopqrst")]
    frame = pd.DataFrame(
        {"language": codes, "rule": "distinctive", "corpus": "udhr", "languages": "all", "neuron": 7}
    ).assign(model_id="a", revision="main", training_seed=0)
    few = frame[:3].assign(corpus="pud", rule=["distinctive", "zscore", "distinctive"])
    few["revision"] = ["main", "main", "untrained"]
    short = collate._shortened("region_neurons", pd.concat([frame, few]))
    assert list(short.corpus) == ["pud"] and list(short.rule) == ["distinctive"]


# ---- what came of it --------------------------------------------------------------------------------------


def test_outcomes_are_those_of_all_layers_and_of_pairs_across_scripts():
    similarity, retrieval = fake_tables.similarity(), fake_tables.retrieval()
    similarity["sads"] += similarity.groupby("scale").ngroup()  # so that one scale, layer and kind is told
    retrieval["accuracy"] += retrieval.groupby(["layer", "kind"]).ngroup()  # from another
    retrieval = retrieval.assign(accuracy_low=retrieval.accuracy / 2, accuracy_high=retrieval.accuracy * 2)
    accuracy = pd.concat([
        fake_tables.similarity().drop_duplicates("step").assign(
            asked=task, mean_accuracy=value, mean_low=value - 0.1, mean_high=value + 0.1, chance=0.25
        )
        for task, value in (("cloze", 0.9), ("transfer", 0.5))
    ])  # fmt: skip
    for table in (similarity, retrieval, accuracy):
        table["training_seed"] = 0
    unfinished = similarity.assign(step=pd.NA).astype({"step": "Int64"})
    found = collate.outcomes(pd.concat([similarity, unfinished]), retrieval, accuracy)
    found = found.set_index(["outcome", "step"])
    assert found.index.is_unique and len(found) == 4 * len(fake_tables.STEPS)
    whole = "step == 32 and layer == 'all' and kind == 'all'"
    one = similarity.query(f"{whole} and scale == 'standardised'").iloc[0]
    pairs = retrieval.query(whole)
    pairs = pairs[list(map(different_script, pairs.source, pairs.target))]
    columns = ["value", "low", "high", "null"]
    expected = {
        "SADS": one[["sads", "sads_low", "sads_high", "sads_null"]],
        "translations found, across scripts": pairs[
            ["accuracy", "accuracy_low", "accuracy_high", "chance"]
        ].mean(),
        "accuracy, cloze": [0.9, 0.8, 1.0, 0.25],
        "accuracy, transfer": [0.5, 0.4, 0.6, 0.25],
    }
    for outcome, numbers in expected.items():
        assert found.loc[(outcome, 32), columns].tolist() == pytest.approx(list(numbers))


def test_losses_are_those_of_the_newest_training_or_published(results, tmp_path):
    write_losses(results, "bloom-m", digest="a", loss=3.0)
    write_losses(results, "bloom-m", digest="b", loss=1.0)
    write_losses(results, "bloom-m", seed=1, digest="c")
    published = tmp_path / "published"
    (published / "lab").mkdir(parents=True)
    kept = pd.DataFrame({"model_id": ["lab/llama-m", "lab/bloom-m"], "training_seed": 0, "step": 0})
    kept.assign(language="eng_Latn", loss=9.0, bits_per_byte=2.0).to_parquet(published / "lab/losses.parquet")
    table = collate.losses(published)
    models = table.groupby(["model_id", "training_seed"]).published.first().to_dict()
    assert models == {("lab/bloom-m", 0): False, ("lab/bloom-m", 1): False, ("lab/llama-m", 0): True}
    own = table[(table.model_id == "lab/bloom-m") & (table.training_seed == 0)]
    assert own.loss.tolist() == [8.0, 1.0]


def test_provenance_tells_published_runs_from_those_done_here(results, tmp_path, monkeypatch):
    write_losses(results, "bloom-m")
    monkeypatch.setattr(collate.sheets, "STAGES", only_similarity())
    folder = collate.publish(results, [row_of(revision="step000032")], tmp_path / "published/lab")
    elsewhere = tmp_path / "elsewhere"
    write_run(elsewhere, revision="step001200")
    table = collate.provenance(elsewhere, folder.parent).set_index("revision")
    assert table.published.to_dict() == {"step001200": False, "step000032": True}
    assert (table.seconds == 1.5).all() and (table.table == "similarity").all()


def test_a_tables_own_column_of_a_settings_name_is_kept_behind_measured(results):
    for path in results.glob("*/*/*/similarity.parquet"):
        pd.read_parquet(path).assign(n_sentences=50, n_neurons=7).to_parquet(path)
    whole = collate.collate("similarity", results)
    assert set(whole.n_sentences) == {RunSettings().n_sentences} and set(whole.n_neurons) == {4}
    assert set(whole.measured_n_sentences) == {50} and set(whole.measured_n_neurons) == {7}


def test_translations_found_in_the_mean_of_all_languages_are_no_outcome_of_a_pair(results):
    points = {
        "model_id": "m",
        "training_seed": 0,
        "revision": "step000001",
        "step": 1,
        "layer": "all",
        "kind": "all",
    }
    scores = dict.fromkeys(("sads", "sads_low", "sads_high", "sads_null"), 0.1)
    scores = pd.DataFrame([points | {"scale": "standardised"} | scores])
    found = [("fra_Latn", "arb_Arab", 0.2), ("fra_Latn", "eng_Latn", 0.9), ("fra_Latn", "others", 0.8)]
    found = pd.DataFrame(
        [
            points
            | {
                "source": a,
                "target": b,
                "accuracy": value,
                "accuracy_low": 0,
                "accuracy_high": 1,
                "chance": 0,
            }
            for a, b, value in found
        ]
    )
    outcomes = collate.outcomes(scores, found).set_index("outcome").value
    assert outcomes["translations found, across scripts"] == 0.2
