// Where a field stands in a request, for messages: written out only when somebody has to read it, as hardly any request is wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace penstock::codec {

// Refers to its parent and its text, which outlive it.
class FieldPath {
 public:
  // A field of the outermost message, or a path that is written already. Implicit: most paths are words.
  FieldPath(std::string_view text) : name_(text) {}    // NOLINT
  FieldPath(const char* text) : name_(text) {}         // NOLINT
  FieldPath(const std::string& text) : name_(text) {}  // NOLINT
  // "parent.member", or `parent["mem ber"]` as MemberPath has it.
  FieldPath(const FieldPath& parent, std::string_view member) : parent_(&parent), name_(member) {}
  // "parent[index]".
  FieldPath(const FieldPath& parent, size_t index) : parent_(&parent), index_(index) {}
  // No parent may be gone before its field.
  FieldPath(const FieldPath&& parent, std::string_view member) = delete;
  FieldPath(const FieldPath&& parent, size_t index) = delete;

  std::string Text() const;

 private:
  static constexpr size_t kNoIndex = SIZE_MAX;

  const FieldPath* parent_ = nullptr;
  std::string_view name_;
  size_t index_ = kNoIndex;
};

}  // namespace penstock::codec
