"""A run: one model at one revision, measured on one corpus, and what each stage wrote about it.

A stage is computed once. Its key is a hash of everything its numbers depend on: the run's parameters,
the content of the corpus and of the weights, the source of the modules it uses, the versions of the
libraries, and the keys of the stages it reads. What is in the run's folder under the same key is read,
anything else is computed anew.
"""

import ast
import datetime
import hashlib
import importlib.metadata
import json
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import pandas as pd

from lingua_utils import files
from lingua_utils.text import languages

Tables = dict[str, pd.DataFrame]

LIBRARIES = ("torch", "transformers", "numpy", "babel")


@dataclass(frozen=True)
class Stage:
    """One stage of the pipeline: which module computes it, what it reads, and how."""

    module: str
    needs: tuple[str, ...]
    compute: Callable[["Run"], Tables]


def _similarity(run: "Run") -> Tables:
    from lingua_utils.measure import similarity

    return similarity.tables(run.activations(), seed=run.seed)


def _regions(run: "Run") -> Tables:
    from lingua_utils.measure import regions

    return regions.tables(run.activations(), seed=run.seed)


def _ablation(run: "Run") -> Tables:
    from lingua_utils.measure import ablation

    return ablation.tables(run.loaded, run.regions(), run.corpus("test"), run.activations(), seed=run.seed)


def _accuracy(run: "Run") -> Tables:
    from lingua_utils.measure import tasks

    asked = tasks.languages_of(run.task, run.corpus().languages)
    return {"accuracy": tasks.accuracy(run.loaded, asked, run.task, seed=run.seed)}


def _tasks(run: "Run") -> Tables:
    from lingua_utils.measure import tasks

    regions = run.regions()["calibrated"]
    by_language = {language: regions.of(language) for language in regions.languages}
    asked = tasks.languages_of(run.task, run.corpus().languages)
    return tasks.tables(run.loaded, by_language, asked, run.seed, method="calibrated", task=run.task)


# The stages that write tables. A new one is a module with a function that returns tables, and a row here.
STAGES = {
    "similarity": Stage("similarity", ("activations",), _similarity),
    "regions": Stage("regions", ("activations",), _regions),
    "ablation": Stage("ablation", ("regions", "activations"), _ablation),
    "accuracy": Stage("tasks", (), _accuracy),
    "tasks": Stage("tasks", ("regions",), _tasks),
}


class Run:
    """One model at one revision on one corpus.

    Parameters
    ----------
    model_id, revision : str
        ``"lab/bloom-m"``, a local folder or a Hub repository; a branch, a tag or a lab checkpoint.
    corpus : str
        ``"world"``, ``"phrasebook"``, or a path that :func:`lingua_utils.text.corpus.load_corpus` reads.
    languages : str or sequence of str, optional
        FLORES codes; ``"default"`` means the default ten for generated text and every language of a file.
    n_sentences : int, optional
        Meanings to measure; all of them (or the corpus's default) when not given.
    digits : str, optional
        ``"none"``, ``"latin"`` or ``"native"``; the corpus's default when not given.
    pooling : {"mean", "skip_first", "last"}
        How the tokens of a sentence become one vector.
    dtype : {"auto", "float32", "bfloat16", "float16"}
        Type that the model runs in; ``"auto"`` as its weights were saved.
    device : str, optional
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``, or ``"auto"`` for all GPUs together; the best there is
        when not given. Recorded, but no part of what is measured.
    task : {"cloze", "xstorycloze"}
        What the stages ``accuracy`` and ``tasks`` ask; the second is read from the Hub.
    seed : int
        Seed of the corpus and of every resampling.
    results : str or Path
        Root of all results; relative paths start at the project's root.

    Raises
    ------
    ValueError
        For a parameter that cannot work, before anything is loaded.
    """

    def __init__(
        self,
        model_id: str,
        revision: str = "main",
        *,
        corpus: str = "world",
        languages: str | tuple[str, ...] | None = None,
        n_sentences: int | None = None,
        digits: str | None = None,
        pooling: str = "mean",
        dtype: str = "auto",
        device: str | None = None,
        task: str = "cloze",
        seed: int = 0,
        results: str | Path = "results",
    ) -> None:
        self.model_id, self.revision, self.source = model_id, revision, corpus
        self.pooling, self.dtype, self.device = pooling, dtype, device or None
        self.task, self.seed = task, seed
        self.languages = check_language_choice(languages)
        self.n_sentences = n_sentences or None
        self.digits = digits or None
        for name, value, known in (
            ("pooling", pooling, POOLINGS),
            ("digits", self.digits, DIGITS),
            ("dtype", dtype, DTYPES),
            ("task", task, TASKS),
        ):
            if value not in known:
                raise ValueError(f"{name} is {value!r}; it can be {', '.join(str(k) for k in known)}")
        if self.n_sentences is not None and self.n_sentences < 2:
            raise ValueError(f"n_sentences is {n_sentences}; pairs of sentences need at least 2")
        self.folder = (
            files.resolve(results) / self.corpus_name / model_id.strip("/").replace("/", "--") / revision
        )

    @property
    def corpus_name(self) -> str:
        """Name of the corpus folder: the source, and what differs from its defaults."""
        name = Path(self.source).name.removesuffix("".join(Path(self.source).suffixes)) or self.source
        qualifiers = [self.digits, self.pooling if self.pooling != "mean" else None]
        return "-".join([name, *filter(None, qualifiers)])

    @property
    def parameters(self) -> dict:
        """What the run was asked for, as it is written to the manifest."""
        return {
            "model_id": self.model_id,
            "revision": self.revision,
            "corpus": self.corpus_name,
            "source": self.source,
            "languages": list(self.languages) if self.languages else "default",
            "n_sentences": self.n_sentences,
            "digits": self.digits,
            "pooling": self.pooling,
            "dtype": self.dtype,
            "seed": self.seed,
        }

    def _stage_parameters(self, name: str) -> dict:
        """What a stage was asked for: the task is the concern of those that ask one."""
        return self.parameters | ({"task": self.task} if self._module(name) == "tasks" else {})

    def __repr__(self) -> str:
        shown = (
            self.folder.relative_to(files.home()) if self.folder.is_relative_to(files.home()) else self.folder
        )
        return f"{self.model_id} at {self.revision} on {self.corpus_name} → {shown}"

    @cache  # noqa: B019  a run lives as long as its notebook
    def corpus(self, split: str = "dev"):
        """The run's :class:`~lingua_utils.text.corpus.ParallelCorpus`: "dev" to select, "test" to measure.

        A file without splits is divided: "dev" is its first ``n_sentences`` meanings, "test" the next.

        Raises
        ------
        ValueError
            When such a file has no meanings left to measure on.
        """
        if split != "test":
            return self._load_corpus(split, self.n_sentences)
        if not self._undivided:
            return self._load_corpus("test", self.n_sentences)
        whole, n_selected = self._load_corpus("dev", None), self.corpus().n_sentences
        if whole.n_sentences < n_selected + 2:
            raise ValueError(
                f"{self.source} has {whole.n_sentences} sentences, no splits; with n_sentences={n_selected} "
                f"none are left to measure on: ask for at most {whole.n_sentences // 2}"
            )
        return whole.select(slice(n_selected, 2 * n_selected))

    @cached_property
    def _undivided(self) -> bool:
        """Whether the corpus gives the same text whatever split is asked for."""
        dev, test = (self._load_corpus(split, None) for split in ("dev", "test"))
        return dev.fingerprint == test.fingerprint

    def _load_corpus(self, split: str, n_sentences: int | None):
        from lingua_utils.text.corpus import load_corpus

        return load_corpus(
            self.source, self.languages, n_sentences, split=split, seed=self.seed, digits=self.digits
        )

    @cached_property
    def loaded(self):
        """The :class:`~lingua_utils.models.LoadedModel`; a lab model is trained first where it is missing."""
        from lingua_utils.models.loading import load_model

        self._train_lab_model()
        return load_model(self.model_id, self.revision, self.device, self.dtype)

    @cached_property
    def weights(self) -> str:
        """Fingerprint of the model's weights; told without downloading them."""
        from lingua_utils.models.loading import weights_fingerprint

        self._train_lab_model()
        return weights_fingerprint(self.model_id, self.revision)

    def _train_lab_model(self) -> None:
        if self.model_id.startswith("lab/"):
            from lingua_utils.models import training

            training.train(self.model_id.removeprefix("lab/"))

    def activations(self):
        """The :class:`~lingua_utils.measure.activations.Activations` of the dev split, read lazily from disk."""
        from lingua_utils.measure.activations import Activations, capture

        def compute() -> list[str]:
            captured = capture(self.loaded, self.corpus(), pooling=self.pooling)
            captured.save(self.folder / "activations")
            return ["activations"]

        self._once("activations", compute)
        return Activations.open(self.folder / "activations")

    def regions(self):
        """The :class:`~lingua_utils.measure.regions.Regions` of every rule by its name, from the stage's tables."""
        from lingua_utils.measure import regions

        return regions.from_tables(self.stage("regions"), self.activations())

    def stage(self, name: str) -> Tables:
        """Tables of a stage by name, read from the run's folder or computed and written there."""
        if name not in STAGES:
            raise ValueError(f"no stage {name!r}; there are {', '.join(STAGES)}")

        def compute() -> list[str]:
            tables = STAGES[name].compute(self)
            for table, frame in tables.items():
                write_table(frame, self.folder / f"{table}.parquet")
            return [f"{table}.parquet" for table in tables]

        written = self._once(name, compute)["files"]
        return {Path(file).stem: pd.read_parquet(self.folder / file) for file in written}

    @property
    def manifest(self) -> dict:
        """The run's manifest as it stands on disk; empty stages where nothing was computed yet."""
        return read_manifest(self.folder) or {"run": self.parameters, "stages": {}}

    def provenance(self) -> pd.DataFrame:
        """One row a stage: when, on what and how long it was computed, and the key of its result."""
        columns = ["finished", "seconds", "device", "digest", "corpus_fingerprint", "key"]
        frame = pd.DataFrame.from_dict(self.manifest["stages"], orient="index").reindex(columns=columns)
        return frame.rename_axis("stage").reset_index()

    def _once(self, name: str, compute: Callable[[], list[str]]) -> dict:
        """Manifest entry of a stage, after computing the stage where its key is not on record."""
        key = self._key(name)
        entry = self.manifest["stages"].get(name, {})
        if entry.get("key") == key and all((self.folder / file).exists() for file in entry["files"]):
            return entry
        print(f"{name}: not yet in {self!r}; computing", file=sys.stderr)
        self.folder.mkdir(parents=True, exist_ok=True)
        start = time.perf_counter()
        written = compute()
        entry = {
            "key": key,
            "files": written,
            "digest": module_digest(self._module(name)),
            "corpus_fingerprint": self.corpus().fingerprint,
            "weights": self.weights,
            "versions": versions(),
            "device": self._device(),
            "seconds": round(time.perf_counter() - start, 3),
            "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }
        manifest = self.manifest
        manifest["run"] = self.parameters
        manifest["stages"][name] = entry
        with files.writing(self.folder / "manifest.json") as temporary:
            temporary.write_text(json.dumps(manifest, indent=1, ensure_ascii=False))
        return entry

    @cache  # noqa: B019
    def _key(self, name: str) -> str:
        needs = () if name == "activations" else STAGES[name].needs
        return digest(
            {
                "stage": name,
                "run": self._stage_parameters(name),
                "corpus": self.corpus().fingerprint,
                "weights": self.weights,
                "digest": module_digest(self._module(name)),
                "versions": versions(),
                "needs": [self._key(need) for need in needs],
            }
        )

    @staticmethod
    def _module(name: str) -> str:
        return "activations" if name == "activations" else STAGES[name].module

    def _device(self) -> str:
        if "loaded" not in self.__dict__:
            return platform.processor() or platform.machine()
        import torch

        device = self.loaded.device
        return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


POOLINGS = ("mean", "skip_first", "last")
DIGITS = (None, "none", "latin", "native")
DTYPES = ("auto", "float32", "bfloat16", "float16")
TASKS = ("cloze", "xstorycloze")


def check_language_choice(choice: str | tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Checked language codes, or None for a corpus's own default."""
    return None if choice in (None, "", "default") else languages.check_languages(choice)


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a parquet file whole or not at all."""
    with files.writing(path) as temporary:
        frame.to_parquet(temporary, index=False)


def read_manifest(folder: Path) -> dict | None:
    """The manifest of a run's folder, or None where there is none."""
    path = folder / "manifest.json"
    return json.loads(path.read_text()) if path.is_file() else None


def digest(value: object) -> str:
    """Short hash of a value that JSON can hold, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def module_digest(module: str) -> str:
    """Hash of the source of a module of this package and of all modules of the package that it imports."""
    folder = Path(__file__).parent
    sources: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in sources or not (folder / f"{name}.py").is_file():
            continue
        sources[name] = (folder / f"{name}.py").read_text()
        for node in ast.walk(ast.parse(sources[name])):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lingua_utils"):
                inner = node.module.partition(".")[2]
                waiting += [inner] if inner else [alias.name for alias in node.names]
            elif isinstance(node, ast.Import):
                waiting += [
                    a.name.partition(".")[2] for a in node.names if a.name.startswith("lingua_utils.")
                ]
    return digest(sources)


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that the numbers come from."""
    found = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {"python": platform.python_version(), **found}
