"""Invented languages: one grammar of meanings, and languages that differ in nothing but what is dialled.

A meaning says who does what to whom, mostly out of habit: its concepts are drawn from topics by Zipf's law,
and may have attributes, a place, a time, number, tense, negation, a question, or someone who says so. A
language is a lexicon, a script, an order of words and a morphology, all from a seed; every sentence can be
parsed back to its meaning, so that languages are exactly parallel.

What is held out: who does what to whom. The same two nouns with the same action, either way round, belong to
one split.

What is taught once: every person lives in some place, and this is told in one language only, never in a line
of two. Asked in another language it is known only by transfer.

A meaning told alone is told in one language only, and none of those is told in a line of two languages.

    load_corpus("invented:overlap=0.5,script=same,order=SVO/SOV")
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache, cached_property
from hashlib import sha256
from itertools import islice, product
from typing import NamedTuple

PREFIX = "invented"
N_TOPICS, N_NOUNS, N_ACTIONS = 4, 6, 3  # nouns and actions of each topic
N_PERSONS, N_PLACES, N_TIMES, N_ATTRIBUTES, N_SAYINGS = 32, 8, 4, 6, 2
LIVE = "action:live"
# Number of concepts of each kind; a mark is a word of its own, or an ending where words have endings.
_CONCEPTS = {
    "noun": [f"noun:{i}" for i in range(N_TOPICS * N_NOUNS)],
    "action": [*(f"action:{i}" for i in range(N_TOPICS * N_ACTIONS)), LIVE],
    "person": [f"person:{i}" for i in range(N_PERSONS)],
    "place": [f"place:{i}" for i in range(N_PLACES)],
    "time": [f"time:{i}" for i in range(N_TIMES)],
    "attribute": [f"attribute:{i}" for i in range(N_ATTRIBUTES)],
    "saying": [f"saying:{i}" for i in range(N_SAYINGS)],
    "mark": ["plural", "past", "future", "not", "question", "that", "agent", "patient"],
}
_ALTERED = ("noun", "action", "attribute")  # kinds of words that have synonyms

# The same 19 letters and full stop in scripts of no common letter.
_LETTERS = "ptkbdgmnslrfvhaeiou."
SCRIPTS = {
    "Latn": _LETTERS,
    "Grek": "πτκβδγμνσλρφχθαεηου·",
    "Cyrl": "пткбдгмнслрфвхаеиоу…",
    "Geor": "".join(map(chr, range(0x10D0, 0x10D0 + 19))) + "჻",
    "Armn": "".join(map(chr, range(0x0561, 0x0561 + 19))) + "։",
    "Cher": "".join(map(chr, range(0x13A0, 0x13A0 + 19))) + "᛫",
}
_VOWELS = "aeiou"
SHARES = {"train": 0.8, "dev": 0.1, "test": 0.1}
APART = 500  # lines between two translations that are kept apart
HABIT = 0.7  # how often who acts does what it mostly does
FACTS = 0.15  # share of lines that tell where someone lives
TENSES = ("", "past", "future")
_SWITCHED_WORDS = 0.5  # of a line that switches

_ALLOWED = {
    "script": ("disjoint", "same", "clone", "crossed"),
    "roles": ("class", "order", "case"),
    "second": ("translation", "mispaired", "apart"),
    "topics": ("common", "different"),
}


class Meaning(NamedTuple):
    """What a sentence says, in concepts; ``""`` where nothing is said of it.

    ``agent`` is a noun or a person. Where someone lives, the action is :data:`LIVE`, and there is no patient.
    ``said`` holds (person, saying), the outermost first: "she says that he thinks that ...".
    """

    agent: str
    action: str
    patient: str = ""
    agent_attribute: str = ""
    patient_attribute: str = ""
    place: str = ""
    time: str = ""
    agent_plural: bool = False
    patient_plural: bool = False
    tense: str = ""
    negated: bool = False
    question: bool = False
    said: tuple[tuple[str, str], ...] = ()


class Habit(NamedTuple):
    """What a noun or person mostly does, to whom, what it is like, and (of a noun) where."""

    action: str
    patient: str
    attribute: str
    place: str


@dataclass(frozen=True)
class Invented:
    """The dials. Equal dials give equal languages and equal text, on any machine.

    Attributes
    ----------
    languages : int
        How many, 2 to 6.
    overlap : float
        Share of the words of each kind (particles and endings too) that every language has in common with the
        first, letter by letter and in the first one's script, 0 to 1.
    script : {"disjoint", "same", "clone", "crossed"}
        How the other words are written: each language in letters of its own; all in the same letters; each in
        letters of its own, but all with the *words* of the first (the same language under other letters);
        four languages, two sets of words in two scripts each.
    order : str
        Order of subject, verb and object in each language, "SVO/SOV"; the last holds for all that follow. A
        small n puts nouns before their attributes: "SVO/SOVn".
    morphology : str
        "isolating" (marks are words) or "agglutinating" (marks are endings; adjectives agree in number) for
        each language, as the order.
    false_friends : float
        Share of the words not in common that mean something else in the first language, 0 to 1.
    homographs : float
        Share of the nouns that share their form with a noun of another topic, 0 to 1; which with which is
        different in every language. The action tells which is meant.
    roles : {"class", "order", "case"}
        Who does it to whom is told by what they are (the first half of a topic's nouns act, the second are
        acted upon); by the order of words (any noun may act); by marks of case (and the order is free).
    agreement : int
        1: the action has the number of who acts, instead of the noun itself.
    paraphrase : int
        1: nouns, actions and attributes have two words each, and the time may come first.
    embedding : int
        How deep sentences may lie in one another, 0 to 2.
    share : float
        Share of the lines of one language that are in the first one; the others share the rest evenly.
    bilingual, switched : float
        Share of lines that are followed by their translation; in which every other word is of another
        language. Together 0 to 1.
    second : {"translation", "mispaired", "apart"}
        What follows, or is switched in. The placebos: another meaning, or other words; the translation in a
        line of its own, some hundred lines later (of a switched line: nothing).
    topics : {"common", "different"}
        "different": each language speaks of topics and persons of its own. (Parallel sentences have all.)
    seed : int
        Of the lexicons.

    Raises
    ------
    ValueError
        For a value that a dial cannot have; the message names both.

    Examples
    --------
    >>> Invented.read("invented:overlap=0.5,order=SVO/SOV").spec
    'invented:overlap=0.5,order=SVO/SOV'
    """

    languages: int = 2
    overlap: float = 0.0
    script: str = "disjoint"
    order: str = "SVO"
    morphology: str = "isolating"
    false_friends: float = 0.0
    homographs: float = 0.0
    roles: str = "order"
    agreement: int = 0
    paraphrase: int = 0
    embedding: int = 0
    share: float = 0.5
    bilingual: float = 0.0
    switched: float = 0.0
    second: str = "translation"
    topics: str = "common"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, allowed in _ALLOWED.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it can be {', '.join(allowed)}")
        for name in ("overlap", "false_friends", "homographs", "share", "bilingual", "switched"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it is a share from 0 to 1")
        ranges = {
            "languages": (2, len(SCRIPTS)),
            "agreement": (0, 1),
            "paraphrase": (0, 1),
            "embedding": (0, 2),
        }
        for name, (low, high) in ranges.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} is {getattr(self, name)}; it may be {low} to {high}")
        if self.bilingual + self.switched > 1:
            raise ValueError(f"bilingual and switched are {self.bilingual + self.switched} together, over 1")
        if self.script == "crossed" and self.languages != 4:
            raise ValueError(f"languages is {self.languages}; two sets of words in two scripts are 4")
        for order in self.order.split("/"):
            if sorted(order.removesuffix("n")) != list("OSV"):
                raise ValueError(f"order has {order!r}; give S, V and O once each, such as SVO/SOVn")
        for morphology in self.morphology.split("/"):
            if morphology not in ("isolating", "agglutinating"):
                raise ValueError(f"morphology has {morphology!r}; it can have isolating, agglutinating")

    @classmethod
    def read(cls, spec: str) -> Invented:
        """The dials of a line such as ``"invented:overlap=0.5,order=SVO/SOV"``.

        Raises
        ------
        ValueError
            For a dial that there is none of, or a value that it cannot have.
        """
        name, _, given = spec.partition(":")
        types = {dial.name: {"int": int, "float": float, "str": str}[dial.type] for dial in fields(cls)}
        if name != PREFIX:
            raise ValueError(f"{spec!r} does not begin with {PREFIX!r}")
        values = {}
        for part in filter(None, given.split(",")):
            dial, _, value = part.partition("=")
            if dial not in types:
                raise ValueError(f"invented languages have no dial {dial!r}; they have {', '.join(types)}")
            try:
                values[dial] = types[dial](value)
            except ValueError:
                raise ValueError(f"{dial} is {value!r}, which is no {types[dial].__name__}") from None
        return cls(**values)

    @property
    def spec(self) -> str:
        """The dials in one line: those that are not at their default."""
        turned = [
            f"{d.name}={getattr(self, d.name)}" for d in fields(self) if getattr(self, d.name) != d.default
        ]
        return f"{PREFIX}:{','.join(turned)}" if turned else PREFIX

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes of the languages, of the range that ISO 639-3 leaves to private use: "qaa_Latn"."""
        scripts = list(SCRIPTS)
        return tuple(f"qa{chr(97 + k)}_{scripts[self._script(k)]}" for k in range(self.languages))

    def _script(self, k: int) -> int:
        return {"same": 0, "crossed": k % 2}.get(self.script, k)

    def _words(self, k: int) -> int:
        return {"clone": 0, "crossed": k // 2}.get(self.script, k)

    @cached_property
    def tongues(self) -> tuple[Tongue, ...]:
        """The languages themselves."""
        return tuple(Tongue.of(self, k) for k in range(self.languages))

    @cached_property
    def homes(self) -> dict[str, tuple[str, int]]:
        """Of each person the place, and the index of the one language in which it is told."""
        rng = random.Random(f"homes {self.seed}")
        persons = rng.sample(_CONCEPTS["person"], N_PERSONS)
        places = _CONCEPTS["place"]
        homes = {}
        for i, person in enumerate(persons):
            language = i // N_PLACES if self.topics == "common" else _number(person) % N_TOPICS
            homes[person] = places[i % N_PLACES], language % self.languages
        return homes

    @cached_property
    def habits(self) -> dict[str, Habit]:
        """Of each noun and person what it mostly does, to whom, what it is like, and where."""
        rng = random.Random(f"habits {self.seed}")
        habits = {}
        for concept in [*_CONCEPTS["noun"], *_CONCEPTS["person"]]:
            number = _number(concept)
            topic = _topic(concept) if concept.startswith("noun") else number % N_TOPICS
            first, half = topic * N_NOUNS, N_NOUNS // 2 if self.roles == "class" else 0
            patients = [f"noun:{i}" for i in range(first + half, first + N_NOUNS)]
            habits[concept] = Habit(
                f"action:{rng.randrange(topic * N_ACTIONS, (topic + 1) * N_ACTIONS)}",
                rng.choice([patient for patient in patients if patient != concept]),
                rng.choice(_CONCEPTS["attribute"]),
                rng.choice(_CONCEPTS["place"]),
            )
        return habits

    def teller(self, meaning: Meaning) -> int | None:
        """Index of the one language in which a meaning is told alone; None where lines are of two."""
        if meaning.action == LIVE:
            return self.homes[meaning.agent][1]
        if self.topics == "different":
            return _topic(meaning.action) % self.languages
        rank = _rank(f"teller {meaning}")
        mixed = self.bilingual + self.switched
        if rank < mixed:
            return None
        rank = (rank - mixed) / (1 - mixed)
        if rank < self.share:
            return 0
        return 1 + int((rank - self.share) / (1 - self.share) * (self.languages - 1))


def _rank(text: str) -> float:
    """A number in [0, 1) that is the text's own."""
    return int.from_bytes(sha256(text.encode()).digest()[:6], "big") / 2**48


def _number(concept: str) -> int:
    return int(concept.rpartition(":")[2])


def _topic(concept: str) -> int:
    return _number(concept) // (N_NOUNS if concept.startswith("noun") else N_ACTIONS)


# ------------------------------------------------------------------ meanings


@cache
def split_of(pair: frozenset[str], action: str) -> str:
    """The split to which two participants and an action belong, whichever of the two acts."""
    rank = _rank(f"split {sorted(pair)} {action}")
    return "dev" if rank < SHARES["dev"] else "test" if rank < SHARES["dev"] + SHARES["test"] else "train"


_ZIPF = {n: [1 / rank for rank in range(1, n + 1)] for n in (N_ACTIONS, N_NOUNS // 2, N_NOUNS)}


def draw(dials: Invented, rng: random.Random, split: str) -> Meaning:
    """A meaning of one split: an agent, and what it does to whom, mostly out of its habits."""
    chance = rng.random
    persons = _CONCEPTS["person"]

    def one_of(first: int, n: int) -> int:
        return rng.choices(range(first, first + n), _ZIPF[n])[0]

    while True:
        topic = rng.randrange(N_TOPICS)
        if chance() < 0.3:
            agent = rng.choice(persons[topic::N_TOPICS])
        else:
            agent = f"noun:{one_of(topic * N_NOUNS, N_NOUNS // 2 if dials.roles == 'class' else N_NOUNS)}"
        habit = dials.habits[agent]
        action, patient = habit.action, habit.patient
        if chance() > HABIT:
            action = f"action:{one_of(topic * N_ACTIONS, N_ACTIONS)}"
        if chance() > HABIT:
            half = N_NOUNS // 2 if dials.roles == "class" else 0
            patient = f"noun:{one_of(topic * N_NOUNS + half, N_NOUNS - half)}"
        if agent != patient and split_of(frozenset((agent, patient)), action) == split:
            break

    def attribute(concept: str, how_often: float) -> str:
        if chance() > how_often:
            return ""
        return dials.habits[concept].attribute if chance() < HABIT else rng.choice(_CONCEPTS["attribute"])

    of_person = agent in persons  # where persons live is told in one language only: no habit shows it
    place = habit.place if chance() < HABIT and not of_person else rng.choice(_CONCEPTS["place"])
    return Meaning(
        agent,
        action,
        patient,
        agent_attribute=attribute(agent, 0.7),
        patient_attribute=attribute(patient, 0.2),
        place=place if chance() < 0.7 else "",
        time=rng.choice(_CONCEPTS["time"]) if chance() < 0.2 else "",
        agent_plural=not of_person and chance() < 0.2,
        patient_plural=chance() < 0.2,
        tense=rng.choice(TENSES[1:]) if chance() < 0.3 else "",
        negated=chance() < 0.1,
        question=chance() < 0.05,
        said=tuple(
            (rng.choice(persons), rng.choice(_CONCEPTS["saying"]))
            for _ in range(dials.embedding)
            if chance() < 0.4
        ),
    )


def swapped(meaning: Meaning) -> Meaning | None:
    """The same with agent and patient in each other's place; None where these are not two nouns."""
    if not (meaning.agent.startswith("noun") and meaning.patient):
        return None
    return meaning._replace(agent=meaning.patient, patient=meaning.agent)


# ------------------------------------------------------------------ languages


@dataclass(frozen=True, eq=False)
class Tongue:
    """One language: its words and how it puts them in order.

    Attributes
    ----------
    code : str
    words : dict
        Of each concept its forms, the first of them the usual one.
    order : str
    noun_first, agglutinating : bool
    roles : str
    agreement : int
    """

    code: str
    words: dict[str, tuple[str, ...]]
    order: str
    noun_first: bool
    agglutinating: bool
    roles: str
    agreement: bool

    @classmethod
    def of(cls, dials: Invented, k: int) -> Tongue:
        """Language number k of some dials."""
        orders, morphologies = dials.order.split("/"), dials.morphology.split("/")
        order, morphology = (given[min(k, len(given) - 1)] for given in (orders, morphologies))
        return cls(
            dials.codes[k],
            _lexicon(dials, k),
            order.removesuffix("n"),
            order.endswith("n"),
            morphology == "agglutinating",
            dials.roles,
            bool(dials.agreement),
        )

    @property
    def stop(self) -> str:
        """What ends a sentence."""
        return self.words["stop"][0]

    def render(self, meaning: Meaning, rng: random.Random | None = None) -> str:
        """A sentence; where a concept has several words, or order is free, ``rng`` chooses."""
        return " ".join([*self._clause(meaning, meaning.said, rng), self.stop])

    def _clause(self, meaning: Meaning, said: Sequence, rng: random.Random | None) -> list[str]:
        if said:
            (person, saying), *deeper = said
            parts = {
                "S": [self.words[person][0]],
                "V": [self.words[saying][0]],
                "O": [self.words["that"][0], *self._clause(meaning, deeper, rng)],
            }
            if self.order.index("O") < self.order.index("V"):  # the clause first, and then what says so
                parts["O"].append(parts["O"].pop(0))
            return [word for role in self.order for word in parts[role]]
        number = {"agent": meaning.agent_plural, "patient": meaning.patient_plural}
        subject = self._noun(meaning.agent, meaning.agent_attribute, number["agent"], "agent", rng)
        marks = [mark for mark in (meaning.tense, "not" if meaning.negated else "") if mark]
        if self.agreement and number["agent"]:
            marks.insert(0, "plural")
        verb = self._marked(self._word(meaning.action, rng), marks)
        around = [self.words[concept][0] for concept in (meaning.place, meaning.time) if concept]
        first = []
        if meaning.time and rng is not None and self._has_synonyms and rng.random() < 0.5:
            first.append(around.pop())
        parts = {"S": subject, "V": verb, "O": []}
        if meaning.patient:
            parts["O"] = self._noun(
                meaning.patient, meaning.patient_attribute, number["patient"], "patient", rng
            )
        order = self.order
        if self.roles == "case" and rng is not None and rng.random() < 0.5:
            order = order.translate(str.maketrans("SO", "OS"))
        words = [word for role in order for word in parts[role]]
        # What stands around a clause stands before a verb that comes last.
        words[len(words) - len(verb) if order[-1] == "V" else len(words) :] = (
            [*around, *verb] if order[-1] == "V" else around
        )
        question = [self.words["question"][0]] if meaning.question else []
        return [*question, *first, *words] if order[-1] != "V" else [*first, *words, *question]

    @cached_property
    def _has_synonyms(self) -> bool:
        return any(len(forms) > 1 for forms in self.words.values())

    def _word(self, concept: str, rng: random.Random | None) -> str:
        forms = self.words[concept]
        return forms[0] if rng is None or len(forms) == 1 else rng.choice(forms)

    def _marked(self, word: str, marks: Sequence[str]) -> list[str]:
        forms = [self.words[mark][0] for mark in marks]
        return ["".join([word, *forms])] if self.agglutinating else [word, *forms]

    def _noun(
        self, concept: str, attribute: str, plural: bool, case: str, rng: random.Random | None
    ) -> list[str]:
        shown = plural and not (self.agreement and case == "agent")
        marks = ["plural"] * shown + [case] * (self.roles == "case")
        noun = self._marked(self._word(concept, rng), marks)
        if not attribute:
            return noun
        # Where words have endings, an attribute has those of its noun.
        of_noun = self._marked(self._word(attribute, rng), marks if self.agglutinating else [])
        return noun + of_noun if self.noun_first else of_noun + noun

    # -- back to the meaning

    @cached_property
    def _concepts(self) -> dict[str, list[str]]:
        """Of each form the concepts that it can stand for."""
        found: dict[str, list[str]] = {}
        for concept, forms in self.words.items():
            for form in forms:
                found.setdefault(form, []).append(concept)
        return found

    def parse(self, sentence: str) -> Meaning:
        """The meaning of a sentence.

        Raises
        ------
        ValueError
            For a word that the language has not, or a sentence that no meaning has; the message names it.
        """
        items: list[tuple[list[str], list[str]]] = []  # of each word what it can mean, and its marks
        *words, stop = sentence.split()
        if stop != self.stop:
            raise ValueError(f"{sentence!r} ends in {stop!r}, not in {self.stop!r}")
        for word in words:
            concepts, marks = self._analysed(word)
            is_mark = concepts[0] in _CONCEPTS["mark"] and concepts[0] not in ("question", "that")
            if is_mark:
                items[-1][1].append(concepts[0])
            else:
                items.append((concepts, marks))
        question = [item for item in items if item[0] == ["question"]]
        items = [item for item in items if item[0] != ["question"]]
        said, items = self._said(items)
        meaning = self._simple(items)._replace(question=bool(question), said=tuple(said))
        return meaning

    def _analysed(self, word: str) -> tuple[list[str], list[str]]:
        marks: list[str] = []
        while word not in self._concepts:
            ending = next((m for m in _CONCEPTS["mark"] if word.endswith(self.words[m][0])), None)
            if ending is None or not self.agglutinating:
                raise ValueError(f"{self.code} has no word {word!r}")
            marks.insert(0, ending)
            word = word.removesuffix(self.words[ending][0])
        return self._concepts[word], marks

    def _said(self, items: list) -> tuple[list[tuple[str, str]], list]:
        """Who says so, and what is said."""
        said = []
        while any(concepts == ["that"] for concepts, _ in items):
            verb, last = self.order.index("V"), len(items)
            before = self.order.index("O") < verb
            # The outermost person and saying: by the order of words, from either end of the sentence.
            outer = [role for role in self.order if role != "O"]
            at = {}
            left = self.order[: self.order.index("O")]
            right = self.order[self.order.index("O") + 1 :]
            for place, role in enumerate(left):
                at[role] = place
            for place, role in enumerate(reversed(right)):
                at[role] = last - 1 - place
            said.append(tuple(items[at[role]][0][0] for role in "SV"))
            inner = items[len(left) : last - len(right)]
            items = inner[:-1] if before else inner[1:]
            assert len(outer) == 2
        return said, items

    def _simple(self, items: list) -> Meaning:
        """The meaning of a clause without what is around it."""
        kinds = [concepts[0].partition(":")[0] for concepts, _ in items]
        verb = kinds.index("action")
        (action,), marks = items[verb]
        nouns = [i for i, kind in enumerate(kinds) if kind in ("noun", "person")]
        attributes = {}
        for i, kind in enumerate(kinds):
            if kind == "attribute":
                attributes[i - 1 if self.noun_first else i + 1] = items[i][0][0]
        if self.roles == "case":
            roles = {("agent" if "agent" in items[i][1] else "patient"): i for i in nouns}
        else:
            order = [role for role in self.order if role != "V"]
            roles = dict(zip([{"S": "agent", "O": "patient"}[r] for r in order], nouns, strict=False))
            if len(nouns) == 1:
                roles = {"agent": nouns[0]}
        found = {}
        for role, i in roles.items():
            candidates = items[i][0]
            if len(candidates) > 1:  # the action tells which of them is meant
                candidates = [c for c in candidates if _topic(c) == _topic(action)]
            (found[role],) = candidates
            found[f"{role}_attribute"] = attributes.get(i, "")
            found[f"{role}_plural"] = "plural" in items[i][1]
        if self.agreement:
            found["agent_plural"] = "plural" in marks
        for kind in ("place", "time"):
            if kind in kinds:
                found[kind] = items[kinds.index(kind)][0][0]
        tense = next((mark for mark in marks if mark in TENSES), "")
        return Meaning(action=action, tense=tense, negated="not" in marks, **found)


@cache
def _forms(seed: int) -> dict[int, dict[str, tuple[str, ...]]]:
    """Of each set of words the forms of each concept; no form occurs twice, in no two sets."""
    rng, taken = random.Random(f"forms {seed}"), set()
    sets = {}
    for k in range(len(SCRIPTS)):
        consonants = rng.sample([letter for letter in _LETTERS[:14]], 11)

        def syllables(n: int, consonants: list[str] = consonants) -> str:
            return "".join(rng.choice(consonants) + rng.choice(_VOWELS) for _ in range(n))

        def new(kind: str, consonants: list[str] = consonants) -> str:
            while True:
                # A mark ends in a consonant and no other word does: so endings can be told from stems.
                form = (
                    syllables(1) + rng.choice(consonants)
                    if kind == "mark"
                    else syllables(rng.choice((2, 2, 3)))
                )
                if form not in taken:
                    taken.add(form)
                    return form

        sets[k] = {
            concept: tuple(new(kind) for _ in range(2 if kind in _ALTERED else 1))
            for kind, concepts in _CONCEPTS.items()
            for concept in concepts
        }
    return sets


def _some(concepts: Sequence[str], share: float, what: str) -> list[str]:
    """A share of concepts; of two shares the larger holds the smaller."""
    ranked = sorted(concepts, key=lambda concept: _rank(f"{what} {concept}"))
    return ranked[: round(share * len(ranked))]


def _lexicon(dials: Invented, k: int) -> dict[str, tuple[str, ...]]:
    """The words of language k as they are written."""
    own, first = (_forms(dials.seed)[words] for words in (dials._words(k), 0))
    names = list(SCRIPTS)
    written = str.maketrans(_LETTERS, SCRIPTS[names[dials._script(k)]])
    words: dict[str, tuple[str, ...]] = {}
    for kind, concepts in _CONCEPTS.items():
        n_forms = 2 if dials.paraphrase and kind in _ALTERED else 1
        common = set(_some(concepts, dials.overlap, f"common {dials.seed}"))
        apart = [concept for concept in concepts if concept not in common]
        false = _some(apart, dials.false_friends if k and kind != "mark" else 0, f"false {dials.seed}")
        elsewhere = dict(zip(false, false[1:] + false[:1], strict=True)) if len(false) > 1 else {}
        for concept in concepts:
            if concept in common or concept in elsewhere:
                words[concept] = first[elsewhere.get(concept, concept)][:n_forms]
            else:
                words[concept] = tuple(form.translate(written) for form in own[concept][:n_forms])
    for one, other in _homographs(dials, k):
        words[other] = words[one]
    return words | {"stop": (".".translate(written),)}


def _homographs(dials: Invented, k: int) -> list[tuple[str, str]]:
    """Pairs of nouns of two topics that have one form: other pairs for every set of words."""
    k = dials._words(k)
    pairs = []
    for topic in range(0, N_TOPICS, 2):
        for i in range(N_NOUNS):
            one, other = topic * N_NOUNS + i, (topic + 1) * N_NOUNS + (i + k) % N_NOUNS
            pairs.append((f"noun:{one}", f"noun:{other}"))
    kept = set(_some([one for one, _ in pairs], dials.homographs, f"homographs {dials.seed}"))
    return [pair for pair in pairs if pair[0] in kept]


# ------------------------------------------------------------------ text


class Line(NamedTuple):
    """A line of training text before it is written: a meaning in a language, perhaps with another after it.

    ``how`` is "alone", "followed" (by ``second`` in the language ``other``) or "switched" (with words of it).
    """

    meaning: Meaning
    language: int
    how: str = "alone"
    other: int | None = None
    second: Meaning | None = None


def training_meanings(dials: Invented, seed: int = 0) -> Iterator[Line]:
    """The lines of the training text before they are written, without end; see :func:`training_lines`."""
    rng = random.Random(f"training {seed}")
    later: list[Line] = []
    while True:
        if rng.random() < FACTS:
            person = rng.choice(_CONCEPTS["person"])
            place, language = dials.homes[person]
            time = f"time:{rng.randrange(N_TIMES)}" if rng.random() < 0.3 else ""
            yield Line(Meaning(person, LIVE, place=place, time=time), language)
            continue
        meaning = draw(dials, rng, "train")
        language = dials.teller(meaning)
        if language is not None:
            yield Line(meaning, language)
            continue
        one, other = rng.sample(range(dials.languages), 2)
        how = (
            "followed" if rng.random() * (dials.bilingual + dials.switched) < dials.bilingual else "switched"
        )
        if dials.second == "apart":
            yield Line(meaning, one)
            if how == "followed":
                later.append(Line(meaning, other))
        else:
            second = meaning
            while dials.second == "mispaired" and (second == meaning or dials.teller(second) is not None):
                second = draw(dials, rng, "train")
            yield Line(meaning, one, how, other, second)
        if len(later) > APART:
            yield later.pop(0)


def training_lines(dials: Invented, n_lines: int = 1000, seed: int = 0) -> Iterator[str]:
    """Training text, a line at a time.

    Parameters
    ----------
    dials : Invented
    n_lines : int
    seed : int
        Of the drawing. What is held out, and the languages themselves, do not depend on it.
    """
    rng = random.Random(f"words {seed}")
    tongues = dials.tongues
    for line in islice(training_meanings(dials, seed), n_lines):
        text = tongues[line.language].render(line.meaning, rng)
        if line.how == "followed":
            text = f"{text} {tongues[line.other].render(line.second, rng)}"
        elif line.how == "switched":
            text = _switched(tongues[line.language], tongues[line.other], line, rng)
        yield text


def _switched(tongue: Tongue, other: Tongue, line: Line, rng: random.Random) -> str:
    """A sentence of which some words are those of another language (or, mispaired, of another concept)."""
    said = [value for value in line.meaning[:7] if value]
    put = [value for value in line.second[:7] if value]
    words = dict(tongue.words)
    for i, concept in enumerate(said):
        if rng.random() < _SWITCHED_WORDS:
            kind = concept.partition(":")[0]
            same_kind = [value for value in put if value.partition(":")[0] == kind] or [concept]
            words[concept] = other.words[
                same_kind[i % len(same_kind)] if line.second != line.meaning else concept
            ]
    return replace(tongue, words=words).render(line.meaning, rng)


def parallel_meanings(
    dials: Invented, n_sentences: int = 200, split: str = "dev", seed: int = 0
) -> list[Meaning]:
    """Distinct meanings of one split; where any noun may act, also with agent and patient swapped."""
    if split not in SHARES:
        raise ValueError(f"unknown split {split!r}; choose one of {', '.join(SHARES)}")
    rng = random.Random(f"parallel {split} {seed}")
    found: dict[Meaning, None] = {}
    while len(found) < n_sentences:
        meaning = draw(dials, rng, split)
        found[meaning] = None
        other = swapped(meaning) if dials.roles != "class" else None
        if other:
            found[other] = None
    return list(found)[:n_sentences]


def parallel_sentences(
    dials: Invented, n_sentences: int = 200, split: str = "dev", seed: int = 0
) -> list[list[str]]:
    """The same sentences in every language, [language][sentence], of one split only.

    Raises
    ------
    ValueError
        For an unknown split.
    """
    meanings = parallel_meanings(dials, n_sentences, split, seed)
    return [
        [tongue.render(meaning, random.Random(f"{tongue.code} {meaning}")) for meaning in meanings]
        for tongue in dials.tongues
    ]


class Question(NamedTuple):
    """Sentences of which one is right: ``options[answer]``; ``group`` numbers what is asked about.

    ``context`` comes before each of them, perhaps empty.
    """

    language: str
    group: int
    context: str
    options: tuple[str, ...]
    answer: int


def fact_questions(dials: Invented, where: str = "other") -> list[Question]:
    """Where does a person live? One option for each place; the fact was told in one language only.

    Parameters
    ----------
    where : {"other", "own"}
        Asked in the languages in which it was not told (transfer), or in the one in which it was (recall).
    """
    asked = []
    for group, (person, (home, told_in)) in enumerate(dials.homes.items()):
        for k, tongue in enumerate(dials.tongues):
            if (k == told_in) == (where == "own"):
                places = _CONCEPTS["place"]
                options = tuple(tongue.render(Meaning(person, LIVE, place=place)) for place in places)
                asked.append(Question(tongue.code, group, "", options, places.index(home)))
    return asked


def translation_questions(
    dials: Invented, n_items: int = 100, split: str = "dev", seed: int = 0
) -> list[Question]:
    """Which sentence follows as the translation? The wrong ones say of another agent, patient, or both.

    Who is blind to the context prefers each of the two agents, and of the two patients, half of the time, and
    so is right in a quarter.
    """
    rng = random.Random(f"translation {split} {seed}")
    pairs = [pair for pair in product(range(dials.languages), repeat=2) if pair[0] != pair[1]]
    asked = []
    for group, meaning in enumerate(parallel_meanings(dials, n_items, split, seed + 1)):
        one, other = (dials.tongues[k] for k in pairs[group % len(pairs)])
        agent, patient = _another(meaning, "agent", rng), _another(meaning, "patient", rng)
        options = [
            meaning._replace(agent=a, patient=p)
            for a in (meaning.agent, agent)
            for p in (meaning.patient, patient)
        ]
        order = rng.sample(range(4), 4)
        texts = tuple(other.render(options[i]) for i in order)
        asked.append(Question(other.code, group, one.render(meaning), texts, order.index(0)))
    return asked


def _another(meaning: Meaning, slot: str, rng: random.Random) -> str:
    """Another concept of the same kind (of a noun: of the same topic) that the meaning does not hold."""
    was = getattr(meaning, slot)
    kind = was.partition(":")[0]
    n = {"noun": N_NOUNS, "person": N_PERSONS}[kind]
    first = _number(was) // n * n
    return rng.choice([c for i in range(first, first + n) if (c := f"{kind}:{i}") not in meaning[:3]])


def is_spec(source: str) -> bool:
    """Whether a source of text is the line of some invented languages."""
    return re.match(rf"{PREFIX}(:|$)", source) is not None
