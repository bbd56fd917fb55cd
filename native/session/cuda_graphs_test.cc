#include "session/cuda_graphs.h"

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

#include "device/test_driver.h"
#include "session/fake_ort.h"
#include "session/ort_test_fixture.h"

namespace penstock::session {
namespace {

class CudaGraphsTest : public OrtTest {
 protected:
  SessionOptions Options(const std::string& model, bool graphs = true) const {
    SessionOptions options;
    options.model_path = FixtureModel(model);
    options.gpus = {gpu_};
    options.cuda.graphs = graphs;
    return options;
  }
  static std::shared_ptr<Session> MustOpen(const SessionOptions& options) {
    Result<std::shared_ptr<Session>> session = OpenOrtSession(options);
    EXPECT_TRUE(session.ok()) << session.status().message();
    return session.ok() ? session.value() : nullptr;
  }
  static std::vector<float> Values(int64_t rows, float value) {
    std::vector<float> values(static_cast<size_t>(rows) * 3, value);
    values.back() += 0.5F;
    return values;
  }
  static void Expect(const Session& session, RunControl& lane, int64_t rows, float value) {
    std::vector<Tensor> results;
    const Status status = session.Run({Floats({rows, 3}, Values(rows, value))}, {0}, lane, &results);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(results[0].dims, (std::vector<int64_t>{rows, 3}));
    EXPECT_EQ(BytesOf(results[0]), BytesOf(Values(rows, value)));
  }
  uint64_t FreeBytes() const { return gpu_->ReadMemory().value().free_bytes; }
  uint64_t NewCaptures() const { return ort_.Captures() - captures_before_; }
  uint64_t NewReplays() const { return ort_.Replays() - replays_before_; }
  void StartAfresh(const std::string& script) {
    driver_.emplace(script);
    gpu_ = driver_->First();
  }

  std::optional<device::FakeDriver> driver_{std::in_place};
  FakeOrt ort_;
  std::shared_ptr<device::Gpu> gpu_ = driver_->First();
  const uint64_t captures_before_ = ort_.Captures();
  const uint64_t replays_before_ = ort_.Replays();
};

TEST_F(CudaGraphsTest, AreOffWhereNobodyAsksForThem) {
  const std::shared_ptr<Session> session = MustOpen(Options("identity_fp32", false));
  EXPECT_EQ(ort_.Option("enable_cuda_graph"), "");
  const std::unique_ptr<RunControl> lane = session->NewLaneControl();
  for (int i = 0; i < 3; ++i) Expect(*session, *lane, 1, 1.0F);
  EXPECT_EQ(ort_.Calls("CreateSession"), 1u);
  EXPECT_EQ(NewCaptures(), 0u);
}

TEST_F(CudaGraphsTest, RecordEachNumberOfRowsOnceAndAnswerForWhatComesIn) {
  const std::shared_ptr<Session> session = MustOpen(Options("identity_fp32"));
  EXPECT_EQ(ort_.Option("enable_cuda_graph"), "1");
  const std::unique_ptr<RunControl> lane = session->NewLaneControl();
  float value = 0;
  for (int round = 0; round < 3; ++round) {
    for (const int64_t rows : {1, 4, 2}) Expect(*session, *lane, rows, ++value);
  }
  EXPECT_EQ(NewCaptures(), 3u);
  EXPECT_EQ(NewReplays(), 6u) << "the first run of each goes without";
  EXPECT_TRUE(session->notes().empty());
}

TEST_F(CudaGraphsTest, LeaveOtherShapesOfASizeToRunsWithout) {
  const std::shared_ptr<Session> session = MustOpen(Options("identity_fp32"));
  const std::unique_ptr<RunControl> lane = session->NewLaneControl();
  for (int round = 0; round < 2; ++round) {
    for (const int64_t length : {5, 7, 5, 3}) {
      const std::vector<float> values(static_cast<size_t>(length) * 2, static_cast<float>(length + round));
      std::vector<Tensor> results;
      const Status status = session->Run({Floats({2, length}, values)}, {0}, *lane, &results);
      ASSERT_TRUE(status.ok()) << status.message();
      EXPECT_EQ(results[0].dims, (std::vector<int64_t>{2, length}));
      EXPECT_EQ(BytesOf(results[0]), BytesOf(values));
    }
  }
  EXPECT_EQ(NewCaptures(), 1u);
  EXPECT_EQ(NewReplays(), 3u);
}

TEST_F(CudaGraphsTest, LeaveEmptyTensorsToRunsWithout) {
  const std::shared_ptr<Session> session = MustOpen(Options("identity_fp32"));
  const std::unique_ptr<RunControl> lane = session->NewLaneControl();
  std::vector<Tensor> results;
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(session->Run({Floats({0, 4}, {})}, {0}, *lane, &results).ok());
  EXPECT_EQ(NewCaptures(), 0u);
}

TEST_F(CudaGraphsTest, AreMadeForSoManySizesAndNoMore) {
  const std::shared_ptr<Session> session = MustOpen(Options("identity_fp32"));
  const std::unique_ptr<RunControl> lane = session->NewLaneControl();
  for (int64_t rows = 1; rows <= 40; ++rows) Expect(*session, *lane, rows, 1.0F);
  EXPECT_EQ(NewCaptures(), 16u);
}

TEST_F(CudaGraphsTest, GiveEachLaneASessionOfItsOwn) {
  const std::shared_ptr<Session> session = MustOpen(Options("identity_fp32"));
  const std::unique_ptr<RunControl> first = session->NewLaneControl();
  EXPECT_EQ(ort_.Calls("CreateSession"), 2u) << "that of loading, and the one it has tried";
  const std::unique_ptr<RunControl> second = session->NewLaneControl();
  EXPECT_EQ(ort_.Calls("CreateSession"), 3u);
  const std::unique_ptr<RunControl> canary = session->NewRunControl();
  EXPECT_EQ(ort_.Calls("CreateSession"), 3u) << "only lanes are worth it";
  // The stand-in refuses two threads in one session, and a graph of another thread.
  const auto serve = [&](RunControl& lane, float value, int runs) {
    for (int i = 0; i < runs; ++i) Expect(*session, lane, 1 + i % 2, value + static_cast<float>(i));
  };
  std::atomic<bool> recorded{false};
  std::thread other([&] {
    serve(*second, 1000.0F, 2);
    recorded = true;  // one that finds another at it puts it off
    serve(*second, 3000.0F, 100);
  });
  while (!recorded) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  serve(*first, 2000.0F, 100);
  other.join();
  Expect(*session, *canary, 1, 5.0F);
  EXPECT_EQ(NewCaptures(), 4u);
  EXPECT_EQ(NewReplays(), 198u);
}

TEST_F(CudaGraphsTest, RunOneAtATime) {
  const std::shared_ptr<Session> session = MustOpen(Options("identity_fp32"));
  const std::unique_ptr<RunControl> first = session->NewLaneControl();
  const std::unique_ptr<RunControl> second = session->NewLaneControl();
  ort_.Say("ort delay RunGraph 400ms after 1 times 1");
  std::thread slow([&] {
    for (int i = 0; i < 2; ++i) Expect(*session, *first, 1, 1.0F);
  });
  while (ort_.Calls("RunGraph") < 2 && !HasFailure()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const uint64_t runs = ort_.Calls("RunWithBinding");
  std::thread quick([&] { Expect(*session, *second, 1, 2.0F); });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(ort_.Calls("RunWithBinding"), runs);
  slow.join();
  quick.join();
}

TEST_F(CudaGraphsTest, EndALoadThatOnnxRuntimeRefuses) {
  ort_.Say("ort fail CreateSession \"This session cannot use the graph capture feature as requested by the user as the model has control "
           "flow nodes which can't be supported by CUDAExecutionProvider\" after 1");
  const uint64_t free_before = FreeBytes();
  const Status status = OpenOrtSession(Options("identity_fp32")).status();
  EXPECT_EQ(status.code(), StatusCode::kModelConfig);
  EXPECT_EQ(status.message(),
            "optimization.cuda.graphs: found true, expected false, as the model cannot run as a CUDA graph: cannot load model.onnx: This "
            "session cannot use the graph capture feature as requested by the user as the model has control flow nodes which can't be "
            "supported by CUDAExecutionProvider");
  EXPECT_EQ(FreeBytes(), free_before);
}

TEST_F(CudaGraphsTest, AreNotMadeOfModelsThatMayGiveOtherShapes) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"two_in_one_out", "dimension 1 of output \"OUTPUT0\" is neither fixed nor that of an input"},
      {"nonzero", "is neither fixed nor that of an input"},
      {"scalar", "has fewer than two dimensions"},
      {"identity_string", "is text"},
  };
  for (const auto& [model, why] : cases) {
    ort_.Say("");
    const std::shared_ptr<Session> session = MustOpen(Options(model));
    const std::unique_ptr<RunControl> lane = session->NewLaneControl();
    EXPECT_EQ(ort_.Calls("CreateSession"), 1u) << model;
    ASSERT_EQ(session->notes().size(), 1u) << model;
    EXPECT_NE(session->notes()[0].find(why), std::string::npos) << session->notes()[0];
  }
}

TEST_F(CudaGraphsTest, AreGivenUpWhereARunCannotBeRecorded) {
  const std::shared_ptr<Session> session = MustOpen(Options("identity_fp32"));
  std::unique_ptr<RunControl> lane = session->NewLaneControl();
  ort_.Say("ort fail RunGraph \"CUDA failure 900: operation not permitted when stream is capturing ; GPU=0 ; hostname=secret\" times 1");
  for (int i = 0; i < 3; ++i) Expect(*session, *lane, 1, static_cast<float>(i));
  EXPECT_EQ(ort_.Calls("RunGraph"), 1u);
  EXPECT_EQ(ort_.Calls("ReleaseSession"), 1u);
  const std::unique_ptr<RunControl> later = session->NewLaneControl();
  EXPECT_EQ(ort_.Calls("CreateSession"), 0u);
  Expect(*session, *later, 1, 7.0F);
  ASSERT_EQ(session->notes().size(), 1u);
  EXPECT_NE(session->notes()[0].find("operation not permitted when stream is capturing"), std::string::npos);
  EXPECT_EQ(session->notes()[0].find("secret"), std::string::npos);
}

TEST_F(CudaGraphsTest, GoWithoutForASizeWhoseBuffersFindNoMemory) {
  const std::shared_ptr<Session> session = MustOpen(Options("identity_fp32"));
  const std::unique_ptr<RunControl> lane = session->NewLaneControl();
  Expect(*session, *lane, 4, 1.0F);
  EXPECT_EQ(NewCaptures(), 1u);
  // The lane's own buffers are there already, so the next ones are a graph's.
  driver_->Say("fail cuMemAlloc_v2 2 after 1 times 1");
  for (int i = 0; i < 3; ++i) Expect(*session, *lane, 2, static_cast<float>(i));
  EXPECT_EQ(NewCaptures(), 1u);
  Expect(*session, *lane, 1, 1.0F);
  EXPECT_EQ(NewCaptures(), 2u) << "other sizes have theirs";
}

TEST_F(CudaGraphsTest, GoWithoutWhereALanesSessionFindsNoMemory) {
  const std::shared_ptr<Session> session = MustOpen(Options("identity_fp32"));
  const std::unique_ptr<RunControl> first = session->NewLaneControl();
  ort_.Say("ort fail CreateSession \"Failed to allocate memory for requested buffer of size 4096\" times 1");
  const std::unique_ptr<RunControl> second = session->NewLaneControl();
  for (int i = 0; i < 2; ++i) Expect(*session, *second, 1, static_cast<float>(i));
  EXPECT_EQ(NewCaptures(), 0u);
  for (int i = 0; i < 2; ++i) Expect(*session, *first, 1, static_cast<float>(i));
  EXPECT_EQ(NewCaptures(), 1u);
  ASSERT_EQ(session->notes().size(), 1u);
  EXPECT_NE(session->notes()[0].find("requested buffer of size 4096"), std::string::npos) << session->notes()[0];
}

TEST_F(CudaGraphsTest, SayWithNumbersThatASecondCopyOfTheWeightsDoesNotFit) {
  std::string path = FixtureModel("identity_fp32");
  const std::string padding(3u << 20, 'p');
  std::ifstream file(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  bytes += Field(14, Field(1, std::string("note")) + Field(2, padding));
  StartAfresh("gpu 0 memory 16MiB used-by-others 11MiB");
  SessionOptions options = Options("identity_fp32");
  options.model_path = WriteModel(bytes);
  const std::shared_ptr<Session> session = MustOpen(options);
  ASSERT_EQ(session->notes().size(), 1u);
  EXPECT_NE(session->notes()[0].find("model.onnx needs at least 4 MiB of GPU memory for its weights"), std::string::npos)
      << session->notes()[0];
  const std::unique_ptr<RunControl> lane = session->NewLaneControl();
  Expect(*session, *lane, 1, 1.0F);
}

TEST_F(CudaGraphsTest, AreNotRecordedWhileAModelIsBeingLoaded) {
  const std::shared_ptr<Session> session = MustOpen(Options("identity_fp32"));
  const std::unique_ptr<RunControl> lane = session->NewLaneControl();
  {
    const std::shared_lock<std::shared_mutex> loading(LoadingOrRecording());
    for (int i = 0; i < 2; ++i) Expect(*session, *lane, 1, static_cast<float>(i));
    EXPECT_EQ(NewCaptures(), 0u);
  }
  for (int i = 0; i < 2; ++i) Expect(*session, *lane, 1, static_cast<float>(i));
  EXPECT_EQ(NewCaptures(), 1u);
  EXPECT_EQ(NewReplays(), 1u);
}

TEST_F(CudaGraphsTest, NameTheFaultOfABrokenContext) {
  const std::shared_ptr<Session> session = MustOpen(Options("identity_fp32"));
  const std::unique_ptr<RunControl> lane = session->NewLaneControl();
  Expect(*session, *lane, 1, 1.0F);
  ort_.Say("ort fail RunGraph \"CUDA failure 700: an illegal memory access was encountered ; GPU=0\"");
  driver_->Say("sticky cuStreamQuery 700");
  std::vector<Tensor> results;
  EXPECT_EQ(session->Run({Floats({1, 3}, Values(1, 1))}, {0}, *lane, &results).code(), StatusCode::kGpuFault);
}

TEST_F(CudaGraphsTest, KeepAllTheirMemoryWhenSpareMemoryIsWanted) {
  const std::shared_ptr<Session> session = MustOpen(Options("identity_fp32"));
  const std::unique_ptr<RunControl> lane = session->NewLaneControl();
  const uint64_t shrinks = ort_.Shrinks();
  for (int i = 0; i < 3; ++i) {
    session->ReleaseSpareMemory();
    Expect(*session, *lane, 1, static_cast<float>(i));
  }
  EXPECT_EQ(ort_.Shrinks(), shrinks);
}

TEST_F(CudaGraphsTest, GiveEverythingBack) {
  const uint64_t free_before = FreeBytes();
  {
    const std::shared_ptr<Session> session = MustOpen(Options("identity_fp32"));
    session->NewLaneControl();  // of a warm-up: it goes before there are others
    EXPECT_EQ(ort_.Calls("ReleaseSession"), 1u);
    const std::unique_ptr<RunControl> lane = session->NewLaneControl();
    for (int i = 0; i < 3; ++i) Expect(*session, *lane, 64, static_cast<float>(i));
    EXPECT_LT(FreeBytes(), free_before);
    session->MeasureMemory();
    EXPECT_EQ(session->memory_use()[0].bytes, free_before - FreeBytes());
  }
  EXPECT_EQ(FreeBytes(), free_before);
  EXPECT_EQ(ort_.Calls("ReleaseSession"), ort_.Calls("CreateSession"));
}

TEST_F(CudaGraphsTest, GoRoundTheGpusAsOtherLanesDo) {
  StartAfresh("gpus 2");
  const device::Gpus gpus = device::FindGpus(device::FakeDriver::Options());
  SessionOptions options = Options("identity_fp32");
  options.gpus = gpus.list;
  const std::shared_ptr<Session> session = MustOpen(options);
  for (size_t i = 0; i < 4; ++i) {
    const std::unique_ptr<RunControl> lane = session->NewLaneControl();
    EXPECT_EQ(lane->gpu(), gpus.list[i % 2]->info().uuid);
    for (int run = 0; run < 2; ++run) Expect(*session, *lane, 2, static_cast<float>(run));
  }
  EXPECT_EQ(NewCaptures(), 4u);
}

}  // namespace
}  // namespace penstock::session
