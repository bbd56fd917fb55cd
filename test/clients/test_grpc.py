"""tritonclient.grpc against a running server."""

import queue
import unittest

import numpy as np
import tritonclient.grpc as grpc
from google.protobuf.json_format import MessageToDict
from tritonclient.utils import InferenceServerException

from cases import ClientCases
from server import Server


class GrpcClient(ClientCases, unittest.TestCase):
    protocol = grpc
    error = InferenceServerException
    not_found, invalid, unsupported = "StatusCode.NOT_FOUND", "StatusCode.INVALID_ARGUMENT", "StatusCode.UNIMPLEMENTED"

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.client = grpc.InferenceServerClient(cls.server.grpc)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        assert cls.server.stop() == 0

    @staticmethod
    def as_dict(message):
        return MessageToDict(message, preserving_proto_field_name=True)

    def test_an_unknown_model_is_not_found(self):
        self.refused(self.not_found, "'nobody' is not found", lambda: self.client.is_model_ready("nobody"))
        self.refused(self.not_found, "version 9 is not found", lambda: self.client.is_model_ready("digits", "9"))

    def test_compression(self):
        inputs, first, second = self.add_sub_inputs()
        for algorithm in ("gzip", "deflate"):
            result = self.client.infer("add_sub", inputs, compression_algorithm=algorithm)
            np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), first + second)

    def test_many_at_once(self):
        inputs, first, second = self.add_sub_inputs()
        answers = queue.Queue()
        for i in range(20):
            self.client.async_infer(
                "add_sub", inputs, callback=lambda result, error: answers.put((result, error)), request_id=str(i)
            )
        ids = set()
        for _ in range(20):
            result, error = answers.get(timeout=20)
            self.assertIsNone(error)
            ids.add(result.get_response().id)
            np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), first - second)
        self.assertEqual(ids, {str(i) for i in range(20)})

    def test_an_error_comes_to_the_callback(self):
        answers = queue.Queue()
        self.client.async_infer(
            "nobody", self.add_sub_inputs()[0], callback=lambda result, error: answers.put((result, error))
        )
        result, error = answers.get(timeout=20)
        self.assertIsNone(result)
        self.assertEqual(error.status(), "StatusCode.NOT_FOUND")
