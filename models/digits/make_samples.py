"""Writes the request bodies in samples/ from pictures of the half that the net never saw.

Usage: python models/digits/make_samples.py
Prints the JSON header length of samples/seven.bin, which its HTTP request has to name, and what
both versions of the model answer to every picture that is used.
"""

import base64
import json
from pathlib import Path

import numpy as np
import onnxruntime
from dataset import TRAIN_COUNT, load_pictures

FOLDER = Path(__file__).resolve().parent
SAMPLES = FOLDER / "samples"


def first_unseen(labels, digit):
    """Index of the first picture of `digit` in the half the net was not trained on."""
    return TRAIN_COUNT + int(np.flatnonzero(labels[TRAIN_COUNT:] == digit)[0])


def image_input(pictures):
    """The V2 input tensor `image` for pictures [b, 1, 8, 8], without its data."""
    return {"name": "image", "shape": list(pictures.shape), "datatype": "FP32"}


def json_request(request_id, pictures, outputs=None):
    """A V2 JSON request. Data is nested like the shape, one line for each row of pixels."""
    data = pictures.astype(int).tolist()  # pixels are whole numbers
    request = {"id": request_id, "inputs": [{**image_input(pictures), "data": data}]}
    if outputs:
        request["outputs"] = [{"name": name} for name in outputs]
    return request


def binary_request(request_id, picture):
    """A request of the binary extension: the JSON header, and the float32 bytes after it."""
    raw = picture.astype("<f4").tobytes()
    tensor = {**image_input(picture), "parameters": {"binary_data_size": len(raw)}}
    request = {"id": request_id, "inputs": [tensor], "outputs": [{"name": "label"}]}
    return json.dumps(request, separators=(",", ":")).encode(), raw


def grpc_request(request_id, picture):
    """ModelInferRequest in protobuf's JSON form: int64 as strings, bytes as base64."""
    raw = picture.astype("<f4").tobytes()
    shape = [str(dim) for dim in picture.shape]
    return {
        "model_name": "digits",
        "id": request_id,
        "inputs": [{"name": "image", "datatype": "FP32", "shape": shape}],
        "outputs": [{"name": "label"}],
        "raw_input_contents": [base64.b64encode(raw).decode()],
    }


def to_text(value, indent=""):
    """JSON with short lists of numbers on one line each, so that a picture can be seen in it."""
    deeper = indent + "  "
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {to_text(part, deeper)}" for key, part in value.items()]
        brackets = "{}"
    elif isinstance(value, list) and (nested(value) or len(json.dumps(value)) > 60):
        parts = [to_text(part, deeper) for part in value]
        brackets = "[]"
    else:
        return json.dumps(value)
    lines = ",\n".join(deeper + part for part in parts)
    return f"{brackets[0]}\n{lines}\n{indent}{brackets[1]}"


def nested(values):
    """Whether a list holds lists or objects."""
    return any(isinstance(value, (dict, list)) for value in values)


def main():
    pictures, labels = load_pictures()
    digits = (7, 5, 3, 1, 4)
    indices = [first_unseen(labels, digit) for digit in digits]
    seven, five, batch = pictures[indices[:1]], pictures[indices[1:2]], pictures[indices[2:]]
    requests = {
        "seven.json": json_request("seven", seven, ["label"]),
        "all-outputs.json": json_request("all-outputs", five),
        "batch-of-three.json": json_request("batch-of-three", batch, ["label"]),
        "seven.grpc.json": grpc_request("seven", seven),
    }
    SAMPLES.mkdir(exist_ok=True)
    for name, request in requests.items():
        (SAMPLES / name).write_text(to_text(request) + "\n", encoding="utf-8")
    header, raw = binary_request("seven", seven)
    (SAMPLES / "seven.bin").write_bytes(header + raw)

    print(f"seven.bin: Inference-Header-Content-Length: {len(header)}, {len(raw)} bytes of data")
    print(f"pictures {indices} show {list(digits)}")
    for version in (1, 2):
        session = onnxruntime.InferenceSession(FOLDER / str(version) / "model.onnx")
        (found,) = session.run(["label"], {"image": pictures[indices]})
        print(f"version {version} says {found.tolist()}")


if __name__ == "__main__":
    main()
