// SPDX-License-Identifier: Apache-2.0
//
// Attached by tcx, where the kernel has it: from Linux 6.6 on.
#include "bpf/tcx.h"

#include <sys/utsname.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "tests/bpf/fixture.h"

namespace dpuflow::test {
namespace {

bool KernelHasTcx() {
  utsname name{};
  int major = 0, minor = 0;
  EXPECT_EQ(uname(&name), 0);
  EXPECT_EQ(std::sscanf(name.release, "%d.%d", &major, &minor), 2) << name.release;
  return major > 6 || (major == 6 && minor >= 6);
}

class TcxTest : public ClassifierTest {
 protected:
  // How many packets the classifier has seen.
  [[nodiscard]] std::uint64_t Seen() const {
    const ClassifierCounters counters = classifier_->ReadCounters().value();
    std::uint64_t sum = 0;
    for (const ClassifierCounter& counter : counters.packets) sum += counter.packets;
    return sum;
  }

  // One packet from the pod's end of pod0, which the kernel answers if nobody else takes it.
  static void Ping() { Command("ip netns exec far ping -n -c 1 -W 10 10.1.0.1"); }

  void SetUp() override {
    ClassifierTest::SetUp();
    Command(
        "ip netns del far 2>/dev/null || true; ip netns add far && ip link set pod0x netns far && ip -n far link set "
        "pod0x address 02:00:00:00:02:00 && ip -n far address add 10.1.0.2/24 dev pod0x && ip -n far link set pod0x "
        "up");
    Ping();
    ASSERT_EQ(Seen(), 0u) << "nothing is attached yet";
  }
  void TearDown() override { Command("ip netns del far"); }
};

TEST_F(TcxTest, AnOlderKernelSaysThatItHasNone) {
  if (KernelHasTcx()) GTEST_SKIP() << "this kernel has tcx";
  const auto link = bpf::TcxLink::Attach(classifier_->program_fd(), Ifindex("pod0"));
  ASSERT_FALSE(link);
  EXPECT_EQ(link.error().code, EOPNOTSUPP);
}

TEST_F(TcxTest, SeesPacketsWithoutAQdiscForAsLongAsItLives) {
  if (!KernelHasTcx()) GTEST_SKIP() << "this kernel has no tcx";
  {
    auto link = bpf::TcxLink::Attach(classifier_->program_fd(), Ifindex("pod0"));
    ASSERT_TRUE(link) << ToString(link.error());
    const bpf::TcxLink moved = std::move(*link);
    Ping();
    EXPECT_GE(Seen(), 1u) << "and the kernel answered what was left to it";
  }
  const std::uint64_t seen = Seen();
  Ping();
  EXPECT_EQ(Seen(), seen) << "detached";
}

TEST_F(TcxTest, HandsPacketsOnToTheFiltersOfTc) {
  if (!KernelHasTcx()) GTEST_SKIP() << "this kernel has no tcx";
  const auto link = bpf::TcxLink::Attach(classifier_->program_fd(), Ifindex("pod0"));
  ASSERT_TRUE(link) << ToString(link.error());
  Command("tc qdisc add dev pod0 clsact && tc filter add dev pod0 ingress pref 9 protocol ip matchall action ok");
  Ping();
  EXPECT_NE(Command("tc -s filter show dev pod0 ingress").find(" 1 pkt"), std::string::npos);
}

TEST_F(TcxTest, ADeviceThatIsGoneIsNoMissingFeature) {
  const auto link = bpf::TcxLink::Attach(classifier_->program_fd(), 9999);
  ASSERT_FALSE(link);
  EXPECT_EQ(link.error().code, KernelHasTcx() ? ENODEV : EOPNOTSUPP);
}

}  // namespace
}  // namespace dpuflow::test
