// How the answer to a request is encoded, after chooseEncoding of src/frontend/http/compression.ts.
#pragma once

#include <cstdint>
#include <string_view>

namespace penstock::frontend {

enum class AnswerEncoding : uint8_t { kIdentity, kGzip, kDeflate };

// "gzip", "deflate", "identity", as Content-Encoding has them.
std::string_view NameOf(AnswerEncoding encoding);

// The best by their q-values; the first on a tie; identity when none of them is acceptable.
class EncodingChoice {
 public:
  // The value of a field Accept-Encoding. Fields count as if they were joined by commas, in the order of the calls.
  void Add(std::string_view accepted);
  AnswerEncoding best() const { return best_; }

 private:
  void Weigh(std::string_view entry);

  AnswerEncoding best_ = AnswerEncoding::kIdentity;
  int best_quality_ = 0;  // thousandths
};

}  // namespace penstock::frontend
