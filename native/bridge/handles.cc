#include "bridge/handles.h"

#include <string>
#include <utility>

#include "bridge/environment.h"
#include "bridge/js_values.h"

namespace penstock::bridge {
namespace {

Napi::Array SpecList(Napi::Env env, const std::vector<session::TensorSpec>& specs) {
  Napi::Array list = Napi::Array::New(env, specs.size());
  for (uint32_t i = 0; i < specs.size(); ++i) {
    const session::TensorSpec& spec = specs[i];
    Napi::Array dims = Napi::Array::New(env, spec.dims.size());
    Napi::Array symbolic = Napi::Array::New(env, spec.dims.size());
    for (uint32_t d = 0; d < spec.dims.size(); ++d) {
      dims.Set(d, Napi::Number::New(env, static_cast<double>(spec.dims[d])));
      symbolic.Set(d, Napi::String::New(env, d < spec.symbolic_dims.size() ? spec.symbolic_dims[d] : std::string()));
    }
    Napi::Object item = Napi::Object::New(env);
    item.Set("name", spec.name);
    item.Set("dataType", Napi::Number::New(env, static_cast<uint8_t>(spec.dtype)));
    item.Set("dims", dims);
    item.Set("symbolicDims", symbolic);
    item.Set("optional", spec.optional);
    list.Set(i, item);
  }
  return list;
}

// Marks of what an object wraps (random 128 bits each). A prototype can be put on any object, a tag only by us.
constexpr napi_type_tag kSessionTag{0x8a5d0e7be1c94f26, 0x9b7318f4d2605ac1};
constexpr napi_type_tag kVersionTag{0x3fc6b92e70a84d15, 0xae41c07d96f3528b};

// A new object of a handle class; empty when the environment is ending.
Napi::Object Tagged(Napi::Env env, const Napi::FunctionReference& constructor, const napi_type_tag& tag) {
  Napi::Object object = constructor.New({});
  if (object.IsEmpty() || napi_type_tag_object(env, object, &tag) != napi_ok) return Napi::Object();
  return object;
}

// The wrapped object behind `value`, or null with a JavaScript error thrown.
template <typename Handle>
Handle* Instance(Napi::Env env, Napi::Value value, const napi_type_tag& tag, const char* what) {
  bool tagged = false;
  if (!value.IsObject() || napi_check_object_type_tag(env, value, &tag, &tagged) != napi_ok || !tagged) {
    ThrowStatus(env, Status(StatusCode::kInternal, std::string("expected a ") + what + " handle"));
    return nullptr;
  }
  return Napi::ObjectWrap<Handle>::Unwrap(value.As<Napi::Object>());
}

template <typename T>
std::shared_ptr<T> OpenOrThrow(Napi::Env env, const std::shared_ptr<T>& held, const char* what) {
  if (held == nullptr) ThrowStatus(env, Status(StatusCode::kClosed, std::string("the ") + what + " handle is closed"));
  return held;
}

}  // namespace

Napi::Function SessionHandle::Define(Napi::Env env) {
  return DefineClass(env, "NativeSession",
                     {InstanceMethod<&SessionHandle::Signature>("signature"), InstanceMethod<&SessionHandle::Close>("close")});
}

Napi::Object SessionHandle::Make(Napi::Env env, std::shared_ptr<session::Session> session) {
  Napi::Object object = Tagged(env, env.GetInstanceData<Environment>()->session_class, kSessionTag);
  if (!object.IsEmpty()) Unwrap(object)->session_ = std::move(session);
  return object;
}

std::shared_ptr<session::Session> SessionHandle::Held(Napi::Env env, Napi::Value value) {
  auto* handle = Instance<SessionHandle>(env, value, kSessionTag, "session");
  return handle == nullptr ? nullptr : OpenOrThrow(env, handle->session_, "session");
}

Napi::Value SessionHandle::Signature(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const auto session = OpenOrThrow(env, session_, "session");
  if (session == nullptr) return env.Undefined();
  const session::Signature& signature = session->signature();
  Napi::Object metadata = Napi::Object::New(env);
  for (const auto& [key, text] : signature.metadata) metadata.Set(key, text);
  Napi::Object result = Napi::Object::New(env);
  result.Set("inputs", SpecList(env, signature.inputs));
  result.Set("outputs", SpecList(env, signature.outputs));
  result.Set("metadata", metadata);
  return result;
}

void SessionHandle::Close(const Napi::CallbackInfo&) { session_.reset(); }

Napi::Function VersionHandle::Define(Napi::Env env) {
  return DefineClass(env, "NativeVersion", {InstanceMethod<&VersionHandle::NewNotes>("newNotes"), InstanceMethod<&VersionHandle::Close>("close")});
}

Napi::Object VersionHandle::Make(Napi::Env env, std::shared_ptr<serving::ModelVersion> version) {
  Napi::Object object = Tagged(env, env.GetInstanceData<Environment>()->version_class, kVersionTag);
  if (!object.IsEmpty()) Unwrap(object)->version_ = std::move(version);
  return object;
}

std::shared_ptr<serving::ModelVersion> VersionHandle::Held(Napi::Env env, Napi::Value value) {
  auto* handle = Instance<VersionHandle>(env, value, kVersionTag, "version");
  return handle == nullptr ? nullptr : OpenOrThrow(env, handle->version_, "version");
}

Napi::Value VersionHandle::NewNotes(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const auto version = OpenOrThrow(env, version_, "version");
  return version == nullptr ? env.Undefined() : TextList(env, version->TakeNotes());
}

void VersionHandle::Close(const Napi::CallbackInfo&) { version_.reset(); }

}  // namespace penstock::bridge
