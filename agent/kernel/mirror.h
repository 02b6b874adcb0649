// SPDX-License-Identifier: Apache-2.0
//
// Small tables of the kernel's, mirrored: links, addresses, neighbours. Routes are not: their number has no bound, and
// the kernel is asked instead.
//
// Pure. Takes what the watcher reads, keeps it, and says what it means for flows: a list of flow::Change, empty when
// nothing that matters changed (a neighbour that goes from REACHABLE to STALE, say).
#pragma once

#include <cstdint>
#include <map>
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
  // Sources that no packet from outside may have (fib_validate_source): the machine's own addresses, loopback, "this
  // network", multicast and what lies above it. IPv4, sorted, each once.
  [[nodiscard]] std::vector<IpPrefix> Martians() const;

 private:
  std::vector<netlink::Address> addresses_;
};

class NeighMirror {
 public:
  Changes Apply(const netlink::Event<netlink::Neigh>& event);
  Changes Reset(const std::vector<netlink::Neigh>& all);
  [[nodiscard]] std::size_t size() const { return neighs_.size(); }

 private:
  using Key = std::pair<std::uint32_t, IpAddress>;
  struct Reachability {  // what a flow sees of a neighbour
    bool valid = false;
    MacAddress lladdr;

    bool operator==(const Reachability&) const = default;
  };
  static Reachability Of(const netlink::Neigh& neigh);

  std::map<Key, Reachability> neighs_;
};

}  // namespace dpuflow::kernel
