// The connection to JavaScript that one HTTP/1.1 client has while it asks for something that is not answered natively.
//
// Bytes of the client go up as they came, bytes of the answer come down as they are. It is never shared: what one client sends cannot reach
// the answer of another, whatever a parser makes of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "frontend/hand_off.h"
#include "memory/slice.h"
#include "transport/event_loop.h"
#include "transport/file_descriptor.h"
#include "transport/http1_head.h"
#include "transport/receive_buffer.h"
#include "transport/socket_output.h"

namespace penstock::frontend {

// Bytes that were received, for another socket. Small ones are copied when others wait before them: each would keep the block that it was
// received into, thousands of times its size. So all that waits keeps one block for the first of it, and a few times the bytes of the rest.
void AppendReceived(memory::Slice bytes, transport::SocketOutput* output);

// Who has the client.
class TunnelClient {
 public:
  virtual ~TunnelClient() = default;
  // [loop thread] Bytes of the answer, for the client.
  virtual void OnAnswer(memory::Slice bytes) = 0;
  // The answer that was followed (ExpectAnswer) is whole, and the connection can take another.
  virtual void OnAnswerEnd() = 0;
  // No more comes: JavaScript has ended its side, its thread has died, or the answer that was followed said that the connection ends with
  // it. `is_cut`: what has come of an answer is known not to be all of it.
  virtual void OnTunnelEnd(bool is_cut) = 0;
  // What waits to go up has fallen below the limit again: reading from the client may go on.
  virtual void OnTunnelDrained() = 0;
};

// [loop thread] Callbacks never come from inside a call.
class Tunnel : public transport::EventHandler {
 public:
  // Bytes that may wait on their way up before the client is not read any more.
  static constexpr size_t kMostWaiting = 256 * 1024;

  // Errors: those of HandOff::Connect. Retire it with the loop; it closes its socket.
  static Result<std::unique_ptr<Tunnel>> Open(transport::EventLoop* loop, transport::ReceiveBuffer* buffer, HandOff* hand_off,
                                              TunnelClient* client);
  ~Tunnel() override;

  // Follows the next answer, so that OnAnswerEnd can be told. `is_head`: it has no body whatever it says. Without it the tunnel carries
  // bytes until one side ends.
  void ExpectAnswer(bool is_head);
  void Send(memory::Slice bytes);
  // The client has ended its side.
  void EndSending();
  bool is_full() const { return output_.bytes() >= kMostWaiting; }
  // The client takes nothing for now, or again.
  void PauseAnswers(bool paused);
  // Nobody is called any more; closes.
  void Close();

  void OnReady(uint32_t events) override;

 private:
  Tunnel(transport::EventLoop* loop, transport::ReceiveBuffer* buffer, TunnelClient* client, transport::FileDescriptor socket);

  void Flush();
  void Receive();
  // Gives the client what belongs to the answer, and says its end, or that of the tunnel.
  void Follow(memory::Slice bytes);
  enum class Answer { kMore, kEnd, kBroken };
  Answer Scan(std::string_view bytes, size_t* taken);
  Answer ScanHead(std::string_view bytes, size_t* taken);
  Answer ScanBody(std::string_view bytes, size_t* taken);
  void End(bool is_broken);
  // The answer that is followed has begun, and says that more of it was to come.
  bool is_within_answer() const;
  void Watch();

  transport::EventLoop* const loop_;
  transport::ReceiveBuffer* const buffer_;
  TunnelClient* client_;  // null once closed
  transport::FileDescriptor socket_;
  transport::SocketOutput output_;
  // The answer that is followed.
  bool follows_ = false;
  bool is_head_ = false;
  std::string head_;  // as much of it as has come; kMaxHttp1HeadBytes at most, as longer ones are refused
  bool in_body_ = false;
  bool is_chunked_ = false;
  bool until_close_ = false;
  bool keeps_alive_ = true;  // what JavaScript said
  uint64_t body_left_ = 0;
  transport::Http1ChunkScanner chunks_;
  bool takes_bytes_ = true;   // JavaScript still reads
  bool ends_sending_ = false;
  bool has_shut_ = false;
  bool is_paused_ = false;
  bool was_full_ = false;
  bool is_watched_ = true;    // until no more comes down, and the client knows
  uint32_t watched_ = 0;
};

}  // namespace penstock::frontend
