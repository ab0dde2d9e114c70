"""Zero-shot accuracy: the cloze, the harness against a direct computation, and silencing during it."""

import os
import socket
import tempfile
from itertools import product

import datasets
import huggingface_hub
import numpy as np
import pandas as pd
import pytest
import torch
from in_process import run_notebook
from tiny_models import ENCODERS, save_tiny, tiny_loaded, tiny_model, tiny_tokenizer

from lingua_utils.measure import tasks
from lingua_utils.measure.intervals import wilson
from lingua_utils.models.loading import LoadedModel
from lingua_utils.text import cldr
from lingua_utils.text.languages import DEFAULT_LANGUAGES, LANGUAGES
from lingua_utils.text.world import (
    Clause,
    World,
    clause_text,
    parallel_sentences,
    render,
    training_lines,
    training_sentences,
)

THREE = ("eng_Latn", "zho_Hans", "hin_Deva")
WORLD = World()


@pytest.fixture(scope="module")
def items() -> pd.DataFrame:
    return tasks.cloze_items(n_items=200)


@pytest.fixture(scope="module")
def bloom() -> LoadedModel:
    return tiny_loaded("bloom")


@pytest.fixture(scope="module")
def harness(bloom) -> tasks.Harness:
    return tasks.Harness(bloom, THREE, n_items=40)


@pytest.fixture
def no_network(monkeypatch):
    """Whoever opens a connection or looks up a host fails."""

    def refuse(*args, **kwargs):
        raise AssertionError(f"reached for the network: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def small_hub(monkeypatch):
    """A Hub whose parquet branch has 20 XStoryCloze rows per language, and whose main branch is a script."""

    def load(path, name=None, revision="main", **kwargs):
        if revision == "main":
            raise RuntimeError("Dataset scripts are no longer supported, but found xstory_cloze.py")
        assert (path, revision) == ("juletxara/xstory_cloze", "refs/convert/parquet")
        row = {f"input_sentence_{i}": f"{name} {i}." for i in (1, 2, 3, 4)}
        row |= {"sentence_quiz1": "It rained.", "sentence_quiz2": "She bought three tickets."}
        rows = [row | {"answer_right_ending": 1 + i % 2} for i in range(20)]
        return datasets.DatasetDict(dict.fromkeys(("train", "eval"), datasets.Dataset.from_list(rows)))

    monkeypatch.setattr(datasets, "load_dataset", load)
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *args, **kwargs: None)


def region_of(loaded: LoadedModel, share: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((len(loaded.sites), loaded.sites[0].width)) < share


def score(loaded: LoadedModel, context: str, choice: str, **encoding) -> float:
    """Log-likelihood of a choice after a context: one text at a time, without the harness."""
    model, encode = loaded.model, loaded.tokenizer.encode
    if loaded.is_encoder_decoder:
        wanted = torch.tensor([encode(choice, add_special_tokens=False)])
        start = torch.full((1, 1), model.config.decoder_start_token_id)
        shown = torch.cat([start, wanted[:, :-1]], dim=1)
        logits = model(torch.tensor([encode(context)]), decoder_input_ids=shown).logits
    else:
        whole = torch.tensor([encode(context + choice, **encoding)])
        wanted = whole[:, len(encode(context, **encoding)) :]
        logits = model(whole).logits[:, -wanted.shape[1] - 1 : -1]
    return logits.double().log_softmax(-1).gather(2, wanted[..., None]).sum().item()


def directly_correct(loaded: LoadedModel, items: pd.DataFrame, **encoding) -> np.ndarray:
    """What `Harness.correct` returns, without the harness: [language, item, plain or per byte]."""
    rows = []
    for row in items.itertuples():
        scores = np.array([score(loaded, row.context, choice, **encoding) for choice in row.choices])
        n_bytes = np.array([len(choice.encode()) for choice in row.choices])
        rows.append([scores.argmax() == row.answer, (scores / n_bytes).argmax() == row.answer])
    return np.array(rows).reshape(items.language.nunique(), -1, 2)


# The cloze


def meanings(items: pd.DataFrame, language: str) -> pd.DataFrame:
    """What the items of a language say, found by rendering everything that could have been said."""
    name = {country: clause_text(Clause("country", country), language) for country in WORLD.countries}
    country = {f" ({name})": country for country, name in name.items()}
    kinds = ("country", "language", "currency")
    said = {}
    for opening, one, asked, other in product(kinds, WORLD.countries, kinds[1:], WORLD.countries):
        sentence = render((Clause(opening, one), Clause(asked, other)), language)
        said[sentence.rpartition(f" ({name[other]})")[0]] = opening, asked, one, other
    of_language = items[items.language == language]
    found = pd.DataFrame([said[context] for context in of_language.context])
    found.columns = ["opening", "asked", "about", "right"]
    choices = of_language.choices.explode().str.replace(r"\).*", ")", regex=True).map(country)
    found["choices"] = choices.groupby(level=0).agg(tuple).to_list()
    return found.assign(answer=of_language.answer.to_numpy())


def test_each_of_ten_languages_has_200_items_of_four_different_choices(items):
    assert items.groupby("language", sort=False).size().to_dict() == dict.fromkeys(DEFAULT_LANGUAGES, 200)
    assert items.choices.map(lambda choices: len(set(choices)) == len(choices) == 4).all()


def test_the_answer_is_the_country_whose_language_or_currency_it_is(items):
    english = meanings(items, "eng_Latn")
    assert [row.choices[row.answer] for row in english.itertuples()] == list(english.right)


def test_items_mean_the_same_in_every_language(items):
    english = meanings(items, "eng_Latn")
    for language in DEFAULT_LANGUAGES[1:]:
        pd.testing.assert_frame_equal(meanings(items, language), english)


def test_no_choice_pairs_two_countries_that_training_pairs(items):
    english = meanings(items, "eng_Latn")
    pairs = {frozenset((row.about, choice)) for row in english.itertuples() for choice in row.choices}
    assert pairs <= set(WORLD.pairs["test", "bridged"])


def test_no_item_has_an_order_of_clauses_that_training_has(items):
    english = meanings(items, "eng_Latn")
    assert set(zip(english.opening, english.asked, strict=True)).isdisjoint(WORLD.orders["train", False])


def test_who_only_looks_at_the_choices_is_right_a_quarter_of_the_time(items):
    for language in ("eng_Latn", "arb_Arab"):
        rows = items[items.language == language]
        shortest = rows.choices.map(lambda choices: int(np.argmin([len(choice) for choice in choices])))
        assert (shortest == rows.answer).mean() == 0.25
        assert rows.answer.value_counts().tolist() == [50] * 4


def test_choices_differ_in_length_and_hold_no_digit(items):
    lengths = items.choices.map(lambda choices: len({len(choice.encode()) for choice in choices}))
    assert (lengths > 1).mean() > 0.9
    assert not (items.context + items.choices.map("".join)).str.contains(r"\d").any()


def test_cloze_is_the_same_by_seed_and_in_any_order_of_languages(items):
    again = tasks.cloze_items(DEFAULT_LANGUAGES[::-1], n_items=40)
    first = items[items.item < 40]
    order = ["language", "item"]
    pd.testing.assert_frame_equal(
        again.sort_values(order, ignore_index=True), first.sort_values(order, ignore_index=True)
    )
    assert not tasks.cloze_items("eng_Latn", 40, seed=1).equals(tasks.cloze_items("eng_Latn", 40))


def test_every_language_of_the_book_can_be_asked_200_items():
    assert len(tasks.cloze_items(list(LANGUAGES), n_items=200)) == 200 * len(LANGUAGES)


@pytest.mark.parametrize("n_items", [0, -1, 10**6])
def test_a_number_of_items_that_the_world_lacks_is_refused(n_items):
    with pytest.raises(ValueError, match=rf"^n_items is {n_items}; .* 1 to \d+$"):
        tasks.cloze_items("eng_Latn", n_items)


# Transfer and translation


@pytest.fixture(scope="module")
def transfer() -> pd.DataFrame:
    return tasks.transfer_items(n_items=100)


@pytest.fixture(scope="module")
def translation() -> pd.DataFrame:
    return tasks.translation_items(n_items=100)


def test_no_training_line_in_the_asked_language_tells_a_fact_of_transfer(transfer):
    lines = [li for li in training_sentences(WORLD, None, 20_000) if WORLD.facts(li.sentence)]
    told = {(country, line.language) for line in lines for country in WORLD.facts(line.sentence)}
    assert told == set(WORLD.taught_in(DEFAULT_LANGUAGES).items())
    assert not [line for line in lines if line.translation]


def test_the_right_country_of_transfer_keeps_the_weekday_asked_for(transfer):
    named = {clause_text(Clause("country", country), "eng_Latn"): country for country in WORLD.countries}
    days = {cldr.name(cldr.locale_of("eng_Latn"), "days", day): day for day in range(7)}
    for row in transfer[transfer.language == "eng_Latn"].itertuples():
        of_choices = [WORLD.weekdays[named[choice.strip(" ().")]] for choice in row.choices]
        asked = days[row.context.split()[-1]]
        assert of_choices[row.answer] == asked and of_choices.count(asked) == 1


def test_both_countries_of_a_transfer_item_are_told_of_in_its_source(transfer):
    named = {clause_text(Clause("country", country), "eng_Latn"): country for country in WORLD.countries}
    told = WORLD.taught_in(DEFAULT_LANGUAGES)
    for row in transfer[transfer.language == "eng_Latn"].itertuples():
        assert {told[named[choice.strip(" ().")]] for choice in row.choices} == {row.source}


def test_no_transfer_item_pairs_two_countries_that_training_pairs(transfer):
    named = {clause_text(Clause("country", country), "eng_Latn"): country for country in WORLD.countries}
    trained = {pair for kind in ("bridged", "unbridged", "mixed") for pair in WORLD.pairs["train", kind]}
    for row in transfer[transfer.language == "eng_Latn"].itertuples():
        opening = row.context.rpartition(" and ")[0]  # "Denmark" or "Hebrew (Israel)"
        about = named[opening.rpartition("(")[2].rstrip(")")]
        for choice in row.choices:
            assert frozenset((about, named[choice.strip(" ().")])) not in trained


def test_who_only_looks_at_the_endings_is_right_as_often_as_chance_says(transfer, translation):
    for items, chance in ((transfer, 1 / 2), (translation, 1 / 4)):
        longest = items.choices.map(lambda choices: int(np.argmax([len(choice) for choice in choices])))
        assert (longest == items.answer).mean() == chance
        assert items.answer.value_counts(normalize=True).eq(chance).all()


def test_translation_items_show_no_sentence_of_the_training_text(translation):
    lines = set(training_lines(None, 20_000, World(bilingual_share=0.0)))
    assert lines.isdisjoint(translation.context)
    assert lines.isdisjoint(translation.choices.explode().str.strip())


def test_the_right_choice_of_translation_says_what_the_context_says(translation):
    texts, _ = parallel_sentences(DEFAULT_LANGUAGES, 100, "test")
    said = {text: place for of_one in texts for place, text in enumerate(of_one)}
    right = [
        said[choices[answer].strip()]
        for choices, answer in zip(translation.choices, translation.answer, strict=True)
    ]
    assert right == [said[context] for context in translation.context]


def test_translation_asks_every_direction(translation):
    asked = translation.groupby(["source", "language"]).size()
    assert len(asked) == 90 and asked.min() >= 8


def test_accuracy_of_transfer_leaves_out_what_the_asked_language_was_told(bloom):
    harness = tasks.Harness(bloom, THREE, "transfer", n_items=24)
    correct = harness.correct()
    table = tasks.accuracy_table(harness, correct).set_index("text_language")
    items = harness.items.assign(right=correct[..., 0].ravel())
    foreign = items[items.source != items.language].groupby("language", sort=False).right
    assert table.accuracy.to_dict() == foreign.mean().to_dict()
    assert table.n_items.to_dict() == foreign.size().to_dict()


@pytest.mark.parametrize("task", ["transfer", "translation"])
def test_harness_agrees_with_likelihoods_computed_one_by_one_in_the_tasks_of_the_lab(bloom, task):
    found = tasks.Harness(bloom, THREE, task, n_items=12).correct()
    assert (found == directly_correct(bloom, tasks.items_of(task, THREE, n_items=12))).all()


def test_directions_hold_every_item_once(bloom):
    harness = tasks.Harness(bloom, THREE, "translation", n_items=24)
    correct = harness.correct()
    table = tasks.directions(harness, correct)
    assert table.n_items.sum() == correct[..., 0].size
    assert (table.accuracy * table.n_items).sum() == pytest.approx(correct[..., 0].sum())
    assert (table.low <= table.accuracy).all() and (table.accuracy <= table.high).all()


@pytest.mark.parametrize("task", ["cloze", "transfer", "translation"])
def test_the_seed_decides_the_items_of_every_task_also_by_way_of_the_harness(bloom, task):
    items = [tasks.items_of(task, THREE, 8, seed) for seed in (0, 1, 1)]
    assert not items[0].equals(items[1]) and items[1].equals(items[2])
    assert tasks.Harness(bloom, THREE, task, n_items=8, seed=1).items.equals(items[1])


@pytest.mark.parametrize("task, most", [("transfer", 200), ("translation", 5000)])
def test_more_items_than_a_task_has_are_refused_with_their_number(task, most):
    with pytest.raises(ValueError, match=rf"^n_items is {most}; .* the {task} has 1 to \d+$"):
        tasks.items_of(task, n_items=most)


# The harness


@pytest.mark.parametrize("model_type", ["bloom", "llama", "gpt2", "gemma3", "xglm", "falcon", "t5", "umt5"])
def test_harness_agrees_with_the_likelihoods_computed_one_by_one(model_type):
    loaded = tiny_loaded(model_type)
    found = tasks.Harness(loaded, THREE, n_items=12).correct()
    assert (found == directly_correct(loaded, tasks.cloze_items(THREE, n_items=12))).all()


def test_a_tokenizer_that_closes_every_text_is_scored_without_its_marks(bloom):
    """Were the closing mark kept, the harness would drop the first token of every choice."""
    loaded = LoadedModel.wrap(tiny_model("bloom"), tiny_tokenizer("t5"))
    found = tasks.Harness(loaded, THREE, n_items=12).correct()
    expected = directly_correct(loaded, tasks.cloze_items(THREE, n_items=12), add_special_tokens=False)
    assert (found == expected).all()


def test_a_tokenizer_without_first_and_last_token_works():
    tokenizer = tiny_tokenizer("bloom")
    tokenizer.bos_token = tokenizer.eos_token = None
    loaded = LoadedModel.wrap(tiny_model("bloom"), tokenizer)
    assert (
        tasks.Harness(loaded, THREE, n_items=12).correct()
        == directly_correct(loaded, tasks.cloze_items(THREE, n_items=12))
    ).all()


def test_accuracy_is_the_share_of_right_answers(bloom, harness):
    table = tasks.accuracy(bloom, THREE, n_items=40)
    correct = harness.correct()
    assert list(table.language) == list(THREE) and table.n_items.eq(40).all() and table.chance.eq(0.25).all()
    np.testing.assert_allclose(table[["accuracy", "accuracy_norm"]], correct.mean(axis=1))
    assert correct[..., 0].tolist() != correct[..., 1].tolist()


def test_the_mean_over_languages_takes_translations_of_an_item_as_one(harness):
    alike = np.repeat(np.arange(10) % 3 > 0, 4)  # ten fours, each right or wrong in all languages
    correct = np.broadcast_to(alike[None, :, None], (3, 40, 2))
    row = tasks.accuracy_table(harness, correct).iloc[0]
    low, high = wilson(alike.mean(), 9)  # ten fours less the one that their variance takes
    assert (row.mean_accuracy, row.mean_low, row.mean_high) == pytest.approx((alike.mean(), low, high))
    assert (row.low, row.high) == (row.norm_low, row.norm_high) == pytest.approx((low, high))


def test_items_of_the_cloze_that_share_their_endings_are_one_group(harness, items):
    choices = items[items.language == "eng_Latn"].choices.map(tuple).head(40)
    assert choices.groupby(harness.together(40)).nunique().eq(1).all()
    assert choices.nunique() == 10


def test_results_do_not_depend_on_the_batch_size(bloom, harness):
    small = tasks.Harness(bloom, THREE, n_items=40, batch_size=3)
    assert (small.correct() == harness.correct()).all()


def test_fewer_items_are_the_first_of_the_same(harness):
    assert (harness.correct(n_items=20) == harness.correct()[:, :20]).all()


def test_nothing_is_left_behind_and_no_network_is_used(bloom, no_network, monkeypatch, tmp_path, capfd):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.delenv("HF_XET_HIGH_PERFORMANCE", raising=False)
    environment = dict(os.environ)
    tasks.accuracy(bloom, THREE, n_items=4)
    assert list(tmp_path.iterdir()) == []
    assert dict(os.environ) == environment
    assert capfd.readouterr() == ("", "")


def test_written_cloze_runs_by_the_harnesss_own_command(bloom, tmp_path, no_network):
    import lm_eval
    from lm_eval.models.huggingface import HFLM

    folder = tasks.write_items(tmp_path / "tasks", "cloze", tasks.cloze_items(THREE, n_items=12))
    results = lm_eval.simple_evaluate(
        HFLM(pretrained=bloom.model, tokenizer=bloom.tokenizer, batch_size=8),
        tasks=["cloze"],
        task_manager=lm_eval.tasks.TaskManager(include_path=str(folder), include_defaults=False),
        bootstrap_iters=0,
    )["results"]
    table = tasks.accuracy(bloom, THREE, n_items=12).set_index("language")
    for language in THREE:
        assert results[f"cloze_{language}"]["acc,none"] == table.accuracy[language]
        assert results[f"cloze_{language}"]["acc_bytes,none"] == table.accuracy_norm[language]
    assert results["cloze"]["acc,none"] == pytest.approx(table.accuracy.mean())


# Silencing


def without(model_type: str, region: np.ndarray) -> LoadedModel:
    """A model whose down-projections have no weights for the neurons of a region: silent for good."""
    loaded = tiny_loaded(model_type)
    for site, silent in zip(loaded.sites, region, strict=True):
        loaded.module(site).weight[:, torch.tensor(silent)] = 0
    return loaded


@pytest.mark.parametrize("model_type", ["bloom", "t5"])
def test_region_is_silent_while_the_harness_evaluates(model_type):
    """Were the hooks gone before the evaluation, this would be the intact model's result."""
    loaded = tiny_loaded(model_type)
    region = region_of(loaded, 0.7)
    found = tasks.Harness(loaded, THREE, n_items=40).correct(region)
    expected = tasks.Harness(without(model_type, region), THREE, n_items=40).correct()
    assert (found == expected).all()
    assert (found != tasks.Harness(loaded, THREE, n_items=40).correct()).any()


def test_model_is_intact_again_after_an_evaluation(bloom, harness):
    before = harness.correct()
    harness.correct(region_of(bloom, 0.7))
    assert (harness.correct() == before).all()


def test_accuracy_of_a_region_is_that_of_the_model_without_it(bloom):
    region = region_of(bloom, 0.5)
    silenced = tasks.accuracy(bloom, THREE, n_items=40, region=region)
    pd.testing.assert_frame_equal(silenced, tasks.accuracy(without("bloom", region), THREE, n_items=40))
    assert not silenced.equals(tasks.accuracy(bloom, THREE, n_items=40))


@pytest.fixture(scope="module")
def chapter(tmp_path_factory) -> dict:
    """What the chapter on tasks leaves behind for a tiny model."""
    folder = tmp_path_factory.mktemp("tasks")
    save_tiny("bloom", folder / "model")
    few = {"n_sentences": 12, "n_items": 40, "silenced_items": 20, "task_controls": 2, "task_rule": "ap"}
    places = {"model_id": str(folder / "model"), "results": str(folder / "results")}
    return run_notebook("07_tasks", languages=" ".join(THREE), **places, **few)


def test_the_table_has_the_intact_model_each_region_and_its_controls(chapter):
    table = chapter["tasks"]
    runs = table.groupby(["rule", "region_language"], sort=False).draw.unique().map(list).to_dict()
    assert runs == {("intact", "none"): [0]} | {
        (rule, language): draws for language in THREE for rule, draws in (("ap", [0]), ("random", [0, 1]))
    }
    assert (table.groupby(["rule", "region_language", "draw"]).text_language.agg(tuple) == THREE).all()
    assert table.n_items.eq(np.where(table.rule == "intact", 40, 20)).all()


def test_change_is_measured_on_the_items_of_both(chapter):
    table, loaded = chapter["tasks"], chapter["run"].loaded
    row = table[(table.rule == "ap") & (table.region_language == "zho_Hans")]
    region = chapter["run"].regions(["ap"])["ap"].of("zho_Hans")
    harness = tasks.Harness(loaded, THREE, n_items=40)
    shift = harness.correct(region)[:, :20, 0].astype(float) - harness.correct()[:, :20, 0]
    np.testing.assert_allclose(row.change, shift.mean(axis=1))
    np.testing.assert_allclose(row.accuracy, harness.correct(region)[:, :20, 0].mean(axis=1))
    assert (row.change_low <= row.change).all() and (row.change <= row.change_high).all()
    assert table[table.rule == "intact"].change.eq(0).all()


def test_controls_have_as_many_neurons_in_each_layer(chapter):
    found = chapter["run"].regions(["ap"])["ap"]
    silenced = [region for *_, region in chapter["to_silence"](found)]
    for language, at in zip(THREE, (1, 4, 7), strict=True):
        region, *controls = silenced[at : at + 3]
        assert np.array_equal(region, found.of(language)) and not np.array_equal(*controls)
        for control in controls:
            assert (control.sum(axis=1) == region.sum(axis=1)).all() and not (control == region).all()


def test_a_region_of_another_models_shape_is_refused_before_anything_is_evaluated(harness):
    with pytest.raises(ValueError, match=r"region has shape \(3, 128\)"):
        harness.correct(np.zeros((3, 128), dtype=bool))


def test_silent_neurons_can_be_held_at_their_means(bloom, harness):
    region, means = region_of(bloom, 0.7), np.ones((2, 128), dtype=np.float32)
    with tasks.silence(bloom, region, "mean", means):
        expected = directly_correct(bloom, tasks.cloze_items(THREE, n_items=12))
    assert (harness.correct(region, 12, "mean", means) == expected).all()


# Errors, intervals, XStoryCloze


def test_a_model_without_finite_likelihoods_is_refused():
    loaded = tiny_loaded("bloom")
    loaded.model.get_input_embeddings().weight[:] = torch.nan
    with pytest.raises(ValueError, match="item 0 in eng_Latn no finite likelihood"):
        tasks.accuracy(loaded, THREE, n_items=4)


@pytest.mark.parametrize("model_type", ENCODERS)
def test_masked_models_are_refused(model_type):
    with pytest.raises(ValueError, match="masked language model"):
        tasks.accuracy(tiny_loaded(model_type), THREE)


def test_mbart_is_refused_because_the_harness_would_show_it_the_answer():
    with pytest.raises(ValueError, match="its own last token"):
        tasks.accuracy(tiny_loaded("mbart"), THREE)


def test_unknown_task_is_refused(bloom):
    with pytest.raises(
        ValueError, match="no task 'hellaswag'; there are cloze, transfer, translation, xstorycloze"
    ):
        tasks.accuracy(bloom, task="hellaswag")


def test_offline_xstorycloze_says_in_one_line_what_was_tried_and_what_to_do(bloom, monkeypatch):
    def unreachable(*args, **kwargs):
        raise OSError("Name or service not known\nand more")

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", unreachable)
    with pytest.raises(ConnectionError) as caught:
        tasks.accuracy(bloom, "eng_Latn", task="xstorycloze")
    message = str(caught.value)
    assert "\n" not in message
    for tried in ("refs/convert/parquet", "juletxara/xstory_cloze", "Name or service not known"):
        assert tried in message
    for way_out in ("task='cloze'", "HF_HUB_OFFLINE=1"):
        assert way_out in message


def test_xstorycloze_is_read_from_the_parquet_branch(bloom, small_hub):
    table = tasks.accuracy(bloom, ["eng_Latn", "zho_Hans"], task="xstorycloze", n_items=20)
    assert list(table.language) == ["eng_Latn", "zho_Hans"] and table.chance.eq(0.5).all()
    assert table.accuracy.eq(0.5).all()  # the same story each time, each ending right every second time


def test_xstorycloze_takes_what_it_has_of_the_default_languages(bloom, small_hub):
    table = tasks.accuracy(bloom, task="xstorycloze", n_items=2)
    assert list(table.language) == ["eng_Latn", "zho_Hans", "spa_Latn", "arb_Arab", "hin_Deva", "ind_Latn"]


def test_a_language_that_xstorycloze_lacks_is_refused_with_those_it_has(bloom):
    with pytest.raises(
        ValueError, match=r"XStoryCloze has no fra_Latn, vie_Latn; it has arb_Arab, .*zho_Hans"
    ):
        tasks.accuracy(bloom, ["eng_Latn", "fra_Latn", "vie_Latn"], task="xstorycloze")


def test_more_stories_than_there_are_is_refused(bloom):
    with pytest.raises(ValueError, match="n_items is 2000; XStoryCloze has 1 to 1511"):
        tasks.accuracy(bloom, "eng_Latn", task="xstorycloze", n_items=2000)
