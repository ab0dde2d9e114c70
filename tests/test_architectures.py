"""Every architecture, tiny and random, goes the whole way: loaded, captured, selected from, silenced."""

import numpy as np
import pytest
import torch
from babel import Locale
from in_process import run_notebook
from tiny_models import ENCODER_DECODERS, MODEL_TYPES, save_tiny

from lingua_utils.measure import regions
from lingua_utils.models.batches import model_inputs, tokenize
from lingua_utils.models.loading import load_model
from lingua_utils.text.languages import LANGUAGES

# z > 2 needs six languages. Sentences are a word each: a masked model reads them once a token.
CODES = ("eng_Latn", "zho_Hans", "fra_Latn", "arb_Arab", "hin_Deva", "vie_Latn")
N_SENTENCES = 5
TEXTS = {code: list(Locale.parse(LANGUAGES[code].cldr).months["format"]["wide"].values()) for code in CODES}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Models this small wait for a second thread longer than it helps them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@torch.no_grad()
def logits(loaded):
    tokens = tokenize(loaded, [texts[0] for texts in TEXTS.values()])
    return loaded.model(**model_inputs(loaded, tokens, np.arange(len(TEXTS)))[0]).logits


@pytest.fixture(scope="module", params=MODEL_TYPES)
def chapter(request, tmp_path_factory):
    """What the chapter on silencing leaves behind for one architecture, with few controls."""
    folder = tmp_path_factory.mktemp(request.param)
    save_tiny(request.param, folder / "model")
    (folder / "text").mkdir()
    for code, texts in TEXTS.items():
        (folder / "text" / f"{code}.txt").write_text("\n".join(texts) + "\n")
    few = {"n_sentences": N_SENTENCES, "n_controls": 2, "doses": "1"}
    places = {"corpus": str(folder / "text"), "results": str(folder / "results")}
    return run_notebook("06_ablation", model_id=str(folder / "model"), **places, **few)


@pytest.fixture
def run(chapter):
    return chapter["run"]


@pytest.fixture
def matrix(chapter):
    return chapter["silencing"]


def test_the_matrix_has_a_row_for_every_rule_region_text_and_kind_of_control(matrix):
    keys = ["rule", "region_language", "text_language", "control_kind"]
    assert not matrix.duplicated(keys).any()
    assert [set(matrix[key]) for key in keys] == [
        set(regions.RULES),
        set(CODES),
        set(CODES),
        {"layer", "magnitude"},
    ]
    assert len(matrix) == len(regions.RULES) * len(CODES) ** 2 * 2


def test_every_cost_is_a_finite_number(matrix):
    numbers = matrix.select_dtypes("number")
    assert {"change", "low", "high", "control_mean", "control_sd", "intact"} <= set(numbers)
    assert np.isfinite(numbers).all(axis=None)
    assert (numbers.intact > 0).all()


def test_silencing_changes_the_loss_where_there_is_something_to_silence(matrix):
    reach = matrix.assign(reach=matrix.change.abs()).groupby(["rule", "region_language"])
    largest, empty = reach.reach.max(), reach.n_neurons.max() == 0
    assert (largest[empty] == 0).all()
    assert (largest[~empty] > 0).all()
    assert not empty["ap"].any()


def test_a_region_has_the_layers_and_neurons_of_the_model(run):
    sites = run.loaded.sites
    for rule, found in run.regions().items():
        assert found.layers == tuple(site.label for site in sites)
        assert found.widths == tuple(site.width for site in sites)
        for code in CODES:
            assert found.of(code).shape == (len(sites), max(found.widths)), rule


def test_afterwards_the_model_is_the_same_to_the_bit(run):
    used, fresh = run.loaded, load_model(run.settings.model_id)
    assert not any(module._forward_pre_hooks for module in used.model.modules())
    assert torch.equal(logits(used), logits(fresh))
    weights, saved = used.model.state_dict(), fresh.model.state_dict()
    assert weights.keys() == saved.keys()
    assert all(torch.equal(weights[name], saved[name]) for name in weights)


def test_the_tables_of_an_encoder_decoder_have_both_stacks(run):
    given = run.settings.as_dict() | {"results": str(run.results)}
    selected, alike = run_notebook("05_regions", **given), run_notebook("04_similarity", **given)
    labels = list(selected["region_counts"].sort_values("layer_index").layer.unique())
    stacks = ["encoder", "decoder"] if run.loaded.model_type in ENCODER_DECODERS else [""]
    assert labels == [f"{stack} {layer}".strip() for stack in stacks for layer in range(2)]
    assert set(alike["variance"].layer) == {*labels, "all"}
    in_stacks = selected["region_concentration"]["stack"]
    assert list(dict.fromkeys(in_stacks)) == [stack or "all" for stack in stacks]


def test_one_sentence_read_by_hand_is_what_is_captured(run):
    run_notebook("03_activations", **run.settings.as_dict(), results=str(run.results))
