"""Zero-shot accuracy by lm-evaluation-harness, of a model intact or with a region silenced.

``"cloze"`` needs no download: "Egypt and Swedish Krona" goes on with " (Sweden)." and not with
" (Brazil).", in every language. ``"xstorycloze"`` is the harness's own XStoryCloze
(Lin et al. 2022, arXiv 2112.10668), from the Hub. The harness runs *inside* the block that silences a region:
a score taken after that block is the intact model's.
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
from lingua_utils.text.languages import LANGUAGES, check_languages, get_language
from lingua_utils.text.world import Clause, World, clause_text, render

METRICS = ("acc", "acc_bytes")
"""Is the right choice the likeliest: as it is, and per byte of it."""

_OPENING = ("country", "language", "currency")
_ASKED = ("language", "currency")

TASKS = {"cloze": 1 / 4, "xstorycloze": 1 / 2}
"""The tasks, and how often a guess is right."""

_SHARE_ENDINGS = {"cloze": 4}  # so many items in a row have the same endings

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
        n_items: int = 200,
        seed: int = 0,
        batch_size: int | None = None,
    ) -> None:
        self.loaded, self.task, self.n_items = loaded, task, n_items
        self.languages = _check(loaded, languages, task, n_items)
        with tempfile.TemporaryDirectory() as folder, _contained():
            from lm_eval.models.huggingface import HFLM
            from lm_eval.tasks import TaskManager

            if task == "cloze":
                write_cloze(folder, self.languages, n_items, seed)
            else:
                _write_xstory_cloze(Path(folder), self.languages)
            try:
                self._tasks = TaskManager(include_path=folder, include_defaults=False).load([task])
            except (OSError, RuntimeError, ValueError) as error:
                if task == "cloze":
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
        """Which group each of the first items belongs to: those that share their endings."""
        return np.arange(n_items) // _SHARE_ENDINGS.get(self.task, 1)

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
    n_items: int = 200,
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
    task : {"cloze", "xstorycloze"}
        The second is read from the Hub.
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
    """Those of some languages that a task has."""
    return tuple(code for code in languages if task == "cloze" or get_language(code).xstory_cloze)


def accuracy_table(harness: Harness, correct: np.ndarray) -> pd.DataFrame:
    """Shares of right answers by language, with intervals, of what :meth:`Harness.correct` gives.

    Returns
    -------
    DataFrame
        The columns of :func:`accuracy`, with ``text_language`` for ``language``.
    """
    n_languages, n_items, _ = correct.shape
    right, together = np.moveaxis(correct, -1, 0), harness.together(n_items)  # [metric, language, item]
    share = right.mean(axis=-1)
    low, high = wilson(share, effective_trials(right, together))
    # Translations of an item are no new items: in the mean over languages they are one group.
    mean = right[0].mean()
    mean_limits = wilson(mean, effective_trials(right[0].ravel(), np.tile(together, n_languages)))
    return pd.DataFrame(
        {
            "text_language": list(harness.languages),
            "accuracy": share[0],
            "low": low[0],
            "high": high[0],
            "accuracy_norm": share[1],
            "norm_low": low[1],
            "norm_high": high[1],
            "mean_accuracy": mean,
            "mean_low": float(mean_limits[0]),
            "mean_high": float(mean_limits[1]),
            "n_items": n_items,
            "chance": TASKS[harness.task],
        }
    )


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
    if task == "cloze":
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


# -- the cloze


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
        Items per language; the first of more are the same.
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

    One task for each language (``cloze_eng_Latn``) over local JSON lines, and the group ``cloze``, which is
    their mean. Nothing is read or kept outside the folder.
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
