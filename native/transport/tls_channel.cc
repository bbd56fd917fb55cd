#include "transport/tls_channel.h"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

namespace penstock::transport {

std::unique_ptr<TlsChannel> TlsChannel::Make(FileDescriptor socket, std::shared_ptr<const TlsContext> context) {
  std::unique_ptr<TlsChannel> channel(new TlsChannel(std::move(socket), std::move(context)));
  return channel->ssl_ == nullptr ? nullptr : std::move(channel);
}

TlsChannel::TlsChannel(FileDescriptor socket, std::shared_ptr<const TlsContext> context)
    : Channel(std::move(socket)), context_(std::move(context)), tls_(context_->tls()), socket_(fd()) {
  tls_.ERR_clear_error();
  bio_st* bio = socket_.NewBio(tls_);
  if (bio == nullptr) return;
  ssl_ = tls_.SSL_new(context_->get());
  if (ssl_ == nullptr) {
    tls_.BIO_free(bio);
    return;
  }
  tls_.SSL_set_bio(ssl_, bio, bio);
  tls_.SSL_set_accept_state(ssl_);
}

TlsChannel::~TlsChannel() {
  if (ssl_ != nullptr) tls_.SSL_free(ssl_);
}

TlsChannel::Handshake TlsChannel::Shake() {
  if (has_failed_) return Handshake::kFailed;
  // OpenSSL takes failures of others, which stand there still, for its own.
  tls_.ERR_clear_error();
  socket_.SetRoom(kMostVainBytes);
  const int result = tls_.SSL_do_handshake(ssl_);
  if (result != 1 && tls_.SSL_get_error(ssl_, result) != kTlsErrorWantRead) has_failed_ = true;
  const SocketOutput::Sent sent = socket_.Send();
  if (sent == SocketOutput::Sent::kBroken) has_failed_ = true;
  if (has_failed_) return Handshake::kFailed;
  if (sent == SocketOutput::Sent::kSome) return Handshake::kWantsOutput;
  if (result != 1) return Handshake::kWantsInput;
  is_ready_ = true;
  return Handshake::kDone;
}

ReceiveBuffer::Got TlsChannel::Receive(ReceiveBuffer* buffer, size_t wanted, memory::Slice* slice) {
  return buffer->Receive(this, wanted, slice);
}

// A little more than they are once they are decrypted.
size_t TlsChannel::WaitingBytes() const {
  return transport::WaitingBytes(fd()) + static_cast<size_t>(std::max(tls_.SSL_pending(ssl_), 0));
}

ReceiveBuffer::Got TlsChannel::ReceiveInto(uint8_t* data, size_t size, size_t* got) {
  size_t received = 0;
  bool is_waiting = false;
  has_looked_ = true;
  socket_.SetRoom(kMostVainBytes);
  while (received < size && !is_waiting && !has_ended_ && !has_failed_) {
    size_t more = 0;
    tls_.ERR_clear_error();
    if (tls_.SSL_read_ex(ssl_, data + received, size - received, &more) == 1) {
      received += more;
      socket_.AddRoom(more);
      continue;
    }
    const int error = tls_.SSL_get_error(ssl_, 0);
    is_waiting = error == kTlsErrorWantRead;
    has_ended_ = error == kTlsErrorZeroReturn;
    has_failed_ = !is_waiting && !has_ended_;
  }
  // What reading has made OpenSSL say: the update of a key, why it has failed. If it does not leave now, it does with the next answer.
  socket_.Send();
  may_have_more_ = received > 0 && !is_waiting;
  *got = received;
  if (received > 0) return ReceiveBuffer::Got::kBytes;
  if (has_ended_) return ReceiveBuffer::Got::kEnd;
  return has_failed_ ? ReceiveBuffer::Got::kBroken : ReceiveBuffer::Got::kNothing;
}

// A part of a record does not count: the rest of it will be told by an event. What has come with the client's last words of the handshake may
// be where SSL_has_pending does not see it before the first look (OpenSSL from 3.2 on).
bool TlsChannel::has_buffered() const {
  if (is_ready_ && !has_looked_) return true;
  return may_have_more_ && (has_ended_ || has_failed_ || tls_.SSL_has_pending(ssl_) == 1);
}

bool TlsChannel::HasUnread() const { return !has_looked_ || transport::WaitingBytes(fd()) > 0 || tls_.SSL_has_pending(ssl_) == 1; }

SocketOutput::Sent TlsChannel::Flush(SocketOutput* output) {
  size_t flushed = 0;
  for (;;) {
    const SocketOutput::Sent sent = Send(output);
    owes_ = sent != SocketOutput::Sent::kAll || !output->empty();
    if (!owes_ || sent != SocketOutput::Sent::kAll) return sent;
    if (flushed >= SocketOutput::kMostFlushedBytes) return SocketOutput::Sent::kSome;
    const size_t encrypted = Encrypt(*output);
    if (encrypted == 0) return SocketOutput::Sent::kBroken;
    flushed += encrypted;
  }
}

// What is encrypted; kAll = nothing of that is left.
SocketOutput::Sent TlsChannel::Send(SocketOutput* output) {
  const SocketOutput::Sent sent = socket_.Send();
  while (first_record_ < record_count_ && records_[first_record_].ends_at <= socket_.sent_bytes()) {
    output->Drop(records_[first_record_].bytes);
    ++first_record_;
  }
  return sent;
}

size_t TlsChannel::Encrypt(const SocketOutput& output) {
  if (has_failed_ || has_said_end_) return 0;
  size_t encrypted = 0;
  first_record_ = record_count_ = 0;
  socket_.SetAnswering(true);
  while (record_count_ < kMostRecords && encrypted < output.bytes()) {
    // Small pieces share a record.
    uint8_t scratch[kRecordBytes];
    const SocketOutput::Bytes next = output.Peek(encrypted, kRecordBytes, scratch);
    size_t written = 0;
    tls_.ERR_clear_error();
    if (tls_.SSL_write_ex(ssl_, next.data, next.size, &written) != 1) {
      has_failed_ = true;
      return 0;
    }
    encrypted += written;
    records_[record_count_++] = Record{written, socket_.written_bytes()};
  }
  socket_.SetAnswering(false);
  return encrypted;
}

void TlsChannel::SayEnd() {
  if (!is_ready_ || has_failed_ || has_said_end_ || says_no_end_) return;
  has_said_end_ = true;
  tls_.ERR_clear_error();
  tls_.SSL_shutdown(ssl_);
  socket_.Send();
}

void TlsChannel::EndSending() {
  SayEnd();
  shutdown(fd(), SHUT_WR);
  // What the client still sends is read without a word: an error now would take back what it has not read yet.
  socket_.DropOutput();
}

void TlsChannel::Close() {
  if (is_open() && !owes_) SayEnd();
  Channel::Close();
}

}  // namespace penstock::transport
