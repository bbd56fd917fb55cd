// Runs whose inputs are rows that lie apart in mapped page-locked memory.
#include <cstring>

#include "device/test_driver.h"
#include "memory/driver_page_locker.h"
#include "memory/pinned_arena.h"
#include "session/converting_session.h"
#include "session/ort_test_fixture.h"

namespace penstock::session {
namespace {

class RowsApartTest : public OrtTest {
 protected:
  std::shared_ptr<Session> OpenOnGpus(const std::string& model, std::vector<std::shared_ptr<device::Gpu>> gpus = {},
                                      const void* kernels = "image") {
    if (gpus.empty()) gpus.push_back(driver_.First());
    arena_ = memory::PinnedArena::Create(std::make_shared<memory::DriverPageLocker>(gpus.front()), {});
    SessionOptions options;
    options.model_path = FixtureModel(model);
    options.gpus = std::move(gpus);
    options.cuda.kernel_image = kernels;
    options.cuda.pinned = arena_;
    return OpenOrtSession(options).value();
  }

  // The rows of `whole` in pieces of as many rows, each in a block of its own; what they lack is left to be zeros.
  Tensor Apart(const Tensor& whole, const std::vector<size_t>& pieces) {
    Tensor tensor{whole.dtype, whole.dims, {}};
    tensor.bytes.size = whole.bytes.size;
    const size_t row = whole.bytes.size / static_cast<size_t>(whole.dims[0]);
    size_t at = 0;
    for (const size_t rows : pieces) {
      const std::shared_ptr<memory::Block> block = arena_->Allocate(rows * row).value();
      EXPECT_NE(block->device(), 0u);
      std::memcpy(block->data(), whole.bytes.data + at, rows * row);
      at += rows * row;
      tensor.rows.push_back(memory::WholeSlice(block));
    }
    return tensor;
  }

  device::FakeDriver driver_;
  std::shared_ptr<memory::PinnedArena> arena_;
};

TEST_F(RowsApartTest, GiveWhatTheyGiveInOnePiece) {
  const std::shared_ptr<Session> session = OpenOnGpus("two_in_one_out");
  ASSERT_TRUE(session->TakesRowsApart(0) && session->TakesRowsApart(1));
  const std::vector<Tensor> whole = {Floats({4, 1}, {1, 2, 3, 4}), Floats({4, 2}, {5, 6, 7, 8, 9, 10, 11, 12})};
  std::vector<Tensor> expected;
  ASSERT_TRUE(Run(*session, whole, &expected).ok());
  // The kernel reads them while the run waits, so a row that was let go too early would be seen.
  driver_.Say("delay cuLaunchKernel 20ms");
  std::vector<Tensor> results;
  const Status status = Run(*session, {Apart(whole[0], {1, 2, 1}), Apart(whole[1], {1, 2, 1})}, &results);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(BytesOf(results[0]), BytesOf(expected[0]));
  EXPECT_EQ(driver_.Calls("cuMemcpyHtoDAsync_v2"), 1u) << "the table of both inputs, and no row";
  EXPECT_EQ(driver_.Calls("cuLaunchKernel"), 2u);
}

TEST_F(RowsApartTest, MixWithInputsInOnePieceAndAreZerosWhereTheyEnd) {
  const std::shared_ptr<Session> session = OpenOnGpus("two_in_one_out");
  const std::unique_ptr<RunControl> control = session->NewRunControl();
  for (const float value : {1.0F, 5.0F}) {
    const Tensor first = Floats({3, 1}, {value, value + 1, 0});
    const Tensor second = Floats({3, 2}, {1, 2, 3, 4, 5, 6});
    std::vector<Tensor> expected;
    std::vector<Tensor> results;
    ASSERT_TRUE(session->Run({first, second}, {0}, *control, &expected).ok());
    const Status status = session->Run({Apart(first, {2}), second}, {0}, *control, &results);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(BytesOf(results[0]), BytesOf(expected[0]));
  }
}

TEST_F(RowsApartTest, AreConvertedToTheBitsOfTheCpu) {
  for (const DataType from : {DataType::kUint8, DataType::kFp16, DataType::kFp32}) {
    const NamedConversion conversion{"INPUT0", {from, {0.0171F, -0.3F, 1e30F}, {-2.11F, 0.1F, 3}, 2}};
    std::string bytes;
    for (size_t i = 0; i < 5 * 6 * DataTypeSize(from); ++i) bytes += static_cast<char>(i < 4 * 6 * DataTypeSize(from) ? i * 37 : 0);
    const Tensor whole = MakeTensor(from, {5, 6}, bytes);
    std::vector<Tensor> expected;
    ASSERT_TRUE(Run(*WithConversions(Open(FixtureModel("identity_fp32")), {conversion}).value(), {whole}, &expected).ok());
    const std::shared_ptr<Session> session = WithConversions(OpenOnGpus("identity_fp32"), {conversion}).value();
    ASSERT_TRUE(session->TakesRowsApart(0));
    driver_.Say("");
    std::vector<Tensor> results;
    const Status status = Run(*session, {Apart(whole, {1, 3})}, &results);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(BytesOf(results[0]), BytesOf(expected[0]));
    EXPECT_EQ(driver_.Calls("cuLaunchKernel"), 1u);
  }
}

TEST_F(RowsApartTest, AreJoinedForOnnxRuntimeWhereTheGpuHasNoRoomForThemOrForTheirTable) {
  for (const std::string before : {"after 1 ", ""}) {
    const std::shared_ptr<Session> session = OpenOnGpus("identity_fp32");
    const std::unique_ptr<RunControl> control = session->NewRunControl();
    driver_.Say("fail cuMemAlloc_v2 2 " + before + "times 1");
    const std::vector<float> values = {1, 2, 3, 4, 0, 0};
    const Tensor rows = Apart(Floats({3, 2}, values), {1, 1});
    for (const uint64_t launches : {0, 1}) {
      std::vector<Tensor> results;
      const Status status = session->Run({rows}, {0}, *control, &results);
      ASSERT_TRUE(status.ok()) << status.message();
      EXPECT_EQ(BytesOf(results[0]), BytesOf(values));
      EXPECT_EQ(driver_.Calls("cuLaunchKernel"), launches);
    }
  }
}

TEST_F(RowsApartTest, FailARunWithoutRoomForTheirTableWhereTheGpuConvertsThemAndTheNextOneRuns) {
  const NamedConversion conversion{"INPUT0", {DataType::kUint8, {1.0F}, {0.0F}, 1}};
  const std::shared_ptr<Session> session = WithConversions(OpenOnGpus("identity_fp32"), {conversion}).value();
  const std::unique_ptr<RunControl> control = session->NewRunControl();
  const Tensor rows = Apart(MakeTensor(DataType::kUint8, {2, 2}, "\1\2\3\4"), {1, 1});
  driver_.Say("fail cuMemAlloc_v2 2 times 1");
  std::vector<Tensor> results;
  EXPECT_EQ(session->Run({rows}, {0}, *control, &results).code(), StatusCode::kGpuMemory);
  ASSERT_TRUE(session->Run({rows}, {0}, *control, &results).ok());
  EXPECT_EQ(BytesOf(results[0]), BytesOf(std::vector<float>{1, 2, 3, 4}));
}

TEST_F(RowsApartTest, AreTakenOnlyWhereAKernelReadsThem) {
  EXPECT_FALSE(OpenOnGpus("identity_fp32", {}, nullptr)->TakesRowsApart(0)) << "no kernels";
  EXPECT_FALSE(OpenOnGpus("identity_string")->TakesRowsApart(0)) << "stays on the CPU";
  EXPECT_FALSE(Open(FixtureModel("identity_fp32"))->TakesRowsApart(0)) << "no GPU";
  driver_.Say("fail cuModuleLoadData 209");
  const NamedConversion conversion{"INPUT0", {DataType::kUint8, {1.0F}, {0.0F}, 1}};
  EXPECT_FALSE(WithConversions(OpenOnGpus("identity_fp32"), {conversion}).value()->TakesRowsApart(0)) << "converted on the CPU";
}

TEST_F(RowsApartTest, AreReadByEveryGpu) {
  const device::FakeDriver two("gpus 2");
  const std::shared_ptr<Session> session = OpenOnGpus("identity_fp32", device::FindGpus(device::FakeDriver::Options()).list);
  ASSERT_EQ(session->gpus().size(), 2u);
  ASSERT_TRUE(session->TakesRowsApart(0));
  const Tensor whole = Floats({2, 2}, {1, 2, 3, 4});
  for (int lane = 0; lane < 2; ++lane) {
    std::vector<Tensor> results;
    ASSERT_TRUE(Run(*session, {Apart(whole, {1, 1})}, &results).ok());
    EXPECT_EQ(BytesOf(results[0]), BytesOf(whole));
  }
  EXPECT_EQ(two.Calls("cuLaunchKernel"), 2u);
}

}  // namespace
}  // namespace penstock::session
