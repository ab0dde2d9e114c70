"""Zero-shot accuracy by lm-evaluation-harness, of a model intact or with a region silenced.

``"cloze"`` needs no download: :mod:`lingua_utils.measure.cloze`. ``"xstorycloze"`` is the harness's own XStoryCloze
(Lin et al. 2022, arXiv 2112.10668), from the Hub. The harness runs *inside* the block that silences a region:
a score taken after that block is the intact model's.
"""

import contextlib
import importlib.util
import io
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from lingua_utils.measure.ablation import random_regions, silence
from lingua_utils.measure.cloze import METRICS, cloze_items, write_cloze, write_tasks
from lingua_utils.measure.retrieval import wilson
from lingua_utils.models.loading import LoadedModel
from lingua_utils.text.languages import LANGUAGES, check_languages

__all__ = ["Harness", "accuracy", "change", "cloze_items", "tables", "write_cloze"]

TASKS = {"cloze": 1 / 4, "xstorycloze": 1 / 2}
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
        Items a language; XStoryCloze has 1,511.
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
        One row a language: ``language``, ``accuracy`` (a share) with its 95 % Wilson interval ``low`` to
        ``high``, ``accuracy_norm`` with ``norm_low``, ``norm_high`` (log-likelihood per byte decides, so that
        a short choice has no advantage), ``n_items``, ``chance``.

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
    table = _summary(harness, harness.correct(region, to=to, means=means))
    return table.rename(columns={"text_language": "language"})


def languages_of(task: str, languages: Sequence[str]) -> tuple[str, ...]:
    """Those of some languages that a task has."""
    return tuple(code for code in languages if task == "cloze" or LANGUAGES[code].xstory_cloze)


def tables(
    loaded: LoadedModel,
    regions: Mapping[str, np.ndarray] | None,
    languages: str | Sequence[str] | None = None,
    seed: int = 0,
    *,
    method: str = "zscore",
    task: str = "cloze",
    n_items: int = 200,
    n_items_silenced: int = 100,
    n_controls: int = 1,
    to: str = "zero",
    means: np.ndarray | None = None,
    batch_size: int | None = None,
    progress: bool = True,
) -> dict[str, pd.DataFrame]:
    """What stage 07 writes: accuracy intact, with each language's region silenced, and with random ones.

    Parameters
    ----------
    loaded, languages, seed, task, to, means, batch_size
        As for :func:`accuracy`.
    regions : mapping of language to bool array [layer, neuron], or None
        The regions to silence one by one; None or empty measures the intact model only.
    method : str
        What selected them; goes into the table.
    n_items, n_items_silenced : int
        Items a language with the model intact and with a region silenced: the first of the same ones.
    n_controls : int
        Random regions beside each region, with as many neurons in each layer.
    progress : bool
        Show a bar.

    Returns
    -------
    dict with "tasks" : DataFrame
        One row per silenced region and language of the text. ``method`` is "intact", the method, or "random"
        for a control; ``region_language`` is "none" for the intact model, and for a control the language
        whose region it matches; ``draw`` counts its controls. Then ``text_language`` and the columns of
        :func:`accuracy`, and the ``change`` in accuracy from the intact model's *on the same items*, with its
        95 % interval ``change_low``, ``change_high``.
    """
    runs: list[tuple[str, str, int, np.ndarray | None]] = [("intact", "none", 0, None)]
    widths = [site.width for site in loaded.sites]
    for language, region in (regions or {}).items():
        with silence(loaded, region, to, means):
            runs.append(
                (method, language, 0, region)
            )  # a region that cannot be silenced fails here, not later
        controls = random_regions(region, n_controls, seed, widths=widths) if n_controls else ()
        runs += [("random", language, draw, control) for draw, control in enumerate(controls)]
    harness = Harness(loaded, languages, task, n_items, seed, batch_size)
    intact, parts = None, []
    for name, region_language, draw, region in tqdm(runs, desc=task, disable=not progress):
        asked = n_items if region is None else min(n_items, n_items_silenced)
        correct = harness.correct(region, asked, to, means)
        intact = correct if region is None else intact
        part = _summary(harness, correct)
        part.insert(0, "method", name)
        part.insert(1, "region_language", region_language)
        part.insert(2, "draw", draw)
        part["change"], part["change_low"], part["change_high"] = change(
            intact[:, : correct.shape[1], 0], correct[..., 0]
        )
        parts.append(part)
    return {"tasks": pd.concat(parts, ignore_index=True)}


def change(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Change in the share of right answers to the same items, with its 95 % interval.

    The interval is Agresti and Min's (2005) for matched pairs: half an item more in each cell of
    before × after keeps it from being empty when no answer changed.

    Parameters
    ----------
    before, after : bool arrays [..., item]

    Returns
    -------
    change, low, high : arrays [...]
        Between -1 and 1.
    """
    gained, lost = (after & ~before).sum(axis=-1), (before & ~after).sum(axis=-1)
    n = before.shape[-1] + 2
    centre = (gained - lost) / n
    margin = 1.96 * np.sqrt((gained + lost + 1) / n - centre**2) / np.sqrt(n)
    low, high = np.maximum(centre - margin, -1), np.minimum(centre + margin, 1)
    return (gained - lost) / (n - 2), low, high


def _summary(harness: Harness, correct: np.ndarray) -> pd.DataFrame:
    n_items = correct.shape[1]
    share = correct.mean(axis=1)
    low, high = wilson(share, n_items)
    return pd.DataFrame(
        {
            "text_language": harness.languages,
            "accuracy": share[:, 0],
            "low": low[:, 0],
            "high": high[:, 0],
            "accuracy_norm": share[:, 1],
            "norm_low": low[:, 1],
            "norm_high": high[:, 1],
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
    for code in (LANGUAGES[language].xstory_cloze for language in languages):
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
