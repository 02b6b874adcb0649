// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "agent/ctl/command_line.h"

namespace dpuflow::ctl {
namespace {

using api::Json;

std::variant<Invocation, Goodbye> Parse(const std::string& line, const std::string& socket = {}) {
  std::istringstream words(line);
  return ParseCommandLine({std::istream_iterator<std::string>(words), {}}, socket);
}

Invocation Asks(const std::string& line, const std::string& socket = {}) {
  const auto parsed = Parse(line, socket);
  if (const auto* goodbye = std::get_if<Goodbye>(&parsed)) {
    ADD_FAILURE() << line << ": " << goodbye->text;
    return {};
  }
  return std::get<Invocation>(parsed);
}

Goodbye Ends(const std::string& line) {
  const auto parsed = Parse(line);
  if (const auto* goodbye = std::get_if<Goodbye>(&parsed)) return *goodbye;
  ADD_FAILURE() << line << " was understood";
  return {};
}

TEST(CommandLine, EveryCommandAndItsOtherNames) {
  const std::pair<const char*, Command> kCases[] = {
      {"status", Command::kStatus},      {"port", Command::kPortShow},        {"port show", Command::kPortShow},
      {"port list", Command::kPortShow}, {"port ls", Command::kPortShow},     {"flow", Command::kFlowShow},
      {"flow show", Command::kFlowShow}, {"flow list", Command::kFlowShow},   {"flow ls", Command::kFlowShow},
      {"flow get 7", Command::kFlowGet}, {"flow flush", Command::kFlowFlush}, {"sync", Command::kSync},
      {"stats", Command::kStats},        {"version", Command::kVersion},      {"offload on", Command::kOffload},
  };
  for (const auto& [line, command] : kCases) EXPECT_EQ(Asks(line).command, command) << line;
}

TEST(CommandLine, FiltersAsWordsAndAsOptionsAreTheSame) {
  const Json expected = {
      {"table", "l2_source"}, {"port", "pf0vf3"}, {"destination", "10.0.0.0/8"}, {"state", "offloaded"}, {"vlan", 10}};
  const char* words = " table l2src port pf0vf3 dst 10.0.0.0/8 state offloaded vlan 10";
  EXPECT_EQ(Asks(std::string("flow show") + words).parameters, expected);
  EXPECT_EQ(Asks(std::string("flow flush") + words).parameters, expected);
  const Json options =
      Asks("flow --table l2_source --port=pf0vf3 --dst 10.0.0.0/8 --state offloaded --vlan 10").parameters;
  for (const auto& [name, value] : expected.items()) EXPECT_EQ(options[name], value);
  EXPECT_EQ(Asks("flow show vlan untagged to 2001:db8::1").parameters,
            (Json{{"vlan", 0}, {"destination", "2001:db8::1"}}));
  for (const char* state : {"waiting", "resolving", "programming", "offloaded", "software", "removing"}) {
    EXPECT_EQ(Asks(std::string("flow show state ") + state).parameters["state"], state);
  }
}

TEST(CommandLine, FilterWithoutVerbMeansShow) {
  const std::pair<const char*, const char*> kCases[] = {
      {"flow dst 10.0.0.0/8", "flow show dst 10.0.0.0/8"},
      {"flow to 10.0.0.1 state software", "flow show dst 10.0.0.1 state software"},
      {"flow port pf0vf0", "flow show port pf0vf0"},
      {"flow port show", "flow show port show"},  // an interface may have any name
      {"-j flow -s table l3", "-j flow show -s table l3"},
      {"flow --table l3 dev p0", "flow show --table l3 port p0"},
      {"--socket flow flow --vlan=7 dst 10.0.0.1", "--socket flow flow show vlan 7 dst 10.0.0.1"},
  };
  for (const auto& [brief, full] : kCases) EXPECT_EQ(Asks(brief), Asks(full)) << brief;
  EXPECT_EQ(Asks("flow port flush").command, Command::kFlowShow);
  EXPECT_EQ(Ends("flow dst").text,
            "dpuflowctl: dst: expected an address or a prefix, found nothing\nTry: dpuflowctl help\n");
}

TEST(CommandLine, EmptyFilterIsRefusedAndDoesNotMeanAll) {
  const std::pair<const char*, const char*> kCases[] = {
      {"port", "port: expected the name of an interface, found nothing"},
      {"table", "table: expected guard, l2src, l2dst, l3 or flat, found nothing"},
      {"dst", "dst: expected an address or a prefix, found nothing"},
      {"vlan", "vlan: expected 1 to 4094, or untagged, found nothing"},
  };
  for (const auto& [name, text] : kCases) {
    const Goodbye expected = {kExitUsage, std::string("dpuflowctl: ") + text + "\nTry: dpuflowctl help\n"};
    const std::string option = "--" + std::string(name);
    using Arguments = std::vector<std::string>;
    for (const Arguments& arguments : {Arguments{"flow", "flush", option, ""}, Arguments{"flow", option, "", "flush"},
                                       Arguments{"flow", "flush", name, ""}}) {
      const auto parsed = ParseCommandLine(arguments);
      ASSERT_TRUE(std::holds_alternative<Goodbye>(parsed)) << name;
      EXPECT_EQ(std::get<Goodbye>(parsed), expected);
    }
    EXPECT_EQ(Ends("flow flush " + option + "=").code, kExitUsage) << name;
  }
}

TEST(CommandLine, FilterThatIsThereTwiceIsRefused) {
  EXPECT_EQ(Ends("flow flush port p0 port p1").text,
            "dpuflowctl: port: expected one of this filter, found another one: p1\nTry: dpuflowctl help\n");
  EXPECT_EQ(Ends("flow flush --port p0 dev p1").code, kExitUsage);
}

TEST(CommandLine, FlagsMayStandAnywhere) {
  for (const char* line :
       {"-j -s -d flow show", "flow -j show -s -d", "flow show -jsd", "flow show port p0 -j -s -d"}) {
    const Invocation asked = Asks(line);
    EXPECT_TRUE(asked.json && asked.statistics && asked.details && !asked.pretty) << line;
  }
  EXPECT_TRUE(Asks("-p status").json);  // pretty means JSON
}

TEST(CommandLine, SocketComesFromTheOptionThenTheEnvironment) {
  EXPECT_EQ(Asks("status").socket_path, "/run/dpuflow/dpuflowd.sock");
  EXPECT_EQ(Asks("status", "/tmp/a").socket_path, "/tmp/a");
  EXPECT_EQ(Asks("status --socket /tmp/b", "/tmp/a").socket_path, "/tmp/b");
}

TEST(CommandLine, StatsTakesAnInterval) {
  EXPECT_EQ(Asks("stats").interval.count(), 0);
  EXPECT_EQ(Asks("stats -i 2").interval.count(), 2000);
  EXPECT_EQ(Asks("stats --interval=500ms").interval.count(), 500);
  EXPECT_EQ(Ends("stats -i often").text,
            "dpuflowctl: --interval: expected 1ms to 600s, found often\nTry: dpuflowctl help\n");
  EXPECT_EQ(Ends("status -i 1").code, kExitUsage);
}

TEST(CommandLine, SyncTakesTimesWithUnits) {
  const std::pair<const char*, int> kCases[] = {{"sync", 10000},
                                                {"sync --timeout 5", 5000},
                                                {"sync --timeout 0.5", 500},
                                                {"sync --timeout 500ms", 500},
                                                {"sync --timeout 2m", 120000},
                                                {"sync --timeout 600s", 600000}};
  for (const auto& [line, milliseconds] : kCases) {
    EXPECT_EQ(Asks(line).parameters["timeout_ms"], milliseconds) << line;
    EXPECT_EQ(Asks(line).timeout.count(), milliseconds) << line;
  }
  for (const char* wrong : {"0", "-1", "601", "5h", "x", "nan", "inf", "1e300"}) {
    EXPECT_EQ(Ends(std::string("sync --timeout=") + wrong).code, kExitUsage) << wrong;
  }
}

TEST(CommandLine, VerifyWaitsLonger) {
  EXPECT_EQ(Asks("verify").command, Command::kVerify);
  EXPECT_EQ(Asks("verify").timeout.count(), 60000);
  EXPECT_EQ(Asks("gc").command, Command::kGc);
  EXPECT_FALSE(Asks("gc").now);
  EXPECT_TRUE(Asks("gc --now").now);
  EXPECT_EQ(Asks("verify --timeout 5m").timeout.count(), 300000);
  EXPECT_EQ(Ends("verify --timeout x").code, kExitUsage);
}

TEST(CommandLine, WrongWordsAreAnsweredWithWhatWasExpected) {
  const std::pair<const char*, const char*> kCases[] = {
      {"nonsense",
       "dpuflowctl: expected status, port, flow, explain, offload, sync, verify, stats, gc, version, found nonsense"},
      {"flow frob", "dpuflowctl flow: expected show, get, flush or a filter, found frob"},
      {"status --frob", "dpuflowctl status: expected nothing more, found --frob"},
      {"flow show table l4", "table: expected guard, l2src, l2dst, l3 or flat, found l4"},
      {"flow show table", "table: expected guard, l2src, l2dst, l3 or flat, found nothing"},
      {"flow show desk l3", "filter: expected table, port, dst, state or vlan, found desk"},
      {"flow show state or",
       "state: expected waiting, resolving, programming, offloaded, software or removing, found or"},
      {"flow show dst 10.0.0.0/33", "dst: expected an address or a prefix, found 10.0.0.0/33"},
      {"flow show vlan 4095", "vlan: expected 1 to 4094, or untagged, found 4095"},
      {"flow show vlan 1x", "vlan: expected 1 to 4094, or untagged, found 1x"},
      {"flow get", "ID is required"},
      {"flow get x", "ID: expected the number of a flow, found x"},
      {"flow get 99999999999999999999", "ID: expected the number of a flow, found 99999999999999999999"},
  };
  for (const auto& [line, text] : kCases) {
    EXPECT_EQ(Ends(line), (Goodbye{kExitUsage, std::string("dpuflowctl: ") + text + "\nTry: dpuflowctl help\n"}))
        << line;
  }
  EXPECT_EQ(Ends("").code, kExitUsage);
}

TEST(CommandLine, HelpAndVersion) {
  EXPECT_EQ(Ends("-V"), (Goodbye{kExitOk, "dpuflowctl " DPUFLOW_VERSION "\n"}));
  for (const char* line : {"help", "--help", "-h", "flow help", "flow show --help", "port help"}) {
    const Goodbye help = Ends(line);
    EXPECT_EQ(help.code, kExitOk);
    EXPECT_NE(help.text.find("Usage: dpuflowctl"), std::string::npos) << line << "\n" << help.text;
  }
  EXPECT_NE(Ends("flow show help").text.find("Usage: dpuflowctl flow show"), std::string::npos);
}

TEST(CommandLine, OffloadIsSwitchedAtAllPortsOrAtOne) {
  EXPECT_EQ(Asks("offload off").parameters, (Json{{"on", false}}));
  EXPECT_EQ(Asks("offload on dev pf0vf3").parameters, (Json{{"on", true}, {"port", "pf0vf3"}}));
  EXPECT_NE(Ends("offload maybe").text.find("expected on or off, found maybe"), std::string::npos);
  EXPECT_NE(Ends("offload off pf0vf3").text.find("expected dev, found pf0vf3"), std::string::npos);
  EXPECT_NE(Ends("offload off dev").text.find("the name of a port"), std::string::npos);
  for (const char* line : {"offload", "offload maybe", "offload off dev p0 p1"}) EXPECT_EQ(Ends(line).code, kExitUsage);
}

TEST(CommandLine, ExplainTakesTheWordsOfIpRouteGet) {
  const Json brief = {{"destination", "192.0.2.1"}, {"source", "10.0.0.1"}, {"port", "pf0vf3"}};
  for (const char* line :
       {"explain 192.0.2.1 from 10.0.0.1 iif pf0vf3", "explain to 192.0.2.1 iif pf0vf3 from 10.0.0.1",
        "explain 192.0.2.1 src 10.0.0.1 dev pf0vf3"}) {
    EXPECT_EQ(Asks(line).command, Command::kExplain);
    const Json asked = Asks(line).parameters;
    EXPECT_EQ(asked.size(), brief.size()) << line;
    for (const auto& [name, value] : brief.items()) EXPECT_EQ(asked.value(name, Json()), value) << line;
  }
  const Json whole =
      Asks(
          "-j explain 192.0.2.1 vlan 10 mark 0x10 tos 0x1c dport 443 sport 40000 ipproto tcp iif pf0vf3 from "
          "10.0.0.1")
          .parameters;
  for (const auto& [name, value] : std::map<std::string, int>{{"protocol", 6},
                                                              {"source_port", 40000},
                                                              {"destination_port", 443},
                                                              {"tos", 28},
                                                              {"mark", 16},
                                                              {"vlan", 10}}) {
    EXPECT_EQ(whole[name], value) << name;
  }
  const std::pair<const char*, int> kProtocols[] = {{"tcp", 6},     {"udp", 17},       {"icmp", 1},
                                                    {"icmpv6", 58}, {"ipv6-icmp", 58}, {"47", 47}};
  for (const auto& [word, number] : kProtocols) {
    EXPECT_EQ(Asks(std::string("explain ::1 from ::2 iif port ipproto ") + word).parameters["protocol"], number);
  }
}

TEST(CommandLine, ExplainSaysWhatIsMissingOrWrong) {
  const std::pair<const char*, const char*> kCases[] = {
      {"", "explain: expected the address of the destination, found nothing"},
      {"10.0.0.0/8", "explain: expected the address of the destination, found 10.0.0.0/8"},
      {"10.0.0.1", "explain: expected from SRC, the address that the packet comes from"},
      {"10.0.0.1 from 10.0.0.2", "explain: expected iif PORT, the port that it enters by"},
      {"10.0.0.1 from", "from: expected an IPv4 address, found nothing"},
      {"10.0.0.1 from ::1", "from: expected an IPv4 address, found ::1"},
      {"::1 from 10.0.0.1", "from: expected an IPv6 address, found 10.0.0.1"},
      {"10.0.0.1 from 10.0.0.2 iif", "iif: expected the name of an interface, found nothing"},
      {"10.0.0.1 from 10.0.0.2 from 10.0.0.3", "from: expected it once, found it again: 10.0.0.3"},
      {"10.0.0.1 oif p0",
       "explain: expected from, iif, ipproto, sport, dport, tos, mark, vlan, src_mac or dst_mac, found oif"},
      {"10.0.0.1 ipproto xyz", "ipproto: expected tcp, udp, icmp, icmpv6 or 1 to 255, found xyz"},
      {"10.0.0.1 ipproto 0", "ipproto: expected tcp, udp, icmp, icmpv6 or 1 to 255, found 0"},
      {"10.0.0.1 sport 65536", "sport: expected 1 to 65535, found 65536"},
      {"10.0.0.1 dport -1", "dport: expected 1 to 65535, found -1"},
      {"10.0.0.1 tos 10", "tos: expected 0x00 to 0xff, found 10"},
      {"10.0.0.1 mark 0x1ffffffff", "mark: expected 0 to 4294967295, found 0x1ffffffff"},
      {"10.0.0.1 vlan 4095", "vlan: expected 1 to 4094, found 4095"},
      {"10.0.0.1 dst_mac 02:00:00:00:01", "dst_mac: expected a MAC address, found 02:00:00:00:01"},
      {"10.0.0.1 from 10.0.0.2 iif p0 ipproto icmp sport 7", "explain: sport and dport are of tcp and udp only"},
  };
  for (const auto& [words, text] : kCases) {
    EXPECT_EQ(Ends(std::string("explain ") + words),
              (Goodbye{kExitUsage, std::string("dpuflowctl: ") + text + "\nTry: dpuflowctl help\n"}))
        << words;
  }
}

}  // namespace
}  // namespace dpuflow::ctl
