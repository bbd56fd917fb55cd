#include "bridge/js_values.h"

#include <cmath>
#include <sstream>
#include <utility>

namespace penstock::bridge {
namespace {

bool ReadWhole(Napi::Value value, int64_t min, int64_t max, int64_t* out) {
  if (!value.IsNumber()) return false;
  const double number = value.As<Napi::Number>().DoubleValue();
  if (!std::isfinite(number) || number != std::floor(number) || std::fabs(number) > static_cast<double>(kMaxWhole)) return false;
  const auto whole = static_cast<int64_t>(number);
  if (whole < min || whole > max) return false;
  *out = whole;
  return true;
}

bool ReadDecimal(Napi::Value value, double min, double max, double* out) {
  if (!value.IsNumber()) return false;
  const double number = value.As<Napi::Number>().DoubleValue();
  if (!(number >= min && number <= max)) return false;  // NaN is in no range
  *out = number;
  return true;
}

std::string RangeText(int64_t min, int64_t max) {
  return "a whole number from " + std::to_string(min) + " to " + std::to_string(max);
}

std::string DecimalRangeText(double min, double max) {
  std::ostringstream range;
  range << "a number from " << min << " to " << max;
  return range.str();
}

}  // namespace

Napi::Error StatusError(Napi::Env env, const Status& status) {
  Napi::Error error = Napi::Error::New(env, status.message());
  error.Set("status", Napi::Number::New(env, static_cast<int32_t>(status.code())));
  return error;
}

void ThrowStatus(Napi::Env env, const Status& status) {
  if (!env.IsExceptionPending()) StatusError(env, status).ThrowAsJavaScriptException();
}

ObjectReader::ObjectReader(Napi::Value value, std::string path) : path_(std::move(path)) {
  if (value.IsObject()) {
    object_ = value.As<Napi::Object>();
  } else {
    status_ = Status(StatusCode::kInternal, path_ + ": expected an object");
  }
}

Napi::Value ObjectReader::Raw(const char* name) {
  if (!status_.ok()) return Napi::Value();
  const Napi::Value value = object_.Get(name);
  // A getter threw: its error is what the caller throws, and no more of the object may be read.
  if (object_.Env().IsExceptionPending()) Complain(name, "a readable value");
  return value;
}

void ObjectReader::Complain(const char* name, const std::string& expected) {
  if (status_.ok()) status_ = Status(StatusCode::kInternal, path_ + "." + name + ": expected " + expected);
}

void ObjectReader::Adopt(const ObjectReader& nested) {
  if (status_.ok()) status_ = nested.status();
}

std::string ObjectReader::Text(const char* name) {
  const Napi::Value value = Raw(name);
  if (!status_.ok()) return {};
  if (!value.IsString()) {
    Complain(name, "a string");
    return {};
  }
  return value.As<Napi::String>().Utf8Value();
}

int64_t ObjectReader::Whole(const char* name, int64_t min, int64_t max) {
  int64_t whole = 0;
  const Napi::Value value = Raw(name);
  if (status_.ok() && !ReadWhole(value, min, max, &whole)) Complain(name, RangeText(min, max));
  return whole;
}

double ObjectReader::Decimal(const char* name, double min, double max) {
  double number = min;
  const Napi::Value value = Raw(name);
  if (status_.ok() && !ReadDecimal(value, min, max, &number)) Complain(name, DecimalRangeText(min, max));
  return number;
}

template <typename T, typename Read>
std::vector<T> ObjectReader::Values(const char* name, const std::string& expected, Read read) {
  std::vector<T> list;
  const Napi::Value value = Raw(name);
  if (!status_.ok()) return list;
  if (!value.IsArray()) {
    Complain(name, "an array");
    return list;
  }
  const auto array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    T item{};
    if (!read(array.Get(i), &item)) {
      Complain((std::string(name) + "[" + std::to_string(i) + "]").c_str(), expected);
      break;
    }
    list.push_back(std::move(item));
  }
  return list;
}

std::vector<double> ObjectReader::DecimalList(const char* name, double min, double max) {
  return Values<double>(name, DecimalRangeText(min, max), [&](Napi::Value item, double* to) { return ReadDecimal(item, min, max, to); });
}

bool ObjectReader::Flag(const char* name) {
  const Napi::Value value = Raw(name);
  if (!status_.ok()) return false;
  if (!value.IsBoolean()) {
    Complain(name, "true or false");
    return false;
  }
  return value.As<Napi::Boolean>().Value();
}

std::vector<int64_t> ObjectReader::WholeList(const char* name, int64_t min, int64_t max) {
  return Values<int64_t>(name, RangeText(min, max), [&](Napi::Value item, int64_t* to) { return ReadWhole(item, min, max, to); });
}

std::vector<std::string> ObjectReader::TextList(const char* name) {
  return Values<std::string>(name, "a string", [](Napi::Value item, std::string* to) {
    if (!item.IsString()) return false;
    *to = item.As<Napi::String>().Utf8Value();
    return true;
  });
}

std::map<std::string, std::string> ObjectReader::TextMap(const char* name) {
  std::map<std::string, std::string> map;
  ObjectReader nested = Nested(name);
  if (nested.status().ok()) {
    const Napi::Array keys = nested.object_.GetPropertyNames();
    for (uint32_t i = 0; i < keys.Length() && nested.status().ok(); ++i) {
      const std::string key = keys.Get(i).ToString().Utf8Value();
      map[key] = nested.Text(key.c_str());
    }
  }
  Adopt(nested);
  return map;
}

ObjectReader ObjectReader::Nested(const char* name) {
  const Napi::Value value = Raw(name);
  ObjectReader nested(value, path_ + "." + name);
  if (!status_.ok()) nested.status_ = status_;
  return nested;
}

std::vector<ObjectReader> ObjectReader::List(const char* name) {
  std::vector<ObjectReader> list;
  const Napi::Value value = Raw(name);
  if (!status_.ok()) return list;
  if (!value.IsArray()) {
    Complain(name, "an array");
    return list;
  }
  const auto array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value item = array.Get(i);
    list.emplace_back(item, path_ + "." + name + "[" + std::to_string(i) + "]");
    if (!list.back().status().ok()) break;
  }
  return list;
}

bool ArgumentText(const Napi::CallbackInfo& info, size_t index, const char* name, std::string* out) {
  if (index < info.Length() && info[index].IsString()) {
    *out = info[index].As<Napi::String>().Utf8Value();
    return true;
  }
  ThrowStatus(info.Env(), Status(StatusCode::kInternal, std::string(name) + ": expected a string"));
  return false;
}

bool ArgumentWhole(const Napi::CallbackInfo& info, size_t index, const char* name, int64_t min, int64_t max, int64_t* out) {
  if (index < info.Length() && ReadWhole(info[index], min, max, out)) return true;
  ThrowStatus(info.Env(), Status(StatusCode::kInternal, std::string(name) + ": expected " + RangeText(min, max)));
  return false;
}

bool ArgumentFraction(const Napi::CallbackInfo& info, size_t index, const char* name, double* out) {
  if (index < info.Length() && info[index].IsNumber()) {
    *out = info[index].As<Napi::Number>().DoubleValue();
    if (*out >= 0 && *out < 1) return true;
  }
  ThrowStatus(info.Env(), Status(StatusCode::kInternal, std::string(name) + ": expected a number from 0 to below 1"));
  return false;
}

Napi::Number JsNumber(Napi::Env env, uint64_t value) { return Napi::Number::New(env, static_cast<double>(value)); }

Napi::Array TextList(Napi::Env env, const std::vector<std::string>& texts) {
  Napi::Array list = Napi::Array::New(env, texts.size());
  for (uint32_t i = 0; i < texts.size(); ++i) list.Set(i, texts[i]);
  return list;
}

}  // namespace penstock::bridge
