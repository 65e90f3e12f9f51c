"""PyTorch through torch.compile (Inductor writes C++)."""

import os

os.environ["TORCHINDUCTOR_CACHE_DIR"] = os.path.join(os.environ["PEERS_CACHE"], "inductor")

from contenders import torch_graphs as graphs
from contenders.torch_graphs import *

VERSION = f"{graphs.VERSION} compile"
UNROLLED = "a Python loop would be unrolled 1e5 times"
NOT_APPLICABLE = {"ar1": UNROLLED, "ar1_grad": UNROLLED}
del ar1, ar1_grad  # noqa: F821


def optimise(function):
    graphs.torch._dynamo.reset()
    return graphs.torch.compile(function, dynamic=False, fullgraph=True)


graphs.optimise = optimise


def rnn(x, w, u, b):
    """Only the cell is compiled: unrolling 200 steps compiles for minutes."""
    loss = graphs.rnn_loop(optimise(lambda drive, h, u: graphs.torch.tanh(drive + h @ u)))
    return lambda: graphs.value_and_grad(loss, (w, u, b), x)
