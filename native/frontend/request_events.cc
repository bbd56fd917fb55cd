#include "frontend/request_events.h"

#include <algorithm>
#include <iterator>
#include <new>
#include <string_view>
#include <utility>

#include "base/clock.h"

namespace penstock::frontend {
namespace {

std::string Cut(std::string_view text) {
  constexpr std::string_view kMark = "...";
  if (text.size() <= RequestEvents::kMostTextBytes) return std::string(text);
  size_t end = RequestEvents::kMostTextBytes - kMark.size();
  // Not within a character of UTF-8, whose later bytes are 10xxxxxx.
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return std::string(text.substr(0, end)).append(kMark);
}

RequestEvent Named(RequestEvent::Kind kind, const RequestEvents::Name& name) {
  RequestEvent event;
  event.kind = kind;
  event.method = Cut(name.method);
  event.path = Cut(name.path);
  event.request_id = Cut(name.request_id);
  return event;
}

}  // namespace

void RequestEvents::Ended(const Name& name, const End& end) {
  if (!wants_ended) return;
  AddOrLose([&] {
    RequestEvent event = Named(RequestEvent::Kind::kEnded, name);
    event.status = end.status;
    event.duration_ms = static_cast<double>(MonotonicNs() - end.started_ns) / 1e6;
    event.bytes_in = end.bytes_in;
    event.bytes_out = end.bytes_out;
    return event;
  });
}

void RequestEvents::Failed(const Name& name, const Status& status, bool is_our_fault) {
  if (!is_our_fault && !wants_refused) return;
  AddOrLose([&] {
    RequestEvent event = Named(RequestEvent::Kind::kFailed, name);
    event.code = status.code();
    event.message = Cut(status.message());
    return event;
  });
}

// A loop has nobody to tell that there is no memory for a line of the log.
template <typename Make>
void RequestEvents::AddOrLose(const Make& make) {
  try {
    Add(make());
  } catch (const std::bad_alloc&) {
    std::lock_guard<std::mutex> lock(mutex_);
    ++lost_;
  }
}

void RequestEvents::Add(RequestEvent event) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (waiting_.size() >= kMostWaiting) {
      ++lost_;
      return;
    }
    waiting_.push_back(std::move(event));
    if (waiting_.size() > 1) return;
  }
  wake_();
}

std::vector<RequestEvent> RequestEvents::Take(uint64_t* lost, size_t most) {
  std::lock_guard<std::mutex> lock(mutex_);
  *lost = std::exchange(lost_, 0);
  const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(std::min(most, waiting_.size()));
  std::vector<RequestEvent> taken(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
  waiting_.erase(waiting_.begin(), end);
  return taken;
}

bool RequestEvents::HasWaiting() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return !waiting_.empty();
}

}  // namespace penstock::frontend
