"""A BLOOM wired so that known neurons, and only they, know which language they read."""

from functools import cache

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BloomConfig, BloomForCausalLM, PreTrainedTokenizerFast

from lingua_utils.models.loading import LoadedModel
from lingua_utils.text.corpus import ParallelCorpus

LANGUAGES = (
    "eng_Latn", "zho_Hans", "zho_Hant", "fra_Latn", "spa_Latn",
    "por_Latn", "arb_Arab", "vie_Latn", "hin_Deva", "ind_Latn",
)  # fmt: skip
N_WORDS, WIDTH, N_LAYERS, PLANTED_LAYERS = 50, 64, 3, (0, 2)
MEANING = WIDTH - len(LANGUAGES)  # the first dimensions hold the word, one for each language the rest


def words(language: int) -> list[str]:
    return [f"{LANGUAGES[language]}.{word}" for word in range(N_WORDS)]


@cache
def _tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = ["<s>", "<unk>", *(word for language in range(len(LANGUAGES)) for word in words(language))]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(vocabulary)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", pad_token="<s>", unk_token="<unk>"
    )


def wired_corpus(n_sentences: int = 100, split: str = "dev", seed: int = 0) -> ParallelCorpus:
    """Sentences of which every language translates two thirds of the words and chooses the rest itself."""
    rng = np.random.default_rng([seed, split == "test"])
    shared = rng.integers(N_WORDS, size=(n_sentences, 8))
    texts = []
    for language in range(len(LANGUAGES)):
        chosen = np.concatenate([shared, rng.integers(N_WORDS, size=(n_sentences, 4))], axis=1)
        texts.append(tuple(" ".join(words(language)[word] for word in sentence) for sentence in chosen))
    return ParallelCorpus("wired", LANGUAGES, tuple(texts), split)


@torch.no_grad()
def wired_bloom(per_language: int = 12, seed: int = 0) -> tuple[LoadedModel, np.ndarray]:
    """The model, and which neurons serve which language, bool [language, layer, neuron].

    In each of two layers ``per_language`` neurons fire for one language each, and half as many pairs of
    neighbouring languages share one. What the former write makes words of their language likelier. All others
    read the word, which is the same in every language.
    """
    generator = torch.Generator().manual_seed(seed)
    n_languages = len(LANGUAGES)
    model = BloomForCausalLM(
        BloomConfig(vocab_size=2 + n_languages * N_WORDS, hidden_size=WIDTH, n_layer=N_LAYERS, n_head=4)
    )
    embedding = model.transformer.word_embeddings.weight
    embedding.zero_()
    meanings = torch.randn(N_WORDS, MEANING, generator=generator)
    meanings = meanings / meanings.norm(dim=1, keepdim=True) * 6
    for language in range(n_languages):
        rows = slice(2 + language * N_WORDS, 2 + (language + 1) * N_WORDS)
        embedding[rows, :MEANING] = meanings
        embedding[rows, MEANING + language] = 3

    truth = np.zeros((n_languages, N_LAYERS, 4 * WIDTH), dtype=bool)
    for layer, block in enumerate(model.transformer.h):
        block.self_attention.dense.weight.zero_()
        up, down = block.mlp.dense_h_to_4h, block.mlp.dense_4h_to_h
        up.weight.copy_(torch.randn(up.weight.shape, generator=generator) * 0.3)
        up.weight[:, MEANING:] = 0
        down.weight.zero_()
        if layer not in PLANTED_LAYERS:
            continue
        free = torch.randperm(4 * WIDTH, generator=generator).tolist()
        for language in range(n_languages):
            alone = [(language,)] * per_language
            pairs = [(language, (language + 1) % n_languages)] * (per_language // 2)
            for served in alone + pairs:
                neuron = free.pop()
                truth[list(served), layer, neuron] = True
                up.weight[neuron] = 0
                up.weight[neuron, MEANING + torch.tensor(served)] = 1
                up.bias[neuron] = -0.5
                if len(served) == 1:  # what a shared neuron writes would tell later layers of both
                    down.weight[MEANING + language, neuron] = 0.2
    return LoadedModel.wrap(model, _tokenizer(), "wired"), truth
