#include "codec/request_fields.h"

#include <gtest/gtest.h>

namespace penstock::codec {
namespace {

const CodecLimits kLimits;

Status AddOne(const std::string& name, RequestParameters::Value value, serving::InferRequest* request) {
  RequestParameters parameters(request, kLimits);
  PENSTOCK_RETURN_IF_ERROR(parameters.Add(name, std::move(value)));
  return parameters.Finish();
}

StatusCode CodeOf(const std::string& name, RequestParameters::Value value) {
  serving::InferRequest request;
  return AddOne(name, std::move(value), &request).code();
}

using Text = std::string;

TEST(RequestFields, QuotesAtMost64BytesOfClientTextWithControlBytesEscaped) {
  EXPECT_EQ(Quote("a\"b\\\n\x7f"), R"("a\"b\\\x0a\x7f")");
  EXPECT_EQ(Quote("\xFF\xC3\xA9"), "\"\\xff\xC3\xA9\"");
  EXPECT_EQ(Quote(Text(64, 'a')), "\"" + Text(64, 'a') + "\"");
  EXPECT_EQ(Quote(Text(65, 'a')), "\"" + Text(64, 'a') + "\"...");
  EXPECT_EQ(Quote(Text(63, 'a') + "\xC3\xA9"), "\"" + Text(63, 'a') + "\"...") << "a character is never cut in two";
}

TEST(RequestFields, WritesPathsOfOddNamesInQuotes) {
  EXPECT_EQ(MemberPath("parameters", "top_k"), "parameters.top_k");
  EXPECT_EQ(MemberPath("parameters", "a b"), "parameters[\"a b\"]");
  EXPECT_EQ(MemberPath("parameters", ""), "parameters[\"\"]");
  EXPECT_EQ(MemberPath("", "id"), "id");
}

TEST(RequestFields, WritesWhereAFieldStands) {
  const FieldPath inputs("inputs");
  const FieldPath input(inputs, 3);
  const FieldPath parameters(input, "parameters");
  EXPECT_EQ(FieldPath(parameters, "top_k").Text(), "inputs[3].parameters.top_k");
  EXPECT_EQ(FieldPath(parameters, "a b").Text(), "inputs[3].parameters[\"a b\"]");
  EXPECT_EQ(inputs.Text(), "inputs");
}

TEST(RequestFields, TakesReservedParametersOutOfTheCustomOnes) {
  serving::InferRequest request;
  RequestParameters parameters(&request, kLimits);
  EXPECT_TRUE(parameters.Add("timeout", int64_t{5}).ok());
  EXPECT_TRUE(parameters.Add("priority", uint64_t{18446744073709551615u}).ok());
  EXPECT_TRUE(parameters.Add("binary_data_output", true).ok());
  EXPECT_TRUE(parameters.Add("__proto__", Text("x")).ok());
  EXPECT_TRUE(parameters.Finish().ok());
  EXPECT_EQ(request.timeout_us, 5u);
  EXPECT_EQ(request.priority, 18446744073709551615u);
  EXPECT_TRUE(request.binary_output);
  ASSERT_EQ(request.parameters.size(), 1u);
  EXPECT_EQ(request.parameters[0].name, "__proto__");
}

TEST(RequestFields, RefusesTimeoutAndPriorityThatAreNotWholeNumbers) {
  for (const char* name : {"timeout", "priority"}) {
    for (const RequestParameters::Value& value :
         {RequestParameters::Value(1.5), RequestParameters::Value(1.0), RequestParameters::Value(Text("5")), RequestParameters::Value(true),
          RequestParameters::Value(int64_t{-1})}) {
      EXPECT_EQ(CodeOf(name, value), StatusCode::kRequestParameter) << name;
    }
  }
  serving::InferRequest request;
  EXPECT_EQ(AddOne("timeout", int64_t{-1}, &request).message(),
            "parameters.timeout: found -1, expected a whole number from 0 to 18446744073709551615");
}

TEST(RequestFields, IgnoresSequencesThatAreOffAndRefusesThoseThatAreOn) {
  EXPECT_EQ(CodeOf("sequence_id", int64_t{0}), StatusCode::kOk);
  EXPECT_EQ(CodeOf("sequence_id", Text()), StatusCode::kOk);
  EXPECT_EQ(CodeOf("sequence_start", false), StatusCode::kOk);
  EXPECT_EQ(CodeOf("sequence_end", false), StatusCode::kOk);
  EXPECT_EQ(CodeOf("sequence_id", int64_t{1}), StatusCode::kNotSupported);
  EXPECT_EQ(CodeOf("sequence_id", Text("a")), StatusCode::kNotSupported);
  EXPECT_EQ(CodeOf("sequence_start", true), StatusCode::kNotSupported);
  EXPECT_EQ(CodeOf("sequence_end", int64_t{0}), StatusCode::kRequestParameter);
  EXPECT_EQ(CodeOf("sequence_id", false), StatusCode::kRequestParameter);
}

TEST(RequestFields, RefusesReservedNamesAndRepeatedOnes) {
  EXPECT_EQ(CodeOf("headers", Text("x")), StatusCode::kRequestParameter);
  EXPECT_EQ(CodeOf("triton_x", true), StatusCode::kRequestParameter);
  EXPECT_EQ(CodeOf("", true), StatusCode::kRequestField);
  EXPECT_EQ(CodeOf(Text(1025, 'n'), true), StatusCode::kRequestField);
  for (const char* name : {"timeout", "mine"}) {
    serving::InferRequest request;
    RequestParameters parameters(&request, kLimits);
    EXPECT_TRUE(parameters.Add(name, int64_t{1}).ok());
    EXPECT_TRUE(parameters.Add("other", int64_t{1}).ok());
    EXPECT_TRUE(parameters.Add(name, int64_t{2}).ok());
    EXPECT_EQ(parameters.Finish().code(), StatusCode::kRequestField) << name;
  }
}

TEST(RequestFields, HoldsShapesAgainstOverflowAndSizesAgainstTheLimit) {
  EXPECT_EQ(CheckShape({2, 0, 3}, "s", kLimits).value(), 0u);
  EXPECT_EQ(CheckShape({}, "s", kLimits).value(), 1u);
  EXPECT_EQ(CheckShape({int64_t{1} << 32, int64_t{1} << 32}, "s", kLimits).status().code(), StatusCode::kTensorShape);
  EXPECT_EQ(CheckShape(std::vector<int64_t>(33, 1), "s", kLimits).status().code(), StatusCode::kTensorShape);
  EXPECT_EQ(CheckShape({1, -1}, "s", kLimits).status().message(), "s[1]: found -1, expected a whole number from 0 to 9223372036854775807");
  EXPECT_EQ(CheckTensorBytes(DataType::kFp32, 16u << 20, "t", kLimits).value(), 64u << 20);
  EXPECT_EQ(CheckTensorBytes(DataType::kFp32, (16u << 20) + 1, "t", kLimits).status().code(), StatusCode::kRequestTooLarge);
  EXPECT_EQ(CheckTensorBytes(DataType::kFp64, 1ull << 62, "t", kLimits).status().code(), StatusCode::kRequestTooLarge);
}

}  // namespace
}  // namespace penstock::codec
