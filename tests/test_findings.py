"""What the first page says, the tables hold: a real model by layer, the lab through training."""

import fake_tables
import numpy as np
import pandas as pd
import pytest
from fake_tables import measured
from hypothesis import given
from hypothesis import strategies as st

from lingua_utils.runs import findings
from lingua_utils.runs.findings import FOUND

HUMP = {"SADS": [0.1, 0.4, 0.15], "LRDS": [0.3, 0.1, 0.5], "translations_found": [0.2, 0.9, 0.3]}


def with_run(table):
    """A made-up table with the run's columns that collated tables have."""
    return table.assign(training_seed=0, n_parameters=10.0)


def test_scores_are_those_of_all_sentences_standardised_with_their_null():
    table = with_run(fake_tables.similarity(steps=(8,)))
    rows = findings.measures({"similarity": table}).set_index(["measure", "layer"])
    wanted = table.query("kind == 'all' and scale == 'standardised'").set_index("layer")
    for layer in ("all", "0", "1", "2"):
        for score in ("SADS", "LRDS"):
            row, one = rows.loc[(score, layer)], wanted.loc[layer]
            names = [score.lower() + part for part in ("", "_low", "_high", "_null_low", "_null_high")]
            assert row[["value", "low", "high", "null_low", "null_high"]].tolist() == one[names].tolist()


def test_a_limit_holds_for_all_layers_of_one_run_together():
    table = with_run(fake_tables.similarity(steps=(8,))).drop(columns=["sads_null_limit", "lrds_null_limit"])
    draws = np.random.default_rng(0).normal(0, 0.01, size=(len(table), 100))
    table = table.assign(sads_null_draws=list(draws), lrds_null_draws=list(draws))
    rows = findings.measures({"similarity": table}).query("measure == 'SADS'")
    shown = table.eval("kind == 'all' and scale == 'standardised'").to_numpy()
    stays_below = (draws[shown] <= rows.limit.to_numpy()[:, None]).all(axis=0)
    assert 0.9 <= stays_below.mean() <= 0.99


def test_translations_are_looked_for_across_scripts_only():
    languages = ("eng_Latn", "fra_Latn", "hin_Deva")
    table = with_run(fake_tables.retrieval(steps=(8,), languages=languages))
    within = table.source.str[4:] == table.target.str[4:]
    table["accuracy"] = np.where(within, 0.9, 0.3)
    table = table.assign(accuracy_low=0.2, accuracy_high=0.4)
    rows = findings.measures({"retrieval": table})
    assert set(rows.measure) == {FOUND} and np.allclose(rows.value, 0.3)
    assert (rows.limit == 0.01).all()


def test_without_tables_nothing_is_measured():
    empty = findings.measures({})
    assert empty.empty and findings.front(empty, empty).empty
    assert findings.real_models(empty) == "Real models were not measured on pud."
    assert findings.lab_models(empty) == "The lab was not measured."


def test_a_finished_model_stands_beside_its_own_twin_and_none_beside_anothers():
    rows = pd.concat(
        [
            measured("org/a", SADS=0.3),
            measured("org/a", step=0, SADS=0.1),
            measured("org/b", SADS=0.5),
            measured("org/c", step=0, SADS=0.2),
        ]
    )
    beside = findings.beside_twins(rows).groupby("model_id")[["value", "twin", "gain"]].mean()
    assert beside.index.tolist() == ["org/a", "org/b"]
    assert beside.loc["org/a"].tolist() == pytest.approx([0.3, 0.1, 0.2])
    assert beside.loc["org/b"].isna().tolist() == [False, True, True]


@given(st.floats(0.001, 0.2), st.floats(0.001, 0.2))
def test_the_interval_of_a_difference_holds_the_errors_of_both(own, twins):
    one, twin = measured(SADS=0.3), measured(step=0, SADS=0.1)
    one, twin = (
        table.assign(low=table.value - half, high=table.value + half)
        for table, half in ((one, own), (twin, twins))
    )
    beside = findings.beside_twins(pd.concat([one, twin]))
    half = np.sqrt(own**2 + twins**2)
    assert np.allclose(beside.gain - beside.gain_low, half) and np.allclose(
        beside.gain_high - beside.gain, half
    )


def test_the_figure_shows_the_largest_real_model_by_layer_and_the_lab_by_step():
    real = pd.concat(
        [
            measured("pypi/small", size=1e8, **HUMP),
            measured("pypi/large", size=2e8, **HUMP),
            measured("pypi/large", step=0, SADS=0.01),
        ]
    )
    lab = pd.concat(
        [measured("lab/bloom-m", step, SADS=0.1) for step in (0, 8)] + [measured("lab/llama-m", 8, SADS=0.2)]
    )
    shown = findings.front(real, lab)
    assert set(shown[shown.part == "real"].model_id) == {"pypi/large"}
    assert "all" not in set(shown[shown.part == "real"].layer)
    assert set(shown[shown.part == "real"].series) == {"model", "untrained twin"}
    of_lab = shown[shown.part == "lab"]
    assert of_lab.model_id.unique().tolist() == ["lab/bloom-m"] and set(of_lab.layer) == {"all"}
    assert of_lab.step.tolist() == [0, 8]


@pytest.mark.parametrize(
    ("sads", "lrds", "said"),
    [
        ([0.1, 0.4, 0.1], [0.3, 0.1, 0.4], "meaning rises and language falls toward the middle"),
        ([0.1, 0.4, 0.1], [0.3, 0.4, 0.4], "language does not do the reverse"),
        ([0.4, 0.1, 0.1], [0.3, 0.1, 0.4], "meaning does not do the reverse"),
        ([0.4, 0.1, 0.1], [0.3, 0.4, 0.1], "neither"),
        ([0.39, 0.4, 0.1], [0.3, 0.29, 0.4], "neither"),
    ],
)
def test_a_middle_is_called_higher_or_lower_only_beyond_the_intervals_of_both_ends(sads, lrds, said):
    tables = (measured(SADS=values).query("layer != 'all'") for values in (sads, lrds))
    assert said in findings.shape(*tables)


def test_a_real_model_is_told_with_its_best_layer_its_twin_and_chance():
    twin = measured(step=0, SADS=0.01, LRDS=0.02, translations_found=0.021)
    text = findings.real_models(pd.concat([measured(**HUMP), twin]))
    assert "In real translations are found most often in layer 1, 90% of the time" in text
    assert (
        "(89% to 91%; its untrained twin: 2.1%; chance 0.8%), 20% in the first layer and 30% in the last"
        in text
    )
    assert "meaning rises and language falls" in text
    assert "twin: not measured" in findings.real_models(measured(**HUMP))


def test_the_lab_is_told_with_the_mean_and_the_range_of_its_trainings():
    parts = [
        measured("lab/bloom-m", 800, seed=seed, SADS=value, translations_found=value)
        for seed, value in enumerate((0.2, 0.3, 0.4))
    ]
    text = findings.lab_models(pd.concat(parts))
    assert "SADS ends at 0.30 (the model; 0.20 to 0.40)" in text and "means over 3 trainings of each" in text
    assert "one training of each" in findings.lab_models(parts[0])


def test_the_finding_is_one_sentence_of_the_real_model_then_of_the_lab():
    twin = measured(step=0, translations_found=0.021)
    lab = [measured("lab/bloom-m", step, translations_found=share) for step, share in ((0, 0.01), (800, 0.3))]
    control = measured("lab/bloom-m-monolingual", 800, translations_found=0.02)
    text = findings.finding(pd.concat([measured(**HUMP), twin]), pd.concat([*lab, control]))
    assert text.startswith("In real, a real model, languages meet in the middle: in layer 1 ")
    assert "90% of the time (89% to 91%; untrained 2.1%, chance 0.8%), in the first layer 20%" in text
    assert "rises from 1% to 30% (29% to 31%; chance 0.8%), but only to 2% where" in text
    assert text.index("real") < text.index("small model") and text.count(". ") == 0


def test_the_finding_says_what_does_not_meet_in_the_middle_and_what_needs_no_bridge():
    lab = [measured(name, 800, translations_found=0.3) for name in ("lab/bloom-m", "lab/bloom-m-monolingual")]
    text = findings.finding(measured(translations_found=[0.9, 0.2, 0.1]), pd.concat(lab))
    assert "middle" not in text and "and to 30% where" in text
    assert findings.finding(*[findings.measures({})] * 2) == (
        "Real models were not measured on pud; the lab was not measured."
    )


def test_the_title_of_the_figure_says_what_the_largest_real_model_does():
    small = measured("pypi/small", size=1e6, SADS=[0.4, 0.1, 0.1], LRDS=[0.3, 0.4, 0.4])
    table = pd.concat([small, measured(**HUMP)])
    assert findings.heading(table).startswith("Meaning rises and language falls toward the middle")
    assert findings.heading(small).startswith("Neither meaning nor language")
    assert findings.heading(findings.measures({})) == "Meaning and language, by layer and by step"
