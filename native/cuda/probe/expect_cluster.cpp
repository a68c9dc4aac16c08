// Consecutive blocks make a cluster and have consecutive ranks.
#include "cuda/probe/cluster.h"

#include "cuda/probe/probe.h"

namespace videomae::probe {

void expect_cluster(Report& report) {
  for (const int size : kClusterSizes) {
    std::vector<ClusterSight> sights;
    for (int block = 0; block < kClusterBlocks; ++block) {
      const int first = block / size * size, rank = block % size;
      ClusterSight sight{rank, size, {}, cluster_value(first + (rank + size - 1) % size) + 1000};
      for (int other = 0; other < kClusterLargest; ++other) {
        sight.read[other] = other < size ? cluster_value(first + other) : kNothing;
      }
      sights.push_back(sight);
    }
    write_cluster(report, size, sights);
  }
}

}  // namespace videomae::probe
