// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/pipeline.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/agent/world.h"

namespace dpuflow::flow {
namespace {

using namespace std::chrono_literals;

std::vector<Table> TablesInLog(const World& world) {
  std::vector<Table> tables;
  for (const Operation& operation : world.log) {
    if (operation.rule.match.table != Table::kGuard) tables.push_back(operation.rule.match.table);
  }
  return tables;
}

TEST(Pipeline, NothingButGuardsBeforeTheFirstPacket) {
  World world;
  EXPECT_EQ(world.Entries(Table::kGuard), 4u);  // TTL and loopback, on two ports
  EXPECT_EQ(world.hardware.size(), 4u);
  for (const auto& [id, entry] : world.hardware) EXPECT_TRUE(std::holds_alternative<Trap>(entry.rule.action));
}

TEST(Pipeline, OneMissFillsAllThreeTablesFromTheFarEnd) {
  World world;
  world.Route(World::kServer);
  world.Send(World::kServer);
  EXPECT_EQ(TablesInLog(world), (std::vector{Table::kL3, Table::kL2Destination, Table::kL2Source}));
  const Rule* entry = world.Entry(World::kServer);
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(std::get<RouteTo>(entry->action).adjacency,
            (Adjacency{World::kUplink, World::kUplinkMac, World::kPeerMac}));
}

TEST(Pipeline, EveryEntryIsExact) {
  World world;
  for (std::uint8_t i = 1; i < 50; ++i) {
    world.Route(IpAddress::V4(192, 0, 2, i));
    world.Send(IpAddress::V4(192, 0, 2, i));
  }
  EXPECT_EQ(world.Entries(Table::kL3), 49u);
  EXPECT_EQ(world.Entries(Table::kL2Source), 1u);
  EXPECT_EQ(world.Entries(Table::kL2Destination), 1u);
  for (const auto& [id, entry] : world.hardware) EXPECT_TRUE(IsExact(entry.rule)) << ToString(entry.rule);
}

TEST(Pipeline, AFlowWithoutARouteStaysInSoftwareWithTheReason) {
  World world;
  world.Send(World::kServer);
  EXPECT_EQ(world.Entry(World::kServer), nullptr);
  EXPECT_EQ(world.Entries(Table::kL2Source), 0u);
  const auto& flows = world.pipeline.flows().all();
  const auto flow = std::ranges::find_if(flows, [](const auto& f) { return f.second.table() == Table::kL3; });
  ASSERT_NE(flow, flows.end());
  EXPECT_EQ(flow->second.state(), State::kSoftware);
  EXPECT_EQ(flow->second.reason(), (Reason{Why::kUnreachable, "no route"}));
}

TEST(Pipeline, AFlowWaitsForItsNeighbourAndIsThenOffloadedWithoutAnotherPacket) {
  World world;
  world.WaitForNeighbour(World::kServer);
  world.Send(World::kServer);
  EXPECT_EQ(world.Entry(World::kServer), nullptr);
  world.Route(World::kServer);
  world.Change(NeighChanged{{World::kUplink, IpAddress::V4(10, 1, 0, 1)}});
  EXPECT_NE(world.Entry(World::kServer), nullptr);
  EXPECT_EQ(world.Entries(Table::kL2Source), 1u);
}

TEST(Pipeline, ANewMacOfTheNeighbourReplacesTheEntryInPlace) {
  World world;
  world.Route(World::kServer);
  world.Send(World::kServer);
  const MacAddress moved{{0x0b, 0, 0, 0, 0, 0x99}};
  world.Route(World::kServer, moved);
  world.log.clear();
  world.Change(NeighChanged{{World::kUplink, IpAddress::V4(10, 1, 0, 1)}});
  ASSERT_EQ(world.log.size(), 1u);
  EXPECT_EQ(world.log[0].kind, Operation::Kind::kReplace);
  EXPECT_EQ(std::get<RouteTo>(world.Entry(World::kServer)->action).adjacency.destination, moved);
}

TEST(Pipeline, AWithdrawnRouteTakesItsEntriesOutAndOthersStay) {
  World world;
  const IpAddress other = IpAddress::V4(198, 51, 100, 1);
  world.Route(World::kServer);
  world.Route(other);
  world.Send(World::kServer);
  world.Send(other);
  world.Unroute(World::kServer);
  world.Change(RouteChanged{*IpPrefix::Parse("192.0.2.0/24")});
  EXPECT_EQ(world.Entry(World::kServer), nullptr);
  EXPECT_NE(world.Entry(other), nullptr);
}

TEST(Pipeline, AnAnswerThatDidNotChangeCostsNoOperation) {
  World world;
  world.Route(World::kServer);
  world.Send(World::kServer);
  world.log.clear();
  world.Change(EverythingChanged{});
  EXPECT_TRUE(world.log.empty());
}

TEST(Pipeline, ChangesWhileAnOperationIsUnderWayAreAppliedAfterItsOutcome) {
  World world;
  world.Route(World::kServer);
  world.paused = true;
  world.Send(World::kServer);
  const auto first = world.pipeline.TakeOperations(1, world.now);  // the L3 add, on its way
  ASSERT_EQ(first.size(), 1u);
  world.Unroute(World::kServer);
  world.pipeline.OnChange(RouteChanged{*IpPrefix::Parse("192.0.2.0/24")}, world.now);
  world.Ask();
  for (const Operation& operation : world.pipeline.TakeOperations(64, world.now)) {
    EXPECT_NE(operation.flow, first[0].flow) << "a second operation of one flow was issued";
  }
  world.pipeline.OnOutcome({Operation::Kind::kAdd, first[0].flow, std::nullopt, {.issued = world.now}}, world.now);
  const auto next = world.pipeline.TakeOperations(64, world.now);
  ASSERT_EQ(next.size(), 1u);
  EXPECT_EQ(next[0].kind, Operation::Kind::kRemove);
}

TEST(Pipeline, AnIdleEntryGoesAfterTheIdleTimeAndABusyOneStays) {
  World world({.idle_time = 5s});
  world.Route(World::kServer);
  world.Send(World::kServer);
  for (int second = 0; second < 20; ++second) {
    world.Hit(Table::kL3);
    world.Hit(Table::kL2Source);
    world.Hit(Table::kL2Destination);
    world.Pass(1s);
  }
  EXPECT_NE(world.Entry(World::kServer), nullptr);
  world.Pass(4s);
  EXPECT_NE(world.Entry(World::kServer), nullptr);
  world.Pass(1s);
  EXPECT_EQ(world.Entry(World::kServer), nullptr);
  EXPECT_EQ(world.hardware.size(), world.Entries(Table::kGuard)) << "guards do not age";
}

TEST(Pipeline, AnEntryThatNeverCountedGoesOneIdleTimeAfterItsProgramming) {
  World world({.idle_time = 5s});
  world.Route(World::kServer);
  world.paused = true;
  world.Send(World::kServer);
  world.now += 3s;  // programming takes its time
  world.paused = false;
  world.Run();
  world.Pass(4s);
  EXPECT_NE(world.Entry(World::kServer), nullptr);
  world.Pass(1s);
  EXPECT_EQ(world.Entry(World::kServer), nullptr);
}

TEST(Pipeline, WithoutASweepNothingExpires) {
  World world({.idle_time = 5s});
  world.Route(World::kServer);
  world.Send(World::kServer);
  world.now += 60s;
  world.Tick();
  world.Run();
  EXPECT_NE(world.Entry(World::kServer), nullptr);
}

TEST(Pipeline, ASweepOfOneKindOfPacketsSaysNothingOfOthers) {
  World world;
  world.Route(World::kServer);
  world.Send(World::kServer);
  const auto written = world.log.size();
  world.now += 1s;
  flow::Sweep of_ipv6{World::kPod, world.now, Only(PacketKind::kIpv6)};
  world.pipeline.OnSweep(of_ipv6, 1000);
  world.Run();
  EXPECT_EQ(world.log.size(), written);
  flow::Sweep of_ipv4{World::kPod, world.now, Only(PacketKind::kIpv4)};
  world.pipeline.OnSweep(of_ipv4, 1000);
  world.Run();
  EXPECT_GT(world.log.size(), written) << "no sample: they are written once more";
}

TEST(Pipeline, AFlowUsedAgainAfterItExpiredComesBack) {
  World world({.idle_time = 5s});
  world.Route(World::kServer);
  world.Send(World::kServer);
  world.Pass(6s);
  ASSERT_EQ(world.Entry(World::kServer), nullptr);
  world.Send(World::kServer);
  EXPECT_NE(world.Entry(World::kServer), nullptr);
}

TEST(Pipeline, AMissDuringTheRemovalBringsTheEntryBack) {
  World world({.idle_time = 5s});
  world.Route(World::kServer);
  world.Send(World::kServer);
  world.now += 6s;
  world.Sweep();
  const auto removals = world.pipeline.TakeOperations(64, world.now);
  ASSERT_EQ(removals.size(), 3u);
  world.pipeline.OnMiss(world.MissTo(World::kServer), world.now);
  world.Ask();
  for (const Operation& operation : removals) {
    world.hardware.erase(operation.flow);
    world.pipeline.OnOutcome({Operation::Kind::kRemove, operation.flow, std::nullopt, {.issued = world.now}},
                             world.now);
  }
  world.Run();
  EXPECT_NE(world.Entry(World::kServer), nullptr);
  EXPECT_EQ(world.Entries(Table::kL2Source), 1u);
}

TEST(Pipeline, AChangeDoesNotBringBackWhatNoPacketAsksFor) {
  World world({.idle_time = 5s});
  world.Route(World::kServer);
  world.Send(World::kServer);
  world.now += 6s;
  world.Sweep();
  world.Change(RouteChanged{*IpPrefix::Parse("192.0.2.0/24")});
  EXPECT_EQ(world.Entry(World::kServer), nullptr);
}

TEST(Pipeline, ARefusedFlowStaysInSoftwareWithTheDriversWordsAndIsTriedAgainLater) {
  World world;
  world.Route(World::kServer);
  world.refusal = Error{ENOSPC, "add the filter", "table full"};
  world.Send(World::kServer);
  EXPECT_EQ(world.Entry(World::kServer), nullptr);
  const auto attempts = world.log.size();
  world.Send(World::kServer);
  EXPECT_EQ(world.log.size(), attempts) << "it backs off";
  world.refusal.reset();
  world.now += 2s;
  world.Send(World::kServer);
  EXPECT_NE(world.Entry(World::kServer), nullptr);
}

TEST(Pipeline, ARefusedReplaceTakesTheOldEntryOut) {
  World world;
  world.Route(World::kServer);
  world.Send(World::kServer);
  world.refusal = Error{EIO, "replace the filter", {}};
  world.Route(World::kServer, MacAddress{{0x0b, 0, 0, 0, 0, 0x99}});
  world.Change(RouteChanged{*IpPrefix::Parse("192.0.2.0/24")});
  EXPECT_EQ(world.Entry(World::kServer), nullptr) << "the old one would send to the wrong neighbour";
}

TEST(Pipeline, NothingIsOffloadedOnAPortWhoseGuardsAreRefused) {
  World world;
  world.Route(World::kServer);
  world.refusal = Error{EOPNOTSUPP, "add the guard", "ttl match not supported"};
  world.AddMartian({IpAddress::V4(10, 1, 0, 2), 32});
  world.Run();
  world.refusal.reset();
  world.Send(World::kServer);
  EXPECT_EQ(world.Entry(World::kServer), nullptr);
}

TEST(Pipeline, ABadSourceMakesNoEntryAndCostsOthersNothing) {
  World world;
  world.Route(World::kServer);
  const IpAddress spoofed = IpAddress::V4(10, 9, 9, 9);
  world.bad_sources.insert(spoofed);
  world.pipeline.OnMiss(world.MissTo(World::kServer, spoofed), world.now);
  world.Run();
  EXPECT_EQ(world.hardware.size(), world.Entries(Table::kGuard));
  world.Send(World::kServer);
  EXPECT_NE(world.Entry(World::kServer), nullptr);
  world.pipeline.OnMiss(world.MissTo(World::kServer, spoofed), world.now);
  world.Run();
  EXPECT_NE(world.Entry(World::kServer), nullptr);
  for (const SourceUpdate& update : world.pipeline.TakeSourceUpdates()) EXPECT_NE(update.address, spoofed);
}

TEST(Pipeline, APortThatChecksSourcesHasTheSourceInItsL2SourceEntries) {
  World world;
  world.SetPort(World::kPod, World::kPodRouterMac, [](Port& port) { port.lanes[0].checks_sources = true; });
  world.Route(World::kServer);
  world.Send(World::kServer);
  for (const auto& [id, entry] : world.hardware) {
    if (entry.rule.match.table != Table::kL2Source) continue;
    EXPECT_EQ(entry.rule.match.source, IpPrefix::Host(World::kPodAddress));
  }
  world.Change(RouteChanged{*IpPrefix::Parse("10.0.7.0/24")});
  EXPECT_EQ(world.Entries(Table::kL2Source), 1u) << "asked about, and still valid";
  world.bad_sources.insert(World::kPodAddress);
  world.Change(RouteChanged{*IpPrefix::Parse("10.0.7.0/24")});
  EXPECT_EQ(world.Entries(Table::kL2Source), 0u);
  EXPECT_NE(world.Entry(World::kServer), nullptr);
}

TEST(Pipeline, APortWithAListOfSourcesHasTheSourceInEntriesOfBothFamilies) {
  World world;
  const IpAddress server6 = *IpAddress::Parse("2001:db8:2::1");
  const IpAddress pod6 = *IpAddress::Parse("2001:db8:7::2");
  world.SetPort(World::kPod, World::kPodRouterMac, [](Port& port) {
    port.ipv6 = true;
    port.lanes[0].lists_sources = true;
  });
  world.Route(World::kServer);
  world.Route(server6);
  world.Send(World::kServer);
  world.pipeline.OnMiss(world.MissTo(server6, pod6), world.now);
  world.Run();
  std::set<IpPrefix> sources;
  for (const auto& [id, entry] : world.hardware) {
    if (entry.rule.match.table == Table::kL2Source) sources.insert(entry.rule.match.source.value_or(IpPrefix{}));
  }
  EXPECT_EQ(sources, (std::set<IpPrefix>{IpPrefix::Host(World::kPodAddress), IpPrefix::Host(pod6)}));
}

TEST(Pipeline, AFrameThatIsNotForTheRouterMakesNoFlow) {
  World world;
  world.Route(World::kServer);
  Miss miss = world.MissTo(World::kServer);
  miss.destination_mac = World::kPeerMac;
  world.pipeline.OnMiss(miss, world.now);
  world.Run();
  EXPECT_EQ(world.hardware.size(), world.Entries(Table::kGuard));
  EXPECT_EQ(world.pipeline.counters().misses_not_for_router, 1u);
}

TEST(Pipeline, APortThatGoesIsForgottenWithoutOperationsAndItsLateOutcomesAreIgnored) {
  World world;
  world.Route(World::kServer);
  world.paused = true;
  world.Send(World::kServer);
  const auto operations = world.pipeline.TakeOperations(64, world.now);
  EXPECT_EQ(world.pipeline.InFlight(World::kPod), operations.size());
  world.pipeline.RemovePort(World::kPod);
  EXPECT_TRUE(world.pipeline.TakeOperations(64, world.now).empty());
  EXPECT_EQ(world.pipeline.InFlight(World::kPod), operations.size());
  for (const Operation& operation : operations) {
    world.pipeline.OnOutcome({operation.kind, operation.flow, std::nullopt, {.issued = world.now}}, world.now);
  }
  EXPECT_EQ(world.pipeline.InFlight(World::kPod), 0u);
  EXPECT_TRUE(world.pipeline.settled());
}

TEST(Pipeline, AnEntryThatSomebodyElseDeletedIsPutBack) {
  World world;
  world.Route(World::kServer);
  world.Send(World::kServer);
  std::erase_if(world.hardware, [](const auto& entry) { return entry.second.rule.match.table == Table::kL3; });
  world.Pass(1s);
  EXPECT_NE(world.Entry(World::kServer), nullptr);
  EXPECT_EQ(world.pipeline.counters().vanished, 1u);
}

TEST(Pipeline, AFlowThatWaitedForAGuardIsOffloadedWhenTheGuardStands) {
  World world;
  world.Route(World::kServer);
  world.AddMartian({IpAddress::V4(10, 1, 0, 2), 32});
  world.pipeline.OnMiss(world.MissTo(World::kServer), world.now);
  world.Ask();  // before the new guard is in hardware
  EXPECT_EQ(world.Entry(World::kServer), nullptr);
  world.Run();
  EXPECT_NE(world.Entry(World::kServer), nullptr);
  EXPECT_EQ(world.Entries(Table::kL2Source), 1u);
}

TEST(Pipeline, AGuardOnItsWayDoesNotThrowOutWhatIsOffloaded) {
  World world;
  world.Route(World::kServer);
  world.Send(World::kServer);
  world.log.clear();
  world.AddMartian({IpAddress::V4(10, 1, 0, 2), 32});
  world.Change(EverythingChanged{});
  for (const Operation& operation : world.log) EXPECT_NE(operation.kind, Operation::Kind::kRemove);
}

TEST(Pipeline, AChangeIsAskedAboutBesideAFloodOfMisses) {
  World world;
  world.Route(World::kServer);
  world.Send(World::kServer);
  for (std::uint8_t i = 0; i < 200; ++i) {
    world.pipeline.OnMiss(world.MissTo(IpAddress::V4(198, 18, 0, i)), world.now);
  }
  world.Unroute(World::kServer);
  world.pipeline.OnChange(RouteChanged{*IpPrefix::Parse("192.0.2.0/24")}, world.now);
  const auto questions = world.pipeline.TakeQuestions(8, world.now);
  EXPECT_TRUE(std::ranges::any_of(questions, [](const Question& q) { return q.miss.destination == World::kServer; }));
}

TEST(Pipeline, AnAddThatFindsItsHandleTakenHasItRemoved) {
  World world;
  world.Route(World::kServer);
  world.refusal = Error{EEXIST, "add the filter", "Filter already exists"};
  world.Send(World::kServer);
  ASSERT_FALSE(world.log.empty());
  EXPECT_EQ(world.log.back().kind, Operation::Kind::kRemove);
  EXPECT_TRUE(world.pipeline.settled());
}

TEST(Pipeline, ASourceThatBecameInvalidLetsTheNextPacketAskForItself) {
  World world;
  const IpAddress other = IpAddress::V4(10, 0, 7, 3);
  world.Route(World::kServer);
  world.pipeline.OnMiss(world.MissTo(World::kServer, other), world.now);
  world.Run();
  world.Send(World::kServer);
  world.bad_sources.insert(World::kPodAddress);
  world.Change(RouteChanged{*IpPrefix::Parse("192.0.2.0/24")});
  EXPECT_EQ(world.Entry(World::kServer), nullptr);
  world.pipeline.OnMiss(world.MissTo(World::kServer, other), world.now);
  world.Run();
  EXPECT_NE(world.Entry(World::kServer), nullptr);
}

TEST(Pipeline, TheEntryLimitKeepsFurtherFlowsInSoftware) {
  World world({.max_entries = 2 + 3});  // L2, three flows; guards do not count
  for (std::uint8_t i = 1; i <= 6; ++i) {
    world.Route(IpAddress::V4(192, 0, 2, i));
    world.Send(IpAddress::V4(192, 0, 2, i));
  }
  EXPECT_EQ(world.hardware.size(), 9u);
}

TEST(Pipeline, AGuardThatIsNotInHardwareAnyMoreIsWrittenAgain) {
  World world;
  const auto guards = world.Entries(Table::kGuard);
  world.now += 1s;
  Sweep sweep{World::kPod, world.now};
  for (const auto& [id, entry] : world.hardware) {
    if (entry.rule.match.port == World::kPod) sweep.samples.push_back({id, 0, 0, false});
  }
  world.log.clear();
  world.pipeline.OnSweep(sweep, 100);
  world.Run();
  EXPECT_EQ(world.log.size(), sweep.samples.size());
  EXPECT_EQ(world.Entries(Table::kGuard), guards);
}

TEST(Pipeline, GuardsStandAlsoWhereTheTableIsFull) {
  World world({.max_entries = 3});
  world.Route(World::kServer);
  world.Send(World::kServer);
  world.AddMartian({IpAddress::V4(10, 1, 0, 2), 32});
  world.Run();
  EXPECT_EQ(world.Entries(Table::kGuard), 6u);
}

TEST(Pipeline, ABadSourceNowAndThenDoesNotKeepTheDestinationInSoftware) {
  World world;
  world.Route(World::kServer);
  const IpAddress spoofed = IpAddress::V4(10, 9, 9, 9);
  const IpAddress other = IpAddress::V4(198, 51, 100, 1);
  world.bad_sources.insert(spoofed);
  world.Route(other);
  world.Send(other);  // the pod's own address is known to be valid
  world.pipeline.OnMiss(world.MissTo(World::kServer, spoofed), world.now);
  world.Run();
  world.Change(RouteChanged{*IpPrefix::Parse("192.0.2.0/24")});
  world.Send(World::kServer);
  EXPECT_NE(world.Entry(World::kServer), nullptr);
}

TEST(Pipeline, AnUnrelatedLinkOrNexthopLeavesCheckedSourcesInHardware) {
  World world;
  world.SetPort(World::kPod, World::kPodRouterMac, [](Port& port) { port.lanes[0].checks_sources = true; });
  world.Route(World::kServer);
  world.Send(World::kServer);
  world.log.clear();
  world.Change(LinkChanged{99});
  world.Change(NexthopChanged{12345});
  EXPECT_EQ(world.Entries(Table::kL2Source), 1u);
  EXPECT_TRUE(world.log.empty());
}

TEST(Pipeline, ADestinationWithoutARouteDoesNotRevokeItsSource) {
  World world;
  world.Route(World::kServer);
  world.Send(World::kServer);
  (void)world.pipeline.TakeSourceUpdates();
  world.routes[World::kServer] = {};
  world.routes[World::kServer].reason = {Why::kUnreachable, "no route"};  // and nothing about the source
  world.Change(RouteChanged{*IpPrefix::Parse("192.0.2.0/24")});
  EXPECT_EQ(world.Entry(World::kServer), nullptr);
  EXPECT_TRUE(world.pipeline.TakeSourceUpdates().empty());
}

TEST(Pipeline, ASweepIsJudgedInSlicesAndWhatGoesInBetweenIsLeftOut) {
  World world;
  for (std::uint8_t i = 1; i <= 6; ++i) {
    world.Route(IpAddress::V4(192, 0, 2, i));
    world.Send(IpAddress::V4(192, 0, 2, i));
  }
  world.now += 1s;
  Sweep empty{World::kPod, world.now};  // nothing of it is in hardware any more
  const std::size_t flows = world.pipeline.flows().OnPort(World::kPod).size();
  world.log.clear();
  EXPECT_EQ(world.pipeline.OnSweep(empty, 4), 4u);
  EXPECT_EQ(world.pipeline.counters().vanished, 4u);
  world.Run();
  EXPECT_EQ(world.log.size(), 4u);
  world.pipeline.RemovePort(World::kPod);
  EXPECT_EQ(world.pipeline.OnSweep(empty, 100), flows - 4);
  EXPECT_EQ(world.pipeline.OnSweep(empty, 100), 0u);
  EXPECT_EQ(world.pipeline.counters().vanished, 4u);
}

TEST(Pipeline, ASampleFromBeforeAReplaceIsNotCountedTwice) {
  World world;
  world.Route(World::kServer);
  world.Send(World::kServer);
  world.Hit(Table::kL3, 1000);
  world.Pass(1s);
  Sweep old{World::kPod, world.now};
  for (const auto& [id, entry] : world.hardware) old.samples.push_back({id, entry.packets, 0, true});
  world.Route(World::kServer, MacAddress{{0x0b, 0, 0, 0, 0, 0x99}});
  world.now += 1s;
  world.Change(RouteChanged{*IpPrefix::Parse("192.0.2.0/24")});
  world.pipeline.OnSweep(old, 100);
  for (const auto& [id, flow] : world.pipeline.flows().all()) {
    if (flow.table() == Table::kL3) {
      EXPECT_EQ(flow.packets, 1000u);
    }
  }
}

TEST(Pipeline, AMarkIsSettledAlthoughNewFlowsKeepComing) {
  World world;
  world.Route(World::kServer);
  world.pipeline.OnMiss(world.MissTo(World::kServer), world.now);
  const Epoch mark = world.pipeline.Mark();
  EXPECT_FALSE(world.pipeline.SettledThrough(mark));
  world.Run();
  EXPECT_TRUE(world.pipeline.SettledThrough(mark));
  world.pipeline.OnMiss(world.MissTo(IpAddress::V4(198, 51, 100, 9)), world.now);
  EXPECT_TRUE(world.pipeline.SettledThrough(mark));
  EXPECT_FALSE(world.pipeline.settled());
}

TEST(Pipeline, WithOffloadOffTheHardwareIsEmptyAndStaysSo) {
  World world;
  world.Route(World::kServer);
  world.Send(World::kServer);
  world.SetPort(World::kPod, World::kPodRouterMac, [](Port& port) { port.offload = false; });
  world.Run();
  world.Send(World::kServer);
  for (const auto& [id, entry] : world.hardware) EXPECT_NE(entry.rule.match.port, World::kPod);
  world.SetPort(World::kPod, World::kPodRouterMac);
  world.Run();
  world.now += 6s;
  world.Send(World::kServer);
  EXPECT_NE(world.Entry(World::kServer), nullptr);
}

TEST(Pipeline, FlushRemovesWhatIsSelectedAndLeavesGuards) {
  World world;
  world.Route(World::kServer);
  world.Send(World::kServer);
  EXPECT_EQ(world.pipeline.Flush([](const Flow&) { return true; }), 3u);
  world.Run();
  EXPECT_EQ(world.hardware.size(), world.Entries(Table::kGuard));
}

TEST(Pipeline, SoftwareFlowsAreForgottenWhenNobodyAsksForThem) {
  World world({.idle_time = 5s});
  world.Send(World::kServer);
  const auto before = world.pipeline.flows().size();
  world.Pass(5s);
  EXPECT_EQ(world.pipeline.flows().size(), before - 1);
}

TEST(Pipeline, AReasonIsCountedWhereItIsNews) {
  World world;
  const auto counted = [&](Why why) { return world.pipeline.counters().reasons[static_cast<std::size_t>(why)]; };
  world.Send(World::kServer);
  EXPECT_EQ(counted(Why::kUnreachable), 1u);
  world.Change(EverythingChanged{});  // asked again: still none
  EXPECT_EQ(counted(Why::kUnreachable), 1u);
  world.WaitForNeighbour(World::kServer);
  world.Change(EverythingChanged{});
  EXPECT_EQ(counted(Why::kNeighbour), 1u);
  world.Unroute(World::kServer);
  world.Change(EverythingChanged{});
  EXPECT_EQ(counted(Why::kUnreachable), 2u);
}

TEST(Reason, EachHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kWhys; ++i) names.insert(ToString(static_cast<Why>(i)));
  EXPECT_EQ(names.size(), kWhys);
  EXPECT_FALSE(names.contains(""));
  EXPECT_EQ(ToString(Why::kRefused), "refused");
}

}  // namespace
}  // namespace dpuflow::flow
