#include "device/driver.h"

#include <gtest/gtest.h>

#include <string>

#include "device/test_driver.h"

namespace penstock::device {
namespace {

TEST(Driver, AMachineWithoutTheLibraryIsToldTheLoadersReason) {
  Fault fault;
  EXPECT_EQ(Driver::Open("libpenstock-none.so.1", &fault), nullptr);
  EXPECT_EQ(fault.kind, FaultKind::kNoDevice);
  EXPECT_EQ(fault.code, 0);
  EXPECT_EQ(fault.text, "libpenstock-none.so.1: cannot open shared object file: No such file or directory");
}

TEST(Driver, ALibraryThatLacksAFunctionIsTooOldAndTheFunctionIsNamed) {
  Fault fault;
  EXPECT_EQ(Driver::Open("libm.so.6", &fault), nullptr);
  EXPECT_EQ(fault.kind, FaultKind::kMismatch);
  EXPECT_EQ(fault.text, "libm.so.6: the driver is too old: cuInit is missing");
}

TEST(Driver, OpensWithEveryFunctionAndItsVersion) {
  FakeDriver fake("driver 13000");
  Fault fault;
  const auto driver = Driver::Open(FakeDriver::Library(), &fault);
  ASSERT_NE(driver, nullptr) << fault.text;
  EXPECT_EQ(fault.kind, FaultKind::kNone);
  EXPECT_EQ(driver->version(), 13000);
#define PENSTOCK_CUDA_EXPECT(name, parameters) EXPECT_NE(driver->cuda().name, nullptr) << #name;
  PENSTOCK_CUDA_FUNCTIONS(PENSTOCK_CUDA_EXPECT)
#undef PENSTOCK_CUDA_EXPECT
}

struct Refusal {
  CudaCode code;
  FaultKind kind;
  const char* text;
};

TEST(Driver, NamesWhyItDoesNotStart) {
  const Refusal refusals[] = {
      {100, FaultKind::kNoDevice, "cuInit: CUDA_ERROR_NO_DEVICE (100)"},
      {802, FaultKind::kNotReady, "cuInit: CUDA_ERROR_SYSTEM_NOT_READY (802)"},
      {803, FaultKind::kMismatch, "cuInit: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803)"},
      {804, FaultKind::kMismatch, "cuInit: CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE (804)"},
      {999, FaultKind::kRevoked, "cuInit: CUDA_ERROR_UNKNOWN (999)"},
  };
  for (const Refusal& refusal : refusals) {
    FakeDriver fake("fail cuInit " + std::to_string(refusal.code));
    Fault fault;
    EXPECT_EQ(Driver::Open(FakeDriver::Library(), &fault), nullptr);
    EXPECT_EQ(fault.kind, refusal.kind) << refusal.text;
    EXPECT_EQ(fault.code, refusal.code);
    EXPECT_EQ(fault.text, refusal.text);
  }
}

TEST(Driver, GivesTheNumberOfACodeThatCudaHasNoNameFor) {
  FakeDriver fake;
  Fault fault;
  const auto driver = Driver::Open(FakeDriver::Library(), &fault);
  ASSERT_NE(driver, nullptr) << fault.text;
  const Fault unknown = driver->FaultOf("cuMemAlloc_v2", 12345);
  EXPECT_EQ(unknown.kind, FaultKind::kOther);
  EXPECT_EQ(unknown.text, "cuMemAlloc_v2: unknown CUDA error (12345)");
  EXPECT_EQ(driver->FaultOf("cuMemAlloc_v2", 0).kind, FaultKind::kNone);
  EXPECT_EQ(driver->FaultOf("cuMemAlloc_v2", 0).text, "");
  EXPECT_EQ(driver->FaultOf("cuMemAlloc_v2", 999).kind, FaultKind::kLost) << "it has worked before";
}

}  // namespace
}  // namespace penstock::device
