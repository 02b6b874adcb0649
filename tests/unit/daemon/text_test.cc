// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "agent/daemon/duration.h"
#include "agent/daemon/nearest.h"

namespace dpuflow {
namespace {

using std::chrono::milliseconds;

TEST(Duration, ReadsEveryUnit) {
  EXPECT_EQ(ParseDuration("500ms"), milliseconds(500));
  EXPECT_EQ(ParseDuration("30s"), milliseconds(30'000));
  EXPECT_EQ(ParseDuration("5m"), milliseconds(300'000));
  EXPECT_EQ(ParseDuration("24h"), milliseconds(86'400'000));
  EXPECT_EQ(ParseDuration("0s"), milliseconds(0));
}

TEST(Duration, RefusesWhatIsNotOneNumberAndOneUnit) {
  for (const char* text : {"", "s", "30", "30 s", " 30s", "30s ", "-1s", "+1s", "1.5s", "1d", "1S", "1s1s", "0x1s"}) {
    EXPECT_EQ(ParseDuration(text), std::nullopt) << text;
  }
}

TEST(Duration, RefusesWhatIsTooLongWithoutOverflow) {
  EXPECT_TRUE(ParseDuration("8784h").has_value());
  EXPECT_EQ(ParseDuration("8785h"), std::nullopt);
  EXPECT_EQ(ParseDuration("18446744073709551615h"), std::nullopt);
  EXPECT_EQ(ParseDuration("18446744073709551616ms"), std::nullopt);
}

TEST(Duration, IsWrittenInTheLargestUnitWithoutAFraction) {
  EXPECT_EQ(FormatDuration(milliseconds(0)), "0s");
  EXPECT_EQ(FormatDuration(milliseconds(1500)), "1500ms");
  EXPECT_EQ(FormatDuration(milliseconds(90'000)), "90s");
  EXPECT_EQ(FormatDuration(milliseconds(120'000)), "2m");
  EXPECT_EQ(FormatDuration(milliseconds(86'400'000)), "24h");
}

TEST(Duration, ReadsWhatItWrites) {
  for (const int count : {1, 999, 1000, 1001, 59'000, 60'000, 61'000, 3'600'000, 3'661'000}) {
    EXPECT_EQ(ParseDuration(FormatDuration(milliseconds(count))), milliseconds(count)) << count;
  }
}

TEST(Nearest, FindsASlipOfTheFinger) {
  EXPECT_EQ(Nearest("idle-tme", {"poll-period", "idle-time"}), "idle-time");
  EXPECT_EQ(Nearest("idle_time", {"poll-period", "idle-time"}), "idle-time");
  EXPECT_EQ(Nearest("ilde-time", {"poll-period", "idle-time"}), "idle-time");
  EXPECT_EQ(Nearest("infoo", {"error", "info"}), "info");
}

TEST(Nearest, GuessesNothingFarFetched) {
  EXPECT_EQ(Nearest("colour", {"poll-period", "idle-time"}), std::nullopt);
  EXPECT_EQ(Nearest("", {"idle-time"}), std::nullopt);
  EXPECT_EQ(Nearest(std::string(1'000'000, 'x'), {"idle-time"}), std::nullopt);
  EXPECT_EQ(Nearest("x", {}), std::nullopt);
}

TEST(Nearest, TakesTheFirstOfEquals) { EXPECT_EQ(Nearest("bat", {"cat", "hat"}), "cat"); }

}  // namespace
}  // namespace dpuflow
