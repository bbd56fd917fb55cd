// A JavaScript environment that takes connections of one source: descriptors come in on any thread and leave, all that wait in one
// call, on the environment's thread.
//
// Each is closed by exactly one side: by us until JavaScript gets it, by JavaScript from then on.
#pragma once

#include <napi.h>
#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "transport/connection_source.h"
#include "transport/file_descriptor.h"

namespace penstock::bridge {

class JsTaker : public transport::ConnectionTaker, public std::enable_shared_from_this<JsTaker> {
 public:
  // [JS thread] Null when the environment is closing. `thread`: see ConnectionSource::Attach.
  static std::shared_ptr<JsTaker> Open(Napi::Env env, Napi::Function on_connection, std::shared_ptr<transport::ConnectionSource> source,
                                       uint32_t thread);

  // [any thread]
  void Take(transport::FileDescriptor connection) override;

  // [JS thread] One of the connections has ended.
  void Ended();

  // [JS thread, or the environment's cleanup] Leaves the port and closes what JavaScript has not got. May be repeated.
  void Close();

 private:
  // A socket that JavaScript was given in a call that failed: an ending environment may or may not have run it.
  struct Doubtful {
    int fd;
    struct stat identity;
  };

  JsTaker(Napi::Env env, std::shared_ptr<transport::ConnectionSource> source) : env_(env), source_(std::move(source)) {}
  bool closed() const { return tsfn_ == nullptr; }
  void Drain(Napi::Env env, Napi::Function callback);  // [JS thread]
  void CloseDoubtful();                                // [the environment's cleanup]
  static void OnCleanup(void* self);

  const Napi::Env env_;
  const std::shared_ptr<transport::ConnectionSource> source_;
  napi_threadsafe_function tsfn_ = nullptr;  // null once closed; written on the JS thread under mutex_

  // JS thread only.
  uint64_t name_ = 0;  // at the source
  std::vector<Doubtful> doubtful_;

  std::mutex mutex_;  // guards all below; taken after the source's lock
  std::vector<transport::FileDescriptor> waiting_;
  bool signalled_ = false;
};

}  // namespace penstock::bridge
