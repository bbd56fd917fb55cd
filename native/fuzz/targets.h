// What the fuzzers try: each function takes one input for what a client sends, and says what did not hold of what came of it. The same
// functions run below libFuzzer (main.cc) and over the kept corpus in the tests (corpus_test.cc).
//
// Null = all held. The sanitizers find the rest. Nothing is kept from one input to the next.
#pragma once

#include <string_view>

namespace penstock::fuzz {

// A byte of choice, then the head of a request or of a response.
const char* TryHttp1Head(std::string_view input);

// A byte of choice, then a chunked body and what comes behind it.
const char* TryHttp1Chunks(std::string_view input);

// Two bytes of choice, then a ModelInferRequest, which is decoded whole and in pieces.
const char* TryGrpcRequest(std::string_view input);

// Three bytes of choice, then a body of POST infer, which is decoded whole and in pieces.
const char* TryHttpRequest(std::string_view input);

// Two bytes of choice, then steps of a connection: frames of the client, good and bad, answers, turns of the loop.
const char* TryGrpcSession(std::string_view input);

struct Target {
  const char* name;  // of its folder in corpus/
  const char* (*try_input)(std::string_view input);
};

inline constexpr Target kTargets[] = {
    {"http1_head", TryHttp1Head},     {"http1_chunks", TryHttp1Chunks}, {"grpc_request", TryGrpcRequest},
    {"http_request", TryHttpRequest}, {"grpc_session", TryGrpcSession},
};

}  // namespace penstock::fuzz
