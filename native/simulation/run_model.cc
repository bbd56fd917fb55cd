#include "simulation/run_model.h"

#include <algorithm>

namespace penstock::simulation {

int64_t RunCurve::Ns(int64_t rows) const {
  int64_t counted = rows;
  if (steps) {
    for (counted = 1; counted < rows;) counted *= 2;
  }
  return fixed_ns + counted * row_ns;
}

int64_t RunModel::NextRunNs(int64_t rows) {
  double ns = static_cast<double>(curve_.Ns(rows));
  if (disturbance_.noise > 0) ns *= 1 + disturbance_.noise * (2 * random_.Uniform() - 1);
  if (disturbance_.slow_share > 0 && random_.Chance(disturbance_.slow_share)) ns *= disturbance_.slow_factor;
  if (runs_++ == disturbance_.outlier_run) ns *= disturbance_.outlier_factor;
  return std::max<int64_t>(1, static_cast<int64_t>(ns));
}

}  // namespace penstock::simulation
