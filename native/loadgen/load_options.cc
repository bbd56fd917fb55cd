#include "loadgen/load_options.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <utility>

#include "loadgen/request_bytes.h"

namespace penstock::loadgen {
namespace {

// Keeps all moments far from overflow: 11 days.
constexpr double kMostSeconds = 1e6;
constexpr double kMostPerSecond = 1e7;
constexpr double kMostConnections = 60'000;
constexpr double kMostStreams = 10'000;

Status Wrong(const std::string& what) { return {StatusCode::kConfigOption, what}; }

struct Given {
  std::string protocol = "http";
  RequestParts request;
  std::string arrivals = "poisson";
  double duration_s = 0;  // 0: not given
  double warm_up_s = 0;
  double grace_s = 10;
  size_t streams = 0;      // 0: not given
  bool has_rate = false;
};

Result<double> Number(const std::string& flag, const std::string& text, double least, double most) {
  double value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && rest == text.data() + text.size() && value >= least && value <= most) return value;
  char range[80];
  std::snprintf(range, sizeof range, "a number from %g to %.10g", least, most);
  return Wrong(flag + ": \"" + text + "\" is not " + range);
}

Result<std::string> ReadFile(const std::string& flag, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file.is_open() || file.bad()) return Wrong(flag + ": cannot read " + path);
  return bytes;
}

Status TakeArrivals(const std::string& text, ScheduleOptions* schedule) {
  const size_t colon = text.find(':');
  const std::string name = text.substr(0, colon);
  const std::string rest = colon == std::string::npos ? "" : text.substr(colon + 1);
  if (text == "poisson") {
    schedule->arrivals = Arrivals::kPoisson;
  } else if (text == "constant") {
    schedule->arrivals = Arrivals::kConstant;
  } else if (name == "gamma") {
    schedule->arrivals = Arrivals::kGamma;
    const Result<double> shape = Number("--arrivals gamma:SHAPE", rest, 0.01, 1000);
    PENSTOCK_RETURN_IF_ERROR(shape.status());
    schedule->shape = shape.value();
  } else if (name == "trace" && !rest.empty()) {
    schedule->arrivals = Arrivals::kTrace;
    const Result<std::string> file = ReadFile("--arrivals", rest);
    PENSTOCK_RETURN_IF_ERROR(file.status());
    Result<std::vector<int64_t>> trace = ParseTrace(file.value());
    PENSTOCK_RETURN_IF_ERROR(trace.status());
    schedule->trace_ns = std::move(trace).value();
  } else {
    return Wrong("--arrivals: \"" + text + "\" is not poisson, constant, gamma:SHAPE or trace:FILE");
  }
  return Status::Ok();
}

int64_t Nanoseconds(double seconds) { return std::llround(seconds * static_cast<double>(kNsPerSecond)); }

Status SettleRequest(const Given& given, LoadOptions* options) {
  const RequestParts& parts = given.request;
  const std::string authority = Authority(options->host, options->port);
  if (given.protocol == "http") {
    if (given.streams != 0) return Wrong("--streams: a connection of HTTP/1.1 carries one request at a time");
    options->request = HttpRequestOf(parts, authority);
  } else if (given.protocol == "grpc") {
    if (!parts.method.empty()) return Wrong("--method: gRPC has one");
    if (parts.body.size() > UINT32_MAX) return Wrong("--body: a message of gRPC is smaller than 4 GiB");
    options->protocol = Protocol::kGrpc;
    options->streams = given.streams == 0 ? kDefaultStreams : given.streams;
    options->grpc_request = GrpcRequestOf(parts, authority);
  } else {
    return Wrong("--protocol: \"" + given.protocol + "\" is not http or grpc");
  }
  return Status::Ok();
}

// What depends on several flags.
Status Settle(const Given& given, LoadOptions* options) {
  ScheduleOptions& schedule = options->sender.schedule;
  PENSTOCK_RETURN_IF_ERROR(TakeArrivals(given.arrivals, &schedule));
  const bool is_trace = schedule.arrivals == Arrivals::kTrace;
  options->sender.closed = options->in_flight > 0;
  if (options->port == 0) return Wrong("--port is missing");
  if (options->sender.closed && given.has_rate) return Wrong("--rate and --closed-loop exclude each other");
  if (options->sender.closed && given.arrivals != "poisson") return Wrong("--arrivals and --closed-loop exclude each other");
  if (is_trace && given.has_rate) return Wrong("--rate: a trace has its own");
  if (!is_trace && !options->sender.closed && !given.has_rate) return Wrong("--rate is missing");
  if (!is_trace && given.duration_s == 0) return Wrong("--duration is missing");
  options->sender.warm_up_ns = Nanoseconds(given.warm_up_s);
  schedule.length_ns = given.duration_s > 0 ? Nanoseconds(given.warm_up_s + given.duration_s) : schedule.trace_ns.back() + 1;
  options->grace_ns = Nanoseconds(given.grace_s);
  return SettleRequest(given, options);
}

bool HasControl(const std::string& text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) return true;
  }
  return false;
}

}  // namespace

Result<LoadOptions> ParseOptions(const std::vector<std::string>& args) {
  LoadOptions options;
  Given given;
  using Take = std::function<Status(const std::string&, const std::string&)>;
  const auto text = [](std::string* to) -> Take {
    return [to](const std::string& flag, const std::string& value) {
      if (value.empty() || HasControl(value)) return Wrong(flag + ": an empty text, or one with control characters");
      *to = value;
      return Status::Ok();
    };
  };
  const auto number = [](double least, double most, auto store) -> Take {
    return [=](const std::string& flag, const std::string& value) {
      const Result<double> parsed = Number(flag, value, least, most);
      if (parsed.ok()) store(parsed.value());
      return parsed.status();
    };
  };
  const auto count = [&number](double least, double most, auto store) -> Take {
    return [=](const std::string& flag, const std::string& value) {
      if (value.find_first_not_of("0123456789") != std::string::npos) return Wrong(flag + ": \"" + value + "\" is not a whole number");
      return number(least, most, store)(flag, value);
    };
  };
  const auto file = [](std::string* to) -> Take {
    return [to](const std::string& flag, const std::string& value) {
      Result<std::string> bytes = ReadFile(flag, value);
      if (bytes.ok()) *to = std::move(bytes).value();
      return bytes.status();
    };
  };
  const auto expect = [&](bool whole) -> Take {
    return [&options, whole, take = file(&options.expected.bytes)](const std::string& flag, const std::string& value) {
      options.expected.whole = whole;
      return take(flag, value);
    };
  };
  const auto header = [&given](const std::string& flag, const std::string& value) {
    const size_t colon = value.find(':');
    if (colon == std::string::npos || colon == 0 || HasControl(value)) return Wrong(flag + ": \"" + value + "\" is not NAME: VALUE");
    const size_t begin = value.find_first_not_of(' ', colon + 1);
    given.request.headers.emplace_back(value.substr(0, colon), begin == std::string::npos ? "" : value.substr(begin));
    return Status::Ok();
  };
  const std::map<std::string, Take> flags = {
      {"--protocol", text(&given.protocol)},
      {"--host", text(&options.host)},
      {"--port", count(1, 65'535, [&](double v) { options.port = static_cast<uint16_t>(v); })},
      {"--method", text(&given.request.method)},
      {"--path", text(&given.request.path)},
      {"--header", header},
      {"--body", file(&given.request.body)},
      {"--expect", expect(true)},
      {"--expect-prefix", expect(false)},
      {"--arrivals", text(&given.arrivals)},
      {"--rate", number(1e-3, kMostPerSecond, [&](double v) { options.sender.schedule.rate = v, given.has_rate = true; })},
      {"--closed-loop", count(1, kMostConnections, [&](double v) { options.in_flight = static_cast<size_t>(v); })},
      {"--duration", number(1e-3, kMostSeconds, [&](double v) { given.duration_s = v; })},
      {"--warm-up", number(0, kMostSeconds, [&](double v) { given.warm_up_s = v; })},
      {"--grace", number(0, kMostSeconds, [&](double v) { given.grace_s = v; })},
      {"--goal", number(1e-6, kMostSeconds * 1e3, [&](double v) { options.sender.goal_ns = Nanoseconds(v / 1e3); })},
      {"--threads", count(1, 256, [&](double v) { options.threads = static_cast<size_t>(v); })},
      {"--connections", count(1, kMostConnections, [&](double v) { options.max_connections = static_cast<size_t>(v); })},
      {"--streams", count(1, kMostStreams, [&](double v) { given.streams = static_cast<size_t>(v); })},
      {"--seed", count(0, 9007199254740991, [&](double v) { options.sender.schedule.seed = static_cast<uint64_t>(v); })},
  };
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i] == "--end-with-parent") {
      options.ends_with_parent = true;
      continue;
    }
    const auto found = flags.find(args[i]);
    if (found == flags.end()) return Wrong("\"" + args[i] + "\" is not a flag");
    if (i + 1 == args.size()) return Wrong(args[i] + " needs a value");
    PENSTOCK_RETURN_IF_ERROR(found->second(args[i], args[i + 1]));
    ++i;
  }
  PENSTOCK_RETURN_IF_ERROR(Settle(given, &options));
  return options;
}

const char* UsageText() {
  return "usage: penstock-loadgen --port PORT --duration S (--rate R | --closed-loop N) [flags]\n"
         "  --protocol http|grpc                    HTTP/1.1, or unary calls of gRPC; neither with TLS [http]\n"
         "  --host NAME --path PATH --method NAME   of the server and the request [127.0.0.1, /, POST]; of gRPC, ModelInfer\n"
         "  --header 'NAME: VALUE'                  may be given several times\n"
         "  --body FILE                             what each request carries; of gRPC the message without its prefix\n"
         "  --expect FILE, --expect-prefix FILE     what each answer with status 200 (of gRPC 0) must be, or begin with\n"
         "  --arrivals poisson|constant|gamma:SHAPE|trace:FILE\n"
         "  --warm-up S                             before the duration; sent but not counted [0]\n"
         "  --grace S                               after it; what has no answer then has none [10]\n"
         "  --goal MS                               counts answers that take longer, and those in time per second\n"
         "  --threads N --connections N             of the generator, all connections together [1, 1024]\n"
         "  --streams N                             calls of gRPC at a time on a connection [16]\n"
         "  --seed N                                of the arrivals [1]\n"
         "  --end-with-parent                       stop when the process that started this one is gone\n"
         "The result is one JSON document on stdout. Exit codes: 0 measured, 64 bad usage, 69 no connection to the server, or no\n"
         "libnghttp2 for gRPC, 75 refused: the generator was late itself.\n";
}

}  // namespace penstock::loadgen
