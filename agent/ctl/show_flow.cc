// SPDX-License-Identifier: Apache-2.0
#include "agent/ctl/filter.h"
#include "agent/ctl/flow_lines.h"
#include "agent/ctl/json_field.h"
#include "agent/ctl/show.h"

namespace dpuflow::ctl {
namespace {

using api::Json;

Color ColorOf(const std::string& state) {
  if (state == "offloaded") return Color::kGood;
  return state == "software" ? Color::kBad : Color::kBusy;
}

std::string ActionLine(const Json& flow) {
  const Json& actions = Field(flow, "actions");
  std::vector<std::string> words = {"action"};
  if (Flag(actions, "pop_vlan")) words.push_back("pop_vlan");
  AddPair(words, actions, "set_src_mac", "set src_mac");
  AddPair(words, actions, "set_dst_mac", "set dst_mac");
  if (Flag(actions, "decrement_ttl")) words.push_back("dec_ttl");
  AddPair(words, actions, "push_vlan", "push_vlan");
  if (Has(actions, "goto_table")) words.push_back("goto " + ShortTable(Text(actions, "goto_table")));
  AddPair(words, actions, "egress", "redirect");
  if (Flag(actions, "trap")) words.push_back("trap");
  return words.size() == 1 ? "" : Paragraph(4, words);
}

std::string TcLine(const Json& flow) {
  if (!Has(flow, "tc")) return "";
  const Json& tc = Field(flow, "tc");
  return Paragraph(
      4, {"tc", "filter show dev " + Text(flow, "port") + " ingress",
          fmt::format("chain {} prio {} handle {:#x}", Number(tc, "chain"), Number(tc, "prio"), Number(tc, "handle"))});
}

std::string RouteLine(const Json& flow) {
  if (!Has(flow, "route")) return "";
  const Json& route = Field(flow, "route");
  std::vector<std::string> words = {"route", Text(route, "prefix"), "table " + RoutingTable(route)};
  AddPair(words, route, "nexthop_id", "nexthop");
  AddPair(words, route, "gateway", "via");
  return Paragraph(4, words);
}

// "neighbour: waits for the neighbour 192.0.2.9"
std::string ReasonText(const Json& flow) {
  return (Has(flow, "why") ? Text(flow, "why") + ": " : "") + Text(flow, "reason", "");
}

std::string CounterLine(const Json& flow) {
  return Paragraph(
      4, {"age " + FormatTime(Number(flow, "age_ms")), "idle " + FormatTime(Number(flow, "idle_ms")),
          "packets " + Text(flow, "packets"), "bytes " + Text(flow, "bytes"),
          FormatRate(Number(flow, "packets_per_second"), "pps"), FormatRate(Number(flow, "bits_per_second"), "bps")});
}

}  // namespace

FlowList::FlowList(const Style& style)
    : style_(style),
      table_({{"ID", true},
              {"TABLE", false},
              {"PORT", false},
              {"KEY", false},
              {"TO", false},
              {"STATE", false},
              {"IDLE", true},
              {"RATE", false}},
             style.colors) {}

std::string FlowList::Add(const Json& flow) {
  const std::string state = Text(flow, "state");
  // A flow that is not in hardware has neither of the two; why it is not takes their place.
  const bool counts = state == "offloaded";
  const std::string idle = counts ? FormatTime(Number(flow, "idle_ms")) : "-";
  const std::string rate = counts ? FormatRate(Number(flow, "packets_per_second"), "pps") : ReasonText(flow);
  std::string below;
  if (style_.details) below += Paragraph(4, MatchWords(flow)) + ActionLine(flow) + RouteLine(flow) + TcLine(flow);
  if (style_.details && counts && Has(flow, "reason")) below += "    reason " + ReasonText(flow) + "\n";
  if (style_.statistics) below += CounterLine(flow);
  table_.Add({{Text(flow, "id"), Color::kNone},
              {ShortTable(Text(flow, "table")), Color::kNone},
              {Text(flow, "port"), Color::kNone},
              {KeyOf(flow), Color::kNone},
              {TargetOf(flow), Color::kNone},
              {state, ColorOf(state)},
              {idle, Color::kNone},
              {rate, Color::kNone}},
             std::move(below));
  return table_.Take();
}

}  // namespace dpuflow::ctl
