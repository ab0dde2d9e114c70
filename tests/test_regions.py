"""Key neurons: closed forms against loops, rules against planted truth and against no truth at all."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score
from wired_bloom import wired_bloom, wired_corpus

from lingua_utils.measure import regions, selection
from lingua_utils.measure.activations import Activations, capture
from lingua_utils.measure.regions import average_precision, key_regions, neuron_scores
from lingua_utils.measure.rules import METHODS


def noise(seed=0, shape=(10, 80, 3, 100)):
    """Activations that depend on the meaning, not on the language; every neuron with its own scale."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(shape) + rng.standard_normal((1, *shape[1:]))
    return values * np.exp(rng.standard_normal(shape[2:]))


def planted(seed=0, sharing=1, shift=1.5, per_language=4, shape=(10, 80, 3, 100)):
    """The same, with neurons that fire more for some languages; returns them too."""
    rng = np.random.default_rng(seed + 1)
    values = rng.standard_normal(shape) + rng.standard_normal((1, *shape[1:]))
    truth = np.zeros((shape[0], shape[2] * shape[3]), dtype=bool)
    n_planted = per_language * shape[0] // sharing
    for neuron in rng.choice(truth.shape[1], n_planted, replace=False):
        truth[rng.choice(shape[0], sharing, replace=False), neuron] = True
    truth = truth.reshape(shape[0], *shape[2:])
    values = values + shift * truth[:, None] * rng.choice([-1, 1], shape[2:])
    return values * np.exp(rng.standard_normal(shape[2:])), truth


def precision_recall(found, truth):
    hits = (found & truth).sum()
    return hits / found.sum(), hits / truth.sum()


def pair_loop(values):
    """The score as the paper writes it: a mean over pairs of sentences."""
    n_languages, n_sentences = values.shape[:2]
    units = values / np.sqrt((values**2).sum(axis=(2, 3), keepdims=True))
    scores = np.zeros((n_languages, *values.shape[2:]))
    for m in range(n_sentences):
        for other in range(m + 1, n_sentences):
            scores += units[:, m] * units[:, other]
    return scores / (n_sentences * (n_sentences - 1) / 2)


def test_neuron_scores_equal_the_loop_over_pairs():
    values = noise(shape=(3, 12, 2, 7)) * 10
    np.testing.assert_allclose(neuron_scores(values), pair_loop(values), atol=1e-7)


def test_neuron_scores_from_streamed_sums_equal_those_from_sentences(tmp_path):
    activations = Activations.from_array(noise(shape=(3, 30, 2, 7)))
    np.testing.assert_allclose(neuron_scores(activations.sums), neuron_scores(activations), atol=1e-12)


def test_neuron_scores_of_layers_of_unequal_width_are_padded_with_nan():
    rng = np.random.default_rng(0)
    scores = neuron_scores(Activations.from_array([rng.random((2, 5, 3)), rng.random((2, 5, 4))]))
    assert np.isnan(scores[:, 0, 3]).all()
    assert np.isfinite(scores[:, 1]).all()


def test_a_sentence_without_activation_is_named():
    values = noise(shape=(2, 4, 1, 3))
    values[1, 2] = 0
    with pytest.raises(ValueError, match="language 1 sentence 2 has no activation"):
        neuron_scores(values)


@pytest.mark.parametrize("threshold", [2.0, 2.25])
def test_a_z_that_cannot_occur_is_refused_with_the_numbers(threshold):
    with pytest.raises(ValueError) as error:
        key_regions(noise(shape=(5, 8, 1, 6)), "zscore", threshold=threshold)
    assert str(error.value) == (
        f"z > {threshold} cannot occur with 5 languages (the largest possible is √(5−1) = 2.0); "
        "lower the threshold or add languages"
    )


def test_a_z_just_below_the_largest_possible_occurs():
    values = noise(shape=(5, 40, 1, 6))
    values[2, :, 0, 4] += 30
    assert key_regions(values, "zscore", threshold=1.9).of("language 2")[0, 4]


def test_zscore_selects_what_its_definition_says():
    values, _ = planted(shape=(10, 40, 2, 30), per_language=3)
    scores = pair_loop(values)
    z = (scores - scores.mean(axis=0)) / scores.std(axis=0)
    assert np.array_equal(key_regions(values, "zscore").region, z > 2)


def test_zscore_cannot_give_one_neuron_to_two_languages_where_calibrated_does():
    values, truth = planted(sharing=2)
    assert key_regions(values, "zscore").region.sum(axis=0).max() == 1
    assert precision_recall(key_regions(values, "calibrated").region, truth)[1] >= 0.95


@pytest.mark.parametrize("sharing", [1, 2, 4])
def test_calibrated_finds_planted_neurons(sharing):
    values, truth = planted(sharing=sharing, per_language=20, shape=(10, 80, 3, 400))
    precision, recall = precision_recall(key_regions(values, "calibrated").region, truth)
    assert precision >= 0.93
    assert recall >= 0.95


@pytest.mark.parametrize("seed", [0, 1])
def test_calibrated_finds_the_neurons_that_a_model_is_wired_with(seed):
    loaded, truth = wired_bloom(per_language=6, seed=seed)
    activations = capture(loaded, wired_corpus(80, seed=seed), progress=False)
    precision, recall = precision_recall(key_regions(activations, "calibrated").region, truth)
    assert precision >= 0.93
    assert recall >= 0.95


def test_in_a_model_that_cannot_tell_languages_apart_calibrated_selects_nothing():
    loaded, _ = wired_bloom(per_language=0)
    activations = capture(loaded, wired_corpus(80), progress=False)
    assert key_regions(activations, "calibrated").share <= 0.01
    assert key_regions(activations, "zscore").share > 0.10


def test_lape_equals_a_direct_count_over_tokens():
    loaded, _ = wired_bloom(per_language=6)
    corpus = wired_corpus(10)
    tokens = [[] for _ in loaded.sites]  # what each layer's neurons are on every token, language by language
    for site, seen in zip(loaded.sites, tokens, strict=True):
        loaded.module(site).register_forward_pre_hook(lambda _, args, seen=seen: seen.append(args[0][0, 1:]))
    for text in (text for texts in corpus.texts for text in texts):
        loaded.base(**loaded.tokenizer(text, return_tensors="pt"))
    counted = (
        np.stack([torch.cat(seen).numpy() for seen in tokens]).reshape(3, 10, -1, 256).transpose(1, 2, 0, 3)
    )
    expected = key_regions(counted, "lape")  # as if every token were a sentence

    loaded, _ = wired_bloom(per_language=6)
    found = key_regions(capture(loaded, corpus, progress=False), "lape")
    assert np.array_equal(found.region, expected.region)
    np.testing.assert_allclose(found.score, expected.score, atol=1e-6)
    assert found.region.any()


@pytest.mark.parametrize("tail", ["normal", "lognormal", "t3"])
def test_without_a_language_effect_calibrated_selects_nothing_where_zscore_selects_much(tail):
    rng = np.random.default_rng(2)
    draw = {
        "normal": lambda *shape: rng.standard_normal(shape),
        "lognormal": lambda *shape: rng.lognormal(size=shape),
        "t3": lambda *shape: rng.standard_t(3, shape),
    }[tail]
    values = draw(10, 100, 2, 200) + draw(1, 100, 2, 200)
    assert key_regions(values, "calibrated").share <= 0.01
    assert key_regions(values, "zscore").share > 0.10


def test_the_expected_counts_are_what_shuffled_languages_give():
    values = noise(shape=(10, 60, 2, 150))
    found = key_regions(values, "zscore")
    assert abs(found.expected_share - found.share) < 0.04
    np.testing.assert_allclose(found.expected.sum(), found.region.sum(), rtol=0.08)
    assert key_regions(values, "calibrated").expected.sum() <= 1


def test_a_neuron_that_a_language_quiets_is_not_key_to_it_nor_to_the_others():
    values = noise(shape=(10, 80, 1, 60)) / np.exp(1) + 5
    values[3, :, :, :20] -= 4
    found = key_regions(values, "calibrated").region[:, 0, :20]
    assert found.mean() <= 0.01


def test_calibrated_does_not_depend_on_the_scale_of_a_neuron():
    values, _ = planted(shape=(10, 40, 2, 30), per_language=3)
    scaled = values * np.logspace(-6, 6, 30)
    assert np.array_equal(key_regions(values, "calibrated").region, key_regions(scaled, "calibrated").region)


def test_dead_and_constant_neurons_are_nobodys():
    values = noise(shape=(10, 30, 1, 40)).astype(np.float32)
    values[..., :10], values[..., 10:20] = 0, 1 / 3
    for method in METHODS.keys() - {"ap"}:
        assert not key_regions(values, method).region[..., :20].any(), method


def only_sums(values):
    """Activations as ``capture(keep="sums")`` leaves them."""
    activations = Activations.from_array(values)
    sums = activations.sums
    activations._values, activations._sums, activations.keep = None, sums, "sums"
    return activations


def test_zscore_is_the_same_from_streamed_sums_and_its_null_nearly():
    values = noise(shape=(10, 100, 2, 150))
    whole, streamed = (key_regions(given, "zscore") for given in (values, only_sums(values)))
    assert np.array_equal(whole.region, streamed.region)
    assert abs(whole.expected_share - streamed.expected_share) < 0.1


def test_what_needs_sentences_says_so():
    with pytest.raises(ValueError, match="only sums were kept"):
        key_regions(only_sums(noise(shape=(10, 20, 1, 30))), "ap")


def test_calibrated_works_from_streamed_sums():
    values, truth = planted(shape=(10, 400, 2, 300), per_language=10, shift=3)
    activations = only_sums(values)
    precision, recall = precision_recall(key_regions(activations, "calibrated").region, truth)
    assert precision >= 0.9
    assert recall >= 0.95


def test_calibrated_is_the_same_for_the_same_seed():
    values, _ = planted(shift=0.4)
    first, second = (key_regions(values, "calibrated", seed=3).region for _ in range(2))
    assert np.array_equal(first, second)


@settings(max_examples=40)
@given(
    arrays(
        np.float32,
        st.tuples(st.integers(2, 5), st.integers(1, 9), st.integers(1, 4)),
        elements=st.sampled_from([-2.5, -1.0, -0.0, 0.0, 1e-30, 1.0, 3e30]) | st.floats(-4, 4, width=32),
    )
)
def test_average_precision_equals_scikit_learn_ties_included(values):
    labels = np.repeat(np.arange(len(values)), values.shape[1])
    rows = values.reshape(len(labels), -1)
    expected = [[average_precision_score(labels == i, row) for row in rows.T] for i in range(len(values))]
    np.testing.assert_allclose(average_precision(values), expected, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_average_precision_takes_other_floats(dtype):
    values = noise(shape=(4, 30, 1, 90))[:, :, 0].astype(dtype)
    labels = np.repeat(np.arange(4), 30)
    expected = [average_precision_score(labels == 2, row) for row in values.reshape(120, -1).T]
    np.testing.assert_allclose(average_precision(values)[2], expected, atol=1e-12)


def test_ap_selects_the_best_and_the_worst_detectors():
    values = noise(shape=(3, 50, 2, 40))
    values[1, :, 0, 7] += 1e3
    values[1, :, 1, 9] -= 1e3
    found = key_regions(values, "ap", k=1).of("language 1")
    assert np.argwhere(found).tolist() == [[0, 7], [1, 9]]
    assert np.argwhere(key_regions(values, "ap", k=1, bottom=False).of("language 1")).tolist() == [[0, 7]]
    assert key_regions(values, "ap", k=5).region.sum(axis=(1, 2)).tolist() == [10, 10, 10]


def test_lape_equals_a_direct_computation():
    rng = np.random.default_rng(5)
    values = rng.standard_normal((4, 30, 2, 200)) + rng.normal(0, 1, (4, 1, 2, 200))
    probability = (values > 0).mean(axis=1).reshape(4, -1)
    share = probability / probability.sum(axis=0)
    entropy = -np.nansum(share * np.log(np.where(share > 0, share, 1)), axis=0)
    bar = np.sort(probability, axis=None)[round(0.95 * probability.size) - 1]
    entropy[~(probability > bar).any(axis=0)] = np.inf
    kept = np.argsort(entropy, kind="stable")[: round(0.01 * entropy.size)]
    expected = np.zeros_like(probability, dtype=bool)
    expected[:, kept] = probability[:, kept] > bar
    found = key_regions(values, "lape")
    assert np.array_equal(found.region.reshape(4, -1), expected)
    assert expected.any()


def test_activation_entropy_runs_from_none_to_the_logarithm_of_the_languages():
    entropy = selection.activation_entropy(np.array([[0.5, 0.3, 0.0], [0.0, 0.3, 0.0]]))
    np.testing.assert_allclose(entropy, [0, np.log(2), np.log(2)])


def test_discoveries_are_those_of_benjamini_and_hochberg():
    p_values = np.array([0.01, 0.04, 0.03, 0.005, 0.5])
    assert selection.discoveries(p_values, 0.05).tolist() == [True, True, True, True, False]
    assert not selection.discoveries(np.array([0.02, 0.9]), 0.02).any()


def test_shuffles_deal_every_sentence_of_a_meaning_once():
    (marks,) = selection.shuffles(3, 4, 5, seed=0)
    dealt = marks.reshape(5, 3, 3, 4)
    assert (dealt.sum(axis=1) == 1).all()
    assert (dealt.sum(axis=2) == 1).all()
    assert not (dealt == dealt[0]).all()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_returns_the_same_kind_of_answer(method):
    activations = Activations.from_array(list(planted(shape=(10, 40, 2, 60))[0].transpose(2, 0, 1, 3)))
    found = key_regions(activations, method)
    assert found.region.shape == found.score.shape == (10, 2, 60)
    assert found.region.dtype == bool
    assert found.expected.shape == found.count.shape == (10, 2)
    assert found.method == method
    assert found.settings.keys() >= METHODS[method][1].keys()


def test_layers_of_unequal_width_are_padded_with_neurons_that_are_never_key():
    values, _ = planted(shape=(10, 40, 2, 60))
    activations = Activations.from_array([values[:, :, 0], values[:, :, 1, :40]])
    for method in METHODS:
        assert not key_regions(activations, method).region[:, 1, 40:].any(), method


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "zscores"}, "no method 'zscores'"),
        ({"method": "lape", "threshold": 2}, "lape has no setting 'threshold'"),
        ({"method": "ap", "k": 400}, "k=400 neurons at either end, but there are 300"),
    ],
)
def test_what_cannot_be_asked_for_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        key_regions(noise(), **arguments)


def test_one_language_is_refused():
    with pytest.raises(ValueError, match="1 languages × 8 sentences"):
        key_regions(noise(shape=(1, 8, 1, 5)))


def test_overlap_by_chance_is_what_random_regions_have():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 4, 20_000)) < np.array([0.2, 0.1, 0.05, 0.4])[:, None]
    share, chance = regions.jaccard(a, b, (20_000,) * 4)
    assert share == pytest.approx(chance, rel=0.05)
    assert regions.jaccard(a, a, (20_000,) * 4)[0] == 1


def test_the_outer_tenth_has_both_ends_of_every_stack():
    single = tuple(str(i) for i in range(24))
    assert np.flatnonzero(regions.outer_layers(single)).tolist() == [0, 1, 2, 21, 22, 23]
    double = tuple(f"{stack} {i}" for stack in ("encoder", "decoder") for i in range(6))
    assert np.flatnonzero(regions.outer_layers(double)).tolist() == [0, 5, 6, 11]


def test_concentration_of_neurons_in_the_first_layer_is_seen():
    values = noise(shape=(6, 40, 10, 30))
    values[2, :, 0, :10] += 30
    table = regions.concentration({"calibrated": key_regions(values, "calibrated")}).set_index("language")
    row = table.loc["language 2"]
    assert row["share_outer"] > 0.9
    assert row["uniform"] == pytest.approx(0.2)
    assert row["low"] > 0.2


def encoder_decoder(region):
    """Regions [language, layer, neuron] of a model with an encoder and a decoder of as many layers."""
    languages, layers, width = region.shape
    return {
        "ap": regions.Regions(
            method="ap",
            region=region,
            score=region.astype(np.float32),
            expected=np.zeros((languages, layers)),
            expected_share=0.0,
            settings={},
            languages=tuple(f"language {i}" for i in range(languages)),
            layers=tuple(f"{stack} {i}" for stack in ("encoder", "decoder") for i in range(layers // 2)),
            widths=(width,) * layers,
        )
    }


def test_encoder_and_decoder_are_concentrated_each_by_itself():
    region = np.zeros((1, 20, 8), dtype=bool)
    region[0, 0, :6] = True  # first layer of the encoder
    region[0, 14, :3] = region[0, 19, :1] = True  # middle and last layer of the decoder
    table = regions.concentration(encoder_decoder(region)).set_index("stack")
    assert table["share_outer"].to_dict() == {"encoder": 1.0, "decoder": 0.25}
    assert table["n_neurons"].to_dict() == {"encoder": 6, "decoder": 4}
    assert (table["uniform"] == 0.2).all()


def test_languages_can_share_neurons_in_one_stack_and_not_in_the_other():
    region = np.zeros((2, 2, 8), dtype=bool)
    region[:, 0, :4] = True
    region[0, 1, :4] = region[1, 1, 4:] = True
    table = regions.overlap(encoder_decoder(region)).groupby("stack")["jaccard"]
    assert table.min().to_dict() == table.max().to_dict() == {"encoder": 1.0, "decoder": 0.0}


def test_rules_can_agree_in_one_stack_and_not_in_the_other():
    one = np.zeros((1, 2, 8), dtype=bool)
    one[:, :, :4] = True
    other = one.copy()
    other[:, 1] = ~other[:, 1]
    both = encoder_decoder(one) | {"lape": encoder_decoder(other)["ap"]}
    table = regions.agreement(both).set_index("stack")["jaccard"]
    assert table.to_dict() == {"encoder": 1.0, "decoder": 0.0}


def test_the_strongest_part_of_a_region_has_its_highest_scores():
    found = key_regions(planted()[0], "calibrated")
    half = found.strongest("language 4", 0.5)
    whole, score = found.of("language 4"), found.score[4]
    assert half.sum() == round(whole.sum() / 2)
    assert score[half].min() >= score[whole & ~half].max()
    assert np.array_equal(found.strongest("language 4", 1), whole)
    assert not found.strongest("language 4", 0).any()


def test_tables_hold_every_method_and_give_the_regions_back():
    activations = Activations.from_array(planted(shape=(10, 40, 2, 60))[0])
    tables = regions.tables(activations, seed=1)
    assert set(tables["region_counts"]["method"]) == set(METHODS)
    assert len(tables["region_overlap"]) == len(METHODS) * 90
    assert len(tables["region_agreement"]) == 6 * 10
    again = regions.from_tables(tables, activations)
    for method, found in regions.select_all(activations, seed=1).items():
        assert np.array_equal(again[method].region, found.region)
        np.testing.assert_allclose(again[method].expected, found.expected)
        np.testing.assert_allclose(again[method].score[found.region], found.score[found.region])


def test_with_five_languages_the_tables_leave_zscore_out():
    tables = regions.tables(noise(shape=(5, 20, 2, 30)))
    assert "zscore" not in set(tables["region_counts"]["method"])
