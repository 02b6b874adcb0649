// SPDX-License-Identifier: Apache-2.0
//
// A BPF object that is embedded in this library: opened from its bytes, sized, loaded into the kernel. Internal to bpf/.
#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "netlink/error.h"

namespace dpuflow::bpf {

struct ObjectCloser {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};

// Move-only; closing it lets go of its programs and maps, which live on while something is attached.
class Object {
 public:
  // `name` is for messages ("classifier"); `bytes` is an ELF file that need not outlive the call.
  static Result<Object> Open(std::string name, std::span<const unsigned char> bytes);

  // Before Load().
  Result<void> SetMaxEntries(const char* map, std::uint32_t entries);
  // Into the kernel. EPERM names the capabilities that are missing; other errors carry the end of what libbpf and the
  // verifier said.
  Result<void> Load();

  // After Load(); borrowed. ENOENT: the object has none of that name, which is a fault of the build.
  Result<int> ProgramFd(const char* program) const;
  Result<int> MapFd(const char* map) const;

 private:
  Object(std::string name, bpf_object* object) : name_(std::move(name)), object_(object) {}
  std::string name_;
  std::unique_ptr<bpf_object, ObjectCloser> object_;
};

}  // namespace dpuflow::bpf
