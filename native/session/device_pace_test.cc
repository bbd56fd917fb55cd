// Runs on a device whose time the script gives (test/fake-driver/ort): measurements that are to show nothing of the CPU's speed rest on it.
#include <chrono>
#include <thread>

#include "device/test_driver.h"
#include "session/ort_test_fixture.h"

namespace penstock::session {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

class DevicePaceTest : public OrtTest {
 protected:
  std::shared_ptr<Session> OpenOnGpu(const std::string& model) const {
    SessionOptions options;
    options.model_path = FixtureModel(model);
    options.gpus = {gpu_};
    Result<std::shared_ptr<Session>> session = OpenOrtSession(options);
    EXPECT_TRUE(session.ok()) << session.status().message();
    return session.ok() ? session.value() : nullptr;
  }
  static void RunRows(const Session& session, int64_t rows) {
    std::vector<Tensor> results;
    const Status status = Run(session, {Floats({rows, 2}, std::vector<float>(static_cast<size_t>(rows) * 2, 1))}, &results);
    EXPECT_TRUE(status.ok()) << status.message();
  }

  device::FakeDriver driver_;
  FakeOrt ort_;
  std::shared_ptr<device::Gpu> gpu_ = driver_.First();
};

TEST_F(DevicePaceTest, TakesTheTimeOfItsRows) {
  const std::shared_ptr<Session> session = OpenOnGpu("identity_fp32");
  ort_.Say("ort delay RunWithBinding 10ms 20000us/row after 1 times 1");
  RunRows(*session, 100);  // would take two seconds
  const auto begin = steady_clock::now();
  RunRows(*session, 4);
  EXPECT_GE(steady_clock::now() - begin, milliseconds(90));
  EXPECT_EQ(ort_.Calls("RunWithBinding"), 2u);
}

TEST_F(DevicePaceTest, GivesTwoLanesTheTimeOfBothRuns) {
  const std::shared_ptr<Session> session = OpenOnGpu("identity_fp32");
  ort_.Say("ort delay RunWithBinding 0ms 30ms/row");
  const auto begin = steady_clock::now();
  std::thread other([&] { RunRows(*session, 2); });
  RunRows(*session, 1);
  other.join();
  EXPECT_GE(steady_clock::now() - begin, milliseconds(90));
}

}  // namespace
}  // namespace penstock::session
