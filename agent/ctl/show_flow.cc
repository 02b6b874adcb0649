// SPDX-License-Identifier: Apache-2.0
#include <linux/rtnetlink.h>

#include "agent/ctl/filter.h"
#include "agent/ctl/json_field.h"
#include "agent/ctl/show.h"

namespace dpuflow::ctl {
namespace {

using api::Json;

Color ColorOf(const std::string& state) {
  if (state == "offloaded") return Color::kGood;
  return state == "software" ? Color::kBad : Color::kBusy;
}

std::string TtlOf(const Json& match) {
  const std::int64_t mask = Has(match, "ttl_mask") ? Number(match, "ttl_mask") : 255;
  return Text(match, "ttl") + (mask == 255 ? "" : fmt::format("/{:#04x}", mask));
}

// What tells this flow from the others of its table and port, as short as that can be.
std::string KeyOf(const Json& flow) {
  const Json& match = Field(flow, "match");
  const std::string table = Text(flow, "table");
  std::string key;
  const auto add = [&key](const std::string& word) { key += (key.empty() ? "" : " ") + word; };
  if (table == "l2_source") add(Text(match, "src_mac"));
  if (table == "l2_destination") add(Text(match, "dst_mac"));
  if (table == "l2_source" || table == "guard") {
    if (Has(match, "source")) add(Text(match, "source"));
  }
  if (Has(match, "ttl")) add("ttl " + TtlOf(match));
  if (table == "l3" || table == "guard") {
    if (Has(match, "destination")) add(Text(match, "destination"));
  }
  if (table == "l3") {
    if (Has(match, "source")) add("from " + Text(match, "source"));
    if (Has(match, "protocol")) add("proto " + Text(match, "protocol"));
    if (Has(match, "source_port") && Has(match, "destination_port")) {
      add(Text(match, "source_port") + ">" + Text(match, "destination_port"));
    } else if (Has(match, "source_port")) {
      add("sport " + Text(match, "source_port"));
    } else if (Has(match, "destination_port")) {
      add("dport " + Text(match, "destination_port"));
    }
    if (Has(match, "tos")) add("tos " + Text(match, "tos"));
  }
  if (Has(flow, "vlan")) add("vlan " + Text(flow, "vlan"));
  const std::int64_t ethertype = Number(flow, "ethertype");
  if (table != "l3" && ethertype != 0x0800) add(FormatEthertype(ethertype));
  return key;
}

std::string TargetOf(const Json& flow) {
  const Json& actions = Field(flow, "actions");
  if (Flag(actions, "trap")) return "trap";
  if (Has(actions, "egress")) return Text(actions, "egress");
  return Has(actions, "goto_table") ? ShortTable(Text(actions, "goto_table")) : "-";
}

void AddPair(std::vector<std::string>& words, const Json& object, const char* name, const char* shown) {
  if (Has(object, name)) words.push_back(std::string(shown) + " " + Text(object, name));
}

std::string MatchLine(const Json& flow) {
  const Json& match = Field(flow, "match");
  std::vector<std::string> words = {"match", FormatEthertype(Number(flow, "ethertype"))};
  words.push_back(Has(flow, "vlan") ? "vlan " + Text(flow, "vlan") : "untagged");
  AddPair(words, match, "src_mac", "src_mac");
  AddPair(words, match, "dst_mac", "dst_mac");
  AddPair(words, match, "source", "src");
  AddPair(words, match, "destination", "dst");
  AddPair(words, match, "protocol", "proto");
  AddPair(words, match, "source_port", "sport");
  AddPair(words, match, "destination_port", "dport");
  AddPair(words, match, "tos", "tos");
  if (Has(match, "ttl")) words.push_back("ttl " + TtlOf(match));
  if (Flag(match, "unfragmented")) words.push_back("unfragmented");
  return Paragraph(4, words);
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
  const std::int64_t table = Number(route, "table");
  std::vector<std::string> words = {"route", Text(route, "prefix")};
  words.push_back("table " + (table == RT_TABLE_MAIN ? "main" : std::to_string(table)));
  AddPair(words, route, "nexthop_id", "nexthop");
  AddPair(words, route, "gateway", "via");
  return Paragraph(4, words);
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
  const std::string rate = counts ? FormatRate(Number(flow, "packets_per_second"), "pps") : Text(flow, "reason", "");
  std::string below;
  if (style_.details) below += MatchLine(flow) + ActionLine(flow) + RouteLine(flow) + TcLine(flow);
  if (style_.details && counts && Has(flow, "reason")) below += "    reason " + Text(flow, "reason") + "\n";
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
