// SPDX-License-Identifier: Apache-2.0
//
// The filters whose bytes captured_filters.h has, as values: one of each kind that dpuflow programs, and a few more.
#pragma once

#include <linux/if_ether.h>
#include <netinet/in.h>

#include <vector>

#include "netlink/flower.h"

namespace dpuflow::netlink {

inline Filter BasicFilter(std::uint32_t handle) {
  Filter filter;
  filter.id = {.ifindex = 3, .chain = 2, .prio = 1, .ethertype = ETH_P_IP, .handle = handle};
  filter.cookie = {'d', 'p', 'u', 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  filter.cookie.back() = static_cast<std::uint8_t>(handle);
  filter.skip_sw = false;
  return filter;
}

inline const MacAddress kStation{{2, 0, 0, 0, 0, 1}};
inline const MacAddress kSender{{2, 0, 0, 0, 0, 2}};
inline const MacAddress kNewDestination{{2, 0xaa, 0xbb, 0xcc, 0xdd, 1}};
inline const MacAddress kNewSource{{2, 0xaa, 0xbb, 0xcc, 0xdd, 2}};

inline Filter RoutedFlow() {
  Filter filter = BasicFilter(7);
  filter.key.eth_dst = Exact(kStation);
  filter.key.ip_dst = Exact(IpAddress::V4(10, 9, 0, 7));
  filter.actions = {PeditAction{kNewDestination, kNewSource, Family::kIpv4}, RedirectAction{2}};
  return filter;
}

inline Filter Ipv6FlowWithPorts() {
  Filter filter = BasicFilter(8);
  filter.id.prio = 2;
  filter.id.ethertype = ETH_P_IPV6;
  filter.key.ip_src = Masked<IpAddress>{*IpAddress::Parse("fd00::"), *IpAddress::Parse("ffff:ffff::")};
  filter.key.ip_dst = Exact(*IpAddress::Parse("fd02::1"));
  filter.key.ip_proto = std::uint8_t{IPPROTO_UDP};
  filter.key.src_port = std::uint16_t{1000};
  filter.key.dst_port = std::uint16_t{53};
  filter.key.fragment = false;
  filter.actions = {PeditAction{kNewDestination, {}, Family::kIpv6}, VlanPushAction{42}, RedirectAction{2}};
  return filter;
}

inline Filter TaggedFlow() {
  Filter filter = BasicFilter(9);
  filter.id.prio = 3;
  filter.id.ethertype = ETH_P_8021Q;
  filter.key.vlan_id = std::uint16_t{100};
  filter.key.vlan_ethertype = std::uint16_t{ETH_P_IP};
  filter.key.eth_dst = Exact(kStation);
  filter.key.ip_dst = Exact(IpAddress::V4(10, 9, 0, 9));
  filter.key.ip_proto = std::uint8_t{IPPROTO_TCP};
  filter.key.dst_port = std::uint16_t{179};
  filter.actions = {PeditAction{{}, kNewSource, Family::kNone}, VlanPopAction{}, RedirectAction{2}};
  return filter;
}

inline Filter TtlGuard() {
  Filter filter = BasicFilter(10);
  filter.id.chain = 0;
  filter.key.ip_ttl = Masked<std::uint8_t>{0, 0xfe};
  filter.actions = {TrapAction{}};
  return filter;
}

inline Filter SourceEntry() {
  Filter filter = BasicFilter(11);
  filter.id.chain = 0;
  filter.key.eth_src = Exact(kSender);
  filter.key.ip_src = Exact(IpAddress::V4(1, 2, 3, 4));
  filter.actions = {GotoAction{1}};
  filter.cookie = {};
  return filter;
}

inline Filter TaggedByMac() {
  Filter filter = BasicFilter(12);
  filter.id.prio = 4;
  filter.id.ethertype = ETH_P_8021Q;
  filter.key.vlan_id = std::uint16_t{0};
  filter.key.eth_src = Exact(kSender);
  filter.actions = {DropAction{}};
  return filter;
}

inline Filter TaggedIpv6Fragment() {
  Filter filter = BasicFilter(13);
  filter.id.prio = 4;
  filter.id.ethertype = ETH_P_8021Q;
  filter.key.vlan_id = std::uint16_t{4095};
  filter.key.vlan_ethertype = std::uint16_t{ETH_P_IPV6};
  filter.key.ip_ttl = Masked<std::uint8_t>{64, 0xff};
  filter.key.fragment = true;
  filter.actions = {DropAction{}};
  return filter;
}

inline std::vector<Filter> AllFilters() {
  return {RoutedFlow(),  Ipv6FlowWithPorts(), TaggedFlow(),        TtlGuard(),
          SourceEntry(), TaggedByMac(),       TaggedIpv6Fragment()};
}

}  // namespace dpuflow::netlink
