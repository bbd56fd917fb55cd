#include "transport/tls_context.h"

#include <climits>
#include <utility>
#include <vector>

#include "transport/tls_library.h"

namespace penstock::transport {
namespace {

template <typename T>
using Owned = std::unique_ptr<T, void (*)(T*)>;
using Certificate = Owned<x509_st>;
using Certificates = std::vector<Certificate>;

// What failed last on this thread.
std::string Reason(const Tls& tls) {
  const unsigned long error = tls.ERR_peek_last_error();
  const char* reason = error == 0 ? nullptr : tls.ERR_reason_error_string(error);
  tls.ERR_clear_error();
  return reason == nullptr ? "OpenSSL gave no reason" : reason;
}

Status Unusable(const Tls& tls, const char* what) {
  return Status(StatusCode::kConfigOption, std::string(what) + ": " + Reason(tls));
}

struct BioCloser {
  const Tls* tls;
  void operator()(bio_st* bio) const { tls->BIO_free(bio); }
};
using Text = std::unique_ptr<bio_st, BioCloser>;

Text Open(const Tls& tls, const std::string& text) {
  if (text.size() > INT_MAX) return Text(nullptr, BioCloser{&tls});
  return Text(tls.BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BioCloser{&tls});
}

// OpenSSL's own would ask at the terminal.
int NoPassword(char*, int, int, void*) { return -1; }

// All of them, at least one.
Result<Certificates> Read(const Tls& tls, const std::string& text, const char* what) {
  tls.ERR_clear_error();
  const Text bio = Open(tls, text);
  Certificates certificates;
  while (bio != nullptr) {
    Certificate next(tls.PEM_read_bio_X509(bio.get(), nullptr, NoPassword, nullptr), tls.X509_free);
    if (next == nullptr) break;
    certificates.push_back(std::move(next));
  }
  // A text ends where no other begins.
  const unsigned long error = tls.ERR_peek_last_error();
  const bool is_end = TlsErrorLibrary(error) == kTlsPemLibrary && TlsErrorReason(error) == kTlsPemNoStart;
  if (certificates.empty() && is_end) return Status(StatusCode::kConfigOption, std::string(what) + " has no certificate in PEM form");
  if (!is_end) return Unusable(tls, (std::string(what) + " cannot be read").c_str());
  tls.ERR_clear_error();
  return certificates;
}

int SelectProtocol(ssl_st*, const unsigned char** out, unsigned char* out_bytes, const unsigned char* in, unsigned int in_bytes,
                   void* user_data) {
  const auto* served = static_cast<const std::string*>(user_data);
  const auto* id = reinterpret_cast<const unsigned char*>(served->data());
  for (unsigned int at = 0; at < in_bytes; at += 1u + in[at]) {
    if (in_bytes - at < served->size() || in[at] != id[0]) continue;
    if (served->compare(0, served->size(), reinterpret_cast<const char*>(in) + at, served->size()) != 0) continue;
    *out = id + 1;
    *out_bytes = id[0];
    return kTlsAlpnOk;
  }
  return kTlsAlpnRefused;
}

}  // namespace

TlsContext::TlsContext(const Tls* tls, const std::string& protocol)
    : tls_(tls), protocols_(std::string(1, static_cast<char>(protocol.size())) + protocol) {}

TlsContext::~TlsContext() {
  if (context_ != nullptr) tls_->SSL_CTX_free(context_);
}

Result<std::shared_ptr<const TlsContext>> TlsContext::Make(const TlsMaterial& material, const std::string& protocol) {
  const Result<const Tls*> tls = FindTls();
  if (!tls.ok()) return tls.status();
  std::shared_ptr<TlsContext> context(new TlsContext(tls.value(), protocol));
  PENSTOCK_RETURN_IF_ERROR(context->Configure());
  PENSTOCK_RETURN_IF_ERROR(context->UseCertificate(material));
  if (!material.client_ca.empty()) PENSTOCK_RETURN_IF_ERROR(context->UseClientCa(material.client_ca));
  return std::shared_ptr<const TlsContext>(std::move(context));
}

Status TlsContext::Configure() {
  tls_->ERR_clear_error();
  context_ = tls_->SSL_CTX_new(tls_->TLS_server_method());
  if (context_ == nullptr) return Status(StatusCode::kInternal, "OpenSSL cannot make a context: " + Reason(*tls_));
  if (tls_->SSL_CTX_ctrl(context_, kTlsControlMinVersion, kTlsVersion12, nullptr) != 1) {
    return Status(StatusCode::kInternal, "OpenSSL has no TLS 1.2: " + Reason(*tls_));
  }
  // A client that ends without close_notify has ended, as node:tls has it: bodies and messages say how long they are.
  tls_->SSL_CTX_set_options(context_, kTlsNoRenegotiation | kTlsIgnoreUnexpectedEnd);
  // Sessions are with the clients, in tickets.
  tls_->SSL_CTX_ctrl(context_, kTlsControlSessionCache, kTlsSessionCacheOff, nullptr);
  // Idle connections hold no buffers.
  tls_->SSL_CTX_ctrl(context_, kTlsControlMode, kTlsModeReleaseBuffers, nullptr);
  // One system call brings several records.
  tls_->SSL_CTX_ctrl(context_, kTlsControlReadAhead, 1, nullptr);
  tls_->SSL_CTX_set_default_read_buffer_len(context_, kReceivedBytes);
  tls_->SSL_CTX_set_alpn_select_cb(context_, SelectProtocol, const_cast<std::string*>(&protocols_));
  return Status::Ok();
}

Status TlsContext::UseCertificate(const TlsMaterial& material) {
  Result<Certificates> certificates = Read(*tls_, material.certificate, "the certificate");
  if (!certificates.ok()) return certificates.status();
  const Text bio = Open(*tls_, material.key);
  if (bio == nullptr) return Unusable(*tls_, "the key cannot be read");
  const Owned<evp_pkey_st> key(tls_->PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassword, nullptr), tls_->EVP_PKEY_free);
  if (key == nullptr) return Unusable(*tls_, "the key cannot be read, or is encrypted");
  x509_st* const leaf = certificates.value().front().get();
  if (tls_->X509_check_private_key(leaf, key.get()) != 1) return Unusable(*tls_, "the key is not that of the certificate");
  if (tls_->SSL_CTX_use_certificate(context_, leaf) != 1) return Unusable(*tls_, "the certificate cannot be used");
  if (tls_->SSL_CTX_use_PrivateKey(context_, key.get()) != 1) return Unusable(*tls_, "the key cannot be used");
  for (size_t i = 1; i < certificates.value().size(); ++i) {
    if (tls_->SSL_CTX_ctrl(context_, kTlsControlChainCert, 1, certificates.value()[i].get()) != 1) {
      return Unusable(*tls_, "a certificate behind the first one cannot be used");
    }
  }
  return Status::Ok();
}

Status TlsContext::UseClientCa(const std::string& text) {
  // OpenSSL wants a name of whoever verifies clients.
  constexpr unsigned char kName[] = {'p'};
  const Result<Certificates> authorities = Read(*tls_, text, "the client CA");
  if (!authorities.ok()) return authorities.status();
  for (const Certificate& authority : authorities.value()) {
    if (tls_->X509_STORE_add_cert(tls_->SSL_CTX_get_cert_store(context_), authority.get()) != 1 ||
        tls_->SSL_CTX_add_client_CA(context_, authority.get()) != 1) {
      return Unusable(*tls_, "the client CA cannot be used");
    }
  }
  tls_->SSL_CTX_set_verify(context_, kTlsVerifyPeer | kTlsVerifyRequired, nullptr);
  if (tls_->SSL_CTX_set_session_id_context(context_, kName, sizeof kName) != 1) return Unusable(*tls_, "the client CA cannot be used");
  // A session that is taken up again is not asked for its certificate, and each ticket begins anew: one would let a client in for as long as
  // it comes back, whatever has become of its certificate.
  tls_->SSL_CTX_set_options(context_, kTlsNoTicket);
  if (tls_->SSL_CTX_set_num_tickets(context_, 0) != 1) return Status(StatusCode::kInternal, "OpenSSL cannot do without tickets");
  return Status::Ok();
}

}  // namespace penstock::transport
