// The first warpgroup is the giver. The values are read from volatile memory before a barrier and used behind it: the
// compiler can neither read them later nor again, so all have to be kept.
#include "cuda/device/named_barrier.cuh"
#include "cuda/device/register_budget.cuh"
#include "cuda/probe/gpu.cuh"
#include "cuda/probe/probe.h"
#include "cuda/probe/register_budget.h"

namespace videomae::probe {

__global__ void __launch_bounds__(kBudgetThreads, 1) register_budget_roles(const volatile int* input, int* sums) {
  const int thread = threadIdx.x;
  if (thread < 128) {
    cuda::register_budget_lower<kBudgetLow>();
    sums[thread] = thread;
  } else {
    cuda::register_budget_raise<kBudgetHigh>();
    int values[kBudgetValues];
#pragma unroll
    for (int i = 0; i < kBudgetValues; ++i) values[i] = input[i * kBudgetThreads + thread];
    cuda::named_barrier_sync(1, kBudgetThreads - 128);
    int sum = 0;
#pragma unroll
    for (int i = 0; i < kBudgetValues; ++i) sum += (values[i] ^ values[kBudgetValues - 1]) * (i + 1);
    sums[thread] = sum;
  }
}

void observe_register_budget(Report& report) {
  std::vector<int> input(kBudgetValues * kBudgetThreads);
  for (int i = 0; i < kBudgetValues; ++i) {
    for (int thread = 0; thread < kBudgetThreads; ++thread)
      input[i * kBudgetThreads + thread] = budget_input(thread, i);
  }
  const Buffer<int> from(input);
  Buffer<int> sums(kBudgetThreads, 0xFF);
  launch(context, register_budget_roles, {dim3(1), dim3(kBudgetThreads)}, from.data(), sums.data());
  finish("register_budget_roles");
  write_register_budget(report, cuda::registers_at_entry(register_budget_roles), sums.read());
}

}  // namespace videomae::probe
