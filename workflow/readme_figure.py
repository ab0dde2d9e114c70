"""Draw the figure of the README from the published tables: the model beside its control and placebos.

python workflow/readme_figure.py
"""

from lingua_utils import files
from lingua_utils.charts import evolution, theme
from lingua_utils.runs import collate

TARGET = "book/_static/lingua-franca.svg"


def main() -> None:
    """Write the figure; it can be read on white and on a dark page."""
    theme.use()
    apart = (*collate.APART, "code")
    tables = [
        collate.collate(name, "book/published", "book/published", apart=apart)
        for name in ("similarity", "retrieval")
    ]
    outcomes = collate.outcomes(*tables)
    chart = evolution.models_side_by_side(outcomes[outcomes.model_id.isin(collate.SAME_SIZE)])
    with files.writing(files.resolve(TARGET)) as temporary:
        chart.save(str(temporary), format="svg")


if __name__ == "__main__":
    main()
