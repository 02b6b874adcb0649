// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/capabilities.h"

#include <gtest/gtest.h>

namespace dpuflow {
namespace {

constexpr std::uint64_t kNetAdmin = 1ULL << 12;
constexpr std::uint64_t kSysAdmin = 1ULL << 21;
constexpr std::uint64_t kPerfmon = 1ULL << 38;
constexpr std::uint64_t kBpf = 1ULL << 39;

std::vector<std::string_view> MissingNames(std::uint64_t effective) {
  std::vector<std::string_view> names;
  for (const Capability& capability : MissingCapabilities(effective)) names.push_back(capability.name);
  return names;
}

TEST(Capabilities, NothingIsMissingWithAllThree) {
  EXPECT_TRUE(MissingCapabilities(kNetAdmin | kBpf | kPerfmon).empty());
  EXPECT_EQ(DescribeMissing({}, "/usr/sbin/dpuflowd"), "");
}

TEST(Capabilities, EachThatIsMissingIsNamed) {
  EXPECT_EQ(MissingNames(0), (std::vector<std::string_view>{"CAP_NET_ADMIN", "CAP_BPF", "CAP_PERFMON"}));
  EXPECT_EQ(MissingNames(kNetAdmin | kBpf), (std::vector<std::string_view>{"CAP_PERFMON"}));
}

TEST(Capabilities, SysAdminCountsForBpfAndPerfmonButNotForTheNetwork) {
  EXPECT_TRUE(MissingCapabilities(kNetAdmin | kSysAdmin).empty());
  EXPECT_EQ(MissingNames(kSysAdmin), (std::vector<std::string_view>{"CAP_NET_ADMIN"}));
}

TEST(Capabilities, OneSentenceSaysWhatAndWhatToType) {
  EXPECT_EQ(DescribeMissing(MissingCapabilities(0), "/opt/dpuflowd"),
            "missing CAP_NET_ADMIN (to program filters), CAP_BPF (to load the classifier) and CAP_PERFMON (to have the "
            "classifier accepted by the verifier): start it with `systemctl start dpuflowd`, whose unit has "
            "\"AmbientCapabilities=CAP_NET_ADMIN CAP_BPF CAP_PERFMON\", as root, or after "
            "`setcap cap_net_admin,cap_bpf,cap_perfmon=ep /opt/dpuflowd`");
  EXPECT_TRUE(DescribeMissing(MissingCapabilities(kNetAdmin | kPerfmon), "x")
                  .starts_with("missing CAP_BPF (to load the classifier): "));
  EXPECT_TRUE(
      DescribeMissing(MissingCapabilities(kBpf), "x").starts_with("missing CAP_NET_ADMIN (to program filters) and"));
}

TEST(Capabilities, ThisProcessCanBeAsked) {
  const auto effective = EffectiveCapabilities();
  ASSERT_TRUE(effective);
  EXPECT_EQ(CheckCapabilities().has_value(), MissingCapabilities(*effective).empty());
}

}  // namespace
}  // namespace dpuflow
