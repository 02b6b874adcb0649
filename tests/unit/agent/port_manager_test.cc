// SPDX-License-Identifier: Apache-2.0
#include "agent/port_manager.h"

#include <gtest/gtest.h>

namespace dpuflow {
namespace {

using kernel::PortRole;

class FakeBackend final : public offload::Backend {
 public:
  void Submit(std::vector<flow::Operation>& operations) override { operations.clear(); }
  void Prepare(std::uint32_t port, const std::string& /*name*/, std::uint32_t peer) override { peers[port] = peer; }
  void Release(std::uint32_t /*port*/) override {}
  void Sweep(std::uint32_t /*port*/) override {}

  std::map<std::uint32_t, std::uint32_t> peers;  // of the ports that were prepared
};

class NoListener final : public PortListener {
 public:
  std::vector<IpPrefix> MartiansOf(std::uint32_t /*ifindex*/) const override { return {}; }
  void PortReady(std::uint32_t /*ifindex*/) override {}
  void PortLeft(std::uint32_t /*ifindex*/) override {}
  void PortRefused(const PortSlot& /*slot*/) override {}
};

class PortManagerTest : public testing::Test {
 protected:
  void Find(std::uint32_t ifindex, PortRole role, const std::string& refusal = {}) {
    kernel::SwitchPort port;
    port.link.ifindex = ifindex;
    port.role = role;
    port.refusal = refusal;
    found_[ifindex] = port;
  }
  void Update() { ports_.Update(found_, now_); }

  const flow::TimePoint now_ = flow::TimePoint{} + std::chrono::hours(1);
  std::map<std::uint32_t, kernel::SwitchPort> found_;
  FakeBackend backend_;
  NoListener listener_;
  flow::Pipeline pipeline_{flow::Limits{}};
  PortManager ports_{backend_, pipeline_, listener_};
};

TEST_F(PortManagerTest, APortIsTriedWithTheUplinkAndTheUplinkWithAnotherPort) {
  Find(2, PortRole::kVf);
  Find(3, PortRole::kVf);
  Find(4, PortRole::kUplink);
  Update();
  EXPECT_EQ(backend_.peers, (std::map<std::uint32_t, std::uint32_t>{{2, 4}, {3, 4}, {4, 3}}));
}

TEST_F(PortManagerTest, APortAloneIsTriedWithNoOther) {
  Find(2, PortRole::kVf);
  Update();
  EXPECT_EQ(backend_.peers, (std::map<std::uint32_t, std::uint32_t>{{2, 0}}));
}

TEST_F(PortManagerTest, AnUplinkIsNotTriedWithAnother) {
  Find(2, PortRole::kUplink);
  Find(3, PortRole::kUplink);
  Update();
  EXPECT_EQ(backend_.peers, (std::map<std::uint32_t, std::uint32_t>{{2, 0}, {3, 0}}));
}

TEST_F(PortManagerTest, APortThatIsRefusedForWhatItIsIsNoPeer) {
  Find(2, PortRole::kUplink, "it is part of bond0");
  Find(3, PortRole::kVf);
  Update();
  EXPECT_EQ(backend_.peers, (std::map<std::uint32_t, std::uint32_t>{{3, 0}}));
}

TEST_F(PortManagerTest, APortThatComesLaterIsTriedWithThoseThatAreThere) {
  Find(2, PortRole::kUplink);
  Update();
  Find(5, PortRole::kVf);
  Update();
  EXPECT_EQ(backend_.peers, (std::map<std::uint32_t, std::uint32_t>{{2, 0}, {5, 2}}));
}

}  // namespace
}  // namespace dpuflow
