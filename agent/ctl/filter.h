// SPDX-License-Identifier: Apache-2.0
//
// The filters of `flow show` and `flow flush`, as people type them and as the API takes them. Values are checked here, so
// that a wrong one is answered with what was expected.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/api/message.h"

namespace dpuflow::ctl {

struct FilterWord {
  std::string name;   // "dst"
  std::string value;  // what it takes, for the help: "ADDRESS|PREFIX"
  std::string help;
};

const std::vector<FilterWord>& FilterWords();

// Whether the word is the name of a filter, or another name of one ("dev", "to").
[[nodiscard]] bool IsFilterWord(std::string_view word);

// Puts the filters into the parameters of an API call: `options` by name, only those that were given, then `words` in
// pairs of name and value. Returns what is wrong, if anything: an empty value is, and so is a filter that is there twice.
[[nodiscard]] std::optional<std::string> AddFilters(api::Json& parameters,
                                                    const std::map<std::string, std::string>& options,
                                                    const std::vector<std::string>& words);

// The name of a table as it is shown: "l2_source" is "l2src". The API's own names and these are both understood.
std::string ShortTable(std::string_view table);

}  // namespace dpuflow::ctl
