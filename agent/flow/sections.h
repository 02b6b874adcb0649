// SPDX-License-Identifier: Apache-2.0
//
// The sections of the L3 table: one for each shape of key that is in use.
//
// A shape is what a key matches on: the ethertype, tagged or not, and which fields beside the destination. Keys of one
// shape differ in values only, so a section needs no order; and no packet can match entries of two shapes, because all
// flows of a port to one destination have the same shape (pipeline.h) or differ in the IP protocol. Hardware and tc hold
// few sections, so one is given back when the last flow of its shape is gone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "agent/flow/rule.h"

namespace dpuflow::flow {

inline constexpr std::uint8_t kSections = 15;  // numbered from 1; prios 1 to 15 of a chain (offload/flower_mapping.h)

struct Shape {
  std::uint16_t ethertype = 0;  // 0: no shape
  bool tagged = false;
  Fields fields = 0;

  bool operator==(const Shape&) const = default;
};
[[nodiscard]] Shape ShapeOf(const Match& match);

class Sections {
 public:
  // The section of a shape, for one more flow. 0: all are taken by other shapes.
  std::uint8_t Acquire(const Shape& shape);
  void Release(std::uint8_t section);
  [[nodiscard]] std::size_t in_use() const;

 private:
  struct Use {
    Shape shape;
    std::size_t flows = 0;
  };
  std::array<Use, kSections> uses_{};
};

}  // namespace dpuflow::flow
