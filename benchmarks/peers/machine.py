"""Measured limits of the machine at the thread count of the environment, as one JSON line.

Bandwidth counts each array read or written once; a plain store also reads its
line first, which a streaming store avoids.
"""

import json
from functools import partial
from time import perf_counter

import numpy as np  # before the C kernels, which keep BLAS to one thread
from contenders.c_limit import kernel, new
from worker import favour


def fastest(call, repeats):
    call()
    times = []
    for _ in range(repeats):
        begin = perf_counter()
        call()
        times.append(perf_counter() - begin)
    return min(times)


def bandwidth(n=1 << 24):
    x, y = np.ones(n), np.ones(n)
    out, total = new(x, n), new(x)
    for which, (name, arrays) in enumerate((("read", 1), ("copy", 2), ("triad", 3))):
        for stream in (0, 1) if which else (0,):
            call = kernel("bandwidth", n, which, stream, x, y, out, total, result=total)
            label = f"{name}{' streaming' if stream else ''} GB/s"
            yield label, arrays * x.nbytes / fastest(call, 12) / 1e9


def gemm(n=1536):
    for name, dtype in (("dgemm", np.float64), ("sgemm", np.float32)):
        a, b, c = np.ones((n, n), dtype), np.ones((n, n), dtype), np.empty((n, n), dtype)
        yield f"{name} GFLOP/s", 2 * n**3 / fastest(partial(np.matmul, a, b, out=c), 8) / 1e9


if __name__ == "__main__":
    favour(True)
    print(json.dumps(dict([*bandwidth(), *gemm()])))
