"""Made-up tables of the whole study on invented languages, for the chapter and its charts."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from lingua_utils.runs import controlled as study

STEPS = (0, 50, 200, 800)


def write(folder: Path, seed: int = 0) -> Path:
    """Tables and manifests of every cell of the design, in which common words raise SADS by 0.3."""
    rng = np.random.default_rng(seed)
    outcomes, layers, overlaps = [], [], []
    cells = study.design()
    for cell in cells:
        for step in STEPS:
            at = {"study": cell.study, "cell": cell.cell, "seed": cell.seed, "step": step}
            risen = step / (step + 200)
            sads = risen * (0.2 + cell.dials.overlap) + rng.normal(0, 0.02)
            outcomes.append(
                at
                | dict.fromkeys(("sads", "sads_best", "retrieval", "mutual", "cka", "transfer"), sads)
                | {
                    "translation": 0.25 + risen * rng.random() / 2,
                    "recall": risen,
                    "lrds": 1 - risen,
                    "lrds_se": 0.1,
                }
                | {
                    "region": 0.5,
                    "region_expected": 0.01,
                    "region_outer": rng.random(),
                    "sads_null_high": 0.02,
                }
                | {"best_layer": 1}
                | dict.fromkeys(("bits", "bits_first", "bits_second"), 60 - 30 * risen + rng.normal())
            )
            if cell.cell == "identical":
                outcomes[-1]["lrds"] = 0.0
            for layer in range(cell.n_layers):
                layers.append(at | {"layer": layer, "sads": sads + rng.normal(0, 0.01)})
            codes = cell.dials.codes
            for i, one in enumerate(codes):
                for other in codes[i + 1 :]:
                    overlaps.append(
                        at | {"source": one, "target": other, "jaccard": rng.random(), "chance": 0.1}
                    )
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in zip(study.TABLES, (outcomes, layers, overlaps), strict=True):
        pd.DataFrame(rows).to_parquet(folder / f"{name}.parquet")
    records = [
        {
            "study": cell.study,
            "cell": cell.cell,
            "seed": cell.seed,
            "seconds": 60.0,
            "device": "cpu",
            "digest": "0",
        }
        for cell in cells
    ]
    (folder / study.RECORDS).write_text(json.dumps(records))
    return folder
