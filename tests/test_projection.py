"""The sentence map shows principal components and stands still between checkpoints."""

import numpy as np
import pandas as pd
import pytest

from lingua_utils.measure.similarity import align_planes, principal_plane


@pytest.fixture
def vectors():
    rng = np.random.default_rng(0)
    return (
        rng.normal(size=(4, 1, 32)) + 0.5 * rng.normal(size=(1, 90, 32)) + 0.2 * rng.normal(size=(4, 90, 32))
    )


def rotated(table, angle, flip=1):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * [1, flip]
    return table.assign(**dict(zip("xy", (table[["x", "y"]].to_numpy() @ turn).T, strict=True)))


def test_the_axes_are_the_principal_components_of_the_shown_sentences(vectors):
    table = principal_plane(vectors)
    vectors = (vectors - vectors.mean(axis=(0, 1))) / vectors.std(axis=(0, 1))
    units = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    shown = units[:, table["sentence"].unique()].reshape(len(table), -1)
    left, values, _ = np.linalg.svd(shown - shown.mean(axis=0), full_matrices=False)
    for k, axis in enumerate("xy"):
        expected = left[:, k] * values[k]
        assert abs(table[axis] @ expected) == pytest.approx(values[k] ** 2, rel=1e-5)
        assert table[axis].abs().max() == table[axis].max()


def test_at_most_forty_meanings_are_shown_in_every_language(vectors):
    table = principal_plane(vectors, languages=["a", "b", "c", "d"])
    assert len(table) == 4 * 40
    assert table.groupby("language")["sentence"].nunique().tolist() == [40] * 4
    assert {table["sentence"].min(), table["sentence"].max()} == {0, 89}
    assert len(principal_plane(vectors[:, :7])) == 4 * 7


def test_points_keep_the_kind_of_their_sentence(vectors):
    kinds = [str(m % 3) for m in range(90)]
    table = principal_plane(vectors, kinds)
    assert (table["kind"] == (table["sentence"] % 3).astype(str)).all()


@pytest.mark.parametrize("flip", [1, -1])
def test_a_turned_map_is_turned_back_onto_the_later_one(vectors, flip):
    last = principal_plane(vectors).assign(layer="0", step=100)
    maps = [rotated(last, 2.0, flip).assign(step=10), rotated(last, -1.0).assign(step=0), last]
    table = pd.concat(maps, ignore_index=True)
    still = align_planes(table)
    for _, chart in still.groupby("step"):
        np.testing.assert_allclose(chart[["x", "y"]], last[["x", "y"]], atol=1e-9)
    assert (table.loc[0, ["x", "y"]] != still.loc[0, ["x", "y"]]).any()


def test_alignment_changes_no_distance_and_not_the_last_map(vectors):
    rng = np.random.default_rng(1)
    later = principal_plane(vectors).assign(layer="0", step=pd.NA)
    earlier = principal_plane(vectors + rng.normal(size=vectors.shape)).assign(layer="0", step=5)
    table = pd.concat([earlier, later], ignore_index=True).astype({"step": "Int64"})
    still = align_planes(table)
    np.testing.assert_array_equal(still.loc[160:, ["x", "y"]], later[["x", "y"]])
    one, other = (part.loc[:159, ["x", "y"]].to_numpy() for part in (table, still))
    np.testing.assert_allclose(one @ one.T, other @ other.T, atol=1e-9)
    assert np.square(other - later[["x", "y"]]).sum().sum() <= np.square(one - later[["x", "y"]]).sum().sum()


def test_layers_and_models_are_aligned_apart(vectors):
    base = principal_plane(vectors)
    parts = [
        rotated(base, angle).assign(layer=layer, model_id=model, step=step)
        for model, layer, step, angle in (
            ("a", "0", 0, 1),
            ("a", "0", 9, 0),
            ("a", "1", 9, 2),
            ("b", "0", 9, 3),
        )
    ]
    still = align_planes(pd.concat(parts, ignore_index=True))
    chart = {key: part[["x", "y"]].to_numpy() for key, part in still.groupby(["model_id", "layer", "step"])}
    np.testing.assert_allclose(chart["a", "0", 0], base[["x", "y"]], atol=1e-9)
    np.testing.assert_allclose(chart["b", "0", 9], parts[3][["x", "y"]])
