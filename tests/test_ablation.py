"""Silencing: exact, reversible, everywhere; its controls; and costs where they are planted."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from in_process import run_notebook
from scipy import stats
from tiny_models import LANGUAGES, MODEL_TYPES, TEXTS, save_tiny, tiny_loaded
from wired_bloom import wired_bloom, wired_corpus

from lingua_utils.measure import ablation
from lingua_utils.measure.ablation import (
    Change,
    mean_activations,
    mean_magnitudes,
    random_regions,
    silence,
)
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


def test_a_neuron_beyond_the_width_of_its_layer_is_named():
    unequal = SimpleNamespace(model_id="m", sites=[SimpleNamespace(width=5), SimpleNamespace(width=3)])
    region = np.zeros((2, 5), dtype=bool)
    region[0, 4] = region[1, 2] = True
    assert ablation.check_region(unequal, region) is region
    region[1, 3] = True
    with pytest.raises(ValueError, match="region has neuron 3 of layer 1, which has only 3"):
        ablation.check_region(unequal, region)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"region": np.zeros(4, bool)}, r"region has shape \(4,\), expected \[layer, neuron\]"),
        ({"magnitude": np.ones((4, 2))}, r"magnitude has shape \(4, 2\), the region \(2, 4\)"),
        ({"n_draws": 0}, "n_draws is 0; it must be at least 1"),
    ],
)
def test_controls_that_cannot_be_drawn_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        random_regions(**{"region": np.zeros((2, 4), bool)} | arguments)


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


def test_means_of_a_narrower_layer_end_with_zeros():
    activations = Activations.from_array([np.full((2, 4, 3), -2.0), np.ones((2, 4, 5))])
    assert mean_activations(activations).tolist() == [[-2, -2, -2, 0, 0], [1] * 5]
    assert mean_magnitudes(activations).tolist() == [[2, 2, 2, 0, 0], [1] * 5]


@pytest.fixture(scope="module")
def wired():
    return wired_bloom(per_language=6)


@pytest.mark.parametrize("to", ["zero", "mean"])
def test_a_cost_is_the_difference_of_two_scores(wired, to):
    loaded, truth = wired
    held = {"to": to, "means": None if to == "zero" else np.full(shape(loaded), 0.5)}
    test = wired_corpus(8, split="test")
    text = ablation.SilencingText(loaded, test, **held)
    intact = [score(loaded, texts).bits_per_byte for texts in test.texts]
    with silence(loaded, truth[3], **held):
        silenced = [score(loaded, texts).bits_per_byte for texts in test.texts]
    np.testing.assert_allclose(text.intact, intact, rtol=1e-6)
    np.testing.assert_allclose(
        text.change(truth[3]).per_byte, np.subtract(silenced, intact), rtol=1e-4, atol=1e-6
    )


def made_up_change(rng, n_languages=4, n_sentences=30, shift=0.0):
    """A change whose errors are those of the meaning, the same in every language, and some of its own."""
    n_tokens = rng.integers(5, 20, (n_languages, n_sentences))
    noise = rng.standard_normal(n_sentences) + 0.1 * rng.standard_normal(n_tokens.shape)
    return Change((shift + noise) * n_tokens, 4 * n_tokens, n_tokens)


def test_perplexity_with_neurons_silent_over_intact_is_that_of_two_naive_scores(wired):
    loaded, truth = wired
    test = wired_corpus(8, split="test")
    ratio = ablation.perplexity_ratio([ablation.SilencingText(loaded, test).change(truth[3])])["ratio"]
    before = [score(loaded, texts).perplexity for texts in test.texts]
    with silence(loaded, truth[3]):
        after = [score(loaded, texts).perplexity for texts in test.texts]
    np.testing.assert_allclose(ratio, np.divide(after, before), rtol=1e-6)


def test_the_diagonals_excess_is_own_over_the_geometric_mean_of_the_rest_of_the_row():
    rng = np.random.default_rng(0)
    rows = [[made_up_change(rng) for _ in range(3)] for _ in range(4)]
    naive = []
    for own, row in enumerate(rows):
        ratios = np.array([np.exp(one.nll.sum(axis=1) / one.n_tokens.sum(axis=1)) for one in row])
        others = [language for language in range(4) if language != own]
        naive.append(ratios[:, own] / stats.gmean(ratios[:, others], axis=1))
    found = ablation.perplexity_excess(rows, range(4))
    assert found["excess"] == pytest.approx(stats.gmean(naive, axis=None))
    assert found["low"] < found["excess"] < found["high"]


def test_errors_that_languages_share_cancel_in_the_excess_and_not_in_a_ratio():
    change = made_up_change(np.random.default_rng(0))
    ratio, excess = ablation.perplexity_ratio([change]), ablation.perplexity_excess([[change]], [0])
    widths = [np.log(one["high"] / one["low"]) for one in (ratio, excess)]
    assert widths[1] < 0.5 * widths[0].min()


def test_the_interval_over_draws_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(1500):
        of_draws, of_sentences = 0.1 * rng.standard_normal((8, 1)), 0.5 * rng.standard_normal(30)
        values = of_draws + of_sentences + 0.2 * rng.standard_normal((8, 30))
        mean = values.mean(axis=1, keepdims=True)
        _, low, high = ablation.over_draws(mean[:, 0], (values - mean) / 30)
        covered.append(low < 0 < high)
    assert np.mean(covered) == pytest.approx(0.955, abs=0.02)


def jackknife(change, estimate):
    """Half width of the 95 % interval of what ``estimate`` makes of a change, each sentence left out once."""
    n = change.nll.shape[1]
    parts = (change.nll, change.n_bytes, change.n_tokens)
    left = [estimate(Change(*(np.delete(part, m, axis=1) for part in parts))) for m in range(n)]
    return stats.t.ppf(0.975, n - 1) * np.sqrt((n - 1) * np.var(left, axis=0))


def test_the_interval_of_a_ratio_of_perplexities_is_that_of_the_jackknife():
    change = made_up_change(np.random.default_rng(0))
    found = ablation.perplexity_ratio([change])
    half = jackknife(change, lambda some: some.log_ratio)
    np.testing.assert_allclose(np.log(found["high"] / found["ratio"]), half, rtol=0.05)
    np.testing.assert_allclose(np.log(found["ratio"] / found["low"]), half, rtol=0.05)


@pytest.mark.parametrize("dearer", [0.0, 0.3])
def test_own_cost_and_that_of_the_others_are_compared_sentence_by_sentence(dearer):
    change = made_up_change(np.random.default_rng(0))
    change.nll[2] += dearer * change.n_tokens[2]
    row = ablation.own_and_others(change, 2)
    costs = change.nll.sum(axis=1) / np.log(2) / change.n_bytes.sum(axis=1)
    others = [0, 1, 3]
    naive = {
        "own": (costs[2], lambda some: some.per_byte[2]),
        "others": (costs[others].mean(), lambda some: some.per_byte[others].mean()),
        "difference": (
            costs[2] - costs[others].mean(),
            lambda some: some.per_byte[2] - some.per_byte[others].mean(),
        ),
    }
    for name, (value, estimate) in naive.items():
        assert row[name] == pytest.approx(value)
        half = pytest.approx(jackknife(change, estimate), rel=0.05)
        assert row[f"{name}_high"] - row[name] == half and row[name] - row[f"{name}_low"] == half
    assert row["own_exceeds_others"] == (dearer > 0)


def test_a_cost_stands_beside_the_mean_and_the_spread_of_its_controls():
    rng = np.random.default_rng(0)
    change, controls = made_up_change(rng, shift=3.0), []
    for _ in range(3):
        nll = rng.standard_normal(change.nll.shape) * change.n_tokens
        controls.append(Change(nll, change.n_bytes, change.n_tokens))
    costs = np.array([one.per_byte for one in controls])
    differences = costs[:, 1] - costs[:, [0, 2, 3]].mean(axis=1)
    own = change.per_byte[1] - change.per_byte[[0, 2, 3]].mean()
    row = ablation.beside_controls(change, 1, controls)
    assert row["control_own"] == pytest.approx(costs[:, 1].mean())
    assert row["control_own_low"] < row["control_own"] < row["control_own_high"]
    assert row["control_others"] == pytest.approx(costs[:, [0, 2, 3]].mean())
    assert row["control_difference"] == pytest.approx(differences.mean())
    assert row["control_difference_sd"] == pytest.approx(differences.std(ddof=1))
    assert row["selectivity"] == pytest.approx((own - differences.mean()) / differences.std(ddof=1))
    assert row["own_exceeds_controls"] and row["n_controls"] == 3
    dearer = Change(change.nll * 10, change.n_bytes, change.n_tokens)
    assert not ablation.beside_controls(change, 1, [*controls, dearer])["own_exceeds_controls"]
    assert np.isnan(ablation.beside_controls(change, 1, controls[:1])["selectivity"])


def test_the_excess_over_controls_is_taken_sentence_by_sentence():
    rng = np.random.default_rng(0)
    change = made_up_change(rng)
    nll = change.nll.copy()
    nll[1] += 0.3 * change.n_tokens[1]
    dearer = Change(nll, change.n_bytes, change.n_tokens)
    beside = ablation.beside_controls(dearer, 1, [change, change])
    assert beside["excess"] == pytest.approx(0.3 / 4 / np.log(2))
    assert beside["excess_high"] - beside["excess_low"] == pytest.approx(0, abs=1e-9)


def test_controls_measured_on_other_sentences_are_refused():
    change = made_up_change(np.random.default_rng(0))
    fewer = Change(change.nll[:, :9], change.n_bytes[:, :9], change.n_tokens[:, :9])
    with pytest.raises(ValueError, match="measured on other sentences"):
        ablation.beside_controls(change, 0, [fewer])


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
    return run_notebook("06_ablation", model_id="wired/bloom", **given | settings)


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


def test_regions_and_their_random_controls_are_judged_on_the_same_sentences(tables):
    sizes = tables["costs"].groupby(["what", "text_language"]).n_bytes
    of_each = sizes.agg(lambda column: tuple(column.iloc[:6])).unstack("what")
    assert sizes.size().min() % 6 == 0
    assert of_each.nunique(axis=1).eq(1).all()


def test_the_diagonal_of_perplexities_stands_out_from_its_row_and_from_random_regions(tables):
    table, excess = tables["perplexity"], tables["perplexity_excess"].set_index("what")
    own = table.region_language == table.text_language
    assert len(table) == 10 * 10
    assert table[own].low.min() > table[own].control_high.max()
    assert table[own].low.min() > table[~own].high.max()
    assert excess.low["region"] > 1 and excess.low["region"] > excess.high["random"]


FAMILIES = {"bloom": "perplexity", "bert": "pseudo-perplexity", "mt5": "perplexity of second halves"}


@pytest.mark.parametrize("model_type", FAMILIES)
def test_the_chapter_runs_in_every_family_and_names_what_it_measures(model_type, tmp_path):
    save_tiny(model_type, tmp_path / "model")
    (tmp_path / "text").mkdir()
    for language, texts in zip(LANGUAGES, TEXTS, strict=True):
        (tmp_path / "text" / f"{language}.txt").write_text("\n".join(texts[:4]) + "\n")
    few = {"n_sentences": 2, "n_controls": 2, "doses": "1", "rules": "ap"}
    places = {"corpus": str(tmp_path / "text"), "results": str(tmp_path / "results")}
    names = run_notebook("06_ablation", model_id=str(tmp_path / "model"), **places, **few)
    table, loaded = names["perplexity"], names["run"].loaded
    assert set(table.measure) == {FAMILIES[model_type]}
    region, texts = names["found"]["ap"].of("hin_Deva"), names["run"].corpus("test").texts[0]
    intact = score(loaded, texts).perplexity
    with silence(loaded, region):
        ratio = score(loaded, texts).perplexity / intact
    row = table.query("region_language == 'hin_Deva' and text_language == 'eng_Latn'")
    assert row.ratio.item() == pytest.approx(ratio, rel=1e-5)
    assert np.isfinite(table.select_dtypes("number")).all(axis=None)


def test_cost_grows_with_the_dose(tables):
    table = tables["dose"].pivot(index="region_language", columns="share", values="own")
    assert (table[0.0] == 0).all()
    assert (table.diff(axis=1).iloc[:, 1:] > -1e-3).all(axis=None)
    assert (table[1.0] > table[0.25]).all()


def test_fewer_languages_and_controls_can_be_asked_for(wired, tmp_path, monkeypatch):
    fewer = {"silenced_languages": "fra_Latn hin_Deva", "silenced_sentences": 3, "n_controls": 2}
    names = notebook_06(wired[0], tmp_path, monkeypatch, **fewer)
    assert set(names["silencing"].region_language) == {"fra_Latn", "hin_Deva"}
    assert names["silencing"].text_language.nunique() == 10
    assert names["costs"].groupby("what").size().to_dict() == {
        "layer": 2 * 2 * 10 * 3, "magnitude": 2 * 2 * 10 * 3, "region": 2 * 3 * 10 * 3,
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
