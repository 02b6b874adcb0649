// SPDX-License-Identifier: Apache-2.0
//
// Small tables of the kernel's, mirrored: links, addresses, neighbours, nexthop objects, policy rules. Routes are not:
// their number has no bound, and the kernel is asked instead.
//
// Pure. Takes what the watcher reads, keeps it, and says what it means for flows: a list of flow::Change, empty when
// nothing that matters changed (a neighbour that goes from REACHABLE to STALE, say).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

#include "agent/flow/events.h"
#include "netlink/values.h"

namespace dpuflow::kernel {

using Changes = std::vector<flow::Change>;

class LinkMirror {
 public:
  Changes Apply(const netlink::Event<netlink::Link>& event);
  // Replaces everything by a whole dump.
  Changes Reset(const std::vector<netlink::Link>& all);
  [[nodiscard]] const netlink::Link* Find(std::uint32_t ifindex) const;
  [[nodiscard]] std::string Name(std::uint32_t ifindex) const;  // "if7" for one that is not there
  [[nodiscard]] const std::map<std::uint32_t, netlink::Link>& all() const { return links_; }

 private:
  std::map<std::uint32_t, netlink::Link> links_;
};

class AddressMirror {
 public:
  Changes Apply(const netlink::Event<netlink::Address>& event);
  Changes Reset(const std::vector<netlink::Address>& all);
  // Sources that no packet from outside may have. IPv4 (fib_validate_source): the machine's own addresses, loopback, "this
  // network", multicast and what lies above it. IPv6 (ip6_rcv_core, ip6_forward): unspecified, loopback, link-local,
  // multicast; its own addresses are accepted. An address is the machine's own in one routing domain: `owns`
  // says whether those of an interface count. Sorted, each once.
  [[nodiscard]] std::vector<IpPrefix> Martians(const std::function<bool(std::uint32_t ifindex)>& owns) const;

 private:
  std::vector<netlink::Address> addresses_;
};

// Nexthop objects. A route may name one and show none of its paths (sysctl net.ipv4.nexthop_compat_mode = 0).
class NexthopMirror {
 public:
  Changes Apply(const netlink::Event<netlink::NexthopObject>& event);
  Changes Reset(const std::vector<netlink::NexthopObject>& all);
  // The object and, of a group, its members. Empty: it is not there.
  [[nodiscard]] std::vector<netlink::NexthopObject> Members(std::uint32_t id) const;
  // The resilient groups that move idle buckets.
  [[nodiscard]] std::vector<netlink::NexthopObject> Resilient() const;
  [[nodiscard]] std::size_t size() const { return nexthops_.size(); }

 private:
  std::map<std::uint32_t, netlink::NexthopObject> nexthops_;
};

// Routes of which a lookup does not tell all. IPv4 routes for packets of one TOS alone (`ip route add ... tos 0x10`): the
// kernel's answer for a packet of another TOS does not show them. Routes with an MTU of their own (`ip route add ... mtu
// 1300`): forwarding heeds it (ip_dst_mtu_maybe_forward), bpf_fib_lookup only where it is locked. There are few, if any. One
// that vanishes silently is kept: keys are then finer than they need be, and more is left to the kernel's stack.
class SpecialRouteMirror {
 public:
  Changes Apply(const netlink::Event<netlink::Route>& event);
  Changes Reset(const std::vector<netlink::Route>& all);
  // The kernel's choice for packets to this address looks at their TOS.
  [[nodiscard]] bool LooksAtTos(const IpAddress& destination) const;
  [[nodiscard]] bool any_with_tos() const;
  [[nodiscard]] bool any_with_mtu(Family family) const;

 private:
  struct Key {
    IpPrefix destination;
    std::uint32_t table = 0;
    std::uint32_t metric = 0;
    std::uint8_t tos = 0;

    auto operator<=>(const Key&) const = default;
  };
  std::map<Key, std::uint32_t> routes_;  // -> MTU, or 0
};

// Whether a route is one of those.
[[nodiscard]] bool IsSpecial(const netlink::Route& route);

// Policy rules of both families.
class RuleMirror {
 public:
  Changes Apply(const netlink::Event<netlink::Rule>& event);
  Changes Reset(const std::vector<netlink::Rule>& all);
  [[nodiscard]] const std::vector<netlink::Rule>& all() const { return rules_; }

 private:
  std::vector<netlink::Rule> rules_;
};

// Whether the kernel may be told that the neighbour is in use (NTF_USE): it is STALE, so that being told makes a
// difference, and nobody but the kernel looks after it, so that being told takes nothing from it (AppendNeighUse).
[[nodiscard]] bool CanBeRefreshed(const netlink::Neigh& neigh);

class NeighMirror {
 public:
  Changes Apply(const netlink::Event<netlink::Neigh>& event);
  Changes Reset(const std::vector<netlink::Neigh>& all);
  // As last announced, valid or not; null where the kernel has none.
  [[nodiscard]] const netlink::Neigh* Find(const flow::NeighKey& key) const;
  [[nodiscard]] std::vector<netlink::Neigh> At(std::uint32_t ifindex) const;
  [[nodiscard]] bool CanBeRefreshed(const flow::NeighKey& key) const;
  [[nodiscard]] std::size_t size() const { return neighs_.size(); }

 private:
  struct Reachability {  // what a flow sees of a neighbour
    bool valid = false;
    MacAddress lladdr;

    bool operator==(const Reachability&) const = default;
  };
  static Reachability Of(const netlink::Neigh& neigh);

  std::map<flow::NeighKey, netlink::Neigh> neighs_;
};

}  // namespace dpuflow::kernel
