#include "transport/tls_socket.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <new>

#include "transport/tls_library.h"

namespace penstock::transport {
namespace {

// More is given back when it is empty: idle connections hold little.
constexpr size_t kMostKeptBytes = 1024;

// That of the process: OpenSSL's callbacks get nothing else to find it by, and are only called where it was found.
const Tls& Found() {
  static const Tls* const tls = FindTls().value();
  return *tls;
}

}  // namespace

bio_st* TlsSocket::NewBio(const Tls& tls) {
  const bio_method_st* method = Method();
  bio_st* bio = method == nullptr ? nullptr : tls.BIO_new(method);
  if (bio == nullptr) return nullptr;
  tls.BIO_set_data(bio, this);
  tls.BIO_set_init(bio, 1);
  return bio;
}

// For the rest of the process.
const bio_method_st* TlsSocket::Method() {
  static const bio_method_st* const method = [] {
    const Tls& tls = Found();
    bio_method_st* made = tls.BIO_meth_new(tls.BIO_get_new_index() | kTlsBioSourceSink, "penstock socket");
    if (made == nullptr) return made;
    tls.BIO_meth_set_read(made, &TlsSocket::Read);
    tls.BIO_meth_set_write(made, &TlsSocket::Write);
    tls.BIO_meth_set_ctrl(made, &TlsSocket::Control);
    return made;
  }();
  return method;
}

int TlsSocket::Read(bio_st* bio, char* bytes, int size) {
  auto* self = static_cast<TlsSocket*>(Found().BIO_get_data(bio));
  Found().BIO_clear_flags(bio, kTlsBioAnyAgain);
  if (self->has_ended_ || self->is_broken_ || size <= 0) return 0;
  if (self->room_ == 0) {
    Found().BIO_set_flags(bio, kTlsBioReadAgain);
    return -1;
  }
  ssize_t got = 0;
  do {
    got = recv(self->fd_, bytes, std::min(static_cast<size_t>(size), self->room_), MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  if (got > 0) {
    self->room_ -= static_cast<size_t>(got);
    return static_cast<int>(got);
  }
  if (got == 0) {
    self->has_ended_ = true;
    return 0;
  }
  if (errno == EAGAIN || errno == EWOULDBLOCK) {
    Found().BIO_set_flags(bio, kTlsBioReadAgain);
  } else {
    self->is_broken_ = true;
  }
  return -1;
}

int TlsSocket::Write(bio_st* bio, const char* bytes, int size) {
  auto* self = static_cast<TlsSocket*>(Found().BIO_get_data(bio));
  Found().BIO_clear_flags(bio, kTlsBioAnyAgain);
  if (self->is_broken_ || size <= 0) return -1;
  if (self->drops_output_) return size;
  const auto count = static_cast<size_t>(size);
  if (!self->is_answering_ && count > kMostOwnBytes - self->own_bytes_) {
    self->is_broken_ = true;
    return -1;
  }
  try {
    self->ciphertext_.append(bytes, count);
  } catch (const std::bad_alloc&) {
    self->is_broken_ = true;
    return -1;
  }
  if (!self->is_answering_) self->own_bytes_ += count;
  self->written_bytes_ += count;
  return size;
}

long TlsSocket::Control(bio_st* bio, int command, long, void*) {
  if (command == kTlsBioFlush) return 1;
  return command == kTlsBioEnd && static_cast<TlsSocket*>(Found().BIO_get_data(bio))->has_ended_ ? 1 : 0;
}

SocketOutput::Sent TlsSocket::Send() {
  if (is_broken_) return SocketOutput::Sent::kBroken;
  while (unsent_bytes() > 0) {
    const ssize_t sent = send(fd_, ciphertext_.data() + sent_, unsent_bytes(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      sent_ += static_cast<size_t>(sent);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return SocketOutput::Sent::kSome;
    } else if (errno != EINTR) {
      is_broken_ = true;
      return SocketOutput::Sent::kBroken;
    }
  }
  Empty();
  return SocketOutput::Sent::kAll;
}

void TlsSocket::DropOutput() {
  drops_output_ = true;
  written_bytes_ -= unsent_bytes();
  Empty();
}

void TlsSocket::Empty() {
  sent_ = 0;
  own_bytes_ = 0;
  ciphertext_.clear();
  if (ciphertext_.capacity() > kMostKeptBytes) std::string().swap(ciphertext_);
}

}  // namespace penstock::transport
