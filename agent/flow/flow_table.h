// SPDX-License-Identifier: Apache-2.0
//
// The flows, and the indexes that find those a change concerns.
//
// Owned by the pipeline, used on its thread only. A pointer to a flow stays valid until that flow is erased.
#pragma once

#include <cstddef>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "agent/flow/flow.h"
#include "agent/flow/packet_kind.h"
#include "agent/flow/sections.h"

namespace dpuflow::flow {

// Flows of one kind of packets that enter at one port and whose answers rest on the same.
struct FlowGroup {
  std::uint32_t port = 0;
  PacketKind kind = PacketKind::kIpv4;
  Dependencies dependencies;            // without a route, which is each flow's own
  mutable std::vector<FlowId> flows{};  // flow.place is where a flow stands here
};

class FlowTable {
 public:
  // Numbers are given from the one after `last`.
  explicit FlowTable(FlowId last = 0) : last_id_(last) {}
  // The flow of `match`, made if there is none. In a table with sections it has one, unless none was free.
  Flow& Obtain(const Match& match, TimePoint now);
  // The flow of an entry that stands already, by its own number and section. Null: the number, the match or the section is
  // another flow's.
  Flow* Adopt(FlowId id, const Match& match, std::uint8_t section, TimePoint now);
  // Tries again for a flow without a section.
  void FindSection(Flow& flow);
  [[nodiscard]] Flow* Find(FlowId id);
  [[nodiscard]] const Flow* Find(FlowId id) const;
  [[nodiscard]] Flow* Find(const Match& match);
  [[nodiscard]] const Flow* Find(const Match& match) const;
  void Erase(FlowId id);

  // A packet of the flow, which has its key.
  static void Keep(Flow& flow, const Miss& packet);
  // Replaces what the flow's answer rests on.
  void SetDependencies(Flow& flow, Dependencies dependencies);

  // Ids of the flows that `change` concerns, in no order. A route concerns the flows whose destination, or whose
  // checked source, lies in its prefix; a link also those that enter at it.
  [[nodiscard]] std::vector<FlowId> Affected(const Change& change) const;
  [[nodiscard]] std::vector<FlowId> OnPort(std::uint32_t port) const;
  [[nodiscard]] std::size_t CountOnPort(std::uint32_t port) const;
  [[nodiscard]] PacketKinds KindsOnPort(std::uint32_t port) const;  // of its flows
  // The flows that say who may send, and whose key holds the source address.
  [[nodiscard]] std::vector<FlowId> CheckedSources() const;

  // Gives at least `most` flows to `each`, if there are so many, and returns where to go on the next time: 0 at the end, which
  // is where one begins. Flows that come meanwhile may be left out; where places() has changed, any flow may, or be seen twice.
  template <typename Each>
  std::size_t GoThrough(std::size_t from, std::size_t most, const Each& each) const {
    std::size_t seen = 0;
    for (; from < flows_.bucket_count() && seen < most; ++from) {
      for (auto flow = flows_.begin(from); flow != flows_.end(from); ++flow, ++seen) each(flow->second);
    }
    return from < flows_.bucket_count() ? from : 0;
  }
  [[nodiscard]] std::size_t places() const { return flows_.bucket_count(); }

  [[nodiscard]] std::size_t size() const { return flows_.size(); }
  [[nodiscard]] const std::unordered_map<FlowId, Flow>& all() const { return flows_; }

 private:
  struct NeighHash {
    std::size_t operator()(const NeighKey& key) const {
      return std::hash<IpAddress>()(key.address) ^ (std::size_t{key.ifindex} << 32);
    }
  };
  struct StationHash {
    std::size_t operator()(const StationKey& key) const {
      return HashBytes(key.mac.bytes) ^ (std::size_t{key.bridge} << 32) ^ key.vlan;
    }
  };
  // Indexes hold no copies of what they are by: they look at the flow, or the group.
  struct MatchHash {
    using is_transparent = void;
    std::size_t operator()(const Match& match) const { return std::hash<Match>()(match); }
    std::size_t operator()(const Flow* flow) const { return std::hash<Match>()(flow->match()); }
  };
  struct MatchEqual {
    using is_transparent = void;
    bool operator()(const Flow* one, const Flow* other) const { return one == other; }
    bool operator()(const Match& match, const Flow* flow) const { return match == flow->match(); }
    bool operator()(const Flow* flow, const Match& match) const { return match == flow->match(); }
  };
  struct GroupHash {
    std::size_t operator()(const FlowGroup& group) const;
  };
  struct GroupEqual {
    bool operator()(const FlowGroup& one, const FlowGroup& other) const {
      return one.port == other.port && one.kind == other.kind && one.dependencies == other.dependencies;
    }
  };
  template <IpAddress Miss::*kAddress>
  struct AddressOrder {
    using is_transparent = void;
    bool operator()(const Flow* one, const Flow* other) const {
      const auto order = one->packet.*kAddress <=> other->packet.*kAddress;
      return order != 0 ? order < 0 : one->id < other->id;
    }
    bool operator()(const Flow* flow, const IpAddress& address) const { return flow->packet.*kAddress < address; }
    bool operator()(const IpAddress& address, const Flow* flow) const { return address < flow->packet.*kAddress; }
  };
  template <IpAddress Miss::*kAddress>
  using ByAddress = std::set<const Flow*, AddressOrder<kAddress>>;  // a prefix is a range
  template <typename Key, typename Hash = std::hash<Key>>
  using Index = std::unordered_map<Key, std::unordered_set<const FlowGroup*>, Hash>;

  Flow& Make(FlowId id, const Match& match, TimePoint now);
  void JoinGroup(Flow& flow, FlowGroup group);
  void LeaveGroup(Flow& flow);
  // Calls `with` with each index and the keys that the group is in it by.
  template <typename With>
  void ForEachIndex(const FlowGroup& group, const With& with);
  FlowId UnusedId();
  [[nodiscard]] Sections& SectionsOf(Table table) { return table == Table::kFlat ? flat_sections_ : sections_; }

  FlowId last_id_;
  Sections sections_{kSections};  // of L3
  Sections flat_sections_{kFlatSections};
  std::unordered_map<FlowId, Flow> flows_;
  std::unordered_set<Flow*, MatchHash, MatchEqual> by_match_;
  ByAddress<&Miss::destination> by_destination_;
  ByAddress<&Miss::source> by_checked_source_;
  std::unordered_set<FlowGroup, GroupHash, GroupEqual> groups_;
  Index<std::uint32_t> by_port_;
  Index<std::uint32_t> by_link_;
  Index<std::uint32_t> by_nexthop_;
  Index<NeighKey, NeighHash> by_neigh_;
  Index<StationKey, StationHash> by_station_;
};

}  // namespace dpuflow::flow
