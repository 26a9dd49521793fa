"""Traces a transformers model to TorchScript in a form that holds for other lengths and batch sizes, and checks that it does.

    python python_shims/trace_hf.py MODEL OUT_DIR [--task TASK] [--attention eager|sdpa] [--random-config]

MODEL is a folder with config.json and weights (or a name that transformers resolves). With --random-config only its
config.json is read, which MODEL may be as well, and the weights are random. OUT_DIR receives

    model.pt                 forward(input_ids, attention_mask, …), named as in the original
    tokenizer.json           if MODEL has a tokenizer
    labels.json              the names of the classes, if it has any
    generation_config.json   the tokens that end a text, for a language model

What is taken care of: caches are off, results are tensors, a mask is always given (without one the mask of the traced
length would be kept), the example holds padding, experts run on whatever tokens are routed to them. The trace is compared
with the untouched model at other lengths, batch sizes and paddings, and not written if they differ.
"""

import argparse
import json
import sys
import warnings
from pathlib import Path

import torch
import transformers
from torch import nn

import hf_experts

SEED = 7
TOLERANCE = 1e-4  # of the largest output
EXAMPLE = (2, 9)  # batch and length that are traced
OTHERS = ((1, 4), (3, 13), (2, 30))  # batches and lengths that must come out right as well
TASKS = {
    "causal": transformers.AutoModelForCausalLM,
    "classify": transformers.AutoModelForSequenceClassification,
    "tokens": transformers.AutoModelForTokenClassification,
    "mask": transformers.AutoModelForMaskedLM,
    "encode": transformers.AutoModel,
    "translate": transformers.AutoModelForSeq2SeqLM,
    "image": transformers.AutoModelForImageClassification,
}
# What names of architectures tell of the task; the first that fits.
SUFFIXES = {
    "ForConditionalGeneration": "translate",
    "LMHeadModel": "causal",
    "ForCausalLM": "causal",
    "ForSequenceClassification": "classify",
    "ForTokenClassification": "tokens",
    "ForMaskedLM": "mask",
    "ForImageClassification": "image",
}


def task_of(config) -> str:
    names = getattr(config, "architectures", None) or []
    found = [task for name in names for suffix, task in SUFFIXES.items() if name.endswith(suffix)]
    return found[0] if found else "encode"


def build(source: str, task: str | None, attention: str, random: bool) -> tuple[nn.Module, str]:
    """The model in evaluation mode, and its task."""
    config = transformers.AutoConfig.from_pretrained(source)
    task = task or task_of(config)
    config.use_cache = False
    if random:
        torch.manual_seed(SEED)
        model = TASKS[task].from_config(config, attn_implementation=attention)
    else:
        model = TASKS[task].from_pretrained(source, config=config, attn_implementation=attention, dtype="auto")
    return model.eval(), task


def forward_of(model: nn.Module, task: str, original):
    """A forward of tensors only. Its arguments are those the model takes, which become those of the archive."""
    settings = {"use_cache": False} if task in ("causal", "translate") else {}

    def tensors(result):
        if "logits" in result:
            return result["logits"]
        found = {name: result[name] for name in ("last_hidden_state", "pooler_output") if result.get(name) is not None}
        return found if len(found) > 1 else found["last_hidden_state"]

    def run(**arguments):
        return tensors(original(**arguments, return_dict=True, **settings))

    if task == "image":
        return lambda self, pixel_values: run(pixel_values=pixel_values)
    if task == "translate":
        return lambda self, input_ids, attention_mask, decoder_input_ids: run(
            input_ids=input_ids, attention_mask=attention_mask, decoder_input_ids=decoder_input_ids)
    if task != "causal" and getattr(model.config, "type_vocab_size", 0) > 1:
        return lambda self, input_ids, attention_mask, token_type_ids: run(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
    return lambda self, input_ids, attention_mask: run(input_ids=input_ids, attention_mask=attention_mask)


def plain(model: nn.Module, task: str) -> nn.Module:
    """The same model, its class replaced by one with a plain forward, so that no wrapper stands before the paths of modules."""
    original = model.forward
    kind = type(model)
    model.__class__ = type(kind.__name__, (kind,), {"forward": forward_of(model, task, original), "__module__": kind.__module__})
    return model


def sample(model: nn.Module, task: str, batch: int, length: int, seed: int) -> tuple[torch.Tensor, ...]:
    """Random inputs; from the second on, texts are shorter and padded at their end."""
    config = model.config
    noise = torch.Generator().manual_seed(seed)
    if task == "image":
        size = config.image_size if isinstance(config.image_size, int) else config.image_size[0]
        return (torch.randn(batch, config.num_channels, size, size, generator=noise),)
    longest = getattr(config, "max_position_embeddings", length) or length
    length = min(length, longest - 2)  # RoBERTa's positions begin after the padding's
    padding = config.pad_token_id if getattr(config, "pad_token_id", None) is not None else 0
    ids = torch.randint(3, config.vocab_size, (batch, length), generator=noise)
    ids = torch.where(ids == padding, ids - 1, ids)
    mask = torch.ones(batch, length, dtype=torch.int64)
    for row in range(1, batch):
        ids[row, max(1, length - 2 * row):] = padding
        mask[row, max(1, length - 2 * row):] = 0
    if task == "translate":
        return ids, mask, torch.randint(3, config.vocab_size, (batch, max(2, length // 2 + 1)), generator=noise)
    if task != "causal" and getattr(config, "type_vocab_size", 0) > 1:
        kinds = (torch.arange(length) >= length // 2).long().expand(batch, -1)
        return ids, mask, kinds.contiguous()
    return ids, mask


def flat(outputs) -> list[torch.Tensor]:
    return list(outputs.values()) if isinstance(outputs, dict) else [outputs]


def trace(model: nn.Module, task: str, unstack: bool = True) -> torch.jit.ScriptModule:
    """The checked trace; the model itself is used up. Without `unstack` stacks of experts stay what they are."""
    model = plain(model.requires_grad_(False), task)
    samples = [sample(model, task, *shape, seed) for seed, shape in enumerate((EXAMPLE, *OTHERS))]
    expected = [flat(model(*inputs)) for inputs in samples]
    if unstack:
        hf_experts.unstack(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(model, samples[0], strict=False, check_trace=False)
    for inputs, wanted in zip(samples, expected):
        shape = "×".join(map(str, inputs[0].shape))
        try:
            found = flat(traced(*inputs))
        except RuntimeError as error:
            raise SystemExit(f"the trace fails on inputs of {shape}: {str(error).strip().splitlines()[-1]}") from error
        for got, want in zip(found, wanted, strict=True):
            gap = (got - want).abs().max() / want.abs().max()
            if got.shape != want.shape or not gap <= TOLERANCE:
                raise SystemExit(f"on inputs of {shape} the trace is off by {gap:.1e}: this model computes something from its "
                                 "inputs outside tensors, so that a trace holds for its example only; script that part")
    return traced


def companions(source: str, model: nn.Module, task: str, out: Path) -> None:
    """What belongs to the model: tokenizer, names of classes, end of texts."""
    if task != "image":
        try:
            transformers.AutoTokenizer.from_pretrained(source).backend_tokenizer.save(str(out / "tokenizer.json"))
        except Exception as error:  # whatever is missing, the model goes without
            print(f"no tokenizer.json: {str(error).splitlines()[0]}", file=sys.stderr)
    if task in ("classify", "tokens", "image"):
        labels = {str(number): name for number, name in sorted(model.config.id2label.items())}
        (out / "labels.json").write_text(json.dumps(labels, indent=1, ensure_ascii=False) + "\n")
    if task in ("causal", "translate") and model.generation_config is not None:
        kept = {name: getattr(model.generation_config, name) for name in
                ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")}
        kept = {name: value for name, value in kept.items() if value is not None}
        (out / "generation_config.json").write_text(json.dumps(kept, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="folder of the model")
    parser.add_argument("out", type=Path)
    parser.add_argument("--task", choices=TASKS, help="what the model is used for [default: as its config.json says]")
    parser.add_argument("--attention", choices=("eager", "sdpa"), default="eager",
                        help="written out, or in one operator: quicker; relevance is the same")
    parser.add_argument("--random-config", action="store_true", help="random weights, made from config.json alone")
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    with torch.no_grad():
        try:
            model, task = build(options.model, options.task, options.attention, options.random_config)
        except OSError as error:
            raise SystemExit(f"{options.model}: {str(error).splitlines()[0]}") from error
        options.out.mkdir(parents=True, exist_ok=True)
        companions(options.model, model, task, options.out)
        traced = trace(model, task)
    traced.save(str(options.out / "model.pt"))
    size = (options.out / "model.pt").stat().st_size
    print(f"{options.out / 'model.pt'}: {task}, {size / 1e6:.1f} MB; equal to the original at "
          + ", ".join("×".join(map(str, shape)) for shape in (EXAMPLE, *OTHERS)))


if __name__ == "__main__":
    main()
