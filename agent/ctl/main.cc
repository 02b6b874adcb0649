// SPDX-License-Identifier: Apache-2.0
//
// dpuflowctl(8): the arguments, the environment and the terminal, and nothing else.
#include <unistd.h>

#include <cstdlib>

#include "agent/ctl/run.h"

namespace {

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace dpuflow::ctl;
  const auto parsed = ParseCommandLine({argv + (argc > 0 ? 1 : 0), argv + argc}, Environment("DPUFLOW_SOCKET"));
  if (const auto* goodbye = std::get_if<Goodbye>(&parsed)) {
    std::fputs(goodbye->text.c_str(), goodbye->code == kExitOk ? stdout : stderr);
    return goodbye->code;
  }
  const bool colors = isatty(STDOUT_FILENO) == 1 && Environment("NO_COLOR").empty() && Environment("TERM") != "dumb";
  return Run(std::get<Invocation>(parsed), colors, stdout, stderr);
}
