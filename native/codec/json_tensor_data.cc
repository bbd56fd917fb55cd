#include "codec/json_tensor_data.h"

#include <cstring>
#include <memory>
#include <type_traits>
#include <utility>

#include "base/checked_math.h"
#include "codec/bytes_framing.h"
#include "codec/json_string.h"
#include "codec/number_parse.h"
#include "codec/number_text.h"
#include "codec/request_fields.h"
#include "memory/block.h"

namespace penstock::codec {
namespace {

// Where elements go. `out` advances; memory for `expected` elements (BYTES: for the whole text) lies behind it.
struct Sink {
  uint8_t* out;
  uint64_t filled = 0;
  uint64_t expected;
};

const char* ParseBool(const char* text, const char* end, uint8_t* out, const char** why) {
  const size_t left = static_cast<size_t>(end - text);
  *why = "is not true or false";
  *out = left >= 4 && std::memcmp(text, "true", 4) == 0;
  if (*out == 1) return text + 4;
  return left >= 5 && std::memcmp(text, "false", 5) == 0 ? text + 5 : nullptr;
}

template <DataType kType, typename T>
const char* ParseElement(const char* text, const char* end, uint8_t* out, const char** why) {
  if constexpr (kType == DataType::kBool) {
    return ParseBool(text, end, out, why);
  } else if constexpr (kType == DataType::kFp16 || kType == DataType::kBf16) {
    return ParseNumber(text, end, kType, out, why);
  } else {
    T value = 0;
    const char* stop = nullptr;
    if constexpr (std::is_floating_point_v<T>) {
      stop = ParseFloating(text, end, &value, why);
    } else {
      stop = ParseInteger(text, end, &value, why);
    }
    std::memcpy(out, &value, sizeof(value));
    return stop;
  }
}

const char* SkipJsonSpace(const char* text, const char* end) {
  while (text < end && IsJsonSpace(*text)) ++text;
  return text;
}

// Reads elements that follow each other with nothing but commas between them, one at least, as long as there is room for them. Returns
// the byte after the last one, or null with *why and the element at fault in *cursor.
template <DataType kType, typename T>
const char* ReadRun(const char** cursor, const char* end, Sink* sink, const char** why) {
  const char* text = *cursor;
  uint8_t* out = sink->out;
  uint64_t left = sink->expected - sink->filled;
  for (;;) {
    const char* const stop = ParseElement<kType, T>(text, end, out, why);
    if (stop == nullptr) {
      *cursor = text;
      sink->filled = sink->expected - left;
      return nullptr;
    }
    out += sizeof(T);
    --left;
    text = stop;
    const char* next = SkipJsonSpace(text, end);
    if (left == 0 || next == end || *next != ',') break;
    next = SkipJsonSpace(next + 1, end);
    if (next == end || *next == '[') break;
    text = next;
  }
  sink->out = out;
  sink->filled = sink->expected - left;
  return text;
}

using RunReader = const char* (*)(const char**, const char*, Sink*, const char**);

RunReader RunReaderOf(DataType dtype) {
  switch (dtype) {
    case DataType::kBool:
      return ReadRun<DataType::kBool, uint8_t>;
    case DataType::kUint8:
      return ReadRun<DataType::kUint8, uint8_t>;
    case DataType::kUint16:
      return ReadRun<DataType::kUint16, uint16_t>;
    case DataType::kUint32:
      return ReadRun<DataType::kUint32, uint32_t>;
    case DataType::kUint64:
      return ReadRun<DataType::kUint64, uint64_t>;
    case DataType::kInt8:
      return ReadRun<DataType::kInt8, int8_t>;
    case DataType::kInt16:
      return ReadRun<DataType::kInt16, int16_t>;
    case DataType::kInt32:
      return ReadRun<DataType::kInt32, int32_t>;
    case DataType::kInt64:
      return ReadRun<DataType::kInt64, int64_t>;
    case DataType::kFp16:
      return ReadRun<DataType::kFp16, uint16_t>;
    case DataType::kBf16:
      return ReadRun<DataType::kBf16, uint16_t>;
    case DataType::kFp32:
      return ReadRun<DataType::kFp32, float>;
    case DataType::kFp64:
      return ReadRun<DataType::kFp64, double>;
    default:
      return nullptr;
  }
}

const char* ExpectedElement(DataType dtype) {
  if (dtype == DataType::kBytes) return "a string";
  return dtype == DataType::kBool ? "true or false" : "a number";
}

// The element that comes next is not what `dtype` needs.
Status ElementError(const JsonReader& reader, DataType dtype, const FieldPath& path, const char* why) {
  JsonReader probe = reader;
  std::string_view text;
  if (probe.Peek() != JsonKind::kNumber || dtype == DataType::kBool || dtype == DataType::kBytes) {
    return WrongValue(reader, StatusCode::kTensorData, path, ExpectedElement(dtype));
  }
  if (!probe.ReadNumber(&text)) return probe.status();
  const std::string message = path.Text() + ": " + ShortText(text) + " " + why + " for ";
  return Status(StatusCode::kTensorData, message + std::string(DataTypeName(dtype)));
}

// Too few or too many elements. `array` stands before the whole array, which is counted to say how many there are.
Status CountError(JsonReader array, uint64_t expected, const FieldPath& path) {
  uint64_t found = 0;
  if (!array.SkipValue(&found)) return array.status();
  return FieldError(StatusCode::kTensorData, path, std::to_string(found) + " elements",
                    std::to_string(expected) + ", the product of the shape");
}

// One string at the reader. Its decoded form is never longer than its text, which the block was sized for.
bool ReadBytesElement(JsonReader* reader, Sink* sink) {
  std::string_view raw;
  if (!reader->ReadRawString(&raw)) return false;
  const size_t length = DecodeJsonString(raw, reinterpret_cast<char*>(sink->out + kBytesPrefix));
  StoreBytesLength(sink->out, static_cast<uint32_t>(length));
  sink->out += kBytesPrefix + length;
  ++sink->filled;
  return true;
}

Status ReadElements(JsonReader* reader, DataType dtype, Sink* sink, const FieldPath& path) {
  const JsonReader array = *reader;
  const RunReader read_run = RunReaderOf(dtype);
  int open = 1;
  if (!reader->BeginArray()) return reader->status();
  while (open > 0) {
    if (!reader->NextElement()) {
      if (!reader->ok()) return reader->status();
      --open;
      continue;
    }
    const JsonKind kind = reader->Peek();
    if (kind == JsonKind::kArray) {
      if (!reader->BeginArray()) return reader->status();
      ++open;
      continue;
    }
    if (sink->filled == sink->expected) return CountError(array, sink->expected, path);
    const char* why = "";
    if (dtype == DataType::kBytes) {
      if (kind != JsonKind::kString) return ElementError(*reader, dtype, FieldPath(path, sink->filled), why);
      if (!ReadBytesElement(reader, sink)) return reader->status();
      continue;
    }
    const char* cursor = reader->cursor();
    const char* const stop = read_run(&cursor, reader->end(), sink, &why);
    reader->MoveTo(stop == nullptr ? cursor : stop);
    if (stop == nullptr) return ElementError(*reader, dtype, FieldPath(path, sink->filled), why);
  }
  return sink->filled == sink->expected ? Status::Ok() : CountError(array, sink->expected, path);
}

// Bytes to allocate. `text_bytes` is the array's text, or all that is left of the document where the array's end is not known yet.
Result<uint64_t> BlockBytes(DataType dtype, uint64_t elements, uint64_t text_bytes, const FieldPath& path, const CodecLimits& limits) {
  if (dtype != DataType::kBytes) return CheckTensorBytes(dtype, elements, path, limits);
  uint64_t bytes = 0;
  if (CheckedMul(elements, kBytesPrefix, &bytes) && CheckedAdd(bytes, text_bytes, &bytes)) return bytes;
  return Status(StatusCode::kRequestTooLarge, path.Text() + ": the size overflows");
}

}  // namespace

Result<memory::SliceChain> ReadJsonTensor(JsonReader* reader, DataType dtype, uint64_t elements, const FieldPath& path,
                                          const CodecLimits& limits) {
  const FieldPath data(path, "data");
  if (reader->Peek() != JsonKind::kArray) return WrongValue(*reader, StatusCode::kRequestField, data, "an array");
  const JsonReader array = *reader;
  std::string_view text(reader->cursor(), static_cast<size_t>(reader->end() - reader->cursor()));
  if (dtype == DataType::kBytes) {
    // Strings say nothing of their length until they are read, so the array's end is looked up first.
    JsonReader ahead = *reader;
    if (!ahead.SkipValue(nullptr, &text)) return ahead.status();
    if (text.size() > UINT32_MAX) return Status(StatusCode::kRequestTooLarge, data.Text() + ": the strings pass 4294967295 bytes");
  }
  // Every element takes a byte, and a comma or the closing bracket: a short text that promises many elements gets no memory.
  if (elements > text.size() / 2) return CountError(array, elements, data);
  const Result<uint64_t> bytes = BlockBytes(dtype, elements, text.size(), path, limits);
  if (!bytes.ok()) return bytes.status();
  auto block = memory::BlockPool::Process().Allocate(bytes.value());
  if (!block.ok()) return block.status();

  uint8_t* const start = block.value()->data();
  Sink sink{start, 0, elements};
  PENSTOCK_RETURN_IF_ERROR(ReadElements(reader, dtype, &sink, data));
  const auto size = static_cast<size_t>(sink.out - start);
  if (size > limits.max_tensor_bytes) {
    return FieldError(StatusCode::kRequestTooLarge, path, std::to_string(size) + " bytes",
                      "at most " + std::to_string(limits.max_tensor_bytes));
  }
  return memory::SliceChain(memory::WholeSlice(std::move(block).value()).Sub(0, size));
}

}  // namespace penstock::codec
