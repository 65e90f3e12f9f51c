"""T.nnet: what neural networks are made of, under the names of theano.tensor.nnet and the usual ones.

`conv`, `abstract_conv` and `bn` are where Theano has convolutions and batch normalization too.

>>> relu([-1.0, 2.0]).eval()
array([0., 2.])
"""

from __future__ import annotations

from graphlab.ops import convolve as abstract_conv
from graphlab.ops import convolve as conv
from graphlab.ops import normalization as bn
from graphlab.ops.activations import (
    elu,
    gelu,
    hard_sigmoid,
    leaky_relu,
    mish,
    relu,
    selu,
    sigmoid,
    silu,
    softplus,
    softsign,
    swish,
    ultra_fast_sigmoid,
)
from graphlab.ops.convolve import (
    conv1d,
    conv2d,
    conv2d_grad_wrt_inputs,
    conv2d_grad_wrt_weights,
    conv2d_transpose,
    conv3d,
    separable_conv2d,
)
from graphlab.ops.losses import (
    binary_crossentropy,
    categorical_crossentropy,
    crossentropy_softmax_1hot,
    crossentropy_softmax_argmax_1hot_with_bias,
    embedding,
    sigmoid_binary_crossentropy,
    softmax_categorical_crossentropy,
)
from graphlab.ops.nnet import log_softmax, logsoftmax, logsumexp, softmax
from graphlab.ops.normalization import (
    batch_norm,
    batch_normalization,
    batch_normalization_test,
    batch_normalization_train,
    dropout,
    layer_norm,
)
from graphlab.ops.pooling import avg_pool, max_pool, max_pool_2d, pool_2d, pool_3d
from graphlab.ops.theano_names import to_one_hot
from graphlab.ops.windows import fold_windows, windows

one_hot = to_one_hot

__all__ = [
    "abstract_conv", "avg_pool", "batch_norm", "batch_normalization", "batch_normalization_test",
    "batch_normalization_train", "binary_crossentropy", "bn", "categorical_crossentropy", "conv", "conv1d",
    "conv2d", "conv2d_grad_wrt_inputs", "conv2d_grad_wrt_weights", "conv2d_transpose", "conv3d",
    "crossentropy_softmax_1hot", "crossentropy_softmax_argmax_1hot_with_bias", "dropout", "elu", "embedding",
    "fold_windows", "gelu", "hard_sigmoid", "layer_norm", "leaky_relu", "log_softmax", "logsoftmax", "logsumexp",
    "max_pool", "max_pool_2d", "mish", "one_hot", "pool_2d", "pool_3d", "relu", "selu", "separable_conv2d",
    "sigmoid", "sigmoid_binary_crossentropy", "silu", "softmax", "softmax_categorical_crossentropy", "softplus",
    "softsign", "swish", "to_one_hot", "ultra_fast_sigmoid", "windows",
]  # fmt: skip
