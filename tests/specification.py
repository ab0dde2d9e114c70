"""What the specification of a chart holds."""

import json

import altair as alt


def data_sets(chart: alt.TopLevelMixin) -> list[list[dict]]:
    """Every table of rows in a chart's specification."""
    found = []

    def look(part):
        if isinstance(part, dict):
            if (
                isinstance(part.get("values"), list)
                and part["values"]
                and isinstance(part["values"][0], dict)
            ):
                found.append(part["values"])
            for value in part.values():
                look(value)
        elif isinstance(part, list):
            for value in part:
                look(value)

    specification = chart.to_dict()
    look(specification)
    return found + list(specification.get("datasets", {}).values())


def fields(chart: alt.TopLevelMixin) -> str:
    return json.dumps(chart.to_dict())
