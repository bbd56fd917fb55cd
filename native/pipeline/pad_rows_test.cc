#include "pipeline/pad_rows.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

#include "base/checked_math.h"
#include "base/random.h"
#include "pipeline/gather.h"
#include "pipeline/job_maker.h"

namespace penstock::pipeline {
namespace {

using Bytes = std::vector<uint8_t>;

// Less than `end`, which is at least 1.
size_t Below(Random* random, size_t end) { return static_cast<size_t>(random->Between(0, static_cast<int64_t>(end) - 1)); }

memory::SliceChain InPieces(const Bytes& bytes, Random* random) {
  memory::SliceChain chain;
  for (size_t at = 0; at < bytes.size();) {
    const size_t size = std::min<size_t>(bytes.size() - at, Below(random, bytes.size()) + 1);
    chain.Append(OwnedSlice({bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.begin() + static_cast<std::ptrdiff_t>(at + size)}));
    at += size;
  }
  return chain;
}

Bytes BytesOf(const memory::SliceChain& chain) {
  Bytes bytes(chain.size());
  chain.CopyTo(bytes.data());
  return bytes;
}

size_t Product(const std::vector<int64_t>& dims) {
  uint64_t count = 0;
  EXPECT_TRUE(ElementCount(dims, &count));
  return count;
}

// Where the element `index` of a tensor of these dims lies in one of those dims, which are at least as large.
size_t IndexWithin(size_t index, const std::vector<int64_t>& dims, const std::vector<int64_t>& larger) {
  size_t within = 0;
  size_t stride = 1;
  for (size_t dim = dims.size(); dim-- > 0;) {
    const auto size = static_cast<size_t>(dims[dim]);
    within += index % size * stride;
    index /= size;
    stride *= static_cast<size_t>(larger[dim]);
  }
  return within;
}

std::vector<int64_t> SomeDims(Random* random, size_t rank) {
  std::vector<int64_t> dims(rank);
  for (int64_t& dim : dims) dim = 1 + static_cast<int64_t>(Below(random, 4));
  return dims;
}

TEST(LengthClass, HoldsLengthsOfWhichNoneIsTwiceAnother) {
  EXPECT_EQ(LengthClass(0), 0);
  EXPECT_EQ(LengthClass(1), 1);
  for (int64_t length = 2; length < 5000; ++length) {
    const int64_t longest = LongestOfClass(length);
    EXPECT_GE(longest, length);
    EXPECT_LT(longest, 2 * length);
    EXPECT_EQ(LengthClass(longest), LengthClass(length));
    EXPECT_NE(LengthClass(longest + 1), LengthClass(length));
  }
  EXPECT_EQ(LongestOfClass(INT64_MAX), INT64_MAX);
  EXPECT_EQ(LongestOfClass((int64_t{1} << 62) + 1), INT64_MAX);
  EXPECT_EQ(LongestOfClass(int64_t{1} << 62), int64_t{1} << 62);
}

TEST(PadPieces, PutsEveryElementInItsPlaceAndTheValueEverywhereElse) {
  for (uint64_t seed = 0; seed < 500; ++seed) {
    Random random(seed);
    const size_t element_size = size_t{1} << Below(&random, 4);
    const std::vector<int64_t> dims = SomeDims(&random, 2 + Below(&random, 3));
    const size_t dim = 1 + Below(&random, dims.size() - 1);
    std::vector<int64_t> padded_dims = dims;
    padded_dims[dim] += static_cast<int64_t>(Below(&random, 4));
    Bytes value(element_size);
    for (uint8_t& byte : value) byte = static_cast<uint8_t>(0xf0 + Below(&random, 3));
    Bytes data(Product(dims) * element_size);
    std::iota(data.begin(), data.end(), uint8_t{0});
    for (uint8_t& byte : data) byte &= 0x7f;

    Bytes expected;
    for (size_t i = 0; i < Product(padded_dims); ++i) expected.insert(expected.end(), value.begin(), value.end());
    for (size_t i = 0; i < Product(dims); ++i) {
      std::memcpy(&expected[IndexWithin(i, dims, padded_dims) * element_size], &data[i * element_size], element_size);
    }
    PieceLayout layout;
    ASSERT_TRUE(LayOut(dims, dim, padded_dims[dim], element_size, &layout));
    const auto padded = std::make_shared<Bytes>(expected.size());
    PadPieces(InPieces(data, &random), layout, value, padded->data());
    EXPECT_EQ(*padded, expected) << "seed " << seed;
    const memory::Slice whole{padded->data(), padded->size(), memory::MemoryKind::kPageable, padded};
    EXPECT_EQ(BytesOf(PiecesWithin(whole, layout)), data) << "seed " << seed;
  }
}

TEST(PadPieces, HasNoLayoutForSizesBeyondAnyMemory) {
  PieceLayout layout;
  EXPECT_FALSE(LayOut({2, 3, 4}, 1, INT64_MAX / 4, 8, &layout));
  EXPECT_FALSE(LayOut({INT64_MAX, 2}, 1, 4, 8, &layout));
}

TEST(CutToLength, KeepsTheFirstElementsOfEveryDimensionThatIsCut) {
  for (uint64_t seed = 0; seed < 500; ++seed) {
    Random random(seed);
    const size_t rank = 2 + Below(&random, 3);
    std::vector<int64_t> dims = SomeDims(&random, rank);
    const int64_t longest = 1 + static_cast<int64_t>(Below(&random, 5));
    const int64_t length = static_cast<int64_t>(Below(&random, static_cast<size_t>(longest) + 1));
    std::vector<size_t> cut_dims = {1 + Below(&random, rank - 1)};
    if (cut_dims[0] + 1 < rank && Below(&random, 2) == 0) cut_dims.push_back(cut_dims[0] + 1);
    for (const size_t dim : cut_dims) dims[dim] = longest;
    std::vector<int64_t> kept = dims;
    for (const size_t dim : cut_dims) kept[dim] = length;

    std::vector<float> values(Product(dims));
    std::iota(values.begin(), values.end(), 0.0f);
    std::vector<float> expected;
    for (size_t i = 0; i < Product(kept); ++i) expected.push_back(static_cast<float>(IndexWithin(i, kept, dims)));
    const session::Tensor whole{DataType::kFp32, dims, OwnedSlice(FloatBytes(values))};
    uint64_t copied = 0;
    const auto cut = CutToLength(whole, cut_dims, longest, length, "y", &memory::BlockPool::Process(), &copied);
    ASSERT_TRUE(cut.ok()) << cut.status().message();
    EXPECT_EQ(cut.value().dims, kept);
    EXPECT_EQ(FloatsOf(cut.value()), expected) << "seed " << seed;
    const bool is_view = cut.value().bytes.owner == whole.bytes.owner;
    EXPECT_EQ(copied, is_view ? 0 : cut.value().bytes.size);
  }
}

TEST(CutToLength, CopiesNothingThatIsOneRange) {
  const session::Tensor row{DataType::kFp32, {1, 3, 2}, OwnedSlice(FloatBytes({1, 2, 3, 4, 5, 6}))};
  uint64_t copied = 0;
  const session::Tensor cut = CutToLength(row, {1}, 3, 2, "y", &memory::BlockPool::Process(), &copied).value();
  EXPECT_EQ(cut.bytes.data, row.bytes.data);
  EXPECT_EQ(FloatsOf(cut), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(copied, 0u);
  const session::Tensor two{DataType::kFp32, {2, 3}, row.bytes};
  EXPECT_EQ(FloatsOf(CutToLength(two, {1}, 3, 2, "y", &memory::BlockPool::Process(), &copied).value()), (std::vector<float>{1, 2, 4, 5}));
  EXPECT_EQ(copied, 16u);
}

TEST(CutToLength, RefusesAnOutputThatIsNotAsLongAsThePaddedRows) {
  const session::Tensor row{DataType::kFp32, {1, 4}, OwnedSlice(FloatBytes({1, 2, 3, 4}))};
  uint64_t copied = 0;
  const Status status = CutToLength(row, {1}, 3, 2, "y", &memory::BlockPool::Process(), &copied).status();
  EXPECT_EQ(status.code(), StatusCode::kModelRun);
  EXPECT_NE(status.message().find("output \"y\": found 4 in dimension 1"), std::string::npos) << status.message();
}

const std::vector<RaggedInput> kFirstInput = {{0, 1, FloatBytes({-1})}};

TEST(GatherOfRaggedRows, PadsToTheLongestOfTheJobsThatAreThere) {
  const auto a = FloatJob(1, {{1, 2}, {10}});
  const auto b = FloatJob(2, {{3, 4, 5, 6, 7, 8}, {11, 12}});
  const auto join = [](const std::vector<Job*>& jobs, int64_t padding) {
    return Gather(jobs, padding, &memory::BlockPool::Process(), {}, kFirstInput).value();
  };
  const Gathered gathered = join({a.get(), b.get()}, 1);
  EXPECT_EQ(gathered.tensors[0].dims, (std::vector<int64_t>{4, 3}));
  EXPECT_EQ(FloatsOf(gathered.tensors[0]), (std::vector<float>{1, 2, -1, 3, 4, 5, 6, 7, 8, 0, 0, 0}));
  EXPECT_EQ(FloatsOf(gathered.tensors[1]), (std::vector<float>{10, 11, 12, 0}));
  EXPECT_EQ(gathered.bytes_copied, 32u + 12u) << "each byte once, and none for padding";

  // After a failure they are gathered again, in other company.
  const Gathered alone = join({a.get()}, 0);
  EXPECT_EQ(alone.tensors[0].dims, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(FloatsOf(alone.tensors[0]), (std::vector<float>{1, 2}));
  const auto c = FloatJob(1, {{9, 9, 9, 9}, {13}});
  const Gathered others = join({b.get(), c.get()}, 0);
  EXPECT_EQ(FloatsOf(others.tensors[0]), (std::vector<float>{3, 4, 5, -1, 6, 7, 8, -1, 9, 9, 9, 9}));
  EXPECT_EQ(FloatsOf(join({b.get()}, 0).tensors[0]), (std::vector<float>{3, 4, 5, 6, 7, 8}));
}

TEST(GatherOfRaggedRows, TakesAPoolThatIsTooSmallForThePaddingAsAFailureThatChangesNothing) {
  const auto a = FloatJob(1, {std::vector<float>(5)});
  const auto b = FloatJob(1, {std::vector<float>(8)});
  memory::BlockPool pool((5 + 8) * sizeof(float));
  EXPECT_EQ(Gather({a.get(), b.get()}, 0, &pool, {}, kFirstInput).status().code(), StatusCode::kMemory);
  EXPECT_FALSE(a->inputs[0].in_place);
  pool.set_limit_bytes(2 * 8 * sizeof(float));
  EXPECT_TRUE(Gather({a.get(), b.get()}, 0, &pool, {}, kFirstInput).ok());
}

}  // namespace
}  // namespace penstock::pipeline
