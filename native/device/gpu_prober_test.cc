#include "device/gpu_prober.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <thread>

#include "device/test_driver.h"

namespace penstock::device {
namespace {

using Clock = std::chrono::steady_clock;

ProberOptions Options(int64_t interval_ms = 1) {
  ProberOptions options;
  options.interval_ms = interval_ms;
  options.bytes = 1 << 16;
  return options;
}

std::vector<ProbeState> WaitFor(const GpuProber& prober, const std::function<bool(const std::vector<ProbeState>&)>& wanted) {
  const auto until = Clock::now() + std::chrono::seconds(10);
  std::vector<ProbeState> states = prober.snapshot();
  while (!wanted(states) && Clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    states = prober.snapshot();
  }
  EXPECT_TRUE(wanted(states)) << "waited in vain";
  return states;
}

ProbeResult Answered(uint64_t mismatches) {
  ProbeResult result;
  result.bytes = 4096;
  result.mismatches = mismatches;
  result.free_bytes = 77;
  return result;
}

ProbeResult Failed() {
  ProbeResult result;
  result.status = Status(StatusCode::kGpuMemory, "no memory");
  return result;
}

TEST(CountProbe, CountsMismatchesInARow) {
  ProbeState state;
  CountProbe(Answered(3), 10, &state);
  CountProbe(Answered(1), 20, &state);
  EXPECT_EQ(state.consecutive_mismatches, 2u);
  EXPECT_EQ(state.text, "1 of 1024 words came back changed");
  CountProbe(Failed(), 30, &state);
  EXPECT_EQ(state.consecutive_mismatches, 2u) << "a probe that could not be done says nothing about the memory";
  EXPECT_EQ(state.consecutive_failures, 1u);
  EXPECT_EQ(state.text, "no memory");
  EXPECT_EQ(state.free_bytes, 77u);
  CountProbe(Answered(9), 40, &state);
  EXPECT_EQ(state.consecutive_mismatches, 3u);
  EXPECT_EQ(state.consecutive_failures, 0u);
  CountProbe(Answered(0), 50, &state);
  EXPECT_EQ(state.consecutive_mismatches, 0u);
  EXPECT_EQ(state.mismatches, 3u);
  EXPECT_EQ(state.runs, 4u);
  EXPECT_EQ(state.text, "");
  EXPECT_EQ(state.last_ns, 50);
}

TEST(GpuProber, ProbesEveryGpuAgainAndAgain) {
  const FakeDriver fake("gpus 2");
  const GpuProber prober(FindGpus(FakeDriver::Options()).list, Options());
  const auto states = WaitFor(prober, [](const auto& now) { return now[0].runs >= 3 && now[1].runs >= 3; });
  for (const ProbeState& state : states) {
    EXPECT_EQ(state.mismatches, 0u);
    EXPECT_EQ(state.consecutive_failures, 0u);
    EXPECT_EQ(state.text, "");
    EXPECT_EQ(state.bytes, 1u << 16);
    EXPECT_GT(state.free_bytes, 0u);
    EXPECT_GT(state.last_ns, 0);
    EXPECT_GT(state.duration_ns, 0);
  }
}

TEST(GpuProber, KeepsItsMemoryBetweenProbes) {
  const FakeDriver fake;
  const GpuProber prober({fake.First()}, Options());
  WaitFor(prober, [](const auto& now) { return now[0].runs >= 1; });
  const uint64_t allocations = fake.Calls("cuMemAlloc_v2");
  const uint64_t runs = prober.snapshot()[0].runs;
  WaitFor(prober, [&](const auto& now) { return now[0].runs >= runs + 3; });
  EXPECT_EQ(fake.Calls("cuMemAlloc_v2"), allocations);
}

TEST(GpuProber, CountsMismatchesOfTheGpuThatHasThem) {
  FakeDriver fake("gpus 2\ncorrupt cuMemcpyDtoHAsync_v2 gpu 1");
  const GpuProber prober(FindGpus(FakeDriver::Options()).list, Options());
  const auto states = WaitFor(prober, [](const auto& now) { return now[1].consecutive_mismatches >= 3 && now[0].runs >= 3; });
  EXPECT_EQ(states[0].mismatches, 0u);
  EXPECT_NE(states[1].text.find("words came back changed"), std::string::npos) << states[1].text;
  fake.Say("gpus 2");
  WaitFor(prober, [](const auto& now) { return now[1].consecutive_mismatches == 0 && now[1].mismatches >= 3; });
}

TEST(GpuProber, TriesAgainWhenThereIsNoMemoryForIt) {
  FakeDriver fake("fail cuMemAlloc_v2 2");
  const GpuProber prober({fake.First()}, Options());
  const auto states = WaitFor(prober, [](const auto& now) { return now[0].consecutive_failures >= 2; });
  EXPECT_EQ(states[0].runs, 0u);
  EXPECT_NE(states[0].text.find("CUDA_ERROR_OUT_OF_MEMORY (2)"), std::string::npos) << states[0].text;
  fake.Say("");
  WaitFor(prober, [](const auto& now) { return now[0].runs >= 1 && now[0].consecutive_failures == 0; });
}

TEST(GpuProber, AsksTheDriverNothingAfterAFatalFault) {
  FakeDriver fake;
  const std::shared_ptr<Gpu> gpu = fake.First();
  const GpuProber prober({gpu}, Options());
  WaitFor(prober, [](const auto& now) { return now[0].runs >= 1; });
  gpu->RecordFatal(Fault{FaultKind::kLost, 999, "cuCtxSetCurrent: CUDA_ERROR_UNKNOWN (999)"});
  WaitFor(prober, [](const auto& now) { return now[0].consecutive_failures >= 2; });
  const uint64_t calls = fake.Calls("cuCtxSetCurrent");
  const auto states = WaitFor(prober, [](const auto& now) { return now[0].consecutive_failures >= 6; });
  EXPECT_EQ(fake.Calls("cuCtxSetCurrent"), calls);
  EXPECT_EQ(states[0].text, "cuCtxSetCurrent: CUDA_ERROR_UNKNOWN (999)");
}

TEST(GpuProber, ShowsAProbeThatHangsWithoutWaitingForIt) {
  FakeDriver fake("gpus 2\nhang cuStreamSynchronize gpu 0");
  const auto gpus = FindGpus(FakeDriver::Options()).list;
  auto before = Clock::now();
  {
    const GpuProber prober(gpus, Options());
    const auto states = WaitFor(prober, [](const auto& now) { return now[1].runs >= 3; });
    EXPECT_EQ(states[0].runs, 0u);
    EXPECT_GT(states[0].running_since_ns, 0);
    before = Clock::now();
  }
  EXPECT_LT(Clock::now() - before, std::chrono::milliseconds(1900));
  fake.Say("gpus 2");  // the thread that was left behind ends, and gives back what it had
  const auto until = Clock::now() + std::chrono::seconds(10);
  while (fake.Calls("cuStreamDestroy_v2") == 0 && Clock::now() < until) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(fake.Calls("cuStreamDestroy_v2"), 1u);
}

TEST(GpuProber, EndsAtOnceInTheMiddleOfAnInterval) {
  const FakeDriver fake;
  auto before = Clock::now();
  {
    const GpuProber prober({fake.First()}, Options(60'000));
    WaitFor(prober, [](const auto& now) { return now[0].runs == 1; });
    before = Clock::now();
  }
  EXPECT_LT(Clock::now() - before, std::chrono::milliseconds(600));
}

TEST(GpuProber, ProbesAGpuBeforeItsTimeWhenSomethingHasHappenedToIt) {
  const FakeDriver fake("gpus 2");
  ProberOptions options = Options(60'000);
  options.settle_ms = 1;
  GpuProber prober(FindGpus(FakeDriver::Options()).list, options);
  WaitFor(prober, [](const auto& now) { return now[0].runs == 1 && now[1].runs == 1; });
  prober.ProbeSoon(1);
  const auto states = WaitFor(prober, [](const auto& now) { return now[1].runs == 2; });
  EXPECT_EQ(states[0].runs, 1u);
}

TEST(GpuProber, DoesNothingWithoutAnInterval) {
  const FakeDriver fake;
  const GpuProber prober({fake.First()}, Options(0));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  ASSERT_EQ(prober.snapshot().size(), 1u);
  EXPECT_EQ(prober.snapshot()[0].last_ns, -1);
  EXPECT_EQ(fake.Calls("cuMemAlloc_v2"), 0u);
}

}  // namespace
}  // namespace penstock::device
