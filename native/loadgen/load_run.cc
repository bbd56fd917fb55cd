#include "loadgen/load_run.h"

#include <netdb.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "loadgen/http1_connection.h"
#include "loadgen/thread_priority.h"
#include "loadgen/worker.h"
#include "transport/nghttp2_library.h"

namespace penstock::loadgen {
namespace {

using Workers = std::vector<std::unique_ptr<Worker>>;

constexpr int64_t kLeadNs = 50'000'000;  // in which all threads get going
constexpr double kExpectedLatency = 0.05;
constexpr size_t kFewestInFlight = 8;  // of a thread

// In the order in which they should be tried.
Result<std::vector<ServerAddress>> Resolve(const std::string& host, uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) return Status(StatusCode::kClosed, "cannot find " + host + ": " + gai_strerror(error));
  std::vector<ServerAddress> addresses;
  for (const addrinfo* next = found; next != nullptr; next = next->ai_next) {
    ServerAddress& address = addresses.emplace_back();
    std::memcpy(&address.bytes, next->ai_addr, next->ai_addrlen);
    address.size = next->ai_addrlen;
  }
  freeaddrinfo(found);
  return addresses;
}

// As many as the system lets us have.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

size_t ShareOf(size_t total, size_t share, size_t shares) { return total / shares + (share < total % shares ? 1 : 0); }

// Enough for an answer in kExpectedLatency; more are opened when they are needed.
size_t FirstConnections(const LoadOptions& options, size_t most) {
  const double rate = options.sender.schedule.rate / static_cast<double>(options.threads);
  const size_t expected = std::max(kFewestInFlight, static_cast<size_t>(std::ceil(rate * kExpectedLatency)));
  const size_t in_flight = options.sender.closed ? most : expected;
  return std::min(most, (in_flight - 1) / options.streams + 1);
}

// `options` outlives what it makes.
Result<ConnectionFactory> FactoryFor(const LoadOptions& options) {
  if (options.protocol == Protocol::kHttp) {
    return ConnectionFactory([&] { return std::make_unique<Http1Connection>(&options.request, &options.expected); });
  }
  const Result<const transport::Nghttp2*> http2 = transport::FindNghttp2();
  PENSTOCK_RETURN_IF_ERROR(http2.status());
  return ConnectionFactory([&options, found = http2.value(), server = std::make_shared<GrpcServer>()] {
    return std::make_unique<GrpcConnection>(found, &options.grpc_request, &options.expected, server.get(), options.streams);
  });
}

// One for each thread, with its first connections.
Result<Workers> ConnectWorkers(const LoadOptions& options, const ConnectionFactory& make_connection, const ServerAddress& address,
                               size_t most, const std::atomic<bool>& stop) {
  Workers workers;
  for (size_t share = 0; share < options.threads; ++share) {
    workers.push_back(std::make_unique<Worker>(options, make_connection, address, share, stop));
    PENSTOCK_RETURN_IF_ERROR(workers.back()->Connect(FirstConnections(options, ShareOf(most, share, options.threads))));
  }
  return workers;
}

ProgressCounts Sum(const Workers& workers, int64_t start_ns) {
  ProgressCounts sum;
  sum.seconds = static_cast<double>(MonotonicNs() - start_ns) / 1e9;
  for (const auto& worker : workers) {
    sum.sent += worker->progress().sent.load(std::memory_order_relaxed);
    sum.answered += worker->progress().answered.load(std::memory_order_relaxed);
    sum.misses += worker->progress().misses.load(std::memory_order_relaxed);
  }
  return sum;
}

}  // namespace

Result<LoadResult> RunLoad(const LoadOptions& options, const std::atomic<bool>& stop,
                           const std::function<void(const ProgressCounts&)>& each_second) {
  const Result<ConnectionFactory> make_connection = FactoryFor(options);
  PENSTOCK_RETURN_IF_ERROR(make_connection.status());
  RaiseDescriptorLimit();
  const Result<std::vector<ServerAddress>> addresses = Resolve(options.host, options.port);
  PENSTOCK_RETURN_IF_ERROR(addresses.status());
  // In a closed loop each request may have a connection of its own, where the server lets no two share one.
  const size_t total = std::max(options.sender.closed ? options.in_flight : options.max_connections, options.threads);
  Workers workers;
  Status connected(StatusCode::kClosed, "no address");
  for (const ServerAddress& address : addresses.value()) {
    Result<Workers> result = ConnectWorkers(options, make_connection.value(), address, total, stop);
    connected = result.status();
    if (!connected.ok()) continue;
    workers = std::move(result).value();
    break;
  }
  if (!connected.ok()) {
    return Status(connected.code(), "cannot connect to " + options.host + ":" + std::to_string(options.port) + ": " + connected.message());
  }

  const int64_t start_ns = MonotonicNs() + kLeadNs;
  std::atomic<size_t> running{options.threads};
  std::atomic<size_t> preferred{0};
  std::vector<std::thread> threads;
  for (size_t share = 0; share < options.threads; ++share) {
    threads.emplace_back([&, share] {
      const size_t most = ShareOf(total, share, options.threads);
      if (PreferThisThread(options.threads)) preferred.fetch_add(1);
      workers[share]->Run(start_ns, {most, options.sender.closed ? most : SIZE_MAX});
      running.fetch_sub(1);
    });
  }
  for (int64_t next_ns = start_ns + kNsPerSecond; running.load() > 0;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (MonotonicNs() < next_ns) continue;
    each_second(Sum(workers, start_ns));
    next_ns += kNsPerSecond;
  }
  for (std::thread& thread : threads) thread.join();

  LoadResult result;
  result.start_ns = start_ns;
  result.is_preferred = preferred.load() == options.threads;
  for (const auto& worker : workers) {
    result.totals.Merge(worker->totals());
    result.connections += worker->connections();
    if (worker->was_stopped()) result.is_complete = false;
  }
  const int64_t planned_ns = options.sender.schedule.length_ns - options.sender.warm_up_ns;
  const int64_t ran_ns = MonotonicNs() - start_ns - options.sender.warm_up_ns;
  result.measured_ns = result.is_complete ? planned_ns : std::clamp<int64_t>(ran_ns, 0, planned_ns);
  return result;
}

}  // namespace penstock::loadgen
