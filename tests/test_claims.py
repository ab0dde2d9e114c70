"""A verdict for each claim follows from its tables by a rule: it can come out each way."""

from pathlib import Path

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
    assert verdict.verdict == IN_PART and "above both in 1 of 3 layers" in verdict.numbers


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


# ---- between the ends, and over bridges -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sads", "found", "verdict"),
    [
        ([0.1, 0.4, 0.1], [0.2, 0.9, 0.3], HOLDS),
        ([0.1, 0.4, 0.1], [0.9, 0.2, 0.3], IN_PART),
        ([0.4, 0.1, 0.1], [0.9, 0.2, 0.3], FAILS),
        # Higher in the middle, but within the intervals of an end.
        ([0.39, 0.4, 0.1], [0.9, 0.2, 0.3], FAILS),
    ],
)
def test_the_middle_counts_beyond_the_intervals_of_both_ends(sads, found, verdict):
    assert claims.shared_between_the_ends(measured(SADS=sads, translations_found=found)).verdict == verdict


@pytest.mark.parametrize(
    ("placebo", "verdict"), [((0.1, 0.1), HOLDS), ((0.3, 0.1), IN_PART), ((0.3, 0.3), FAILS), (None, UNTOLD)]
)
def test_bridges_count_above_the_control_and_both_placebos(placebo, verdict):
    table = training(0.3, 0.3)
    if placebo:
        names = ("lab/bloom-mispaired", "lab/bloom-apart")
        sads, found = placebo
        table = pd.concat([table, *(measured(n, 800, SADS=sads, translations_found=found) for n in names)])
    assert claims.takes_bridges(table).verdict == verdict


# ---- key neurons ----------------------------------------------------------------------------------------


def counts(by_layer, step=800, rules=(claims.RULE, "zscore")):
    """Key neurons of every language in each of six layers of 1,000."""
    table = fake_tables.grid(rule=rules, language=LANGUAGES, layer_index=range(6))
    number = np.asarray(by_layer)[table.layer_index]
    table = table.assign(count=number, share=number / 1000, layer=table.layer_index.astype(str))
    table = table.assign(model_id=MODEL, training_seed=0, revision=f"step{step}", step=step)
    return table.astype({"step": "Int64"})


EVEN, OUTSIDE, INSIDE = [20] * 6, [60, 20, 10, 10, 20, 60], [10, 20, 60, 60, 20, 10]


@pytest.mark.parametrize(
    ("by_layer", "twin", "verdict"),
    [
        (OUTSIDE, EVEN, HOLDS),
        (EVEN, EVEN, FAILS),
        (INSIDE, EVEN, FAILS),
        # As many lie outside before anything is learned.
        (OUTSIDE, OUTSIDE, FAILS),
    ],
)
def test_key_neurons_sit_outside_beyond_an_even_spread_and_the_twin(by_layer, twin, verdict):
    assert claims.denser_outside(pd.concat([counts(by_layer), counts(twin, 0)])).verdict == verdict


def test_one_rule_or_language_in_which_key_neurons_sit_outside_is_a_part():
    model = pd.concat([counts(OUTSIDE, rules=("zscore",)), counts(EVEN, rules=(claims.RULE,))])
    verdict = claims.denser_outside(pd.concat([model, counts(EVEN, 0)]))
    assert verdict.verdict == IN_PART
    assert f"4 of 4 by `zscore`, 0 of 4 by `{claims.RULE}`" in verdict.numbers


def test_where_key_neurons_sit_is_not_told_without_a_twin():
    assert claims.denser_outside(counts(EVEN)).verdict == UNTOLD


@pytest.mark.parametrize(
    ("path", "verdict"),
    [((300, 200, 100), HOLDS), ((100, 300, 100), FAILS), ((100, 200, 300), FAILS), ((300,), UNTOLD)],
)
def test_regions_shrink_from_the_first_trained_checkpoint(path, verdict):
    steps = [(0, 0), *zip((8, 100, 800), path, strict=False)]
    table = pd.concat(counts([number] * 6, step) for step, number in steps)
    # Not all languages shrink alike.
    table["count"] *= 1 + 0.1 * fake_tables.number(table.language)
    assert claims.shrinks(table).verdict == verdict


def test_regions_that_shrink_by_one_rule_only_shrink_in_part():
    by_rule = {"distinctive": (300, 100), "zscore": (100, 300), "ap": (300, 100)}
    parts = (
        counts([n] * 6, step, rules=(r,))
        for r, ns in by_rule.items()
        for step, n in zip((8, 800), ns, strict=True)
    )
    verdict = claims.shrinks(pd.concat(parts))
    # What takes a fixed share is not asked.
    assert verdict.verdict == IN_PART and "ap" not in verdict.numbers


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
    assert verdict.verdict == HOLDS and "3 of 3 languages" in verdict.numbers
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


@pytest.mark.parametrize(("transfer", "verdict"), [(RISES, HOLDS), (FLAT, FAILS)])
def test_what_one_language_was_told_the_others_know_where_transfer_ends_above_chance(transfer, verdict):
    assert claims.known_elsewhere(asked(RISES, transfer)[1]).verdict == verdict


def test_recall_that_comes_before_sads_is_told():
    scored, table = asked(RISES, RISES)
    recall = table[table.asked == "transfer"].assign(asked="cloze", mean_accuracy=[0.2, 0.2, 1.0] + [1.0] * 7)
    numbers = claims.goes_with_accuracy(scored, pd.concat([table, recall])).numbers
    assert "within 5 % of its best at step 200, where SADS is 0.020, of 0.090 at the end" in numbers


# ---- the table ------------------------------------------------------------------------------------------


def test_every_claim_has_a_line_for_the_lab_and_for_real_models_though_nothing_was_measured():
    table = claims.verdicts({}, {})
    assert table.groupby("claim").size().eq(2).all() and set(table.claim) == set(claims.CLAIMS)
    assert set(table.model) == {"a real model", "bloom-m"}
    assert set(table.verdict) == {UNMEASURED, UNTOLD}


def test_a_claim_stands_once_in_the_page_with_its_chapter_and_a_line_for_each_model():
    table = claims.verdicts({}, {})
    text = claims.as_markdown(table)
    lines = text.splitlines()
    assert len(lines) == 2 + len(table) and all(line.count("|") == 6 for line in lines)
    for claim in claims.CLAIMS.values():
        assert text.count(claim.said) == 1
    assert text.count(f"**{UNMEASURED}**") == (table.verdict == UNMEASURED).sum()


def test_every_claim_is_shown_with_its_rule():
    shown = claims.rules_as_markdown()
    assert all(claim.rule in shown for claim in claims.CLAIMS.values())


def test_the_ledger_in_short_counts_the_verdicts_of_a_model():
    table = pd.DataFrame({"claim": list(claims.CLAIMS), "model": "m", "verdict": HOLDS})
    table.loc[[0, 1], "verdict"] = FAILS
    table.loc[2, "verdict"] = UNMEASURED
    few = pd.DataFrame({"claim": ["knowing"], "model": "other", "verdict": HOLDS})
    short = claims.in_short(pd.concat([table, few]))
    n = len(claims.CLAIMS)
    assert short == f"Of {n} claims, in m {n - 3} hold, 2 do not hold, 1 was not measured."


# ---- the published tables ---------------------------------------------------------------------------------


def test_what_silencing_costs_real_models_is_judged_though_it_was_measured_on_fewer_sentences(tmp_path):
    real = findings.tables_like(findings.REAL, tmp_path, Path(__file__).parent.parent / "book/published")
    judged = claims.verdicts(real, {}).query("claim == 'silencing'").set_index("model")
    assert {"gemma-3-270m", "smollm2-135m"} <= set(judged.index)
    assert (judged.verdict.loc[["gemma-3-270m", "smollm2-135m"]] != UNMEASURED).all()
