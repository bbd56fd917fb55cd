// test/contract/http1-heads.test.ts compares the choice with that of JavaScript.
#include "frontend/answer_encoding.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace penstock::frontend {
namespace {

std::string Best(const std::vector<std::string>& fields) {
  EncodingChoice choice;
  for (const std::string& field : fields) choice.Add(field);
  return std::string(NameOf(choice.best()));
}

TEST(AnswerEncoding, IsTheBestOfWhatIsAccepted) {
  const struct {
    std::string accepted, best;
  } cases[] = {
      {"", "identity"},
      {"gzip", "gzip"},
      {"deflate", "deflate"},
      {"GZip", "gzip"},
      {"gzip, deflate, br, zstd", "gzip"},
      {"deflate, gzip", "deflate"},
      {"br;q=1, gzip;q=0.2", "gzip"},
      {"*", "identity"},
      {"x-gzip", "identity"},
      {"gzip;q=0", "identity"},
      {"gzip;q=0.000, deflate;q=0.001", "deflate"},
      {"gzip;q=0.5, deflate", "deflate"},
      {"deflate;q=0.5, gzip;q=0.6", "gzip"},
      {"deflate;q=0.5, gzip;q=0.50", "deflate"},
      {"identity, gzip;q=0.9", "identity"},
      {"identity;q=0.9, gzip;q=0.901", "gzip"},
      {"identity;q=0, gzip;q=0.1", "gzip"},
      {"gzip;q=0.1, gzip;q=0.3, deflate;q=0.2", "gzip"},
  };
  for (const auto& [accepted, best] : cases) EXPECT_EQ(Best({accepted}), best) << accepted;
}

TEST(AnswerEncoding, TakesAWrongQualityForZero) {
  for (const char* const quality : {"1", "1.", "1.0", "1.000", "0.", "0.1", "0.12", "0.123"}) {
    const std::string expected = std::string(quality) == "0." ? "identity" : "gzip";
    EXPECT_EQ(Best({"gzip;q=" + std::string(quality)}), expected) << quality;
  }
  for (const char* const quality : {"", "2", "1.1", "1.001", "1.0000", "0.1234", ".5", "-0.5", "+1", "00.5", "0,5", "0.5x", "0x1", "1e0",
                                    "\"1\"", " 1", "= 1", "1.0.0"}) {
    EXPECT_EQ(Best({"gzip;q=" + std::string(quality)}), "identity") << quality;
  }
}

TEST(AnswerEncoding, FindsTheQualityAmongOtherParameters) {
  EXPECT_EQ(Best({"gzip;level=9;q=0.3, deflate;q=0.4"}), "deflate");
  EXPECT_EQ(Best({"gzip;q=0;q=1"}), "identity");
  EXPECT_EQ(Best({"gzip;;Q=0.3;, deflate;q=0.4"}), "deflate");
  EXPECT_EQ(Best({"gzip;q =0"}), "gzip");
  EXPECT_EQ(Best({"gzip;"}), "gzip");
}

TEST(AnswerEncoding, PassesOverWhiteSpaceThatJavaScriptPassesOver) {
  EXPECT_EQ(Best({" \tgzip\x0B\x0C ; q=0.5\xA0"}), "gzip");
  EXPECT_EQ(Best({"gz ip"}), "identity");
  EXPECT_EQ(Best({"gzip\x85"}), "identity");
  EXPECT_EQ(Best({",, ;q=1,gzip,"}), "gzip");
}

TEST(AnswerEncoding, JoinsFields) {
  EXPECT_EQ(Best({"identity;q=0.1", "gzip"}), "gzip");
  EXPECT_EQ(Best({"deflate", "gzip"}), "deflate");
  EXPECT_EQ(Best({"gzip;q=0.1", "", "deflate;q=0.2"}), "deflate");
}

}  // namespace
}  // namespace penstock::frontend
