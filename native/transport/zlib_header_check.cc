// Compile-time proof that zlib_api.h agrees with the official header: same signatures, same struct, same numbers.
#define ZLIB_CONST
#include <zlib.h>

#include <cstddef>
#include <type_traits>

#include "transport/zlib_api.h"

namespace penstock::transport {
namespace {

// The official type that ours stands for.
template <typename T>
struct Official {
  using type = T;
};
template <>
struct Official<ZlibStream*> {
  using type = z_stream*;
};
template <typename R, typename... P>
struct Official<R (*)(P...)> {
  using type = R (*)(typename Official<P>::type...);
};

template <typename Ours, typename Theirs>
constexpr bool kSame = std::is_same_v<typename Official<Ours>::type, Theirs>;

#define PENSTOCK_ZLIB_CHECK(name, result, parameters) \
  static_assert(kSame<decltype(Zlib::name), decltype(&::name)>, "signature of " #name);
PENSTOCK_ZLIB_FUNCTIONS(PENSTOCK_ZLIB_CHECK)
#undef PENSTOCK_ZLIB_CHECK

#define PENSTOCK_ZLIB_PLACE(member, official) \
  static_assert(offsetof(ZlibStream, member) == offsetof(z_stream, official) && sizeof(ZlibStream::member) == sizeof(z_stream::official))
#define PENSTOCK_ZLIB_FIELD(member, official) \
  PENSTOCK_ZLIB_PLACE(member, official);      \
  static_assert(kSame<decltype(ZlibStream::member), decltype(z_stream::official)>)
static_assert(sizeof(ZlibStream) == sizeof(z_stream));
PENSTOCK_ZLIB_FIELD(next_in, next_in);
PENSTOCK_ZLIB_FIELD(avail_in, avail_in);
PENSTOCK_ZLIB_FIELD(total_in, total_in);
PENSTOCK_ZLIB_FIELD(next_out, next_out);
PENSTOCK_ZLIB_FIELD(avail_out, avail_out);
PENSTOCK_ZLIB_FIELD(total_out, total_out);
PENSTOCK_ZLIB_FIELD(message, msg);
PENSTOCK_ZLIB_PLACE(state, state);  // a type that only zlib knows
PENSTOCK_ZLIB_FIELD(allocate, zalloc);
PENSTOCK_ZLIB_FIELD(release, zfree);
PENSTOCK_ZLIB_FIELD(opaque, opaque);
PENSTOCK_ZLIB_FIELD(data_type, data_type);
PENSTOCK_ZLIB_FIELD(adler, adler);
PENSTOCK_ZLIB_FIELD(reserved, reserved);
#undef PENSTOCK_ZLIB_FIELD
#undef PENSTOCK_ZLIB_PLACE

static_assert(ZLIB_VERSION[0] == '1');
static_assert(kZlibNoFlush == Z_NO_FLUSH);
static_assert(kZlibFinish == Z_FINISH);
static_assert(kZlibOk == Z_OK);
static_assert(kZlibStreamEnd == Z_STREAM_END);
static_assert(kZlibNeedDict == Z_NEED_DICT);
static_assert(kZlibMemError == Z_MEM_ERROR);
static_assert(kZlibBufError == Z_BUF_ERROR);
static_assert(kZlibBestSpeed == Z_BEST_SPEED);
static_assert(kZlibDeflated == Z_DEFLATED);
static_assert(kZlibDefaultStrategy == Z_DEFAULT_STRATEGY);
static_assert(kZlibWindowBits == MAX_WBITS);

}  // namespace
}  // namespace penstock::transport
