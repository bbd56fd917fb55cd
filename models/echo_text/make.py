"""Writes 1/model.onnx: gives every string back as it came.

Usage: python models/echo_text/make.py   (needs the onnx package)
text -> echo, both BYTES [batch, 1].
"""

from pathlib import Path

import onnx
from onnx import TensorProto, helper


def tensor(name):
    return helper.make_tensor_value_info(name, TensorProto.STRING, ["batch", 1])


def echo_text():
    node = helper.make_node("Identity", ["text"], ["echo"])
    graph = helper.make_graph([node], "echo_text", [tensor("text")], [tensor("echo")])
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8, producer_name="penstock")


def main():
    model = echo_text()
    onnx.checker.check_model(model, full_check=True)
    path = Path(__file__).resolve().parent / "1" / "model.onnx"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(model.SerializeToString(deterministic=True))
    print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
