// What OpenSSL reads from and writes to for one connection: its socket, with what the kernel has not taken yet kept in between.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "transport/socket_output.h"
#include "transport/tls_api.h"

namespace penstock::transport {

// Not thread-safe. The BIO that is made of it must not be used after it.
class TlsSocket {
 public:
  // What OpenSSL has to say for itself (tickets, alerts, updates of keys) may wait up to here; a client that makes it say more without
  // taking it loses its connection.
  static constexpr size_t kMostOwnBytes = 64 * 1024;

  // `fd` is non-blocking, and of the caller.
  explicit TlsSocket(int fd) : fd_(fd) {}
  TlsSocket(const TlsSocket&) = delete;
  TlsSocket& operator=(const TlsSocket&) = delete;

  // Null when there is no memory.
  bio_st* NewBio(const Tls& tls);

  bool has_ended() const { return has_ended_; }  // the client sends no more
  bool is_broken() const { return is_broken_; }  // neither way goes any more

  // How many bytes OpenSSL may take in from here on; then it is told that there are none for now, and an event tells of the rest. It would go
  // on by itself as long as a client sends what leads to nothing, such as new keys again and again.
  void SetRoom(size_t bytes) { room_ = bytes; }
  void AddRoom(size_t bytes) { room_ += bytes; }

  // What is written until the next call with false is of an answer, which its sender bounds.
  void SetAnswering(bool is_answering) { is_answering_ = is_answering; }
  // Never raises SIGPIPE.
  SocketOutput::Sent Send();
  // Nothing can be sent any more: what waits, and what OpenSSL still says, is dropped.
  void DropOutput();
  size_t unsent_bytes() const { return ciphertext_.size() - sent_; }
  // Since the beginning, for who wants to know what has left.
  uint64_t written_bytes() const { return written_bytes_; }
  uint64_t sent_bytes() const { return written_bytes_ - unsent_bytes(); }

 private:
  void Empty();
  static int Read(bio_st* bio, char* bytes, int size);
  static int Write(bio_st* bio, const char* bytes, int size);
  static long Control(bio_st* bio, int command, long number, void* pointer);
  static const bio_method_st* Method();

  const int fd_;
  bool has_ended_ = false;
  bool is_broken_ = false;
  bool is_answering_ = false;
  bool drops_output_ = false;
  size_t room_ = 0;
  std::string ciphertext_;
  size_t sent_ = 0;       // of it
  size_t own_bytes_ = 0;  // of it, not of an answer; counted since it was empty
  uint64_t written_bytes_ = 0;
};

}  // namespace penstock::transport
