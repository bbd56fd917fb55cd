// What an answer must be, compared as it comes, without keeping it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace penstock::loadgen {

// Empty and not whole: anything.
struct ExpectedBody {
  std::string bytes;
  bool whole = false;  // else the body must begin with `bytes`
};

class BodyCheck {
 public:
  // `expected` outlives it.
  explicit BodyCheck(const ExpectedBody* expected) : expected_(*expected) {}

  void Reset() {
    agrees_ = true;
    taken_ = 0;
  }
  void Take(std::string_view bytes) {
    if (taken_ < expected_.bytes.size()) {
      const std::string_view wanted = std::string_view(expected_.bytes).substr(taken_, bytes.size());
      if (bytes.substr(0, wanted.size()) != wanted) agrees_ = false;
    }
    taken_ += bytes.size();
  }
  // Once the body has ended.
  bool is_expected() const {
    return agrees_ && (expected_.whole ? taken_ == expected_.bytes.size() : taken_ >= expected_.bytes.size());
  }
  uint64_t taken() const { return taken_; }

 private:
  const ExpectedBody& expected_;
  bool agrees_ = true;  // so far
  uint64_t taken_ = 0;
};

}  // namespace penstock::loadgen
