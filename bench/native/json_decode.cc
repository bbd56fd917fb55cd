// Decodes one V2 JSON infer body over and over and prints the median time; the tensor goes to OUT.
// Usage: json_decode FILE ROUNDS OUT
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "codec/http_request.h"

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: json_decode FILE ROUNDS OUT\n");
    return 64;
  }
  std::ifstream file(argv[1], std::ios::binary);
  const auto text = std::make_shared<std::string>(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  const int rounds = std::max(1, std::atoi(argv[2]));
  const penstock::memory::Slice body{reinterpret_cast<const uint8_t*>(text->data()), text->size(),
                                     penstock::memory::MemoryKind::kPageable, text};
  std::vector<double> times_ms;
  for (int i = 0; i < rounds; ++i) {
    const int64_t start_ns = penstock::MonotonicNs();
    auto request = penstock::codec::DecodeHttpInfer(penstock::memory::SliceChain(body), -1, penstock::codec::CodecLimits());
    times_ms.push_back(static_cast<double>(penstock::MonotonicNs() - start_ns) / 1e6);
    if (!request.ok()) {
      std::fprintf(stderr, "%s\n", request.status().message().c_str());
      return 70;
    }
    if (i > 0) continue;
    std::ofstream out(argv[3], std::ios::binary);
    for (const auto& slice : request.value().inputs[0].data.slices()) {
      out.write(reinterpret_cast<const char*>(slice.data), static_cast<std::streamsize>(slice.size));
    }
  }
  std::nth_element(times_ms.begin(), times_ms.begin() + rounds / 2, times_ms.end());
  std::printf("{\"medianMs\":%.6f}\n", times_ms[static_cast<size_t>(rounds / 2)]);
  return 0;
}
