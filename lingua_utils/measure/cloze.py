"""A test of what the lab's models know: which country ends the sentence?

"Egypt and Swedish Krona" goes on with " (Sweden)." and not with " (Brazil).", in every language. The items
are made of the small world of :mod:`lingua_utils.text.world`, as ordinary tasks of lm-evaluation-harness.
"""

import json
import random
from collections.abc import Mapping, Sequence
from itertools import combinations, product, zip_longest
from pathlib import Path

import pandas as pd

from lingua_utils.text.languages import check_languages
from lingua_utils.text.world import Clause, World, clause_text, render

METRICS = ("acc", "acc_bytes")
"""Is the right choice the likeliest: as it is, and per byte of it."""

_OPENING = ("country", "language", "currency")
_ASKED = ("language", "currency")


def cloze_items(
    languages: str | Sequence[str] | None = None, n_items: int = 200, seed: int = 0
) -> pd.DataFrame:
    """Beginnings of sentences about the small world, each with four endings of which one is right.

    No ending, right or wrong, makes a sentence with a pair of countries or an order of clauses that training
    shows; the pairs are those of the test split. Four countries make four items, in which each is right once
    and the same endings stand in the same places: a model that looks at nothing but the endings, or their
    places, scores exactly 1/4.

    Parameters
    ----------
    languages : codes, or None for the default ten
        Every item is asked in all of them. A country that one of them cannot name is not used.
    n_items : int
        Items a language; the first of more are the same.
    seed : int
        Seed of the drawing.

    Returns
    -------
    DataFrame
        ``language``, ``item`` (0, 1, ...), ``context``, ``choices`` (list of 4 str), ``answer`` (0 to 3).

    Raises
    ------
    ValueError
        For an unknown language, no items, or more of them than the world has.

    Examples
    --------
    >>> items = cloze_items(["eng_Latn", "fra_Latn"], n_items=4)
    >>> sorted(items.answer[items.language == "fra_Latn"])
    [0, 1, 2, 3]
    """
    languages = check_languages(languages)
    questions = _questions(languages, seed)
    if not 1 <= n_items <= 4 * len(questions):
        raise ValueError(
            f"n_items is {n_items}; in the languages asked for, the cloze has 1 to {4 * len(questions)}"
        )
    rows = []
    for language, item in product(languages, range(n_items)):
        opening, asked, countries = questions[item // 4]
        answer = item % 4
        names = [clause_text(Clause("country", country), language) for country in countries]
        sentence = render((opening, Clause(asked, countries[answer])), language)
        # Cut before the space: there every tokenizer starts a new token.
        context, _, end = sentence.rpartition(f" ({names[answer]})")
        rows.append((language, item, context, [f" ({name}){end}" for name in names], answer))
    return pd.DataFrame(rows, columns=["language", "item", "context", "choices", "answer"])


def _questions(languages: tuple[str, ...], seed: int) -> list[tuple[Clause, str, tuple[str, ...]]]:
    """Opening clauses, what is asked after each, and four countries that may end it; each country in turn."""
    world, rng = World(), random.Random(f"cloze {seed}")
    unseen = world.orders["test", False] + world.orders["dev", False]
    orders = [(opening, asked) for opening, asked in product(_OPENING, _ASKED) if (opening, asked) in unseen]
    sayable = [
        country
        for country in sorted(world.bridged)
        if all(_is_sayable(Clause(kind, country), languages) for kind in _OPENING)
    ]
    turns = []
    for country in sayable:
        partners = [
            other for other in sayable if frozenset((country, other)) in world.pairs["test", "bridged"]
        ]
        turn = [
            (Clause(opening, country), asked, tuple(rng.sample(four, 4)))
            for four in combinations(partners, 4)
            for opening, asked in orders
        ]
        turns.append(rng.sample(turn, len(turn)))
    rng.shuffle(turns)
    return [question for turn in zip_longest(*turns) for question in turn if question]


def _is_sayable(clause: Clause, languages: tuple[str, ...]) -> bool:
    """Whether every language has the words, and none of them a digit."""
    texts = [clause_text(clause, language) for language in languages]
    return None not in texts and not any(letter.isdigit() for letter in "".join(texts))


def write_cloze(
    folder: str | Path, languages: str | Sequence[str] | None = None, n_items: int = 200, seed: int = 0
) -> Path:
    """Write the cloze as tasks of the harness: ``lm_eval --include_path FOLDER --tasks cloze`` runs them.

    A task a language (``cloze_eng_Latn``) over local JSON lines, and the group ``cloze``, which is their
    mean. Nothing is read or kept outside the folder.
    """
    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    configs = {}
    for language, items in cloze_items(languages, n_items, seed).groupby("language", sort=False):
        data = folder / f"{language}.jsonl"
        items.drop(columns="language").to_json(data, orient="records", lines=True, force_ascii=False)
        configs[f"cloze_{language}"] = {
            "dataset_path": "json",
            "dataset_kwargs": {
                "data_files": {"test": str(data)},
                "cache_dir": str(folder / "cache"),
                "keep_in_memory": True,
            },
            "test_split": "test",
            "output_type": "multiple_choice",
            "doc_to_text": "context",
            "doc_to_choice": "choices",
            "doc_to_target": "answer",
            "target_delimiter": "",
            "metadata": {"version": 1.0},
        }
    return write_tasks(folder, "cloze", configs)


def write_tasks(folder: Path, group: str, configs: Mapping[str, dict]) -> Path:
    """Write zero-shot tasks of the harness and the group of them, a YAML file each (JSON is YAML)."""
    metrics = [{"metric": name, "aggregation": "mean", "higher_is_better": True} for name in METRICS]
    means = [{"metric": name, "aggregation": "mean", "weight_by_size": True} for name in METRICS]
    files = {
        name: {"task": name, **config, "num_fewshot": 0, "metric_list": metrics}
        for name, config in configs.items()
    }
    files[group] = {"group": group, "task": list(configs), "aggregate_metric_list": means}
    for name, content in files.items():
        (folder / f"{name}.yaml").write_text(
            json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8"
        )
    return folder
