"""What both of Triton's Python clients, HTTP and gRPC, must be able to do. They have the same methods, so each case is written once."""

import numpy as np

from server import ROOT

PICTURES = 1797
_file = np.fromfile(ROOT / "test/fixtures/digits.bin", np.uint8)
PIXELS = _file[: PICTURES * 64].reshape(PICTURES, 1, 8, 8).astype(np.float32)
LABELS = _file[PICTURES * 64 :].astype(np.int64)

TEXTS = ["Grüße", "", "日本語 🚰", "line\nbreak", 'quote " and \\']


class ClientCases:
    """To be mixed into a TestCase that has `client`, `protocol` (the module of the client) and `not_found` (text of the status)."""

    def tensor(self, name, array, datatype):
        tensor = self.protocol.InferInput(name, list(array.shape), datatype)
        tensor.set_data_from_numpy(array)
        return tensor

    def add_sub_inputs(self):
        first = np.arange(32, dtype=np.int32).reshape(2, 16)
        second = np.full((2, 16), -3, np.int32)
        return [self.tensor("INPUT0", first, "INT32"), self.tensor("INPUT1", second, "INT32")], first, second

    def refused(self, status, text, call):
        with self.assertRaises(self.error) as caught:
            call()
        self.assertEqual(caught.exception.status(), status)
        self.assertIn(text, caught.exception.message())

    def test_server_and_model_are_ready(self):
        self.assertTrue(self.client.is_server_live())
        self.assertTrue(self.client.is_server_ready())
        for model, version in (("digits", ""), ("digits", "1"), ("add_sub", ""), ("echo_text", "1")):
            self.assertTrue(self.client.is_model_ready(model, version))

    def test_server_metadata(self):
        metadata = self.as_dict(self.client.get_server_metadata())
        self.assertEqual(metadata["name"], "penstock")
        self.assertIn("binary_tensor_data", metadata["extensions"])

    def test_model_metadata(self):
        metadata = self.as_dict(self.client.get_model_metadata("digits"))
        self.assertEqual(metadata["versions"], ["1", "2"])
        self.assertEqual([tensor["name"] for tensor in metadata["inputs"]], ["image"])
        self.assertEqual([int(dim) for dim in metadata["inputs"][0]["shape"]], [-1, 1, 8, 8])
        self.assertEqual({tensor["name"]: tensor["datatype"] for tensor in metadata["outputs"]}, {"probabilities": "FP32", "label": "INT64"})

    def test_model_config(self):
        config = self.as_dict(self.client.get_model_config("add_sub"))
        config = config.get("config", config)
        self.assertEqual(config["max_batch_size"], 64)
        self.assertEqual([tensor["data_type"] for tensor in config["input"]], ["TYPE_INT32", "TYPE_INT32"])

    def test_statistics_grow_with_each_request(self):
        def counts():
            statistics = self.as_dict(self.client.get_inference_statistics("add_sub"))["model_stats"][0]
            return int(statistics.get("inference_count", 0)), int(statistics["inference_stats"]["success"].get("count", 0))

        rows, requests = counts()
        self.client.infer("add_sub", self.add_sub_inputs()[0])
        self.assertEqual(counts(), (rows + 2, requests + 1))

    def test_add_sub(self):
        inputs, first, second = self.add_sub_inputs()
        result = self.client.infer("add_sub", inputs, request_id="sum")
        np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), first + second)
        np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), first - second)
        response = self.as_dict(result.get_response())
        self.assertEqual((response["id"], response["model_name"], response["model_version"]), ("sum", "add_sub", "1"))

    def test_requested_outputs_only(self):
        inputs, first, second = self.add_sub_inputs()
        result = self.client.infer("add_sub", inputs, outputs=[self.protocol.InferRequestedOutput("OUTPUT1")])
        np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), first - second)
        self.assertIsNone(result.as_numpy("OUTPUT0"))

    def test_digits_of_both_versions(self):
        for version, accuracy in (("1", 0.85), ("2", 0.97)):
            right = 0
            for start in range(898, PICTURES, 64):
                result = self.client.infer("digits", [self.tensor("image", PIXELS[start : start + 64], "FP32")], model_version=version)
                label = result.as_numpy("label")
                np.testing.assert_array_equal(label, result.as_numpy("probabilities").argmax(axis=1))
                right += int((label == LABELS[start : start + 64]).sum())
            self.assertGreaterEqual(right / (PICTURES - 898), accuracy)

    def test_strings(self):
        text = np.array([[word.encode()] for word in TEXTS], dtype=np.object_)
        result = self.client.infer("echo_text", [self.tensor("text", text, "BYTES")])
        np.testing.assert_array_equal(result.as_numpy("echo"), text)

    def test_strings_that_are_no_text(self):
        text = np.array([[b"\xff\x00\xfe"], [b"\x00"]], dtype=np.object_)
        result = self.client.infer("echo_text", [self.tensor("text", text, "BYTES")])
        np.testing.assert_array_equal(result.as_numpy("echo"), text)

    def test_parameters_are_accepted(self):
        inputs, first, second = self.add_sub_inputs()
        parameters = {"tenant": "a", "attempt": 2, "dry": True}
        result = self.client.infer("add_sub", inputs, priority=1, timeout=60_000_000, parameters=parameters)
        np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), first + second)

    def test_an_unknown_model_is_refused(self):
        text = "Request for unknown model: 'nobody' is not found"
        self.refused(self.not_found, text, lambda: self.client.infer("nobody", self.add_sub_inputs()[0]))
        self.refused(self.not_found, text, lambda: self.client.get_model_metadata("nobody"))

    def test_a_wrong_shape_is_refused(self):
        image = self.tensor("image", PIXELS[:1].reshape(1, 64), "FP32")
        text = 'inputs[0].shape: found [1,64], expected [-1,1,8,8] for input "image"'
        self.refused(self.invalid, text, lambda: self.client.infer("digits", [image]))

    def test_what_is_not_offered_says_so(self):
        self.refused(self.unsupported, "not offered", self.client.get_model_repository_index)
        self.refused(self.unsupported, "not offered", lambda: self.client.load_model("digits"))
        self.refused(self.unsupported, "not offered", self.client.get_system_shared_memory_status)
