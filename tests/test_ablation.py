"""Silencing: exact, reversible, everywhere; its controls; and costs where they are planted."""

import numpy as np
import pytest
import torch
from in_process import run_notebook
from tiny_models import LANGUAGES, MODEL_TYPES, TEXTS, tiny_loaded
from wired_bloom import wired_bloom, wired_corpus

from lingua_utils.measure import ablation
from lingua_utils.measure.ablation import mean_activations, mean_magnitudes, random_regions, silence
from lingua_utils.measure.activations import Activations, capture
from lingua_utils.measure.perplexity import score
from lingua_utils.measure.regions import RULES
from lingua_utils.models.batches import model_inputs, tokenize
from lingua_utils.runs import Run
from lingua_utils.text.corpus import ParallelCorpus

SENTENCES = [text for texts in TEXTS for text in texts]
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def shape(loaded):
    return len(loaded.sites), max(site.width for site in loaded.sites)


def some_neurons(loaded, seed=0, share=0.3):
    region = np.random.default_rng(seed).random(shape(loaded)) < share
    for row, site in zip(region, loaded.sites, strict=True):
        row[site.width :] = False
    return region


def inputs_of(loaded):
    return model_inputs(loaded, tokenize(loaded, SENTENCES), np.arange(3))[0]


@torch.no_grad()
def outputs(loaded):
    """What the model and its headless base compute."""
    inputs = inputs_of(loaded)
    return loaded.model(**inputs).logits, loaded.base(**inputs).last_hidden_state


def equal(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def seen_at(loaded):
    """What every down-projection reads, by a hook of its own."""
    seen, hooks = {}, []
    for i, site in enumerate(loaded.sites):
        hooks.append(
            loaded.module(site).register_forward_pre_hook(lambda _, args, i=i: seen.update({i: args[0]}))
        )
    outputs(loaded)
    for hook in hooks:
        hook.remove()
    return seen


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_silent_neurons_are_zero_and_the_rest_of_their_layer_is_not(model_type):
    loaded = tiny_loaded(model_type)
    region = some_neurons(loaded)
    with silence(loaded, region):
        seen = seen_at(loaded)
    for i, site in enumerate(loaded.sites):
        silent = torch.from_numpy(region[i, : site.width])
        assert (seen[i][..., silent] == 0).all()
        assert (seen[i][..., ~silent] != 0).any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("model_type", ["bloom", "llama", "mt5"])
def test_the_model_is_the_same_to_the_bit_before_and_after_in_every_precision(model_type, dtype):
    loaded = tiny_loaded(model_type)
    loaded.model.to(DTYPES[dtype])
    before = outputs(loaded)
    with silence(loaded, some_neurons(loaded)):
        within = outputs(loaded)
    assert not torch.equal(within[0], before[0])
    assert not torch.equal(within[1], before[1])
    assert within[0].dtype == DTYPES[dtype]
    assert equal(outputs(loaded), before)


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_an_empty_region_changes_nothing(model_type):
    loaded = tiny_loaded(model_type)
    before = outputs(loaded)
    with silence(loaded, np.zeros(shape(loaded), dtype=bool)):
        assert equal(outputs(loaded), before)


def test_after_an_error_inside_the_block_nothing_is_left():
    loaded = tiny_loaded("bloom")
    before = outputs(loaded)
    with pytest.raises(KeyboardInterrupt), silence(loaded, some_neurons(loaded)):
        raise KeyboardInterrupt
    assert equal(outputs(loaded), before)
    assert not any(module._forward_pre_hooks for module in loaded.model.modules())


@pytest.mark.parametrize("stack", ["encoder", "decoder"])
def test_the_stacks_of_an_encoder_decoder_are_silenced_each_by_its_own_name(stack):
    loaded = tiny_loaded("mt5")
    region = np.zeros(shape(loaded), dtype=bool)
    chosen = [site.stack == stack for site in loaded.sites]
    region[chosen] = True
    with silence(loaded, region):
        seen = seen_at(loaded)
    assert [bool((seen[i] == 0).all()) for i in range(len(loaded.sites))] == chosen


def test_blocks_nest_and_the_inner_one_decides():
    loaded = tiny_loaded("bloom")
    outer, inner, means = some_neurons(loaded), some_neurons(loaded, seed=1), np.full(shape(loaded), 0.5)
    with silence(loaded, outer):
        alone = outputs(loaded)
        with silence(loaded, inner, to="mean", means=means):
            seen = seen_at(loaded)[1]
        assert equal(outputs(loaded), alone)
    assert (seen[..., torch.from_numpy(outer[1] & ~inner[1])] == 0).all()
    assert (seen[..., torch.from_numpy(inner[1])] == 0.5).all()


def test_silencing_to_the_mean_of_a_constant_neuron_changes_nothing():
    loaded = tiny_loaded("bloom")
    with torch.no_grad():
        for block in loaded.base.h:
            block.mlp.dense_h_to_4h.weight.zero_()
    activations = capture(loaded, ParallelCorpus("tiny", LANGUAGES, TEXTS, "dev"), progress=False)
    before = outputs(loaded)
    with silence(loaded, some_neurons(loaded), to="mean", means=mean_activations(activations)):
        for now, then in zip(outputs(loaded), before, strict=True):
            torch.testing.assert_close(now, then)


def test_without_means_neurons_are_held_at_their_mean_over_the_batch():
    loaded = tiny_loaded("bloom")
    region = np.zeros(shape(loaded), dtype=bool)
    region[0, ::2] = True
    free = seen_at(loaded)[0]
    with silence(loaded, region, to="mean"):
        seen = seen_at(loaded)[0]
    torch.testing.assert_close(seen[..., ::2], free.mean(dim=(0, 1))[::2].expand_as(seen[..., ::2]))
    assert torch.equal(seen[..., 1::2], free[..., 1::2])


def test_silencing_all_neurons_of_a_layer_leaves_the_residual_stream():
    loaded = tiny_loaded("llama")
    region = np.zeros(shape(loaded), dtype=bool)
    region[1] = True
    with silence(loaded, region):
        within = outputs(loaded)[0]
    with torch.no_grad():
        loaded.module(loaded.sites[1]).weight.zero_()
    torch.testing.assert_close(outputs(loaded)[0], within)


@pytest.mark.parametrize(
    ("region", "options", "message"),
    [
        (np.zeros((2, 5), bool), {}, r"shape \(2, 5\), but in memory has 2 layers of up to 128 neurons"),
        (np.zeros((2, 128)), {}, "holds float64, not bool"),
        (np.zeros((2, 128), bool), {"to": "nothing"}, "'zero' or 'mean', not 'nothing'"),
        (np.zeros((2, 128), bool), {"means": np.zeros((2, 128))}, "but neurons are silenced to zero"),
        (
            np.zeros((2, 128), bool),
            {"to": "mean", "means": np.zeros(128)},
            r"\(128,\) are given, but the reg",
        ),
    ],
)
def test_what_cannot_be_silenced_is_named(region, options, message):
    with pytest.raises(ValueError, match=message), silence(tiny_loaded("bloom"), region, **options):
        pass


def test_controls_have_as_many_neurons_in_every_layer_and_none_of_the_region():
    rng = np.random.default_rng(0)
    region = rng.random((4, 200)) < np.array([0, 0.02, 0.3, 0.45])[:, None]
    for magnitude in (None, rng.random((4, 200))):
        drawn = random_regions(region, 12, seed=1, magnitude=magnitude)
        assert drawn.shape == (12, 4, 200)
        assert (drawn.sum(axis=2) == region.sum(axis=1)).all()
        assert not (drawn & region).any()
        assert len({draw.tobytes() for draw in drawn}) == 12


def test_controls_are_the_same_for_the_same_seed():
    region = np.random.default_rng(0).random((3, 50)) < 0.2
    assert np.array_equal(random_regions(region, 10, seed=5), random_regions(region, 10, seed=5))
    assert not np.array_equal(random_regions(region, 10, seed=5), random_regions(region, 10, seed=6))


def test_controls_of_a_region_that_fills_most_of_a_layer_take_all_others_and_some_of_its_own():
    region = np.zeros((1, 10), dtype=bool)
    region[0, :7] = True
    drawn = random_regions(region, 10)
    assert (drawn.sum(axis=2) == 7).all()
    assert drawn[:, 0, 7:].all()


def test_controls_stay_within_the_width_of_a_layer():
    region = np.zeros((2, 30), dtype=bool)
    region[:, :3] = True
    for magnitude in (None, np.random.default_rng(0).random((2, 30))):
        drawn = random_regions(region, 40, magnitude=magnitude, widths=(30, 8))
        assert not drawn[:, 1, 8:].any()
        assert (drawn.sum(axis=2) == 3).all()


def test_magnitude_matched_controls_are_as_active_as_the_region_where_others_are_not():
    rng = np.random.default_rng(0)
    magnitude = rng.lognormal(size=(3, 2000))
    region = (magnitude > np.quantile(magnitude, 0.7)) & (rng.random((3, 2000)) < 0.3)
    matched = [magnitude[draw].mean() for draw in random_regions(region, 10, magnitude=magnitude)]
    unmatched = [magnitude[draw].mean() for draw in random_regions(region, 10)]
    assert matched == pytest.approx([magnitude[region].mean()] * 10, rel=0.2)
    assert max(unmatched) < 0.6 * magnitude[region].mean()


def test_every_neuron_outside_the_region_can_be_drawn():
    region = np.zeros((1, 20), dtype=bool)
    region[0, [3, 4]] = True
    assert (random_regions(region, 400).any(axis=0) == ~region).all()


def test_means_and_magnitudes_are_those_of_the_activations():
    values = np.random.default_rng(0).standard_normal((2, 9, 3, 5)).astype(np.float32)
    activations = Activations.from_array(values)
    np.testing.assert_allclose(mean_activations(activations), values.mean(axis=(0, 1)), atol=1e-6)
    np.testing.assert_allclose(mean_magnitudes(activations), np.abs(values).mean(axis=(0, 1)), atol=1e-6)


@pytest.fixture(scope="module")
def wired():
    return wired_bloom(per_language=6)


def test_a_cost_is_the_difference_of_two_scores(wired):
    loaded, truth = wired
    test = wired_corpus(8, split="test")
    change = ablation.SilencingText(loaded, test).change(truth[3]).per_byte
    intact = [score(loaded, texts).bits_per_byte for texts in test.texts]
    with silence(loaded, truth[3]):
        silenced = [score(loaded, texts).bits_per_byte for texts in test.texts]
    np.testing.assert_allclose(change, np.subtract(silenced, intact), atol=1e-6)


# ---- the tables of the chapter --------------------------------------------------------------------------


def notebook_06(loaded, folder, patch, **settings):
    """Names that the notebook leaves behind, for a model in memory that is wired to its languages."""
    for split, n_sentences in (("dev", 60), ("test", 6)):
        corpus = wired_corpus(n_sentences, split=split)
        (folder / "text" / split).mkdir(parents=True)
        for language, texts in zip(corpus.languages, corpus.texts, strict=True):
            (folder / "text" / split / f"{language}.{split}").write_text("\n".join(texts) + "\n")
    patch.setattr(Run, "_load", lambda _: loaded)
    patch.setattr(Run, "fingerprints", {"weights": "wired", "tokenizer": "wired", "config": "wired"})
    given = {"corpus": str(folder / "text"), "n_sentences": 0, "rules": "calibrated", "n_controls": 3}
    given |= {"doses": "0 0.25 1", "results": str(folder / "results")}
    return run_notebook("06_ablation", model_id="wired/bloom", **given, **settings)


@pytest.fixture(scope="module")
def tables(wired, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        return notebook_06(wired[0], tmp_path_factory.mktemp("wired"), patch)


def test_silencing_a_planted_region_costs_its_language_and_stands_out_from_controls(tables):
    table = tables["selectivity"]
    assert set(table["control_kind"]) == {"layer", "magnitude"}
    assert table["own_exceeds_others"].all()
    assert table["own_exceeds_controls"].all()
    assert (table["selectivity"] > 3).all()


def test_the_matrix_has_a_row_for_every_region_text_and_kind_of_control(tables):
    table = tables["silencing"]
    assert len(table) == 10 * 10 * 2
    assert not table.duplicated(["region_language", "text_language", "control_kind"]).any()
    assert (table["low"] <= table["change"]).all()
    assert (table["change"] <= table["high"]).all()
    own = table.query("region_language == text_language")
    others = table.query("region_language != text_language")
    assert own["low"].min() > others["high"].max()


def test_cost_grows_with_the_dose(tables):
    table = tables["dose"].pivot(index="region_language", columns="share", values="own")
    assert (table[0.0] == 0).all()
    assert (table.diff(axis=1).iloc[:, 1:] > -1e-3).all(axis=None)
    assert (table[1.0] > table[0.25]).all()


def test_fewer_languages_and_controls_can_be_asked_for(wired, tmp_path, monkeypatch):
    fewer = {"silenced_languages": "fra_Latn hin_Deva", "silenced_sentences": 3, "control_sentences": 2}
    names = notebook_06(wired[0], tmp_path, monkeypatch, **fewer)
    assert set(names["silencing"].region_language) == {"fra_Latn", "hin_Deva"}
    assert names["silencing"].text_language.nunique() == 10
    assert names["costs"].groupby("what").size().to_dict() == {
        "layer": 2 * 3 * 10 * 2, "magnitude": 2 * 3 * 10 * 2, "region": 2 * 3 * 10 * 3,
    }  # fmt: skip


def test_an_empty_region_has_no_selectivity_and_no_cost(wired, tmp_path, monkeypatch):
    calibrated = RULES["calibrated"]

    def but_one(activations):
        found = np.stack(calibrated(activations, seed=0).region, axis=1)
        found[activations.languages.index("zho_Hant")] = False
        return found

    monkeypatch.setitem(RULES, "calibrated", but_one)
    names = notebook_06(wired[0], tmp_path, monkeypatch, silenced_languages="zho_Hant eng_Latn")
    row = names["selectivity"].set_index(["region_language", "control_kind"]).loc[("zho_Hant", "layer")]
    assert row["own"] == 0 and row["n_neurons"] == 0
    assert np.isnan(row["selectivity"])
