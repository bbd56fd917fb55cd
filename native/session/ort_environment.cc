#include "session/ort_environment.h"

#include <atomic>
#include <filesystem>
#include <mutex>

#include "base/thread_name.h"
#include "session/ort_handle.h"
#include "session/ort_library.h"
#include "session/ort_runtime.h"
#include "session/ort_status.h"

namespace penstock::session {
namespace {

std::atomic<const OrtRuntime*> current{nullptr};

Status CreateEnvironment(const OrtFunctions& ort, int intra_op_threads, OrtRuntime* runtime) {
  const auto check = [&ort](OrtStatus* status) {
    return TakeOrtStatus(ort, status, StatusCode::kOrtLibrary, "cannot create the ONNX Runtime environment: ");
  };
  OrtThreadingOptions* raw_threads = nullptr;
  PENSTOCK_RETURN_IF_ERROR(check(ort.CreateThreadingOptions(&raw_threads)));
  const OrtHandle<OrtThreadingOptions> threads(raw_threads, ort.ReleaseThreadingOptions);
  PENSTOCK_RETURN_IF_ERROR(check(ort.SetGlobalIntraOpNumThreads(raw_threads, intra_op_threads)));
  // Lanes run models side by side; nodes of one model run one after the other, so the inter-op pool needs no thread of its own.
  PENSTOCK_RETURN_IF_ERROR(check(ort.SetGlobalInterOpNumThreads(raw_threads, 1)));
  // Pool threads that spin after each run would take the cores from the front ends.
  PENSTOCK_RETURN_IF_ERROR(check(ort.SetGlobalSpinControl(raw_threads, 0)));

  PENSTOCK_RETURN_IF_ERROR(check(ort.CreateCpuMemoryInfo(kOrtDeviceAllocator, kOrtMemTypeDefault, &runtime->cpu_memory)));
  PENSTOCK_RETURN_IF_ERROR(check(ort.GetAllocatorWithDefaultOptions(&runtime->allocator)));
  const ThreadNameForChildren pool(kOrtThreadName);
  // Every error that matters comes back as a status. The library's own lines (one for each failed run) would break the JSON log.
  return check(ort.CreateEnvWithGlobalThreadPools(kOrtLogFatal, "penstock", raw_threads, &runtime->env));
}

}  // namespace

const OrtRuntime* CurrentOrt() { return current.load(std::memory_order_acquire); }

Status StartOrt(const OrtOptions& options) {
  static std::mutex* starting = new std::mutex();
  const std::lock_guard<std::mutex> lock(*starting);

  std::error_code error;
  std::string canonical = std::filesystem::canonical(options.library_path, error).string();
  if (error) canonical.clear();  // the loader gives the better reason
  if (const OrtRuntime* running = CurrentOrt(); running != nullptr) {
    if (canonical == running->canonical_path) return Status::Ok();
    return Status(StatusCode::kOrtLibrary, "cannot use '" + options.library_path + "' as the ONNX Runtime library: this process already " +
                                               "runs '" + running->canonical_path + "'");
  }
  if (options.intra_op_threads < 1) {
    return Status(StatusCode::kConfigOption,
                  "intra_op_threads: found " + std::to_string(options.intra_op_threads) + ", expected 1 or more");
  }

  Result<OrtLibrary> library = OpenOrtLibrary(options.library_path);
  if (!library.ok()) return library.status();
  auto* runtime = new OrtRuntime{};
  runtime->functions = library.value().functions;
  runtime->version = library.value().version;
  runtime->canonical_path = canonical;
  runtime->folder = std::filesystem::path(options.library_path).parent_path().string();
  const Status created = CreateEnvironment(runtime->functions, options.intra_op_threads, runtime);
  if (!created.ok()) {
    delete runtime;
    return created;
  }
  current.store(runtime, std::memory_order_release);
  return Status::Ok();
}

std::string OrtVersion() {
  const OrtRuntime* running = CurrentOrt();
  return running == nullptr ? std::string() : running->version;
}

}  // namespace penstock::session
