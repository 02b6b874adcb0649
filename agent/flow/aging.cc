// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/aging.h"

#include <algorithm>

namespace dpuflow::flow {

bool ApplySample(Flow& flow, const Sample& sample, TimePoint now) {
  const bool restarted = sample.packets < flow.base_packets;
  const std::uint64_t packets = sample.packets - (restarted ? 0 : flow.base_packets);
  const std::uint64_t bytes = sample.bytes - (restarted ? 0 : flow.base_bytes);
  if (packets > 0) {
    flow.active = now;
    flow.unaudited = true;
  }
  flow.packets += packets;
  flow.bytes += bytes;
  if (flow.sampled != TimePoint{} && now > flow.sampled) {
    const double seconds = std::chrono::duration<double>(now - flow.sampled).count();
    flow.packets_per_second = static_cast<float>(static_cast<double>(packets) / seconds);
    flow.bytes_per_second = static_cast<float>(static_cast<double>(bytes) / seconds);
  }
  flow.sampled = now;
  flow.base_packets = sample.packets;
  flow.base_bytes = sample.bytes;
  return packets > 0;
}

bool IsIdle(const Flow& flow, TimePoint now, Duration idle_time) {
  return now - std::max(flow.active, flow.installed ? flow.programmed : flow.created) >= idle_time - kEarly;
}

}  // namespace dpuflow::flow
