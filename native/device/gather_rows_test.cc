#include "device/gather_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "device/kernels.h"
#include "device/test_driver.h"

namespace penstock::device {
namespace {

// Rows in page-locked memory, apart from each other, and what becomes of them.
class GatherRowsTest : public testing::Test {
 protected:
  static constexpr size_t kSlab = 1 << 20;

  void SetUp() override {
    ASSERT_TRUE(kernels_.ok() && stream_.ok());
    void* pages = nullptr;
    const CudaFunctions& cuda = gpu_->driver().cuda();
    ASSERT_EQ(cuda.cuMemHostAlloc(&pages, kSlab, kCudaHostAllocPortable | kCudaHostAllocDeviceMap), 0);
    slab_ = static_cast<uint8_t*>(pages);
    ASSERT_EQ(cuda.cuMemHostGetDevicePointer_v2(&device_, pages, 0), 0);
    std::mt19937 random(3);
    for (size_t i = 0; i < kSlab; ++i) slab_[i] = static_cast<uint8_t>(random());
  }
  void TearDown() override { (void)gpu_->driver().cuda().cuMemFreeHost(slab_); }  // in a struck context it goes with the fake

  // Rows of these lengths in elements, each at its own offset into the slab; one of no elements has no source.
  std::vector<GatherRow> Rows(const std::vector<uint64_t>& lengths, size_t element_size, bool on_device) const {
    std::vector<GatherRow> rows;
    uint64_t offset = element_size * 3;
    for (const uint64_t length : lengths) {
      rows.push_back({length == 0 ? 0 : (on_device ? device_ : reinterpret_cast<uint64_t>(slab_)) + offset, length});
      offset += length * element_size + (rows.size() % 2 == 0 ? 64 * element_size : 5 * element_size);
    }
    return rows;
  }
  static std::vector<uint8_t> OnCpu(const std::vector<GatherRow>& rows, const RowPlaces& places) {
    EXPECT_TRUE(CheckPlaces(places, rows.size()).ok());
    std::vector<uint8_t> to(rows.size() * places.elements * places.element_size);
    GatherRows(rows, places, to.data());
    return to;
  }
  std::vector<uint8_t> OnGpu(const std::vector<GatherRow>& rows, const RowPlaces& places, const InputConversion* conversion) {
    Stream* const on = stream_.value().get();
    const size_t bytes = rows.size() * places.elements * (conversion == nullptr ? places.element_size : sizeof(float));
    const auto table = DeviceBuffer::Allocate(gpu_, rows.size() * sizeof(GatherRow));
    const auto target = DeviceBuffer::Allocate(gpu_, bytes);
    EXPECT_TRUE(on->CopyIn(table.value().data(), rows.data(), table.value().size()).ok());
    Status status;
    PreparedConversion prepared;
    if (conversion == nullptr) {
      status = kernels_.value()->GatherRows(on, table.value().data(), rows.size(), places, target.value().data());
    } else {
      prepared = kernels_.value()->Prepare(on, *conversion).value();
      status = kernels_.value()->GatherRows(on, prepared, table.value().data(), rows.size(), places, target.value().data());
    }
    EXPECT_TRUE(status.ok()) << status.message();
    std::vector<uint8_t> to(bytes);
    EXPECT_TRUE(on->CopyOut(to.data(), target.value().data(), bytes).ok());
    EXPECT_TRUE(on->Synchronize().ok());
    return to;
  }

  const FakeDriver fake_;
  const std::shared_ptr<Gpu> gpu_ = fake_.First();
  const Result<std::shared_ptr<const Kernels>> kernels_ = Kernels::LoadImage(gpu_, "image");
  const Result<std::unique_ptr<Stream>> stream_ = Stream::Create(gpu_);
  uint8_t* slab_ = nullptr;
  CudaPointer device_ = 0;
};

TEST_F(GatherRowsTest, WritesRowsOneBehindTheOtherAndFillsWhatIsMissing) {
  const std::vector<uint16_t> first = {1, 2, 3};
  const std::vector<uint16_t> second = {4};
  const auto row = [](const std::vector<uint16_t>& values) { return GatherRow{reinterpret_cast<uint64_t>(values.data()), values.size()}; };
  const std::vector<uint8_t> to = OnCpu({row(first), row(second), {}}, {3, 2, 0x0909});
  EXPECT_EQ(to, (std::vector<uint8_t>{1, 0, 2, 0, 3, 0, 4, 0, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9}));
}

TEST_F(GatherRowsTest, GivesTheBytesOfTheKernelForEveryElementSizeAndLength) {
  for (const size_t size : {1, 2, 4, 8}) {
    for (const uint64_t place : {1u, 7u, 16u, 33u, 1000u}) {
      const RowPlaces places{place, size, 0x8877665544332211u};
      const std::vector<uint64_t> lengths = {place, place / 2, 0, place, place - 1, place, 1};
      EXPECT_EQ(OnCpu(Rows(lengths, size, false), places), OnGpu(Rows(lengths, size, true), places, nullptr))
          << "places of " << place << " elements of " << size << " bytes";
    }
  }
}

TEST_F(GatherRowsTest, GivesTheBitsOfTheKernelThatConvertsOnTheWay) {
  for (const DataType from : {DataType::kUint8, DataType::kFp16, DataType::kFp32}) {
    InputConversion conversion;
    conversion.from = from;
    conversion.scale = {0.0171f, -0.3f, 1e30f};
    conversion.offset = {-2.11f, 0.1f, NAN};
    conversion.inner = 7;
    const RowPlaces places{42, DataTypeSize(from), 0x3C01};
    const std::vector<uint64_t> lengths = {42, 42, 20, 0, 42, 41};
    const std::vector<uint8_t> raw = OnCpu(Rows(lengths, places.element_size, false), places);
    std::vector<uint8_t> expected(lengths.size() * 42 * sizeof(float));
    ConvertInput(conversion, raw.data(), lengths.size() * 42, reinterpret_cast<float*>(expected.data()));
    EXPECT_EQ(OnGpu(Rows(lengths, places.element_size, true), places, &conversion), expected) << DataTypeName(from);
  }
}

TEST_F(GatherRowsTest, LaunchesNothingForNoRows) {
  EXPECT_TRUE(kernels_.value()->GatherRows(stream_.value().get(), 0, 0, {5, 4, 0}, 0).ok());
  EXPECT_EQ(fake_.Calls("cuLaunchKernel"), 0u);
}

TEST_F(GatherRowsTest, ARowThatTheGpuCannotReachFailsTheNextWait) {
  std::vector<uint8_t> pageable(64);
  const std::vector<GatherRow> rows = {{reinterpret_cast<uint64_t>(pageable.data()), 64}};
  Stream* const on = stream_.value().get();
  const auto table = DeviceBuffer::Allocate(gpu_, sizeof(GatherRow));
  const auto target = DeviceBuffer::Allocate(gpu_, 64);
  ASSERT_TRUE(on->CopyIn(table.value().data(), rows.data(), sizeof(GatherRow)).ok());
  ASSERT_TRUE(kernels_.value()->GatherRows(on, table.value().data(), 1, {64, 1, 0}, target.value().data()).ok());
  EXPECT_EQ(on->Synchronize().code(), StatusCode::kGpuFault);
}

TEST_F(GatherRowsTest, RefusesPlacesThatNoMemoryHolds) {
  EXPECT_EQ(CheckPlaces({1, 3, 0}, 1).code(), StatusCode::kInternal);
  EXPECT_EQ(CheckPlaces({1, 0, 0}, 1).code(), StatusCode::kInternal);
  for (const uint64_t rows : {uint64_t{2}, uint64_t{1} << 40}) {
    const RowPlaces places{UINT64_MAX / 4, 1, 0};
    EXPECT_EQ(CheckPlaces(places, rows).code(), StatusCode::kMemory);
    EXPECT_EQ(kernels_.value()->GatherRows(stream_.value().get(), 0, rows, places, 0).code(), StatusCode::kMemory);
  }
  EXPECT_EQ(fake_.Calls("cuLaunchKernel"), 0u);
}

}  // namespace
}  // namespace penstock::device
