"""Characters of parallel text that the phrasebook makes per second in the ten default languages.

Baselines: 200,000 characters per second, and the same sentences with each clause rendered by Babel anew.
Run: python benchmarks/phrasebook_speed.py
"""

import time

from lingua_utils.text import phrasebook
from lingua_utils.text.cldr import list_template, locale_of
from lingua_utils.text.languages import DEFAULT_LANGUAGES

BASELINE = 200_000


def characters_per_second(make, *arguments) -> tuple[float, int]:
    """Time one call that returns [language][sentence]."""
    start = time.perf_counter()
    texts = make(*arguments)
    seconds = time.perf_counter() - start
    n_characters = sum(len(sentence) for sentences in texts for sentence in sentences)
    return n_characters / seconds, n_characters


def by_babel(n_sentences: int) -> list[list[str]]:
    """Sentences of two clauses, each clause rendered when it is needed."""
    arguments = [(kind.render, argument) for kind in phrasebook.KINDS for argument in kind.arguments[:40]]
    texts = []
    for code in DEFAULT_LANGUAGES:
        locale, mark = locale_of(code), phrasebook.sentence_mark(code)
        sentences = []
        for m in range(n_sentences):
            clauses = []
            for render, argument in (arguments[m % len(arguments)], arguments[-1 - m % len(arguments)]):
                try:
                    clauses.append(render(locale, "latn", *argument))
                except KeyError:
                    clauses.append("")
            sentences.append(list_template(locale, 2).format(*clauses) + mark)
        texts.append(sentences)
    return texts


def main() -> None:
    cold, n_cold = characters_per_second(phrasebook.parallel_sentences, None, 2_000)
    warm, n_warm = characters_per_second(phrasebook.parallel_sentences, None, 20_000)
    anew, _ = characters_per_second(by_babel, 1_000)
    print(f"{'':34}{'characters/s':>14}{'× 200,000/s':>13}{'× Babel anew':>14}")
    for label, speed in (
        (f"first call, {n_cold:,} characters", cold),
        (f"again, {n_warm:,} characters", warm),
        ("every clause by Babel anew", anew),
    ):
        print(f"{label:34}{speed:14,.0f}{speed / BASELINE:13.1f}{speed / anew:14.1f}")


if __name__ == "__main__":
    main()
