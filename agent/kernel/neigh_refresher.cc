// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel/neigh_refresher.h"

#include <cerrno>
#include <chrono>
#include <optional>
#include <utility>

#include "agent/kernel/mirror.h"
#include "netlink/rtnl.h"

namespace dpuflow::kernel {
namespace {

constexpr std::size_t kQueue = 65536;  // above any gc_thresh3 that is in use
constexpr std::size_t kBatch = 256;

// With its device; or between its look-up and its use, which the kernel then refuses ("Neighbor entry is now dead").
bool IsGone(const Error& error) {
  const bool died = error.code == EPERM && error.extack.find("dead") != std::string::npos;
  return error.code == ENOENT || error.code == ENODEV || died;
}

// As it is now; nothing where it is gone.
Result<std::optional<netlink::Neigh>> Read(const Result<netlink::Message>& answer) {
  if (!answer) {
    if (IsGone(answer.error())) return std::nullopt;
    return tl::make_unexpected(answer.error());
  }
  auto neigh = netlink::ParseNeigh(answer->header());
  if (!neigh) return tl::make_unexpected(neigh.error());
  return neigh->value;
}

}  // namespace

Refreshed Refresh(netlink::Socket& socket, std::span<const flow::NeighKey> neighs) {
  netlink::MessageBuffer questions;
  for (const flow::NeighKey& neigh : neighs) {
    netlink::AppendNeighQuery(questions, socket.NextSeq(), neigh.ifindex, neigh.address);
  }
  Refreshed refreshed;
  netlink::MessageBuffer uses;
  for (const Result<netlink::Message>& answer : socket.AskBatch(questions, "look at a neighbour")) {
    const auto neigh = Read(answer);
    if (!neigh) {
      refreshed.failures.push_back(neigh.error());
    } else if (*neigh && CanBeRefreshed(**neigh)) {
      netlink::AppendNeighUse(uses, socket.NextSeq(), (*neigh)->ifindex, (*neigh)->address);
    }
  }
  for (const netlink::BatchResult& result : socket.TransactBatch(uses, "tell of a neighbour's use")) {
    if (result.done()) {
      ++refreshed.neighs;
    } else if (!IsGone(result.error)) {
      refreshed.failures.push_back(result.error);
    }
  }
  return refreshed;
}

Refreshed RefreshStations(netlink::Socket& socket, std::span<const netlink::FdbEntry> stations) {
  netlink::MessageBuffer uses;
  for (const netlink::FdbEntry& station : stations) {
    netlink::AppendFdbUse(uses, socket.NextSeq(), station.ifindex, station.mac, station.vlan);
  }
  Refreshed refreshed;
  for (const netlink::BatchResult& result : socket.TransactBatch(uses, "tell of a station's use")) {
    if (result.done()) {
      ++refreshed.stations;
    } else if (!IsGone(result.error)) {
      refreshed.failures.push_back(result.error);
    }
  }
  return refreshed;
}

NeighRefresher::NeighRefresher(netlink::Socket socket, Sink sink)
    : socket_(std::move(socket)), uses_(kQueue), sink_(std::move(sink)) {
  thread_ = std::thread([this] { Run(); });
}

NeighRefresher::~NeighRefresher() {
  uses_.Close();
  thread_.join();
}

Result<std::unique_ptr<NeighRefresher>> NeighRefresher::Start(Sink sink) {
  netlink::SocketOptions options;
  options.receive_buffer = 1 << 20;
  auto socket = netlink::Socket::Open(options);
  if (!socket) return tl::make_unexpected(socket.error());
  return std::unique_ptr<NeighRefresher>(new NeighRefresher(std::move(*socket), std::move(sink)));
}

void NeighRefresher::Run() {
  while (true) {
    const auto uses = uses_.PopBatch(kBatch, std::chrono::hours(1));
    if (uses.empty() && uses_.closed()) return;
    std::vector<flow::NeighKey> neighs;
    std::vector<netlink::FdbEntry> stations;
    for (const auto& use : uses) {
      if (const auto* neigh = std::get_if<flow::NeighKey>(&use)) neighs.push_back(*neigh);
      if (const auto* station = std::get_if<netlink::FdbEntry>(&use)) stations.push_back(*station);
    }
    const auto say = [this](const Refreshed& refreshed) {
      if (!(refreshed == Refreshed{})) sink_(refreshed);
    };
    if (!neighs.empty()) say(Refresh(socket_, neighs));
    if (!stations.empty()) say(RefreshStations(socket_, stations));
  }
}

}  // namespace dpuflow::kernel
