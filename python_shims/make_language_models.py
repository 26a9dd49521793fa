"""Makes tests/models: small transformers with random weights, traced by trace_hf.py, with inputs and outputs.

    python python_shims/make_language_models.py [NAME…]

NAME.pt with NAME.safetensors, which holds `CASE:ARGUMENT` and `CASE:output:N` for the cases `short`, `long` and `padded`, a batch
whose texts are padded at their end. index.json lists them.
"""

import argparse
import json
from pathlib import Path

import torch
import transformers as hf
from safetensors.torch import save_file

import archive
import hf_inputs
import trace_hf

OUT = Path(__file__).resolve().parent.parent / "tests" / "models"
CASES = {"short": (1, 4), "long": (1, 11), "padded": (3, 9)}
SIZE = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 24,
        "max_position_embeddings": 40, "initializer_range": 0.3, "pad_token_id": 0}
GROUPED = SIZE | {"num_key_value_heads": 2}
ROUTED = GROUPED | {"num_local_experts": 4, "num_experts_per_tok": 2}
CONFIGS = {
    "bert": ("classify", lambda: hf.BertConfig(**SIZE, num_labels=3)),
    "distilbert": ("encode", lambda: hf.DistilBertConfig(
        vocab_size=40, dim=16, n_layers=2, n_heads=4, hidden_dim=24, max_position_embeddings=40, initializer_range=0.3)),
    "roberta": ("mask", lambda: hf.RobertaConfig(**SIZE)),
    "gpt2": ("causal", lambda: hf.GPT2Config(vocab_size=40, n_embd=16, n_layer=2, n_head=4, n_positions=40, initializer_range=0.3)),
    "llama": ("causal", lambda: hf.LlamaConfig(**GROUPED)),
    "qwen2": ("causal", lambda: hf.Qwen2Config(**GROUPED)),
    "qwen3": ("causal", lambda: hf.Qwen3Config(**GROUPED, head_dim=4)),
    "mixtral": ("causal", lambda: hf.MixtralConfig(**ROUTED)),
    "olmoe": ("causal", lambda: hf.OlmoeConfig(**GROUPED, num_experts=4, num_experts_per_tok=2)),
    "jamba": ("causal", lambda: hf.JambaConfig(
        **GROUPED | {"num_hidden_layers": 4}, num_experts=4, num_experts_per_tok=2, expert_layer_period=2, expert_layer_offset=1,
        attn_layer_period=2, attn_layer_offset=1, mamba_d_state=4, mamba_dt_rank=4, use_mamba_kernels=False)),
    "deepseek_v2": ("causal", lambda: hf.DeepseekV2Config(
        **SIZE, num_key_value_heads=4, moe_intermediate_size=12, n_routed_experts=4, num_experts_per_tok=2, n_shared_experts=1,
        first_k_dense_replace=1, topk_method="greedy", kv_lora_rank=8, q_lora_rank=8, qk_rope_head_dim=4, qk_nope_head_dim=4,
        v_head_dim=4)),
    "t5": ("translate", lambda: hf.T5Config(
        vocab_size=40, d_model=16, d_kv=4, d_ff=24, num_layers=2, num_heads=4, relative_attention_num_buckets=8)),
    "vit": ("image", lambda: hf.ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=24, image_size=16, patch_size=4,
        initializer_range=0.3, num_labels=3)),
}
# Name of the fixture: the model, its attention, its experts (None: one module each), the fixture of equal relevance.
FIXTURES = {
    "bert": ("bert", "eager", None, None),
    "bert_sdpa": ("bert", "sdpa", None, "bert"),
    "distilbert": ("distilbert", "sdpa", None, None),
    "roberta": ("roberta", "eager", None, None),
    "gpt2": ("gpt2", "eager", None, None),
    "gpt2_sdpa": ("gpt2", "sdpa", None, "gpt2"),
    "llama": ("llama", "eager", None, None),
    "llama_sdpa": ("llama", "sdpa", None, "llama"),
    "qwen2": ("qwen2", "eager", None, None),
    "qwen3": ("qwen3", "sdpa", None, None),
    "mixtral": ("mixtral", "eager", None, None),
    "mixtral_batched": ("mixtral", "sdpa", "batched_mm", "mixtral"),
    "olmoe": ("olmoe", "sdpa", None, None),
    "t5": ("t5", "eager", None, None),
    "t5_sdpa": ("t5", "sdpa", None, "t5"),
    "vit": ("vit", "eager", None, None),
    "vit_sdpa": ("vit", "sdpa", None, "vit"),
    "jamba": ("jamba", "sdpa", None, None),
    "deepseek_v2": ("deepseek_v2", "sdpa", None, None),
}


def build(model: str, attention: str, experts: str | None) -> tuple[torch.nn.Module, str]:
    task, config = CONFIGS[model]
    config = config()
    config.use_cache = False
    if experts is not None:
        config._experts_implementation = experts
    torch.manual_seed(trace_hf.SEED)
    network = trace_hf.TASKS[task].from_config(config, attn_implementation=attention).eval()
    # Biases begin as zeros and norms as ones, which would hide what becomes of them.
    for name, parameter in network.named_parameters():
        if parameter.dim() == 1:
            parameter.add_(0.1 * torch.randn(parameter.shape))
    return network, task


def write(name: str) -> dict:
    model, attention, experts, equals = FIXTURES[name]
    network, task = build(model, attention, experts)
    inputs = {case: hf_inputs.sample(network, task, *shape, seed=10 + seed) for seed, (case, shape) in enumerate(CASES.items())}
    traced = trace_hf.trace(network, task, unstack=experts is None)
    path = OUT / f"{name}.pt"
    traced.save(str(path))
    archive.tidy(path, Path(__file__).resolve().parent, lines=False)
    traced = torch.jit.load(str(path))
    arguments = [argument.name for argument in traced.forward.schema.arguments[1:]]
    tensors = {}
    for case, given in inputs.items():
        tensors |= {f"{case}:{argument}": tensor for argument, tensor in zip(arguments, given, strict=True)}
        tensors |= {f"{case}:output:{i}": tensor.contiguous() for i, tensor in enumerate(trace_hf.flat(traced(*given)))}
    save_file(tensors, OUT / f"{name}.safetensors")
    print(f"{name}: {path.stat().st_size / 1e3:.0f} kB", flush=True)
    return {"name": name, "task": task, "equals": equals, "arguments": arguments}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="only these")
    names = parser.parse_args().names
    archive.fix_hashes()
    torch.set_num_threads(1)
    hf.logging.set_verbosity_error()
    OUT.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        index = [write(name) for name in names or FIXTURES]
    if not names:
        (OUT / "index.json").write_text(json.dumps(index, indent=1) + "\n")


if __name__ == "__main__":
    main()
