"""Tables of many runs as one, in the order of training: from this machine, or as they were published."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lingua_utils import files, hub
from lingua_utils.measure.regions import RULES
from lingua_utils.measure.sums import ALL_PAIRS, OTHERS
from lingua_utils.models.recipes import lab_folder
from lingua_utils.runs import sheets
from lingua_utils.runs.run import MANIFEST, read_manifest
from lingua_utils.runs.settings import WHICH_MODEL, RunSettings, of_stages
from lingua_utils.text.corpus import GENERATED
from lingua_utils.text.languages import different_script

SETTINGS = [setting.name for setting in fields(RunSettings)]
# What was published before there was a setting was made as the setting's default has it.
_DEFAULTS = {setting.name: setting.default for setting in fields(RunSettings)}
# How a run was made, not what was measured.
_HOW = ("device",)
# Where a table was made; told once in a published manifest.
_WHERE = ("versions", "device", "threads")
# The lab's main model, and beside it the control and the placebos that differ from it in one dial.
SAME_SIZE = ("lab/bloom-m", "lab/bloom-m-monolingual", "lab/bloom-mispaired", "lab/bloom-apart")
# A picture of many runs may show these side by side; whatever else differs would be mixed up.
APART = (*WHICH_MODEL, *_HOW)


def collate(
    table: str,
    results: str | Path = "results",
    published: str | Path | None = None,
    rows: Sequence[sheets.Row] | None = None,
    like: RunSettings | None = None,
    apart: Sequence[str] = APART,
) -> pd.DataFrame:
    """One table of many runs, in the order of training, with their settings as columns.

    A revision with the same weights as an earlier one of its model (:func:`repeated_weights`) is no further
    point of a curve and is left out.

    Parameters
    ----------
    table : str
        Name of a table that a stage writes, such as ``"similarity"``.
    results : str or Path
        Root of all results.
    published : str or Path, optional
        Where :func:`publish` wrote a folder for each sheet; its rows stand in for runs that are not under
        ``results``.
    rows : rows of a sample sheet, optional
        Only their runs.
    like : RunSettings, optional
        Only runs that agree with these settings in all but ``apart``.
    apart : sequence of str
        Settings in which the runs may differ, and ``"code"`` where they may come from different code.

    Returns
    -------
    DataFrame
        In front every setting, ``step`` and ``tokens`` (Int64; missing where the revision names none, which
        is then sorted last), ``published``, ``code``, and what the model is: ``model_type``,
        ``n_parameters``, ``n_layers``, ``n_neurons``. The table's own column of such a name is put behind
        ``measured_``: ``n_sentences`` is what was asked for, ``measured_n_sentences`` what was measured.

    Raises
    ------
    FileNotFoundError
        When no run has such a table.
    ValueError
        When the runs differ in a setting that is not in ``apart``; the message names it and its values.
    """
    stage = sheets.stage_of(table)
    found = [_with_run(frame, manifest, table) for manifest, frame in _live(table, results)]
    found.append(
        _published(table, published, done=[_identity(frame.iloc[0]) for frame in found if len(frame)])
    )
    found = [frame for frame in found if len(frame)]
    whole = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=SETTINGS)
    if like is not None:
        for name in (name for name in of_stages([stage.name]) if name not in apart):
            whole = whole[whole[name] == getattr(like, name)]
    if rows is not None:
        whole = whole[_is_among(whole, {_identity(row.settings.as_dict()) for row in rows})]
    repeated = {_identity(row) for row in repeated_weights(results, published)[SETTINGS].to_dict("records")}
    whole = whole[~_is_among(whole, repeated)]
    if whole.empty:
        among = f" that agrees with {like.folder}" if like is not None else ""
        raise FileNotFoundError(
            f"no table {table!r}{among} in {files.resolve(results)}: run {stage.notebook} there first, "
            "or `make results`"
        )
    _check_alike(table, whole, of_stages([stage.name]), apart)
    order = ["corpus", "model_id", "training_seed", "step"]
    return whole.sort_values(order, kind="stable", ignore_index=True)


def _check_alike(table: str, whole: pd.DataFrame, settings: Sequence[str], apart: Sequence[str]) -> None:
    for name in [*settings, "code"]:
        values = list(dict.fromkeys(whole[name]))
        if name not in apart and len(values) > 1:
            way_out = (
                "measure them anew with the same code, or allow it: apart=(..., 'code')"
                if name == "code"
                else f"choose with like=..., or allow it: apart=(..., {name!r})"
            )
            shown = " and ".join(str(value) for value in values[:3])
            raise ValueError(f"{table!r} of runs that differ in {name}: {shown}; {way_out}")


def losses(published: str | Path | None = None) -> pd.DataFrame:
    """Held-out loss of all lab models through training.

    Read where the models were trained; from below ``published`` for those not trained here.

    Returns
    -------
    DataFrame
        ``model_id``, ``training_seed``, ``published``, ``step``, ``language``, ``loss`` (nats per token),
        ``bits_per_byte``.

    Raises
    ------
    FileNotFoundError
        When there are none at all.
    """
    found: dict[tuple, pd.DataFrame] = {}
    kept = _read_published("losses", published)
    if kept is not None:
        found |= dict(iter(kept.groupby(["model_id", "training_seed"])))
    # Of a model that was trained again by other code the newest counts.
    for path in sorted(lab_folder().glob("*/losses.parquet"), key=lambda path: path.stat().st_mtime):
        recipe = json.loads((path.parent / "lab.json").read_text(encoding="utf-8"))["recipe"]
        model = {"model_id": f"lab/{recipe['name']}", "training_seed": recipe["seed"]}
        found[tuple(model.values())] = pd.read_parquet(path).assign(**model, published=False)
    if not found:
        raise FileNotFoundError(f"no losses in {lab_folder()}: train a lab model first")
    leading = ["model_id", "training_seed", "published"]
    whole = pd.concat([found[model] for model in sorted(found)], ignore_index=True)
    return whole[leading + [name for name in whole if name not in leading]]


def finished(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of each model and training seed at its last checkpoint; untrained networks are none."""
    step = table.step.astype("Int64").fillna(2**62)
    last = step.groupby([table.model_id, table.training_seed]).transform("max")
    return table[(step == last) & (step > 0)]


def untrained(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of models before their first step: the untrained twins."""
    return table[table.step.astype("Int64").eq(0).fillna(False)]


def across_scripts(retrieval: pd.DataFrame) -> pd.DataFrame:
    """Rows between two languages of different scripts; the mean of all others is a target without one."""
    pairs = retrieval[retrieval.target != OTHERS]
    apart = map(different_script, pairs.source, pairs.target)
    return pairs[np.fromiter(apart, dtype=bool, count=len(pairs))]


def outcomes(
    similarity: pd.DataFrame, retrieval: pd.DataFrame, accuracy: pd.DataFrame | None = None
) -> pd.DataFrame:
    """How far each model has come at each checkpoint: one number per outcome, beside chance.

    Parameters
    ----------
    similarity, retrieval, accuracy : DataFrame
        Collated tables; rows without a training step are left out.

    Returns
    -------
    DataFrame
        ``model_id``, ``training_seed``, ``revision``, ``step``, ``outcome``, ``value``, its 95 % interval
        ``low`` to ``high`` over sentences or items (of retrieval the mean interval of a pair of languages,
        which is wider), ``null``. Outcomes are SADS (standardised, all layers), the share of translations
        found across scripts (all layers; within one, shared tokens alone find many), and the accuracy in
        each task.
    """
    keys = ["model_id", "training_seed", "revision", "step"]

    def means(table: pd.DataFrame, name: str, *columns: str) -> pd.DataFrame:
        grouped = table[table.step.notna()].groupby(keys, sort=False)
        found = grouped[list(columns)].mean().set_axis(["value", "low", "high", "null"], axis=1)
        return found.reset_index().assign(outcome=name)

    similarity = similarity.query("layer == 'all' and kind == 'all' and scale == 'standardised'")
    retrieval = retrieval.query("layer == 'all' and kind == 'all'")
    retrieval = across_scripts(retrieval)
    parts = [
        means(similarity, "SADS", "sads", "sads_low", "sads_high", "sads_null"),
        means(
            retrieval,
            "translations found, across scripts",
            *("accuracy", "accuracy_low", "accuracy_high", "chance"),
        ),
    ]
    if accuracy is not None:
        tasks = accuracy.groupby("asked", sort=False)
        columns = ("mean_accuracy", "mean_low", "mean_high", "chance")
        parts += [means(part, f"accuracy, {task}", *columns) for task, part in tasks]
    return pd.concat(parts, ignore_index=True)


def publish(results: str | Path, rows: Sequence[sheets.Row], folder: str | Path) -> Path:
    """Write the small tables of some runs, and their manifests, where a book without results finds them.

    Parameters
    ----------
    results : str or Path
        Root of all results.
    rows : rows of a sample sheet
    folder : str or Path
        Replaced as a whole: ``<table>.parquet`` (numbers in float32, what is only drawn in float16),
        ``losses.parquet`` of the lab models among the rows, ``manifests.json``.

    Raises
    ------
    FileNotFoundError
        When a run lacks a table of a stage that its row asks for; nothing is written then.
    """
    collated: dict[str, pd.DataFrame] = {}
    for stage in sheets.STAGES:
        asking = [row for row in rows if stage.name in row.stages]
        for table in stage.published if asking else ():
            everything = (*SETTINGS, "code")
            collated[table] = collate(table, results, rows=asking, apart=everything).drop(columns="published")
            there = {_identity(row) for row in collated[table][SETTINGS].to_dict("records")}
            repeated = {_identity(row) for row in repeated_weights(results)[SETTINGS].to_dict("records")}
            for row in asking:
                if _identity(row.settings.as_dict()) not in there | repeated:
                    raise FileNotFoundError(f"no table {table!r} of run {row.settings.folder}: run it first")
    models = {
        (row.settings.model_id, row.settings.training_seed)
        for row in rows
        if row.settings.model_id.startswith("lab/")
    }
    if models:
        all_losses = losses().drop(columns="published")
        of_rows = [key in models for key in zip(all_losses.model_id, all_losses.training_seed, strict=True)]
        collated["losses"] = all_losses[of_rows]
    wanted = {_identity(row.settings.as_dict()) for row in rows}
    manifests = [m for _, m in _manifests(results) if _identity(m["settings"]) in wanted]
    with files.writing(files.resolve(folder), folder=True) as temporary:
        for table, frame in collated.items():
            _shortened(table, frame).to_parquet(
                temporary / f"{table}.parquet", index=False, compression="zstd"
            )
        told = (json.dumps(_told_once(m), ensure_ascii=False) for m in manifests)
        text = "[\n" + ",\n".join(told) + "\n]\n"
        (temporary / "manifests.json").write_text(text, encoding="utf-8")
    return files.resolve(folder)


def _shortened(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    """A table with no more digits than it is read with, and no more rows than are drawn.

    Of the map that is the book's own text, of the first training; of key neurons those of the leading rule in
    trained models, where they are told of few languages.
    """
    if table == "projection":
        frame = frame[frame.corpus.isin(GENERATED) & (frame.training_seed == 0)]
    if table == "region_neurons":
        n_languages = frame.groupby([*WHICH_MODEL, "corpus", "languages"]).language.transform("nunique")
        trained = frame.revision != hub.UNTRAINED
        frame = frame[trained & (frame.rule == next(iter(RULES))) & (n_languages <= ALL_PAIRS)]
    digits = "float16" if table in ("projection", "cosines") else "float32"
    small = frame.astype({name: digits for name in frame.select_dtypes("float64")})
    for name in (name for name in small if name.endswith("_draws")):
        small[name] = [np.float16(draws) if np.ndim(draws) else draws for draws in small[name]]
    return small


def _told_once(manifest: dict) -> dict:
    """A manifest that says once where its tables were made, and with a table only where that is another.

    When a table was begun follows from when it was finished and how long it took, and is left out.
    """
    tables = manifest["tables"]
    shared = {key: next((told[key] for told in tables.values() if key in told), None) for key in _WHERE}
    tables = {
        name: {
            key: value
            for key, value in told.items()
            if key != "started" and (key not in shared or shared[key] != value)
        }
        for name, told in tables.items()
    }
    return manifest | shared | {"tables": tables}


def repeated_weights(results: str | Path = "results", published: str | Path | None = None) -> pd.DataFrame:
    """Revisions whose weights are those of an earlier revision of the same model, by their hash.

    Two tags of a series can hold one checkpoint, which is then no step of a curve.

    Returns
    -------
    DataFrame
        One row for each repeated revision: every setting, and ``same_as``.
    """
    manifests = sorted(
        _all_manifests(results, published), key=lambda m: hub.training_order(m["settings"]["revision"])
    )
    first: dict[tuple, str] = {}
    repeated = []
    for manifest in manifests:
        settings = manifest["settings"]
        beside = tuple(value for name, value in settings.items() if name not in ("revision", *_HOW))
        revision, weights = settings["revision"], manifest["fingerprints"]["weights"]
        same_as = first.setdefault((beside, weights), revision)
        if same_as != revision:
            repeated.append(settings | {"same_as": same_as})
    return pd.DataFrame(repeated, columns=[*SETTINGS, "same_as"])


def provenance(results: str | Path = "results", published: str | Path | None = None) -> pd.DataFrame:
    """One row for each run and table: when, by what code and how long it was computed, and where."""
    columns = ["finished", "seconds", "device", "threads", "code"]
    rows = [
        {name: manifest["settings"][name] for name in ("corpus", *WHICH_MODEL)}
        | {"table": table, "published": manifest["published"]}
        | {column: entry.get(column, manifest.get(column)) for column in columns}
        for manifest in _all_manifests(results, published)
        for table, entry in manifest.get("tables", {}).items()
    ]
    return pd.DataFrame(rows, columns=["corpus", *WHICH_MODEL, "table", "published", *columns])


def _manifests(results: str | Path) -> Iterator[tuple[Path, dict]]:
    """(folder, manifest) of every run; what is still being written, in hidden folders, is passed over."""
    root = files.resolve(results)
    for path in sorted(root.glob(f"*/*/*/{MANIFEST}")):
        if not any(part.startswith(".") for part in path.relative_to(root).parts):
            manifest = read_manifest(path.parent)
            if manifest and set(SETTINGS) <= set(manifest.get("settings", {})):
                yield path.parent, manifest


def _live(table: str, results: str | Path) -> Iterator[tuple[dict, pd.DataFrame]]:
    for folder, manifest in _manifests(results):
        if table in manifest.get("tables", {}) and (folder / f"{table}.parquet").is_file():
            yield manifest, pd.read_parquet(folder / f"{table}.parquet")


def _all_manifests(results: str | Path, published: str | Path | None) -> list[dict]:
    """Manifests of the runs done here, and of the published ones that were not."""
    live = [manifest | {"published": False} for _, manifest in _manifests(results)]
    done = {_identity(manifest["settings"]) for manifest in live}
    paths = sorted(files.find(published).glob("*/manifests.json")) if published else []
    kept = [manifest for path in paths for manifest in json.loads(path.read_text(encoding="utf-8"))]
    kept = [manifest | {"settings": _DEFAULTS | manifest["settings"]} for manifest in kept]
    return live + [m | {"published": True} for m in kept if _identity(m["settings"]) not in done]


def _identity(settings: Any) -> tuple:
    """What is measured, as a key: every setting but how it was run."""
    return tuple(settings[name] for name in SETTINGS if name not in _HOW)


def _is_among(table: pd.DataFrame, runs: set[tuple]) -> np.ndarray:
    """Which rows of a table belong to one of these runs, by their identity."""
    if not runs:
        return np.zeros(len(table), dtype=bool)
    return pd.MultiIndex.from_frame(table[[name for name in SETTINGS if name not in _HOW]]).isin(list(runs))


def _with_run(frame: pd.DataFrame, manifest: dict, table: str) -> pd.DataFrame:
    """A run's table with its settings, progress and model in front.

    A column of the table that has one of their names, such as the number of sentences that were measured
    beside that which was asked for, is put behind ``measured_``.
    """
    step, tokens = (pd.array([n], dtype="Int64") for n in hub.progress(manifest["settings"]["revision"]))
    model = manifest.get("model", {})
    entry = manifest["tables"][table]
    leading = pd.DataFrame(
        {name: [manifest["settings"][name]] for name in SETTINGS}
        | {"step": step, "tokens": tokens, "published": [False]}
        | {"code": [f"{entry['code'][:8]}+{entry['modules'][:8]}"]}
        | {name: [model.get(name)] for name in ("model_type", "n_parameters", "n_layers", "n_neurons")}
    )
    own = frame.rename(columns={name: f"measured_{name}" for name in frame if name in leading})
    own = own.reset_index(drop=True)
    return leading.loc[[0] * len(frame)].reset_index(drop=True).join(own)


def _read_published(table: str, folder: str | Path | None) -> pd.DataFrame | None:
    paths = sorted(files.find(folder).glob(f"*/{table}.parquet")) if folder else []
    if not paths:
        return None
    frame = pd.concat(map(pd.read_parquet, paths), ignore_index=True).assign(published=True)
    frame = frame.astype(dict.fromkeys(frame.select_dtypes("float16"), "float32"))
    return frame.assign(**{name: default for name, default in _DEFAULTS.items() if name not in frame})


def _published(table: str, folder: str | Path | None, done: Sequence[tuple]) -> pd.DataFrame:
    """Published rows of the runs that are not done here."""
    kept = _read_published(table, folder)
    if kept is None or kept.empty:
        return pd.DataFrame(columns=SETTINGS)
    return kept[~_is_among(kept, set(done))]


def main() -> None:
    """Publish the tables of a sample sheet: ``python -m lingua_utils.runs.collate --runs SHEET``."""
    parser = argparse.ArgumentParser(prog="python -m lingua_utils.runs.collate", description=main.__doc__)
    parser.add_argument("--runs", default="runs/lab-all.csv", help="sample sheet")
    parser.add_argument("--results", default="results", help="root of the results")
    parser.add_argument("--to", default="book/published", help="in it the folder of the sheet is replaced")
    arguments = parser.parse_args()
    rows, folder = sheets.read_sheet(arguments.runs), Path(arguments.to) / Path(arguments.runs).stem
    print(publish(arguments.results, rows, folder))


if __name__ == "__main__":
    main()
