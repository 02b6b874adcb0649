// SPDX-License-Identifier: Apache-2.0
//
// What flows take of the process's memory.
#include <gtest/gtest.h>
#include <malloc.h>

#include <array>

#include "tests/unit/agent/driven.h"

namespace dpuflow {
namespace {

// Sanitizers allocate in their own way.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
std::size_t Allocated() { return mallinfo2().uordblks + mallinfo2().hblkhd; }

TEST(Memory, AFlowTakesLessThan400Bytes) {
  constexpr std::size_t kFlows = 100'000;
  driven::Driven driven(kFlows);
  const std::size_t before = Allocated();
  driven.Fill(kFlows);
  ASSERT_GE(driven.pipeline.flows().size(), kFlows);
  EXPECT_EQ(driven.pipeline.in_flight(), 0u);
  const std::size_t each = (Allocated() - before) / kFlows;
  RecordProperty("bytes", static_cast<int>(each));
  EXPECT_GT(each, sizeof(flow::Flow)) << "or it was not measured";
  EXPECT_LE(each, 400u) << "of which a Flow is " << sizeof(flow::Flow);
}

TEST(Memory, AQueueThatWasLongKeepsNothing) {
  const std::size_t before = Allocated();
  flow::Fifo<std::array<char, 256>> fifo;
  for (int i = 0; i < 10'000; ++i) fifo.Push({});
  EXPECT_GE(Allocated() - before, 2'560'000u);
  while (!fifo.empty()) (void)fifo.Pop();
  EXPECT_LT(Allocated() - before, 500'000u);
}
#endif

// What thousands share is one of thousands.
TEST(Memory, FlowsOfOneNextHopAreOneGroup) {
  driven::Driven driven(1000);
  driven.Fill(1000);
  const auto flows = driven.pipeline.flows().Affected(flow::NeighChanged{driven::kNextHop});
  ASSERT_EQ(flows.size(), 1000u);
  const flow::FlowGroup* group = driven.pipeline.flows().Find(flows.front())->group;
  for (const flow::FlowId id : flows) EXPECT_EQ(driven.pipeline.flows().Find(id)->group, group);
}

}  // namespace
}  // namespace dpuflow
