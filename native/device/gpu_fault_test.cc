#include "device/gpu_fault.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

namespace penstock::device {
namespace {

struct Row {
  CudaCode code;
  FaultKind at_start;
  FaultKind later;
  const char* cause_later;
};

// Numbers of CUresult beside the rows of the failure table.
const Row kRows[] = {
    {0, FaultKind::kNone, FaultKind::kNone, ""},
    {1, FaultKind::kOther, FaultKind::kOther, "cuda-error"},
    {2, FaultKind::kOutOfMemory, FaultKind::kOutOfMemory, "oom"},
    {34, FaultKind::kNoDevice, FaultKind::kNoDevice, "no-device"},
    {35, FaultKind::kMismatch, FaultKind::kMismatch, "driver-mismatch"},
    {100, FaultKind::kNoDevice, FaultKind::kLost, "device-lost"},
    {101, FaultKind::kOther, FaultKind::kLost, "device-lost"},
    {214, FaultKind::kEcc, FaultKind::kEcc, "gpu-hw"},
    {220, FaultKind::kEcc, FaultKind::kEcc, "gpu-hw"},
    {226, FaultKind::kContainedMemory, FaultKind::kContainedMemory, "contained-memory-error"},
    {304, FaultKind::kRevoked, FaultKind::kOther, "cuda-error"},
    {400, FaultKind::kOther, FaultKind::kOther, "cuda-error"},
    {700, FaultKind::kSticky, FaultKind::kSticky, "sticky-error"},
    {701, FaultKind::kOther, FaultKind::kOther, "cuda-error"},
    {702, FaultKind::kSticky, FaultKind::kSticky, "sticky-error"},
    {709, FaultKind::kSticky, FaultKind::kSticky, "sticky-error"},
    {710, FaultKind::kSticky, FaultKind::kSticky, "sticky-error"},
    {712, FaultKind::kOther, FaultKind::kOther, "cuda-error"},
    {714, FaultKind::kSticky, FaultKind::kSticky, "sticky-error"},
    {715, FaultKind::kSticky, FaultKind::kSticky, "sticky-error"},
    {716, FaultKind::kSticky, FaultKind::kSticky, "sticky-error"},
    {717, FaultKind::kSticky, FaultKind::kSticky, "sticky-error"},
    {718, FaultKind::kSticky, FaultKind::kSticky, "sticky-error"},
    {719, FaultKind::kSticky, FaultKind::kSticky, "sticky-error"},
    {720, FaultKind::kOther, FaultKind::kOther, "cuda-error"},
    {721, FaultKind::kSticky, FaultKind::kSticky, "sticky-error"},
    {802, FaultKind::kNotReady, FaultKind::kNotReady, "fabric-not-ready"},
    {803, FaultKind::kMismatch, FaultKind::kMismatch, "driver-mismatch"},
    {804, FaultKind::kMismatch, FaultKind::kMismatch, "driver-mismatch"},
    {810, FaultKind::kSticky, FaultKind::kSticky, "sticky-error"},
    {900, FaultKind::kOther, FaultKind::kOther, "cuda-error"},
    {911, FaultKind::kSticky, FaultKind::kSticky, "sticky-error"},
    {999, FaultKind::kRevoked, FaultKind::kLost, "device-lost"},
};

TEST(GpuFault, TellsTheRowsOfTheFailureTableApartByNumber) {
  for (const Row& row : kRows) {
    EXPECT_EQ(KindOf(row.code, false), row.at_start) << row.code;
    EXPECT_EQ(KindOf(row.code, true), row.later) << row.code;
    EXPECT_STREQ(CauseOf(KindOf(row.code, true)), row.cause_later) << row.code;
  }
  EXPECT_STREQ(CauseOf(KindOf(999, false)), "device-revoked");
}

TEST(GpuFault, OnlyWhatEndsTheContextOrTheDeviceIsFatal) {
  for (const FaultKind kind : {FaultKind::kSticky, FaultKind::kContainedMemory, FaultKind::kEcc, FaultKind::kLost}) {
    EXPECT_TRUE(IsFatal(kind)) << CauseOf(kind);
  }
  for (const FaultKind kind : {FaultKind::kNone, FaultKind::kOutOfMemory, FaultKind::kMismatch, FaultKind::kNotReady, FaultKind::kNoDevice,
                               FaultKind::kRevoked, FaultKind::kOther}) {
    EXPECT_FALSE(IsFatal(kind)) << CauseOf(kind);
  }
}

TEST(GpuFault, GivesEachKindTheStatusOfItsReaction) {
  EXPECT_TRUE(StatusOf(Fault{}).ok());
  EXPECT_EQ(StatusCodeOf(FaultKind::kSticky), StatusCode::kGpuFault);
  EXPECT_EQ(StatusCodeOf(FaultKind::kContainedMemory), StatusCode::kGpuFault);
  EXPECT_EQ(StatusCodeOf(FaultKind::kEcc), StatusCode::kGpuFault);
  EXPECT_EQ(StatusCodeOf(FaultKind::kOther), StatusCode::kGpuFault);
  EXPECT_EQ(StatusCodeOf(FaultKind::kLost), StatusCode::kGpuLost);
  EXPECT_EQ(StatusCodeOf(FaultKind::kOutOfMemory), StatusCode::kGpuMemory);
  for (const FaultKind kind : {FaultKind::kMismatch, FaultKind::kNotReady, FaultKind::kNoDevice, FaultKind::kRevoked}) {
    EXPECT_EQ(StatusCodeOf(kind), StatusCode::kGpuUnavailable) << CauseOf(kind);
  }
  const Status status = StatusOf(Fault{FaultKind::kLost, 999, "cuMemFree_v2: CUDA_ERROR_UNKNOWN (999)"});
  EXPECT_EQ(status.code(), StatusCode::kGpuLost);
  EXPECT_EQ(status.message(), "cuMemFree_v2: CUDA_ERROR_UNKNOWN (999)");
}

class DeviceNode : public testing::Test {
 protected:
  DeviceNode() : path_(testing::TempDir() + "penstock-node-" + std::to_string(getpid())) {
    close(open(path_.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  }
  ~DeviceNode() override { unlink(path_.c_str()); }
  static Fault Unknown() { return Fault{FaultKind::kRevoked, 999, "cuInit: CUDA_ERROR_UNKNOWN (999)"}; }
  static Fault NoDevice() { return Fault{FaultKind::kNoDevice, 100, "cuInit: CUDA_ERROR_NO_DEVICE (100)"}; }
  const std::string path_;
};

TEST_F(DeviceNode, AnUnknownErrorIsOfTheDriverWhereTheNodeOpens) {
  const Fault fault = AtStart(Unknown(), path_);
  EXPECT_EQ(fault.kind, FaultKind::kOther);
  EXPECT_EQ(fault.text, "cuInit: CUDA_ERROR_UNKNOWN (999)");
  EXPECT_EQ(AtStart(NoDevice(), path_).kind, FaultKind::kNoDevice);
}

TEST_F(DeviceNode, AnUnknownErrorWithoutTheNodeMeansThatTheDevicesWereTaken) {
  const Fault fault = AtStart(Unknown(), path_ + "-gone");
  EXPECT_EQ(fault.kind, FaultKind::kRevoked);
  EXPECT_EQ(fault.text, "cuInit: CUDA_ERROR_UNKNOWN (999); " + path_ + "-gone: No such file or directory");
  EXPECT_EQ(AtStart(NoDevice(), path_ + "-gone").kind, FaultKind::kNoDevice) << "a machine that never had one";
}

TEST_F(DeviceNode, ANodeThatMayNotBeOpenedMeansThatTheDevicesWereTaken) {
  ASSERT_EQ(chmod(path_.c_str(), 0), 0);
  // In a process of its own, which gives up being root: root may open everything.
  const auto check = [this] {
    if (geteuid() == 0 && setuid(65534) != 0) _exit(2);
    const Fault unknown = AtStart(Unknown(), path_);
    const Fault none = AtStart(NoDevice(), path_);
    const bool told = unknown.text == Unknown().text + "; " + path_ + ": Permission denied";
    _exit(unknown.kind == FaultKind::kRevoked && none.kind == FaultKind::kRevoked && told ? 0 : 1);
  };
  EXPECT_EXIT(check(), testing::ExitedWithCode(0), "");
}

TEST_F(DeviceNode, OtherFaultsOfTheStartAreLeftAlone) {
  for (const CudaCode code : {0, 2, 802, 803}) {
    const Fault fault = AtStart(Fault{KindOf(code, false), code, "text"}, path_ + "-gone");
    EXPECT_EQ(fault.kind, KindOf(code, false)) << code;
    EXPECT_EQ(fault.text, "text");
  }
}

}  // namespace
}  // namespace penstock::device
