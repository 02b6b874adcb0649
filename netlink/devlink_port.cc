// SPDX-License-Identifier: Apache-2.0
//
// devlink's messages as values: pure, and apart from the socket in devlink.cc.
#include <linux/devlink.h>
#include <linux/genetlink.h>

#include <cerrno>
#include <optional>

#include "netlink/devlink.h"
#include "netlink/devlink_internal.h"

namespace dpuflow::netlink {
namespace {

PortFlavour FlavourOf(std::uint16_t value) {
  switch (value) {
    case DEVLINK_PORT_FLAVOUR_PHYSICAL:
      return PortFlavour::kPhysical;
    case DEVLINK_PORT_FLAVOUR_PCI_PF:
      return PortFlavour::kPciPf;
    case DEVLINK_PORT_FLAVOUR_PCI_VF:
      return PortFlavour::kPciVf;
    case DEVLINK_PORT_FLAVOUR_PCI_SF:
      return PortFlavour::kPciSf;
    default:
      return PortFlavour::kOther;
  }
}

EswitchMode ModeOf(std::uint16_t value) {
  if (value == DEVLINK_ESWITCH_MODE_LEGACY) return EswitchMode::kLegacy;
  return value == DEVLINK_ESWITCH_MODE_SWITCHDEV ? EswitchMode::kSwitchdev : EswitchMode::kUnknown;
}

bool ReadHandle(AttributeReader& attribute, DevlinkHandle& handle) {
  if (attribute.type() == DEVLINK_ATTR_BUS_NAME) {
    handle.bus = attribute.String();
  } else if (attribute.type() == DEVLINK_ATTR_DEV_NAME) {
    handle.device = attribute.String();
  } else {
    return false;
  }
  return true;
}

void ReadPortAttribute(AttributeReader& attribute, DevlinkPort& port) {
  switch (attribute.type()) {
    case DEVLINK_ATTR_PORT_NETDEV_IFINDEX:
      port.ifindex = attribute.U32();
      break;
    case DEVLINK_ATTR_PORT_NETDEV_NAME:
      port.ifname = attribute.String();
      break;
    case DEVLINK_ATTR_PORT_FLAVOUR:
      port.flavour = FlavourOf(attribute.U16());
      break;
    case DEVLINK_ATTR_PORT_NUMBER:
      port.port_number = attribute.U32();
      break;
    case DEVLINK_ATTR_PORT_CONTROLLER_NUMBER:
      port.controller = attribute.U32();
      break;
    case DEVLINK_ATTR_PORT_PCI_PF_NUMBER:
      port.pf = attribute.U16();
      break;
    case DEVLINK_ATTR_PORT_PCI_VF_NUMBER:
      port.vf_or_sf = attribute.U16();
      break;
    case DEVLINK_ATTR_PORT_PCI_SF_NUMBER:
      port.vf_or_sf = attribute.U32();
      break;
    case DEVLINK_ATTR_PORT_EXTERNAL:
      port.external = attribute.U8() != 0;
      break;
    default:
      break;
  }
}

// The lines of a port dump come as DEVLINK_CMD_NEW (or PORT_NEW) by kernel version; a notification as PORT_NEW.
bool TellsOfPort(std::uint8_t command) {
  return command == DEVLINK_CMD_NEW || command == DEVLINK_CMD_PORT_GET || command == DEVLINK_CMD_PORT_SET ||
         command == DEVLINK_CMD_PORT_NEW || command == DEVLINK_CMD_PORT_DEL;
}

}  // namespace

std::string ToString(const DevlinkHandle& handle) { return fmt::format("{}/{}", handle.bus, handle.device); }

Result<Event<DevlinkPort>> ParseDevlinkPort(const nlmsghdr& message) {
  MessageReader reader(message);
  const auto header = reader.Header<genlmsghdr>();
  DevlinkPort port;
  std::optional<std::uint32_t> index;
  AttributeReader attributes = reader.Attributes(sizeof header);
  while (attributes.Next()) {
    if (ReadHandle(attributes, port.handle)) continue;
    if (attributes.type() == DEVLINK_ATTR_PORT_INDEX) {
      index = attributes.U32();
    } else {
      ReadPortAttribute(attributes, port);
    }
  }
  if (!reader.ok()) return reader.Malformed("a devlink port");
  if (!TellsOfPort(header.cmd) || !index) {
    return MakeError(EINVAL, fmt::format("read a devlink port: command {}", header.cmd));
  }
  port.index = *index;
  // The kernel does not say it of a subfunction: its controller does.
  if (port.flavour == PortFlavour::kPciSf) port.external = port.controller != 0;
  return Event<DevlinkPort>{std::move(port), header.cmd == DEVLINK_CMD_PORT_DEL};
}

bool TellsOfParameter(const nlmsghdr& message) {
  MessageReader reader(message);
  const auto header = reader.Header<genlmsghdr>();
  return reader.ok() && (header.cmd == DEVLINK_CMD_PARAM_NEW || header.cmd == DEVLINK_CMD_PARAM_DEL);
}

Result<DevlinkHandle> ParseDevlinkHandle(const nlmsghdr& message) {
  MessageReader reader(message);
  DevlinkHandle handle;
  AttributeReader attributes = reader.Attributes(sizeof(genlmsghdr));
  while (attributes.Next()) ReadHandle(attributes, handle);
  if (!reader.ok() || handle.device.empty()) return reader.Malformed("a devlink device");
  return handle;
}

Result<EswitchMode> ParseEswitchMode(const nlmsghdr& message) {
  MessageReader reader(message);
  EswitchMode mode = EswitchMode::kUnknown;
  AttributeReader attributes = reader.Attributes(sizeof(genlmsghdr));
  while (attributes.Next()) {
    if (attributes.type() == DEVLINK_ATTR_ESWITCH_MODE) mode = ModeOf(attributes.U16());
  }
  if (!reader.ok()) return reader.Malformed("an eswitch mode");
  return mode;
}

}  // namespace dpuflow::netlink
