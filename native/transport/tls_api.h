// The part of OpenSSL's C interface that Penstock calls, in our own words: its headers are on no user's machine.
//
// Only functions that every OpenSSL since 3.0 has. The target `tls_header_check` compares all of it with the official headers.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {
// Opaque. In the global namespace, because the official headers declare the same names.
struct ssl_st;
struct ssl_ctx_st;
struct ssl_method_st;
struct bio_st;
struct bio_method_st;
struct x509_st;
struct x509_store_st;
struct x509_store_ctx_st;
struct evp_pkey_st;
struct ossl_init_settings_st;
}

namespace penstock::transport {

using TlsPassword = int (*)(char* text, int bytes, int writes, void* user_data);
using TlsVerify = int (*)(int verified, x509_store_ctx_st*);
// Of the client's protocols, each with its length before it, the one that is taken: `*out` points into them or lives for ever.
using TlsAlpnSelect = int (*)(ssl_st*, const unsigned char** out, unsigned char* out_bytes, const unsigned char* in, unsigned int in_bytes,
                              void* user_data);
using TlsBioWrite = int (*)(bio_st*, const char* bytes, int size);
using TlsBioRead = int (*)(bio_st*, char* bytes, int size);
using TlsBioControl = long (*)(bio_st*, int command, long number, void* pointer);

constexpr unsigned int kTlsMajor = 3;                         // OPENSSL_VERSION_MAJOR
constexpr uint64_t kTlsInitNoAtExit = 0x00080000;             // OPENSSL_INIT_NO_ATEXIT
constexpr int kTlsVersion12 = 0x0303;                         // TLS1_2_VERSION
constexpr int kTlsControlMode = 33;                           // SSL_CTRL_MODE
constexpr int kTlsControlReadAhead = 41;                      // SSL_CTRL_SET_READ_AHEAD
constexpr int kTlsControlSessionCache = 44;                   // SSL_CTRL_SET_SESS_CACHE_MODE
constexpr int kTlsControlChainCert = 89;                      // SSL_CTRL_CHAIN_CERT; number 1: another reference is taken
constexpr int kTlsControlMinVersion = 123;                    // SSL_CTRL_SET_MIN_PROTO_VERSION
constexpr long kTlsModeReleaseBuffers = 0x10;                 // SSL_MODE_RELEASE_BUFFERS
constexpr long kTlsSessionCacheOff = 0;                       // SSL_SESS_CACHE_OFF
constexpr uint64_t kTlsIgnoreUnexpectedEnd = uint64_t{1} << 7;// SSL_OP_IGNORE_UNEXPECTED_EOF
constexpr uint64_t kTlsNoTicket = uint64_t{1} << 14;          // SSL_OP_NO_TICKET
constexpr uint64_t kTlsNoRenegotiation = uint64_t{1} << 30;   // SSL_OP_NO_RENEGOTIATION
constexpr int kTlsVerifyPeer = 1;                             // SSL_VERIFY_PEER
constexpr int kTlsVerifyRequired = 2;                         // SSL_VERIFY_FAIL_IF_NO_PEER_CERT
constexpr int kTlsErrorWantRead = 2;                          // SSL_ERROR_WANT_READ
constexpr int kTlsErrorZeroReturn = 6;                        // SSL_ERROR_ZERO_RETURN
constexpr int kTlsAlpnOk = 0;                                 // SSL_TLSEXT_ERR_OK
constexpr int kTlsAlpnRefused = 2;                            // SSL_TLSEXT_ERR_ALERT_FATAL
constexpr int kTlsKeyUpdateNotRequested = 0;  // SSL_KEY_UPDATE_NOT_REQUESTED
constexpr int kTlsKeyUpdateRequested = 1;                     // SSL_KEY_UPDATE_REQUESTED
constexpr int kTlsBioSourceSink = 0x0400;                     // BIO_TYPE_SOURCE_SINK
constexpr int kTlsBioEnd = 2;                                 // BIO_CTRL_EOF
constexpr int kTlsBioFlush = 11;                              // BIO_CTRL_FLUSH
constexpr int kTlsBioReadAgain = 0x01 | 0x08;                 // BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY
constexpr int kTlsBioAnyAgain = 0x01 | 0x02 | 0x04 | 0x08;    // all of BIO_clear_retry_flags
// Of an error, as ERR_GET_LIB and ERR_GET_REASON have them.
constexpr int kTlsPemLibrary = 9;                             // ERR_LIB_PEM
constexpr int kTlsPemNoStart = 108;                           // PEM_R_NO_START_LINE
constexpr int TlsErrorLibrary(unsigned long error) { return static_cast<int>((error >> 23) & 0xff); }
constexpr int TlsErrorReason(unsigned long error) { return static_cast<int>(error & 0x7fffff); }

// Name, result, parameters. Results of int are 1 = done, unless said otherwise. `ERR_` is about this thread's last failures.
//
// The half of a client is among them, which as in nghttp2_api.h the clients of the tests take: TLS_client_method, SSL_set_connect_state,
// SSL_set_alpn_protos, SSL_get0_alpn_selected, SSL_get1_peer_certificate, PEM_write_bio_X509, SSL_key_update, the BIOs of memory.
#define PENSTOCK_TLS_FUNCTIONS(X)                                                                                                      \
  X(OPENSSL_init_ssl, int, (uint64_t options, const ossl_init_settings_st*))                                                           \
  X(OPENSSL_version_major, unsigned int, ())                                                                                           \
  X(ERR_clear_error, void, ())                                                                                                         \
  /* 0 = none. */                                                                                                                      \
  X(ERR_peek_last_error, unsigned long, ())                                                                                            \
  /* Null where it has no text. */                                                                                                     \
  X(ERR_reason_error_string, const char*, (unsigned long error))                                                                       \
  X(BIO_get_new_index, int, ())                                                                                                        \
  X(BIO_meth_new, bio_method_st*, (int type, const char* name))                                                                        \
  X(BIO_meth_set_write, int, (bio_method_st*, TlsBioWrite))                                                                            \
  X(BIO_meth_set_read, int, (bio_method_st*, TlsBioRead))                                                                              \
  X(BIO_meth_set_ctrl, int, (bio_method_st*, TlsBioControl))                                                                           \
  X(BIO_new, bio_st*, (const bio_method_st*))                                                                                          \
  /* Reads the text, which is not copied. */                                                                                           \
  X(BIO_new_mem_buf, bio_st*, (const void* text, int bytes))                                                                           \
  X(BIO_s_mem, const bio_method_st*, ())                                                                                               \
  X(BIO_free, int, (bio_st*))                                                                                                          \
  X(BIO_read, int, (bio_st*, void* bytes, int size))                                                                                   \
  X(BIO_write, int, (bio_st*, const void* bytes, int size))                                                                            \
  X(BIO_set_data, void, (bio_st*, void*))                                                                                              \
  X(BIO_get_data, void*, (bio_st*))                                                                                                    \
  X(BIO_set_init, void, (bio_st*, int))                                                                                                \
  X(BIO_set_flags, void, (bio_st*, int))                                                                                               \
  X(BIO_clear_flags, void, (bio_st*, int))                                                                                             \
  X(PEM_read_bio_X509, x509_st*, (bio_st*, x509_st**, TlsPassword, void* user_data))                                                   \
  X(PEM_write_bio_X509, int, (bio_st*, const x509_st*))                                                                                \
  X(PEM_read_bio_PrivateKey, evp_pkey_st*, (bio_st*, evp_pkey_st**, TlsPassword, void* user_data))                                     \
  X(X509_free, void, (x509_st*))                                                                                                       \
  X(X509_check_private_key, int, (const x509_st*, const evp_pkey_st*))                                                                 \
  X(X509_STORE_add_cert, int, (x509_store_st*, x509_st*))                                                                              \
  X(EVP_PKEY_free, void, (evp_pkey_st*))                                                                                               \
  X(TLS_server_method, const ssl_method_st*, ())                                                                                       \
  X(TLS_client_method, const ssl_method_st*, ())                                                                                       \
  X(SSL_CTX_new, ssl_ctx_st*, (const ssl_method_st*))                                                                                  \
  X(SSL_CTX_free, void, (ssl_ctx_st*))                                                                                                 \
  X(SSL_CTX_ctrl, long, (ssl_ctx_st*, int command, long number, void* pointer))                                                        \
  X(SSL_CTX_set_options, uint64_t, (ssl_ctx_st*, uint64_t))                                                                            \
  X(SSL_CTX_set_num_tickets, int, (ssl_ctx_st*, size_t))                                                                               \
  X(SSL_CTX_set_default_read_buffer_len, void, (ssl_ctx_st*, size_t bytes))                                                            \
  X(SSL_CTX_use_certificate, int, (ssl_ctx_st*, x509_st*))                                                                             \
  X(SSL_CTX_use_PrivateKey, int, (ssl_ctx_st*, evp_pkey_st*))                                                                          \
  X(SSL_CTX_get_cert_store, x509_store_st*, (const ssl_ctx_st*))                                                                       \
  /* Those that clients are told of; a copy of its name is taken. */                                                                   \
  X(SSL_CTX_add_client_CA, int, (ssl_ctx_st*, x509_st*))                                                                               \
  X(SSL_CTX_set_verify, void, (ssl_ctx_st*, int mode, TlsVerify))                                                                      \
  X(SSL_CTX_set_session_id_context, int, (ssl_ctx_st*, const unsigned char* id, unsigned int bytes))                                   \
  X(SSL_CTX_set_alpn_select_cb, void, (ssl_ctx_st*, TlsAlpnSelect, void* user_data))                                                   \
  X(SSL_new, ssl_st*, (ssl_ctx_st*))                                                                                                   \
  X(SSL_free, void, (ssl_st*))                                                                                                         \
  /* The BIOs become those of the connection. */                                                                                       \
  X(SSL_set_bio, void, (ssl_st*, bio_st* read, bio_st* write))                                                                         \
  X(SSL_set_accept_state, void, (ssl_st*))                                                                                             \
  X(SSL_set_connect_state, void, (ssl_st*))                                                                                            \
  /* 0 = done. */                                                                                                                      \
  X(SSL_set_alpn_protos, int, (ssl_st*, const unsigned char* protocols, unsigned int bytes))                                           \
  X(SSL_get0_alpn_selected, void, (const ssl_st*, const unsigned char** protocol, unsigned int* bytes))                                \
  X(SSL_do_handshake, int, (ssl_st*))                                                                                                  \
  X(SSL_get_error, int, (const ssl_st*, int result))                                                                                   \
  X(SSL_read_ex, int, (ssl_st*, void* bytes, size_t size, size_t* read))                                                               \
  X(SSL_write_ex, int, (ssl_st*, const void* bytes, size_t size, size_t* written))                                                     \
  X(SSL_pending, int, (const ssl_st*))                                                                                                 \
  X(SSL_has_pending, int, (const ssl_st*))                                                                                             \
  /* A reference of the caller's own. */                                                                                               \
  X(SSL_get1_peer_certificate, x509_st*, (const ssl_st*))                                                                              \
  X(SSL_key_update, int, (ssl_st*, int type))                                                                                          \
  X(SSL_shutdown, int, (ssl_st*))

// One pointer for each function, named as in the C interface.
struct Tls {
#define PENSTOCK_TLS_MEMBER(name, result, parameters) result(*name) parameters = nullptr;
  PENSTOCK_TLS_FUNCTIONS(PENSTOCK_TLS_MEMBER)
#undef PENSTOCK_TLS_MEMBER
};

}  // namespace penstock::transport
