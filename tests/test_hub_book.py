"""A sheet of finished models from the Hub, an encoder-decoder in two sizes, makes a book as the lab does."""

import os
from pathlib import Path

import in_group
import pytest
from local_hub import LocalHub
from tiny_models import save_tiny

ROOT = Path(__file__).resolve().parent.parent
SIZES = {"small": 2, "base": 3}


@pytest.fixture(scope="module")
def html(tmp_path_factory) -> Path:
    """The book of two tiny mT5s, served by a Hub on this machine and measured up to their regions."""
    folder = tmp_path_factory.mktemp("hub_book")
    sheet = folder / "mt5.csv"
    rows = [f"google/mt5-{size},phrasebook,12,activations similarity regions\n" for size in SIZES]
    sheet.write_text("model_id,corpus,n_sentences,stages\n" + "".join(rows))
    places = {"RUNS": sheet, "RESULTS": folder / "results", "BUILD": folder / "_build"}
    with LocalHub() as hub:
        for size, layers in SIZES.items():
            model = save_tiny("mt5", folder / size, num_layers=layers, num_decoder_layers=layers)
            hub.add(f"google/mt5-{size}", model)
        done = in_group.run(
            ["make", "--no-print-directory", "book", *(f"{name}={path}" for name, path in places.items())],
            cwd=ROOT,
            env=os.environ | {"HF_ENDPOINT": hub.url, "LINGUA_HOME": str(ROOT)},
        )
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return folder / "_build" / "html"


def test_a_chapter_that_the_sheet_does_not_ask_for_says_so(html):
    for chapter, why in (
        ("06_ablation", "no row has the stage"),
        ("02_lab", "no row has a model of the lab"),
    ):
        page = (html / "notebooks" / f"{chapter}.html").read_text()
        assert "Not measured" in page and why in page
    assert "Not measured" not in (html / "notebooks" / "05_regions.html").read_text()


def test_models_without_checkpoints_stand_side_by_side_in_the_order_of_the_sheet(html):
    assert (
        "This sheet follows no model through training" in (html / "notebooks/08_evolution.html").read_text()
    )
    intro = (html / "book/intro.html").read_text()
    assert "IPython.core" not in intro
    page = (html / "notebooks" / "09_scaling.html").read_text()
    assert "SADS is highest in google/mt5-small" in page
    assert '"google/mt5-small","google/mt5-base"' in page


def test_every_run_has_pages_where_encoder_and_decoder_are_told_apart(html):
    for size in SIZES:
        (page,) = html.glob(f"runs/phrasebook/google--mt5-{size}/main-*/05_regions.html")
        assert '"encoder"' in page.read_text() and '"decoder"' in page.read_text()
