// SPDX-License-Identifier: Apache-2.0
//
// Properties of what changes dirty, over random worlds. The indexes find what a full walk finds; and after every event a
// full walk asks the (model) kernel about all flows: whoever's answer has become another one is dirty. The model keeps
// silent where the kernel does (kernel/watcher.h): routes and nexthops that go with a link, or with a nexthop, say nothing.
#include <gtest/gtest.h>
#include <linux/if.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "agent/flow/pipeline.h"
#include "agent/kernel/decision.h"
#include "tests/unit/agent/full_walk.h"

namespace dpuflow {
namespace {

using flow::Flow;
using flow::FlowId;
using flow::NeighKey;
using kernel::Changes;

// ---- the indexes ----------------------------------------------------------------------------------------------------

IpAddress RandomAddress(Dice& dice) {
  const auto last = static_cast<std::uint8_t>(dice.Below(8));
  if (dice.Chance(2)) return IpAddress::V4(10, 0, static_cast<std::uint8_t>(dice.Below(3)), last);
  return *IpAddress::Parse(fmt::format("2001:db8:{}::{}", dice.Below(3), last));
}

IpPrefix RandomPrefix(Dice& dice) {
  const IpAddress address = RandomAddress(dice);
  const auto bits =
      address.is_v6() ? dice.Of<unsigned>({0, 32, 48, 125, 127, 128}) : dice.Of<unsigned>({0, 8, 24, 29, 31, 32});
  return IpPrefix::Canonical(address, static_cast<std::uint8_t>(bits));
}

flow::StationKey RandomStation(Dice& dice) {
  return {1 + dice.Below(2),
          static_cast<std::uint16_t>(dice.Below(2)),
          {{2, 0, 0, 0, 0, static_cast<std::uint8_t>(dice.Below(4))}}};
}

flow::Dependencies RandomDependencies(Dice& dice) {
  flow::Dependencies dependencies;
  for (std::uint32_t i = dice.Below(3); i > 0; --i) dependencies.links.push_back(1 + dice.Below(5));
  for (std::uint32_t i = dice.Below(3); i > 0; --i) dependencies.nexthop_ids.push_back(1 + dice.Below(5));
  for (std::uint32_t i = dice.Below(3); i > 0; --i)
    dependencies.neighs.push_back({1 + dice.Below(3), RandomAddress(dice)});
  for (std::uint32_t i = dice.Below(2); i > 0; --i) dependencies.stations.push_back(RandomStation(dice));
  return dependencies;
}

flow::Match RandomMatch(Dice& dice) {
  using flow::Table;
  flow::Match match;
  match.port = 1 + dice.Below(5);
  match.table = dice.Of<Table>({Table::kL2Source, Table::kL2Destination, Table::kL3, Table::kFlat});
  const bool flat = match.table == Table::kFlat;
  if (flat || match.table == Table::kL3) match.destination = IpPrefix::Host(RandomAddress(dice));
  if (flat || match.table == Table::kL2Source) match.source_mac = RandomStation(dice).mac;
  if (flat || match.table == Table::kL2Destination) match.destination_mac = RandomStation(dice).mac;
  if ((flat || match.table == Table::kL2Source) && dice.Chance(2)) match.source = IpPrefix::Host(RandomAddress(dice));
  return match;
}

flow::Change RandomChange(Dice& dice) {
  switch (dice.Below(5)) {
    case 0:
      return flow::RouteChanged{RandomPrefix(dice)};
    case 1:
      return flow::NexthopChanged{1 + dice.Below(5)};
    case 2:
      return flow::NeighChanged{{1 + dice.Below(3), RandomAddress(dice)}};
    case 3:
      return flow::StationChanged{RandomStation(dice)};
    default:
      return flow::LinkChanged{1 + dice.Below(5)};
  }
}

// By the words of events.h and flow_table.h, without an index.
bool Concerns(const flow::Change& change, const Flow& flow) {
  const auto among = [](const auto& list, const auto& value) { return std::ranges::find(list, value) != list.end(); };
  if (const auto* route = std::get_if<flow::RouteChanged>(&change)) {
    const bool checks = flow.table() == flow::Table::kL2Source || flow.table() == flow::Table::kFlat;
    const bool to = flow.match().destination && route->destination.Contains(flow.match().destination->address);
    const bool from = checks && flow.match().source && route->destination.Contains(flow.match().source->address);
    return to || from;
  }
  if (const auto* nexthop = std::get_if<flow::NexthopChanged>(&change))
    return among(flow.dependencies().nexthop_ids, nexthop->id);
  if (const auto* neigh = std::get_if<flow::NeighChanged>(&change))
    return among(flow.dependencies().neighs, neigh->key);
  if (const auto* station = std::get_if<flow::StationChanged>(&change))
    return among(flow.dependencies().stations, station->key);
  if (const auto* link = std::get_if<flow::LinkChanged>(&change))
    return flow.port() == link->ifindex || among(flow.dependencies().links, link->ifindex);
  return true;
}

TEST(Dependencies, TheIndexesFindWhatAFullWalkFinds) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    Dice dice(seed);
    flow::FlowTable table;
    for (int step = 0; step < 300; ++step) {
      Flow& flow = table.Obtain(RandomMatch(dice), {});
      table.SetDependencies(flow, RandomDependencies(dice));
      if (dice.Chance(3)) table.Erase(1 + dice.Below(static_cast<std::uint32_t>(step) + 1));
      const flow::Change change = RandomChange(dice);
      const std::vector<FlowId> affected = table.Affected(change);
      const std::set<FlowId> found(affected.begin(), affected.end());
      std::set<FlowId> walked;
      for (const auto& [id, each] : table.all()) {
        if (Concerns(change, each)) walked.insert(id);
      }
      ASSERT_EQ(found, walked) << "seed " << seed << ", step " << step << ", change of kind " << change.index();
    }
  }
}

// ---- the kernel's answers -------------------------------------------------------------------------------------------

// A router of four ports. Routes have next hops of their own or by nexthop objects; a source is valid where its own route
// leads (rp_filter).
class ModelKernel {
 public:
  static constexpr std::uint32_t kFirstPort = 2;
  static constexpr std::uint32_t kPorts = 4;

  explicit ModelKernel(Dice& dice) : dice_(dice) {
    tables_.rules.Reset({});
    for (std::uint32_t port = kFirstPort; port < kFirstPort + kPorts; ++port) {
      netlink::Link link;
      link.ifindex = port;
      link.name = fmt::format("port{}", port);
      link.flags = IFF_UP | IFF_LOWER_UP;
      link.mtu = 1500;
      link.address = {{2, 0, 0, 0, 0, static_cast<std::uint8_t>(port)}};
      (void)tables_.links.Apply({link});
      ports_[port] = {link.name, true, 1500, 1500, true, {}};
      routes_[SubnetOf(port)] = {RTN_UNICAST, {{port, {}}}, 0};
    }
    Rebuild();
  }

  static IpPrefix SubnetOf(std::uint32_t port) {
    return {IpAddress::V4(10, 1, static_cast<std::uint8_t>(port), 0), 24};
  }
  [[nodiscard]] const netlink::Link& LinkAt(std::uint32_t port) const { return *tables_.links.Find(port); }

  // Something happens. What is announced of it.
  Changes Happen() {
    Changes changes = HappenSomething();
    Rebuild();
    return changes;
  }

  [[nodiscard]] flow::Answer AnswerTo(const flow::Question& question) const {
    PathAnswer path;
    Result<netlink::Route> route = MakeError(ENETUNREACH, "look up");
    path.result = PathAnswer::Result::kUnreachable;
    if (const auto found = Lookup(question.miss.destination)) {
      route = ShownOf(*found);
      FillPath(path, *found, question.miss);
    }
    const auto back = Lookup(question.miss.source);
    const bool valid = back && std::ranges::any_of(HopsOf(back->second),
                                                   [&](const Hop& hop) { return hop.ifindex == question.miss.port; });
    if (!valid) route = MakeError(EXDEV, "look up");
    return kernel::Decide(question, path, route, {ports_, topology_, reach_, tables_, hash_, hash_}, {});
  }

 private:
  struct Hop {
    std::uint32_t ifindex = 0;
    IpAddress gateway;
  };
  struct ModelRoute {
    std::uint8_t type = RTN_UNICAST;
    std::vector<Hop> hops;
    std::uint32_t nexthop_id = 0;  // instead of hops
  };
  struct Object {
    Hop hop;
    std::vector<std::uint32_t> group;
  };
  using Found = std::pair<IpPrefix, ModelRoute>;

  [[nodiscard]] bool IsUp(std::uint32_t ifindex) const { return tables_.links.Find(ifindex)->is_up(); }

  [[nodiscard]] std::vector<Hop> HopsOf(const ModelRoute& route) const {
    if (route.nexthop_id == 0) return route.hops;
    const Object& object = objects_.at(route.nexthop_id);
    if (object.group.empty()) return {object.hop};
    std::vector<Hop> hops;
    for (const std::uint32_t member : object.group) hops.push_back(objects_.at(member).hop);
    return hops;
  }
  [[nodiscard]] std::vector<Hop> LiveHopsOf(const ModelRoute& route) const {
    std::vector<Hop> hops = HopsOf(route);
    std::erase_if(hops, [&](const Hop& hop) { return !IsUp(hop.ifindex); });
    return hops;
  }

  [[nodiscard]] std::optional<Found> Lookup(const IpAddress& address) const {
    std::optional<Found> best;
    for (const auto& [prefix, route] : routes_) {
      if (!prefix.Contains(address) || (best && best->first.length > prefix.length)) continue;
      if (route.type == RTN_UNICAST && LiveHopsOf(route).empty()) continue;
      best = {prefix, route};
    }
    return best;
  }
  [[nodiscard]] netlink::Route ShownOf(const Found& found) const {
    netlink::Route route;
    route.destination = found.first;
    route.table = RT_TABLE_MAIN;
    route.type = found.second.type;
    route.nexthop_id = found.second.nexthop_id;
    for (const Hop& hop : HopsOf(found.second)) route.nexthops.push_back({hop.ifindex, hop.gateway, 0, 1, false});
    return route;
  }
  void FillPath(PathAnswer& path, const Found& found, const flow::Miss& miss) const {
    if (found.second.type == RTN_BLACKHOLE) {
      path.result = PathAnswer::Result::kBlackhole;
      return;
    }
    const std::vector<Hop> hops = LiveHopsOf(found.second);
    const Hop& hop = hops[std::hash<IpAddress>()(miss.destination) % hops.size()];
    const netlink::Link& link = *tables_.links.Find(hop.ifindex);
    path.egress = hop.ifindex;
    path.next_hop = hop.gateway.is_none() ? miss.destination : hop.gateway;
    const netlink::Neigh* neigh = tables_.neighs.Find({hop.ifindex, path.next_hop});
    path.source_mac = link.address;
    path.mtu = static_cast<std::uint16_t>(link.mtu);
    if (neigh != nullptr) path.destination_mac = neigh->lladdr;
    path.result = link.mtu < 1500                                           ? PathAnswer::Result::kTooBig
                  : neigh != nullptr && (neigh->state & NUD_REACHABLE) != 0 ? PathAnswer::Result::kForward
                                                                            : PathAnswer::Result::kNoNeigh;
  }

  std::uint32_t AnyPort() { return kFirstPort + dice_.Below(kPorts); }
  Hop AnyHop() {
    const std::uint32_t port = AnyPort();
    return {port,
            IpAddress::V4(10, 1, static_cast<std::uint8_t>(port), static_cast<std::uint8_t>(100 + dice_.Below(2)))};
  }
  IpPrefix AnyPrefix() {
    const auto bits = dice_.Of<unsigned>({0, 8, 16, 24, 28, 32});
    return IpPrefix::Canonical(
        IpAddress::V4(10, 9, static_cast<std::uint8_t>(dice_.Below(2)), static_cast<std::uint8_t>(dice_.Below(32))),
        static_cast<std::uint8_t>(bits));
  }

  Changes HappenSomething() {
    switch (dice_.Below(8)) {
      case 0:
      case 1:
        return ReplaceRoute();
      case 2:
        return RemoveRoute();
      case 3:
        return ReplaceObject();
      case 4:
        return RemoveObject();
      case 5:
      case 6:
        return ChangeNeighbour();
      default:
        return ChangeLink();
    }
  }
  Changes ReplaceRoute() {
    ModelRoute route;
    const IpPrefix prefix = AnyPrefix();
    if (dice_.Chance(8)) {
      route.type = RTN_BLACKHOLE;
    } else if (!objects_.empty() && dice_.Chance(2)) {
      route.nexthop_id = std::next(objects_.begin(), dice_.Below(static_cast<std::uint32_t>(objects_.size())))->first;
    } else {
      for (std::uint32_t i = 1 + dice_.Below(3); i > 0; --i) route.hops.push_back(AnyHop());
    }
    routes_[prefix] = route;
    return {flow::RouteChanged{prefix}};
  }
  Changes RemoveRoute() {
    if (routes_.empty()) return {};
    const auto route = std::next(routes_.begin(), dice_.Below(static_cast<std::uint32_t>(routes_.size())));
    const IpPrefix prefix = route->first;
    routes_.erase(route);
    return {flow::RouteChanged{prefix}};
  }
  // A single one, or a group of those that there are.
  Changes ReplaceObject() {
    const std::uint32_t id = 1 + dice_.Below(6);
    const bool group = id > 4;
    Object object;
    netlink::NexthopObject shown;
    shown.id = id;
    if (group) {
      for (std::uint32_t member = 1; member <= 4; ++member) {
        if (objects_.contains(member) && dice_.Chance(2)) object.group.push_back(member);
      }
      if (object.group.empty()) return {};
      shown.group = object.group;
    } else {
      object.hop = AnyHop();
      if (!IsUp(object.hop.ifindex)) return {};  // the kernel refuses it
      shown.ifindex = object.hop.ifindex;
      shown.gateway = object.hop.gateway;
    }
    objects_[id] = object;
    return tables_.nexthops.Apply({shown});
  }
  Changes RemoveObject() {
    if (objects_.empty()) return {};
    const std::uint32_t id =
        std::next(objects_.begin(), dice_.Below(static_cast<std::uint32_t>(objects_.size())))->first;
    Drop(id);
    netlink::NexthopObject shown;
    shown.id = id;
    return tables_.nexthops.Apply({shown, true});
  }
  // With it go, without a word, its places in groups, groups that are empty then, and their routes.
  void Drop(std::uint32_t id) {
    objects_.erase(id);
    std::erase_if(routes_, [&](const auto& entry) { return entry.second.nexthop_id == id; });
    std::vector<std::uint32_t> empty;
    for (auto& [other, object] : objects_) {
      if (std::erase(object.group, id) > 0 && object.group.empty()) empty.push_back(other);
    }
    for (const std::uint32_t other : empty) Drop(other);
  }
  Changes ChangeNeighbour() {
    netlink::Neigh neigh;
    neigh.ifindex = AnyPort();
    const auto subnet = static_cast<std::uint8_t>(neigh.ifindex);
    neigh.address = IpAddress::V4(10, 1, subnet, static_cast<std::uint8_t>(100 + dice_.Below(2)));
    if (dice_.Chance(3))
      neigh.address =
          IpAddress::V4(10, 9, static_cast<std::uint8_t>(dice_.Below(2)), static_cast<std::uint8_t>(dice_.Below(32)));
    neigh.state = dice_.Chance(4) ? NUD_FAILED : NUD_REACHABLE;
    neigh.lladdr = {{2, 1, 0, 0, subnet, static_cast<std::uint8_t>(dice_.Below(3))}};
    return tables_.neighs.Apply({neigh});
  }
  Changes ChangeLink() {
    netlink::Link link = *tables_.links.Find(AnyPort());
    switch (dice_.Below(3)) {
      case 0:
        link.flags ^= IFF_UP;
        break;
      case 1:
        link.mtu = link.mtu == 1500 ? 1400 : 1500;
        break;
      default:
        link.address.bytes[4] ^= 1;
    }
    Changes changes = tables_.links.Apply({link});
    if (link.is_up()) {  // its subnet is there again
      if (routes_.try_emplace(SubnetOf(link.ifindex), ModelRoute{RTN_UNICAST, {{link.ifindex, {}}}, 0}).second) {
        changes.push_back(flow::RouteChanged{SubnetOf(link.ifindex)});
      }
      return changes;
    }
    // With a link that is down go, without a word, nexthops on it and routes that have no other.
    std::vector<std::uint32_t> gone;
    for (const auto& [id, object] : objects_) {
      if (object.group.empty() && object.hop.ifindex == link.ifindex) gone.push_back(id);
    }
    for (const std::uint32_t id : gone) Drop(id);
    std::erase_if(routes_, [&](const auto& entry) {
      return entry.second.type == RTN_UNICAST && LiveHopsOf(entry.second).empty();
    });
    return changes;
  }

  void Rebuild() {
    std::vector<std::uint32_t> ports;
    for (auto& [port, entry] : ports_) {
      ports.push_back(port);
      entry.mtu = tables_.links.Find(port)->mtu;
    }
    topology_ = kernel::Topology(ports, tables_.links, tables_.bridges);
  }

  Dice& dice_;
  std::map<IpPrefix, ModelRoute> routes_;
  std::map<std::uint32_t, Object> objects_;
  kernel::Tables tables_;
  kernel::Topology topology_;
  kernel::Reach reach_;
  kernel::DecisionPorts ports_;
  kernel::HashPolicy hash_;
};

std::string InWords(const Changes& changes) {
  std::string words;
  for (const flow::Change& change : changes) {
    if (const auto* route = std::get_if<flow::RouteChanged>(&change))
      words += fmt::format("route {}; ", route->destination);
    if (const auto* nexthop = std::get_if<flow::NexthopChanged>(&change))
      words += fmt::format("nexthop {}; ", nexthop->id);
    if (const auto* neigh = std::get_if<flow::NeighChanged>(&change))
      words += fmt::format("neigh {}; ", neigh->key.address);
    if (const auto* link = std::get_if<flow::LinkChanged>(&change)) words += fmt::format("link {}; ", link->ifindex);
  }
  return words.empty() ? "nothing that was told" : words;
}

class FullWalk {
 public:
  FullWalk(unsigned seed, flow::Form form) : dice_(seed), form_(form), kernel_(dice_) {}

  void Step() {
    SetPorts();
    for (int i = 0; i < 3; ++i) SendPacket();
    Settle();
    const auto before = WhatIsAnswered();
    const Changes changes = kernel_.Happen();
    const bool about_all = std::ranges::any_of(
        changes, [](const flow::Change& change) { return std::holds_alternative<flow::EverythingChanged>(change); });
    for (const flow::Change& change : changes) pipeline_.OnChange(change, now_);
    const auto after = WhatIsAnswered();
    std::set<FlowId> dirty;
    for (const auto& [id, flow] : pipeline_.flows().all()) {
      if (flow.dirty || flow.leaving) dirty.insert(id);
    }
    for (const auto& [id, essence] : after) {
      const auto known = before.find(id);
      if (known == before.end() || known->second == essence) continue;
      ++(about_all ? about_all_ : found_);
      ASSERT_TRUE(dirty.contains(id)) << "flow " << id << ": was '" << known->second << "', is '" << essence
                                      << "' after " << InWords(changes);
    }
    spared_ += after.size() - std::min(after.size(), dirty.size());
    Settle();
  }

  [[nodiscard]] std::size_t found() const { return found_; }    // flows whose answer had changed
  [[nodiscard]] std::size_t spared() const { return spared_; }  // flows that were left alone

 private:
  void SetPorts() {
    for (std::uint32_t ifindex = ModelKernel::kFirstPort; ifindex < ModelKernel::kFirstPort + ModelKernel::kPorts;
         ++ifindex) {
      flow::Port port;
      port.ifindex = ifindex;
      port.form = form_;
      flow::Lane& lane = port.lanes.emplace_back();
      lane.routed = lane.checks_sources = true;
      lane.router_mac = kernel_.LinkAt(ifindex).address;
      pipeline_.SetPort(port, now_);
    }
  }
  void SendPacket() {
    flow::Miss miss;
    miss.port = ModelKernel::kFirstPort + dice_.Below(ModelKernel::kPorts);
    miss.source_mac = {{2, 9, 0, 0, 0, 1}};
    miss.destination_mac = kernel_.LinkAt(miss.port).address;
    miss.source =
        IpAddress::V4(10, dice_.Chance(3) ? 9 : 1, static_cast<std::uint8_t>(dice_.Chance(3) ? 1 : miss.port), 7);
    miss.destination =
        IpAddress::V4(10, 9, static_cast<std::uint8_t>(dice_.Below(2)), static_cast<std::uint8_t>(dice_.Below(32)));
    miss.protocol = 17;
    pipeline_.OnMiss(miss, now_);
  }
  void Settle() {
    for (int turn = 0; turn < 100 && !pipeline_.settled(); ++turn) {
      for (const flow::Question& question : pipeline_.TakeQuestions(1000, now_))
        pipeline_.OnAnswer(kernel_.AnswerTo(question), now_);
      for (const flow::Operation& operation : pipeline_.TakeOperations(1000, now_)) {
        pipeline_.OnOutcome({operation.kind, operation.flow, std::nullopt, operation.course}, now_);
      }
    }
    (void)pipeline_.TakeSourceUpdates();
    now_ += std::chrono::seconds(1);
  }
  // Of each flow that rests on an answer: what of the answer decides about its entry.
  std::map<FlowId, std::string> WhatIsAnswered() {
    std::map<FlowId, std::string> answers;
    for (const auto& [id, flow] : pipeline_.flows().all()) {
      if (!flow.answered || flow.leaving) continue;
      const flow::Answer answer = kernel_.AnswerTo({id, flow.packet});
      if (answer.source == flow::SourceVerdict::kUnknown)
        continue;  // the destination hides what the kernel thinks of it
      const bool valid = answer.source == flow::SourceVerdict::kValid;
      const bool vouches = flow.table() == flow::Table::kL2Source || flow.table() == flow::Table::kFlat;
      if (vouches && !valid) answers[id] = "not valid";
      if (vouches && valid) answers[id] = "valid";
      const bool routes = flow.table() == flow::Table::kL3 || flow.table() == flow::Table::kFlat;
      if (!routes || !valid) continue;
      const bool forward = answer.verdict == flow::Answer::Verdict::kForward;
      answers[id] = forward ? fmt::format("{} {} {}", answer.adjacency.egress, answer.adjacency.source,
                                          answer.adjacency.destination)
                            : ToString(answer.reason.why);
    }
    return answers;
  }

  Dice dice_;
  flow::Form form_;
  ModelKernel kernel_;
  flow::Pipeline pipeline_{flow::Limits{}};
  flow::TimePoint now_ = flow::TimePoint{} + std::chrono::hours(1);
  std::size_t found_ = 0, about_all_ = 0, spared_ = 0;
};

TEST(Dependencies, NoEventLeavesAFlowCleanWhoseAnswerItChanged) {
  WalkThroughWorlds(150, [](unsigned seed) {
    return std::make_unique<FullWalk>(seed, seed % 2 == 0 ? flow::Form::kChained : flow::Form::kFlat);
  });
}

}  // namespace
}  // namespace dpuflow
