#include "simulation/fleet.h"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <utility>
#include <vector>

namespace penstock::simulation {
namespace {

// Requests are handed out in portions, so that one server's part of it is simulated in one go and the whole never is in memory.
constexpr size_t kPortion = 1 << 18;

// Seeds of the streams of one job: the output function of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
// generators", OOPSLA 2014).
uint64_t SeedOf(uint64_t seed, uint64_t stream) {
  uint64_t mixed = seed + (stream + 1) * 0x9e3779b97f4a7c15;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

std::vector<ServerEvent> InOrder(std::vector<ServerEvent> events) {
  std::stable_sort(events.begin(), events.end(), [](const ServerEvent& a, const ServerEvent& b) { return a.at_ns < b.at_ns; });
  return events;
}

std::vector<std::vector<Life>> LivesOf(int64_t servers, const std::vector<ServerEvent>& events) {
  std::vector<std::vector<Life>> lives(static_cast<size_t>(servers), {Life()});
  for (const ServerEvent& event : events) {
    std::vector<Life>& own = lives[static_cast<size_t>(event.server)];
    const bool was_up = !own.empty() && own.back().end_ns == kNever;
    if (was_up == event.is_up) continue;
    const int64_t at_ns = kStartNs + event.at_ns;
    if (event.is_up) {
      own.push_back({at_ns, kNever});
    } else {
      own.back().end_ns = at_ns;
    }
  }
  return lives;
}

// Which server a request goes to: one of those that are up, by chance, as kube-proxy sends them.
class Router {
 public:
  // `events` are in order and outlive it.
  Router(const FleetJob& job, const std::vector<ServerEvent>& events, uint64_t seed)
      : events_(events), random_(seed), up_(static_cast<size_t>(job.servers)) {
    for (size_t i = 0; i < up_.size(); ++i) up_[i] = static_cast<int64_t>(i);
  }

  // At a moment that never falls, from the start; -1: none is up.
  int64_t Next(int64_t at_ns) {
    for (; next_event_ < events_.size() && events_[next_event_].at_ns <= at_ns; ++next_event_) Apply(events_[next_event_]);
    if (up_.empty()) return -1;
    return up_[static_cast<size_t>(random_.Between(0, static_cast<int64_t>(up_.size()) - 1))];
  }

 private:
  void Apply(const ServerEvent& event) {
    const auto at = std::lower_bound(up_.begin(), up_.end(), event.server);
    const bool was_up = at != up_.end() && *at == event.server;
    if (was_up == event.is_up) return;
    if (event.is_up) {
      up_.insert(at, event.server);
    } else {
      up_.erase(at);
    }
  }

  const std::vector<ServerEvent>& events_;
  Random random_;
  std::vector<int64_t> up_;  // rising
  size_t next_event_ = 0;
};

class Fleet {
 public:
  Fleet(const FleetJob& job, const std::function<bool()>& stopped)
      : job_(job),
        stopped_(stopped),
        runs_(job.run_times),
        events_(InOrder(job.events)),
        router_(job, events_, SeedOf(job.arrivals.seed, 0)) {
    for (std::vector<Life>& lives : LivesOf(job.servers, events_)) {
      servers_.emplace_back(job, runs_, std::move(lives), SeedOf(job.arrivals.seed, 1 + servers_.size()), &totals_);
    }
  }

  Result<FleetTotals> Run() && {
    if (stopped_()) return Stopped();
    Schedule schedule(job_.arrivals, 0, 1);
    size_t portion = 0;
    for (int64_t at_ns = schedule.Next(); at_ns != kNever; at_ns = schedule.Next()) {
      Send(at_ns);
      if (++portion < kPortion) continue;
      portion = 0;
      for (SimulatedServer& server : servers_) {
        if (stopped_()) return Stopped();
        server.RunUntil(kStartNs + at_ns);
      }
    }
    for (SimulatedServer& server : servers_) {
      if (!Finish(&server)) return Stopped();
    }
    return std::move(totals_);
  }

 private:
  static Status Stopped() { return Status(StatusCode::kRequestCancelled, "the simulation was stopped"); }

  void Send(int64_t at_ns) {
    const int64_t server = router_.Next(at_ns);
    if (at_ns >= job_.warm_up_ns) {
      ++totals_.requests;
      if (server < 0) ++totals_.lost;
    }
    if (server >= 0) servers_[static_cast<size_t>(server)].Arrive(kStartNs + at_ns);
  }

  // What waits may be most of the work. False: stopped.
  bool Finish(SimulatedServer* server) {
    int64_t step_ns = job_.arrivals.length_ns / 64 + 1;
    for (int64_t end_ns = job_.arrivals.length_ns; server->IsBusy(); end_ns += step_ns) {
      if (stopped_()) return false;
      server->RunUntil(end_ns);
      step_ns += step_ns / 8 + 1;
    }
    server->RunUntil(kNever);
    return true;
  }

  const FleetJob& job_;
  const std::function<bool()>& stopped_;
  const RunTable runs_;
  const std::vector<ServerEvent> events_;
  Router router_;
  FleetTotals totals_;
  std::deque<SimulatedServer> servers_;
};

}  // namespace

Result<FleetTotals> SimulateFleet(const FleetJob& job, const std::function<bool()>& stopped) {
  PENSTOCK_RETURN_IF_ERROR(CheckFleetJob(job));
  return Fleet(job, stopped).Run();
}

}  // namespace penstock::simulation
