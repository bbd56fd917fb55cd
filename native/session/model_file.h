// What a model file says about its size without being loaded.
#pragma once

#include <cstdint>
#include <string>

namespace penstock::session {

struct ModelFile {
  std::string name;    // without folders
  uint64_t bytes = 0;  // of the file, and of the files beside it or below that its tensors name; 0 where nothing can be read
};

// Reads through the file once. Never fails: a file that is no model is for ONNX Runtime to refuse.
ModelFile InspectModelFile(const std::string& model_path);

std::string ModelFileName(const std::string& model_path);

}  // namespace penstock::session
