"""Trains both versions of the digits model and writes 1/model.onnx and 2/model.onnx.

Usage: python models/digits/train.py
Prints the accuracy of each written file, run by onnxruntime on the half it was not trained on.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # a fixed order of additions: the same bytes every time

from pathlib import Path

import numpy as np
import onnxruntime
from dataset import TRAIN_COUNT, load_pictures, shift_at_random
from export import to_onnx
from layers import Conv, Dense, Dropout, Flatten, MaxPool, Relu

FOLDER = Path(__file__).resolve().parent
PIXEL_SCALE = 1 / 16
BATCH = 32
LABEL_SMOOTHING = 0.05


def plain_net(rng):
    """Version 1: one strided convolution and a linear layer, 690 weights."""
    return [Conv(rng, 1, 4, stride=2), Relu(), Flatten(), Dense(rng, 4 * 4 * 4, 10)]


def better_net(rng):
    """Version 2: three convolutions, two poolings, dropout, 30,634 weights."""
    return [
        *(Conv(rng, 1, 32), Relu()),
        *(Conv(rng, 32, 32), Relu(), MaxPool()),
        *(Conv(rng, 32, 64), Relu(), MaxPool()),
        *(Flatten(), Dropout(rng, 0.4), Dense(rng, 2 * 2 * 64, 10)),
    ]


class Adam:
    """The Adam optimiser (Kingma and Ba, 2015, arXiv:1412.6980, algorithm 1), in place."""

    def __init__(self, params):
        self.params = params
        self.mean = [np.zeros_like(p) for p in params]
        self.square = [np.zeros_like(p) for p in params]
        self.steps = 0

    def step(self, grads, rate):
        self.steps += 1
        rate *= np.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps)
        for param, grad, mean, square in zip(self.params, grads, self.mean, self.square):
            mean += np.float32(0.1) * (grad - mean)
            square += np.float32(0.001) * (grad * grad - square)
            param -= np.float32(rate) * mean / (np.sqrt(square) + np.float32(1e-8))


def loss_gradient(logits, labels):
    """Gradient of the mean cross-entropy with smoothed labels; logits and result [b, 10]."""
    exps = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = exps / exps.sum(axis=1, keepdims=True)
    target = np.eye(10, dtype=np.float32)[labels] * np.float32(1 - LABEL_SMOOTHING)
    return (probabilities - target - np.float32(LABEL_SMOOTHING / 10)) / np.float32(len(labels))


def forward(layers, x, training):
    """Pictures [b, 1, 8, 8], already scaled, to logits [b, 10]."""
    for layer in layers:
        x = layer.forward(x, training)
    return x


def train(layers, rng, pictures, labels, epochs, shifts, averaged_epochs):
    """Trains in place with a rate that falls along a half cosine.

    `shifts` moves every picture by up to one pixel each time it is seen. The final weights are
    the mean of those after each of the last `averaged_epochs` epochs (Izmailov et al., 2018,
    arXiv:1803.05407); with 1 they are simply the last ones.
    """
    params = [param for layer in layers for param in layer.params]
    adam = Adam(params)
    sums = [np.zeros(param.shape, np.float64) for param in params]
    for epoch in range(epochs):
        rate = 0.002 * (0.05 + 0.95 * (1 + np.cos(np.pi * epoch / epochs)) / 2)
        order = rng.permutation(len(pictures))
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            batch = shift_at_random(rng, pictures[chosen]) if shifts else pictures[chosen]
            grad = loss_gradient(forward(layers, batch, True), labels[chosen])
            for layer in reversed(layers):
                grad = layer.backward(grad)
            adam.step([grad for layer in layers for grad in layer.grads], rate)
        if epoch >= epochs - averaged_epochs:
            for total, param in zip(sums, params):
                total += param
    for total, param in zip(sums, params):
        param[...] = total / averaged_epochs


def accuracy(path, pictures, labels):
    """Share of pictures [n, 1, 8, 8] whose label the ONNX file gets right."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (found,) = session.run(["label"], {"image": pictures})
    return float((found == labels).mean())


def main():
    pictures, labels = load_pictures()
    scaled = pictures * np.float32(PIXEL_SCALE)
    versions = {
        1: (plain_net, dict(epochs=25, shifts=False, averaged_epochs=1)),
        2: (better_net, dict(epochs=80, shifts=True, averaged_epochs=20)),
    }
    for version, (build, settings) in versions.items():
        rng = np.random.default_rng(version)
        layers = build(rng)
        train(layers, rng, scaled[:TRAIN_COUNT], labels[:TRAIN_COUNT], **settings)
        model = to_onnx(layers, PIXEL_SCALE, f"Handwritten digits, 8x8 pixels, version {version}")
        path = FOLDER / str(version) / "model.onnx"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(model.SerializeToString(deterministic=True))
        seen = accuracy(path, pictures[:TRAIN_COUNT], labels[:TRAIN_COUNT])
        unseen = accuracy(path, pictures[TRAIN_COUNT:], labels[TRAIN_COUNT:])
        weights = sum(param.size for layer in layers for param in layer.params)
        print(f"version {version}: {weights} weights, {path.stat().st_size} bytes, ", end="")
        print(f"accuracy {unseen:.4f} on unseen pictures, {seen:.4f} on the training half")


if __name__ == "__main__":
    main()
