// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel/neigh_refresher.h"

#include <gtest/gtest.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <cerrno>
#include <map>

#include "tests/unit/netlink/fake_transport.h"

namespace dpuflow::kernel {
namespace {

using flow::NeighKey;
using netlink::MessageBuffer;

const NeighKey kRouter{2, IpAddress::V4(10, 1, 0, 1)};
const NeighKey kRouter6{2, *IpAddress::Parse("fe80::1")};

// A kernel with neighbours, and what it was told about them.
class NeighRefresherTest : public testing::Test {
 protected:
  struct Known {
    std::uint16_t state = NUD_STALE;
    std::uint8_t flags = 0;
    std::uint32_t flags_ext = 0;
  };

  NeighRefresherTest() {
    auto transport = std::make_unique<netlink::FakeTransport>();
    transport_ = transport.get();
    transport_->on_request = [this](const nlmsghdr& request) { OnRequest(request); };
    socket_ = std::make_unique<netlink::Socket>(std::move(transport));
  }
  Refreshed Do(const std::vector<NeighKey>& neighs) { return Refresh(*socket_, neighs); }

  std::map<NeighKey, Known> neighs_;
  std::vector<NeighKey> used_;
  std::pair<int, const char*> read_error_{};  // of every question, while set
  std::pair<int, const char*> use_error_{};   // of every use, while set

 private:
  void OnRequest(const nlmsghdr& request) {
    const auto asked = netlink::MessageReader(request).Header<ndmsg>();
    netlink::MessageReader reader(request);
    netlink::AttributeReader attributes = reader.Attributes(sizeof(ndmsg));
    NeighKey key{static_cast<std::uint32_t>(asked.ndm_ifindex), {}};
    while (attributes.Next()) {
      if (attributes.type() == NDA_DST) key.address = attributes.Ip();
    }
    const bool question = request.nlmsg_type == RTM_GETNEIGH;
    const auto [code, sentence] = question ? read_error_ : use_error_;
    if (code != 0) return transport_->Acknowledge(request, code, sentence);
    if (!neighs_.contains(key)) return transport_->Acknowledge(request, ENOENT);
    if (question) return Show(request.nlmsg_seq, key);
    EXPECT_EQ(request.nlmsg_type, RTM_NEWNEIGH);
    EXPECT_EQ(request.nlmsg_flags & (NLM_F_CREATE | NLM_F_REPLACE), 0);
    EXPECT_EQ(asked.ndm_flags, NTF_USE);
    used_.push_back(key);
    transport_->Acknowledge(request);
  }
  void Show(std::uint32_t seq, const NeighKey& key) {
    const Known& known = neighs_[key];
    ndmsg header{};
    header.ndm_family = static_cast<std::uint8_t>(key.address.family());
    header.ndm_ifindex = static_cast<int>(key.ifindex);
    header.ndm_state = known.state;
    header.ndm_flags = known.flags;
    MessageBuffer buffer;
    buffer.Begin(RTM_NEWNEIGH, 0, seq, header);
    buffer.PutIp(NDA_DST, key.address);
    if (known.flags_ext != 0) buffer.PutU32(NDA_FLAGS_EXT, known.flags_ext);
    transport_->Answer(buffer);
  }

  netlink::FakeTransport* transport_;  // owned by the socket
  std::unique_ptr<netlink::Socket> socket_;
};

TEST_F(NeighRefresherTest, StaleNeighboursOfBothFamiliesAreUsed) {
  neighs_ = {{kRouter, {}}, {kRouter6, {}}};
  EXPECT_EQ(Do({kRouter, kRouter6}), (Refreshed{2, 0, {}}));
  EXPECT_EQ(used_, (std::vector{kRouter, kRouter6}));
}

TEST_F(NeighRefresherTest, NothingToTellIsNothingToSend) { EXPECT_EQ(Do({}), Refreshed{}); }

// What became of it since the loop saw it STALE.
TEST_F(NeighRefresherTest, ANeighbourThatTheUseWouldHarmOrNotHelpIsLeftAlone) {
  for (const int state : {NUD_REACHABLE, NUD_DELAY, NUD_PROBE, NUD_PERMANENT, NUD_NOARP, NUD_INCOMPLETE, NUD_FAILED}) {
    neighs_ = {{kRouter, {.state = static_cast<std::uint16_t>(state)}}, {kRouter6, {}}};
    used_.clear();
    EXPECT_EQ(Do({kRouter, kRouter6}), (Refreshed{1, 0, {}})) << state;
    EXPECT_EQ(used_, std::vector{kRouter6}) << state;
  }
  for (const Known& of_others : {Known{.flags = NTF_EXT_LEARNED}, Known{.flags_ext = NTF_EXT_MANAGED}}) {
    neighs_ = {{kRouter, of_others}};
    EXPECT_EQ(Do({kRouter}), Refreshed{});
  }
}

TEST_F(NeighRefresherTest, OneThatIsGoneIsNoFailure) {
  neighs_ = {{kRouter6, {}}};
  EXPECT_EQ(Do({kRouter, kRouter6}), (Refreshed{1, 0, {}}));
  // Gone between the question and the use; with its device; dead, and its memory not yet freed.
  const std::pair<int, const char*> kGone[] = {{ENOENT, ""}, {ENODEV, ""}, {EPERM, "Neighbor entry is now dead"}};
  for (const auto& gone : kGone) {
    use_error_ = gone;
    EXPECT_EQ(Do({kRouter6}), Refreshed{}) << gone.first;
  }
  EXPECT_EQ(used_, std::vector{kRouter6});
}

TEST_F(NeighRefresherTest, ARefusalIsAFailure) {
  neighs_ = {{kRouter, {}}, {kRouter6, {}}};
  use_error_ = {EPERM, ""};
  const Refreshed refreshed = Do({kRouter, kRouter6});
  EXPECT_EQ(refreshed.neighs, 0u);
  ASSERT_EQ(refreshed.failures.size(), 2u);
  EXPECT_EQ(refreshed.failures[0], (Error{EPERM, "tell of a neighbour's use", ""}));
}

TEST_F(NeighRefresherTest, ANeighbourThatCannotBeLookedAtIsAFailureAndIsNotUsed) {
  neighs_ = {{kRouter, {}}};
  read_error_ = {ENOBUFS, ""};
  EXPECT_EQ(Do({kRouter}).failures.size(), 1u);
  EXPECT_TRUE(used_.empty());
}

}  // namespace
}  // namespace dpuflow::kernel
