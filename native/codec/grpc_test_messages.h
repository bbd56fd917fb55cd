// Messages for the protobuf tests: a small writer of the wire format, and bytes that the real protobuf library wrote.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "memory/slice.h"

namespace penstock::codec {

// Writes fields in the order of the calls, valid or not.
class Wire {
 public:
  Wire& Raw(std::string_view bytes) {
    bytes_.append(bytes);
    return *this;
  }
  Wire& Number(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_.push_back(static_cast<char>(value | 0x80));
    bytes_.push_back(static_cast<char>(value));
    return *this;
  }
  Wire& Tag(uint32_t field, uint32_t type) { return Number(static_cast<uint64_t>(field) << 3 | type); }
  Wire& Varint(uint32_t field, uint64_t value) { return Tag(field, 0).Number(value); }
  Wire& Text(uint32_t field, std::string_view value) { return Tag(field, 2).Number(value.size()).Raw(value); }
  Wire& Message(uint32_t field, const Wire& message) { return Text(field, message.bytes_); }
  template <typename T>
  Wire& Plain(T value) {
    return Raw(std::string_view(reinterpret_cast<const char*>(&value), sizeof(value)));
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// A copy in a heap block of exactly this size, so that the address sanitizer sees the first byte read past the end.
inline memory::Slice MessageSlice(std::string_view bytes) {
  std::shared_ptr<uint8_t> owner(new uint8_t[bytes.size()], std::default_delete<uint8_t[]>());
  if (!bytes.empty()) std::memcpy(owner.get(), bytes.data(), bytes.size());
  return memory::Slice{owner.get(), bytes.size(), memory::MemoryKind::kPageable, owner};
}

inline std::string FromHex(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) bytes.push_back(static_cast<char>(digit(hex[i]) << 4 | digit(hex[i + 1])));
  return bytes;
}

// ---- Written by Python's protobuf library with proto/grpc_service.proto, SerializeToString(deterministic=True), in hex ----

// Every part of a request, with typed contents.
inline constexpr const char* kTypedRequest =
    "0a0561646465721201331a03722d3722120a03626967120b28ffffffffffffffffff0122180a1262696e6172795f646174615f6f7574707574120208"
    "0122140a05636f756e74120b10fbffffffffffffffff01220a0a04666c616712020801220e0a087072696f726974791202280222120a05726174696f"
    "120921000000000000d03f22110a0b73657175656e63655f696412021000220f0a047465787412071a056772c3bc6e220e0a0774696d656f75741203"
    "10dc0b22280a22747269746f6e5f656e61626c655f656d7074795f66696e616c5f726573706f6e7365120208012a360a01411204465033321a020203"
    "220b0a046e6f746512031a01782a1a32180000803f00002040000040c000000000caf24971000000be2a160a0142120542595445531a01022a074200"
    "42036162ff32050a0353554d32190a044449464612110a0b62696e6172795f6461746112020800";

// Raw contents; the second input has no elements.
inline constexpr const char* kRawRequest =
    "0a037261771a01322a0d0a01581204465031361a0202022a0e0a01451205494e5436341a0200042a0d0a0154120542595445531a01013a0800010203"
    "040506073a003a07030000006f6e65";

// Two elements of every type that has a contents field, at the ends of its range.
inline constexpr const char* kEveryTypeRequest =
    "0a0574797065732a150a04626f6f6c1204424f4f4c1a01022a040a0201002a1e0a04696e74381204494e54381a01022a0d120b80ffffffffffffffff"
    "017f2a220a05696e7431361205494e5431361a01022a0f120d8080feffffffffffff01ffff012a240a05696e7433321205494e5433321a01022a1112"
    "0f80808080f8ffffffff01ffffffff072a280a05696e7436341205494e5436341a01022a151a1380808080808080808001ffffffffffffffff7f2a18"
    "0a0575696e7438120555494e54381a01022a05220300ff012a1b0a0675696e743136120655494e5431361a01022a06220400ffff032a1d0a0675696e"
    "743332120655494e5433321a01022a08220600ffffffff0f2a220a0675696e743634120655494e5436341a01022a0d2a0b00ffffffffffffffffff01"
    "2a1b0a04667033321204465033321a01022a0a32080000c03f000080ff2a230a04667036341204465036341a01022a123a1000000000000000809c75"
    "00883ce4377e2a1b0a056279746573120542595445531a01022a08420100420374776f";

// A response with a small, an empty and a scalar output.
inline constexpr const char* kReply =
    "0a0561646465721201331a03722d372a0f0a0353554d1204465033321a0201022a120a044e4f4e451205494e5436341a0300ac022a0d0a04574f5244"
    "1205425954455332080000c03f000000c032003286018200000077777777777777777777777777777777777777777777777777777777777777777777"
    "777777777777777777777777777777777777777777777777777777777777777777777777777777777777777777777777777777777777777777777777"
    "777777777777777777777777777777777777777777777777777777777777777777777777";

}  // namespace penstock::codec
