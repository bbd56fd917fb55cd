// The bytes are those that dist/main.js sends for the same answers.
#include "frontend/http_answer.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <memory>
#include <string>

#include "transport/file_descriptor.h"

namespace penstock::frontend {
namespace {

const std::string kDate = "Date: Sat, 21 Nov 2026 22:33:02 GMT\r\n";

AnswerStyle Style() {
  AnswerStyle style;
  style.date_line = &kDate;
  style.keep_alive_timeout_ns = 75'000'000'000;
  return style;
}

// What leaves by a socket; less than what the kernel keeps of it.
std::string Sent(transport::SocketOutput* output) {
  int pair[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  const transport::FileDescriptor server(pair[0]);
  const transport::FileDescriptor client(pair[1]);
  EXPECT_EQ(output->Flush(server.get()), transport::SocketOutput::Sent::kAll);
  std::string bytes(64 * 1024, '\0');
  const ssize_t size = recv(client.get(), bytes.data(), bytes.size(), 0);
  bytes.resize(size > 0 ? static_cast<size_t>(size) : 0);
  return bytes;
}

std::string JsonAnswer(const AnswerStyle& style) {
  codec::HttpReply reply;
  reply.json = R"({"model_name":"m"})";
  transport::SocketOutput output;
  EXPECT_EQ(WriteInferAnswer(std::move(reply), style, &output), 18u);
  return Sent(&output);
}

std::string ErrorAnswer(int status, const std::string& message, int64_t retry_after_s, const AnswerStyle& style) {
  ErrorReply reply;
  reply.http_status = status;
  reply.message = message;
  transport::SocketOutput output;
  const uint64_t bytes = WriteErrorAnswer(reply, retry_after_s, style, &output);
  const std::string sent = Sent(&output);
  EXPECT_EQ(sent.size() - sent.find("\r\n\r\n") - 4, bytes);
  return sent;
}

TEST(HttpAnswer, IsTheDocumentOnAConnectionThatStays) {
  EXPECT_EQ(JsonAnswer(Style()), "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 18\r\n" + kDate +
                                     "Connection: keep-alive\r\nKeep-Alive: timeout=75\r\n\r\n{\"model_name\":\"m\"}");
}

TEST(HttpAnswer, NamesTheKeepAliveTimeInWholeSeconds) {
  AnswerStyle style = Style();
  style.keep_alive_timeout_ns = 1'999'000'000;
  EXPECT_NE(JsonAnswer(style).find("Connection: keep-alive\r\nKeep-Alive: timeout=1\r\n\r\n"), std::string::npos);
  style.keep_alive_timeout_ns = 700'000'000;
  EXPECT_NE(JsonAnswer(style).find("Connection: keep-alive\r\nKeep-Alive: timeout=0\r\n\r\n"), std::string::npos);
  style.keep_alive_timeout_ns = 0;
  EXPECT_NE(JsonAnswer(style).find(kDate + "Connection: keep-alive\r\n\r\n"), std::string::npos);
}

TEST(HttpAnswer, SaysThatTheConnectionEndsWhereNodeSaysIt) {
  const std::string own = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 18\r\n";
  AnswerStyle style = Style();
  style.closes = true;
  EXPECT_EQ(JsonAnswer(style), own + kDate + "Connection: close\r\n\r\n{\"model_name\":\"m\"}");
  style.is_going = true;
  EXPECT_EQ(JsonAnswer(style), own + "Connection: close\r\n" + kDate + "\r\n{\"model_name\":\"m\"}");
}

TEST(HttpAnswer, SendsBinaryOutputsAsTheyLie) {
  const auto block = std::make_shared<std::string>("0123456789");
  codec::HttpReply reply;
  reply.json = "{}";
  reply.is_binary = true;
  reply.tails = {memory::Slice{reinterpret_cast<const uint8_t*>(block->data()), 4, memory::MemoryKind::kPageable, block},
                 memory::Slice{reinterpret_cast<const uint8_t*>(block->data()) + 4, 6, memory::MemoryKind::kPageable, block}};
  transport::SocketOutput output;
  EXPECT_EQ(WriteInferAnswer(std::move(reply), Style(), &output), 12u);
  EXPECT_EQ(block.use_count(), 3);
  EXPECT_EQ(Sent(&output),
            "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nInference-Header-Content-Length: 2\r\nContent-Length: 12\r\n" +
                kDate + "Connection: keep-alive\r\nKeep-Alive: timeout=75\r\n\r\n{}0123456789");
  EXPECT_EQ(block.use_count(), 1);
}

TEST(HttpAnswer, SaysWhatWasWrong) {
  EXPECT_EQ(ErrorAnswer(404, "Request for unknown model: 'none' is not found", 0, Style()),
            "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 58\r\n" + kDate +
                "Connection: keep-alive\r\nKeep-Alive: timeout=75\r\n\r\n{\"error\":\"Request for unknown model: 'none' is not found\"}");
  AnswerStyle style = Style();
  style.closes = true;
  EXPECT_EQ(ErrorAnswer(400, "JSON at byte 1: found byte 0xff, expected a name in quotes", 0, style),
            "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 70\r\n" + kDate +
                "Connection: close\r\n\r\n{\"error\":\"JSON at byte 1: found byte 0xff, expected a name in quotes\"}");
}

TEST(HttpAnswer, TellsWhenToComeBack) {
  AnswerStyle style = Style();
  const std::string own = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 16\r\nRetry-After: 3\r\n";
  EXPECT_EQ(ErrorAnswer(503, "full", 3, style),
            own + kDate + "Connection: keep-alive\r\nKeep-Alive: timeout=75\r\n\r\n{\"error\":\"full\"}");
  style.closes = style.is_going = true;
  EXPECT_EQ(ErrorAnswer(503, "full", 3, style), own + "Connection: close\r\n" + kDate + "\r\n{\"error\":\"full\"}");
}

TEST(HttpAnswer, RefusesABodyThatHasNotComeIn) {
  AnswerStyle style = Style();
  style.is_body_pending = true;
  EXPECT_EQ(ErrorAnswer(503, "full", 2, style),
            "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Type: application/json\r\nContent-Length: 16\r\nConnection: "
            "close\r\n" +
                kDate + "\r\n{\"error\":\"full\"}");
}

TEST(HttpAnswer, NamesEveryStatusOfAnError) {
  const std::pair<int, std::string> lines[] = {{400, "Bad Request"},           {404, "Not Found"},       {405, "Method Not Allowed"},
                                               {500, "Internal Server Error"}, {501, "Not Implemented"}, {503, "Service Unavailable"}};
  for (const auto& [status, reason] : lines) {
    const std::string line = "HTTP/1.1 " + std::to_string(status) + " " + reason + "\r\n";
    EXPECT_EQ(ErrorAnswer(status, "x", 0, Style()).substr(0, line.size()), line);
  }
}

TEST(HttpAnswer, SaysThatTheRequestTookTooLong) {
  transport::SocketOutput output;
  WriteTimeoutAnswer(&output);
  EXPECT_EQ(Sent(&output),
            "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 46\r\n\r\n"
            "{\"error\":\"the request did not arrive in time\"}");
}

TEST(JsonText, EscapesWhatJsonStringifyEscapes) {
  EXPECT_EQ(JsonText(""), "\"\"");
  EXPECT_EQ(JsonText("a \"b\" \\ / '"), R"("a \"b\" \\ / '")");
  EXPECT_EQ(JsonText("\b\t\n\v\f\r\x1B\x1F\x7F"), "\"\\b\\t\\n\\u000b\\f\\r\\u001b\\u001f\x7F\"");
  EXPECT_EQ(JsonText(std::string_view("\0", 1)), "\"\\u0000\"");
  EXPECT_EQ(JsonText("\xC3\xA9\xE2\x80\xA8\xF0\x9F\x98\x80"), "\"\xC3\xA9\xE2\x80\xA8\xF0\x9F\x98\x80\"");
}

// What `Buffer.from(bytes).toString()` gives.
TEST(JsonText, ReplacesWhatIsNotUtf8) {
  const std::string one = "\xEF\xBF\xBD";
  const std::pair<std::string, std::string> cases[] = {
      {"\xFF", one},
      {"a\x80z", "a" + one + "z"},
      {"\xC0\xAF", one + one},
      {"\xC3", one},
      {"\xC3\"", one + "\\\""},
      {"\xE2\x80", one},
      {"\xE2\x80\x41", one + "A"},
      {"\xE0\x80\x80", one + one + one},
      {"\xED\xA0\x80", one + one + one},
      {"\xF0\x9F\x98", one},
      {"\xF0\x9F\x98\xC3\xA9", one + "\xC3\xA9"},
      {"\xF0\x8F\x98\x80", one + one + one + one},
      {"\xF4\x90\x80\x80", one + one + one + one},
      {"\xF5\x80", one + one},
  };
  for (const auto& [bytes, text] : cases) EXPECT_EQ(JsonText(bytes), "\"" + text + "\"") << text;
}

}  // namespace
}  // namespace penstock::frontend
