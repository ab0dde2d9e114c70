"""Measurements of how multilingual language models come to share one space of meaning.

Rooms, each built on those before it:

- the ground: ``files`` (where things lie) and ``hub`` (what the Hub answers, its failures in one line each);
- ``text``: parallel sentences in many languages, generated, read or published;
- ``models``: where the neurons are, how a model is loaded, and how the lab grows its own;
- ``measure``: activations, similarity, regions, silencing, likelihood, tasks, and their intervals;
- ``runs``: the settings of a run, its tables, and many runs together;
- ``charts``: a tidy table in, a figure out; one module for each chapter.
"""

import os

# What Apple's GPU cannot do runs on the CPU. Torch reads this once, when it is imported.
os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")

__version__ = "0.1.0"
