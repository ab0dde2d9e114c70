"""The published models that sample sheets name or packages hold, and what follows from their shape.

One record for each model, as its page, configuration and paper tell;
``python -m lingua_utils.models.catalogue`` writes the tables between the two markers in ``book/models.md``.
"""

from dataclasses import dataclass

import pandas as pd
import torch
from torch import nn
from transformers import AutoConfig, PreTrainedModel

from lingua_utils import files
from lingua_utils.models import devices
from lingua_utils.models.architectures import AUTO_CLASSES, NEURON_SITES, neuron_sites
from lingua_utils.models.packages import PACKAGED

_HUB = "https://huggingface.co"


@dataclass(frozen=True)
class Published:
    """A published model; nothing here is computed.

    Attributes
    ----------
    model_id : str
        Hub repository of the final model.
    model_type : str
        Row of :data:`lingua_utils.models.NEURON_SITES`.
    shape : dict
        The fields of its configuration that its parameters and neurons follow from.
    languages : str
        How many it was trained on, or which.
    licence : str
        As the Hub names it.
    source : str
        Where the facts were read.
    saved_as : {"float16", "bfloat16", "float32"}
        Type of the published weights.
    checkpoints : str
        Hub repository of its checkpoints through training; empty where there is none.
    gated : bool
        Whether the Hub gives the weights only to those who accept its conditions.
    """

    model_id: str
    model_type: str
    shape: dict
    languages: str
    licence: str
    source: str = "model card, config.json"
    saved_as: str = "bfloat16"
    checkpoints: str = ""
    gated: bool = False

    @property
    def kind(self) -> str:
        """Heading of the table that the model stands in."""
        if tuple(NEURON_SITES[self.model_type]) != ("decoder",):
            return "Encoders and encoder-decoders"
        return "Decoders with checkpoints" if self.checkpoints else "Decoders by size"


def _plain(layers: int, hidden: int, mlp: int, heads: int, vocabulary: int, **more) -> dict:
    sizes = {"num_hidden_layers": layers, "hidden_size": hidden, "intermediate_size": mlp}
    return {**sizes, "num_attention_heads": heads, "vocab_size": vocabulary, **more}


def _llama(*sizes: int, kv_heads: int, tied: bool = False, **more) -> dict:
    return _plain(*sizes, num_key_value_heads=kv_heads, tie_word_embeddings=tied, **more)


def _bloom(size: str, layers: int, hidden: int) -> Published:
    shape = {"n_layer": layers, "hidden_size": hidden, "vocab_size": 250_880}
    facts = ("46", "bigscience-bloom-rail-1.0", "model card, arXiv 2211.05100", "float16")
    name = f"bigscience/bloom-{size}"
    return Published(name, "bloom", shape, *facts, checkpoints=f"{name}-intermediate")


def _xglm(size: str, layers: int, hidden: int, mlp: int, languages: str = "30") -> Published:
    shape = {"num_layers": layers, "d_model": hidden, "ffn_dim": mlp, "vocab_size": 256_008}
    return Published(f"facebook/xglm-{size}", "xglm", shape, languages, "mit", saved_as="float16")


def _mt5(size: str, layers: int, hidden: int, mlp: int, heads: int) -> Published:
    shape = {"num_layers": layers, "num_decoder_layers": layers, "d_model": hidden, "d_ff": mlp}
    shape |= {"num_heads": heads, "d_kv": 64, "vocab_size": 250_112}
    shape |= {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
    facts = ("101", "apache-2.0", "model card, config.json, arXiv 2010.11934", "float32")
    return Published(f"google/mt5-{size}", "mt5", shape, *facts)


def _gemma3(
    name: str, *sizes: int, kv_heads: int, languages: str = "over 140", images: bool = False
) -> Published:
    shape = _llama(*sizes, kv_heads=kv_heads, tied=True, head_dim=256)
    if images:
        vision = {"image_size": 896, "patch_size": 14, "vision_use_head": False}
        vision |= {"num_hidden_layers": 27, "hidden_size": 1152, "intermediate_size": 4304}
        shape = {"text_config": shape, "vision_config": vision | {"num_attention_heads": 16}}
    kind = "gemma3" if images else "gemma3_text"
    return Published(f"google/gemma-3-{name}", kind, shape, languages, "gemma", gated=True)


def _qwen3(size: str, *sizes: int, tied: bool = False) -> Published:
    shape = _llama(*sizes, 151_936, kv_heads=8, tied=tied, head_dim=128)
    return Published(f"Qwen/Qwen3-{size}-Base", "qwen3", shape, "119", "apache-2.0")


def _llama2(size: str, *sizes: int, heads: int) -> Published:
    shape = _llama(*sizes, heads, 32_000, kv_heads=heads)
    name = f"meta-llama/Llama-2-{size}-hf"
    return Published(name, "llama", shape, "English", "llama2", saved_as="float16", gated=True)


def _xlmr(size: str, *sizes: int) -> Published:
    shape = _plain(*sizes, 250_002, max_position_embeddings=514, type_vocab_size=1)
    name = f"FacebookAI/xlm-roberta-{size}"
    return Published(name, "xlm-roberta", shape, "100", "mit", saved_as="float32")


def _one(name: str, model_type: str, shape: dict, languages: str, checkpoints: str = "", **more) -> Published:
    return Published(
        name, model_type, shape, languages, "apache-2.0", checkpoints=checkpoints or name, **more
    )


#: The one table of published models, in the order of the page.
CATALOGUE: tuple[Published, ...] = (
    _bloom("560m", 24, 1024),
    _bloom("1b1", 24, 1536),
    _bloom("1b7", 24, 2048),
    _bloom("7b1", 30, 4096),
    _one(
        "swiss-ai/Apertus-8B-2509",
        "apertus",
        _llama(32, 4096, 21504, 32, 131_072, kv_heads=8, hidden_act="xielu"),
        "over 1,000",
        gated=True,
    ),
    _one(
        "HuggingFaceTB/SmolLM3-3B-Base",
        "smollm3",
        _llama(36, 2048, 11008, 16, 128_256, kv_heads=4, tied=True),
        "6",
        checkpoints="HuggingFaceTB/SmolLM3-3B-checkpoints",
    ),
    _one("OpenLLM-France/Lucie-7B", "llama", _llama(32, 4096, 12288, 32, 65_024, kv_heads=8), "5"),
    _one("allenai/Olmo-3-1025-7B", "olmo3", _llama(32, 4096, 11008, 32, 100_278, kv_heads=32), "English"),
    _one(
        "EleutherAI/pythia-410m",
        "gpt_neox",
        _plain(24, 1024, 4096, 16, 50_304, tie_word_embeddings=False),
        "English",
        saved_as="float16",
    ),
    _xglm("564M", 24, 1024, 4096),
    _xglm("1.7B", 24, 2048, 8192),
    _xglm("2.9B", 48, 2048, 8192),
    _xglm("4.5B", 48, 2048, 16384, languages="134"),
    _xglm("7.5B", 32, 4096, 16384),
    _llama2("7b", 32, 4096, 11008, heads=32),
    _llama2("13b", 40, 5120, 13824, heads=40),
    _qwen3("0.6B", 28, 1024, 3072, 16, tied=True),
    _qwen3("1.7B", 28, 2048, 6144, 16, tied=True),
    _qwen3("4B", 36, 2560, 9728, 32, tied=True),
    _qwen3("8B", 36, 4096, 12288, 32),
    _qwen3("14B", 40, 5120, 17408, 40),
    _gemma3("270m", 18, 640, 2048, 4, 262_144, kv_heads=1),
    _gemma3("1b-pt", 26, 1152, 6912, 4, 262_144, kv_heads=1, languages="English"),
    _gemma3("4b-pt", 34, 2560, 10240, 8, 262_208, kv_heads=4, images=True),
    _gemma3("12b-pt", 48, 3840, 15360, 16, 262_208, kv_heads=8, images=True),
    Published(
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        "llama",
        _llama(30, 576, 1536, 9, 49_152, kv_heads=3, tied=True),
        "English",
        "apache-2.0",
    ),
    _mt5("small", 8, 512, 1024, heads=6),
    _mt5("base", 12, 768, 2048, heads=12),
    _mt5("large", 24, 1024, 2816, heads=16),
    _mt5("xl", 24, 2048, 5120, heads=32),
    _xlmr("base", 12, 768, 3072, 12),
    _xlmr("large", 24, 1024, 4096, 16),
    Published(
        "google-bert/bert-base-multilingual-cased",
        "bert",
        _plain(12, 768, 3072, 12, 119_547),
        "104",
        "apache-2.0",
        saved_as="float32",
    ),
)

#: Beginnings of model ids, and what is wrong or surprising there; Markdown, a sentence each.
ERRATA: tuple[tuple[tuple[str, ...], str], ...] = (
    (("bigscience/",), "the intermediate repository has no tokenizer; the final repository's is used."),
    (
        ("bigscience/bloom-560m",),
        "`global_step500000` is reported to be `global_step10000` again, and `global_step600000` to be "
        "broken, with a perplexity of 320,322 "
        f"([discussion]({_HUB}/bigscience/bloom-560m-intermediate/discussions/2)).",
    ),
    (
        ("bigscience/bloom-1b7",),
        "`global_step1000` and `global_step10000` are reported to be one model, and "
        "`global_step250000` and `global_step300000` to be another "
        f"([discussion]({_HUB}/bigscience/bloom/discussions/267)).",
    ),
    (
        ("bigscience/bloom-7b1",),
        "`global_step100000` and `global_step200000` are reported to be one model "
        f"([discussion]({_HUB}/bigscience/bloom-7b1-intermediate/discussions/3)).",
    ),
    (("HuggingFaceTB/SmolLM3",), "`main` of the repository with the checkpoints holds no model."),
    (("OpenLLM-France/",), "`main` went on after `step0753851`, with longer contexts and annealing."),
    (("allenai/Olmo-3",), "`main` went on after `stage1-step1413814`, through two stages on other data."),
    (
        ("facebook/xglm-4.5B",),
        "its file has 10.2 GB, as much as with the embedding stored twice; loaded, the head shares it.",
    ),
    (
        ("google/gemma-3-1b",),
        "the model card, which is one for all sizes, says over 140 languages; the "
        f"[announcement]({_HUB}/blog/gemma3) says English for this size.",
    ),
    (
        ("google/gemma-3-4b", "google/gemma-3-12b"),
        "the image encoder counts as parameters and memory, not as layers and neurons.",
    ),
    (
        ("google/mt5",),
        "float16 overflows ([discussion](https://github.com/huggingface/transformers/pull/10956)); use "
        "bfloat16 or float32.",
    ),
    (
        ("google/mt5",),
        "transformers warns that it will not tie the head to the embedding, and is right: the weights hold "
        "both.",
    ),
    (
        ("facebook/xglm", "google/mt5"),
        "`main` has pickled weights only, which torch's weights-only loader reads.",
    ),
    (
        ("FacebookAI/", "google-bert/"),
        "the file also holds a pooler, which a masked language model neither loads nor counts.",
    ),
)


#: What a T4, the GPU of 16 GB that Colab lends, has free for a model, in bytes.
T4_BYTES = 15_600_000_000

PAGE = "book/models.md"
BEGIN = "% The catalogue begins here: `python -m lingua_utils.models.catalogue` writes it."
END = "% The catalogue ends here."


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
    """The published models, one row for each model, with what follows from their shape.

    Returns
    -------
    DataFrame
        The attributes of :class:`Published` but the shape, and ``kind``; computed: ``parameters`` (as loaded
        with the language-model head, tied weights once), ``layers`` (``"24"``; encoder first in ``"8 + 8"``),
        ``neurons`` (all layers together), ``memory`` and ``memory_as_saved`` (bytes that a GPU needs to
        measure it in 16 bits, and in ``saved_as``), ``fits_t4`` (in 16 bits), ``errata``.
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
    """The published models as Markdown: one table for each kind, one of the packages, and the list of errata.

    Parameters
    ----------
    models : DataFrame
        From :func:`table`.
    """
    parts = [f"### {kind}\n\n{_markdown_table(rows)}" for kind, rows in models.groupby("kind", sort=False)]
    errata = models.explode("errata").dropna(subset="errata").groupby("errata", sort=False).model_id
    lines = [f"- **{', '.join(map(_short, names))}**: {sentence}" for sentence, names in errata]
    return "\n\n".join([*parts, _packages_table(), "### Errata", "\n".join(lines)])


def _packages_table() -> str:
    """The models that come as packages of pip; the rest about them is said of the models as published."""
    lines = ["### As packages of pip", "", "| model id | what it is | licence | MB | packages |"]
    lines.append("| :-- | :-- | :-- | --: | :-- |")
    for record in PACKAGED.values():
        model = f"[{_short(record.published_as)}]({_HUB}/{record.published_as})"
        packages = ", ".join(f"`{package}`" for package in record.packages)
        size = f"{record.n_bytes / 1e6:.0f}"
        cells = f"`pypi/{record.name}`", f"{model}, {record.what}", record.licence, size, packages
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


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
