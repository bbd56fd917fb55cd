// Bodies with binary tensors, and bodies that arrive in pieces.
#include <gtest/gtest.h>

#include "codec/http_request.h"
#include "codec/http_test_bodies.h"
#include "memory/block.h"

namespace penstock::codec {
namespace {

using testing::Bytes;
using testing::ChainOf;
using testing::Elements;
using testing::Outcome;

// Inputs a and c are binary, b is JSON.
constexpr std::string_view kJson = R"({"inputs":[{"name":"a","shape":[2],"datatype":"FP32","parameters":{"binary_data_size":8}},)"
                                   R"({"name":"b","shape":[1],"datatype":"BYTES","data":["é\n"]},)"
                                   R"({"name":"c","shape":[3],"datatype":"UINT8","parameters":{"binary_data_size":3}}]})";
constexpr std::string_view kTail = "01234567abc";

Status ErrorOf(const std::string& json, std::string_view tail, int64_t json_bytes) {
  return DecodeHttpInfer(ChainOf({json, tail}), json_bytes, {}).status();
}

std::string BinaryInput(const std::string& size) {
  return R"({"inputs":[{"name":"a","shape":[2],"datatype":"FP32","parameters":{"binary_data_size":)" + size + "}}]}";
}

void ExpectDecoded(const Result<serving::InferRequest>& decoded) {
  ASSERT_TRUE(decoded.ok()) << Outcome(decoded.status());
  const auto& inputs = decoded.value().inputs;
  ASSERT_EQ(inputs.size(), 3u);
  EXPECT_EQ(Bytes(inputs[0].data), "01234567");
  EXPECT_FALSE(inputs[0].data_is_checked);
  EXPECT_EQ(Bytes(inputs[1].data), std::string("\3\0\0\0\xC3\xA9\n", 7));
  EXPECT_TRUE(inputs[1].data_is_checked);
  EXPECT_EQ(Bytes(inputs[2].data), "abc");
}

TEST(HttpBinary, GivesTheTailToTheBinaryInputsInOrder) {
  const memory::SliceChain body = ChainOf({std::string(kJson) + std::string(kTail)});
  const auto decoded = DecodeHttpInfer(body, static_cast<int64_t>(kJson.size()), {});
  ExpectDecoded(decoded);
  // Uncopied: the input lies where the body has it.
  EXPECT_EQ(decoded.value().inputs[2].data.slices()[0].data, body.slices()[0].data + kJson.size() + 8);
}

TEST(HttpBinary, DecodesABodyAlikeWhereverItIsCut) {
  const std::string body = std::string(kJson) + std::string(kTail);
  for (size_t first = 0; first <= body.size(); ++first) {
    const size_t second = first + (body.size() - first) / 2;
    const std::string_view whole = body;
    ExpectDecoded(DecodeHttpInfer(ChainOf({whole.substr(0, first), whole.substr(first, second - first), whole.substr(second)}),
                                  static_cast<int64_t>(kJson.size()), {}));
    if (HasFatalFailure()) FAIL() << "cut at " << first;
  }
  std::vector<std::string_view> bytes;
  for (size_t i = 0; i < body.size(); ++i) bytes.push_back(std::string_view(body).substr(i, 1));
  ExpectDecoded(DecodeHttpInfer(ChainOf(bytes), static_cast<int64_t>(kJson.size()), {}));
}

TEST(HttpBinary, KeepsNothingOfABodyThatHadOnlyJson) {
  const auto live = memory::BlockPool::Process().live_blocks();
  {
    const auto decoded = DecodeHttpInfer(ChainOf({testing::Tensor("INT8", "[1]", "[5]")}), -1, {});
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(memory::BlockPool::Process().live_blocks(), live + 1);
  }
  EXPECT_EQ(memory::BlockPool::Process().live_blocks(), live);
}

TEST(HttpBinary, RefusesALengthOfTheJsonThatTheBodyDoesNotHave) {
  const std::string json = BinaryInput("8");
  const std::string body_bytes = std::to_string(json.size() + 8);
  EXPECT_EQ(Outcome(ErrorOf(json, "01234567", 1000)),
            "ERR_REQUEST_HEADER Inference-Header-Content-Length: found 1000, expected 0 to " + body_bytes + ", the bytes of the body");
  EXPECT_EQ(ErrorOf(json, "01234567", INT64_MAX).code(), StatusCode::kRequestHeader);
  EXPECT_EQ(ErrorOf(json, "01234567", -2).code(), StatusCode::kRequestHeader);
  EXPECT_EQ(ErrorOf(json, "01234567", static_cast<int64_t>(json.size()) - 1).code(), StatusCode::kRequestJson);
  EXPECT_EQ(ErrorOf(json, "01234567", static_cast<int64_t>(json.size()) + 1).code(), StatusCode::kRequestJson);
  EXPECT_EQ(ErrorOf(json, "01234567", -1).code(), StatusCode::kRequestJson);
}

TEST(HttpBinary, SaysHowManyBytesAreMissingOrLeftOver) {
  const std::string json = BinaryInput("8");
  const auto length = static_cast<int64_t>(json.size());
  EXPECT_EQ(
      Outcome(ErrorOf(json, "0123456", length)),
      "ERR_TENSOR_SIZE inputs[0].parameters.binary_data_size: found 8, expected at most 7, the bytes left in the body after the JSON and "
      "the inputs before");
  EXPECT_EQ(Outcome(ErrorOf(json, "0123456789", length)),
            "ERR_TENSOR_SIZE the body: found 2 bytes after the last binary input, expected none");
  EXPECT_EQ(ErrorOf(json, "", -1).code(), StatusCode::kTensorSize);
  const std::string plain = testing::Tensor("INT8", "[1]", "[5]");
  EXPECT_EQ(ErrorOf(plain, "x", static_cast<int64_t>(plain.size())).code(), StatusCode::kTensorSize);
  const std::string huge = BinaryInput("18446744073709551615");
  EXPECT_EQ(ErrorOf(huge, "01234567", static_cast<int64_t>(huge.size())).code(), StatusCode::kTensorSize);
}

TEST(HttpBinary, RefusesSizesThatAreNotWholeNumbers) {
  for (const char* size : {"-1", "8.0", "1e1", "\"8\"", "true", "null", "18446744073709551616", "[8]"}) {
    const std::string json = BinaryInput(size);
    EXPECT_EQ(ErrorOf(json, "01234567", static_cast<int64_t>(json.size())).code(), StatusCode::kRequestParameter) << size;
  }
}

TEST(HttpBinary, AcceptsAnEmptyBinaryTensor) {
  const auto decoded =
      DecodeHttpInfer(ChainOf({R"({"inputs":[{"name":"a","shape":[0],"datatype":"FP32","parameters":{"binary_data_size":0}}]})"}), -1, {});
  ASSERT_TRUE(decoded.ok()) << Outcome(decoded.status());
  EXPECT_TRUE(decoded.value().inputs[0].data.empty());
}

TEST(HttpBinary, TakesTheWholeBodyOfARawRequest) {
  const auto decoded = DecodeHttpInfer(ChainOf({"01", "23"}), 0, {});
  ASSERT_TRUE(decoded.ok());
  EXPECT_TRUE(decoded.value().is_raw);
  EXPECT_TRUE(decoded.value().inputs.empty());
  EXPECT_EQ(Bytes(decoded.value().raw_body), "0123");
  EXPECT_TRUE(DecodeHttpInfer({}, 0, {}).ok()) << "what an empty body means is the model's business";
  EXPECT_EQ(DecodeHttpInfer({}, -1, {}).status().message(), "JSON at byte 0: found the end, expected a value");
}

}  // namespace
}  // namespace penstock::codec
