// When lanes will have got through the work that is known (reference/batching.md 7). Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "batching/item_times.h"

namespace penstock::batching {

class Forecast {
 public:
  void Clear() { lanes_.clear(); }
  // Of a lane that is busy until `end_ns` as far as is known. One that is overdue is expected to stay so for as long again. Were it counted
  // as done now, one stuck lane of two would promise half of the capacity for nothing (a run of 50 times its time under load: 0.70 of the
  // rows on time against 0.84); for one that is late by noise it is the same.
  void AddBusyLane(int64_t end_ns, int64_t now_ns) {
    lanes_.push_back({end_ns > now_ns ? end_ns : SaturatingAdd(now_ns, now_ns - end_ns), false});
  }
  void AddIdleLane(int64_t now_ns) { lanes_.push_back({now_ns, true}); }

  // The lane that is free first runs something for `ns`. Returns when that ends.
  int64_t Run(int64_t ns) {
    Lane& lane = *First();
    lane.end_ns = SaturatingAdd(lane.end_ns, ns);
    lane.idle = false;
    return lane.end_ns;
  }
  // Whether the lane that is free first is idle already.
  bool IdleNext() { return First()->idle; }

 private:
  struct Lane {
    int64_t end_ns;
    bool idle;
  };
  // There is always a lane.
  Lane* First() {
    return &*std::min_element(lanes_.begin(), lanes_.end(), [](const Lane& a, const Lane& b) {
      return a.end_ns != b.end_ns ? a.end_ns < b.end_ns : a.idle && !b.idle;
    });
  }
  std::vector<Lane> lanes_;
};

}  // namespace penstock::batching
