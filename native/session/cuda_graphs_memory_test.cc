// Memory that runs out between the steps of a replay: the graph goes on reading its own buffers.
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <vector>

#include "base/test_failing_allocation.h"
#include "device/test_driver.h"
#include "memory/driver_page_locker.h"
#include "memory/pinned_arena.h"
#include "session/fake_ort.h"
#include "session/ort_test_fixture.h"

namespace penstock::session {
namespace {

using CudaGraphsMemoryTest = OrtTest;

TEST_F(CudaGraphsMemoryTest, AReplayThatFindsNoneForItsTableOfRowsGoesWithoutOrLeavesTheNextOnesRight) {
  device::FakeDriver driver;
  const FakeOrt ort;
  const auto arena = memory::PinnedArena::Create(std::make_shared<memory::DriverPageLocker>(driver.First()), {});
  SessionOptions options;
  options.model_path = FixtureModel("identity_fp32");
  options.gpus = {driver.First()};
  options.cuda.graphs = true;
  options.cuda.kernel_image = "image";
  options.cuda.pinned = arena;
  const std::shared_ptr<Session> session = OpenOrtSession(options).value();
  const std::unique_ptr<RunControl> lane = session->NewLaneControl();
  const std::vector<size_t> outputs = {0};
  const auto expect = [&](float value) {
    std::vector<Tensor> results;
    const Status status = session->Run({Floats({2, 3}, std::vector<float>(6, value))}, outputs, *lane, &results);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(BytesOf(results[0]), BytesOf(std::vector<float>(6, value)));
  };
  expect(1);
  const uint64_t before = ort.Replays();

  Tensor apart{DataType::kFp32, {2, 3}, {}};
  apart.bytes.size = 6 * sizeof(float);
  for (int row = 0; row < 2; ++row) apart.rows.push_back(memory::WholeSlice(arena->Allocate(3 * sizeof(float)).value()));
  const std::vector<Tensor> inputs = {apart};
  std::vector<Tensor> results;
  StatusCode code = StatusCode::kOk;
  {
    const FailingAllocation failing(0);
    code = session->Run(inputs, outputs, *lane, &results).code();
  }
  EXPECT_EQ(code, StatusCode::kMemory);
  EXPECT_EQ(ort.Replays(), before) << "it failed before";
  for (const float value : {2.0F, 3.0F}) expect(value);
  EXPECT_EQ(ort.Replays(), before + 2);

  driver.Say("fail cuMemAlloc_v2 2 times 1");
  for (const memory::Slice& row : apart.rows) std::memcpy(const_cast<uint8_t*>(row.data), std::vector<float>(3, 4.0F).data(), row.size);
  const Status status = session->Run(inputs, outputs, *lane, &results);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(BytesOf(results[0]), BytesOf(std::vector<float>(6, 4.0F)));
  EXPECT_EQ(ort.Replays(), before + 2) << "it went without";
  expect(5);
  EXPECT_EQ(ort.Replays(), before + 3);
}

}  // namespace
}  // namespace penstock::session
