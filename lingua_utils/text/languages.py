"""The languages of the book, and the only place where the code systems meet.

A language is named by its FLORES-200 code, ISO 639-3 and ISO 15924: ``"eng_Latn"``. Its CLDR
identifier is what Babel renders with, and XL-Sum and XStoryCloze have names of their own. What any data
set or file calls a language is turned into its code by `find_language`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Language:
    """One written language, in every code system that the book reads.

    Attributes
    ----------
    code : str
        FLORES-200 code, such as ``"zho_Hans"``.
    name, endonym : str
        What English calls the language, and what it calls itself.
    family : str
        Top-level family, after Glottolog; ``"Basque"`` is a family of one.
    cldr : str
        CLDR locale identifier, as ``babel.Locale.parse`` takes it.
    xlsum, xstory_cloze : str or None
        The language's name in those data sets; None where they lack it.
    """

    code: str
    name: str
    endonym: str
    family: str
    cldr: str
    xlsum: str | None = None
    xstory_cloze: str | None = None

    @property
    def script(self) -> str:
        """ISO 15924 code of the script, such as ``"Latn"`` or ``"Hans"``."""
        return self.code.partition("_")[2]


_AFRO_ASIATIC, _ATLANTIC_CONGO, _AUSTROASIATIC = "Afro-Asiatic", "Atlantic-Congo", "Austroasiatic"
_AUSTRONESIAN, _BASQUE, _DRAVIDIAN = "Austronesian", "Basque", "Dravidian"
_INDO_EUROPEAN, _JAPONIC, _KARTVELIAN = "Indo-European", "Japonic", "Kartvelian"
_KOREANIC, _MONGOLIC, _SINO_TIBETAN = "Koreanic", "Mongolic", "Sino-Tibetan"
_TAI_KADAI, _TURKIC, _URALIC = "Tai-Kadai", "Turkic", "Uralic"

# code, English name, own name, family, CLDR, XL-Sum, XStoryCloze; sorted by code.
_TABLE = (
    Language("afr_Latn", "Afrikaans", "Afrikaans", _INDO_EUROPEAN, "af"),
    Language("als_Latn", "Albanian", "shqip", _INDO_EUROPEAN, "sq"),
    Language("amh_Ethi", "Amharic", "አማርኛ", _AFRO_ASIATIC, "am", "amharic"),
    Language("arb_Arab", "Arabic", "العربية", _AFRO_ASIATIC, "ar", "arabic", "ar"),
    Language("asm_Beng", "Assamese", "অসমীয়া", _INDO_EUROPEAN, "as"),
    Language("azj_Latn", "Azerbaijani", "azərbaycan dili", _TURKIC, "az", "azerbaijani"),
    Language("bel_Cyrl", "Belarusian", "беларуская", _INDO_EUROPEAN, "be"),
    Language("ben_Beng", "Bengali", "বাংলা", _INDO_EUROPEAN, "bn", "bengali"),
    Language("bos_Latn", "Bosnian", "bosanski", _INDO_EUROPEAN, "bs"),
    Language("bul_Cyrl", "Bulgarian", "български", _INDO_EUROPEAN, "bg"),
    Language("cat_Latn", "Catalan", "català", _INDO_EUROPEAN, "ca"),
    Language("ces_Latn", "Czech", "čeština", _INDO_EUROPEAN, "cs"),
    Language("cym_Latn", "Welsh", "Cymraeg", _INDO_EUROPEAN, "cy", "welsh"),
    Language("dan_Latn", "Danish", "dansk", _INDO_EUROPEAN, "da"),
    Language("deu_Latn", "German", "Deutsch", _INDO_EUROPEAN, "de"),
    Language("ell_Grek", "Greek", "Ελληνικά", _INDO_EUROPEAN, "el"),
    Language("eng_Latn", "English", "English", _INDO_EUROPEAN, "en", "english", "en"),
    Language("est_Latn", "Estonian", "eesti keel", _URALIC, "et"),
    Language("eus_Latn", "Basque", "euskara", _BASQUE, "eu", None, "eu"),
    Language("fin_Latn", "Finnish", "suomi", _URALIC, "fi"),
    Language("fra_Latn", "French", "français", _INDO_EUROPEAN, "fr", "french"),
    Language("gla_Latn", "Scottish Gaelic", "Gàidhlig", _INDO_EUROPEAN, "gd", "scottish_gaelic"),
    Language("gle_Latn", "Irish", "Gaeilge", _INDO_EUROPEAN, "ga"),
    Language("glg_Latn", "Galician", "galego", _INDO_EUROPEAN, "gl"),
    Language("guj_Gujr", "Gujarati", "ગુજરાતી", _INDO_EUROPEAN, "gu", "gujarati"),
    Language("hau_Latn", "Hausa", "Hausa", _AFRO_ASIATIC, "ha", "hausa"),
    Language("heb_Hebr", "Hebrew", "עברית", _AFRO_ASIATIC, "he"),
    Language("hin_Deva", "Hindi", "हिन्दी", _INDO_EUROPEAN, "hi", "hindi", "hi"),
    Language("hrv_Latn", "Croatian", "hrvatski", _INDO_EUROPEAN, "hr"),
    Language("hun_Latn", "Hungarian", "magyar", _URALIC, "hu"),
    Language("hye_Armn", "Armenian", "հայերեն", _INDO_EUROPEAN, "hy"),
    Language("ind_Latn", "Indonesian", "Bahasa Indonesia", _AUSTRONESIAN, "id", "indonesian", "id"),
    Language("isl_Latn", "Icelandic", "íslenska", _INDO_EUROPEAN, "is"),
    Language("ita_Latn", "Italian", "italiano", _INDO_EUROPEAN, "it"),
    Language("jav_Latn", "Javanese", "Basa Jawa", _AUSTRONESIAN, "jv"),
    Language("jpn_Jpan", "Japanese", "日本語", _JAPONIC, "ja", "japanese"),
    Language("kan_Knda", "Kannada", "ಕನ್ನಡ", _DRAVIDIAN, "kn"),
    Language("kat_Geor", "Georgian", "ქართული", _KARTVELIAN, "ka"),
    Language("kaz_Cyrl", "Kazakh", "қазақ тілі", _TURKIC, "kk"),
    Language("khk_Cyrl", "Mongolian", "монгол хэл", _MONGOLIC, "mn"),
    Language("khm_Khmr", "Khmer", "ភាសាខ្មែរ", _AUSTROASIATIC, "km"),
    Language("kir_Cyrl", "Kyrgyz", "кыргызча", _TURKIC, "ky", "kyrgyz"),
    Language("kor_Hang", "Korean", "한국어", _KOREANIC, "ko", "korean"),
    Language("lao_Laoo", "Lao", "ພາສາລາວ", _TAI_KADAI, "lo"),
    Language("lit_Latn", "Lithuanian", "lietuvių kalba", _INDO_EUROPEAN, "lt"),
    Language("lvs_Latn", "Latvian", "latviešu valoda", _INDO_EUROPEAN, "lv"),
    Language("mal_Mlym", "Malayalam", "മലയാളം", _DRAVIDIAN, "ml"),
    Language("mar_Deva", "Marathi", "मराठी", _INDO_EUROPEAN, "mr", "marathi"),
    Language("mkd_Cyrl", "Macedonian", "македонски", _INDO_EUROPEAN, "mk"),
    Language("mya_Mymr", "Burmese", "မြန်မာဘာသာ", _SINO_TIBETAN, "my", "burmese", "my"),
    Language("nld_Latn", "Dutch", "Nederlands", _INDO_EUROPEAN, "nl"),
    Language("nob_Latn", "Norwegian Bokmål", "norsk bokmål", _INDO_EUROPEAN, "nb"),
    Language("npi_Deva", "Nepali", "नेपाली", _INDO_EUROPEAN, "ne", "nepali"),
    Language("ory_Orya", "Odia", "ଓଡ଼ିଆ", _INDO_EUROPEAN, "or"),
    Language("pan_Guru", "Punjabi", "ਪੰਜਾਬੀ", _INDO_EUROPEAN, "pa", "punjabi"),
    Language("pbt_Arab", "Pashto", "پښتو", _INDO_EUROPEAN, "ps", "pashto"),
    Language("pes_Arab", "Persian", "فارسی", _INDO_EUROPEAN, "fa", "persian"),
    Language("pol_Latn", "Polish", "polski", _INDO_EUROPEAN, "pl"),
    Language("por_Latn", "Portuguese", "português", _INDO_EUROPEAN, "pt", "portuguese"),
    Language("ron_Latn", "Romanian", "română", _INDO_EUROPEAN, "ro"),
    Language("rus_Cyrl", "Russian", "русский", _INDO_EUROPEAN, "ru", "russian", "ru"),
    Language("sin_Sinh", "Sinhala", "සිංහල", _INDO_EUROPEAN, "si", "sinhala"),
    Language("slk_Latn", "Slovak", "slovenčina", _INDO_EUROPEAN, "sk"),
    Language("slv_Latn", "Slovenian", "slovenščina", _INDO_EUROPEAN, "sl"),
    Language("snd_Arab", "Sindhi", "سنڌي", _INDO_EUROPEAN, "sd"),
    Language("som_Latn", "Somali", "Soomaali", _AFRO_ASIATIC, "so", "somali"),
    Language("spa_Latn", "Spanish", "español", _INDO_EUROPEAN, "es", "spanish", "es"),
    Language("srp_Cyrl", "Serbian", "српски", _INDO_EUROPEAN, "sr", "serbian_cyrillic"),
    Language("swe_Latn", "Swedish", "svenska", _INDO_EUROPEAN, "sv"),
    Language("swh_Latn", "Swahili", "Kiswahili", _ATLANTIC_CONGO, "sw", "swahili", "sw"),
    Language("tam_Taml", "Tamil", "தமிழ்", _DRAVIDIAN, "ta", "tamil"),
    Language("tel_Telu", "Telugu", "తెలుగు", _DRAVIDIAN, "te", "telugu", "te"),
    Language("tgl_Latn", "Filipino", "Filipino", _AUSTRONESIAN, "fil"),
    Language("tha_Thai", "Thai", "ไทย", _TAI_KADAI, "th", "thai"),
    Language("tuk_Latn", "Turkmen", "türkmen dili", _TURKIC, "tk"),
    Language("tur_Latn", "Turkish", "Türkçe", _TURKIC, "tr", "turkish"),
    Language("ukr_Cyrl", "Ukrainian", "українська", _INDO_EUROPEAN, "uk", "ukrainian"),
    Language("urd_Arab", "Urdu", "اردو", _INDO_EUROPEAN, "ur", "urdu"),
    Language("uzn_Latn", "Uzbek", "o‘zbekcha", _TURKIC, "uz", "uzbek"),
    Language("vie_Latn", "Vietnamese", "Tiếng Việt", _AUSTROASIATIC, "vi", "vietnamese"),
    Language(
        "zho_Hans", "Chinese (Simplified)", "简体中文", _SINO_TIBETAN, "zh_Hans", "chinese_simplified", "zh"
    ),
    Language(
        "zho_Hant", "Chinese (Traditional)", "繁體中文", _SINO_TIBETAN, "zh_Hant", "chinese_traditional"
    ),
    Language("zsm_Latn", "Malay", "Bahasa Melayu", _AUSTRONESIAN, "ms"),
    Language("zul_Latn", "Zulu", "isiZulu", _ATLANTIC_CONGO, "zu"),
)

LANGUAGES: dict[str, Language] = {language.code: language for language in _TABLE}
"""Every language the book knows, by FLORES-200 code."""

DEFAULT_LANGUAGES: tuple[str, ...] = (
    "eng_Latn",
    "zho_Hans",
    "zho_Hant",
    "fra_Latn",
    "spa_Latn",
    "por_Latn",
    "arb_Arab",
    "vie_Latn",
    "hin_Deva",
    "ind_Latn",
)
"""The ten languages of Zeng et al. (2025), which every stage uses unless told otherwise."""


def get_language(code: str) -> Language:
    """Look up a language by its FLORES-200 code.

    Raises
    ------
    ValueError
        For an unknown code; the message names the nearest known ones, found by ISO or CLDR code,
        by name and by spelling.

    Examples
    --------
    >>> get_language("swh_Latn").endonym
    'Kiswahili'
    """
    try:
        return LANGUAGES[code]
    except (KeyError, TypeError):
        nearest = ", ".join(_nearest(str(code)))
        raise ValueError(
            f"unknown language code {code!r}; nearest known: {nearest} "
            f"(all {len(LANGUAGES)} are in lingua_utils.text.languages.LANGUAGES)"
        ) from None


def check_languages(codes: str | Sequence[str] | None = None) -> tuple[str, ...]:
    """Turn any accepted way of naming languages into a tuple of known codes, in the order given.

    Parameters
    ----------
    codes : str, sequence of str, or None
        None or ``"default"`` for the default ten; a string such as ``"eng_Latn, fra_Latn hin_Deva"``
        is split at commas and spaces.

    Raises
    ------
    ValueError
        For an unknown code, one given twice, or none at all.
    """
    if codes is None or (isinstance(codes, str) and codes.strip() == "default"):
        return DEFAULT_LANGUAGES
    if isinstance(codes, str):
        codes = re.findall(r"[^\s,]+", codes)
    checked = tuple(get_language(code).code for code in codes)
    if not checked:
        raise ValueError(
            "no language given; name FLORES-200 codes such as 'eng_Latn, fra_Latn', or 'default'"
        )
    repeated = sorted({code for code in checked if checked.count(code) > 1})
    if repeated:
        raise ValueError(f"language given more than once: {', '.join(repeated)}; name each language once")
    return checked


def find_language(name: str, system: str | None = None) -> str | None:
    """Code of the language that a data set or a file calls `name`; None if it is no language of the book.

    Known are FLORES-200 and FLORES+ codes, ISO 639-3 of a language or of the group it is filed under, ISO
    639-1, CLDR identifiers, and the names of XL-Sum and XStoryCloze; hyphens and underscores, capitals and
    small letters are the same.

    Parameters
    ----------
    name : str
        Such as ``"cmn_Hans"``, ``"zho-CN"``, ``"zh"``, ``"chinese_simplified"``.
    system : {"pud"}, optional
        A data set in which some names mean another language: the Chinese of PUD is traditional.

    Examples
    --------
    >>> [find_language(name) for name in ("en", "cmn_Hans", "zh-TW", "swa_Latn", "pidgin")]
    ['eng_Latn', 'zho_Hans', 'zho_Hant', 'swh_Latn', None]
    """
    tag = _plain(name)
    return _MEANT.get(system, {}).get(tag) or _CODES.get(tag)


def _nearest(wanted: str, n: int = 4) -> list[str]:
    """Codes nearest to `wanted`: those it names in another way first, then by spelling."""
    spellings = {code: [spelling.lower() for spelling in _spellings(code)] for code in LANGUAGES}
    wanted = wanted.strip().lower().replace("-", "_")
    language_part = wanted.partition("_")[0]

    def closeness(code: str) -> tuple[bool, bool, float]:
        ratio = max(difflib.SequenceMatcher(None, wanted, spelling).ratio() for spelling in spellings[code])
        return wanted in spellings[code], language_part in spellings[code], ratio

    return sorted(LANGUAGES, key=closeness, reverse=True)[:n]


def _spellings(code: str) -> list[str]:
    """Other ways to write a language: its codes in full and without the script, and its names."""
    language = LANGUAGES[code]
    plain_name = language.name.partition(" (")[0]
    names = [language.name, plain_name, language.endonym, language.xlsum or language.name]
    return [code, code.partition("_")[0], language.cldr, language.cldr.partition("_")[0], *names]


# What other data sets call the same: the group that ISO 639-3 files a language under, and newer codes.
_OTHER_ISO = {
    "als": ("sqi",),
    "arb": ("ara",),
    "azj": ("aze",),
    "est": ("ekk",),
    "khk": ("mon",),
    "lvs": ("lav",),
    "nob": ("nor", "no"),
    "npi": ("nep",),
    "ory": ("ori",),
    "pbt": ("pus",),
    "pes": ("fas",),
    "swh": ("swa",),
    "tgl": ("fil", "tl"),
    "uzn": ("uzb",),
    "zho": ("cmn",),
    "zsm": ("msa",),
}
_REGIONS = {"zho_Hans": ("zh_cn", "zho_cn"), "zho_Hant": ("zh_tw", "zho_tw"), "por_Latn": ("pt_br", "pt_pt")}
_MEANT = {"pud": {"zh": "zho_Hant"}}


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "_")


def _names(language: Language) -> list[str]:
    """Every way to write a language, the clearest first."""
    iso, script = language.code.split("_")
    isos = (iso, *_OTHER_ISO.get(iso, ()))
    names = [f"{other}_{script}" for other in isos] + [language.cldr, *_REGIONS.get(language.code, ())]
    names += [name for name in (language.xlsum, language.xstory_cloze) if name]
    return [_plain(name) for name in (*names, *isos, language.cldr.partition("_")[0])]


# Codes in full name one language each; of two that share a shorter name, the first in order has it.
_CODES: dict[str, str] = {}
for _language in _TABLE:
    for _name in _names(_language):
        _CODES.setdefault(_name, _language.code)
