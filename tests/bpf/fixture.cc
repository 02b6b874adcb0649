// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/fixture.h"

#include <bpf/bpf.h>
#include <net/if.h>
#include <sched.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <stdexcept>

namespace dpuflow::test {
namespace {

struct Device {
  const char* name;
  bool is_port;
  std::uint32_t eswitch;
};
constexpr std::array<Device, 5> kDevices{
    {{"pod0", true, 0}, {"pod1", true, 0}, {"uplink", true, 0}, {"foreign", true, 1}, {"outside", false, 0}}};

// One `ip -batch` makes it all: a process per command would take most of the tests' time.
void MakeNetwork() {
  std::string batch = "link set lo up\n";
  for (std::size_t i = 0; i < kDevices.size(); ++i) {
    const char* name = kDevices[i].name;
    batch += fmt::format("link add {0} address 02:00:00:00:01:0{1} type veth peer name {0}x\n", name, i);
    batch += fmt::format("link set {0}x up\nlink set {0} up\naddress add 10.{1}.0.1/24 dev {0}\n", name, i + 1);
    batch += fmt::format("neigh add 10.{1}.0.2 lladdr 02:00:00:00:02:0{2} nud permanent dev {0}\n", name, i + 1, i);
  }
  batch += "route add 198.51.100.0/24 via 10.3.0.2\n";
  Command("ip -batch - <<'END'\n" + batch + "END\n");
}

}  // namespace

void Write(const std::string& path, std::string_view text) {
  std::ofstream file(path);
  file << text << std::flush;
  if (!file) throw std::runtime_error("cannot write " + path);
}

std::string Command(const std::string& line) {
  std::FILE* pipe = popen((line + " 2>&1").c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot run " + line);
  std::string output;
  std::array<char, 4096> buffer{};
  while (const std::size_t size = std::fread(buffer.data(), 1, buffer.size(), pipe)) output.append(buffer.data(), size);
  if (pclose(pipe) != 0) throw std::runtime_error(line + ": " + output);
  return output;
}

std::uint32_t Ifindex(const std::string& name) {
  const std::uint32_t index = if_nametoindex(name.c_str());
  if (index == 0) throw std::runtime_error("no interface " + name);
  return index;
}

void ClassifierTest::SetUp() {
  ASSERT_EQ(unshare(CLONE_NEWNET), 0) << "a network namespace of our own: " << std::strerror(errno) << "; run as root";
  // Sent by nobody but the tests: no IPv6 of the kernel's own, no reverse path filter from the host's settings.
  Write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
  Write("/proc/sys/net/ipv4/ip_forward", "1");
  Write("/proc/sys/net/ipv4/conf/all/rp_filter", "0");
  Write("/proc/sys/net/ipv4/conf/default/rp_filter", "0");
  MakeNetwork();
  LoadClassifier({});
}

void ClassifierTest::LoadClassifier(const Classifier::Options& options) {
  auto loaded = Classifier::Load(options);
  ASSERT_TRUE(loaded) << ToString(loaded.error());
  classifier_ = std::move(*loaded);
  for (const Device& device : kDevices) {
    const std::uint32_t ifindex = Ifindex(device.name);
    if (!device.is_port) continue;
    ASSERT_TRUE(classifier_->SetIngress({ifindex}, {.l3_ifindex = ifindex, .eswitch = device.eswitch}));
    ASSERT_TRUE(classifier_->SetEgress(ifindex, {.port = ifindex, .eswitch = device.eswitch}));
  }
  ASSERT_TRUE(classifier_->AddSource({Ifindex("pod0")}, Ip("10.1.0.2")));
}

RunResult ClassifierTest::Run(const Frame& frame, const SkbContext& context, const std::string& port) {
  RunResult result;
  result.frame.resize(frame.size() + 256);
  __sk_buff skb{};
  skb.ifindex = skb.ingress_ifindex = Ifindex(port);
  skb.gso_size = context.gso_size;
  skb.gso_segs = context.gso_segs;
  skb.mark = context.mark;
  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  options.data_in = frame.data();
  options.data_size_in = static_cast<std::uint32_t>(frame.size());
  options.data_out = result.frame.data();
  options.data_size_out = static_cast<std::uint32_t>(result.frame.size());
  options.ctx_in = &skb;
  options.ctx_size_in = sizeof(skb);
  options.repeat = 1;
  result.error = -bpf_prog_test_run_opts(classifier_->program_fd(), &options);
  result.action = static_cast<int>(options.retval);
  result.nanoseconds = options.duration;
  result.frame.resize(result.error == 0 ? options.data_size_out : 0);
  return result;
}

Outcome ClassifierTest::Send(const Frame& frame, const SkbContext& context, const std::string& port) {
  const auto before = classifier_->ReadCounters();
  const RunResult run = Run(frame, context, port);
  const auto after = classifier_->ReadCounters();
  EXPECT_EQ(run.error, 0) << std::strerror(run.error);
  Outcome outcome{.action = run.action, .verdict = "", .protocol = "", .frame = run.frame};
  for (const ClassifierCounter& now : after->packets) {
    ClassifierCounter past;
    for (const ClassifierCounter& counter : before->packets) {
      if (counter.verdict == now.verdict && counter.protocol == now.protocol) past = counter;
    }
    if (now.packets == past.packets) continue;
    EXPECT_EQ(outcome.verdict, "") << "two verdicts for one packet";
    outcome.verdict = ToString(now.verdict);
    outcome.protocol = ToString(now.protocol);
    outcome.packets = now.packets - past.packets;
    outcome.bytes = now.bytes - past.bytes;
  }
  if (outcome.action == kToStack) {
    EXPECT_EQ(run.frame, frame) << "the stack must see the packet as it came";
  }
  return outcome;
}

std::vector<MissEvent> ClassifierTest::Misses() {
  std::vector<MissEvent> events;
  classifier_->DrainMisses([&](const MissEvent& event) { events.push_back(event); }, 1u << 20);
  return events;
}

ReportCounters ClassifierTest::Reports() const { return classifier_->ReadCounters().value().reports; }

}  // namespace dpuflow::test
