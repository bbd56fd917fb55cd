"""Writes 1/model.onnx: the sum and the difference of two rows of 16 whole numbers.

Usage: python models/add_sub/make.py   (needs the onnx package)
INPUT0, INPUT1 -> OUTPUT0 = INPUT0 + INPUT1, OUTPUT1 = INPUT0 - INPUT1; all INT32 [batch, 16].
"""

from pathlib import Path

import onnx
from onnx import TensorProto, helper


def tensor(name):
    return helper.make_tensor_value_info(name, TensorProto.INT32, ["batch", 16])


def add_sub():
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["INPUT0", "INPUT1"], ["OUTPUT0"]),
            helper.make_node("Sub", ["INPUT0", "INPUT1"], ["OUTPUT1"]),
        ],
        "add_sub",
        [tensor("INPUT0"), tensor("INPUT1")],
        [tensor("OUTPUT0"), tensor("OUTPUT1")],
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8, producer_name="penstock")


def main():
    model = add_sub()
    onnx.checker.check_model(model, full_check=True)
    path = Path(__file__).resolve().parent / "1" / "model.onnx"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(model.SerializeToString(deterministic=True))
    print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
