// SPDX-License-Identifier: Apache-2.0
//
// The text of one value, as a flag has it: a duration, and what each setting makes of it.
#include "agent/daemon/duration.h"
#include "agent/daemon/settings.h"
#include "fuzz.h"

namespace dpuflow {
namespace {

using fuzz::Require;

void CheckDuration(std::string_view text) {
  const auto duration = ParseDuration(text);
  if (!duration) return;
  Require(duration->count() >= 0 && *duration <= std::chrono::hours(366 * 24), "a duration is at most a year");
  Require(ParseDuration(FormatDuration(*duration)) == duration, "a duration is read as it is written");
}

void CheckSetting(const Setting& setting, const std::string& text) {
  static const Config kDefaults = DefaultConfig();
  Config config = kDefaults;
  const auto wrong = Assign(setting, ValueFromText(setting, text), config);
  Require(!wrong || (!wrong->empty() && config == kDefaults), "a value that does not fit changes nothing");
  if (const auto* kind = std::get_if<CountKind>(&setting.kind)) {
    const std::uint32_t count = config.*kind->member;
    Require((count >= kind->least && count <= kind->most) || (kind->zero_too && count == 0), "a count is in its range");
  }
  if (const auto* kind = std::get_if<DurationKind>(&setting.kind)) {
    const auto duration = config.*kind->member;
    Require(duration >= kind->least && duration <= kind->most, "a duration is in its range");
  }
}

}  // namespace
}  // namespace dpuflow

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = dpuflow::fuzz::Text(data, size);
  dpuflow::CheckDuration(text);
  for (const dpuflow::Setting& setting : dpuflow::Settings()) dpuflow::CheckSetting(setting, std::string(text));
  return 0;
}
