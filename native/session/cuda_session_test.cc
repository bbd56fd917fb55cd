#include <atomic>
#include <chrono>
#include <cstring>
#include <optional>
#include <thread>

#include "device/test_driver.h"
#include "memory/driver_page_locker.h"
#include "memory/pinned_arena.h"
#include "session/fake_ort.h"
#include "session/ort_test_fixture.h"

namespace penstock::session {
namespace {

using std::chrono::milliseconds;

// Gives page-locked memory out, as far as anybody can tell.
class FakePinned final : public memory::BlockSource {
 public:
  Result<std::shared_ptr<memory::Block>> Allocate(uint64_t bytes) override {
    Result<std::shared_ptr<memory::Block>> block = memory::BlockPool::Process().Allocate(bytes);
    if (!block.ok()) return block;
    return std::shared_ptr<memory::Block>(std::make_shared<Pinned>(std::move(block).value()));
  }

 private:
  struct Pinned final : memory::Block {
    explicit Pinned(std::shared_ptr<memory::Block> pages)
        : Block(pages->data(), pages->size(), memory::MemoryKind::kPinned), pages_(std::move(pages)) {}
    const std::shared_ptr<memory::Block> pages_;
  };
};

class CudaSessionTest : public OrtTest {
 protected:
  static constexpr const char* kIllegalAddress =
      "Non-zero status code returned while running Add node. Name:'add' Status Message: CUDA failure 700: an illegal memory access was "
      "encountered ; GPU=0 ; hostname=secret ; file=/onnxruntime_src/x.cc ; line=9 ; expr=cudaStreamSynchronize(stream); ";

  SessionOptions Options(const std::string& model) const {
    SessionOptions options;
    options.model_path = FixtureModel(model);
    options.gpus = {gpu_};
    return options;
  }
  static std::shared_ptr<Session> MustOpen(const SessionOptions& options) {
    Result<std::shared_ptr<Session>> session = OpenOrtSession(options);
    EXPECT_TRUE(session.ok()) << session.status().message();
    return session.ok() ? session.value() : nullptr;
  }
  std::shared_ptr<Session> OpenOnGpu(const std::string& model) const { return MustOpen(Options(model)); }
  static std::vector<Tensor> TwoInputs(float value) {
    return {Floats({1, 1}, {value}), Floats({1, 2}, {value + 1, value + 2})};
  }
  uint64_t FreeBytes() const { return gpu_->ReadMemory().value().free_bytes; }

  // As after a restart of the process: broken contexts are forgotten.
  void StartAfresh(const std::string& script = "") {
    driver_.emplace(script);
    gpu_ = driver_->First();
  }

  std::optional<device::FakeDriver> driver_{std::in_place};
  FakeOrt ort_;
  std::shared_ptr<device::Gpu> gpu_ = driver_->First();
};

TEST_F(CudaSessionTest, GivesTheBytesThatTheCpuGives) {
  const std::vector<std::pair<std::string, std::vector<Tensor>>> cases = {
      {"two_in_one_out", TwoInputs(0.1F)},
      {"scalar", {Floats({}, {3.5F})}},
      {"nonzero", {Floats({2, 2}, {0, 5, 7, 0})}},
      {"identity_fp32", {Floats({0, 4}, {})}},
      {"identity_string", {MakeTensor(DataType::kBytes, {1, 2}, std::string("\2\0\0\0ab\0\0\0\0", 10))}},
  };
  for (const auto& [model, inputs] : cases) {
    std::vector<Tensor> expected;
    std::vector<Tensor> results;
    ASSERT_TRUE(Run(*Open(FixtureModel(model)), inputs, &expected).ok()) << model;
    const Status status = Run(*OpenOnGpu(model), inputs, &results);
    ASSERT_TRUE(status.ok()) << model << ": " << status.message();
    ASSERT_EQ(results.size(), expected.size());
    EXPECT_EQ(results[0].dtype, expected[0].dtype) << model;
    EXPECT_EQ(results[0].dims, expected[0].dims) << model;
    EXPECT_EQ(BytesOf(results[0]), BytesOf(expected[0])) << model;
  }
  EXPECT_EQ(ort_.Calls("RunWithBinding"), cases.size());
}

TEST_F(CudaSessionTest, RunsOneShapeAfterAnotherInOneLane) {
  const std::shared_ptr<Session> session = OpenOnGpu("identity_fp32");
  const std::unique_ptr<RunControl> control = session->NewRunControl();
  for (const int64_t rows : {2, 64, 1, 3}) {
    const std::vector<float> values(static_cast<size_t>(rows) * 5, static_cast<float>(rows));
    std::vector<Tensor> results;
    const Status status = session->Run({Floats({rows, 5}, values)}, {0}, *control, &results);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(results[0].dims, (std::vector<int64_t>{rows, 5}));
    EXPECT_EQ(BytesOf(results[0]), BytesOf(values));
  }
}

TEST_F(CudaSessionTest, LeavesOutputsInPageLockedBlocksThatOutliveTheSession) {
  SessionOptions options = Options("two_in_one_out");
  const auto pinned = std::make_shared<FakePinned>();
  options.cuda.pinned = pinned;
  std::shared_ptr<Session> session = MustOpen(options);
  EXPECT_EQ(&session->input_memory(), pinned.get());
  std::vector<Tensor> results;
  ASSERT_TRUE(Run(*session, TwoInputs(4), &results).ok());
  session.reset();
  EXPECT_EQ(results[0].bytes.kind, memory::MemoryKind::kPinned);
  EXPECT_EQ(BytesOf(results[0]), BytesOf(std::vector<float>{4, 5, 6}));
}

TEST_F(CudaSessionTest, BindsInputsThatHaveArrivedOnTheDevice) {
  const auto arena = memory::PinnedArena::Create(std::make_shared<memory::DriverPageLocker>(gpu_), {});
  SessionOptions options = Options("two_in_one_out");
  options.cuda.pinned = arena;
  const std::shared_ptr<Session> session = MustOpen(options);
  std::vector<Tensor> inputs = TwoInputs(4);
  for (Tensor& input : inputs) {
    const std::shared_ptr<memory::Block> block = arena->Allocate(input.bytes.size).value();
    std::memcpy(block->data(), input.bytes.data, input.bytes.size);
    input.bytes = memory::WholeSlice(block);
  }
  driver_->Say("delay cuMemcpyHtoDAsync_v2 20ms");
  std::vector<Tensor> results;
  const Status status = Run(*session, inputs, &results);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(BytesOf(results[0]), BytesOf(std::vector<float>{4, 5, 6}));
}

TEST_F(CudaSessionTest, PadsBatchesToPowersOfTwoUnlessToldNotTo) {
  SessionOptions options = Options("identity_fp32");
  const std::shared_ptr<Session> session = MustOpen(options);
  const std::vector<std::pair<int64_t, int64_t>> rows = {{0, 0}, {1, 1}, {2, 2}, {3, 4}, {33, 64}, {64, 64}, {INT64_MAX, INT64_MAX}};
  for (const auto& [asked, padded] : rows) EXPECT_EQ(session->PaddedRows(asked), padded);
  options.cuda.buckets = false;
  EXPECT_EQ(MustOpen(options)->PaddedRows(3), 3);
}

TEST_F(CudaSessionTest, LetsAsManyRunsGoOnAsThereArePermits) {
  for (const int permits : {1, 2}) {
    ort_.Say("ort delay RunWithBinding 400ms times 1");
    SessionOptions options = Options("scalar");
    options.cuda.runs_at_once = permits;
    const std::shared_ptr<Session> session = MustOpen(options);
    std::atomic<int> ended{0};
    const auto lane = [&] {
      std::vector<Tensor> results;
      EXPECT_TRUE(Run(*session, {Floats({}, {1})}, &results).ok());
      ++ended;
    };
    std::thread slow(lane);
    while (ort_.Calls("RunWithBinding") == 0) std::this_thread::sleep_for(milliseconds(1));
    std::thread quick(lane);
    std::this_thread::sleep_for(milliseconds(100));
    EXPECT_EQ(ort_.Calls("RunWithBinding"), static_cast<uint64_t>(permits));
    EXPECT_EQ(ended, permits - 1);
    slow.join();
    quick.join();
    EXPECT_EQ(ort_.Calls("RunWithBinding"), 2u);
  }
}

TEST_F(CudaSessionTest, ServesTwoLanesOfOnePermit) {
  const std::shared_ptr<Session> session = OpenOnGpu("two_in_one_out");
  const auto lane = [&](float value) {
    const std::unique_ptr<RunControl> control = session->NewRunControl();
    for (int i = 0; i < 200; ++i) {
      std::vector<Tensor> results;
      const Status status = session->Run(TwoInputs(value), {0}, *control, &results);
      ASSERT_TRUE(status.ok()) << status.message();
      ASSERT_EQ(BytesOf(results[0]), BytesOf(std::vector<float>{value, value + 1, value + 2}));
    }
  };
  std::thread other(lane, 10.0F);
  lane(20.0F);
  other.join();
}

TEST_F(CudaSessionTest, StopsALaneThatWaitsForThePermit) {
  ort_.Say("ort delay RunWithBinding 800ms times 1");
  const std::shared_ptr<Session> session = OpenOnGpu("scalar");
  std::thread holder([&] {
    std::vector<Tensor> results;
    EXPECT_TRUE(Run(*session, {Floats({}, {1})}, &results).ok());
  });
  while (ort_.Calls("RunWithBinding") == 0) std::this_thread::sleep_for(milliseconds(1));
  const std::unique_ptr<RunControl> control = session->NewRunControl();
  std::vector<Tensor> results;
  const auto start = std::chrono::steady_clock::now();
  std::thread stopper([&] {
    std::this_thread::sleep_for(milliseconds(30));
    control->Terminate();
  });
  EXPECT_EQ(session->Run({Floats({}, {1})}, {0}, *control, &results).code(), StatusCode::kRequestCancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(600));
  stopper.join();
  holder.join();
  EXPECT_EQ(ort_.Calls("RunWithBinding"), 1u);
  control->Reset();
  EXPECT_TRUE(session->Run({Floats({}, {1})}, {0}, *control, &results).ok());
}

TEST_F(CudaSessionTest, StopsARunInProgress) {
  const std::shared_ptr<Session> session = OpenOnGpu("slow");
  const std::unique_ptr<RunControl> control = session->NewRunControl();
  std::vector<Tensor> results;
  std::thread stopper([&] {
    while (ort_.Calls("RunWithBinding") == 0) std::this_thread::sleep_for(milliseconds(1));
    std::this_thread::sleep_for(milliseconds(30));
    control->Terminate();
  });
  const Tensor iterations = MakeTensor(DataType::kInt64, {1}, BytesOf(std::vector<int64_t>{1 << 30}));
  const Status status = session->Run({iterations, Floats({1, 64, 64}, std::vector<float>(64 * 64, 1.0F))}, {0}, *control, &results);
  stopper.join();
  EXPECT_EQ(status.code(), StatusCode::kRequestCancelled) << status.message();
}

TEST_F(CudaSessionTest, CallsAnOutOfMemoryOneThatPassesAndShrinksTheArenaOnce) {
  const std::vector<std::string> texts = {
      "Failed to allocate memory for requested buffer of size 1048576",
      "Available memory of 512 is smaller than requested bytes of 1024",
      "CUDA failure 2: out of memory ; GPU=0 ; hostname=secret ; expr=cudaMalloc((void**)&p, size); ",
      "CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0 ; hostname=secret",
      "CUDNN failure 4004: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED ; GPU=0 ; hostname=secret",
  };
  const std::shared_ptr<Session> session = OpenOnGpu("scalar");
  for (const std::string& text : texts) {
    ort_.Say("ort fail RunWithBinding \"" + text + "\" times 1");
    const uint64_t counted = gpu_->out_of_memory_count();
    const uint64_t shrinks = ort_.Shrinks();
    std::vector<Tensor> results;
    const Status status = Run(*session, {Floats({}, {1})}, &results);
    EXPECT_EQ(status.code(), StatusCode::kGpuMemory) << text;
    EXPECT_EQ(status.message().find("secret"), std::string::npos) << status.message();
    EXPECT_EQ(gpu_->out_of_memory_count(), counted + 1);
    session->ReleaseSpareMemory();
    ASSERT_TRUE(Run(*session, {Floats({}, {1})}, &results).ok());
    ASSERT_TRUE(Run(*session, {Floats({}, {1})}, &results).ok());
    EXPECT_EQ(ort_.Shrinks(), shrinks + 1);
  }
}

TEST_F(CudaSessionTest, RunsAllTheSameWhereNoArenaCanBeShrunk) {
  ort_.Say("ort fail RunWithBinding \"Did not find an arena based allocator registered for device-id  combination in the memory arena shrink "
           "list: gpu:0\" times 1");
  const std::shared_ptr<Session> session = OpenOnGpu("scalar");
  const uint64_t shrinks = ort_.Shrinks();
  for (uint64_t runs = 2; runs <= 3; ++runs) {
    session->ReleaseSpareMemory();
    std::vector<Tensor> results;
    const Status status = Run(*session, {Floats({}, {1})}, &results);
    EXPECT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(ort_.Calls("RunWithBinding"), runs);
    EXPECT_EQ(ort_.Shrinks(), shrinks + 1) << "asked for once";
  }
}

TEST_F(CudaSessionTest, BelievesTheDriverAndNotTheText) {
  const std::shared_ptr<Session> session = OpenOnGpu("scalar");
  ort_.Say(std::string("ort fail RunWithBinding \"") + kIllegalAddress + "\" times 1");
  std::vector<Tensor> results;
  const Status status = Run(*session, {Floats({}, {1})}, &results);
  EXPECT_EQ(status.code(), StatusCode::kModelRun);
  EXPECT_EQ(status.message(),
            "the model failed: Non-zero status code returned while running Add node. Name:'add' Status Message: CUDA failure 700: an "
            "illegal memory access was encountered");
  EXPECT_TRUE(Run(*session, {Floats({}, {1})}, &results).ok());
}

TEST_F(CudaSessionTest, NamesTheFaultOfABrokenContextAsTheDriverDoes) {
  const std::vector<std::pair<int, StatusCode>> faults = {{700, StatusCode::kGpuFault}, {999, StatusCode::kGpuLost}};
  for (const auto& [code, expected] : faults) {
    StartAfresh();
    const std::shared_ptr<Session> session = OpenOnGpu("scalar");
    ort_.Say("ort fail RunWithBinding \"Failed to allocate memory for requested buffer of size 8\"");
    driver_->Say("sticky cuStreamQuery " + std::to_string(code));
    std::vector<Tensor> results;
    const Status status = Run(*session, {Floats({}, {1})}, &results);
    EXPECT_EQ(status.code(), expected) << status.message();
    EXPECT_NE(status.message().find("(" + std::to_string(code) + ")"), std::string::npos) << status.message();
    // Nobody tries again in a context that is gone.
    EXPECT_EQ(Run(*session, {Floats({}, {1})}, &results).code(), expected);
    EXPECT_EQ(ort_.Calls("RunWithBinding"), 1u);
    EXPECT_EQ(OpenOrtSession(Options("scalar")).status().code(), expected);
  }
}

TEST_F(CudaSessionTest, AsksTheDriverAlsoWhyATensorCouldNotBeBound) {
  const std::shared_ptr<Session> session = OpenOnGpu("scalar");
  std::vector<Tensor> results;
  ort_.Say("ort fail BindInput \"CUDA failure 2: out of memory ; GPU=0\" times 1");
  EXPECT_EQ(Run(*session, {Floats({}, {1})}, &results).code(), StatusCode::kGpuMemory);
  ort_.Say("ort fail BindInput \"CUDA failure 700: an illegal memory access was encountered ; GPU=0\" times 1");
  driver_->Say("sticky cuStreamQuery 700");
  EXPECT_EQ(Run(*session, {Floats({}, {1})}, &results).code(), StatusCode::kGpuFault);
}

TEST_F(CudaSessionTest, ReleasesNothingOfOnnxRuntimeOnAGpuThatIsGone) {
  for (const bool gone : {false, true}) {
    StartAfresh();
    ort_.Say("");
    std::shared_ptr<Session> session = OpenOnGpu("scalar");
    std::unique_ptr<RunControl> lane = session->NewRunControl();
    std::vector<Tensor> results;
    ASSERT_TRUE(session->Run({Floats({}, {1})}, {0}, *lane, &results).ok());
    // Nobody has noticed yet.
    if (gone) driver_->Say("sticky cuStreamQuery 999");
    lane.reset();
    session.reset();
    EXPECT_EQ(ort_.Calls("ReleaseSession"), gone ? 0u : 1u);
  }
}

TEST_F(CudaSessionTest, TellsAFaultEvenWhenTheRunWasStopped) {
  const std::shared_ptr<Session> session = OpenOnGpu("scalar");
  ort_.Say("ort delay RunWithBinding 100ms\nort fail RunWithBinding \"Exiting due to terminate flag being set to true.\"");
  driver_->Say("sticky cuStreamQuery 700");
  const std::unique_ptr<RunControl> control = session->NewRunControl();
  std::thread stopper([&] {
    std::this_thread::sleep_for(milliseconds(30));
    control->Terminate();
  });
  std::vector<Tensor> results;
  EXPECT_EQ(session->Run({Floats({}, {1})}, {0}, *control, &results).code(), StatusCode::kGpuFault);
  stopper.join();
}

TEST_F(CudaSessionTest, LeavesInputsThatFindNoRoomToTheArenaAndShrinksItForTheNextRun) {
  const std::shared_ptr<Session> session = OpenOnGpu("two_in_one_out");
  const std::unique_ptr<RunControl> control = session->NewRunControl();
  const uint64_t shrinks = ort_.Shrinks();
  driver_->Say("fail cuMemAlloc_v2 2 after 1 times 1");
  for (const float value : {1.0F, 2.0F}) {
    std::vector<Tensor> results;
    ASSERT_TRUE(session->Run(TwoInputs(value), {0}, *control, &results).ok());
    EXPECT_EQ(BytesOf(results[0]), BytesOf(std::vector<float>{value, value + 1, value + 2}));
    EXPECT_EQ(ort_.Shrinks(), shrinks + 1) << "once is enough";
  }
}

TEST_F(CudaSessionTest, FailsARunWhoseInputsFindNoRoomInTheArenaEither) {
  const std::shared_ptr<Session> session = OpenOnGpu("scalar");
  driver_->Say("fail cuMemAlloc_v2 2 times 1");
  ort_.Say("ort fail BindInput \"Failed to allocate memory for requested buffer of size 4\" times 1");
  std::vector<Tensor> results;
  EXPECT_EQ(Run(*session, {Floats({}, {1})}, &results).code(), StatusCode::kGpuMemory);
  EXPECT_TRUE(Run(*session, {Floats({}, {1})}, &results).ok());
}

TEST_F(CudaSessionTest, FailsARunWhoseOutputFindsNoRoomAndGivesEverythingBack) {
  StartAfresh("gpu 0 memory 4MiB");
  const std::shared_ptr<Session> session = OpenOnGpu("big_out");
  const auto iterations = [](int64_t count) { return MakeTensor(DataType::kInt64, {1}, BytesOf(std::vector<int64_t>{count})); };
  const std::unique_ptr<RunControl> control = session->NewRunControl();
  std::vector<Tensor> results;
  ASSERT_TRUE(session->Run({iterations(5)}, {0}, *control, &results).ok());
  const uint64_t free_before = FreeBytes();
  EXPECT_EQ(session->Run({iterations(2 << 20)}, {0}, *control, &results).code(), StatusCode::kGpuMemory);
  EXPECT_EQ(FreeBytes(), free_before);
  ASSERT_TRUE(session->Run({iterations(5)}, {0}, *control, &results).ok());
  EXPECT_EQ(BytesOf(results[0]), BytesOf(std::vector<float>(5, 1.0F)));
}

TEST_F(CudaSessionTest, FailsARunWhoseCopyFails) {
  for (const char* function : {"cuMemcpyHtoDAsync_v2", "cuMemcpyDtoHAsync_v2", "cuStreamSynchronize"}) {
    StartAfresh();
    const std::shared_ptr<Session> session = OpenOnGpu("two_in_one_out");
    driver_->Say(std::string("fail ") + function + " 700");
    std::vector<Tensor> results;
    const Status status = Run(*session, TwoInputs(1), &results);
    EXPECT_EQ(status.code(), StatusCode::kGpuFault) << status.message();
    EXPECT_NE(status.message().find(function), std::string::npos) << status.message();
  }
}

TEST_F(CudaSessionTest, RefusesAModelLargerThanWhatIsFreeWithTheNumbers) {
  const std::string path = WriteModel(std::string((3u << 20) + 1, 'x'));
  StartAfresh("gpu 0 memory 16MiB used-by-others 14MiB");
  SessionOptions options = Options("scalar");
  options.model_path = path;
  const Status status = OpenOrtSession(options).status();
  EXPECT_EQ(status.code(), StatusCode::kGpuMemory);
  EXPECT_EQ(status.message(), "model.onnx needs at least 4 MiB of GPU memory for its weights, " + gpu_->info().uuid +
                                  " has 2 MiB free of 16 MiB");
  EXPECT_EQ(ort_.Calls("CreateSession"), 0u);
}

TEST_F(CudaSessionTest, CountsTheFilesThatTensorsName) {
  StartAfresh("gpu 0 memory 16MiB used-by-others 14MiB");
  std::filesystem::create_directories(folder_ / "parts");
  std::ofstream(folder_ / "parts" / "w.bin", std::ios::binary) << std::string(3u << 20, 'w');
  std::ofstream(folder_ / "other.bin", std::ios::binary) << std::string(64u << 20, 'o');
  const std::string entry = Field(13, Field(1, std::string("location")) + Field(2, std::string("parts/w.bin")));
  SessionOptions options = Options("scalar");
  options.model_path = WriteModel(ModelBytes(Field(5, entry)));
  EXPECT_NE(OpenOrtSession(options).status().message().find("needs at least 4 MiB"), std::string::npos);
}

TEST_F(CudaSessionTest, SaysWhyAModelThatFindsNoRoomCannotBeLoaded) {
  ort_.Say("ort fail CreateSession \"Failed to allocate memory for requested buffer of size 4096\"");
  EXPECT_EQ(OpenOrtSession(Options("scalar")).status().code(), StatusCode::kGpuMemory);
  ort_.Say("ort fail CreateSession \"no kernel\"");
  const Status refused = OpenOrtSession(Options("scalar")).status();
  EXPECT_EQ(refused.code(), StatusCode::kModelLoad);
  EXPECT_EQ(refused.message(), "cannot load model.onnx: no kernel");
}

TEST_F(CudaSessionTest, HandsOptionsToTheProvider) {
  SessionOptions options = Options("scalar");
  options.cuda.provider_options = {{"gpu_mem_limit", "1048576"}};
  MustOpen(options);
  EXPECT_EQ(ort_.Option("gpu_mem_limit"), "1048576");
  EXPECT_EQ(ort_.Option("device_id"), std::to_string(gpu_->info().ordinal));
  EXPECT_EQ(ort_.Option("cudnn_conv_algo_search"), "HEURISTIC");
  EXPECT_EQ(ort_.Option("user_compute_stream"), "");
  options.cuda.provider_options = {{"cudnn_conv_algo_search", "EXHAUSTIVE"}};
  MustOpen(options);
  EXPECT_EQ(ort_.Option("cudnn_conv_algo_search"), "EXHAUSTIVE");
}

TEST_F(CudaSessionTest, NamesAnOptionThatTheProviderRefuses) {
  for (const char* name : {"gpu_memory", "device_id"}) {
    SessionOptions options = Options("scalar");
    options.cuda.provider_options = {{name, "1"}};
    const Status status = OpenOrtSession(options).status();
    EXPECT_EQ(status.code(), StatusCode::kModelConfig);
    EXPECT_NE(status.message().find(name), std::string::npos) << status.message();
  }
}

TEST_F(CudaSessionTest, MeasuresWhatItTakesAndGivesItAllBack) {
  const uint64_t free_before = FreeBytes();
  {
    const std::shared_ptr<Session> session = OpenOnGpu("identity_fp32");
    EXPECT_TRUE(session->memory_use().empty());
    const std::unique_ptr<RunControl> control = session->NewRunControl();
    std::vector<Tensor> results;
    ASSERT_TRUE(session->Run({Floats({1024, 1024}, std::vector<float>(1 << 20, 1.0F))}, {0}, *control, &results).ok());
    session->MeasureMemory();
    const std::vector<MemoryUse> use = session->memory_use();
    ASSERT_EQ(use.size(), 1u);
    EXPECT_EQ(use[0].kind, "GPU");
    EXPECT_EQ(use[0].gpu_uuid, gpu_->info().uuid);
    EXPECT_EQ(use[0].bytes, free_before - FreeBytes());
    EXPECT_GE(use[0].bytes, 4u << 20);
    EXPECT_EQ(session->gpus(), std::vector<std::string>{gpu_->info().uuid});
  }
  EXPECT_EQ(FreeBytes(), free_before);
}

TEST_F(CudaSessionTest, KeepsTheModelForALaneThatOutlivesTheSession) {
  std::unique_ptr<RunControl> control;
  const uint64_t free_before = FreeBytes();
  {
    const std::shared_ptr<Session> session = OpenOnGpu("scalar");
    control = session->NewRunControl();
    std::vector<Tensor> results;
    ASSERT_TRUE(session->Run({Floats({}, {1})}, {0}, *control, &results).ok());
  }
  control->Terminate();
  control.reset();
  EXPECT_EQ(FreeBytes(), free_before);
}

TEST_F(CudaSessionTest, SpreadsLanesOverItsGpus) {
  StartAfresh("gpus 2");
  const device::Gpus gpus = device::FindGpus(device::FakeDriver::Options());
  ASSERT_EQ(gpus.list.size(), 2u);
  SessionOptions options = Options("two_in_one_out");
  options.gpus = gpus.list;
  const std::shared_ptr<Session> session = MustOpen(options);
  EXPECT_EQ(session->gpus(), (std::vector<std::string>{gpus.list[0]->info().uuid, gpus.list[1]->info().uuid}));
  const uint64_t first_before = gpus.list[0]->ReadMemory().value().free_bytes;
  const uint64_t second_before = gpus.list[1]->ReadMemory().value().free_bytes;
  const std::unique_ptr<RunControl> first = session->NewRunControl();
  const std::unique_ptr<RunControl> second = session->NewRunControl();
  EXPECT_EQ(first->gpu(), gpus.list[0]->info().uuid);
  EXPECT_EQ(second->gpu(), gpus.list[1]->info().uuid);
  std::vector<Tensor> results;
  ASSERT_TRUE(session->Run(TwoInputs(1), {0}, *first, &results).ok());
  EXPECT_LT(gpus.list[0]->ReadMemory().value().free_bytes, first_before);
  EXPECT_EQ(gpus.list[1]->ReadMemory().value().free_bytes, second_before);
  ASSERT_TRUE(session->Run(TwoInputs(2), {0}, *second, &results).ok());
  EXPECT_EQ(BytesOf(results[0]), BytesOf(std::vector<float>{2, 3, 4}));
  EXPECT_LT(gpus.list[1]->ReadMemory().value().free_bytes, second_before);
  session->MeasureMemory();
  const std::vector<MemoryUse> use = session->memory_use();
  ASSERT_EQ(use.size(), 2u);
  EXPECT_EQ(use[1].gpu_uuid, gpus.list[1]->info().uuid);
  EXPECT_EQ(use[1].id, 1);
}

}  // namespace
}  // namespace penstock::session
