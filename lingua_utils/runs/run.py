"""A run: one model at one revision, measured on one corpus, and the tables that notebooks make of it.

A table is made by a function of a notebook that is marked with :meth:`Run.table`. It is computed once and
read afterwards. What is in the run's folder under the same key is read, anything else is computed anew; the
key covers the function, all code of the package that it uses, the settings, text, weights, and the tables
that it reads (:mod:`lingua_utils.runs.keys`).
"""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

import lingua_utils
from lingua_utils import files
from lingua_utils.hub import UNTRAINED
from lingua_utils.runs.keys import Code, digest, module_digests
from lingua_utils.runs.settings import RunSettings

if TYPE_CHECKING:
    from lingua_utils.measure.activations import Activations
    from lingua_utils.measure.regions import Regions
    from lingua_utils.models.loading import LoadedModel
    from lingua_utils.text.corpus import ParallelCorpus

# Whatever a number may depend on.
LIBRARIES = (
    *("torch", "transformers", "tokenizers", "safetensors", "numpy", "scipy", "scikit-learn", "statsmodels"),
    *("pandas", "pyarrow", "babel", "langcodes", "lm-eval", "datasets"),
)
# The code behind what a table asks of its run.
_CODE_OF = {
    "activations": "lingua_utils.measure.activations",
    "regions": "lingua_utils.measure.regions",
    "untrained": "lingua_utils.measure.regions",
    "loaded": "lingua_utils.models.loading",
}
MANIFEST = "manifest.json"


class Run:
    """One model at one revision on one corpus.

    Parameters
    ----------
    model_id, revision : str
        ``"lab/bloom-m"``, a local folder or a Hub repository; a branch, a tag or a lab checkpoint.
    results : str or Path
        Root of all results; relative paths start at the project's root.
    **settings
        Any other of :class:`~lingua_utils.runs.settings.RunSettings`.

    Raises
    ------
    ValueError
        For a setting that cannot work, before anything is loaded.

    Examples
    --------
    >>> run = Run("lab/bloom-m", "step000600", n_sentences=60)
    >>> @run.table  # doctest: +SKIP
    ... def lengths():
    ...     for language, texts in zip(run.corpus().languages, run.corpus().texts):
    ...         yield {"language": language, "characters": sum(map(len, texts))}
    """

    def __init__(
        self, model_id: str, revision: str = "main", *, results: str | Path = "results", **settings: Any
    ) -> None:
        known = [setting.name for setting in fields(RunSettings)]
        if unknown := [name for name in settings if name not in known]:
            raise ValueError(f"a run has no setting {unknown[0]!r}; it has {', '.join(known)}")
        self.settings = RunSettings(model_id, revision, **settings)
        self.results = files.resolve(results)
        self.folder = self.results / self.settings.folder
        self._memory: dict[Any, Any] = {}
        self._twin_of: Run | None = None
        self._made: list[tuple[pd.DataFrame, str]] = []

    @classmethod
    def of(cls, settings: RunSettings, results: str | Path = "results") -> Run:
        """The run of some settings."""
        return cls(**settings.as_dict(), results=results)

    def __repr__(self) -> str:
        home = files.home()
        shown = self.folder.relative_to(home) if self.folder.is_relative_to(home) else self.folder
        return f"{self.settings.model_id} at {self.settings.revision} on {self.settings.corpus} → {shown}"

    @property
    def seed(self) -> int:
        """Seed of every resampling."""
        return self.settings.seed

    # -- what is measured

    def corpus(self, split: str = "dev") -> ParallelCorpus:
        """The run's text: "dev" to select neurons on, "test" to measure on.

        Text without splits is divided: "dev" is its first ``n_sentences`` meanings, "test" the next.

        Raises
        ------
        ValueError
            When such text has no meanings left to measure on.
        """
        return self._remembered(("corpus", split), lambda: self._corpus(split))

    def _corpus(self, split: str) -> ParallelCorpus:
        if split != "test" or not self._undivided:
            return self._load_corpus(split, self.settings.n_sentences or None)
        whole, n_selected = self._load_corpus("dev", None), self.corpus().n_sentences
        if whole.n_sentences < n_selected + 2:
            raise ValueError(
                f"{self.settings.corpus} has {whole.n_sentences} sentences, no splits; with n_sentences="
                f"{n_selected} none are left to measure on: ask for at most {whole.n_sentences // 2}"
            )
        return whole.select(slice(n_selected, 2 * n_selected))

    @cached_property
    def _undivided(self) -> bool:
        """Whether the corpus gives the same text whatever split is asked for."""
        dev, test = (self._load_corpus(split, None) for split in ("dev", "test"))
        return dev.fingerprint == test.fingerprint

    def _load_corpus(self, split: str, n_sentences: int | None) -> ParallelCorpus:
        from lingua_utils.text.corpus import load_corpus

        asked, unasked = self.settings, n_sentences == RunSettings.n_sentences
        corpus = load_corpus(
            asked.corpus,
            asked.names("languages"),
            None if unasked else n_sentences,
            split=split,
            seed=asked.seed,
            digits=asked.digits or None,
        )
        # What nobody asked for is no reason to refuse a short text.
        return corpus.select(slice(n_sentences)) if unasked and corpus.n_sentences > n_sentences else corpus

    @property
    def loaded(self) -> LoadedModel:
        """The model, ready to be measured; one of the lab is trained first where it is missing.

        Of a run and its untrained twin one model is in memory at a time: the other is let go of.
        """
        return self._remembered("loaded", self._load)

    def _load(self) -> LoadedModel:
        from lingua_utils.models.loading import load_model

        asked = self.settings
        self._train_lab_model()
        other = self._twin_of or self._memory.get("untrained")
        if other:
            other._memory.pop("loaded", None)
        return load_model(
            asked.model_id,
            asked.revision,
            asked.device or None,
            asked.dtype,
            training_seed=asked.training_seed,
        )

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """What the model is: of ``weights``, ``tokenizer`` and ``config``; told without loading it."""
        from lingua_utils.models.loading import fingerprints

        self._train_lab_model()
        return fingerprints(self.settings.model_id, self.settings.revision, self.settings.training_seed)

    def _train_lab_model(self) -> None:
        if self.settings.model_id.startswith("lab/"):
            from lingua_utils.models import training

            training.train(self.settings.model_id.removeprefix("lab/"), self.settings.training_seed)

    def activations(self) -> Activations:
        """Activations of the dev split, read lazily from the run's folder; captured first where missing."""
        return self._remembered("activations", self._activations)

    def _activations(self) -> Activations:
        from lingua_utils.measure.activations import Activations, capture

        folder, key = self.folder / "activations", self._activations_key
        if self.manifest.get("activations", {}).get("key") == key:
            try:
                return Activations.open(folder)
            except (FileNotFoundError, ValueError) as error:
                _say(f"{error}; capturing again")
        else:
            _say(f"activations: not yet in {self.settings.folder}; capturing")
        start = time.perf_counter()
        text = self.corpus()  # first: what is wrong with it is told before a model is loaded
        captured = capture(
            self.loaded,
            text,
            pooling=self.settings.pooling,
            max_tokens=self.settings.max_tokens or None,
            folder=folder,
        )
        self._record("activations", self._entry(start, key=key, n_truncated=captured.n_truncated))
        return captured

    @cached_property
    def _activations_key(self) -> str:
        return digest([self._what, module_digests(_CODE_OF["activations"])])

    def regions(self, rules: Iterable[str | Callable] | None = None) -> dict[str, Regions]:
        """Regions by the name of the rule, selected from the activations.

        Parameters
        ----------
        rules : names of rules, or functions
            The setting ``rules`` when not given.
        """
        from lingua_utils.measure.regions import select_all

        chosen = self.settings.names("rules") if rules is None else tuple(rules)
        selected = ("regions", chosen)
        return self._remembered(selected, lambda: select_all(self.activations(), chosen, self.seed))

    def untrained(self) -> Run:
        """The run of the same model with its weights as drawn: of a lab model its step 0."""
        at_start = "step000000" if self.settings.model_id.startswith("lab/") else UNTRAINED
        if self.settings.revision in (at_start, UNTRAINED):
            return self
        twin = self._remembered(
            "untrained", lambda: Run.of(replace(self.settings, revision=at_start), self.results)
        )
        twin._twin_of = self
        return twin

    def _remembered(self, name: Any, make: Callable[[], Any]) -> Any:
        if name not in self._memory:
            self._memory[name] = make()
        return self._memory[name]

    # -- tables

    def table(self, function: Callable[[], Any]) -> pd.DataFrame:
        """Decorate a function that makes a table; its name then stands for the table.

        Parameters
        ----------
        function : callable without arguments
            Yields rows (mappings) or parts (DataFrames), or returns a DataFrame. Its name is the table's.

        Returns
        -------
        DataFrame
            Read from the run's folder where the same code has made it from the same things, else computed
            and written there.

        Raises
        ------
        ValueError
            When the function reads something whose changes could not be seen, or makes no row.
        """
        name, code = function.__name__, Code(function, self)
        key, path = self._key(code), self.folder / f"{function.__name__}.parquet"
        table = self._read(name, key, path)
        if table is None:
            start = time.perf_counter()
            table = _gathered(function)
            write_table(table, path)
            # What was written is what is read: a table is the same whether it was computed now or before.
            table = pd.read_parquet(path)
            self._record_table(name, key, code, start, len(table))
        self._made.append((table, key))
        return table

    def key_of(self, value: Any) -> str | None:
        """Key of a table that this run made, as it was returned; None for anything else."""
        return next((key for table, key in self._made if table is value), None)

    def tables(self) -> pd.DataFrame:
        """What the run's folder holds: each table, its rows, and the code that made it.

        Returns
        -------
        DataFrame
            ``table``, ``rows``, ``code`` (digest of the notebook's functions), ``modules`` (of the package
            that they use), ``reads``, ``seconds``, ``finished``, ``device``, ``key``.
        """
        columns = ["rows", "code", "modules", "reads", "seconds", "finished", "device", "key"]
        frame = pd.DataFrame.from_dict(self.manifest.get("tables", {}), orient="index").reindex(
            columns=columns
        )
        return frame.rename_axis("table").reset_index()

    @property
    def manifest(self) -> dict:
        """The run's manifest as it stands on disk; empty where nothing was computed yet."""
        return read_manifest(self.folder) or {}

    @property
    def _what(self) -> list:
        """What is measured: settings, text and model."""
        return [self.settings.as_dict(), self.corpus().fingerprint, self.fingerprints]

    def _key(self, code: Code) -> str:
        asked = sorted(code.of_run & set(_CODE_OF))
        modules = dict(code.modules)
        for name in asked:
            modules |= module_digests(_CODE_OF[name])
        code.modules = modules
        return digest([self._what, code.own, modules, code.values])

    def _read(self, name: str, key: str, path: Path) -> pd.DataFrame | None:
        entry = self.manifest.get("tables", {}).get(name, {})
        if entry.get("key") != key:
            why = "its code or what it reads has changed" if entry else f"not yet in {self.settings.folder}"
            _say(f"{name}: {why}; computing")
            return None
        try:
            return pd.read_parquet(path)
        except (OSError, ValueError) as error:
            _say(f"{path} is damaged or gone ({_first_line(error)}); computing again")
            return None

    def _record_table(self, name: str, key: str, code: Code, start: float, rows: int) -> None:
        entry = self._entry(
            start,
            key=key,
            what=digest(self._what),
            rows=rows,
            code=code.digest,
            modules=digest(code.modules),
            reads=sorted(code.values) + sorted(f"run.{asked}" for asked in code.of_run & set(_CODE_OF)),
        )
        # Tables of another text or of other weights are no part of this run any more.
        kept = self.manifest.get("tables", {}).items()
        self._record(
            "tables", {n: old for n, old in kept if old.get("what") == entry["what"]} | {name: entry}
        )

    def _entry(self, start: float, **facts: Any) -> dict:
        finished = datetime.datetime.now(datetime.UTC)
        seconds = time.perf_counter() - start
        return facts | {
            "started": (finished - datetime.timedelta(seconds=seconds)).isoformat(timespec="seconds"),
            "finished": finished.isoformat(timespec="seconds"),
            "seconds": round(seconds, 3),
            "device": self._device,
            "threads": _threads(),
            "versions": versions(),
        }

    def _record(self, name: str, value: Any) -> None:
        """Write one part of the manifest, beside what is measured."""
        before, source = self.manifest, self.corpus().source
        if before.get("fingerprints", {}).get("dev", self._texts["dev"]) != self._texts["dev"]:
            was, now = (f" ({place})" if place else "" for place in (before.get("source"), source))
            _say(f"the text of {self.settings.corpus} is another{now} than in the last run here{was}")
        manifest = before | {
            "settings": self.settings.as_dict(),
            "fingerprints": self.fingerprints | self._texts,
            "source": source,
            name: value,
        }
        if "loaded" in self._memory:
            manifest["model"] = self.loaded.facts()
        with files.writing(self.folder / MANIFEST) as temporary:
            temporary.write_text(json.dumps(manifest, indent=1, ensure_ascii=False))

    @cached_property
    def _texts(self) -> dict[str, str | None]:
        """Fingerprints of both splits; None where there is no text to measure on."""
        found = {"dev": self.corpus().fingerprint}
        try:
            found["test"] = self.corpus("test").fingerprint
        except (OSError, ValueError):
            found["test"] = None
        return found

    @property
    def _device(self) -> str:
        if "loaded" not in self._memory:
            return platform.processor() or platform.machine()
        import torch

        device = self.loaded.device
        return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


def from_parameters(namespace: Mapping[str, Any]) -> Run:
    """The run that a notebook's parameters cell asks for: ``from_parameters(globals())``.

    Names that are no settings are passed over, and settings that are not there have their defaults.
    """
    given = {name: namespace[name] for name in (s.name for s in fields(RunSettings)) if name in namespace}
    return Run(**{"model_id": RunSettings.model_id} | given, results=namespace.get("results", "results"))


def read_manifest(folder: Path) -> dict | None:
    """The manifest of a run's folder; None where there is none, or a damaged one, which is said."""
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        _say(f"{path} is damaged ({_first_line(error)}); what it listed is computed again")
        return None
    return manifest if isinstance(manifest, dict) else None


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a parquet file whole or not at all."""
    with files.writing(path) as temporary:
        frame.to_parquet(temporary, index=False)


def versions() -> dict[str, str]:
    """Versions of Python, of this package, and of the libraries that numbers come from."""
    found = {"python": platform.python_version(), "lingua-utils": lingua_utils.__version__}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _gathered(function: Callable[[], Any]) -> pd.DataFrame:
    made = function()
    parts: list[pd.DataFrame] = []
    rows: list[dict] = []
    for piece in [made] if isinstance(made, pd.DataFrame | Mapping) else made or ():
        if isinstance(piece, pd.DataFrame):
            parts += [pd.DataFrame(rows), piece] if rows else [piece]
            rows = []
        else:
            rows.append(dict(piece))
    parts += [pd.DataFrame(rows)] if rows else []
    if not parts:
        raise ValueError(f"table {function.__name__!r} has no rows: yield mappings, or return a DataFrame")
    return pd.concat(parts, ignore_index=True)


def _threads() -> int:
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if torch else os.cpu_count() or 1


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
