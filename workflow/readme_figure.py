"""Draw the figure of the README from the published tables: the model beside its control.

python workflow/readme_figure.py
"""

from lingua_utils import files
from lingua_utils.charts import evolution, theme
from lingua_utils.runs import collate

MODELS = ("lab/bloom-m", "lab/bloom-m-monolingual")
TARGET = "book/_static/lingua-franca.svg"


def main() -> None:
    """Write the figure; it can be read on white and on a dark page."""
    theme.use()
    apart = (*collate.APART, "code")
    similarity = collate.collate("similarity", "book/published", "book/published", apart=apart)
    shown = similarity[similarity.model_id.isin(MODELS) & (similarity.kind == "all")]
    chart = evolution.scores_by_step(shown, scale="standardised")
    with files.writing(files.resolve(TARGET)) as temporary:
        chart.save(str(temporary), format="svg")


if __name__ == "__main__":
    main()
