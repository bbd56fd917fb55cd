// penstock-loadgen: sends requests over HTTP/1.1 or gRPC at their moments and prints what came of them. `penstock bench` runs it.
#include <signal.h>
#include <sys/prctl.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "loadgen/load_options.h"
#include "loadgen/load_run.h"
#include "loadgen/report.h"

namespace {

constexpr int kExitUsage = 64;
constexpr int kExitUnreachable = 69;
constexpr int kExitSoftware = 70;
constexpr int kExitRefused = 75;

std::atomic<bool> stop{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set by a signal handler");

void PrintProgress(const penstock::loadgen::ProgressCounts& counts) {
  std::fprintf(stderr, "%4.0f s  sent %llu, answered %llu, misses %llu\n", counts.seconds, static_cast<unsigned long long>(counts.sent),
               static_cast<unsigned long long>(counts.answered), static_cast<unsigned long long>(counts.misses));
}

int Fail(int code, const penstock::Status& status) {
  std::fprintf(stderr, "penstock-loadgen: %s\n", status.message().c_str());
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace penstock::loadgen;  // NOLINT: the program is this folder
  struct sigaction action {};
  action.sa_handler = [](int) { stop.store(true); };
  for (const int signal : {SIGINT, SIGTERM}) sigaction(signal, &action, nullptr);
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (args.size() == 1 && args[0] == "--help") {
    std::fputs(UsageText(), stdout);
    return 0;
  }
  const penstock::Result<LoadOptions> options = ParseOptions(args);
  if (!options.ok()) return Fail(kExitUsage, options.status());
  if (options.value().ends_with_parent) prctl(PR_SET_PDEATHSIG, SIGTERM);

  const penstock::Result<LoadResult> result = RunLoad(options.value(), stop, PrintProgress);
  if (!result.ok()) return Fail(kExitUnreachable, result.status());
  const std::string json = ReportJson(options.value(), result.value());
  if (std::fputs(json.c_str(), stdout) < 0 || std::fflush(stdout) != 0) {
    return Fail(kExitSoftware, {penstock::StatusCode::kInternal, std::string("cannot write the result: ") + std::strerror(errno)});
  }
  const std::string refusal = Refusal(result.value().totals);
  return refusal.empty() ? 0 : Fail(kExitRefused, {penstock::StatusCode::kInternal, refusal});
}
