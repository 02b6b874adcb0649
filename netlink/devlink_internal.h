// SPDX-License-Identifier: Apache-2.0
//
// What devlink.cc (the socket) asks of devlink_port.cc (the bytes). For netlink/*.cc and their tests only.
#pragma once

#include <linux/netlink.h>

#include "netlink/error.h"
#include "netlink/message.h"
#include "netlink/values.h"

namespace dpuflow::netlink {

Result<DevlinkHandle> ParseDevlinkHandle(const nlmsghdr& message);  // answers of DEVLINK_CMD_GET
Result<EswitchMode> ParseEswitchMode(const nlmsghdr& message);      // answers of DEVLINK_CMD_ESWITCH_GET
bool TellsOfParameter(const nlmsghdr& message);                     // one that is set, comes or goes

}  // namespace dpuflow::netlink
