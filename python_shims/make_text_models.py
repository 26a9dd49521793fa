"""Makes tests/text/fixed_length.pt: a language model traced in the plain way, so that it takes texts of 6 tokens only.

    python python_shims/make_text_models.py
"""

import math
from pathlib import Path

import torch

import archive

OUT = Path(__file__).resolve().parent.parent / "tests" / "text"
VOCABULARY, WIDTH, LENGTH = 40, 8, 6


class FixedLength(torch.nn.Module):
    """One causal head of attention; the mask is a constant of the trace."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(VOCABULARY, WIDTH)
        self.query, self.key, self.value = (torch.nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.head = torch.nn.Linear(WIDTH, VOCABULARY)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        x = self.embedding(input_ids)
        mask = torch.full((LENGTH, LENGTH), -math.inf).triu(1)
        scores = self.query(x) @ self.key(x).transpose(1, 2) / math.sqrt(WIDTH) + mask
        return self.head(x + scores.softmax(-1) @ self.value(x))


if __name__ == "__main__":
    archive.fix_hashes()
    torch.manual_seed(0)
    path = OUT / "fixed_length.pt"
    torch.jit.trace(FixedLength().eval(), torch.zeros(1, LENGTH, dtype=torch.int64)).save(str(path))
    archive.tidy(path, Path(__file__).resolve().parent, lines=False)
