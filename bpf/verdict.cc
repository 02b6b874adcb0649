// SPDX-License-Identifier: Apache-2.0
//
// The words of shared.h.
#include <array>

#include "bpf/classifier.h"

namespace dpuflow {
namespace {

template <std::size_t size>
std::string_view WordAt(const std::array<std::string_view, size>& words, std::size_t index) {
  return index < size ? words[index] : "unknown";
}

#define DPUFLOW_WORD(name, word, ...) std::string_view(word),
constexpr std::array kVerdictWords{DPUFLOW_VERDICTS(DPUFLOW_WORD)};
constexpr std::array kProtocolWords{DPUFLOW_PROTOCOLS(DPUFLOW_WORD)};
#undef DPUFLOW_WORD
#define DPUFLOW_KIND(name, word, kind, reported) DPUFLOW_KIND_##kind,
constexpr std::array kKinds{DPUFLOW_VERDICTS(DPUFLOW_KIND)};
#undef DPUFLOW_KIND
constexpr std::array<std::string_view, 3> kKindWords{"forwarded", "control", "stack"};

}  // namespace

std::string_view ToString(Verdict verdict) { return WordAt(kVerdictWords, verdict); }
std::string_view ToString(ProtocolClass protocol) { return WordAt(kProtocolWords, protocol); }
std::string_view ToString(VerdictKind kind) { return WordAt(kKindWords, kind); }
VerdictKind KindOf(Verdict verdict) { return verdict < kKinds.size() ? kKinds[verdict] : DPUFLOW_KIND_STACK; }

}  // namespace dpuflow
