// SPDX-License-Identifier: Apache-2.0
//
// What the agent's own work costs on this machine: codecs, the pipeline and its indexes, a question to this kernel. Google
// Benchmark's command line: native --help.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <vector>

#include "agent/flow/pipeline.h"
#include "agent/offload/comparison.h"
#include "agent/offload/flower_mapping.h"
#include "netlink/rtnl.h"
#include "netlink/socket.h"
#include "netlink/tc.h"
#include "tests/unit/agent/driven.h"

namespace dpuflow {
namespace {

using flow::FlowId;
using flow::Pipeline;
using flow::TimePoint;
using namespace driven;
using netlink::MessageBuffer;

netlink::Filter SomeFilter() {
  flow::Rule rule;
  rule.match.port = kPod;
  rule.match.destination = IpPrefix::Host(DestinationOf(1));
  rule.action = flow::RouteTo{{kUplink, kUplinkMac, kNextHopMac}};
  return offload::ToFilter(rule, 1, 1);
}

// ---- codecs

void RuleToFilter(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(SomeFilter());
}
BENCHMARK(RuleToFilter);

void EncodeAdd(benchmark::State& state) {
  const netlink::Filter filter = SomeFilter();
  MessageBuffer buffer;
  for (auto _ : state) {
    benchmark::DoNotOptimize(netlink::AppendFilterAdd(buffer, 1, filter));
    buffer.Clear();
  }
}
BENCHMARK(EncodeAdd);

void ParseEcho(benchmark::State& state) {
  MessageBuffer buffer;
  (void)netlink::AppendFilterAdd(buffer, 1, SomeFilter());
  const auto& header = *reinterpret_cast<const nlmsghdr*>(buffer.bytes().data());
  for (auto _ : state) benchmark::DoNotOptimize(netlink::ParseFilter(header));
}
BENCHMARK(ParseEcho);

// An entry of an earlier run: read in full, and found to be one that we would have written.
void ParseAndRecognize(benchmark::State& state) {
  MessageBuffer buffer;
  (void)netlink::AppendFilterAdd(buffer, 1, SomeFilter());
  const auto& header = *reinterpret_cast<const nlmsghdr*>(buffer.bytes().data());
  for (auto _ : state) {
    auto filter = netlink::ParseFilter(header);
    filter->in_hw = true;  // as the kernel adds
    if (!offload::Recognize(*filter)) return state.SkipWithError("it is not recognized");
  }
}
BENCHMARK(ParseAndRecognize);

void ParseCounters(benchmark::State& state) {
  MessageBuffer buffer;
  (void)netlink::AppendFilterAdd(buffer, 1, SomeFilter());
  const auto& header = *reinterpret_cast<const nlmsghdr*>(buffer.bytes().data());
  for (auto _ : state) benchmark::DoNotOptimize(netlink::ParseTerse(header));
}
BENCHMARK(ParseCounters);

// ---- the pipeline

// From the misses of new flows to the outcomes of their operations; per flow.
void NewFlows(benchmark::State& state) {
  const auto flows = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    Driven driven(flows);
    driven.Fill(flows);
    benchmark::DoNotOptimize(driven.pipeline.flows().size());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(NewFlows)->Arg(1000)->Arg(100'000)->Unit(benchmark::kMillisecond);

// Entries of an earlier run become flows; per entry.
void Adopt(benchmark::State& state) {
  const auto flows = static_cast<std::size_t>(state.range(0));
  flow::Rule rule;
  rule.match.port = kPod;
  rule.action = flow::RouteTo{{kUplink, kUplinkMac, kNextHopMac}};
  for (auto _ : state) {
    Driven driven(flows);
    for (std::size_t number = 0; number < flows; ++number) {
      rule.match.destination = IpPrefix::Host(DestinationOf(number));
      const auto id = static_cast<FlowId>(1'000'000 + number);
      if (!driven.pipeline.Adopt(id, rule, 1, MissOf(number), driven.now)) return state.SkipWithError("not adopted");
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(Adopt)->Arg(50'000)->Unit(benchmark::kMillisecond);

// A miss of a flow that stands already, as those are that came up meanwhile.
void KnownFlow(benchmark::State& state) {
  Driven driven(1000);
  driven.Fill(1000);
  for (auto _ : state) driven.pipeline.OnMiss(MissOf(500), driven.now);
}
BENCHMARK(KnownFlow);

// The counters of all flows of a port; the agent judges them in slices.
void Sweep(benchmark::State& state) {
  const auto flows = static_cast<std::size_t>(state.range(0));
  Driven driven(flows);
  driven.Fill(flows);
  flow::Sweep sweep{kPod, driven.now};
  for (const auto& [id, flow] : driven.pipeline.flows().all()) {
    if (flow.port() == kPod) sweep.samples.push_back({id, 0, 0, true});
  }
  for (auto _ : state) {
    sweep.began += std::chrono::microseconds(1);
    for (flow::Sample& sample : sweep.samples) ++sample.packets;
    sweep.looked_at = sweep.found = 0;
    sweep.unseen.reset();
    driven.pipeline.OnSweep(sweep, sweep.samples.size());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(Sweep)->Arg(1000)->Arg(100'000)->Unit(benchmark::kMillisecond);

// What is looked through each second.
void Tick(benchmark::State& state) {
  const auto flows = static_cast<std::size_t>(state.range(0));
  Driven driven(flows);
  driven.Fill(flows);
  for (auto _ : state) driven.pipeline.OnTick(driven.now, flows);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(Tick)->Arg(1000)->Arg(100'000)->Unit(benchmark::kMillisecond);

// A route that no flow rests on, beside so many.
void OtherRoute(benchmark::State& state) {
  const auto flows = static_cast<std::size_t>(state.range(0));
  Driven driven(flows);
  driven.Fill(flows);
  const flow::Change change = flow::RouteChanged{IpPrefix{IpAddress::V4(172, 16, 1, 0), 24}};
  for (auto _ : state) driven.pipeline.OnChange(change, driven.now);
}
BENCHMARK(OtherRoute)->Arg(0)->Arg(100'000);

// A next hop that all flows go by moves: asked again, and found as it was.
void NextHopMoves(benchmark::State& state) {
  const auto flows = static_cast<std::size_t>(state.range(0));
  Driven driven(flows);
  driven.Fill(flows);
  for (auto _ : state) {
    driven.pipeline.OnChange(flow::NeighChanged{kNextHop}, driven.now);
    driven.Work();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(NextHopMoves)->Arg(1000)->Arg(50'000)->Unit(benchmark::kMillisecond);

// ---- this machine's kernel

// RTM_GETROUTE in batches, as the resolver asks; per question.
void AskKernel(benchmark::State& state) {
  auto socket = netlink::Socket::Open({});
  if (!socket) return state.SkipWithError("no netlink socket here");
  for (auto _ : state) {
    MessageBuffer requests;
    for (std::size_t flow = 0; flow < kBatch; ++flow) {
      netlink::RouteQuery query;
      query.destination = IpAddress::V4(127, 0, 0, static_cast<std::uint8_t>(flow));
      query.fib_match = true;
      netlink::AppendRouteQuery(requests, socket->NextSeq(), query);
    }
    const auto answers = socket->AskBatch(requests, "ask for a route");
    if (!answers.front()) return state.SkipWithError(ToString(answers.front().error()).c_str());
    for (const auto& answer : answers) {
      if (answer) benchmark::DoNotOptimize(netlink::ParseRoute(answer->header()));
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBatch));
}
BENCHMARK(AskKernel);

}  // namespace
}  // namespace dpuflow

BENCHMARK_MAIN();
