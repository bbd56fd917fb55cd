// That faults are those of JavaScript is for test/contract/front-ends.test.ts to show.
#include "frontend/request_decompression.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>

#include "frontend/test_compressed.h"
#include "frontend/test_engine.h"
#include "serving/test_model.h"

namespace penstock::frontend {
namespace {

using Ran = RequestDecompression::Ran;

constexpr uint64_t kBudget = 4 << 20;

std::string Varied(size_t bytes) {
  std::minstd_rand random(1);
  std::string text;
  while (text.size() < bytes) text += static_cast<char>(random() % 200);
  return text;
}

class RequestDecompressionTest : public testing::Test {
 protected:
  RequestDecompressionTest() {
    FrontEndOptions options;
    options.max_receiving_bytes = kBudget;
    loop_ = Loop::Start(options, &engine_.engine, codec::CodecLimits{}, {}, nullptr, nullptr, 0).value();
  }
  ~RequestDecompressionTest() override { loop_->Destroy(); }

  // Of `bytes` in pieces of `step`.
  std::unique_ptr<RequestDecompression> Of(const std::string& bytes, AnswerEncoding encoding, size_t step = SIZE_MAX, uint64_t most = 0) {
    memory::SliceChain chain;
    for (size_t at = 0; at < bytes.size();) {
      const std::string piece = bytes.substr(at, step);
      chain.Append(serving::OwnedSlice(piece));
      at += piece.size();
    }
    return std::make_unique<RequestDecompression>(loop_.get(), encoding, most, chain, [] {});
  }
  static Ran RunAll(RequestDecompression* decompression, int* turns = nullptr) {
    for (int turn = 1;; ++turn) {
      const Ran ran = decompression->Run();
      if (turns != nullptr) *turns = turn;
      if (ran != Ran::kMore) return ran;
    }
  }
  static std::string BodyOf(RequestDecompression* decompression) {
    const memory::SliceChain chain = decompression->TakeBody();
    std::string text(chain.size(), '\0');
    chain.CopyTo(reinterpret_cast<uint8_t*>(text.data()));
    return text;
  }
  std::string FaultOf(const std::string& bytes, AnswerEncoding encoding, size_t step) {
    const auto decompression = Of(bytes, encoding, step);
    EXPECT_EQ(RunAll(decompression.get()), Ran::kBroken);
    return decompression->fault();
  }
  uint64_t Free() {
    uint64_t free = 0;
    for (uint64_t unit = kBudget; unit > 0; unit /= 2) {
      while (loop_->budget().Take(unit)) free += unit;
    }
    loop_->budget().GiveBack(free);
    return free;
  }

  TestEngine engine_;
  std::shared_ptr<Loop> loop_;
};

TEST_F(RequestDecompressionTest, GivesBackWhatWasCompressedHoweverItComes) {
  for (const AnswerEncoding encoding : {AnswerEncoding::kGzip, AnswerEncoding::kDeflate}) {
    for (const size_t bytes : {0u, 1u, 1000u, 65'535u, 65'536u, 65'537u, 131'072u, 300'000u}) {
      const std::string text = Varied(bytes);
      for (const size_t step : {size_t{1}, size_t{1000}, size_t{SIZE_MAX}}) {
        if (bytes > 100'000 && step == 1) continue;
        const auto decompression = Of(Compressed(text, encoding), encoding, step);
        ASSERT_EQ(RunAll(decompression.get()), Ran::kWhole) << bytes;
        EXPECT_EQ(BodyOf(decompression.get()), text) << bytes;
      }
    }
  }
}

TEST_F(RequestDecompressionTest, TakesNoMoreThanAPieceATurnOfWhatComesInOrOut) {
  int turns = 0;
  // A megabyte out of a kilobyte.
  const auto small = Of(Gzipped(std::string(1 << 20, 'x')), AnswerEncoding::kGzip);
  EXPECT_EQ(RunAll(small.get(), &turns), Ran::kWhole);
  EXPECT_GE(turns, 16);
  // Nothing at all out of a megabyte.
  std::string empty;
  while (empty.size() < (1 << 20)) empty += Gzipped("");
  const auto large = Of(empty, AnswerEncoding::kGzip);
  EXPECT_EQ(RunAll(large.get(), &turns), Ran::kWhole);
  EXPECT_GE(turns, 16);
  EXPECT_EQ(BodyOf(large.get()), "");
}

TEST_F(RequestDecompressionTest, ReadsTheMembersOfGzipAndNothingBehindAZero) {
  const std::string two = Gzipped("one, ") + Gzipped("two");
  for (const size_t step : {size_t{1}, size_t{5}, two.size() / 2, size_t{SIZE_MAX}}) {
    for (const std::string& padded : {two, two + std::string(9, '\0'), two + std::string("\0abc", 4)}) {
      const auto decompression = Of(padded, AnswerEncoding::kGzip, step);
      ASSERT_EQ(RunAll(decompression.get()), Ran::kWhole) << step;
      EXPECT_EQ(BodyOf(decompression.get()), "one, two");
    }
    EXPECT_EQ(FaultOf(two + "abc", AnswerEncoding::kGzip, step), "incorrect header check");
  }
}

TEST_F(RequestDecompressionTest, ReadsNothingBehindTheEndOfDeflate) {
  for (const size_t step : {size_t{1}, size_t{SIZE_MAX}}) {
    const auto decompression = Of(Deflated("text") + "abc", AnswerEncoding::kDeflate, step);
    ASSERT_EQ(RunAll(decompression.get()), Ran::kWhole);
    EXPECT_EQ(BodyOf(decompression.get()), "text");
  }
}

TEST_F(RequestDecompressionTest, SaysWhatIsWrong) {
  const std::string whole = Gzipped("some text");
  for (const size_t step : {size_t{1}, size_t{SIZE_MAX}}) {
    for (size_t cut = 0; cut < whole.size(); ++cut) {
      ASSERT_EQ(FaultOf(whole.substr(0, cut), AnswerEncoding::kGzip, step), "unexpected end of file") << cut;
    }
    EXPECT_EQ(FaultOf("{\"inputs\"", AnswerEncoding::kGzip, step), "incorrect header check");
    std::string wrong = whole;
    wrong[wrong.size() - 8] ^= 1;
    EXPECT_EQ(FaultOf(wrong, AnswerEncoding::kGzip, step), "incorrect data check");
    // FDICT of RFC 1950, with a check of the header that fits.
    EXPECT_EQ(FaultOf(std::string("\x78\x20\x01\x02\x03\x04", 6), AnswerEncoding::kDeflate, step), "Missing dictionary");
  }
}

TEST_F(RequestDecompressionTest, StopsAtTheLimit) {
  const std::string bomb = Gzipped(std::string(1 << 20, 'x'));
  int turns = 0;
  const auto beyond = Of(bomb, AnswerEncoding::kGzip, SIZE_MAX, (1 << 20) - 1);
  EXPECT_EQ(RunAll(beyond.get()), Ran::kTooLarge);
  const auto far_beyond = Of(bomb, AnswerEncoding::kGzip, SIZE_MAX, 1000);
  EXPECT_EQ(RunAll(far_beyond.get(), &turns), Ran::kTooLarge);
  EXPECT_EQ(turns, 1);
  const auto within = Of(bomb, AnswerEncoding::kGzip, SIZE_MAX, 1 << 20);
  EXPECT_EQ(RunAll(within.get()), Ran::kWhole);
}

TEST_F(RequestDecompressionTest, CountsInTheBudgetUntilItIsClosed) {
  const auto first = Of(Gzipped(std::string(3 << 20, 'x')), AnswerEncoding::kGzip);
  ASSERT_EQ(first->Run(), Ran::kMore);
  EXPECT_LE(Free(), kBudget - ZlibStreams::kInflateBytes - RequestDecompression::kBlockBytes);
  ASSERT_EQ(RunAll(first.get()), Ran::kWhole);
  const memory::SliceChain body = first->TakeBody();
  EXPECT_EQ(body.size(), size_t{3} << 20);
  EXPECT_LE(Free(), kBudget - body.size());
  {
    const auto second = Of(Gzipped(std::string(3 << 20, 'x')), AnswerEncoding::kGzip);
    EXPECT_EQ(RunAll(second.get()), Ran::kNoBudget);
  }
  first->Close();
  EXPECT_EQ(Free(), kBudget);
}

TEST_F(RequestDecompressionTest, HoldsLittleMoreThanTheBody) {
  const uint64_t before = memory::BlockPool::Process().live_bytes();
  auto decompression = Of(Gzipped("small"), AnswerEncoding::kGzip);
  ASSERT_EQ(RunAll(decompression.get()), Ran::kWhole);
  const memory::SliceChain body = decompression->TakeBody();
  decompression.reset();
  EXPECT_LT(memory::BlockPool::Process().live_bytes() - before, 200u);
}

}  // namespace
}  // namespace penstock::frontend
