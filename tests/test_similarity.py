"""LRDS, SADS and what stands beside them: against plain loops, and against truth that was planted."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lingua_utils.measure import similarity
from lingua_utils.measure.activations import Activations
from lingua_utils.measure.intervals import simultaneous_limits
from lingua_utils.measure.sums import SCALES, Compared, Vectors, families_of, halves_of, sample_of

SCORES = ["same_language", "same_meaning", "neither"]


def raw_means(vectors, **options):
    """The three pair means as the paper has them."""
    return similarity.pair_means(vectors, scale="raw", **options)


def double_loop(vectors):
    """The three pair means, pair by pair."""
    units = vectors.astype(np.float64)
    units = units / np.linalg.norm(units, axis=-1, keepdims=True)
    cosines = {name: [] for name in SCORES}
    for (a, i), (b, j) in itertools.combinations(np.ndindex(vectors.shape[:2]), 2):
        shared = "same_language" if a == b else "same_meaning" if i == j else "neither"
        cosines[shared].append(units[a, i] @ units[b, j])
    return np.array([np.mean(cosines[name]) for name in SCORES])


def leave_one_out(vectors):
    """Jackknife standard errors of (LRDS, SADS), each sentence left out in its turn."""
    means = np.array([double_loop(np.delete(vectors, m, axis=1)) for m in range(vectors.shape[1])])
    scores = means[:, :2] - means[:, 2:]
    n = len(scores)
    return np.sqrt((n - 1) / n * np.square(scores - scores.mean(axis=0)).sum(axis=0))


def planted(language=1.0, meaning=1.0, noise=1.0, shape=(5, 60, 256), seed=0):
    """Vectors that are a language's direction + a meaning's direction + noise, each of the given length."""
    rng = np.random.default_rng(seed)
    n_languages, n_sentences, width = shape
    parts = [(language, (n_languages, 1, width)), (meaning, (1, n_sentences, width)), (noise, shape)]
    return sum(size * rng.normal(size=part) for size, part in parts) / np.sqrt(width)


def activations(n_layers=2, kinds=None, **options):
    layers = [planted(seed=i, **options).astype(np.float32) for i in range(n_layers)]
    return Activations.from_array(layers, kinds=kinds)


# ---- pair means -----------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(
    st.tuples(st.integers(2, 4), st.integers(2, 7), st.integers(1, 9)),
    st.sampled_from([np.float16, np.float32, np.float64]),
    st.floats(1e-2, 1e2),
    st.integers(0, 2**31),
)
def test_pair_means_equal_the_double_loop(shape, dtype, scale, seed):
    vectors = (scale * np.random.default_rng(seed).normal(0.2, 1, shape)).astype(dtype)
    means = raw_means(vectors)
    expected = double_loop(vectors)
    np.testing.assert_allclose([getattr(means, name) for name in SCORES], expected, atol=1e-9)
    np.testing.assert_allclose((means.lrds, means.sads), expected[:2] - expected[2], atol=1e-9)


@settings(max_examples=15)
@given(st.tuples(st.integers(2, 4), st.integers(3, 7), st.integers(2, 9)), st.integers(0, 2**31))
def test_standard_errors_equal_the_jackknife_done_by_hand(shape, seed):
    vectors = np.random.default_rng(seed).normal(0.3, 1, shape)
    means = raw_means(vectors)
    np.testing.assert_allclose((means.lrds_se, means.sads_se), leave_one_out(vectors), atol=1e-9)


def test_orthogonal_languages_have_an_lrds_of_exactly_one():
    vectors = np.repeat(np.eye(4, 16)[:, None] * 0.3, 5, axis=1)
    means = raw_means(vectors)
    assert (means.lrds, means.sads) == (1, 0)
    assert (means.lrds_se, means.sads_se) == pytest.approx((0, 0), abs=1e-12)


def test_orthogonal_meanings_shared_by_all_languages_have_a_sads_of_exactly_one():
    vectors = np.repeat(np.eye(7)[None] * 0.3, 4, axis=0)
    means = raw_means(vectors)
    assert (means.lrds, means.sads) == (0, 1)
    assert (means.lrds_se, means.sads_se) == pytest.approx((0, 0), abs=1e-12)


def test_two_sentences_have_scores_but_no_standard_errors():
    means = raw_means(planted(shape=(3, 2, 5)))
    assert np.isfinite([means.lrds, means.sads]).all()
    assert np.isnan([means.lrds_se, means.sads_se]).all()


def test_sads_groups_translations_not_neighbours():
    vectors = planted(language=0, meaning=3)
    shifted = vectors.copy()
    shifted[1:] = np.roll(shifted[1:], 1, axis=1)
    assert raw_means(vectors[:2]).sads > 0.8
    assert abs(raw_means(shifted[:2]).sads) < 0.1


def test_planted_shares_of_language_and_meaning_are_recovered():
    means = raw_means(planted(language=2, meaning=1, noise=1, shape=(8, 80, 4096)))
    # Squared lengths 4, 1, 1 of 6: cosines of pairs that share only the language, only the meaning.
    assert means.lrds == pytest.approx(4 / 6, abs=0.02)
    assert means.sads == pytest.approx(1 / 6, abs=0.02)
    assert means.neither == pytest.approx(0, abs=0.02)


def test_sads_of_shuffled_meanings_is_zero_within_its_interval():
    rng = np.random.default_rng(3)
    covered = []
    for seed in range(60):
        vectors = rng.permuted(np.arange(40)[None].repeat(4, axis=0), axis=1)
        shuffled = np.take_along_axis(planted(shape=(4, 40, 64), seed=seed), vectors[:, :, None], axis=1)
        row = similarity.pair_means(shuffled).row()
        covered.append(row["sads_low"] <= 0 <= row["sads_high"])
    assert np.mean(covered) >= 0.85


def test_standard_errors_match_the_spread_over_fresh_sentences():
    languages = np.random.default_rng(0).normal(size=(4, 1, 32))
    draws = []
    for seed in range(200):
        rng = np.random.default_rng(seed + 1)
        vectors = languages + rng.normal(size=(1, 30, 32)) + rng.normal(size=(4, 30, 32))
        means = raw_means(vectors)
        draws.append((means.lrds, means.sads, means.lrds_se, means.sads_se))
    spread, stated = np.std(draws, axis=0)[:2], np.mean(draws, axis=0)[2:]
    np.testing.assert_allclose(stated, spread, rtol=0.2)


def test_only_directions_count():
    vectors = planted(shape=(3, 8, 16))
    scaled = vectors * np.random.default_rng(0).uniform(1e-6, 1e6, (3, 8, 1))
    assert raw_means(scaled).sads == pytest.approx(raw_means(vectors).sads, abs=1e-12)


def test_pair_means_leaves_its_input_alone_and_reads_memory_mapped_arrays(tmp_path):
    vectors = planted(shape=(3, 40, 5000)).astype(np.float32)
    np.save(tmp_path / "vectors.npy", vectors)
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    assert similarity.pair_means(mapped) == similarity.pair_means(vectors)
    read_only = vectors.astype(np.float64)
    read_only.flags.writeable = False
    assert similarity.pair_means(read_only, scale="standardised").sads > 0


@pytest.mark.parametrize(
    ("shape", "counts"), [((1, 5, 3), "1 languages × 5"), ((3, 1, 3), "3 languages × 1")]
)
def test_too_few_to_compare_is_an_error_with_the_counts(shape, counts):
    with pytest.raises(ValueError, match=counts):
        raw_means(np.ones(shape))


def test_another_number_of_axes_is_an_error_with_the_shape():
    with pytest.raises(ValueError, match=r"\(3, 4\).*\[language, sentence, neuron\]"):
        similarity.pair_means(np.ones((3, 4)))


@pytest.mark.parametrize(
    ("value", "fault", "scale"),
    [(0, "norm 0", "raw"), *itertools.product([np.nan, np.inf], ["not finite"], SCALES)],
)
def test_a_vector_without_direction_is_named_by_language_and_sentence(value, fault, scale):
    vectors = np.random.default_rng(0).normal(size=(3, 4, 5))
    vectors[2, 1] = value
    with pytest.raises(ValueError, match=rf"\[language 2, sentence 1\].*{fault}") as error:
        similarity.pair_means(vectors, scale=scale)
    assert "\n" not in str(error.value)


def test_vectors_that_are_all_alike_have_no_direction_once_centred():
    with pytest.raises(ValueError, match=r"norm 0 after the mean"):
        similarity.pair_means(np.full((3, 7, 5), 0.1), scale="centred")


# ---- intervals of scores on an estimated scale ------------------------------------------------------------

# Languages, meanings, size of language, meaning and noise, spread of the neurons' sizes (log), directions
# that meanings have.
POPULATIONS = [
    (2, 8, 0, 1, 1, 0, 64),
    (2, 8, 1, 1, 1, 0, 64),
    (3, 10, 1, 0.5, 1, 0, 64),
    (4, 20, 1, 1, 1, 1, 100),
    (5, 12, 1, 1, 1, 0, 5),
    (10, 10, 1, 1, 1, 0, 64),
    (10, 40, 0.5, 0.5, 1, 0, 64),
    (2, 20, 1, 1, 0.5, 0.7, 4),
    (6, 30, 2, 1, 1, 0.5, 64),
    (3, 15, 0.3, 0.2, 1, 0, 64),
]


def draws_of(population, rng):
    """A function that draws sentences of a population of meanings in some languages."""
    n_languages, _, language, meaning, noise, spread, rank = population
    width = max(64, rank)
    sizes = np.exp(spread * rng.normal(size=width))
    centres = language * rng.normal(size=(n_languages, 1, width))
    directions = np.eye(width) if rank >= width else rng.normal(size=(rank, width)) / np.sqrt(rank)

    def draw(n_sentences):
        meanings = meaning * rng.normal(size=(1, n_sentences, len(directions))) @ directions
        return (centres + meanings + noise * rng.normal(size=(n_languages, n_sentences, width))) * sizes

    return draw


@pytest.mark.parametrize("scale", ["standardised", "centred"])
def test_intervals_over_ten_populations_hold_the_score_of_all_meanings_95_times_in_100(scale):
    rng = np.random.default_rng(0)
    covered = {"lrds": [], "sads": []}
    for population in POPULATIONS:
        draw = draws_of(population, rng)
        true = similarity.pair_means(draw(4000), scale=scale)
        for _ in range(100):
            row = similarity.pair_means(draw(population[1]), scale=scale).row()
            for score, within in covered.items():
                within.append(row[f"{score}_low"] <= getattr(true, score) <= row[f"{score}_high"])
    assert [np.mean(within) for within in covered.values()] == pytest.approx([0.95, 0.95], abs=0.02)


def test_few_meanings_do_not_bias_centred_scores():
    rng = np.random.default_rng(0)
    draw = draws_of(POPULATIONS[0], rng)
    small = [draw(8) for _ in range(200)]
    uncorrected = np.mean([raw_means(vectors - vectors.mean(axis=(0, 1))).sads for vectors in small])
    corrected = np.mean([similarity.pair_means(vectors, scale="centred").sads for vectors in small])
    assert uncorrected == pytest.approx(0.55, abs=0.01)  # of 0.5
    assert corrected == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("scale", ["standardised", "centred"])
def test_two_kinds_of_sentences_score_alike_in_turn_and_mixed(scale):
    rng = np.random.default_rng(0)
    vectors = planted(shape=(4, 120, 64)) + np.resize(0.5 * rng.normal(size=(2, 64)), (120, 64))
    mixed = [similarity.pair_means(vectors[:, rng.permutation(120)], scale=scale) for _ in range(5)]
    for score in ("sads", "lrds"):
        expected = np.mean([getattr(means, score) for means in mixed])
        in_turn = getattr(similarity.pair_means(vectors, scale=scale), score)
        assert in_turn == pytest.approx(expected, abs=0.02)


@given(st.integers(2, 500))
def test_halves_are_all_sentences_once_and_as_many_in_each(n_sentences):
    one, other = halves_of(n_sentences)
    assert sorted([*one, *other]) == list(range(n_sentences))
    assert len(one) - len(other) in (0, 1)
    assert (np.diff(one) > 0).all() and (np.diff(other) > 0).all()


def test_the_interval_of_a_score_is_students_t_over_meanings():
    row = similarity.pair_means(planted(shape=(4, 9, 32))).row()
    t = stats.t.ppf(0.975, 8)
    for score in ("lrds", "sads"):
        reach = (row[score] - row[f"{score}_low"], row[f"{score}_high"] - row[score])
        assert reach == pytest.approx((t * row[f"{score}_se"],) * 2)


@pytest.mark.parametrize("scale", ["standardised", "centred"])
def test_too_few_meanings_to_correct_by_give_no_score(scale):
    vectors = planted(shape=(3, 4, 16))
    assert np.isfinite(similarity.pair_means(vectors, scale=scale).sads)
    assert np.isnan(similarity.pair_means(vectors[:, :3], scale=scale).sads)
    assert np.isfinite(raw_means(vectors[:, :3]).sads)


# ---- layers and scales ----------------------------------------------------------------------------------


def test_layers_come_in_order_and_then_all_of_them_together():
    given = activations(3)
    found = dict(given.by_layer())
    assert list(found) == ["0", "1", "2", "all"]
    assert [vectors.layer_index for vectors in found.values()] == [0, 1, 2, -1]
    for i in range(3):
        alone = similarity.pair_means(given.layer(i))
        assert similarity.pair_means(found[str(i)]).sads == pytest.approx(alone.sads, abs=1e-12)


def test_all_layers_are_as_their_vectors_concatenated():
    layers = [planted(shape=(3, 9, width), seed=width).astype(np.float32) for width in (8, 24)]
    together = dict(Activations.from_array(layers).by_layer())["all"]
    wide = similarity.pair_means(np.concatenate(layers, axis=-1))
    assert similarity.pair_means(together).row() == pytest.approx(wide.row(), abs=1e-12)
    np.testing.assert_array_equal(np.asarray(together), np.concatenate(layers, axis=-1))


def by_hand(vectors, scale):
    """Vectors on a scale, in plain numpy."""
    if scale == "raw":
        return vectors
    centred = vectors - vectors.mean(axis=(0, 1))
    if scale == "centred":
        return centred
    spread = vectors.std(axis=(0, 1))
    return np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 1e-9)


@pytest.mark.parametrize("scale", SCALES)
def test_a_scale_is_what_it_says_and_scores_follow(scale, monkeypatch):
    monkeypatch.setattr("lingua_utils.measure.sums.TILE", 40)  # several tiles
    vectors = planted(shape=(3, 8, 12)) * np.linspace(0.1, 30, 12) + 5
    vectors[:, :, 4] = 7  # a neuron that never varies
    scaled = Vectors.of(vectors, scale=scale)
    np.testing.assert_allclose(np.asarray(scaled), by_hand(vectors, scale), atol=1e-9)
    means = similarity.pair_means(vectors, scale=scale)
    expected = double_loop(by_hand(vectors, scale))
    if scale != "raw":
        halves = [double_loop(by_hand(vectors[:, half], scale)) for half in halves_of(8)]
        expected = 2 * expected - np.mean(halves, axis=0)
    np.testing.assert_allclose([getattr(means, name) for name in SCORES], expected, atol=1e-9)


def test_centring_uncovers_what_a_common_direction_hides():
    vectors = planted() + 5
    centred = similarity.pair_means(vectors, scale="centred").sads
    assert centred > 10 * raw_means(vectors).sads


def with_massive_neurons(vectors, same_for_all):
    """Three neurons 1,000 times as large: a meaning's own in all languages, or noise that is nobody's."""
    n_languages, n_sentences, _ = vectors.shape
    shape = (1 if same_for_all else n_languages, n_sentences, 3)
    massive = vectors.copy()
    massive[:, :, :3] = 1000 * np.random.default_rng(1).normal(size=shape)
    return massive


@pytest.mark.parametrize("meaning", [0, 1])
def test_three_massive_neurons_fake_or_hide_sads_raw_and_centred_and_not_standardised(meaning):
    vectors = planted(language=0, meaning=meaning, shape=(5, 40, 400))
    massive = with_massive_neurons(vectors, same_for_all=meaning == 0)
    true, pretended = meaning / 2, 1 - meaning
    assert similarity.pair_means(vectors).sads == pytest.approx(true, abs=0.02)
    assert similarity.pair_means(massive).sads == pytest.approx(true, abs=0.02)
    for scale in ("raw", "centred"):
        assert similarity.pair_means(massive, scale=scale).sads == pytest.approx(pretended, abs=0.05)
    assert similarity.top_share(massive) > 0.99


def test_massive_noise_hides_translations_from_retrieval_unless_standardised():
    vectors = with_massive_neurons(planted(language=0, shape=(4, 60, 400)), same_for_all=False)
    found = {scale: similarity.retrieval(vectors, scale=scale).accuracy.mean() for scale in SCALES}
    assert found["standardised"] > 0.99
    assert max(found["raw"], found["centred"]) < 0.1


@pytest.mark.parametrize("scale", SCALES)
def test_every_measure_looks_at_its_vectors_on_the_scale(scale):
    vectors = planted(shape=(3, 12, 20)) * np.linspace(0.1, 9, 20) + 1
    scaled = by_hand(vectors, scale)
    for measure in (similarity.mean_cosines, similarity.principal_plane, similarity.retrieval):
        found, expected = measure(vectors, scale=scale), measure(scaled, scale="raw")
        for column in found.select_dtypes(float):
            np.testing.assert_allclose(found[column], expected[column], atol=1e-5)
    found = similarity.permutation_null(vectors, 5, scale=scale)
    expected = similarity.permutation_null(scaled, 5, scale="raw")
    np.testing.assert_allclose([found.lrds, found.sads], [expected.lrds, expected.sads], atol=1e-5)


def test_vectors_are_put_on_a_scale_once():
    vectors = Vectors.of(planted(shape=(3, 8, 12)), scale="raw")
    assert vectors.scaled("centred") is vectors.scaled("centred")
    assert vectors.scaled("centred").scaled("raw").squared_norms == pytest.approx(vectors.squared_norms)


def test_a_languages_own_mean_can_be_removed_on_every_scale():
    vectors = planted(shape=(3, 8, 12)) + 5
    for scale in SCALES:
        alone = np.asarray(Vectors.of(vectors, scale=scale).centred_by_language())
        expected = by_hand(vectors, scale)
        np.testing.assert_allclose(alone, expected - expected.mean(axis=1, keepdims=True), atol=1e-9)


def test_some_sentences_keep_the_scale_of_all():
    vectors = planted(shape=(3, 8, 12)) + 5
    some = Vectors.of(vectors, scale="standardised").select([5, 2])
    np.testing.assert_allclose(np.asarray(some), by_hand(vectors, "standardised")[:, [5, 2]], atol=1e-9)


def test_an_unknown_scale_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="no scale 'logarithmic'; there are standardised, centred, raw"):
        similarity.pair_means(planted(shape=(3, 8, 12)), scale="logarithmic")


def test_a_kind_is_measured_as_if_the_corpus_held_nothing_else():
    given = activations(2, ["bridged"] * 20 + ["unbridged"] * 19 + ["single"], shape=(3, 40, 32))
    kinds = dict(given.by_kind())
    assert list(kinds) == ["all", "bridged", "unbridged"]
    for scale in SCALES:
        vectors = dict(kinds["bridged"].by_layer())["1"]
        alone = similarity.pair_means(given.layer(1)[:, :20], scale=scale)
        assert similarity.pair_means(vectors, scale=scale).row() == pytest.approx(alone.row(), abs=1e-9)


def test_sentences_chosen_from_chosen_ones_are_of_those():
    vectors = Vectors.of(planted(shape=(3, 8, 12)), scale="raw")
    twice = vectors.select([7, 5, 2]).select([2, 0])
    np.testing.assert_array_equal(np.asarray(twice), np.asarray(vectors)[:, [2, 7]])


@pytest.mark.parametrize("n_languages", [3, 31])
def test_every_measure_of_several_layers_is_that_of_their_vectors_concatenated(n_languages):
    layers = [planted(shape=(n_languages, 9, width), noise=2, seed=width) for width in (8, 24)]
    together = dict(Activations.from_array(layers).by_layer())["all"]
    wide = np.concatenate(layers, axis=-1)
    for measure in (similarity.mean_cosines, similarity.principal_plane, similarity.retrieval):
        found, expected = measure(together), measure(wide)
        for column in found.select_dtypes(float):
            np.testing.assert_allclose(found[column], expected[column], atol=1e-5)
    found, expected = (similarity.sums_of_squares(vectors) for vectors in (together, wide))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    null, expected = (similarity.permutation_null(vectors, 5) for vectors in (together, wide))
    np.testing.assert_allclose([null.lrds, null.sads], [expected.lrds, expected.sads], atol=1e-5)


def test_a_neuron_that_is_always_zero_stays_zero_on_a_scale():
    vectors = planted(shape=(3, 8, 5))
    vectors[:, :, 2] = 0
    for scale in SCALES:
        scaled = np.asarray(Vectors.of(vectors, scale=scale))
        np.testing.assert_allclose(scaled, by_hand(vectors, scale), atol=1e-9)


# ---- chosen pairs of languages --------------------------------------------------------------------------


def chosen_loop(vectors, chosen):
    """The three pair means over chosen pairs of languages, pair by pair."""
    units = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    cosines = {name: [] for name in SCORES}
    for (a, i), (b, j) in itertools.permutations(np.ndindex(vectors.shape[:2]), 2):
        if a == b and chosen[a].any():
            cosines["same_language"].append(units[a, i] @ units[b, j])
        elif a != b and chosen[a, b]:
            cosines["same_meaning" if i == j else "neither"].append(units[a, i] @ units[b, j])
    return np.array([np.mean(cosines[name]) for name in SCORES])


CHOSEN = np.array([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]], dtype=bool)


def test_scores_over_chosen_pairs_equal_the_loop_over_them():
    vectors = planted(shape=(4, 6, 9))
    means = raw_means(vectors, pairs=CHOSEN)
    expected = chosen_loop(vectors, CHOSEN)
    np.testing.assert_allclose([getattr(means, name) for name in SCORES], expected, atol=1e-9)
    left = np.array([chosen_loop(np.delete(vectors, m, axis=1), CHOSEN) for m in range(6)])
    scores = left[:, :2] - left[:, 2:]
    errors = np.sqrt(5 / 6 * np.square(scores - scores.mean(axis=0)).sum(axis=0))
    np.testing.assert_allclose((means.lrds_se, means.sads_se), errors, atol=1e-9)


def test_all_pairs_chosen_are_all_pairs():
    vectors = planted(shape=(4, 10, 9))
    every = raw_means(vectors, pairs=lambda a, b: True)
    assert every.row() == pytest.approx(raw_means(vectors).row(), abs=1e-12)
    null, plain = (
        similarity.permutation_null(vectors, 10, pairs=pairs) for pairs in (CHOSEN | ~CHOSEN, None)
    )
    np.testing.assert_allclose(null.sads, plain.sads, atol=1e-5)
    np.testing.assert_allclose(null.lrds, plain.lrds, atol=1e-5)


@settings(max_examples=30)
@given(st.data())
def test_sums_over_groups_of_languages_are_sums_over_their_pairs(data):
    """Of languages that are compared alike, whatever the choice of pairs."""
    n_languages = data.draw(st.integers(2, 7))
    labels = np.array(data.draw(st.lists(st.integers(0, 3), min_size=n_languages, max_size=n_languages)))
    chosen = (labels[:, None] == labels) != data.draw(st.booleans())
    chosen = chosen & ~np.eye(n_languages, dtype=bool)
    units = np.random.default_rng(0).standard_normal((n_languages, 3, 5))
    compared = Compared.of(chosen.astype(float))
    assert len(compared.members) <= len(set(labels))
    np.testing.assert_allclose(
        compared.products(units), np.einsum("kmn,lmn,kl->mn", units, units, chosen), atol=1e-9
    )
    np.testing.assert_allclose(compared.partners(units[:, 0]), chosen @ units[:, 0], atol=1e-9)
    assert compared.n_pairs == chosen.sum() and np.array_equal(compared.languages, chosen.any(axis=0))


def test_pairs_may_be_chosen_by_a_function_of_the_languages():
    vectors = Vectors.of(planted(shape=(4, 6, 9)), languages=("a", "b", "c", "d"))
    named = similarity.pair_means(vectors, pairs=lambda a, b: {a, b} in ({"a", "b"}, {"b", "c"}))
    assert named == similarity.pair_means(vectors, pairs=CHOSEN)


def test_the_null_of_chosen_pairs_is_made_of_their_scores_on_shuffled_sentences():
    vectors = planted(shape=(3, 3, 16))
    chosen = CHOSEN[:3, :3]
    orders = list(itertools.permutations(range(3)))
    by_meaning = [
        raw_means(np.stack([vectors[k, list(o)] for k, o in enumerate(some)]), pairs=chosen).sads
        for some in itertools.product(orders, repeat=3)
    ]
    by_language = [
        raw_means(
            np.stack([vectors[list(labels), range(3)] for labels in zip(*some, strict=True)]), pairs=chosen
        ).lrds
        for some in itertools.product(orders, repeat=3)
    ]
    null = similarity.permutation_null(vectors, 30, pairs=chosen, scale="raw")
    for values, possible in ((null.sads, by_meaning), (null.lrds, by_language)):
        assert np.abs(values[:, None] - np.array(possible)).min(axis=1).max() < 1e-5


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (lambda a, b: False, "no pair of 0, 1, 2, 3 is chosen"),
        (lambda a, b: a < b, "symmetric"),
        (np.ones((2, 2)), r"shape \(2, 2\)"),
    ],
)
def test_pairs_that_choose_nothing_or_not_both_ways_are_refused(pairs, message):
    with pytest.raises(ValueError, match=message):
        similarity.pair_means(planted(shape=(4, 6, 9)), pairs=pairs)


def test_the_same_vectors_answer_for_each_choice_of_pairs():
    vectors = Vectors.of(planted(shape=(4, 6, 9)), scale="raw")
    for pairs in ([(0, 3), (1, 2), (2, 3)], [(0, 2), (0, 3), (1, 3)]):
        chosen = np.zeros((4, 4), dtype=bool)
        for one, other in pairs:
            chosen[one, other] = chosen[other, one] = True
        means = similarity.pair_means(vectors, pairs=chosen, scale="raw")
        expected = chosen_loop(np.asarray(vectors), chosen)
        np.testing.assert_allclose([getattr(means, name) for name in SCORES], expected, atol=1e-9)


def test_the_null_leaves_out_languages_that_are_in_no_pair():
    vectors = planted(shape=(3, 2, 16))
    chosen = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]], dtype=bool)
    orders = list(itertools.permutations(range(3)))
    possible = [
        raw_means(np.stack([vectors[list(one), 0], vectors[list(other), 1]], axis=1), pairs=chosen).lrds
        for one, other in itertools.product(orders, orders)
    ]
    null = similarity.permutation_null(vectors, 30, pairs=chosen, scale="raw")
    assert np.abs(null.lrds[:, None] - np.array(possible)).min(axis=1).max() < 1e-5


# ---- null -----------------------------------------------------------------------------------------------


def test_the_null_holds_zero_and_not_what_was_planted():
    vectors = planted()
    null = similarity.permutation_null(vectors, 100, seed=1)
    means = similarity.pair_means(vectors)
    for score in ("lrds", "sads"):
        shuffled = getattr(null, score)
        low, high = np.quantile(shuffled, [0.025, 0.975])
        assert low <= 0 <= high
        assert getattr(means, score) > 10 * high


def test_the_null_is_made_of_scores_of_shuffled_sentences():
    vectors = planted(shape=(2, 3, 16))
    orders = list(itertools.permutations(range(3)))
    by_meaning = [
        raw_means(np.stack([vectors[0, list(a)], vectors[1, list(b)]])).sads
        for a, b in itertools.product(orders, orders)
    ]
    swaps = list(itertools.product([0, 1], repeat=3))
    by_language = [
        raw_means(np.stack([vectors[list(s), range(3)], vectors[[1 - x for x in s], range(3)]])).lrds
        for s in swaps
    ]
    null = similarity.permutation_null(vectors, 50, scale="raw")
    for values, possible in ((null.sads, by_meaning), (null.lrds, by_language)):
        assert np.abs(values[:, None] - np.array(possible)).min(axis=1).max() < 1e-6
        assert len(np.unique(values.round(5))) > 2


def test_the_same_seed_gives_the_same_null():
    vectors = planted(shape=(3, 10, 8))
    one, again, other = (similarity.permutation_null(vectors, 20, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.sads, again.sads)
    assert not np.allclose(one.sads, other.sads)


def test_of_many_meanings_some_are_shuffled_and_the_null_errs_on_the_safe_side(monkeypatch):
    vectors = planted(shape=(3, 200, 32))
    every = similarity.permutation_null(vectors, 200).sads.std()
    monkeypatch.setattr("lingua_utils.measure.similarity.N_SHUFFLED", 50)
    assert similarity.permutation_null(vectors, 200).sads.std() == pytest.approx(2 * every, rel=0.2)


def test_limits_hold_for_all_layers_and_checkpoints_of_a_grid_together():
    rows = []
    for model, step in itertools.product("ab", (0, 8)):
        for layer, vectors in activations(2, shape=(3, 20, 16)).by_layer():
            null = similarity.permutation_null(vectors, 30, seed=step)
            rows.append({"model": model, "step": step, "layer": layer} | null.row() | null.draws())
    table = pd.DataFrame(rows)
    found = similarity.with_limits(table, ["model"])
    without = similarity.with_limits(pd.concat([table, pd.DataFrame([{"model": "a"}])]), ["model"])
    assert np.isnan(without.sads_null_limit.iloc[-1])
    assert without.sads_null_limit.iloc[:-1].tolist() == found.sads_null_limit.tolist()
    for _, grid in found.groupby("model"):
        expected = simultaneous_limits(np.array(grid.sads_null_draws.to_list()).T)
        np.testing.assert_allclose(grid.sads_null_limit, expected)
    assert (similarity.with_limits(table, ["model", "step"]).lrds_null_limit != found.lrds_null_limit).any()
    assert (found.sads_null_limit > found.sads_null_high).all()


def test_a_row_of_the_null_has_the_mean_and_the_central_95_in_100():
    draws = np.arange(201.0) ** 2
    row = similarity.Null(lrds=draws, sads=-draws).row()
    assert row == pytest.approx(
        {
            "lrds_null": draws.mean(),
            "lrds_null_low": 5**2,
            "lrds_null_high": 195**2,
            "sads_null": -draws.mean(),
            "sads_null_low": -(195**2),
            "sads_null_high": -(5**2),
        }
    )


def test_of_many_meanings_the_null_draws_some_by_the_seed_and_none_twice(monkeypatch):
    drawn, select = [], Vectors.select
    monkeypatch.setattr("lingua_utils.measure.similarity.N_SHUFFLED", 20)
    monkeypatch.setattr(Vectors, "select", lambda self, some: drawn.append(set(some)) or select(self, some))
    for seed in (1, 1, 2):
        similarity.permutation_null(planted(shape=(2, 30, 8)), 2, seed, scale="raw")
    one, again, other = drawn
    assert len(one) == 20 and one == again and one != other


@pytest.mark.parametrize(("n_languages", "expected"), [(10, 100), (20, 50), (101, 20)])
def test_the_more_sentences_the_fewer_permutations_down_to_twenty(n_languages, expected):
    null = similarity.permutation_null(planted(shape=(n_languages, 200, 2)), scale="raw")
    assert len(null.sads) == len(null.lrds) == expected


def test_rows_without_a_kind_have_limits_too():
    null = similarity.permutation_null(planted(shape=(3, 10, 8)), 30)
    table = pd.DataFrame([{"kind": kind, "scale": "raw"} | null.draws() for kind in ("all", None)])
    all_kinds, none = similarity.with_limits(table).sads_null_limit
    assert none == all_kinds == pytest.approx(simultaneous_limits(null.sads), abs=1e-6)


# ---- variance, mean cosines -------------------------------------------------------------------------------


def test_sums_of_squares_equal_the_decomposition_by_hand():
    values = planted(shape=(4, 9, 6)) + 3
    grand = values.mean(axis=(0, 1))
    language = 9 * np.square(values.mean(axis=1) - grand).sum(axis=0)
    meaning = 4 * np.square(values.mean(axis=0) - grand).sum(axis=0)
    total = np.square(values - grand).sum(axis=(0, 1))
    expected = np.stack([language, meaning, total - language - meaning])
    for scale in ("raw", "centred"):
        np.testing.assert_allclose(similarity.sums_of_squares(values, scale), expected)
    np.testing.assert_allclose(similarity.sums_of_squares(values), expected / total * 36)


def test_a_neuron_that_never_varies_has_no_shares_of_variance():
    values = planted(shape=(3, 8, 5))
    values[:, :, 2] = 0.1
    for scale in SCALES:
        found = similarity.sums_of_squares(values, scale)
        assert np.isnan(found[:, 2]).all() and np.isfinite(np.delete(found, 2, axis=1)).all()


def test_the_top_share_is_that_of_the_neurons_which_vary_most():
    values = planted(shape=(3, 8, 20)) + np.arange(20)
    values[:, :, [4, 9]] *= 50
    variances = values.var(axis=(0, 1))
    assert similarity.top_share(values, 2) == pytest.approx(variances[[4, 9]].sum() / variances.sum())
    assert similarity.top_share(values, 2) > 0.9
    assert np.isnan(similarity.top_share(np.ones((3, 8, 20))))


@pytest.mark.parametrize("part", ["language", "meaning"])
def test_variance_of_one_kind_only_is_found_whole(part):
    values = planted(**{"language": 0, "meaning": 0, "noise": 0, part: 1})
    language, meaning, rest = similarity.sums_of_squares(values).sum(axis=1)
    whole = {"language": language, "meaning": meaning}
    assert whole[part] / (language + meaning + rest) == pytest.approx(1)


def test_mean_cosines_equal_means_over_pairs():
    vectors = planted(shape=(3, 6, 12))
    units = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    table = similarity.mean_cosines(vectors, ["a", "b", "c"], "raw").set_index(["source", "target"])
    same = np.eye(6, dtype=bool)
    for (a, one), (b, other) in itertools.product(enumerate("abc"), repeat=2):
        cosines = units[a] @ units[b].T
        row = table.loc[(one, other)]
        assert row["different_meaning"] == pytest.approx(cosines[~same].mean())
        if a == b:
            assert np.isnan(row["same_meaning"])
        else:
            assert row["same_meaning"] == pytest.approx(cosines[same].mean())


MANY = (
    *("fra_Latn", "spa_Latn", "hin_Deva", "eng_Latn", "arb_Arab", "heb_Hebr", "eus_Latn"),
    *(f"invented {number}" for number in range(25)),
)


def test_of_many_languages_mean_cosines_are_with_the_pivot_the_family_and_all_others():
    vectors = planted(shape=(32, 5, 12))
    units = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    table = similarity.mean_cosines(vectors, MANY, "raw").set_index(["source", "target"])
    same, others = np.eye(5, dtype=bool), [at for at in range(32) if at != 4]
    partners = {("arb_Arab", "eng_Latn"): [3], ("arb_Arab", "family"): [5], ("arb_Arab", "others"): others}
    for key, those in partners.items():
        cosines = np.array([units[4] @ units[other].T for other in those])
        assert table.loc[key].same_meaning == pytest.approx(cosines[:, same].mean())
        assert table.loc[key].different_meaning == pytest.approx(cosines[:, ~same].mean())
    assert ("eng_Latn", "eng_Latn") not in table.index
    # Basque has no other of its family here, and nobody knows the family of an invented language.
    without_family = set(MANY) - {source for source, target in table.index if target == "family"}
    assert without_family == {"eus_Latn", *MANY[7:]}


def test_thirty_languages_are_compared_one_by_one_and_thirty_one_are_not():
    vectors = planted(shape=(31, 4, 6))
    for measure in (similarity.retrieval, similarity.mean_cosines):
        assert measure(vectors[:30]).target.nunique() == 30
        assert set(measure(vectors).target) == {"0", "others"}


def test_of_many_languages_a_sample_over_all_families_is_placed_in_the_plane():
    sample = [MANY[at] for at in sample_of(MANY, 6)]
    assert len(sample) == 6 and "eng_Latn" in sample
    assert {"Afro-Asiatic", "Indo-European", "unknown"} <= set(families_of(sample))
    plane = similarity.principal_plane(planted(shape=(32, 9, 12)), languages=MANY)
    assert set(plane.language) == {MANY[at] for at in sample_of(MANY)} and plane.language.nunique() == 30


# ---- retrieval ------------------------------------------------------------------------------------------


def nearest_by_loop(vectors, centre):
    if centre == "language":
        vectors = vectors - vectors.mean(axis=1, keepdims=True)
    units = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    n_languages, n_sentences, _ = vectors.shape
    nearest = np.zeros((n_languages, n_languages, n_sentences), dtype=int)
    for a, b, m in np.ndindex(nearest.shape):
        nearest[a, b, m] = max(range(n_sentences), key=lambda j: units[a, m] @ units[b, j])
    return nearest


@pytest.mark.parametrize("centre", ["language", None])
def test_retrieval_equals_the_loop_over_sentences(centre, monkeypatch):
    monkeypatch.setattr("lingua_utils.measure.similarity.CELLS", 1500)
    vectors = planted(shape=(3, 15, 24), language=3, noise=2) * np.linspace(0.1, 9, 24)
    nearest, meanings = nearest_by_loop(by_hand(vectors, "standardised"), centre), np.arange(15)
    for row in similarity.retrieval(vectors, centre=centre).itertuples():
        a, b = int(row.source), int(row.target)
        forth, back = nearest[a, b] == meanings, nearest[b, a] == meanings
        assert row.accuracy == pytest.approx(forth.mean())
        assert row.mutual == pytest.approx((forth & back).mean())


def test_of_many_languages_retrieval_is_in_the_pivot_and_in_the_mean_of_the_others(monkeypatch):
    monkeypatch.setattr("lingua_utils.measure.similarity.CELLS", 5000)
    vectors = planted(shape=(32, 9, 10), language=3, noise=2) * np.linspace(0.1, 9, 10)
    found = similarity.retrieval(vectors, MANY).set_index(["source", "target"])
    assert set(found.index) == {
        (one, target) for one in MANY for target in ("eng_Latn", "others") if one != target
    }
    centred = by_hand(vectors, "standardised")
    centred = centred - centred.mean(axis=1, keepdims=True)
    for at, source in enumerate(MANY):
        for target, other in (
            ("eng_Latn", centred[3]),
            ("others", np.delete(centred, at, axis=0).mean(axis=0)),
        ):
            if source == target:
                continue
            nearest = nearest_by_loop(np.stack([centred[at], other]), None)
            forth, back = nearest[0, 1] == np.arange(9), nearest[1, 0] == np.arange(9)
            row = found.loc[(source, target)]
            assert row.accuracy == pytest.approx(forth.mean())
            assert row.mutual == pytest.approx((forth & back).mean())


def test_a_gallery_larger_than_the_text_takes_all_of_it_and_says_so():
    table = similarity.retrieval(planted(shape=(31, 7, 12)), gallery=200)
    assert set(table.gallery) == {7} and set(table.chance) == {1 / 7}


def test_translations_that_differ_by_a_constant_are_all_found():
    table = similarity.retrieval(planted(language=50, noise=0.1))
    assert (table["accuracy"] == 1).all() and (table["mutual"] == 1).all()


def test_retrieval_of_noise_is_at_chance():
    table = similarity.retrieval(planted(meaning=0, shape=(6, 100, 64)))
    assert table["accuracy"].mean() == pytest.approx(table["chance"].iloc[0], abs=0.01)


def test_the_interval_of_a_share_is_wilsons():
    table = similarity.retrieval(planted(meaning=0.4, shape=(2, 50, 64)))
    for row in table.itertuples():
        for limit in (row.accuracy_low, row.accuracy_high):
            assert abs(row.accuracy - limit) == pytest.approx(
                1.96 * np.sqrt(limit * (1 - limit) / 50), rel=1e-3
            )


@settings(max_examples=40)
@given(st.integers(2, 120), st.integers(2, 30), st.integers(0, 9))
def test_every_sentence_is_looked_for_once_in_a_gallery_of_the_stated_size(n_sentences, gallery, seed):
    galleries = similarity._galleries(n_sentences, gallery, seed)
    looked_for = np.concatenate([drawn[new:] for drawn, new in galleries])
    assert {len(set(drawn)) for drawn, _ in galleries} == {min(gallery, n_sentences)}
    assert len(set(looked_for)) == len(looked_for)
    assert len(looked_for) == min(n_sentences, max(5 * gallery, 2))


def test_retrieval_from_galleries_equals_the_loop_over_each():
    vectors = planted(shape=(3, 26, 24), noise=2)
    table = similarity.retrieval(vectors, centre=None, gallery=10, seed=3)
    forth, back = [], []
    for drawn, new in similarity._galleries(26, 10, 3):
        nearest = nearest_by_loop(by_hand(vectors, "standardised")[:, drawn], None)
        forth += list((nearest[0, 1] == np.arange(10))[new:])
        back += list((nearest[1, 0] == np.arange(10))[new:])
    row = table.query("source == '0' and target == '1'").iloc[0]
    assert (row.accuracy, row.mutual) == pytest.approx((np.mean(forth), np.mean(np.logical_and(forth, back))))
    assert (row.chance, row.gallery, row.n_sentences) == (0.1, 10, 26)


def test_texts_of_different_length_compare_at_one_size_of_gallery():
    vectors = planted(meaning=0.9, shape=(4, 400, 64))

    def accuracy(n_sentences, gallery):
        return similarity.retrieval(vectors[:, :n_sentences], gallery=gallery).accuracy.mean()

    assert accuracy(400, 50) == pytest.approx(accuracy(100, 50), abs=0.03)
    assert accuracy(400, 400) < accuracy(100, 100) - 0.1  # each in a gallery of all


def test_a_gallery_of_one_is_refused():
    with pytest.raises(ValueError, match="gallery=1"):
        similarity.retrieval(planted(shape=(3, 8, 12)), gallery=1)


def test_meanings_are_drawn_into_galleries_by_the_seed():
    one, again, other = (set(similarity._galleries(26, 10, seed)[0][0]) for seed in (1, 1, 2))
    assert one == again and one != other


def test_the_mean_of_a_language_is_that_of_the_text_and_not_of_a_gallery():
    vectors = planted(shape=(3, 26, 24), noise=2)
    row = similarity.retrieval(vectors, gallery=10).query("source == '0' and target == '1'").iloc[0]
    scaled = by_hand(vectors, "standardised")
    centred = scaled - scaled.mean(axis=1, keepdims=True)
    found = []
    for drawn, new in similarity._galleries(26, 10, 0):
        found += list((nearest_by_loop(centred[:, drawn], None)[0, 1] == np.arange(10))[new:])
    assert row.accuracy == pytest.approx(np.mean(found))
