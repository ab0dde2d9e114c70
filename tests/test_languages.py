import re

import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st

from lingua_utils.text.languages import DEFAULT_LANGUAGES, LANGUAGES, check_languages, get_language

CODES = sorted(LANGUAGES)


def test_there_are_sixty_languages_twelve_families_and_twelve_scripts():
    assert len(LANGUAGES) >= 60
    assert len({language.family for language in LANGUAGES.values()}) >= 12
    assert len({language.script for language in LANGUAGES.values()}) >= 12


def test_the_default_ten_are_those_of_the_paper_in_order():
    assert " ".join(DEFAULT_LANGUAGES) == (
        "eng_Latn zho_Hans zho_Hant fra_Latn spa_Latn por_Latn arb_Arab vie_Latn hin_Deva ind_Latn"
    )


@pytest.mark.parametrize("code", CODES)
def test_a_language_has_a_flores_code_that_babel_can_speak(code):
    language = LANGUAGES[code]
    assert language.code == code and re.fullmatch("[a-z]{3}_[A-Z][a-z]{3}", code)
    assert language.script == code[-4:]
    assert Locale.parse(language.cldr).territories["FR"]


@pytest.mark.parametrize("code", CODES)
def test_an_endonym_holds_the_name_that_the_language_gives_itself(code):
    language = LANGUAGES[code]
    locale = Locale.parse(language.cldr)
    own_name = locale.languages[locale.language].casefold()
    assert own_name.split()[0] in language.endonym.casefold() or language.endonym.casefold() in own_name


@pytest.mark.parametrize("code", CODES)
def test_an_endonym_is_written_in_the_script_of_its_code(code):
    is_latin = re.search("[A-Za-z]", LANGUAGES[code].endonym) is not None
    assert is_latin == (LANGUAGES[code].script == "Latn")


@pytest.mark.parametrize("field", ["name", "endonym", "cldr", "xlsum", "xstory_cloze"])
def test_no_two_languages_share_a_name(field):
    values = [value for language in LANGUAGES.values() if (value := getattr(language, field)) is not None]
    assert len(values) == len(set(values))


@pytest.mark.parametrize(
    ("wanted", "nearest"),
    [
        ("en", "eng_Latn"),
        ("eng", "eng_Latn"),
        ("English", "eng_Latn"),
        ("eng_latn", "eng_Latn"),
        ("en-US", "eng_Latn"),
        ("zho", "zho_Hans"),
        ("cmn_Hans", "zho_Hans"),
        ("deutsch", "deu_Latn"),
        ("Norwegian", "nob_Latn"),
        ("fra_Latin", "fra_Latn"),
        ("हिन्दी", "hin_Deva"),
    ],
)
def test_an_unknown_code_is_answered_with_the_nearest_known(wanted, nearest):
    with pytest.raises(ValueError, match=rf"unknown language code '{wanted}'; nearest known: .*{nearest}"):
        get_language(wanted)


@given(st.text(max_size=12).filter(lambda code: code not in LANGUAGES))
def test_any_unknown_code_gets_one_line_with_known_codes(code):
    with pytest.raises(ValueError) as caught:
        get_language(code)
    assert "\n" not in str(caught.value)
    assert any(known in str(caught.value) for known in LANGUAGES)


def test_none_and_default_are_the_ten():
    assert check_languages() == check_languages(None) == check_languages("default") == DEFAULT_LANGUAGES


@given(
    st.lists(st.sampled_from(CODES), min_size=1, max_size=8, unique=True), st.sampled_from([" ", ",", ", "])
)
def test_a_string_and_a_sequence_of_codes_say_the_same(codes, separator):
    assert check_languages(separator.join(codes)) == check_languages(codes) == tuple(codes)


def test_a_repeated_language_is_refused():
    with pytest.raises(ValueError, match="more than once: fra_Latn"):
        check_languages("fra_Latn, eng_Latn, fra_Latn")


@pytest.mark.parametrize("nothing", ["", " , ", []])
def test_no_language_is_refused(nothing):
    with pytest.raises(ValueError, match="no language given"):
        check_languages(nothing)
