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
# Everything in this book compares sentences that mean the same in different languages.
# Such a comparison is only as good as its text: if a translation carries the same digits or names, a model may match them without understanding a word.
# So before any model is measured, this notebook shows the sentences, counts what they share, and fixes them by a fingerprint.
#
# | | |
# |---|---|
# | **Reads** | a corpus: text generated from CLDR (`world`, `phrasebook`), a published one by name, or a path to your own line-aligned files or table |
# | **Writes** | nothing: text is cheap to make again, and its fingerprint goes into every manifest |
# | **Costs** | seconds on a laptop |

# %% tags=["remove-cell"]
# On Colab: install the package beside Colab's own torch.
import importlib.util

if importlib.util.find_spec("lingua_utils") is None:
    from IPython import get_ipython

    address = "git+https://github.com/lingua-franca-book/lingua-franca-book"
    get_ipython().run_line_magic("pip", f"install -q {address}")

# %%
import pandas as pd
from IPython.display import Markdown

from lingua_utils.charts import figures as charts
from lingua_utils.charts import theme
from lingua_utils.runs import run as runs
from lingua_utils.text import corpus as corpora
from lingua_utils.text import languages as known

theme.use()

# %% tags=["parameters"]
corpus: str = "world"  # "world", "phrasebook", a published one such as "flores", or a path
languages: str = "default"  # FLORES codes separated by spaces, or "default"
n_sentences: int = 200  # meanings; 0 takes all there are
digits: str = ""  # "none", "latin" or "native"; empty for the corpus's default
seed: int = 0  # of the text

# %%
text = corpora.load_corpus(
    corpus,
    runs.check_language_choice(languages),
    n_sentences or None,
    seed=seed,
    digits=digits or None,
)
text

# %% [markdown]
# ## The same sentence in every language
#
# Each row below is one meaning.
# The words, the scripts, the order of the clauses' parts and the sentence marks are each language's own; only the meaning is shared.

# %% tags=["hide-input"]
charts.side_by_side(text)

# %% [markdown]
# ## The languages

# %% tags=["hide-input"]
chosen = [known.get_language(code) for code in text.languages]
lengths = text.table().apply(lambda column: column.str.len())
encoded = text.table().apply(lambda column: column.map(lambda sentence: len(sentence.encode())))
pd.DataFrame(
    {
        "language": [language.name for language in chosen],
        "own name": [language.endonym for language in chosen],
        "script": [language.script for language in chosen],
        "family": [language.family for language in chosen],
        "characters a sentence": lengths.mean().round(1).to_numpy(),
        "bytes a sentence": encoded.mean().round(1).to_numpy(),
    }
).set_index("language")

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
Markdown(
    f"**What we see.** {text.n_sentences} meanings in {text.n_languages} languages; "
    f"{with_digits:.0%} of the sentences hold a digit, {unchanged:.0%} of the meanings are written exactly alike "
    f"in two or more languages, and {text.n_repeated} sentences repeat an earlier one of their language. "
    f"The fingerprint of this text is `{text.fingerprint[:16]}`."
)

# %% [markdown]
# ## Checks
#
# The same seed gives the same text, whatever the order in which the languages are asked for.

# %%
again = corpora.load_corpus(
    corpus, tuple(reversed(text.languages)), text.n_sentences, seed=seed, digits=digits or None
)
assert [list(sentences) for sentences in reversed(again.texts)] == [
    list(sentences) for sentences in text.texts
]

# %% [markdown]
# ## What this does not show
#
# Generated sentences are exact translations, but they are lists of facts, not prose: no verb is inflected, no pronoun refers.
# What a model does with them need not hold for news or fiction.
# The method is the same for your own text: give the path of a folder with one file a language as `corpus`.
