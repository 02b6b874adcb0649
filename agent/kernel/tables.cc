// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel/tables.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <utility>
#include <variant>

namespace dpuflow::kernel {
namespace {

constexpr std::size_t kDifferencesTold = 5;  // of one table

// What has changed, to tell people.
struct InWords {
  const LinkMirror& links;

  std::string operator()(const flow::RouteChanged& route) const { return ToString(route.destination); }
  std::string operator()(const flow::NexthopChanged& nexthop) const { return fmt::format("nexthop {}", nexthop.id); }
  std::string operator()(const flow::NeighChanged& neigh) const {
    return fmt::format("{} at {}", neigh.key.address, links.Name(neigh.key.ifindex));
  }
  std::string operator()(const flow::StationChanged& station) const {
    return fmt::format("{} at {}", station.key.mac, links.Name(station.key.bridge));
  }
  std::string operator()(const flow::LinkChanged& link) const { return links.Name(link.ifindex); }
  std::string operator()(const flow::EverythingChanged&) const { return "all"; }
};

// One function for each kind of event.
class Applier {
 public:
  Applier(Tables& tables, flow::TimePoint now) : tables_(tables), now_(now) {}
  News Take() {
    AddLowerPorts();
    return std::move(news_);
  }

  void operator()(flow::Change& change) { news_.changes.push_back(std::move(change)); }
  void operator()(const netlink::Event<netlink::Link>& link) {
    news_.ports = news_.martians = true;  // an address is a martian in the VRF of its interface
    news_.changes = tables_.links.Apply(link);
    if (link.removed) Forget(link.value.ifindex);
  }
  void operator()(const netlink::Event<netlink::Address>& address) {
    news_.martians = true;
    news_.changes = tables_.addresses.Apply(address);
  }
  void operator()(const netlink::Event<netlink::Neigh>& neigh) { news_.changes = tables_.neighs.Apply(neigh); }
  void operator()(const netlink::Event<netlink::NexthopObject>& nexthop) {
    news_.changes = tables_.nexthops.Apply(nexthop);
  }
  void operator()(const netlink::Event<netlink::Rule>& rule) {
    news_.rules = true;
    news_.changes = tables_.rules.Apply(rule);
  }
  void operator()(const netlink::Event<netlink::Route>& route) {
    news_.rules = true;
    news_.changes = tables_.special_routes.Apply(route);
  }
  void operator()(const netlink::Event<netlink::BridgePort>& port) {
    news_.ports = true;
    news_.changes = tables_.bridges.Apply(port);
  }
  void operator()(const netlink::Event<netlink::FdbEntry>& station) {
    const netlink::FdbEntry& entry = station.value;
    const netlink::FdbEntry* known = tables_.bridges.Find({entry.bridge, entry.vlan, entry.mac});
    news_.ports = entry.local || (known != nullptr && known->local);  // whether frames to its MAC are routed
    news_.changes = tables_.bridges.Apply(station, now_);
  }

  void operator()(const Links& links) {
    tables_.links_read = news_.ports = true;
    news_.martians = Differs("links", tables_.links.Reset(links));
    for (std::size_t i = 0, all = news_.changes.size(); i < all; ++i) {
      const auto* changed = std::get_if<flow::LinkChanged>(&news_.changes[i]);
      if (changed == nullptr) continue;
      const std::uint32_t ifindex = changed->ifindex;
      if (tables_.links.Find(ifindex) == nullptr) Forget(ifindex);
    }
  }
  void operator()(const Addresses& addresses) {
    news_.martians = Differs("addresses", tables_.addresses.Reset(addresses));
  }
  void operator()(const Neighs& neighs) { Differs("neighbours", tables_.neighs.Reset(neighs)); }
  void operator()(const Rules& rules) { news_.rules = Differs("rules", tables_.rules.Reset(rules)); }
  void operator()(const BridgePorts& ports) { news_.ports = Differs("bridge ports", tables_.bridges.Reset(ports)); }
  void operator()(const VlanHalts& halts) { news_.ports = Differs("bridge VLANs", tables_.bridges.Reset(halts)); }
  void operator()(const FdbEntries& stations) {
    news_.ports = Differs("stations", tables_.bridges.Reset(stations, now_));
  }
  // Some of these vanish with their link, unannounced: a difference is none of a lost notification.
  void operator()(const Nexthops& nexthops) { news_.changes = tables_.nexthops.Reset(nexthops); }
  void operator()(const SpecialRoutes& routes) {
    news_.rules = true;
    news_.changes = tables_.special_routes.Reset(routes);
  }
  void operator()(BaseChains& chains) {
    news_.forward_path = tables_.forward_path.Reset(std::move(chains));
    if (news_.forward_path) news_.difference = "netfilter";
  }
  void operator()(XfrmPolicies& policies) {
    news_.forward_path = tables_.forward_path.Reset(std::move(policies));
    if (news_.forward_path) news_.difference = "XFRM policies";
  }
  void operator()(QuietTables& quiet) { news_.forward_path = tables_.forward_path.Reset(std::move(quiet)); }
  void operator()(DevlinkState& devlink) {
    tables_.devlink = std::move(devlink);
    news_.devlink = news_.ports = true;
  }

  void operator()(const Barrier&) {}
  void operator()(const TablesRead&) {}
  void operator()(const Overflow&) {}
  void operator()(const Trouble&) {}

 private:
  bool Differs(const char* what, Changes changes) {
    news_.changes = std::move(changes);
    if (news_.changes.empty()) return false;
    std::vector<std::string> words;
    for (const flow::Change& change : news_.changes) {
      if (words.size() < kDifferencesTold) words.push_back(std::visit(InWords{tables_.links}, change));
    }
    const std::size_t more = news_.changes.size() - words.size();
    if (more > 0) words.push_back(fmt::format("{} more", more));
    news_.difference = fmt::format("{}: {}", what, fmt::join(words, ", "));
    return true;
  }

  void Forget(std::uint32_t ifindex) {
    const Changes stations = tables_.bridges.Forget(ifindex);
    news_.changes.insert(news_.changes.end(), stations.begin(), stations.end());
  }

  // A VLAN device may be the port of a bridge, and flows know the port of the switch below it.
  void AddLowerPorts() {
    for (std::size_t i = 0, all = news_.changes.size(); i < all; ++i) {
      const auto* changed = std::get_if<flow::LinkChanged>(&news_.changes[i]);
      const netlink::Link* link = changed == nullptr ? nullptr : tables_.links.Find(changed->ifindex);
      if (link != nullptr && link->vlan && link->lower != 0) news_.changes.push_back(flow::LinkChanged{link->lower});
    }
  }

  Tables& tables_;
  flow::TimePoint now_;
  News news_;
};

}  // namespace

News Tables::Apply(KernelEvent event, flow::TimePoint now) {
  Applier applier(*this, now);
  std::visit(applier, event);
  return applier.Take();
}

std::uint32_t Tables::VrfOf(std::uint32_t ifindex) const {
  const netlink::Link* link = links.Find(ifindex);
  for (int depth = 0; link != nullptr && depth < 8; ++depth) {  // port, bond, bridge, VLAN, VRF at most
    if (link->kind == "vrf") return link->ifindex;
    link = links.Find(link->master);
  }
  return 0;
}

std::vector<IpPrefix> Tables::MartiansAt(std::uint32_t l3_ifindex) const {
  const std::uint32_t vrf = VrfOf(l3_ifindex);
  return addresses.Martians([&](std::uint32_t owner) { return VrfOf(owner) == vrf; });
}

}  // namespace dpuflow::kernel
