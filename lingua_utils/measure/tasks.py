"""Zero-shot accuracy by lm-evaluation-harness, of a model intact or with a region silenced.

Three tasks are about the small world and need no download. ``"cloze"`` asks for facts that every language
tells: "Egypt and Swedish Krona" goes on with " (Sweden)." and not with " (Brazil).". ``"transfer"`` asks in
every language for facts that training tells in one only. ``"translation"`` asks which of four sentences goes
on from its translation. ``"xstorycloze"`` is the harness's own XStoryCloze (Lin et al. 2022, arXiv
2112.10668), from the Hub. The harness runs *inside* the block that silences a region: a score taken after
that block is the intact model's.
"""

import contextlib
import importlib.util
import io
import json
import os
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product, zip_longest
from pathlib import Path

import numpy as np
import pandas as pd

from lingua_utils.measure.ablation import silence
from lingua_utils.measure.intervals import effective_trials, wilson
from lingua_utils.models.loading import LoadedModel
from lingua_utils.text.languages import DEFAULT_LANGUAGES, LANGUAGES, check_languages, get_language
from lingua_utils.text.world import Clause, World, clause_text, parallel_sentences, render

METRICS = ("acc", "acc_bytes")
"""Is the right choice the likeliest: as it is, and per byte of it."""

_OPENING = ("country", "language", "currency")
_ASKED = ("language", "currency")

TASKS = {"cloze": 1 / 4, "transfer": 1 / 2, "translation": 1 / 4, "xstorycloze": 1 / 2}
"""The tasks, and how often a guess is right."""

# The main branch of XStoryCloze is a script, which datasets >= 4 does not run; this one holds its rows.
XSTORY_CLOZE, PARQUET = "juletxara/xstory_cloze", "refs/convert/parquet"
N_XSTORY_CLOZE = 1511


class Harness:
    """The tasks and the model as lm-evaluation-harness takes them: set up once, run as often as needed.

    Parameters
    ----------
    loaded : LoadedModel
        A causal or encoder-decoder language model; it is used as it is, not loaded again.
    languages, task, n_items, seed, batch_size
        As for :func:`accuracy`.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        languages: str | Sequence[str] | None = None,
        task: str = "cloze",
        n_items: int = 100,
        seed: int = 0,
        batch_size: int | None = None,
    ) -> None:
        self.loaded, self.task, self.n_items = loaded, task, n_items
        self.languages = _check(loaded, languages, task, n_items)
        self.items = None if task == "xstorycloze" else items_of(task, self.languages, n_items, seed)
        with tempfile.TemporaryDirectory() as folder, _contained():
            from lm_eval.models.huggingface import HFLM
            from lm_eval.tasks import TaskManager

            if self.items is None:
                _write_xstory_cloze(Path(folder), self.languages)
            else:
                write_items(folder, task, self.items)
            try:
                self._tasks = TaskManager(include_path=folder, include_defaults=False).load([task])
            except (OSError, RuntimeError, ValueError) as error:
                if self.items is not None:
                    raise
                raise _unreadable(error) from error
            tokenizer = loaded.tokenizer
            # The harness cuts "context + choice" at the length of the context, so no mark may follow a text.
            closed = tokenizer("a")["input_ids"][-1] in tokenizer.all_special_ids
            starts = (tokenizer.bos_token_id, tokenizer.eos_token_id, loaded.pad_id)
            self._model = HFLM(
                pretrained=loaded.model,
                tokenizer=tokenizer,
                batch_size=batch_size or _batch_size(loaded),
                max_length=loaded.max_length,
                add_bos_token=False if closed and not loaded.is_encoder_decoder else None,
                # Used only before an empty context, but asked for in any case.
                prefix_token_id=next(i for i in starts if i is not None),
            )

    def together(self, n_items: int) -> np.ndarray:
        """Which group each of the first items belongs to: those that share their facts or their endings."""
        if self.items is None:
            return np.arange(n_items)
        return self.items.group.to_numpy()[:n_items]

    def correct(
        self,
        region: np.ndarray | None = None,
        n_items: int | None = None,
        to: str = "zero",
        means: np.ndarray | None = None,
    ) -> np.ndarray:
        """Run the harness, with a region silenced from before its first token to after its last.

        Parameters
        ----------
        region : bool array [layer, neuron], optional
            None leaves the model intact.
        n_items : int, optional
            Only the first so many items of each language.
        to, means
            As for :func:`lingua_utils.measure.ablation.silence`.

        Returns
        -------
        bool array [language, item, 2]
            Whether the right choice is the likeliest; as it is, and per byte.

        Raises
        ------
        ValueError
            When the model gives a choice no finite likelihood; the message names the language and the item.
        """
        block = contextlib.nullcontext() if region is None else silence(self.loaded, region, to, means)
        with block, _contained():
            import lm_eval

            results = lm_eval.evaluate(
                self._model, self._tasks, limit=n_items or self.n_items, bootstrap_iters=0, log_samples=True
            )
        samples = [results["samples"][name] for name in self._tasks["tasks"]]
        # An argmax over NaN is an answer too: without this, a broken model would look like a guessing one.
        likelihoods = np.array(
            [[[ll for ll, _ in item["filtered_resps"]] for item in items] for items in samples]
        )
        for language, item, _ in np.argwhere(~np.isfinite(likelihoods))[:1]:
            raise ValueError(
                f"{self.loaded.model_id} gives a choice of item {item} in {self.languages[language]} "
                f"no finite likelihood (dtype {self.loaded.dtype}); try dtype='float32'"
            )
        return np.array([[[item[metric] for metric in METRICS] for item in items] for items in samples]) == 1


def accuracy(
    loaded: LoadedModel,
    languages: str | Sequence[str] | None = None,
    task: str = "cloze",
    n_items: int = 100,
    region: np.ndarray | None = None,
    *,
    to: str = "zero",
    means: np.ndarray | None = None,
    seed: int = 0,
    batch_size: int | None = None,
) -> pd.DataFrame:
    """Zero-shot accuracy of a model in each language, intact or with a region silenced.

    Parameters
    ----------
    loaded : LoadedModel
        A causal or encoder-decoder language model.
    languages : codes, or None
        The default ten; for XStoryCloze those of them that it has.
    task : {"cloze", "transfer", "translation", "xstorycloze"}
        The last is read from the Hub.
    n_items : int
        Items per language; XStoryCloze has 1,511.
    region : bool array [layer, neuron], optional
        Neurons to silence during the evaluation.
    to, means
        What silenced neurons are held at, as for :func:`lingua_utils.measure.ablation.silence`.
    seed : int
        Seed of the cloze items.
    batch_size : int, optional
        Choices scored at once; by default as many as keep the logits of a batch under some 512 MiB.

    Returns
    -------
    DataFrame
        One row per language: ``language``, ``accuracy`` (a share) with its 95 % Wilson interval ``low`` to
        ``high``, ``accuracy_norm`` with ``norm_low``, ``norm_high`` (log-likelihood per byte decides, so that
        a short choice has no advantage), ``mean_accuracy`` over languages with ``mean_low``, ``mean_high``,
        ``n_items``, ``chance``. Items that share their endings, and in the mean translations, count as
        dependent (:func:`~lingua_utils.measure.intervals.effective_trials`).

    Raises
    ------
    ValueError
        For a masked language model, an unknown task, or a language or number of items that a task lacks.
    ConnectionError
        When XStoryCloze cannot be had from the Hub.
    ModuleNotFoundError
        Without lm-evaluation-harness.
    """
    harness = Harness(loaded, languages, task, n_items, seed, batch_size)
    table = accuracy_table(harness, harness.correct(region, to=to, means=means))
    return table.rename(columns={"text_language": "language"})


def languages_of(task: str, languages: Sequence[str]) -> tuple[str, ...]:
    """Those of some languages that a task has.

    The tasks about the world are told in the languages of the table; of a corpus that has none of these, such
    as an invented one, the default ten are asked.
    """
    if task == "xstorycloze":
        return tuple(code for code in languages if get_language(code).xstory_cloze)
    return tuple(code for code in languages if code in LANGUAGES) or DEFAULT_LANGUAGES


def accuracy_table(harness: Harness, correct: np.ndarray) -> pd.DataFrame:
    """Shares of right answers by language, with intervals, of what :meth:`Harness.correct` gives.

    Of ``"transfer"`` the items count that are asked in another language than the one that told the fact.

    Returns
    -------
    DataFrame
        The columns of :func:`accuracy`, with ``text_language`` for ``language``.
    """
    n_items = correct.shape[1]
    together, asked = harness.together(n_items), _asked(harness, n_items)
    rows = []
    for language, right, counted in zip(harness.languages, correct, asked, strict=True):
        share, worth = right[counted].mean(axis=0), effective_trials(right[counted].T, together[counted])
        (low, norm_low), (high, norm_high) = wilson(share, worth)
        rows.append((language, share[0], low, high, share[1], norm_low, norm_high, int(counted.sum())))
    names = ["text_language", "accuracy", "low", "high", "accuracy_norm", "norm_low", "norm_high", "n_items"]
    # Translations of an item are no new items: in the mean over languages they are one group.
    right, of_group = correct[..., 0][asked], np.broadcast_to(together, asked.shape)[asked]
    mean_low, mean_high = wilson(right.mean(), effective_trials(right, of_group))
    mean = {"mean_accuracy": right.mean(), "mean_low": float(mean_low), "mean_high": float(mean_high)}
    return pd.DataFrame(rows, columns=names).assign(**mean, chance=TASKS[harness.task])


def _asked(harness: Harness, n_items: int) -> np.ndarray:
    """Which items count in each language, bool, shape [language, item]."""
    every = np.ones((len(harness.languages), n_items), dtype=bool)
    if harness.task != "transfer":
        return every
    told = harness.items.source.to_numpy().reshape(len(harness.languages), -1)[:, :n_items]
    return told != np.array(harness.languages)[:, None]


def directions(harness: Harness, correct: np.ndarray) -> pd.DataFrame:
    """Accuracy from each language into each other, of what :meth:`Harness.correct` gives.

    Returns
    -------
    DataFrame
        One row per direction: ``source`` (of ``"transfer"``, the language that told the fact; of
        ``"translation"``, that of the sentence shown), ``language`` (of the question), ``accuracy``, ``low``,
        ``high`` (95 % Wilson; items with the same endings count as dependent), ``n_items``, ``chance``.
    """
    n_items = correct.shape[1]
    items = harness.items[harness.items.item < n_items].assign(right=correct[..., 0].ravel())
    rows = []
    for (source, language), part in items.groupby(["source", "language"], sort=False):
        share = part.right.mean()
        low, high = wilson(share, effective_trials(part.right.to_numpy(), part.endings.to_numpy()))
        rows.append((source, language, share, float(low), float(high), len(part)))
    names = ["source", "language", "accuracy", "low", "high", "n_items"]
    return pd.DataFrame(rows, columns=names).assign(chance=TASKS[harness.task])


def _check(
    loaded: LoadedModel, languages: str | Sequence[str] | None, task: str, n_items: int
) -> tuple[str, ...]:
    """The languages asked for, once nothing stands in the way of the evaluation."""
    if importlib.util.find_spec("lm_eval") is None:
        raise ModuleNotFoundError("no lm-evaluation-harness here; pip install 'lm-eval[hf]' brings it")
    if task not in TASKS:
        raise ValueError(f"no task {task!r}; there are {', '.join(TASKS)}")
    what = f"{loaded.model_id} ({type(loaded.model).__name__})"
    if {site.stack for site in loaded.sites} == {"encoder"}:
        raise ValueError(
            f"{what} is a masked language model, which gives no likelihood to an ending; "
            "use a causal or an encoder-decoder model"
        )
    if loaded.model_type == "mbart":
        raise ValueError(
            f"{what} starts an ending with its own last token, so the harness would show it the answer; "
            "use a causal model or one of the T5 family"
        )
    if task != "xstorycloze":
        return check_languages(languages)
    if not 1 <= n_items <= N_XSTORY_CLOZE:
        raise ValueError(f"n_items is {n_items}; XStoryCloze has 1 to {N_XSTORY_CLOZE}")
    known = [code for code, language in LANGUAGES.items() if language.xstory_cloze]
    codes = check_languages(languages)
    if languages in (None, "default"):
        codes = tuple(code for code in codes if code in known)
    if missing := [code for code in codes if code not in known]:
        raise ValueError(f"XStoryCloze has no {', '.join(missing)}; it has {', '.join(known)}")
    _check_hub()
    return codes


def _write_xstory_cloze(folder: Path, languages: Sequence[str]) -> Path:
    """Write the harness's own tasks again, to read the branch that holds the rows."""
    import lm_eval.tasks

    originals = Path(lm_eval.tasks.__file__).parent / "xstorycloze"
    configs = {}
    for code in (get_language(language).xstory_cloze for language in languages):
        original = str(originals / f"default_{code}.yaml")
        configs[f"xstorycloze_{code}"] = {"include": original, "dataset_kwargs": {"revision": PARQUET}}
    return write_tasks(folder, "xstorycloze", configs)


def _check_hub() -> None:
    """Ask once whether the data are there: datasets itself would try for half a minute."""
    import huggingface_hub

    if huggingface_hub.is_offline_mode():
        return  # then only the cache is read, and fails at once
    try:
        huggingface_hub.HfApi().dataset_info(XSTORY_CLOZE, revision=PARQUET, timeout=10)
    except Exception as error:  # no network, no such branch, no permission: the way out is the same
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> ConnectionError:
    reason = next(iter(str(error).splitlines()), "")
    return ConnectionError(
        f"XStoryCloze cannot be read: tried branch {PARQUET} of {XSTORY_CLOZE} on the Hub (the main branch "
        f"is a script, and datasets >= 4 runs none), {type(error).__name__}: {reason}; use task='cloze', "
        "which needs no download, or set HF_HUB_OFFLINE=1 where the data set is in the cache"
    )


def _batch_size(loaded: LoadedModel, n_tokens: int = 64) -> int:
    """As many texts of 64 tokens as keep their float32 logits under 512 MiB; 1 to 64."""
    return int(np.clip(2**27 // (n_tokens * loaded.n_embeddings), 1, 64))


@contextlib.contextmanager
def _contained() -> Iterator[None]:
    """Keep the harness's bars off the screen and its settings out of the environment."""
    before = set(os.environ)
    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        for name in set(os.environ) - before:
            del os.environ[name]


# -- what is asked


def items_of(
    task: str, languages: str | Sequence[str] | None = None, n_items: int = 100, seed: int = 0
) -> pd.DataFrame:
    """Items of a task about the small world, the same in every language.

    Returns
    -------
    DataFrame
        ``language`` (of the question), ``source`` (see :func:`directions`), ``item`` (0, 1, ...), ``group``
        (items that are right or wrong together), ``endings`` (items that share them), ``context``,
        ``choices`` (list of str), ``answer`` (place of the right choice).
    """
    makers = {"cloze": cloze_items, "transfer": transfer_items, "translation": translation_items}
    return makers[task](languages, n_items, seed)


_COLUMNS = ["language", "source", "item", "group", "endings", "context", "choices", "answer"]


def cloze_items(
    languages: str | Sequence[str] | None = None, n_items: int = 100, seed: int = 0
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
        Items per language; the first of more are the same.
    seed : int
        Seed of the drawing.

    Returns
    -------
    DataFrame
        As :func:`items_of`, with four choices.

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
    _check_number("cloze", n_items, 4 * len(questions))
    rows = []
    for language, item in product(languages, range(n_items)):
        opening, asked, countries = questions[item // 4]
        answer = item % 4
        context, choices = _cut(opening, Clause(asked, countries[answer]), countries, language)
        rows.append((language, language, item, item // 4, item // 4, context, choices, answer))
    return pd.DataFrame(rows, columns=_COLUMNS)


def _cut(opening: Clause, told: Clause, countries: Sequence[str], language: str) -> tuple[str, list[str]]:
    """A sentence up to the country that it ends with, and its end with each of some countries."""
    names = {country: clause_text(Clause("country", country), language) for country in countries}
    # Cut before the space: there every tokenizer starts a new token.
    context, _, end = render((opening, told), language).rpartition(f" ({names[told.country]})")
    return context, [f" ({name}){end}" for name in names.values()]


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


def transfer_items(
    languages: str | Sequence[str] | None = None, n_items: int = 100, seed: int = 0
) -> pd.DataFrame:
    """Which of two countries keeps a weekday, where training tells it in one language only.

    Both countries of an item are told of in the same language (``source``), so that in any other neither is
    known but by transfer. Two items share their endings, and each is right once: who looks at the endings
    alone is right half of the time. No pair of countries is one that training shows.

    Parameters, errors and columns are those of :func:`cloze_items`; ``group`` holds all items about the same
    two facts.
    """
    languages, world = check_languages(languages), World()
    held_out = {pair for split in ("dev", "test") for pair in world.pairs[split, "bridged"]}
    told_in = world.taught_in(languages)
    told: dict[str, list[str]] = {}
    for country, language in told_in.items():
        told.setdefault(language, []).append(country)
    twos = [two for of_one in told.values() for two in zip(of_one[::2], of_one[1::2], strict=False)]
    twos = [two for two in twos if world.weekdays[two[0]] != world.weekdays[two[1]]]
    rng, turns = random.Random(f"transfer {seed}"), []
    for group, two in enumerate(twos):
        partners = [
            one
            for one in sorted(world.bridged)
            if one not in two and all(frozenset((one, country)) in held_out for country in two)
        ]
        openings = [Clause(kind, one) for kind, one in product(_OPENING, partners)]
        sayable = [opening for opening in openings if _is_sayable(opening, languages)]
        turns.append([(group, opening, two) for opening in rng.sample(sayable, len(sayable))])
    questions = [question for turn in zip_longest(*turns) for question in turn if question]
    _check_number("transfer", n_items, 2 * len(questions))
    rows = []
    for language, item in product(languages, range(n_items)):
        group, opening, two = questions[item // 2]
        right, answer = two[item % 2], item % 2
        context, choices = _cut(opening, Clause("weekday", right, world.weekdays[right]), two, language)
        rows.append((language, told_in[right], item, group, item // 2, context, choices, answer))
    return pd.DataFrame(rows, columns=_COLUMNS)


def translation_items(
    languages: str | Sequence[str] | None = None, n_items: int = 100, seed: int = 0
) -> pd.DataFrame:
    """Which of four sentences follows its translation, as in a bilingual line of the training text.

    The sentences are those of the test split, which no training line shows in any language. Four sentences
    make four items with the same endings, in which each is right once; the language of the sentence shown
    (``source``) changes from four to four, so that all directions are asked alike.

    Parameters, errors and columns are those of :func:`cloze_items`.
    """
    languages = check_languages(languages)
    if len(languages) < 2:
        raise ValueError(f"one language ({languages[0]}): a translation needs a second")
    _check_number("translation", n_items, 4000)
    n_groups = -(-n_items // 4)
    texts, _ = parallel_sentences(languages, 4 * n_groups, "test", seed)
    rows = []
    for place, language in enumerate(languages):
        for item in range(n_items):
            group, answer = divmod(item, 4)
            source = (place + 1 + group % (len(languages) - 1)) % len(languages)
            choices = [f" {sentence}" for sentence in texts[place][4 * group : 4 * group + 4]]
            shown = texts[source][item]
            rows.append((language, languages[source], item, group, group, shown, choices, answer))
    return pd.DataFrame(rows, columns=_COLUMNS)


def _check_number(task: str, n_items: int, most: int) -> None:
    if not 1 <= n_items <= most:
        raise ValueError(f"n_items is {n_items}; in the languages asked for, the {task} has 1 to {most}")


def write_items(folder: str | Path, task: str, items: pd.DataFrame) -> Path:
    """Write items as tasks of the harness: ``lm_eval --include_path FOLDER --tasks cloze`` runs them.

    One task for each language (``cloze_eng_Latn``) over local JSON lines, and the group ``cloze``, which is
    their mean. Nothing is read or kept outside the folder.
    """
    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    configs = {}
    for language, of_language in items.groupby("language", sort=False):
        data = folder / f"{language}.jsonl"
        written = of_language[["item", "context", "choices", "answer"]]
        written.to_json(data, orient="records", lines=True, force_ascii=False)
        configs[f"{task}_{language}"] = {
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
    return write_tasks(folder, task, configs)


def write_tasks(folder: Path, group: str, configs: Mapping[str, dict]) -> Path:
    """Write zero-shot tasks of the harness and the group of them, one YAML file for each (JSON is YAML)."""
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
