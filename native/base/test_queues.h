// Percentiles of queues by theory, to compare with what is measured or simulated.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace penstock {

// Poisson arrivals at one server whose service always takes `service`; the answer takes waiting and service. First come, first served.
// Erlang's and Crommelin's series for the waiting time (C. D. Crommelin, "Delay probability formulae when the holding times are constant",
// Post Office Electrical Engineers Journal 25, 1932; H. C. Tijms, "A First Course in Stochastic Models", 9.6.2). Its terms change sign, so
// that it holds up to some 20 services.
struct DeterministicQueue {
  double rate = 0;
  double service = 0;

  double Below(double response) const {
    const double waited = response - service;
    if (waited < 0) return 0;
    long double sum = 0;
    for (int k = 0; k <= static_cast<int>(waited / service); ++k) {
      const long double x = static_cast<long double>(rate) * (k * static_cast<long double>(service) - waited);
      sum += std::pow(x, k) / std::tgamma(static_cast<long double>(k) + 1) * std::exp(-x);
    }
    return static_cast<double>((1 - static_cast<long double>(rate * service)) * sum);
  }
};

// Poisson probabilities of 0, 1 ... events.
inline std::vector<double> PoissonShares(double mean, size_t states) {
  std::vector<double> shares(states);
  shares[0] = std::exp(-mean);
  for (size_t n = 1; n < states; ++n) shares[n] = shares[n - 1] * mean / static_cast<double>(n);
  return shares;
}

// Of a queue from which up to `most` leave at once, at equal steps, between which a Poisson number of mean `coming` comes: how many are
// there in the long run.
inline std::vector<double> QueueAtSteps(double coming, size_t most) {
  constexpr size_t kStates = 160;
  const std::vector<double> came = PoissonShares(coming, kStates);
  std::vector<double> there(kStates, 0.0);
  there[0] = 1;
  for (int round = 0; round < 2000; ++round) {
    std::vector<double> next(kStates, 0.0);
    for (size_t before = 0; before < kStates; ++before) {
      const size_t rest = before > most ? before - most : 0;
      for (size_t n = 0; n + rest < kStates; ++n) next[rest + n] += there[before] * came[n];
    }
    there = next;
  }
  return there;
}

// As that, but the server takes up to `most` waiting requests at once, and starts as soon as it is free and one waits. The number left
// behind by each service is a Markov chain (N. T. J. Bailey, "On queueing processes with bulk service", J. Royal Stat. Soc. B 16, 1954);
// whoever comes during a service waits for its rest and for the services of those ahead. Sums and the integral are numerical.
class BulkQueue {
 public:
  BulkQueue(double rate, double service, size_t most)
      : rate_(rate), service_(service), most_(most), left_(QueueAtSteps(rate * service, most)) {}

  double Below(double response) const {
    double arrivals = left_[0] * (response >= service_ ? 1 : 0);  // who finds nobody is served at once
    for (int step = 0; step < kSteps; ++step) {
      const double at = (step + 0.5) * service_ / kSteps;
      const double whole = std::floor((response - (service_ - at)) / service_ + 1e-12);
      const auto room = static_cast<size_t>(std::max(0.0, whole)) * most_;  // places in the queue from which one is served in time
      const std::vector<double> came = PoissonShares(rate_ * at, left_.size());
      double in_time = 0;
      for (size_t left = 0; left < left_.size(); ++left) {
        const size_t ahead = left > most_ ? left - most_ : 0;
        for (size_t n = 0; n < left_.size() && ahead + n + 1 <= room; ++n) in_time += left_[left] * came[n];
      }
      arrivals += rate_ * service_ / kSteps * in_time;
    }
    return arrivals / (left_[0] + rate_ * service_);
  }

 private:
  static constexpr int kSteps = 400;

  double rate_;
  double service_;
  size_t most_;
  std::vector<double> left_;  // probability that a service leaves so many behind
};

// Poisson arrivals in one line before `servers` that each take `service`. By the number of requests there one service later, and by how
// many of those who came after a request are then still there (G. J. Franx, "A simple solution for the M/D/c waiting time distribution",
// Operations Research Letters 29, 2001).
class ParallelQueue {
 public:
  ParallelQueue(double rate, double service, size_t servers)
      : rate_(rate), service_(service), servers_(servers), there_(QueueAtSteps(rate * service, servers)) {}

  double Below(double response) const {
    const double waited = response - service_;
    if (waited < 0) return 0;
    const auto services = static_cast<size_t>(waited / service_) + 1;
    const size_t places = services * servers_;
    const std::vector<double> came = PoissonShares(rate_ * (static_cast<double>(services) * service_ - waited), places);
    double sum = 0;
    for (size_t n = 0; n < places; ++n) sum += came[n] * AtMost(servers_ + places - n - 1);
    return sum;
  }

 private:
  double AtMost(size_t there) const {
    double sum = 0;
    for (size_t n = 0; n <= there && n < there_.size(); ++n) sum += there_[n];
    return sum;
  }

  double rate_;
  double service_;
  size_t servers_;
  std::vector<double> there_;
};

// The response time that a share of the requests do not pass.
template <typename Queue>
double QuantileOf(const Queue& queue, double share, double longest) {
  double low = 0;
  double high = longest;
  for (int i = 0; i < 50; ++i) {
    const double middle = (low + high) / 2;
    (queue.Below(middle) < share ? low : high) = middle;
  }
  return high;
}

}  // namespace penstock
