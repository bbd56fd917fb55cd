#include "transport/nghttp2_library.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "transport/test_library_functions.h"

namespace penstock::transport {
namespace {

Http2Field Field(const char* name, const char* value) {
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name)), reinterpret_cast<uint8_t*>(const_cast<char*>(value)), std::strlen(name),
          std::strlen(value), 0};
}

TEST(Nghttp2Library, IsLookedForByItsNamesInC) {
  const Result<Nghttp2> found = BindNghttp2({SymbolsAt(kOwnPlace), nullptr});
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(found.value().session_del), kOwnPlace + std::strlen("nghttp2_session_del"));
}

TEST(Nghttp2Library, IsMissingWhereThereIsAnOlderOne) {
  const auto open = [](bool, std::string*) { return SymbolsAt(kLibraryPlace, "nghttp2_submit_trailer"); };
  const Status status = BindNghttp2({NoSymbols(), open}).status();
  EXPECT_EQ(status.code(), StatusCode::kNotSupported);
  EXPECT_EQ(status.message(),
            "HTTP/2 needs another libnghttp2.so.14 (Debian and Ubuntu have it in the package libnghttp2-14): this one has no "
            "nghttp2_submit_trailer");
}

// Everything that one session has to say, said to the other.
bool Carry(const Nghttp2& http2, nghttp2_session* from, nghttp2_session* to) {
  const uint8_t* bytes = nullptr;
  ssize_t size = 0;
  while ((size = http2.session_mem_send(from, &bytes)) > 0) {
    if (http2.session_mem_recv(to, bytes, static_cast<size_t>(size)) != size) return false;
  }
  return size == 0;
}

TEST(Nghttp2Library, CarriesARequestAndItsAnswerBetweenTwoSessions) {
  const Result<const Nghttp2*> found = FindNghttp2();
  if (!found.ok()) GTEST_SKIP() << found.status().message();
  const Nghttp2& http2 = *found.value();
  struct Seen {
    const Nghttp2* http2;
    std::string path;
    std::string status;
    uint32_t error = UINT32_MAX;
  } seen{found.value(), "", ""};
  nghttp2_session_callbacks* callbacks = nullptr;
  ASSERT_EQ(http2.session_callbacks_new(&callbacks), 0);
  http2.session_callbacks_set_on_header_callback(callbacks, [](nghttp2_session*, const Http2Frame*, const uint8_t* name, size_t name_bytes,
                                                               const uint8_t* value, size_t value_bytes, uint8_t, void* user_data) {
    auto* into = static_cast<Seen*>(user_data);
    const std::string text(reinterpret_cast<const char*>(value), value_bytes);
    if (std::string(reinterpret_cast<const char*>(name), name_bytes) == ":path") into->path = text;
    if (std::string(reinterpret_cast<const char*>(name), name_bytes) == ":status") into->status = text;
    return 0;
  });
  http2.session_callbacks_set_on_frame_recv_callback(callbacks, [](nghttp2_session* session, const Http2Frame* frame, void* user_data) {
    const auto* into = static_cast<Seen*>(user_data);
    if (frame->head.type != kHttp2Headers || into->status != "") return 0;
    const Http2Field status = Field(":status", "204");
    return into->http2->submit_response(session, frame->head.stream_id, &status, 1, nullptr);
  });
  http2.session_callbacks_set_on_stream_close_callback(callbacks, [](nghttp2_session*, int32_t, uint32_t error, void* user_data) {
    static_cast<Seen*>(user_data)->error = error;
    return 0;
  });
  nghttp2_session* client = nullptr;
  nghttp2_session* server = nullptr;
  ASSERT_EQ(http2.session_client_new(&client, callbacks, &seen), 0);
  ASSERT_EQ(http2.session_server_new(&server, callbacks, &seen), 0);
  http2.session_callbacks_del(callbacks);

  ASSERT_EQ(http2.submit_settings(client, 0, nullptr, 0), 0);
  ASSERT_EQ(http2.submit_settings(server, 0, nullptr, 0), 0);
  const Http2Field fields[] = {Field(":method", "GET"), Field(":scheme", "http"), Field(":authority", "here"), Field(":path", "/there")};
  EXPECT_EQ(http2.submit_request(client, nullptr, fields, 4, nullptr, nullptr), 1);
  EXPECT_TRUE(Carry(http2, client, server));
  EXPECT_TRUE(Carry(http2, server, client));
  EXPECT_EQ(seen.path, "/there");
  EXPECT_EQ(seen.status, "204");
  EXPECT_EQ(seen.error, kHttp2NoError);
  http2.session_del(client);
  http2.session_del(server);
}

}  // namespace
}  // namespace penstock::transport
