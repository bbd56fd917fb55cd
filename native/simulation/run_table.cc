#include "simulation/run_table.h"

#include <algorithm>
#include <cstddef>

namespace penstock::simulation {

RunTable::RunTable(const std::vector<RunQuantiles>& tables) {
  for (const RunQuantiles& table : tables) {
    tables_.push_back({static_cast<double>(table.rows), {table.quantiles_ns.begin(), table.quantiles_ns.end()}});
  }
}

double RunTable::Table::At(double share) const {
  const double place = share * static_cast<double>(ns.size() - 1);
  const auto below = static_cast<size_t>(place);
  if (below + 1 >= ns.size()) return ns.back();
  return ns[below] + (place - static_cast<double>(below)) * (ns[below + 1] - ns[below]);
}

double RunTable::Ns(int64_t rows, double share) const {
  const auto wanted = static_cast<double>(rows);
  if (wanted <= tables_.front().rows) return tables_.front().At(share);
  const Table& last = tables_.back();
  if (wanted > last.rows && tables_.size() == 1) return last.At(share) * wanted / last.rows;
  auto above = std::lower_bound(tables_.begin(), tables_.end(), wanted, [](const Table& table, double at) { return table.rows < at; });
  const bool beyond = above == tables_.end();
  if (beyond) --above;
  const Table& below = *(above - 1);
  const double low = below.At(share);
  const double high = above->At(share);
  const double line = low + (wanted - below.rows) / (above->rows - below.rows) * (high - low);
  return beyond ? std::max(high, line) : line;
}

double RunTable::MostNs(int64_t rows) const {
  double most = 0;
  for (const Table& table : tables_) most = std::max(most, table.ns.back());
  const auto wanted = static_cast<double>(rows);
  const Table& last = tables_.back();
  if (wanted <= last.rows) return most;
  if (tables_.size() == 1) return most * wanted / last.rows;
  // The steepest line of any share is no steeper than from the shortest run of one table to the longest of the other.
  const Table& below = tables_[tables_.size() - 2];
  const double slope = std::max(0.0, last.ns.back() - below.ns.front()) / (last.rows - below.rows);
  return std::max(most, last.ns.back() + (wanted - last.rows) * slope);
}

}  // namespace penstock::simulation
