"""Measurements of how multilingual language models come to share one space of meaning.

The modules in the order of the argument, each imported by its name:

- text: ``languages``; ``phrasebook`` (with ``cldr``, ``frames``) and ``world`` make it, ``corpus`` (with
  ``parallel_files``, ``aligned``, ``sources``, ``hub_tables``) reads it;
- models: ``training`` grows the lab's, ``models`` (with ``devices``, ``revisions``, ``hub``, ``hub_models``,
  ``pickled``) loads any, ``published_models`` (with ``catalogue``) knows those of the sample sheets;
- what neurons do: ``activations`` (with ``batches``, ``sums``);
- who is alike: ``similarity`` (with ``vectors``, ``pairs``, ``variance``, ``retrieval``, ``projection``);
- whose neurons: ``regions`` (with ``rules``, ``selection``);
- what silencing costs: ``ablation`` (with ``controls``), ``perplexity``, ``tasks`` (with ``cloze``);
- all runs together: ``evolution`` (with ``trends``);
- figures: ``charts``, ``region_charts`` (with ``chart_parts``, ``theme``, ``glue``);
- the pipeline: ``runs``, ``sheets``, ``files``.
"""

import os

# What Apple's GPU cannot do runs on the CPU. Torch reads this once, when it is imported.
os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")

__version__ = "0.1.0"
