#include "serving/message_text.h"

#include <algorithm>

namespace penstock::serving {
namespace {

constexpr size_t kTextBytes = 128;
constexpr size_t kListItems = 32;

}  // namespace

std::string Clipped(std::string_view text) {
  if (text.size() <= kTextBytes) return std::string(text);
  size_t end = kTextBytes;
  while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80) --end;  // UTF-8 continuation bytes
  return std::string(text.substr(0, end)) + "...";
}

std::string Quoted(std::string_view text) { return "\"" + Clipped(text) + "\""; }

std::string ShapeText(const std::vector<int64_t>& dims) {
  std::string text = "[";
  for (size_t i = 0; i < std::min(dims.size(), kListItems); ++i) {
    if (i > 0) text += ",";
    text += std::to_string(dims[i]);
  }
  return text + (dims.size() > kListItems ? ",...]" : "]");
}

std::string NameList(const std::vector<ApiTensor>& tensors) {
  std::string text;
  for (size_t i = 0; i < std::min(tensors.size(), kListItems); ++i) {
    if (i > 0) text += ", ";
    text += Quoted(tensors[i].name);
  }
  return text + (tensors.size() > kListItems ? ", ..." : "");
}

}  // namespace penstock::serving
