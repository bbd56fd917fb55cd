#include "codec/http_reply.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "codec/http_test_bodies.h"

namespace penstock::codec {
namespace {

using serving::OutputForm;
using testing::SliceOf;

template <typename T>
memory::Slice BytesOf(const std::vector<T>& elements) {
  return SliceOf(std::string_view(reinterpret_cast<const char*>(elements.data()), elements.size() * sizeof(T)));
}

struct Answer {
  serving::ReplyPlan plan{"m", "1", "", {}};
  pipeline::Outcome outcome;

  Answer& Add(const std::string& name, DataType dtype, std::vector<int64_t> dims, memory::Slice bytes,
              OutputForm form = OutputForm::kJson) {
    plan.outputs.push_back({name, dtype, form});
    outcome.outputs.push_back({dtype, std::move(dims), std::move(bytes)});
    return *this;
  }
  Result<HttpReply> Encode() const { return EncodeHttpReply(plan, outcome); }
};

// The `data` of a reply with one JSON output.
std::string DataOf(DataType dtype, int64_t elements, memory::Slice bytes) {
  const auto reply = Answer().Add("y", dtype, {elements}, std::move(bytes)).Encode();
  if (!reply.ok()) return testing::Outcome(reply.status());
  const std::string& json = reply.value().json;
  const size_t start = json.find("\"data\":") + 7;
  return json.substr(start, json.size() - start - 3);
}

TEST(HttpReply, WritesTheFieldsInTheProtocolsOrder) {
  Answer answer;
  answer.plan.id = "a\"b";
  answer.plan.model_name = "mod\xC3\xA9l";
  answer.plan.model_version = "3";
  answer.Add("y", DataType::kFp32, {1, 3}, BytesOf<float>({0.1f, -2, 1e10f})).Add("z", DataType::kInt64, {}, BytesOf<int64_t>({7}));
  const auto reply = answer.Encode();
  ASSERT_TRUE(reply.ok()) << testing::Outcome(reply.status());
  EXPECT_EQ(reply.value().json,
            "{\"id\":\"a\\\"b\",\"model_name\":\"mod\xC3\xA9l\",\"model_version\":\"3\",\"outputs\":["
            "{\"name\":\"y\",\"datatype\":\"FP32\",\"shape\":[1,3],\"data\":[0.1,-2,1e+10]},"
            "{\"name\":\"z\",\"datatype\":\"INT64\",\"shape\":[],\"data\":[7]}]}");
  EXPECT_FALSE(reply.value().is_binary);
  EXPECT_TRUE(reply.value().tails.empty());
}

TEST(HttpReply, LeavesTheIdOutWhenThereIsNone) {
  EXPECT_EQ(Answer().Encode().value().json, R"({"model_name":"m","model_version":"1","outputs":[]})");
}

TEST(HttpReply, WritesEveryType) {
  EXPECT_EQ(DataOf(DataType::kBool, 2, BytesOf<uint8_t>({1, 0})), "[true,false]");
  EXPECT_EQ(DataOf(DataType::kUint8, 2, BytesOf<uint8_t>({0, 255})), "[0,255]");
  EXPECT_EQ(DataOf(DataType::kInt8, 2, BytesOf<int8_t>({-128, 127})), "[-128,127]");
  EXPECT_EQ(DataOf(DataType::kUint16, 1, BytesOf<uint16_t>({65535})), "[65535]");
  EXPECT_EQ(DataOf(DataType::kInt16, 1, BytesOf<int16_t>({-32768})), "[-32768]");
  EXPECT_EQ(DataOf(DataType::kUint32, 1, BytesOf<uint32_t>({4294967295u})), "[4294967295]");
  EXPECT_EQ(DataOf(DataType::kInt32, 1, BytesOf<int32_t>({INT32_MIN})), "[-2147483648]");
  EXPECT_EQ(DataOf(DataType::kUint64, 1, BytesOf<uint64_t>({UINT64_MAX})), "[18446744073709551615]");
  EXPECT_EQ(DataOf(DataType::kInt64, 2, BytesOf<int64_t>({INT64_MIN, 9007199254740993})), "[-9223372036854775808,9007199254740993]");
  EXPECT_EQ(DataOf(DataType::kFp16, 2, BytesOf<uint16_t>({0x3C00, 0x3555})), "[1,0.33325195]");
  EXPECT_EQ(DataOf(DataType::kBf16, 1, BytesOf<uint16_t>({0x3F80})), "[1]");
  EXPECT_EQ(DataOf(DataType::kFp64, 2, BytesOf<double>({0.1, 5e-324})), "[0.1,5e-324]");
  EXPECT_EQ(DataOf(DataType::kBytes, 3, SliceOf(std::string_view("\2\0\0\0\"\n\0\0\0\0\2\0\0\0\xC3\xA9", 16))),
            "[\"\\\"\\n\",\"\",\"\xC3\xA9\"]");
  EXPECT_EQ(DataOf(DataType::kFp32, 0, {}), "[]");
  EXPECT_EQ(DataOf(DataType::kBytes, 0, {}), "[]");
}

TEST(HttpReply, SendsBinaryOutputsUncopiedInOrder) {
  const memory::Slice first = BytesOf<float>({1, 2});
  const memory::Slice second = BytesOf<uint8_t>({1, 2, 3});
  const auto reply = Answer()
                         .Add("a", DataType::kFp32, {2}, first, OutputForm::kBinary)
                         .Add("b", DataType::kInt8, {1}, BytesOf<int8_t>({5}))
                         .Add("c", DataType::kUint8, {3}, second, OutputForm::kBinary)
                         .Encode();
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply.value().json, R"({"model_name":"m","model_version":"1","outputs":[)"
                                R"({"name":"a","datatype":"FP32","shape":[2],"parameters":{"binary_data_size":8}},)"
                                R"({"name":"b","datatype":"INT8","shape":[1],"data":[5]},)"
                                R"({"name":"c","datatype":"UINT8","shape":[3],"parameters":{"binary_data_size":3}}]})");
  EXPECT_TRUE(reply.value().is_binary);
  ASSERT_EQ(reply.value().tails.size(), 2u);
  EXPECT_EQ(reply.value().tails[0].data, first.data);
  EXPECT_EQ(reply.value().tails[1].data, second.data);
}

TEST(HttpReply, IsPlainJsonWhenAllBinaryOutputsAreEmpty) {
  const auto reply = Answer().Add("a", DataType::kFp32, {0, 4}, {}, OutputForm::kBinary).Encode();
  ASSERT_TRUE(reply.ok());
  EXPECT_NE(reply.value().json.find(R"("shape":[0,4],"parameters":{"binary_data_size":0}})"), std::string::npos);
  EXPECT_FALSE(reply.value().is_binary);
  EXPECT_TRUE(reply.value().tails.empty());
}

TEST(HttpReply, NamesTheElementThatJsonCannotCarry) {
  const std::string tail = ", which JSON cannot carry: ask for it as binary";
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(DataOf(DataType::kFp32, 4, BytesOf<float>({0, 1, 2, NAN})), "ERR_TENSOR_NOT_JSON output \"y\" holds NaN at element 3" + tail);
  EXPECT_EQ(DataOf(DataType::kFp64, 1, BytesOf<double>({-infinity})),
            "ERR_TENSOR_NOT_JSON output \"y\" holds -infinity at element 0" + tail);
  EXPECT_EQ(DataOf(DataType::kFp16, 1, BytesOf<uint16_t>({0x7C00})), "ERR_TENSOR_NOT_JSON output \"y\" holds infinity at element 0" + tail);
  EXPECT_EQ(DataOf(DataType::kBf16, 1, BytesOf<uint16_t>({0x7FC0})), "ERR_TENSOR_NOT_JSON output \"y\" holds NaN at element 0" + tail);
  EXPECT_EQ(DataOf(DataType::kBytes, 1, SliceOf(std::string_view("\1\0\0\0\xFF", 5))),
            "ERR_TENSOR_NOT_JSON output \"y\" holds bytes that are not UTF-8 at element 0" + tail);
  EXPECT_TRUE(Answer().Add("y", DataType::kFp32, {1}, BytesOf<float>({NAN}), OutputForm::kBinary).Encode().ok());
}

TEST(HttpReply, NeverReadsPastBytesThatDoNotFitTheShape) {
  const auto code = [](DataType dtype, std::vector<int64_t> dims, memory::Slice bytes) {
    return Answer().Add("y", dtype, std::move(dims), std::move(bytes)).Encode().status().code();
  };
  EXPECT_EQ(code(DataType::kFp32, {3}, BytesOf<float>({1, 2})), StatusCode::kInternal);
  EXPECT_EQ(code(DataType::kFp32, {int64_t{1} << 62}, BytesOf<float>({1, 2})), StatusCode::kInternal);
  EXPECT_EQ(code(DataType::kFp32, {-1}, BytesOf<float>({1, 2})), StatusCode::kInternal);
  EXPECT_EQ(code(DataType::kBytes, {1}, SliceOf(std::string_view("\5\0\0\0a", 5))), StatusCode::kInternal);
  EXPECT_EQ(code(DataType::kBytes, {1}, SliceOf(std::string_view("\0\0", 2))), StatusCode::kInternal);
  EXPECT_EQ(code(DataType::kBytes, {1}, SliceOf(std::string_view("\0\0\0\0x", 5))), StatusCode::kInternal);
  Answer answer;
  answer.plan.outputs.push_back({"y", DataType::kFp32, OutputForm::kJson});
  EXPECT_EQ(answer.Encode().status().code(), StatusCode::kInternal);
}

TEST(HttpReply, IsReadBackByTheRequestReader) {
  // A reply's output has the members of a request's input, so one codec can check the other.
  const auto reply =
      Answer().Add("y", DataType::kBytes, {2}, SliceOf(std::string_view("\3\0\0\0a\0b\4\0\0\0\xF0\x9F\x98\x80", 15))).Encode();
  ASSERT_TRUE(reply.ok());
  std::string json = reply.value().json;
  json.replace(json.find("outputs"), 7, "inputs");
  const auto request = testing::Decode(json);
  ASSERT_TRUE(request.ok()) << testing::Outcome(request.status());
  EXPECT_EQ(testing::Bytes(request.value().inputs[0].data), std::string("\3\0\0\0a\0b\4\0\0\0\xF0\x9F\x98\x80", 15));
}

}  // namespace
}  // namespace penstock::codec
