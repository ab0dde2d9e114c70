"""Small made-up tables with the columns of the real ones, for the tests of charts and pages."""

import csv
import itertools
from pathlib import Path

import numpy as np
import pandas as pd

from lingua_utils.charts import theme
from lingua_utils.measure.intervals import wilson
from lingua_utils.text import languages as registry
from lingua_utils.text.languages import DEFAULT_LANGUAGES

MODELS = ("lab/bloom-m", "lab/bloom-m-monolingual")
STEPS = (0, 8, 32, 128, 600, 1200)
KINDS = ("all", "bridged", "unbridged")
SCALES = ("raw", "centred", "standardised")
LAYERS = (("all", -1), ("0", 0), ("1", 1), ("2", 2))
# An encoder-decoder's: the encoder has more layers than one digit, and more than the decoder.
STACKS = ("encoder", "decoder")
PAIRED = (
    *(f"encoder {layer}" for layer in range(12)),
    *(f"decoder {layer}" for layer in range(3)),
)
PAIRED_LAYERS = (("all", -1), *((label, index) for index, label in enumerate(PAIRED)))
RULES = tuple(theme.RULES)
CONTROLS = ("layer", "magnitude")


def grid(**axes) -> pd.DataFrame:
    """Every combination of some columns' values; layers come with their index."""
    table = pd.DataFrame(itertools.product(*axes.values()), columns=list(axes))
    if "layer" in table:
        table[["layer", "layer_index"]] = table.layer.tolist()
    return table


def number(column: pd.Series) -> np.ndarray:
    """Which of a column's values stands in each row, counted from 0."""
    return pd.factorize(column)[0]


def collated(table: pd.DataFrame) -> pd.DataFrame:
    """The table as it comes from several runs."""
    return table.assign(corpus="world", revision=[f"step{step:06}" for step in table.step]).astype(
        {"step": "Int64"}
    )


def similarity(models=MODELS[:1], steps=STEPS, layers=LAYERS) -> pd.DataFrame:
    """Collated similarity tables: SADS rises with the step, LRDS rises and falls."""
    table = grid(model_id=models, step=steps, layer=layers, scale=SCALES, kind=KINDS)
    rise = np.log1p(table.step) / 8
    lrds = 0.3 * rise * (1.6 - rise)
    sads = 0.2 * rise * (table.kind != "unbridged") + 0.02 * table.layer_index
    for score, value in (("lrds", lrds), ("sads", sads)):
        around = {"": value, "_se": 0.01, "_low": value - 0.02, "_high": value + 0.02}
        null = {"_null": 0.0, "_null_low": -0.01, "_null_high": 0.01, "_null_limit": 0.02}
        table = table.assign(**{score + part: numbers for part, numbers in (around | null).items()})
    return collated(
        table.assign(n_languages=10, n_sentences=100, same_language=0.6, same_meaning=0.5, neither=0.3)
    )


def retrieval(models=MODELS[:1], steps=STEPS, layers=LAYERS, languages=DEFAULT_LANGUAGES[:4]) -> pd.DataFrame:
    """Collated retrieval tables for every ordered pair of languages."""
    table = grid(model_id=models, step=steps, layer=layers, kind=KINDS, source=languages, target=languages)
    table = table[table.source != table.target]
    accuracy = 0.01 + 0.05 * np.log1p(table.step) + 0.01 * number(table.source + table.target)
    return collated(table.assign(accuracy=accuracy.clip(upper=1), mutual=0.1, chance=0.01, n_sentences=100))


def measured(model_id="org/real", step=None, layers=range(3), seed=0, size=270e6, **values) -> pd.DataFrame:
    """Measures of one run by layer and over all: SADS, LRDS and translations found, each within 0.01.

    ``values`` are numbers or one for each layer; the mean stands for all layers together.
    """
    rows = []
    for name, value in values.items():
        by_layer = np.broadcast_to(value, len(layers))
        places = [*zip(map(str, layers), layers, by_layer, strict=True), ("all", -1, by_layer.mean())]
        table = pd.DataFrame(places, columns=["layer", "layer_index", "value"])
        rows.append(table.assign(measure=name.replace("_", " ")))
    table = pd.concat(rows, ignore_index=True)
    revision = "main" if step is None else f"step{step:06}"
    table = table.assign(model_id=model_id, training_seed=seed, revision=revision, n_parameters=size)
    table["step"] = pd.array([step] * len(table), dtype="Int64")
    table = table.assign(low=table.value - 0.01, high=table.value + 0.01)
    return table.assign(null_low=-0.005, null_high=0.005, limit=0.008)


def front() -> pd.DataFrame:
    """What the figure of the first page shows, with two trainings of the lab's model."""
    values = {"SADS": [0.1, 0.4, 0.1], "LRDS": [0.3, 0.1, 0.4], "translations_found": [0.2, 0.9, 0.3]}
    real = measured("pypi/real", **values).assign(part="real", series="model")
    twin = measured("pypi/real", step=0, SADS=0.01, LRDS=0.02, translations_found=0.02)
    parts = [real, twin.assign(part="real", series="untrained twin")]
    parts = [part[part.layer != "all"] for part in parts]
    for at, (model, series) in enumerate(zip(MODELS, ("model", "control"), strict=True)):
        for seed, step in itertools.product((0, 1), STEPS):
            height = 0.1 + 0.0001 * step * (1 - at)
            run = measured(model, step, seed=seed, SADS=height, LRDS=height, translations_found=height)
            parts.append(run[run.layer == "all"].assign(part="lab", series=series))
    return pd.concat(parts, ignore_index=True)


def beside_twin() -> pd.DataFrame:
    """A model less its untrained twin, and one whose twin was not measured; over all layers."""
    real = measured("pypi/real", SADS=0.3, LRDS=0.2, translations_found=0.5)
    gains = dict(twin=0.1, gain=real.value - 0.1, gain_low=real.value - 0.12, gain_high=real.value - 0.08)
    alone = measured("org/alone", SADS=0.2, LRDS=0.2, translations_found=0.5)
    parts = [real.assign(**gains), alone.assign(**dict.fromkeys(gains, np.nan))]
    table = pd.concat(parts, ignore_index=True)
    return table.assign(model_id=table.model_id.str.removeprefix("org/"))[table.layer == "all"]


def scales(layers=LAYERS) -> pd.DataFrame:
    """One run's retrieval on each scale, which neurons with much variance hide."""
    table = grid(layer=layers, scale=SCALES)
    found = np.where(table.scale == "standardised", 0.5, 0.1)
    return table.assign(
        found=found, found_low=found - 0.1, found_high=found + 0.1, chance=0.01, top_three=0.8
    )


def finished(table=similarity, layers=LAYERS) -> pd.DataFrame:
    """Tables of three finished models of two types and known sizes, without steps."""
    sizes = {
        "org/small": (5.6e8, "bloom"),
        "org/large": (7.1e9, "bloom"),
        "org/other": (2.7e8, "gemma3_text"),
    }
    parts = [
        table((model,), steps=(10 + at,), layers=layers).assign(n_parameters=size, model_type=model_type)
        for at, (model, (size, model_type)) in enumerate(sizes.items())
    ]
    return pd.concat(parts).assign(revision="main", step=pd.NA).astype({"step": "Int64"})


def cosines(steps=STEPS, languages=DEFAULT_LANGUAGES) -> pd.DataFrame:
    """Language by language cosines, NaN on the diagonal of translations."""
    table = grid(model_id=MODELS[:1], step=steps, layer=LAYERS, source=languages, target=languages)
    same = table.source == table.target
    return table.assign(
        same_meaning=(0.3 + 0.05 * np.log1p(table.step)).mask(same),
        different_meaning=np.where(same, 0.6, 0.3),
    )


def variance(steps=STEPS, layers=LAYERS) -> pd.DataFrame:
    """Variance shares that sum to one."""
    return grid(step=steps, layer=layers).assign(language=0.5, meaning=0.2, rest=0.3)


def losses(languages=DEFAULT_LANGUAGES) -> pd.DataFrame:
    """Loss of every language at every step."""
    table = grid(step=STEPS, language=languages)
    at = number(table.language)
    return table.assign(loss=8 - np.log1p(table.step) - 0.1 * at, bits_per_byte=4 - 0.01 * at)


def projection(steps=STEPS, layers=LAYERS, languages=DEFAULT_LANGUAGES, n_sentences=20) -> pd.DataFrame:
    """Points that gather by language early and by meaning late."""
    table = grid(step=steps, layer=layers, language=languages, sentence=range(n_sentences)).assign(kind="all")
    random = np.random.default_rng(0)
    late = (number(table.step) / max(1, len(steps) - 1))[:, None]
    of_language = random.normal(size=(len(languages), 2))[number(table.language)]
    of_meaning = random.normal(size=(n_sentences, 2))[table.sentence]
    plane = (1 - late) * of_language + late * of_meaning + 0.2 * random.normal(size=(len(table), 2))
    table[["x", "y"]] = plane * 0.1 * (1 + number(table.step))[:, None]
    return table


def tokens(languages=DEFAULT_LANGUAGES) -> pd.DataFrame:
    """Token counts of ten sentences per language."""
    table = grid(language=languages, sentence=range(10))
    return table.assign(tokens=20 + 3 * number(table.language) + table.sentence % 4)


def activity(languages=DEFAULT_LANGUAGES, layers=LAYERS) -> pd.DataFrame:
    """Share of positive values per layer and language."""
    table = grid(layer=layers[1:], language=languages)
    return table.assign(share_positive=0.2 + 0.05 * table.layer_index + 0.01 * number(table.language))


def shared_tokens() -> pd.DataFrame:
    """Translations found by tokens alone, by kind of token and by script."""
    table = grid(tokens=("all", "digits", "marks"), scripts=("the same script", "different scripts"))
    found = 0.5 - 0.1 * number(table.tokens) - 0.05 * number(table.scripts)
    return table.assign(
        found=found, found_low=found - 0.02, found_high=found + 0.03, n_tokens=7, chance=0.005
    )


def region_counts(
    models=MODELS[:1], steps=STEPS, languages=DEFAULT_LANGUAGES, layers=LAYERS, rules=RULES
) -> pd.DataFrame:
    """Collated counts of key neurons: more with every step, fewer by chance."""
    table = grid(model_id=models, step=steps, rule=rules, layer=layers[1:], language=languages)
    count = 10 * number(table.step) + number(table.language) + 3 * table.layer_index
    return collated(table.assign(count=count, share=count / 256, expected=2.5 + table.layer_index))


def region_null(rules=RULES) -> pd.DataFrame:
    """Share of neurons that each rule selects, beside its two nulls."""
    table = grid(rule=rules)
    at = number(table.rule)
    nulls = {"share_shuffled": 0.2 - 0.04 * at, "share_untrained": 0.1 + 0.02 * at}
    return table.assign(share=0.4 - 0.05 * at, **nulls, n_neurons=768)


def region_concentration(languages=DEFAULT_LANGUAGES, stacks=("all",), rules=RULES) -> pd.DataFrame:
    """Outer shares; the first language's region is empty under the first rule."""
    table = grid(rule=rules, stack=stacks, language=languages)
    n_neurons = 20 * number(table.language) + 5 * number(table.rule)
    table[["share_outer", "low", "high"]] = np.where(n_neurons[:, None] > 0, (0.5, 0.4, 0.6), np.nan)
    return table.assign(uniform=2 / 3, n_neurons=n_neurons)


def region_overlap(languages=DEFAULT_LANGUAGES, stacks=("all",), rules=RULES) -> pd.DataFrame:
    """Overlap of every ordered pair of languages: half of them above chance, half below."""
    table = grid(rule=rules, stack=stacks, source=languages, target=languages)
    table = table[table.source != table.target]
    return table.assign(jaccard=0.1 * (number(table.source + table.target) % 4), chance=0.15)


def region_agreement(languages=DEFAULT_LANGUAGES, stacks=("all",), rules=RULES) -> pd.DataFrame:
    """Overlap of every two rules for every language."""
    table = grid(rules=list(itertools.combinations(rules, 2)), stack=stacks, language=languages)
    table[["rule_a", "rule_b"]] = table.pop("rules").tolist()
    return table.assign(jaccard=0.3 + 0.02 * number(table.language), chance=0.05)


def silencing(languages=DEFAULT_LANGUAGES, rules=RULES) -> pd.DataFrame:
    """Cost of every region to every language: high on the diagonal, next to nothing for controls."""
    table = grid(rule=rules, region_language=languages, text_language=languages, control_kind=CONTROLS)
    change = np.where(table.region_language == table.text_language, 0.4, -0.03)
    table = table.assign(change=change, low=change - 0.02, high=change + 0.02)
    return table.assign(control_mean=0.01, control_sd=0.005, n_neurons=40)


def perplexity(languages=DEFAULT_LANGUAGES, rules=RULES) -> pd.DataFrame:
    """Perplexity doubles on the diagonal, and rises by a hundredth elsewhere and at random."""
    table = grid(rule=rules, region_language=languages, text_language=languages)
    ratio = np.where(table.region_language == table.text_language, 2.0, 1.01)
    table = table.assign(measure="perplexity", n_neurons=40, ratio=ratio, low=ratio / 1.1, high=ratio * 1.1)
    return table.assign(control_ratio=1.01, control_low=1.0, control_high=1.02)


def selectivity(languages=DEFAULT_LANGUAGES, rules=RULES) -> pd.DataFrame:
    """Selectivity of every region; the first language's region is empty and has none."""
    table = grid(rule=rules, region_language=languages, control_kind=CONTROLS)
    at = pd.Series(number(table.region_language))
    table = table.assign(selectivity=(3.0 + at).mask(at == 0), n_neurons=40 * at)
    table = table.assign(difference=0.37, difference_low=0.3, difference_high=0.44)
    table = table.assign(control_difference=0.01, control_difference_sd=0.02)
    return table.assign(excess=0.36, excess_low=0.3, excess_high=0.42)


def dose(languages=DEFAULT_LANGUAGES, rules=RULES) -> pd.DataFrame:
    """Cost of growing shares of every region."""
    table = grid(rule=rules, region_language=languages, share=(0, 0.25, 0.5, 1))
    own = 0.1 * (1 + number(table.region_language)) * table.share
    for text, change in (("own", own), ("others", 0.02 * table.share)):
        table = table.assign(**{text: change, f"{text}_low": change - 0.01, f"{text}_high": change + 0.01})
    at_random = {"control_own": 0.01, "control_own_low": 0.0, "control_own_high": 0.02}
    return table.assign(
        **{name: np.where(table.share == 1, cost, np.nan) for name, cost in at_random.items()}
    )


def tasks(languages=DEFAULT_LANGUAGES, rules=("calibrated",)) -> pd.DataFrame:
    """Accuracy of the intact model, with every region silenced, and with random neurons silenced twice."""
    changes = [("intact", 0.0), *((rule, -0.2) for rule in rules), ("random", -0.01), ("random", -0.03)]
    table = grid(rule=changes, region_language=languages, text_language=languages)
    table[["rule", "change"]] = table.rule.tolist()
    table = table.assign(accuracy=0.6 + table.change, n_items=200, chance=0.25)
    return table.assign(change_low=table.change - 0.05, change_high=table.change + 0.05)


TASKS = {"cloze": 0.25, "transfer": 0.5, "translation": 0.25}


def accuracy(languages=DEFAULT_LANGUAGES) -> pd.DataFrame:
    """Accuracy of the model in every language, for each task."""
    table = grid(asked=TASKS, language=languages).assign(accuracy=0.6, low=0.53, high=0.67, n_items=200)
    return table.assign(chance=table.asked.map(TASKS))


def directions(languages=DEFAULT_LANGUAGES) -> pd.DataFrame:
    """Accuracy of transfer and of translation from every language into every other."""
    table = grid(asked=("transfer", "translation"), source=languages, language=languages)
    table = table[(table.asked == "transfer") | (table.source != table.language)]
    return table.assign(accuracy=0.6, low=0.3, high=0.8, n_items=12, chance=table.asked.map(TASKS))


def task_points() -> pd.DataFrame:
    """Accuracy in each task and SADS at every checkpoint."""
    table = grid(model_id=MODELS, training_seed=(0, 1), asked=TASKS, step=STEPS)
    at = number(table.step)
    return table.assign(
        **dict(sads=0.02 * at, accuracy=0.25 + 0.05 * at, low=0.2 + 0.05 * at, high=0.3 + 0.05 * at),
        chance=table.asked.map(TASKS),
    )


def outcomes() -> pd.DataFrame:
    """Outcomes of two models at two seeds through training."""
    table = grid(model_id=MODELS, training_seed=(0, 1), outcome=("SADS", "found"), step=STEPS)
    return table.assign(value=0.1 * number(table.step) + 0.02 * table.training_seed, null=0.01)


def selectivity_by_step(languages=DEFAULT_LANGUAGES[:3]) -> pd.DataFrame:
    """What silencing costs at every checkpoint."""
    table = grid(model_id=MODELS[:1], step=STEPS, language=languages)
    return table.assign(selectivity=0.1, low=0.05, high=0.15, control=0.01)


REACHING = ("pypi/gemma-3-270m", "pypi/smollm2-135m")
N_PARAGRAPHS = 50


def declaration_languages() -> list[str]:
    """Codes of the languages of the Declaration, in the order of the file."""
    with (Path(registry.__file__).parent / "languages.csv").open(encoding="utf-8", newline="") as lines:
        return [row["code"] for row in csv.DictReader(lines)]


def declaration() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Retrieval and tokens of two models and their untrained twins on the Declaration, collated.

    The second model finds half of what the first does; the twins read every sixth language.
    """
    random = np.random.default_rng(0)
    codes = declaration_languages()
    known = pd.Series(random.beta(0.5, 0.7, len(codes)), codes)
    found, counted = [], []
    for (at, model), revision in itertools.product(enumerate(REACHING), ("untrained", "main")):
        layers = ["all", *map(str, range(6 + 2 * at))]
        trained = revision == "main"
        read = codes if trained else sorted({"eng_Latn", *codes[::6]})
        table = grid(
            layer=[(name, index - 1) for index, name in enumerate(layers)],
            target=("eng_Latn", "others"),
            source=read,
        )
        table = table[table.source != table.target].assign(model_id=model, revision=revision)
        height = 1 - (table.layer_index / len(layers) - 0.5).abs()
        share = 0.02 + trained * 0.95 * height / (1 + at) * known[table.source].to_numpy()
        accuracy = random.binomial(N_PARAGRAPHS, share) / N_PARAGRAPHS
        low, high = wilson(accuracy, N_PARAGRAPHS)
        limits = {"accuracy_low": low, "accuracy_high": high, "mutual": accuracy / 2}
        found.append(
            table.assign(
                accuracy=accuracy,
                **limits,
                chance=1 / N_PARAGRAPHS,
                measured_n_sentences=N_PARAGRAPHS,
                kind="all",
            )
        )
        pieces = grid(language=read, sentence=range(N_PARAGRAPHS)).assign(model_id=model, revision=revision)
        tokens = (30 * (4 - 3 * known[pieces.language].to_numpy())).astype(int)
        counted.append(pieces.assign(measured_tokens=tokens, bytes=100))
    return pd.concat(found, ignore_index=True), pd.concat(counted, ignore_index=True)


def neurons(languages=DEFAULT_LANGUAGES[:3]) -> pd.DataFrame:
    """Two neurons of each language and of meaning: the strongest, random ones, the untrained twin's."""
    shares = {"strongest": 0.9, "random": 0.4, "untrained": 0.2}
    table = grid(what=list(shares), answers_to=(*languages, "meaning"), rank=range(2))
    place = {"layer": "1", "layer_index": 1, "neuron": np.arange(len(table)), "sign": 1}
    scores = {"share": table.what.map(shares), "chance": 0.1, "score": 8.0, "score_shown": 6.0}
    return table.assign(**place, **scores)


def neuron_readings(text="one two three", languages=DEFAULT_LANGUAGES[:3]) -> pd.DataFrame:
    """One text, word by word, for each strongest neuron in each language; the last word drives it most."""
    table = neurons(languages).query("what == 'strongest'")[["what", "answers_to", "rank"]]
    words = [word + " " for word in text.split(" ")]
    at = grid(meaning_rank=range(2), text_language=languages, position=range(len(words)))
    table = table.merge(at.assign(sentence=36 + at.meaning_rank), how="cross")
    own = table.answers_to == table.text_language
    return table.assign(
        mean=own * 1.0, piece=[words[place] for place in table.position], activation=table.position
    )


def neuron_sentences(text="one two three", languages=DEFAULT_LANGUAGES[:3]) -> pd.DataFrame:
    """The sentences of these readings, by number."""
    keys = ["what", "answers_to", "rank", "meaning_rank", "sentence", "text_language"]
    groups = neuron_readings(text, languages).groupby(keys, sort=False)
    found = groups.agg(mean=("mean", "first"), peak=("activation", "max"), token=("piece", "last"))
    return found.reset_index()


def neuron_costs(languages=DEFAULT_LANGUAGES[:3]) -> pd.DataFrame:
    """What two silent neurons cost their own language, the others, and of meaning all."""
    table = grid(answers_to=languages, text=("own", "others"))
    table = pd.concat([table, grid(answers_to=["meaning"], text=["all"])], ignore_index=True)
    ratio = np.where(table.text == "own", 1.1, 1.01)
    parts = {"": ratio, "control_": 1.02, "excess_": ratio / 1.02}
    numbers = {f"{part}{name}": value + by for part, value in parts.items() for name, by in _LIMITS.items()}
    return table.assign(measure="perplexity", **numbers)


_LIMITS = {"ratio": 0.0, "low": -0.005, "high": 0.005}
