"""Layers of a small convolutional net, forward and backward, in plain numpy.

Pictures are float32 arrays [batch, channels, height, width], as in ONNX. A layer's `forward`
keeps what its `backward` needs; `backward` takes the gradient of the loss with respect to the
layer's output, fills `grads` (one array per array in `params`) and returns the gradient with
respect to the layer's input.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

FLOAT = np.float32


def he_normal(rng, shape, fan_in):
    """Starting weights for layers followed by Relu: normal, variance 2 / fan_in."""
    return (rng.standard_normal(shape) * np.sqrt(2.0 / fan_in)).astype(FLOAT)


class Layer:
    """A layer without weights; subclasses with weights replace both lists."""

    def __init__(self):
        self.params = []
        self.grads = []


class Conv(Layer):
    """3x3 convolution, one pixel of zero padding on every side.

    [b, in, h, w] -> [b, out, ceil(h / stride), ceil(w / stride)]; weight [out, in, 3, 3].
    """

    def __init__(self, rng, in_channels, out_channels, stride=1):
        super().__init__()
        self.stride = stride
        weight = he_normal(rng, (out_channels, in_channels, 3, 3), in_channels * 9)
        self.params = [weight, np.zeros(out_channels, FLOAT)]

    def forward(self, x, training):
        weight, bias = self.params
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        windows = sliding_window_view(padded, (3, 3), axis=(2, 3))
        windows = windows[:, :, :: self.stride, :: self.stride]
        batch, _, height, width = windows.shape[:4]
        # One row per output pixel, so that the convolution is one matrix product.
        self.columns = windows.transpose(0, 2, 3, 1, 4, 5).reshape(batch * height * width, -1)
        self.in_shape = x.shape
        out = self.columns @ weight.reshape(len(weight), -1).T + bias
        return out.reshape(batch, height, width, -1).transpose(0, 3, 1, 2)

    def backward(self, grad):
        weight, _ = self.params
        batch, out_channels, height, width = grad.shape
        rows = grad.transpose(0, 2, 3, 1).reshape(-1, out_channels)
        self.grads = [(rows.T @ self.columns).reshape(weight.shape), rows.sum(axis=0)]
        patches = rows @ weight.reshape(out_channels, -1)
        patches = patches.reshape(batch, height, width, -1, 3, 3).transpose(0, 3, 1, 2, 4, 5)
        _, channels, in_height, in_width = self.in_shape
        padded = np.zeros((batch, channels, in_height + 2, in_width + 2), FLOAT)
        step = self.stride
        for row in range(3):
            for col in range(3):
                rows_end, cols_end = row + step * height, col + step * width
                padded[:, :, row:rows_end:step, col:cols_end:step] += patches[..., row, col]
        return padded[:, :, 1:-1, 1:-1]


class Relu(Layer):
    """max(x, 0), any shape."""

    def forward(self, x, training):
        self.positive = x > 0
        return x * self.positive

    def backward(self, grad):
        return grad * self.positive


class MaxPool(Layer):
    """Largest of each 2x2 block: [b, c, h, w] -> [b, c, h / 2, w / 2], h and w even."""

    def forward(self, x, training):
        batch, channels, height, width = x.shape
        blocks = x.reshape(batch, channels, height // 2, 2, width // 2, 2)
        blocks = blocks.transpose(0, 1, 2, 4, 3, 5).reshape(*blocks.shape[:3], width // 2, 4)
        self.in_shape = x.shape
        self.winner = blocks.argmax(axis=-1)[..., None]
        return np.take_along_axis(blocks, self.winner, axis=-1)[..., 0]

    def backward(self, grad):
        batch, channels, height, width = self.in_shape
        blocks = np.zeros((*grad.shape, 4), FLOAT)
        np.put_along_axis(blocks, self.winner, grad[..., None], axis=-1)
        blocks = blocks.reshape(batch, channels, height // 2, width // 2, 2, 2)
        return blocks.transpose(0, 1, 2, 4, 3, 5).reshape(self.in_shape)


class Flatten(Layer):
    """[b, ...] -> [b, product of the rest]."""

    def forward(self, x, training):
        self.in_shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, grad):
        return grad.reshape(self.in_shape)


class Dropout(Layer):
    """Zeroes a share `rate` of the values while training and scales the rest up to match."""

    def __init__(self, rng, rate):
        super().__init__()
        self.rng, self.rate = rng, rate

    def forward(self, x, training):
        if not training:
            return x
        kept = self.rng.random(x.shape, dtype=FLOAT) >= self.rate
        self.scale = kept / FLOAT(1 - self.rate)
        return x * self.scale

    def backward(self, grad):
        return grad * self.scale


class Dense(Layer):
    """[b, in] -> [b, out]; weight [out, in], which is Gemm with transB = 1."""

    def __init__(self, rng, in_count, out_count):
        super().__init__()
        weight = he_normal(rng, (out_count, in_count), in_count)
        self.params = [weight, np.zeros(out_count, FLOAT)]

    def forward(self, x, training):
        self.x = x
        return x @ self.params[0].T + self.params[1]

    def backward(self, grad):
        self.grads = [grad.T @ self.x, grad.sum(axis=0)]
        return grad @ self.params[0]
