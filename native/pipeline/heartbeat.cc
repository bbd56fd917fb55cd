#include "pipeline/heartbeat.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <utility>

namespace penstock::pipeline {
namespace {

constexpr int64_t kMs = 1'000'000;
// reference/reliability.md 3
constexpr int64_t kHungFactor = 10;
constexpr int64_t kOverdueFactor = 3;

int64_t Times(int64_t ns, int64_t factor) { return ns > INT64_MAX / factor ? INT64_MAX : ns * factor; }

size_t CellOf(int64_t ns) {
  const auto value = static_cast<uint64_t>(std::max<int64_t>(ns, 0));
  if (value < 8) return static_cast<size_t>(value);
  const int highest_bit = 63 - __builtin_clzll(value);
  return static_cast<size_t>(highest_bit - 2) * 8 + ((value >> (highest_bit - 3)) & 7);
}

// The longest time that falls into this cell.
int64_t LongestIn(size_t cell) {
  if (cell < 8) return static_cast<int64_t>(cell);
  const uint64_t first_beyond = (cell % 8 + 9) << (cell / 8 - 1);
  return static_cast<int64_t>(first_beyond - 1);
}

}  // namespace

void RunHistory::Record(int64_t ns) noexcept { counts_[CellOf(ns)].fetch_add(1, std::memory_order_relaxed); }

int64_t RunHistory::Quantile999() const noexcept {
  uint64_t total = 0;
  for (const std::atomic<uint64_t>& count : counts_) total += count.load(std::memory_order_relaxed);
  if (total == 0) return 0;
  uint64_t above = 0;
  size_t cell = counts_.size();
  // Counts that grow meanwhile only move the answer up.
  while (above <= total / 1000 && cell != 0) above += counts_[--cell].load(std::memory_order_relaxed);
  return LongestIn(cell);
}

struct Heartbeat::Place {
  std::atomic<int64_t> last_success_ns{0};  // 0 = never
  // The rest is guarded by the registry's mutex.
  bool broke = false;
  std::shared_ptr<const std::string> suspect;  // of what broke it; null: nobody
};

struct Heartbeat::Entry {
  const std::shared_ptr<const std::string> model;  // shared, so that naming it allocates nothing
  const std::string gpu;
  const std::shared_ptr<RunHistory> history;
  Place* const place;  // the registry's
  std::atomic<int64_t> began_ns{0};  // 0 = no run is in progress
};

struct Heartbeat::Registry {
  explicit Registry(int64_t own_limit_ns) : limit_ns(own_limit_ns) {}

  int64_t AllowedNs(const Entry& entry) const { return std::max(limit_ns, Times(entry.history->Quantile999(), kHungFactor)); }

  // With `mutex` held.
  int64_t RunningNs(const Entry& entry, int64_t now_ns) const {
    const int64_t began_ns = entry.began_ns.load(std::memory_order_relaxed);
    return began_ns == 0 || began_ns == kUntimed ? 0 : std::max<int64_t>(0, now_ns - std::max(began_ns, stood_still_until_ns));
  }

  const int64_t limit_ns;
  mutable std::mutex mutex;  // guards the rest
  std::set<const Entry*> entries;
  std::map<std::string, Place> places;  // by UUID; every GPU that ever ran something
  int64_t last_look_ns = 0;
  int64_t stood_still_until_ns = 0;
};

Heartbeat::Heartbeat(std::shared_ptr<Registry> registry, std::unique_ptr<Entry> entry)
    : registry_(std::move(registry)), entry_(std::move(entry)) {
  const std::lock_guard<std::mutex> lock(registry_->mutex);
  registry_->entries.insert(entry_.get());
}

Heartbeat::~Heartbeat() {
  const std::lock_guard<std::mutex> lock(registry_->mutex);
  registry_->entries.erase(entry_.get());
}

void Heartbeat::Begin(int64_t now_ns) noexcept { entry_->began_ns.store(now_ns, std::memory_order_relaxed); }

void Heartbeat::End(int64_t now_ns, bool succeeded) noexcept {
  const int64_t began_ns = entry_->began_ns.exchange(0, std::memory_order_relaxed);
  if (!succeeded || began_ns == kUntimed) return;
  entry_->history->Record(now_ns - began_ns);
  entry_->place->last_success_ns.store(now_ns, std::memory_order_relaxed);
}

void Heartbeat::Broke() noexcept {
  const std::lock_guard<std::mutex> lock(registry_->mutex);
  Place& place = *entry_->place;
  if (place.broke) return;
  place.broke = true;
  for (const Entry* other : registry_->entries) {
    const bool runs = other->began_ns.load(std::memory_order_relaxed) != 0;
    if (other->place == &place && runs && *other->model != *entry_->model) return;
  }
  place.suspect = entry_->model;
}

Heartbeats::Heartbeats(int64_t limit_ns) : registry_(std::make_shared<Heartbeat::Registry>(limit_ns)) {}

std::unique_ptr<Heartbeat> Heartbeats::Add(std::string model, std::string gpu, std::shared_ptr<RunHistory> history) {
  Heartbeat::Place* place = nullptr;
  {
    const std::lock_guard<std::mutex> lock(registry_->mutex);
    place = &registry_->places[gpu];
  }
  std::unique_ptr<Heartbeat::Entry> entry(new Heartbeat::Entry{
      std::make_shared<const std::string>(std::move(model)), std::move(gpu), std::move(history), place, {}});
  return std::unique_ptr<Heartbeat>(new Heartbeat(registry_, std::move(entry)));
}

GpuActivity Heartbeats::activity(const std::string& gpu, int64_t now_ns) const {
  GpuActivity activity;
  const std::lock_guard<std::mutex> lock(registry_->mutex);
  const auto place = registry_->places.find(gpu);
  if (place == registry_->places.end()) return activity;
  const int64_t success_ns = place->second.last_success_ns.load(std::memory_order_relaxed);
  if (place->second.suspect != nullptr) activity.suspect = *place->second.suspect;
  if (success_ns != 0) activity.last_batch_age_ms = std::max<int64_t>(0, now_ns - success_ns) / kMs;
  if (registry_->limit_ns == 0) return activity;
  for (const Heartbeat::Entry* entry : registry_->entries) {
    const int64_t running_ns = registry_->RunningNs(*entry, now_ns);
    if (entry->gpu != gpu || running_ns <= registry_->limit_ns || running_ns <= registry_->AllowedNs(*entry)) continue;
    if (running_ns / kMs < activity.hung_ms) continue;
    activity.hung_ms = std::max<int64_t>(1, running_ns / kMs);
    activity.suspect = *entry->model;
  }
  return activity;
}

std::optional<HungRun> Heartbeats::Overdue(int64_t now_ns) {
  std::optional<HungRun> longest;
  if (registry_->limit_ns == 0) return longest;
  const std::lock_guard<std::mutex> lock(registry_->mutex);
  const int64_t pause_ns = now_ns - registry_->last_look_ns;
  if (registry_->last_look_ns != 0 && pause_ns > registry_->limit_ns / 2) registry_->stood_still_until_ns = now_ns;
  registry_->last_look_ns = now_ns;
  for (const Heartbeat::Entry* entry : registry_->entries) {
    const int64_t running_ns = registry_->RunningNs(*entry, now_ns);
    if (running_ns <= registry_->limit_ns) continue;
    const int64_t allowed_ns = registry_->AllowedNs(*entry);
    if (running_ns <= Times(allowed_ns, kOverdueFactor)) continue;
    if (!longest || running_ns / kMs > longest->running_ms) longest = {*entry->model, entry->gpu, running_ns / kMs, allowed_ns / kMs};
  }
  return longest;
}

std::string GpuOf(const session::Session& session, const session::RunControl& control) {
  const std::string named = control.gpu();
  return named.empty() ? session.gpus().front() : named;
}

}  // namespace penstock::pipeline
