"""A tiny Llama as a GGUF file, written as llama.cpp's converter writes it, by the package ``gguf`` alone."""

import json
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Quantisation
from tiny_models import tiny_config, tiny_model, tiny_tokenizer

# Names of tensors: in transformers, in GGUF.
_OF_MODEL = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
}
_OF_LAYER = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
# Every row must be whole blocks of 32 numbers to be quantised.
CHANGES = {"intermediate_size": 64, "rms_norm_eps": 1e-5}


def save_gguf(
    path: Path,
    seed: int = 0,
    quantisation: Quantisation = Quantisation.F32,
    architecture: str = "llama",
    without: str = "",
) -> Path:
    """Write a tiny Llama; ``without`` is the GGUF name of a tensor to leave out."""
    config, model = tiny_config("llama", **CHANGES), tiny_model("llama", seed, **CHANGES)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    _add_tokenizer(writer, config.vocab_size)
    for name, tensor in model.state_dict().items():
        as_gguf = gguf_name(name)
        if as_gguf == without:
            continue
        values = as_llama_cpp_orders(name, tensor.numpy(), config)
        if values.ndim == 2 and quantisation != Quantisation.F32:
            values = gguf.quantize(values, quantisation)
            writer.add_tensor(as_gguf, values, raw_dtype=quantisation)
        else:
            writer.add_tensor(as_gguf, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def gguf_name(name: str) -> str:
    """GGUF's name of a tensor of a Llama in transformers."""
    module, _, kind = name.rpartition(".")
    if module in _OF_MODEL:
        return f"{_OF_MODEL[module]}.{kind}"
    _, _, layer, inner = module.split(".", 3)
    return f"blk.{layer}.{_OF_LAYER[inner]}.{kind}"


def as_llama_cpp_orders(name: str, values: np.ndarray, config) -> np.ndarray:
    """The rows of query and key in llama.cpp's order: the halves of a head that rotate together alternate."""
    if not name.endswith(("q_proj.weight", "k_proj.weight")):
        return values
    n_heads = config.num_attention_heads if "q_proj" in name else config.num_key_value_heads
    halves = values.reshape(n_heads, 2, -1, values.shape[1])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(values.shape))


def _add_tokenizer(writer: gguf.GGUFWriter, n_rows: int) -> None:
    tokenizer = tiny_tokenizer("llama")
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    tokens = [token for token, _ in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])]
    special = set(tokenizer.all_special_tokens) | {"<pad>", "<lang>", "<mask>"}
    kinds = [gguf.TokenType.CONTROL if token in special else gguf.TokenType.NORMAL for token in tokens]
    padding = [f"[PAD{index}]" for index in range(len(tokens), n_rows)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens + padding)
    writer.add_token_types([*kinds, *[gguf.TokenType.UNUSED] * len(padding)])
    writer.add_token_merges([" ".join(merge) for merge in model["merges"]])
    writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_unk_token_id(tokenizer.unk_token_id)
    writer.add_add_bos_token(True)
