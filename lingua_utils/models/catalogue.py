"""What follows from the shape of the published models, and the tables of them in the book.

``python -m lingua_utils.models.catalogue`` writes the tables between the two markers in ``book/models.md``.
"""

import pandas as pd
import torch
from torch import nn
from transformers import AutoConfig, PreTrainedModel

from lingua_utils import files
from lingua_utils.models import devices
from lingua_utils.models.loading import AUTO_CLASSES, NEURON_SITES, neuron_sites
from lingua_utils.models.published_models import CATALOGUE, ERRATA, Published

#: What a T4, the GPU of 16 GB that Colab lends, has free for a model, in bytes.
T4_BYTES = 15_600_000_000

PAGE = "book/models.md"
BEGIN = "% The catalogue begins here: `python -m lingua_utils.models.catalogue` writes it."
END = "% The catalogue ends here."
_HUB = "https://huggingface.co"


def build(published: Published) -> PreTrainedModel:
    """The model that ``load_model`` would load, of the same class, on torch's meta device: no weights."""
    config = AutoConfig.for_model(published.model_type, **published.shape)
    auto_class = AUTO_CLASSES[tuple(NEURON_SITES[published.model_type])]
    with torch.device("meta"):
        model = auto_class.from_config(config)
        if published.shape.get("tie_word_embeddings") is False:
            # Transformers ties the head of every mT5 it builds; where weights hold a head, it loads that one.
            head = model.get_output_embeddings()
            head.weight = nn.Parameter(torch.empty_like(head.weight))
    return model


def table() -> pd.DataFrame:
    """The published models, one row a model, with what follows from their shape.

    Returns
    -------
    DataFrame
        The attributes of :class:`Published` but the shape, and ``kind``; computed: ``parameters`` (as loaded
        with the language-model head, tied weights once), ``layers`` (``"24"``; encoder first in ``"8 + 8"``),
        ``neurons`` (all layers together), ``memory`` and ``memory_as_saved`` (bytes a GPU needs to measure it
        in 16 bits, and in ``saved_as``), ``fits_t4`` (in 16 bits), ``errata``.
    """
    return pd.DataFrame([_row(published) for published in CATALOGUE])


def _row(published: Published) -> dict:
    facts = {name: value for name, value in vars(published).items() if name != "shape"}
    model = build(published)
    sites, n_parameters = neuron_sites(model), model.num_parameters()
    stacks = dict.fromkeys(site.stack for site in sites)
    memory = devices.memory_needed(n_parameters, torch.bfloat16)
    return {
        **facts,
        "kind": published.kind,
        "parameters": n_parameters,
        "layers": " + ".join(str(sum(site.stack == stack for site in sites)) for stack in stacks),
        "neurons": sum(site.width for site in sites),
        "memory": memory,
        "memory_as_saved": devices.memory_needed(n_parameters, devices.DTYPES[published.saved_as]),
        "fits_t4": memory <= T4_BYTES,
        "errata": [sentence for names, sentence in ERRATA if published.model_id.startswith(names)],
    }


def markdown(models: pd.DataFrame) -> str:
    """The published models as Markdown: one table a kind, and the list of errata.

    Parameters
    ----------
    models : DataFrame
        From :func:`table`.
    """
    parts = [f"### {kind}\n\n{_markdown_table(rows)}" for kind, rows in models.groupby("kind", sort=False)]
    errata = models.explode("errata").dropna(subset="errata").groupby("errata", sort=False).model_id
    lines = [f"- **{', '.join(map(_short, names))}**: {sentence}" for sentence, names in errata]
    return "\n\n".join([*parts, "### Errata", "\n".join(lines)])


def _markdown_table(models: pd.DataFrame) -> str:
    header = "| model | parameters | layers | neurons | languages | licence | gated | GPU memory, GB |"
    lines = [":::{container} many-columns", header, "| :-- | --: | --: | --: | :-- | :-- | :-- | :-- |"]
    for row in models.itertuples():
        cells = (
            f"[{_short(row.model_id)}]({_HUB}/{row.model_id})",
            f"{row.parameters / 1e9:.2f} B",
            row.layers,
            f"{row.neurons:,}",
            row.languages,
            row.licence,
            "yes" if row.gated else "no",
            f"{row.memory / 1e9:.1f}"
            + (" ✓" if row.fits_t4 else "")
            + (f" ({row.memory_as_saved / 1e9:.1f})" if row.memory_as_saved > row.memory else ""),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ":::"])


def _short(model_id: str) -> str:
    return model_id.partition("/")[2]


def insert(page: str, tables: str) -> str:
    """A page with ``tables`` between its two markers, in place of what was there.

    Raises
    ------
    ValueError
        For a page without the markers.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(
            f"{PAGE} lacks a marker; put the lines {BEGIN!r} and {END!r} where the tables belong"
        )
    return f"{before}{begin}\n\n{tables}\n\n{end}{after}"


def main() -> None:
    """Write the tables of the published models into the book: ``python -m lingua_utils.models.catalogue``."""
    path = files.resolve(PAGE)
    page = insert(path.read_text(encoding="utf-8"), markdown(table()))
    with files.writing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
