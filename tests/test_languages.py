import csv
import re
from pathlib import Path

import langcodes
import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st

from lingua_utils.text import languages, phrasebook, world
from lingua_utils.text.languages import (
    DEFAULT_LANGUAGES,
    LANGUAGES,
    check_languages,
    different_family,
    different_script,
    find_language,
    get_language,
)

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


NEAREST = dict.fromkeys(("en", "eng", "English", "eng_latn", "en-US"), "eng_Latn")
NEAREST |= {"zho": "zho_Hans", "cmn_Hans": "zho_Hans", "deutsch": "deu_Latn", "Norwegian": "nob_Latn"}
NEAREST |= {"fra_Latin": "fra_Latn", "हिन्दी": "hin_Deva"}


@pytest.mark.parametrize(("wanted", "nearest"), NEAREST.items())
def test_an_unknown_code_is_answered_with_the_nearest_known(wanted, nearest):
    with pytest.raises(ValueError, match=rf"unknown language code '{wanted}'; nearest known: .*{nearest}"):
        get_language(wanted)


@given(st.text(max_size=12).filter(lambda code: code not in LANGUAGES))
def test_any_unknown_code_gets_one_line_with_known_codes(code):
    with pytest.raises(ValueError) as caught:
        get_language(code)
    assert "\n" not in str(caught.value)
    assert any(known in str(caught.value) for known in LANGUAGES)


@pytest.mark.parametrize(
    ("code", "name", "endonym", "tag", "family"),
    [
        ("ewe_Latn", "Ewe", "eʋegbe", "ee", "Atlantic-Congo"),
        ("cop_Copt", "Coptic", "Coptic", "cop", "unknown"),
        ("chr_Cher", "Cherokee", "ᏣᎳᎩ", "chr", "Iroquoian"),
        ("prs_Arab", "Dari (Arabic)", "Dari (عربی)", "prs-Arab", "Indo-European"),
        ("srp_Latn", "Serbian (Latin)", "srpski (latinica)", "sr-Latn", "Indo-European"),
    ],
)
def test_any_well_formed_code_is_a_language_under_its_own_name(code, name, endonym, tag, family):
    language = get_language(code)
    assert (language.name, language.endonym, language.family, language.tag) == (name, endonym, family, tag)
    assert check_languages(f"eng_Latn {code}") == ("eng_Latn", code)


@pytest.mark.parametrize(
    "code",
    [
        "xxx_Latn",
        "qaa_Latn",
        "und_Latn",
        "mul_Latn",
        "eng_Data",
        "eng_Zyyy",
        "eng_Qaaa",
        "fre_Latn",
        "ee_Latn",
    ],
)
def test_a_code_that_only_looks_like_one_is_unknown(code):
    with pytest.raises(ValueError, match=f"unknown language code '{code}'"):
        get_language(code)


def test_every_name_that_data_sets_use_leads_to_its_language():
    for code, language in LANGUAGES.items():
        names = [code, code.replace("_", "-"), language.xlsum, language.xstory_cloze]
        assert {find_language(name) for name in names if name} == {code}


def test_other_code_systems_meet_in_the_book_codes():
    names = ("cmn_Hans", "cmn_Hant", "zho-TW", "zh", "swa_Latn", "fil_Latn", "pt", "nobody")
    codes = ("zho_Hans", "zho_Hant", "zho_Hant", "zho_Hans", "swh_Latn", "tgl_Latn", "por_Latn", None)
    assert tuple(map(find_language, names)) == codes


def test_a_language_of_the_table_has_no_second_code():
    for code in ("cmn_Hans", "swa_Latn", "ekk_Latn", "kor_Kore"):
        assert find_language(code) in LANGUAGES
        with pytest.raises(ValueError, match=f"nearest known: .*{find_language(code)}"):
            get_language(code)


def test_a_bare_code_outside_the_table_is_a_name_only_where_a_language_is_expected():
    assert [find_language(name) for name in ("dev", "cop", "tat", "ewe-Latn")] == [None] * 3 + ["ewe_Latn"]
    assert [find_language(name, likely=True) for name in ("cop", "tat", "ee", "und", "zz", "pidgin")] == [
        *("cop_Copt", "tat_Cyrl", "ewe_Latn"),
        *(None, None, None),
    ]


def test_arabic_and_hebrew_scripts_run_from_right_to_left():
    codes = ("arb_Arab", "urd_Arab", "heb_Hebr", "ydd_Hebr", "eng_Latn", "zho_Hans", "azj_Latn")
    assert [get_language(code).is_right_to_left for code in codes] == [True] * 4 + [False] * 3


def test_tags_are_those_of_bcp_47():
    assert [get_language(code).tag for code in ("eng_Latn", "zho_Hant", "tgl_Latn")] == [
        "en",
        "zh-Hant",
        "fil",
    ]
    assert all(langcodes.tag_is_valid(language.tag) for language in LANGUAGES.values())


def test_speakers_are_counted_in_whatever_script_and_unknown_where_cldr_has_none():
    codes = ("eng_Latn", "zho_Hans", "zho_Hant", "mlt_Latn")
    speakers = {code: get_language(code).speakers for code in codes}
    assert speakers["zho_Hans"] == speakers["zho_Hant"] > 1e9 and speakers["eng_Latn"] > 1e9
    assert 2e5 < speakers["mlt_Latn"] < 1e6
    assert get_language("plt_Latn").speakers == langcodes.get("mg").speaking_population() > 1e7
    assert get_language("cot_Latn").speakers is None


def test_pairs_differ_in_script_or_in_a_family_that_is_known():
    assert different_script("hin_Deva", "urd_Arab") and not different_script("eng_Latn", "vie_Latn")
    assert not different_script("zho_Hans", "zho_Hant") and not different_script("jpn_Jpan", "zho_Hans")
    assert different_family("eng_Latn", "vie_Latn") and not different_family("hin_Deva", "urd_Arab")
    assert different_family("ewe_Latn", "eng_Latn") and not different_family("cop_Copt", "eng_Latn")
    assert not different_family("epo_Latn", "vie_Latn")


@pytest.mark.parametrize("make", [phrasebook.parallel_sentences, world.parallel_sentences])
def test_text_is_generated_in_languages_of_the_table_only(make):
    with pytest.raises(ValueError, match=r"no text can be generated in ewe_Latn, .*languages\.csv"):
        make("eng_Latn ewe_Latn", 2)


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


# ---- facts of languages without a locale ----------------------------------------------------------------

with (Path(languages.__file__).parent / "languages.csv").open(encoding="utf-8", newline="") as file:
    ROWS = {row["code"]: row for row in csv.DictReader(file)}
AREAS = {"Africa", "Australia", "Eurasia", "North America", "Papunesia", "South America"}


def test_the_file_has_the_order_of_codes_and_no_code_twice():
    lines = (Path(languages.__file__).parent / "languages.csv").read_text(encoding="utf-8").splitlines()[1:]
    codes = [line.partition(",")[0] for line in lines]
    assert codes == sorted(set(codes)) and len(codes) > 360


@pytest.mark.parametrize("code", [code for code, row in ROWS.items() if not row["cldr"]])
def test_the_names_in_the_file_are_those_of_langcodes(code):
    language = get_language(code)
    assert (ROWS[code]["name"], ROWS[code]["endonym"]) == (language.name, language.endonym)


def test_every_language_of_the_file_has_a_family_an_area_and_a_place_but_the_constructed():
    for language in map(get_language, ROWS):
        if language.family == "constructed":
            assert (language.area, language.latitude, language.longitude) == (None, None, None)
        else:
            assert language.family != "unknown" and language.area in AREAS
            assert -60 < language.latitude < 80 and -180 <= language.longitude <= 180


@pytest.mark.parametrize(
    ("code", "area", "latitude", "longitude"),
    [
        ("isl_Latn", "Eurasia", 63, -17),
        ("ace_Latn", "Papunesia", 4, 97),
        ("zgh_Tfng", "Africa", 32, -6),
        ("swh_Latn", "Africa", -8, 37),
        ("quy_Latn", "South America", -14, -74),
        ("fij_Latn", None, None, None),
        ("chr_Cher", "North America", 35, -83),
    ],
)
def test_a_language_lies_where_it_is_spoken(code, area, latitude, longitude):
    language = get_language(code)
    assert language.area == area
    if area:
        assert language.latitude == pytest.approx(latitude, abs=3)
        assert language.longitude == pytest.approx(longitude, abs=3)
