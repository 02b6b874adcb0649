// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/mask.h"

#include <gtest/gtest.h>

#include <vector>

#include "agent/flow/form.h"

namespace dpuflow::flow {
namespace {

Miss Packet() {
  Miss packet;
  packet.port = 7;
  packet.vlan = 12;
  packet.vlan_priority = 3;
  packet.ethertype = kEthertypeIpv6;
  packet.source_mac = {{2, 0, 0, 0, 0, 1}};
  packet.destination_mac = {{2, 0, 0, 0, 0, 2}};
  packet.source = *IpAddress::Parse("2001:db8::1");
  packet.destination = *IpAddress::Parse("2001:db8::2");
  packet.protocol = 6;
  packet.source_port = 1024;
  packet.destination_port = 80;
  packet.tos = 4;
  return packet;
}

// Keys of every shape that packets have, and guards.
std::vector<Match> AllKinds() {
  std::vector<Match> kinds;
  Lane lane;
  lane.checks_sources = lane.lists_sources = true;
  Miss portless = Packet();
  portless.source_port = portless.destination_port = 0;
  for (const Form form : {Form::kChained, Form::kFlat}) {
    for (unsigned fields = 0; fields < 64; ++fields) {
      kinds.push_back(RoutedKey(form, Packet(), static_cast<Fields>(fields)));
      kinds.push_back(RoutedKey(form, portless, static_cast<Fields>(fields)));
    }
    kinds.push_back(BridgedKey(form, lane, Packet()));
    for (const Rule& rule : WayTo(form, lane, Packet())) kinds.push_back(rule.match);
  }
  Match guard;
  guard.table = Table::kGuard;
  guard.port = 7;
  guard.vlan = kAnyVlan;
  guard.ttl_expires = true;
  kinds.push_back(guard);
  guard.ttl_expires = false;
  guard.source = IpPrefix::Parse("10.0.0.0/8");
  kinds.push_back(guard);
  return kinds;
}

TEST(Mask, WithAPacketItIsTheMatch) {
  for (const Match& match : AllKinds()) {
    const Mask mask = MaskOf(match);
    EXPECT_EQ(Masked(PacketOf(match), mask), match) << ToString(match);
    EXPECT_EQ(mask.Has(Mask::kDestination), IsRouted(match)) << ToString(match);
    EXPECT_EQ(MaskOf(Masked(PacketOf(match), mask)), mask) << ToString(match);
  }
}

TEST(Mask, AnotherPacketOfTheSameKeyHasTheSameMatch) {
  for (const Match& match : AllKinds()) {
    if (match.table == Table::kGuard) continue;
    Miss packet = Packet();
    if (match.portless) packet.source_port = packet.destination_port = 0;
    EXPECT_EQ(Masked(packet, MaskOf(match)), match) << ToString(match);
  }
}

}  // namespace
}  // namespace dpuflow::flow
