// SPDX-License-Identifier: Apache-2.0
//
// One message about a tc filter. A filter that is read as complete is one that this codec could have written: it is
// written, read again as the same value, and written as the same bytes.
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>

#include "fuzz.h"
#include "netlink/tc.h"
#include "netlink_input.h"

namespace dpuflow::netlink {
namespace {

using fuzz::Require;

bool IsTheSame(const MessageBuffer& a, const MessageBuffer& b) {
  return std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin(), b.bytes().end());
}

void CheckComplete(const Filter& filter) {
  MessageBuffer first;
  Require(AppendFilterAdd(first, 1, filter).has_value() && first.ok(), "a complete filter can be written");
  const auto again = ParseFilter(first.header(0));
  Require(again && again->complete && again->filter == filter, "what was written is read as it was");
  MessageBuffer second;
  Require(AppendFilterAdd(second, 1, again->filter).has_value() && IsTheSame(first, second),
          "the same filter is the same bytes");
  MessageBuffer others;
  Require(AppendFilterDelete(others, 2, filter.id).has_value() && AppendFilterGet(others, 3, filter.id).has_value(),
          "a complete filter can be named");
}

void CheckFlower(const nlmsghdr& message) {
  const auto full = ParseFilter(message);
  const auto terse = ParseTerse(message);
  if (!full) {
    return Require(full.error().code == EBADMSG || full.error().code == EINVAL, "an error is one of the two in tc.h");
  }
  Require(terse && terse->id == full->filter.id && terse->in_hw == full->in_hw, "terse and full are of one filter");
  if (!full->complete) return;
  Require(terse->flower && !IsFilterHeader(message), "a complete filter is a flower filter");
  CheckComplete(full->filter);
}

// The kernel shows a program's id and tag where a request has its descriptor; the rest goes round.
void CheckBpf(const nlmsghdr& message) {
  const auto filter = ParseBpfFilter(message);
  if (!filter || !*filter) return;
  const auto terse = ParseTerse(message);
  Require(terse && terse->id == (*filter)->id && !terse->flower, "a bpf filter is no flower filter");
  MessageBuffer buffer;
  if (!AppendBpfFilterAdd(buffer, 1, {.id = (*filter)->id, .program = 3, .name = (*filter)->name})) return;
  const auto again = ParseBpfFilter(buffer.header(0));
  Require(
      again && *again && (*again)->id == (*filter)->id && (*again)->name == (*filter)->name && (*again)->direct_action,
      "a bpf filter goes round");
}

}  // namespace
}  // namespace dpuflow::netlink

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const dpuflow::fuzz::OneMessage message(data, size);
  if (message.empty()) return 0;
  dpuflow::netlink::CheckFlower(message.header());
  dpuflow::netlink::CheckBpf(message.header());
  return 0;
}
