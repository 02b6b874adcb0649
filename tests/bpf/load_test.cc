// SPDX-License-Identifier: Apache-2.0
//
// Loading: limits, names, and what an operator reads when it cannot be done.
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <thread>

#include "tests/bpf/fixture.h"

namespace dpuflow::test {
namespace {

class LoadTest : public ClassifierTest {};

// Of the calling thread only.
void Drop(unsigned capability) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  ASSERT_EQ(syscall(SYS_capget, &header, sets.data()), 0);
  sets[capability / 32].effective &= ~(1u << capability % 32);
  ASSERT_EQ(syscall(SYS_capset, &header, sets.data()), 0);
}

TEST_F(LoadTest, NamesTheMissingCapabilities) {
  Result<Classifier> loaded = MakeError(0, "");
  std::thread([&] {
    Drop(CAP_SYS_ADMIN);
    Drop(CAP_BPF);
    loaded = Classifier::Load();
  }).join();
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, EPERM);
  EXPECT_EQ(loaded.error().extack.rfind("CAP_BPF missing", 0), 0u) << ToString(loaded.error());
}

TEST_F(LoadTest, NeedsNoMoreThanItsThreeCapabilities) {
  bool ready = false;
  std::thread([&] {
    for (unsigned capability = 0; capability <= CAP_LAST_CAP; ++capability) {
      if (capability != CAP_BPF && capability != CAP_PERFMON && capability != CAP_NET_ADMIN) Drop(capability);
    }
    auto loaded = Classifier::Load();
    ASSERT_TRUE(loaded) << ToString(loaded.error());
    const PathQuery query{.ingress = Ifindex("pod0"), .source = Ip("10.1.0.2"), .destination = Ip("10.2.0.2")};
    PathAnswer answer;
    ready = loaded->SetIngress({1}, {}) && loaded->ReadCounters() && loaded->ResolveBatch({&query, 1}, {&answer, 1});
    EXPECT_EQ(answer.result, PathAnswer::Result::kForward);
  }).join();
  EXPECT_TRUE(ready);
}

TEST_F(LoadTest, IsSeenByItsName) {
  EXPECT_NE(classifier_->program_id(), 0u);
  const std::string shown = Command(fmt::format("/usr/sbin/bpftool prog show id {}", classifier_->program_id()));
  EXPECT_NE(shown.find("name dpuflow_class"), std::string::npos) << shown;
}

TEST_F(LoadTest, FullMapsRefuse) {
  LoadClassifier({.max_interfaces = 5, .max_sources = 2});
  ASSERT_TRUE(classifier_->SetIngress({1000}, {}));
  EXPECT_EQ(classifier_->SetIngress({1000, 7}, {}).error().code, E2BIG);
  ASSERT_TRUE(classifier_->RemoveIngress({1000}));
  ASSERT_TRUE(classifier_->RemoveIngress({1000})) << "again";
  ASSERT_TRUE(classifier_->SetIngress({1000, 7}, {}));
  ASSERT_TRUE(classifier_->SetEgress(1000, {}));
  EXPECT_EQ(classifier_->SetEgress(1001, {}).error().code, E2BIG);
  ASSERT_TRUE(classifier_->AddSource({1}, Ip("10.0.0.1")));
  ASSERT_TRUE(classifier_->AddSource({1}, Ip("10.0.0.1"))) << "again";
  EXPECT_EQ(classifier_->AddSource({1}, Ip("10.0.0.2")).error().code, E2BIG);
  ASSERT_TRUE(classifier_->RemoveSource({1}, Ip("10.0.0.1")));
  ASSERT_TRUE(classifier_->RemoveSource({1}, Ip("10.0.0.1"))) << "again";
  ASSERT_TRUE(classifier_->AddSource({1, 7}, Ip("2001:db8::1")));
}

TEST(VerdictTest, HaveWordsAndKinds) {
  EXPECT_EQ(ToString(DPUFLOW_VERDICT_FORWARDED), "forwarded");
  EXPECT_EQ(ToString(DPUFLOW_VERDICT_FORWARDING_OFF), "forwarding_off");
  EXPECT_EQ(ToString(DPUFLOW_PROTOCOL_UDP), "udp");
  EXPECT_EQ(KindOf(DPUFLOW_VERDICT_LOCAL), DPUFLOW_KIND_CONTROL);
  EXPECT_EQ(KindOf(DPUFLOW_VERDICT_TTL), DPUFLOW_KIND_STACK);
  EXPECT_EQ(ToString(KindOf(DPUFLOW_VERDICT_ARP)), "control");
  EXPECT_EQ(ToString(DPUFLOW_VERDICT_COUNT), "unknown");
  EXPECT_EQ(ToString(PathAnswer::Result::kFailed), "failed");
}

}  // namespace
}  // namespace dpuflow::test
