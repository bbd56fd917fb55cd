#include "session/model_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <string_view>

#include "base/checked_math.h"

namespace penstock::session {
namespace {

// The file as text, mapped; empty when it cannot be.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path) {
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    struct stat about {};
    if (fstat(file, &about) == 0 && S_ISREG(about.st_mode) && about.st_size > 0) {
      void* const start = mmap(nullptr, static_cast<size_t>(about.st_size), PROT_READ, MAP_PRIVATE, file, 0);
      if (start != MAP_FAILED) text_ = std::string_view(static_cast<const char*>(start), static_cast<size_t>(about.st_size));
    }
    close(file);
  }
  ~MappedFile() {
    if (!text_.empty()) munmap(const_cast<char*>(text_.data()), text_.size());
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::string_view text() const { return text_; }

 private:
  std::string_view text_;
};

// Files that tensors with external data name. onnx.proto: TensorProto.external_data is a list of key (field 1) and value (field 2), and the
// key "location" has a path relative to the model. The bytes of such an entry are looked for, which needs no parser of the whole.
std::set<std::string> ExternalLocations(std::string_view model) {
  constexpr std::string_view kEntry = "\x0a\x08location\x12";
  constexpr size_t kLongestLocation = 4096;
  std::set<std::string> locations;
  for (size_t at = model.find(kEntry); at != std::string_view::npos; at = model.find(kEntry, at + 1)) {
    size_t next = at + kEntry.size();
    size_t length = 0;
    for (int shift = 0; shift <= 14 && next < model.size(); shift += 7) {
      const auto byte = static_cast<unsigned char>(model[next++]);
      length |= static_cast<size_t>(byte & 0x7F) << shift;
      if (byte < 0x80) break;
    }
    if (length == 0 || length > kLongestLocation || length > model.size() - next) continue;
    locations.emplace(model.substr(next, length));
  }
  return locations;
}

}  // namespace

std::string ModelFileName(const std::string& model_path) { return std::filesystem::path(model_path).filename().string(); }

ModelFile InspectModelFile(const std::string& model_path) {
  ModelFile file;
  file.name = ModelFileName(model_path);
  const MappedFile mapped(model_path);
  file.bytes = mapped.text().size();
  for (const std::string& location : ExternalLocations(mapped.text())) {
    std::error_code error;
    const uint64_t bytes = std::filesystem::file_size(std::filesystem::path(model_path).parent_path() / location, error);
    if (!error && !CheckedAdd(file.bytes, bytes, &file.bytes)) file.bytes = UINT64_MAX;
  }
  return file;
}

}  // namespace penstock::session
