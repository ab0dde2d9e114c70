"""Titles of charts: each says what its table holds, with what that stands beside."""

import numpy as np
import pandas as pd
import pytest

from lingua_utils.charts import titles

ENGLISH, FRENCH, HINDI = "eng_Latn", "fra_Latn", "hin_Deva"


def table(columns: str, *rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=columns.split())


TOKENS = table("language tokens", (ENGLISH, 10), (ENGLISH, 12), (HINDI, 19), (HINDI, 21))
ACTIVITY = table("layer layer_index share_positive", ("0", 0, 0.2), ("1", 1, 0.4), ("1", 1, 0.5))
SHARED = table(
    "tokens scripts found chance",
    ("all", "the same script", 0.3, 0.005),
    ("all", "different scripts", 0.02, 0.005),
    ("digits", "the same script", 0.9, 0.005),
)
SCORES = table(
    "layer layer_index scale kind sads sads_low sads_high sads_null lrds",
    ("all", -1, "standardised", "all", 0.9, 0.9, 0.9, 0.0, 0.0),
    ("0", 0, "standardised", "all", 0.1, 0.0, 0.2, 0.0, 0.5),
    ("1", 1, "standardised", "all", 0.4, 0.3, 0.5, 0.01, 0.2),
    ("1", 1, "raw", "all", 0.05, 0.0, 0.1, 0.0, 0.1),
)
SCALES = table(
    "layer layer_index scale top_three", ("0", 0, "raw", 0.1), ("1", 1, "raw", 0.6), ("all", -1, "raw", 0.9)
)
VARIANCE = table(
    "step layer layer_index language meaning",
    (0, "0", 0, 0.9, 0.1),
    (8, "0", 0, 0.5, 0.1),
    (8, "1", 1, 0.2, 0.3),
)
RETRIEVAL = table(
    "step layer layer_index target accuracy chance",
    (0, "0", 0, FRENCH, 0.1, 0.005),
    (0, "1", 1, FRENCH, 0.05, 0.005),
    (8, "0", 0, FRENCH, 0.3, 0.005),
    (8, "1", 1, FRENCH, 0.9, 0.005),
    (8, "1", 1, HINDI, 1.0, 0.005),
    (8, "1", 1, "others", 0.0, 0.005),
    (8, "2", 2, FRENCH, 0.4, 0.005),
)
NULL = table(
    "rule share share_shuffled share_untrained",
    ("calibrated", 0.2, 0.0, 0.1),
    ("distinctive", 0.03, 0.001, 0.004),
)
COUNTS = table(
    "rule step layer layer_index count expected",
    ("distinctive", 0, "0", 0, 99, 1.0),
    ("distinctive", 8, "0", 0, 5, 0.5),
    ("distinctive", 8, "0", 0, 6, 0.5),
    ("distinctive", 8, "1", 1, 2, 0.1),
    ("ap", 8, "1", 1, 90, 0.1),
)
OUTER = table(
    "rule low uniform n_neurons",
    ("distinctive", 0.3, 0.2, 5),
    ("distinctive", 0.1, 0.2, 5),
    ("distinctive", 0.9, 0.2, 0),
    ("ap", 0.3, 0.2, 5),
)
OVERLAP = table(
    "rule source target jaccard chance",
    ("distinctive", ENGLISH, FRENCH, 0.0, 0.0),
    ("calibrated", ENGLISH, FRENCH, 0.2, 0.1),
    ("calibrated", HINDI, FRENCH, 0.15, 0.01),
    ("calibrated", HINDI, "others", 0.9, 0.0),
)
SILENCED = table(
    "rule region_language text_language above",
    ("distinctive", ENGLISH, ENGLISH, True),
    ("distinctive", ENGLISH, FRENCH, False),
    ("distinctive", FRENCH, FRENCH, False),
    ("distinctive", FRENCH, ENGLISH, False),
    ("ap", FRENCH, ENGLISH, True),
)
SELECTIVE = table(
    "rule control_kind excess_low n_neurons",
    ("distinctive", "layer", 0.1, 3),
    ("distinctive", "layer", -0.1, 3),
    ("distinctive", "layer", 0.1, 0),
    ("distinctive", "magnitude", 0.1, 3),
)
DOSE = table(
    "rule share own others control_own",
    ("ap", 0.5, 9.0, 9.0, np.nan),
    ("ap", 1.0, 0.02, 0.01, 0.001),
    ("zscore", 1.0, 0.03, 0.004, 0.002),
)
TASKS = table(
    "rule region_language text_language change change_high",
    ("intact", "none", ENGLISH, 0.0, 0.0),
    ("ap", ENGLISH, ENGLISH, -0.2, -0.1),
    ("ap", FRENCH, FRENCH, 0.0, 0.1),
    ("ap", FRENCH, ENGLISH, -0.9, -0.9),
    ("random", FRENCH, FRENCH, -0.01, 0.1),
)
POINTS = table(
    "model training_seed asked step sads accuracy low chance",
    ("a", 0, "cloze", 0, 0.0, 0.25, 0.2, 0.25),
    ("a", 0, "cloze", 300, 0.05, 0.99, 0.95, 0.25),
    ("a", 0, "cloze", 800, 0.2, 1.0, 0.98, 0.25),
    ("a", 0, "transfer", 800, 0.2, 0.52, 0.45, 0.5),
    ("a", 1, "cloze", 900, 0.9, 0.5, 0.4, 0.25),
    ("b", 0, "cloze", 900, 0.9, 0.5, 0.4, 0.25),
)
SIZES = table("model rule step neurons", ("a", "ap", 8, 170.0), ("a", "ap", 0, 140.0), ("b", "ap", 0, 9.0))
DEPTHS = table(
    "model depth accuracy chance", ("a", 0.0, 0.5, 0.005), ("a", 0.3, 0.9, 0.005), ("b", 1.0, 0.07, 0.005)
)
REACH = table(
    "layer layer_index found twin above",
    ("0", 0, 0.1, 0.02, 0),
    ("1", 1, 0.8, 0.02, 1),
    ("1", 1, 0.2, 0.04, 0),
)
EFFECTS = table(
    "outcome term effect low high",
    ("SADS", "overlap", 0.1, 0.05, 0.15),
    ("SADS", "order", -0.01, -0.05, 0.03),
    ("SADS", "bilingual", -0.2, -0.3, -0.1),
    ("bits", "order", 9.0, 8.0, 10.0),
)
TOGETHER = table(
    "outcome order script value",
    ("SADS", "SVO", "same", 0.1),
    ("SADS", "SOV", "same", 0.3),
    ("SADS", "SVO", "own", 0.2),
    ("SADS", "SOV", "own", 0.1),
)
CELLS = table(
    "outcome cell step layer value floor",
    ("SADS", "clone", 8, "0", 0.3, 0.1),
    ("SADS", "switched", 8, "2", 0.5, 0.0),
    ("SADS", "switched", 0, "0", 0.9, 0.0),
    ("bits", "clone", 8, "0", 9.0, 60.0),
)
DOSES = table(
    "outcome series dose value",
    ("SADS", "words", 0.8, 0.7),
    ("SADS", "words", 0.0, 0.1),
    ("bits", "words", 0.0, 30.0),
    ("bits", "lines", 0.0, 31.0),
    ("bits", "lines", 0.4, 27.0),
)
AGREEING = table(
    "one other value",
    ("SADS", "SADS", 1.0),
    ("SADS", "CKA", 0.9),
    ("SADS", "transfer", 0.1),
    ("CKA", "transfer", 0.99),
)

SAID = {
    "tokens": (
        titles.tokens_by_language(TOKENS),
        "The same sentence takes 20 tokens in Hindi and 11 tokens in English",
    ),
    "activity": (
        titles.activity_by_layer(ACTIVITY),
        "Neurons are above zero most often in layer 1 of 2, 45.0% of the time, and least often in layer "
        "0, 20.0%",
    ),
    "shared tokens": (
        titles.found_by_tokens(SHARED),
        "Shared tokens alone find 30.0% of the translations between languages with the same script and "
        "2.0% of the translations between languages with different scripts; chance is 0.5%",
    ),
    "scores by layer": (
        titles.scores_by_layer(SCORES),
        "Sentences are most alike by meaning in layer 1 of 2: SADS 0.40 (0.30 to 0.50), shuffled 0.01; "
        "least alike by language in layer 1: LRDS 0.20",
    ),
    "scores by scale": (
        titles.scores_by_scale(SCORES, SCALES),
        "In layer 1 of 2 three neurons hold 60% of the variance, and SADS is 0.40 standardised and 0.05 raw",
    ),
    "variance at the last step": (
        titles.variance_shares(VARIANCE),
        "Meaning holds most in layer 1 of 2: 30% of the variance, language 20%; language holds most in "
        "layer 0: 50%",
    ),
    "retrieval beside the untrained model": (
        titles.retrieval_map(RETRIEVAL),
        "Translations are found best in layer 1 of 3: 95%, untrained 5%, chance 0.5%; 30% in the first "
        "layer, 40% in the last",
    ),
    "retrieval of one run": (
        titles.retrieval_map(RETRIEVAL[RETRIEVAL.step == 8].drop(columns="step")),
        "Translations are found best in layer 1 of 3: 95%, chance 0.5%; 30% in the first layer, 40% in "
        "the last",
    ),
    "null shares": (
        titles.null_shares(NULL),
        "The rule distinctive calls 3.0% of the neurons key to some language, with languages shuffled "
        "0.1% and in the untrained twin 0.4%",
    ),
    "null shares without a twin": (
        titles.null_shares(NULL.drop(columns="share_untrained")),
        "The rule distinctive calls 3.0% of the neurons key to some language, with languages shuffled 0.1%",
    ),
    "atlas": (
        titles.region_atlas(COUNTS),
        "The rule distinctive finds most key neurons in layer 0 of 2, 11 of 13 (by chance 1), and fewest "
        "in layer 1, 2",
    ),
    "concentration": (
        titles.concentration(OUTER),
        "The outer layers hold more than an even spread for 1 of 2 languages by distinctive and 1 of 1 by ap",
    ),
    "overlap": (
        titles.region_overlap(OVERLAP),
        "By calibrated, Hindi and French share most: 15% of their key neurons, by chance 1%; by "
        "distinctive no two share any",
    ),
    "no overlap": (titles.region_overlap(OVERLAP[:1]), "No two languages share a key neuron"),
    "silencing": (
        titles.silencing_matrix(SILENCED),
        "1 of 2 regions by distinctive cost their own language more than random neurons do; another "
        "language loses in 0 of 2 cases",
    ),
    "selectivity": (
        titles.selectivity(SELECTIVE),
        "Silencing a region costs its own language more, beyond random regions, for 1 of 2 languages by "
        "distinctive",
    ),
    "dose": (
        titles.dose_response(DOSE),
        "By zscore, silencing a whole region costs its own language 0.030 bits per byte, the others "
        "0.004, and random neurons 0.002",
    ),
    "accuracy, silenced": (
        titles.accuracy_silenced(TASKS),
        "1 of 2 languages lose accuracy, beyond the interval, without their own region; on average it "
        "changes by -10.0 percentage points, random neurons by -1.0",
    ),
    "accuracy against SADS": (
        titles.accuracy_against_sads(POINTS, "a"),
        "a comes within 5% of its best accuracy in cloze at step 300, where SADS is 0.05; transfer stays "
        "at chance",
    ),
    "size of regions": (
        titles.region_size_by_step(SIZES, "a"),
        "A language's key neurons in a go from 140 to 170 by ap",
    ),
    "retrieval by depth": (
        titles.retrieval_by_depth(DEPTHS),
        "Translations are found best 30% of the way through a (90%) and 100% of the way through b (7%); "
        "chance 0.5%",
    ),
    "effects": (
        titles.effects(EFFECTS),
        "SADS is moved by bilingual (-0.20, -0.30 to -0.10) and overlap (+0.10, +0.05 to +0.15)",
    ),
    "no effect": (titles.effects(EFFECTS[1:2]), "No factor moves SADS beyond its interval"),
    "interaction": (
        titles.interaction(TOGETHER, "order", "script"),
        "SADS, from order SVO to SOV: +0.20 where script is same and -0.10 where script is own",
    ),
    "by cell": (
        titles.by_cell(CELLS[CELLS.step == 8]),
        "SADS lies between 0.30 (clone; untrained 0.10) and 0.50 (switched; untrained 0.00)",
    ),
    "doses": (
        titles.doses(DOSES),
        "SADS from 0.10 at 0% to 0.70 at 80% (words) and bits from 31.00 at 0% to 27.00 at 40% (lines)",
    ),
    "timeline": (titles.timeline(CELLS), "SADS ends at 0.50 (switched) and 0.30 (clone)"),
    "profiles": (
        titles.profiles(CELLS[(CELLS.step == 8) & (CELLS.outcome == "SADS")]),
        "SADS is highest in layer 0 (clone, 0.30) and 2 (switched, 0.50)",
    ),
    "agreement": (
        titles.agreement(AGREEING),
        "SADS goes most with CKA (0.90), and least with transfer (0.10)",
    ),
    "world map": (
        titles.world_map(REACH, "1", "gemma"),
        "gemma finds translations more often than its untrained twin in 1 of 2 languages, layer 1: 50% on "
        "average, twin 3%",
    ),
    "strip": (
        titles.strip(REACH, "gemma"),
        "gemma finds most in layer 1 of 2: 50% of the translations, untrained 3%; 10% in the first layer "
        "and 50% in the last",
    ),
}


@pytest.mark.parametrize("name", SAID)
def test_a_title_says_what_the_table_holds(name):
    said, wanted = SAID[name]
    assert said == wanted
