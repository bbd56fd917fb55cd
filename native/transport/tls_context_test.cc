#include "transport/tls_context.h"

#include <gtest/gtest.h>

#include <string>

#include "transport/test_tls_client.h"
#include "transport/tls_library.h"

namespace penstock::transport {
namespace {

class TlsContextTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const Result<const Tls*> found = FindTls();
    if (!found.ok()) GTEST_SKIP() << found.status().message();
  }
  static std::string Refusal(const TlsMaterial& material) {
    const auto made = TlsContext::Make(material, "h2");
    EXPECT_EQ(made.status().code(), StatusCode::kConfigOption);
    return made.status().message();
  }
};

TEST_F(TlsContextTest, TakesACertificateWithItsChainAndItsKey) {
  EXPECT_TRUE(TlsContext::Make(ServerMaterial(), "h2").ok());
  EXPECT_TRUE(TlsContext::Make({std::string(kServerCertificate) + kCaCertificate, kServerKey, ""}, "h2").ok());
  EXPECT_TRUE(TlsContext::Make(ServerMaterial(std::string(kCaCertificate) + kStrangerCertificate), "h2").ok());
  // Texts around them are comments.
  EXPECT_TRUE(TlsContext::Make({std::string("issued for a test\n") + kServerCertificate + "\n\nthe end\n", kServerKey, ""}, "h2").ok());
}

TEST_F(TlsContextTest, SaysWhichTextCannotBeUsed) {
  const std::string half = std::string(kServerCertificate).substr(0, 300);
  const std::string broken = std::string(kServerCertificate).replace(60, 8, "!!!!!!!!");
  EXPECT_EQ(Refusal({"", kServerKey, ""}), "the certificate has no certificate in PEM form");
  EXPECT_EQ(Refusal({kServerKey, kServerKey, ""}), "the certificate has no certificate in PEM form");
  EXPECT_EQ(Refusal({half, kServerKey, ""}).find("the certificate cannot be read: "), 0u);
  EXPECT_EQ(Refusal({broken, kServerKey, ""}).find("the certificate cannot be read: "), 0u);
  EXPECT_EQ(Refusal({kServerCertificate + half, kServerKey, ""}).find("the certificate cannot be read: "), 0u);
  EXPECT_EQ(Refusal({kServerCertificate, "", ""}).find("the key cannot be read, or is encrypted: "), 0u);
  EXPECT_EQ(Refusal({kServerCertificate, kServerCertificate, ""}).find("the key cannot be read, or is encrypted: "), 0u);
  EXPECT_EQ(Refusal({kServerCertificate, kRenewedKey, ""}), "the key is not that of the certificate: key values mismatch");
  EXPECT_EQ(Refusal(ServerMaterial("nothing")), "the client CA has no certificate in PEM form");
  EXPECT_EQ(Refusal(ServerMaterial(half)).find("the client CA cannot be read: "), 0u);
}

TEST_F(TlsContextTest, AsksNobodyForThePasswordOfAKey) {
  constexpr const char* kEncrypted = R"(-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAi4KaAfTX1m0gICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEEJ3/EcMiXdssjnW7S2CnLMoEgZC2
HoFVREPsIhkV/vBzCQ3hwG2XoFYbPp0PVIHERs7ajNgV1HJ7yOi4OoMmjI4m1TFt
twaiVssvvMfQoYq7HQTp7gzA0LAhdg5vcB3jZNX8Yaqz6gOdrDVI8aMgcTGJJrNE
yxn6Qr/DTPhrOtbpUzQYCxETKYLa940DNwoNJW8fjPnoeLc/Gr1yS7oLsEtEpaw=
-----END ENCRYPTED PRIVATE KEY-----
)";
  EXPECT_EQ(Refusal({kServerCertificate, kEncrypted, ""}).find("the key cannot be read, or is encrypted: "), 0u);
}

}  // namespace
}  // namespace penstock::transport
