"""LRDS, SADS and what stands beside them: against plain loops, and against truth that was planted."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lingua_utils.measure import similarity
from lingua_utils.measure.activations import Activations
from lingua_utils.measure.retrieval import wilson
from lingua_utils.measure.sums import Sums

SCORES = ["same_language", "same_meaning", "neither"]


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


def as_sums(given, n_groups):
    sums = Sums.empty(given.languages, given.layers, given.widths, n_groups)
    sums.add([given.layer(i) for i in range(len(given.layers))], np.arange(given.n_sentences) % n_groups)
    return sums


# ---- pair means -------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(
    st.tuples(st.integers(2, 4), st.integers(2, 7), st.integers(1, 9)),
    st.sampled_from([np.float16, np.float32, np.float64]),
    st.floats(1e-2, 1e2),
    st.integers(0, 2**31),
)
def test_pair_means_equal_the_double_loop(shape, dtype, scale, seed):
    vectors = (scale * np.random.default_rng(seed).normal(0.2, 1, shape)).astype(dtype)
    means = similarity.pair_means(vectors)
    expected = double_loop(vectors)
    np.testing.assert_allclose([getattr(means, name) for name in SCORES], expected, atol=1e-9)
    np.testing.assert_allclose((means.lrds, means.sads), expected[:2] - expected[2], atol=1e-9)


@settings(max_examples=15)
@given(st.tuples(st.integers(2, 4), st.integers(3, 7), st.integers(2, 9)), st.integers(0, 2**31))
def test_standard_errors_equal_the_jackknife_done_by_hand(shape, seed):
    vectors = np.random.default_rng(seed).normal(0.3, 1, shape)
    means = similarity.pair_means(vectors)
    np.testing.assert_allclose((means.lrds_se, means.sads_se), leave_one_out(vectors), atol=1e-9)


def test_orthogonal_languages_have_an_lrds_of_exactly_one():
    vectors = np.repeat(np.eye(4, 16)[:, None] * 0.3, 5, axis=1)
    means = similarity.pair_means(vectors)
    assert (means.lrds, means.sads) == (1, 0)
    assert (means.lrds_se, means.sads_se) == pytest.approx((0, 0), abs=1e-12)


def test_orthogonal_meanings_shared_by_all_languages_have_a_sads_of_exactly_one():
    vectors = np.repeat(np.eye(7)[None] * 0.3, 4, axis=0)
    means = similarity.pair_means(vectors)
    assert (means.lrds, means.sads) == (0, 1)
    assert (means.lrds_se, means.sads_se) == pytest.approx((0, 0), abs=1e-12)


def test_two_sentences_have_scores_but_no_standard_errors():
    means = similarity.pair_means(planted(shape=(3, 2, 5)))
    assert np.isfinite([means.lrds, means.sads]).all()
    assert np.isnan([means.lrds_se, means.sads_se]).all()


def test_sads_groups_translations_not_neighbours():
    vectors = planted(language=0, meaning=3)
    shifted = vectors.copy()
    shifted[1:] = np.roll(shifted[1:], 1, axis=1)
    assert similarity.pair_means(vectors[:2]).sads > 0.8
    assert abs(similarity.pair_means(shifted[:2]).sads) < 0.1


def test_planted_shares_of_language_and_meaning_are_recovered():
    means = similarity.pair_means(planted(language=2, meaning=1, noise=1, shape=(8, 80, 4096)))
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
        means = similarity.pair_means(vectors)
        draws.append((means.lrds, means.sads, means.lrds_se, means.sads_se))
    spread, stated = np.std(draws, axis=0)[:2], np.mean(draws, axis=0)[2:]
    np.testing.assert_allclose(stated, spread, rtol=0.2)


def test_only_directions_count():
    vectors = planted(shape=(3, 8, 16))
    scaled = vectors * np.random.default_rng(0).uniform(1e-6, 1e6, (3, 8, 1))
    assert similarity.pair_means(scaled).sads == pytest.approx(similarity.pair_means(vectors).sads, abs=1e-12)


def test_pair_means_leaves_its_input_alone_and_reads_memory_mapped_arrays(tmp_path):
    vectors = planted(shape=(3, 40, 5000)).astype(np.float32)
    np.save(tmp_path / "vectors.npy", vectors)
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    assert similarity.pair_means(mapped) == similarity.pair_means(vectors)
    read_only = vectors.astype(np.float64)
    read_only.flags.writeable = False
    assert similarity.by_layer(read_only[:, :, None], centred=True)["sads"].item() > 0


@pytest.mark.parametrize(
    ("shape", "counts"), [((1, 5, 3), "1 languages × 5"), ((3, 1, 3), "3 languages × 1")]
)
def test_too_few_to_compare_is_an_error_with_the_counts(shape, counts):
    with pytest.raises(ValueError, match=counts):
        similarity.pair_means(np.ones(shape))


def test_another_number_of_axes_is_an_error_with_the_shape():
    with pytest.raises(ValueError, match=r"\(3, 4\).*\[language, sentence, neuron\]"):
        similarity.pair_means(np.ones((3, 4)))


@pytest.mark.parametrize(("value", "fault"), [(0, "norm 0"), (np.nan, "not finite"), (np.inf, "not finite")])
def test_a_vector_without_direction_is_named_by_language_and_sentence(value, fault):
    vectors = np.ones((3, 4, 5))
    vectors[2, 1] = value
    with pytest.raises(ValueError, match=rf"\[language 2, sentence 1\].*{fault}") as error:
        similarity.pair_means(vectors)
    assert "\n" not in str(error.value)


def test_vectors_that_are_all_alike_have_no_direction_once_centred():
    with pytest.raises(ValueError, match=r"norm 0 after the mean"):
        similarity.by_layer(np.full((3, 7, 1, 5), 0.1), centred=True)


# ---- layers -----------------------------------------------------------------------------------------------


def test_by_layer_has_one_row_a_layer_equal_to_its_pair_means():
    given = activations(3)
    table = similarity.by_layer(given)
    assert table["layer"].tolist() == ["0", "1", "2"]
    for i, row in table.iterrows():
        assert row["sads"] == pytest.approx(similarity.pair_means(given.layer(i)).sads, abs=1e-12)


def test_by_layer_takes_a_plain_array_too():
    given = activations(2)
    plain = similarity.by_layer(given.values)
    pd.testing.assert_frame_equal(plain, similarity.by_layer(given))


def test_centring_subtracts_the_grand_mean():
    vectors = planted() + 5
    centred = vectors - vectors.mean(axis=(0, 1))
    row = similarity.by_layer(vectors[:, :, None], centred=True).iloc[0]
    np.testing.assert_allclose(row[SCORES].to_numpy(float), double_loop(centred[:, :, :]), atol=1e-9)
    assert row["sads"] > 10 * similarity.pair_means(vectors).sads


def test_all_layers_are_as_their_vectors_concatenated():
    layers = [planted(shape=(3, 9, width), seed=width).astype(np.float32) for width in (8, 24)]
    together = similarity.over_layers(Activations.from_array(layers))
    wide = similarity.pair_means(np.concatenate(layers, axis=-1))
    assert together.row() == pytest.approx(wide.row(), abs=1e-12)


def test_streamed_sums_give_the_same_scores():
    given = activations(3)
    sums = as_sums(given, n_groups=20)
    columns = [*SCORES, "lrds", "sads"]
    np.testing.assert_allclose(
        similarity.by_layer(sums)[columns], similarity.by_layer(given)[columns], atol=1e-9
    )
    one, other = similarity.over_layers(sums), similarity.over_layers(given)
    assert (one.lrds, one.sads) == pytest.approx((other.lrds, other.sads), abs=1e-9)


def test_groups_of_one_meaning_give_the_standard_errors_of_single_meanings():
    given = activations(2)
    sums = as_sums(given, n_groups=given.n_sentences)
    for one, other in zip(similarity.by_layer(sums).iloc, similarity.by_layer(given).iloc, strict=True):
        assert one["sads_se"] == pytest.approx(other["sads_se"], rel=1e-6)
    one, other = similarity.over_layers(sums), similarity.over_layers(given)
    assert one.lrds_se == pytest.approx(other.lrds_se, rel=1e-6)


def test_groups_of_unequal_size_give_nearly_the_same_standard_errors():
    given = activations(1)
    one = similarity.over_layers(as_sums(given, n_groups=25))
    assert one.sads_se == pytest.approx(similarity.over_layers(given).sads_se, rel=0.5)


def test_what_needs_sentences_says_so_when_there_are_sums_only():
    with pytest.raises(ValueError, match="keep='sentences'"):
        similarity.by_layer(as_sums(activations(1), 5), centred=True)


# ---- null -------------------------------------------------------------------------------------------------


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
        similarity.pair_means(np.stack([vectors[0, list(a)], vectors[1, list(b)]])).sads
        for a, b in itertools.product(orders, orders)
    ]
    swaps = list(itertools.product([0, 1], repeat=3))
    by_language = [
        similarity.pair_means(
            np.stack([vectors[list(s), range(3)], vectors[[1 - x for x in s], range(3)]])
        ).lrds
        for s in swaps
    ]
    null = similarity.permutation_null(vectors, 50)
    for values, possible in ((null.sads, by_meaning), (null.lrds, by_language)):
        assert np.abs(values[:, None] - np.array(possible)).min(axis=1).max() < 1e-6
        assert len(np.unique(values.round(5))) > 2


def test_the_same_seed_gives_the_same_null():
    vectors = planted(shape=(3, 10, 8))
    one, again, other = (similarity.permutation_null(vectors, 20, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.sads, again.sads)
    assert not np.allclose(one.sads, other.sads)


# ---- variance, blocks -------------------------------------------------------------------------------------


def test_variance_shares_equal_the_decomposition_by_hand():
    values = planted(shape=(4, 9, 6)) + 3
    grand = values.mean(axis=(0, 1))
    language = 9 * np.square(values.mean(axis=1) - grand).sum(axis=0)
    meaning = 4 * np.square(values.mean(axis=0) - grand).sum(axis=0)
    total = np.square(values - grand).sum(axis=(0, 1))
    shares = similarity.variance_by_neuron(values[:, :, None])[0]
    np.testing.assert_allclose(shares, [language / total, meaning / total, 1 - (language + meaning) / total])
    pooled = similarity.variance_shares(values[:, :, None]).iloc[0]
    assert pooled["language"] == pytest.approx(language.sum() / total.sum())


@pytest.mark.parametrize("part", ["language", "meaning"])
def test_variance_of_one_kind_only_is_found_whole(part):
    values = planted(**{"language": 0, "meaning": 0, "noise": 0, part: 1})
    row = similarity.variance_shares(values[:, :, None]).iloc[0]
    assert row[part] == pytest.approx(1)
    assert row[["language", "meaning", "rest"]].sum() == pytest.approx(1)


def test_variance_shares_of_sums_are_those_of_sentences():
    given = activations(2)
    pd.testing.assert_frame_equal(
        similarity.variance_shares(as_sums(given, 7)), similarity.variance_shares(given), atol=1e-9
    )


def test_blocks_equal_means_over_pairs():
    vectors = planted(shape=(3, 6, 12))
    units = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    table = similarity.blocks(vectors, ["a", "b", "c"]).set_index(["source", "target"])
    same = np.eye(6, dtype=bool)
    for (a, one), (b, other) in itertools.product(enumerate("abc"), repeat=2):
        cosines = units[a] @ units[b].T
        row = table.loc[(one, other)]
        assert row["different_meaning"] == pytest.approx(cosines[~same].mean())
        if a == b:
            assert np.isnan(row["same_meaning"])
        else:
            assert row["same_meaning"] == pytest.approx(cosines[same].mean())


# ---- retrieval --------------------------------------------------------------------------------------------


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
    monkeypatch.setattr("lingua_utils.measure.retrieval.CELLS", 100)
    vectors = planted(shape=(3, 15, 24), language=3, noise=2)
    nearest, meanings = nearest_by_loop(vectors, centre), np.arange(15)
    for row in similarity.retrieval(vectors, centre=centre).itertuples():
        a, b = int(row.source), int(row.target)
        forth, back = nearest[a, b] == meanings, nearest[b, a] == meanings
        assert row.accuracy == pytest.approx(forth.mean())
        assert row.mutual == pytest.approx((forth & back).mean())


def test_translations_that_differ_by_a_constant_are_all_found():
    table = similarity.retrieval(planted(language=50, noise=0.1))
    assert (table["accuracy"] == 1).all() and (table["mutual"] == 1).all()


def test_retrieval_of_noise_is_at_chance():
    table = similarity.retrieval(planted(meaning=0, shape=(6, 100, 64)))
    assert table["accuracy"].mean() == pytest.approx(table["chance"].iloc[0], abs=0.01)


def test_wilsons_interval_equals_the_textbook():
    assert wilson(0.8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)


def test_a_share_of_no_trials_has_no_interval():
    assert np.isnan(wilson(np.nan, 0)).all()


def test_the_interval_of_a_share_is_wilsons():
    table = similarity.retrieval(planted(meaning=0.4, shape=(2, 50, 64)))
    for row in table.itertuples():
        for limit in (row.accuracy_low, row.accuracy_high):
            assert abs(row.accuracy - limit) == pytest.approx(
                1.96 * np.sqrt(limit * (1 - limit) / 50), rel=1e-3
            )


# ---- tables -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tables():
    kinds = ["bridged"] * 20 + ["unbridged"] * 19 + ["single"]
    return similarity.tables(activations(2, kinds, shape=(3, 40, 32)), permutations=20)


def test_similarity_has_a_row_for_every_layer_kind_and_centring(tables):
    table = tables["similarity"]
    assert len(table) == 3 * 2 * 3
    assert set(table["kind"]) == {"all", "bridged", "unbridged"}
    assert not table.isna().any(axis=None)
    assert ((table["sads_low"] < table["sads"]) & (table["sads"] < table["sads_high"])).all()
    assert (table["sads_null_high"] < table["sads"]).all()


def test_a_kind_is_measured_as_if_the_corpus_held_nothing_else(tables):
    given = activations(2, shape=(3, 40, 32))
    alone = similarity.by_layer(given.values[:, :20], centred=True)
    table = tables["similarity"].query("kind == 'bridged' and centred and layer != 'all'")
    np.testing.assert_allclose(table[["lrds", "sads"]], alone[["lrds", "sads"]], atol=1e-9)


def test_tables_have_the_columns_that_charts_read(tables):
    key = ["layer", "layer_index"]
    assert tables["variance"].columns.tolist() == [*key, "language", "meaning", "rest"]
    assert tables["blocks"].columns.tolist() == [
        *key,
        "source",
        "target",
        "same_meaning",
        "different_meaning",
    ]
    assert tables["projection"].columns.tolist() == [*key, "language", "sentence", "kind", "x", "y"]
    assert tables["retrieval"].columns.tolist()[:5] == [*key, "kind", "source", "target"]
    for table in tables.values():
        assert set(zip(table["layer"], table["layer_index"], strict=True)) == {
            ("0", 0),
            ("1", 1),
            ("all", -1),
        }


def test_sums_make_the_tables_that_they_can():
    made = similarity.tables(as_sums(activations(2), 10))
    assert set(made) == {"similarity", "variance"}
    assert made["similarity"]["layer"].tolist() == ["0", "1", "all"]
    assert made["similarity"]["sads_null"].isna().all()
