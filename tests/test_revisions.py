"""What checkpoint names tell: steps, tokens, and the nearest there are."""

import pytest

from lingua_utils.hub import nearest, progress


@pytest.mark.parametrize(
    ("revision", "step", "tokens"),
    [
        ("global_step100000", 100_000, None),
        ("step50000-tokens210B", 50_000, 210 * 10**9),
        ("step2627139-tokens15T", 2_627_139, 15 * 10**12),
        ("stage1-step150-tokens1B", 150, 10**9),
        ("stage1-step-3440000", 3_440_000, None),
        ("step0753851", 753_851, None),
        ("step_20k", 20_000, None),
        ("step000600", 600, None),
        ("global_step1000", 1000, None),
        ("stage1-step-40000", 40_000, None),
        ("stage1-step1413814-tokens5930B", 1_413_814, 5930 * 10**9),
        ("step0005000", 5000, None),
        ("step143000", 143_000, None),
        ("checkpoint-500", 500, None),
        ("step0", 0, None),
        ("stage2", None, None),
        ("main", None, None),
        ("v1.0", None, None),
    ],
)
def test_step_and_tokens_are_read_from_the_name(revision, step, tokens):
    assert progress(revision) == (step, tokens)


def test_little_is_listed_whole():
    assert nearest("step7", ["main", "step1"]) == "there are main, step1"
    assert nearest("step7", ["main"]) == "there is main"
    assert nearest("step7", []) == "there is none"


def test_the_numerically_nearest_steps_are_named_in_order():
    known = ["main", *(f"step{1000 * i}" for i in range(1, 30))]
    assert nearest("step10400", known) == "the nearest of 30 are step9000, step10000, step11000, step12000"


def test_without_a_step_the_most_alike_names_are_named():
    known = [f"model-{letter}" for letter in "abcdefghijklm"] + ["bloom-560m"]
    assert nearest("bloom-560", known).startswith("the nearest of 14 are bloom-560m")
