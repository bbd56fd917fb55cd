// What a model is like, measured before it serves: run times by batch size, whether rows are independent, whether a second lane pays.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "pipeline/pad_rows.h"
#include "pipeline/watchdog.h"
#include "session/session.h"

namespace penstock::pipeline {

// A run of `rows` rows took `ns` while `busy` lanes were running, itself included.
struct RunSample {
  int busy = 1;
  int64_t rows = 1;
  int64_t ns = 0;
};

// Two lanes of one device are worth having from this joint speed on (reference/batching.md 4).
inline constexpr double kWorthwhileJointSpeed = 1.2;

struct WarmUpOptions {
  bool batched = false;        // the first dimension of every tensor is the batch
  int64_t max_batch_rows = 1;  // largest batch to run; sizes are 1, 2, 4 ... and this one
  bool check_rows = false;     // run two different rows together and apart
  // Positions in the signature of the optional inputs that clients may give. Rows are checked without and with them, all else goes without.
  std::vector<size_t> optional_inputs;
  // With check_rows, on a model whose rows are independent: run a row beside a longer one, padded, and alone. May be null.
  std::shared_ptr<const Ragged> ragged;
  // Positions in the signature of the outputs that clients may ask for: what padding does to others is nobody's concern.
  std::vector<size_t> outputs;
  bool try_two_lanes = false;
  int64_t budget_ns = 10'000'000'000;  // no new size is begun after this much time
  uint64_t budget_bytes = 256u << 20;  // nor one whose inputs and outputs would take more
  // On GPUs: told of runs that break a context, by the name and version of the model; they may take any time. May be null.
  std::shared_ptr<Watchdog> watchdog;
  std::string model;
};

struct WarmUpReport {
  std::vector<RunSample> samples;   // empty when no made-up input ran
  int64_t open_dim = 0;             // what open dimensions other than the batch got when an input ran; 0 = none ran
  bool rows_are_independent = false;
  bool rows_may_be_padded = false;  // they do not feel what WarmUpOptions::ragged puts behind them
  double joint_speed = 0;           // of two lanes, against one; 0 = not measured
  std::vector<std::string> notes;   // for the log
};

// How fast two lanes are together against one, when one takes `one_ns` for some work and two take `two_ns` until each has done as much:
// 1 = they take turns, 2 = they do not feel each other. Of the shortest times, because a neighbour on the machine only ever adds to one;
// both hold as many positive times, at least one.
double JointSpeed(const std::vector<int64_t>& one_ns, const std::vector<int64_t>& two_ns);

// [thread that may block] Never fails: a model that refuses made-up inputs (sizes of open dimensions are guessed) is served without.
// May throw std::system_error, as Watchdog::Watch.
WarmUpReport WarmUp(const session::Session& session, const WarmUpOptions& options);

}  // namespace penstock::pipeline
