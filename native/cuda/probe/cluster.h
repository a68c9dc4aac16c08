// Clusters: ranks and sizes, reads of every block's shared memory, writes into a neighbour's.
#pragma once

#include <vector>

#include "cuda/probe/report.h"

namespace videomae::probe {

constexpr int kClusterSizes[] = {1, 2, 4, 8};
constexpr int kClusterBlocks = 16;
constexpr int kClusterLargest = 8;

/// What block b holds in shared memory.
constexpr int cluster_value(int block) { return 100 + 7 * block; }

/// What one block saw.
struct ClusterSight {
  int rank, size;
  int read[kClusterLargest];  ///< the value of each rank; -1 beyond the size
  int received;               ///< what the block before it in the cluster wrote
};

inline void write_cluster(Report& report, int size, const std::vector<ClusterSight>& sights) {
  std::vector<int> rows;
  for (const ClusterSight& sight : sights) {
    rows.push_back(sight.rank), rows.push_back(sight.size);
    for (const int value : sight.read) rows.push_back(value);
    rows.push_back(sight.received);
  }
  report.table("cluster of " + std::to_string(size) + ", a row a block: rank, size, values of ranks 0 to 7, received",
               rows, kClusterLargest + 3);
}

}  // namespace videomae::probe
