// Decodes a message as a socket gives it, in pieces: whatever they are, the request or the complaint is that of the whole message.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "codec/grpc_message.h"
#include "codec/grpc_test_messages.h"

namespace penstock::codec {

// `cuts`: ascending offsets. Every piece is a heap block of its own.
inline memory::SliceChain InPieces(std::string_view bytes, const std::vector<size_t>& cuts) {
  memory::SliceChain chain;
  size_t begin = 0;
  for (const size_t cut : cuts) {
    chain.Append(MessageSlice(bytes.substr(begin, cut - begin)));
    begin = cut;
  }
  chain.Append(MessageSlice(bytes.substr(begin)));
  return chain;
}

// Between one and `most` cuts, places drawn; several in one place are one.
inline std::vector<size_t> DrawCuts(size_t bytes, size_t most, std::minstd_rand* random) {
  std::vector<size_t> cuts(1 + (*random)() % most);
  for (size_t& cut : cuts) cut = (*random)() % (bytes + 1);
  std::sort(cuts.begin(), cuts.end());
  return cuts;
}

inline std::string BytesOf(const memory::SliceChain& chain) {
  std::string bytes(chain.size(), '\0');
  chain.CopyTo(reinterpret_cast<uint8_t*>(bytes.data()));
  return bytes;
}

inline bool LiesIn(const memory::Slice& slice, const memory::SliceChain& message) {
  return std::any_of(message.slices().begin(), message.slices().end(), [&slice](const memory::Slice& piece) {
    return slice.owner == piece.owner && slice.data >= piece.data && slice.data + slice.size <= piece.data + piece.size;
  });
}

// Decodes `chain`; `whole` is what the same bytes give in one piece.
inline void ExpectSameInPieces(const Result<serving::InferRequest>& whole, const memory::SliceChain& chain, const CodecLimits& limits) {
  const Result<serving::InferRequest> decoded = DecodeModelInferRequest(chain, limits);
  ASSERT_EQ(decoded.status().code(), whole.status().code()) << decoded.status().message() << " / " << whole.status().message();
  ASSERT_EQ(decoded.status().message(), whole.status().message());
  if (!whole.ok()) return;
  const serving::InferRequest& found = decoded.value();
  const serving::InferRequest& expected = whole.value();
  ASSERT_EQ(found.model_name, expected.model_name);
  ASSERT_EQ(found.model_version, expected.model_version);
  ASSERT_EQ(found.id, expected.id);
  ASSERT_EQ(found.timeout_us, expected.timeout_us);
  ASSERT_EQ(found.priority, expected.priority);
  ASSERT_EQ(found.message_bytes, expected.message_bytes);
  ASSERT_FALSE(found.was_joined);
  ASSERT_EQ(found.parameters.size(), expected.parameters.size());
  for (size_t i = 0; i < found.parameters.size(); ++i) {
    ASSERT_EQ(found.parameters[i].name, expected.parameters[i].name);
    // Bytes of a NaN are equal, its values are not.
    if (std::holds_alternative<double>(expected.parameters[i].value)) continue;
    ASSERT_EQ(found.parameters[i].value, expected.parameters[i].value);
  }
  ASSERT_EQ(found.outputs.size(), expected.outputs.size());
  for (size_t i = 0; i < found.outputs.size(); ++i) ASSERT_EQ(found.outputs[i].name, expected.outputs[i].name);
  ASSERT_EQ(found.inputs.size(), expected.inputs.size());
  for (size_t i = 0; i < found.inputs.size(); ++i) {
    const serving::RequestTensor& input = found.inputs[i];
    ASSERT_EQ(input.name, expected.inputs[i].name);
    ASSERT_EQ(input.dtype, expected.inputs[i].dtype);
    ASSERT_EQ(input.shape, expected.inputs[i].shape);
    ASSERT_EQ(input.data_is_checked, expected.inputs[i].data_is_checked);
    ASSERT_EQ(BytesOf(input.data), BytesOf(expected.inputs[i].data));
    for (const memory::Slice& slice : input.data.slices()) ASSERT_NE(LiesIn(slice, chain), input.data_is_checked);
  }
}

// In two pieces, cut everywhere (a long message, which takes longer, at fewer places), and in many. Returns what one piece gives.
inline Result<serving::InferRequest> DecodeEveryWay(const std::string& bytes, const CodecLimits& limits = {}) {
  const Result<serving::InferRequest> whole = DecodeModelInferRequest(MessageSlice(bytes), limits);
  std::minstd_rand random(bytes.size() + 1);
  const size_t step = 1 + bytes.size() * bytes.size() / 4'000'000;
  for (size_t cut = 0; cut <= bytes.size(); cut += step) {
    SCOPED_TRACE("cut at " + std::to_string(cut));
    ExpectSameInPieces(whole, InPieces(bytes, {cut}), limits);
  }
  const int rounds = bytes.size() < 100'000 ? 20 : 1;
  for (int round = 0; round < rounds; ++round) ExpectSameInPieces(whole, InPieces(bytes, DrawCuts(bytes.size(), 40, &random)), limits);
  return whole;
}

}  // namespace penstock::codec
