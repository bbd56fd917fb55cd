#include "frontend/request_events.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

namespace penstock::frontend {
namespace {

void Cut(std::string* text) {
  constexpr std::string_view kMark = "...";
  if (text->size() <= RequestEvents::kMostTextBytes) return;
  size_t end = RequestEvents::kMostTextBytes - kMark.size();
  // Not within a character of UTF-8, whose later bytes are 10xxxxxx.
  while (end > 0 && (static_cast<unsigned char>((*text)[end]) & 0xC0) == 0x80) --end;
  // A new text: one that only gets shorter keeps its memory.
  *text = text->substr(0, end).append(kMark);
}

}  // namespace

void RequestEvents::Add(RequestEvent event) {
  for (std::string* text : {&event.method, &event.path, &event.request_id, &event.message}) Cut(text);
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
