// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>

#include "agent/ctl/filter.h"
#include "agent/ctl/json_field.h"
#include "agent/ctl/show.h"

namespace dpuflow::ctl {
namespace {

using api::Json;

// "uplink", or the function as the kernel's phys_port_name has it: "c1pf0vf3".
std::string FunctionOf(const Json& port) {
  if (Text(port, "role") == "uplink") return "-";
  std::string name = Number(port, "controller") == 0 ? "" : "c" + Text(port, "controller");
  name += "pf" + Text(port, "pf");
  if (Has(port, "vf")) name += "vf" + Text(port, "vf");
  return name;
}

Color ColorOfPort(const std::string& state) {
  if (state == "ready") return Color::kGood;
  return state == "refused" ? Color::kBad : Color::kBusy;
}

bool IsFlat(const Json& port) { return Has(port, "chains") && !Flag(port, "chains"); }

std::string BelowPort(const Json& port, bool details) {
  std::string below;
  if (Has(port, "reason")) below += "    " + Text(port, "reason") + "\n";
  if (Has(port, "hint")) below += "    to free it: " + Text(port, "hint") + "\n";
  if (Has(port, "offload") && !Flag(port, "offload")) {
    below += "    offload is off; to switch it on: dpuflowctl offload on dev " + Text(port, "name") + "\n";
  }
  if (details) {
    below += Paragraph(4, {"ifindex " + Text(port, "ifindex"), "mac " + Text(port, "mac"), "mtu " + Text(port, "mtu"),
                           Flag(port, "carrier") ? "carrier" : "no carrier", "devlink " + Text(port, "devlink"),
                           "switch " + Text(port, "switch_id")});
    if (Has(port, "sources")) {
      std::vector<std::string> words = {"sources"};
      for (const Json& source : Field(port, "sources")) words.push_back(source.get<std::string>());
      if (words.size() == 1) words.push_back("none");
      below += Paragraph(4, words);
    }
    if (IsFlat(port)) below += "    no chains: its entries are in one flat table\n";
  }
  return below;
}

// "  name      words, with commas"
std::string Section(const std::string& name, const std::vector<std::string>& items) {
  std::vector<std::string> words;
  words.reserve(items.size() + 1);
  for (const std::string& item : items) words.push_back(item + (&item == &items.back() ? "" : ","));
  if (words.empty()) words.push_back("none");
  words.front() = fmt::format("{:<9} {}", name, words.front());
  return Paragraph(0, words);
}

std::string FlowSections(const Json& status) {
  std::map<std::string, std::vector<std::string>> by_table;
  for (const Json& entry : Field(status, "flows")) {
    by_table[Text(entry, "table")].push_back(Text(entry, "count") + " " + Text(entry, "state"));
  }
  std::string text;
  const bool flat = by_table.contains("flat");  // where the NIC has no chains
  for (const char* table : {"guard", "l2_source", "l2_destination", "l3", "flat"}) {
    if (flat || std::string_view(table) != "flat") text += Section(ShortTable(table), by_table[table]);
  }
  return text;
}

std::string Ago(const Json& object, const char* name) {
  return Has(object, name) ? FormatTime(Number(object, name)) + " ago" : "never";
}

std::string AuditSection(const Json& audit) {
  if (!audit.is_object()) return Section("audit", {"off"});
  std::vector<std::string> items = {"every " + FormatTime(Number(audit, "period_ms"))};
  if (Has(audit, "took_ms")) {
    items.push_back("the last took " + FormatTime(Number(audit, "took_ms")));
    items.push_back("ended " + Ago(audit, "ended_ms"));
  }
  return Section("audit", items);
}

// Scalars of an object: "idle_time_ms 30000".
std::vector<std::string> Pairs(const Json& object) {
  std::vector<std::string> pairs;
  if (!object.is_object()) return pairs;
  for (const auto& [name, value] : object.items()) {
    if (!value.is_null()) pairs.push_back(name + " " + Text(object, name.c_str()));
  }
  return pairs;
}

}  // namespace

std::string ShowPorts(const Json& ports, const Style& style) {
  std::vector<Table::Column> columns = {{"PORT"}, {"ROLE"}, {"FUNCTION"}, {"STATE"}};
  std::vector<const char*> numbers;
  const auto count = [&](const char* title, const char* number) {
    columns.push_back({title, true});
    numbers.push_back(number);
  };
  if (style.statistics) {
    count("GUARDS", "guards");
    count("L2SRC", "l2_source");
    count("L2DST", "l2_destination");
    count("L3", "l3");
    if (std::ranges::any_of(ports, IsFlat)) count("FLAT", "flat");
    count("MISSES", "misses");
  }
  Table table(std::move(columns), style.colors);
  for (const Json& port : ports) {
    const std::string state = Text(port, "state");
    std::vector<Cell> cells = {{Text(port, "name"), Color::kNone},
                               {Text(port, "role"), Color::kNone},
                               {FunctionOf(port), Color::kNone},
                               {state, ColorOfPort(state)}};
    for (const char* number : numbers) cells.push_back({Text(port, number), Color::kNone});
    table.Add(std::move(cells), BelowPort(port, style.details));
  }
  return table.Finish();
}

std::string ShowStatus(const Json& status, const Style& style) {
  std::string text =
      Paragraph(0, {"dpuflowd " + Text(status, "version") + ",", "pid " + Text(status, "pid") + ",",
                    "up " + FormatTime(Number(status, "uptime_ms")) + ",", "kernel " + Text(status, "kernel") + ",",
                    Flag(status, "ready") ? "ready" : "not ready yet"});
  for (const Json& entry : Field(status, "switches")) {
    text += Section(
        "switch", {Text(entry, "devlink") + " " + Text(entry, "eswitch_mode"),
                   Flag(entry, "chains") ? "chains" : "no chains (one flat table)", "id " + Text(entry, "switch_id")});
  }
  if (Field(status, "switches").empty()) text += Section("switch", {});
  text += Section("ports", {Text(status, "ports_ready") + " ready", Text(status, "ports_preparing") + " preparing",
                            Text(status, "ports_refused") + " refused"});
  text += FlowSections(status);
  text += Section("sync", {Ago(status, "last_sync_ms")});
  text += AuditSection(Field(status, "audit"));
  if (style.statistics || style.details) {
    text += Section("resync", {Ago(status, "last_resync_ms")});
    text += Section("events", Pairs(Field(status, "events")));
    for (const Json& queue : Field(status, "queues")) {
      text += Section("queue", {Text(queue, "name") + " " + Text(queue, "depth") + " of " + Text(queue, "limit"),
                                "peak " + Text(queue, "peak"), "overflows " + Text(queue, "overflows")});
    }
  }
  if (style.details) text += Section("settings", Pairs(Field(status, "settings")));
  return text;
}

std::string ShowOffload(const Json& parameters, const Json& reply) {
  return fmt::format("offload is {} at {}\n", Flag(parameters, "on") ? "on" : "off",
                     Plural(static_cast<std::int64_t>(Field(reply, "ports").size()), "port"));
}

std::string ShowSync(const Json& reply) {
  return Paragraph(0, {"in step after " + FormatTime(Number(reply, "took_ms")) + ":",
                       Plural(Number(reply, "events_read"), "event") + " read,",
                       Plural(Number(reply, "flows_resolved"), "flow") + " resolved,",
                       Plural(Number(reply, "operations_acknowledged"), "operation") + " acknowledged"});
}

std::string ShowVerify(const Json& reply) {
  std::string text;
  for (const Json& difference : Field(reply, "differences")) {
    text += fmt::format("{} {}{}\n", Text(difference, "port"), Text(difference, "kind"),
                        Has(difference, "flow") ? " flow " + Text(difference, "flow") : "");
    for (const char* side : {"expected", "found"}) {
      text += fmt::format("    {:<9}{}\n", side, Has(difference, side) ? Text(difference, side) : "nothing");
    }
  }
  const auto count = static_cast<std::int64_t>(Field(reply, "differences").size());
  text += Paragraph(0, {count == 0 ? "no difference" : Plural(count, "difference") + ", being mended,", "in",
                        Text(reply, "entries") + (Number(reply, "entries") == 1 ? " entry" : " entries"), "and for",
                        Plural(Number(reply, "flows"), "flow") + ";", FormatTime(Number(reply, "took_ms"))});
  if (Has(reply, "incomplete")) text += "not all could be looked at: " + Text(reply, "incomplete") + "\n";
  return text;
}

std::string ShowError(const api::Reply& reply) {
  const Json& parameters = reply.parameters;
  if (reply.error == api::kNoSuchFlow) return "no flow has the id " + Text(parameters, "id");
  if (reply.error == api::kNoSuchPort) {
    return "the switch has no port " + Text(parameters, "port") + " (dpuflowctl port show lists them)";
  }
  if (reply.error == api::kNotReady) return "dpuflowd cannot answer this now: " + Text(parameters, "reason");
  if (reply.error == api::kSyncTimeout) {
    return fmt::format("not in step after {}: {}, {} and {} are pending", FormatTime(Number(parameters, "timeout_ms")),
                       Plural(Number(parameters, "events_pending"), "event"),
                       Plural(Number(parameters, "flows_pending"), "flow"),
                       Plural(Number(parameters, "operations_pending"), "operation"));
  }
  if (reply.error == api::kTooManyClients) {
    return "dpuflowd serves " + Text(parameters, "limit") + " clients already, and no more";
  }
  if (reply.error == api::kInvalidParameter) return "dpuflowd refuses the value of " + Text(parameters, "parameter");
  if (reply.error == api::kMethodNotFound || reply.error == api::kMethodNotImplemented) {
    return "this dpuflowd has no " + Text(parameters, "method") + "; is it of another version?";
  }
  if (reply.error == api::kPermissionDenied) return "dpuflowd does not let this user do that";
  return "dpuflowd answers " + reply.error + (parameters.empty() ? "" : " " + api::Dump(parameters));
}

}  // namespace dpuflow::ctl
