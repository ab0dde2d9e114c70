"""Invented languages: exactly parallel, parsed back, and different in what is dialled only."""

import random
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingua_utils.measure.controlled import train_tokenizer
from lingua_utils.text import invented
from lingua_utils.text.corpus import load_corpus
from lingua_utils.text.invented import Invented
from lingua_utils.text.languages import different_script, get_language

ORDERS = ("SVO", "SOV", "VSO", "OVSn", "OSVn", "VOS")
SHARE = st.sampled_from([0.0, 0.3, 1.0])
DIALS = st.builds(
    Invented,
    languages=st.integers(2, 6),
    overlap=SHARE,
    script=st.sampled_from(["disjoint", "same", "clone"]),
    order=st.lists(st.sampled_from(ORDERS), min_size=1, max_size=3).map("/".join),
    morphology=st.sampled_from(["isolating", "agglutinating", "agglutinating/isolating"]),
    false_friends=SHARE,
    homographs=SHARE,
    roles=st.sampled_from(["class", "order", "case"]),
    agreement=st.integers(0, 1),
    paraphrase=st.integers(0, 1),
    embedding=st.integers(0, 2),
    seed=st.integers(0, 3),
)


def words_of(sentences):
    return {word for sentence in sentences for word in sentence.split()}


@given(dials=DIALS, seed=st.integers(0, 10))
def test_every_sentence_parses_back_to_its_meaning_in_every_language(dials, seed):
    meanings = invented.parallel_meanings(dials, 20, seed=seed)
    for tongue, sentences in zip(
        dials.tongues, invented.parallel_sentences(dials, 20, seed=seed), strict=True
    ):
        assert [tongue.parse(sentence) for sentence in sentences] == meanings


def test_a_sentence_with_another_language_s_word_is_refused_by_name():
    one, other = Invented().tongues
    sentence = one.render(invented.parallel_meanings(Invented(), 2)[0])
    stranger = other.words["noun:0"][0]
    with pytest.raises(ValueError, match=f"qaa_Latn has no word '{stranger}'"):
        one.parse(" ".join([stranger, *sentence.split()[1:]]))


def leaked(dials, words):
    """Words of one language that are found among those of another."""
    first, second = ({form for forms in tongue_words.values() for form in forms} for tongue_words in words)
    return first & second


@pytest.mark.parametrize("seed", range(3))
def test_without_overlap_two_languages_share_no_word_whatever_their_scripts(seed):
    for script in ("disjoint", "same"):
        dials = Invented(script=script, seed=seed)
        words = [{**tongue.words, "stop": ()} for tongue in dials.tongues]
        assert leaked(dials, words) == set()


def tokens_in_common(dials):
    """Tokens that the sentences of two languages have in common, beside the special ones."""
    tokenizer = train_tokenizer(dials, 320, seed=0, n_lines=2000)
    used = [
        {i for ids in tokenizer(list(column), add_special_tokens=False)["input_ids"] for i in ids}
        for column in invented.parallel_sentences(dials, 100)
    ]
    return set.intersection(*used) - set(tokenizer.all_special_ids)


def test_two_languages_without_overlap_in_two_scripts_share_no_token_but_the_special_ones():
    assert tokens_in_common(Invented()) == set()
    assert tokens_in_common(Invented(script="clone")) == set()


def test_one_script_or_common_words_make_common_tokens():
    assert tokens_in_common(Invented(script="same"))
    assert tokens_in_common(Invented(overlap=0.2))


def test_a_leaked_word_is_caught(monkeypatch):
    right = invented._lexicon

    def leaking(dials, k):
        words = right(dials, k)
        return words | {"noun:7": right(dials, 0)["noun:7"]} if k else words

    monkeypatch.setattr(invented, "_lexicon", leaking)
    dials = Invented(seed=5)
    words = [{**tongue.words, "stop": ()} for tongue in dials.tongues]
    assert leaked(dials, words) == set(right(dials, 0)["noun:7"])
    assert tokens_in_common(Invented(seed=6))


@pytest.mark.parametrize("overlap", [0.25, 0.5, 0.75])
def test_the_share_of_common_words_is_the_overlap_in_every_kind(overlap):
    one, other = (tongue.words for tongue in Invented(overlap=overlap).tongues)
    for kind, concepts in invented._CONCEPTS.items():
        common = np.mean([one[concept] == other[concept] for concept in concepts])
        assert abs(common - overlap) <= 0.5 / len(concepts) + 1e-9, kind


def test_with_overlap_1_in_one_script_the_languages_are_identical():
    one, other = invented.parallel_sentences(Invented(overlap=1, script="same"))
    assert one == other


def test_a_clone_is_the_first_language_letter_by_letter():
    dials = Invented(script="clone", paraphrase=1, homographs=0.5)
    letters = str.maketrans(invented.SCRIPTS["Latn"], invented.SCRIPTS["Grek"])
    one, other = dials.tongues
    for meaning in invented.parallel_meanings(dials, 50):
        assert one.render(meaning).translate(letters) == other.render(meaning)


def test_crossed_languages_are_two_sets_of_words_in_two_scripts():
    dials = Invented(languages=4, script="crossed")
    assert [get_language(code).script for code in dials.codes] == ["Latn", "Grek", "Latn", "Grek"]
    letters = str.maketrans(invented.SCRIPTS["Latn"], invented.SCRIPTS["Grek"])
    words = [tongue.words["noun:3"][0] for tongue in dials.tongues]
    assert words[0].translate(letters) == words[1] and words[2].translate(letters) == words[3]
    assert words[0] != words[2]


def test_a_false_friend_means_something_else_in_the_first_language():
    one, other = (tongue.words for tongue in Invented(false_friends=0.5).tongues)
    nouns = invented._CONCEPTS["noun"]
    elsewhere = {one[concept]: concept for concept in nouns}
    friends = [concept for concept in nouns if other[concept] in elsewhere]
    assert len(friends) == len(nouns) / 2
    assert all(elsewhere[other[concept]] != concept for concept in friends)


def test_homographs_pair_nouns_of_two_topics_and_other_ones_in_each_language():
    pairs = []
    for tongue in Invented(homographs=1).tongues:
        forms = {}
        for concept in invented._CONCEPTS["noun"]:
            forms.setdefault(tongue.words[concept], []).append(concept)
        assert all(len({invented._topic(c) for c in shared}) == 2 for shared in forms.values())
        pairs.append({tuple(shared) for shared in forms.values()})
    assert not pairs[0] & pairs[1]


def test_swapped_sentences_hold_the_same_words_in_another_order():
    dials = Invented(roles="order")
    meanings = invented.parallel_meanings(dials, 100)
    swapped = [(m, invented.swapped(m)) for m in meanings if invented.swapped(m) in set(meanings)]
    assert len(swapped) > 40
    for meaning, other in swapped:
        plain = [m._replace(agent_plural=False, patient_plural=False) for m in (meaning, other)]
        one, two = (
            dials.tongues[0].render(m._replace(agent_attribute="", patient_attribute="")) for m in plain
        )
        assert one != two and sorted(one.split()) == sorted(two.split())


def test_no_held_out_participants_and_action_are_ever_trained_on():
    dials = Invented(bilingual=0.3, switched=0.2)
    held_out = {
        (frozenset((m.agent, m.patient)), m.action)
        for split in ("dev", "test")
        for m in invented.parallel_meanings(dials, 150, split)
    }
    told = {
        (frozenset((m.agent, m.patient)), m.action)
        for line in islice(invented.training_meanings(dials), 3000)
        for m in (line.meaning, line.second)
        if m is not None
    }
    assert held_out and not held_out & told


def test_a_fact_is_told_in_one_language_and_never_in_a_line_of_two():
    dials = Invented(bilingual=0.5, switched=0.3)
    facts = [
        line
        for line in islice(invented.training_meanings(dials), 4000)
        if line.meaning.action == invented.LIVE
    ]
    assert {line.meaning.agent for line in facts} == set(dials.homes)
    for line in facts:
        assert line.how == "alone"
        assert (line.meaning.place, line.language) == dials.homes[line.meaning.agent]


@given(seed=st.integers(0, 5), bilingual=st.sampled_from([0.0, 0.3]))
def test_a_meaning_told_alone_is_told_in_one_language_only(seed, bilingual):
    told = {}
    for line in islice(invented.training_meanings(Invented(bilingual=bilingual), seed), 1500):
        if line.meaning.action != invented.LIVE:
            told.setdefault(line.meaning, set()).add(
                (line.how, line.language if line.how == "alone" else None)
            )
    assert all(len(ways) == 1 for ways in told.values())


@pytest.mark.parametrize(("dials", "wanted"), [
    (Invented(share=0.9), [0.9, 0.1]),
    (Invented(languages=3, share=0.5), [0.5, 0.25, 0.25]),
])  # fmt: skip
def test_lines_are_shared_out_as_the_dial_says(dials, wanted):
    alone = [
        line
        for line in islice(invented.training_meanings(dials), 6000)
        if line.meaning.action != invented.LIVE
    ]
    found = np.bincount([line.language for line in alone]) / len(alone)
    assert np.abs(found - wanted).max() < 0.03


def test_bilingual_and_switched_lines_are_as_many_as_the_dials_say():
    dials = Invented(bilingual=0.3, switched=0.1)
    rest = [
        line
        for line in islice(invented.training_meanings(dials), 6000)
        if line.meaning.action != invented.LIVE
    ]
    shares = {how: np.mean([line.how == how for line in rest]) for how in ("followed", "switched")}
    assert shares == pytest.approx({"followed": 0.3, "switched": 0.1}, abs=0.03)


def test_mispaired_lines_hold_two_meanings_and_apart_ones_one_language():
    followed = [
        line for line in islice(invented.training_meanings(Invented(bilingual=0.5)), 500) if line.second
    ]
    assert followed and all(line.second == line.meaning for line in followed)
    mispaired = islice(invented.training_meanings(Invented(bilingual=0.5, second="mispaired")), 500)
    mispaired = [line for line in mispaired if line.second]
    assert mispaired and all(line.second != line.meaning for line in mispaired)
    apart = list(islice(invented.training_meanings(Invented(bilingual=0.5, second="apart")), 4000))
    assert all(line.how == "alone" for line in apart)
    told = {}
    for line in apart:
        told.setdefault(line.meaning, set()).add(line.language)
    assert any(len(languages) == 2 for languages in told.values())


def test_languages_of_different_topics_have_no_noun_in_common():
    told = [set(), set()]
    for line in islice(invented.training_meanings(Invented(topics="different")), 3000):
        told[line.language] |= {line.meaning.agent, line.meaning.patient, line.meaning.action} - {
            "",
            invented.LIVE,
        }
    assert not told[0] & told[1]


def test_a_switched_line_holds_words_of_both_languages():
    dials = Invented(switched=1.0)
    words = [{form for forms in tongue.words.values() for form in forms} for tongue in dials.tongues]
    switched = [line.split() for line in invented.training_lines(dials, 200)]
    both = [line for line in switched if set(line) & words[0] and set(line) & words[1]]
    assert len(both) > 100


def test_equal_dials_give_equal_text_and_another_seed_another_lexicon():
    dials = Invented(bilingual=0.2)
    assert list(invented.training_lines(dials, 50)) == list(invented.training_lines(replace(dials), 50))
    assert dials.tongues[0].words["noun:0"] != replace(dials, seed=1).tongues[0].words["noun:0"]


@pytest.mark.parametrize("where", ["own", "other"])
def test_the_right_place_is_where_the_person_lives(where):
    dials = Invented(order="SOV")
    asked = invented.fact_questions(dials, where)
    assert len(asked) == invented.N_PERSONS
    by_code = dict(zip(dials.codes, dials.tongues, strict=True))
    for question in asked:
        said = by_code[question.language].parse(question.options[question.answer])
        place, told_in = dials.homes[said.agent]
        assert said.place == place
        assert (dials.codes[told_in] == question.language) == (where == "own")


def test_a_wrong_translation_differs_in_agent_or_patient_or_both():
    dials = Invented()
    by_code = dict(zip(dials.codes, dials.tongues, strict=True))
    for question in invented.translation_questions(dials, 20):
        other = next(tongue for code, tongue in by_code.items() if code != question.language)
        meant = other.parse(question.context)
        options = [by_code[question.language].parse(option) for option in question.options]
        assert options[question.answer] == meant
        assert all(option[3:] == meant[3:] and option.action == meant.action for option in options)
        differ = sorted((option.agent != meant.agent, option.patient != meant.patient) for option in options)
        assert differ == [(False, False), (False, True), (True, False), (True, True)]


@given(dials=DIALS)
def test_the_line_of_some_dials_reads_back_as_the_same_dials(dials):
    assert Invented.read(dials.spec) == dials


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("invented:overlp=0.5", "no dial 'overlp'; they have languages, overlap"),
        ("invented:overlap=half", "overlap is 'half', which is no float"),
        ("invented:overlap=2", "overlap is 2.0; it is a share from 0 to 1"),
        ("invented:script=runes", "script is 'runes'; it can be disjoint, same, clone, crossed"),
        ("invented:order=SVO/SVV", "order has 'SVV'"),
        ("invented:morphology=fusional", "morphology has 'fusional'"),
        ("invented:languages=9", "languages is 9; it may be 2 to 6"),
        ("invented:bilingual=0.7,switched=0.6", "together, over 1"),
        ("invented:script=crossed", "languages is 2; two sets of words in two scripts are 4"),
    ],
)
def test_a_dial_that_cannot_be_is_named(spec, words):
    with pytest.raises(ValueError, match=words):
        load_corpus(spec)


def test_the_corpus_of_a_spec_is_what_the_languages_say():
    corpus = load_corpus("invented:overlap=0.5,order=SVO/SOV", n_sentences=30, split="test", seed=2)
    dials = Invented(overlap=0.5, order="SVO/SOV")
    assert [list(column) for column in corpus.texts] == invented.parallel_sentences(dials, 30, "test", 2)
    assert corpus.languages == ("qaa_Latn", "qab_Grek") and different_script(*corpus.languages)
    assert load_corpus("invented:languages=3", languages="qac_Cyrl qaa_Latn").languages == (
        "qac_Cyrl",
        "qaa_Latn",
    )
    with pytest.raises(ValueError, match="has no language 'eng_Latn'; it has qaa_Latn, qab_Grek"):
        load_corpus("invented", languages="qaa_Latn eng_Latn")


def test_meanings_are_many_and_zipfian():
    rng = random.Random(0)
    drawn = [invented.draw(Invented(), rng, "train") for _ in range(20_000)]
    assert len(set(drawn)) > 10_000
    agents = [invented._number(m.agent) % invented.N_NOUNS for m in drawn if m.agent.startswith("noun")]
    first, *_, last = np.bincount(agents)
    assert first > 3 * last
