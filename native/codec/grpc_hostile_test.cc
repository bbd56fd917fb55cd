// Messages made to hurt. Run under the address and undefined-behaviour sanitizers these prove more than that nothing crashes.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "codec/grpc_message.h"
#include "codec/grpc_test_pieces.h"
#include "memory/block.h"

namespace penstock::codec {
namespace {

Result<serving::InferRequest> Decode(const std::string& bytes) { return DecodeEveryWay(bytes); }

// Errors keep their promise to say something; data lies where it may; in pieces it is the same.
void ExpectSound(const std::string& bytes) {
  static std::minstd_rand random(1);
  const memory::Slice message = MessageSlice(bytes);
  const Result<serving::InferRequest> request = DecodeModelInferRequest(message, {});
  ExpectSameInPieces(request, InPieces(bytes, DrawCuts(bytes.size(), 4, &random)), {});
  if (!request.ok()) {
    EXPECT_FALSE(request.status().message().empty());
    return;
  }
  uint8_t sum = 0;
  for (const serving::RequestTensor& input : request.value().inputs) {
    EXPECT_NE(input.dtype, DataType::kInvalid);
    for (const memory::Slice& slice : input.data.slices()) {
      for (size_t i = 0; i < slice.size; ++i) sum = static_cast<uint8_t>(sum + slice.data[i]);
    }
  }
  volatile uint8_t read = sum;  // the reads above must happen
  (void)read;
}

std::vector<std::string> Samples() { return {FromHex(kTypedRequest), FromHex(kRawRequest), FromHex(kEveryTypeRequest)}; }

TEST(HostileGrpcRequest, SurvivesBeingCutAnywhere) {
  for (const std::string& sample : Samples()) {
    for (size_t size = 0; size <= sample.size(); ++size) ExpectSound(sample.substr(0, size));
  }
}

TEST(HostileGrpcRequest, SurvivesEveryWrongValueOfEveryByte) {
  for (std::string sample : Samples()) {
    for (char& byte : sample) {
      const char right = byte;
      for (int value = 0; value < 256; ++value) {
        byte = static_cast<char>(value);
        ExpectSound(sample);
      }
      byte = right;
    }
  }
  EXPECT_EQ(memory::BlockPool::Process().live_blocks(), 0u);
}

TEST(HostileGrpcRequest, RefusesGroupsHoweverDeep) {
  Wire message = Wire().Text(1, "m");
  for (int i = 0; i < 100000; ++i) message.Tag(50, 3);
  EXPECT_EQ(Decode(message.bytes()).status().code(), StatusCode::kRequestProtobuf);
}

TEST(HostileGrpcRequest, StepsOverUnknownFieldsWithoutLookingInside) {
  std::string nested;
  for (int i = 0; i < 2000; ++i) nested = Wire().Text(50, nested).bytes();
  EXPECT_TRUE(Decode(Wire().Text(1, "m").Raw(nested).bytes()).ok());
}

TEST(HostileGrpcRequest, StopsAtTheLimitsOfRepeatedFields) {
  const CodecLimits limits;
  const auto repeated = [](const std::string& field, size_t count) {
    std::string bytes = Wire().Text(1, "m").bytes();
    for (size_t i = 0; i < count; ++i) bytes += field;
    return bytes;
  };
  const std::string entry = Wire().Message(4, Wire().Text(1, "k").Message(2, Wire().Varint(1, 1))).bytes();
  EXPECT_TRUE(Decode(repeated(entry, limits.max_parameters)).ok());
  EXPECT_EQ(Decode(repeated(entry, 1000000)).status().code(), StatusCode::kRequestParameter);
  for (const uint32_t field : {5u, 6u, 7u}) {
    const Status status = Decode(repeated(Wire().Text(field, "").bytes(), 1000000)).status();
    EXPECT_EQ(status.code(), StatusCode::kRequestField);
    EXPECT_NE(status.message().find("more than 1024"), std::string::npos) << status.message();
  }
}

TEST(HostileGrpcRequest, NamesTheFieldThatIsNotUtf8) {
  const auto refused = [](const Wire& message, const std::string& path) {
    const Status status = Decode(message.bytes()).status();
    EXPECT_EQ(status.code(), StatusCode::kRequestProtobuf) << path;
    EXPECT_EQ(status.message().rfind(path + ": found ", 0), 0u) << status.message();
  };
  refused(Wire().Text(1, "\xFF"), "model_name");
  refused(Wire().Text(1, "m").Text(2, "\xC0\x80"), "model_version");
  refused(Wire().Text(1, "m").Text(3, "\xED\xA0\x80"), "id");
  refused(Wire().Text(1, "m").Message(4, Wire().Text(1, "\x80")), "parameters.key");
  refused(Wire().Text(1, "m").Message(4, Wire().Text(1, "k").Message(2, Wire().Text(3, "\xFE"))), "parameters.k.string_param");
  refused(Wire().Text(1, "m").Message(5, Wire().Text(1, "\xE2\x82")), "inputs[0].name");
  refused(Wire().Text(1, "m").Message(6, Wire().Text(1, "\xF5")), "outputs[0].name");
}

TEST(HostileGrpcRequest, RefusesKnownFieldsOfAnotherWireType) {
  const auto refused = [](const Wire& message, const std::string& path) {
    const Status status = Decode(message.bytes()).status();
    EXPECT_EQ(status.code(), StatusCode::kRequestProtobuf) << path;
    EXPECT_EQ(status.message().rfind(path + ": found ", 0), 0u) << status.message();
  };
  refused(Wire().Varint(1, 1), "model_name");
  refused(Wire().Text(1, "m").Varint(5, 1), "inputs");
  refused(Wire().Text(1, "m").Varint(7, 1), "raw_input_contents[0]");
  const auto contents = [](const Wire& fields) {
    return Wire().Text(1, "m").Message(5, Wire().Text(1, "X").Text(2, "FP32").Varint(3, 1).Message(5, fields));
  };
  refused(contents(Wire().Varint(6, 1)), "inputs[0].contents.fp32_contents");
  refused(contents(Wire().Text(6, "123")), "inputs[0].contents.fp32_contents");
  refused(contents(Wire().Varint(8, 1)), "inputs[0].contents.bytes_contents");
}

TEST(HostileGrpcRequest, RefusesBrokenVarintsInsideAPackedRun) {
  const auto run = [](std::string_view bytes, uint64_t dim) {
    const Wire contents = Wire().Text(3, bytes);
    return Decode(Wire().Text(1, "m").Message(5, Wire().Text(1, "X").Text(2, "INT64").Varint(3, dim).Message(5, contents)).bytes()).status();
  };
  EXPECT_EQ(run("\x01\x80", 1).code(), StatusCode::kRequestProtobuf);
  EXPECT_EQ(run("\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02", 2).code(), StatusCode::kRequestProtobuf);
  EXPECT_NE(run("\x01\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 2).message().find("inputs[0].contents.int64_contents: found a varint longer"),
            std::string::npos);
}

}  // namespace
}  // namespace penstock::codec
