"""Draw the figure of the README from the published tables, and write the sentences that it supports.

python workflow/readme_figure.py
"""

import re

from lingua_utils import files
from lingua_utils.charts import front, theme
from lingua_utils.runs import findings

TARGET = "book/_static/lingua-franca.svg"
TABLES = ("similarity", "retrieval")
FINDING = re.compile(r"(<!-- (\w+): computed -->\n).*?(\n<!-- end -->)", flags=re.S)


def sentences(published: str = "book/published") -> dict[str, str]:
    """What the README says of real models and of the lab's, as the published tables have it."""
    real, lab = _measured(published)
    finding = f"**{findings.finding(real, lab)}**"
    return {"finding": finding, "real": findings.real_models(real), "lab": findings.lab_models(lab)}


def _measured(published: str) -> list:
    return [
        findings.measures(findings.tables_like(settings, published, published, TABLES))
        for settings in (findings.REAL, findings.LAB)
    ]


def main() -> None:
    """Write the figure, which can be read on white and on a dark page, and the README's sentences."""
    theme.use()
    with files.writing(files.resolve(TARGET)) as temporary:
        real, lab = _measured("book/published")
        figure = front.real_beside_lab(findings.front(real, lab), findings.heading(real))
        figure.save(str(temporary), format="svg")
    readme, said = files.resolve("README.md"), sentences()
    text = readme.read_text(encoding="utf-8")
    with files.writing(readme) as temporary:
        written = FINDING.sub(lambda match: match[1] + said[match[2]] + match[3], text)
        temporary.write_text(written, encoding="utf-8")


if __name__ == "__main__":
    main()
