#include "device/gpus.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "device/test_driver.h"

namespace penstock::device {
namespace {

constexpr char kTwo[] =
    "gpus 2\n"
    "gpu 0 uuid GPU-8932f937-d72c-4106-c12f-20bd9faed9f6 name \"NVIDIA H100 80GB HBM3\" pci 0000:17:00.0 memory 64MiB compute 9.0\n"
    "gpu 1 uuid GPU-8932aaaa-0000-0000-0000-0000000000ff name \"Tesla T4\" memory 16MiB compute 7.5\n";
constexpr char kMig[] =
    "gpu 0 uuid GPU-8932f937-d72c-4106-c12f-20bd9faed9f6 name \"NVIDIA A100-SXM4-40GB\" mig 1\n"
    "mig 0 0 uuid MIG-a65afc88-50b5-5ccf-b0a8-f93b3247ae9e memory 16MiB\n";
constexpr char kFirst[] = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6";
constexpr char kSecond[] = "GPU-8932aaaa-0000-0000-0000-0000000000ff";
constexpr char kSlice[] = "MIG-a65afc88-50b5-5ccf-b0a8-f93b3247ae9e";

using Uuids = std::vector<std::string>;

Gpus Find(const std::string& visible_devices = "", double min_compute_capability = 7.5) {
  GpuOptions options = FakeDriver::Options();
  options.visible_devices = visible_devices;
  options.min_compute_capability = min_compute_capability;
  return FindGpus(options);
}

Uuids UuidsOf(const Gpus& gpus) {
  Uuids uuids;
  for (const auto& gpu : gpus.list) uuids.push_back(gpu->info().uuid);
  return uuids;
}

TEST(FindGpus, DescribesEachGpuInCudasOrder) {
  FakeDriver fake(std::string(kTwo) + "driver 12080\n");
  const Gpus gpus = Find();
  EXPECT_EQ(gpus.why_none.kind, FaultKind::kNone);
  EXPECT_EQ(gpus.driver_version, "12.8");
  EXPECT_TRUE(gpus.notes.empty());
  ASSERT_EQ(UuidsOf(gpus), (Uuids{kFirst, kSecond}));
  const GpuInfo& info = gpus.list[0]->info();
  EXPECT_EQ(info.name, "NVIDIA H100 80GB HBM3");
  EXPECT_EQ(info.ordinal, 0);
  EXPECT_EQ(info.pci_bus_id, "00000000:17:00.0");
  EXPECT_EQ(info.total_bytes, 64u << 20);
  EXPECT_EQ(info.compute_major, 9);
  EXPECT_EQ(info.compute_minor, 0);
  EXPECT_FALSE(info.is_mig);
  EXPECT_EQ(gpus.list[1]->info().ordinal, 1);
}

TEST(FindGpus, CallsAMigDeviceByItsOwnUuid) {
  FakeDriver fake(kMig);
  const Gpus gpus = Find();
  ASSERT_EQ(UuidsOf(gpus), Uuids{kSlice});
  EXPECT_TRUE(gpus.list[0]->info().is_mig);
  EXPECT_EQ(gpus.list[0]->info().total_bytes, 16u << 20);
}

TEST(FindGpus, KnowsAMigDeviceByTheProfileInItsName) {
  FakeDriver fake(
      "gpus 2\n"
      "gpu 0 uuid GPU-a65afc88-50b5-5ccf-b0a8-f93b3247ae9e name \"NVIDIA A100-SXM4-40GB MIG 1g.5gb\"\n"
      "gpu 1 uuid GPU-8932aaaa-0000-0000-0000-0000000000ff name \"NVIDIA MIGHTY\"\n");
  EXPECT_EQ(UuidsOf(Find()), (Uuids{kSlice, kSecond}));
}

TEST(FindGpus, AnAbsentDriverIsANormalState) {
  GpuOptions options;
  options.cuda_library = "libpenstock-none.so.1";
  const Gpus gpus = FindGpus(options);
  EXPECT_TRUE(gpus.list.empty());
  EXPECT_EQ(gpus.driver_version, "");
  EXPECT_EQ(gpus.why_none.kind, FaultKind::kNoDevice);
  EXPECT_NE(gpus.why_none.text.find("libpenstock-none.so.1: cannot open"), std::string::npos);
}

TEST(FindGpus, OpensNoDriverWhenGpusAreTurnedOff) {
  FakeDriver fake(kTwo);
  GpuOptions options = FakeDriver::Options();
  options.allowed = false;
  const Gpus gpus = FindGpus(options);
  EXPECT_TRUE(gpus.list.empty());
  EXPECT_EQ(gpus.why_none.kind, FaultKind::kNoDevice);
  EXPECT_EQ(fake.Calls("cuInit"), 0u);
  EXPECT_EQ(Find("none").why_none.text, "NVIDIA_VISIBLE_DEVICES is 'none'");
  EXPECT_EQ(fake.Calls("cuInit"), 0u);
}

TEST(FindGpus, ADriverThatShowsNoGpuSaysSo) {
  FakeDriver fake("gpus 0");
  const Gpus gpus = Find();
  EXPECT_TRUE(gpus.list.empty());
  EXPECT_EQ(gpus.why_none.kind, FaultKind::kNoDevice) << gpus.why_none.text;
}

// Inside a container the runtime has applied the value: "1" there is one GPU of the host, which is number 0 here.
TEST(FindGpus, WhatOnlyTheContainerRuntimeUnderstandsLeavesNothingOut) {
  FakeDriver fake(kTwo);
  for (const char* value : {"", "all", "void"}) {
    const Gpus gpus = Find(value);
    EXPECT_EQ(gpus.list.size(), 2u) << value;
    EXPECT_TRUE(gpus.notes.empty()) << value;
  }
  for (const char* value : {"7", "0,1", "1:0", "/var/run/nvidia-container-devices", "nvidia.com/gpu=0", "0,GPU-8932aaaa", "GPU-"}) {
    const Gpus gpus = Find(value);
    EXPECT_EQ(gpus.list.size(), 2u) << value;
    ASSERT_EQ(gpus.notes.size(), 1u) << value;
    EXPECT_NE(gpus.notes[0].find(std::string("'") + value + "'"), std::string::npos) << gpus.notes[0];
  }
}

TEST(FindGpus, AListOfUuidsLeavesTheOthersOut) {
  FakeDriver fake(kTwo);
  EXPECT_EQ(UuidsOf(Find(kSecond)), Uuids{kSecond});
  EXPECT_EQ(UuidsOf(Find("GPU-8932F9")), Uuids{kFirst}) << "a prefix, in any case";
  EXPECT_EQ(UuidsOf(Find("GPU-8932")), (Uuids{kFirst, kSecond})) << "a prefix of both";
  EXPECT_EQ(UuidsOf(Find(std::string(kSecond) + ", " + kFirst)), (Uuids{kFirst, kSecond})) << "CUDA's order stays";

  const Gpus one = Find(kSecond);
  EXPECT_EQ(one.notes, std::vector<std::string>{std::string(kFirst) + " (NVIDIA H100 80GB HBM3) is left out: NVIDIA_VISIBLE_DEVICES '" +
                                                kSecond + "' does not name it"});
  EXPECT_EQ(one.why_none.kind, FaultKind::kNone);

  const Gpus none = Find("GPU-00000000-0000-0000-0000-000000000000");
  EXPECT_TRUE(none.list.empty());
  EXPECT_EQ(none.why_none.kind, FaultKind::kNoDevice);
  EXPECT_EQ(none.notes.size(), 2u);
}

TEST(FindGpus, AMigDeviceIsLeftOutOnlyForAnotherMigDevice) {
  FakeDriver fake(kMig);
  EXPECT_EQ(UuidsOf(Find(kSlice)), Uuids{kSlice});
  EXPECT_EQ(UuidsOf(Find("MIG-a65a")), Uuids{kSlice});
  EXPECT_EQ(UuidsOf(Find(kFirst)), Uuids{kSlice}) << "the GPU that it lies on";
  EXPECT_EQ(UuidsOf(Find("MIG-GPU-8932f937-d72c-4106-c12f-20bd9faed9f6/1/0")), Uuids{kSlice}) << "the form of drivers before 470";
  EXPECT_EQ(UuidsOf(Find("MIG-00000000-0000-0000-0000-000000000000")), Uuids{});
}

TEST(FindGpus, LeavesOutGpusThatAreTooOldAndSaysWhatIsNeeded) {
  FakeDriver fake(kTwo);
  EXPECT_EQ(Find("", 7.5).list.size(), 2u);
  const Gpus newer = Find("", 8.0);
  EXPECT_EQ(UuidsOf(newer), Uuids{kFirst});
  EXPECT_EQ(newer.notes, std::vector<std::string>{std::string(kSecond) +
                                                  " (Tesla T4) is left out: its compute capability is 7.5, at least 8.0 is needed"});
  EXPECT_EQ(UuidsOf(Find("", 9.0)), Uuids{kFirst}) << "exactly what is needed";
  EXPECT_EQ(Find("", 9.1).why_none.kind, FaultKind::kNoDevice);
}

struct Refusal {
  const char* script;
  FaultKind kind;
  const char* text;
};

TEST(FindGpus, NamesEachStateInWhichThereIsNone) {
  const Refusal refusals[] = {
      {"fail cuInit 100", FaultKind::kNoDevice, "cuInit: CUDA_ERROR_NO_DEVICE (100)"},
      {"fail cuInit 802", FaultKind::kNotReady, "cuInit: CUDA_ERROR_SYSTEM_NOT_READY (802)"},
      {"fail cuInit 803", FaultKind::kMismatch, "cuInit: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803)"},
      {"fail cuInit 804", FaultKind::kMismatch, "cuInit: CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE (804)"},
      {"fail cuInit 999", FaultKind::kRevoked, "cuInit: CUDA_ERROR_UNKNOWN (999)"},
      {"fail cuDeviceGetCount 999", FaultKind::kRevoked, "cuDeviceGetCount: CUDA_ERROR_UNKNOWN (999)"},
      {"fail cuDeviceGetUuid_v2 101", FaultKind::kOther, "cuDeviceGetUuid_v2: CUDA_ERROR_INVALID_DEVICE (101)"},
      {"fail cuDevicePrimaryCtxRetain 999", FaultKind::kRevoked, "cuDevicePrimaryCtxRetain: CUDA_ERROR_UNKNOWN (999)"},
      {"fail cuDevicePrimaryCtxRetain 802", FaultKind::kNotReady, "cuDevicePrimaryCtxRetain: CUDA_ERROR_SYSTEM_NOT_READY (802)"},
      {"fail cuDevicePrimaryCtxRetain 2", FaultKind::kOutOfMemory, "cuDevicePrimaryCtxRetain: CUDA_ERROR_OUT_OF_MEMORY (2)"},
      {"fail cuDevicePrimaryCtxRetain 214", FaultKind::kEcc, "cuDevicePrimaryCtxRetain: CUDA_ERROR_ECC_UNCORRECTABLE (214)"},
  };
  GpuOptions options = FakeDriver::Options();
  options.device_node = testing::TempDir() + "penstock-no-such-node";
  for (const Refusal& refusal : refusals) {
    FakeDriver fake(refusal.script);
    const Gpus gpus = FindGpus(options);
    EXPECT_TRUE(gpus.list.empty()) << refusal.script;
    EXPECT_EQ(gpus.why_none.kind, refusal.kind) << refusal.script;
    EXPECT_NE(gpus.why_none.text.find(refusal.text), std::string::npos) << gpus.why_none.text;
    EXPECT_EQ(gpus.why_none.text.find(options.device_node) != std::string::npos, gpus.why_none.code == 999 || gpus.why_none.code == 100)
        << gpus.why_none.text;
  }
}

TEST(FindGpus, AnUnknownErrorWithDeviceNodesThatOpenIsNotARevokedContainer) {
  FakeDriver fake("fail cuInit 999");
  GpuOptions options = FakeDriver::Options();
  options.device_node = "/dev/null";
  EXPECT_EQ(FindGpus(options).why_none.kind, FaultKind::kOther);
}

TEST(FindGpus, FindsThemOnceTheFabricIsReady) {
  FakeDriver fake("fail cuInit 802 times 2");
  EXPECT_EQ(Find().why_none.kind, FaultKind::kNotReady);
  EXPECT_EQ(Find().why_none.kind, FaultKind::kNotReady);
  EXPECT_EQ(Find().list.size(), 1u);
}

TEST(FindGpus, OneGpuThatFailsLeavesTheOthers) {
  FakeDriver fake(std::string(kTwo) + "fail cuDevicePrimaryCtxRetain 214 gpu 0\n");
  const Gpus gpus = Find();
  EXPECT_EQ(UuidsOf(gpus), Uuids{kSecond});
  EXPECT_EQ(gpus.why_none.kind, FaultKind::kNone);
  EXPECT_EQ(gpus.notes,
            std::vector<std::string>{std::string(kFirst) + " (NVIDIA H100 80GB HBM3) is left out: "
                                                           "cuDevicePrimaryCtxRetain: CUDA_ERROR_ECC_UNCORRECTABLE (214)"});
}

TEST(FindGpus, TheReasonForNoneIsTheGpuInTroubleAndNotTheUnwantedOne) {
  FakeDriver fake(std::string(kTwo) + "fail cuDevicePrimaryCtxRetain 214 gpu 1\n");
  const Gpus gpus = Find(kSecond);
  EXPECT_TRUE(gpus.list.empty());
  EXPECT_EQ(gpus.why_none.kind, FaultKind::kEcc);
}

TEST(FindGpu, KnowsAGpuByUuidByPrefixAndByIndex) {
  FakeDriver fake(kTwo);
  const Gpus gpus = Find();
  ASSERT_EQ(gpus.list.size(), 2u);
  EXPECT_EQ(FindGpu(gpus, kSecond), gpus.list[1]);
  EXPECT_EQ(FindGpu(gpus, "GPU-8932A"), gpus.list[1]);
  EXPECT_EQ(FindGpu(gpus, "GPU-8932"), nullptr) << "fits both";
  EXPECT_EQ(FindGpu(gpus, "GPU-ffff"), nullptr);
  EXPECT_EQ(FindGpu(gpus, std::string(kSecond) + "0"), nullptr);
  EXPECT_EQ(FindGpu(gpus, "0"), gpus.list[0]);
  EXPECT_EQ(FindGpu(gpus, "1"), gpus.list[1]);
  for (const char* name : {"", "2", "-1", "01", "0 ", "GPU-", "MIG-", "H100"}) EXPECT_EQ(FindGpu(gpus, name), nullptr) << name;
}

}  // namespace
}  // namespace penstock::device
