#include "codec/protobuf_reader.h"

#include <gtest/gtest.h>

#include <string>

#include "codec/grpc_test_messages.h"

namespace penstock::codec {
namespace {

ProtobufReader ReaderOf(const std::string& bytes, int max_depth = 100) { return ProtobufReader(bytes, max_depth); }

// Reads one field of the message as a varint.
Status ReadVarint(const std::string& bytes, uint64_t* value) {
  ProtobufReader reader = ReaderOf(bytes);
  PENSTOCK_RETURN_IF_ERROR(reader.Next());
  return reader.Varint("field", value);
}

Status ReadTag(const std::string& bytes) {
  ProtobufReader reader = ReaderOf(bytes);
  return reader.Next();
}

void ExpectProtobufError(const Status& status, const std::string& text) {
  EXPECT_EQ(status.code(), StatusCode::kRequestProtobuf) << status.message();
  EXPECT_NE(status.message().find(text), std::string::npos) << status.message();
}

TEST(ProtobufReader, ReadsVarintsOfEveryLengthAndPaddedOnes) {
  for (const uint64_t expected : {uint64_t{0}, uint64_t{127}, uint64_t{128}, uint64_t{1} << 35, uint64_t{1} << 63, UINT64_MAX}) {
    uint64_t value = 1;
    ASSERT_TRUE(ReadVarint(Wire().Varint(1, expected).bytes(), &value).ok());
    EXPECT_EQ(value, expected);
  }
  uint64_t value = 0;
  ASSERT_TRUE(ReadVarint(Wire().Tag(1, 0).Raw("\x85\x80\x80").Raw(std::string(1, '\0')).bytes(), &value).ok());
  EXPECT_EQ(value, 5u);
}

TEST(ProtobufReader, RefusesVarintsThatAreTooLongTooLargeOrCutOff) {
  uint64_t value = 0;
  const std::string nine(9, '\xFF');
  ExpectProtobufError(ReadVarint(Wire().Tag(1, 0).Raw(nine).Raw("\x02").bytes(), &value), "field: found a varint longer than 10 bytes");
  ExpectProtobufError(ReadVarint(Wire().Tag(1, 0).Raw(std::string(10, '\x80')).Raw("\x01").bytes(), &value), "longer than 10 bytes");
  ExpectProtobufError(ReadVarint(Wire().Tag(1, 0).Raw("\x80\x80").bytes(), &value), "field: found a varint cut off at byte 3");
  ExpectProtobufError(ReadVarint(Wire().Tag(1, 0).bytes(), &value), "cut off at byte 1");
}

TEST(ProtobufReader, RefusesTagsThatNoFieldHas) {
  ExpectProtobufError(ReadTag(std::string(1, '\0')), "field number 0 at byte 0");
  ExpectProtobufError(ReadTag(Wire().Number(uint64_t{1} << 32).bytes()), "field number 536870912");
  ExpectProtobufError(ReadTag(Wire().Tag(1, 3).bytes()), "the start of a group in field 1");
  ExpectProtobufError(ReadTag(Wire().Tag(1, 4).bytes()), "the end of a group");
  ExpectProtobufError(ReadTag(Wire().Tag(1, 6).bytes()), "an unknown wire type");
  ExpectProtobufError(ReadTag(Wire().Tag(1, 7).bytes()), "an unknown wire type");
}

TEST(ProtobufReader, RefusesALengthPastTheEndHoweverLarge) {
  for (const uint64_t length : {uint64_t{4}, uint64_t{1} << 31, uint64_t{1} << 32, UINT64_MAX}) {
    const std::string bytes = Wire().Tag(9, 2).Number(length).Raw("abc").bytes();
    ProtobufReader reader = ReaderOf(bytes);
    ASSERT_TRUE(reader.Next().ok());
    std::string_view value;
    ExpectProtobufError(reader.Bytes("name", &value), "name: found 3 bytes left");
    ProtobufReader skipping = ReaderOf(bytes);
    ASSERT_TRUE(skipping.Next().ok());
    ExpectProtobufError(skipping.Skip(), "3 bytes left");
  }
}

TEST(ProtobufReader, SkipsUnknownFieldsOfEveryWireType) {
  const std::string bytes =
      Wire().Varint(100, 5).Text(101, "abc").Tag(102, 5).Plain<uint32_t>(1).Tag(103, 1).Plain<uint64_t>(1).Varint(1, 7).bytes();
  ProtobufReader reader = ReaderOf(bytes);
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(reader.Next().ok());
    ASSERT_TRUE(reader.Skip().ok());
  }
  ASSERT_TRUE(reader.Next().ok());
  uint64_t value = 0;
  ASSERT_TRUE(reader.Varint("field", &value).ok());
  EXPECT_EQ(value, 7u);
  EXPECT_TRUE(reader.AtEnd());
}

TEST(ProtobufReader, NamesTheFieldAndTheOffsetInTheOutermostMessage) {
  const std::string bytes = Wire().Text(1, "abcd").Message(2, Wire().Varint(3, 1)).bytes();
  ProtobufReader outer = ReaderOf(bytes);
  std::string_view text;
  ASSERT_TRUE(outer.Next().ok());
  ASSERT_TRUE(outer.Text("first", &text).ok());
  ASSERT_TRUE(outer.Next().ok());
  Result<ProtobufReader> inner = outer.Message("second", "second[0]");
  ASSERT_TRUE(inner.ok());
  ASSERT_TRUE(inner.value().Next().ok());
  const Status status = inner.value().Text("name", &text);
  EXPECT_EQ(status.message(), "second[0].name: found a varint at byte 9, expected a length-delimited value");
}

TEST(ProtobufReader, RefusesTextThatIsNotUtf8) {
  for (const char* bad : {"ab\xFF", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x82"}) {
    const std::string bytes = Wire().Text(1, bad).bytes();
    ProtobufReader reader = ReaderOf(bytes);
    ASSERT_TRUE(reader.Next().ok());
    std::string_view text;
    ExpectProtobufError(reader.Text("id", &text), "expected UTF-8 text");
  }
}

TEST(ProtobufReader, TakesRepeatedScalarsPackedAndOneByOne) {
  const std::string bytes = Wire().Text(1, "\x01\x80\x01").Varint(1, 300).Tag(1, 5).Plain<float>(1).bytes();
  ProtobufReader reader = ReaderOf(bytes);
  std::string_view run;
  ASSERT_TRUE(reader.Next().ok());
  ASSERT_TRUE(reader.Elements("dims", WireType::kVarint, &run).ok());
  EXPECT_EQ(run, "\x01\x80\x01");
  ASSERT_TRUE(reader.Next().ok());
  ASSERT_TRUE(reader.Elements("dims", WireType::kVarint, &run).ok());
  EXPECT_EQ(run, "\xAC\x02");
  ASSERT_TRUE(reader.Next().ok());
  ExpectProtobufError(reader.Elements("dims", WireType::kVarint, &run), "dims: found a 32-bit value");
}

TEST(ProtobufReader, RefusesPackedRunsThatSplitAnElement) {
  const std::string bytes = Wire().Text(6, "12345").bytes();
  ProtobufReader reader = ReaderOf(bytes);
  ASSERT_TRUE(reader.Next().ok());
  std::string_view run;
  ExpectProtobufError(reader.Elements("fp32_contents", WireType::kFixed32, &run), "found 5 packed bytes at byte 2, expected a multiple of 4");
}

TEST(ProtobufReader, EntersNoMoreLevelsThanItMay) {
  const std::string bytes = Wire().Message(1, Wire().Message(1, Wire())).bytes();
  ProtobufReader outer = ReaderOf(bytes, 2);
  ASSERT_TRUE(outer.Next().ok());
  Result<ProtobufReader> second = outer.Message("m", "m");
  ASSERT_TRUE(second.ok());
  ASSERT_TRUE(second.value().Next().ok());
  EXPECT_EQ(second.value().Message("m", "m.m").status().code(), StatusCode::kRequestDepth);
}

}  // namespace
}  // namespace penstock::codec
