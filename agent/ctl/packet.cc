// SPDX-License-Identifier: Apache-2.0
#include "agent/ctl/packet.h"

#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "netlink/address.h"

namespace dpuflow::ctl {
namespace {

using api::Json;

using Wrong = std::optional<std::string>;

std::string Expected(const std::string& name, const std::string& expected, const std::string& found) {
  return name + ": expected " + expected + ", found " + (found.empty() ? "nothing" : found);
}

// Decimal, or hexadecimal after "0x".
std::optional<std::int64_t> ParseNumber(std::string_view text) {
  const bool hex = text.starts_with("0x");
  if (hex) text.remove_prefix(2);
  std::int64_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number, hex ? 16 : 10);
  if (error != std::errc() || stop != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

Wrong AddNumber(Json& parameters, const char* field, const std::string& word, const std::string& value,
                std::int64_t least, std::int64_t most) {
  const auto number = ParseNumber(value);
  if (!number || *number < least || *number > most) return Expected(word, fmt::format("{} to {}", least, most), value);
  parameters[field] = *number;
  return std::nullopt;
}

Wrong AddProtocol(Json& parameters, const std::string& word, const std::string& value) {
  static const std::map<std::string, int, std::less<>> kNames = {{"tcp", IPPROTO_TCP},
                                                                 {"udp", IPPROTO_UDP},
                                                                 {"icmp", IPPROTO_ICMP},
                                                                 {"icmpv6", IPPROTO_ICMPV6},
                                                                 {"ipv6-icmp", IPPROTO_ICMPV6}};
  const auto known = kNames.find(value);
  const auto number = known != kNames.end() ? std::optional<std::int64_t>(known->second) : ParseNumber(value);
  if (!number || *number < 1 || *number > 255) return Expected(word, "tcp, udp, icmp, icmpv6 or 1 to 255", value);
  parameters["protocol"] = *number;
  return std::nullopt;
}

// ip(8) takes "10" for 0x10, and `flow show` prints 16 for it: only what both read alike is taken.
Wrong AddTos(Json& parameters, const std::string& word, const std::string& value) {
  const auto number = ParseNumber(value);
  const bool clear = value.size() == 1 || value.starts_with("0x");
  if (!number || *number > 255 || !clear) return Expected(word, "0x00 to 0xff", value);
  parameters["tos"] = *number;
  return std::nullopt;
}

Wrong AddPort(Json& parameters, const std::string& word, const std::string& value) {
  if (value.empty()) return Expected(word, "the name of an interface", value);
  parameters["port"] = value;
  return std::nullopt;
}

Wrong AddSource(Json& parameters, const std::string& word, const std::string& value) {
  const auto destination = IpAddress::Parse(parameters["destination"].get<std::string>());
  const auto source = IpAddress::Parse(value);
  if (!source || source->family() != destination->family()) {
    return Expected(word, destination->is_v6() ? "an IPv6 address" : "an IPv4 address", value);
  }
  parameters["source"] = value;
  return std::nullopt;
}

Wrong AddMac(Json& parameters, const std::string& word, const std::string& value) {
  if (!MacAddress::Parse(value)) return Expected(word, "a MAC address", value);
  parameters[word] = value;
  return std::nullopt;
}

Wrong AddOne(Json& parameters, const std::string& word, const std::string& value) {
  const auto is = [&](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), word) != names.end();
  };
  const std::size_t before = parameters.size();
  Wrong wrong;
  if (is({"from", "src", "source"})) {
    wrong = AddSource(parameters, word, value);
  } else if (is({"iif", "dev", "port"})) {
    wrong = AddPort(parameters, word, value);
  } else if (is({"ipproto", "proto"})) {
    wrong = AddProtocol(parameters, word, value);
  } else if (word == "sport") {
    wrong = AddNumber(parameters, "source_port", word, value, 1, 65535);
  } else if (word == "dport") {
    wrong = AddNumber(parameters, "destination_port", word, value, 1, 65535);
  } else if (is({"tos", "dsfield"})) {
    wrong = AddTos(parameters, word, value);
  } else if (word == "mark") {
    wrong = AddNumber(parameters, "mark", word, value, 0, UINT32_MAX);
  } else if (word == "vlan") {
    wrong = AddNumber(parameters, "vlan", word, value, 1, 4094);
  } else if (is({"src_mac", "dst_mac"})) {
    wrong = AddMac(parameters, word, value);
  } else {
    return Expected("explain", "from, iif, ipproto, sport, dport, tos, mark, vlan, src_mac or dst_mac", word);
  }
  if (!wrong && parameters.size() == before) return Expected(word, "it once", "it again: " + value);
  return wrong;
}

}  // namespace

std::optional<std::string> AddPacket(Json& parameters, const std::vector<std::string>& words) {
  std::size_t at = !words.empty() && words.front() == "to" ? 1 : 0;
  const std::string destination = at < words.size() ? words[at++] : "";
  if (!IpAddress::Parse(destination)) return Expected("explain", "the address of the destination", destination);
  parameters["destination"] = destination;
  for (; at < words.size(); at += 2) {
    if (auto wrong = AddOne(parameters, words[at], at + 1 < words.size() ? words[at + 1] : "")) return wrong;
  }
  if (!parameters.contains("source")) return "explain: expected from SRC, the address that the packet comes from";
  if (!parameters.contains("port")) return "explain: expected iif PORT, the port that it enters by";
  const std::int64_t protocol = parameters.value("protocol", std::int64_t{IPPROTO_UDP});
  const bool ports = parameters.contains("source_port") || parameters.contains("destination_port");
  if (ports && protocol != IPPROTO_TCP && protocol != IPPROTO_UDP) {
    return "explain: sport and dport are of tcp and udp only";
  }
  return std::nullopt;
}

}  // namespace dpuflow::ctl
