"""Small made-up tables with the columns of the real ones, for the tests of charts and pages."""

import itertools

import numpy as np
import pandas as pd

from lingua_utils.text.languages import DEFAULT_LANGUAGES

MODELS = ("lab/bloom-m", "lab/bloom-m-monolingual")
STEPS = (0, 8, 32, 128, 600, 1200)
KINDS = ("all", "bridged", "unbridged")
SCALES = ("raw", "centred")
LAYERS = (("all", -1), ("0", 0), ("1", 1), ("2", 2))
# An encoder-decoder's: the encoder has more layers than one digit, and more than the decoder.
STACKS = ("encoder", "decoder")
PAIRED = (
    *(f"encoder {layer}" for layer in range(12)),
    *(f"decoder {layer}" for layer in range(3)),
)
PAIRED_LAYERS = (("all", -1), *((label, index) for index, label in enumerate(PAIRED)))
RULES = ("zscore", "calibrated", "lape", "ap")
CONTROLS = ("layer", "magnitude")


def similarity(models=MODELS[:1], steps=STEPS, layers=LAYERS) -> pd.DataFrame:
    """Collated similarity tables: SADS rises with the step, LRDS rises and falls."""
    rows = []
    for model, step, (layer, index), scale, kind in itertools.product(models, steps, layers, SCALES, KINDS):
        rise = np.log1p(step) / 8
        lrds, sads = 0.3 * rise * (1.6 - rise), 0.2 * rise * (kind != "unbridged") + 0.02 * index
        row = dict(corpus="world", model_id=model, revision=f"step{step:06}", step=step)
        row |= dict(layer=layer, layer_index=index, scale=scale, kind=kind)
        row |= dict(n_languages=10, n_sentences=100, same_language=0.6, same_meaning=0.5, neither=0.3)
        for score, value in (("lrds", lrds), ("sads", sads)):
            row |= {score: value, f"{score}_se": 0.01, f"{score}_low": value - 0.02}
            row |= {f"{score}_high": value + 0.02, f"{score}_null": 0.0}
            row |= {f"{score}_null_low": -0.01, f"{score}_null_high": 0.01}
        rows.append(row)
    return pd.DataFrame(rows).astype({"step": "Int64"})


def finished(table=similarity, layers=LAYERS) -> pd.DataFrame:
    """Tables of three finished models of two types and known sizes, without steps."""
    sizes = {
        "org/small": (5.6e8, "bloom"),
        "org/large": (7.1e9, "bloom"),
        "org/other": (2.7e8, "gemma3_text"),
    }
    parts = [
        table((model,), steps=(step,), layers=layers).assign(n_parameters=size, model_type=kind)
        for step, (model, (size, kind)) in enumerate(sizes.items(), start=10)
    ]
    return pd.concat(parts).assign(revision="main", step=pd.NA).astype({"step": "Int64"})


def retrieval(models=MODELS[:1], steps=STEPS, layers=LAYERS, languages=DEFAULT_LANGUAGES[:4]) -> pd.DataFrame:
    """Collated retrieval tables for every ordered pair of languages."""
    rows = [
        dict(corpus="world", model_id=model, revision=f"step{step:06}", step=step)
        | dict(layer=layer, layer_index=index, kind=kind, source=source, target=target)
        | dict(accuracy=min(1.0, 0.01 + 0.05 * np.log1p(step) + 0.01 * number))
        | dict(mutual=0.1, chance=0.01, n_sentences=100)
        for model, step, (layer, index), kind in itertools.product(models, steps, layers, KINDS)
        for number, (source, target) in enumerate(itertools.permutations(languages, 2))
    ]
    return pd.DataFrame(rows).astype({"step": "Int64"})


def blocks(steps=STEPS, languages=DEFAULT_LANGUAGES) -> pd.DataFrame:
    """Language by language cosines, NaN on the diagonal of translations."""
    return pd.DataFrame(
        dict(corpus="world", model_id=MODELS[0], revision=f"step{step:06}", step=step)
        | dict(layer=layer, layer_index=index, source=source, target=target)
        | dict(same_meaning=np.nan if source == target else 0.3 + 0.05 * np.log1p(step))
        | dict(different_meaning=0.6 if source == target else 0.3)
        for step, (layer, index) in itertools.product(steps, LAYERS)
        for source, target in itertools.product(languages, languages)
    )


def variance(steps=STEPS, layers=LAYERS) -> pd.DataFrame:
    """Variance shares that sum to one."""
    return pd.DataFrame(
        dict(step=step, layer=layer, layer_index=index, language=0.5, meaning=0.2, rest=0.3)
        for step, (layer, index) in itertools.product(steps, layers)
    )


def losses(languages=DEFAULT_LANGUAGES) -> pd.DataFrame:
    """Loss of every language at every step."""
    return pd.DataFrame(
        dict(step=step, language=language)
        | dict(loss=8 - np.log1p(step) - 0.1 * number, bits_per_byte=4 - 0.01 * number)
        for step in STEPS
        for number, language in enumerate(languages)
    )


def projection(steps=STEPS, layers=LAYERS, languages=DEFAULT_LANGUAGES, n_sentences=20) -> pd.DataFrame:
    """Points that gather by language early and by meaning late."""
    random = np.random.default_rng(0)
    of_language = random.normal(size=(len(languages), 1, 2))
    of_meaning = random.normal(size=(1, n_sentences, 2))
    grid = pd.MultiIndex.from_product([languages, range(n_sentences)], names=["language", "sentence"])
    parts = []
    for number, step in enumerate(steps):
        late = number / max(1, len(steps) - 1)
        for layer, index in layers:
            noise = random.normal(size=(len(languages), n_sentences, 2))
            plane = (1 - late) * of_language + late * of_meaning + 0.2 * noise
            part = pd.DataFrame(plane.reshape(-1, 2) * 0.1 * (1 + number), columns=["x", "y"], index=grid)
            parts.append(part.reset_index().assign(step=step, layer=layer, layer_index=index, kind="all"))
    return pd.concat(parts, ignore_index=True)


def tokens(languages=DEFAULT_LANGUAGES) -> pd.DataFrame:
    """Token counts of ten sentences per language."""
    return pd.DataFrame(
        dict(language=language, sentence=sentence, tokens=20 + 3 * number + sentence % 4)
        for number, language in enumerate(languages)
        for sentence in range(10)
    )


def activity(languages=DEFAULT_LANGUAGES, layers=LAYERS) -> pd.DataFrame:
    """Share of positive values per layer and language."""
    return pd.DataFrame(
        dict(layer=layer, language=language, share_positive=0.2 + 0.05 * index + 0.01 * number)
        for layer, index in layers[1:]
        for number, language in enumerate(languages)
    )


def region_counts(
    models=MODELS[:1], steps=STEPS, languages=DEFAULT_LANGUAGES, layers=LAYERS, rules=RULES
) -> pd.DataFrame:
    """Collated counts of key neurons: more with every step, fewer by chance."""
    return pd.DataFrame(
        dict(model_id=model, step=step, rule=rule, layer=layer, layer_index=index)
        | dict(language=language, count=count, share=count / 256, expected=2.5 + index)
        for model, (at, step), rule in itertools.product(models, enumerate(steps), rules)
        for (layer, index), (number, language) in itertools.product(layers[1:], enumerate(languages))
        for count in [10 * at + number + 3 * index]
    ).astype({"step": "Int64"})


def region_null(rules=RULES) -> pd.DataFrame:
    """Share of neurons that each rule selects, really and by chance."""
    return pd.DataFrame(
        dict(rule=rule, share=0.4 - 0.05 * number, share_shuffled=0.2 - 0.06 * number, n_neurons=768)
        for number, rule in enumerate(rules)
    )


def region_concentration(languages=DEFAULT_LANGUAGES, stacks=("all",), rules=RULES) -> pd.DataFrame:
    """Outer shares; the first language's region is empty under the first rule."""
    table = pd.DataFrame(
        dict(rule=rule, stack=stack, language=language, share_outer=0.5, low=0.4, high=0.6)
        | dict(uniform=2 / 3, n_neurons=20 * number + 5 * at)
        for (at, rule), stack in itertools.product(enumerate(rules), stacks)
        for number, language in enumerate(languages)
    )
    table.loc[table.n_neurons == 0, ["share_outer", "low", "high"]] = np.nan
    return table


def region_overlap(languages=DEFAULT_LANGUAGES, stacks=("all",), rules=RULES) -> pd.DataFrame:
    """Overlap of every ordered pair of languages: half of them above chance, half below."""
    return pd.DataFrame(
        dict(rule=rule, stack=stack, source=source, target=target)
        | dict(jaccard=0.1 * (number % 4), chance=0.15)
        for rule, stack in itertools.product(rules, stacks)
        for number, (source, target) in enumerate(itertools.permutations(languages, 2))
    )


def region_agreement(languages=DEFAULT_LANGUAGES, stacks=("all",), rules=RULES) -> pd.DataFrame:
    """Overlap of every two rules for every language."""
    return pd.DataFrame(
        dict(rule_a=a, rule_b=b, stack=stack, language=language)
        | dict(jaccard=0.3 + 0.02 * number, chance=0.05)
        for (a, b), stack in itertools.product(itertools.combinations(rules, 2), stacks)
        for number, language in enumerate(languages)
    )


def silencing(languages=DEFAULT_LANGUAGES, rules=RULES) -> pd.DataFrame:
    """Cost of every region to every language: high on the diagonal, next to nothing for controls."""
    return pd.DataFrame(
        dict(rule=rule, region_language=region, text_language=text, control_kind=control, n_neurons=40)
        | dict(change=change, low=change - 0.02, high=change + 0.02, control_mean=0.01, control_sd=0.005)
        for rule, region, text, control in itertools.product(rules, languages, languages, CONTROLS)
        for change in [0.4 if region == text else -0.03]
    )


def selectivity(languages=DEFAULT_LANGUAGES, rules=RULES) -> pd.DataFrame:
    """Selectivity of every region; the first language's region is empty and has none."""
    return pd.DataFrame(
        dict(rule=rule, region_language=language, control_kind=control, n_neurons=40 * number)
        | dict(selectivity=3.0 + number if number else np.nan, own=0.4, others=0.03)
        | dict(control_own=0.01, control_others=0.01)
        for rule, (number, language), control in itertools.product(rules, enumerate(languages), CONTROLS)
    )


def dose(languages=DEFAULT_LANGUAGES, rules=RULES) -> pd.DataFrame:
    """Cost of growing shares of every region."""
    rows = []
    for rule, (number, language), share in itertools.product(rules, enumerate(languages), (0, 0.25, 0.5, 1)):
        row = dict(rule=rule, region_language=language, share=share)
        for text, change in (("own", 0.1 * (1 + number) * share), ("others", 0.02 * share)):
            row |= {text: change, f"{text}_low": change - 0.01, f"{text}_high": change + 0.01}
        rows.append(row)
    return pd.DataFrame(rows)


def tasks(languages=DEFAULT_LANGUAGES, rules=("calibrated",)) -> pd.DataFrame:
    """Accuracy of the intact model, with every region silenced, and with random neurons silenced twice."""
    regions = [("intact", "none", 0.0)]
    regions += [(rule, language, -0.2) for rule in rules for language in languages]
    regions += [("random", language, change) for language in languages for change in (-0.01, -0.03)]
    return pd.DataFrame(
        dict(rule=rule, region_language=region, text_language=text, n_items=200, chance=0.25)
        | dict(accuracy=0.6 + change, low=0.53 + change, high=0.67 + change)
        | dict(change=change, change_low=change - 0.05, change_high=change + 0.05)
        for rule, region, change in regions
        for text in languages
    )


def accuracy(languages=DEFAULT_LANGUAGES) -> pd.DataFrame:
    """Accuracy of the model in every language."""
    return pd.DataFrame(
        dict(language=language, accuracy=0.6, low=0.53, high=0.67, n_items=200, chance=0.25)
        for language in languages
    )


def task_points() -> pd.DataFrame:
    """Accuracy and SADS at every checkpoint."""
    return pd.DataFrame(
        dict(step=step, sads=0.02 * at, sads_low=0.02 * at - 0.01, sads_high=0.02 * at + 0.01)
        | dict(accuracy=0.25 + 0.05 * at, low=0.2 + 0.05 * at, high=0.3 + 0.05 * at, chance=0.25)
        for at, step in enumerate(STEPS)
    )
