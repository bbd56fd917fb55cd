// Compile-time proof that tls_api.h agrees with the official headers: same signatures, same numbers.
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <type_traits>

#include "transport/tls_api.h"

namespace penstock::transport {
namespace {

#define PENSTOCK_TLS_CHECK(name, result, parameters) \
  static_assert(std::is_same_v<decltype(Tls::name), decltype(&::name)>, "signature of " #name);
PENSTOCK_TLS_FUNCTIONS(PENSTOCK_TLS_CHECK)
#undef PENSTOCK_TLS_CHECK

static_assert(kTlsMajor == OPENSSL_VERSION_MAJOR);
static_assert(kTlsInitNoAtExit == OPENSSL_INIT_NO_ATEXIT);
static_assert(kTlsVersion12 == TLS1_2_VERSION);
static_assert(kTlsControlMode == SSL_CTRL_MODE);
static_assert(kTlsControlReadAhead == SSL_CTRL_SET_READ_AHEAD);
static_assert(kTlsControlSessionCache == SSL_CTRL_SET_SESS_CACHE_MODE);
static_assert(kTlsControlChainCert == SSL_CTRL_CHAIN_CERT);
static_assert(kTlsControlMinVersion == SSL_CTRL_SET_MIN_PROTO_VERSION);
static_assert(kTlsModeReleaseBuffers == SSL_MODE_RELEASE_BUFFERS);
static_assert(kTlsSessionCacheOff == SSL_SESS_CACHE_OFF);
static_assert(kTlsIgnoreUnexpectedEnd == SSL_OP_IGNORE_UNEXPECTED_EOF);
static_assert(kTlsNoTicket == SSL_OP_NO_TICKET);
static_assert(kTlsNoRenegotiation == SSL_OP_NO_RENEGOTIATION);
static_assert(kTlsVerifyPeer == SSL_VERIFY_PEER);
static_assert(kTlsVerifyRequired == SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
static_assert(kTlsErrorWantRead == SSL_ERROR_WANT_READ);
static_assert(kTlsErrorZeroReturn == SSL_ERROR_ZERO_RETURN);
static_assert(kTlsAlpnOk == SSL_TLSEXT_ERR_OK);
static_assert(kTlsAlpnRefused == SSL_TLSEXT_ERR_ALERT_FATAL);
static_assert(kTlsKeyUpdateNotRequested == SSL_KEY_UPDATE_NOT_REQUESTED);
static_assert(kTlsKeyUpdateRequested == SSL_KEY_UPDATE_REQUESTED);
static_assert(kTlsBioSourceSink == BIO_TYPE_SOURCE_SINK);
static_assert(kTlsBioEnd == BIO_CTRL_EOF);
static_assert(kTlsBioFlush == BIO_CTRL_FLUSH);
static_assert(kTlsBioReadAgain == (BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY));
static_assert(kTlsBioAnyAgain == (BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY));
static_assert(kTlsPemLibrary == ERR_LIB_PEM);
static_assert(kTlsPemNoStart == PEM_R_NO_START_LINE);
// The official ones are no constant expressions: they tell errors of the system apart, which ours are not asked about.
static_assert(TlsErrorLibrary(0x04800000 | 108) == ERR_LIB_PEM && ERR_LIB_OFFSET == 23);
static_assert(TlsErrorReason(ERR_REASON_MASK) == ERR_REASON_MASK);

}  // namespace
}  // namespace penstock::transport
