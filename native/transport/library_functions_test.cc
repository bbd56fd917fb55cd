#include "transport/library_functions.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "transport/test_library_functions.h"

namespace penstock::transport {
namespace {

struct Three {
  void (*one)() = nullptr;
  void (*two)() = nullptr;
  void (*three)() = nullptr;
};

Binding<Three> BindThree(const SymbolLookup& lookup) {
  Binding<Three> binding;
  binding.Find(lookup, "one", &binding.functions.one);
  binding.Find(lookup, "two", &binding.functions.two);
  binding.Find(lookup, "three", &binding.functions.three);
  return binding;
}

constexpr LibraryNeed kNeed = {"counting", "libthree.so.3", "libthree3"};

Result<Three> BindFrom(const SymbolLookup& process, const decltype(SymbolSources::open_library)& open) {
  return BindWhole<Three>({process, open}, BindThree, kNeed);
}
uintptr_t PlaceOf(const Result<Three>& three) { return reinterpret_cast<uintptr_t>(three.value().three) - std::strlen("three"); }

TEST(LibraryFunctions, AreThoseOfTheProcessWhenItExportsAll) {
  bool opened = false;
  const Result<Three> found = BindFrom(SymbolsAt(kOwnPlace), [&](bool, std::string*) {
    opened = true;
    return SymbolLookup();
  });
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(PlaceOf(found), kOwnPlace);
  EXPECT_FALSE(opened);
}

TEST(LibraryFunctions, AreNeverThoseOfTwoPlaces) {
  bool kept_apart = false;
  const auto open = [&](bool apart, std::string*) {
    kept_apart = apart;
    return SymbolsAt(kLibraryPlace);
  };
  const Result<Three> found = BindFrom(SymbolsAt(kOwnPlace, "two"), open);
  ASSERT_TRUE(found.ok());
  EXPECT_TRUE(kept_apart);
  EXPECT_EQ(PlaceOf(found), kLibraryPlace);
  ASSERT_TRUE(BindFrom(NoSymbols(), open).ok());
  EXPECT_FALSE(kept_apart);
}

TEST(LibraryFunctions, AreMissingWithTheNameOfThePackage) {
  const Result<Three> found = BindFrom(NoSymbols(), [](bool, std::string* reason) {
    *reason = "no such file";
    return SymbolLookup();
  });
  EXPECT_EQ(found.status().code(), StatusCode::kNotSupported);
  EXPECT_EQ(found.status().message(), "counting needs libthree.so.3 (Debian and Ubuntu have it in the package libthree3): no such file");
}

TEST(LibraryFunctions, AreMissingWithTheNameOfTheFirstThatTheLibraryLacks) {
  const Result<Three> found = BindFrom(NoSymbols(), [](bool, std::string*) { return SymbolsAt(kLibraryPlace, "two"); });
  EXPECT_EQ(found.status().code(), StatusCode::kNotSupported);
  EXPECT_EQ(found.status().message(),
            "counting needs another libthree.so.3 (Debian and Ubuntu have it in the package libthree3): this one has no two");
}

TEST(LibraryFunctions, AreLookedUpInALibraryOfTheSystem) {
  std::string reason;
  const SymbolSources sources = SystemSymbols("libc.so.6");
  const SymbolLookup library = sources.open_library(false, &reason);
  ASSERT_TRUE(library) << reason;
  EXPECT_NE(library("malloc"), nullptr);
  EXPECT_EQ(library("no_such_function_anywhere"), nullptr);
  EXPECT_NE(sources.process("malloc"), nullptr);
  EXPECT_FALSE(SystemSymbols("libno-such-library.so.9").open_library(false, &reason));
  EXPECT_NE(reason.find("libno-such-library.so.9"), std::string::npos) << reason;
}

}  // namespace
}  // namespace penstock::transport
