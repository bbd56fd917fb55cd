"""tritonclient.http against a running server."""

import unittest

import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

from cases import TEXTS, ClientCases
from server import Server


class HttpClient(ClientCases, unittest.TestCase):
    protocol = http
    error = InferenceServerException
    not_found, invalid, unsupported = "404", "400", "501"

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.client = http.InferenceServerClient(cls.server.http, concurrency=4)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        assert cls.server.stop() == 0

    @staticmethod
    def as_dict(answer):
        return answer

    def test_an_unknown_model_is_not_ready(self):
        self.assertFalse(self.client.is_model_ready("nobody"))
        self.assertFalse(self.client.is_model_ready("digits", "9"))

    def test_json_and_binary_in_every_combination(self):
        _, first, second = self.add_sub_inputs()
        for binary_input in (False, True):
            for binary_output in (False, True):
                inputs = []
                for name, array in (("INPUT0", first), ("INPUT1", second)):
                    tensor = http.InferInput(name, list(array.shape), "INT32")
                    tensor.set_data_from_numpy(array, binary_data=binary_input)
                    inputs.append(tensor)
                outputs = [http.InferRequestedOutput(name, binary_data=binary_output) for name in ("OUTPUT0", "OUTPUT1")]
                result = self.client.infer("add_sub", inputs, outputs=outputs)
                np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), first + second)
                np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), first - second)

    def test_strings_as_json(self):
        text = np.array([[word] for word in TEXTS], dtype=np.object_)
        tensor = http.InferInput("text", list(text.shape), "BYTES")
        tensor.set_data_from_numpy(text, binary_data=False)
        result = self.client.infer("echo_text", [tensor], outputs=[http.InferRequestedOutput("echo", binary_data=False)])
        self.assertEqual(result.as_numpy("echo").ravel().tolist(), TEXTS)

    def test_compression_both_ways(self):
        inputs, first, second = self.add_sub_inputs()
        for request in (None, "gzip", "deflate"):
            for response in (None, "gzip", "deflate"):
                result = self.client.infer(
                    "add_sub", inputs, request_compression_algorithm=request, response_compression_algorithm=response
                )
                np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), first + second)

    def test_many_at_once(self):
        inputs, first, second = self.add_sub_inputs()
        pending = [self.client.async_infer("add_sub", inputs, request_id=str(i)) for i in range(20)]
        for i, request in enumerate(pending):
            result = request.get_result(timeout=20)
            self.assertEqual(result.get_response()["id"], str(i))
            np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), first - second)

    def test_a_message_made_and_read_by_hand(self):
        inputs, first, second = self.add_sub_inputs()
        body, json_bytes = http.InferenceServerClient.generate_request_body(inputs)
        self.assertGreater(json_bytes, 0)
        self.assertEqual(len(body), json_bytes + first.nbytes + second.nbytes)
