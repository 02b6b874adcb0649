// SPDX-License-Identifier: Apache-2.0
//
// Processor time that the calling thread has used so far (clock_gettime(2), CLOCK_THREAD_CPUTIME_ID).
#pragma once

#include <chrono>
#include <ctime>

namespace dpuflow {

inline std::chrono::nanoseconds ThreadCpu() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

}  // namespace dpuflow
