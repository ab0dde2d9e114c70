"""Charts: what is drawn is what the table says, beside its baseline, and no text becomes markup."""

import json
from types import SimpleNamespace

import altair as alt
import fake_tables
import numpy as np
import pandas as pd
import pytest
from specification import data_sets, fields

from lingua_utils.charts import figures as charts
from lingua_utils.charts import theme
from lingua_utils.charts.parts import MAX_ROWS, Frames
from lingua_utils.text.languages import DEFAULT_LANGUAGES, LANGUAGES

HOSTILE = "</script><img src=x onerror=alert(1)> & 'quoted' \"text\""
MODELS = ("lab/bloom-m", "lab/bloom-m-monolingual")


def corpus(text: str = "a sentence", n_sentences: int = 20) -> SimpleNamespace:
    """Stands for a ParallelCorpus whose every sentence is one text."""
    return SimpleNamespace(
        languages=DEFAULT_LANGUAGES,
        texts=tuple((text,) * n_sentences for _ in DEFAULT_LANGUAGES),
        n_sentences=n_sentences,
        kinds=("bridged",) * n_sentences,
    )


CHARTS = {
    "scores_by_step": lambda: charts.scores_by_step(fake_tables.similarity()),
    "scores_by_step of two models": lambda: charts.scores_by_step(fake_tables.similarity(MODELS)),
    "layer_step_map": lambda: charts.layer_step_map(fake_tables.similarity(MODELS)),
    "scores_by_layer": lambda: charts.scores_by_layer(fake_tables.similarity(steps=(8,))),
    "variance_shares": lambda: charts.variance_shares(fake_tables.variance()),
    "variance_shares of one run": lambda: charts.variance_shares(
        fake_tables.variance(steps=(8,)).drop(columns="step")
    ),
    "retrieval_map": lambda: charts.retrieval_map(fake_tables.retrieval()),
    "retrieval_by_step": lambda: charts.retrieval_by_step(fake_tables.retrieval()),
    "retrieval_by_step of two models": lambda: charts.retrieval_by_step(fake_tables.retrieval(MODELS)),
    "language_blocks": lambda: charts.language_blocks(fake_tables.blocks()),
    "loss_by_language": lambda: charts.loss_by_language(fake_tables.losses()),
    "sentence_map": lambda: charts.sentence_map(fake_tables.projection(), corpus()),
    "tokens_by_language": lambda: charts.tokens_by_language(fake_tables.tokens()),
    "activity_by_layer": lambda: charts.activity_by_layer(fake_tables.activity()),
}


@pytest.fixture(scope="module", params=CHARTS)
def chart(request) -> alt.TopLevelMixin:
    return CHARTS[request.param]()


def test_every_chart_has_a_description_for_screen_readers(chart):
    assert len(chart.to_dict()["description"]) > 20


def test_no_chart_holds_more_rows_than_allowed(chart):
    assert 0 < max(map(len, data_sets(chart))) <= MAX_ROWS


def test_every_chart_compiles_to_vega(chart):
    import vl_convert

    assert vl_convert.vegalite_to_vega(chart.to_dict(), vl_version="6.4")["marks"]


@pytest.mark.parametrize("draw", [charts.scores_by_step, charts.scores_by_layer])
def test_scores_are_drawn_with_intervals_above_their_null(draw):
    drawn = fields(draw(fake_tables.similarity(steps=(0, 8)[: 2 if draw is charts.scores_by_step else 1])))
    assert all(f'"field": "{name}"' in drawn for name in ("low", "high", "null", "null_low", "null_high"))


def test_scores_by_step_shows_the_table_and_nothing_else():
    table = fake_tables.similarity()
    rows = pd.DataFrame(max(data_sets(charts.scores_by_step(table)), key=len))
    shown = rows[(rows.score == "SADS · same meaning") & (rows.kind == "bridged")].set_index("step").value
    wanted = table.query("layer == 'all' and kind == 'bridged' and not centred").set_index("step").sads
    np.testing.assert_allclose(shown.to_numpy(), wanted.to_numpy(dtype=float), atol=5e-5)


def test_the_step_axis_has_room_for_step_zero():
    x = charts.scores_by_step(fake_tables.similarity()).to_dict()["layer"][-1]["encoding"]["x"]
    assert x["scale"]["type"] == "symlog"
    assert x["axis"]["values"] == list(fake_tables.STEPS)


def test_several_models_get_a_panel_for_each_score():
    assert charts.scores_by_step(fake_tables.similarity(MODELS)).to_dict()["facet"]["field"] == "score"


def test_retrieval_is_drawn_beside_chance():
    assert '"field": "chance"' in fields(charts.retrieval_by_step(fake_tables.retrieval()))
    assert "chance 0.01" in fields(charts.retrieval_map(fake_tables.retrieval()))


def test_retrieval_by_step_is_the_mean_over_language_pairs():
    table = fake_tables.retrieval()
    rows = pd.DataFrame(max(data_sets(charts.retrieval_by_step(table)), key=len))
    shown = rows.query("step == 600 and layer == '1' and kind == 'all'").accuracy.item()
    assert shown == pytest.approx(
        table.query("step == 600 and layer == '1' and kind == 'all'").accuracy.mean(), abs=1e-4
    )


def test_loss_is_drawn_beside_a_uniform_guess_when_it_is_known():
    assert "uniform guess: 8.30" in fields(charts.loss_by_language(fake_tables.losses(), "loss", chance=8.3))


def test_the_layer_step_map_has_a_colour_scale_for_each_score():
    assert (
        charts.layer_step_map(fake_tables.similarity()).to_dict()["resolve"]["scale"]["color"]
        == "independent"
    )


def test_a_list_of_sentences_is_offered_only_where_there_are_kinds():
    table = fake_tables.similarity()
    assert "chosen_kind" in fields(charts.scores_by_step(table))
    assert "chosen_kind" not in fields(charts.scores_by_step(table[table.kind == "all"]))


def test_the_sentence_map_holds_every_point_at_every_layer_and_step():
    table = fake_tables.projection()
    chart = charts.sentence_map(table)
    records = max(data_sets(chart), key=len)
    whole = table[["x", "y"]].abs().to_numpy().max()
    assert len(records) == 10 * 20
    name = theme.language_name("fra_Latn")
    record = next(r for r in records if r["name"] == name and r["sentence"] == 7)
    points = table.set_index(["language", "sentence", "layer", "step"]).x
    for layer, index in (("all", 0), ("2", 3)):
        for at, step in enumerate(fake_tables.STEPS):
            wanted = points["fra_Latn", 7, layer, step] / whole
            assert record["x_at"][index][at] == pytest.approx(wanted, abs=5e-4)
    assert {parameter["name"] for parameter in chart.to_dict()["params"]} >= {
        "step_at",
        "layer_at",
        "colour_by",
    }


def test_the_sentence_map_of_a_full_lab_stays_small():
    steps = tuple(2**power for power in range(12))
    layers = [("all", -1), *((str(number), number) for number in range(6))]
    table = fake_tables.projection(steps=steps, layers=layers, n_sentences=40)
    assert len(json.dumps(charts.sentence_map(table, corpus(n_sentences=40)).to_dict())) < 700_000


def test_frames_leave_out_what_was_not_measured():
    table = fake_tables.projection(steps=(0, 8)).query("not (step == 8 and layer == '1')")
    frames = Frames.of(table, ["language", "sentence"], ["x"])
    at = frames.layers.index("1")
    assert frames.records[0]["x_at"][at][1] is None
    assert frames.records[0]["x_at"][at][0] is not None


def test_frames_put_a_final_model_without_a_step_last():
    final = fake_tables.projection(steps=(0,)).assign(step=pd.NA)
    table = pd.concat([final, fake_tables.projection(steps=(8,))]).astype({"step": "Int64"})
    assert Frames.of(table, ["language", "sentence"], ["x"]).steps == [8, None]


def test_frames_refuse_two_rows_for_one_place():
    table = pd.concat([fake_tables.projection()] * 2)
    with pytest.raises(ValueError, match="several rows"):
        Frames.of(table, ["language", "sentence"], ["x"])


def test_too_many_rows_are_refused_with_their_number():
    table = fake_tables.similarity(tuple(f"lab/{number}" for number in range(150)))
    with pytest.raises(ValueError, match=r"5,400 rows .*at most 5,000"):
        charts.scores_by_step(table)


def test_a_missing_column_is_named():
    with pytest.raises(ValueError, match="no column 'sads'"):
        charts.scores_by_layer(fake_tables.similarity().drop(columns="sads"))


def test_a_table_without_steps_cannot_be_drawn_against_them():
    with pytest.raises(ValueError, match="no row has a training step"):
        charts.scores_by_step(fake_tables.similarity().assign(step=pd.NA))


def test_an_unknown_layer_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match=r"no layer '9'; there are all, 0, 1, 2"):
        charts.sentence_map(fake_tables.projection(), layer="9")


def test_a_text_cannot_end_the_script_that_holds_a_chart():
    theme.use()
    page = charts.sentence_map(fake_tables.projection(), corpus(HOSTILE))._repr_mimebundle_()["text/html"]
    assert page.count("</script>") == 1
    assert "<img" not in page


def test_side_by_side_shows_every_language_in_its_own_direction():
    page = charts.side_by_side(corpus())._repr_html_()
    assert page.count("<td") == 4 * len(DEFAULT_LANGUAGES)
    assert "<td lang='ar' dir='rtl'>" in page
    assert "<td lang='zh-Hans' dir='ltr'>" in page
    assert page.count("<details open>") == 1


def test_side_by_side_shows_markup_as_text():
    page = charts.side_by_side(corpus(HOSTILE))._repr_html_()
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt; &amp; &#x27;quoted&#x27;" in page


def test_side_by_side_refuses_a_sentence_that_is_not_there():
    with pytest.raises(ValueError, match="no sentence 20; the corpus has 20"):
        charts.side_by_side(corpus(), [0, 20])


def test_a_language_has_one_colour_whoever_stands_beside_it():
    alone = {code: theme.language_colours([code])[code] for code in LANGUAGES}
    assert theme.language_colours(reversed(LANGUAGES)) == alone
    assert theme.language_colours(["an invented one"]) == theme.language_colours(["an invented one"])


def test_the_default_languages_have_ten_different_colours():
    assert len(set(theme.language_colours(DEFAULT_LANGUAGES).values())) == len(DEFAULT_LANGUAGES)


@pytest.mark.parametrize("background", [1.0, 0.0060], ids=["light", "dark"])
def test_every_colour_can_be_seen_on_both_backgrounds(background):
    for colour in [*theme.language_colours(LANGUAGES).values(), theme.INK, theme.BASELINE]:
        rgb = tuple(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
        light, dark = sorted((theme.relative_luminance(rgb), background), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 2.9, colour
