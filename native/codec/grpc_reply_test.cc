#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "codec/grpc_message.h"
#include "codec/grpc_test_messages.h"

namespace penstock::codec {
namespace {

session::Tensor MakeTensor(DataType dtype, std::vector<int64_t> dims, std::string_view bytes) {
  return session::Tensor{dtype, std::move(dims), MessageSlice(bytes)};
}

// The block is exactly as large as promised: the address sanitizer sees a byte too many, the marker shows a byte too few.
std::string Write(const ModelInferReply& reply) {
  std::vector<uint8_t> bytes(reply.size(), 0xAA);
  reply.WriteTo(bytes.data());
  return std::string(bytes.begin(), bytes.end());
}

TEST(ModelInferReply, WritesTheSameBytesAsTheProtobufLibrary) {
  serving::ReplyPlan plan;
  plan.model_name = "adder";
  plan.model_version = "3";
  plan.id = "r-7";
  plan.outputs = {{"SUM", DataType::kFp32, {}}, {"NONE", DataType::kInt64, {}}, {"WORD", DataType::kBytes, {}}};
  pipeline::Outcome outcome;
  outcome.outputs.push_back(MakeTensor(DataType::kFp32, {1, 2}, Wire().Plain(1.5f).Plain(-2.0f).bytes()));
  outcome.outputs.push_back(MakeTensor(DataType::kInt64, {0, 300}, ""));
  outcome.outputs.push_back(MakeTensor(DataType::kBytes, {}, Wire().Plain<uint32_t>(130).Raw(std::string(130, 'w')).bytes()));
  Result<ModelInferReply> reply = ModelInferReply::Make(plan, outcome);
  ASSERT_TRUE(reply.ok()) << reply.status().message();
  EXPECT_EQ(Write(reply.value()), FromHex(kReply));
}

TEST(ModelInferReply, GivesTheSameBytesAsSlicesWhoseOutputsAreNotCopied) {
  memory::SliceChain slices;
  std::vector<memory::Slice> outputs;
  {
    serving::ReplyPlan plan;
    plan.model_name = "adder";
    plan.model_version = "3";
    plan.id = "r-7";
    plan.outputs = {{"SUM", DataType::kFp32, {}}, {"NONE", DataType::kInt64, {}}, {"WORD", DataType::kBytes, {}}};
    pipeline::Outcome outcome;
    outcome.outputs.push_back(MakeTensor(DataType::kFp32, {1, 2}, Wire().Plain(1.5f).Plain(-2.0f).bytes()));
    outcome.outputs.push_back(MakeTensor(DataType::kInt64, {0, 300}, ""));
    outcome.outputs.push_back(MakeTensor(DataType::kBytes, {}, Wire().Plain<uint32_t>(130).Raw(std::string(130, 'w')).bytes()));
    for (const session::Tensor& output : outcome.outputs) outputs.push_back(output.bytes);
    const Result<ModelInferReply> reply = ModelInferReply::Make(plan, outcome);
    ASSERT_TRUE(reply.ok()) << reply.status().message();
    Result<memory::SliceChain> made = reply.value().Slices();
    ASSERT_TRUE(made.ok()) << made.status().message();
    slices = std::move(made).value();
    EXPECT_EQ(slices.size(), reply.value().size());
  }
  std::string bytes(slices.size(), '\0');
  slices.CopyTo(reinterpret_cast<uint8_t*>(bytes.data()));
  EXPECT_EQ(bytes, FromHex(kReply));
  ASSERT_EQ(slices.slices().size(), 4u);
  EXPECT_EQ(slices.slices()[1].data, outputs[0].data);
  EXPECT_EQ(slices.slices()[1].owner, outputs[0].owner);
  EXPECT_EQ(slices.slices()[3].data, outputs[2].data);
}

TEST(ModelInferReply, LeavesOutAnEmptyId) {
  serving::ReplyPlan plan;
  plan.model_name = "m";
  plan.model_version = "1";
  const pipeline::Outcome outcome;
  Result<ModelInferReply> reply = ModelInferReply::Make(plan, outcome);
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(Write(reply.value()), Wire().Text(1, "m").Text(2, "1").bytes());
}

TEST(ModelInferReply, RefusesMoreThanOneMessageHolds) {
  serving::ReplyPlan plan;
  plan.outputs.resize(2);
  pipeline::Outcome outcome;
  outcome.outputs.resize(2);
  outcome.outputs[0].bytes.size = size_t{1} << 30;  // never read: Make only adds sizes
  outcome.outputs[1].bytes.size = (size_t{1} << 30) - 100;
  EXPECT_TRUE(ModelInferReply::Make(plan, outcome).ok());
  outcome.outputs[1].bytes.size = size_t{1} << 30;
  EXPECT_EQ(ModelInferReply::Make(plan, outcome).status().code(), StatusCode::kRequestTooLarge);
  outcome.outputs[1].bytes.size = SIZE_MAX;
  EXPECT_EQ(ModelInferReply::Make(plan, outcome).status().code(), StatusCode::kRequestTooLarge);
}

TEST(ModelInferReply, RefusesAnOutcomeThatDoesNotFitItsPlan) {
  serving::ReplyPlan plan;
  plan.outputs.resize(1);
  EXPECT_EQ(ModelInferReply::Make(plan, pipeline::Outcome()).status().code(), StatusCode::kInternal);
}

}  // namespace
}  // namespace penstock::codec
