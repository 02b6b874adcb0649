// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel/reach.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>

namespace dpuflow::kernel {
namespace {

using std::chrono::seconds;

const netlink::DevlinkHandle kOne{"pci", "0000:03:00.0"};
const netlink::DevlinkHandle kTwo{"pci", "0000:03:00.1"};
const PortKind kUplink1{kOne, PortRole::kUplink};
const PortKind kVf1{kOne, PortRole::kVf};
const PortKind kUplink2{kTwo, PortRole::kUplink};

const std::map<std::uint32_t, PortKind> kPorts = {{1, kUplink1}, {3, kVf1}, {4, kVf1}, {11, kUplink2}};
const flow::TimePoint kNow = flow::TimePoint(seconds(100));

using Trials = std::vector<Reach::Trial>;

Result<void> Refusal() { return MakeError(EOPNOTSUPP, "offload", "not there"); }

TEST(Reach, WithinAnEswitchIsNothingToTry) {
  Reach reach;
  EXPECT_TRUE(reach.TakeTrials({{1, kUplink1}, {3, kVf1}, {4, kVf1}}, kNow).empty());
  EXPECT_FALSE(reach.Obstacle(kVf1, kUplink1, "p0"));
  EXPECT_FALSE(reach.busy());
}

TEST(Reach, OneOfEachKindIsTriedOnce) {
  Reach reach;
  EXPECT_EQ(reach.TakeTrials(kPorts, kNow), (Trials{{1, 11}, {3, 11}, {11, 1}, {11, 3}}));
  EXPECT_TRUE(reach.busy());
  EXPECT_TRUE(reach.TakeTrials(kPorts, kNow).empty());
  EXPECT_TRUE(reach.OnTried({1, 11}, Refusal(), kNow));
  EXPECT_TRUE(reach.OnTried({3, 11}, Result<void>{}, kNow));
  EXPECT_TRUE(reach.OnTried({11, 1}, Refusal(), kNow));
  EXPECT_TRUE(reach.OnTried({11, 3}, Result<void>{}, kNow));
  EXPECT_FALSE(reach.busy());
  EXPECT_TRUE(reach.TakeTrials(kPorts, kNow + seconds(60)).empty());
  EXPECT_FALSE(reach.Obstacle(kVf1, kUplink2, "p1"));
  EXPECT_EQ(reach.Obstacle(kUplink1, kUplink2, "p1")->why, flow::Why::kOtherEswitch);
}

TEST(Reach, WhatSaysNothingIsTriedAgainLater) {
  Reach reach;
  (void)reach.TakeTrials(kPorts, kNow);
  EXPECT_FALSE(reach.OnTried({3, 11}, std::nullopt, kNow));
  EXPECT_TRUE(reach.Obstacle(kVf1, kUplink2, "p1")) << "not known is not reached";
  EXPECT_TRUE(reach.TakeTrials(kPorts, kNow).empty());
  EXPECT_EQ(reach.TakeTrials(kPorts, kNow + seconds(1)), (Trials{{3, 11}}));
}

TEST(Reach, WhatIsKnownCountsUntilItIsTriedAgain) {
  Reach reach;
  (void)reach.TakeTrials({{3, kVf1}, {11, kUplink2}}, kNow);
  (void)reach.OnTried({3, 11}, Result<void>{}, kNow);
  (void)reach.OnTried({11, 3}, Result<void>{}, kNow);
  reach.TryAgain();
  EXPECT_FALSE(reach.Obstacle(kVf1, kUplink2, "p1"));
  EXPECT_EQ(reach.TakeTrials({{3, kVf1}, {11, kUplink2}}, kNow), (Trials{{3, 11}, {11, 3}}));
  EXPECT_FALSE(reach.OnTried({11, 3}, Result<void>{}, kNow)) << "as before";
  EXPECT_TRUE(reach.OnTried({3, 11}, Refusal(), kNow));
  EXPECT_TRUE(reach.Obstacle(kVf1, kUplink2, "p1"));
}

TEST(Reach, ModesThatChangeDuringATrialAreTriedAfterIt) {
  Reach reach;
  (void)reach.TakeTrials({{3, kVf1}, {11, kUplink2}}, kNow);
  reach.TryAgain();
  EXPECT_TRUE(reach.TakeTrials({{3, kVf1}, {11, kUplink2}}, kNow).empty());
  (void)reach.OnTried({3, 11}, Refusal(), kNow);
  EXPECT_EQ(reach.TakeTrials({{3, kVf1}, {11, kUplink2}}, kNow), (Trials{{3, 11}}));
}

TEST(Reach, WhatStandsInHardwareIsReachedUntilATrialSaysOtherwise) {
  Reach reach;
  reach.OnStanding(kVf1, kUplink2);
  EXPECT_FALSE(reach.Obstacle(kVf1, kUplink2, "p1"));
  EXPECT_TRUE(reach.Obstacle(kUplink1, kUplink2, "p1"));
  EXPECT_EQ(reach.TakeTrials({{3, kVf1}, {11, kUplink2}}, kNow), (Trials{{3, 11}, {11, 3}}))
      << "it is tried all the same";
  EXPECT_TRUE(reach.OnTried({3, 11}, Refusal(), kNow));
  EXPECT_TRUE(reach.Obstacle(kVf1, kUplink2, "p1"));
  reach.OnStanding(kVf1, kUplink2);
  EXPECT_TRUE(reach.Obstacle(kVf1, kUplink2, "p1")) << "what was tried is known better";
}

}  // namespace
}  // namespace dpuflow::kernel
