"""The study on invented languages: its design, its cells, its analysis."""

import json
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import torch

from lingua_utils.measure import controlled as measure
from lingua_utils.measure.controlled import Cell
from lingua_utils.runs import controlled as study

SMALL = Cell("factorial", "small", 0, "invented:bilingual=0.3", hidden_size=16, n_layers=2, steps=12)


# ---- the design ------------------------------------------------------------------------------------------


def test_the_sheet_is_the_design():
    assert study.read_sheet() == study.design()


def terms_of(signs):
    """Columns of all factors and pairs, as plain products."""
    columns = {factor: signs[factor].to_numpy() for factor in signs}
    return columns | {
        f"{a} {b}": signs[a].to_numpy() * signs[b].to_numpy() for a, b in combinations(signs, 2)
    }


def test_no_factor_or_pair_is_mixed_up_with_another():
    terms = terms_of(study.coded())
    assert len(terms) == 15
    for (a, one), (b, other) in combinations(terms.items(), 2):
        assert one @ other == 0, (a, b)
    assert all(abs(column.sum()) == 0 for column in terms.values())


def test_a_pair_is_mixed_up_with_three_factors_only():
    signs = study.coded()
    one, *_ = combinations(signs, 2)
    rest = [factor for factor in signs if factor not in one]
    assert (signs[list(one)].prod(axis=1) == signs[rest].prod(axis=1)).all()  # resolution V


def test_every_cell_of_the_factorial_has_the_levels_that_its_signs_say():
    signs = study.coded()
    cells = [cell for cell in study.design() if cell.study == "factorial"]
    assert len(cells) == 48 and len({(cell.cell, cell.seed) for cell in cells}) == 48
    for cell in cells:
        dials, sign = cell.dials, signs.loc[cell.cell]
        assert dials.switched == 0.05
        found = [dials.overlap, dials.script, dials.order, dials.bilingual, cell.hidden_size]
        assert found == [levels[(sign[factor] + 1) // 2] for factor, levels in study.FACTORS.items()]


def test_seeds_differ_in_languages_as_well_as_in_weights():
    one, other = Cell("controls", "a", 0), Cell("controls", "a", 1)
    assert one.dials.tongues[0].words["noun:0"] != other.dials.tongues[0].words["noun:0"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("doses,a,0,invented:overlap=3", "row 2: overlap is 3.0; it is a share"),
        ("factorial,small,0,invented", "row 2 is the cell of an earlier row"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, line, words):
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(f"study,cell,seed,spec\nfactorial,small,0,invented\n{line}\n")
    with pytest.raises(ValueError, match=words):
        study.read_sheet(sheet)


def test_an_unknown_column_is_named(tmp_path):
    (tmp_path / "sheet.csv").write_text("study,cell,seed,colour\nfactorial,small,0,red\n")
    with pytest.raises(ValueError, match="unknown column 'colour'; the columns are study, cell, seed"):
        study.read_sheet(tmp_path / "sheet.csv")


# ---- one cell --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tables():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "N_CHECKPOINTS", 2)
        yield measure.run(SMALL)


def test_a_cell_has_a_row_for_each_checkpoint_and_each_layer(tables):
    assert tables["outcomes"].step.tolist() == list(SMALL.checkpoints) == [0, 1, 12]
    assert len(tables["layers"]) == SMALL.n_layers * 3
    assert tables["outcomes"].notna().all(axis=None)


def test_a_cell_run_again_gives_the_same_numbers(tables):
    again = measure.run(SMALL)
    for name, table in tables.items():
        pd.testing.assert_frame_equal(again[name], table)


def test_training_lowers_the_loss(tables):
    bits = tables["outcomes"].bits
    assert bits.iloc[-1] < bits.iloc[0] - 1


def test_identical_languages_have_no_lrds_and_are_always_found():
    cell = replace(SMALL, spec="invented:overlap=1,script=same", steps=2)
    for _, row in measure.run(cell)["outcomes"].iterrows():
        assert abs(row.lrds) < 1e-6
        assert row.sads > 0.5


def test_nats_are_those_of_each_text_alone():
    _, model, tokenizer = next(measure.checkpoints(SMALL, "cpu"))
    texts = [
        sentence
        for column in measure.load_corpus(SMALL.dials.spec, n_sentences=5).texts
        for sentence in column
    ]
    found = measure.nats(model, tokenizer, texts)
    for text, value in zip(texts, found, strict=True):
        ids = torch.tensor(tokenizer(text)["input_ids"])
        with torch.no_grad():
            logits = model(ids[None]).logits[0, :-1].double()
        wanted = -sum(row.log_softmax(0)[token] for row, token in zip(logits, ids[1:], strict=True))
        assert value == pytest.approx(wanted.item(), abs=1e-3)


def test_who_is_blind_to_the_context_is_right_in_a_quarter(monkeypatch):
    """Options that gain by each of their words apart: who of two agents, who of two patients."""
    rng = np.random.default_rng(0)
    monkeypatch.setattr(
        measure, "nats", lambda model, tokenizer, texts: np.array([gain[text] for text in texts])
    )
    asked = measure.invented.translation_questions(SMALL.dials, 400)
    gain = {}
    for question in asked:
        words = {word: rng.normal() for option in question.options for word in option.split()}
        for option in question.options:
            gain[option] = 0.0
            gain[f"{question.context} {option}"] = sum(words[word] for word in option.split())
    assert measure.share_right(None, None, asked) == pytest.approx(0.25, abs=0.06)


def test_a_place_that_is_always_likely_is_no_answer_to_everything(monkeypatch):
    asked = measure.invented.fact_questions(SMALL.dials)
    likely = asked[0].options[3].split()[-2:]

    def favours(model, tokenizer, texts):
        return np.array([-9.0 if text.split()[-2:] == likely else 0.0 for text in texts])

    def knows(model, tokenizer, texts):
        right = {question.options[question.answer] for question in asked}
        return favours(model, tokenizer, texts) - [1.0 if text in right else 0.0 for text in texts]

    monkeypatch.setattr(measure, "nats", favours)
    assert measure.share_right(None, None, asked) < 0.3
    monkeypatch.setattr(measure, "nats", knows)
    assert measure.share_right(None, None, asked) == 1


# ---- measures --------------------------------------------------------------------------------------------


def test_cka_is_the_mean_over_four_sentences_in_its_unbiased_form():
    """Against the U-statistic over all ordered quadruples (Song et al. 2012)."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 6, 3))

    def hsic(k, m):
        total, n = 0.0, len(k)
        quadruples = [
            (i, j, q, r)
            for i in range(n) for j in range(n) for q in range(n) for r in range(n)
            if len({i, j, q, r}) == 4
        ]  # fmt: skip
        for i, j, q, r in quadruples:
            total += k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q])
        return total / len(quadruples)

    k, m = x @ x.T, y @ y.T
    wanted = hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m))
    assert measure.cka(np.stack([x, y])) == pytest.approx(wanted)


def test_cka_of_unrelated_languages_is_0_and_of_a_rotated_one_1():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, 300, 400))
    rotation = np.linalg.qr(rng.normal(size=(400, 400)))[0]
    assert abs(measure.cka(np.stack([x, y]))) < 0.05
    assert measure.cka(np.stack([x, 3 * x @ rotation])) == pytest.approx(1)


@pytest.mark.parametrize("middle", [60, 200, 500])
def test_the_onset_is_where_a_sigmoid_is_halfway_up(middle):
    steps = np.array([0, *np.geomspace(25, 1500, 10)])
    with np.errstate(divide="ignore"):
        values = 0.1 + 0.5 / (1 + (middle / steps) ** 4)
    noise = np.random.default_rng(0).normal(0, 0.01, len(steps))
    assert measure.onset(steps, values + noise) == pytest.approx(middle, rel=0.15)


def test_what_does_not_rise_has_no_onset():
    steps = np.geomspace(25, 1500, 10)
    assert np.isnan(measure.onset(steps, np.linspace(0.4, 0.1, 10)))
    assert np.isnan(measure.onset(steps, np.full(10, 0.3)))


# ---- the analysis ----------------------------------------------------------------------------------------


def signs_of_the_study():
    signs = study.coded()
    return pd.concat([signs] * (sum(cell.study == "factorial" for cell in study.design()) // len(signs)))


def test_an_effect_is_the_difference_of_two_means():
    signs = signs_of_the_study()
    outcome = np.random.default_rng(0).normal(size=len(signs))
    found = measure.effects(measure.fit(outcome, signs)).set_index("term").effect
    for factor in signs:
        high = signs[factor].to_numpy() == 1
        assert found[factor] == pytest.approx(outcome[high].mean() - outcome[~high].mean())
    high = (signs.script * signs.order).to_numpy() == 1
    assert found["script × order"] == pytest.approx(outcome[high].mean() - outcome[~high].mean())


def test_every_effect_is_known_within_three_quarters_of_a_standard_deviation():
    signs = signs_of_the_study()
    fitted = measure.fit(np.random.default_rng(1).normal(size=len(signs)), signs)
    width = (measure.effects(fitted).high - measure.effects(fitted).low) / 2
    assert (width / np.sqrt(fitted.mse_resid) < 0.75).all()


def test_an_effect_of_one_standard_deviation_is_found_and_none_where_there_is_none():
    signs = signs_of_the_study()
    rng, found = np.random.default_rng(2), []
    for _ in range(500):
        outcome = 0.5 * signs.script.to_numpy() + rng.normal(size=len(signs))
        table = measure.effects(measure.fit(outcome, signs)).set_index("term")
        found.append((table.low > 0) | (table.high < 0))
    called = pd.DataFrame(found).mean()
    assert called["script"] >= 0.8
    assert 0.03 <= called.drop("script").mean() <= 0.07


# ---- the whole -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def miniature(tmp_path_factory):
    """Two levels of bilingual lines, run by the command with two processes, and collected."""
    folder = tmp_path_factory.mktemp("study")
    cells = [
        replace(SMALL, cell=f"bilingual {dose}", spec=f"invented:bilingual={dose}", steps=2)
        for dose in (0, 0.5)
    ]
    study.write_sheet(cells, folder / "sheet.csv")
    arguments = [
        "--sheet",
        str(folder / "sheet.csv"),
        "--results",
        str(folder / "results"),
        "--device",
        "cpu",
    ]
    assert study.main([*arguments, "--processes", "2"]) == 0
    return folder, cells, arguments


def test_the_command_runs_every_cell_and_collects_their_tables(miniature):
    folder, cells, arguments = miniature
    study.main([*arguments, "--to", str(folder / "published")])
    published = folder / "published" / "controlled"
    for name in study.TABLES:
        table = pd.read_parquet(published / f"{name}.parquet")
        assert table.cell.unique().tolist() == [cell.cell for cell in cells]
    records = json.loads((published / study.RECORDS).read_text())
    assert [record["digest"] for record in records] == [cell.digest for cell in cells]
    assert all(record["seconds"] > 0 for record in records)


def test_a_process_of_its_own_gives_the_numbers_of_this_one(miniature):
    folder, cells, _ = miniature
    kept = pd.read_parquet(folder / "results" / study.folder_of(cells[0]) / "outcomes.parquet")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    pd.testing.assert_frame_equal(measure.run(cells[0])["outcomes"], kept)
    torch.set_num_threads(before)


def test_what_is_done_is_not_done_again_and_what_is_missing_is(miniature):
    folder, cells, arguments = miniature
    results = folder / "results"
    kept, missing = (results / study.folder_of(cell) / study.MANIFEST for cell in cells)
    before = kept.stat().st_mtime_ns
    missing.unlink()
    with pytest.raises(ValueError, match="1 of 2 cells are missing, first factorial/bilingual_0"):
        study.collect(cells, results, folder / "nowhere")
    assert study.main(arguments) == 0
    assert kept.stat().st_mtime_ns == before and missing.is_file()


def test_a_cell_that_fails_is_named_and_stops_no_other(tmp_path, monkeypatch):
    wrong = replace(SMALL, cell="wrong", hidden_size=15, steps=2)  # no four heads in 15
    failed = study.run_study([wrong, replace(SMALL, steps=2)], tmp_path)
    assert len(failed) == 1 and failed[0].startswith("factorial/wrong+seed=0: ")
    assert study.is_done(replace(SMALL, steps=2), tmp_path)
