"""The recipes of the lab's models: what each is made of, and where it lies once it is trained.

A new model is a new row of ``LAB``. How it is trained is in `lingua_utils.models.training`.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from lingua_utils.files import resolve, source_digest
from lingua_utils.text import cldr, phrasebook, world
from lingua_utils.text.languages import DEFAULT_LANGUAGES, check_languages
from lingua_utils.text.world import World, training_lines

ARCHITECTURES = ("bloom", "llama")


@dataclass(frozen=True)
class Recipe:
    """Everything a lab model depends on: equal recipes give equal weights on one machine.

    Attributes
    ----------
    name : str
        Name of the model; ``"bloom-m"`` is the model id ``"lab/bloom-m"``.
    architecture : {"bloom", "llama"}
        ``BloomForCausalLM`` (GELU, ALiBi) or ``LlamaForCausalLM`` (gated SiLU, RoPE).
    hidden_size, n_layers, n_heads, mlp_size, vocab_size : int
        Sizes; ``mlp_size`` is the number of neurons in a layer.
    steps, rows, row_length : int
        Batches, and the shape of one, in tokens. No line goes on in another row; one longer than a row loses
        its end, which happens to fewer than one in a hundred (seven in bloom-xs, with half the vocabulary).
    learning_rate, warmup_steps, weight_decay : float, int, float
        AdamW; a linear warm-up, then a cosine down to a tenth.
    languages : tuple of str
    world : World
        The dials of the training text.
    seed : int
        Seed of the weights and of the text.
    threads : int
        Threads of torch. Sums depend on it in the last bit, so weights do too.
    """

    name: str
    architecture: str = "bloom"
    hidden_size: int = 128
    n_layers: int = 6
    n_heads: int = 4
    mlp_size: int = 512
    vocab_size: int = 2048
    steps: int = 800
    rows: int = 64
    row_length: int = 64
    learning_rate: float = 2e-3
    warmup_steps: int = 200
    weight_decay: float = 0.1
    languages: tuple[str, ...] = DEFAULT_LANGUAGES
    world: World = field(default_factory=World)
    seed: int = 0
    threads: int = 2

    def __post_init__(self) -> None:
        check_languages(self.languages)
        if self.architecture not in ARCHITECTURES:
            raise ValueError(f"no architecture {self.architecture!r}; there are {', '.join(ARCHITECTURES)}")
        if self.architecture == "bloom" and self.mlp_size != 4 * self.hidden_size:
            raise ValueError(f"mlp_size is {self.mlp_size}; BLOOM's is always 4 × hidden_size")

    @property
    def checkpoints(self) -> tuple[int, ...]:
        """Steps whose weights are kept: 0, 16, 32, 64, 100, 200, 300, 400, 600 and so on, and the last."""
        spaced = sorted({16, 32, 64, 100, *(a * 2**k for a in (200, 300) for k in range(30))})
        return (0, *(step for step in spaced if step < 0.95 * self.steps), self.steps)

    @property
    def digest(self) -> str:
        """Identity of the recipe, the code that trains and the text it makes (16 hexadecimal digits)."""
        sample = "\n".join(training_lines(self.languages, 100, self.world, self.seed))
        whole = f"{json.dumps(asdict(self))}\n{json.dumps(training_sources())}\n{sample}"
        return sha256(whole.encode()).hexdigest()[:16]


_M = Recipe("bloom-m")
LAB: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe("bloom-s", hidden_size=64, mlp_size=256, n_layers=4),
        _M,
        Recipe("llama-m", architecture="llama", mlp_size=344),
        # Its control, and two placebos: what do the lines in which two languages meet bring?
        replace(_M, name="bloom-m-monolingual", world=replace(_M.world, bilingual_share=0.0)),
        replace(_M, name="bloom-mispaired", world=replace(_M.world, second="mispaired")),
        replace(_M, name="bloom-apart", world=replace(_M.world, second="apart")),
        # Four times the text, to see where the others are going.
        replace(_M, name="bloom-m-long", steps=3200),
        Recipe(
            "bloom-xs",
            hidden_size=64,
            mlp_size=256,
            n_layers=2,
            n_heads=2,
            vocab_size=1024,
            steps=100,
            rows=16,
            warmup_steps=20,
            threads=1,
        ),
    )
}
"""The lab's models by name."""


def find_recipe(name_or_recipe: str | Recipe, training_seed: int = 0) -> Recipe:
    """A recipe as it is, or the lab's by name, with a seed."""
    if isinstance(name_or_recipe, Recipe):
        return name_or_recipe
    if name_or_recipe not in LAB:
        raise ValueError(f"the lab has no model {name_or_recipe!r}; it has {', '.join(LAB)}")
    return replace(LAB[name_or_recipe], seed=training_seed)


def lab_folder() -> Path:
    """Where the lab's models live: ``LINGUA_CHECKPOINTS``, or ``checkpoints`` in the project."""
    return resolve(os.environ.get("LINGUA_CHECKPOINTS") or "checkpoints")


def lab_model_folder(name: str, training_seed: int = 0) -> Path:
    """Where a model of the lab is, or will be once it is trained.

    Raises
    ------
    ValueError
        For an unknown name.
    """
    recipe = find_recipe(name, training_seed)
    return lab_folder() / f"{recipe.name}-{recipe.digest[:8]}"


def training_sources() -> dict[str, str]:
    """Digests of the code that trains, and of the modules that write its text."""
    sources = {module.__name__.rpartition(".")[2]: module.__file__ for module in (world, phrasebook, cldr)}
    sources = {"training": Path(__file__).with_name("training.py"), **sources}
    return {name: source_digest(path) for name, path in sources.items()}
