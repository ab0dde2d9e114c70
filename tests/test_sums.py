"""Streamed sums equal sums over all sentences at once."""

import numpy as np
import pytest

from lingua_utils.measure.sums import Sums

LANGUAGES = ("eng_Latn", "fra_Latn", "hin_Deva")
WIDTHS = (5, 8)
N_SENTENCES = 23
N_GROUPS = 4


@pytest.fixture
def layers():
    rng = np.random.default_rng(0)
    return [rng.normal(0.3, 1, (3, N_SENTENCES, width)).astype(np.float32) for width in WIDTHS]


def streamed(layers, order, block=6, n_groups=N_GROUPS):
    sums = Sums.empty(LANGUAGES, ("0", "1"), WIDTHS, n_groups)
    for start in range(0, len(order), block):
        chosen = order[start : start + block]
        sums.add([values[:, chosen] for values in layers], chosen % n_groups, chosen)
    return sums


def assert_equal(one, other):
    theirs = other._tensors()
    for name, mine in one._tensors().items():
        np.testing.assert_allclose(mine, theirs[name], rtol=1e-12, atol=1e-12, err_msg=name)


def test_the_sums_are_those_of_unit_vectors(layers):
    sums = streamed(layers, np.arange(N_SENTENCES))
    wide = [values.astype(np.float64) for values in layers]
    norm = np.linalg.norm(np.concatenate(wide, axis=-1), axis=-1, keepdims=True)
    for i, values in enumerate(wide):
        scopes = {
            "within_layer": values / np.linalg.norm(values, axis=-1, keepdims=True),
            "over_layers": values / norm,
        }
        for scope, units in scopes.items():
            kept = getattr(sums, scope)
            np.testing.assert_allclose(kept.squares[i], (units**2).sum(axis=1))
            for group in range(N_GROUPS):
                mine = units[:, group::N_GROUPS]
                np.testing.assert_allclose(kept.totals[i][group], mine.sum(axis=1))
                np.testing.assert_allclose(kept.meanings[i, group], (mine.sum(axis=0) ** 2).sum())
        np.testing.assert_allclose(sums.raw_totals[i], values.sum(axis=1))
        np.testing.assert_allclose(sums.raw_squares[i], (values**2).sum(axis=(0, 1)))
        np.testing.assert_allclose(sums.raw_meanings[i], (values.sum(axis=0) ** 2).sum(axis=0))
    assert sums.counts.tolist() == [6, 6, 6, 5]


@pytest.mark.parametrize("block", [1, 7, N_SENTENCES])
def test_the_size_and_order_of_blocks_do_not_matter(layers, block):
    shuffled = np.random.default_rng(1).permutation(N_SENTENCES)
    assert_equal(streamed(layers, shuffled, block), streamed(layers, np.arange(N_SENTENCES)))


def test_halves_merge_into_the_whole(layers):
    order = np.arange(N_SENTENCES)
    left, right = streamed(layers, order[:9]), streamed(layers, order[9:])
    left.merge(right)
    assert_equal(left, streamed(layers, order))


def test_sums_of_other_languages_do_not_merge(layers):
    with pytest.raises(ValueError, match="languages"):
        streamed(layers, np.arange(4)).merge(Sums.empty(("a", "b", "c"), ("0", "1"), WIDTHS, N_GROUPS))


def test_saved_sums_are_read_back_whole(layers, tmp_path):
    sums = streamed(layers, np.arange(N_SENTENCES))
    read = Sums.load(sums.save(tmp_path / "deep" / "sums.safetensors"))
    assert (read.languages, read.layers, read.widths) == (sums.languages, sums.layers, sums.widths)
    assert_equal(read, sums)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["sums.safetensors"]


def test_sums_that_are_not_there_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Sums.load(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize(("value", "fault"), [(0, "norm 0"), (np.nan, "not finite"), (np.inf, "not finite")])
def test_a_vector_without_direction_is_named_and_nothing_is_added(layers, value, fault):
    layers[1][2, 7] = value
    sums = Sums.empty(LANGUAGES, ("0", "1"), WIDTHS, N_GROUPS)
    with pytest.raises(ValueError, match=rf"layer 1: hin_Deva sentence 7 .*{fault}"):
        sums.add(layers, np.arange(N_SENTENCES) % N_GROUPS)
    assert all(not values.any() for values in sums._tensors().values())


def test_memory_does_not_grow_with_sentences(layers):
    def size(sums):
        return sum(values.nbytes for values in sums._tensors().values())

    assert size(streamed(layers, np.arange(3))) == size(streamed(layers, np.arange(N_SENTENCES)))


def test_a_block_of_another_shape_is_refused(layers):
    sums = Sums.empty(LANGUAGES, ("0", "1"), WIDTHS, N_GROUPS)
    with pytest.raises(ValueError, match="expected"):
        sums.add(layers[:1], np.arange(N_SENTENCES) % N_GROUPS)
    with pytest.raises(ValueError, match="groups must be 0 to 3"):
        sums.add(layers, np.arange(N_SENTENCES))
