"""Measurements of how multilingual language models come to share one space of meaning.

The modules stand in the order of the argument: languages, phrasebook, corpus, training, models,
activations, similarity, evolution; each is imported by its name.
"""

__version__ = "0.1.0"
