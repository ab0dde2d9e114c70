"""One cell of a controlled experiment: a small model, trained on invented languages and measured on the way.

A cell is a set of languages (:mod:`lingua_utils.text.invented`), a size of model and a seed. What is measured
of it is told for each of its checkpoints by one row of outcomes, and one row for each layer.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import combinations

import numpy as np
import pandas as pd
import statsmodels.api as sm
import torch
from scipy.optimize import OptimizeWarning, curve_fit
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from lingua_utils.files import source_digest
from lingua_utils.measure import regions, similarity
from lingua_utils.measure.activations import Activations, capture
from lingua_utils.models import training
from lingua_utils.models.architectures import neuron_sites
from lingua_utils.models.loading import LoadedModel
from lingua_utils.models.recipes import Recipe
from lingua_utils.models.training import PAD, START, build_model, learning_rate, token_loss
from lingua_utils.text import invented
from lingua_utils.text.corpus import load_corpus
from lingua_utils.text.invented import Invented, Question

N_SENTENCES = 200
N_CHECKPOINTS = 10  # beside step 0
BATCH = 256  # sentences scored at a time


@dataclass(frozen=True)
class Cell:
    """One training: everything its outcomes depend on.

    Attributes
    ----------
    study : str
        Which part of the design it belongs to.
    cell : str
        Its name in that part; cells of one name differ in the seed alone.
    seed : int
        Of the weights, of the languages and of the drawing of text.
    spec : str
        The dials of the languages, see :class:`lingua_utils.text.invented.Invented`.
    hidden_size, n_layers, steps : int
        Of the model, and how long it is trained.
    """

    study: str
    cell: str
    seed: int
    spec: str = invented.PREFIX
    hidden_size: int = 64
    n_layers: int = 4
    steps: int = 1200

    @property
    def dials(self) -> Invented:
        """The languages: those of the spec, with the cell's seed."""
        comma = "," if ":" in self.spec else ":"
        return Invented.read(f"{self.spec}{comma}seed={self.seed}")

    @property
    def recipe(self) -> Recipe:
        """Sizes, batches and learning rate as the lab's training has them."""
        return Recipe(
            self.cell,
            hidden_size=self.hidden_size,
            mlp_size=4 * self.hidden_size,
            n_layers=self.n_layers,
            vocab_size=320,
            steps=self.steps,
            rows=24,
            row_length=48,
            learning_rate=3e-3,
            warmup_steps=self.steps // 20,
            seed=self.seed,
        )

    @property
    def checkpoints(self) -> tuple[int, ...]:
        """Steps at which it is measured: 0, and then ever farther apart to the last."""
        spaced = np.geomspace(max(1, self.steps / 24), self.steps, N_CHECKPOINTS).round().astype(int)
        return (0, *sorted(set(spaced.tolist())))

    @property
    def digest(self) -> str:
        """Identity of the cell and of the code that trains it and makes its text."""
        sources = [source_digest(module.__file__) for module in (invented, training)]
        own = source_digest(__file__)
        return sha256(json.dumps([asdict(self), sources, own]).encode()).hexdigest()[:12]


# ------------------------------------------------------------------ one cell


def train_tokenizer(
    dials: Invented, vocab_size: int, seed: int, n_lines: int = 20_000
) -> PreTrainedTokenizerFast:
    """BPE over letters, within words: languages without a common letter share only the special tokens.

    Nothing marks the end of a word, since marked letters would be numbered by chance.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=[START, PAD], show_progress=False)
    tokenizer.train_from_iterator(invented.training_lines(dials, n_lines, seed), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A", special_tokens=[(START, tokenizer.token_to_id(START))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=START, eos_token=START, pad_token=PAD, padding_side="right"
    )


def token_batches(cell: Cell, tokenizer: PreTrainedTokenizerFast) -> np.ndarray:
    """The whole training text, lines end to end: uint16 [step, row, position]."""
    recipe = cell.recipe
    needed = recipe.steps * recipe.rows * recipe.row_length
    ids: list[int] = []
    lines = invented.training_lines(cell.dials, 1 << 40, cell.seed)
    while len(ids) < needed:
        chunk = [next(lines) for _ in range(4096)]
        for encoding in tokenizer.backend_tokenizer.encode_batch_fast(chunk):
            ids += encoding.ids
    return np.array(ids[:needed], dtype=np.uint16).reshape(recipe.steps, recipe.rows, recipe.row_length)


def checkpoints(cell: Cell, device: str) -> Iterator[tuple[int, PreTrainedModel, PreTrainedTokenizerFast]]:
    """Train a cell; yields (step, model, tokenizer) at each of its checkpoints, the same model further on."""
    recipe = cell.recipe
    tokenizer = train_tokenizer(cell.dials, recipe.vocab_size, cell.seed)
    batches = token_batches(cell, tokenizer)
    model = build_model(recipe, tokenizer).to(device)
    optimizer = torch.optim.AdamW(
        model.parameters(), betas=(0.9, 0.95), weight_decay=recipe.weight_decay, fused=True
    )
    for step in range(cell.steps + 1):
        if step in cell.checkpoints:
            yield step, model.eval(), tokenizer
            model.train()
        if step == cell.steps:
            return
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(recipe, step)
        token_loss(model, torch.from_numpy(batches[step].astype(np.int64))).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()


@torch.no_grad()
def nats(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> np.ndarray:
    """−log probability of each text, given that one begins; float64, shape [text]."""
    rows = [torch.tensor(ids) for ids in tokenizer(list(texts))["input_ids"]]
    totals = []
    for start in range(0, len(rows), BATCH):
        tokens = pad_sequence(rows[start : start + BATCH], True, tokenizer.pad_token_id).to(model.device)
        logits = model(input_ids=tokens, use_cache=False).logits[:, :-1].transpose(1, 2)
        each = F.cross_entropy(logits, tokens[:, 1:], reduction="none", ignore_index=tokenizer.pad_token_id)
        totals.append(each.double().sum(dim=1).cpu().numpy())
    return np.concatenate(totals)


def share_right(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, asked: Sequence[Question]
) -> float:
    """Share of questions whose right option is the one that gains most by what comes before it, in [0, 1].

    Without a context an option's gain is over what it has on average in the other questions of its language,
    so that a place which is named often is no answer to everything.
    """
    shape = len(asked), len(asked[0].options)
    whole = [f"{q.context} {option}" if q.context else option for q in asked for option in q.options]
    score = -nats(model, tokenizer, whole).reshape(shape)
    if asked[0].context:
        score += nats(model, tokenizer, [option for q in asked for option in q.options]).reshape(shape)
    else:
        language = pd.Series([q.language for q in asked])
        score -= pd.DataFrame(score).groupby(language).transform("mean").to_numpy()
    return float((score.argmax(axis=1) == [q.answer for q in asked]).mean())


def cka(vectors: np.ndarray) -> float:
    """Linear CKA of two languages over the same meanings, without bias (Kornblith et al. 2019).

    The estimate of HSIC is that of Song et al. (2012), so that unrelated languages have 0 on average however
    many neurons there are.

    Parameters
    ----------
    vectors : array, shape [2, sentence, neuron]; at least 4 sentences

    Returns
    -------
    float
        1 for languages that are the same up to rotation and scale.
    """
    n = vectors.shape[1]
    grams = [(x - x.mean(axis=0)) @ (x - x.mean(axis=0)).T for x in vectors.astype(float)]
    for gram in grams:
        np.fill_diagonal(gram, 0)

    def hsic(k: np.ndarray, m: np.ndarray) -> float:
        both = (k * m).sum() + k.sum() * m.sum() / ((n - 1) * (n - 2))
        return both - 2 / (n - 2) * k.sum(axis=0) @ m.sum(axis=0)

    k, m = grams
    return hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m))


def layer_rows(activations: Activations, seed: int) -> Iterator[dict]:
    """Of each layer SADS, beside its null, LRDS, retrieval, mutual neighbours and CKA, all standardised."""
    for index, (_, vectors) in zip(range(len(activations.layers)), activations.by_layer(), strict=False):
        means, found = similarity.pair_means(vectors), similarity.retrieval(vectors)
        null = similarity.permutation_null(vectors, n_permutations=40, seed=seed).row()
        scaled = np.asarray(vectors.scaled("standardised"))
        yield {
            "layer": index,
            "sads": means.sads,
            "sads_null_high": null["sads_null_high"],
            "lrds": means.lrds,
            "lrds_se": means.lrds_se,
            "retrieval": found.accuracy.mean(),
            "mutual": found.mutual.mean(),
            "cka": np.mean([cka(scaled[list(pair)]) for pair in combinations(range(len(scaled)), 2)]),
        }


def overlap_rows(found: regions.Regions) -> Iterator[dict]:
    """Of every two languages how far their key neurons are the same, beside what chance makes of it."""
    for (i, one), (j, other) in combinations(enumerate(found.languages), 2):
        shared, chance = regions.jaccard(found.region[i], found.region[j], found.widths)
        yield {"source": one, "target": other, "jaccard": shared, "chance": chance}


def measure(
    cell: Cell, step: int, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast
) -> tuple[dict, list[dict], list[dict]]:
    """A checkpoint in numbers: a row of outcomes, rows for layers, rows for each two languages.

    What is said of one layer is said of the middle one (of four, the third). ``region`` is the share of
    neurons that are key to a language by the rule "calibrated" (two languages are too few for "distinctive"
    and "zscore"), and ``region_outer`` the share of these that lie in the first and the last layer; an even
    spread has ``2 / n_layers`` there.
    """
    dials = cell.dials
    loaded = LoadedModel(
        model, model.base_model, tokenizer, cell.cell, f"step{step:06d}", neuron_sites(model)
    )
    corpus = load_corpus(dials.spec, n_sentences=N_SENTENCES)
    with torch.no_grad():
        activations = capture(loaded, corpus, progress=False)
    layers = list(layer_rows(activations, cell.seed))
    best, fixed = max(layers, key=lambda row: row["sads"]), layers[cell.n_layers // 2]
    found = regions.key_regions(activations, "calibrated", seed=cell.seed)
    key = found.region.any(axis=0).sum(axis=1)
    texts = [sentence for column in corpus.texts for sentence in column]
    bits = nats(model, tokenizer, texts).reshape(len(corpus.texts), -1).mean(axis=1) / np.log(2)
    outcomes = {
        **{
            name: fixed[name]
            for name in ("sads", "sads_null_high", "lrds", "lrds_se", "retrieval", "mutual", "cka")
        },
        "sads_best": best["sads"],
        "best_layer": best["layer"],
        "region": found.share,
        "region_expected": found.expected_share,
        "region_outer": (key[0] + key[-1]) / key.sum() if key.any() else np.nan,
        "transfer": share_right(model, tokenizer, invented.fact_questions(dials)),
        "recall": share_right(model, tokenizer, invented.fact_questions(dials, "own")),
        "translation": share_right(model, tokenizer, invented.translation_questions(dials)),
        "bits": bits.mean(),
        "bits_first": bits[0],
        "bits_second": bits[1],
    }
    return outcomes, layers, list(overlap_rows(found))


def run(cell: Cell, device: str = "cpu") -> dict[str, pd.DataFrame]:
    """Train a cell and measure it at its checkpoints.

    Returns
    -------
    dict of DataFrame
        ``outcomes`` (a row for each step), ``layers`` (step × layer), ``overlaps`` (step × two languages);
        columns as in :func:`measure`, and the cell's ``study``, ``cell`` and ``seed``, and ``step``.
    """
    tables: dict[str, list[dict]] = {"outcomes": [], "layers": [], "overlaps": []}
    named = {"study": cell.study, "cell": cell.cell, "seed": cell.seed}
    for step, model, tokenizer in checkpoints(cell, device):
        outcomes, *others = measure(cell, step, model, tokenizer)
        for rows, found in zip(tables.values(), ([outcomes], *others), strict=True):
            rows += [named | {"step": step} | row for row in found]
    return {name: pd.DataFrame(rows) for name, rows in tables.items()}


def onset(steps: Sequence[int], values: Sequence[float], least: float = 0.02) -> float:
    """Step at which an outcome is halfway up: the midpoint of a sigmoid fitted over log steps.

    Parameters
    ----------
    steps, values : sequences, shape [checkpoint]
        Step 0 is left out.
    least : float
        An outcome that rises by less has no onset.

    Returns
    -------
    float
        In steps, within those measured; NaN where there is no rise, or no sigmoid fits.
    """
    kept = np.asarray(steps) > 0
    x, y = np.log(np.asarray(steps, dtype=float)[kept]), np.asarray(values, dtype=float)[kept]
    rise = y[-2:].mean() - y[0]
    if rise < least:
        return np.nan

    def sigmoid(x: np.ndarray, low: float, height: float, middle: float, slope: float) -> np.ndarray:
        return low + height / (1 + np.exp(-slope * (x - middle)))

    bounds = ([y.min() - rise, least, x[0], 0.5], [y.max(), 3 * rise + least, x[-1], 50])
    start = np.clip([y[0], rise, np.interp(y[0] + rise / 2, np.maximum.accumulate(y), x), 4], *bounds)
    try:
        with warnings.catch_warnings():
            # What is not known is how certain the parameters are, which nobody asks here.
            warnings.simplefilter("ignore", OptimizeWarning)
            (_, _, middle, _), _ = curve_fit(sigmoid, x, y, start, bounds=bounds)
    except RuntimeError:
        return np.nan
    return float(np.exp(middle))


def fit(outcome: np.ndarray, signs: pd.DataFrame) -> sm.regression.linear_model.RegressionResults:
    """Least squares of one number per run on all factors and all pairs of them.

    Parameters
    ----------
    outcome : array, shape [run]
    signs : DataFrame, shape [run, factor]
        −1 and 1 for the low and the high level of each factor (sum coding).

    Returns
    -------
    statsmodels' results, with a parameter for the mean, each factor ("script"), each pair ("script × order").
    """
    terms = signs.astype(float).assign(
        **{f"{a} × {b}": signs[a] * signs[b] for a, b in combinations(signs.columns, 2)}
    )
    return sm.OLS(np.asarray(outcome, dtype=float), sm.add_constant(terms.reset_index(drop=True))).fit()


def effects(fitted: sm.regression.linear_model.RegressionResults) -> pd.DataFrame:
    """What each factor does: the mean at its high level less that at its low level, with 95 % t intervals.

    Of a pair it is half of what the effect of one is greater where the other is high.

    Returns
    -------
    DataFrame
        ``term``, ``effect``, ``low``, ``high`` in units of the outcome, one row for each factor and pair.
    """
    # A coefficient is half of the difference between −1 and 1.
    limits = 2 * fitted.conf_int().drop("const")
    return pd.DataFrame(
        {
            "term": limits.index,
            "effect": 2 * fitted.params[limits.index].to_numpy(),
            "low": limits[0].to_numpy(),
            "high": limits[1].to_numpy(),
        }
    )
