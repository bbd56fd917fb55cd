#include "base/schedule.h"

#include <charconv>
#include <cmath>
#include <string>

namespace penstock {

int64_t Schedule::Next() {
  for (;;) {
    const int64_t at_ns = NextOfAll();
    if (at_ns >= options_.length_ns) return kNever;
    if (made_++ % shares_ == share_) return at_ns;
  }
}

int64_t Schedule::NextOfAll() {
  const double gap_ns = static_cast<double>(kNsPerSecond) / options_.rate;
  switch (options_.arrivals) {
    case Arrivals::kConstant:
      now_ns_ = static_cast<double>(made_) * gap_ns;  // a sum of gaps would drift
      break;
    case Arrivals::kPoisson:
      now_ns_ += random_.Exponential(gap_ns);
      break;
    case Arrivals::kGamma:
      now_ns_ += random_.Gamma(options_.shape, gap_ns);
      break;
    case Arrivals::kTrace:
      return made_ < options_.trace_ns.size() ? options_.trace_ns[made_] : kNever;
  }
  return now_ns_ < static_cast<double>(options_.length_ns) ? static_cast<int64_t>(now_ns_) : kNever;
}

Result<std::vector<int64_t>> ParseTrace(std::string_view text) {
  std::vector<int64_t> trace_ns;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    double seconds = -1;
    const auto [rest, error] = std::from_chars(line.data(), line.data() + line.size(), seconds);
    const bool is_moment = error == std::errc() && rest == line.data() + line.size() && seconds >= 0 && seconds <= kLongestTraceSeconds;
    const int64_t at_ns = is_moment ? std::llround(seconds * static_cast<double>(kNsPerSecond)) : 0;
    if (!is_moment || (!trace_ns.empty() && at_ns < trace_ns.back())) {
      return Status(StatusCode::kConfigOption, "the trace, line " + std::to_string(number) + ": \"" + std::string(line.substr(0, 40)) +
                                                   "\" is not a moment in seconds (0 to 1000000), or is before the one above it");
    }
    trace_ns.push_back(at_ns);
  }
  if (trace_ns.empty()) return Status(StatusCode::kConfigOption, "the trace has no request");
  return trace_ns;
}

}  // namespace penstock
