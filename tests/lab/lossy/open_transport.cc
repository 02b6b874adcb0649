// SPDX-License-Identifier: Apache-2.0
//
// Takes the place of netlink/open_transport.cc: of the kernel's notifications one in ten is lost, unannounced, while the
// file $LAB_DROP_WHILE exists. Answers to questions all arrive. Which are lost is the same in each run, as far as the
// notifications are. At its end each subscription says how many it was.
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <random>
#include <string>
#include <utility>

#include "netlink/transport.h"

namespace dpuflow::netlink {
namespace {

constexpr unsigned kOneIn = 10;

class LossyTransport final : public Transport {
 public:
  LossyTransport(std::unique_ptr<Transport> kernel, std::string while_this, unsigned seed)
      : kernel_(std::move(kernel)), while_(std::move(while_this)), random_(seed) {}
  ~LossyTransport() override { fmt::print(stderr, "lost {} of {} notifications\n", lost_, seen_); }

  Result<void> Send(std::span<const std::byte> datagram) override { return kernel_->Send(datagram); }
  Result<std::size_t> Receive(std::span<std::byte> into, std::chrono::milliseconds timeout) override {
    while (true) {
      auto received = kernel_->Receive(into, timeout);
      if (!received || !IsLost()) return received;
    }
  }
  int fd() const override { return kernel_->fd(); }
  std::uint32_t port_id() const override { return kernel_->port_id(); }
  std::size_t send_limit() const override { return kernel_->send_limit(); }
  std::size_t receive_limit() const override { return kernel_->receive_limit(); }

 private:
  bool IsLost() {
    if (access(while_.c_str(), F_OK) != 0) return false;
    ++seen_;
    if (std::uniform_int_distribution<unsigned>(1, kOneIn)(random_) != 1) return false;
    ++lost_;
    return true;
  }

  std::unique_ptr<Transport> kernel_;
  std::string while_;
  std::mt19937 random_;
  std::size_t seen_ = 0;
  std::size_t lost_ = 0;
};

}  // namespace

Result<std::unique_ptr<Transport>> OpenTransport(const SocketOptions& options) {
  static std::atomic<unsigned> subscriptions{0};
  auto kernel = OpenKernelTransport(options);
  const char* while_this = std::getenv("LAB_DROP_WHILE");
  if (!kernel || options.groups.empty() || while_this == nullptr) return kernel;
  return std::make_unique<LossyTransport>(std::move(*kernel), while_this, ++subscriptions);
}

}  // namespace dpuflow::netlink
