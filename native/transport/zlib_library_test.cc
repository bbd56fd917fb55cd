#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>

#include "transport/zlib_library.h"

namespace penstock::transport {
namespace {

const char* VersionOne() { return "1.3.1"; }
const char* VersionTwo() { return "2.0"; }

// Addresses that are told apart, and never called but for the version.
ZlibLookup Made(uintptr_t base, const char* (*version)() = VersionOne, const std::string& lacks = "") {
  return [=](const char* name) -> void* {
    if (name == lacks) return nullptr;
    if (std::strcmp(name, "zlibVersion") == 0) return reinterpret_cast<void*>(version);
    return reinterpret_cast<void*>(base + std::strlen(name));
  };
}
ZlibLookup None() {
  return [](const char*) -> void* { return nullptr; };
}
uintptr_t AddressOf(const Zlib& zlib) { return reinterpret_cast<uintptr_t>(zlib.deflateEnd) - std::strlen("deflateEnd"); }

TEST(ZlibLibrary, TakesWhatTheProcessExportsWhenThatIsAll) {
  const auto found = BindZlib({Made(1 << 20), [] { return Made(1 << 21); }});
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(AddressOf(*found), uintptr_t{1 << 20});
}

TEST(ZlibLibrary, OpensTheLibraryWhereTheProcessExportsNothing) {
  const auto found = BindZlib({None(), [] { return Made(1 << 21); }});
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(AddressOf(*found), uintptr_t{1 << 21});
}

TEST(ZlibLibrary, NeverMixesAProcessThatExportsSomeFunctionsWithTheLibrary) {
  EXPECT_FALSE(BindZlib({Made(1 << 20, VersionOne, "deflate"), [] { return Made(1 << 21); }}).has_value());
}

TEST(ZlibLibrary, IsMissingWhereThereIsNoneOrAnotherOne) {
  EXPECT_FALSE(BindZlib({None(), [] { return ZlibLookup(); }}).has_value());
  EXPECT_FALSE(BindZlib({None(), [] { return Made(1 << 21, VersionOne, "deflateInit2_"); }}).has_value());
  EXPECT_FALSE(BindZlib({Made(1 << 20, VersionTwo), [] { return Made(1 << 21); }}).has_value());
}

TEST(ZlibLibrary, CompressesAndDecompressesWithThatOfThisMachine) {
  const Zlib* zlib = FindZlib();
  ASSERT_NE(zlib, nullptr);
  EXPECT_EQ(zlib, FindZlib());
  ZlibStream stream;
  ASSERT_EQ(zlib->deflateInit2_(&stream, kZlibBestSpeed, kZlibDeflated, kZlibWindowBits + kZlibGzip, kZlibMemLevel, kZlibDefaultStrategy,
                                zlib->zlibVersion(), sizeof stream),
            kZlibOk);
  const std::string zeros(10'000, '\0');
  uint8_t out[1000] = {};
  stream.next_in = reinterpret_cast<const uint8_t*>(zeros.data());
  stream.avail_in = static_cast<unsigned>(zeros.size());
  stream.next_out = out;
  stream.avail_out = sizeof out;
  EXPECT_EQ(zlib->deflate(&stream, kZlibFinish), kZlibStreamEnd);
  EXPECT_EQ(stream.total_in, zeros.size());
  EXPECT_LT(stream.total_out, 200u);
  EXPECT_EQ(out[0], 0x1f);  // RFC 1952, section 2.3.1
  EXPECT_EQ(out[1], 0x8b);
  const auto compressed = static_cast<unsigned>(stream.total_out);
  EXPECT_EQ(zlib->deflateEnd(&stream), kZlibOk);

  ZlibStream back;
  ASSERT_EQ(zlib->inflateInit2_(&back, kZlibWindowBits + kZlibGzip, zlib->zlibVersion(), sizeof back), kZlibOk);
  std::string text(20'000, 'x');
  back.next_in = out;
  back.avail_in = compressed;
  back.next_out = reinterpret_cast<uint8_t*>(text.data());
  back.avail_out = static_cast<unsigned>(text.size());
  EXPECT_EQ(zlib->inflate(&back, kZlibFinish), kZlibStreamEnd);
  EXPECT_EQ(text.substr(0, back.total_out), zeros);
  EXPECT_EQ(zlib->inflateEnd(&back), kZlibOk);
}

}  // namespace
}  // namespace penstock::transport
