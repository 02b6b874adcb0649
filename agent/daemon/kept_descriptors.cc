// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/kept_descriptors.h"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include <cstdlib>

namespace dpuflow {

std::vector<KeptDescriptor> TakeKeptDescriptors() {
  std::vector<KeptDescriptor> kept;
  char** names = nullptr;
  const int count = sd_listen_fds_with_names(1, &names);
  for (int i = 0; i < count; ++i) {
    kept.push_back({names[i], SD_LISTEN_FDS_START + i});
    std::free(names[i]);
  }
  std::free(names);
  return kept;
}

// A manager that keeps nothing is no reason to stop serving.
void KeepDescriptor(const std::string& name, int descriptor) {
  const std::string state = fmt::format("FDSTORE=1\nFDNAME={}", name);
  sd_pid_notify_with_fds(0, 0, state.c_str(), &descriptor, 1);
}

void ForgetDescriptor(const std::string& name) {
  sd_notify(0, fmt::format("FDSTOREREMOVE=1\nFDNAME={}", name).c_str());
}

}  // namespace dpuflow
