// Which HTTP requests are answered natively, and what their heads say (src/frontend/http/router.ts, infer-headers.ts).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "frontend/answer_encoding.h"
#include "transport/http1_head.h"

namespace penstock::frontend {

// A plain POST /v2/models/M[/versions/V]/infer: everything that it may ask for is done here. Views of the head.
struct InferPath {
  std::string_view model;
  std::string_view version;  // empty = the default
  int64_t json_bytes = -1;   // Inference-Header-Content-Length; -1 = absent
  AnswerEncoding body_encoding = AnswerEncoding::kIdentity;
  AnswerEncoding encoding = AnswerEncoding::kIdentity;  // of the answer
};

// None for whatever is not certain to be one: other routes and verbs, names with a percent sign, a header that JavaScript would refuse, a
// body that is said to be larger than `max_request_bytes` (0 = unbounded), HTTP/1.0, and, where it cannot be done (`compresses`), a body
// that is compressed and an answer that the client wants compressed.
std::optional<InferPath> FindInferPath(const transport::Http1RequestHead& head, uint64_t max_request_bytes, bool compresses);

}  // namespace penstock::frontend
