// SPDX-License-Identifier: Apache-2.0
//
// `explain`: the packet, then one paragraph per question that it meets, then where it is forwarded.
#include <netinet/in.h>

#include <sstream>

#include "agent/ctl/filter.h"
#include "agent/ctl/flow_lines.h"
#include "agent/ctl/json_field.h"
#include "agent/ctl/show.h"

namespace dpuflow::ctl {
namespace {

using api::Json;

using Words = std::vector<std::string>;

// The line can be broken between any two words of the sentence.
void AddSentence(Words& words, const std::string& sentence) {
  std::istringstream stream(sentence);
  for (std::string word; stream >> word;) words.push_back(word);
}

std::string ProtocolName(std::int64_t protocol) {
  switch (protocol) {
    case IPPROTO_TCP:
      return "tcp";
    case IPPROTO_UDP:
      return "udp";
    case IPPROTO_ICMP:
      return "icmp";
    case IPPROTO_ICMPV6:
      return "icmpv6";
    default:
      return std::to_string(protocol);
  }
}

// The question, as it would be typed.
std::string PacketLine(const Json& parameters) {
  Words words = {Text(parameters, "destination"), "from " + Text(parameters, "source"),
                 "iif " + Text(parameters, "port")};
  if (Has(parameters, "protocol")) words.push_back("ipproto " + ProtocolName(Number(parameters, "protocol")));
  AddPair(words, parameters, "source_port", "sport");
  AddPair(words, parameters, "destination_port", "dport");
  if (Has(parameters, "tos")) words.push_back(fmt::format("tos {:#04x}", Number(parameters, "tos")));
  if (Has(parameters, "mark")) words.push_back(fmt::format("mark {:#x}", Number(parameters, "mark")));
  AddPair(words, parameters, "vlan", "vlan");
  AddPair(words, parameters, "src_mac", "src_mac");
  AddPair(words, parameters, "dst_mac", "dst_mac");
  return Paragraph(0, words);
}

std::string ClassLine(const Json& reply) {
  const Json& classification = Field(reply, "classification");
  const std::string kind = Text(classification, "kind"), verdict = Text(classification, "verdict");
  Words words = {"class", kind + (verdict == kind ? ":" : " (" + verdict + "):")};
  AddSentence(words, Text(classification, "text"));
  return Paragraph(4, words);
}

std::string PathLine(const Json& path, const Json& route) {
  Words words = {"path"};
  AddPair(words, path, "gateway", "via");
  AddPair(words, path, "egress", "dev");
  if (Field(route, "paths").size() > 1) AddPair(words, path, "weight", "weight");
  for (const Json& flag : Field(path, "flags")) words.push_back(flag.is_string() ? flag.get<std::string>() : "");
  if (Flag(path, "taken") && Has(route, "why")) {
    words.back() += ":";
    AddSentence(words, Text(route, "why"));
  }
  return Paragraph(6, words);
}

std::string RouteLines(const Json& reply) {
  if (!Has(reply, "route")) return "";
  const Json& route = Field(reply, "route");
  Words words = {"route", Text(route, "type"), Text(route, "prefix"), "table " + RoutingTable(route)};
  AddPair(words, route, "rule", "rule");
  words.push_back("proto " + Text(route, "protocol"));
  words.push_back("scope " + Text(route, "scope"));
  AddPair(words, route, "metric", "metric");
  if (Has(route, "tos")) words.push_back(fmt::format("tos {:#04x}", Number(route, "tos")));
  AddPair(words, route, "nexthop_id", "nhid");
  std::string text = Paragraph(4, words);
  bool taken = false;
  for (const Json& path : Field(route, "paths")) {
    taken |= Flag(path, "taken");
    text += PathLine(path, route);
  }
  if (taken || !Has(route, "why")) return text;
  Words why = {"path"};
  AddSentence(why, Text(route, "why"));
  return text + Paragraph(6, why);
}

std::string StationLine(const Json& reply) {
  if (!Has(reply, "station")) return "";
  const Json& station = Field(reply, "station");
  Words words = {"fdb", Text(station, "mac"), "br " + Text(station, "bridge")};
  AddPair(words, station, "vlan", "vlan");
  AddPair(words, station, "port", "dev");
  words.push_back(Has(station, "port") ? Text(station, "state") : "not known; frames to it are flooded");
  return Paragraph(4, words);
}

std::string NeighbourLine(const Json& reply) {
  if (!Has(reply, "neighbour")) return "";
  const Json& neighbour = Field(reply, "neighbour");
  Words words = {"neigh", Text(neighbour, "address"), "dev " + Text(neighbour, "port")};
  AddPair(words, neighbour, "mac", "lladdr");
  words.push_back(Text(neighbour, "state", "not known; the kernel looks for it when a packet asks"));
  return Paragraph(4, words);
}

std::string MtuLine(const Json& reply) {
  if (!Has(reply, "mtu")) return "";
  return Paragraph(4, {"mtu " + Text(reply, "mtu") + ",", "the port lets in " + Text(reply, "largest_packet")});
}

std::string KeyLine(const Json& reply) {
  if (!Has(reply, "key")) return "";
  Words words = MatchWords(Field(reply, "key"));
  words.front() = "key";
  return Paragraph(4, words);
}

// The command that shows the filter with its counters: one word, so that it can be copied.
std::string TcLine(const Json& flow) {
  if (!Has(flow, "tc")) return "";
  const Json& tc = Field(flow, "tc");
  return fmt::format("      tc -s filter get dev {} ingress protocol {} chain {} pref {} handle {:#x} flower\n",
                     Text(flow, "port"), Number(flow, "ethertype") == 0x86dd ? "ipv6" : "ip", Number(tc, "chain"),
                     Number(tc, "prio"), Number(tc, "handle"));
}

std::string EntryLines(const Json& flow) {
  Words words = {ShortTable(Text(flow, "table")), "id " + Text(flow, "id"), KeyOf(flow), "to " + TargetOf(flow),
                 Text(flow, "state")};
  if (Has(flow, "reason")) AddSentence(words, "(" + Text(flow, "reason") + ")");
  words.push_back("age " + FormatTime(Number(flow, "age_ms")));
  if (Has(flow, "tc")) {
    words.push_back("idle " + FormatTime(Number(flow, "idle_ms")));
    words.push_back("packets " + Text(flow, "packets"));
    words.push_back("bytes " + Text(flow, "bytes"));
  }
  return Paragraph(4, words) + TcLine(flow);
}

std::string AllEntries(const Json& reply) {
  const bool forward = Text(reply, "decision") == "forward";
  std::string text;
  std::vector<std::string> tables = {"guard", "l2_source", "l2_destination", "l3"};
  if (Has(reply, "station")) tables.pop_back();  // a packet that is bridged meets no entry of routing
  if (Has(reply, "chains") && !Flag(reply, "chains")) tables = {"guard", "flat"};
  for (const std::string& table : tables) {
    std::string lines;
    for (const Json& flow : Field(reply, "entries")) {
      if (Text(flow, "table") == table) lines += EntryLines(flow);
    }
    if ((table == "l2_source" || table == "flat") && Number(reply, "entries_left_out") > 0) {
      lines += fmt::format("      and {} more\n", Number(reply, "entries_left_out"));
    }
    if (lines.empty() && table != "guard") {
      lines = fmt::format("    {} none{}\n", ShortTable(table), forward ? ": added when a packet asks for it" : "");
    }
    text += lines;
  }
  return text;
}

}  // namespace

std::string ShowExplanation(const Json& parameters, const Json& reply) {
  std::string text = PacketLine(parameters) + ClassLine(reply) + StationLine(reply) + RouteLines(reply) +
                     NeighbourLine(reply) + MtuLine(reply) + KeyLine(reply) + AllEntries(reply);
  for (const Json& note : Field(reply, "notes")) {
    Words words = {"note"};
    AddSentence(words, note.is_string() ? note.get<std::string>() : "");
    text += Paragraph(4, words);
  }
  Words summary;
  AddSentence(summary, Text(reply, "summary"));
  text += Paragraph(0, summary);
  if (Has(reply, "hint")) text += "    to change that: " + Text(reply, "hint") + "\n";
  return text;
}

}  // namespace dpuflow::ctl
