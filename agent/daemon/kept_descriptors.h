// SPDX-License-Identifier: Apache-2.0
//
// Descriptors that outlive the process: the service manager keeps a copy of each (FileDescriptorStoreMax= in
// systemd.service(5)) until the service is stopped, and hands them to the next process of the service, after a crash as well.
// Without such a manager nothing is kept, and nothing is there.
#pragma once

#include <string>
#include <vector>

namespace dpuflow {

struct KeptDescriptor {
  std::string name;
  int descriptor = -1;  // the caller's to close
};
// What an earlier process of this service has left, by sd_listen_fds_with_names(3). Once, before there are threads: it takes
// variables out of the environment.
[[nodiscard]] std::vector<KeptDescriptor> TakeKeptDescriptors();

// Any thread.
void KeepDescriptor(const std::string& name, int descriptor);  // FDSTORE=1; the descriptor stays the caller's
void ForgetDescriptor(const std::string& name);                // FDSTOREREMOVE=1

}  // namespace dpuflow
