#include "transport/tls_library.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>

#include "transport/test_library_functions.h"

namespace penstock::transport {
namespace {

unsigned int Three() { return 3; }
unsigned int One() { return 1; }
int Starts(uint64_t, const ossl_init_settings_st*) { return 1; }
int Fails(uint64_t, const ossl_init_settings_st*) { return 0; }

SymbolLookup OpenSslAt(uintptr_t place, unsigned int (*version)() = Three, int (*start)(uint64_t, const ossl_init_settings_st*) = Starts) {
  return With("OPENSSL_version_major", reinterpret_cast<void*>(version),
              With("OPENSSL_init_ssl", reinterpret_cast<void*>(start), SymbolsAt(place)));
}

TEST(TlsLibrary, LeavesAProcessOfAnotherReleaseForTheLibrary) {
  const Result<Tls> found = BindTls({OpenSslAt(kOwnPlace, One), [](bool, std::string*) { return OpenSslAt(kLibraryPlace); }});
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(found.value().SSL_free) - std::strlen("SSL_free"), kLibraryPlace);
}

TEST(TlsLibrary, IsMissingWhereThereIsAnotherRelease) {
  const Status status = BindTls({NoSymbols(), [](bool, std::string*) { return OpenSslAt(kLibraryPlace, One); }}).status();
  EXPECT_EQ(status.code(), StatusCode::kNotSupported);
  EXPECT_EQ(status.message(),
            "TLS needs another libssl.so.3 (Debian and Ubuntu have it in the package libssl3, or libssl3t64): this one has no interface of "
            "OpenSSL 3");
}

TEST(TlsLibrary, IsMissingWhereItDoesNotStart) {
  const Status status = BindTls({OpenSslAt(kOwnPlace, Three, Fails), nullptr}).status();
  EXPECT_EQ(status.code(), StatusCode::kNotSupported);
  EXPECT_NE(status.message().find("does not start"), std::string::npos) << status.message();
}

}  // namespace
}  // namespace penstock::transport
