#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "codec/grpc_message.h"
#include "codec/grpc_test_pieces.h"
#include "memory/block.h"

namespace penstock::codec {
namespace {

using serving::InferRequest;
using serving::RequestTensor;

Result<InferRequest> Decode(const std::string& bytes, const CodecLimits& limits = {}) {
  return DecodeEveryWay(bytes, limits);
}

InferRequest MustDecode(const std::string& bytes) {
  Result<InferRequest> request = Decode(bytes);
  EXPECT_TRUE(request.ok()) << request.status().message();
  return request.ok() ? std::move(request).value() : InferRequest();
}

void ExpectRefused(const std::string& bytes, StatusCode code, const std::string& text) {
  const Result<InferRequest> request = Decode(bytes);
  ASSERT_FALSE(request.ok()) << text;
  EXPECT_EQ(request.status().code(), code) << request.status().message();
  EXPECT_NE(request.status().message().find(text), std::string::npos) << request.status().message();
}

std::string DataOf(const RequestTensor& tensor) { return BytesOf(tensor.data); }

template <typename... T>
std::string Packed(T... values) {
  Wire wire;
  (wire.Plain(values), ...);
  return wire.bytes();
}

Wire Named(std::string_view model = "m") { return Wire().Text(1, model); }

// An input "X" of one dim; nothing where `contents` is empty.
Wire Input(std::string_view datatype, uint64_t dim, const Wire& contents = {}) {
  Wire input = Wire().Text(1, "X").Text(2, datatype).Varint(3, dim);
  if (!contents.bytes().empty()) input.Message(5, contents);
  return input;
}

std::string WithInput(const Wire& input) { return Named().Message(5, input).bytes(); }

Wire Entry(std::string_view key, const Wire& value) { return Wire().Text(1, key).Message(2, value); }

std::string WithParameter(std::string_view key, const Wire& value) { return Named().Message(4, Entry(key, value)).bytes(); }

TEST(GrpcRequest, DecodesEveryPartOfAMessageOfTheProtobufLibrary) {
  const InferRequest request = MustDecode(FromHex(kTypedRequest));
  EXPECT_EQ(request.model_name, "adder");
  EXPECT_EQ(request.model_version, "3");
  EXPECT_EQ(request.id, "r-7");
  EXPECT_EQ(request.priority, 2u);
  EXPECT_EQ(request.timeout_us, 1500u);
  EXPECT_FALSE(request.binary_output);
  EXPECT_FALSE(request.is_raw);
  std::map<std::string, decltype(serving::Parameter::value)> custom;
  for (const serving::Parameter& parameter : request.parameters) custom[parameter.name] = parameter.value;
  const std::map<std::string, decltype(serving::Parameter::value)> expected = {
      {"flag", true}, {"count", int64_t{-5}}, {"text", std::string("gr\xC3\xBCn")}, {"ratio", 0.25}, {"big", UINT64_MAX}};
  EXPECT_EQ(custom, expected);

  ASSERT_EQ(request.inputs.size(), 2u);
  EXPECT_EQ(request.inputs[0].name, "A");
  EXPECT_EQ(request.inputs[0].dtype, DataType::kFp32);
  EXPECT_EQ(request.inputs[0].shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(DataOf(request.inputs[0]), Packed(1.0f, 2.5f, -3.0f, 0.0f, 1e30f, -0.125f));
  EXPECT_TRUE(request.inputs[0].data_is_checked);
  EXPECT_EQ(request.inputs[1].name, "B");
  EXPECT_EQ(request.inputs[1].dtype, DataType::kBytes);
  EXPECT_EQ(DataOf(request.inputs[1]), Wire().Plain<uint32_t>(0).Plain<uint32_t>(3).Raw("ab\xFF").bytes());
  ASSERT_EQ(request.outputs.size(), 2u);
  EXPECT_EQ(request.outputs[0].name, "SUM");
  EXPECT_EQ(request.outputs[1].name, "DIFF");
}

TEST(GrpcRequest, KeepsRawContentsWhereTheyAre) {
  const std::string bytes = FromHex(kRawRequest);
  const memory::Slice message = MessageSlice(bytes);
  Result<InferRequest> request = DecodeModelInferRequest(message, {});
  ASSERT_TRUE(request.ok()) << request.status().message();
  const std::vector<RequestTensor>& inputs = request.value().inputs;
  ASSERT_EQ(inputs.size(), 3u);
  EXPECT_EQ(inputs[0].dtype, DataType::kFp16);
  ASSERT_EQ(inputs[0].data.slices().size(), 1u);
  const memory::Slice& first = inputs[0].data.slices()[0];
  EXPECT_EQ(first.size, 8u);
  EXPECT_EQ(first.owner, message.owner);
  EXPECT_GE(first.data, message.data);
  EXPECT_LE(first.data + first.size, message.data + message.size);
  EXPECT_EQ(DataOf(inputs[0]), std::string("\0\1\2\3\4\5\6\7", 8));
  EXPECT_FALSE(inputs[0].data_is_checked);
  EXPECT_EQ(inputs[1].shape, (std::vector<int64_t>{0, 4}));
  EXPECT_TRUE(inputs[1].data.empty());
  EXPECT_EQ(DataOf(inputs[2]), Wire().Plain<uint32_t>(3).Raw("one").bytes());
}

TEST(GrpcRequest, SaysHowLargeAMessageItKeepsInMemory) {
  const Wire padded = Named().Message(5, Input("INT8", 1)).Text(7, "x").Text(100, std::string(5000, 'p'));
  EXPECT_EQ(MustDecode(padded.bytes()).message_bytes, padded.bytes().size());
}

TEST(GrpcRequest, DecodesEveryTypeAtTheEndsOfItsRange) {
  const InferRequest request = MustDecode(FromHex(kEveryTypeRequest));
  const std::vector<std::string> expected = {
      Packed(true, false),
      Packed(int8_t{-128}, int8_t{127}),
      Packed(int16_t{-32768}, int16_t{32767}),
      Packed(INT32_MIN, INT32_MAX),
      Packed(int64_t{INT64_MIN}, int64_t{INT64_MAX}),
      Packed(uint8_t{0}, uint8_t{255}),
      Packed(uint16_t{0}, uint16_t{65535}),
      Packed(uint32_t{0}, uint32_t{UINT32_MAX}),
      Packed(uint64_t{0}, uint64_t{UINT64_MAX}),
      Packed(1.5f, -std::numeric_limits<float>::infinity()),
      Packed(-0.0, 1e300),
      Wire().Plain<uint32_t>(1).Raw(std::string_view("\0", 1)).Plain<uint32_t>(3).Raw("two").bytes(),
  };
  ASSERT_EQ(request.inputs.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(DataOf(request.inputs[i]), expected[i]) << request.inputs[i].name;
}

TEST(GrpcRequest, JoinsPackedAndSingleElementsOfSeveralContentsInOrder) {
  const Wire first = Wire().Text(2, "\x01\x02").Varint(2, 3);
  const Wire second = Wire().Varint(2, UINT64_MAX).Text(2, "").Text(2, "\x05");
  // Contents may come before the datatype and the shape that they are read by.
  const Wire input = Wire().Message(5, first).Message(5, second).Varint(3, 1).Text(3, "\x05").Text(2, "INT32").Text(1, "X");
  const InferRequest request = MustDecode(WithInput(input));
  ASSERT_EQ(request.inputs.size(), 1u);
  EXPECT_EQ(request.inputs[0].shape, (std::vector<int64_t>{1, 5}));
  EXPECT_EQ(DataOf(request.inputs[0]), Packed(1, 2, 3, -1, 5));
}

TEST(GrpcRequest, TakesTheLastOfRepeatedScalarsAndMapEntries) {
  const Wire message = Named("old")
                           .Message(4, Entry("k", Wire().Text(3, "a")))
                           .Text(1, "new")
                           .Text(2, "1")
                           .Text(2, "2")
                           .Message(4, Entry("k", Wire().Varint(1, 1).Varint(2, 9)))
                           .Varint(900, 3);
  const InferRequest request = MustDecode(message.bytes());
  EXPECT_EQ(request.model_name, "new");
  EXPECT_EQ(request.model_version, "2");
  ASSERT_EQ(request.parameters.size(), 1u);
  EXPECT_EQ(std::get<int64_t>(request.parameters[0].value), 9);
}

TEST(GrpcRequest, NeedsNoDataForATensorWithoutElements) {
  const InferRequest request = MustDecode(WithInput(Input("FP32", 0)));
  ASSERT_EQ(request.inputs.size(), 1u);
  EXPECT_TRUE(request.inputs[0].data.empty());
  EXPECT_TRUE(request.inputs[0].data_is_checked);
  EXPECT_TRUE(Decode(WithInput(Input("FP16", 0))).ok());
}

TEST(GrpcRequest, ReadsAScalarFromAnEmptyShape) {
  const InferRequest request = MustDecode(WithInput(Wire().Text(1, "X").Text(2, "UINT8").Message(5, Wire().Varint(4, 200))));
  ASSERT_EQ(request.inputs.size(), 1u);
  EXPECT_TRUE(request.inputs[0].shape.empty());
  EXPECT_EQ(DataOf(request.inputs[0]), "\xC8");
}

TEST(GrpcRequest, RefusesElementsOutOfTheRangeOfTheirType) {
  const auto refused = [](std::string_view datatype, uint32_t field, uint64_t value, const std::string& text) {
    ExpectRefused(WithInput(Input(datatype, 2, Wire().Varint(field, 1).Varint(field, value))), StatusCode::kTensorData, text);
  };
  const auto negative = [](int64_t value) { return static_cast<uint64_t>(value); };
  refused("INT8", 2, 128, "inputs[0].contents.int_contents[1]: found 128, expected INT8, -128 to 127");
  refused("INT8", 2, negative(-129), "found -129, expected INT8");
  refused("INT16", 2, 32768, "found 32768, expected INT16, -32768 to 32767");
  refused("INT32", 2, uint64_t{1} << 31, "found 2147483648, expected INT32");
  refused("UINT8", 4, 256, "inputs[0].contents.uint_contents[1]: found 256, expected UINT8, 0 to 255");
  refused("UINT16", 4, 65536, "found 65536");
  refused("UINT32", 4, negative(-1), "found 18446744073709551615, expected UINT32, 0 to 4294967295");
}

TEST(GrpcRequest, RefusesAnotherNumberOfElementsThanTheShapeHas) {
  const Wire two = Wire().Tag(6, 2).Number(8).Plain(1.0f).Plain(2.0f);
  ExpectRefused(WithInput(Input("FP32", 3, two)), StatusCode::kTensorData,
                "inputs[0].contents.fp32_contents: found 2 elements, expected 3 by the shape");
  ExpectRefused(WithInput(Input("FP32", 1, two)), StatusCode::kTensorData, "found 2 elements, expected 1");
  ExpectRefused(WithInput(Input("FP32", 0, two)), StatusCode::kTensorData, "found 2 elements, expected 0");
  ExpectRefused(WithInput(Input("FP32", 3)), StatusCode::kTensorData, "found 0 elements, expected 3");
  ExpectRefused(WithInput(Input("BYTES", 3, Wire().Text(8, "a"))), StatusCode::kTensorData,
                "inputs[0].contents.bytes_contents: found 1 elements, expected 3");
}

TEST(GrpcRequest, RefusesContentsOfAnotherType) {
  ExpectRefused(WithInput(Input("INT64", 1, Wire().Varint(2, 1))), StatusCode::kTensorDtype,
                "inputs[0].contents.int_contents: found elements, expected int64_contents, the field of datatype INT64");
  ExpectRefused(WithInput(Input("INT64", 1, Wire().Varint(3, 1).Varint(2, 1))), StatusCode::kTensorDtype, "contents.int_contents");
  ExpectRefused(WithInput(Input("BF16", 1, Wire().Tag(6, 5).Plain(1.0f))), StatusCode::kTensorDtype,
                "expected BF16 data in raw_input_contents");
  ExpectRefused(WithInput(Input("FP16", 1)), StatusCode::kTensorData, "inputs[0]: found no data, expected FP16 data in raw_input_contents");
}

TEST(GrpcRequest, RefusesTypedContentsBesideRawContents) {
  const Wire input = Input("INT64", 1, Wire().Varint(3, 1));
  ExpectRefused(Named().Message(5, input).Text(7, "12345678").bytes(), StatusCode::kRequestField,
                "inputs[0].contents.int64_contents: found elements, expected none, because the request has raw_input_contents");
  EXPECT_TRUE(Decode(Named().Message(5, Input("INT64", 1).Text(5, "")).Text(7, "12345678").bytes()).ok());
}

TEST(GrpcRequest, RefusesAnotherNumberOfRawContentsThanInputs) {
  const Wire input = Input("INT64", 1);
  ExpectRefused(Named().Message(5, input).Message(5, input).Text(7, "12345678").bytes(), StatusCode::kRequestField,
                "raw_input_contents: found 1 entries, expected 2, one for each input");
  ExpectRefused(Named().Message(5, input).Text(7, "12345678").Text(7, "").bytes(), StatusCode::kRequestField, "found 2 entries, expected 1");
  ExpectRefused(Named().Text(7, "").bytes(), StatusCode::kRequestField, "found 1 entries, expected 0");
}

TEST(GrpcRequest, RefusesNamesThatAreMissingDoubleOrTooLong) {
  ExpectRefused("", StatusCode::kRequestField, "model_name: found");
  ExpectRefused(WithInput(Wire().Text(2, "FP32")), StatusCode::kRequestField, "inputs[0].name");
  ExpectRefused(Named().Text(6, "").bytes(), StatusCode::kRequestField, "outputs[0].name");
  ExpectRefused(Named().Message(5, Input("FP32", 0)).Message(5, Input("FP32", 0)).bytes(), StatusCode::kTensorName, "\"X\" appears twice");
  ExpectRefused(Named(std::string(1025, 'n')).bytes(), StatusCode::kRequestField, "model_name");
  ExpectRefused(Named().Text(2, std::string(1025, '1')).bytes(), StatusCode::kRequestField, "model_version: found 1025 bytes");
  ExpectRefused(Named().Text(3, std::string(1025, 'i')).bytes(), StatusCode::kRequestField, "id: found 1025 bytes");
}

TEST(GrpcRequest, RefusesUnknownDatatypesAndImpossibleShapes) {
  ExpectRefused(WithInput(Input("FP31", 1)), StatusCode::kTensorDtype, "inputs[0].datatype: found \"FP31\"");
  ExpectRefused(WithInput(Wire().Text(1, "X")), StatusCode::kTensorDtype, "inputs[0].datatype");
  ExpectRefused(WithInput(Input("FP32", 2).Varint(3, UINT64_MAX)), StatusCode::kTensorShape, "inputs[0].shape[1]: found -1");
  ExpectRefused(WithInput(Input("FP32", uint64_t{1} << 62).Varint(3, 4)), StatusCode::kTensorShape, "inputs[0].shape");
  ExpectRefused(WithInput(Input("FP32", 1).Text(3, std::string(32, '\1'))), StatusCode::kTensorShape, "found more than 32 dims");
  ExpectRefused(WithInput(Input("FP32", 1).Text(3, "\x80")), StatusCode::kRequestProtobuf, "inputs[0].shape: found a varint cut off");
}

TEST(GrpcRequest, TakesNoMemoryForElementsThatTheMessageDoesNotHold) {
  const uint64_t before = memory::BlockPool::Process().live_bytes();
  ExpectRefused(WithInput(Input("FP64", uint64_t{8} << 20)), StatusCode::kTensorData, "found 0 elements, expected 8388608");
  ExpectRefused(WithInput(Input("FP64", (uint64_t{8} << 20) + 1)), StatusCode::kRequestTooLarge, "inputs[0]: found 8388609 elements");
  CodecLimits limits;
  limits.max_tensor_bytes = 7;
  const std::string word = WithInput(Input("BYTES", 1, Wire().Text(8, "four")));
  EXPECT_EQ(Decode(word, limits).status().code(), StatusCode::kRequestTooLarge);
  limits.max_tensor_bytes = 8;
  EXPECT_TRUE(Decode(word, limits).ok());
  EXPECT_EQ(memory::BlockPool::Process().live_bytes(), before);
}

TEST(GrpcRequest, ReportsThatTensorMemoryIsUsedUp) {
  memory::BlockPool& pool = memory::BlockPool::Process();
  const uint64_t limit = pool.limit_bytes();
  pool.set_limit_bytes(pool.live_bytes() + 1);
  const Status status = DecodeModelInferRequest(MessageSlice(FromHex(kTypedRequest)), {}).status();
  pool.set_limit_bytes(limit);
  EXPECT_EQ(status.code(), StatusCode::kMemory);
  EXPECT_NE(status.message().find("cannot allocate 24 bytes"), std::string::npos) << status.message();
}

TEST(GrpcRequest, SortsOutReservedParameters) {
  EXPECT_EQ(MustDecode(WithParameter("priority", Wire().Varint(2, 3))).priority, 3u);
  EXPECT_TRUE(Decode(WithParameter("sequence_id", Wire().Text(3, ""))).ok());
  EXPECT_TRUE(Decode(WithParameter("sequence_start", Wire().Varint(1, 0))).ok());
  EXPECT_TRUE(MustDecode(WithParameter("binary_data_output", Wire().Text(3, "any"))).parameters.empty());
  ExpectRefused(WithParameter("priority", Wire().Varint(2, UINT64_MAX)), StatusCode::kRequestParameter, "parameters.priority: found -1");
  ExpectRefused(WithParameter("timeout", Wire().Varint(2, UINT64_MAX)), StatusCode::kRequestParameter, "parameters.timeout: found -1");
  ExpectRefused(WithParameter("timeout", Wire().Text(3, "1")), StatusCode::kRequestParameter, "parameters.timeout");
  ExpectRefused(WithParameter("sequence_id", Wire().Varint(2, 1)), StatusCode::kNotSupported, "parameters.sequence_id");
  ExpectRefused(WithParameter("sequence_end", Wire().Varint(1, 1)), StatusCode::kNotSupported, "parameters.sequence_end");
  ExpectRefused(WithParameter("triton_other", Wire().Varint(1, 1)), StatusCode::kRequestParameter, "triton_other");
  ExpectRefused(WithParameter("triton_enable_empty_final_response", Wire().Varint(2, 1)), StatusCode::kRequestParameter, "bool_param");
}

TEST(GrpcRequest, RefusesParametersWithoutAValue) {
  ExpectRefused(WithParameter("k", Wire()), StatusCode::kRequestParameter, "parameters.k: found no value");
  ExpectRefused(WithParameter("k", Wire().Varint(6, 1)), StatusCode::kRequestParameter, "parameters.k: found no value");
  ExpectRefused(Named().Message(4, Wire().Text(1, "k")).bytes(), StatusCode::kRequestParameter, "parameters.k: found no value");
  ExpectRefused(Named().Message(4, Wire().Message(2, Wire().Varint(1, 1))).bytes(), StatusCode::kRequestField, "parameters[\"\"]");
}

TEST(GrpcRequest, RefusesSharedMemoryAndClassification) {
  const Wire region = Entry("shared_memory_region", Wire().Text(3, "r"));
  ExpectRefused(WithInput(Input("FP32", 1).Message(4, region)), StatusCode::kNotSupported, "inputs[0].parameters.shared_memory_region");
  ExpectRefused(Named().Message(6, Wire().Text(1, "Y").Message(2, region)).bytes(), StatusCode::kNotSupported, "outputs[0].parameters");
  const Wire top = Entry("classification", Wire().Varint(2, 3));
  ExpectRefused(Named().Message(6, Wire().Text(1, "Y").Message(2, top)).bytes(), StatusCode::kNotSupported,
                "outputs[0].parameters.classification: classification is not supported yet");
}

}  // namespace
}  // namespace penstock::codec
