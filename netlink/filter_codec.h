// SPDX-License-Identifier: Apache-2.0
//
// The parts of a filter's message: its envelope (tc.cc), its key (filter_keys.cc) and its actions (filter_actions.cc,
// filter_pedit.cc). For netlink/*.cc only; the public face is tc.h.
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "netlink/flower.h"
#include "netlink/message.h"

namespace dpuflow::netlink {

// What every classifier's message has around its options.
struct FilterEnvelope {
  FilterId id{};
  std::string kind{};                        // "flower", "bpf", ...
  std::optional<AttributeReader> options{};  // TCA_OPTIONS; absent in a header
};

// EINVAL for a message that is not about a filter. A fault in the attributes shows in `reader`.
Result<FilterEnvelope> ReadEnvelope(const nlmsghdr& message, MessageReader& reader);

// Begins RTM_NEWTFILTER, RTM_DELTFILTER or RTM_GETTFILTER for one filter.
void BeginFilter(MessageBuffer& buffer, std::uint16_t type, std::uint16_t flags, std::uint32_t seq, const FilterId& id,
                 std::string_view kind);

// EINVAL where the kernel would read a zero as "any" or "all".
Result<void> CheckId(const FilterId& id);

// EINVAL, in a sentence, for a key that tc flower cannot hold (the list is in tc.h).
Result<void> CheckKey(const FilterId& id, const FlowerKey& key);

// Writes TCA_FLOWER_KEY_*, each with its mask.
void PutKey(MessageBuffer& buffer, const FilterId& id, const FlowerKey& key);

// Gathers a key from its attributes, in whatever order they come.
class KeyReader {
 public:
  // Takes the attribute at hand; false when it is not one that PutKey writes.
  bool Read(AttributeReader& attribute);

  // Puts the key together; false when PutKey could not have written it.
  bool Finish(const FilterId& id, FlowerKey& key) const;

 private:
  bool ReadMasked(AttributeReader& attribute);
  bool ReadPort(AttributeReader& attribute);

  FlowerKey key_;
  std::uint16_t ethertype_ = 0;  // TCA_FLOWER_KEY_ETH_TYPE
  std::uint32_t flags_ = 0;
  std::optional<std::uint32_t> flags_mask_;
  bool exact_ports_ = true;
};

// Writes TCA_FLOWER_ACT.
void PutActions(MessageBuffer& buffer, const std::vector<Action>& actions, const Cookie& cookie);

// The options of act_pedit (filter_pedit.cc): TCA_PEDIT_PARMS_EX and TCA_PEDIT_KEYS_EX. Nothing for an edit that PutPedit
// could not have written.
void PutPedit(MessageBuffer& buffer, const PeditAction& action);
std::optional<Action> ReadPedit(AttributeReader options);

// One entry of TCA_FLOWER_ACT, from a full or a terse message.
struct InstalledAction {
  std::optional<Action> action{};  // none: not one that PutActions writes, or a terse message
  std::optional<Cookie> cookie{};  // none also for one of another length than ours
  FilterCounters counters{};
};

InstalledAction ReadAction(AttributeReader attributes);
// Only what a terse message has of them, without an allocation: there may be a hundred thousand each second.
void ReadTerseActions(AttributeReader actions, TerseFilter& terse);

}  // namespace dpuflow::netlink
