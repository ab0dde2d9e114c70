"""Key neurons: closed forms against loops, rules against planted truth and against no truth at all."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score
from statsmodels.regression.linear_model import OLS
from wired_bloom import wired_bloom, wired_corpus

from lingua_utils.measure import regions
from lingua_utils.measure.activations import Activations, capture
from lingua_utils.measure.regions import RULES, average_precision, key_regions, neuron_scores


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


def offsets(seed=0, shape=(10, 200, 1, 800)):
    """Nothing planted: every language is off by a draw from one normal distribution, on every neuron."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(shape) + rng.standard_normal((1, *shape[1:]))
    own = rng.standard_normal((shape[0], 1, *shape[2:])) * rng.uniform(0.3, 1, shape[2:])
    return (values + own + rng.choice([-3, 0, 3], shape[2:])) * np.exp(rng.standard_normal(shape[2:]))


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


# ---- distinctive ----------------------------------------------------------------------------------------


def test_distinctness_is_the_externally_studentised_residual_of_a_language():
    means = 10 + np.random.default_rng(0).standard_normal((7, 20))  # all on one side of 0
    expected = [
        OLS(column, np.ones(7)).fit().get_influence().resid_studentized_external for column in means.T
    ]
    np.testing.assert_allclose(regions.distinctness(means).T, expected)
    np.testing.assert_allclose(regions.distinctness(-means), regions.distinctness(means))


@pytest.mark.parametrize("far", [0.0, 3.0])
def test_a_language_that_is_quieter_than_the_others_is_not_distinct(far):
    means = np.array([[5.0], [5.1], [4.9], [5.2], [0.0]])
    means[-1] = far
    assert regions.distinctness(means)[-1] <= 0


def test_on_the_other_side_of_0_distinctness_counts_from_0():
    others = np.array([5.0, 5.1, 4.9, 5.2])
    just, spread = 0.01, others.std(ddof=1)
    found = regions.distinctness(np.append(others, -just)[:, None])[-1, 0]
    assert found == pytest.approx(just / (spread * np.sqrt(1 + 1 / 4)))


def test_exchangeable_offsets_of_languages_are_ordinary_to_distinctive_and_not_to_calibrated():
    values = offsets()
    assert key_regions(values, "distinctive", n_shuffles=1).share <= 0.005
    assert key_regions(values, "zscore", n_shuffles=1).share >= 0.3
    assert key_regions(values, "calibrated").share >= 0.02


@pytest.mark.parametrize("n_languages", [4, 10])
def test_distinctive_finds_anything_in_at_most_one_of_twenty_populations_of_exchangeable_languages(
    n_languages,
):
    rng = np.random.default_rng(0)
    shape = (n_languages, 4, 1, 60)
    found = 0
    for _ in range(300):
        # So little noise that only how languages differ can be found.
        own = rng.standard_normal((n_languages, 1, 1, 60)) + rng.choice([-3, 0, 3], 60)
        found += key_regions(
            own + 1e-3 * rng.standard_normal(shape), "distinctive", n_shuffles=1
        ).region.any()
    assert 1 <= found <= 0.05 * 300 + 8  # two standard deviations


def test_distinctive_finds_planted_neurons():
    values, truth = planted(per_language=20, shape=(10, 80, 3, 400))
    found = key_regions(values, "distinctive")
    precision, recall = precision_recall(found.region, truth)
    assert precision >= 0.93 and recall >= 0.95
    assert found.expected.sum() <= 1


def test_a_language_five_times_as_noisy_does_not_stand_out_by_its_noise():
    rng = np.random.default_rng(3)
    noise_of = np.where(np.arange(10) == 4, 5.0, 1.0)[:, None, None, None]
    values, truth = planted(seed=3, per_language=20, shape=(10, 80, 1, 800))
    values = values + 4 * rng.standard_normal(values.shape) * (noise_of > 1) * values.std(axis=(0, 1))
    found = key_regions(values, "distinctive", n_shuffles=1)
    assert precision_recall(found.region, truth)[0] >= 0.93
    assert found.of("language 4").sum() <= 20 * 1.1


def test_distinctive_needs_four_languages_and_says_so_in_one_line():
    with pytest.raises(ValueError, match="distinctive has 3 languages; it needs at least 4") as error:
        key_regions(noise(shape=(3, 8, 1, 6)), "distinctive")
    assert "\n" not in str(error.value)
    assert "distinctive" not in regions.select_all(noise(shape=(3, 8, 1, 500)))
    assert next(iter(regions.select_all(noise(shape=(4, 8, 1, 500))))) == "distinctive"


def test_two_languages_that_share_a_neuron_hide_each_other_from_distinctive():
    values, truth = planted(sharing=2)
    assert precision_recall(key_regions(values, "calibrated").region, truth)[1] >= 0.95
    assert not (key_regions(values, "distinctive").region & truth).any()


# ---- calibrated -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_sentences", [60, 200])
def test_among_many_differences_within_the_margin_calibrated_keeps_its_rate(n_sentences):
    rng = np.random.default_rng(0)
    shape, truth = (10, n_sentences, 1, 300), np.zeros((10, 1, 300), dtype=bool)
    values = rng.standard_normal(shape)
    language, neuron = rng.integers(0, 10, 200), np.arange(200)
    truth[language[:20], 0, neuron[:20]] = True
    values[language, :, 0, neuron] += np.where(neuron < 20, 1.5, 0.4)[:, None]  # the margin is 0.5
    precision, recall = precision_recall(key_regions(values, "calibrated").region, truth)
    assert precision >= 0.95 and recall >= 0.95


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
    for rule in RULES.keys() - {"ap"}:
        assert not key_regions(values, rule).region[..., :20].any(), rule


def test_languages_are_shuffled_alike_for_the_same_seed_and_otherwise_for_another():
    values, _ = planted(shift=0.4)
    first, again, another = (key_regions(values, "zscore", seed=seed).expected_share for seed in (3, 3, 4))
    assert first == again != another


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


def test_the_null_of_lape_shuffles_counts_of_tokens():
    loaded, _ = wired_bloom(per_language=6)
    corpus = wired_corpus(10)
    cut = [
        [" ".join(text.split()[: 3 + (7 * i + j) % 9]) for j, text in enumerate(of)]
        for i, of in enumerate(corpus.texts)
    ]
    corpus = replace(corpus, texts=tuple(map(tuple, cut)))  # of unequal lengths
    activations = capture(loaded, corpus, progress=False)
    found = key_regions(activations, "lape", share=0.1, n_shuffles=3, seed=5)
    n_content = activations.n_content
    shares = np.stack([activations.positive_shares(i) for i in range(3)], axis=2)
    above = (shares * n_content[..., None, None]).round()

    def by_tokens(lape):
        """What a plain function selects when each language has the tokens of the sentences dealt to it."""
        for deal in regions._shuffles(10, 10, 3, seed=5):
            dealt = [np.unravel_index(own, (10, 10)) for own in deal]
            counts = [above[own].sum(axis=0) for own in dealt]
            yield lape(np.stack(counts) / np.array([n_content[own].sum() for own in dealt])[:, None, None])

    def lape(probability):
        flat = probability.reshape(10, -1)
        entropy = regions.activation_entropy(flat)
        active = flat > np.sort(flat, axis=None)[round(0.95 * flat.size) - 1]
        entropy[~active.any(axis=0)] = np.inf
        kept = np.zeros(flat.shape[1], dtype=bool)
        kept[np.argsort(entropy, kind="stable")[: round(0.1 * flat.shape[1])]] = True
        return (active & kept & np.isfinite(entropy)).reshape(probability.shape)

    assert np.array_equal(found.region, lape(np.stack([activations.positive(i) for i in range(3)], axis=1)))
    expected = np.mean([region.sum(axis=2) for region in by_tokens(lape)], axis=0)
    assert expected.any()
    np.testing.assert_allclose(found.expected, expected)


def test_the_null_of_ap_ranks_neurons_by_shuffled_labels():
    rng = np.random.default_rng(4)
    values = rng.standard_normal((4, 30, 2, 20))
    values[:, :, 1] = (
        values[:, :, 1] > 1.5
    )  # a layer of few firings: seldom best, and not worst by an even spread
    found = key_regions(values, "ap", k=5, n_shuffles=4, seed=7)
    counts = np.zeros((4, 2))
    for deal in regions._shuffles(4, 30, 4, seed=7):
        for language, dealt in enumerate(deal):
            own = np.isin(np.arange(120), dealt)
            rows = values.reshape(120, -1).T.astype(np.float32)
            order = np.argsort([average_precision_score(own, row) for row in rows], kind="stable")
            picked = np.append(order[:5], order[-5:])
            counts[language] += np.bincount(picked // 20, minlength=2)
    np.testing.assert_allclose(found.expected, counts / 4)
    assert found.expected.sum(axis=1).tolist() == [10] * 4
    assert abs(found.expected[:, 0].sum() - 20) > 2  # an even spread would give half to each layer


def test_activation_entropy_runs_from_none_to_the_logarithm_of_the_languages():
    entropy = regions.activation_entropy(np.array([[0.5, 0.3, 0.0], [0.0, 0.3, 0.0]]))
    np.testing.assert_allclose(entropy, [0, np.log(2), np.log(2)])


def test_shuffles_deal_every_sentence_of_a_meaning_once():
    language, meaning = np.divmod(regions._shuffles(3, 4, 5, seed=0), 4)
    assert (meaning == np.arange(4)).all()
    assert (np.sort(language, axis=1) == np.arange(3)[:, None]).all()
    assert not (language == language[0]).all()


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_returns_the_same_kind_of_answer(rule):
    activations = Activations.from_array(planted(shape=(10, 40, 2, 60))[0])
    found = key_regions(activations, rule)
    assert found.region.shape == found.score.shape == (10, 2, 60)
    assert found.region.dtype == bool
    assert found.expected.shape == found.count.shape == (10, 2)
    assert found.rule == rule and found.settings.keys() > {"seed"}
    assert found.fingerprint != key_regions(activations, rule, seed=1).fingerprint


# ---- a rule of one's own --------------------------------------------------------------------------------


def loudest(activations, factor=3.0):
    """Neurons whose mean activation in a language is far above those in all languages together."""
    values = activations.values  # [language, sentence, layer, neuron]
    return values.mean(axis=1) > values.mean(axis=(0, 1)) + factor * values.std(axis=(0, 1)) / 10


def test_any_function_is_a_rule_with_a_name_and_a_null():
    values, truth = planted(shift=3, shape=(6, 60, 2, 80))
    found = key_regions(values, loudest)
    assert found.rule == "loudest"
    assert np.array_equal(found.region, loudest(Activations.from_array(values)))
    assert found.expected.shape == (6, 2) and 0 <= found.expected_share <= 1
    assert precision_recall(found.region & (truth.any(axis=0)), truth)[1] > 0.3


def test_the_null_of_any_function_is_what_it_selects_without_languages():
    found = key_regions(noise(shape=(6, 60, 2, 80)), loudest, factor=1.5)
    assert found.expected.sum() == pytest.approx(found.count.sum(), rel=0.35)
    found = key_regions(planted(shift=3, shape=(6, 60, 2, 80), per_language=8)[0], loudest, factor=4.0)
    assert found.count.sum() > 10 * max(found.expected.sum(), 1)


def test_the_null_of_a_function_equals_the_fast_one_of_a_built_in_rule():
    values = noise(shape=(10, 60, 2, 150))

    def plain(activations):
        score = neuron_scores(activations)
        return (score - score.mean(axis=0)) / score.std(axis=0) > 2

    slow, fast = key_regions(values, plain), key_regions(values, "zscore")
    assert np.array_equal(slow.region, fast.region)
    np.testing.assert_allclose(slow.expected, fast.expected, rtol=0.15)


def test_shuffled_activations_hold_the_same_sentences_of_every_meaning():
    seen = []

    def look(activations):
        seen.append((activations.values, activations.positive(1)))
        return np.zeros((4, 2, 5), dtype=bool)

    key_regions(noise(shape=(4, 7, 2, 5)), look, n_shuffles=3)
    (real, _), *shuffled = seen
    assert len(shuffled) == 3
    for values, positive in shuffled:
        np.testing.assert_array_equal(positive, (values[:, :, 1] > 0).mean(axis=1))
        assert not np.array_equal(values, real)
        np.testing.assert_array_equal(np.sort(values, axis=0), np.sort(real, axis=0))


@pytest.mark.parametrize(
    "answer",
    [np.zeros((4, 2, 5)), np.zeros((2, 5), dtype=bool), (np.zeros((4, 2, 5), dtype=bool), np.zeros(3))],
)
def test_a_rule_that_returns_something_else_is_told_what_to_return(answer):
    with pytest.raises(ValueError, match=r"rule '<lambda>' returned .*\[language, layer, neuron\]"):
        key_regions(noise(shape=(4, 7, 2, 5)), lambda activations: answer)


def test_rules_are_looked_up_when_they_are_asked_for(monkeypatch):
    monkeypatch.setitem(RULES, "zscore", loudest)
    values = noise(shape=(6, 20, 1, 10))
    assert key_regions(values, "zscore").rule == "zscore"
    assert np.array_equal(key_regions(values, "zscore").region, loudest(Activations.from_array(values)))


def test_names_and_functions_can_be_selected_by_together():
    found = regions.select_all(noise(shape=(6, 20, 1, 10)), ["ap", loudest])
    assert list(found) == ["ap", "loudest"]


def test_two_rules_of_one_name_are_refused():
    with pytest.raises(ValueError, match="rules are named <lambda>, ap, <lambda>"):
        regions.select_all(noise(shape=(6, 20, 1, 10)), [lambda one: one, "ap", lambda other: other])


def test_with_five_languages_zscore_is_left_out():
    assert "zscore" not in regions.select_all(noise(shape=(5, 20, 2, 30)))
    assert "zscore" in regions.select_all(noise(shape=(6, 20, 2, 30)))


def test_layers_of_unequal_width_are_padded_with_neurons_that_are_never_key():
    values, _ = planted(shape=(10, 40, 2, 60))
    activations = Activations.from_array([values[:, :, 0], values[:, :, 1, :40]])
    for rule in RULES:
        assert not key_regions(activations, rule).region[:, 1, 40:].any(), rule


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rule": "zscores"}, "no rule 'zscores'"),
        ({"rule": "lape", "threshold": 2}, "lape has no setting 'threshold'"),
        ({"rule": "zscore", "n_shuffles": 0}, "n_shuffles is 0; it must be at least 1"),
        ({"rule": "ap", "k": 400}, "k=400 neurons at either end, but there are 300"),
    ],
)
def test_what_cannot_be_asked_for_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        key_regions(noise(), **arguments)


def test_one_language_is_refused():
    with pytest.raises(ValueError, match="1 languages × 8 sentences"):
        key_regions(noise(shape=(1, 8, 1, 5)))


@pytest.mark.parametrize("n_languages", [5, 33])
def test_overlap_is_the_jaccard_index_of_every_two_regions_or_its_mean_over_the_others(n_languages):
    values = noise(shape=(n_languages, 6, 3, 40))
    found = key_regions(values, "ap", k=4, n_shuffles=1)
    within = np.array([True, False, True])

    def by_hand(one, other):
        pair = (found.region[at][within] for at in (one, other))
        return regions.jaccard(*pair, np.array(found.widths)[within])

    table = regions.overlap(found, within).set_index(["source", "target"])
    source = found.languages[2]
    row = table.loc[(source, found.languages[0])]
    assert (row.jaccard, row.chance) == pytest.approx(by_hand(2, 0))
    if n_languages > 30:
        others = [by_hand(2, other) for other in range(n_languages) if other != 2]
        row = table.loc[(source, "others")]
        assert (row.jaccard, row.chance) == pytest.approx(np.nanmean(others, axis=0))
    else:
        assert len(table) == n_languages * (n_languages - 1)


def test_two_empty_regions_have_no_overlap():
    found = key_regions(noise(shape=(4, 30, 1, 50)), "calibrated")
    assert not found.region.any() and regions.overlap(found).jaccard.isna().all()


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


def test_the_strongest_part_of_a_region_has_its_highest_scores():
    found = key_regions(planted()[0], "calibrated")
    half = found.strongest("language 4", 0.5)
    whole, score = found.of("language 4"), found.score[4]
    assert half.sum() == round(whole.sum() / 2)
    assert score[half].min() >= score[whole & ~half].max()
    assert np.array_equal(found.strongest("language 4", 1), whole)
    assert not found.strongest("language 4", 0).any()
