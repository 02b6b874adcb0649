// SPDX-License-Identifier: Apache-2.0
//
// The method Explain of the API: its parameters as a question, an explanation as its reply. Pure, as views.h.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "agent/explain.h"
#include "agent/views.h"

namespace dpuflow {

// The packet, or the name of the parameter that is not understood; "port": neither one of `ports` nor an interface on one
// has this name.
tl::expected<PacketQuestion, std::string> ParsePacket(const api::Json& parameters,
                                                      const std::map<std::uint32_t, PortSlot>& ports,
                                                      const kernel::Topology& topology);

api::Json ExplanationView(const Explanation& explanation, const NameOf& name_of, flow::TimePoint now);

}  // namespace dpuflow
