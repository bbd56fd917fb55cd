// A client's connection with TLS over it, of which the client began the handshake.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "transport/channel.h"
#include "transport/tls_context.h"
#include "transport/tls_socket.h"

namespace penstock::transport {

// Plain bytes are decrypted to where they stay, and encrypted from where they lie: there is one copy of them in OpenSSL each way.
class TlsChannel : public Channel, private ReceiveSource {
 public:
  // Null when there is no memory.
  static std::unique_ptr<TlsChannel> Make(FileDescriptor socket, std::shared_ptr<const TlsContext> context);
  ~TlsChannel() override;

  enum class Handshake { kDone, kWantsInput, kWantsOutput, kFailed };  // kWantsOutput: the client has to take what was said
  // As far as it goes now; must be done before anything else. A client whose handshake has failed was told why, if it can be told.
  Handshake Shake();

  void Close() override;
  ReceiveBuffer::Got Receive(ReceiveBuffer* buffer, size_t wanted, memory::Slice* slice) override;
  bool has_buffered() const override;
  bool HasUnread() const override;
  SocketOutput::Sent Flush(SocketOutput* output) override;
  void EndSending() override;
  void SayNoEnd() override { says_no_end_ = true; }

 private:
  // The largest record, and how many are encrypted before they are sent together.
  static constexpr size_t kRecordBytes = 16 * 1024;
  static constexpr size_t kMostRecords = 4;
  // Taken in at a time beyond what plain bytes come of.
  static constexpr size_t kMostVainBytes = 64 * 1024;
  struct Record {
    size_t bytes = 0;      // of the output
    uint64_t ends_at = 0;  // of all that the socket was given
  };

  TlsChannel(FileDescriptor socket, std::shared_ptr<const TlsContext> context);
  size_t WaitingBytes() const override;
  ReceiveBuffer::Got ReceiveInto(uint8_t* data, size_t size, size_t* got) override;
  SocketOutput::Sent Send(SocketOutput* output);
  // How many bytes of it, from its front; 0 = it has failed.
  size_t Encrypt(const SocketOutput& output);
  void SayEnd();

  const std::shared_ptr<const TlsContext> context_;
  const Tls& tls_;
  TlsSocket socket_;
  ssl_st* ssl_ = nullptr;
  bool is_ready_ = false;       // the handshake is done
  bool has_looked_ = false;     // for what the client has sent behind it
  bool has_failed_ = false;     // OpenSSL must not be asked any more
  bool has_ended_ = false;      // the client has sent its last byte
  bool may_have_more_ = false;  // than the last call has received
  bool has_said_end_ = false;
  bool says_no_end_ = false;
  bool owes_ = false;           // a part of an answer that it was given
  std::array<Record, kMostRecords> records_;  // that have not left
  size_t first_record_ = 0;
  size_t record_count_ = 0;     // behind the last one; equal = none
};

}  // namespace penstock::transport
