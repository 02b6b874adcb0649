// SPDX-License-Identifier: Apache-2.0
//
// The two forms of the pipeline, and all in which they differ.
//
//   chained:  L2 source -> L2 destination -> L3         where hardware goes from one table on to the next
//   flat:     one table, with source and destination    where it does not
//
// What a miss becomes is the packet's own entry, for which the kernel is asked. In the chained form it is one of L3, or of L2
// destination where the packet is bridged, and entries of the tables before it lead there, which many packets share. In the
// flat form nothing leads to it and nothing is shared: it holds what the tables before would have looked at, so it also says
// who may send.
//
// A flat entry's MAC addresses say whether it routes or bridges, and its destination says what shape its key has (targets.h):
// no packet matches two of them.
//
// Pure.
#pragma once

#include <vector>

#include "agent/flow/events.h"
#include "agent/flow/port.h"
#include "agent/flow/rule.h"

namespace dpuflow::flow {

// The key of a packet's own entry where it is routed and the path depends on `fields`, and where it is bridged.
[[nodiscard]] Match RoutedKey(Form form, const Miss& miss, Fields fields);
[[nodiscard]] Match BridgedKey(Form form, const Lane& lane, const Miss& miss);

// Which fields a routed packet's key has in any case, whatever the path depends on: in the flat form the source, where the lane
// checks it. What is bridged has the source alone, and only where sources are listed: a bridge looks at no address.
[[nodiscard]] Fields FieldsOfLane(Form form, const Lane& lane, std::uint16_t ethertype);

// The entries that lead a packet to its own, from the far end to the near one.
[[nodiscard]] std::vector<Rule> WayTo(Form form, const Lane& lane, const Miss& miss);

// Whether entries of this table stand in this form.
[[nodiscard]] bool StandsIn(Table table, Form form);

// Whether an entry of this table says who may send: it stands as long as the kernel accepts the source in its key, and as
// the bridge knows the sender at its port.
[[nodiscard]] bool VouchesForSender(Table table);

// Whether the answer forbids an entry of this key to do so.
[[nodiscard]] bool RefusesSender(const Match& match, const Answer& answer);

}  // namespace dpuflow::flow
