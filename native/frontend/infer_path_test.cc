#include "frontend/infer_path.h"

#include <gtest/gtest.h>

#include <string>

namespace penstock::frontend {
namespace {

using transport::Http1Parsed;
using transport::Http1RequestHead;

constexpr uint64_t kMaxBytes = 1000;

// The head of these lines, which must be a right one. It refers to a text that lives until the next call.
Http1RequestHead Head(const std::string& request_line, const std::string& lines) {
  static std::string kept;
  kept = request_line + "\r\nHost: a\r\n" + lines + "\r\n";
  Http1RequestHead head;
  EXPECT_EQ(transport::ParseHttp1Request(kept, &head), Http1Parsed::kWhole) << kept;
  return head;
}

std::optional<InferPath> OfTarget(const std::string& target) {
  return FindInferPath(Head("POST " + target + " HTTP/1.1", ""), kMaxBytes, true);
}
std::optional<InferPath> OfFields(const std::string& lines) {
  return FindInferPath(Head("POST /v2/models/m/infer HTTP/1.1", lines), kMaxBytes, true);
}

TEST(InferPath, NamesModelAndVersion) {
  const auto plain = OfTarget("/v2/models/digits/infer");
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(plain->model, "digits");
  EXPECT_EQ(plain->version, "");
  EXPECT_EQ(plain->json_bytes, -1);
  const auto version = OfTarget("/v2/models/digits/versions/0012/infer");
  ASSERT_TRUE(version.has_value());
  EXPECT_EQ(version->model, "digits");
  EXPECT_EQ(version->version, "0012");
}

TEST(InferPath, IgnoresAQuery) {
  EXPECT_EQ(OfTarget("/v2/models/digits/infer?")->model, "digits");
  EXPECT_EQ(OfTarget("/v2/models/digits/infer?a=/b/%zz?c")->model, "digits");
  EXPECT_FALSE(OfTarget("/v2/models/digits?/infer").has_value());
}

TEST(InferPath, TakesNamesThatLookLikeSomethingElse) {
  for (const std::string name : {"versions", "stats", "infer", ".", "..", "a:b@c", "trace", "a.b-c_d~"}) {
    EXPECT_EQ(OfTarget("/v2/models/" + name + "/infer")->model, name);
    EXPECT_EQ(OfTarget("/v2/models/" + name + "/versions/1/infer")->version, "1");
  }
}

TEST(InferPath, IsNoneForEveryOtherTarget) {
  for (const char* const target : {"/",
                                   "/v2",
                                   "/v2/models",
                                   "/v2/models/",
                                   "/v2/models/m",
                                   "/v2/models//infer",
                                   "/v2/models/m/",
                                   "/v2/models/m/infer/",
                                   "/v2/models/m/inferx",
                                   "/v2/models/m/Infer",
                                   "/v2/models/m/ready",
                                   "/v2/models/m/n/infer",
                                   "/v2/models/m/versions",
                                   "/v2/models/m/versions/",
                                   "/v2/models/m/versions/infer",
                                   "/v2/models/m/versions//infer",
                                   "/v2/models/m/versions/1",
                                   "/v2/models/m/versions/1/",
                                   "/v2/models/m/versions/1x/infer",
                                   "/v2/models/m/versions/-1/infer",
                                   "/v2/models/m/versions/1/infer/",
                                   "/v2/models/m/versions/1/2/infer",
                                   "/v2/models/m/versions/1/ready",
                                   "/v2/models/m%2E/infer",
                                   "/v2/models/m/%69nfer",
                                   "/v2/models/m/versions/%31/infer",
                                   "//v2/models/m/infer",
                                   "/V2/models/m/infer",
                                   "/v2//models/m/infer",
                                   "/v2/models/infer",
                                   "/v2/models/m/generate",
                                   "/x/v2/models/m/infer"}) {
    EXPECT_FALSE(OfTarget(target).has_value()) << target;
  }
}

TEST(InferPath, IsNoneForAnythingButAPost) {
  for (const std::string method : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
    EXPECT_FALSE(FindInferPath(Head(method + " /v2/models/m/infer HTTP/1.1", ""), 0, true).has_value()) << method;
  }
  EXPECT_FALSE(FindInferPath(Head("POST /v2/models/m/infer HTTP/1.0", "Connection: keep-alive\r\n"), 0, true).has_value());
}

TEST(InferPath, BoundsTheBody) {
  EXPECT_TRUE(OfFields("Content-Length: 1000\r\n").has_value());
  EXPECT_FALSE(OfFields("Content-Length: 1001\r\n").has_value());
  EXPECT_FALSE(OfFields("Content-Length: 9007199254740991\r\n").has_value());
  EXPECT_TRUE(FindInferPath(Head("POST /v2/models/m/infer HTTP/1.1", "Content-Length: 9007199254740991\r\n"), 0, true).has_value());
}

TEST(InferPath, TakesBodiesInChunksAndLeavesThoseWithATrailerThatIsAnnounced) {
  EXPECT_TRUE(OfFields("Transfer-Encoding: chunked\r\n").has_value());
  EXPECT_FALSE(OfFields("Transfer-Encoding: chunked\r\nTrailer: A\r\n").has_value());
}

TEST(InferPath, LeavesConnectionsOfOtherKindsToJavaScript) {
  EXPECT_FALSE(OfFields("Upgrade: h2c\r\n").has_value());
  EXPECT_FALSE(OfFields("Expect: something\r\n").has_value());
  EXPECT_TRUE(OfFields("Expect: 100-continue\r\n").has_value());
  EXPECT_TRUE(OfFields("Connection: close\r\n").has_value());
}

TEST(InferPath, ReadsTheLengthOfTheJsonPart) {
  const std::string name = "inference-header-content-LENGTH: ";
  EXPECT_EQ(OfFields(name + "0\r\n")->json_bytes, 0);
  EXPECT_EQ(OfFields(name + "  12 \r\n")->json_bytes, 12);
  EXPECT_EQ(OfFields(name + "0000000000000000000000000000000012\r\n")->json_bytes, 12);
  EXPECT_EQ(OfFields(name + "9007199254740991\r\n")->json_bytes, 9007199254740991);
  EXPECT_EQ(OfFields(name + "12\r\n" + name + "12\r\n")->json_bytes, 12);
  for (const char* const value : {"", "-1", "+5", "0x10", "1e3", "5 5", "5,5", "1.0", "five", "\xD9\xA5", "9007199254740992",
                                  "9223372036854775808", "18446744073709551617", "99999999999999999999999999"}) {
    EXPECT_FALSE(OfFields(name + value + "\r\n").has_value()) << value;
  }
  EXPECT_FALSE(OfFields(name + "12\r\n" + name + "13\r\n").has_value());
  EXPECT_FALSE(OfFields(name + "12\r\n" + name + "012\r\n").has_value());
}

TEST(InferPath, KnowsInWhatTheBodyIsCompressed) {
  const auto of = [](const std::string& value) { return OfFields("Content-Encoding: " + value + "\r\n")->body_encoding; };
  EXPECT_EQ(OfFields("")->body_encoding, AnswerEncoding::kIdentity);
  for (const char* const value : {"Identity", "", ",", "identity, identity"}) EXPECT_EQ(of(value), AnswerEncoding::kIdentity) << value;
  for (const char* const value : {"gzip", "GZip", "identity, gzip", "gzip,", " ,\tgzip ,identity"}) {
    EXPECT_EQ(of(value), AnswerEncoding::kGzip) << value;
  }
  EXPECT_EQ(of("deflate"), AnswerEncoding::kDeflate);
  EXPECT_EQ(OfFields("Content-Encoding: identity\r\nContent-Encoding: deflate\r\n")->body_encoding, AnswerEncoding::kDeflate);
}

TEST(InferPath, LeavesOtherEncodingsOfBodiesToJavaScript) {
  for (const char* const value : {"br", "x-gzip", "gzip, gzip", "gzip, deflate", "gzip;q=1", "gzip deflate"}) {
    EXPECT_FALSE(OfFields("Content-Encoding: " + std::string(value) + "\r\n").has_value()) << value;
  }
  EXPECT_FALSE(OfFields("Content-Encoding: gzip\r\nContent-Encoding: deflate\r\n").has_value());
}

TEST(InferPath, SaysHowTheAnswerIsCompressed) {
  EXPECT_EQ(OfFields("")->encoding, AnswerEncoding::kIdentity);
  EXPECT_EQ(OfFields("Accept-Encoding: gzip, deflate, br\r\n")->encoding, AnswerEncoding::kGzip);
  EXPECT_EQ(OfFields("Accept-Encoding: br\r\nACCEPT-ENCODING: deflate\r\n")->encoding, AnswerEncoding::kDeflate);
  EXPECT_EQ(OfFields("Accept-Encoding: identity, gzip;q=0.5\r\n")->encoding, AnswerEncoding::kIdentity);
  EXPECT_EQ(OfFields("Accept-Language: gzip\r\nX-Accept-Encodin: gzip\r\n")->encoding, AnswerEncoding::kIdentity);
}

TEST(InferPath, LeavesAnswersToJavaScriptThatCannotBeCompressed) {
  const auto without = [](const std::string& accepted) {
    return FindInferPath(Head("POST /v2/models/m/infer HTTP/1.1", "Accept-Encoding: " + accepted + "\r\n"), kMaxBytes, false).has_value();
  };
  EXPECT_FALSE(without("gzip"));
  EXPECT_FALSE(without("br, deflate;q=0.5"));
  EXPECT_TRUE(without("identity"));
  EXPECT_TRUE(without("br, gzip;q=0"));
  EXPECT_TRUE(without("\r\nContent-Encoding: identity"));
  EXPECT_FALSE(without("\r\nContent-Encoding: gzip"));
}

}  // namespace
}  // namespace penstock::frontend
