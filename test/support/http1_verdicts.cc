// What the native front end makes of HTTP/1.1 heads: reads lines with the hexadecimal bytes of one each, and prints a line for each.
//
//   part | refused | whole BYTES METHOD HTTP10 LENGTH CHUNKED KEEPS CONTINUE PLAIN TARGET MODEL VERSION JSON_BYTES ENCODING [NAME VALUE]...
//
// Numbers are decimal, truths 0 or 1, TARGET and all behind it "=" and hexadecimal bytes, JSON_BYTES and ENCODING excepted. LENGTH is -1 without one.
// MODEL is "-" for what is not answered natively.
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <string>
#include <string_view>

#include "frontend/infer_path.h"
#include "transport/http1_head.h"

namespace {

std::string FromHex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

std::string Hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex = "=";
  for (const char c : bytes) hex += {kDigits[static_cast<uint8_t>(c) >> 4], kDigits[c & 15]};
  return hex;
}

std::string Line(const std::string& bytes) {
  penstock::transport::Http1RequestHead head;
  switch (ParseHttp1Request(bytes, &head)) {
    case penstock::transport::Http1Parsed::kPart:
      return "part";
    case penstock::transport::Http1Parsed::kRefused:
      return "refused";
    case penstock::transport::Http1Parsed::kWhole:
      break;
  }
  std::string line = "whole " + std::to_string(head.bytes) + " " + std::string(head.method);
  const std::string length = head.has_length ? std::to_string(head.content_length) : "-1";
  line += std::string(head.is_http10 ? " 1 " : " 0 ") + length;
  for (const bool truth : {head.is_chunked, head.keeps_alive, head.expects_continue, head.is_plain}) line += truth ? " 1" : " 0";
  line += " " + Hex(head.target);
  const auto path = penstock::frontend::FindInferPath(head, 0, true);
  if (path) {
    line += " " + Hex(path->model) + " " + Hex(path->version) + " " + std::to_string(path->json_bytes) + " ";
    line += penstock::frontend::NameOf(path->body_encoding);
    line += " ";
    line += penstock::frontend::NameOf(path->encoding);
  } else {
    line += " - = -1 identity identity";
  }
  for (const penstock::transport::Http1Field& field : head.fields) line += " " + Hex(field.name) + " " + Hex(field.value);
  return line;
}

}  // namespace

int main() {
  for (std::string hex; std::getline(std::cin, hex);) std::puts(Line(FromHex(hex)).c_str());
}
