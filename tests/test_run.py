"""A run makes a table once, and again when anything that its numbers depend on has changed."""

import json
import os
import subprocess
import sys
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import tiny_models
from in_process import run_cell

from lingua_utils.measure import regions, similarity
from lingua_utils.measure.activations import capture
from lingua_utils.models import loading
from lingua_utils.runs import Run, from_parameters, keys
from lingua_utils.text.corpus import load_corpus


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
    given = {"n_sentences": 0, "corpus": str(corpus), "results": tmp_path / "results"} | settings
    return Run(str(model), **given)


@pytest.fixture
def run(model, corpus, tmp_path):
    return a_run(model, corpus, tmp_path)


COUNTED = '''
@run.table
def scores():
    """Raw scores of each layer."""
    for layer, vectors in run.activations().by_layer():
        yield {"layer": layer, "sads": similarity.pair_means(vectors).sads}
'''


def computed(capsys) -> set[str]:
    """Names of the tables that were computed since the last look."""
    lines = capsys.readouterr().err.splitlines()
    return {line.partition(":")[0] for line in lines if line.endswith("computing")}


def make(source: str, run: Run, **names) -> dict:
    """A cell of a notebook, run: what it leaves behind."""
    names = {"np": np, "similarity": similarity, "regions": regions, "run": run, **names}
    run_cell(source, names)
    return names


# ---- once -----------------------------------------------------------------------------------------------


def test_a_table_computed_once_is_read_back_without_the_model(model, corpus, tmp_path, monkeypatch, capsys):
    first = make(COUNTED, a_run(model, corpus, tmp_path))["scores"]
    monkeypatch.setattr(Run, "_load", lambda _: pytest.fail("the model was loaded again"))
    capsys.readouterr()
    second = make(COUNTED, a_run(model, corpus, tmp_path))["scores"]
    pd.testing.assert_frame_equal(first, second)
    assert not computed(capsys)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"""Raw scores of each layer."""', '"""Other words."""'),
        ("yield {", "# a comment\n        yield {"),
        ("for layer, vectors", "\n    for layer, vectors"),
    ],
    ids=["docstring", "comment", "layout"],
)
def test_words_and_layout_do_not_make_a_table_anew(run, tmp_path, capsys, before, after):
    make(COUNTED, run)
    capsys.readouterr()
    make(COUNTED.replace(before, after), run)
    assert not computed(capsys)


def test_a_changed_line_makes_the_table_anew(run, tmp_path, capsys):
    first = make(COUNTED, run)["scores"]
    capsys.readouterr()
    second = make(COUNTED.replace(").sads", ").lrds"), run)["scores"]
    assert computed(capsys) == {"scores"} and not first.sads.equals(second.sads)


CALLING = """
FACTOR = 2

def helper(x):
    return FACTOR * x

@run.table
def doubled():
    yield {"value": helper(3)}
"""


@pytest.mark.parametrize(
    ("before", "after", "value"), [("FACTOR = 2", "FACTOR = 5", 15), ("FACTOR * x", "FACTOR + x", 5)]
)
def test_a_changed_helper_or_constant_of_the_notebook_makes_the_table_anew(
    run, tmp_path, before, after, value
):
    assert make(CALLING, run)["doubled"].value.item() == 6
    assert make(CALLING.replace(before, after), run)["doubled"].value.item() == value


# What a table reads, and the same changed.
READ = {
    "array": ("thing = np.arange(3)", "thing = np.arange(4)"),
    "shape of an array": ("thing = np.zeros((2, 3))", "thing = np.zeros((3, 2))"),
    "type of an array": ("thing = np.zeros(2)", "thing = np.zeros(2, dtype=int)"),
    "value in a mapping": ("thing = {'a': [1, (2,)]}", "thing = {'a': [1, (3,)]}"),
    "key of a mapping": ("thing = {'a': 1}", "thing = {'b': 1}"),
    "set": ("thing = {1}", "thing = {2}"),
    "value in a table": ("thing = pd.DataFrame({'a': [1, 2]})", "thing = pd.DataFrame({'a': [1, 3]})"),
    "column of a table": ("thing = pd.DataFrame({'a': [1, 2]})", "thing = pd.DataFrame({'b': [1, 2]})"),
    "list in a table": ("thing = pd.DataFrame({'a': [[1]]})", "thing = pd.DataFrame({'a': [[2]]})"),
    "series": ("thing = pd.Series([1, 2])", "thing = pd.Series([1, 3])"),
    "function": ("def thing():\n    return 1", "def thing():\n    return 2"),
    "function in a mapping": ("thing = {'a': lambda: 1}['a']", "thing = {'a': lambda: 2}['a']"),
    "what an inner function reads": (
        "one = 1\ndef thing():\n    def inner():\n        return one\n    return inner()",
        "one = 2\ndef thing():\n    def inner():\n        return one\n    return inner()",
    ),
    "what a function was made with": (
        "def make(n):\n    def thing():\n        return n\n    return thing\nthing = make(1)",
        "def make(n):\n    def thing():\n        return n\n    return thing\nthing = make(2)",
    ),
}
SHOWING = """

@run.table
def shown():
    yield {"value": str(thing() if callable(thing) else thing)}
"""


@pytest.mark.parametrize(("before", "after"), READ.values(), ids=READ)
def test_a_table_is_made_anew_when_what_it_reads_has_changed_and_only_then(run, capsys, before, after):
    first = make(before + SHOWING, run, pd=pd)["shown"].value.item()
    capsys.readouterr()
    assert make(before + SHOWING, run, pd=pd)["shown"].value.item() == first and not computed(capsys)
    assert make(after + SHOWING, run, pd=pd)["shown"].value.item() != first


def test_of_an_installed_library_no_code_is_read(run):
    source = "from textwrap import dedent\nfrom scipy.stats import zscore\n\n"
    source += "def reads():\n    return dedent, zscore\n"
    assert set(keys.Code(make(source, run)["reads"], run).own) == {"reads"}


def test_a_class_of_a_cell_is_refused_with_the_way_out(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))  # as a kernel has it
    with pytest.raises(ValueError, match=r"the source of 'thing' cannot be read, .*; define it in a file$"):
        make("class thing:\n    pass" + SHOWING, run, __name__="__main__")


def test_the_digest_of_the_packages_code_is_the_same_in_every_process():
    code = "import importlib, sys; from lingua_utils.runs.keys import module_digests; "
    code += "[importlib.import_module(name) for name in sys.argv[1:]]; "
    code += "print([module_digests(name) for name in sys.argv[1:]])"
    names = [f"lingua_utils.measure.{name}" for name in ("similarity", "regions", "ablation", "tasks")]
    command = [sys.executable, "-c", code, *names]
    seeds = [os.environ | {"PYTHONHASHSEED": seed} for seed in ("1", "2")]
    told = [
        subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout for env in seeds
    ]
    assert told[0] == told[1] and "lingua_utils.text.phrasebook" in told[0]


READING = """
@run.table
def first():
    yield {"value": 1}

@run.table
def second():
    yield {"value": first.value.sum() + 1}
"""


def test_a_table_that_reads_another_is_made_anew_when_that_one_is(run, tmp_path, capsys):
    make(READING, run)
    capsys.readouterr()
    names = make(READING.replace('{"value": 1}', '{"value": 7}'), run)
    assert computed(capsys) == {"first", "second"} and names["second"].value.item() == 8


def test_the_untrained_twin_of_a_lab_model_is_its_step_0_under_the_same_settings(tmp_path):
    asked = {"results": tmp_path, "n_sentences": 12, "corpus": "world"}
    run = Run("lab/bloom-xs", "step000100", **asked)
    assert run.untrained().folder == Run("lab/bloom-xs", "step000000", **asked).folder
    assert run.untrained() is run.untrained()
    assert run.untrained().untrained() is run.untrained()


@pytest.mark.parametrize("model_id", ["org/some-model", "pypi/some-model", "org/some/file.gguf"])
def test_the_untrained_twin_of_any_other_model_is_a_revision_of_it(model_id, tmp_path):
    run = Run(model_id, results=tmp_path, n_sentences=12)
    assert run.untrained().folder == Run(model_id, "untrained", results=tmp_path, n_sentences=12).folder
    assert run.untrained().untrained() is run.untrained()


def test_a_patched_rule_is_not_read_back_where_it_is_not_patched(run, tmp_path, monkeypatch):
    source = """
@run.table
def key():
    found = regions.key_regions(run.activations(), "ap", seed=0)
    yield {"share": found.share}
"""
    with monkeypatch.context() as patch:
        patch.setitem(regions.RULES, "ap", lambda activations, **_: np.ones((3, 2, 128), dtype=bool))
        patched = make(source, run)["key"].share.item()
    assert patched == 1
    assert make(source, run)["key"].share.item() < 1


def test_a_patched_function_of_the_package_is_not_read_back_where_it_is_not_patched(
    run, tmp_path, monkeypatch
):
    true, patched, real = make(COUNTED, run)["scores"], [], similarity.pair_means
    few = (
        lambda vectors: real(np.asarray(vectors)[:, :4]),
        lambda vectors: real(np.asarray(vectors)[:, -4:]),
    )
    for instead in few:
        with monkeypatch.context() as patch:
            patch.setattr(similarity, "pair_means", instead)
            patched.append(make(COUNTED, run)["scores"])
    assert not patched[0].equals(true) and not patched[1].equals(patched[0])
    assert make(COUNTED, run)["scores"].equals(true)


def test_what_cannot_be_fingerprinted_is_refused_by_name(run, tmp_path):
    source = "thing = object()\n\n@run.table\ndef odd():\n    yield {'value': str(thing)}\n"
    with pytest.raises(
        ValueError, match=r"table 'odd' reads 'thing', a object, .*; make it inside the function"
    ):
        make(source, run)


def test_a_table_without_rows_is_refused(run, tmp_path):
    with pytest.raises(ValueError, match="table 'none' has no rows"):
        make("@run.table\ndef none():\n    yield from ()\n", run)


def test_changed_text_is_measured_anew(model, corpus, tmp_path):
    before = make(COUNTED, a_run(model, corpus, tmp_path))["scores"]
    (corpus / "eng_Latn.txt").write_text("\n".join(reversed(tiny_models.TEXTS[0])) + "\n")
    after = make(COUNTED, a_run(model, corpus, tmp_path))["scores"]
    assert not before.sads.equals(after.sads)


def test_tables_of_a_text_that_has_changed_leave_the_run(model, corpus, tmp_path):
    make(READING, a_run(model, corpus, tmp_path))
    (corpus / "eng_Latn.txt").write_text("\n".join(reversed(tiny_models.TEXTS[0])) + "\n")
    changed = a_run(model, corpus, tmp_path)
    make(COUNTED, changed)
    assert list(changed.tables().table) == ["scores"]


def test_changed_weights_are_measured_anew(corpus, tmp_path, capsys):
    model = tmp_path / "model"
    tiny_models.save_tiny("bloom", model)
    make(COUNTED, a_run(model, corpus, tmp_path))
    weights = loading.load_model(str(model)).model
    weights.get_input_embeddings().weight.mul_(2)
    weights.save_pretrained(model)
    capsys.readouterr()
    make(COUNTED, a_run(model, corpus, tmp_path))
    assert computed(capsys) == {"scores"}


# ---- what is damaged, and what fails --------------------------------------------------------------------


@pytest.mark.parametrize("file", ["manifest.json", "scores.parquet", "activations/activations.safetensors"])
def test_what_lies_cut_in_a_run_is_computed_again_and_said(model, corpus, tmp_path, capsys, file):
    true = make(COUNTED, a_run(model, corpus, tmp_path))["scores"]
    run = a_run(model, corpus, tmp_path)
    whole = (run.folder / file).read_bytes()
    (run.folder / file).write_bytes(whole[: len(whole) // 2])
    if file.startswith("activations"):
        (run.folder / "scores.parquet").unlink()
    capsys.readouterr()
    again = make(COUNTED, run)["scores"]
    pd.testing.assert_frame_equal(true, again)
    assert "again" in capsys.readouterr().err


def test_a_missing_layer_is_captured_again(model, corpus, tmp_path, capsys):
    run = a_run(model, corpus, tmp_path)
    run.activations()
    next((run.folder / "activations").glob("layer_*")).unlink()
    capsys.readouterr()
    assert len(a_run(model, corpus, tmp_path).activations().layer(0)) == 3
    assert "capturing again" in capsys.readouterr().err


def test_a_table_that_fails_leaves_no_entry_and_no_file(run, tmp_path):
    with pytest.raises(RuntimeError):
        make("@run.table\ndef bad():\n    yield {'a': 1}\n    raise RuntimeError('no')\n", run)
    assert run.tables().empty and not list(run.folder.rglob("bad*"))


def test_wrong_text_is_met_before_the_model_is_loaded(model, corpus, tmp_path, monkeypatch):
    (corpus / "eng_Latn.txt").write_text("only one\n")
    monkeypatch.setattr(Run, "_load", lambda _: pytest.fail("the model was loaded"))
    with pytest.raises(ValueError, match="eng_Latn"):
        a_run(model, corpus, tmp_path).activations()


# ---- what is recorded -----------------------------------------------------------------------------------


def test_the_manifest_names_what_the_numbers_come_from(run, tmp_path):
    make(COUNTED, run)
    manifest = json.loads((run.folder / "manifest.json").read_text())
    assert manifest["settings"] == run.settings.as_dict()
    assert set(manifest["fingerprints"]) == {"weights", "tokenizer", "config", "dev", "test"}
    assert manifest["fingerprints"]["dev"] == run.corpus().fingerprint
    assert manifest["model"]["n_parameters"] > 0 and manifest["model"]["n_neurons"] > 0
    for entry in (manifest["activations"], manifest["tables"]["scores"]):
        assert entry["seconds"] >= 0 and entry["started"] <= entry["finished"]
        assert entry["device"] and entry["threads"] >= 1
        for library in ("torch", "tokenizers", "pandas", "scipy", "lm-eval", "lingua-utils"):
            assert entry["versions"][library]


def test_the_tables_of_a_run_are_listed_with_the_code_that_made_them(run, tmp_path):
    make(COUNTED + READING, run)
    listed = run.tables().set_index("table")
    assert list(listed.index) == ["scores", "first", "second"]
    assert listed.code.nunique() == 3 and listed.loc["scores", "reads"] == ["run.activations"]
    assert listed.loc["second", "reads"] == ["first"] and listed.loc["scores", "rows"] == 3


# ---- text and parameters --------------------------------------------------------------------------------


def test_of_a_file_without_splits_measuring_takes_the_sentences_that_selecting_did_not(
    model, corpus, tmp_path
):
    run = a_run(model, corpus, tmp_path, n_sentences=2)
    assert run.corpus().texts[0] == tiny_models.TEXTS[0][:2]
    assert run.corpus("test").texts[0] == tiny_models.TEXTS[0][2:4]
    most = a_run(model, corpus, tmp_path, n_sentences=3)
    assert most.corpus("test").texts[0] == tiny_models.TEXTS[0][3:]


def test_a_file_that_was_used_up_for_selecting_cannot_be_measured_on(run):
    with pytest.raises(ValueError, match=r"has 5 sentences, no splits; .* ask for at most 2"):
        run.corpus("test")


def test_settings_of_the_text_decide_the_text(model, tmp_path):
    asked = {"languages": "hin_Deva eng_Latn", "n_sentences": 7, "seed": 3, "digits": "native"}
    run = Run(str(model), corpus="world", results=tmp_path, **asked)
    for split in ("dev", "test"):
        expected = load_corpus("world", ("hin_Deva", "eng_Latn"), 7, split=split, seed=3, digits="native")
        assert run.corpus(split).texts == expected.texts


def test_settings_of_measuring_decide_what_is_measured(model, corpus, tmp_path):
    run = a_run(
        model, corpus, tmp_path, pooling="last", max_tokens=6, dtype="bfloat16", rules="ap lape", seed=2
    )
    loaded = loading.load_model(str(model), dtype="bfloat16")
    captured = capture(loaded, run.corpus(), pooling="last", max_tokens=6, progress=False)
    assert captured.n_truncated > 0 and run.activations().fingerprint == captured.fingerprint
    selected = regions.select_all(captured, ("ap", "lape"), 2)
    assert {rule: found.fingerprint for rule, found in run.regions().items()} == {
        rule: found.fingerprint for rule, found in selected.items()
    }


@pytest.mark.parametrize(
    ("made", "values"),
    [
        ("yield {'a': 1}\n    yield {'a': 2}", [1, 2]),
        ("yield {'a': 1}\n    yield pd.DataFrame({'a': [2, 3]})\n    yield {'a': 4}", [1, 2, 3, 4]),
        ("return pd.DataFrame({'a': [1, 2]}, index=[5, 7])", [1, 2]),
        ("return {'a': 1}", [1]),
    ],
    ids=["rows", "rows and tables", "a table", "a row"],
)
def test_rows_and_parts_of_a_table_are_joined_in_their_order(run, made, values):
    table = make(f"@run.table\ndef made():\n    {made}\n", run, pd=pd)["made"]
    assert table.a.tolist() == values and table.index.tolist() == list(range(len(values)))


def test_a_run_shows_itself_in_a_line(tmp_path):
    home = tmp_path / "elsewhere"
    run = Run("lab/bloom-m", "step000600", results=home, n_sentences=60)
    folder = home / "world/lab--bloom-m/step000600+n_sentences=60"
    assert repr(run) == f"lab/bloom-m at step000600 on world → {folder}"
    inside = Run("lab/bloom-m", "step000600", n_sentences=60)
    assert repr(inside).endswith(" → results/world/lab--bloom-m/step000600+n_sentences=60")


def test_generated_text_has_splits_of_its_own(model, tmp_path):
    run = Run(str(model), corpus="world", n_sentences=8, results=tmp_path)
    assert not set(run.corpus().texts[0]) & set(run.corpus("test").texts[0])


def test_a_notebook_hands_over_its_parameters_and_nothing_else(model, tmp_path):
    names = {"model_id": str(model), "seed": 3, "results": str(tmp_path), "silenced": True, "np": np}
    run = from_parameters(names)
    assert run.settings.seed == 3 and run.results == tmp_path


def test_a_setting_that_there_is_not_is_refused_by_name(model):
    with pytest.raises(ValueError, match="a run has no setting 'colour'"):
        Run(str(model), colour="red")


def test_the_digests_of_the_package_do_not_depend_on_what_was_imported_before():
    code = (
        "import json; {first}from lingua_utils.runs import keys; "
        "print(json.dumps(keys.module_digests('lingua_utils.measure.activations'), sort_keys=True))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code.format(first=first)], capture_output=True, text=True, check=True
        ).stdout
        for first in ("", "from lingua_utils.models import converting, loading; ")
    }
    assert len(found) == 1 and "lingua_utils.models.loading" in found.pop()
