#include "frontend/loop.h"

#include <cstdio>
#include <future>
#include <new>
#include <random>
#include <utility>

#include "frontend/tls_handshake.h"
#include "transport/socket_channel.h"
#include "transport/tls_channel.h"
#include "transport/zlib_library.h"

namespace penstock::frontend {

using transport::FileDescriptor;

class Loop::Taker : public transport::ConnectionTaker {
 public:
  Taker(std::shared_ptr<Loop> loop, Protocol protocol, std::shared_ptr<HandOff> hand_off, std::function<void()> ended)
      : loop_(std::move(loop)), protocol_(protocol), hand_off_(std::move(hand_off)), ended_(std::move(ended)) {}

  void Take(FileDescriptor connection) override {
    // A task can be copied, a descriptor cannot.
    auto socket = std::make_shared<FileDescriptor>(std::move(connection));
    loop_->Post([loop = loop_.get(), socket, protocol = protocol_, hand_off = hand_off_, ended = ended_] {
      loop->Add(protocol, std::move(*socket), hand_off, ended);
    });
  }

 private:
  const std::shared_ptr<Loop> loop_;
  const Protocol protocol_;
  const std::shared_ptr<HandOff> hand_off_;
  const std::function<void()> ended_;
};

Result<std::shared_ptr<Loop>> Loop::Start(const FrontEndOptions& options, serving::Engine* engine, const codec::CodecLimits& limits,
                                          const ConnectionFactories& factories, std::shared_ptr<RequestEvents> events,
                                          const transport::Nghttp2* http2, size_t number) {
  Result<std::unique_ptr<transport::EventLoop>> started = transport::EventLoop::Start("penstock-io-" + std::to_string(number));
  if (!started.ok()) return started.status();
  std::shared_ptr<Loop> loop(new Loop(options, engine, limits, factories, std::move(events), http2));
  loop->events_loop_ = std::move(started).value();
  loop->calls_ = InferCalls::Create(loop->events_loop_.get(), engine);
  return loop;
}

Loop::Loop(const FrontEndOptions& options, serving::Engine* engine, const codec::CodecLimits& limits, const ConnectionFactories& factories,
           std::shared_ptr<RequestEvents> events, const transport::Nghttp2* http2)
    : options_(options),
      engine_(engine),
      limits_(limits),
      factories_(factories),
      request_events_(std::move(events)),
      http2_(http2),
      budget_(options.max_receiving_bytes),
      deflate_streams_(transport::FindZlib(), ZlibDirection::kDeflate),
      inflate_streams_(transport::FindZlib(), ZlibDirection::kInflate),
      random_(std::random_device{}()) {}

Loop::~Loop() { Destroy(); }

std::shared_ptr<transport::ConnectionTaker> Loop::TakerFor(Protocol protocol, std::shared_ptr<HandOff> hand_off,
                                                           std::function<void()> ended) {
  return std::make_shared<Taker>(shared_from_this(), protocol, std::move(hand_off), std::move(ended));
}

void Loop::GoAway() {
  Post([this] {
    is_going_ = true;
    ForEach(&Connection::GoAway);
  });
}

void Loop::Drain(std::function<void()> on_drained) {
  if (!Post([this, on_drained] { BeginDrain(on_drained); })) on_drained();
}

void Loop::Destroy() {
  std::lock_guard<std::mutex> destroy_lock(destroy_mutex_);
  std::promise<void> ended;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (is_destroyed_) return;
    is_destroyed_ = true;
    // All that was posted runs before it, nothing is posted after it.
    events_loop_->Post([this, &ended] {
      End();
      ended.set_value();
    });
  }
  ended.get_future().wait();
  events_loop_->Stop();
  events_loop_.reset();
}

bool Loop::Post(std::function<void()> task) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (is_destroyed_) return false;
  events_loop_->Post(std::move(task));
  return true;
}

void Loop::SetTls(TlsContexts contexts) {
  Post([this, contexts] { tls_ = contexts; });
}

void Loop::Add(Protocol protocol, FileDescriptor socket, std::shared_ptr<HandOff> hand_off, std::function<void()> ended) {
  Connection* connection = Hold([&] { return MakeFirst(protocol, std::move(socket), std::move(hand_off)); }, ended);
  if (connection != nullptr) Welcome(connection);
}

template <typename Maker>
Connection* Loop::Hold(const Maker& make, const std::function<void()>& ended) {
  Connection* connection = nullptr;
  try {
    // Its place comes first: a connection that watches its channel, or waits for the end of the turn, must not be dropped.
    auto place = connections_.extract(connections_.emplace(nullptr, Held{nullptr, ended}).first);
    std::unique_ptr<Connection> made = make();
    if (made != nullptr) {
      connection = place.key() = made.get();
      place.mapped().connection = std::move(made);
      connections_.insert(std::move(place));  // takes no memory: there was room for as many a moment ago
    }
  } catch (const std::bad_alloc&) {
    connection = nullptr;
  }
  if (connection == nullptr) ended();
  return connection;
}

std::unique_ptr<Connection> Loop::MakeFirst(Protocol protocol, FileDescriptor socket, std::shared_ptr<HandOff> hand_off) {
  const std::shared_ptr<const transport::TlsContext>& tls = protocol == Protocol::kHttp ? tls_.http : tls_.grpc;
  if (tls == nullptr) return Make(protocol, std::make_unique<transport::SocketChannel>(std::move(socket)), std::move(hand_off));
  std::unique_ptr<transport::TlsChannel> channel = transport::TlsChannel::Make(std::move(socket), tls);
  if (channel == nullptr) return nullptr;
  auto handshake = std::make_unique<TlsHandshake>(this, protocol, std::move(channel), std::move(hand_off));
  if (!handshake->Begin()) return nullptr;
  return handshake;
}

std::unique_ptr<Connection> Loop::Make(Protocol protocol, std::unique_ptr<transport::Channel> channel, std::shared_ptr<HandOff> hand_off) {
  const ConnectionFactories::Make& make = protocol == Protocol::kHttp ? factories_.http : factories_.grpc;
  return make(this, std::move(channel), std::move(hand_off));
}

void Loop::Welcome(Connection* connection) {
  if (is_draining_) {
    connection->Drain();
  } else if (is_going_) {
    connection->GoAway();
  }
}

void Loop::Replace(Connection* connection, Protocol protocol, std::unique_ptr<transport::Channel> channel,
                   std::shared_ptr<HandOff> hand_off) {
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return;
  Held held = std::move(found->second);
  connections_.erase(found);
  events_loop_->Retire(std::move(held.connection));
  const transport::Channel* const passed = channel.get();
  Connection* next = Hold([&] { return Make(protocol, std::move(channel), std::move(hand_off)); }, held.ended);
  if (next == nullptr) return TellDrained();
  // No event tells of what has left the kernel with the bytes of its predecessor.
  if (passed->has_buffered()) next->OnReady(EPOLLIN);
  if (connections_.count(next) != 0) Welcome(next);
}

void Loop::Remove(Connection* connection) {
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return;
  Held held = std::move(found->second);
  connections_.erase(found);
  events_loop_->Retire(std::move(held.connection));
  held.ended();
  TellDrained();
}

void Loop::BeginDrain(std::function<void()> on_drained) {
  is_going_ = true;
  is_draining_ = true;
  on_drained_.push_back(std::move(on_drained));
  ForEach(&Connection::Drain);
  TellDrained();
}

void Loop::TellDrained() {
  if (!connections_.empty()) return;
  for (const std::function<void()>& on_drained : std::exchange(on_drained_, {})) on_drained();
}

void Loop::ForEach(void (Connection::*tell)()) {
  std::vector<Connection*> all;
  for (const auto& [connection, held] : connections_) all.push_back(connection);
  for (Connection* connection : all) {
    // Removed ones live to the end of the turn, but are not to be called.
    if (connections_.count(connection) != 0) (connection->*tell)();
  }
}

void Loop::End() {
  ForEach(&Connection::Destroy);
  calls_->Close();
}

const std::string& Loop::date_line() {
  const std::time_t now = std::time(nullptr);
  if (now != date_second_) {
    date_second_ = now;
    date_line_ = DateLine(now);
  }
  return date_line_;
}

std::string DateLine(std::time_t seconds) {
  // Not strftime, whose names are those of the locale.
  constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char line[96];
  std::snprintf(line, sizeof line, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n", kDays[parts.tm_wday], parts.tm_mday,
                kMonths[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
  return line;
}

}  // namespace penstock::frontend
