// The part of nghttp2's C interface that Penstock calls, in our own words: its header is on no user's machine.
//
// Only functions that every libnghttp2.so.14 in use has; the newer variants of some, which a Node built with the system's library may lack,
// are left out. The target `nghttp2_header_check` compares all of it with the official header.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

extern "C" {
// Opaque. In the global namespace, because the official header declares the same names.
struct nghttp2_session;
struct nghttp2_session_callbacks;
struct nghttp2_option;
}

namespace penstock::transport {

// nghttp2_frame_hd
struct Http2FrameHead {
  size_t length = 0;
  int32_t stream_id = 0;
  uint8_t type = 0;
  uint8_t flags = 0;
  uint8_t reserved = 0;
};

// nghttp2_frame: a union whose parts all begin like this. Never copied.
struct Http2Frame {
  Http2FrameHead head;
};

// nghttp2_nv: one field. Submitting copies it unless flags say otherwise; neither text ends with a zero.
struct Http2Field {
  uint8_t* name = nullptr;
  uint8_t* value = nullptr;
  size_t name_bytes = 0;
  size_t value_bytes = 0;
  uint8_t flags = 0;
};

// nghttp2_priority_spec: deprecated by RFC 9113; never given.
struct Http2Priority;

// nghttp2_settings_entry
struct Http2Setting {
  int32_t id = 0;
  uint32_t value = 0;
};

// nghttp2_data_source
union Http2BodySource {
  int fd;
  void* pointer;
};

// nghttp2_data_provider: where the bytes of a body come from. `read` fills the buffer and returns how many bytes it took.
struct Http2Body {
  Http2BodySource source{};
  ssize_t (*read)(nghttp2_session*, int32_t stream_id, uint8_t* buffer, size_t bytes, uint32_t* flags, Http2BodySource*,
                  void* user_data) = nullptr;
};

using OnHttp2Frame = int (*)(nghttp2_session*, const Http2Frame*, void* user_data);
using OnHttp2Data = int (*)(nghttp2_session*, uint8_t flags, int32_t stream_id, const uint8_t* bytes, size_t size, void* user_data);
using OnHttp2Field = int (*)(nghttp2_session*, const Http2Frame*, const uint8_t* name, size_t name_bytes, const uint8_t* value,
                             size_t value_bytes, uint8_t flags, void* user_data);
using OnHttp2StreamClose = int (*)(nghttp2_session*, int32_t stream_id, uint32_t error, void* user_data);
// Instead of a copy into the session's buffer: sends the 9 bytes of `head`, then `size` bytes of the body's source.
using SendHttp2Data = int (*)(nghttp2_session*, Http2Frame*, const uint8_t* head, size_t size, Http2BodySource*, void* user_data);

// Enums of the C interface travel as int, as ONNX Runtime's do (session/ort_api.h).
constexpr uint8_t kHttp2Data = 0;             // nghttp2_frame_type
constexpr uint8_t kHttp2Headers = 1;
constexpr uint8_t kHttp2ResetStream = 3;
constexpr uint8_t kHttp2Settings = 4;
constexpr uint8_t kHttp2Ping = 6;
constexpr uint8_t kHttp2GoAway = 7;
constexpr uint8_t kHttp2EndStream = 1;        // nghttp2_flag
constexpr uint32_t kHttp2BodyEnd = 1;         // nghttp2_data_flag: EOF
constexpr uint32_t kHttp2NoEndStream = 2;     // nghttp2_data_flag: trailers follow
constexpr uint32_t kHttp2NoCopy = 4;          // nghttp2_data_flag: SendHttp2Data sends it
constexpr int kHttp2MaxConcurrentStreams = 3; // nghttp2_settings_id
constexpr int kHttp2InitialWindowSize = 4;
constexpr int kHttp2MaxHeaderListSize = 6;
constexpr uint32_t kHttp2NoError = 0;         // nghttp2_error_code
constexpr uint32_t kHttp2ProtocolError = 1;
constexpr uint32_t kHttp2InternalError = 2;
constexpr uint32_t kHttp2RefusedStream = 7;
constexpr uint32_t kHttp2Cancel = 8;
constexpr uint32_t kHttp2EnhanceYourCalm = 11;
constexpr int32_t kHttp2MaxWindow = INT32_MAX;
constexpr int kHttp2Deferred = -508;          // nghttp2_error, of a body's `read`: nothing now, session_resume_data says when
constexpr int kHttp2Pause = -526;             // nghttp2_error, of SendHttp2Data: sent, and session_mem_send returns 0 before the next frame
constexpr int kHttp2StreamFailure = -521;     // nghttp2_error, of a callback: the stream is reset, the session goes on
constexpr int kHttp2CallbackFailure = -902;   // nghttp2_error, of a callback: the session has failed

// Name without "nghttp2_", result, parameters. Results of int are 0 or a negative error unless said otherwise.
//
// The half of a server is among them: session_server_new, submit_response, submit_trailer, submit_goaway. All are as old as the client's
// half, so no library is refused for theirs, and whoever serves, as the servers of the tests do, finds them in the one table.
#define PENSTOCK_NGHTTP2_FUNCTIONS(X)                                                                                                  \
  X(session_callbacks_new, int, (nghttp2_session_callbacks**))                                                                         \
  X(session_callbacks_del, void, (nghttp2_session_callbacks*))                                                                         \
  X(session_callbacks_set_on_frame_recv_callback, void, (nghttp2_session_callbacks*, OnHttp2Frame))                                    \
  X(session_callbacks_set_on_data_chunk_recv_callback, void, (nghttp2_session_callbacks*, OnHttp2Data))                                \
  X(session_callbacks_set_on_header_callback, void, (nghttp2_session_callbacks*, OnHttp2Field))                                        \
  X(session_callbacks_set_on_stream_close_callback, void, (nghttp2_session_callbacks*, OnHttp2StreamClose))                            \
  X(session_callbacks_set_on_begin_headers_callback, void, (nghttp2_session_callbacks*, OnHttp2Frame))                                 \
  X(session_callbacks_set_send_data_callback, void, (nghttp2_session_callbacks*, SendHttp2Data))                                       \
  X(option_new, int, (nghttp2_option**))                                                                                               \
  X(option_del, void, (nghttp2_option*))                                                                                               \
  /* The windows are given back by session_consume only. */                                                                            \
  X(option_set_no_auto_window_update, void, (nghttp2_option*, int))                                                                    \
  /* The callbacks are copied. */                                                                                                      \
  X(session_client_new, int, (nghttp2_session**, const nghttp2_session_callbacks*, void* user_data))                                   \
  X(session_server_new, int, (nghttp2_session**, const nghttp2_session_callbacks*, void* user_data))                                   \
  /* With options, which are copied. */                                                                                                \
  X(session_client_new2, int, (nghttp2_session**, const nghttp2_session_callbacks*, void* user_data, const nghttp2_option*))           \
  X(session_server_new2, int, (nghttp2_session**, const nghttp2_session_callbacks*, void* user_data, const nghttp2_option*))           \
  X(session_del, void, (nghttp2_session*))                                                                                             \
  /* The next bytes to send, which hold until the next call; how many they are, 0 = none. */                                           \
  X(session_mem_send, ssize_t, (nghttp2_session*, const uint8_t** bytes))                                                              \
  X(session_mem_recv, ssize_t, (nghttp2_session*, const uint8_t* bytes, size_t size))                                                  \
  X(session_want_read, int, (nghttp2_session*))                                                                                        \
  X(session_want_write, int, (nghttp2_session*))                                                                                       \
  /* Not zero: no GOAWAY has come, and stream ids are left. */                                                                         \
  X(session_check_request_allowed, int, (nghttp2_session*))                                                                            \
  X(session_get_remote_settings, uint32_t, (nghttp2_session*, int id))                                                                 \
  X(session_get_stream_user_data, void*, (nghttp2_session*, int32_t stream_id))                                                        \
  X(session_set_stream_user_data, int, (nghttp2_session*, int32_t stream_id, void*))                                                   \
  /* Bytes of a body that have been dealt with, for both windows. */                                                                   \
  X(session_consume, int, (nghttp2_session*, int32_t stream_id, size_t bytes))                                                         \
  /* A body that was deferred has bytes again. */                                                                                      \
  X(session_resume_data, int, (nghttp2_session*, int32_t stream_id))                                                                   \
  X(session_set_local_window_size, int, (nghttp2_session*, uint8_t flags, int32_t stream_id, int32_t bytes))                           \
  X(submit_settings, int, (nghttp2_session*, uint8_t flags, const Http2Setting*, size_t count))                                        \
  /* The id of the stream. `priority` may be null. */                                                                                  \
  X(submit_request, int32_t,                                                                                                           \
    (nghttp2_session*, const Http2Priority* priority, const Http2Field*, size_t count, const Http2Body*, void* stream_user_data))      \
  X(submit_response, int, (nghttp2_session*, int32_t stream_id, const Http2Field*, size_t count, const Http2Body*))                    \
  X(submit_trailer, int, (nghttp2_session*, int32_t stream_id, const Http2Field*, size_t count))                                       \
  X(submit_rst_stream, int, (nghttp2_session*, uint8_t flags, int32_t stream_id, uint32_t error))                                      \
  /* GOAWAY that refuses nothing yet; submit_goaway follows. */                                                                        \
  X(submit_shutdown_notice, int, (nghttp2_session*))                                                                                   \
  X(submit_ping, int, (nghttp2_session*, uint8_t flags, const uint8_t* opaque))                                                        \
  X(submit_goaway, int,                                                                                                                \
    (nghttp2_session*, uint8_t flags, int32_t last_stream_id, uint32_t error, const uint8_t* debug, size_t debug_bytes))

// One pointer for each function, named as in the C interface.
struct Nghttp2 {
#define PENSTOCK_NGHTTP2_MEMBER(name, result, parameters) result(*name) parameters = nullptr;
  PENSTOCK_NGHTTP2_FUNCTIONS(PENSTOCK_NGHTTP2_MEMBER)
#undef PENSTOCK_NGHTTP2_MEMBER
};

}  // namespace penstock::transport
