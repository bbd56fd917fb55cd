#include "transport/zlib_library.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>

#include "transport/test_library_functions.h"

namespace penstock::transport {
namespace {

const char* VersionOne() { return "1.3.1"; }
const char* VersionTwo() { return "2.0"; }

SymbolLookup ZlibAt(uintptr_t place, const char* (*version)()) {
  return With("zlibVersion", reinterpret_cast<void*>(version), SymbolsAt(place));
}

TEST(ZlibLibrary, LeavesAProcessOfAnotherReleaseForTheLibrary) {
  const Result<Zlib> found =
      BindZlib({ZlibAt(kOwnPlace, VersionTwo), [](bool, std::string*) { return ZlibAt(kLibraryPlace, VersionOne); }});
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(found.value().deflateEnd) - std::strlen("deflateEnd"), kLibraryPlace);
}

TEST(ZlibLibrary, IsMissingWhereThereIsAnotherRelease) {
  const Status status = BindZlib({NoSymbols(), [](bool, std::string*) { return ZlibAt(kLibraryPlace, VersionTwo); }}).status();
  EXPECT_EQ(status.code(), StatusCode::kNotSupported);
  EXPECT_NE(status.message().find("this one has no interface of zlib 1"), std::string::npos) << status.message();
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
