// Requests made to hurt: each is refused, soon, and without taking memory for what it only promises.
#include <gtest/gtest.h>

#include <random>

#include "codec/http_request.h"
#include "codec/http_test_bodies.h"
#include "memory/block.h"

namespace penstock::codec {
namespace {

using testing::Decode;
using testing::OneInput;
using testing::Tensor;

// The most a pool may hand out while a body is decoded; put back at the end.
class PoolLimit {
 public:
  explicit PoolLimit(uint64_t more_bytes) : pool_(memory::BlockPool::Process()), before_(pool_.limit_bytes()) {
    pool_.set_limit_bytes(pool_.live_bytes() + more_bytes);
  }
  ~PoolLimit() { pool_.set_limit_bytes(before_); }

 private:
  memory::BlockPool& pool_;
  uint64_t before_;
};

StatusCode CodeOf(const std::string& body, const CodecLimits& limits = {}) { return Decode(body, limits).status().code(); }

TEST(HttpHostile, RefusesHugeShapesOfTinyBodiesWithoutMemory) {
  const std::vector<std::pair<std::string, StatusCode>> shapes = {
      {"[4294967296,4294967296]", StatusCode::kTensorShape},
      {"[9223372036854775807,2]", StatusCode::kTensorShape},
      {"[0,4294967296,4294967296]", StatusCode::kTensorShape},
      {"[9223372036854775807]", StatusCode::kTensorData},
      {"[1000000]", StatusCode::kTensorData},
      {"[1000000000,1000000000]", StatusCode::kTensorData},
  };
  const std::string element[] = {"1", "\"a\"", "true"};
  const std::string dtype[] = {"FP64", "BYTES", "BOOL"};
  for (int i = 0; i < 3; ++i) {
    for (const auto& [shape, code] : shapes) {
      const std::string early = Tensor(dtype[i], shape, "[" + element[i] + "]");
      const std::string late = OneInput(R"("data":[)" + element[i] + R"(],"datatype":")" + dtype[i] + R"(","shape":)" + shape);
      const PoolLimit limit(1);
      EXPECT_EQ(CodeOf(early), code) << early;
      EXPECT_EQ(CodeOf(late), code) << late;
    }
  }
}

TEST(HttpHostile, HoldsATensorAgainstItsLimitBeforeItTakesMemory) {
  CodecLimits limits;
  limits.max_tensor_bytes = 16;
  EXPECT_EQ(CodeOf(Tensor("FP32", "[4]", "[1,2,3,4]"), limits), StatusCode::kOk);
  EXPECT_EQ(CodeOf(Tensor("FP32", "[5]", "[1,2,3,4,5]"), limits), StatusCode::kRequestTooLarge);
  EXPECT_EQ(CodeOf(Tensor("BYTES", "[2]", R"(["1234","5678"])"), limits), StatusCode::kOk);
  EXPECT_EQ(CodeOf(Tensor("BYTES", "[2]", R"(["1234","56789"])"), limits), StatusCode::kRequestTooLarge);
}

TEST(HttpHostile, HoldsAllTensorsOfARequestAgainstOneLimit) {
  CodecLimits limits;
  limits.max_tensor_bytes = 24;
  const auto two = [](const char* first, const char* second) {
    const auto input = [](const char* name, const std::string& rest) { return R"({"name":")" + std::string(name) + R"(",)" + rest + "}"; };
    return R"({"inputs":[)" + input("a", first) + "," + input("b", second) + "]}";
  };
  const char* const early = R"("shape":[2],"datatype":"INT64","data":[1,2])";
  const char* const late = R"("data":[1,2],"shape":[2],"datatype":"INT64")";
  const char* const small = R"("shape":[1],"datatype":"INT64","data":[1])";
  EXPECT_EQ(CodeOf(two(early, small), limits), StatusCode::kOk);
  EXPECT_EQ(CodeOf(two(late, small), limits), StatusCode::kOk);
  EXPECT_EQ(CodeOf(two(early, late), limits), StatusCode::kRequestTooLarge);
  EXPECT_EQ(CodeOf(two(late, early), limits), StatusCode::kRequestTooLarge);
}

TEST(HttpHostile, CountsTheDepthOfDataFromTheDocument) {
  // The document, `inputs` and the input are three levels.
  const auto data = [](size_t depth) { return std::string(depth, '[') + "1" + std::string(depth, ']'); };
  const auto late = [&](size_t depth) { return OneInput(R"("data":)" + data(depth) + R"(,"shape":[1],"datatype":"FP32")"); };
  EXPECT_EQ(CodeOf(Tensor("FP32", "[1]", data(97))), StatusCode::kOk);
  EXPECT_EQ(CodeOf(Tensor("FP32", "[1]", data(98))), StatusCode::kRequestDepth);
  EXPECT_EQ(CodeOf(late(97)), StatusCode::kOk);
  EXPECT_EQ(CodeOf(late(98)), StatusCode::kRequestDepth);
  EXPECT_EQ(CodeOf(Tensor("FP32", "[1]", std::string(1000000, '['))), StatusCode::kRequestDepth);
  EXPECT_EQ(CodeOf(Tensor("BYTES", "[1]", std::string(1000000, '['))), StatusCode::kRequestDepth);
  EXPECT_EQ(CodeOf(R"({"x":)" + std::string(1000000, '[')), StatusCode::kRequestDepth);
  EXPECT_EQ(CodeOf(std::string(1000000, '[')), StatusCode::kRequestDepth);
  EXPECT_EQ(CodeOf(Tensor("FP32", "[1]", "[" + std::string(1000000, '{') + "]")), StatusCode::kRequestJson);
}

TEST(HttpHostile, BoundsNamesDimsTensorsAndParameters) {
  const std::string name(1025, 'n');
  EXPECT_EQ(CodeOf(R"({"inputs":[{"name":")" + name + R"(","shape":[0],"datatype":"FP32"}]})"), StatusCode::kRequestField);
  EXPECT_EQ(CodeOf(R"({"inputs":[{"name":"","shape":[0],"datatype":"FP32"}]})"), StatusCode::kRequestField);
  EXPECT_EQ(CodeOf(R"({"id":")" + name + R"("})"), StatusCode::kRequestField);
  std::string dims = "[1";
  for (int i = 1; i < 32; ++i) dims += ",1";
  EXPECT_EQ(CodeOf(Tensor("INT8", dims + "]", "[1]")), StatusCode::kOk);
  EXPECT_EQ(CodeOf(Tensor("INT8", dims + ",1]", "[1]")), StatusCode::kTensorShape);
  const auto many = [](const std::string& head, int count, const auto& item, const std::string& tail) {
    std::string body = head;
    for (int i = 0; i < count; ++i) body += (i > 0 ? "," : "") + item(std::to_string(i));
    return body + tail;
  };
  const auto input = [](const std::string& i) { return R"({"name":"x)" + i + R"(","shape":[0],"datatype":"FP32"})"; };
  EXPECT_EQ(CodeOf(many(R"({"inputs":[)", 1024, input, "]}")), StatusCode::kOk);
  EXPECT_EQ(CodeOf(many(R"({"inputs":[)", 1025, input, "]}")), StatusCode::kRequestField);
  const auto parameter = [](const std::string& i) { return "\"p" + i + "\":1"; };
  const std::string tail = "}," + Tensor("INT8", "[1]", "[1]").substr(1);
  EXPECT_EQ(CodeOf(many(R"({"parameters":{)", 1024, parameter, tail)), StatusCode::kOk);
  EXPECT_EQ(CodeOf(many(R"({"parameters":{)", 1025, parameter, tail)), StatusCode::kRequestParameter);
  const auto tensor_parameter = [&](int count) {
    return many(R"({"inputs":[{"name":"x","shape":[0],"datatype":"FP32","parameters":{)", count, parameter, "}}]}");
  };
  EXPECT_EQ(CodeOf(tensor_parameter(1024)), StatusCode::kOk);
  EXPECT_EQ(CodeOf(tensor_parameter(1025)), StatusCode::kRequestParameter);
}

TEST(HttpHostile, SaysSoWhenTheMachineOrTheLimitHasNoMemory) {
  const PoolLimit limit(15);
  EXPECT_EQ(CodeOf(Tensor("FP32", "[4]", "[1,2,3,4]")), StatusCode::kMemory);
}

TEST(HttpHostile, ReadsATensorOfMillionsOfElements) {
  constexpr int kCount = 3000000;
  std::string data = "[";
  for (int i = 0; i < kCount; ++i) data += i > 0 ? ",1" : "1";
  const auto decoded = Decode(Tensor("UINT8", "[" + std::to_string(kCount) + "]", data + "]"));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded.value().inputs[0].data.size(), static_cast<size_t>(kCount));
}

TEST(HttpHostile, SurvivesBodiesWithRandomDamage) {
  const std::string json =
      R"({"id":"a\u00e9","parameters":{"timeout":5,"x":1.5e3},"inputs":[{"name":"a","shape":[2,2],"datatype":"FP32","data":[[1.5,-2e1],[3,4]]},)"
      R"({"data":["x\n","\ud83d\ude00"],"name":"b","shape":[2],"datatype":"BYTES"},)"
      R"({"name":"c","shape":[3],"datatype":"BOOL","data":[true,false,true]},{"name":"d","shape":[4],"datatype":"UINT8","parameters":{"binary_data_size":4}}],)"
      R"("outputs":[{"name":"y","parameters":{"binary_data":true}}]})";
  ASSERT_TRUE(DecodeHttpInfer(testing::ChainOf({json, "0123"}), static_cast<int64_t>(json.size()), {}).ok());
  static constexpr std::string_view kPoison = "\"\\{}[],:0-+.eE9ntfu \n\x01\x7f\x80\xC3\xFF";
  std::mt19937_64 random(12);
  for (int i = 0; i < 100000; ++i) {
    std::string damaged = json;
    for (uint64_t hits = 1 + random() % 3; hits > 0; --hits) {
      const size_t at = random() % damaged.size();
      switch (random() % 4) {
        case 0:
          damaged[at] = kPoison[random() % kPoison.size()];
          break;
        case 1:
          damaged.erase(at, 1 + random() % 8);
          if (damaged.empty()) damaged = "x";
          break;
        case 2:
          damaged.insert(at, 1, kPoison[random() % kPoison.size()]);
          break;
        default:
          damaged.insert(at, damaged.substr(random() % damaged.size(), random() % 20));
      }
    }
    const auto decoded = DecodeHttpInfer(testing::ChainOf({damaged, "0123"}), static_cast<int64_t>(damaged.size()), {});
    if (!decoded.ok()) {
      ASSERT_NE(decoded.status().code(), StatusCode::kInternal) << damaged;
      ASSERT_FALSE(decoded.status().message().empty());
      ASSERT_LT(decoded.status().message().size(), 700u);
    }
  }
}

}  // namespace
}  // namespace penstock::codec
