// Compile-time proof that nghttp2_api.h agrees with the official header: same signatures, same structs, same numbers.
#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <type_traits>

#include "transport/nghttp2_api.h"

namespace penstock::transport {
namespace {

// The official type that ours stands for, at any depth of pointers and in the parameters of callbacks. Enums count as int.
template <typename T, typename = void>
struct Plain {
  using type = T;
};
template <typename T>
struct Plain<T, std::enable_if_t<std::is_enum_v<T>>> {
  static_assert(sizeof(T) == sizeof(int));
  using type = int;
};
template <typename T>
struct Plain<const T, std::enable_if_t<std::is_class_v<T> || std::is_union_v<T>>> {
  using type = const typename Plain<T>::type;
};
template <typename T>
struct Plain<T*, std::enable_if_t<!std::is_function_v<T>>> {
  using type = typename Plain<T>::type*;
};
template <typename R, typename... P>
struct Plain<R (*)(P...)> {
  using type = typename Plain<R>::type (*)(typename Plain<P>::type...);
};

#define PENSTOCK_NGHTTP2_STANDS_FOR(ours, official) \
  template <>                                       \
  struct Plain<ours> {                              \
    using type = official;                          \
  }
PENSTOCK_NGHTTP2_STANDS_FOR(Http2Frame, nghttp2_frame);
PENSTOCK_NGHTTP2_STANDS_FOR(Http2Field, nghttp2_nv);
PENSTOCK_NGHTTP2_STANDS_FOR(Http2Setting, nghttp2_settings_entry);
PENSTOCK_NGHTTP2_STANDS_FOR(Http2BodySource, nghttp2_data_source);
PENSTOCK_NGHTTP2_STANDS_FOR(Http2Body, nghttp2_data_provider);
PENSTOCK_NGHTTP2_STANDS_FOR(Http2Priority, nghttp2_priority_spec);
#undef PENSTOCK_NGHTTP2_STANDS_FOR

template <typename Ours, typename Official>
constexpr bool kSame = std::is_same_v<typename Plain<Ours>::type, typename Plain<Official>::type>;

#define PENSTOCK_NGHTTP2_CHECK(name, result, parameters) \
  static_assert(kSame<decltype(Nghttp2::name), decltype(&::nghttp2_##name)>, "signature of nghttp2_" #name);
PENSTOCK_NGHTTP2_FUNCTIONS(PENSTOCK_NGHTTP2_CHECK)
#undef PENSTOCK_NGHTTP2_CHECK

#define PENSTOCK_NGHTTP2_SIZE(ours, official) static_assert(sizeof(ours) == sizeof(official), "size of " #official)
#define PENSTOCK_NGHTTP2_FIELD(ours, member, official, official_member)                         \
  static_assert(offsetof(ours, member) == offsetof(official, official_member) &&                \
                    kSame<decltype(ours::member), decltype(official::official_member)>,         \
                #official "." #official_member)
PENSTOCK_NGHTTP2_SIZE(Http2FrameHead, nghttp2_frame_hd);
PENSTOCK_NGHTTP2_FIELD(Http2FrameHead, length, nghttp2_frame_hd, length);
PENSTOCK_NGHTTP2_FIELD(Http2FrameHead, stream_id, nghttp2_frame_hd, stream_id);
PENSTOCK_NGHTTP2_FIELD(Http2FrameHead, type, nghttp2_frame_hd, type);
PENSTOCK_NGHTTP2_FIELD(Http2FrameHead, flags, nghttp2_frame_hd, flags);
PENSTOCK_NGHTTP2_FIELD(Http2FrameHead, reserved, nghttp2_frame_hd, reserved);
static_assert(offsetof(Http2Frame, head) == offsetof(nghttp2_frame, hd));
PENSTOCK_NGHTTP2_SIZE(Http2Field, nghttp2_nv);
PENSTOCK_NGHTTP2_FIELD(Http2Field, name, nghttp2_nv, name);
PENSTOCK_NGHTTP2_FIELD(Http2Field, value, nghttp2_nv, value);
PENSTOCK_NGHTTP2_FIELD(Http2Field, name_bytes, nghttp2_nv, namelen);
PENSTOCK_NGHTTP2_FIELD(Http2Field, value_bytes, nghttp2_nv, valuelen);
PENSTOCK_NGHTTP2_FIELD(Http2Field, flags, nghttp2_nv, flags);
PENSTOCK_NGHTTP2_SIZE(Http2Setting, nghttp2_settings_entry);
PENSTOCK_NGHTTP2_FIELD(Http2Setting, id, nghttp2_settings_entry, settings_id);
PENSTOCK_NGHTTP2_FIELD(Http2Setting, value, nghttp2_settings_entry, value);
PENSTOCK_NGHTTP2_SIZE(Http2BodySource, nghttp2_data_source);
PENSTOCK_NGHTTP2_FIELD(Http2BodySource, fd, nghttp2_data_source, fd);
PENSTOCK_NGHTTP2_FIELD(Http2BodySource, pointer, nghttp2_data_source, ptr);
PENSTOCK_NGHTTP2_SIZE(Http2Body, nghttp2_data_provider);
PENSTOCK_NGHTTP2_FIELD(Http2Body, source, nghttp2_data_provider, source);
PENSTOCK_NGHTTP2_FIELD(Http2Body, read, nghttp2_data_provider, read_callback);
#undef PENSTOCK_NGHTTP2_FIELD
#undef PENSTOCK_NGHTTP2_SIZE

static_assert(kHttp2Data == NGHTTP2_DATA);
static_assert(kHttp2Headers == NGHTTP2_HEADERS);
static_assert(kHttp2ResetStream == NGHTTP2_RST_STREAM);
static_assert(kHttp2Settings == NGHTTP2_SETTINGS);
static_assert(kHttp2Ping == NGHTTP2_PING);
static_assert(kHttp2GoAway == NGHTTP2_GOAWAY);
static_assert(kHttp2EndStream == NGHTTP2_FLAG_END_STREAM);
static_assert(kHttp2BodyEnd == NGHTTP2_DATA_FLAG_EOF);
static_assert(kHttp2NoEndStream == NGHTTP2_DATA_FLAG_NO_END_STREAM);
static_assert(kHttp2NoCopy == NGHTTP2_DATA_FLAG_NO_COPY);
static_assert(kHttp2MaxConcurrentStreams == NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
static_assert(kHttp2InitialWindowSize == NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE);
static_assert(kHttp2MaxHeaderListSize == NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE);
static_assert(kHttp2NoError == NGHTTP2_NO_ERROR);
static_assert(kHttp2ProtocolError == NGHTTP2_PROTOCOL_ERROR);
static_assert(kHttp2InternalError == NGHTTP2_INTERNAL_ERROR);
static_assert(kHttp2RefusedStream == NGHTTP2_REFUSED_STREAM);
static_assert(kHttp2Cancel == NGHTTP2_CANCEL);
static_assert(kHttp2EnhanceYourCalm == NGHTTP2_ENHANCE_YOUR_CALM);
static_assert(kHttp2MaxWindow == NGHTTP2_MAX_WINDOW_SIZE);
static_assert(kHttp2Deferred == NGHTTP2_ERR_DEFERRED);
static_assert(kHttp2Pause == NGHTTP2_ERR_PAUSE);
static_assert(kHttp2StreamFailure == NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE);
static_assert(kHttp2CallbackFailure == NGHTTP2_ERR_CALLBACK_FAILURE);

}  // namespace
}  // namespace penstock::transport
