// A question whose answer is known, asked of a GPU again and again: one that computes wrongly without an error shows only so.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "pipeline/heartbeat.h"
#include "pipeline/watchdog.h"
#include "session/session.h"

namespace penstock::pipeline {

struct CanaryOptions {
  std::string model;      // name and version, for messages
  bool batched = false;   // the first dimension of every tensor is the batch: one row is asked
  int64_t open_dim = 1;   // what every other open dimension gets; a size that the warm-up has run
  std::shared_ptr<Watchdog> watchdog;  // of the checks; may be null
  // Of the version's lanes, behind which checks wait for their turn; null: checks are judged by themselves.
  std::shared_ptr<RunHistory> run_history;
};

struct CanaryCheck {
  std::string gpu;  // UUID
  Status status;    // not OK: it could not be done; kRequestCancelled: it was stopped
  std::string mismatch;  // what differs; empty: nothing does
};

// Of one model version. Keeps its session alive.
class Canary {
 public:
  // [loader thread] Runs a made-up input a few times on each GPU of the session, which has one at least, and keeps the answers, each GPU's
  // own: two types of GPU round differently. Null when it does not run or when answers differ (a model may draw random numbers); `*why`
  // says so then. May throw std::system_error, as Watchdog::Watch.
  static std::unique_ptr<Canary> Create(std::shared_ptr<const session::Session> session, const CanaryOptions& options, std::string* why);

  // [one thread] Asks every GPU in turn and compares bit by bit.
  std::vector<CanaryCheck> Check();
  // [any thread] Ends a check in progress; later ones end at once.
  void Stop();

 private:
  struct Answer {  // copied, so that it holds no page-locked memory
    DataType dtype = DataType::kInvalid;
    std::vector<int64_t> dims;
    std::vector<uint8_t> bytes;
  };
  struct OnGpu {
    std::string gpu;
    std::unique_ptr<session::RunControl> control;
    std::unique_ptr<Heartbeat> heartbeat;  // null: nobody watches
    std::vector<Answer> answers;
  };
  Canary(std::shared_ptr<const session::Session> session, std::string model, std::vector<session::Tensor> inputs);
  // `begin_ns` as RunWatched has it.
  Status Ask(OnGpu* place, int64_t begin_ns, std::vector<session::Tensor>* outputs) const;
  // What differs from the kept answers; empty: nothing does.
  std::string Compare(const OnGpu& place, const std::vector<session::Tensor>& outputs) const;
  Status Learn(OnGpu* place) const;

  const std::shared_ptr<const session::Session> session_;
  const std::string model_;
  const std::vector<session::Tensor> inputs_;
  std::vector<size_t> all_outputs_;
  std::vector<OnGpu> places_;
};

}  // namespace penstock::pipeline
