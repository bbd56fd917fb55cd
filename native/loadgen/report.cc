#include "loadgen/report.h"

#include <algorithm>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <iterator>

#include "loadgen/quantile_interval.h"

namespace penstock::loadgen {
namespace {

constexpr double kShares[] = {0.5, 0.9, 0.95, 0.99, 0.999};
constexpr const char* kShareNames[] = {"p50", "p90", "p95", "p99", "p999"};

[[gnu::format(printf, 1, 2)]] std::string Text(const char* format, ...) {
  char text[512];
  va_list values;
  va_start(values, format);
  std::vsnprintf(text, sizeof text, format, values);
  va_end(values);
  return text;
}

std::string Milliseconds(int64_t ns) { return ns == kNever ? "null" : Text("%.6f", static_cast<double>(ns) / 1e6); }

// `total`: values in the histogram, and those that never came.
std::string Quantiles(const Histogram& histogram, uint64_t total) {
  std::string json = "{";
  for (size_t i = 0; i < std::size(kShares); ++i) {
    if (i > 0) json += ", ";
    const RankInterval ranks = total == 0 ? RankInterval{0, 1} : QuantileInterval(total, kShares[i], kConfidence);
    const std::string value = total == 0 ? "null" : Milliseconds(histogram.Quantile(kShares[i], total));
    json += std::string("\"") + kShareNames[i] + "\": {\"value\": " + value +
            ", \"low\": " + (ranks.low == 0 ? "null" : Milliseconds(histogram.AtRank(ranks.low))) +
            ", \"high\": " + (ranks.high > total ? "null" : Milliseconds(histogram.AtRank(ranks.high))) + "}";
  }
  return json + Text(", \"mean_answered\": %.6f, \"max_answered\": %.6f}", histogram.mean_ns() / 1e6,
                     static_cast<double>(histogram.max_ns()) / 1e6);
}

std::string GoalBlocks(const Totals& totals) {
  std::string json = "[";
  for (const GoalBlock& block : totals.goal_blocks) {
    json += Text("%s[%" PRIu64 ", %" PRIu64 "]", json.size() > 1 ? ", " : "", block.requests, block.over);
  }
  return json + "]";
}

std::string Settings(const LoadOptions& options) {
  const ScheduleOptions& schedule = options.sender.schedule;
  constexpr const char* kNames[] = {"constant", "poisson", "gamma", "trace"};
  const bool is_grpc = options.protocol == Protocol::kGrpc;
  const size_t request_bytes = is_grpc ? options.grpc_request.body.size() : options.request.size();
  std::string json = is_grpc ? Text("{\"protocol\": \"grpc\", \"streams\": %zu, ", options.streams) : "{\"protocol\": \"http\", ";
  json += "\"loop\": ";
  if (options.sender.closed) {
    json += Text("\"closed\", \"concurrency\": %zu", options.in_flight);
  } else {
    json += Text("\"open\", \"arrivals\": \"%s\"", kNames[static_cast<size_t>(schedule.arrivals)]);
    if (schedule.arrivals == Arrivals::kGamma) json += Text(", \"shape\": %.17g", schedule.shape);
    json += Text(", \"seed\": %" PRIu64 ", \"max_connections\": %zu", schedule.seed, options.max_connections);
  }
  return json + Text(", \"warm_up_s\": %.9g, \"duration_s\": %.9g, \"grace_s\": %.9g, \"threads\": %zu, \"request_bytes\": %zu, "
                     "\"checks_body\": %s}",
                     static_cast<double>(options.sender.warm_up_ns) / 1e9,
                     static_cast<double>(schedule.length_ns - options.sender.warm_up_ns) / 1e9, static_cast<double>(options.grace_ns) / 1e9,
                     options.threads, request_bytes, options.expected.bytes.empty() && !options.expected.whole ? "false" : "true");
}

// What was asked for: null in a closed loop, and for a trace what it has in the time that counts.
std::string WantedRate(const LoadOptions& options, const LoadResult& result) {
  const ScheduleOptions& schedule = options.sender.schedule;
  if (options.sender.closed) return "null";
  if (schedule.arrivals != Arrivals::kTrace) return Text("%.9g", schedule.rate);
  const auto begin = std::lower_bound(schedule.trace_ns.begin(), schedule.trace_ns.end(), options.sender.warm_up_ns);
  const auto end = std::lower_bound(begin, schedule.trace_ns.end(), options.sender.warm_up_ns + result.measured_ns);
  return Text("%.9g", static_cast<double>(end - begin) * 1e9 / static_cast<double>(std::max<int64_t>(1, result.measured_ns)));
}

}  // namespace

std::string ReportJson(const LoadOptions& options, const LoadResult& result) {
  const Totals& totals = result.totals;
  const auto count = [&](Outcome outcome) { return totals.outcomes[static_cast<size_t>(outcome)]; };
  const double measured_s = std::max(1e-9, static_cast<double>(result.measured_ns) / 1e9);
  // A server that answers on after the end of the schedule has not kept up with it.
  const int64_t last_ns = totals.last_end_ns - result.start_ns - options.sender.warm_up_ns;
  const double answered_s = std::max(measured_s, static_cast<double>(last_ns) / 1e9);
  const uint64_t requests = totals.requests();
  const Histogram& delay = totals.schedule_delay;
  const std::string refusal = Refusal(totals);

  std::string json = "{\n";
  json += std::string("  \"complete\": ") + (result.is_complete ? "true" : "false") + ",\n";
  json += "  \"refused\": " + (refusal.empty() ? "null" : "\"" + refusal + "\"") + ",\n";
  json += "  \"rate_wanted\": " + WantedRate(options, result) + ",\n";
  json += Text("  \"rate_sent\": %.9g,\n", static_cast<double>(requests) / measured_s);
  json += Text("  \"rate_answered\": %.9g,\n", static_cast<double>(totals.answered()) / answered_s);
  const bool has_goal = options.sender.goal_ns > 0;
  json += "  \"goal_ms\": " + (has_goal ? Milliseconds(options.sender.goal_ns) : "null") + ",\n";
  const double in_time = static_cast<double>(totals.answered() - totals.late_answers);
  json += "  \"goodput\": " + (has_goal ? Text("%.9g", in_time / answered_s) : "null") + ",\n";
  json += "  \"goal_blocks\": " + (has_goal ? GoalBlocks(totals) : "null") + ",\n";
  json += Text("  \"counts\": {\"requests\": %" PRIu64 ", \"answered\": %" PRIu64 ", \"late_answers\": %" PRIu64
               ", \"misses\": %" PRIu64 ", \"wrong\": %" PRIu64 ", \"shed\": %" PRIu64 ", \"failed\": %" PRIu64 ", \"broken\": %" PRIu64
               ", \"unanswered\": %" PRIu64 ", \"warm_up\": %" PRIu64 "},\n",
               requests, totals.answered(), totals.late_answers, totals.misses(), count(Outcome::kWrong),
               count(Outcome::kShed), count(Outcome::kFailed), count(Outcome::kBroken), count(Outcome::kUnanswered), totals.warm_up);
  json += Text("  \"confidence\": %.9g,\n", kConfidence);
  json += "  \"latency_ms\": " + Quantiles(totals.latency, requests) + ",\n";
  json += "  \"from_send_ms\": " + Quantiles(totals.from_send, requests) + ",\n";
  if (options.sender.closed) {
    json += "  \"schedule_delay_ms\": null,\n";
  } else {
    json += "  \"schedule_delay_ms\": {\"p50\": " + Milliseconds(delay.Quantile(0.5, delay.count())) +
            ", \"p99\": " + Milliseconds(delay.Quantile(0.99, delay.count())) + ", \"max\": " + Milliseconds(delay.max_ns()) +
            Text(", \"late_share\": %.9g, \"waited_for_connection\": %" PRIu64 "},\n",
                 requests == 0 ? 0 : static_cast<double>(totals.late) / static_cast<double>(requests), totals.starved);
  }
  json += Text("  \"connections\": %zu,\n", result.connections);
  json += std::string("  \"preferred\": ") + (result.is_preferred ? "true" : "false") + ",\n";
  json += "  \"settings\": " + Settings(options) + "\n}\n";
  return json;
}

}  // namespace penstock::loadgen
