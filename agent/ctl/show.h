// SPDX-License-Identifier: Apache-2.0
//
// Replies of the API as text for people. Pure: JSON in, text out. The caller has held a reply against the interface
// definition; what is optional there and not in the reply is shown as "-" or left out. Nothing here fails.
#pragma once

#include <chrono>
#include <string>

#include "agent/api/message.h"
#include "agent/ctl/format.h"

namespace dpuflow::ctl {

struct Style {
  bool statistics = false;
  bool details = false;
  bool colors = false;
};

// `flow show`: one flow per line, in batches as they come.
class FlowList {
 public:
  explicit FlowList(const Style& style);
  // Text that can be printed by now, possibly none.
  std::string Add(const api::Json& flow);
  std::string Finish() { return table_.Finish(); }

 private:
  Style style_;
  Table table_;
};

std::string ShowPorts(const api::Json& ports, const Style& style);
std::string ShowStatus(const api::Json& status, const Style& style);
std::string ShowStats(const api::Json& counters, const Style& style);
// What has moved between two readings of the counters, so far apart, and the gauges as they are. The second for programs: the
// later reading, with "per_second" in each sample that is no gauge.
std::string ShowRates(const api::Json& before, const api::Json& after, std::chrono::duration<double> apart,
                      const Style& style);
api::Json WithRates(const api::Json& before, api::Json after, std::chrono::duration<double> apart);
std::string ShowSync(const api::Json& reply);
std::string ShowVerify(const api::Json& reply);
std::string ShowExplanation(const api::Json& parameters, const api::Json& reply);
std::string ShowOffload(const api::Json& parameters, const api::Json& reply);

// An error that the daemon answered, as one line without a newline.
std::string ShowError(const api::Reply& reply);

}  // namespace dpuflow::ctl
