#include "session/ort_status.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <initializer_list>
#include <string_view>
#include <utility>

namespace penstock::session {
namespace {

constexpr std::string_view kWordEnds = " \t\r\n\"'(),;:";

void ReplaceAll(std::string* text, std::string_view from, std::string_view to) {
  if (from.empty()) return;
  for (size_t at = text->find(from); at != std::string::npos; at = text->find(from, at + to.size())) text->replace(at, from.size(), to);
}

// End of the C++ function signature that starts at `at`: behind its parameter list, qualifiers and template arguments.
size_t EndOfSignature(const std::string& text, size_t at) {
  size_t end = at;
  int depth = 0;
  for (size_t i = at; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '(' || c == '<') ++depth;
    if (c == ')' || c == '>') --depth;
    const bool list_ended = c == ')' && depth == 0;
    if (list_ended && (i + 1 == text.size() || std::isspace(static_cast<unsigned char>(text[i + 1])) != 0)) {
      end = i + 1;
      break;
    }
  }
  if (end == at) return at;
  if (text.compare(end, 6, " const") == 0) end += 6;
  if (text.compare(end, 7, " [with ") == 0) end = std::min(text.find(']', end), text.size() - 1) + 1;
  return end;
}

// Takes out "file.cc:12 Function " and "/folder/file.h:12 void Class::Function(int) ".
void DropSourcePositions(std::string* text) {
  for (const std::string_view suffix : {".cc:", ".h:", ".cpp:", ".hpp:"}) {
    for (size_t dot = text->find(suffix); dot != std::string::npos; dot = text->find(suffix, dot + 1)) {
      size_t end = dot + suffix.size();
      if (end >= text->size() || std::isdigit(static_cast<unsigned char>((*text)[end])) == 0) continue;
      while (end < text->size() && std::isdigit(static_cast<unsigned char>((*text)[end])) != 0) ++end;
      const size_t before = text->find_last_of(kWordEnds, dot);
      const size_t start = before == std::string::npos ? 0 : before + 1;
      if (end < text->size() && (*text)[end] == ' ') ++end;
      // A full path goes with a full signature, a bare file name with the function's bare name.
      end = (*text)[start] == '/' ? EndOfSignature(*text, end) : std::min(text->find(' ', end), text->size());
      if (end < text->size() && (*text)[end] == ' ') ++end;
      text->erase(start, end - start);
      dot = start;
    }
  }
}

void DropFolders(std::string* text, const std::string& model_path) {
  if (model_path.empty()) return;
  std::error_code error;
  const std::filesystem::path given = std::filesystem::absolute(model_path, error);
  const std::filesystem::path real = std::filesystem::weakly_canonical(given.parent_path(), error);
  ReplaceAll(text, model_path, given.filename().string());
  ReplaceAll(text, given.parent_path().string() + "/", "");
  ReplaceAll(text, real.string() + "/", "");
  const std::string below_root = real.relative_path().string();
  if (below_root.empty()) return;
  const std::string top = "/" + below_root.substr(0, below_root.find('/')) + "/";
  for (size_t at = text->find(top); at != std::string::npos; at = text->find(top, at)) {
    const size_t end = std::min(text->find_first_of(kWordEnds, at), text->size());
    const size_t name = text->rfind('/', end - 1) + 1;
    text->erase(at, name - at);
  }
}

// Control characters and runs of spaces become one space each; none at the ends.
std::string OneLine(const std::string& text) {
  std::string line;
  for (const char c : text) {
    const bool blank = static_cast<unsigned char>(c) <= ' ' || c == '\x7f';
    if (!blank) line += c;
    if (blank && !line.empty() && line.back() != ' ') line += ' ';
  }
  if (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

void CutAtLimit(std::string* text) {
  if (text->size() <= kOrtMessageLimit) return;
  size_t end = kOrtMessageLimit;
  while (end > 0 && (static_cast<unsigned char>((*text)[end]) & 0xC0) == 0x80) --end;
  text->resize(end);
}

// "... ; GPU=0 ; hostname=... ; file=... ; line=1 ; expr=...": what the CUDA provider appends to a failure tells a client about the host.
void DropCudaDetails(std::string* line) {
  if (const size_t at = line->find(" ; GPU="); at != std::string::npos) line->resize(at);
}

bool HasAny(std::string_view message, std::initializer_list<std::string_view> texts) {
  return std::any_of(texts.begin(), texts.end(), [&](std::string_view text) { return message.find(text) != std::string_view::npos; });
}

}  // namespace

std::string CleanOrtMessage(std::string message, const std::string& model_path) {
  if (const size_t stack = message.find("\nStacktrace:"); stack != std::string::npos) message.resize(stack);
  DropFolders(&message, model_path);
  DropSourcePositions(&message);
  message = OneLine(message);
  DropCudaDetails(&message);
  CutAtLimit(&message);
  return message;
}

bool SaysOutOfMemory(const OrtFunctions& ort, const OrtStatus* status) {
  return HasAny(ort.GetErrorMessage(status), {"Failed to allocate memory", "std::bad_alloc", "bad allocation"});
}

bool SaysGpuOutOfMemory(const OrtFunctions& ort, const OrtStatus* status) {
  return HasAny(ort.GetErrorMessage(status),
                {"Failed to allocate memory", "is smaller than requested bytes of", "CUDA failure 2:", "CUBLAS_STATUS_ALLOC_FAILED",
                 "CUDNN_STATUS_ALLOC_FAILED", "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"});
}

Status TakeOrtStatus(const OrtFunctions& ort, OrtStatus* status, StatusCode code, const std::string& prefix,
                     const std::string& model_path) {
  if (status == nullptr) return Status::Ok();
  std::string message = prefix + CleanOrtMessage(ort.GetErrorMessage(status), model_path);
  ort.ReleaseStatus(status);
  return Status(code, std::move(message));
}

}  // namespace penstock::session
