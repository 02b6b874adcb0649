// SPDX-License-Identifier: Apache-2.0
#include "agent/ctl/filter.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "netlink/address.h"

namespace dpuflow::ctl {
namespace {

using api::Json;

constexpr const char* kTables = "guard, l2src, l2dst, l3 or flat";
constexpr const char* kStates = "waiting, resolving, programming, offloaded, software or removing";

std::string Expected(const std::string& name, const std::string& expected, const std::string& found) {
  return name + ": expected " + expected + ", found " + (found.empty() ? "nothing" : found);
}

std::optional<std::string> AddTable(Json& parameters, const std::string& value) {
  for (const char* table : {"guard", "l2_source", "l2_destination", "l3", "flat"}) {
    if (value != table && value != ShortTable(table)) continue;
    parameters["table"] = table;
    return std::nullopt;
  }
  return Expected("table", kTables, value);
}

std::optional<std::string> AddState(Json& parameters, const std::string& value) {
  for (const char* state : {"waiting", "resolving", "programming", "offloaded", "software", "removing"}) {
    if (value != state) continue;
    parameters["state"] = state;
    return std::nullopt;
  }
  return Expected("state", kStates, value);
}

std::optional<std::string> AddDestination(Json& parameters, const std::string& value) {
  if (!IpPrefix::Parse(value)) return Expected("dst", "an address or a prefix", value);
  parameters["destination"] = value;
  return std::nullopt;
}

std::optional<std::string> AddVlan(Json& parameters, const std::string& value) {
  int vlan = 0;
  const char* end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, vlan);
  const bool number = error == std::errc() && stop == end && vlan >= 0 && vlan <= 4094;
  if (!number && value != "untagged") return Expected("vlan", "1 to 4094, or untagged", value);
  parameters["vlan"] = vlan;
  return std::nullopt;
}

std::optional<std::string> AddPort(Json& parameters, const std::string& value) {
  if (value.empty()) return Expected("port", "the name of an interface", value);
  parameters["port"] = value;
  return std::nullopt;
}

std::optional<std::string> AddOne(Json& parameters, const std::string& name, const std::string& value) {
  const std::size_t before = parameters.size();
  std::optional<std::string> wrong;
  if (name == "table") {
    wrong = AddTable(parameters, value);
  } else if (name == "port" || name == "dev") {
    wrong = AddPort(parameters, value);
  } else if (name == "dst" || name == "destination" || name == "to") {
    wrong = AddDestination(parameters, value);
  } else if (name == "state") {
    wrong = AddState(parameters, value);
  } else if (name == "vlan") {
    wrong = AddVlan(parameters, value);
  } else {
    return Expected("filter", "table, port, dst, state or vlan", name);
  }
  // All filters must match, so the second one does not simply take the place of the first.
  if (!wrong && parameters.size() == before) return Expected(name, "one of this filter", "another one: " + value);
  return wrong;
}

}  // namespace

const std::vector<FilterWord>& FilterWords() {
  static const std::vector<FilterWord> kWords = {
      {"table", "TABLE", std::string("Of one table: ") + kTables},
      {"port", "NAME", "That come in by this port"},
      {"dst", "ADDRESS|PREFIX", "To this address, or into this prefix"},
      {"state", "STATE", std::string("In this state: ") + kStates},
      {"vlan", "ID", "With this VLAN id (untagged: without one)"},
  };
  return kWords;
}

bool IsFilterWord(std::string_view word) {
  static constexpr std::array<std::string_view, 8> kNames = {"table", "port",        "dev",   "dst",
                                                             "to",    "destination", "state", "vlan"};
  return std::ranges::find(kNames, word) != kNames.end();
}

std::optional<std::string> AddFilters(Json& parameters, const std::map<std::string, std::string>& options,
                                      const std::vector<std::string>& words) {
  for (const auto& [name, value] : options) {
    if (auto wrong = AddOne(parameters, name, value)) return wrong;
  }
  for (std::size_t i = 0; i < words.size(); i += 2) {
    if (auto wrong = AddOne(parameters, words[i], i + 1 < words.size() ? words[i + 1] : "")) return wrong;
  }
  return std::nullopt;
}

std::string ShortTable(std::string_view table) {
  if (table == "l2_source") return "l2src";
  if (table == "l2_destination") return "l2dst";
  return std::string(table);
}

}  // namespace dpuflow::ctl
