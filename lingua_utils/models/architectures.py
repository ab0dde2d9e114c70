"""Where the neurons of each architecture are.

A neuron is one input channel of an MLP's down-projection: what stands there is the post-activation, and
gate × up in gated MLPs. :data:`NEURON_SITES` is the only table of architectures in the project; a new one
is a row there.
"""

from dataclasses import dataclass

import torch
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    PreTrainedModel,
)

_GATED = {"decoder": "layers.{}.mlp.down_proj"}
_T5 = {
    "encoder": "encoder.block.{}.layer.1.DenseReluDense.wo",
    "decoder": "decoder.block.{}.layer.2.DenseReluDense.wo",
}
_BERT = {"encoder": "encoder.layer.{}.output.dense"}

#: Where the neurons are: model type → {stack: path of layer {}'s down-projection in the headless model}.
NEURON_SITES: dict[str, dict[str, str]] = {
    "llama": _GATED,
    "mistral": _GATED,
    "qwen2": _GATED,
    "qwen3": _GATED,
    "gemma2": _GATED,
    "gemma3": _GATED,
    "gemma3_text": _GATED,
    "olmo2": _GATED,
    "olmo3": _GATED,
    "apertus": _GATED,
    "smollm3": _GATED,
    "cohere2": _GATED,
    "phi3": _GATED,
    "bloom": {"decoder": "h.{}.mlp.dense_4h_to_h"},
    "falcon": {"decoder": "h.{}.mlp.dense_4h_to_h"},
    "gpt_neox": {"decoder": "layers.{}.mlp.dense_4h_to_h"},
    "gpt2": {"decoder": "h.{}.mlp.c_proj"},
    "opt": {"decoder": "decoder.layers.{}.fc2"},
    "xglm": {"decoder": "layers.{}.fc2"},
    "mbart": {"encoder": "encoder.layers.{}.fc2", "decoder": "decoder.layers.{}.fc2"},
    "t5": _T5,
    "mt5": _T5,
    "umt5": _T5,
    "bert": _BERT,
    "xlm-roberta": _BERT,
    "modernbert": {"encoder": "layers.{}.mlp.Wo"},
}

#: Stacks of an architecture → the class that loads it with its language-model head.
AUTO_CLASSES = {
    ("decoder",): AutoModelForCausalLM,
    ("encoder",): AutoModelForMaskedLM,
    ("encoder", "decoder"): AutoModelForSeq2SeqLM,
}

#: Repositories without a tokenizer of their own, and the one whose tokenizer they were trained with.
TOKENIZERS = {
    f"bigscience/bloom-{size}-intermediate": f"bigscience/bloom-{size}"
    for size in ("560m", "1b1", "1b7", "3b", "7b1")
}


@dataclass(frozen=True)
class Site:
    """The neurons of one layer: the input of one down-projection.

    Attributes
    ----------
    stack : {"decoder", "encoder"}
    layer : int
        Index within the stack, from 0.
    name : str
        Path of the down-projection in the headless model, ``"h.0.mlp.dense_4h_to_h"``.
    width : int
        Number of neurons.
    paired : bool
        Whether the model has both stacks.
    """

    stack: str
    layer: int
    name: str
    width: int
    paired: bool = False

    @property
    def label(self) -> str:
        """``"3"``; in a model with both stacks ``"encoder 3"`` or ``"decoder 3"``."""
        return f"{self.stack} {self.layer}" if self.paired else str(self.layer)


def headless(model: PreTrainedModel) -> PreTrainedModel:
    """The model without its language-model head, of the same modules; of a multimodal one, its text model."""
    if model.base_model is model and hasattr(model, "lm_head"):
        # T5 and its kin keep their stacks beside the head: put the same stacks into an empty headless shell.
        with torch.device("meta"):
            shell = AutoModel.from_config(model.config)
        for name, _ in shell.named_children():
            setattr(shell, name, getattr(model, name))
        return shell.eval()
    return getattr(model.base_model, "language_model", model.base_model)


def neuron_sites(model: PreTrainedModel) -> tuple[Site, ...]:
    """Where the neurons of a model are: encoder first, then decoder, first layer to last.

    Raises
    ------
    ValueError
        For an architecture that is not in :data:`NEURON_SITES`.
    """
    stacks = stacks_of(model.config.to_dict(), type(model).__name__)
    modules = dict(headless(model).named_modules())
    sites = []
    for stack, path in stacks.items():
        layer = 0
        while (name := path.format(layer)) in modules:
            module = modules[name]
            # GPT-2's Conv1D keeps its weight transposed and calls its input width nx.
            width = module.in_features if hasattr(module, "in_features") else module.nx
            sites.append(Site(stack, layer, name, width, paired=len(stacks) == 2))
            layer += 1
    return tuple(sites)


def stacks_of(config: dict, what: str) -> dict[str, str]:
    """Row of :data:`NEURON_SITES` for a configuration; the error for one that is not there."""
    model_type = config.get("model_type")
    if model_type in NEURON_SITES:
        return NEURON_SITES[model_type]
    text = config.get("text_config") or {}
    experts = any("expert" in key and value for part in (config, text) for key, value in part.items())
    kind = (
        "a mixture of experts, whose fused expert tensors have no one down-projection in a layer"
        if experts
        else "an unknown architecture"
    )
    raise ValueError(
        f"{what}: model type {model_type!r} is {kind}; known are {', '.join(NEURON_SITES)}; "
        "to add one, give it a row in NEURON_SITES in lingua_utils/models/architectures.py"
    )
