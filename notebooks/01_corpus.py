# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Do these sentences say the same thing?
#
# ```{glue} answer
# ```
#
# Everything in this book compares sentences that mean the same in different languages.
# Such a comparison is only as good as its text: if a translation carries the same digits or names, a model may match them without understanding a word.
# So before any model is measured, this chapter shows the sentences, counts what they share, and fixes them by a fingerprint.
#
# <details>
# <summary>Reads, writes, costs</summary>
#
# | | |
# |---|---|
# | **Reads** | a corpus: text generated from CLDR (`world`, `phrasebook`), a published one by name, or a path to your own line-aligned files or table |
# | **Writes** | nothing: text is cheap to make again, and its fingerprint goes into every manifest |
# | **Costs** | seconds on a laptop |
#
# </details>

# %% tags=["remove-cell"]
# On Colab: install the package beside Colab's own torch.
import importlib.util

if importlib.util.find_spec("lingua_utils") is None:
    from IPython import get_ipython

    address = "git+https://github.com/lingua-franca-book/lingua-franca-book"
    get_ipython().run_line_magic("pip", f"install -q {address}")

# %% tags=["hide-input"]
import pandas as pd
from IPython.display import Markdown, display

from lingua_utils import runs
from lingua_utils.charts import theme
from lingua_utils.charts.corpus import side_by_side
from lingua_utils.charts.glue import glue
from lingua_utils.text import udhr
from lingua_utils.text.corpus import load_corpus
from lingua_utils.text.languages import get_language

theme.use()

# %% tags=["parameters", "hide-input"]
corpus: str = "world"  # generated: "world", "phrasebook"; published: such as "flores"; or a path
seed: int = 0  # of the text and of every resampling
n_sentences: int = 200  # meanings, where there are so many; 0 takes all
languages: str = "default"  # codes separated by spaces, "default" or "all"
digits: str = ""  # of generated text; empty for its default: "none", "latin", "native"

# %% tags=["hide-cell"]
text = runs.from_parameters(globals()).corpus()
str(text)

# %% [markdown]
# ## The same sentence in every language
#
# Each table below is one meaning.
# The words, the scripts, the order of the parts and the sentence marks are each language's own; only the meaning is shared.

# %% tags=["hide-input"]
side_by_side(text)

# %% [markdown]
# The same seed gives the same text, whatever the order in which the languages are asked for:

# %%
again = load_corpus(
    corpus, tuple(reversed(text.languages)), text.n_sentences, seed=seed, digits=digits or None
)
assert [list(sentences) for sentences in reversed(again.texts)] == [
    list(sentences) for sentences in text.texts
]

# %% [markdown]
# ## The languages
#
# Families and areas are Glottolog's {cite}`hammarstrom2024glottolog`, mostly as URIEL has them {cite}`littell2017uriel`.
# Speakers are those of CLDR, first language or second, in whatever script: an order of magnitude.


# %%
def described(code, sentences):
    """One language: its names, script, family and area, its speakers, and how long its sentences are."""
    language, lengths = get_language(code), [len(sentence) for sentence in sentences]
    return {
        "language": language.name,
        "own name": language.endonym,
        "script": language.script,
        "family": language.family,
        "area": language.area or "",
        "speakers": f"{language.speakers:,}" if language.speakers else "",
        "characters per sentence": round(sum(lengths) / len(sentences), 1),
        "bytes per sentence": round(sum(len(s.encode()) for s in sentences) / len(sentences), 1),
    }


# %% tags=["hide-input"]
with pd.option_context("display.max_rows", None):
    display(pd.DataFrame(map(described, text.languages, text.texts)).set_index("language"))

# %% [markdown]
# The Universal Declaration of Human Rights (`corpus="udhr"`, after `make texts`) has the most languages by far.
# Of its versions those are read that have the same paragraphs; where it is the corpus, the others follow with the reason.

# %% tags=["hide-input"]
if corpus == "udhr":
    with pd.option_context("display.max_rows", None, "display.max_colwidth", None):
        display(udhr.left_out().set_index("version")[["title", "reason"]])

# %% [markdown]
# ## What could be matched without understanding?
#
# Digits are the plainest bridge between languages: "25" is "25" in most of them.
# A whole sentence that stands unchanged in two languages is another.
# Both are counted here.

# %%
with_digits = text.table().apply(lambda column: column.str.contains(r"\d", regex=True)).mean().mean()
distinct = pd.Series([len(set(sentences)) for sentences in zip(*text.texts, strict=True)])
unchanged = (distinct < text.n_languages).mean()

# %% tags=["hide-input"]
made = corpus in ("world", "phrasebook")  # rendered from one meaning, so that translations are exact
answer = (
    f"{'Yes: each was rendered from one meaning' if made else 'As far as their translators made them do so'}, "
    f"in {text.n_languages} languages. What could be matched without understanding: {with_digits:.0%} of the sentences hold a "
    f"digit, and {unchanged:.0%} of the meanings are written alike in two languages or more."
)
glue("answer", Markdown(answer), show=False)
Markdown(
    f"**What we see.** {text.n_sentences} meanings in {text.n_languages} languages; "
    f"{with_digits:.0%} of the sentences hold a digit, {unchanged:.0%} of the meanings are written exactly alike "
    f"in two or more languages, and {text.n_repeated} sentences repeat an earlier one of their language. "
    f"The fingerprint of this text is `{text.fingerprint[:16]}`."
)

# %% [markdown]
# ## What this does not show
#
# Generated sentences are exact translations, but they are lists of facts, not prose: no verb is inflected, no pronoun refers.
# What a model does with them need not hold for news or fiction.
# The method is the same for your own text: give the path of a folder with one file per language as `corpus`.
