"""Writes the models that the measurements serve: models/<name>/1/model.onnx and config.json, beside this file.

Usage: python bench/make_models.py [name ...]   (packages: models/digits/requirements.txt; all models when none is named)
Weights are random, from a fixed seed, scaled so that activations neither grow nor fade; the folder is ignored by git.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

FOLDER = Path(__file__).resolve().parent / "models"
ROWS_TYPES = {"TYPE_FP32": np.float32, "TYPE_FP16": np.float16, "TYPE_INT64": np.int64}
WARM_RUNS, TIMED_RUNS = 2, 5


class Graph:
    """Nodes and weights of a model, in the order in which they are added. Each method returns the name of its result."""

    def __init__(self, seed):
        self.nodes, self.weights = [], []
        self.random = np.random.default_rng(seed)

    def node(self, operator, *inputs, **attributes):
        result = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [result], **attributes))
        return result

    def constant(self, values):
        name = f"w_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def random_weights(self, *shape, fan_in, gain=2.0):
        """Normal, of variance gain / fan_in: 2 keeps the variance behind a ReLU, 1 keeps it behind nothing."""
        values = self.random.standard_normal(shape, np.float32)
        return self.constant(values * np.float32(np.sqrt(gain / fan_in)))

    def dense(self, x, inputs, outputs, gain=1.0):
        product = self.node("MatMul", x, self.random_weights(inputs, outputs, fan_in=inputs, gain=gain))
        return self.node("Add", product, self.constant(np.zeros(outputs, np.float32)))

    def conv(self, x, inputs, outputs, kernel=3, stride=1, relu=True, gain=2.0):
        shape = (outputs, inputs, kernel, kernel)
        weights = self.random_weights(*shape, fan_in=inputs * kernel * kernel, gain=gain)
        bias = self.constant(np.zeros(outputs, np.float32))
        pad = kernel // 2
        y = self.node("Conv", x, weights, bias, strides=[stride] * 2, pads=[pad] * 4)
        return self.node("Relu", y) if relu else y

    def head(self, x, channels, classes):
        """Mean of each channel, then one dense layer."""
        return self.dense(self.node("Flatten", self.node("GlobalAveragePool", x)), channels, classes)

    def model(self, result, in_type, row, classes):
        """Input `x` [batch, *row], output `y` [batch, classes] FP32; opset 17, IR version 8."""
        self.nodes.append(helper.make_node("Identity", [result], ["y"]))
        inputs = [helper.make_tensor_value_info("x", in_type, ["batch", *row])]
        outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", classes])]
        graph = helper.make_graph(self.nodes, "bench", inputs, outputs, self.weights)
        opset = [helper.make_opsetid("", 17)]
        return helper.make_model(graph, opset_imports=opset, ir_version=8, producer_name="penstock")


def mlp(seed, widths):
    graph = Graph(seed)
    x = "x"
    for inputs, outputs in zip(widths, widths[1:-1]):
        x = graph.node("Relu", graph.dense(x, inputs, outputs, gain=2.0))
    return graph.model(graph.dense(x, *widths[-2:]), TensorProto.FLOAT, widths[:1], widths[-1])


def mlp_tiny():
    """64 -> 64 -> 10: a run costs next to nothing, so the server's own cost is all there is."""
    return mlp(1, [64, 64, 10])


def mlp_20mb():
    """20 MB of weights that every run reads once: the fixed cost dominates, and a batch shares it."""
    return mlp(2, [256, 1536, 1536, 1536, 10])


def conv_tiny():
    """3x32x32 through five convolutions, 60 MMAC a row: the cost grows with the rows, of which some hundred a second pass one core."""
    graph = Graph(6)
    x = graph.conv("x", 3, 64)
    channels = 64
    for outputs, repeats in ((96, 1), (128, 1)):
        x = graph.conv(x, channels, outputs, stride=2)
        for _ in range(repeats):
            x = graph.conv(x, outputs, outputs)
        channels = outputs
    return graph.model(graph.head(x, channels, 10), TensorProto.FLOAT, [3, 32, 32], 10)


def conv_mini():
    """3x24x24 through four convolutions, 20 MMAC a row: as conv_tiny, some times as fast."""
    graph = Graph(7)
    x = graph.conv(graph.conv("x", 3, 48), 48, 64, stride=2)
    x = graph.conv(graph.conv(x, 64, 96, stride=2), 96, 96)
    return graph.model(graph.head(x, 96, 10), TensorProto.FLOAT, [3, 24, 24], 10)


def conv_small():
    """3x64x64 through sixteen convolutions, 1.1 GMAC a row: the cost grows with the rows."""
    graph = Graph(3)
    x = graph.conv("x", 3, 64)
    channels = 64
    for outputs, repeats in ((128, 2), (192, 6), (256, 4)):
        x = graph.conv(x, channels, outputs, stride=2)
        for _ in range(repeats):
            x = graph.conv(x, outputs, outputs)
        channels = outputs
    return graph.model(graph.head(x, channels, 10), TensorProto.FLOAT, [3, 64, 64], 10)


def resnet50():
    """The layers of ResNet-50 (He et al. 2015, table 1; the stride on the 3x3 convolution), batch norms folded away."""
    graph = Graph(4)
    x = graph.conv("x", 3, 64, kernel=7, stride=2)
    x = graph.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    channels = 64
    for stage, (width, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            shortcut = x
            if block == 0:
                shortcut = graph.conv(x, channels, 4 * width, kernel=1, stride=stride, relu=False, gain=1.0)
            y = graph.conv(x, channels, width, kernel=1)
            y = graph.conv(y, width, width, stride=stride)
            # A small gain on the way back to the trunk: sixteen additions would double the variance each.
            y = graph.conv(y, width, 4 * width, kernel=1, relu=False, gain=0.1)
            x = graph.node("Relu", graph.node("Add", y, shortcut))
            channels = 4 * width
    return graph.model(graph.head(x, channels, 1000), TensorProto.FLOAT, [3, 224, 224], 1000)


def layer_norm(graph, x, width):
    scale = graph.constant(np.ones(width, np.float32))
    bias = graph.constant(np.zeros(width, np.float32))
    return graph.node("LayerNormalization", x, scale, bias, axis=-1)


def attention(graph, x, mask, width, heads):
    split = graph.constant(np.array([0, 0, heads, width // heads], np.int64))
    join = graph.constant(np.array([0, 0, width], np.int64))
    query, key, value = (graph.node("Reshape", graph.dense(x, width, width), split) for _ in range(3))
    query = graph.node("Transpose", query, perm=[0, 2, 1, 3])
    key = graph.node("Transpose", key, perm=[0, 2, 3, 1])
    value = graph.node("Transpose", value, perm=[0, 2, 1, 3])
    scores = graph.node("MatMul", query, key)
    scores = graph.node("Mul", scores, graph.constant(np.float32((width // heads) ** -0.5)))
    weights = graph.node("Softmax", graph.node("Add", scores, mask), axis=-1)
    mixed = graph.node("Transpose", graph.node("MatMul", weights, value), perm=[0, 2, 1, 3])
    return graph.dense(graph.node("Reshape", mixed, join), width, width)


def gelu(graph, x):
    tail = graph.node("Erf", graph.node("Mul", x, graph.constant(np.float32(0.5**0.5))))
    half = graph.node("Mul", x, graph.constant(np.float32(0.5)))
    return graph.node("Mul", half, graph.node("Add", tail, graph.constant(np.float32(1))))


def encoder_layer(graph, x, mask, width, heads):
    x = layer_norm(graph, graph.node("Add", x, attention(graph, x, mask, width, heads)), width)
    y = graph.dense(gelu(graph, graph.dense(x, width, 4 * width)), 4 * width, width)
    return layer_norm(graph, graph.node("Add", x, y), width)


def encoder_tiny():
    """Three layers of an encoder, width 96, over 32 vectors: many small steps, whose own cost a batch shares; 1.3 MB of weights."""
    length, width = 32, 96
    graph = Graph(8)
    mask = graph.constant(np.float32(0))
    x = "x"
    for _ in range(3):
        x = encoder_layer(graph, x, mask, width, heads=4)
    first = graph.node("Gather", x, graph.constant(np.int64(0)), axis=1)
    return graph.model(graph.dense(first, width, 10), TensorProto.FLOAT, [length, width], 10)


def bert_base():
    """An encoder of BERT-base's shape (12 layers, width 768, 12 heads, 30522 tokens) over INT64 [batch, length]; token 0 is padding."""
    vocabulary, width, heads, positions = 30522, 768, 12, 512
    graph = Graph(5)
    words = graph.node("Gather", graph.random_weights(vocabulary, width, fan_in=1, gain=1.0), "x")
    length = graph.node("Shape", "x", start=1, end=2)
    place = graph.random_weights(positions, width, fan_in=1, gain=0.1)
    zero = graph.constant(np.array([0], np.int64))
    x = graph.node("Add", words, graph.node("Slice", place, zero, length, zero))
    x = layer_norm(graph, x, width)
    padding = graph.node("Cast", graph.node("Equal", "x", graph.constant(np.int64(0))), to=TensorProto.FLOAT)
    mask = graph.node("Mul", padding, graph.constant(np.float32(-1e4)))
    mask = graph.node("Unsqueeze", mask, graph.constant(np.array([1, 2], np.int64)))
    for _ in range(12):
        x = encoder_layer(graph, x, mask, width, heads)
    first = graph.node("Gather", x, graph.constant(np.int64(0)), axis=1)
    pooled = graph.node("Tanh", graph.dense(first, width, width))
    return graph.model(graph.dense(pooled, width, 2), TensorProto.INT64, ["length"], 2)


def halved(build):
    """The same model in FP16 from input to output: tensor cores compute it, and half as many bytes travel."""

    def build_half():
        model = build()
        half = TensorProto.FLOAT16
        for weights in model.graph.initializer:
            if weights.data_type == TensorProto.FLOAT:
                values = numpy_helper.to_array(weights).astype(np.float16)
                weights.CopyFrom(numpy_helper.from_array(values, weights.name))
        for tensor in (*model.graph.input, *model.graph.output):
            if tensor.type.tensor_type.elem_type == TensorProto.FLOAT:
                tensor.type.tensor_type.elem_type = half
        for node in model.graph.node:
            for attribute in node.attribute:
                if node.op_type == "Cast" and attribute.i == TensorProto.FLOAT:
                    attribute.i = half
        return model

    return build_half


# name: function, data type and dimensions of a row, classes, largest batch
MODELS = {
    "mlp_tiny": (mlp_tiny, "TYPE_FP32", [64], 10, 64),
    "mlp_20mb": (mlp_20mb, "TYPE_FP32", [256], 10, 32),
    "conv_mini": (conv_mini, "TYPE_FP32", [3, 24, 24], 10, 16),
    "conv_tiny": (conv_tiny, "TYPE_FP32", [3, 32, 32], 10, 16),
    "conv_small": (conv_small, "TYPE_FP32", [3, 64, 64], 10, 8),
    "resnet50": (resnet50, "TYPE_FP32", [3, 224, 224], 1000, 8),
    "encoder_tiny": (encoder_tiny, "TYPE_FP32", [32, 96], 10, 16),
    "bert_base": (bert_base, "TYPE_INT64", [-1], 2, 8),
    "resnet50_fp16": (halved(resnet50), "TYPE_FP16", [3, 224, 224], 1000, 8),
    "bert_base_fp16": (halved(bert_base), "TYPE_INT64", [-1], 2, 8),
}
TIMED_LENGTH = 64


def write(name):
    build, data_type, row, classes, max_batch_size = MODELS[name]
    model = build()
    path = FOLDER / name / "1" / "model.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString(deterministic=True))
    onnx.checker.check_model(str(path), full_check=True)
    config = {
        "name": name,
        "platform": "onnxruntime_onnx",
        "max_batch_size": max_batch_size,
        "input": [{"name": "x", "data_type": data_type, "dims": row}],
        "output": [{"name": "y", "data_type": "TYPE_FP16" if name.endswith("_fp16") else "TYPE_FP32", "dims": [classes]}],
        "dynamic_batching": {},
    }
    (FOLDER / name / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    return path


def time_of_a_row(path, data_type, row):
    """Milliseconds, median; also proves that the model runs and gives finite numbers."""
    shape = [1, *(TIMED_LENGTH if dim < 0 else dim for dim in row)]
    inputs = {"x": np.ones(shape, ROWS_TYPES[data_type])}
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    times = []
    for _ in range(WARM_RUNS + TIMED_RUNS):
        start = time.perf_counter()
        (result,) = session.run(None, inputs)
        times.append((time.perf_counter() - start) * 1e3)
    if not np.isfinite(result).all():
        raise SystemExit(f"{path.parent.parent.name}: the output is not finite")
    return float(np.median(times[WARM_RUNS:]))


def main(names):
    unknown = sorted(set(names) - set(MODELS))
    if unknown:
        raise SystemExit(f"no model is named {', '.join(unknown)}; there are {', '.join(MODELS)}")
    for name in names or MODELS:
        path = write(name)
        milliseconds = time_of_a_row(path, *MODELS[name][1:3])
        print(f"{name:12} {path.stat().st_size / 1e6:8.1f} MB {milliseconds:9.3f} ms a row", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
