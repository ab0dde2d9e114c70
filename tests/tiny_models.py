"""Tiny random models of every architecture, with tiny tokenizers that have the real ones' habits."""

from functools import cache
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from lingua_utils.models.architectures import NEURON_SITES
from lingua_utils.models.loading import LoadedModel

VOCABULARY = 384
MODEL_TYPES = tuple(NEURON_SITES)
DECODERS = tuple(name for name, stacks in NEURON_SITES.items() if tuple(stacks) == ("decoder",))
ENCODERS = tuple(name for name, stacks in NEURON_SITES.items() if tuple(stacks) == ("encoder",))
ENCODER_DECODERS = tuple(name for name, stacks in NEURON_SITES.items() if len(stacks) == 2)

TEXTS = (
    (
        "South Africa and Pakistan.",
        "On Monday.",
        "134 euros, 63 million, and a very long list of countries and their currencies, on Monday.",
        "In three weeks, Paris.",
        "French.",
    ),
    (
        "南非和巴基斯坦。",
        "星期一。",
        "134欧元、6300万和一份很长的国家及其货币清单。",
        "三周后，巴黎。",
        "法语。",
    ),
    (
        "दक्षिण अफ़्रीका और पाकिस्तान।",
        "सोमवार।",
        "134 यूरो, 6 करोड़, और देशों की एक लंबी सूची।",
        "तीन सप्ताह में, पेरिस।",
        "फ़्रेंच।",
    ),
)
LANGUAGES = ("eng_Latn", "zho_Hans", "hin_Deva")

# What the tokenizers of the real families put around a sentence: before, after.
_AROUND = {
    "llama": ("<s>", ""),
    "mistral": ("<s>", ""),
    "gemma2": ("<s>", ""),
    "gemma3": ("<s>", ""),
    "gemma3_text": ("<s>", ""),
    "apertus": ("<s>", ""),
    "cohere2": ("<s>", ""),
    "opt": ("</s>", ""),
    "xglm": ("</s>", ""),
    "mbart": ("", "</s> <lang>"),
    "t5": ("", "</s>"),
    "mt5": ("", "</s>"),
    "umt5": ("", "</s>"),
    "bert": ("<s>", "</s>"),
    "xlm-roberta": ("<s>", "</s>"),
    "modernbert": ("<s>", "</s>"),
}
_WITHOUT_PAD = ("llama", "mistral", "gpt2", "gpt_neox", "falcon")

_SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "d_model": 32,
    "word_embed_proj_dim": 32,
    "num_hidden_layers": 2,
    "num_layers": 2,
    "num_decoder_layers": 2,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "num_attention_heads": 4,
    "attention_heads": 4,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "num_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "d_kv": 8,
    "intermediate_size": 48,
    "ffn_dim": 48,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "d_ff": 48,
    "n_inner": 48,
    "max_position_embeddings": 256,
    "sliding_window": 16,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "sep_token_id": 2,
    "cls_token_id": 0,
    "decoder_start_token_id": 1,
}


def tiny_config(model_type: str, **changes):
    """Configuration of a two-layer, 32-wide model; ``changes`` override its fields."""
    if model_type == "gemma3":
        vision = {
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
        }
        vision |= {"image_size": 28, "patch_size": 14}
        text = tiny_config("gemma3_text", **changes).to_dict()
        return AutoConfig.for_model("gemma3", text_config=text, vision_config=vision, mm_tokens_per_image=4)
    known = AutoConfig.for_model(model_type)
    sizes = {name: size for name, size in _SIZES.items() if hasattr(known, name)}
    if model_type in ENCODER_DECODERS:
        sizes["decoder_start_token_id"] = 1
    if model_type == "falcon":
        sizes.pop("head_dim")  # derived there, and has no setter
    sizes |= changes
    return AutoConfig.for_model(model_type, **sizes)


def tiny_model(model_type: str, seed: int = 0, **changes) -> PreTrainedModel:
    """A model of random weights with its language-model head."""
    config = tiny_config(model_type, **changes)
    auto_class = (
        AutoModelForSeq2SeqLM
        if model_type in ENCODER_DECODERS
        else AutoModelForMaskedLM
        if model_type in ENCODERS
        else AutoModelForCausalLM
    )
    torch.manual_seed(seed)
    model = auto_class.from_config(config)
    with torch.no_grad():  # Large enough weights that every layer matters, biases included.
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model.eval()


@cache
def _vocabulary() -> str:
    """A byte-level BPE of the tiny texts, as the tokenizers library's JSON."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - 10,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<lang>", "<mask>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([text for texts in TEXTS for text in texts], trainer)
    return tokenizer.to_str()


def tiny_tokenizer(model_type: str = "bloom") -> PreTrainedTokenizerFast:
    """A byte-level BPE with the special tokens that the architecture's real tokenizers add."""
    tokenizer = Tokenizer.from_str(_vocabulary())
    before, after = _AROUND.get(model_type, ("", ""))
    pieces = [*before.split(), "$A", *after.split()]
    if len(pieces) > 1:
        added = [(piece, tokenizer.token_to_id(piece)) for piece in pieces if piece != "$A"]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=" ".join(pieces), special_tokens=added
        )
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    if model_type not in _WITHOUT_PAD:
        names["pad_token"] = "<pad>"
    if model_type in ENCODERS:
        names |= {"cls_token": "<s>", "sep_token": "</s>", "mask_token": "<mask>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def tiny_loaded(model_type: str, seed: int = 0, **changes) -> LoadedModel:
    """A tiny random model with its tokenizer, as ``load_model`` would return it on the CPU."""
    return LoadedModel.wrap(tiny_model(model_type, seed, **changes), tiny_tokenizer(model_type))


def save_tiny(model_type: str, folder: str | Path, seed: int = 0, **changes) -> Path:
    """Write a complete Hugging Face folder: configuration, safetensors, tokenizer."""
    tiny_model(model_type, seed, **changes).save_pretrained(folder)
    tiny_tokenizer(model_type).save_pretrained(folder)
    return Path(folder)
