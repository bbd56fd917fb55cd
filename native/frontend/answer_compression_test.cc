// That the bytes are those of JavaScript is for test/contract/front-ends.test.ts to show; here, that they do not depend on the turns.
#include "frontend/answer_compression.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "frontend/test_engine.h"
#include "transport/zlib_library.h"

namespace penstock::frontend {
namespace {

using Ran = AnswerCompression::Ran;

// What is sometimes repeated, from far away and from near, as in tensors.
std::string Data(size_t bytes, unsigned seed, unsigned letters) {
  std::minstd_rand random(seed);
  std::string data;
  while (data.size() < bytes) {
    if (data.size() > 1000 && random() % 200 == 0) {
      const size_t distance = 1 + random() % std::min<size_t>(data.size(), 33'000);
      for (size_t left = random() % 400; left > 0; --left) data += data[data.size() - distance];
    } else {
      data += static_cast<char>(random() % letters);
    }
  }
  data.resize(bytes);
  return data;
}

memory::Slice SliceOf(std::shared_ptr<const std::string> text) {
  return {reinterpret_cast<const uint8_t*>(text->data()), text->size(), memory::MemoryKind::kPageable, text};
}

codec::HttpReply ReplyOf(const std::vector<std::string>& parts) {
  codec::HttpReply reply;
  reply.json = parts[0];
  for (size_t i = 1; i < parts.size(); ++i) reply.tails.push_back(SliceOf(std::make_shared<const std::string>(parts[i])));
  reply.is_binary = parts.size() > 1;
  return reply;
}

std::string Joined(const std::vector<memory::Slice>& pieces) {
  std::string text;
  for (const memory::Slice& piece : pieces) text.append(reinterpret_cast<const char*>(piece.data), piece.size);
  return text;
}

// All parts given as they are, with room for everything.
std::string AtOnce(const std::vector<std::string>& parts, AnswerEncoding encoding) {
  const transport::Zlib& zlib = *transport::FindZlib();
  transport::ZlibStream stream;
  const int bits = encoding == AnswerEncoding::kGzip ? 31 : 15;
  EXPECT_EQ(zlib.deflateInit2_(&stream, 1, 8, bits, 8, 0, zlib.zlibVersion(), sizeof stream), 0);
  size_t bytes = 1000;
  for (const std::string& part : parts) bytes += 2 * part.size();
  std::string out(bytes, '\0');
  stream.next_out = reinterpret_cast<uint8_t*>(out.data());
  stream.avail_out = static_cast<unsigned>(bytes);
  for (const std::string& part : parts) {
    stream.next_in = reinterpret_cast<const uint8_t*>(part.data());
    stream.avail_in = static_cast<unsigned>(part.size());
    zlib.deflate(&stream, 0);
  }
  EXPECT_EQ(zlib.deflate(&stream, 4), 1);
  out.resize(stream.total_out);
  zlib.deflateEnd(&stream);
  return out;
}

class AnswerCompressionTest : public ::testing::Test {
 protected:
  std::unique_ptr<AnswerCompression> Begin(codec::HttpReply reply, AnswerEncoding encoding = AnswerEncoding::kGzip) {
    return AnswerCompression::Begin(&streams_, encoding, &reply, &served_.engine, [] {});
  }
  uint64_t Charged() const { return served_.engine.admission().bytes(); }

  TestEngine served_;
  ZlibStreams streams_{transport::FindZlib(), ZlibDirection::kDeflate};
};

TEST_F(AnswerCompressionTest, HasTheSameBytesAsWithoutTurns) {
  const size_t sizes[] = {1, 300, 32'506, 32'767, 65'535, 65'536, 65'537, 131'072, 400'000};
  for (const AnswerEncoding encoding : {AnswerEncoding::kGzip, AnswerEncoding::kDeflate}) {
    for (const size_t first : sizes) {
      for (const size_t second : sizes) {
        for (const unsigned letters : {1u, 4u, 256u}) {
          const std::vector<std::string> parts = {Data(first, 1, letters), Data(second, 2, letters), Data(100'000, 3, letters)};
          const auto compression = Begin(ReplyOf(parts), encoding);
          ASSERT_NE(compression, nullptr);
          while (compression->Run() == Ran::kMore) {
          }
          ASSERT_TRUE(Joined(compression->TakePieces()) == AtOnce(parts, encoding)) << first << " " << second << " " << letters;
        }
      }
    }
  }
}

TEST_F(AnswerCompressionTest, BeginsAnewAfterAnAnswerThatWasNotWhole) {
  const std::vector<std::string> parts = {Data(200'000, 1, 4), Data(200'000, 2, 4)};
  for (int time = 0; time < 3; ++time) {
    const auto first = Begin(ReplyOf(parts));
    const auto second = Begin(ReplyOf(parts));
    EXPECT_EQ(first->Run(), Ran::kMore);
    while (second->Run() == Ran::kMore) {
    }
    EXPECT_TRUE(Joined(second->TakePieces()) == AtOnce(parts, AnswerEncoding::kGzip)) << time;
  }
}

TEST_F(AnswerCompressionTest, TakesASmallAnswerAtOnceAndChargesNothing) {
  const auto compression = Begin(ReplyOf({R"({"model_name":"m"})"}));
  EXPECT_FALSE(compression->takes_turns());
  EXPECT_EQ(compression->Run(), Ran::kWhole);
  EXPECT_EQ(Charged(), 0u);
  EXPECT_EQ(Joined(compression->TakePieces()), AtOnce({R"({"model_name":"m"})"}, AnswerEncoding::kGzip));
}

TEST_F(AnswerCompressionTest, TakesNoMoreThanItsShareOfALargeAnswerInATurn) {
  constexpr size_t kBytes = 10 * AnswerCompression::kTurnBytes;
  const auto compression = Begin(ReplyOf({Data(5, 1, 256), Data(kBytes - 5, 1, 256)}));
  EXPECT_TRUE(compression->takes_turns());
  for (int turn = 1; turn < 10; ++turn) EXPECT_EQ(compression->Run(), Ran::kMore) << turn;
  EXPECT_EQ(compression->Run(), Ran::kWhole);
}

TEST_F(AnswerCompressionTest, LetsGoOfEachPartWhenItIsThrough) {
  codec::HttpReply reply = ReplyOf({"{}"});
  std::vector<std::weak_ptr<const std::string>> parts;
  for (int i = 0; i < 3; ++i) {
    auto part = std::make_shared<const std::string>(Data(100'000, 1, 256));
    parts.push_back(part);
    reply.tails.push_back(SliceOf(std::move(part)));
  }
  const auto compression = Begin(std::move(reply));
  std::vector<int> alive;
  do {
    int count = 0;
    for (const auto& part : parts) count += part.expired() ? 0 : 1;
    alive.push_back(count);
  } while (compression->Run() == Ran::kMore);
  EXPECT_EQ(alive, (std::vector<int>{3, 3, 2, 2, 1}));
  EXPECT_TRUE(parts[2].expired());
}

TEST_F(AnswerCompressionTest, IsChargedUntilTheLastByteHasLeft) {
  const auto compression = Begin(ReplyOf({Data(1'000'000, 1, 256)}));
  while (compression->Run() == Ran::kMore) {
  }
  std::vector<memory::Slice> pieces = compression->TakePieces();
  const uint64_t charged = Charged();
  EXPECT_GT(charged + AnswerCompression::kBlockBytes, Joined(pieces).size());
  EXPECT_LT(charged, Joined(pieces).size() + AnswerCompression::kBlockBytes);
  pieces.pop_back();
  EXPECT_EQ(Charged(), charged - AnswerCompression::kBlockBytes);
  pieces.clear();
  EXPECT_EQ(Charged(), 0u);
}

TEST_F(AnswerCompressionTest, GivesEverythingBackWhenItEndsEarly) {
  auto part = std::make_shared<const std::string>(Data(1'000'000, 1, 256));
  const std::weak_ptr<const std::string> alive = part;
  codec::HttpReply reply = ReplyOf({"{}"});
  reply.tails.push_back(SliceOf(std::move(part)));
  auto compression = Begin(std::move(reply));
  for (int turn = 0; turn < 12; ++turn) EXPECT_EQ(compression->Run(), Ran::kMore);
  EXPECT_GT(Charged(), 0u);
  compression.reset();
  EXPECT_EQ(Charged(), 0u);
  EXPECT_TRUE(alive.expired());
}

}  // namespace
}  // namespace penstock::frontend
