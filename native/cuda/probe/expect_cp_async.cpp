// The first `valid` bytes come from the source, the rest of the copy is zero, and nothing else is touched. wait_group n
// leaves at most the newest n groups under way.
#include "cuda/probe/cp_async.h"
#include "cuda/probe/probe.h"

namespace videomae::probe {

void expect_cp_async(Report& report) {
  for (const int bytes : {4, 8, 16}) {
    std::vector<int> landed;
    for (int valid = 0; valid <= bytes; ++valid) {
      for (int i = 0; i < bytes; ++i) landed.push_back(i < valid ? cp_async_source(i) : 0);
      for (int i = 0; i < kCpAsyncGuard; ++i) landed.push_back(kCpAsyncPoison);
    }
    write_cp_async_fill(report, bytes, landed);
  }
  for (int pending = 0; pending < kCpAsyncGroups; ++pending) write_cp_async_wait(report, pending, 0);
}

}  // namespace videomae::probe
