#include "loadgen/load_flags.h"

#include <utility>

#include "loadgen/flag_values.h"

namespace penstock::loadgen {
namespace {

// Keeps all moments far from overflow: 11 days.
constexpr double kMostSeconds = 1e6;
constexpr double kMostPerSecond = 1e7;
constexpr double kMostConnections = 60'000;
constexpr double kMostStreams = 10'000;

TakeFlag TextInto(std::string* to) {
  return [to](const std::string& flag, const std::string& value) {
    if (value.empty() || HasControl(value)) return Wrong(flag + ": an empty text, or one with control characters");
    *to = value;
    return Status::Ok();
  };
}

template <typename Store>
TakeFlag NumberFor(double least, double most, Store store) {
  return [=](const std::string& flag, const std::string& value) {
    const Result<double> parsed = Number(flag, value, least, most);
    if (parsed.ok()) store(parsed.value());
    return parsed.status();
  };
}

template <typename Store>
TakeFlag CountFor(double least, double most, Store store) {
  return [take = NumberFor(least, most, store)](const std::string& flag, const std::string& value) {
    if (value.find_first_not_of("0123456789") != std::string::npos) return Wrong(flag + ": \"" + value + "\" is not a whole number");
    return take(flag, value);
  };
}

TakeFlag FileInto(std::string* to) {
  return [to](const std::string& flag, const std::string& value) {
    Result<std::string> bytes = ReadFile(flag, value);
    if (bytes.ok()) *to = std::move(bytes).value();
    return bytes.status();
  };
}

TakeFlag ExpectationInto(ExpectedBody* to, bool whole) {
  return [to, whole, take = FileInto(&to->bytes)](const std::string& flag, const std::string& value) {
    to->whole = whole;
    return take(flag, value);
  };
}

TakeFlag HeaderInto(RequestParts* to) {
  return [to](const std::string& flag, const std::string& value) {
    const size_t colon = value.find(':');
    if (colon == std::string::npos || colon == 0 || HasControl(value)) return Wrong(flag + ": \"" + value + "\" is not NAME: VALUE");
    const size_t begin = value.find_first_not_of(' ', colon + 1);
    to->headers.emplace_back(value.substr(0, colon), begin == std::string::npos ? "" : value.substr(begin));
    return Status::Ok();
  };
}

}  // namespace

std::map<std::string, TakeFlag> LoadFlags(LoadOptions* options, Given* given) {
  return {
      {"--protocol", TextInto(&given->protocol)},
      {"--host", TextInto(&options->host)},
      {"--port", CountFor(1, 65'535, [=](double v) { options->port = static_cast<uint16_t>(v); })},
      {"--method", TextInto(&given->request.method)},
      {"--path", TextInto(&given->request.path)},
      {"--header", HeaderInto(&given->request)},
      {"--body", FileInto(&given->request.body)},
      {"--expect", ExpectationInto(&options->expected, true)},
      {"--expect-prefix", ExpectationInto(&options->expected, false)},
      {"--arrivals", TextInto(&given->arrivals)},
      {"--rate", NumberFor(1e-3, kMostPerSecond, [=](double v) { options->sender.schedule.rate = v, given->has_rate = true; })},
      {"--closed-loop", CountFor(1, kMostConnections, [=](double v) { options->in_flight = static_cast<size_t>(v); })},
      {"--duration", NumberFor(1e-3, kMostSeconds, [=](double v) { given->duration_s = v; })},
      {"--warm-up", NumberFor(0, kMostSeconds, [=](double v) { given->warm_up_s = v; })},
      {"--grace", NumberFor(0, kMostSeconds, [=](double v) { given->grace_s = v; })},
      {"--goal", NumberFor(1e-6, kMostSeconds * 1e3, [=](double v) { options->sender.goal_ns = Nanoseconds(v / 1e3); })},
      {"--threads", CountFor(1, 256, [=](double v) { options->threads = static_cast<size_t>(v); })},
      {"--connections", CountFor(1, kMostConnections, [=](double v) { options->max_connections = static_cast<size_t>(v); })},
      {"--streams", CountFor(1, kMostStreams, [=](double v) { given->streams = static_cast<size_t>(v); })},
      {"--seed", CountFor(0, 9007199254740991, [=](double v) { options->sender.schedule.seed = static_cast<uint64_t>(v); })},
  };
}

}  // namespace penstock::loadgen
