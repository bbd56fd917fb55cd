// What a codec needs to write the answer once the outcome is there: fixed at submit, independent of the catalog from then on.
#pragma once

#include <string>
#include <vector>

#include "base/data_type.h"
#include "serving/infer_request.h"

namespace penstock::serving {

struct ReplyOutput {
  std::string name;
  DataType dtype = DataType::kInvalid;
  OutputForm form = OutputForm::kDefault;  // kJson or kBinary after planning
};

struct ReplyPlan {
  std::string model_name;
  std::string model_version;
  std::string id;
  std::vector<ReplyOutput> outputs;  // in the order of the job's outputs
};

}  // namespace penstock::serving
