"""What `make_savedmodels.py` writes: a file a theme, each with its `FIXTURES`."""

from . import (
    activations, attention, convolutions, failures, fourier, graphs, messages, modules, movement, networks, norms, operators, pairs, pictures, pooling, precision, recurrent, signatures, tokens,
)
from .kit import Fixture

THEMES = [
    networks, modules, graphs, signatures, convolutions, pooling, norms, activations, movement, tokens, attention, recurrent, operators, fourier, messages, pairs, pictures, precision, failures,
]


def every() -> dict[str, list[Fixture]]:
    """The fixtures of each theme, in order."""
    return {theme.__name__.rpartition(".")[2]: theme.FIXTURES for theme in THEMES}
