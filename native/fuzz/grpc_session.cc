// Frames into a GrpcSession. An input is a list of steps: frames that are put together from choices, so that heads and lengths mostly fit,
// bytes as they are, what the calls answer, and turns of the loop. What the session holds is bounded after every one of them.
#include "frontend/grpc_session.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fuzz/exact_copy.h"
#include "fuzz/fake_calls.h"
#include "fuzz/targets.h"
#include "memory/block.h"
#include "transport/nghttp2_library.h"
#include "transport/socket_output.h"

namespace penstock::fuzz {
namespace {

using frontend::GrpcSession;

constexpr uint32_t kMostStreams = 4;
constexpr size_t kFrameHeadBytes = 9;
constexpr size_t kLargestFrameBytes = 16 * 1024;  // as SETTINGS_MAX_FRAME_SIZE begins
// Beyond what was asked for: one frame, its head, and the frames of a head behind it.
constexpr size_t kMoreSentBytes = 2 * kLargestFrameBytes;

constexpr char kPreface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
// HPACK without the dynamic table: POST, http, the path of ModelInfer, an authority, a content type, te.
constexpr char kCallHead[] =
    "\x83\x86\x04\x2a/inference.GRPCInferenceService/ModelInfer\x01\x04test\x0f\x10\x10" "application/grpc\x00\x02te\x08trailers";

enum FrameType : uint8_t { kData = 0, kHeaders = 1, kSettings = 4, kContinuation = 9 };
enum FrameFlag : uint8_t { kNoFlag = 0, kEnds = 1, kAck = 1, kHeadEnds = 4 };

std::string Frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload, size_t length) {
  std::string frame;
  frame.reserve(kFrameHeadBytes + payload.size());
  for (int shift = 16; shift >= 0; shift -= 8) frame += static_cast<char>(length >> shift & 0xff);
  frame += static_cast<char>(type);
  frame += static_cast<char>(flags);
  for (int shift = 24; shift >= 0; shift -= 8) frame += static_cast<char>(stream >> shift & 0xff);
  return frame.append(payload);
}

std::string Frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
  return Frame(type, flags, stream, payload, payload.size());
}

std::string_view CallHead() { return {kCallHead, sizeof kCallHead - 1}; }

// Of the largest DATA frame.
const std::string& LargePayload() {
  static const std::string payload(kLargestFrameBytes, '\0');
  return payload;
}

// A literal field "x" with a value of 127 bytes and `more` (RFC 7541, 5.1 and 6.2.2).
std::string LongField(size_t more) {
  std::string field = {'\0', '\1', 'x', '\x7f'};
  size_t rest = more;
  for (; rest >= 128; rest >>= 7) field += static_cast<char>(rest % 128 + 128);
  field += static_cast<char>(rest);
  return field.append(127 + more, 'v');
}

class Connection {
 public:
  Connection(const transport::Nghttp2* http2, std::string_view steps, uint8_t manner, uint8_t start)
      : steps_(steps), calls_(manner), session_(GrpcSession::Make(http2, kMostStreams, &calls_)) {
    if (session_ == nullptr) return;
    if (start % 8 == 7) return;  // whatever comes, without a preface
    Receive(std::string(kPreface) + Frame(kSettings, kNoFlag, 0, {}));
    Turn(1 << 20);
    if (start % 8 != 6) Receive(Frame(kSettings, kAck, 0, {}));
    piece_bytes_ = start / 8;
  }

  const char* Run() {
    while (session_ != nullptr && !is_over_ && !steps_.empty() && broken_ == nullptr) {
      Step();
      Check();
    }
    if (session_ != nullptr) session_->CloseStreams(1);
    Expect(calls_.open() == 0, "every call hears of the end");
    session_.reset();
    Expect(calls_.held_bytes() == 0, "every body is given back");
    return broken_ != nullptr ? broken_ : calls_.broken();
  }

 private:
  void Expect(bool holds, const char* sentence) {
    if (!holds && broken_ == nullptr) broken_ = sentence;
  }

  uint8_t Byte() {
    if (steps_.empty()) return 0;
    const auto byte = static_cast<uint8_t>(steps_.front());
    steps_.remove_prefix(1);
    return byte;
  }
  std::string_view Bytes(size_t most) {
    const std::string_view bytes = steps_.substr(0, most);
    steps_.remove_prefix(bytes.size());
    return bytes;
  }
  // Streams that have been opened, mostly; 0 and even ones too.
  uint32_t Stream(uint8_t choice) const {
    if (choice >= 0xF0) return choice % 16;
    return next_stream_ > 1 ? next_stream_ - 2 - 2 * (choice % std::min<uint32_t>(8, (next_stream_ - 1) / 2)) : 1;
  }

  void Step() {
    const uint8_t step = Byte();
    const uint8_t choice = step >> 4;
    switch (step & 15) {
      case 0:
        return Receive(std::string(Bytes(Byte() % 64)));
      case 1:
      case 2:
        return AnyFrame(choice);
      case 3:
      case 4:
        return BeginCall((choice & 1) != 0 ? kHeadEnds | kEnds : kHeadEnds, choice >> 1);
      case 5:
        return Message(choice);
      case 6:
        return LargeBody(choice, Byte());
      case 7:
        return LongHead(choice, Byte());
      case 8:
        return TakeTimes(Byte() % 32);
      case 9:
      case 10:
      case 11: {
        const auto act = static_cast<FakeCalls::Act>(choice % static_cast<uint8_t>(FakeCalls::Act::kCount));
        const uint8_t amount = Byte();
        return calls_.Do(act, amount % 4, size_t{amount} * amount);
      }
      case 12:
        return Turn(size_t{1} << (choice + 4));
      case 13:
        return choice % 3 == 0 ? session_->TellToGo() : choice % 3 == 1 ? session_->RefuseNew() : session_->Ping();
      case 14:
        piece_bytes_ = choice;
        return;
      default:
        next_stream_ += 2 * choice;
    }
  }

  // Its length is right unless a choice says otherwise.
  void AnyFrame(uint8_t choice) {
    const uint8_t type = Byte() % 11;
    const uint8_t flags = Byte();
    const uint32_t stream = Stream(Byte());
    const std::string_view payload = Bytes(Byte() % 64);
    Receive(Frame(type, flags, stream, payload, payload.size() + (choice == 15 ? 1 : 0)));
  }

  void BeginCall(uint8_t flags, uint8_t calls) {
    std::string frames;
    for (uint8_t i = 0; i <= calls % 4; ++i) {
      frames += Frame(kHeaders, flags, next_stream_, CallHead());
      next_stream_ += 2;
    }
    Receive(std::move(frames));
  }

  // A message of gRPC for one of the calls.
  void Message(uint8_t choice) {
    const uint32_t stream = Stream(Byte());
    const std::string_view bytes = Bytes(Byte() % 64);
    const std::string prefix = {'\0', '\0', '\0', '\0', static_cast<char>(bytes.size())};
    Receive(Frame(kData, (choice & 1) != 0 ? kEnds : kNoFlag, stream, prefix + std::string(bytes)));
  }

  // Up to twice the window of a stream, and half of the connection's, in frames of the same bytes.
  void LargeBody(uint8_t choice, uint8_t frames) {
    last_ = Frame(kData, kNoFlag, Stream(frames / 16), LargePayload());
    TakeTimes(choice / 2 * (frames % 16) + 1);
    if ((choice & 1) != 0 && !is_over_) Take(ExactCopy(Frame(kData, kEnds, Stream(frames / 16), {})));
  }

  // Of large fields, each in a frame of its own, which may or may not end.
  void LongHead(uint8_t choice, uint8_t fields) {
    const uint32_t stream = next_stream_;
    next_stream_ += 2;
    Receive(Frame(kHeaders, kNoFlag, stream, CallHead()));
    last_ = Frame(kContinuation, kNoFlag, stream, LongField(size_t{choice} * 1000));
    TakeTimes(fields % 32);
    if (fields >= 128 && !is_over_) Take(ExactCopy(Frame(kContinuation, kHeadEnds, stream, {})));
  }

  // All of them lie at one place, as those of one read do.
  void TakeTimes(int times) {
    if (times == 0 || is_over_) return;
    const memory::Slice last = ExactCopy(last_);
    for (int i = 0; i < times && !is_over_; ++i) Take(last);
  }

  void Receive(std::string bytes) {
    last_ = std::move(bytes);
    const size_t step = piece_bytes_ == 0 ? last_.size() : std::max<size_t>(piece_bytes_, last_.size() / 32);
    for (size_t at = 0; at < last_.size() && !is_over_; at += step) Take(ExactCopy(std::string_view(last_).substr(at, step)));
  }

  void Take(const memory::Slice& bytes) {
    if (bytes.size == 0) return;
    is_over_ = !session_->Receive(bytes) || session_->is_over();
    Expect(session_->streams() <= kMostStreams, "a client has no more streams than it was told");
  }

  void Turn(size_t bytes) {
    transport::SocketOutput output;
    const uint64_t taken = session_->taken_bytes();
    const GrpcSession::Sent sent = session_->Send(&output, bytes);
    Expect(output.bytes() <= bytes + kMoreSentBytes, "no more is put together than there is room for");
    Expect(session_->taken_bytes() - taken <= output.bytes(), "what is taken is put into the output");
    is_over_ = is_over_ || sent == GrpcSession::Sent::kFailed || session_->is_over();
  }

  void Check() {
    Expect(session_->waiting_bytes() + session_->taken_bytes() <= calls_.given_bytes(), "what waits and what has left was given");
    Expect(session_->streams() > 0 || session_->waiting_bytes() == 0, "nothing waits without a stream");
    Expect(calls_.open() <= session_->streams(), "an open call has a stream");
  }

  std::string_view steps_;
  FakeCalls calls_;
  std::unique_ptr<GrpcSession> session_;
  uint32_t next_stream_ = 1;
  size_t piece_bytes_ = 0;  // of what is received; 0 = all at once
  std::string last_;        // what was received, or the last of several alike
  bool is_over_ = false;
  const char* broken_ = nullptr;
};

}  // namespace

const char* TryGrpcSession(std::string_view input) {
  static const Result<const transport::Nghttp2*> http2 = transport::FindNghttp2();
  if (!http2.ok()) return "nghttp2 is there";
  if (input.size() < 2) return nullptr;
  const uint64_t before = memory::BlockPool::Process().live_bytes();
  {
    Connection connection(http2.value(), input.substr(2), static_cast<uint8_t>(input[0]), static_cast<uint8_t>(input[1]));
    if (const char* broken = connection.Run()) return broken;
  }
  return memory::BlockPool::Process().live_bytes() == before ? nullptr : "all memory is given back";
}

}  // namespace penstock::fuzz
