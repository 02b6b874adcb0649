// SPDX-License-Identifier: Apache-2.0
//
// What this machine's kernel does for each packet that hardware misses: the classifier, by BPF_PROG_RUN, and the resolver's
// questions. In a network namespace of their own (tests/bpf/fixture.h); needs root, and says so where there is none.
#include <benchmark/benchmark.h>

#include <utility>
#include <vector>

#include "agent/kernel/resolver.h"
#include "netlink/rtnl.h"
#include "netlink/socket.h"
#include "tests/bpf/fixture.h"

namespace dpuflow {
namespace {

constexpr std::string_view kBehindUplink = "198.51.100.7";

class Dpu : public test::ClassifierTest {
 public:
  Dpu() { SetUp(); }
  void TestBody() override {}
  using ClassifierTest::Run;

  [[nodiscard]] bool ready() const { return classifier_.has_value(); }
  [[nodiscard]] Classifier& classifier() { return *classifier_; }
  [[nodiscard]] static test::Frame Routed() { return FromPod0(kBehindUplink).Build(); }
};

// The program alone, as the kernel times it. One packet each time: the next one would find what this one has become.
void Classify(benchmark::State& state, const test::Frame& frame) {
  Dpu dpu;
  if (!dpu.ready()) return state.SkipWithError("needs root");
  for (auto _ : state) {
    const test::RunResult run = dpu.Run(frame);
    if (run.error != 0) return state.SkipWithError("it did not run");
    state.SetIterationTime(run.nanoseconds * 1e-9);
  }
}

void ClassifyAndForward(benchmark::State& state) { Classify(state, Dpu::Routed()); }
BENCHMARK(ClassifyAndForward)->UseManualTime();

void ClassifyForTheStack(benchmark::State& state) {
  Classify(state, test::ArpRequest(test::kPod0Neighbour, "10.1.0.2", "10.1.0.1"));
}
BENCHMARK(ClassifyForTheStack)->UseManualTime();

// The links: what the resolver must know to ask. What else it mirrors is nothing here, as it is on a plain router.
kernel::Tables ReadLinks() {
  kernel::Tables tables;
  auto socket = netlink::Socket::Open({});
  if (!socket) return tables;
  netlink::MessageBuffer request;
  netlink::AppendLinkDump(request, socket->NextSeq());
  kernel::Links links;
  const auto each = [&](const nlmsghdr& message) {
    return netlink::ParseLink(message).map(
        [&](netlink::Event<netlink::Link> event) { links.push_back(std::move(event.value)); });
  };
  if (socket->Dump(
          request, "list links", [&] { links.clear(); }, each))
    (void)tables.Apply(std::move(links), {});
  return tables;
}

// Answers to so many questions at once, as the agent asks them; per question.
void Resolve(benchmark::State& state) {
  Dpu dpu;
  if (!dpu.ready()) return state.SkipWithError("needs root");
  auto resolver = kernel::Resolver::Open(dpu.classifier(), {});
  if (!resolver) return state.SkipWithError(ToString(resolver.error()).c_str());
  const std::uint32_t pod = test::Ifindex("pod0"), uplink = test::Ifindex("uplink");
  const kernel::Tables tables = ReadLinks();
  const kernel::Topology topology({pod, uplink}, tables.links, tables.bridges);
  const kernel::Reach reach;
  kernel::DecisionPorts ports;
  for (const auto& [ifindex, name] : {std::pair(pod, "pod0"), {uplink, "uplink"}}) {
    ports[ifindex] = {.name = name, .ready = true, .largest_packet = 1500, .mtu = 1500};
  }
  std::vector<flow::Question> questions(static_cast<std::size_t>(state.range(0)));
  for (flow::Question& question : questions) {
    question.miss.port = pod;
    question.miss.source_mac = test::Mac(test::kPod0Neighbour);
    question.miss.destination_mac = test::Mac(test::kPod0Mac);
    question.miss.source = test::Ip("10.1.0.2");
    question.miss.destination = test::Ip(kBehindUplink);
    question.miss.protocol = 17;
  }
  for (auto _ : state) {
    const auto answers = resolver->Resolve(questions, {ports, topology, reach, tables, {}, {}});
    if (answers.front().verdict != flow::Answer::Verdict::kForward) {
      return state.SkipWithError(answers.front().reason.text.c_str());
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(Resolve)->Arg(1)->Arg(64);

}  // namespace
}  // namespace dpuflow
