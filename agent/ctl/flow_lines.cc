// SPDX-License-Identifier: Apache-2.0
#include "agent/ctl/flow_lines.h"

#include <linux/rtnetlink.h>

#include "agent/ctl/filter.h"
#include "agent/ctl/format.h"
#include "agent/ctl/json_field.h"

namespace dpuflow::ctl {
namespace {

using api::Json;

std::string TtlOf(const Json& match) {
  const std::int64_t mask = Has(match, "ttl_mask") ? Number(match, "ttl_mask") : 255;
  return Text(match, "ttl") + (mask == 255 ? "" : fmt::format("/{:#04x}", mask));
}

}  // namespace

void AddPair(std::vector<std::string>& words, const Json& object, const char* name, const char* shown) {
  if (Has(object, name)) words.push_back(std::string(shown) + " " + Text(object, name));
}

std::string KeyOf(const Json& flow) {
  const Json& match = Field(flow, "match");
  const std::string table = Text(flow, "table");
  std::string key;
  const auto add = [&key](const std::string& word) { key += (key.empty() ? "" : " ") + word; };
  const bool routes = Has(match, "destination") && table != "guard";
  if (table == "l2_source") add(Text(match, "src_mac"));
  if (table == "l2_destination") add(Text(match, "dst_mac"));
  // Where it routes, the destination MAC is the router's: `-d` shows it.
  if (table == "flat") add(Text(match, "src_mac") + (routes ? "" : ">" + Text(match, "dst_mac")));
  if (table == "l2_source" || table == "guard") {
    if (Has(match, "source")) add(Text(match, "source"));
  }
  if (Has(match, "ttl")) add("ttl " + TtlOf(match));
  if (Has(match, "destination")) add(Text(match, "destination"));
  if (routes) {
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
  if (!routes && ethertype != 0x0800) add(FormatEthertype(ethertype));
  return key;
}

std::string TargetOf(const Json& flow) {
  const Json& actions = Field(flow, "actions");
  if (Flag(actions, "trap")) return "trap";
  if (Has(actions, "egress")) return Text(actions, "egress");
  return Has(actions, "goto_table") ? ShortTable(Text(actions, "goto_table")) : "-";
}

std::vector<std::string> MatchWords(const Json& flow) {
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
  AddPair(words, match, "vlan_priority", "vlan_prio");
  if (Has(match, "ttl")) words.push_back("ttl " + TtlOf(match));
  if (Flag(match, "unfragmented")) words.push_back("unfragmented");
  return words;
}

std::string RoutingTable(const Json& route) {
  const std::int64_t table = Number(route, "table");
  return table == RT_TABLE_MAIN ? "main" : std::to_string(table);
}

}  // namespace dpuflow::ctl
