#include "frontend/front_end.h"

#include <atomic>
#include <future>
#include <utility>

#include "transport/nghttp2_library.h"

namespace penstock::frontend {

Result<std::unique_ptr<FrontEnd>> FrontEnd::Start(const FrontEndOptions& options, serving::Engine* engine, const codec::CodecLimits& limits,
                                                  const ConnectionFactories& factories, std::shared_ptr<RequestEvents> events) {
  const transport::Nghttp2* http2 = nullptr;
  if (options.serves_grpc) {
    const Result<const transport::Nghttp2*> found = transport::FindNghttp2();
    if (!found.ok()) return found.status();
    http2 = found.value();
  }
  std::unique_ptr<FrontEnd> front_end(new FrontEnd());
  for (size_t number = 0; number < options.loops; ++number) {
    Result<std::shared_ptr<Loop>> loop = Loop::Start(options, engine, limits, factories, events, http2, number);
    if (!loop.ok()) return loop.status();
    front_end->loops_.push_back(std::move(loop).value());
  }
  return front_end;
}

FrontEnd::~FrontEnd() { Destroy(); }

void FrontEnd::SetTls(const TlsContexts& contexts) {
  for (const std::shared_ptr<Loop>& loop : loops_) loop->SetTls(contexts);
}

void FrontEnd::Serve(Protocol protocol, std::shared_ptr<transport::ConnectionSource> port, std::shared_ptr<HandOff> hand_off) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (is_destroyed_) return;
  for (size_t number = 0; number < loops_.size(); ++number) {
    // A connection may come, and end, before the name that it has to be reported under is known here: its end waits for it.
    std::promise<uint64_t> named;
    auto ended = [port, name = named.get_future().share()] { port->Ended(name.get()); };
    const uint64_t name = port->Attach(loops_[number]->TakerFor(protocol, hand_off, std::move(ended)), static_cast<uint32_t>(number));
    named.set_value(name);
    attached_.push_back(Attached{port, name});
  }
}

void FrontEnd::GoAway() {
  for (const std::shared_ptr<Loop>& loop : loops_) loop->GoAway();
}

void FrontEnd::Drain(std::function<void()> on_drained) {
  auto left = std::make_shared<std::atomic<size_t>>(loops_.size());
  for (const std::shared_ptr<Loop>& loop : loops_) {
    loop->Drain([left, on_drained] {
      if (--*left == 0) on_drained();
    });
  }
}

void FrontEnd::Destroy() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (is_destroyed_) return;
  is_destroyed_ = true;
  for (const Attached& attached : attached_) attached.port->Detach(attached.name);
  attached_.clear();
  for (const std::shared_ptr<Loop>& loop : loops_) loop->Destroy();
}

}  // namespace penstock::frontend
