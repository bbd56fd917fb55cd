// Answers of the native HTTP/1.1 front end as bytes, field for field as node:http writes those of src/frontend/http.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "codec/http_reply.h"
#include "frontend/answer_encoding.h"
#include "frontend/error_reply.h"
#include "memory/slice.h"
#include "transport/socket_output.h"

namespace penstock::frontend {

struct AnswerStyle {
  const std::string* date_line = nullptr;  // Loop::date_line()
  bool closes = false;                     // the connection ends after it: `Connection: close`
  bool is_going = false;                   // it is the server that ends it, which listener.ts says as a field of its own, before Date
  bool is_head = false;                    // of a request with HEAD: the body is left out
  bool is_body_pending = false;            // of an error that does not wait for the body, and ends the connection (Exchange.#refuseRest)
  int64_t keep_alive_timeout_ns = 0;       // of `Keep-Alive: timeout=`, in whole seconds there; 0 = no such field
};

// 200 with the document and, uncopied, the binary outputs behind it. Returns the bytes of the body.
uint64_t WriteInferAnswer(codec::HttpReply reply, const AnswerStyle& style, transport::SocketOutput* output);

// The same of an answer that has been compressed into `pieces`. `json_bytes`: of its document, where binary outputs follow it; -1 if none
// does.
uint64_t WriteCompressedAnswer(std::vector<memory::Slice> pieces, AnswerEncoding encoding, int64_t json_bytes, const AnswerStyle& style,
                               transport::SocketOutput* output);

// {"error": ...}; with Retry-After where `retry_after_s` is above 0. Returns the bytes of the body.
uint64_t WriteErrorAnswer(const ErrorReply& reply, int64_t retry_after_s, const AnswerStyle& style, transport::SocketOutput* output);

// 408, as src/frontend/http/client-error.ts writes it; the connection ends after it.
void WriteTimeoutAnswer(transport::SocketOutput* output);

// A JSON string literal as JSON.stringify writes it. What is not UTF-8 in `text` becomes U+FFFD as in a string that N-API makes of it: one
// for each sequence as far as it could be the begin of a character.
std::string JsonText(std::string_view text);

}  // namespace penstock::frontend
