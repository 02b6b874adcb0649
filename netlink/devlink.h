// SPDX-License-Identifier: Apache-2.0
//
// devlink: which netdev stands for which function of the NIC. `devlink dev eswitch show`, `devlink
// port show`.
//
// A devlink instance ("pci/0000:03:00.0") is one eswitch. Its ports have a flavour (physical,
// pcipf, pcivf, pcisf) and the ifindex of their representor; the host's functions on a BlueField
// are `external` with controller > 0. Names of netdevs say the same less dependably: they are
// renamed.
//
// devlink speaks generic netlink, through libnl-3 here and nowhere else. Each object belongs to one
// thread. Errors: EPROTONOSUPPORT when this kernel has no devlink, EPERM, ENODEV (the instance is
// gone), EOPNOTSUPP (no eswitch).
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "netlink/error.h"
#include "netlink/socket.h"
#include "netlink/values.h"

namespace dpuflow::netlink {

// Questions, each answered before it returns.
class Devlink {
 public:
  static Result<Devlink> Open();
  Devlink(Devlink&&) noexcept;
  Devlink& operator=(Devlink&&) noexcept;
  ~Devlink();

  Result<std::vector<DevlinkHandle>> Devices();
  Result<std::vector<DevlinkPort>> Ports();                    // of all instances
  Result<EswitchMode> Eswitch(const DevlinkHandle& instance);  // kUnknown for a mode newer than this code

 private:
  struct Impl;
  explicit Devlink(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Notifications that ports come, change (a netdev appears, is renamed) or go, or that a parameter of
// an instance is set. Other devlink events are passed over.
class DevlinkMonitor {
 public:
  static Result<DevlinkMonitor> Open();
  DevlinkMonitor(DevlinkMonitor&&) noexcept;
  DevlinkMonitor& operator=(DevlinkMonitor&&) noexcept;
  ~DevlinkMonitor();

  [[nodiscard]] int fd() const;  // nonblocking; to poll for reading
  // Reads what is there, and calls `each` for each notification; they tell little by themselves (a port without its
  // netdev). kOverflow: some were lost.
  Result<ReceiveStatus> Receive(const std::function<void()>& each);

 private:
  struct Impl;
  explicit DevlinkMonitor(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Bytes to values; exposed for the tests. EINVAL for a command that is not about a port.
Result<Event<DevlinkPort>> ParseDevlinkPort(const nlmsghdr& message);

}  // namespace dpuflow::netlink
