#include "codec/field_path.h"

#include "codec/request_fields.h"

namespace penstock::codec {

std::string FieldPath::Text() const {
  if (parent_ == nullptr) return std::string(name_);
  const std::string parent = parent_->Text();
  return index_ == kNoIndex ? MemberPath(parent, name_) : parent + "[" + std::to_string(index_) + "]";
}

}  // namespace penstock::codec
