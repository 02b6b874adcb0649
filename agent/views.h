// SPDX-License-Identifier: Apache-2.0
//
// The agent's state as the API shows it (agent/api/io.dpuflow.Agent.varlink says what each field means). Pure: values
// in, JSON out; optional fields that do not apply are left out.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "agent/api/message.h"
#include "agent/auditor.h"
#include "agent/daemon/metrics.h"
#include "agent/flow/flow.h"
#include "agent/port_manager.h"

namespace dpuflow {

// The name of an interface, by ifindex.
using NameOf = std::function<std::string(std::uint32_t ifindex)>;

api::Json FlowView(const flow::Flow& flow, const NameOf& name_of, flow::TimePoint now);

// What a packet must have: a host is shown as its address.
api::Json MatchView(const flow::Match& match);

// Entries of one port in hardware, by table, and what missed there.
struct PortNumbers {
  std::array<std::uint64_t, flow::kTables> entries{};
  std::uint64_t misses = 0;
};
// `sources`: that the configuration lets enter there; null: any.
api::Json PortView(const PortSlot& slot, const PortNumbers& numbers, const std::vector<IpPrefix>* sources);

api::Json DifferenceView(const AuditDifference& difference, const NameOf& name_of);

api::Json SampleView(const metrics::Sample& sample);

// Which flows a request means: the parameters of ListFlows and FlushFlows.
struct FlowFilter {
  std::optional<flow::Table> table;
  std::optional<std::string> port;
  std::optional<IpPrefix> destination;
  std::optional<flow::State> state;
  std::optional<std::uint16_t> vlan;  // 0: untagged

  [[nodiscard]] bool Matches(const flow::Flow& flow, const NameOf& name_of) const;
};
// The filter, or the name of the parameter that is not understood.
tl::expected<FlowFilter, std::string> ParseFlowFilter(const api::Json& parameters);

}  // namespace dpuflow
