// SPDX-License-Identifier: Apache-2.0
//
// What the property tests about dirty flows share: chance by a seed, and the walk through many random worlds.
//
// A walk makes one thing happen per Step(), and fails if a flow whose answer that changed is left clean. found() are the flows
// whose answer had changed, spared() those that were left alone.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace dpuflow {

class Dice {
 public:
  explicit Dice(unsigned seed) : engine_(seed) {}
  std::uint32_t Below(std::uint32_t limit) {
    return std::uniform_int_distribution<std::uint32_t>(0, limit - 1)(engine_);
  }
  bool Chance(std::uint32_t one_in) { return Below(one_in) == 0; }
  template <typename T>
  const T& Of(const std::vector<T>& choices) {
    return choices[Below(static_cast<std::uint32_t>(choices.size()))];
  }

 private:
  std::mt19937 engine_;
};

// `make` gives the walk of a seed.
template <typename Make>
void WalkThroughWorlds(int steps, Make make) {
  std::size_t found = 0, spared = 0;
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    auto walk = make(seed);
    for (int step = 0; step < steps; ++step) {
      SCOPED_TRACE(fmt::format("step {}", step));
      ASSERT_NO_FATAL_FAILURE(walk->Step());
    }
    found += walk->found();
    spared += walk->spared();
  }
  EXPECT_GT(found, 1000u) << "the worlds change too little";
  EXPECT_GT(spared, 2 * found) << "whatever happens dirties all flows: that proves nothing";
}

}  // namespace dpuflow
