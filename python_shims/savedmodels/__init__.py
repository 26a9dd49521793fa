"""What `make_savedmodels.py` writes: a file a theme, each with its `FIXTURES`."""

from . import (
    activations, attention, convolutions, failures, fourier, graphs, messages, modules, movement, networks, norms, operators, pairs, pictures, pooling, precision, recurrent, signatures, tokens,
)
from .kit import Fixture

THEMES = [
    networks, modules, graphs, signatures, convolutions, pooling, norms, activations, movement, tokens, attention, recurrent, operators, fourier, messages, pairs, pictures, precision, failures,
]


def every() -> list[Fixture]:
    """All fixtures, in order."""
    return [fixture for theme in THEMES for fixture in theme.FIXTURES]
