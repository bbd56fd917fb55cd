// The native front end over an engine whose model does nothing: what is left is the way of a request from its bytes to those of the answer.
// Its instructions and system calls can be counted where nothing can be timed (README.md says how).
//
// Usage: front_end_alone RUN_US READY_FILE
//
// Serves "mlp_tiny", whose answers are zeros, on one loop. A run keeps its lane busy for RUN_US microseconds. Writes its ports as JSON to
// READY_FILE once it serves, and ends by SIGTERM.
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "frontend/front_end.h"
#include "memory/block.h"
#include "serving/engine.h"
#include "transport/acceptor.h"

namespace {

using namespace penstock;  // NOLINT: a program of one page

constexpr int64_t kMostRows = 64;

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "front_end_alone: %s\n", what.c_str());
  std::exit(70);
}

template <typename T>
T Need(Result<T> result) {
  if (!result.ok()) Fail(result.status().message());
  return std::move(result).value();
}

class ZerosSession : public session::Session {
 public:
  explicit ZerosSession(int64_t run_ns) : run_ns_(run_ns) {
    signature_.inputs = {{"x", DataType::kFp32, {-1, 64}, {"", ""}}};
    signature_.outputs = {{"y", DataType::kFp32, {-1, 10}, {"", ""}}};
  }

  const session::Signature& signature() const override { return signature_; }
  std::unique_ptr<session::RunControl> NewRunControl() const override { return std::make_unique<Control>(); }

  Status Run(const std::vector<session::Tensor>& inputs, const std::vector<size_t>&, session::RunControl&,
             std::vector<session::Tensor>* results) const override {
    for (const int64_t end_ns = MonotonicNs() + run_ns_; MonotonicNs() < end_ns;) {
    }
    const int64_t rows = inputs.front().dims.front();
    auto block = memory::BlockPool::Process().Allocate(static_cast<uint64_t>(rows) * 10 * sizeof(float));
    if (!block.ok()) return block.status();
    std::memset(block.value()->data(), 0, block.value()->size());
    results->push_back({DataType::kFp32, {rows, 10}, memory::WholeSlice(std::move(block).value())});
    return Status::Ok();
  }

 private:
  class Control : public session::RunControl {
   public:
    void Terminate() override {}
    void Reset() override {}
  };

  const int64_t run_ns_;
  session::Signature signature_;
};

void Publish(serving::Engine* engine, int64_t run_ns) {
  serving::VersionSpec spec;
  spec.model_name = "mlp_tiny";
  spec.max_batch_size = kMostRows;
  spec.inputs = {{"x", DataType::kFp32, {-1, 64}}};
  spec.outputs = {{"y", DataType::kFp32, {-1, 10}}};
  spec.pipeline.batching.merge = true;
  auto catalog = std::make_shared<serving::Catalog>();
  serving::CatalogModel& model = catalog->models[spec.model_name];
  auto version = Need(serving::ModelVersion::Create(std::make_shared<ZerosSession>(run_ns), spec, nullptr));
  model.versions[spec.version].version = engine->reaper().Adopt(std::move(version));
  model.default_version = spec.version;
  engine->catalog().Publish(std::move(catalog));
}

std::shared_ptr<transport::Acceptor> Open() {
  transport::ListenOptions options;
  options.host = "127.0.0.1";
  options.max_connections = 1000;
  return Need(transport::Acceptor::Open(options));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) Fail("expected RUN_US READY_FILE");
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigprocmask(SIG_BLOCK, &ends, nullptr);  // of all threads to come

  serving::Engine engine({1024, 0});
  Publish(&engine, std::atoll(argv[1]) * 1000);
  frontend::FrontEndOptions options;
  options.serves_grpc = true;
  options.max_request_bytes = 64 << 20;
  options.max_receiving_bytes = 256 << 20;
  options.max_concurrent_streams = 100;
  options.headers_timeout_ns = options.request_timeout_ns = options.keep_alive_timeout_ns = 60 * kNsPerSecond;
  const auto front_end = Need(frontend::FrontEnd::Start(options, &engine, {}, {frontend::MakeHttpConnection, frontend::MakeGrpcConnection},
                                                        std::make_shared<frontend::RequestEvents>(false, false, [] {})));
  const auto http = Open();
  const auto grpc = Open();
  const auto nobody = std::make_shared<frontend::HandOff>(0);
  front_end->Serve(frontend::Protocol::kHttp, http, nobody);
  front_end->Serve(frontend::Protocol::kGrpc, grpc, nobody);
  const std::string ready = argv[2];
  std::ofstream(ready + ".partial") << "{\"http\": " << http->port() << ", \"grpc\": " << grpc->port() << "}";
  if (std::rename((ready + ".partial").c_str(), ready.c_str()) != 0) Fail("cannot write " + ready);

  int signal = 0;
  sigwait(&ends, &signal);
  front_end->Destroy();
  engine.Stop();
  return 0;
}
