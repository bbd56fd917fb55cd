#include "serving/tensor_checks.h"

#include <gtest/gtest.h>

#include "serving/test_model.h"

namespace penstock::serving {
namespace {

// Two inputs that may be batched, of different types, given to the session in another order than the configuration has them.
class TensorChecks : public ::testing::Test {
 protected:
  TensorChecks() {
    spec_.model_name = "pair";
    spec_.version = 7;
    spec_.max_batch_size = 4;
    spec_.inputs = {{"image", DataType::kFp32, {-1, 2, -1}}, {"mask", DataType::kBool, {-1, 3}}};
    spec_.outputs = {{"score", DataType::kFp32, {-1, 2, -1}}, {"label", DataType::kBool, {-1, 3}}};
    session::Signature signature = SignatureOf(spec_);
    std::swap(signature.inputs[0], signature.inputs[1]);
    std::swap(signature.outputs[0], signature.outputs[1]);
    version_ = ModelVersion::Create(std::make_shared<session::FakeSession>(signature), spec_, nullptr).value();
  }

  static RequestTensor Image(int64_t rows = 1, int64_t width = 2) {
    return MakeTensor("image", DataType::kFp32, {rows, 2, width}, std::string(static_cast<size_t>(rows * 2 * width) * 4, 'i'));
  }
  static RequestTensor Mask(int64_t rows = 1) {
    return MakeTensor("mask", DataType::kBool, {rows, 3}, std::string(static_cast<size_t>(rows) * 3, '\1'));
  }
  static InferRequest Request(std::vector<RequestTensor> inputs) {
    InferRequest request;
    request.inputs = std::move(inputs);
    return request;
  }

  // Expects a refusal with this code, whose message holds every one of `parts`.
  void ExpectRefused(InferRequest request, StatusCode code, const std::vector<std::string>& parts) {
    const Result<CheckedRequest> checked = CheckRequest(*version_, std::move(request));
    ASSERT_FALSE(checked.ok());
    EXPECT_EQ(checked.status().code(), code) << checked.status().message();
    for (const std::string& part : parts) {
      EXPECT_NE(checked.status().message().find(part), std::string::npos) << part << " in: " << checked.status().message();
    }
  }

  VersionSpec spec_;
  std::shared_ptr<ModelVersion> version_;
};

TEST_F(TensorChecks, PutsInputsAndOutputsInTheSessionsOrder) {
  InferRequest request = Request({Image(3, 5), Mask(3)});
  request.id = "abc";
  const Result<CheckedRequest> checked = CheckRequest(*version_, std::move(request));
  ASSERT_TRUE(checked.ok()) << checked.status().message();
  const pipeline::Job& job = *checked.value().job;
  ASSERT_EQ(job.inputs.size(), 2u);
  EXPECT_EQ(job.inputs[0].dtype, DataType::kBool);
  EXPECT_EQ(job.inputs[1].dims, (std::vector<int64_t>{3, 2, 5}));
  EXPECT_EQ(job.rows, 3);
  EXPECT_EQ(job.bytes, 3u * 2 * 5 * 4 + 9);
  EXPECT_EQ(job.outputs, (std::vector<size_t>{1, 0})) << "the configuration's order: score, label";
  const ReplyPlan& plan = checked.value().plan;
  EXPECT_EQ(plan.model_name, "pair");
  EXPECT_EQ(plan.model_version, "7");
  EXPECT_EQ(plan.id, "abc");
  ASSERT_EQ(plan.outputs.size(), 2u);
  EXPECT_EQ(plan.outputs[0].name, "score");
  EXPECT_EQ(plan.outputs[0].form, OutputForm::kJson);
  EXPECT_EQ(plan.outputs[1].dtype, DataType::kBool);
}

TEST_F(TensorChecks, AnOutputsOwnFormWinsOverTheRequests) {
  InferRequest request = Request({Image(), Mask()});
  request.binary_output = true;
  request.outputs = {{"label", OutputForm::kJson}, {"score", OutputForm::kDefault}};
  const Result<CheckedRequest> checked = CheckRequest(*version_, std::move(request));
  ASSERT_TRUE(checked.ok());
  EXPECT_EQ(checked.value().plan.outputs[0].name, "label");
  EXPECT_EQ(checked.value().plan.outputs[0].form, OutputForm::kJson);
  EXPECT_EQ(checked.value().plan.outputs[1].form, OutputForm::kBinary);
  EXPECT_EQ(checked.value().job->outputs, (std::vector<size_t>{0, 1}));
}

TEST_F(TensorChecks, NamesMissingUnknownAndDuplicateInputs) {
  ExpectRefused(Request({Image()}), StatusCode::kTensorName, {"inputs: missing input \"mask\"", "\"image\", \"mask\""});
  ExpectRefused(Request({}), StatusCode::kTensorName, {"missing input \"image\""});
  RequestTensor odd = Mask();
  odd.name = "musk";
  ExpectRefused(Request({Image(), odd}), StatusCode::kTensorName,
                {"inputs[1].name: found \"musk\"", "expected one of \"image\", \"mask\""});
  ExpectRefused(Request({Mask(), Mask()}), StatusCode::kTensorName, {"inputs[1].name: found \"mask\" again"});
}

TEST_F(TensorChecks, KeepsMessagesShortHoweverLongAName) {
  RequestTensor odd = Mask();
  odd.name = std::string(1 << 20, 'x');
  const Result<CheckedRequest> checked = CheckRequest(*version_, Request({odd}));
  EXPECT_LT(checked.status().message().size(), 500u);
}

TEST_F(TensorChecks, NamesUnknownAndDuplicateOutputs) {
  InferRequest request = Request({Image(), Mask()});
  request.outputs = {{"score", OutputForm::kDefault}, {"prob", OutputForm::kDefault}};
  ExpectRefused(request, StatusCode::kTensorName, {"outputs[1].name: found \"prob\"", "\"score\", \"label\""});
  request.outputs = {{"score", OutputForm::kDefault}, {"score", OutputForm::kBinary}};
  ExpectRefused(request, StatusCode::kTensorName, {"outputs[1].name: found \"score\" again"});
}

class OptionalInputs : public TensorChecks {
 protected:
  OptionalInputs() {
    spec_.pipeline.batching.merge = true;
    spec_.inputs.push_back({"scale", DataType::kFp32, {-1, 1}, true});
    spec_.inputs.push_back({"bias", DataType::kFp32, {-1, -1}, true});
    version_ = MakeVersion(spec_);
  }
  static RequestTensor Scale(int64_t rows = 1) { return Floats("scale", {rows, 1}); }
  static RequestTensor Bias(int64_t width) { return Floats("bias", {1, width}); }
  static RequestTensor Floats(std::string name, std::vector<int64_t> shape) {
    const auto elements = static_cast<size_t>(shape[0] * shape[1]);
    return MakeTensor(std::move(name), DataType::kFp32, std::move(shape), std::string(elements * 4, 'f'));
  }
  std::string GroupOf(std::vector<RequestTensor> inputs) {
    const Result<CheckedRequest> checked = CheckRequest(*version_, Request(std::move(inputs)));
    EXPECT_TRUE(checked.ok()) << checked.status().message();
    return checked.ok() ? checked.value().job->group : "";
  }
};

TEST_F(OptionalInputs, MayBeLeftOutAndRequiredOnesMayNot) {
  const Result<CheckedRequest> checked = CheckRequest(*version_, Request({Mask(), Image(), Bias(2)}));
  ASSERT_TRUE(checked.ok()) << checked.status().message();
  const pipeline::Job& job = *checked.value().job;
  ASSERT_EQ(job.inputs.size(), 4u);
  EXPECT_EQ(job.inputs[2].dtype, DataType::kInvalid);
  EXPECT_TRUE(job.inputs[2].data.empty());
  EXPECT_EQ(job.inputs[3].dims, (std::vector<int64_t>{1, 2}));
  ExpectRefused(Request({Image(), Scale()}), StatusCode::kTensorName, {"inputs: missing input \"mask\""});
  RequestTensor odd = Scale();
  odd.name = "scales";
  ExpectRefused(Request({Image(), Mask(), odd}), StatusCode::kTensorName, {"inputs[2].name: found \"scales\"", "\"scale\", \"bias\""});
}

TEST_F(OptionalInputs, AreCheckedLikeOthersWhereTheyAreGiven) {
  ExpectRefused(Request({Image(2), Mask(2), Scale(3)}), StatusCode::kTensorBatch, {"inputs[2].shape[0]: found batch size 3, expected 2"});
  ExpectRefused(Request({Image(), Mask(), Floats("scale", {1, 2})}), StatusCode::kTensorShape, {"inputs[2].shape: found [1,2]"});
  RequestTensor wrong = Scale();
  wrong.dtype = DataType::kInt32;
  ExpectRefused(Request({Image(), Mask(), wrong}), StatusCode::kTensorDtype, {"inputs[2].datatype: found INT32"});
}

TEST_F(OptionalInputs, PutRequestsThatDoNotHaveTheSameOnesIntoDifferentGroups) {
  const std::vector<std::string> groups = {GroupOf({Image(), Mask()}),          GroupOf({Image(), Mask(), Scale()}),
                                           GroupOf({Image(), Mask(), Bias(1)}), GroupOf({Image(), Mask(), Scale(), Bias(1)}),
                                           GroupOf({Image(), Mask(), Bias(2)}), GroupOf({Image(1, 1), Mask()})};
  for (size_t a = 0; a < groups.size(); ++a) {
    for (size_t b = 0; b < a; ++b) EXPECT_NE(groups[a], groups[b]) << a << ", " << b;
  }
  EXPECT_EQ(GroupOf({Scale(2), Mask(2), Image(2)}), groups[1]) << "whatever the order and the rows";
}

TEST_F(OptionalInputs, CannotAllBeLeftOutByARequestThatHasNoOthers) {
  for (ApiTensor& input : spec_.inputs) input.optional = true;
  version_ = MakeVersion(spec_);
  EXPECT_TRUE(CheckRequest(*version_, Request({Scale(3)})).ok());
  ExpectRefused(Request({}), StatusCode::kTensorName, {"inputs: found none, expected at least one of \"image\""});
}

TEST_F(TensorChecks, SaysBothDatatypes) {
  RequestTensor image = Image();
  image.dtype = DataType::kInt32;
  ExpectRefused(Request({image, Mask()}), StatusCode::kTensorDtype,
                {"inputs[0].datatype: found INT32, expected FP32 for input \"image\""});
}

TEST_F(TensorChecks, SaysBothShapesForAWrongRankOrDim) {
  for (const std::vector<int64_t>& shape : std::vector<std::vector<int64_t>>{{}, {1, 2}, {1, 2, 2, 1}, {1, 3, 2}, {1, 2, -1}}) {
    RequestTensor image = Image();
    image.shape = shape;
    ExpectRefused(Request({image, Mask()}), StatusCode::kTensorShape, {"inputs[0].shape: found [", "expected [-1,2,-1]"});
  }
}

TEST_F(TensorChecks, HoldsTheBatchBetweenOneAndItsMaximumAndEqualForAllInputs) {
  ExpectRefused(Request({Image(0), Mask(0)}), StatusCode::kTensorShape, {"found batch size 0, batch size must be at least 1"});
  ExpectRefused(Request({Image(5), Mask(5)}), StatusCode::kTensorBatch, {"found batch size 5, expected at most 4"});
  ExpectRefused(Request({Image(2), Mask(3)}), StatusCode::kTensorBatch,
                {"inputs[1]", "found batch size 3, expected 2 as in input \"image\""});
  EXPECT_TRUE(CheckRequest(*version_, Request({Image(4), Mask(4)})).ok());
}

TEST_F(TensorChecks, SaysBothByteSizes) {
  RequestTensor image = Image();
  image.data = memory::SliceChain(OwnedSlice(std::string(15, 'i')));
  ExpectRefused(Request({image, Mask()}), StatusCode::kTensorSize, {"inputs[0]: found 15 bytes, expected 16 for shape [1,2,2] FP32"});
}

TEST_F(TensorChecks, ShapesThatOverflowAreRefused) {
  RequestTensor image = Image();
  image.shape = {1, 2, INT64_MAX};
  ExpectRefused(Request({image, Mask()}), StatusCode::kTensorShape, {"overflows"});
  image.shape = {1, 2, INT64_MAX / 2};  // the element count fits, the bytes do not
  ExpectRefused(Request({image, Mask()}), StatusCode::kTensorSize, {"inputs[0]"});
}

TEST_F(TensorChecks, AnEmptyTensorOfAVariableDimIsAccepted) {
  const Result<CheckedRequest> checked = CheckRequest(*version_, Request({Image(1, 0), Mask()}));
  ASSERT_TRUE(checked.ok()) << checked.status().message();
  EXPECT_EQ(checked.value().job->bytes, 3u);
}

TEST_F(TensorChecks, ARequestCountsTheWholeMessageThatItsTensorsKeepInMemory) {
  InferRequest request = Request({Image(), Mask()});
  request.message_bytes = 1000;
  EXPECT_EQ(CheckRequest(*version_, request).value().job->bytes, 1000u);
  request.message_bytes = 18;
  EXPECT_EQ(CheckRequest(*version_, request).value().job->bytes, 19u) << "never less than its tensors";
}

TEST_F(TensorChecks, BoolsOtherThanZeroAndOneAreNamedByTheirElement) {
  RequestTensor mask = Mask();
  mask.data = Pieces({std::string("\0\1", 2), "\2"});
  ExpectRefused(Request({Image(), mask}), StatusCode::kTensorData, {"inputs[1]: found 2 at element 2, expected 0 or 1"});
}

TEST_F(TensorChecks, OnlyDataTheCodecMadeMayRunInPlace) {
  RequestTensor mask = Mask();
  mask.data_is_checked = true;
  const Result<CheckedRequest> checked = CheckRequest(*version_, Request({Image(), mask}));
  ASSERT_TRUE(checked.ok());
  EXPECT_TRUE(checked.value().job->inputs[0].in_place);
  EXPECT_FALSE(checked.value().job->inputs[1].in_place);
}

TEST_F(TensorChecks, AModelThatIsNotBatchedTakesDimsAsTheyAre) {
  spec_.max_batch_size = 0;
  spec_.inputs = {{"v", DataType::kInt8, {3}}};
  spec_.outputs = {{"w", DataType::kInt8, {3}}};
  version_ = MakeVersion(spec_);
  const Result<CheckedRequest> checked = CheckRequest(*version_, Request({MakeTensor("v", DataType::kInt8, {3}, "abc")}));
  ASSERT_TRUE(checked.ok()) << checked.status().message();
  EXPECT_EQ(checked.value().job->rows, 1);
}

std::string Framed(const std::vector<std::string>& elements) {
  std::string bytes;
  for (const std::string& element : elements) {
    for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(element.size() >> shift);
    bytes += element;
  }
  return bytes;
}

TEST(BytesFraming, HoldsForEveryWayToCutTheBytesIntoSlices) {
  const std::string bytes = Framed({"ab", "", "cde"});
  for (size_t first = 0; first <= bytes.size(); ++first) {
    for (size_t second = first; second <= bytes.size(); ++second) {
      const memory::SliceChain chain = Pieces({bytes.substr(0, first), bytes.substr(first, second - first), bytes.substr(second)});
      EXPECT_TRUE(CheckBytesFraming(chain, 3, "inputs[0]").ok()) << first << "," << second;
    }
  }
}

TEST(BytesFraming, RefusesTooFewTooManyAndOverlongElements) {
  const std::string bytes = Framed({"ab", "cde"});
  const auto message = [](const std::string& data, uint64_t elements) {
    const Status status = CheckBytesFraming(Pieces({data}), elements, "inputs[2]");
    EXPECT_EQ(status.code(), StatusCode::kTensorData);
    return status.message();
  };
  EXPECT_EQ(message(bytes, 3), "inputs[2]: found 0 bytes, expected the 4-byte length of element 2 of 3");
  EXPECT_EQ(message(bytes, 1), "inputs[2]: found 7 bytes after the last of 1 elements");
  EXPECT_EQ(message(bytes.substr(0, bytes.size() - 1), 2), "inputs[2]: found 2 bytes, expected 3 for element 1 of 2");
  EXPECT_EQ(message("\xff\xff\xff\xff", 1), "inputs[2]: found 0 bytes, expected 4294967295 for element 0 of 1");
  EXPECT_NE(message("", UINT64_MAX).find("element 0"), std::string::npos) << "absurd counts end at once";
  EXPECT_TRUE(CheckBytesFraming(Pieces({}), 0, "inputs[2]").ok());
}

class RawRequest : public ::testing::Test {
 protected:
  Result<CheckedRequest> Check(DataType dtype, std::vector<int64_t> dims, int64_t max_batch_size, const std::string& body) {
    VersionSpec spec;
    spec.model_name = "raw";
    spec.max_batch_size = max_batch_size;
    spec.inputs = {{"x", dtype, dims}};
    spec.outputs = {{"y", dtype, dims}};
    version_ = MakeVersion(spec);
    InferRequest request;
    request.is_raw = true;
    request.raw_body = Pieces({body.substr(0, body.size() / 2), body.substr(body.size() / 2)});
    return CheckRequest(*version_, std::move(request));
  }
  std::shared_ptr<ModelVersion> version_;
};

TEST_F(RawRequest, DeducesTheOneVariableDimAndAssumesABatchOfOne) {
  const auto checked = Check(DataType::kFp32, {-1, 2, -1}, 8, std::string(24, 'r'));
  ASSERT_TRUE(checked.ok()) << checked.status().message();
  EXPECT_EQ(checked.value().job->inputs[0].dims, (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(checked.value().plan.outputs[0].form, OutputForm::kBinary);
  EXPECT_FALSE(checked.value().job->inputs[0].in_place) << "a client's bytes";
  const auto unbatched = Check(DataType::kFp32, {-1, 2}, 0, std::string(24, 'r'));
  ASSERT_TRUE(unbatched.ok());
  EXPECT_EQ(unbatched.value().job->inputs[0].dims, (std::vector<int64_t>{3, 2}));
}

TEST_F(RawRequest, RefusesWhatLeavesADoubt) {
  EXPECT_EQ(Check(DataType::kFp32, {-1, -1}, 0, "12345678").status().code(), StatusCode::kRequestField);
  EXPECT_EQ(Check(DataType::kFp32, {-1, 2}, 0, "1234567").status().message(),
            "body: found 7 bytes, expected a multiple of 8 for input \"x\" of shape [-1,2] FP32");
  EXPECT_EQ(Check(DataType::kFp32, {-1, 0}, 0, "1234").status().code(), StatusCode::kTensorSize) << "no unit to divide by";
  EXPECT_EQ(Check(DataType::kFp32, {2}, 0, "1234567").status().code(), StatusCode::kTensorSize);
}

TEST_F(RawRequest, NeedsAModelOfOneInput) {
  VersionSpec spec;
  spec.inputs = {{"a", DataType::kFp32, {1}}, {"b", DataType::kFp32, {1}}};
  spec.outputs = {{"y", DataType::kFp32, {1}}};
  const auto version = MakeVersion(spec);
  InferRequest request;
  request.is_raw = true;
  EXPECT_EQ(CheckRequest(*version, request).status().code(), StatusCode::kRequestField);
}

TEST_F(RawRequest, AStringCountsWithTheObjectThatTheModelRunMakesOfIt) {
  const auto checked = Check(DataType::kBytes, {-1, 1}, 8, "hello");
  ASSERT_TRUE(checked.ok()) << checked.status().message();
  EXPECT_EQ(checked.value().job->bytes, 4 + 5 + sizeof(std::string));
}

TEST_F(RawRequest, ABytesBodyIsOneElement) {
  const auto checked = Check(DataType::kBytes, {-1, 1}, 8, "hello");
  ASSERT_TRUE(checked.ok()) << checked.status().message();
  const memory::SliceChain& data = checked.value().job->inputs[0].data;
  std::string bytes(data.size(), '?');
  data.CopyTo(reinterpret_cast<uint8_t*>(bytes.data()));
  EXPECT_EQ(bytes, Framed({"hello"}));
  EXPECT_EQ(checked.value().job->inputs[0].dims, (std::vector<int64_t>{1, 1}));
  EXPECT_TRUE(Check(DataType::kBytes, {1}, 0, "").ok()) << "an empty element";
  EXPECT_EQ(Check(DataType::kBytes, {2}, 0, "hello").status().code(), StatusCode::kRequestField);
}

// Of the pair above, with batches that are merged or not.
std::string GroupOf(bool merges, InferRequest request) {
  VersionSpec spec;
  spec.max_batch_size = 4;
  spec.inputs = {{"image", DataType::kFp32, {-1, 2, -1}}, {"mask", DataType::kBool, {-1, 3}}};
  spec.outputs = {{"score", DataType::kFp32, {-1, 2, -1}}};
  spec.pipeline.batching.merge = merges;
  const auto version = MakeVersion(spec);
  const Result<CheckedRequest> checked = CheckRequest(*version, std::move(request));
  EXPECT_TRUE(checked.ok()) << checked.status().message();
  return checked.value().job->group;
}

TEST_F(TensorChecks, RequestsOfOneGroupDifferInNothingButRows) {
  const std::string narrow = GroupOf(true, Request({Image(1, 2), Mask(1)}));
  EXPECT_EQ(narrow, GroupOf(true, Request({Mask(3), Image(3, 2)})));
  EXPECT_NE(narrow, GroupOf(true, Request({Image(1, 3), Mask(1)})));
}

TEST_F(TensorChecks, WhereNothingIsMergedThereAreNoGroups) { EXPECT_EQ(GroupOf(false, Request({Image(1, 2), Mask(1)})), ""); }

// Ids and their mask, of a length that is free, and an image whose width is.
class RaggedChecks : public ::testing::Test {
 protected:
  RaggedChecks() {
    spec_.model_name = "words";
    spec_.max_batch_size = 4;
    spec_.inputs = {{"image", DataType::kFp32, {-1, -1}}, {"ids", DataType::kInt64, {-1, -1, 2}}, {"mask", DataType::kInt8, {-1, -1}}};
    spec_.outputs = {{"y", DataType::kInt64, {-1, -1}}};
    spec_.padded_inputs = {{"ids", 1, std::vector<uint8_t>(8)}, {"mask", 1, {0}}};
    spec_.pipeline.batching.merge = true;
  }
  std::shared_ptr<const pipeline::Job> JobOf(int64_t ids, int64_t mask, int64_t width = 1, int64_t rows = 1) const {
    InferRequest request;
    const auto count = [rows](int64_t row) { return static_cast<size_t>(rows * row); };
    request.inputs = {MakeTensor("image", DataType::kFp32, {rows, width}, std::string(count(width) * 4, '\1')),
                      MakeTensor("ids", DataType::kInt64, {rows, ids, 2}, std::string(count(ids) * 16, '\1')),
                      MakeTensor("mask", DataType::kInt8, {rows, mask}, std::string(count(mask), '\1'))};
    return CheckRequest(*MakeVersion(spec_), std::move(request)).value().job;
  }
  std::string GroupOf(int64_t ids, int64_t mask, int64_t width = 1, int64_t rows = 1) const { return JobOf(ids, mask, width, rows)->group; }
  VersionSpec spec_;
};

TEST_F(RaggedChecks, RequestsOfOneClassOfLengthsAreOneGroup) {
  EXPECT_EQ(GroupOf(5, 5), GroupOf(8, 8, 1, 3));
  EXPECT_NE(GroupOf(5, 5), GroupOf(4, 4));
  EXPECT_NE(GroupOf(8, 8), GroupOf(9, 9));
  EXPECT_NE(GroupOf(5, 5, 1), GroupOf(5, 5, 2)) << "an input that is not named keeps to its own shape";
  spec_.padded_inputs.clear();
  EXPECT_NE(GroupOf(5, 5), GroupOf(8, 8));
}

TEST_F(RaggedChecks, RequestsWhoseInputsDisagreeInLengthMeetOnlyTheirLike) {
  EXPECT_NE(GroupOf(5, 6), GroupOf(5, 5));
  EXPECT_NE(GroupOf(5, 6), GroupOf(6, 5));
  EXPECT_NE(GroupOf(5, 6), GroupOf(5, 7));
  EXPECT_EQ(GroupOf(5, 6), GroupOf(5, 6, 1, 2));
}

TEST_F(RaggedChecks, CountWhatPaddingMayComeTo) {
  EXPECT_EQ(JobOf(5, 5, 1, 2)->bytes, 2u * (4 + 8 * 17));
  EXPECT_EQ(JobOf(8, 8, 1, 2)->bytes, 2u * (4 + 8 * 17));
  EXPECT_EQ(JobOf(5, 6)->bytes, 4u + 5 * 16 + 6);
  EXPECT_EQ(JobOf(0, 0)->bytes, 4u);
}

TEST(TensorChecksOfFixedShapes, NeedNoGroups) {
  VersionSpec spec = EchoSpec();
  spec.pipeline.batching.merge = true;
  EXPECT_EQ(CheckRequest(*MakeVersion(spec), EchoRequest(2)).value().job->group, "");
}

TEST_F(TensorChecks, HandOnWhatTheClientAsksOfTheQueue) {
  InferRequest request = Request({Image(), Mask()});
  request.priority = 3;
  request.timeout_us = 70;
  request.protocol = pipeline::Protocol::kGrpc;
  const Result<CheckedRequest> checked = CheckRequest(*version_, std::move(request));
  ASSERT_TRUE(checked.ok()) << checked.status().message();
  const pipeline::Job& job = *checked.value().job;
  EXPECT_EQ(job.priority, 3u);
  EXPECT_EQ(job.timeout_us, 70u);
  EXPECT_EQ(job.protocol, pipeline::Protocol::kGrpc);
}

TEST_F(TensorChecks, CountTheCopyThatJoiningAMessageHasMadeOfBytesButNotOfWhatWasDecoded) {
  const auto copied = [&](bool joined, bool decoded) {
    InferRequest request = Request({Image(), Mask()});
    request.protocol = pipeline::Protocol::kGrpc;
    request.was_joined = joined;
    request.inputs[0].data_is_checked = decoded;
    return CheckRequest(*version_, std::move(request)).value().job->bytes_copied_before;
  };
  EXPECT_EQ(copied(true, false), 16u + 3u);
  EXPECT_EQ(copied(true, true), 3u);
  EXPECT_EQ(copied(false, false), 0u);
}

}  // namespace
}  // namespace penstock::serving
