"""The small world: every language says the same, and what is held out stays out."""

import random
import re
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lingua_utils.models.recipes import LAB
from lingua_utils.text import world as small_world
from lingua_utils.text.cldr import currency_of, locale_of
from lingua_utils.text.languages import DEFAULT_LANGUAGES, LANGUAGES
from lingua_utils.text.world import World, parallel_sentences, training_lines, training_sentences

N_LINES = 20_000


@pytest.fixture(scope="module")
def lines():
    return list(training_sentences(World(), None, N_LINES, seed=1))


def countries_named(text):
    """Countries whose English name, language or currency occurs in an English text."""
    english = locale_of("eng_Latn")
    known = {}
    for country in World().countries:
        known[country] = {
            english.territories[country],
            english.currencies[currency_of(country)],
            english.languages[small_world.get_official_languages(country)[0]],
        }
    return {country for country, words in known.items() if any(word in text for word in words)}


@pytest.mark.parametrize("split", ["dev", "test"])
def test_no_two_countries_of_a_held_out_sentence_meet_in_training(lines, split):
    trained = {small_world.countries_of(line.sentence) for line in lines}
    texts, _ = parallel_sentences(("eng_Latn", "fra_Latn"), 400, split)
    held_out = {frozenset(countries_named(text)) for text in texts[0]}
    assert {len(pair) for pair in held_out} == {2}
    assert held_out.isdisjoint(trained)


def test_splits_deal_out_every_pair_and_every_order_once():
    world = World()
    for parts in (world.pairs, world.orders):
        dealt = [one for found in parts.values() for one in found]
        assert len(dealt) == len(set(dealt))
    assert len([pair for found in world.pairs.values() for pair in found]) == 30 * 29 // 2
    for split in ("train", "dev", "test"):
        assert world.pairs[split, "bridged"] and world.pairs[split, "unbridged"]
        assert world.orders[split, False] and world.orders[split, True]


def test_training_uses_training_pairs_and_orders_only(lines):
    world = World()
    pairs = {pair for kind in ("bridged", "unbridged", "mixed") for pair in world.pairs["train", kind]}
    orders = {*world.orders["train", False], *world.orders["train", True]}
    assert {small_world.countries_of(line.sentence) for line in lines} == pairs
    assert {tuple(clause.kind for clause in line.sentence) for line in lines} <= orders


def test_unbridged_countries_are_never_translated_but_do_occur(lines):
    unbridged = set(World().unbridged)
    translated = set().union(*(small_world.countries_of(li.sentence) for li in lines if li.translation))
    alone = set().union(*(small_world.countries_of(li.sentence) for li in lines if not li.translation))
    assert translated.isdisjoint(unbridged)
    assert alone >= unbridged


def test_no_country_shares_its_language_or_its_currency():
    countries = small_world.BRIDGED + small_world.UNBRIDGED
    for fact in (currency_of, lambda c: small_world.get_official_languages(c)[0]):
        assert len({fact(country) for country in countries}) == len(countries)


def test_unbridged_words_occur_in_no_bilingual_line():
    world = World(digits_share=0.0, bilingual_share=1.0)
    words = set()
    english = locale_of("eng_Latn")
    for country in world.unbridged:
        words |= {english.territories[country], english.currencies[currency_of(country)]}
    text = "\n".join(training_lines(("eng_Latn", "fra_Latn"), 3000, world))
    assert not [word for word in words if word in text]


@pytest.mark.parametrize("share", [0.0, 1 / 3, 1.0])
def test_the_bilingual_share_is_the_share_of_lines_with_a_translation(share):
    lines = list(training_sentences(World(bilingual_share=share), None, 6000))
    found = sum(line.translation is not None for line in lines) / len(lines)
    assert found == pytest.approx(share, abs=0.02)
    assert all(line.translation != line.language for line in lines)


def test_languages_share_the_training_text_evenly(lines):
    for language in DEFAULT_LANGUAGES:
        assert sum(line.language == language for line in lines) / N_LINES == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("share", [0.0, 1 / 3])
def test_a_meaning_told_alone_is_told_in_one_language_and_in_no_bilingual_line(share):
    """The whole text of a lab model, of which a line is about 13 tokens."""
    n_lines = LAB["bloom-m"].steps * LAB["bloom-m"].rows * LAB["bloom-m"].row_length // 13
    told, met = {}, set()
    for line in training_sentences(World(bilingual_share=share), None, n_lines):
        if line.translation:
            met.add(line.sentence)
        else:
            assert told.setdefault(line.sentence, line.language) == line.language
    assert met.isdisjoint(told) and bool(met) == bool(share)


def test_placebo_of_mispaired_lines_has_as_many_and_none_that_translates():
    real, placebo = (
        list(training_sentences(World(second=s), None, 6000)) for s in ("translation", "mispaired")
    )
    assert not [line for line in placebo if line.translation and line.other == line.sentence]
    shares = [sum(line.translation is not None for line in lines) / 6000 for lines in (real, placebo)]
    assert shares[0] == pytest.approx(shares[1], abs=0.02)


def test_placebo_of_lines_apart_tells_the_same_translations_far_from_each_other():
    lines = list(training_sentences(World(second="apart"), None, 6000))
    assert not [line for line in lines if line.translation]
    places = {}
    for place, line in enumerate(lines):
        places.setdefault(line.sentence, []).append((place, line.language))
    twice = [told for told in places.values() if len(told) == 2 and told[0][1] != told[1][1]]
    apart = [second - first for (first, _), (second, _) in twice]
    assert len(twice) > 1000 and np.quantile(apart, 0.01) > small_world.APART


def test_every_weekday_is_kept_and_each_language_tells_of_two_countries():
    world = World()
    assert set(world.weekdays.values()) == set(range(7))
    told = list(world.taught_in(DEFAULT_LANGUAGES).values())
    assert {told.count(language) for language in DEFAULT_LANGUAGES} == {2}


def test_parallel_text_tells_no_weekday_that_one_language_alone_was_told():
    world = World()
    names = {locale_of("eng_Latn").territories[country] for country in world.weekdays}
    texts, _ = parallel_sentences(("eng_Latn", "fra_Latn"), 200)
    days = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
    told = {name for text in texts[0] for name in re.findall(rf"(?:{days}) \(([^)]+)\)", text)}
    assert told and told.isdisjoint(names)


@settings(max_examples=20)
@given(st.randoms(use_true_random=False), st.integers(0, 5))
def test_sentences_do_not_depend_on_the_order_of_the_languages(rng, seed):
    languages = rng.sample(sorted(LANGUAGES), 4)
    shuffled = rng.sample(languages, 4)
    texts, kinds = parallel_sentences(languages, 10, seed=seed, digits="latin")
    again, kinds_again = parallel_sentences(shuffled, 10, seed=seed, digits="latin")
    assert dict(zip(languages, texts, strict=True)) == dict(zip(shuffled, again, strict=True))
    assert kinds == kinds_again


def test_another_seed_of_the_world_holds_out_and_deals_out_others():
    one, other = World(), World(seed=1)
    sentences = [line.sentence for line in training_sentences(one, None, 200)]
    assert one.weekdays != other.weekdays
    for parts in ("pairs", "orders"):
        for key in getattr(one, parts).keys() - {("train", "mixed")}:
            assert set(getattr(one, parts)[key]) != set(getattr(other, parts)[key])
    homes = [[world.home(sentence, DEFAULT_LANGUAGES) for sentence in sentences] for world in (one, other)]
    assert homes[0] != homes[1]


def test_seed_decides_the_sentences_and_nothing_else_does():
    assert parallel_sentences(None, 50, seed=3) == parallel_sentences(None, 50, seed=3)
    assert parallel_sentences(None, 50, seed=3) != parallel_sentences(None, 50, seed=4)
    assert list(training_lines(None, 50, seed=3)) == list(training_lines(None, 50, seed=3))
    assert list(training_lines(None, 50, seed=3)) != list(training_lines(None, 50, seed=4))


def test_training_lines_do_not_depend_on_the_order_of_the_languages():
    assert list(training_lines(DEFAULT_LANGUAGES, 50)) == list(training_lines(DEFAULT_LANGUAGES[::-1], 50))


@pytest.mark.parametrize("languages", [DEFAULT_LANGUAGES, tuple(LANGUAGES)], ids=["default", "all"])
def test_digit_free_sentences_hold_no_digit_of_any_script(languages):
    texts, _ = parallel_sentences(languages, 100, digits="none")
    assert not [char for text in texts for s in text for char in s if unicodedata.category(char) == "Nd"]


def test_latin_and_native_digits_say_the_same_numbers():
    languages = ("eng_Latn", "arb_Arab", "hin_Deva", "mya_Mymr")
    latin, _ = parallel_sentences(languages, 100, digits="latin")
    native, _ = parallel_sentences(languages, 100, digits="native")
    digits = {char for text in latin for s in text for char in s if unicodedata.category(char) == "Nd"}
    assert digits == set("0123456789")
    for ascii_text, native_text in zip(latin, native, strict=True):
        back = ["".join(str(unicodedata.digit(c)) if c.isdecimal() else c for c in s) for s in native_text]
        assert back == ascii_text
    assert native[0] == latin[0]
    assert not set("0123456789") & set("".join(native[2]))


def test_no_raw_identifier_and_no_missing_word_in_any_language():
    texts, _ = parallel_sentences(tuple(LANGUAGES), 150, digits="latin")
    for text in texts:
        joined = " ".join(text)
        assert "temperature-celsius" not in joined
        assert "None" not in joined
        codes = [currency_of(country) for country in World().countries]
        assert not [code for code in codes if f"{code} " in joined or f" {code}" in joined]


def test_what_a_language_says_does_not_depend_on_the_languages_read_before_it():
    # Babel changes aliased data when it reads some locales; a fresh process that reads none shows it.
    call = "parallel_sentences(('pol_Latn', 'swe_Latn'), 60, digits='latin')"
    code = f"from lingua_utils.text.world import parallel_sentences; print(ascii({call}))"
    alone = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    parallel_sentences(tuple(LANGUAGES), 5)
    assert ascii(parallel_sentences(("pol_Latn", "swe_Latn"), 60, digits="latin")) == alone.strip()


def test_sentences_are_joined_and_ended_as_the_language_does():
    sentence = (small_world.Clause("language", "FR"), small_world.Clause("weekday", "JP", 0))
    rendered = {code: small_world.render(sentence, code) for code in ("eng_Latn", "zho_Hans", "hin_Deva")}
    assert rendered == {
        "eng_Latn": "French (France) and Monday (Japan).",
        "zho_Hans": "法语 (法国)和星期一 (日本)。",
        "hin_Deva": "फ़्रेंच (फ़्रांस) और सोमवार (जापान)।",
    }


def test_meanings_are_distinct_and_half_of_them_unbridged():
    texts, kinds = parallel_sentences(None, 200)
    assert len(set(texts[0])) == 200
    assert kinds.count("bridged") == kinds.count("unbridged") == 100


def test_kinds_tell_which_countries_a_sentence_is_about():
    texts, kinds = parallel_sentences(("eng_Latn", "fra_Latn"), 100)
    unbridged = set(World().unbridged)
    for text, kind in zip(texts[0], kinds, strict=True):
        assert (countries_named(text) <= unbridged) == (kind == "unbridged")


def test_few_sentences_share_a_pair_of_countries():
    texts, kinds = parallel_sentences(("eng_Latn", "fra_Latn"), 100)
    pairs = [
        frozenset(countries_named(s)) for s, kind in zip(texts[0], kinds, strict=True) if kind == "bridged"
    ]
    assert len(set(pairs)) >= 45


def test_a_sentence_says_each_thing_once():
    rng = random.Random(0)
    world = World()
    for order in world.orders["train", False]:
        sentence = small_world.compose(rng, frozenset({"FR", "JP"}), order)
        assert tuple(clause.kind for clause in sentence) == order
        assert len({(clause.kind, clause.country) for clause in sentence}) == len(sentence)
        assert small_world.countries_of(sentence) == {"FR", "JP"}


@pytest.mark.parametrize(
    "dials, message",
    [
        ({"n_unbridged": 2}, "n_unbridged is 2"),
        ({"n_countries": 99}, "is 93"),
        ({"bilingual_share": 1.5}, "bilingual_share is 1.5"),
        ({"second": "twice"}, "unknown second 'twice'"),
        ({"n_clauses": (1, 2)}, "n_clauses"),
    ],
)
def test_impossible_dials_are_refused_by_name_and_number(dials, message):
    with pytest.raises(ValueError, match=message):
        World(**dials)


def test_unknown_choices_and_too_many_sentences_are_refused():
    with pytest.raises(ValueError, match="unknown split 'valid'"):
        parallel_sentences(None, 10, split="valid")
    with pytest.raises(ValueError, match="unknown digits 'roman'"):
        parallel_sentences(None, 10, digits="roman")
    with pytest.raises(ValueError, match="ask for fewer"):
        parallel_sentences(("eng_Latn", "fra_Latn"), 10_000_000, world=World(4, 0, n_clauses=(2,)))


def test_a_smaller_world_has_fewer_countries():
    world = World(n_countries=10, n_unbridged=3)
    assert len(world.countries) == 10 and len(world.unbridged) == 3
    _, kinds = parallel_sentences(None, 20, world=world)
    assert set(kinds) == {"bridged", "unbridged"}
