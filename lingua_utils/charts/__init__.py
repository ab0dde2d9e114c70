"""A tidy table in, an Altair chart out: one module per chapter, which knows tables and the theme only.

Tables are those that the chapters write; collated over runs they also have ``corpus``, ``model_id``,
``revision`` and ``step``. Nothing is saved here, no chart holds more than 5,000 rows, every chart has a title
that says what was found (``titles``) and a description for screen readers, and the layers of an encoder and
of a decoder have panels of their own. A column ``rule`` holds any names of rules, ``kind`` groups of
sentences, ``scale`` how activations were scaled ("raw", "centred" by the mean over all sentences,
"standardised" by their spread as well). Every function raises ValueError when a column is missing or a table
is empty.
"""
