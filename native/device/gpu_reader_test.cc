#include "device/gpu_reader.h"

#include <gtest/gtest.h>

namespace penstock::device {
namespace {

TEST(Concerns, GivesAnEventToItsGpuAndItsInstanceOnly) {
  int boards[2];
  const auto board = [&](int index) { return reinterpret_cast<NvmlDevice>(&boards[index]); };
  const NvmlGpu whole{board(0), board(0), kNvmlEveryInstance};
  const NvmlGpu slice{board(1), board(0), 3};
  const auto event = [&](int index, unsigned instance) {
    return NvmlEventData{board(index), kNvmlEventXid, 94, instance, kNvmlEveryInstance};
  };
  EXPECT_TRUE(Concerns(event(0, kNvmlEveryInstance), whole));
  EXPECT_TRUE(Concerns(event(0, 3), whole));
  EXPECT_FALSE(Concerns(event(1, kNvmlEveryInstance), whole));
  EXPECT_TRUE(Concerns(event(0, kNvmlEveryInstance), slice)) << "all of its board";
  EXPECT_TRUE(Concerns(event(0, 3), slice));
  EXPECT_FALSE(Concerns(event(0, 4), slice)) << "a neighbour's";
  EXPECT_FALSE(Concerns(NvmlEventData{}, NvmlGpu{})) << "a device that was not found";
}

}  // namespace
}  // namespace penstock::device
