"""Traces a transformers model to TorchScript in a form that holds for other lengths and batch sizes, and checks that it does.

    python python_shims/trace_hf.py MODEL OUT_DIR [--task TASK] [--attention eager|sdpa] [--random-config]

MODEL is a folder with config.json and weights (or a name that transformers resolves). With --random-config only its
config.json is read, which MODEL may be as well, and the weights are random. OUT_DIR receives

    model.pt                 forward(input_ids, attention_mask, …), named as in the original
    tokenizer.json           if MODEL has a tokenizer
    labels.json              the names of the classes, if it has any
    generation_config.json   the tokens that end a text, for a language model

What is taken care of: caches are off, results are tensors, a mask is always given (without one the mask of the traced
length would be kept), the example holds padding, experts run on whatever tokens are routed to them, loops over the tokens are
scripted. The trace is compared with the untouched model at other lengths, batch sizes and paddings, and not written if they
differ.
"""

import argparse
import inspect
import json
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import torch
import transformers
from torch import nn

import hf_experts
import hf_inputs
import hf_scans

SEED = 7
TOLERANCE = 1e-4  # of the largest output
STEPS = 8  # of the last digit, where that is more: in half precision experts are added up in another order
EXAMPLE = (2, 9)  # batch and length that are traced
OTHERS = ((1, 1), (1, 4), (3, 13), (2, 30))  # batches and lengths that must come out right as well
TASKS = {
    "causal": transformers.AutoModelForCausalLM,
    "classify": transformers.AutoModelForSequenceClassification,
    "tokens": transformers.AutoModelForTokenClassification,
    "question": transformers.AutoModelForQuestionAnswering,
    "translate": transformers.AutoModelForSeq2SeqLM,
    "mask": transformers.AutoModelForMaskedLM,
    "image": transformers.AutoModelForImageClassification,
    "audio": transformers.AutoModelForAudioClassification,
    "speech": transformers.AutoModelForCTC,
    "transcribe": transformers.AutoModelForSpeechSeq2Seq,
    "encode": transformers.AutoModel,
}
REASON = ("this model computes something from its inputs outside tensors, so that a trace holds for its example only; "
          "script that part")
# What models return; the first of these that is there.
RESULTS = (("logits",), ("start_logits", "end_logits"), ("last_hidden_state", "pooler_output"))


def task_of(config) -> str:
    """What the architecture named in config.json is for."""
    for name in config.architectures or []:
        for task, auto in TASKS.items():
            kinds = auto._model_mapping[type(config)] if type(config) in auto._model_mapping else ()
            if name in (kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,))):
                return task
    return "encode"


def build(source: str, task: str | None, attention: str, random: bool) -> tuple[nn.Module, str]:
    """The model in evaluation mode, and its task."""
    config = transformers.AutoConfig.from_pretrained(source)
    task = task or task_of(config)
    config.use_cache = False
    # Where a task has several classes transformers looks for the one that config.json names, and needs a list to look in.
    config.architectures = config.architectures or []
    if random:
        torch.manual_seed(SEED)
        model = TASKS[task].from_config(config, attn_implementation=attention)
    else:
        model = TASKS[task].from_pretrained(source, config=config, attn_implementation=attention, dtype="auto")
    return model.eval(), task


def tensors(result) -> torch.Tensor | dict[str, torch.Tensor]:
    found = ({name: result[name] for name in names if result.get(name) is not None} for names in RESULTS)
    found = next(filter(None, found))
    return found if len(found) > 1 else next(iter(found.values()))


def forward_of(model: nn.Module, task: str):
    """A forward of tensors only. Its arguments are those the model takes, which become those of the archive."""
    original, names = model.forward, hf_inputs.arguments(model, task)
    settings = {"use_cache": False} if task in ("causal", *hf_inputs.DECODING) else {}

    def forward(self, *given):
        return tensors(original(**dict(zip(names, given, strict=True)), return_dict=True, **settings))

    parameters = (inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("self", *names))
    forward.__signature__ = inspect.Signature(parameters)
    return forward


def plain(model: nn.Module, task: str) -> nn.Module:
    """The same model, its class replaced by one with a plain forward, so that no wrapper stands before the paths of modules."""
    kind = type(model)
    model.__class__ = type(kind.__name__, (kind,), {"forward": forward_of(model, task), "__module__": kind.__module__})
    return model


def flat(outputs) -> list[torch.Tensor]:
    return list(outputs.values()) if isinstance(outputs, dict) else [outputs]


def without_gradient(kind, *given):
    """What a function with a gradient of its own computes. As such a trace cannot keep it."""
    if kind.setup_context is not torch.autograd.Function.setup_context:
        return kind.forward(*given)
    return kind.forward(SimpleNamespace(save_for_backward=lambda *_: None), *given)


def extents(inputs: tuple[torch.Tensor, ...]) -> str:
    return "×".join(map(str, inputs[0].shape))


def answers(model: nn.Module, samples: list[tuple]) -> list[tuple]:
    """Each sample with what the model makes of it. What is too short for the model itself is left out, but not the example."""
    answered = []
    for inputs in samples:
        try:
            answered.append((inputs, flat(model(*inputs))))
        except (RuntimeError, IndexError) as error:
            if not answered:
                raise SystemExit(f"on inputs of {extents(inputs)} the model itself fails: {error}") from error
            print(f"not compared on inputs of {extents(inputs)}, on which the model itself fails: {error}", file=sys.stderr)
    if not all(output.isfinite().all() for _, outputs in answered for output in outputs):
        raise SystemExit("the model itself gives infinities or NaN on random inputs, which nothing can be compared with")
    return answered


def trace(model: nn.Module, task: str, unstack: bool = True) -> torch.jit.ScriptModule:
    """The checked trace; the model itself is used up. Without `unstack` stacks of experts stay what they are."""
    samples = [hf_inputs.sample(model, task, *shape, seed) for seed, shape in enumerate((EXAMPLE, *OTHERS))]
    model = plain(model.requires_grad_(False), task)
    samples, expected = zip(*answers(model, samples))
    if unstack:
        hf_experts.unstack(model)
    hf_scans.script(model)
    with warnings.catch_warnings(), patch.object(torch.autograd.Function, "apply", classmethod(without_gradient)):
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(model, samples[0], strict=False, check_trace=False)
    tolerance = max(TOLERANCE, STEPS * torch.finfo(model.dtype).eps)
    for inputs, wanted in zip(samples, expected):
        shape = extents(inputs)
        try:
            found = flat(traced(*inputs))
        except RuntimeError as error:
            raise SystemExit(f"on inputs of {shape} the trace fails ({str(error).strip().splitlines()[-1]}): {REASON}") from error
        for got, want in zip(found, wanted, strict=True):
            if got.shape != want.shape:
                raise SystemExit(f"on inputs of {shape} the trace gives {list(got.shape)} for {list(want.shape)}: {REASON}")
            gap, size = (got - want).abs().max(), want.abs().max()
            if not gap <= tolerance * size:
                raise SystemExit(f"on inputs of {shape} the trace is off by {gap:.1e} of {size:.1e}: {REASON}")
    return traced


def companions(source: str, model: nn.Module, task: str, out: Path) -> None:
    """What belongs to the model: tokenizer, names of classes, end of texts."""
    if model.main_input_name == "input_ids":
        try:
            transformers.AutoTokenizer.from_pretrained(source).backend_tokenizer.save(str(out / "tokenizer.json"))
        except Exception as error:  # whatever is missing, the model goes without
            print(f"no tokenizer.json: {str(error).splitlines()[0]}", file=sys.stderr)
    if task in ("classify", "tokens", "image", "audio"):
        labels = {str(number): name for number, name in sorted(model.config.id2label.items())}
        (out / "labels.json").write_text(json.dumps(labels, indent=1, ensure_ascii=False) + "\n")
    if task in ("causal", *hf_inputs.DECODING) and model.generation_config is not None:
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
        except (OSError, ValueError) as error:  # no such model, or none with this task or attention
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
