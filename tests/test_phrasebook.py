import itertools
import pickle
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import babel.localedata
import numpy as np
import pytest
from babel import Locale
from babel.core import get_global
from hypothesis import given, settings
from hypothesis import strategies as st

from lingua_utils.text import cldr, phrasebook
from lingua_utils.text.languages import DEFAULT_LANGUAGES, LANGUAGES
from lingua_utils.text.phrasebook import KINDS, frame_texts, parallel_sentences, sentence_mark

CODES = sorted(LANGUAGES)
FRAMES = [(kind.name, argument) for kind in KINDS for argument in kind.arguments]
SMALL = ("eng_Latn", "arb_Arab", "tha_Thai", "hin_Deva")


def frames_of(code, name, native_digits=False):
    """The arguments and texts of one kind in one language."""
    texts = frame_texts(code, native_digits)
    said = zip(FRAMES, texts, strict=True)
    return [(argument, text) for (kind, argument), text in said if kind == name and text]


def own_data(identifier):
    """What CLDR says for a locale and its parents but the root, read past Babel's merging."""
    while identifier != "root":
        yield pickle.loads(Path(babel.localedata.resolve_locale_filename(identifier)).read_bytes())
        parent = get_global("parent_exceptions").get(identifier) or identifier.rpartition("_")[0]
        identifier = "root" if identifier == "zh_Hant" else parent or "root"


def test_no_two_kinds_of_frame_have_one_name():
    assert len({kind.name for kind in KINDS}) == len(KINDS)


def test_frames_say_what_their_arguments_mean():
    english = {frame: text for frame, text in zip(FRAMES, frame_texts("eng_Latn"), strict=True)}
    (day,) = next(argument for kind, argument in FRAMES if kind == "date")
    assert english["date", (day,)] == f"{day:%A}, {day:%B} {day.day}, {day.year}"
    assert english["place with currency", ("JP", "JPY")] == "Japan (Japanese Yen)"
    assert english["place with language", ("BR", "pt")] == "Brazil (Portuguese)"
    assert english["weekdays", (0, 2, 6)] == "Monday, Wednesday, and Sunday"
    for (amount, unit), text in frames_of("eng_Latn", "measure"):
        assert text.startswith(f"{amount} ")
        assert unit != "length-kilometer" or text == f"{amount} kilometers"


@pytest.mark.parametrize("code", CODES)
def test_no_language_says_a_raw_identifier(code):
    raw = re.compile(
        r"(length|mass|volume|area|speed|temperature|power|electric|digital|frequency|energy|duration)-[a-z]"
        r"|\bM\d\d\b|[{}¤↑]|\d\s*(?<![A-Z])[A-Z]{3}$|^[A-Z]{2}\b$"
    )
    assert [text for text in frame_texts(code) if text and raw.search(text)] == []


@pytest.mark.parametrize("code", [code for code in CODES if LANGUAGES[code].script != "Latn"])
def test_no_language_of_another_script_answers_in_latin_letters(code):
    texts = [*filter(None, frame_texts(code)), *filter(None, frame_texts(code, native_digits=True))]
    assert [text for text in texts if re.search("[A-Za-z]", text)] == []


@pytest.mark.parametrize("code", [code for code in CODES if code != "eng_Latn"])
def test_no_language_falls_back_to_english_or_the_root(code):
    """Every name that is used is in the language's own CLDR file, not inherited."""
    fields = {"places": "territories", "languages": "languages", "scripts": "scripts"}
    fields |= {"currencies": "currency_names", "time zone": "meta_zones"}
    locale = str(Locale.parse(LANGUAGES[code].cldr))
    own = {field: set() for field in fields.values()}
    for data in own_data(locale):
        for field, names in own.items():
            names.update(data.get(field, ()))
    for kind, field in fields.items():
        used = {name for argument, _ in frames_of(code, kind) for name in argument}
        assert used and used <= own[field]
    english_words = r"\b(Sun|Mon|Tue|Wed|Thu|Fri|Sat|\w*day|January|weeks?|months?|hours?|ago)\b"
    calendar = ("date", "month and year", "weekday and time", "relative time")
    calendar += ("duration", "weekdays", "months")
    texts = [text for kind in calendar for _, text in frames_of(code, kind)]
    assert [text for text in texts if re.search(english_words, text)] == []


@pytest.mark.parametrize("code", CODES)
def test_patterns_are_the_languages_own_and_not_the_roots(code):
    locale, root = Locale.parse(LANGUAGES[code].cldr), Locale("root")
    for argument, text in frames_of(code, "relative time"):
        steps, unit = argument
        assert text not in (f"+{steps} {unit[0]}", f"{steps} {unit[0]}")
    for (number,), text in frames_of(code, "large number"):
        assert not re.fullmatch(r"[\d.,٫]+[KMGBT]", text), (number, text)
    for (amount, unit), text in frames_of(code, "measure"):
        symbol = root._data["unit_patterns"][unit]["short"]["other"].format(amount)
        assert text != symbol, (locale, unit)


@pytest.mark.parametrize("order", [("zho_Hant", "fra_Latn"), ("fra_Latn", "zho_Hant"), ("bos_Latn",)])
def test_what_a_language_says_does_not_depend_on_the_languages_read_before_it(order):
    # Babel changes data that locales share when it reads some of them: French once had Chinese months.
    called = f"print(ascii([frame_texts(c) for c in {order}]))"
    code = f"from lingua_utils.text.phrasebook import frame_texts; {called}"
    fresh = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert fresh.strip() == ascii([frame_texts(code) for code in order])


def test_a_gap_is_a_gap_and_not_an_identifier():
    zulu = Locale("zu")
    with pytest.raises(KeyError):
        cldr.measure(zulu, "latn", 12, "length-kilometer")
    with pytest.raises(KeyError):
        cldr.money(zulu, "latn", 12, "XXQ")
    with pytest.raises(KeyError):
        cldr.month_and_year(Locale("bs"), "latn", 1898, 3)
    with pytest.raises(KeyError):
        cldr.large_number(Locale("root"), "latn", 63_000_000)


def test_two_items_are_listed_once_where_a_style_has_no_pattern_for_two():
    parts = (9, "duration-minute"), (7, "duration-second")
    assert cldr.duration(Locale("ar"), "latn", *parts).count("7") == 1


@pytest.mark.parametrize("code", DEFAULT_LANGUAGES)
def test_large_numbers_lose_no_figure(code):
    said = frames_of(code, "large number")
    assert said
    for (number,), text in said:
        figures = re.sub(r"\D", "", text).strip("0")
        assert figures == str(number).strip("0"), (number, text)


@pytest.mark.parametrize("digits", phrasebook.DIGITS)
def test_all_languages_together_have_sentences(digits):
    texts = parallel_sentences(CODES, 5, digits=digits)
    assert len(texts) == len(CODES) and all(len(sentences) == 5 for sentences in texts)
    assert all(sentence.strip() == sentence != "" for sentences in texts for sentence in sentences)


def digits_in(texts):
    return {character for text in texts for character in text if unicodedata.category(character) == "Nd"}


@pytest.mark.parametrize("code", CODES)
def test_latin_digits_are_ascii_in_every_language(code):
    assert digits_in(filter(None, frame_texts(code))) <= set("0123456789")


@pytest.mark.parametrize("code", CODES)
def test_native_digits_are_those_that_cldr_names(code):
    system = Locale.parse(LANGUAGES[code].cldr).other_numbering_systems.get("native", "latn")
    texts = list(filter(None, frame_texts(code, native_digits=True)))
    assert digits_in(texts) <= set(cldr.DIGITS[system])
    assert set("".join(texts)) >= set(cldr.DIGITS[system])


@pytest.mark.parametrize("system", sorted(cldr.DIGITS))
def test_digit_tables_count_from_zero_to_nine(system):
    values = [unicodedata.numeric(digit) for digit in cldr.DIGITS[system]]
    assert values == list(range(10))


@pytest.mark.parametrize("codes", [DEFAULT_LANGUAGES, tuple(CODES)])
def test_sentences_without_digits_have_none_in_any_language(codes):
    texts = parallel_sentences(codes, 2000 // len(codes), digits="none")
    characters = {character for sentences in texts for sentence in sentences for character in sentence}
    assert not [one for one in characters if unicodedata.category(one).startswith("N")]


def test_sentences_are_joined_as_the_language_joins_a_list():
    english, chinese = cldr.list_template(Locale("en"), 3), cldr.list_template(Locale("zh"), 4)
    assert (english, chinese) == ("{0}, {1}, and {2}", "{0}、{1}、{2}和{3}")


MARKS = {"eng_Latn": ".", "mar_Deva": ".", "arb_Arab": ".", "tha_Thai": "", "lao_Laoo": "", "urd_Arab": "۔"}
MARKS |= {"zho_Hans": "。", "jpn_Jpan": "。", "hin_Deva": "।", "ben_Beng": "।", "hye_Armn": "։"}
MARKS |= {"amh_Ethi": "።", "mya_Mymr": "။", "khm_Khmr": "។"}


@pytest.mark.parametrize(("code", "mark"), MARKS.items())
def test_a_sentence_ends_with_the_mark_of_its_language(code, mark):
    assert sentence_mark(code) == mark
    for sentence in parallel_sentences(code, 50)[0]:
        assert sentence.endswith(mark) and not (mark and sentence.endswith(mark * 2))


def clause_pairs(codes, n_sentences, split, seed, digits):
    """All pairs of frames that stand together, as numbers of frames of all languages' catalogue."""
    pool = phrasebook._pool(tuple(sorted(codes)), digits)
    identity = {text: number for number, text in enumerate(frame_texts("eng_Latn"))}
    rows = phrasebook._draw_distinct(pool, n_sentences, split, seed)
    named = [[identity[pool.texts["eng_Latn"][frame]] for frame in row if frame >= 0] for row in rows]
    return {frozenset(pair) for row in named for pair in itertools.combinations(row, 2)}


def test_no_two_frames_stand_together_in_two_splits():
    drawn = (("train", DEFAULT_LANGUAGES, 0), ("dev", SMALL, 1), ("test", DEFAULT_LANGUAGES, 2))
    pairs = [clause_pairs(codes, 20_000, split, seed, "latin") for split, codes, seed in drawn]
    for one, other in itertools.combinations(pairs, 2):
        assert one.isdisjoint(other)


def test_every_frame_can_occur_in_every_split():
    pool = phrasebook._pool(tuple(sorted(SMALL)), "none")
    for split in phrasebook.SPLITS:
        rows = phrasebook._draw_distinct(pool, 30_000, split, 0)
        assert set(rows[rows >= 0].tolist()) == set(range(pool.count.sum()))


def test_sentences_have_two_to_four_clauses_of_different_kinds():
    pool = phrasebook._pool(tuple(sorted(SMALL)), "latin")
    rows = phrasebook._draw_distinct(pool, 3000, "train", 0)
    kind_of_frame = np.repeat(np.arange(len(pool.count)), pool.count.sum(axis=(1, 2)))
    lengths = set()
    for row in rows:
        frames = row[row >= 0]
        lengths.add(len(frames))
        assert len(set(kind_of_frame[frames])) == len(frames)
    assert lengths == {2, 3, 4}


def test_no_two_sentences_use_the_same_frames():
    pool = phrasebook._pool(tuple(sorted(SMALL)), "none")
    rows = phrasebook._draw_distinct(pool, 20_000, "dev", 0)
    assert len({frozenset(row[row >= 0].tolist()) for row in rows}) == 20_000


@given(st.permutations(SMALL), st.integers(0, 2**40), st.sampled_from(phrasebook.SPLITS), st.integers(1, 40))
@settings(max_examples=20)
def test_sentences_do_not_depend_on_the_order_of_languages(codes, seed, split, n_sentences):
    shuffled = dict(zip(codes, parallel_sentences(codes, n_sentences, split, seed), strict=True))
    assert [shuffled[code] for code in SMALL] == parallel_sentences(SMALL, n_sentences, split, seed)


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from(phrasebook.SPLITS))
@settings(max_examples=20)
def test_few_sentences_are_the_first_of_many(one, other, split):
    few, many = sorted((one, other))
    longer = parallel_sentences(SMALL, many, split)
    assert [sentences[:few] for sentences in longer] == parallel_sentences(SMALL, few, split)


def test_another_seed_or_split_gives_other_sentences():
    texts = [parallel_sentences(SMALL, 50, split, seed) for split in phrasebook.SPLITS for seed in (0, 1)]
    assert all(one[0] != other[0] for one, other in itertools.combinations(texts, 2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_sentences": 0}, "n_sentences=0 is too small; give 1 or more"),
        ({"n_sentences": 2.5}, r"n_sentences=2.5 is not a whole number"),
        ({"seed": -1}, "seed=-1 is too small; give 0 or more"),
        ({"split": "valid"}, "unknown split 'valid'; choose one of train, dev, test"),
        ({"digits": "arabic"}, "unknown digits 'arabic'; choose one of latin, native, none"),
        ({"languages": "eng_Latn xx"}, "unknown language code 'xx'"),
    ],
)
def test_a_wrong_argument_is_named(arguments, message):
    with pytest.raises(ValueError, match=message) as caught:
        parallel_sentences(**({"languages": SMALL, "n_sentences": 2} | arguments))
    assert "\n" not in str(caught.value)


def test_more_sentences_than_there_are_is_refused(monkeypatch):
    monkeypatch.setattr(phrasebook, "_MAX_CLAUSES", 2)
    monkeypatch.setattr(phrasebook, "_pool", lambda codes, digits: tiny_pool(codes))
    with pytest.raises(ValueError, match=r"n_sentences=5000 is more than .* the dev split has about \d+"):
        parallel_sentences(SMALL, 5000)


def tiny_pool(codes):
    count = np.ones((4, 5, 5), int)
    return phrasebook._Pool({code: ["a"] * 100 for code in codes}, np.arange(100).reshape(4, 5, 5), count)
