// SPDX-License-Identifier: Apache-2.0
//
// Rounds and verifications over a small world, whose hardware a test can damage and whose kernel it can change in silence.
#include "agent/auditor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "agent/offload/flower_mapping.h"
#include "tests/unit/agent/world.h"

namespace dpuflow {
namespace {

using flow::Operation;
using flow::World;
using namespace std::chrono_literals;

// Reads the world's hardware back when it is told to.
class FakeBackend final : public offload::Backend {
 public:
  void Submit(std::vector<flow::Operation>& operations) override { operations.clear(); }
  void Prepare(std::uint32_t, const std::string&, std::uint32_t) override {}
  void TryRoute(std::uint32_t, std::uint32_t) override {}
  void Release(std::uint32_t) override {}
  void Sweep(std::uint32_t, flow::PacketKinds) override {}
  void Audit(std::uint64_t token, std::uint32_t port, std::vector<offload::Expected> expected) override {
    requests.push_back({token, port, std::move(expected)});
  }
  void RemoveStray(const netlink::FilterId& stray) override { removed.push_back(stray); }

  struct Request {
    std::uint64_t token = 0;
    std::uint32_t port = 0;
    std::vector<offload::Expected> expected;
  };
  std::vector<Request> requests;
  std::vector<netlink::FilterId> removed;
};

class AuditorTest : public testing::Test, private AuditHost {
 protected:
  AuditorTest() {
    world_.Route(World::kServer);
    world_.Send(World::kServer);
    world_.Send(World::kServer);
    Read();
    world_.now += 1ms;  // what is written at the time of an audit is not judged
  }

  // `filters_` are what the kernel shows of the hardware.
  void Read() {
    filters_.clear();
    for (const auto& [id, entry] : world_.hardware) {
      netlink::InstalledFilter filter;
      filter.filter = offload::ToFilter(entry.rule, id, world_.pipeline.flows().Find(id)->section);
      filter.in_hw = true;
      filters_.push_back(std::move(filter));
    }
  }
  netlink::InstalledFilter& L3Filter() {
    return *std::ranges::find_if(filters_, [](const auto& filter) { return filter.filter.id.chain == 2; });
  }

  void AnswerRequests() {
    for (FakeBackend::Request& request : std::exchange(backend_.requests, {})) {
      std::vector<netlink::InstalledFilter> found;
      std::ranges::copy_if(filters_, std::back_inserter(found),
                           [&](const auto& filter) { return filter.filter.id.ifindex == request.port; });
      offload::Audited report;
      report.token = request.token;
      report.port = request.port;
      report.entries = request.expected.size();
      offload::Comparison comparison(request.expected);
      for (const netlink::InstalledFilter& filter : found) comparison.Add(filter);
      report.differences = comparison.Finish();
      report.cpu = cpu_;
      auditor_.OnAudited(std::move(report), world_.now);
    }
  }
  void GiveTables() {
    if (const auto id = std::exchange(tables_wanted_, 0); id != 0) auditor_.OnTables({id, news_, cpu_, {}}, world_.now);
  }
  // Until the verification has ended.
  AuditReport Verify(const std::function<void()>& before_in_step = [] {}) {
    std::optional<AuditReport> ended;
    auditor_.Verify([&](const AuditReport& report) { ended = report; });
    for (int turn = 0; turn < 100 && !ended; ++turn) {
      auditor_.Advance(world_.now);
      AnswerRequests();
      GiveTables();
      if (in_step_) {
        before_in_step();
        std::exchange(in_step_, nullptr)(comes_into_step_);
      }
    }
    EXPECT_TRUE(ended);
    world_.Run();
    return ended.value_or(AuditReport{});
  }

  // Differences that a packet has told of.
  int Misses() {
    return static_cast<int>(registry_.AddCounter("dpuflow_audit_differences_total", "", {{"kind", "miss"}}).value());
  }
  // The questions of one round.
  std::size_t Round() {
    const auto rounds = auditor_.last_round();
    for (int tick = 0;
         tick < 300 && (!auditor_.last_round() || (rounds && auditor_.last_round()->ended == rounds->ended)); ++tick) {
      world_.now += 1s;
      auditor_.OnTick(world_.now);
      AnswerRequests();
      GiveTables();
    }
    return std::exchange(asked_, 0);
  }

  World world_;
  FakeBackend backend_;
  metrics::Registry registry_;
  std::vector<netlink::InstalledFilter> filters_;
  std::uint64_t tables_wanted_ = 0;
  std::vector<std::string> news_;
  std::function<void(bool)> in_step_;
  bool comes_into_step_ = true;
  std::chrono::nanoseconds cpu_{};
  bool went_on_ = false;
  std::size_t asked_ = 0;
  std::vector<std::uint32_t> ports_{World::kPod, World::kUplink};
  Auditor auditor_{{60s, 2}, world_.pipeline, backend_, *this, registry_};

 private:
  std::vector<std::uint32_t> PortsToAudit() const override { return ports_; }
  void ReadTables(std::uint64_t id) override { tables_wanted_ = id; }
  std::vector<flow::Answer> Ask(std::span<const flow::Question> questions) override {
    EXPECT_EQ(tables_wanted_, 0u) << "answers go by the tables";
    asked_ += questions.size();
    return world_.AnswersTo(questions);
  }
  flow::TimePoint Now() const override { return world_.now; }
  void WhenInStep(std::function<void(bool)> done) override { in_step_ = std::move(done); }
  void AuditGoesOn() override { went_on_ = true; }
};

TEST_F(AuditorTest, WhereAllIsAsItShouldBeNothingIsFound) {
  const AuditReport report = Verify();
  EXPECT_TRUE(report.differences.empty());
  EXPECT_EQ(report.entries, world_.hardware.size());
  EXPECT_EQ(report.questions, 1u);  // the routing flow
  EXPECT_EQ(report.incomplete, "");
}

TEST_F(AuditorTest, ADamagedActionIsReplacedInPlace) {
  L3Filter().filter.actions.back() = netlink::RedirectAction{9};
  world_.log.clear();
  const AuditReport report = Verify();
  ASSERT_EQ(report.differences.size(), 1u);
  EXPECT_EQ(report.differences[0].kind, "actions");
  EXPECT_EQ(report.differences[0].port, World::kPod);
  ASSERT_EQ(world_.log.size(), 1u);
  EXPECT_EQ(world_.log[0].kind, flow::Operation::Kind::kReplace);
}

TEST_F(AuditorTest, APortThatLeavesWhileARoundIsUnderWayIsNotReadBack) {
  std::optional<AuditReport> ended;
  auditor_.Verify([&](const AuditReport& report) { ended = report; });
  auditor_.Advance(world_.now);  // asks for the tables
  ports_ = {World::kUplink};
  GiveTables();
  for (int turn = 0; turn < 10; ++turn) {
    auditor_.Advance(world_.now);
    for (const FakeBackend::Request& request : backend_.requests) EXPECT_EQ(request.port, World::kUplink);
    AnswerRequests();
  }
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->incomplete, "");
}

// ---- packets that should not come up ----------------------------------------------------------------------------------

TEST_F(AuditorTest, APacketThatComesUpThoughItsEntriesStandHasThemWrittenAgain) {
  world_.now += 3s;
  world_.log.clear();
  world_.pipeline.OnMiss(world_.MissTo(World::kServer), world_.now);
  auditor_.OnTick(world_.now);
  world_.Run();
  EXPECT_EQ(Misses(), 1);
  EXPECT_EQ(world_.log.size(), 3 + world_.Guards(World::kPod)) << "one of each table, and the guards";
  EXPECT_TRUE(std::ranges::all_of(world_.log, [](const auto& each) { return each.kind == Operation::Kind::kReplace; }));
}

TEST_F(AuditorTest, APacketOnItsWayWhileItsEntriesCameIsNoSurprise) {
  world_.now += 3s;
  world_.pipeline.OnMiss(world_.MissTo(World::kServer), {world_.now - 2s}, world_.now);
  world_.log.clear();
  auditor_.OnTick(world_.now);
  world_.Run();
  EXPECT_EQ(Misses(), 0);
  EXPECT_TRUE(world_.log.empty());
}

TEST_F(AuditorTest, WhatWritingDoesNotMendIsWrittenOnceAMinute) {
  for (int second = 0; second < 59; ++second) {
    world_.now += 1s;
    world_.pipeline.OnMiss(world_.MissTo(World::kServer), world_.now);
    auditor_.OnTick(world_.now);
    world_.Run();
  }
  EXPECT_EQ(Misses(), 1);
}

TEST_F(AuditorTest, AnotherPacketThatNeedsAnEntryOfItsOwnIsNoSurprise) {
  world_.now += 3s;
  flow::Miss other = world_.MissTo(World::kServer);
  other.source_mac = MacAddress{{0x0a, 0, 0, 0, 0, 0x99}};
  world_.pipeline.OnMiss(other, world_.now);
  auditor_.OnTick(world_.now);
  EXPECT_EQ(Misses(), 0);
}

TEST_F(AuditorTest, ADamagedKeyIsRemovedAndAddedAgain) {
  L3Filter().filter.key.ip_proto = 17;
  world_.log.clear();
  ASSERT_EQ(Verify().differences.size(), 1u);
  ASSERT_EQ(world_.log.size(), 2u);
  EXPECT_EQ(world_.log[0].kind, flow::Operation::Kind::kRemove);
  EXPECT_EQ(world_.log[1].kind, flow::Operation::Kind::kAdd);
  EXPECT_NE(world_.Entry(World::kServer), nullptr);
}

TEST_F(AuditorTest, AStrayIsRemovedByItsPlace) {
  netlink::InstalledFilter stray = L3Filter();
  stray.filter.id.chain = 3;
  filters_.push_back(stray);
  netlink::InstalledFilter orphan = stray;
  orphan.filter.cookie = offload::CookieOf({flow::Table::kL3, 4711});
  orphan.filter.id = {World::kPod, netlink::kClsactIngress, 2, 1, 0x0800, offload::HandleOf(4711)};
  filters_.push_back(orphan);
  EXPECT_EQ(Verify().differences.size(), 2u);
  EXPECT_EQ(backend_.removed, (std::vector{stray.filter.id, orphan.filter.id}));
}

TEST_F(AuditorTest, WhatIsLeftInItsFlowsOwnPlaceIsRemovedInOrder) {
  world_.Unroute(World::kServer);
  world_.Change(flow::EverythingChanged{});
  ASSERT_EQ(world_.Entry(World::kServer), nullptr);
  world_.now += 1s;
  world_.log.clear();
  ASSERT_EQ(Verify().differences.size(), 1u);  // `filters_` still has it
  EXPECT_TRUE(backend_.removed.empty());
  ASSERT_EQ(world_.log.size(), 1u);
  EXPECT_EQ(world_.log[0].kind, flow::Operation::Kind::kRemove);
}

TEST_F(AuditorTest, WhatWasWrittenSinceItWasAskedForIsNotJudged) {
  std::optional<AuditReport> ended;
  auditor_.Verify([&](const AuditReport& report) { ended = report; });
  auditor_.Advance(world_.now);
  GiveTables();
  for (int turn = 0; turn < 100 && !ended; ++turn) {
    auditor_.Advance(world_.now);
    // The next hop changes between the request and its answer, which shows the old entry.
    world_.now += 1ms;
    world_.Route(World::kServer, MacAddress{{2, 2, 2, 2, 2, 2}});
    world_.Change(flow::EverythingChanged{});
    AnswerRequests();
    if (in_step_) std::exchange(in_step_, nullptr)(true);
  }
  ASSERT_TRUE(ended);
  EXPECT_TRUE(ended->differences.empty());
}

TEST_F(AuditorTest, WhatHasComeSinceItWasAskedForIsNoStrayAlsoWhereItHasATag) {
  std::optional<AuditReport> ended;
  auditor_.Verify([&](const AuditReport& report) { ended = report; });
  GiveTables();
  for (int turn = 0; turn < 100 && !ended; ++turn) {
    auditor_.Advance(world_.now);
    GiveTables();
    if (!backend_.requests.empty() && filters_.size() == world_.hardware.size()) {
      world_.now += 1ms;
      world_.SetPort(World::kPod, World::kPodRouterMac, [](flow::Port& port) {
        flow::Lane tagged = port.lanes[0];
        tagged.vlan = 100;
        port.lanes.push_back(tagged);
      });
      world_.Run();
      Read();
    }
    AnswerRequests();
    if (in_step_) std::exchange(in_step_, nullptr)(true);
  }
  ASSERT_TRUE(ended);
  EXPECT_TRUE(std::ranges::any_of(filters_, [](const auto& filter) { return filter.filter.key.vlan_id == 100; }));
  EXPECT_TRUE(ended->differences.empty());
  EXPECT_TRUE(backend_.removed.empty());
}

// The kernel changed and told nobody.
TEST_F(AuditorTest, AnEntryThatTheKernelContradictsIsAskedAboutAgain) {
  const MacAddress other{{2, 2, 2, 2, 2, 2}};
  world_.Route(World::kServer, other);
  const AuditReport report = Verify();
  ASSERT_EQ(report.differences.size(), 1u);
  EXPECT_EQ(report.differences[0].kind, "path");
  EXPECT_NE(report.differences[0].expected.find("eth dst set 02:02:02:02:02:02"), std::string::npos);
  EXPECT_EQ(std::get<flow::RouteTo>(world_.Entry(World::kServer)->action).adjacency.destination, other);
}

TEST_F(AuditorTest, AnEntryThatTheKernelWouldNotHaveGoes) {
  world_.Unroute(World::kServer);
  const AuditReport report = Verify();
  ASSERT_EQ(report.differences.size(), 1u);
  EXPECT_EQ(report.differences[0].expected, "nothing: no route");
  EXPECT_EQ(world_.Entry(World::kServer), nullptr);
}

// The change was announced, and only had not been worked off.
TEST_F(AuditorTest, WhatComesIntoStepByItselfIsNoDifference) {
  world_.Route(World::kServer, MacAddress{{2, 2, 2, 2, 2, 2}});
  const AuditReport report = Verify([&] { world_.Change(flow::EverythingChanged{}); });
  EXPECT_TRUE(report.differences.empty());
  EXPECT_EQ(report.incomplete, "");
}

TEST_F(AuditorTest, WithoutComingIntoStepNothingIsClaimed) {
  world_.Unroute(World::kServer);
  comes_into_step_ = false;
  const AuditReport report = Verify();
  EXPECT_TRUE(report.differences.empty());
  EXPECT_NE(report.incomplete, "");
}

TEST_F(AuditorTest, ARoundAsksOnlyAboutFlowsThatHaveMoved) {
  EXPECT_EQ(Round(), 0u);
  world_.Hit(flow::Table::kL3);
  world_.Sweep();
  EXPECT_EQ(Round(), 1u);
  EXPECT_EQ(Round(), 0u);
}

TEST_F(AuditorTest, ARoundPutsTogetherAtOnceWhatAPortShouldHold) {
  while (backend_.requests.empty()) {
    world_.now += 1s;
    went_on_ = false;
    auditor_.OnTick(world_.now);
    GiveTables();
    if (went_on_) auditor_.Advance(world_.now);
    ASSERT_LT(world_.now, flow::TimePoint{} + std::chrono::hours(2));
  }
  EXPECT_TRUE(went_on_) << "by turns of the loop, not by ticks";
  EXPECT_FALSE(backend_.requests.front().expected.empty());
}

TEST_F(AuditorTest, WhatATableSaysThatNobodyHadToldIsADifference) {
  news_ = {"neighbours: 192.0.2.2 at p0"};
  const AuditReport report = Verify();
  ASSERT_EQ(report.differences.size(), 1u);
  EXPECT_EQ(report.differences[0].kind, "table");
  EXPECT_EQ(report.differences[0].expected, news_[0]);
}

TEST_F(AuditorTest, ATableThatCouldNotBeReadIsNoAnswer) {
  std::optional<AuditReport> ended;
  auditor_.Verify([&](const AuditReport& report) { ended = report; });
  for (int turn = 0; turn < 100 && !ended; ++turn) {
    auditor_.Advance(world_.now);
    AnswerRequests();
    if (const auto id = std::exchange(tables_wanted_, 0); id != 0) {
      auditor_.OnTables({id, {}, {}, Error{ENOBUFS, "list links", ""}}, world_.now);
    }
  }
  ASSERT_TRUE(ended);
  EXPECT_NE(ended->incomplete, "");
}

TEST_F(AuditorTest, ARoundTakesLongerThanItsPeriodWhereTheProcessorIsNotEnough) {
  cpu_ = 4s;  // for each of two ports: at 2 % of a processor they take 400 s
  const auto began = world_.now;
  for (int tick = 0; tick < 1000 && auditor_.last_round().has_value() == false; ++tick) {
    world_.now += 1s;
    auditor_.OnTick(world_.now);
    AnswerRequests();
    GiveTables();
  }
  ASSERT_TRUE(auditor_.last_round());
  EXPECT_GE(world_.now - began, 200s);
}

}  // namespace
}  // namespace dpuflow
