"""Tables of many runs as one, in the order of training: from this machine, or as they were published."""

import argparse
import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from lingua_utils import files
from lingua_utils.measure.trends import (
    Estimate,
    Trend,
    accuracy_and_sads,
    end_points,
    rank_correlation,
    trend,
)
from lingua_utils.models.training import lab_folder
from lingua_utils.revisions import progress, training_order
from lingua_utils.runs import sheets

__all__ = [
    "Estimate",
    "Trend",
    "accuracy_and_sads",
    "collate",
    "collate_losses",
    "complete",
    "end_points",
    "provenance",
    "publish",
    "rank_correlation",
    "repeated_weights",
    "trend",
]

KEYS = ["corpus", "model_id", "revision"]
# Small enough to keep under version control: what every run has, and what some runs have as well.
PUBLISHED = ("similarity", "variance", "retrieval", "blocks")
PUBLISHED_WHERE_RUN = (
    "region_counts",
    "region_null",
    "silencing",
    "selectivity",
    "dose",
    "accuracy",
    "tasks",
    "projection",
)


def collate(
    table: str,
    results: str | Path = "results",
    published: str | Path | None = None,
    sheet: str | Path | None = None,
    corpus: str | None = None,
) -> pd.DataFrame:
    """One table of all runs, in the order of training.

    A revision with the same weights as an earlier one of its model (:func:`repeated_weights`) is no further
    point of a curve and is left out.

    Parameters
    ----------
    table : str
        Name of a table that a stage writes, such as ``"similarity"``.
    results : str or Path
        Root of all results, ``<corpus>/<model>/<revision>/``.
    published : str or Path, optional
        Folder that :func:`publish` wrote; its rows stand in for runs that are not under ``results``.
    sheet : str or Path, optional
        Only the runs of this sample sheet.
    corpus : str, optional
        Only the runs on this corpus, by the name of its folder.

    Returns
    -------
    DataFrame
        The rows of all runs with ``corpus``, ``model_id``, ``revision``, ``step``, ``tokens`` (Int64; missing
        where the revision names none, which is then sorted last) and ``published`` in front.

    Raises
    ------
    FileNotFoundError
        When no run has such a table.
    """
    parts = [
        _with_keys(pd.read_parquet(folder / f"{table}.parquet"), manifest["run"])
        for folder, manifest in _manifests(results)
        if (folder / f"{table}.parquet").is_file()
    ]
    done = {key for part in parts for key in _keys(part)}
    parts.append(_published(table, published, done))
    parts = [part for part in parts if len(part)]
    whole = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=KEYS)
    repeated = repeated_weights(results, published)
    whole = whole[~_keys(whole).isin(_keys(repeated))]
    if sheet is not None:
        whole = whole[_keys(whole).isin(_sheet_keys(sheets.read_sheet(sheet)))]
    if corpus is not None:
        whole = whole[whole["corpus"] == corpus]
    if whole.empty:
        among = f" on corpus {corpus!r}" if corpus is not None else ""
        raise FileNotFoundError(
            f"no table {table!r}{among} in {files.resolve(results)}: run the stage that writes it"
        )
    return whole.sort_values(["corpus", "model_id", "step"], kind="stable", ignore_index=True)


def complete(
    rows: Sequence[dict], stages: Sequence[str], results: str | Path, published: str | Path | None = None
) -> None:
    """Measure what is missing of some rows: stages that were neither done here nor published.

    Parameters
    ----------
    rows : sequence of dict
        Rows of a sample sheet (:func:`lingua_utils.runs.sheets.read_sheet`).
    stages : sequence of str
        The stages that are needed; of each row those that it asks for.
    results : str or Path
        Root of all results.
    published : str or Path, optional
        Folder that :func:`publish` wrote.
    """
    live, kept = _live_and_published(results, published)
    done = {_key(manifest["run"]): manifest["stages"] for manifest in live + kept}
    for row in rows:
        run = sheets.run_of(row, results)
        for stage in stages:
            if stage in row["stages"].split() and stage not in done.get(_key(run.parameters), ()):
                run.stage(stage)


def collate_losses(published: str | Path | None = None) -> pd.DataFrame:
    """Held-out loss of all lab models through training.

    Read where the models were trained; from the folder ``published`` for those not trained here.

    Returns
    -------
    DataFrame
        ``model_id``, ``published``, ``step``, ``language``, ``loss`` (nats per token), ``bits_per_byte``.

    Raises
    ------
    FileNotFoundError
        When there are none at all.
    """
    parts = [
        pd.read_parquet(path).assign(model_id=f"lab/{path.parent.name}", published=False)
        for path in sorted(lab_folder().glob("*/losses.parquet"))
    ]
    kept = _read_published("losses", published)
    if kept is not None:
        trained = [model_id for part in parts for model_id in part["model_id"].unique()]
        parts.append(kept[~kept["model_id"].isin(trained)])
    if not parts:
        raise FileNotFoundError(f"no losses in {lab_folder()}: train a lab model first")
    whole = pd.concat(parts, ignore_index=True)
    leading = ["model_id", "published"]
    return whole[leading + [name for name in whole if name not in leading]]


def publish(
    results: str | Path, rows: Sequence[dict], folder: str | Path, tables: Sequence[str] = PUBLISHED
) -> Path:
    """Write the small tables of some runs, and their manifests, where a book without results finds them.

    Parameters
    ----------
    results : str or Path
        Root of all results.
    rows : sequence of dict
        Rows of a sample sheet (:func:`lingua_utils.runs.sheets.read_sheet`).
    folder : str or Path
        Replaced as a whole: ``<table>.parquet`` (numbers in float32), ``losses.parquet`` of the lab models
        among the rows, ``manifests.json``.
    tables : sequence of str
        What every run must have; of the later stages, what there is goes along.

    Raises
    ------
    FileNotFoundError
        When a run has not been done, or lacks one of the tables; nothing is written then.
    """
    wanted = _sheet_keys(rows)
    collated = {}
    for table in tables:
        whole = collate(table, results).drop(columns="published")
        missing = [key for key in wanted if key not in _keys(whole)]
        if missing:
            raise FileNotFoundError(f"no table {table!r} of run {', '.join(missing[0])}: run it first")
        collated[table] = whole[_keys(whole).isin(wanted)]
    for table in PUBLISHED_WHERE_RUN:
        with contextlib.suppress(FileNotFoundError):
            whole = collate(table, results).drop(columns="published")
            collated[table] = whole[_keys(whole).isin(wanted)]
    models = {model_id for _, model_id, _ in wanted if model_id.startswith("lab/")}
    if models:
        losses = collate_losses().drop(columns="published")
        collated["losses"] = losses[losses["model_id"].isin(models)]
    manifests = [manifest for _, manifest in _manifests(results) if _key(manifest["run"]) in wanted]
    with files.writing(files.resolve(folder), folder=True) as temporary:
        for table, frame in collated.items():
            small = frame.astype({name: "float32" for name in frame.select_dtypes("float64")})
            small.to_parquet(temporary / f"{table}.parquet", index=False, compression="zstd")
        (temporary / "manifests.json").write_text(json.dumps(manifests, indent=1, ensure_ascii=False))
    return files.resolve(folder)


def repeated_weights(results: str | Path = "results", published: str | Path | None = None) -> pd.DataFrame:
    """Revisions whose weights are those of an earlier revision of the same model, by their hash.

    Two tags of a series can hold one checkpoint; a step between them in a curve would be none.

    Returns
    -------
    DataFrame
        ``corpus``, ``model_id``, ``revision``, ``same_as``; a row a repeated revision.
    """
    live, kept = _live_and_published(results, published)
    manifests = sorted(live + kept, key=lambda manifest: training_order(manifest["run"]["revision"]))
    first: dict[tuple, str] = {}
    rows = []
    for manifest in manifests:
        corpus, model_id, revision = _key(manifest["run"])
        for weights in {stage["weights"] for stage in manifest["stages"].values() if stage.get("weights")}:
            same_as = first.setdefault((corpus, model_id, weights), revision)
            if same_as != revision:
                rows.append((corpus, model_id, revision, same_as))
    return pd.DataFrame(rows, columns=[*KEYS, "same_as"])


def provenance(
    results: str | Path = "results", published: str | Path | None = None, corpus: str | None = None
) -> pd.DataFrame:
    """One row a run and stage: when, on what and how long it was computed, and whether it was published."""
    live, kept = _live_and_published(results, published)
    columns = ["finished", "seconds", "device", "digest", "corpus_fingerprint"]
    rows = [
        {key: manifest["run"][key] for key in KEYS}
        | {"stage": stage, "published": is_published}
        | {column: entry.get(column) for column in columns}
        for is_published, manifests in ((False, live), (True, kept))
        for manifest in manifests
        for stage, entry in manifest["stages"].items()
    ]
    table = pd.DataFrame(rows, columns=[*KEYS, "stage", "published", *columns])
    return table if corpus is None else table[table["corpus"] == corpus].reset_index(drop=True)


def _manifests(results: str | Path) -> Iterator[tuple[Path, dict]]:
    """(folder, manifest) of every run; what is still being written, in hidden folders, is passed over."""
    root = files.resolve(results)
    for path in sorted(root.rglob("manifest.json")):
        if not any(part.startswith(".") for part in path.relative_to(root).parts):
            yield path.parent, json.loads(path.read_text())


def _live_and_published(results: str | Path, published: str | Path | None) -> tuple[list[dict], list[dict]]:
    """Manifests of the runs done here, and of the published ones that were not."""
    live = [manifest for _, manifest in _manifests(results)]
    done = {_key(manifest["run"]) for manifest in live}
    return live, [kept for kept in _published_manifests(published) if _key(kept["run"]) not in done]


def _key(run: dict) -> tuple[str, str, str]:
    return run["corpus"], run["model_id"], run["revision"]


def _keys(frame: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(frame[KEYS])


def _sheet_keys(rows: Sequence[dict]) -> list[tuple[str, str, str]]:
    return [_key(sheets.run_of(row).parameters) for row in rows]


def _with_keys(frame: pd.DataFrame, run: dict) -> pd.DataFrame:
    step, tokens = (pd.array([number], dtype="Int64") for number in progress(run["revision"]))
    leading = pd.DataFrame(
        {key: [run[key]] for key in KEYS} | {"step": step, "tokens": tokens, "published": [False]}
    )
    return leading.loc[[0] * len(frame)].reset_index(drop=True).join(frame.reset_index(drop=True))


def _read_published(table: str, folder: str | Path | None) -> pd.DataFrame | None:
    path = files.find(folder) / f"{table}.parquet" if folder else None
    return pd.read_parquet(path).assign(published=True) if path and path.is_file() else None


def _published(table: str, folder: str | Path | None, done: set[tuple]) -> pd.DataFrame:
    """Published rows of the runs that are not done here, columns as in :func:`_with_keys`."""
    kept = _read_published(table, folder)
    if kept is None:
        return pd.DataFrame(columns=KEYS)
    kept = kept[[key not in done for key in _keys(kept)]].astype({"step": "Int64"})
    kept["tokens"] = pd.array([progress(revision).tokens for revision in kept["revision"]], dtype="Int64")
    leading = [*KEYS, "step", "tokens", "published"]
    return kept[leading + [name for name in kept if name not in leading]]


def _published_manifests(folder: str | Path | None) -> list[dict]:
    path = files.find(folder) / "manifests.json" if folder else None
    return json.loads(path.read_text()) if path and path.is_file() else []


def main() -> None:
    """Publish the tables of a sample sheet: ``python -m lingua_utils.runs.collate --runs runs/lab-all.csv``."""
    parser = argparse.ArgumentParser(prog="python -m lingua_utils.runs.collate", description=main.__doc__)
    parser.add_argument("--runs", default="runs/lab-all.csv", help="sample sheet")
    parser.add_argument("--results", default="results", help="root of the results")
    parser.add_argument("--to", default="book/published", help="folder that is replaced")
    arguments = parser.parse_args()
    print(publish(arguments.results, sheets.read_sheet(arguments.runs), arguments.to))


if __name__ == "__main__":
    main()
