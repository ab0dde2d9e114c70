"""What the specification of a chart holds."""

import json
from collections.abc import Iterator

import altair as alt
import pandas as pd


def parts(specification: dict | list) -> Iterator[dict]:
    """Every object in a specification, from the outermost inwards, but for its named tables."""
    if isinstance(specification, dict):
        yield specification
        inner = [value for name, value in specification.items() if name != "datasets"]
    else:
        inner = specification
    for value in inner:
        if isinstance(value, dict | list):
            yield from parts(value)


def data_sets(chart: alt.TopLevelMixin) -> list[list[dict]]:
    """Every table of rows in a chart's specification."""
    specification = chart.to_dict()
    inline = [part["values"] for part in parts(specification) if isinstance(part.get("values"), list)]
    tables = [rows for rows in inline if rows and isinstance(rows[0], dict)]
    # A map is a data set too, as text.
    return tables + [rows for rows in specification.get("datasets", {}).values() if isinstance(rows, list)]


def fields(chart: alt.TopLevelMixin) -> str:
    return json.dumps(chart.to_dict())


def rows_of(chart: alt.TopLevelMixin) -> pd.DataFrame:
    """The largest table of a chart."""
    return pd.DataFrame(max(data_sets(chart), key=len))


def found(chart: alt.TopLevelMixin, key: str) -> list[dict]:
    """Every object under a key, anywhere in the specification."""
    return [part[key] for part in parts(chart.to_dict()) if isinstance(part.get(key), dict)]
