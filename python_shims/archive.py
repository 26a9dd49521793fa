"""Makes a TorchScript archive fit to be committed: small, reproducible, without paths of the machine that wrote it."""

import os
import pickle
import re
import sys
import zipfile
from pathlib import Path

from torch.jit._pickle import build_intlist

COMPRESSED_FROM = 200  # bytes; above this size torch itself compresses code; here pickles too
SITE = re.compile(r"[^\s\"']*/site-packages/")
DOCSTRING = re.compile(r'r?"""(?:.|\n)*?"""')
STAMP = (1980, 1, 1, 0, 0, 0)


def fix_hashes() -> None:
    """Starts the program anew with fixed string hashes: the order of a module's constants in its archive is that of a set."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHONHASHSEED": "0"})


def tidy(path: Path, own: Path, lines: bool, version: int | None = None) -> None:
    """Rewrites the archive in place.

    `own`: the folder whose files are cited relative to its parent; `lines`: source lines are kept (they are
    most of a small archive); `version`: written instead of torch's own.
    """
    with zipfile.ZipFile(path) as archive:
        records = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in records:
            if name.endswith(".debug_pkl"):
                if not lines:
                    continue
                data = pickle.dumps(relative(pickle.loads(data), own), protocol=2)
            elif name.endswith("/version") and version is not None:
                data = f"{version}\n".encode()
            # The folder inside is the file's name by default and stands before every record, twice.
            info = zipfile.ZipInfo(f"net/{name.partition('/')[2]}", STAMP)
            if name.endswith((".py", "pkl")) and len(data) >= COMPRESSED_FROM:
                info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)


class Integers(list):
    """Pickles as what libtorch reads as a list of integers; a plain list it reads as a list of anything, and refuses."""

    def __reduce__(self):
        return build_intlist, (list(self),)


def relative(value, own: Path):
    """Pickled source ranges with every path cut to `torch/…` or `python_shims/…` and docstrings blanked.

    Ranges are offsets into the text that follows, so the text of a function keeps its length.
    """
    if isinstance(value, tuple):
        return tuple(relative(part, own) for part in value)
    if isinstance(value, list):
        return Integers(value)
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith(("def ", "@")):
        return DOCSTRING.sub(lambda doc: re.sub(r"[^\n]", " ", doc.group()), value)
    return SITE.sub("", value).replace(f"{own.parent}/", "")


def put_on(path: Path, device: str) -> None:
    """Lets the code of an archive make its tensors on another device than the CPU."""
    with zipfile.ZipFile(path) as archive:
        records = [(info, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(path, "w") as archive:
        for info, data in records:
            archive.writestr(info, data.replace(b'torch.device("cpu")', f'torch.device("{device}")'.encode()))
