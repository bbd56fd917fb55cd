#include "fuzz/fake_calls.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string>
#include <utility>

namespace penstock::fuzz {
namespace {

// As GrpcSession says to its clients. nghttp2 resets a stream that has passed its own window, a quarter of this, and gives what comes for it
// until the reset is sent.
constexpr size_t kConnectionWindowBytes = 4 << 20;
constexpr size_t kMostHeadBytes = 16 * 1024;
constexpr size_t kFieldBytes = 32;

const memory::Slice& AnswerBytes() {
  static const memory::Slice bytes = [] {
    const auto owner = std::make_shared<std::vector<uint8_t>>(64 * 1024, uint8_t{'a'});
    return memory::Slice{owner->data(), owner->size(), memory::MemoryKind::kPageable, owner};
  }();
  return bytes;
}

}  // namespace

class FakeCalls::Call : public frontend::GrpcStream {
 public:
  Call(FakeCalls* calls, size_t number, frontend::GrpcAnswer* answer) : calls_(*calls), number_(number), answer_(*answer) {}
  ~Call() override {
    calls_.Expect(is_closed_, "a stream hears of its end");
    calls_.held_bytes_ -= held_bytes_;
  }

  void OnData(memory::Slice bytes) override {
    calls_.Expect(!is_closed_ && !has_ended_, "bodies come before their end");
    calls_.Expect(bytes.size > 0 && bytes.owner != nullptr, "a piece of a body has bytes, and somebody who keeps them");
    ++pieces_;
    held_bytes_ += bytes.size;
    calls_.held_bytes_ += bytes.size;
    calls_.Expect(calls_.held_bytes_ <= kConnectionWindowBytes, "a client may send no more than the window of its connection");
    body_.push_back(std::move(bytes));
    if ((calls_.manner_ & kConsumes) != 0) Consume(held_bytes_);
    if ((calls_.manner_ & kResets) != 0 && pieces_ == 2) Reset(8);
  }

  void OnEnd() override {
    calls_.Expect(!is_closed_ && !std::exchange(has_ended_, true), "a body ends once");
    if ((calls_.manner_ & kAnswersAtEnd) != 0) Answer(100);
  }

  void OnTaken(size_t bytes) override {
    calls_.Expect(!is_closed_ && bytes > 0, "a stream that is open is told of bytes");
    taken_bytes_ += bytes;
    calls_.Expect(taken_bytes_ <= given_bytes_, "no more is taken than was given");
    if ((calls_.manner_ & kSendsMore) != 0 && !std::exchange(has_sent_more_, true)) Data(1000);
  }

  void OnClosed(uint32_t) override {
    calls_.Expect(!std::exchange(is_closed_, true), "a stream ends once");
    calls_.open_.erase(number_);
  }

  void Head(bool ends) {
    answer_.SendHead({{":status", "200"}, {"content-type", "application/grpc"}}, ends);
    if (!std::exchange(has_head_, true)) can_send_ = !ends && !is_reset_;
  }
  void Data(size_t bytes) {
    const size_t size = std::min(bytes, AnswerBytes().size);
    if (can_send_) {
      given_bytes_ += size;
      calls_.given_bytes_ += size;
    }
    answer_.SendData(AnswerBytes().Sub(0, size));
  }
  void Trailers() {
    answer_.SendTrailers({{"grpc-status", "0"}});
    can_send_ = false;
  }
  void Answer(size_t bytes) {
    Head(false);
    Data(bytes);
    Trailers();
  }
  void Reset(uint32_t error) {
    is_reset_ = true;
    can_send_ = false;
    answer_.Reset(error);
  }
  void Consume(size_t bytes) {
    const size_t size = std::min(bytes, held_bytes_);
    held_bytes_ -= size;
    calls_.held_bytes_ -= size;
    if (held_bytes_ == 0) body_.clear();
    // More than it has: the session must see to it.
    answer_.Consumed(bytes);
  }

 private:
  FakeCalls& calls_;
  const size_t number_;
  frontend::GrpcAnswer& answer_;
  std::vector<memory::Slice> body_;
  size_t held_bytes_ = 0;
  size_t pieces_ = 0;
  uint64_t given_bytes_ = 0;
  uint64_t taken_bytes_ = 0;
  bool has_head_ = false;
  bool can_send_ = false;
  bool has_ended_ = false;
  bool is_reset_ = false;
  bool is_closed_ = false;
  bool has_sent_more_ = false;
};

std::unique_ptr<frontend::GrpcStream> FakeCalls::OnCall(const std::vector<frontend::HeaderField>& fields, bool,
                                                        frontend::GrpcAnswer* answer) {
  size_t bytes = 0;
  for (const frontend::HeaderField& field : fields) bytes += field.name.size() + field.value.size() + kFieldBytes;
  Expect(bytes <= kMostHeadBytes, "a head keeps to its limit");
  Expect(!fields.empty() && !fields[0].name.empty() && fields[0].name[0] == ':', "a head begins with what HTTP/2 says of the call");
  if ((manner_ & kWantsNothing) != 0) return nullptr;
  auto call = std::make_unique<Call>(this, calls_, answer);
  open_[calls_++] = call.get();
  if ((manner_ & kAnswersAtHead) != 0) call->Answer(100);
  return call;
}

void FakeCalls::Do(Act act, size_t number, size_t amount) {
  if (open_.empty()) return;
  Call& call = *std::next(open_.begin(), static_cast<std::ptrdiff_t>(number % open_.size()))->second;
  switch (act) {
    case Act::kHead:
      return call.Head(false);
    case Act::kOnlyHead:
      return call.Head(true);
    case Act::kData:
      return call.Data(amount);
    case Act::kTrailers:
      return call.Trailers();
    case Act::kReset:
      return call.Reset(static_cast<uint32_t>(amount));
    case Act::kConsume:
      return call.Consume(amount);
    default:
      return call.Answer(amount);
  }
}

}  // namespace penstock::fuzz
