"""A verdict for each claim follows from its tables by a rule: it can come out each way."""

import fake_tables
import numpy as np
import pandas as pd
import pytest
from fake_tables import measured

from lingua_utils.runs import claims, findings
from lingua_utils.runs.claims import FAILS, HOLDS, IN_PART, UNMEASURED, UNTOLD

MODEL, CONTROL = "lab/bloom-m", "lab/bloom-m-monolingual"
LANGUAGES = ("eng_Latn", "fra_Latn", "hin_Deva", "zho_Hans")


# ---- alike by language, by meaning ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "twin", "verdict"),
    [
        ([0.3, 0.4, 0.3], 0.1, HOLDS),
        ([0.3, 0.4, 0.1], 0.1, IN_PART),
        ([0.3, 0.4, 0.3], 0.5, FAILS),
        # Above its twin, but not above what shuffled sentences give.
        ([0.01, 0.01, 0.01], -0.1, FAILS),
    ],
)
def test_alike_counts_above_the_null_and_above_the_twin_layer_by_layer(own, twin, verdict):
    beside = findings.beside_twins(pd.concat([measured(LRDS=own), measured(step=0, LRDS=twin)]))
    assert claims.alike(beside, ("LRDS",)).verdict == verdict


def test_alike_by_meaning_must_show_in_both_measures_of_a_layer():
    own = measured(SADS=[0.3, 0.3, 0.05], translations_found=[0.05, 0.3, 0.3])
    beside = findings.beside_twins(pd.concat([own, measured(step=0, SADS=0.05, translations_found=0.05)]))
    verdict = claims.alike(beside, ("SADS", findings.FOUND))
    assert verdict.verdict == IN_PART and "above both in 1 of 3 layers" in verdict.told


def test_without_a_twin_or_a_measure_no_verdict_is_given():
    beside = findings.beside_twins(measured(SADS=0.3))
    assert claims.alike(beside, ("SADS",)).verdict == UNTOLD
    assert claims.alike(beside, ("SADS", findings.FOUND)).verdict == UNMEASURED


# ---- growth ---------------------------------------------------------------------------------------------


def training(ends, found, control=0.1, seeds=(0,)):
    parts = [
        measured(model, step, seed=seed, SADS=sads, translations_found=share)
        for seed in seeds
        for model, step, sads, share in (
            (MODEL, 0, 0.1, 0.1),
            (MODEL, 800, ends, found),
            (CONTROL, 0, 0.1, 0.1),
            (CONTROL, 800, control, control),
        )
    ]
    return pd.concat(parts)


@pytest.mark.parametrize(
    ("ends", "found", "control", "verdict"),
    [
        (0.3, 0.3, 0.1, HOLDS),
        (0.3, 0.1, 0.1, IN_PART),
        (0.1, 0.1, 0.1, FAILS),
        (0.3, 0.3, 0.4, FAILS),
    ],
)
def test_growth_counts_above_the_untrained_model_and_above_the_control(ends, found, control, verdict):
    assert claims.grows_with_training(training(ends, found, control)).verdict == verdict


def test_one_training_that_does_not_grow_is_enough_to_say_so():
    other = training(0.1, 0.1).assign(training_seed=1)
    assert claims.grows_with_training(pd.concat([training(0.3, 0.3), other])).verdict == FAILS


def test_growth_of_a_model_without_checkpoints_is_not_told():
    real = pd.concat(
        [measured(SADS=0.3, translations_found=0.3), measured(step=0, SADS=0.1, translations_found=0.1)]
    )
    assert claims.grows_with_training(real, "org/real").verdict == UNTOLD
    assert claims.grows_with_training(real, "org/other").verdict == UNMEASURED


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [
        ((0.1, 0.2, 0.3), HOLDS),
        ((0.1, 0.2, 0.2), IN_PART),
        ((0.3, 0.4, 0.3), FAILS),
        ((0.1, 0.9), UNTOLD),
        ((), UNMEASURED),
    ],
)
def test_size_is_judged_from_three_sizes_on(scores, verdict):
    models = [measured(f"lab/{at}", 800, size=10.0**at, SADS=sads) for at, sads in enumerate(scores)]
    table = pd.concat(models) if models else findings.measures({})
    assert claims.grows_with_size(table).verdict == verdict


# ---- key neurons ----------------------------------------------------------------------------------------


def counts(by_layer, step=800, noise=0.001):
    """Key neurons of every language in each of six layers, as shares."""
    table = fake_tables.grid(rule=(claims.RULE, "zscore"), language=LANGUAGES, at=range(6))
    share = np.asarray(by_layer)[table.pop("at")] + noise * fake_tables.number(table.language)
    table = table.assign(share=share, count=1000 * share, layer_index=np.tile(range(6), len(table) // 6))
    table = table.assign(model_id=MODEL, training_seed=0, revision=f"step{step}", step=step)
    return table.astype({"step": "Int64"})


NONE = [0.0] * 6


@pytest.mark.parametrize(
    ("by_layer", "twin", "verdict"),
    [
        ([0.1, 0.05, 0.01, 0.01, 0.05, 0.1], NONE, HOLDS),
        ([0.01, 0.05, 0.01, 0.01, 0.05, 0.1], NONE, IN_PART),
        ([0.01, 0.05, 0.1, 0.1, 0.05, 0.01], NONE, FAILS),
        ([0.1, 0.05, 0.01, 0.01, 0.05, 0.1], [0.3, 0, 0, 0, 0, 0.3], FAILS),
    ],
)
def test_key_neurons_sit_outside_where_both_ends_exceed_the_middle_and_the_twin(by_layer, twin, verdict):
    uneven = counts(by_layer)
    # Languages differ in how much more the ends hold.
    uneven["share"] *= 1 + 0.1 * fake_tables.number(uneven.language)
    assert claims.denser_outside(pd.concat([uneven, counts(twin, 0, noise=0)])).verdict == verdict


def test_where_key_neurons_sit_is_not_told_without_a_twin():
    assert claims.denser_outside(counts(NONE)).verdict == UNTOLD


@pytest.mark.parametrize(
    ("path", "verdict"),
    [((0.3, 0.2, 0.1), HOLDS), ((0.1, 0.3, 0.1), IN_PART), ((0.1, 0.2, 0.3), FAILS), ((0.3,), UNTOLD)],
)
def test_regions_shrink_from_the_first_trained_checkpoint_or_from_their_largest(path, verdict):
    steps = [(0, 0.0), *zip((8, 100, 800), path, strict=False)]
    table = pd.concat(counts([share] * 6, step) for step, share in steps)
    # Not all languages shrink alike.
    table["count"] *= 1 + 0.1 * fake_tables.number(table.language)
    assert claims.shrinks(table).verdict == verdict


# ---- what it does ---------------------------------------------------------------------------------------


def selectivity(difference, excess):
    """A region's cost beyond the others and beyond random neurons, language by language."""
    table = fake_tables.grid(rule=(claims.RULE,), region_language=LANGUAGES, control_kind=("layer",))
    table = table.assign(difference=difference, excess=excess, own=0.5, others=0.1, control_own=0.2)
    for name in ("difference", "excess"):
        table = table.assign(**{f"{name}_low": table[name] - 0.01, f"{name}_high": table[name] + 0.01})
    return table.assign(model_id=MODEL, training_seed=0, step=pd.array([800] * len(table), dtype="Int64"))


@pytest.mark.parametrize(
    ("difference", "excess", "verdict"),
    [
        (0.1, 0.1, HOLDS),
        ([0.1, 0.1, 0.0, 0.1], 0.1, IN_PART),
        (0.1, [0.1, 0.1, 0.1, 0.0], IN_PART),
        (0.1, 0.0, FAILS),
        (0.0, 0.1, FAILS),
    ],
)
def test_silencing_counts_beyond_the_other_languages_and_beyond_random_neurons(difference, excess, verdict):
    assert claims.hurts_its_own(selectivity(difference, excess)).verdict == verdict


def test_a_language_without_a_region_is_not_counted():
    table = selectivity(0.1, 0.1)
    empty = table.region_language == "fra_Latn"
    table.loc[empty, ["difference", "difference_low", "difference_high", "excess_low"]] = 0.0
    verdict = claims.hurts_its_own(table)
    assert verdict.verdict == HOLDS and "3 of 3 languages" in verdict.told
    assert claims.hurts_its_own(table[empty]).verdict == UNTOLD


def asked(translation, transfer, n=10):
    """Accuracy at ``n`` checkpoints, and SADS that grows with them."""
    steps = [100 * at for at in range(n)]
    scored = pd.concat(measured(MODEL, step, SADS=0.01 * at) for at, step in enumerate(steps))
    table = fake_tables.grid(asked=("translation", "transfer"), at=range(n))
    path = {"translation": translation, "transfer": transfer}
    accuracy = [path[task][at] for task, at in zip(table.asked, table["at"], strict=True)]
    table = table.assign(mean_accuracy=accuracy, step=[steps[at] for at in table["at"]], chance=0.5)
    table = table.assign(mean_low=table.mean_accuracy - 0.02, mean_high=table.mean_accuracy + 0.02)
    table = table.assign(model_id=MODEL, training_seed=0, revision=[f"step{step:06}" for step in table.step])
    return scored, table.astype({"step": "Int64"})


RISES, FLAT, LOW = list(np.linspace(0.5, 0.9, 10)), [0.5, 0.52] * 5, list(np.linspace(0.1, 0.45, 10))


@pytest.mark.parametrize(
    ("translation", "transfer", "verdict"),
    [
        (RISES, RISES, HOLDS),
        (RISES, FLAT, IN_PART),
        (FLAT, FLAT, FAILS),
        # It goes with SADS, and never comes above chance.
        (LOW, LOW, FAILS),
    ],
)
def test_accuracy_counts_where_it_goes_with_sads_and_ends_above_chance(translation, transfer, verdict):
    assert claims.goes_with_accuracy(*asked(translation, transfer)).verdict == verdict


def test_a_handful_of_checkpoints_tells_no_correlation():
    assert claims.goes_with_accuracy(*asked(RISES, RISES, n=5)).verdict == UNTOLD


# ---- the table ------------------------------------------------------------------------------------------


def test_every_claim_has_a_line_for_the_lab_and_for_real_models_though_nothing_was_measured():
    table = claims.verdicts({}, {})
    assert table.groupby("claim").size().eq(2).all() and table.claim.nunique() == 8
    assert set(table.model) == {"a real model", "bloom-m"}
    assert set(table.verdict) == {UNMEASURED, UNTOLD}


def test_a_claim_stands_once_in_the_page_with_its_chapter_and_a_line_for_each_model():
    text = claims.as_markdown(claims.verdicts({}, {}))
    lines = text.splitlines()
    assert len(lines) == 2 + 16 and all(line.count("|") == 5 for line in lines)
    assert text.count("Silencing them hurts mainly that language.") == 1
    assert text.count(f"**{UNMEASURED}**") == 15
