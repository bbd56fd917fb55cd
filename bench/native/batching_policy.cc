// The batching rule on the whole grid of reference/batching.md 1: on-time rows against an exact oracle (one lane, requests of one row) or a
// bound, and latencies against an eager server. Simulated: no device, no clock. Prints its progress; writes a summary as JSON.
// Usage: batching_policy OUT.json [ROWS]
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "simulation/policy_run.h"

namespace {

using namespace penstock::simulation;

constexpr RunCurve kCurves[] = {kGpu, kSmallGpu, kCpu, kGpuSteps, kCpuSteps};
constexpr double kLoads[] = {0.3, 0.6, 0.8, 0.9, 0.95, 1.1, 1.5, 3};
constexpr double kAllowed[] = {3, 5, 10};
constexpr uint64_t kSeeds = 2;

// Run times exactly as the warm-up saw them, and with noise of 5 %.
enum Setting : size_t { kExact, kNoisy, kSettings };
constexpr const char* kSettingNames[] = {"exact", "noisy"};
constexpr double kNoise[] = {0, 0.05};

struct Judged {
  Cell cell;
  double of_best[kSettings];     // on-time rows, of the best possible
  double eager[kSettings];       // those of the eager server, of the same
  double over_eager[kSettings];  // on-time rows less those of the eager server, of the latter
  double p99[kSettings];         // of the eager server's
};

Judged Judge(const Cell& cell) {
  Judged judged{cell, {}, {}, {}, {}};
  const std::vector<Arrival> arrivals = ArrivalsOf(cell);
  const auto best = static_cast<double>(BestOnTime(cell, arrivals));
  for (size_t setting = 0; setting < kSettings; ++setting) {
    Disturbance disturbance;
    disturbance.noise = kNoise[setting];
    const Served rule = Serve(cell, arrivals, Policy::kRule, disturbance);
    const Served eager = Serve(cell, arrivals, Policy::kEager, disturbance);
    judged.of_best[setting] = static_cast<double>(rule.on_time_rows) / best;
    const auto eager_rows = static_cast<double>(eager.on_time_rows);
    judged.eager[setting] = eager_rows / best;
    judged.over_eager[setting] = static_cast<double>(rule.on_time_rows) / std::max(1.0, eager_rows) - 1;
    judged.p99[setting] = static_cast<double>(rule.p99_ns) / static_cast<double>(eager.p99_ns);
  }
  return judged;
}

std::vector<Cell> Grid(int64_t rows) {
  std::vector<ArrivalPattern> patterns(std::begin(kOneRowPatterns), std::end(kOneRowPatterns));
  patterns.insert(patterns.end(), std::begin(kMixedPatterns), std::end(kMixedPatterns));
  std::vector<Cell> cells;
  for (const RunCurve& curve : kCurves) {
    for (const ArrivalPattern& pattern : patterns) {
      for (double load : kLoads) {
        for (double allowed : kAllowed) {
          for (int lanes : {1, 2}) {
            for (uint64_t seed = 1; seed <= kSeeds; ++seed) cells.push_back({curve, pattern, load, allowed, lanes, 1000 * seed, rows});
          }
        }
      }
    }
  }
  return cells;
}

std::string Describe(const Cell& cell) {
  char text[160];
  std::snprintf(text, sizeof text, "%s %s load %g D %g lanes %d seed %d", cell.curve.name, cell.pattern.name, cell.load, cell.allowed,
                cell.lanes, static_cast<int>(cell.seed));
  return text;
}

// Of the cells of one kind: how many pass which mark, and the worst.
class Summary {
 public:
  void Add(const Judged& judged, size_t setting) {
    const double of_best = judged.of_best[setting];
    ++cells_;
    sum_ += of_best;
    eager_sum_ += judged.eager[setting];
    if (of_best >= 0.95) ++at_mark_;
    if (judged.p99[setting] <= 1.01) ++p99_at_mark_;
    if (of_best < worst_) {
      worst_ = of_best;
      worst_cell_ = Describe(judged.cell);
    }
    if (judged.p99[setting] > worst_p99_) {
      worst_p99_ = judged.p99[setting];
      worst_p99_cell_ = Describe(judged.cell);
    }
    least_over_eager_ = std::min(least_over_eager_, judged.over_eager[setting]);
  }

  std::string Json() const {
    char text[600];
    std::snprintf(text, sizeof text,
                  "{\"cells\":%d,\"mean\":%.4f,\"worst\":%.4f,\"worstCell\":\"%s\",\"shareAtLeast095\":%.4f,\"p99WithinOnePercent\":%.4f,"
                  "\"eagerMean\":%.4f,\"worstP99\":%.4f,\"worstP99Cell\":\"%s\",\"leastOverEager\":%.4f}",
                  cells_, sum_ / cells_, worst_, worst_cell_.c_str(), Share(at_mark_), Share(p99_at_mark_), eager_sum_ / cells_, worst_p99_,
                  worst_p99_cell_.c_str(), least_over_eager_);
    return text;
  }

 private:
  double Share(int count) const { return static_cast<double>(count) / cells_; }

  int cells_ = 0;
  int at_mark_ = 0;
  int p99_at_mark_ = 0;
  double sum_ = 0;
  double eager_sum_ = 0;
  double worst_ = 1e9;
  double worst_p99_ = 0;
  double least_over_eager_ = 1e9;
  std::string worst_cell_;
  std::string worst_p99_cell_;
};

std::string Json(const std::map<std::string, Summary>& summaries) {
  std::string json = "{";
  for (const auto& [name, summary] : summaries) {
    if (json.size() > 1) json += ",";
    json += "\n    \"" + name + "\": " + summary.Json();
  }
  return json + "\n  }";
}

std::vector<Judged> JudgeAll(const std::vector<Cell>& cells) {
  std::vector<Judged> judged(cells.size());
  std::atomic<size_t> next{0};
  std::mutex printing;
  size_t done = 0;
  const auto work = [&] {
    for (size_t i = next++; i < cells.size(); i = next++) {
      judged[i] = Judge(cells[i]);
      const std::lock_guard<std::mutex> lock(printing);
      if (++done % 100 == 0) std::fprintf(stderr, "%zu of %zu cells\n", done, cells.size());
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < std::thread::hardware_concurrency(); ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  return judged;
}

}  // namespace

int main(int argc, char** argv) {
  const int64_t rows = argc == 3 ? std::atoll(argv[2]) : 20'000;
  if (argc < 2 || argc > 3 || rows <= 0) {
    std::fprintf(stderr, "usage: batching_policy OUT.json [ROWS]\n");
    return 64;
  }
  std::map<std::string, Summary> kinds;
  std::map<std::string, Summary> by_curve;
  for (const Judged& judged : JudgeAll(Grid(rows))) {
    const Cell& cell = judged.cell;
    for (size_t setting = 0; setting < kSettings; ++setting) {
      const std::string suffix = std::string(" ") + kSettingNames[setting];
      const std::string lanes = " L" + std::to_string(cell.lanes);
      const std::string kind = cell.pattern.mixed ? "mixed" : "one-row";
      kinds[kind + suffix].Add(judged, setting);
      kinds[kind + lanes + suffix].Add(judged, setting);
      by_curve[std::string(cell.curve.name) + " " + cell.pattern.name + lanes + suffix].Add(judged, setting);
    }
  }
  const std::string json = "{\n  \"rows\": " + std::to_string(rows) + ",\n  \"kinds\": " + Json(kinds) + ",\n  \"byCurveAndArrivals\": " +
                           Json(by_curve) + "\n}\n";
  std::FILE* out = std::fopen(argv[1], "w");
  if (out == nullptr || std::fputs(json.c_str(), out) < 0 || std::fclose(out) != 0) {
    std::fprintf(stderr, "cannot write %s\n", argv[1]);
    return 73;
  }
  std::printf("%s\n", Json(kinds).c_str());
  return 0;
}
