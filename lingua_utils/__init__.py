"""Measurements of how multilingual language models come to share one space of meaning.

The modules stand in the order of the argument: languages, phrasebook, corpus, training, models,
activations, similarity, evolution; each is imported by its name.
"""

import os

# What Apple's GPU cannot do runs on the CPU. Torch reads this once, when it is imported.
os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")

__version__ = "0.1.0"
