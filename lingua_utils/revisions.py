"""What the name of a checkpoint tells: its training step, the tokens it has seen, and its neighbours."""

import difflib
import re
from collections.abc import Sequence
from typing import NamedTuple

_SCALE = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}


class Progress(NamedTuple):
    """How far a checkpoint was trained: its step, and the tokens it has seen; None where unknown."""

    step: int | None
    tokens: int | None


def progress(revision: str) -> Progress:
    """Training step and tokens seen, as far as a revision's name tells them.

    Examples
    --------
    >>> progress("step50000-tokens210B")
    Progress(step=50000, tokens=210000000000)
    >>> [progress(name).step for name in ("step000600", "global_step1000", "stage1-step-40000", "main")]
    [600, 1000, 40000, None]
    """
    return Progress(
        _number(r"(?:step|checkpoint)[-_]?(\d+)([km]?)(?![a-z])", revision),
        _number(r"tokens?[-_]?(\d+(?:\.\d+)?)([kmbt]?)(?![a-z])", revision),
    )


def training_order(revision: str) -> tuple:
    """Sorts revisions by training step; those whose names tell none come last, by name.

    Examples
    --------
    >>> sorted(["main", "step1000", "step32"], key=training_order)
    ['step32', 'step1000', 'main']
    """
    step = progress(revision).step
    return step is None, step or 0, revision


def _number(pattern: str, revision: str) -> int | None:
    found = re.search(pattern, revision, re.IGNORECASE)
    return round(float(found[1]) * _SCALE[found[2].upper()]) if found else None


def nearest(name: str, known: Sequence[str]) -> str:
    """What there is instead of ``name``, as the end of a message.

    All of it where it is little; else the names of the nearest training steps, or those spelled most alike.

    Examples
    --------
    >>> nearest("step700", [f"step{100 * i}" for i in range(20) if i != 7])
    'the nearest of 19 are step500, step600, step800, step900'
    """
    if not known:
        return "there is none"
    if len(known) <= 12:
        return f"there {'is' if len(known) == 1 else 'are'} {', '.join(known)}"
    step = progress(name).step
    stepped = [other for other in known if progress(other).step is not None]
    if step is None or not stepped:
        near = difflib.get_close_matches(name, known, 4, cutoff=0)
    else:
        near = sorted(stepped, key=lambda other: abs(progress(other).step - step))[:4]
        near.sort(key=lambda other: progress(other).step)
    return f"the nearest of {len(known)} are {', '.join(near)}"
