// SPDX-License-Identifier: Apache-2.0
//
// Parts of a flow's text, for the list of flows and for an explanation.
#pragma once

#include <string>
#include <vector>

#include "agent/api/message.h"

namespace dpuflow::ctl {

// "SHOWN VALUE", where the object has the field.
void AddPair(std::vector<std::string>& words, const api::Json& object, const char* name, const char* shown);
// What tells a flow from the others of its table and port, as short as that can be.
std::string KeyOf(const api::Json& flow);
// The port or the table that it leads to.
std::string TargetOf(const api::Json& flow);
// Everything that a packet must have to match; `flow` may be a key alone.
std::vector<std::string> MatchWords(const api::Json& flow);
// "main", or the number.
std::string RoutingTable(const api::Json& route);

}  // namespace dpuflow::ctl
