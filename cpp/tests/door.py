"""The plain-C interface from Python's ctypes, as a program without a compiler sees it.

    python door.py LIBRARY [torch]

With `torch`, PyTorch is imported after a model was loaded; exit code 77 says that this Python has none of the right version.
"""

import ctypes
import os
import sys
import threading

OK, USAGE, INPUTS = 0, 2, 5
F32, LIST = 0, 0
EVERYTHING = 2 ** (8 * ctypes.sizeof(ctypes.c_size_t)) - 1


class Array(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("data", ctypes.c_void_p),
        ("size", ctypes.c_size_t),
        ("shape", ctypes.POINTER(ctypes.c_size_t)),
        ("rank", ctypes.c_size_t),
        ("type", ctypes.c_int),
    ]


def main():
    dlb = ctypes.CDLL(sys.argv[1])
    dlb.dlb_last_error.restype = ctypes.c_char_p
    size, pointer = ctypes.c_size_t, ctypes.c_void_p

    def fails(status, code, said):
        assert status == code, (status, dlb.dlb_last_error())
        assert said in dlb.dlb_last_error(), dlb.dlb_last_error()

    def works(status):
        assert status == OK, dlb.dlb_last_error()

    path = os.path.join(os.environ["DLBACKTRACE_CHECKOUT"], "tests/fixtures/networks/mlp_traced.pt")
    model, request, explanation = pointer(), pointer(), pointer()
    works(dlb.dlb_model_load(path.encode(), None, ctypes.byref(model)))
    works(dlb.dlb_request_new(model, ctypes.byref(request)))

    data = (ctypes.c_float * 8)(*range(8))
    shape = (size * 2)(2, 4)
    fails(dlb.dlb_request_array(request, None, F32, data, shape, size(EVERYTHING)), INPUTS, b"axes")
    statuses = [dlb.dlb_request_open(request, None, LIST) for _ in range(30_000)]
    depth = statuses.count(OK)
    assert set(statuses) == {OK, INPUTS} and depth == 64
    fails(dlb.dlb_request_explain(request, ctypes.byref(explanation)), USAGE, b"still open")
    assert not explanation
    dlb.dlb_request_free(request)

    works(dlb.dlb_request_new(model, ctypes.byref(request)))
    works(dlb.dlb_request_array(request, None, F32, data, shape, size(2)))
    works(dlb.dlb_request_explain(request, ctypes.byref(explanation)))

    # Threads share what is const; ctypes lets them run at the same time.
    told = []

    def tell():
        array, json = Array(ctypes.sizeof(Array)), ctypes.c_char_p()
        works(dlb.dlb_explanation_input_relevance(explanation, size(0), 0, F32, ctypes.byref(array)))
        works(dlb.dlb_explanation_json(explanation, ctypes.byref(json)))
        told.append((ctypes.cast(array.data, ctypes.POINTER(ctypes.c_float))[: array.size], json.value))

    threads = [threading.Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 4 and all(one == told[0] for one in told) and len(told[0][0]) == 8
    for free, handle in [("explanation", explanation), ("request", request), ("model", model)]:
        getattr(dlb, f"dlb_{free}_free")(handle)

    if "torch" in sys.argv:
        import torch

        module = torch.jit.load(path)
        assert module(torch.ones(2, 4)).shape == (2, 3)


def version_of_torch():
    import importlib.metadata

    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return ""


if "torch" in sys.argv and not version_of_torch().startswith("2.13.0"):
    print("skipped: this Python has no PyTorch 2.13.0")
    sys.exit(77)
main()
