// SPDX-License-Identifier: Apache-2.0
//
// labtraffic: sends numbered packets and says what became of them. For the lab's scenarios.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <random>
#include <string>

#include "tests/lab/traffic/commands.h"
#include "tests/lab/traffic/frame.h"
#include "tests/lab/traffic/payload.h"

namespace labtraffic {
namespace {

struct FrameOptions {
  std::string destination_mac, source_mac, source, destination, protocol = "udp", options, payload;
  int vlan = -1;
  unsigned vlan_priority = 0;
  bool vlan_dei = false;
  unsigned ttl = 64, fragment_offset = 0, flags = 0x02, identification = 1;
  bool more_fragments = false, dont_fragment = false;
  long long number = -1;
  unsigned frames = 1, random_source_bits = 0, random_destination_bits = 0, seed = 1;
};

void AddSend(CLI::App& app, SendOptions& options) {
  auto* command = app.add_subcommand("send", "Send numbered UDP packets from a socket");
  command->add_option("--to", options.to, "ADDRESS:PORT of the first flow")->required();
  command->add_option("--from", options.from, "ADDRESS[:PORT] to send from");
  command->add_option("--count", options.count, "Packets (0: until SIGTERM, which ends it early as well)");
  command->add_option("--rate", options.rate, "Packets per second (default: as fast as it goes)");
  command->add_option("--size", options.size, "Bytes of UDP payload, 32 at least")->check(CLI::Range(32, 65000));
  command->add_option("--ttl", options.ttl, "TTL or hop limit")->check(CLI::Range(1, 255));
  command->add_option("--start", options.start, "Number of the first packet");
  command->add_option("--flows", options.flows, "Flows, served in turn")->check(CLI::PositiveNumber);
  command->add_option("--spread", options.spread, "What each next flow has one higher: port or address")
      ->check(CLI::IsMember({"port", "address"}));
  command->add_flag("!--no-end", options.end, "Do not send the end marker");
}

void AddReceive(CLI::App& app, ReceiveOptions& options) {
  auto* command = app.add_subcommand("receive", "Count numbered UDP packets, from a socket or off a device");
  auto* bind = command->add_option("--bind", options.bind, "Address of a UDP socket");
  auto* device = command->add_option("--device", options.device, "Device whose incoming frames to look at");
  bind->excludes(device);
  command->require_option(1, 0);
  command->add_option("--port", options.port, "UDP destination port (with --device, default: any)");
  command->add_option("--count", options.count, "Stop at this many packets (default: at the end marker)");
  command->add_option("--idle", options.idle_ms, "Milliseconds of quiet after the end marker that end it");
  command->add_option("--timeout", options.timeout_ms, "Milliseconds to wait in all");
  command->add_option("--ready", options.ready, "File to create once packets are being received");
}

void AddRaw(CLI::App& app, RawOptions& options) {
  auto* command = app.add_subcommand("raw", "Send frames as they are");
  command->add_option("--device", options.device, "Device to send on")->required();
  command->add_option("--count", options.count, "How often to send them all");
  command->add_option("--rate", options.rate, "Frames per second");
  command->add_option("frames", options.frames, "Frames in hexadecimal (default: one a line from standard input)");
}

void AddFrame(CLI::App& app, FrameOptions& options) {
  auto* command = app.add_subcommand("frame", "Print a frame in hexadecimal, for raw");
  command->add_option("--to-mac", options.destination_mac, "Destination MAC")->required();
  command->add_option("--from-mac", options.source_mac, "Source MAC")->required();
  command->add_option("--from", options.source, "Source ADDRESS[:PORT]")->required();
  command->add_option("--to", options.destination, "Destination ADDRESS[:PORT]")->required();
  command->add_option("--protocol", options.protocol, "udp, tcp, icmp, icmpv6 or a number");
  command->add_option("--vlan", options.vlan, "VLAN id")->check(CLI::Range(0, 4095));
  command->add_flag("--vlan-dei", options.vlan_dei, "Drop eligible indicator of the tag");
  command->add_option("--vlan-priority", options.vlan_priority, "PCP of the tag")->check(CLI::Range(0, 7));
  command->add_option("--ttl", options.ttl, "TTL or hop limit")->check(CLI::Range(0, 255));
  command->add_option("--ip-options", options.options, "IPv4 options in hexadecimal");
  command->add_option("--id", options.identification, "IPv4 identification")->check(CLI::Range(0, 65535));
  command->add_option("--fragment", options.fragment_offset, "IPv4 fragment offset in bytes");
  command->add_flag("--more-fragments", options.more_fragments, "IPv4 MF flag");
  command->add_flag("--dont-fragment", options.dont_fragment, "IPv4 DF flag");
  command->add_option("--tcp-flags", options.flags, "TCP flags (default 0x02, SYN)")->check(CLI::Range(0, 255));
  command->add_option("--payload", options.payload, "Payload in hexadecimal");
  command->add_option("--number", options.number, "A numbered packet's payload instead, as send makes them");
  command->add_option("--frames", options.frames, "How many frames, one a line");
  command->add_option("--random-from", options.random_source_bits, "Lowest bits of the source address drawn for each")
      ->check(CLI::Range(0, 24));
  command->add_option("--random-to", options.random_destination_bits, "Likewise of the destination address")
      ->check(CLI::Range(0, 24));
  command->add_option("--seed", options.seed, "What the draw begins with (default 1): the same makes the same frames");
}

std::uint8_t Protocol(const std::string& name) {
  if (name == "udp") {
    return 17;
  }
  if (name == "tcp") {
    return 6;
  }
  if (name == "icmp") {
    return 1;
  }
  return name == "icmpv6" ? 58 : static_cast<std::uint8_t>(std::stoul(name));
}

int Frame(const FrameOptions& options) {
  FrameSpec spec;
  spec.destination_mac = ParseMac(options.destination_mac);
  spec.source_mac = ParseMac(options.source_mac);
  spec.source = Endpoint::Parse(options.source);
  spec.destination = Endpoint::Parse(options.destination);
  if (options.vlan >= 0) {
    spec.vlan_tci = static_cast<std::uint16_t>(options.vlan_priority << 13 | unsigned{options.vlan_dei} << 12 |
                                               static_cast<unsigned>(options.vlan));
  }
  spec.protocol = Protocol(options.protocol);
  spec.ttl = static_cast<std::uint8_t>(options.ttl);
  spec.ip_options = FromHex(options.options);
  spec.identification = static_cast<std::uint16_t>(options.identification);
  spec.fragment_offset = static_cast<std::uint16_t>(options.fragment_offset);
  spec.more_fragments = options.more_fragments;
  spec.dont_fragment = options.dont_fragment;
  spec.tcp_flags = static_cast<std::uint8_t>(options.flags);
  spec.payload = FromHex(options.payload);
  if (options.number >= 0) {
    Payload payload;
    payload.sequence = static_cast<std::uint64_t>(options.number);
    payload.sent_ns = MonotonicNs();
    spec.payload = payload.Encode();
  }
  const Endpoint first_source = spec.source;
  const Endpoint first_destination = spec.destination;
  std::mt19937 random(options.seed);
  const auto draw = [&random](unsigned bits) { return static_cast<std::uint32_t>(random() & ((1U << bits) - 1U)); };
  for (unsigned i = 0; i < options.frames; ++i) {
    spec.source = first_source.Advanced(draw(options.random_source_bits), 0);
    spec.destination = first_destination.Advanced(draw(options.random_destination_bits), 0);
    std::puts(ToHex(BuildFrame(spec)).c_str());
  }
  return 0;
}

int Main(int argc, char** argv) {
  CLI::App app("Traffic for the lab: every command prints one JSON object (frame: lines of hexadecimal)");
  app.require_subcommand(1);
  SendOptions send;
  ReceiveOptions receive;
  RawOptions raw;
  FrameOptions frame;
  AddSend(app, send);
  AddReceive(app, receive);
  AddRaw(app, raw);
  AddFrame(app, frame);
  CLI11_PARSE(app, argc, argv);
  if (app.got_subcommand("send")) {
    return Send(send);
  }
  if (app.got_subcommand("receive")) {
    return Receive(receive);
  }
  return app.got_subcommand("raw") ? Raw(raw) : Frame(frame);
}

}  // namespace
}  // namespace labtraffic

int main(int argc, char** argv) {
  try {
    return labtraffic::Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "labtraffic: %s\n", error.what());
    return 1;
  }
}
