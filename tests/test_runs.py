"""A run computes a stage once, and again when anything that its numbers depend on has changed."""

import json

import pandas as pd
import pytest
import tiny_models

from lingua_utils import files
from lingua_utils.measure import activations, similarity, tasks
from lingua_utils.models import devices
from lingua_utils.models import loading as models
from lingua_utils.runs import run as runs


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny_models.save_tiny("bloom", folder)
    return folder


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "text"
    folder.mkdir()
    for language, sentences in zip(tiny_models.LANGUAGES, tiny_models.TEXTS, strict=True):
        (folder / f"{language}.txt").write_text("\n".join(sentences) + "\n")
    return folder


def a_run(model, corpus, tmp_path, **settings):
    return runs.Run(str(model), corpus=str(corpus), results=tmp_path / "results", **settings)


def test_a_stage_computed_once_is_read_back_without_the_model(model, corpus, tmp_path, monkeypatch):
    first = a_run(model, corpus, tmp_path).stage("similarity")
    monkeypatch.setattr(models, "load_model", lambda *_: pytest.fail("the model was loaded again"))
    monkeypatch.setattr(similarity, "tables", lambda *_, **__: pytest.fail("the stage was computed again"))
    second = a_run(model, corpus, tmp_path).stage("similarity")
    assert first.keys() == second.keys()
    pd.testing.assert_frame_equal(first["similarity"], second["similarity"])


def test_a_late_stage_alone_computes_what_it_reads_and_says_so(model, corpus, tmp_path, capsys):
    run = a_run(model, corpus, tmp_path)
    run.stage("similarity")
    assert "activations: not yet in" in capsys.readouterr().err
    assert list(run.manifest["stages"]) == ["activations", "similarity"]


def test_changed_text_is_measured_anew(model, corpus, tmp_path):
    before = a_run(model, corpus, tmp_path).stage("similarity")["similarity"]
    (corpus / "eng_Latn.txt").write_text("\n".join(reversed(tiny_models.TEXTS[0])) + "\n")
    after = a_run(model, corpus, tmp_path).stage("similarity")["similarity"]
    assert not before.lrds.equals(after.lrds)


@pytest.mark.parametrize("change", [{"seed": 1}, {"n_sentences": 3}, {"languages": "eng_Latn zho_Hans"}])
def test_another_parameter_is_another_key(model, corpus, tmp_path, change):
    assert a_run(model, corpus, tmp_path)._key("similarity") != a_run(model, corpus, tmp_path, **change)._key(
        "similarity"
    )


def test_another_pooling_has_a_folder_of_its_own(model, corpus, tmp_path):
    assert a_run(model, corpus, tmp_path, pooling="last").folder != a_run(model, corpus, tmp_path).folder


def test_the_manifest_names_what_the_numbers_come_from(model, corpus, tmp_path):
    run = a_run(model, corpus, tmp_path)
    run.stage("similarity")
    manifest = json.loads((run.folder / "manifest.json").read_text())
    assert manifest["run"]["model_id"] == str(model) and manifest["run"]["pooling"] == "mean"
    entry = manifest["stages"]["similarity"]
    assert entry["corpus_fingerprint"] == run.corpus().fingerprint
    assert entry["versions"]["torch"] and entry["seconds"] > 0 and entry["device"] and entry["digest"]


def test_a_stage_that_fails_leaves_no_entry_and_no_table(model, corpus, tmp_path, monkeypatch):
    run = a_run(model, corpus, tmp_path)
    run.activations()

    def fail(*_, **__):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(similarity, "tables", fail)
    with pytest.raises(RuntimeError):
        run.stage("similarity")
    assert "similarity" not in run.manifest["stages"]
    assert not list(run.folder.glob("*.parquet"))


def test_an_edited_module_is_a_new_digest_and_charts_do_not_count():
    digest = runs.module_digest("similarity")
    assert digest == runs.module_digest("similarity") != runs.module_digest("activations")
    source = (files.Path(runs.__file__).parent / "similarity.py").read_text()
    assert "charts" not in source


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pooling": "max"}, "pooling is 'max'; it can be mean, skip_first, last"),
        ({"digits": "roman"}, "digits is 'roman'"),
        ({"n_sentences": 1}, "n_sentences is 1; pairs of sentences need at least 2"),
        ({"languages": "eng_Latn xyz_Latn"}, "xyz_Latn"),
    ],
)
def test_a_parameter_that_cannot_work_is_refused_before_anything_is_loaded(settings, message):
    with pytest.raises(ValueError, match=message):
        runs.Run("no/such-model", **settings)


def test_an_unknown_stage_is_answered_with_the_known_ones(model, corpus, tmp_path):
    with pytest.raises(ValueError, match="no stage 'dance'; there are similarity"):
        a_run(model, corpus, tmp_path).stage("dance")


def test_of_a_file_without_splits_measuring_takes_the_sentences_that_selecting_did_not(
    model, corpus, tmp_path
):
    run = a_run(model, corpus, tmp_path, n_sentences=2)
    assert run.corpus().texts[0] == tiny_models.TEXTS[0][:2]
    assert run.corpus("test").texts[0] == tiny_models.TEXTS[0][2:4]


def test_a_file_that_was_used_up_for_selecting_cannot_be_measured_on(model, corpus, tmp_path):
    with pytest.raises(ValueError, match=r"has 5 sentences, no splits; .* ask for at most 2"):
        a_run(model, corpus, tmp_path).corpus("test")


def test_generated_text_has_splits_of_its_own(model, tmp_path):
    run = runs.Run(str(model), corpus="world", n_sentences=8, results=tmp_path)
    assert not set(run.corpus().texts[0]) & set(run.corpus("test").texts[0])


def test_the_names_that_a_run_takes_are_those_of_the_modules_that_use_them():
    assert set(runs.DTYPES) == {"auto", *devices.DTYPES}
    assert tuple(tasks.TASKS) == runs.TASKS
    assert runs.POOLINGS == activations.POOLINGS
