#include "transport/http1_head.h"

#include "transport/http1_grammar.h"

namespace penstock::transport {
namespace {

// Others are not refused by node:http, but nobody needs them here.
constexpr std::string_view kMethods[] = {"POST", "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"};

Http1Parsed ReadMethod(HeadReader* reader, std::string_view* method) {
  const Http1Parsed parsed = reader->Run(kTokenChar, method);
  for (const std::string_view known : kMethods) {
    if (parsed == Http1Parsed::kPart ? known.substr(0, method->size()) == *method : known == *method) {
      return parsed == Http1Parsed::kPart ? parsed : reader->Text(" ");
    }
  }
  return Http1Parsed::kRefused;
}

Http1Parsed ReadRequestLine(HeadReader* reader, Http1RequestHead* head) {
  Http1Parsed parsed = ReadMethod(reader, &head->method);
  if (parsed != Http1Parsed::kWhole) return parsed;
  if (!reader->AtEnd() && reader->Peek() != '/') return Http1Parsed::kRefused;
  parsed = reader->Run(kTargetChar, &head->target);
  if (parsed != Http1Parsed::kWhole) return parsed;
  parsed = reader->Text(" HTTP/1.");
  if (parsed != Http1Parsed::kWhole) return parsed;
  head->is_http10 = reader->Peek() == '0';
  parsed = reader->Text(head->is_http10 ? "0" : "1");
  return parsed == Http1Parsed::kWhole ? reader->Text("\r\n") : parsed;
}

// What a request has beyond the framing. False: refused.
bool TakeField(const Http1Field& field, bool* has_host, Http1RequestHead* head) {
  switch (field.name.size()) {
    case 4:
      if (!EqualsIgnoringCase(field.name, "host")) break;
      if (*has_host) return false;
      *has_host = true;
      break;
    case 6:
      if (!EqualsIgnoringCase(field.name, "expect")) break;
      if (head->expects_continue || head->is_http10 || !EqualsIgnoringCase(field.value, "100-continue")) {
        head->is_plain = false;
      } else {
        head->expects_continue = true;
      }
      break;
    case 7:
      if (EqualsIgnoringCase(field.name, "upgrade") || EqualsIgnoringCase(field.name, "trailer")) head->is_plain = false;
      break;
    default:
      break;
  }
  return true;
}

Http1Parsed ReadRequest(std::string_view bytes, Http1RequestHead* head) {
  HeadReader reader(bytes);
  Http1Parsed parsed = ReadRequestLine(&reader, head);
  if (parsed != Http1Parsed::kWhole) return parsed;
  Http1Framing framing;
  bool has_host = false;
  while (!reader.AtEnd() && reader.Peek() != '\r') {
    Http1Field field;
    parsed = reader.Field(&field);
    if (parsed != Http1Parsed::kWhole) return parsed;
    bool is_framing = false;
    if (!framing.Take(field, &is_framing)) return Http1Parsed::kRefused;
    if (!is_framing && !TakeField(field, &has_host, head)) return Http1Parsed::kRefused;
    head->fields.push_back(field);
  }
  parsed = reader.Text("\r\n");
  if (parsed != Http1Parsed::kWhole) return parsed;
  if (head->is_http10 ? framing.is_chunked : !has_host) return Http1Parsed::kRefused;
  head->bytes = reader.taken();
  head->has_length = framing.has_length;
  head->content_length = framing.content_length;
  head->is_chunked = framing.is_chunked;
  head->keeps_alive = !framing.has_close && (!head->is_http10 || framing.has_keep_alive);
  // Both, and node:http goes by the one or the other as the version is.
  if (framing.has_connection_options || (framing.has_close && framing.has_keep_alive)) head->is_plain = false;
  return Http1Parsed::kWhole;
}

}  // namespace

void Http1RequestHead::DropFields() {
  fields.clear();
  if (fields.capacity() > kFieldsKept) std::vector<Http1Field>().swap(fields);
}

Http1Parsed ParseHttp1Request(std::string_view bytes, Http1RequestHead* head) {
  head->fields.clear();
  head->expects_continue = false;
  head->is_plain = true;
  const std::string_view looked_at = bytes.substr(0, kMaxHttp1HeadBytes);
  const Http1Parsed parsed = ReadRequest(looked_at, head);
  return parsed == Http1Parsed::kPart && looked_at.size() == kMaxHttp1HeadBytes ? Http1Parsed::kRefused : parsed;
}

}  // namespace penstock::transport
