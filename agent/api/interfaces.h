// SPDX-License-Identifier: Apache-2.0
//
// The interface definitions as text, word for word from the .varlink files beside this one (CMake
// embeds them).
#pragma once

namespace dpuflow::api {

extern const char* const kAgentInterface;    // io.dpuflow.Agent
extern const char* const kServiceInterface;  // org.varlink.service

}  // namespace dpuflow::api
