// SPDX-License-Identifier: Apache-2.0
//
// A port's life, with hardware and classifier made up here.
#include "agent/port_manager.h"

#include <gtest/gtest.h>
#include <linux/if.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace dpuflow {
namespace {

using State = PortSlot::State;
using namespace std::chrono_literals;

constexpr std::uint32_t kUplink = 2;
constexpr std::uint32_t kPod = 7;
// Longer than any refused port waits before it is tried again.
constexpr std::chrono::minutes kLong{1};

using Trials = std::vector<std::pair<std::uint32_t, std::uint32_t>>;  // from, to

class FakeBackend final : public offload::Backend {
 public:
  void Submit(std::vector<flow::Operation>& operations) override { operations.clear(); }
  void Prepare(std::uint32_t port, const std::string& name, std::uint32_t peer) override {
    asked.push_back("prepare " + name);
    preparing.insert(port);
    peers[port] = peer;
  }
  void TryRoute(std::uint32_t port, std::uint32_t peer) override { trials.emplace_back(port, peer); }
  void Release(std::uint32_t port) override {
    asked.push_back("release " + std::to_string(port));
    releasing.insert(port);
  }
  void Sweep(std::uint32_t, flow::PacketKinds) override {}
  void Audit(std::uint64_t, std::uint32_t, std::vector<offload::Expected>) override {}
  void RemoveStray(const netlink::FilterId&) override {}

  [[nodiscard]] std::vector<std::string> TakeAsked() { return std::exchange(asked, {}); }
  [[nodiscard]] Trials TakeTrials() { return std::exchange(trials, {}); }

  std::vector<std::string> asked;
  std::set<std::uint32_t> preparing;  // asked for, and not yet reported
  std::set<std::uint32_t> releasing;
  Trials trials;
  std::map<std::uint32_t, std::uint32_t> peers;  // with which a port is tried
};

class FakeListener final : public PortListener {
 public:
  std::vector<IpPrefix> MartiansOf(std::uint32_t /*ifindex*/) const override { return {}; }
  const kernel::NeighMirror& Neighbours() const override { return neighs; }
  void PortReady(std::uint32_t ifindex) override {
    EXPECT_TRUE(taking_part.insert(ifindex).second) << ifindex << " takes part already";
  }
  void PortLeft(const PortSlot& slot) override {
    EXPECT_EQ(taking_part.erase(slot.info.link.ifindex), 1u) << slot.info.link.name << " did not take part";
  }
  void PortSwitched(const PortSlot& slot) override { switched[slot.info.link.name] = slot.offload; }
  void PortRefused(const PortSlot& slot) override { refused.push_back(slot.info.link.name + ": " + slot.refusal); }

  std::set<std::uint32_t> taking_part;  // what the classifier was told
  std::vector<std::string> refused;
  std::map<std::string, bool> switched;
  kernel::NeighMirror neighs;
};

class PortManagerTest : public testing::Test {
 protected:
  static kernel::SwitchPort Port(std::uint32_t ifindex, const std::string& name) {
    kernel::SwitchPort port;
    port.link.ifindex = ifindex;
    port.link.name = name;
    port.link.mtu = 1500;
    port.link.address = MacAddress{{0x02, 0, 0, 0, 0, static_cast<std::uint8_t>(ifindex)}};
    port.role = ifindex == kUplink ? kernel::PortRole::kUplink : kernel::PortRole::kVf;
    return port;
  }
  static kernel::SwitchPort InBond(kernel::SwitchPort port) {
    port.link.master = 40;
    port.refusal = "it belongs to the bond bond0";
    port.hint = "ip link set dev " + port.link.name + " nomaster";
    return port;
  }

  // What devlink and rtnetlink say: these ports, and no others.
  void Find(const std::vector<kernel::SwitchPort>& ports) {
    std::map<std::uint32_t, kernel::SwitchPort> found;
    std::vector<std::uint32_t> ifindexes;
    kernel::LinkMirror links;
    for (const netlink::Link& link : vlans_) (void)links.Apply({link});
    for (const kernel::SwitchPort& port : ports) {
      found.emplace(port.link.ifindex, port);
      ifindexes.push_back(port.link.ifindex);
      (void)links.Apply({port.link});
    }
    changed_ = manager_.Update(std::move(found), kernel::Topology(ifindexes, links, {}), now_);
  }
  void Prepared(std::uint32_t port, const std::string& refusal = {}, const std::string& hint = {}) {
    EXPECT_EQ(backend_.preparing.erase(port), 1u);
    manager_.OnPrepared({port, refusal, hint, {}}, now_);
  }
  void Released(std::uint32_t port, bool clean = true) {
    EXPECT_EQ(backend_.releasing.erase(port), 1u);
    manager_.OnReleased({port, clean}, now_);
  }
  // Found, prepared, taking part, and the pipeline's operations for it done.
  void MakeReady(const kernel::SwitchPort& port) {
    Find({port});
    Prepared(port.link.ifindex);
    Acknowledge();
    (void)backend_.TakeAsked();
  }
  void Acknowledge() {
    for (const flow::Operation& operation : TakeOperations()) Acknowledge(operation);
  }
  void Acknowledge(const flow::Operation& operation) {
    pipeline_.OnOutcome({operation.kind, operation.flow, std::nullopt, operation.course}, now_);
  }
  std::vector<flow::Operation> TakeOperations() { return pipeline_.TakeOperations(64, now_); }

  // Null where the port is not known.
  [[nodiscard]] const PortSlot* Slot(std::uint32_t port) const {
    const auto found = manager_.slots().find(port);
    return found == manager_.slots().end() ? nullptr : &found->second;
  }
  [[nodiscard]] bool Is(std::uint32_t port, State state) const { return Slot(port) && Slot(port)->state == state; }
  [[nodiscard]] bool TakesPart(std::uint32_t port) const { return listener_.taking_part.contains(port); }

  flow::TimePoint now_ = flow::TimePoint{} + 1h;
  flow::Pipeline pipeline_{flow::Limits{}};
  FakeBackend backend_;
  FakeListener listener_;
  PortManager manager_{backend_, pipeline_, listener_};
  const kernel::SwitchPort pod_ = Port(kPod, "pf0vf0");
  std::vector<netlink::Link> vlans_;
  bool changed_ = false;  // what the last Update() returned
};

using Asked = std::vector<std::string>;

TEST_F(PortManagerTest, AFoundPortIsPreparedAndThenTakesPart) {
  EXPECT_TRUE(manager_.settled());
  Find({pod_});
  EXPECT_TRUE(Is(kPod, State::kPreparing));
  EXPECT_FALSE(manager_.settled());
  EXPECT_FALSE(TakesPart(kPod));
  EXPECT_EQ(backend_.TakeAsked(), Asked{"prepare pf0vf0"});
  EXPECT_TRUE(TakeOperations().empty());

  Prepared(kPod);
  EXPECT_TRUE(Is(kPod, State::kReady));
  EXPECT_TRUE(manager_.settled());
  EXPECT_TRUE(TakesPart(kPod));
  EXPECT_FALSE(TakeOperations().empty()) << "its guards are wanted";
  EXPECT_EQ(manager_.Names(), std::set<std::string>{"pf0vf0"});
}

TEST_F(PortManagerTest, APortWithoutChainsHasItsFlowsInTheFlatTable) {
  Find({pod_});
  EXPECT_EQ(backend_.preparing.erase(kPod), 1u);
  manager_.OnPrepared({kPod, {}, {}, flow::Form::kFlat}, now_);
  EXPECT_EQ(Slot(kPod)->form, flow::Form::kFlat);
  flow::Answer answer;
  answer.question.miss.port = kPod;
  EXPECT_EQ(pipeline_.KeyFor(answer).table, flow::Table::kFlat);
}

TEST_F(PortManagerTest, TheSamePortAgainIsNoNews) {
  MakeReady(pod_);
  Find({pod_});
  manager_.Advance(now_ + kLong);
  EXPECT_EQ(backend_.TakeAsked(), Asked{});
  EXPECT_TRUE(Is(kPod, State::kReady));
}

TEST_F(PortManagerTest, ARefusedPortSaysWhyOnceAndIsTriedAgain) {
  Find({pod_});
  (void)backend_.TakeAsked();
  Prepared(kPod, "hardware offload of tc is off", "ethtool -K pf0vf0 hw-tc-offload on");
  EXPECT_TRUE(Is(kPod, State::kRefused));
  EXPECT_EQ(Slot(kPod)->refusal, "hardware offload of tc is off");
  EXPECT_EQ(Slot(kPod)->hint, "ethtool -K pf0vf0 hw-tc-offload on");
  EXPECT_TRUE(manager_.settled());
  EXPECT_FALSE(TakesPart(kPod));

  manager_.Advance(now_);
  EXPECT_EQ(backend_.TakeAsked(), Asked{}) << "not at once";
  now_ += kLong;
  manager_.Advance(now_);
  EXPECT_EQ(backend_.TakeAsked(), Asked{"prepare pf0vf0"});
  Prepared(kPod, "hardware offload of tc is off", "ethtool -K pf0vf0 hw-tc-offload on");
  EXPECT_EQ(listener_.refused, Asked{"pf0vf0: hardware offload of tc is off"}) << "the same again is no news";

  now_ += kLong;
  manager_.Advance(now_);
  Prepared(kPod, "its ingress uses the shared block 22");
  EXPECT_EQ(listener_.refused.size(), 2u);

  now_ += kLong;
  manager_.Advance(now_);
  Prepared(kPod);
  EXPECT_TRUE(Is(kPod, State::kReady));
  EXPECT_TRUE(Slot(kPod)->refusal.empty());
  EXPECT_TRUE(TakesPart(kPod));
}

TEST_F(PortManagerTest, APortThatABondTakesIsReleasedAndThenRefused) {
  MakeReady(pod_);
  Find({InBond(pod_)});
  EXPECT_FALSE(TakesPart(kPod)) << "the classifier lets go of it at once";
  EXPECT_TRUE(Is(kPod, State::kReleasing));
  manager_.Advance(now_);
  EXPECT_EQ(backend_.TakeAsked(), Asked{"release 7"});

  Released(kPod);
  EXPECT_TRUE(Is(kPod, State::kRefused));
  EXPECT_EQ(Slot(kPod)->refusal, "it belongs to the bond bond0");
  EXPECT_EQ(Slot(kPod)->hint, "ip link set dev pf0vf0 nomaster");
  EXPECT_EQ(listener_.refused, Asked{"pf0vf0: it belongs to the bond bond0"});

  now_ += kLong;
  manager_.Advance(now_);
  EXPECT_EQ(backend_.TakeAsked(), Asked{}) << "it is not ours while the bond has it";
}

TEST_F(PortManagerTest, AReleaseThatLeavesSomethingBehindIsTriedAgain) {
  MakeReady(pod_);
  Find({InBond(pod_)});
  manager_.Advance(now_);
  (void)backend_.TakeAsked();
  Released(kPod, false);
  EXPECT_TRUE(Is(kPod, State::kReleasing));
  manager_.Advance(now_);
  EXPECT_EQ(backend_.TakeAsked(), Asked{}) << "not at once";
  now_ += kLong;
  manager_.Advance(now_);
  EXPECT_EQ(backend_.TakeAsked(), Asked{"release 7"});
  Released(kPod);
  EXPECT_TRUE(Is(kPod, State::kRefused));
}

TEST_F(PortManagerTest, ClosingDoesNotWaitForAReleaseThatFails) {
  MakeReady(pod_);
  Find({InBond(pod_)});
  manager_.Advance(now_);
  Released(kPod, false);
  (void)backend_.TakeAsked();
  manager_.ReleaseAll(now_);
  EXPECT_EQ(backend_.TakeAsked(), Asked{"release 7"}) << "once more, at once";
  Released(kPod, false);
  EXPECT_TRUE(manager_.done());
}

TEST_F(PortManagerTest, APortThatIsFreedTakesPartAgain) {
  MakeReady(pod_);
  Find({InBond(pod_)});
  manager_.Advance(now_);
  Released(kPod);
  (void)backend_.TakeAsked();
  Find({pod_});
  EXPECT_EQ(backend_.TakeAsked(), Asked{"prepare pf0vf0"});
  Prepared(kPod);
  EXPECT_TRUE(Is(kPod, State::kReady));
  EXPECT_TRUE(TakesPart(kPod));
}

// An earlier run may have left filters on it.
TEST_F(PortManagerTest, APortThatIsFoundInABondIsClearedOfLeftovers) {
  Find({InBond(pod_)});
  EXPECT_FALSE(manager_.settled());
  manager_.Advance(now_);
  EXPECT_EQ(backend_.TakeAsked(), Asked{"release 7"});
  Released(kPod);
  EXPECT_TRUE(Is(kPod, State::kRefused));
  EXPECT_TRUE(manager_.settled());
  EXPECT_FALSE(TakesPart(kPod));
}

TEST_F(PortManagerTest, APortThatIsTakenWhileItIsPreparedNeverTakesPart) {
  Find({pod_});
  Find({InBond(pod_)});
  Prepared(kPod);
  EXPECT_FALSE(TakesPart(kPod));
  manager_.Advance(now_);
  Released(kPod);
  EXPECT_TRUE(Is(kPod, State::kRefused));
  EXPECT_EQ(Slot(kPod)->refusal, "it belongs to the bond bond0");
}

TEST_F(PortManagerTest, NothingIsReleasedWhileOperationsAreUnderWay) {
  Find({pod_});
  Prepared(kPod);
  const auto operations = TakeOperations();
  ASSERT_FALSE(operations.empty());
  Find({InBond(pod_)});
  (void)backend_.TakeAsked();
  for (const flow::Operation& operation : operations) {
    manager_.Advance(now_);
    EXPECT_EQ(backend_.TakeAsked(), Asked{});
    Acknowledge(operation);
  }
  manager_.Advance(now_);
  EXPECT_EQ(backend_.TakeAsked(), Asked{"release 7"});
  manager_.Advance(now_);
  EXPECT_EQ(backend_.TakeAsked(), Asked{}) << "asked for once";
}

TEST_F(PortManagerTest, APortThatIsGoneIsForgotten) {
  MakeReady(pod_);
  Find({});
  EXPECT_FALSE(TakesPart(kPod));
  EXPECT_TRUE(pipeline_.flows().all().empty());
  manager_.Advance(now_);
  Released(kPod);
  EXPECT_EQ(Slot(kPod), nullptr);
  EXPECT_TRUE(manager_.settled());
  EXPECT_TRUE(listener_.refused.empty());
}

TEST_F(PortManagerTest, APortThatComesBackUnderANewIfindexIsANewOne) {
  MakeReady(pod_);
  Find({Port(9, "pf0vf0")});
  EXPECT_TRUE(Is(9, State::kPreparing));
  manager_.Advance(now_);
  Released(kPod);
  EXPECT_EQ(Slot(kPod), nullptr);
  Prepared(9);
  EXPECT_EQ(listener_.taking_part, std::set<std::uint32_t>{9});
}

// Gone and back with the same ifindex before its release is done: it is found anew once that is over.
TEST_F(PortManagerTest, APortThatIsBackBeforeItWasReleasedTakesPartInTheEnd) {
  MakeReady(pod_);
  Find({});
  Find({pod_});
  manager_.Advance(now_);
  if (backend_.releasing.contains(kPod)) Released(kPod);
  Find({pod_});
  Prepared(kPod);
  EXPECT_TRUE(Is(kPod, State::kReady));
  EXPECT_TRUE(TakesPart(kPod));
}

TEST_F(PortManagerTest, APortWhoseQdiscIsDeletedIsReleasedAndPreparedAgain) {
  MakeReady(pod_);
  ASSERT_TRUE(manager_.SetOffload(kPod, false, now_));
  Acknowledge();
  manager_.OnFootingLost(kPod);
  manager_.OnFootingLost(kPod);  // each failed operation says so
  EXPECT_FALSE(TakesPart(kPod));
  manager_.Advance(now_);
  Released(kPod);
  EXPECT_EQ(backend_.TakeAsked(), (Asked{"release 7", "prepare pf0vf0"}));
  Prepared(kPod);
  EXPECT_TRUE(TakesPart(kPod));
  EXPECT_FALSE(Slot(kPod)->offload) << "the operator's switch stays";
}

TEST_F(PortManagerTest, APortThatGoesWithItsQdiscIsForgotten) {
  MakeReady(pod_);
  manager_.OnFootingLost(kPod);
  Find({});
  manager_.Advance(now_);
  Released(kPod);
  EXPECT_EQ(Slot(kPod), nullptr);
}

TEST_F(PortManagerTest, AReportAboutAPortThatIsGoneIsIgnored) {
  Find({pod_});
  Find({});
  Prepared(kPod);
  EXPECT_FALSE(TakesPart(kPod));
  manager_.Advance(now_);
  Released(kPod);
  EXPECT_EQ(Slot(kPod), nullptr);
  manager_.OnReleased({kPod}, now_);
  manager_.OnPrepared({99, {}, {}}, now_);
  EXPECT_TRUE(manager_.slots().empty());
}

TEST_F(PortManagerTest, ClosingReleasesAllAndIsDoneWhenNothingIsLeft) {
  Find({Port(kUplink, "p0"), pod_, Port(8, "pf0vf1")});
  Prepared(kUplink);
  Prepared(kPod);
  Prepared(8, "no room");
  Acknowledge();
  (void)backend_.TakeAsked();
  manager_.ReleaseAll(now_);
  EXPECT_FALSE(manager_.done());
  EXPECT_TRUE(listener_.taking_part.empty());
  EXPECT_TRUE(std::ranges::includes(backend_.releasing, std::set<std::uint32_t>{kUplink, kPod}));

  Find({Port(kUplink, "p0"), pod_, Port(9, "pf0vf2")});
  EXPECT_TRUE(backend_.preparing.empty()) << "nothing begins any more";
  for (const std::uint32_t port : std::set<std::uint32_t>(backend_.releasing)) {
    EXPECT_FALSE(manager_.done());
    Released(port);
  }
  EXPECT_TRUE(manager_.done());
  now_ += kLong;
  manager_.Advance(now_);
  EXPECT_TRUE(backend_.preparing.empty());
}

TEST_F(PortManagerTest, ClosingWhileAPortIsPreparedReleasesWhatThePreparationMade) {
  Find({pod_});
  manager_.ReleaseAll(now_);
  Prepared(kPod);
  manager_.Advance(now_);
  EXPECT_FALSE(TakesPart(kPod));
  EXPECT_FALSE(manager_.done());
  Released(kPod);
  EXPECT_TRUE(manager_.done());
}

TEST_F(PortManagerTest, ClosingWithoutPortsIsDoneAtOnce) {
  manager_.ReleaseAll(now_);
  EXPECT_TRUE(manager_.done());
}

TEST_F(PortManagerTest, DecisionsSeeWhichPortsTakePartAndHowLargeTheirPacketsMayBe) {
  kernel::SwitchPort uplink = Port(kUplink, "p0");
  uplink.link.mtu = 9000;
  Find({uplink, pod_});
  Prepared(kPod);
  const kernel::DecisionPorts& ports = manager_.ForDecisions();
  EXPECT_TRUE(ports.at(kPod).ready);
  EXPECT_FALSE(ports.at(kUplink).ready);
  EXPECT_EQ(ports.at(kPod).largest_packet, 9000u) << "a function's own MTU cannot be seen";
  EXPECT_TRUE(manager_.SetOffload(kPod, false, now_));
  EXPECT_FALSE(manager_.ForDecisions().at(kPod).offload) << "what was said before is not said again";
  uplink.link.mtu = 2000;
  Find({uplink, pod_});
  EXPECT_EQ(manager_.ForDecisions().at(kPod).largest_packet, 2000u);
}

TEST_F(PortManagerTest, TheConfigurationMaySayHowLargePacketsAre) {
  PortManager told(backend_, pipeline_, listener_, {}, 1400);
  told.Update({{kPod, pod_}}, {}, now_);
  EXPECT_EQ(told.ForDecisions().at(kPod).largest_packet, 1400u);
}

// ---- the operator's switch -------------------------------------------------------------------------------------------

TEST_F(PortManagerTest, OffloadOffEmptiesThePortAndNothingLeadsToIt) {
  MakeReady(pod_);
  ASSERT_TRUE(manager_.SetOffload(kPod, false, now_));
  EXPECT_EQ(listener_.switched, (std::map<std::string, bool>{{"pf0vf0", false}}));
  for (const flow::Operation& operation : TakeOperations()) {
    EXPECT_EQ(operation.kind, flow::Operation::Kind::kRemove);
    Acknowledge(operation);
  }
  EXPECT_EQ(pipeline_.flows().size(), 0u) << "no guard is left";
  EXPECT_FALSE(manager_.ForDecisions().at(kPod).offload);
  ASSERT_TRUE(manager_.SetOffload(kPod, true, now_));
  EXPECT_FALSE(TakeOperations().empty()) << "its guards come back";
  EXPECT_FALSE(manager_.SetOffload(99, false, now_));
}

TEST_F(PortManagerTest, APortThatComesWhileOffloadIsOffIsOffAsWell) {
  manager_.SetOffloadOfAll(false, now_);
  MakeReady(pod_);
  EXPECT_FALSE(Slot(kPod)->offload);
  manager_.SetOffloadOfAll(true, now_);
  EXPECT_TRUE(Slot(kPod)->offload);
}

// ---- with which other port a port is tried ---------------------------------------------------------------------------

using Peers = std::map<std::uint32_t, std::uint32_t>;

// ---- interfaces on a port --------------------------------------------------------------------------------------------

TEST_F(PortManagerTest, AVlanDeviceIsALaneOfItsPortWithGuardsOfItsOwn) {
  MakeReady(pod_);
  const std::size_t guards = pipeline_.flows().size();
  netlink::Link vlan;
  vlan.ifindex = 70;
  vlan.name = "pf0vf0.100";
  vlan.kind = "vlan";
  vlan.lower = kPod;
  vlan.flags = IFF_UP;
  vlan.vlan = {.id = 100, .protocol = 0x8100, .maps_egress_priority = false};
  vlans_ = {vlan};
  Find({pod_});
  EXPECT_TRUE(changed_);
  EXPECT_TRUE(manager_.Names().contains("pf0vf0.100")) << "its sysctls are read";
  ASSERT_EQ(pipeline_.flows().size(), 2 * guards);
  for (const flow::Operation& operation : TakeOperations()) {
    EXPECT_EQ(operation.rule.match.vlan, 100);
    Acknowledge(operation);
  }
  Find({pod_});
  EXPECT_FALSE(changed_);
  vlans_.clear();
  Find({pod_});
  EXPECT_TRUE(changed_);
  Acknowledge();
  EXPECT_EQ(pipeline_.flows().size(), guards);
}

TEST_F(PortManagerTest, APortIsTriedWithTheUplinkAndTheUplinkWithAnotherPort) {
  Find({Port(3, "pf0vf0"), Port(4, "pf0vf1"), Port(kUplink, "p0")});
  EXPECT_EQ(backend_.peers, (Peers{{3, kUplink}, {4, kUplink}, {kUplink, 4}}));
}

TEST_F(PortManagerTest, APortAloneIsTriedWithNoOther) {
  Find({pod_});
  EXPECT_EQ(backend_.peers, (Peers{{kPod, 0}}));
}

TEST_F(PortManagerTest, AnotherEswitchIsTriedApartAndAgainWhenItsModeMayHaveChanged) {
  kernel::SwitchPort second = Port(11, "p1");
  second.role = kernel::PortRole::kUplink;
  second.devlink.handle = {"pci", "0000:03:00.1"};
  Find({pod_, second});
  EXPECT_EQ(backend_.peers, (Peers{{kPod, 0}, {11, 0}})) << "a peer is of the same eswitch";
  Prepared(kPod);
  Prepared(11);
  manager_.Advance(now_);
  EXPECT_EQ(backend_.TakeTrials(), (Trials{{kPod, 11}, {11, kPod}}));
  EXPECT_FALSE(manager_.settled());
  manager_.OnRouteTried({kPod, 11, Result<void>{}}, now_);
  manager_.OnRouteTried({11, kPod, MakeError(ENODEV, "offload")}, now_);
  EXPECT_TRUE(manager_.settled());
  EXPECT_FALSE(manager_.reach().Obstacle({{}, kernel::PortRole::kVf}, {second.devlink.handle, second.role}, "p1"));
  now_ += 2s;
  manager_.Advance(now_);
  EXPECT_EQ(backend_.TakeTrials(), (Trials{{11, kPod}})) << "that a port was gone is no verdict";
  manager_.OnRouteTried({11, kPod, MakeError(EBUSY, "offload")}, now_);
  now_ += 2s;
  manager_.Advance(now_);
  EXPECT_EQ(backend_.TakeTrials(), (Trials{{11, kPod}})) << "nor that something was busy";
  manager_.OnRouteTried({11, kPod, MakeError(EOPNOTSUPP, "offload")}, now_);
  now_ += 2s;
  manager_.Advance(now_);
  EXPECT_EQ(backend_.TakeTrials(), Trials{});
  manager_.OnDevlink();
  manager_.Advance(now_);
  EXPECT_EQ(backend_.TakeTrials(), (Trials{{kPod, 11}, {11, kPod}}));
}

TEST_F(PortManagerTest, APortThatIsRefusedForWhatItIsIsNoPeer) {
  Find({InBond(Port(kUplink, "p0")), pod_});
  EXPECT_EQ(backend_.peers, (Peers{{kPod, 0}}));
}

TEST_F(PortManagerTest, APortThatComesLaterIsTriedWithThoseThatAreThere) {
  Find({Port(kUplink, "p0")});
  Find({Port(kUplink, "p0"), pod_});
  EXPECT_EQ(backend_.peers, (Peers{{kUplink, 0}, {kPod, kUplink}}));
}

}  // namespace
}  // namespace dpuflow
