// What the connections of a port share of TLS: certificate, key, whose clients are let in, the protocol that is spoken over it.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/status.h"
#include "transport/tls_api.h"

namespace penstock::transport {

// PEM texts.
struct TlsMaterial {
  std::string certificate;  // of the server, then those between it and its authority, if any
  std::string key;          // not encrypted
  std::string client_ca;    // clients have to show a certificate that one of these has signed; empty = they show none
};

// For servers; TLS 1.2 and 1.3. Immutable, thread-safe.
class TlsContext {
 public:
  // Bytes of a client that are received at a time, as they come: some records.
  static constexpr size_t kReceivedBytes = 64 * 1024;

  // `protocol`: what a client that names any must name, by its ALPN id, of 255 bytes at most. kConfigOption says which of the three texts
  // cannot be used, and why, but nothing of the key; kNotSupported that there is no OpenSSL.
  static Result<std::shared_ptr<const TlsContext>> Make(const TlsMaterial& material, const std::string& protocol);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  const Tls& tls() const { return *tls_; }
  ssl_ctx_st* get() const { return context_; }

 private:
  TlsContext(const Tls* tls, const std::string& protocol);
  Status Configure();
  Status UseCertificate(const TlsMaterial& material);
  Status UseClientCa(const std::string& text);

  const Tls* const tls_;
  const std::string protocols_;  // a list of one, with its length before it
  ssl_ctx_st* context_ = nullptr;
};

}  // namespace penstock::transport
