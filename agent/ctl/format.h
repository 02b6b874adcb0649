// SPDX-License-Identifier: Apache-2.0
//
// Numbers as people read them, and columns. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dpuflow::ctl {

// "250ms", "12.3s", "5m12s", "3h25m", "12d4h".
std::string FormatTime(std::int64_t milliseconds);

// Three digits and an SI prefix: FormatRate(4234567, "pps") is "4.2Mpps", FormatRate(999, "bps") is "999bps".
std::string FormatRate(std::int64_t per_second, std::string_view unit);

// "ipv4", "ipv6", "arp", or "0x88cc".
std::string FormatEthertype(std::int64_t ethertype);

// "3 ready", "1 flow", "2 flows".
std::string Plural(std::int64_t count, std::string_view word);

// Words with a blank between, indented, broken before column 80 where a word allows it; ends with a newline. Nothing for
// no words.
std::string Paragraph(std::size_t indent, const std::vector<std::string>& words);

enum class Color : std::uint8_t { kNone, kGood, kBusy, kBad };

struct Cell {
  std::string text;
  Color color = Color::kNone;
};

// Aligned columns under a line of titles, for any number of rows: widths are those of the widest cell among the first
// rows (kBatch), and grow where a later batch needs it. So a short list fits exactly, and a long one is not kept.
class Table {
 public:
  struct Column {
    std::string title;
    bool right = false;  // numbers
  };
  Table(std::vector<Column> columns, bool colors);

  // `below` are whole lines that follow the row. A row with fewer cells ends there.
  void Add(std::vector<Cell> cells, std::string below = {});
  // The text that can be printed by now; empty while a batch is filling.
  std::string Take();
  // The rest. No rows at all: nothing, no titles either.
  std::string Finish();

 private:
  static constexpr std::size_t kBatch = 256;  // rows
  struct Row {
    std::vector<Cell> cells;
    std::string below;
  };
  std::string Render(const Row& row) const;

  std::vector<Column> columns_;
  bool colors_;
  bool titled_ = false;
  std::vector<std::size_t> widths_;
  std::vector<Row> rows_;
};

}  // namespace dpuflow::ctl
