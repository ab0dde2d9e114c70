"""Small made-up tables with the columns of the real ones, for the tests of charts and pages."""

import itertools

import numpy as np
import pandas as pd

from lingua_utils.languages import DEFAULT_LANGUAGES

STEPS = (0, 8, 32, 128, 600, 1200)
KINDS = ("all", "bridged", "unbridged")
LAYERS = (("all", -1), ("0", 0), ("1", 1), ("2", 2))


def similarity(models=("lab/bloom-m",), steps=STEPS, layers=LAYERS) -> pd.DataFrame:
    """Collated similarity tables: SADS rises with the step, LRDS rises and falls."""
    rows = []
    for model, step, (layer, index), centred, kind in itertools.product(
        models, steps, layers, (False, True), KINDS
    ):
        rise = np.log1p(step) / 8
        lrds, sads = 0.3 * rise * (1.6 - rise), 0.2 * rise * (kind != "unbridged") + 0.02 * index
        row = dict(corpus="world", model_id=model, revision=f"step{step:06}", step=step)
        row |= dict(layer=layer, layer_index=index, centred=centred, kind=kind)
        row |= dict(n_languages=10, n_sentences=100, same_language=0.6, same_meaning=0.5, neither=0.3)
        for score, value in (("lrds", lrds), ("sads", sads)):
            row |= {score: value, f"{score}_se": 0.01, f"{score}_low": value - 0.02}
            row |= {f"{score}_high": value + 0.02, f"{score}_null": 0.0}
            row |= {f"{score}_null_low": -0.01, f"{score}_null_high": 0.01}
        rows.append(row)
    return pd.DataFrame(rows).astype({"step": "Int64"})


def retrieval(models=("lab/bloom-m",), steps=STEPS, languages=DEFAULT_LANGUAGES[:4]) -> pd.DataFrame:
    """Collated retrieval tables for every ordered pair of languages."""
    rows = [
        dict(
            corpus="world",
            model_id=model,
            revision=f"step{step:06}",
            step=step,
            layer=layer,
            layer_index=index,
            kind=kind,
            source=source,
            target=target,
            accuracy=min(1.0, 0.01 + 0.05 * np.log1p(step) + 0.01 * number),
            mutual=0.1,
            chance=0.01,
            n_sentences=100,
        )
        for model, step, (layer, index), kind in itertools.product(models, steps, LAYERS, KINDS)
        for number, (source, target) in enumerate(itertools.permutations(languages, 2))
    ]
    return pd.DataFrame(rows).astype({"step": "Int64"})


def blocks(steps=STEPS, languages=DEFAULT_LANGUAGES) -> pd.DataFrame:
    """Language by language cosines, NaN on the diagonal of translations."""
    rows = [
        dict(
            corpus="world",
            model_id="lab/bloom-m",
            revision=f"step{step:06}",
            step=step,
            layer=layer,
            layer_index=index,
            source=source,
            target=target,
            same_meaning=np.nan if source == target else 0.3 + 0.05 * np.log1p(step),
            different_meaning=0.6 if source == target else 0.3,
        )
        for step, (layer, index) in itertools.product(steps, LAYERS)
        for source, target in itertools.product(languages, languages)
    ]
    return pd.DataFrame(rows)


def variance(steps=STEPS) -> pd.DataFrame:
    """Variance shares that sum to one."""
    return pd.DataFrame(
        dict(step=step, layer=layer, layer_index=index, language=0.5, meaning=0.2, rest=0.3)
        for step, (layer, index) in itertools.product(steps, LAYERS)
    )


def losses(languages=DEFAULT_LANGUAGES) -> pd.DataFrame:
    """Loss of every language at every step."""
    return pd.DataFrame(
        dict(
            step=step,
            language=language,
            loss=8 - np.log1p(step) - 0.1 * number,
            bits_per_byte=4 - 0.01 * number,
        )
        for step in STEPS
        for number, language in enumerate(languages)
    )


def projection(steps=STEPS, layers=LAYERS, languages=DEFAULT_LANGUAGES, n_sentences=20) -> pd.DataFrame:
    """Points that gather by language early and by meaning late."""
    random = np.random.default_rng(0)
    of_language = random.normal(size=(len(languages), 1, 2))
    of_meaning = random.normal(size=(1, n_sentences, 2))
    parts = []
    for number, step in enumerate(steps):
        late = number / max(1, len(steps) - 1)
        for layer, index in layers:
            noise = random.normal(size=(len(languages), n_sentences, 2))
            plane = (1 - late) * of_language + late * of_meaning + 0.2 * noise
            grid = pd.MultiIndex.from_product([languages, range(n_sentences)], names=["language", "sentence"])
            part = pd.DataFrame(plane.reshape(-1, 2) * 0.1 * (1 + number), columns=["x", "y"], index=grid)
            parts.append(part.reset_index().assign(step=step, layer=layer, layer_index=index, kind="all"))
    return pd.concat(parts, ignore_index=True)


def tokens(languages=DEFAULT_LANGUAGES) -> pd.DataFrame:
    """Token counts of ten sentences a language."""
    return pd.DataFrame(
        dict(language=language, sentence=sentence, tokens=20 + 3 * number + sentence % 4)
        for number, language in enumerate(languages)
        for sentence in range(10)
    )


def activity(languages=DEFAULT_LANGUAGES) -> pd.DataFrame:
    """Share of positive values a layer and language."""
    return pd.DataFrame(
        dict(layer=layer, language=language, share_positive=0.2 + 0.05 * index + 0.01 * number)
        for layer, index in LAYERS[1:]
        for number, language in enumerate(languages)
    )
