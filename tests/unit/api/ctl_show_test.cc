// SPDX-License-Identifier: Apache-2.0
//
// What people see, word for word. The replies fit the interface definition, so that these are what a daemon sends.
#include "agent/ctl/show.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "agent/api/idl.h"
#include "agent/api/interfaces.h"

namespace dpuflow::ctl {
namespace {

using api::Json;

void ExpectFits(const char* method, const Json& reply) {
  static const auto kInterface = api::ParseInterface(api::kAgentInterface);
  EXPECT_EQ(api::Mismatch(*kInterface, kInterface->methods.at(method).output, reply), std::nullopt) << method;
}

std::size_t Widest(const std::string& text) {
  std::istringstream lines(text);
  std::size_t widest = 0;
  for (std::string line; std::getline(lines, line);) widest = std::max(widest, line.size());
  return widest;
}

std::string Show(const std::vector<Json>& flows, const Style& style = {}) {
  FlowList list(style);
  std::string text;
  for (const Json& flow : flows) {
    ExpectFits("ListFlows", {{"flow", flow}});
    text += list.Add(flow);
  }
  return text + list.Finish();
}

const Json kGuard = Json::parse(R"({
  "id": 1, "table": "guard", "port": "pf0vf3", "ifindex": 12, "ethertype": 2048,
  "match": {"ttl": 0, "ttl_mask": 254}, "actions": {"trap": true}, "state": "offloaded",
  "age_ms": 3600000, "idle_ms": 3600000, "packets": 3, "bytes": 192, "packets_per_second": 0, "bits_per_second": 0,
  "tc": {"chain": 0, "prio": 1, "handle": 1}})");
const Json kSource = Json::parse(R"({
  "id": 101, "table": "l2_source", "port": "pf0vf3", "ifindex": 12, "ethertype": 2048,
  "match": {"src_mac": "02:00:00:00:03:01", "source": "10.244.103.105"},
  "actions": {"goto_table": "l2_destination"}, "state": "offloaded", "age_ms": 12345, "idle_ms": 250,
  "packets": 10000, "bytes": 15000000, "packets_per_second": 4234567, "bits_per_second": 33600000000,
  "tc": {"chain": 0, "prio": 5, "handle": 2}})");
const Json kRoute = Json::parse(R"({
  "id": 102, "table": "l3", "port": "pf0vf3", "ifindex": 12, "vlan": 10, "ethertype": 2048,
  "match": {"destination": "192.0.2.77", "unfragmented": true},
  "actions": {"pop_vlan": true, "set_src_mac": "02:00:00:00:00:01", "set_dst_mac": "02:00:00:00:00:02",
              "decrement_ttl": true, "egress": "p0"},
  "state": "offloaded", "age_ms": 12345, "idle_ms": 250,
  "packets": 10000, "bytes": 15000000, "packets_per_second": 999, "bits_per_second": 11988000,
  "tc": {"chain": 2, "prio": 1, "handle": 17},
  "route": {"prefix": "192.0.2.0/24", "table": 254, "nexthop_id": 12, "gateway": "198.51.100.1"}})");
const Json kRefused = Json::parse(R"({
  "id": 103, "table": "l3", "port": "pf0vf3", "ifindex": 12, "ethertype": 34525,
  "match": {"destination": "2001:db8::77", "protocol": 6, "source_port": 40000, "destination_port": 179},
  "actions": {"egress": "p0"}, "state": "software", "reason": "cannot add filter: No space left on device (ENOSPC): full", "why": "refused",
  "age_ms": 59999, "idle_ms": 0, "packets": 0, "bytes": 0, "packets_per_second": 0, "bits_per_second": 0,
  "route": {"prefix": "2001:db8::/32", "table": 100}})");

TEST(ShowFlow, OneLineEach) {
  const std::string text = Show({kGuard, kSource, kRoute, kRefused});
  EXPECT_EQ(text, R"( ID TABLE PORT   KEY                              TO    STATE      IDLE RATE
  1 guard pf0vf3 ttl 0/0xfe                       trap  offloaded  1h0m 0pps
101 l2src pf0vf3 02:00:00:00:03:01 10.244.103.105 l2dst offloaded 250ms 4.2Mpps
102 l3    pf0vf3 192.0.2.77 vlan 10               p0    offloaded 250ms 999pps
103 l3    pf0vf3 2001:db8::77 proto 6 40000>179   p0    software      - refused: cannot add filter: No space left on device (ENOSPC): full
)");
}

TEST(ShowFlow, FitsEightyColumns) {
  EXPECT_LE(Widest(Show({kGuard, kSource, kRoute}, {.statistics = true, .details = true})), 80U);
}

TEST(ShowFlow, DetailsAndStatisticsAreOnFurtherLines) {
  EXPECT_EQ(Show({kRoute}, {.statistics = true, .details = true}),
            R"( ID TABLE PORT   KEY                TO STATE      IDLE RATE
102 l3    pf0vf3 192.0.2.77 vlan 10 p0 offloaded 250ms 999pps
    match ipv4 vlan 10 dst 192.0.2.77 unfragmented
    action pop_vlan set src_mac 02:00:00:00:00:01 set dst_mac 02:00:00:00:00:02
      dec_ttl redirect p0
    route 192.0.2.0/24 table main nexthop 12 via 198.51.100.1
    tc filter show dev pf0vf3 ingress chain 2 prio 1 handle 0x11
    age 12.3s idle 250ms packets 10000 bytes 15000000 999pps 12.0Mbps
)");
}

TEST(ShowFlow, AFlatEntryShowsItsSenderAndWhereItGoes) {
  Json routed = kRoute;
  routed["table"] = "flat";
  routed["match"]["src_mac"] = "02:00:00:00:03:01";
  routed["match"]["dst_mac"] = "02:00:00:00:00:03";
  Json bridged = routed;
  bridged["match"].erase("destination");
  bridged.erase("vlan");
  bridged["ethertype"] = 34525;
  EXPECT_EQ(Show({routed, bridged}),
            R"( ID TABLE PORT   KEY                                      TO STATE      IDLE RATE
102 flat  pf0vf3 02:00:00:00:03:01 192.0.2.77 vlan 10     p0 offloaded 250ms 999pps
102 flat  pf0vf3 02:00:00:00:03:01>02:00:00:00:00:03 ipv6 p0 offloaded 250ms 999pps
)");
}

TEST(ShowFlow, NoFlowsNoText) { EXPECT_EQ(Show({}), ""); }

TEST(ShowFlow, ColoursAreOnlyAround) {
  const std::string plain = Show({kRoute});
  std::string colored = Show({kRoute}, {.colors = true});
  EXPECT_NE(colored.find("\x1b[32moffloaded\x1b[0m"), std::string::npos);
  for (const std::string escape : {"\x1b[32m", "\x1b[0m"}) colored.erase(colored.find(escape), escape.size());
  EXPECT_EQ(colored, plain);
}

TEST(ShowFlow, LongListComesInPieces) {
  FlowList list({});
  std::string text;
  std::size_t pieces = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string piece = list.Add(kSource);
    pieces += piece.empty() ? 0 : 1;
    text += piece;
  }
  text += list.Finish();
  EXPECT_EQ(pieces, 3U);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1001);
}

TEST(ShowFlow, StrangeReplyIsShownAsFarAsItGoes) {
  FlowList list({.statistics = true, .details = true});
  list.Add(Json::parse(R"({"id": "x", "match": 7, "tc": [], "route": 1, "state": null})"));
  list.Add(Json());
  EXPECT_NE(list.Finish().find("x"), std::string::npos);
}

Json Explained() {
  Json reply = Json::parse(R"({
    "classification": {"verdict": "forwarded", "kind": "forwarded", "text": "data; the classifier forwards it"},
    "source": "valid",
    "route": {"prefix": "192.0.2.0/24", "table": 254, "rule": 32766, "type": "unicast", "protocol": "bgp",
              "scope": "global", "metric": 20, "nexthop_id": 12, "why": "path 2 of 2, by the hash",
              "paths": [{"gateway": "198.51.100.1", "egress": "p0", "weight": 1, "taken": false, "flags": ["dead"]},
                        {"gateway": "198.51.100.2", "egress": "p0", "weight": 3, "taken": true}]},
    "neighbour": {"address": "198.51.100.2", "port": "p0", "mac": "02:00:00:00:00:02", "state": "REACHABLE"},
    "mtu": 1500, "largest_packet": 9000, "decision": "forward",
    "key": {"ethertype": 2048, "match": {"destination": "192.0.2.77"}},
    "entries_left_out": 0, "in_hardware": false, "notes": ["it is a test"],
    "summary": "in software: its entries are added when a packet asks for them"})");
  reply["entries"] = {kSource};
  return reply;
}

TEST(ShowExplanation, OneParagraphPerQuestionThenTheSummary) {
  const Json reply = Explained();
  ExpectFits("Explain", reply);
  const Json parameters = {{"destination", "192.0.2.77"},
                           {"source", "10.244.103.105"},
                           {"port", "pf0vf3"},
                           {"protocol", 6},
                           {"destination_port", 443},
                           {"tos", 16}};
  EXPECT_EQ(ShowExplanation(parameters, reply),
            R"(192.0.2.77 from 10.244.103.105 iif pf0vf3 ipproto tcp dport 443 tos 0x10
    class forwarded: data; the classifier forwards it
    route unicast 192.0.2.0/24 table main rule 32766 proto bgp scope global
      metric 20 nhid 12
      path via 198.51.100.1 dev p0 weight 1 dead
      path via 198.51.100.2 dev p0 weight 3: path 2 of 2, by the hash
    neigh 198.51.100.2 dev p0 lladdr 02:00:00:00:00:02 REACHABLE
    mtu 1500, the port lets in 9000
    key ipv4 untagged dst 192.0.2.77
    l2src id 101 02:00:00:00:03:01 10.244.103.105 to l2dst offloaded age 12.3s
      idle 250ms packets 10000 bytes 15000000
      tc -s filter get dev pf0vf3 ingress protocol ip chain 0 pref 5 handle 0x2 flower
    l2dst none: added when a packet asks for it
    l3 none: added when a packet asks for it
    note it is a test
in software: its entries are added when a packet asks for them
)");
}

TEST(ShowExplanation, WhatStaysInSoftwareSaysWhyAndHowToChangeIt) {
  Json reply = Explained();
  for (const char* name : {"route", "neighbour", "mtu", "key"}) reply.erase(name);
  reply["entries"] = Json::array();
  reply["notes"] = Json::array();
  reply["classification"] = {{"verdict", "not_a_port"}, {"kind", "stack"}, {"text", "the classifier lets it pass"}};
  reply["decision"] = "software";
  reply["summary"] = "in software: offload is switched off at pf0vf3";
  reply["hint"] = "dpuflowctl offload on dev pf0vf3";
  ExpectFits("Explain", reply);
  EXPECT_EQ(ShowExplanation({{"destination", "192.0.2.77"}, {"source", "10.0.0.1"}, {"port", "pf0vf3"}}, reply),
            R"(192.0.2.77 from 10.0.0.1 iif pf0vf3
    class stack (not_a_port): the classifier lets it pass
    l2src none
    l2dst none
    l3 none
in software: offload is switched off at pf0vf3
    to change that: dpuflowctl offload on dev pf0vf3
)");
}

TEST(ShowExplanation, WithoutChainsThereIsOneEntry) {
  Json reply = Explained();
  reply["chains"] = false;
  reply["entries"] = Json::array();
  reply["entries_left_out"] = 0;
  ExpectFits("Explain", reply);
  const std::string text =
      ShowExplanation({{"destination", "192.0.2.77"}, {"source", "10.0.0.1"}, {"port", "pf0vf3"}}, reply);
  EXPECT_NE(text.find("    flat none: added when a packet asks for it\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("l3"), std::string::npos) << text;
}

const Json kPorts = Json::parse(R"([
  {"name": "p0", "ifindex": 3, "role": "uplink", "switch_id": "0a1b2c", "devlink": "pci/0000:03:00.0/1",
   "mac": "02:00:00:00:00:01", "mtu": 9000, "carrier": true, "state": "ready",
   "offload": true, "guards": 4, "l2_source": 2, "l2_destination": 1, "l3": 1200, "flat": 0, "misses": 1234},
  {"name": "pf0vf3", "ifindex": 12, "role": "vf", "controller": 1, "pf": 0, "vf": 3, "switch_id": "0a1b2c",
   "devlink": "pci/0000:03:00.0/7", "mac": "02:00:00:00:00:03", "mtu": 1500, "carrier": false, "state": "refused",
   "reason": "it is a port of the bond bond0", "hint": "ip link set dev pf0vf3 nomaster",
   "offload": true, "guards": 0, "l2_source": 0, "l2_destination": 0, "l3": 0, "flat": 0, "misses": 0}])");

TEST(ShowPort, RefusedPortSaysWhyAndWhatToType) {
  ExpectFits("ListPorts", {{"ports", kPorts}});
  EXPECT_EQ(ShowPorts(kPorts, {}), R"(PORT   ROLE   FUNCTION STATE
p0     uplink -        ready
pf0vf3 vf     c1pf0vf3 refused
    it is a port of the bond bond0
    to free it: ip link set dev pf0vf3 nomaster
)");
  EXPECT_EQ(ShowPorts(Json::array({kPorts[0]}), {.details = true}),
            R"(PORT ROLE   FUNCTION STATE
p0   uplink -        ready
    ifindex 3 mac 02:00:00:00:00:01 mtu 9000 carrier devlink pci/0000:03:00.0/1
      switch 0a1b2c
)");
}

TEST(ShowPort, StatisticsAreEntriesAndMissesOfEach) {
  EXPECT_EQ(ShowPorts(kPorts, {.statistics = true}), R"(PORT   ROLE   FUNCTION STATE   GUARDS L2SRC L2DST   L3 MISSES
p0     uplink -        ready        4     2     1 1200   1234
pf0vf3 vf     c1pf0vf3 refused      0     0     0    0      0
    it is a port of the bond bond0
    to free it: ip link set dev pf0vf3 nomaster
)");
}

TEST(ShowPort, OneWithoutChainsSaysSo) {
  Json ports = kPorts;
  ports[0]["chains"] = false;
  ports[0]["flat"] = 17;
  ExpectFits("ListPorts", {{"ports", ports}});
  EXPECT_EQ(ShowPorts(Json::array({ports[0]}), {.statistics = true, .details = true}),
            R"(PORT ROLE   FUNCTION STATE GUARDS L2SRC L2DST   L3 FLAT MISSES
p0   uplink -        ready      4     2     1 1200   17   1234
    ifindex 3 mac 02:00:00:00:00:01 mtu 9000 carrier devlink pci/0000:03:00.0/1
      switch 0a1b2c
    no chains: its entries are in one flat table
)");
}

const Json kStatus = Json::parse(R"({
  "version": "0.1.0", "pid": 812, "uptime_ms": 12345678, "kernel": "6.1.0-56-amd64", "ready": true,
  "switches": [{"switch_id": "0a1b2c", "devlink": "pci/0000:03:00.0", "eswitch_mode": "switchdev", "chains": true}],
  "ports_ready": 4, "ports_preparing": 0, "ports_refused": 1,
  "flows": [{"table": "guard", "state": "offloaded", "count": 8}, {"table": "l3", "state": "offloaded", "count": 12},
            {"table": "l3", "state": "waiting", "count": 3}],
  "queues": [{"name": "misses", "depth": 0, "peak": 12, "limit": 4096, "overflows": 0}],
  "events": {"route": 123, "neigh": 4}, "last_resync_ms": 12345678,
  "audit": {"period_ms": 60000, "ended_ms": 5000, "took_ms": 61000},
  "settings": {"idle_time_ms": 30000, "poll_period_ms": 1000}})");

TEST(ShowStatus, AtAGlance) {
  ExpectFits("GetStatus", kStatus);
  const std::string brief = R"(dpuflowd 0.1.0, pid 812, up 3h25m, kernel 6.1.0-56-amd64, ready
switch    pci/0000:03:00.0 switchdev, chains, id 0a1b2c
ports     4 ready, 0 preparing, 1 refused
guard     8 offloaded
l2src     none
l2dst     none
l3        12 offloaded, 3 waiting
sync      never
audit     every 1m0s, the last took 1m1s, ended 5.0s ago
)";
  EXPECT_EQ(ShowStatus(kStatus, {}), brief);
  EXPECT_EQ(ShowStatus(kStatus, {.details = true}), brief + R"(resync    3h25m ago
events    route 123, neigh 4
queue     misses 0 of 4096, peak 12, overflows 0
settings  idle_time_ms 30000, poll_period_ms 1000
)");
}

TEST(ShowStatus, WithoutChainsThereIsAFlatTable) {
  Json status = kStatus;
  status["switches"][0]["chains"] = false;
  status["flows"] = Json::array({{{"table", "flat"}, {"state", "offloaded"}, {"count", 5}}});
  ExpectFits("GetStatus", status);
  const std::string text = ShowStatus(status, {});
  EXPECT_NE(text.find("switchdev, no chains (one flat table), id 0a1b2c\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\nflat      5 offloaded\n"), std::string::npos) << text;
}

TEST(ShowStats, ZeroesAreLeftOutUnlessAsked) {
  const Json counters = Json::parse(R"([
    {"name": "dpuflow_packets_total", "labels": {"verdict": "data", "protocol": "bgp"}, "value": 1204,
     "kind": "counter", "help": "Packets that the classifier saw."},
    {"name": "dpuflow_refusals_total", "labels": {"errno": "ENOSPC"}, "value": 0, "kind": "counter"}])");
  ExpectFits("GetStats", {{"counters", counters}});
  EXPECT_EQ(ShowStats(counters, {}), R"(VALUE COUNTER
 1204 dpuflow_packets_total verdict=data protocol=bgp
)");
  EXPECT_EQ(ShowStats(counters, {.details = true}), R"(VALUE COUNTER
 1204 dpuflow_packets_total verdict=data protocol=bgp
    # Packets that the classifier saw.
    0 dpuflow_refusals_total errno=ENOSPC
)");
}

Json LatencyOf(std::int64_t fast, std::int64_t slow, std::int64_t endless, std::int64_t sum) {
  Json samples = Json::array();
  const auto add = [&](const char* name, Json labels, std::int64_t value) {
    labels["stage"] = "total";
    samples.push_back({{"name", name},
                       {"labels", std::move(labels)},
                       {"value", value},
                       {"kind", "histogram"},
                       {"help", "How long a flow takes."}});
  };
  add("dpuflow_flow_microseconds_bucket", {{"le", "100"}}, fast);
  add("dpuflow_flow_microseconds_bucket", {{"le", "200"}}, fast + slow);
  add("dpuflow_flow_microseconds_bucket", {{"le", "+Inf"}}, fast + slow + endless);
  add("dpuflow_flow_microseconds_sum", Json::object(), sum);
  add("dpuflow_flow_microseconds_count", Json::object(), fast + slow + endless);
  return samples;
}

Json WithMore(Json samples, std::int64_t misses, std::int64_t depth) {
  samples.push_back(
      {{"name", "dpuflow_misses_total"}, {"labels", Json::object()}, {"value", misses}, {"kind", "counter"}});
  samples.push_back(
      {{"name", "dpuflow_queue_depth"}, {"labels", {{"queue", "kernel"}}}, {"value", depth}, {"kind", "gauge"}});
  return samples;
}

TEST(ShowStats, AHistogramIsOneLine) {
  const Json counters = LatencyOf(60, 35, 5, 9000);
  ExpectFits("GetStats", {{"counters", counters}});
  EXPECT_EQ(ShowStats(counters, {}),
            "VALUE COUNTER\n"
            "  100 dpuflow_flow_microseconds stage=total: p50 <= 100, p90 <= 200, p99 > 200, mean 90\n");
  EXPECT_EQ(ShowStats(LatencyOf(0, 0, 0, 0), {}), "");
  EXPECT_EQ(ShowStats(LatencyOf(0, 0, 0, 0), {.details = true}),
            "VALUE COUNTER\n"
            "    0 dpuflow_flow_microseconds stage=total\n"
            "    # How long a flow takes.\n");
}

TEST(ShowRates, WhatHasMovedMeanwhile) {
  const Json before = WithMore(LatencyOf(60, 35, 5, 9000), 1000, 7);
  const Json after = WithMore(LatencyOf(60, 55, 5, 12000), 1030, 3);
  EXPECT_EQ(ShowRates(before, after, std::chrono::seconds(2), {}),
            "PER SECOND VALUE COUNTER\n"
            "      10.0   120 dpuflow_flow_microseconds stage=total: p50 <= 200, p90 <= 200, p99 <= 200, mean 150\n"
            "      15.0  1030 dpuflow_misses_total\n"
            "               3 dpuflow_queue_depth queue=kernel\n");
  const Json rates = WithRates(before, after, std::chrono::seconds(2));
  ASSERT_EQ(rates.size(), after.size());
  EXPECT_EQ(rates[5]["per_second"], 15.0);
  EXPECT_EQ(rates[5]["value"], 1030);
  EXPECT_FALSE(rates[6].contains("per_second")) << "a gauge has none";
}

TEST(ShowRates, WhatWasNotThereBeforeCountsFromZero) {
  const Json after = WithMore(Json::array(), 30, 0);
  EXPECT_EQ(ShowRates(Json::array(), after, std::chrono::seconds(1), {}),
            "PER SECOND VALUE COUNTER\n"
            "      30.0    30 dpuflow_misses_total\n");
}

TEST(ShowSync, SaysWhatWasWaitedFor) {
  const Json reply = {{"events_read", 12}, {"flows_resolved", 1}, {"operations_acknowledged", 0}, {"took_ms", 84}};
  ExpectFits("Sync", reply);
  EXPECT_EQ(ShowSync(reply), "in step after 84ms: 12 events read, 1 flow resolved, 0 operations acknowledged\n");
}

TEST(ShowVerify, EachDifferenceAndHowMuchWasLookedAt) {
  Json reply = Json::parse(R"({"differences": [
    {"kind": "actions", "port": "pf0vf0", "flow": 12, "expected": "chain 2 pref 1 ...", "found": "chain 2 pref 1 drop"},
    {"kind": "classifier", "port": "p0", "expected": "the classifier in chain 1"}],
    "entries": 40, "flows": 1, "took_ms": 25})");
  ExpectFits("Verify", reply);
  EXPECT_EQ(ShowVerify(reply), R"(pf0vf0 actions flow 12
    expected chain 2 pref 1 ...
    found    chain 2 pref 1 drop
p0 classifier
    expected the classifier in chain 1
    found    nothing
2 differences, being mended, in 40 entries and for 1 flow; 25ms
)");
  reply["differences"] = Json::array();
  reply["incomplete"] = "pf0vf0 has gone";
  EXPECT_EQ(ShowVerify(reply),
            "no difference in 40 entries and for 1 flow; 25ms\nnot all could be looked at: pf0vf0 has gone\n");
}

TEST(ShowError, EachIsOneSentence) {
  EXPECT_EQ(ShowError({{{"id", 7}}, false, api::kNoSuchFlow}), "no flow has the id 7");
  EXPECT_EQ(ShowError({{{"port", "x"}}, false, api::kNoSuchPort}),
            "the switch has no port x (dpuflowctl port show lists them)");
  EXPECT_EQ(ShowError({{{"timeout_ms", 5000}, {"events_pending", 0}, {"flows_pending", 2}, {"operations_pending", 1}},
                       false,
                       api::kSyncTimeout}),
            "not in step after 5.0s: 0 events, 2 flows and 1 operation are pending");
  EXPECT_EQ(ShowError({{{"parameter", "vlan"}}, false, api::kInvalidParameter}), "dpuflowd refuses the value of vlan");
  EXPECT_EQ(ShowError({{{"a", 1}}, false, "x.y.Z"}), R"(dpuflowd answers x.y.Z {"a":1})");
  EXPECT_EQ(ShowError({{}, false, api::kNotReady}), "dpuflowd cannot answer this now: -");
}

TEST(Format, TimesAndRates) {
  const std::pair<std::int64_t, const char*> kTimes[] = {
      {0, "0ms"},          {999, "999ms"},    {1000, "1.0s"},       {59999, "59.9s"},   {60000, "1m0s"},
      {3599999, "59m59s"}, {3600000, "1h0m"}, {86399999, "23h59m"}, {86400000, "1d0h"}, {-5, "-5ms"},
  };
  for (const auto& [milliseconds, text] : kTimes) EXPECT_EQ(FormatTime(milliseconds), text);
  const std::pair<std::int64_t, const char*> kRates[] = {
      {0, "0pps"},         {999, "999pps"},     {1000, "1.0kpps"},    {99949, "99.9kpps"},    {99950, "100kpps"},
      {999499, "999kpps"}, {999500, "1.0Mpps"}, {4234567, "4.2Mpps"}, {INT64_MAX, "9.2Epps"},
  };
  for (const auto& [rate, text] : kRates) EXPECT_EQ(FormatRate(rate, "pps"), text);
  EXPECT_EQ(FormatEthertype(0x88cc), "0x88cc");
}

TEST(Format, ParagraphBreaksBetweenWords) {
  EXPECT_EQ(Paragraph(4, {}), "");
  EXPECT_EQ(Paragraph(4, {"a", "b"}), "    a b\n");
  const std::string wide(78, 'x');
  EXPECT_EQ(Paragraph(0, {wide, "a", "b"}), wide + " a\n  b\n");
  EXPECT_EQ(Paragraph(2, {"a", wide}), "  a\n    " + wide + "\n");
}

TEST(ShowPorts, SaysWhereOffloadIsSwitchedOff) {
  Json ports = kPorts;
  ports[0]["offload"] = false;
  EXPECT_NE(ShowPorts(ports, {}).find("offload is off; to switch it on: dpuflowctl offload on dev p0"),
            std::string::npos);
  EXPECT_EQ(ShowPorts(kPorts, {}).find("offload is off"), std::string::npos);
}

TEST(ShowOffload, SaysWhatIsSoNow) {
  EXPECT_EQ(ShowOffload({{"on", false}}, {{"ports", {"p0", "pf0vf0"}}}), "offload is off at 2 ports\n");
  EXPECT_EQ(ShowOffload({{"on", true}, {"port", "p0"}}, {{"ports", {"p0"}}}), "offload is on at 1 port\n");
}

}  // namespace
}  // namespace dpuflow::ctl
