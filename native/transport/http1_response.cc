#include "transport/http1_grammar.h"
#include "transport/http1_head.h"

namespace penstock::transport {
namespace {

Http1Parsed ReadStatusLine(HeadReader* reader, int* status) {
  Http1Parsed parsed = reader->Text("HTTP/1.1 ");
  if (parsed != Http1Parsed::kWhole) return parsed;
  std::string_view rest;
  parsed = reader->Run(kValueChar, &rest);
  // Three digits and, behind a space, what it means.
  *status = 0;
  for (size_t i = 0; i < 3 && i < rest.size(); ++i) {
    if (rest[i] < (i == 0 ? '1' : '0') || rest[i] > '9') return Http1Parsed::kRefused;
    *status = *status * 10 + (rest[i] - '0');
  }
  if (rest.size() > 3 && rest[3] != ' ') return Http1Parsed::kRefused;
  if (parsed != Http1Parsed::kWhole) return parsed;
  return rest.size() < 4 ? Http1Parsed::kRefused : reader->Text("\r\n");
}

bool HasNoBody(int status) { return status < 200 || status == 204 || status == 304; }

Http1Parsed ReadResponse(std::string_view bytes, Http1ResponseHead* head) {
  HeadReader reader(bytes);
  Http1Parsed parsed = ReadStatusLine(&reader, &head->status);
  if (parsed != Http1Parsed::kWhole) return parsed;
  Http1Framing framing;
  while (!reader.AtEnd() && reader.Peek() != '\r') {
    Http1Field field;
    parsed = reader.Field(&field);
    if (parsed != Http1Parsed::kWhole) return parsed;
    bool is_framing = false;
    if (!framing.Take(field, &is_framing)) return Http1Parsed::kRefused;
  }
  parsed = reader.Text("\r\n");
  if (parsed != Http1Parsed::kWhole) return parsed;
  const bool has_no_body = HasNoBody(head->status);
  head->bytes = reader.taken();
  head->has_length = has_no_body || framing.has_length;
  head->content_length = has_no_body ? 0 : framing.content_length;
  head->is_chunked = !has_no_body && framing.is_chunked;
  // Another option, for example an upgrade, makes of the connection what nobody here knows.
  head->keeps_alive = !framing.has_close && !framing.has_connection_options;
  return Http1Parsed::kWhole;
}

}  // namespace

Http1Parsed ParseHttp1Response(std::string_view bytes, Http1ResponseHead* head) {
  const std::string_view looked_at = bytes.substr(0, kMaxHttp1HeadBytes);
  const Http1Parsed parsed = ReadResponse(looked_at, head);
  return parsed == Http1Parsed::kPart && looked_at.size() == kMaxHttp1HeadBytes ? Http1Parsed::kRefused : parsed;
}

}  // namespace penstock::transport
