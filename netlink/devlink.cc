// SPDX-License-Identifier: Apache-2.0
//
// The one file that uses libnl-3: generic netlink numbers its families at run time, and libnl knows how to ask.
#include "netlink/devlink.h"

#include <linux/devlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include "netlink/devlink_internal.h"

namespace dpuflow::netlink {
namespace {

constexpr int kDumpAttempts = 5;
constexpr int kMaxDatagrams = 64;  // in one DevlinkMonitor::Receive()
constexpr int kMonitorBuffer = 1024 * 1024;

struct SocketDeleter {
  void operator()(nl_sock* socket) const { nl_socket_free(socket); }
};
struct CallbackDeleter {
  void operator()(nl_cb* callbacks) const { nl_cb_put(callbacks); }
};
struct MessageDeleter {
  void operator()(nl_msg* message) const { nlmsg_free(message); }
};
using SocketHandle = std::unique_ptr<nl_sock, SocketDeleter>;
using CallbackHandle = std::unique_ptr<nl_cb, CallbackDeleter>;
using MessageHandle = std::unique_ptr<nl_msg, MessageDeleter>;

// libnl folds errno values into its own; these are the ones whose meaning a caller needs.
int ErrnoOf(int nl_error) {
  switch (-nl_error) {
    case NLE_OBJ_NOTFOUND:
    case NLE_PROTO_MISMATCH:
      return EPROTONOSUPPORT;
    case NLE_AGAIN:
      return EAGAIN;
    case NLE_NOMEM:  // ENOMEM and ENOBUFS alike
      return ENOBUFS;
    case NLE_PERM:
    case NLE_NOACCESS:
      return EPERM;
    case NLE_DUMP_INTR:
      return EINTR;
    default:
      return EIO;
  }
}

tl::unexpected<Error> NlError(int nl_error, std::string doing) {
  return MakeError(ErrnoOf(nl_error), std::move(doing), nl_geterror(nl_error));
}

struct Genl {
  SocketHandle socket;
  int id = 0;
};

Result<Genl> OpenFamily() {
  Genl family{SocketHandle(nl_socket_alloc()), 0};
  if (!family.socket) return MakeError(ENOMEM, "open a devlink socket");
  if (const int error = genl_connect(family.socket.get()); error < 0) {
    return NlError(error, "open a devlink socket");
  }
  family.id = genl_ctrl_resolve(family.socket.get(), DEVLINK_GENL_NAME);
  if (family.id < 0) return NlError(family.id, "find devlink in this kernel");
  const int on = 1;
  setsockopt(nl_socket_get_fd(family.socket.get()), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  return family;
}

// One request in flight: what libnl's callbacks write into.
struct Exchange {
  const std::function<Result<void>(const nlmsghdr&)>& each;
  const std::string& doing;
  Result<void> result;  // the first error
  bool finished = false;
};

int OnValid(nl_msg* message, void* argument) {
  auto& exchange = *static_cast<Exchange*>(argument);
  if (exchange.result) exchange.result = exchange.each(*nlmsg_hdr(message));
  return NL_OK;
}

int OnFinished(nl_msg*, void* argument) {
  static_cast<Exchange*>(argument)->finished = true;
  return NL_STOP;
}

int OnError(sockaddr_nl*, nlmsgerr* error, void* argument) {
  auto& exchange = *static_cast<Exchange*>(argument);
  const void* message = static_cast<const char*>(static_cast<const void*>(error)) - NLMSG_HDRLEN;
  if (exchange.result) {
    exchange.result = ParseAck(*static_cast<const nlmsghdr*>(message), exchange.doing);
  }
  exchange.finished = true;
  return NL_STOP;
}

int AcceptAnySequence(nl_msg*, void*) { return NL_OK; }

Result<CallbackHandle> MakeCallbacks(Exchange& exchange) {
  CallbackHandle callbacks(nl_cb_alloc(NL_CB_DEFAULT));
  if (!callbacks) return MakeError(ENOMEM, exchange.doing);
  nl_cb_set(callbacks.get(), NL_CB_VALID, NL_CB_CUSTOM, OnValid, &exchange);
  nl_cb_set(callbacks.get(), NL_CB_FINISH, NL_CB_CUSTOM, OnFinished, &exchange);
  nl_cb_set(callbacks.get(), NL_CB_ACK, NL_CB_CUSTOM, OnFinished, &exchange);
  nl_cb_err(callbacks.get(), NL_CB_CUSTOM, OnError, &exchange);
  return callbacks;
}

}  // namespace

struct Devlink::Impl {
  Genl family;

  using Each = std::function<Result<void>(const nlmsghdr&)>;

  Result<void> Ask(std::uint8_t command, int flags, const DevlinkHandle* instance, const std::string& doing,
                   const Each& each) {
    const MessageHandle message(nlmsg_alloc());
    if (!message || genlmsg_put(message.get(), NL_AUTO_PORT, NL_AUTO_SEQ, family.id, 0, flags, command,
                                DEVLINK_GENL_VERSION) == nullptr) {
      return MakeError(ENOMEM, doing);
    }
    if (instance != nullptr && (nla_put_string(message.get(), DEVLINK_ATTR_BUS_NAME, instance->bus.c_str()) < 0 ||
                                nla_put_string(message.get(), DEVLINK_ATTR_DEV_NAME, instance->device.c_str()) < 0)) {
      return MakeError(EMSGSIZE, doing);
    }
    Exchange exchange{each, doing, {}, false};
    auto callbacks = MakeCallbacks(exchange);
    if (!callbacks) return tl::make_unexpected(callbacks.error());
    if (const int error = nl_send_auto(family.socket.get(), message.get()); error < 0) {
      return NlError(error, doing);
    }
    while (!exchange.finished) {
      const int error = nl_recvmsgs(family.socket.get(), callbacks->get());
      if (!exchange.result) return exchange.result;
      if (error < 0) return NlError(error, doing);
    }
    return exchange.result;
  }

  // Reads again when the table changed meanwhile; `restart` forgets what came so far.
  Result<void> Dump(std::uint8_t command, const std::string& doing, const std::function<void()>& restart,
                    const Each& each) {
    for (int attempt = 1;; ++attempt) {
      restart();
      auto result = Ask(command, NLM_F_DUMP, nullptr, doing, each);
      const bool again = !result && result.error().code == EINTR && attempt < kDumpAttempts;
      if (!again) return result;
    }
  }
};

Devlink::Devlink(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Devlink::Devlink(Devlink&&) noexcept = default;
Devlink& Devlink::operator=(Devlink&&) noexcept = default;
Devlink::~Devlink() = default;

Result<Devlink> Devlink::Open() {
  return OpenFamily().map([](Genl family) {
    auto impl = std::make_unique<Impl>();
    impl->family = std::move(family);
    return Devlink(std::move(impl));
  });
}

Result<std::vector<DevlinkHandle>> Devlink::Devices() {
  std::vector<DevlinkHandle> devices;
  auto result = impl_->Dump(
      DEVLINK_CMD_GET, "list devlink devices", [&] { devices.clear(); },
      [&](const nlmsghdr& message) {
        return ParseDevlinkHandle(message).map([&](DevlinkHandle handle) { devices.push_back(std::move(handle)); });
      });
  if (!result) return tl::make_unexpected(result.error());
  return devices;
}

Result<std::vector<DevlinkPort>> Devlink::Ports() {
  std::vector<DevlinkPort> ports;
  auto result = impl_->Dump(
      DEVLINK_CMD_PORT_GET, "list devlink ports", [&] { ports.clear(); },
      [&](const nlmsghdr& message) {
        return ParseDevlinkPort(message).map([&](Event<DevlinkPort> port) { ports.push_back(std::move(port.value)); });
      });
  if (!result) return tl::make_unexpected(result.error());
  return ports;
}

Result<EswitchMode> Devlink::Eswitch(const DevlinkHandle& instance) {
  const std::string doing = fmt::format("read the eswitch mode of {}/{}", instance.bus, instance.device);
  EswitchMode mode = EswitchMode::kUnknown;
  auto result = impl_->Ask(DEVLINK_CMD_ESWITCH_GET, 0, &instance, doing, [&](const nlmsghdr& message) {
    return ParseEswitchMode(message).map([&](EswitchMode parsed) { mode = parsed; });
  });
  if (!result) return tl::make_unexpected(result.error());
  return mode;
}

struct DevlinkMonitor::Impl {
  Genl family;
};

DevlinkMonitor::DevlinkMonitor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DevlinkMonitor::DevlinkMonitor(DevlinkMonitor&&) noexcept = default;
DevlinkMonitor& DevlinkMonitor::operator=(DevlinkMonitor&&) noexcept = default;
DevlinkMonitor::~DevlinkMonitor() = default;

Result<DevlinkMonitor> DevlinkMonitor::Open() {
  auto family = OpenFamily();
  if (!family) return tl::make_unexpected(family.error());
  nl_sock* socket = family->socket.get();
  const int group = genl_ctrl_resolve_grp(socket, DEVLINK_GENL_NAME, DEVLINK_GENL_MCGRP_CONFIG_NAME);
  if (group < 0) return NlError(group, "find devlink's notifications");
  nl_socket_set_buffer_size(socket, kMonitorBuffer, 0);
  if (const int error = nl_socket_add_membership(socket, group); error < 0) {
    return NlError(error, "subscribe to devlink's notifications");
  }
  if (const int error = nl_socket_set_nonblocking(socket); error < 0) {
    return NlError(error, "subscribe to devlink's notifications");
  }
  auto impl = std::make_unique<Impl>();
  impl->family = std::move(*family);
  return DevlinkMonitor(std::move(impl));
}

int DevlinkMonitor::fd() const { return nl_socket_get_fd(impl_->family.socket.get()); }

Result<ReceiveStatus> DevlinkMonitor::Receive(const std::function<void()>& each) {
  const std::string doing = "read devlink's notifications";
  const std::function<Result<void>(const nlmsghdr&)> take = [&](const nlmsghdr& message) {
    const auto port = ParseDevlinkPort(message);
    if (port || TellsOfParameter(message)) each();
    const bool malformed = !port && port.error().code == EBADMSG;  // else another kind of event
    return malformed ? Result<void>(tl::make_unexpected(port.error())) : Result<void>();
  };
  Exchange exchange{take, doing, {}, false};
  auto callbacks = MakeCallbacks(exchange);
  if (!callbacks) return tl::make_unexpected(callbacks.error());
  nl_cb_set(callbacks->get(), NL_CB_SEQ_CHECK, NL_CB_CUSTOM, AcceptAnySequence, nullptr);  // notifications have none
  bool overflow = false;
  for (int i = 0; i < kMaxDatagrams; ++i) {
    const int error = nl_recvmsgs(impl_->family.socket.get(), callbacks->get());
    if (!exchange.result) return tl::make_unexpected(exchange.result.error());
    if (error >= 0) continue;
    if (error == -NLE_AGAIN) return overflow ? ReceiveStatus::kOverflow : ReceiveStatus::kDrained;
    if (error != -NLE_NOMEM) return NlError(error, doing);
    overflow = true;
  }
  return overflow ? ReceiveStatus::kOverflow : ReceiveStatus::kMore;
}

}  // namespace dpuflow::netlink
