// SPDX-License-Identifier: Apache-2.0
//
// What stands on a port against what should. Pure.
//
// Read back are the filters as the kernel shows them: every key with its mask, every action. Ours are known by their
// cookie; one that stands where an entry of ours should is compared whatever its cookie says.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/flow/events.h"
#include "netlink/flower.h"

namespace dpuflow::offload {

// How an entry differs from what it should be; the first of these that is so.
enum class Flaw : std::uint8_t {
  kMissing,        // there is none
  kNotInHardware,  // a filter without IN_HW
  kInSoftware,     // without skip_sw: in software as well
  kCookie,         // it does not say whose it is, or says another's
  kMatch,          // its key
  kActions,
  kUnknown,     // it has attributes that were not asked for
  kStray,       // it carries our cookie, and no flow of ours stands there
  kClassifier,  // a filter of the classifier is missing
};
inline constexpr std::size_t kFlaws = 9;
std::string_view ToString(Flaw flaw);  // "missing", "match", ...: the words of the API and the counters

// An entry that should stand.
struct Expected {
  flow::FlowId flow = 0;
  flow::Rule rule;
  std::uint8_t section = 0;
};

struct Difference {
  Flaw flaw = Flaw::kMissing;
  flow::FlowId flow = 0;  // as the cookie or the place has it; 0: none
  std::optional<netlink::Filter> expected;
  std::optional<netlink::InstalledFilter> found;
};

// How the filter that stands in the place of `asked` differs from it.
[[nodiscard]] std::optional<Flaw> FlawOf(const netlink::Filter& asked, const netlink::InstalledFilter& found);

// What should stand on a port beside what does, one filter after the other as they are read: a port may have a hundred thousand.
// Filters of others are passed over. An entry that is there and should not be is a stray: whether its flow has come in the
// meantime is for the caller to say.
class Comparison {
 public:
  explicit Comparison(std::vector<Expected> expected);
  // Before the first filter, and where the reading has to begin anew.
  void Begin();
  void Add(netlink::InstalledFilter found);
  // After the last.
  [[nodiscard]] std::vector<Difference> Finish();

 private:
  std::vector<Expected> expected_;  // by flow
  std::vector<bool> seen_;          // of these
  std::vector<Difference> differences_;
};

// The entry of ours that a filter is, read back in full, with nothing about it that Comparison would find wrong. Nothing: it is not
// ours, or not as we would have written it.
[[nodiscard]] std::optional<Expected> Recognize(const netlink::InstalledFilter& found);

// A filter in the words of tc(8), for people: "chain 2 pref 1 handle 0x80000005 dst_ip 203.0.113.1 -> pedit ... ".
[[nodiscard]] std::string InWords(const netlink::Filter& filter);

}  // namespace dpuflow::offload
