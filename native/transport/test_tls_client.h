// A client of TLS, for tests: OpenSSL's own, over memory, so that a test may hold its bytes back, cut or change them.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <string>
#include <utility>

#include "transport/file_descriptor.h"
#include "transport/test_certificates.h"
#include "transport/test_peers.h"
#include "transport/tls_context.h"
#include "transport/tls_library.h"

namespace penstock::transport {

struct TlsClientOptions {
  std::string protocols;    // of ALPN, each with its length before it
  std::string certificate;  // of the client, PEM; empty = none
  std::string key;
  int most_version = 0;     // 0 = TLS 1.3
};

class TlsTestClient {
 public:
  // `waits`: called instead of waiting for the server, by tests that play that, too.
  explicit TlsTestClient(FileDescriptor socket, const TlsClientOptions& options = {}, std::function<void()> waits = {})
      : tls_(*FindTls().value()), socket_(std::move(socket)), waits_(std::move(waits)) {
    constexpr int kMostVersionControl = 124;
    context_ = tls_.SSL_CTX_new(tls_.TLS_client_method());
    tls_.SSL_CTX_set_options(context_, kTlsIgnoreUnexpectedEnd);
    if (options.most_version != 0) tls_.SSL_CTX_ctrl(context_, kMostVersionControl, options.most_version, nullptr);
    if (!options.certificate.empty()) {
      bio_st* certificate = tls_.BIO_new_mem_buf(options.certificate.data(), static_cast<int>(options.certificate.size()));
      bio_st* key = tls_.BIO_new_mem_buf(options.key.data(), static_cast<int>(options.key.size()));
      x509_st* read_certificate = tls_.PEM_read_bio_X509(certificate, nullptr, nullptr, nullptr);
      evp_pkey_st* read_key = tls_.PEM_read_bio_PrivateKey(key, nullptr, nullptr, nullptr);
      EXPECT_EQ(tls_.SSL_CTX_use_certificate(context_, read_certificate), 1);
      EXPECT_EQ(tls_.SSL_CTX_use_PrivateKey(context_, read_key), 1);
      tls_.X509_free(read_certificate);
      tls_.EVP_PKEY_free(read_key);
      tls_.BIO_free(certificate);
      tls_.BIO_free(key);
    }
    ssl_ = tls_.SSL_new(context_);
    in_ = tls_.BIO_new(tls_.BIO_s_mem());
    out_ = tls_.BIO_new(tls_.BIO_s_mem());
    tls_.SSL_set_bio(ssl_, in_, out_);
    tls_.SSL_set_connect_state(ssl_);
    if (!options.protocols.empty()) {
      EXPECT_EQ(tls_.SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(options.protocols.data()),
                                         static_cast<unsigned int>(options.protocols.size())),
                0);
    }
  }
  ~TlsTestClient() {
    tls_.SSL_free(ssl_);
    tls_.SSL_CTX_free(context_);
  }
  TlsTestClient(const TlsTestClient&) = delete;
  TlsTestClient& operator=(const TlsTestClient&) = delete;

  int fd() const { return socket_.get(); }
  void Close() { socket_.Reset(); }
  const std::string& error() const { return error_; }  // the reason that OpenSSL gives for the first thing that failed
  bool has_ended() const { return has_ended_; }         // as it should be: by close_notify

  bool Shake() {
    return Until([this] { return tls_.SSL_do_handshake(ssl_); });
  }
  // The request goes with the last words of the handshake, in one packet.
  bool ShakeAndSend(const std::string& text) {
    behind_ = text;
    return Shake();
  }
  // PEM.
  std::string ServerCertificate() const {
    x509_st* certificate = tls_.SSL_get1_peer_certificate(ssl_);
    bio_st* text = tls_.BIO_new(tls_.BIO_s_mem());
    char bytes[4096];
    EXPECT_EQ(tls_.PEM_write_bio_X509(text, certificate), 1);
    const int size = tls_.BIO_read(text, bytes, sizeof bytes);
    tls_.BIO_free(text);
    tls_.X509_free(certificate);
    return std::string(bytes, static_cast<size_t>(std::max(size, 0)));
  }
  std::string Protocol() const {
    const unsigned char* protocol = nullptr;
    unsigned int bytes = 0;
    tls_.SSL_get0_alpn_selected(ssl_, &protocol, &bytes);
    return std::string(reinterpret_cast<const char*>(protocol), bytes);
  }
  // All of it, however slowly the server takes it.
  bool Send(const std::string& text) { return SendRaw(Encrypted(text)); }
  // So many bytes; fewer when the server ends or says nothing for too long.
  std::string Read(size_t bytes) {
    std::string text;
    char some[16384];
    while (text.size() < bytes) {
      size_t got = 0;
      if (!Until([&] { return tls_.SSL_read_ex(ssl_, some, std::min(sizeof some, bytes - text.size()), &got); })) break;
      text.append(some, got);
    }
    return text;
  }
  std::string ReadUntil(const std::string& end) {
    std::string text;
    while (text.size() < end.size() || text.compare(text.size() - end.size(), end.size(), end) != 0) {
      const std::string next = Read(1);
      if (next.empty()) break;
      text += next;
    }
    return text;
  }
  // What has come already; false when nothing more will.
  bool ReadSome(std::string* text) {
    char bytes[16384];
    ssize_t got = 0;
    while ((got = recv(fd(), bytes, sizeof bytes, MSG_DONTWAIT)) > 0) tls_.BIO_write(in_, bytes, static_cast<int>(got));
    const bool is_over = got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
    size_t read = 0;
    tls_.ERR_clear_error();
    while (tls_.SSL_read_ex(ssl_, bytes, sizeof bytes, &read) == 1) text->append(bytes, read);
    return tls_.SSL_get_error(ssl_, 0) == kTlsErrorWantRead && !is_over;
  }
  // Says that nothing more comes; the connection stays.
  bool EndSending() {
    tls_.SSL_shutdown(ssl_);
    return SendRaw(TakeOut());
  }
  bool UpdateKey() { return SendRaw(KeyUpdate(true)); }

  // What says so. `wants_answer`: the server is to do the same.
  std::string KeyUpdate(bool wants_answer) {
    EXPECT_EQ(tls_.SSL_key_update(ssl_, wants_answer ? kTlsKeyUpdateRequested : kTlsKeyUpdateNotRequested), 1);
    EXPECT_EQ(tls_.SSL_do_handshake(ssl_), 1);
    return TakeOut();
  }

  // What the server would be sent, for who sends it otherwise.
  std::string Encrypted(const std::string& text) {
    size_t written = 0;
    EXPECT_TRUE(text.empty() || tls_.SSL_write_ex(ssl_, text.data(), text.size(), &written) == 1);
    return TakeOut();
  }
  bool SendRaw(const std::string& bytes) {
    return SendAll(socket_, bytes, [this] { return Wait(POLLOUT); });
  }

 private:
  // Until it gives 1, which is true.
  bool Until(const std::function<int()>& step) {
    for (;;) {
      tls_.ERR_clear_error();
      const int result = step();
      const int error = result == 1 ? 0 : tls_.SSL_get_error(ssl_, result);
      const char* reason = tls_.ERR_reason_error_string(tls_.ERR_peek_last_error());
      std::string said = TakeOut();
      if (result == 1 && !behind_.empty()) said += Encrypted(std::exchange(behind_, ""));
      if (!SendRaw(said) && result != 1) return false;
      if (result == 1) return true;
      has_ended_ = error == kTlsErrorZeroReturn && !has_socket_ended_;
      if (error != kTlsErrorWantRead || has_socket_ended_) {
        if (error_.empty() && reason != nullptr) error_ = reason;
        return false;
      }
      if (!ReceiveSome()) return false;
    }
  }
  bool ReceiveSome() {
    char bytes[16384];
    for (;;) {
      const ssize_t got = recv(fd(), bytes, sizeof bytes, MSG_DONTWAIT);
      if (got > 0) return tls_.BIO_write(in_, bytes, static_cast<int>(got)) == got;
      if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) {
        has_socket_ended_ = true;
        return true;
      }
      if (!Wait(POLLIN)) return false;
    }
  }
  bool Wait(short events) {
    pollfd wait{fd(), events, 0};
    if (!waits_) return poll(&wait, 1, kPatienceMs) == 1;
    waits_();
    return ++waited_ < 100'000;
  }
  std::string TakeOut() {
    std::string bytes;
    char some[16384];
    int got = 0;
    while ((got = tls_.BIO_read(out_, some, sizeof some)) > 0) bytes.append(some, static_cast<size_t>(got));
    return bytes;
  }

  const Tls& tls_;
  FileDescriptor socket_;
  const std::function<void()> waits_;
  ssl_ctx_st* context_ = nullptr;
  ssl_st* ssl_ = nullptr;
  bio_st* in_ = nullptr;
  bio_st* out_ = nullptr;
  std::string behind_;  // to be sent with what ends the handshake
  std::string error_;
  bool has_ended_ = false;
  bool has_socket_ended_ = false;
  int waited_ = 0;
};

inline TlsMaterial ServerMaterial(const std::string& client_ca = "") { return {kServerCertificate, kServerKey, client_ca}; }

}  // namespace penstock::transport
