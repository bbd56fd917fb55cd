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

// As that, but the server takes up to `most` waiting requests at once, and starts as soon as it is free and one waits. The number left
// behind by each service is a Markov chain (N. T. J. Bailey, "On queueing processes with bulk service", J. Royal Stat. Soc. B 16, 1954);
// whoever comes during a service waits for its rest and for the services of those ahead. Sums and the integral are numerical.
class BulkQueue {
 public:
  BulkQueue(double rate, double service, int most) : rate_(rate), service_(service), most_(most), left_(kStates, 0.0) {
    left_[0] = 1;
    for (int round = 0; round < 2000; ++round) Step();
  }

  double Below(double response) const {
    double arrivals = left_[0] * (response >= service_ ? 1 : 0);  // who finds nobody is served at once
    for (int step = 0; step < kSteps; ++step) {
      const double at = (step + 0.5) * service_ / kSteps;
      const auto whole = static_cast<int>(std::floor((response - (service_ - at)) / service_ + 1e-12));
      const int room = whole * most_;  // places in the queue from which one is served in time
      const std::vector<double> came = Poisson(rate_ * at);
      double in_time = 0;
      for (int left = 0; left < kStates; ++left) {
        const int ahead = std::max(0, left - most_);
        for (int n = 0; n < kStates && ahead + n + 1 <= room; ++n) in_time += left_[Index(left)] * came[Index(n)];
      }
      arrivals += rate_ * service_ / kSteps * in_time;
    }
    return arrivals / (left_[0] + rate_ * service_);
  }

 private:
  static constexpr int kStates = 160;
  static constexpr int kSteps = 400;

  static size_t Index(int i) { return static_cast<size_t>(i); }

  static std::vector<double> Poisson(double mean) {
    std::vector<double> probability(kStates);
    probability[0] = std::exp(-mean);
    for (int n = 1; n < kStates; ++n) probability[Index(n)] = probability[Index(n - 1)] * mean / n;
    return probability;
  }

  void Step() {
    const std::vector<double> came = Poisson(rate_ * service_);
    std::vector<double> next(kStates, 0.0);
    for (int left = 0; left < kStates; ++left) {
      const int rest = std::max(0, left - most_);
      for (int n = 0; n + rest < kStates; ++n) next[Index(rest + n)] += left_[Index(left)] * came[Index(n)];
    }
    left_ = next;
  }

  double rate_;
  double service_;
  int most_;
  std::vector<double> left_;  // probability that a service leaves so many behind
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
