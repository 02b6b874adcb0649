// SPDX-License-Identifier: Apache-2.0
#include "agent/offload/programmer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tc_kernel.h"
#include "tests/unit/netlink/filters.h"

namespace dpuflow::offload {
namespace {

using Kind = flow::Operation::Kind;

netlink::Filter FilterOf(std::uint32_t handle) {
  netlink::Filter filter = netlink::RoutedFlow();
  filter.id.handle = handle;
  filter.skip_sw = true;
  return filter;
}

Job JobOf(Kind kind, std::uint32_t handle) {
  return {kind, handle, FilterOf(handle), {.issued = flow::TimePoint{} + std::chrono::seconds(handle)}};
}

class ProgrammerTest : public testing::Test {
 protected:
  std::vector<flow::Outcome> Do(const std::vector<Job>& jobs) { return Execute(*kernel_.socket, jobs); }
  // The errno of a single job; 0: done.
  int Do(Kind kind, std::uint32_t handle = 7) {
    const auto outcomes = Do(std::vector<Job>{JobOf(kind, handle)});
    EXPECT_EQ(outcomes.size(), 1u);
    error_ = outcomes.front().error.value_or(Error{});
    return error_.code;
  }
  [[nodiscard]] bool Holds(std::uint32_t handle = 7) const { return kernel_.filters.contains(handle); }

  TcKernel kernel_;
  Error error_;  // of the last job
};

TEST_F(ProgrammerTest, AnEchoOfWhatWasAskedForIsEnough) {
  EXPECT_EQ(Do(Kind::kAdd), 0);
  EXPECT_EQ(kernel_.filters.at(7), FilterOf(7));
  EXPECT_EQ(Do(Kind::kReplace), 0);
  EXPECT_TRUE(kernel_.read_back.empty());
}

TEST_F(ProgrammerTest, OutcomesNameTheirJobsInOrder) {
  kernel_.filters[9] = FilterOf(9);
  kernel_.refuse[8] = {ENOSPC, "mlx5_core: full"};
  const std::vector<Job> jobs = {JobOf(Kind::kAdd, 7), JobOf(Kind::kAdd, 8), JobOf(Kind::kRemove, 9),
                                 JobOf(Kind::kReplace, 10)};
  const auto outcomes = Do(jobs);
  ASSERT_EQ(outcomes.size(), jobs.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    EXPECT_EQ(outcomes[i].kind, jobs[i].kind);
    EXPECT_EQ(outcomes[i].flow, jobs[i].flow);
    EXPECT_EQ(outcomes[i].course.issued, jobs[i].course.issued);
    EXPECT_LE(outcomes[i].course.begun, outcomes[i].course.granted);
    EXPECT_EQ(outcomes[i].error.has_value(), i == 1) << i;
  }
  EXPECT_EQ(outcomes[1].error,
            (Error{ENOSPC, "add the filter at ifindex 3 chain 2 prio 1 handle 0x8", "mlx5_core: full"}));
  EXPECT_TRUE(Holds(7) && Holds(10));
  EXPECT_FALSE(Holds(8) || Holds(9));
}

TEST_F(ProgrammerTest, ARefusedReplacementLeavesWhatStands) {
  kernel_.filters[7] = FilterOf(7);
  kernel_.refuse[7] = {EINVAL, "no"};
  EXPECT_EQ(Do(Kind::kReplace), EINVAL);
  EXPECT_TRUE(Holds());
}

// A wider filter than asked for would forward packets that nobody decided about.
TEST_F(ProgrammerTest, AnEchoThatDiffersIsAFaultAndTheFilterIsTakenOut) {
  const std::pair<const char*, std::function<void(netlink::Filter&)>> kCases[] = {
      {"match", [](netlink::Filter& filter) { filter.key.ip_dst.reset(); }},
      {"actions", [](netlink::Filter& filter) { filter.actions.back() = netlink::RedirectAction{99}; }},
      {"cookie", [](netlink::Filter& filter) { filter.cookie.front() ^= 1; }},
      {"in_software", [](netlink::Filter& filter) { filter.skip_sw = false; }},
      {"place", [](netlink::Filter& filter) { filter.id.chain = 1; }},
  };
  for (const auto& [what, alter] : kCases) {
    kernel_.alter = alter;
    for (const Kind kind : {Kind::kAdd, Kind::kReplace}) {
      EXPECT_EQ(Do(kind), EPROTO) << what;
      EXPECT_EQ(error_.extack, "read back, the filter is not what was asked for: " + std::string(what));
      EXPECT_FALSE(Holds()) << what;
    }
  }
}

TEST_F(ProgrammerTest, AFilterThatIsNotInHardwareIsTakenOut) {
  kernel_.in_hw = false;
  EXPECT_EQ(Do(Kind::kAdd), EOPNOTSUPP);
  EXPECT_EQ(error_.extack, "the filter was taken, but is not in hardware");
  EXPECT_FALSE(Holds());
}

TEST_F(ProgrammerTest, OneFaultInABatchIsItsOwn) {
  kernel_.alter = [](netlink::Filter& filter) {
    if (filter.id.handle == 8) filter.key.ip_dst.reset();
  };
  const auto outcomes = Do({JobOf(Kind::kAdd, 7), JobOf(Kind::kAdd, 8), JobOf(Kind::kAdd, 9)});
  EXPECT_EQ(std::ranges::count_if(outcomes, [](const auto& outcome) { return outcome.error.has_value(); }), 1);
  EXPECT_EQ(outcomes[1].error.value_or(Error{}).code, EPROTO);
  EXPECT_TRUE(Holds(7) && Holds(9));
  EXPECT_FALSE(Holds(8));
}

TEST_F(ProgrammerTest, WithoutAnEchoTheFilterIsReadBack) {
  kernel_.echoes = false;
  EXPECT_EQ(Do(Kind::kAdd), 0);
  EXPECT_EQ(kernel_.read_back, std::vector<std::uint32_t>{7});
  kernel_.alter = [](netlink::Filter& filter) { filter.key.ip_dst.reset(); };
  EXPECT_EQ(Do(Kind::kReplace), EPROTO);
  EXPECT_FALSE(Holds());
}

TEST_F(ProgrammerTest, AnAnswerThatWasLostIsReadBack) {
  kernel_.drops_changes = true;
  EXPECT_EQ(Do(Kind::kAdd), 0);
  EXPECT_TRUE(Holds());
  EXPECT_EQ(Do(Kind::kRemove), 0);
  EXPECT_FALSE(Holds());
  EXPECT_EQ(kernel_.read_back, (std::vector<std::uint32_t>{7, 7}));
}

TEST_F(ProgrammerTest, AnAddThatWasLostWithItsAnswerHasFailed) {
  kernel_.drops_changes = kernel_.forgets_changes = true;
  EXPECT_EQ(Do(Kind::kAdd), ENOENT);
  EXPECT_FALSE(Holds());
}

TEST_F(ProgrammerTest, AFilterThatIsStillThereAfterALostRemovalIsAFault) {
  kernel_.filters[7] = FilterOf(7);
  kernel_.drops_changes = kernel_.forgets_changes = true;
  EXPECT_EQ(Do(Kind::kRemove), EBUSY);
  EXPECT_EQ(error_.extack, "the filter is still there");
  EXPECT_TRUE(Holds());
}

TEST_F(ProgrammerTest, ARemovalOfWhatIsNotThereIsDone) {
  EXPECT_EQ(Do(Kind::kRemove), 0);
  EXPECT_TRUE(kernel_.read_back.empty());
}

// Handle 0 would mean "any" to the kernel: such a job is never sent.
TEST_F(ProgrammerTest, AJobThatCannotBeExpressedFailsAloneAndUnsent) {
  const auto outcomes = Do({JobOf(Kind::kAdd, 0), JobOf(Kind::kAdd, 7), JobOf(Kind::kRemove, 0)});
  EXPECT_EQ(outcomes[0].error.value_or(Error{}).code, EINVAL);
  EXPECT_EQ(outcomes[1].error, std::nullopt);
  EXPECT_EQ(outcomes[2].error.value_or(Error{}).code, EINVAL);
  EXPECT_EQ(kernel_.filters.size(), 1u);
}

}  // namespace
}  // namespace dpuflow::offload
