// How long runs take that were measured: quantiles by rows, drawn from by inverse transform.
#pragma once

#include <cstdint>
#include <vector>

namespace penstock::simulation {

// Of runs of so many rows: the times at equidistant shares from 0 to 1, never falling. A single one: they all take that.
struct RunQuantiles {
  int64_t rows = 1;
  std::vector<int64_t> quantiles_ns;
};

class RunTable {
 public:
  // At least one, by rising rows, each with at least one quantile.
  explicit RunTable(const std::vector<RunQuantiles>& tables);

  // Nanoseconds that `share` (0..1) of the runs of `rows` rows do not pass. In a straight line between the tables and beyond the last,
  // never falling there; proportional to the rows beyond a single one. Below the first as that.
  double Ns(int64_t rows, double share) const;
  // No run of up to `rows` rows takes longer; what is beyond the last table is bounded, not exact.
  double MostNs(int64_t rows) const;

 private:
  struct Table {
    double rows;
    std::vector<double> ns;

    double At(double share) const;
  };
  std::vector<Table> tables_;
};

}  // namespace penstock::simulation
