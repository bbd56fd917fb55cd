"""Writes a trained list of layers as an ONNX model that ONNX Runtime 1.29 loads.

Input `image` FP32 [batch, 1, 8, 8], values 0..16. Outputs `probabilities` FP32 [batch, 10] and
`label` INT64 [batch].
"""

import onnx
from layers import Conv, Dense, Dropout, Flatten, MaxPool, Relu
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8


def to_onnx(layers, pixel_scale, description):
    """The ONNX model of `layers`.

    `pixel_scale` is what training multiplied the pixels by. It moves into the first weights: a
    power of two, so not one bit of any result changes, and clients send pixels as they are.
    """
    nodes, weights, tensor = [], [], "image"
    for index, layer in enumerate(layers):
        if isinstance(layer, Dropout):
            continue  # only training drops values
        inputs = [tensor]
        scale = pixel_scale if index == 0 else 1
        for suffix, array in zip(("weight", "bias"), layer.params):
            name = f"{suffix}{index}"
            scaled = array * array.dtype.type(scale) if suffix == "weight" else array
            weights.append(numpy_helper.from_array(scaled, name))
            inputs.append(name)
        tensor = "logits" if layer is layers[-1] else f"tensor{index}"
        nodes.append(to_node(layer, inputs, tensor))
    nodes.append(helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1))
    nodes.append(helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0))
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 10]),
            helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]),
        ],
        weights,
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="penstock",
        doc_string=description,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def to_node(layer, inputs, output):
    """The ONNX operator that computes what `layer.forward` computes outside training."""
    if isinstance(layer, Conv):
        strides = [layer.stride, layer.stride]
        return helper.make_node("Conv", inputs, [output], pads=[1, 1, 1, 1], strides=strides)
    if isinstance(layer, MaxPool):
        return helper.make_node("MaxPool", inputs, [output], kernel_shape=[2, 2], strides=[2, 2])
    if isinstance(layer, Dense):
        return helper.make_node("Gemm", inputs, [output], transB=1)
    operator = {Relu: "Relu", Flatten: "Flatten"}[type(layer)]
    return helper.make_node(operator, inputs, [output])
