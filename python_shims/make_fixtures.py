"""Writes the TorchScript fixtures of the tests: THEME/NAME.pt and THEME/NAME.safetensors, an index.json a theme.

    python python_shims/make_fixtures.py [--out tests/fixtures] [NAME…]

Needs Python 3.11, torch 2.13.0 and safetensors. Same seed, same files. Names given: only those are
written, the indexes keep the rest.
"""

import argparse
import collections
import copy
import functools
import json
import multiprocessing
import os
import sys
import warnings
from pathlib import Path

os.environ["KINETO_LOG_LEVEL"] = "99"  # the profiler reports that there is no GPU, many times

import torch  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import fixtures  # noqa: E402
from archive import fix_hashes, put_on, tidy  # noqa: E402
from fixtures.kit import EXPLAINED, FROZEN, NO_FORWARD, RAISES, TRACED, Fixture  # noqa: E402
from themes import Themes  # noqa: E402


@functools.cache
def themes() -> Themes:
    return Themes(fixtures.every())


def compile_module(fixture: Fixture, module, inputs) -> torch.jit.ScriptModule:
    if fixture.made == TRACED:
        module.train(fixture.training)
        return torch.jit.trace(module, tuple(inputs.values()), strict=fixture.strict, check_trace=False)
    script = torch.jit.script(module.train() if fixture.training else module)
    return torch.jit.freeze(script) if fixture.made == FROZEN else script


def describe(value, key: str, tensors: dict) -> dict:
    """A value as JSON; its tensors go to `tensors` under keys that begin with `key`."""
    if isinstance(value, torch.Tensor):
        tensors[key] = value.detach().clone().contiguous()
        return {"tensor": key}
    if isinstance(value, dict):
        return {"dict": {k: describe(v, f"{key}.{k}", tensors) for k, v in value.items()}}
    if isinstance(value, tuple):
        items = [describe(v, f"{key}.{i}", tensors) for i, v in enumerate(value)]
        return {"namedtuple": dict(zip(value._fields, items))} if hasattr(value, "_fields") else {"tuple": items}
    if isinstance(value, list) and any(isinstance(v, (torch.Tensor, list, tuple, dict)) for v in value):
        return {"list": [describe(v, f"{key}.{i}", tensors) for i, v in enumerate(value)]}
    return {"value": value}


def describe_outputs(value, tensors: dict) -> dict:
    """As `describe`; tensors are numbered `output:0`, `output:1`… in order of appearance."""
    found: dict = {}
    spec = json.loads(json.dumps(describe(value, "", found)))
    numbers = {key: f"output:{i}" for i, key in enumerate(found)}
    tensors.update({numbers[key]: tensor for key, tensor in found.items()})

    def renamed(part):
        if isinstance(part, list):
            return [renamed(p) for p in part]
        if not isinstance(part, dict):
            return part
        return {k: numbers[v] if k == "tensor" and isinstance(v, str) else renamed(v) for k, v in part.items()}

    return renamed(spec)


def executed(module, arguments) -> tuple[object, dict[str, int]]:
    """The outputs, and the operators the interpreter called with their counts."""
    with torch.jit.optimized_execution(False), torch.autograd.profiler.profile() as profile:
        outputs = module(*arguments)
    counts = collections.Counter()
    for event in profile.function_events:
        above = event.cpu_parent
        if event.name.startswith("aten::") and (above is None or "::" not in above.name):
            counts[event.name] += 1
    return outputs, dict(sorted(counts.items()))


def write(fixture: Fixture, out: Path) -> dict:
    place = themes().place(out, fixture.name)
    archive = place.with_suffix(".pt")
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module, inputs = fixture.make()
        compile_module(fixture, module, inputs).save(str(archive))
        tidy(archive, HERE, fixture.lines, fixture.version)
        loaded = torch.jit.load(str(archive)).eval()
        tensors: dict = {}
        entry = {
            "name": fixture.name, "description": fixture.description, "made": fixture.made, "expect": fixture.expect,
            "common": fixture.common, **({"equals": fixture.equals} if fixture.equals else {}),
            "inputs": [{"name": name, **describe(value, name, tensors)} for name, value in inputs.items()],
        }
        if fixture.expect not in (RAISES, NO_FORWARD):
            outputs, operators = executed(copy.deepcopy(loaded), copy.deepcopy(list(inputs.values())))
            entry["outputs"] = describe_outputs(outputs, tensors)
            entry["operators"] = operators
            check(fixture, tensors, out)
    if fixture.device:
        put_on(archive, fixture.device)
    save_file(tensors, place.with_suffix(".safetensors"))
    return entry


def write_named(name: str, out: Path) -> dict:
    return write(themes().fixtures[name], out)


def check(fixture: Fixture, tensors: dict, out: Path) -> None:
    """Outputs are finite, and those of twins agree."""
    for key, tensor in tensors.items():
        if not torch.isfinite(tensor.double()).all():
            raise SystemExit(f"{fixture.name}: {key} is not finite")
    if fixture.equals:
        for key, tensor in load_file(themes().place(out, fixture.equals).with_suffix(".safetensors")).items():
            torch.testing.assert_close(tensors.get(key, tensor), tensor, rtol=1e-5, atol=1e-6, msg=lambda told: f"{fixture.name}: {key} differs: {told}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE.parent / "tests" / "fixtures")
    parser.add_argument("names", nargs="*", help="only these fixtures")
    options = parser.parse_args()
    fix_hashes()
    torch.set_num_threads(1)
    every = themes().fixtures
    if unknown := set(options.names) - set(every):
        parser.error(f"no fixture is called {', '.join(sorted(unknown))}")
    # In their own order: a fixture is compared with the one it equals.
    chosen = [name for name in every if name in options.names or not options.names]
    # A process each: the names of compiled classes depend on what the process compiled before.
    with multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1) as pool:
        made = list(pool.imap(functools.partial(write_named, out=options.out), chosen, chunksize=1))
    entries = themes().describe(options.out, made, not options.names, {"torch": torch.__version__.split("+")[0]})
    explained = sum(entry["expect"] == EXPLAINED for entry in entries)
    size = sum(file.stat().st_size for file in options.out.glob("*/*"))
    print(f"{len(entries)} fixtures, {explained} of them to be explained, {size / 1e6:.2f} MB in {options.out}")


if __name__ == "__main__":
    main()
