// Every input of the kept corpus once, through what the fuzzers run: what they have found stays mended, and no compiler of theirs is needed.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "fuzz/targets.h"

namespace penstock::fuzz {
namespace {

std::vector<std::filesystem::path> CorpusOf(const Target& target) {
  std::vector<std::filesystem::path> files;
  const auto folder = std::filesystem::path(PENSTOCK_SOURCE_DIR) / "native" / "fuzz" / "corpus" / target.name;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

class Corpus : public ::testing::TestWithParam<Target> {};

TEST_P(Corpus, HoldsInEveryInput) {
  const std::vector<std::filesystem::path> files = CorpusOf(GetParam());
  ASSERT_FALSE(files.empty());
  for (const std::filesystem::path& file : files) {
    std::ifstream stream(file, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    // Of exactly this size, so that the address sanitizer sees the first byte read past its end.
    const std::unique_ptr<char[]> exact(new char[bytes.size()]);
    std::copy(bytes.begin(), bytes.end(), exact.get());
    EXPECT_STREQ(GetParam().try_input({exact.get(), bytes.size()}), nullptr) << file;
  }
}

INSTANTIATE_TEST_SUITE_P(Fuzz, Corpus, ::testing::ValuesIn(kTargets), [](const auto& of) { return std::string(of.param.name); });

}  // namespace
}  // namespace penstock::fuzz
