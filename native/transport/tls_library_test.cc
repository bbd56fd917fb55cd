#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>

#include "transport/tls_library.h"

namespace penstock::transport {
namespace {

unsigned int Three() { return 3; }
unsigned int One() { return 1; }
int Starts(uint64_t, const ossl_init_settings_st*) { return 1; }

// Addresses that are told apart, and never called but for the first two.
TlsLookup Made(uintptr_t base, const std::string& lacks = "", unsigned int (*version)() = Three) {
  return [=](const char* name) -> void* {
    if (name == lacks) return nullptr;
    if (std::strcmp(name, "OPENSSL_version_major") == 0) return reinterpret_cast<void*>(version);
    if (std::strcmp(name, "OPENSSL_init_ssl") == 0) return reinterpret_cast<void*>(&Starts);
    return reinterpret_cast<void*>(base + std::strlen(name));
  };
}
TlsLookup None() {
  return [](const char*) -> void* { return nullptr; };
}
uintptr_t AddressOf(const Tls& tls) { return reinterpret_cast<uintptr_t>(tls.SSL_free) - std::strlen("SSL_free"); }

TEST(TlsLibrary, TakesWhatTheProcessExportsWhenThatIsAll) {
  bool opened = false;
  const Result<Tls> found = BindTls({Made(1 << 20), [&](bool, std::string*) {
                                       opened = true;
                                       return TlsLookup();
                                     }});
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(AddressOf(found.value()), uintptr_t{1 << 20});
  EXPECT_FALSE(opened);
}

TEST(TlsLibrary, NeverMixesAProcessThatExportsSomeFunctionsWithTheLibrary) {
  bool kept_apart = false;
  const auto open = [&](bool apart, std::string*) {
    kept_apart = apart;
    return Made(1 << 21);
  };
  const Result<Tls> found = BindTls({Made(1 << 20, "SSL_has_pending"), open});
  ASSERT_TRUE(found.ok());
  EXPECT_TRUE(kept_apart);
  EXPECT_EQ(AddressOf(found.value()), uintptr_t{1 << 21});
  ASSERT_TRUE(BindTls({None(), open}).ok());
  EXPECT_FALSE(kept_apart);
}

TEST(TlsLibrary, LeavesAProcessOfAnotherReleaseForTheLibrary) {
  const Result<Tls> found = BindTls({Made(1 << 20, "", One), [](bool, std::string*) { return Made(1 << 21); }});
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(AddressOf(found.value()), uintptr_t{1 << 21});
}

TEST(TlsLibrary, NamesThePackageWhenThereIsNone) {
  const Result<Tls> found = BindTls({None(), [](bool, std::string* reason) {
                                       *reason = "no such file";
                                       return TlsLookup();
                                     }});
  EXPECT_EQ(found.status().code(), StatusCode::kNotSupported);
  EXPECT_EQ(found.status().message(),
            "TLS needs libssl.so.3 (Debian and Ubuntu have it in the package libssl3, or libssl3t64): no such file");
}

TEST(TlsLibrary, NamesWhatALibraryLacks) {
  const auto missing = [](const TlsLookup& lookup) {
    return BindTls({None(), [&](bool, std::string*) { return lookup; }}).status().message();
  };
  EXPECT_NE(missing(Made(1 << 20, "SSL_write_ex")).find("this one has no SSL_write_ex"), std::string::npos);
  EXPECT_NE(missing(Made(1 << 20, "", One)).find("this one has no interface of OpenSSL 3"), std::string::npos);
}

}  // namespace
}  // namespace penstock::transport
