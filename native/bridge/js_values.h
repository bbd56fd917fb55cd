// Plain JavaScript values in and out of C++, with the path of the wrong field in every complaint.
#pragma once

#include <napi.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"

namespace penstock::bridge {

// 2^53 - 1: up to here a JavaScript number carries every whole number exactly.
constexpr int64_t kMaxWhole = 9007199254740991;

// A JavaScript error with the status number as `status`.
Napi::Error StatusError(Napi::Env env, const Status& status);

// Throws it; the caller returns at once. An error that is thrown already stays.
void ThrowStatus(Napi::Env env, const Status& status);

// Reads fields of one plain object. The first complaint is kept ("createVersion.inputs[0].dims: expected an array"); reads after it give
// empty values, so that a caller may read everything and look at status() once. Lives on one thread, within one call.
class ObjectReader {
 public:
  ObjectReader(Napi::Value value, std::string path);

  std::string Text(const char* name);
  // A whole number within [min, max]; JavaScript numbers carry 53 bits exactly.
  int64_t Whole(const char* name, int64_t min, int64_t max);
  // Within [min, max], fractions allowed.
  double Decimal(const char* name, double min, double max);
  bool Flag(const char* name);
  std::vector<int64_t> WholeList(const char* name, int64_t min, int64_t max);
  std::vector<double> DecimalList(const char* name, double min, double max);
  std::vector<std::string> TextList(const char* name);
  // The own properties of a plain object, all of them texts.
  std::map<std::string, std::string> TextMap(const char* name);
  // A field that is a plain object itself. Its complaint must be adopted.
  ObjectReader Nested(const char* name);
  // Element objects of an array field.
  std::vector<ObjectReader> List(const char* name);
  // The raw value, for handles. Empty after a complaint.
  Napi::Value Raw(const char* name);

  const std::string& path() const { return path_; }
  const Status& status() const { return status_; }
  void Complain(const char* name, const std::string& expected);
  // Keeps the complaint of a nested reader.
  void Adopt(const ObjectReader& nested);

 private:
  // An array field whose elements `read` takes out one by one: bool(Napi::Value, T*), false where one is not `expected`.
  template <typename T, typename Read>
  std::vector<T> Values(const char* name, const std::string& expected, Read read);

  Napi::Object object_;
  std::string path_;
  Status status_;
};

// Arguments of a call. False, with a JavaScript error thrown, when the type is another.
bool ArgumentText(const Napi::CallbackInfo& info, size_t index, const char* name, std::string* out);
bool ArgumentWhole(const Napi::CallbackInfo& info, size_t index, const char* name, int64_t min, int64_t max, int64_t* out);
// Within [0, 1).
bool ArgumentFraction(const Napi::CallbackInfo& info, size_t index, const char* name, double* out);

Napi::Number JsNumber(Napi::Env env, uint64_t value);
Napi::Array TextList(Napi::Env env, const std::vector<std::string>& texts);

}  // namespace penstock::bridge
