#include "loadgen/load_options.h"

#include <map>
#include <utility>

#include "base/clock.h"
#include "loadgen/flag_values.h"
#include "loadgen/load_flags.h"
#include "loadgen/request_bytes.h"

namespace penstock::loadgen {
namespace {

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

}  // namespace

Result<LoadOptions> ParseOptions(const std::vector<std::string>& args) {
  LoadOptions options;
  Given given;
  const std::map<std::string, TakeFlag> flags = LoadFlags(&options, &given);
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
