// SPDX-License-Identifier: Apache-2.0
//
// The sections of a table whose keys have several shapes (L3, flat): one for each shape that is in use.
//
// A shape is what a key matches on: the ethertype, tagged or not, routed or bridged, and which fields beside the destination.
// Keys of one shape differ in values only, so a section needs no order; and no packet can match entries of two shapes, because all
// flows of a port to one destination have the same shape (pipeline.h) or differ in the IP protocol. Hardware and tc hold
// few sections, so one is given back when the last flow of its shape is gone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "agent/flow/rule.h"

namespace dpuflow::flow {

// Numbered from 1. Where they stand, and why there are so many: offload/flower_mapping.h.
inline constexpr std::uint8_t kSections = 15;  // of L3
inline constexpr std::uint8_t kFlatSections = 8;

struct Shape {
  std::uint16_t ethertype = 0;  // 0: any, where a tag hides it and no address shows it
  bool tagged = false;
  bool routed = true;  // has a destination
  Fields fields = 0;

  bool operator==(const Shape&) const = default;
};
[[nodiscard]] Shape ShapeOf(const Match& match);
[[nodiscard]] bool HasSections(Table table);

class Sections {
 public:
  explicit Sections(std::uint8_t count) : uses_(count) {}
  // The section of a shape, for one more flow. 0: all are taken by other shapes.
  std::uint8_t Acquire(const Shape& shape);
  // This section for one more flow of that shape; false: it holds another one, or there is no such section.
  [[nodiscard]] bool Take(std::uint8_t section, const Shape& shape);
  void Release(std::uint8_t section);
  [[nodiscard]] std::size_t in_use() const;

 private:
  struct Use {
    Shape shape;
    std::size_t flows = 0;
  };
  std::vector<Use> uses_;
};

}  // namespace dpuflow::flow
