// SPDX-License-Identifier: Apache-2.0
#include <poll.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/lab/traffic/commands.h"
#include "tests/lab/traffic/receive_socket.h"
#include "tests/lab/traffic/sequence.h"

namespace labtraffic {
namespace {

volatile std::sig_atomic_t interrupted = 0;

// How many data packets carried each value of a header field.
using Histogram = std::map<std::string, std::uint64_t>;

// "100", "100 prio 5 dei"
std::string TagText(std::uint16_t tci) {
  std::string text = std::to_string(tci & 0xfff);
  if (const int priority = tci >> 13; priority != 0) {
    text += " prio " + std::to_string(priority);
  }
  return (tci & 0x1000) != 0 ? text + " dei" : text;
}

struct Headers {
  Histogram source_macs, destination_macs, ttls, sources, destinations, vlans;

  void Count(const Arrival& arrival) {
    ++ttls[std::to_string(arrival.ttl)];
    ++sources[arrival.source];
    if (arrival.source_mac) {
      ++source_macs[Format(*arrival.source_mac)];
      ++destination_macs[Format(*arrival.destination_mac)];
      ++destinations[arrival.destination];
      ++vlans[arrival.vlan_tci ? TagText(*arrival.vlan_tci) : "untagged"];
    }
  }

  nlohmann::json Report() const {
    return {{"source_macs", source_macs}, {"destination_macs", destination_macs}, {"ttls", ttls},
            {"sources", sources},         {"destinations", destinations},         {"vlans", vlans}};
  }
};

// Until the count or the end of the stream is reached, the time is over, or somebody asks for the report (SIGTERM).
// After the end marker it listens until it is quiet, for packets that the marker overtook and for duplicates. Says why it
// stopped.
std::string ReceiveAll(const ReceiveOptions& options, ReceiveSocket& socket, SequenceTracker& tracker,
                       Headers& headers) {
  const std::uint64_t limit = MonotonicNs() + static_cast<std::uint64_t>(options.timeout_ms) * 1'000'000;
  while (interrupted == 0) {
    const std::uint64_t now = MonotonicNs();
    if (now >= limit) {
      return "timeout";
    }
    int wait_ms = static_cast<int>((limit - now) / 1'000'000) + 1;
    if (tracker.ended()) {
      wait_ms = std::min(wait_ms, options.idle_ms);
    }
    pollfd entry = {socket.fd(), POLLIN, 0};
    const int ready = poll(&entry, 1, wait_ms);
    if (ready < 0) {
      continue;
    }
    if (ready == 0) {
      if (tracker.ended()) {
        return tracker.complete() ? "complete" : "idle";
      }
      continue;
    }
    const auto arrival = socket.Read();
    if (!arrival) {
      continue;
    }
    tracker.Arrived(arrival->payload, MonotonicNs());
    if (arrival->payload.kind == Payload::Kind::kData) {
      headers.Count(*arrival);
    }
    if (options.count != 0 && tracker.unique() >= options.count) {
      return "count";
    }
  }
  return "signal";
}

}  // namespace

int Receive(const ReceiveOptions& options) {
  struct sigaction action = {};
  action.sa_handler = [](int) { interrupted = 1; };
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);

  const auto socket = options.device.empty() ? OpenUdp(Endpoint::Parse(options.bind).Advanced(0, options.port))
                                             : OpenDevice(options.device, options.port);
  if (!options.ready.empty()) {
    std::ofstream(options.ready) << "ready\n";
  }
  SequenceTracker tracker;
  Headers headers;
  const std::string stopped = ReceiveAll(options, *socket, tracker, headers);
  nlohmann::json report = tracker.Report();
  report["stopped"] = stopped;
  report.update(headers.Report());
  std::puts(report.dump(2).c_str());
  return 0;
}

}  // namespace labtraffic
