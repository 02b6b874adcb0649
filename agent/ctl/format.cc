// SPDX-License-Identifier: Apache-2.0
#include "agent/ctl/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace dpuflow::ctl {
namespace {

constexpr std::size_t kLineWidth = 80;

const char* Escape(Color color) {
  switch (color) {
    case Color::kGood:
      return "\x1b[32m";
    case Color::kBusy:
      return "\x1b[33m";
    case Color::kBad:
      return "\x1b[31m";
    case Color::kNone:
      break;
  }
  return "";
}

void TrimRight(std::string& line) { line.erase(line.find_last_not_of(' ') + 1); }

}  // namespace

std::string FormatTime(std::int64_t milliseconds) {
  if (milliseconds < 1000) return fmt::format("{}ms", milliseconds);
  if (milliseconds < 60000) return fmt::format("{}.{}s", milliseconds / 1000, milliseconds % 1000 / 100);
  const std::int64_t seconds = milliseconds / 1000;
  if (seconds < 3600) return fmt::format("{}m{}s", seconds / 60, seconds % 60);
  if (seconds < 86400) return fmt::format("{}h{}m", seconds / 3600, seconds % 3600 / 60);
  return fmt::format("{}d{}h", seconds / 86400, seconds % 86400 / 3600);
}

std::string FormatRate(std::int64_t per_second, std::string_view unit) {
  static constexpr std::array<const char*, 7> kPrefixes = {"", "k", "M", "G", "T", "P", "E"};
  if (per_second < 1000) return fmt::format("{}{}", per_second, unit);
  double value = static_cast<double>(per_second);
  std::size_t prefix = 0;
  while (value >= 999.5 && prefix + 1 < kPrefixes.size()) {
    value /= 1000;
    ++prefix;
  }
  return fmt::format("{:.{}f}{}{}", value, value < 99.95 ? 1 : 0, kPrefixes[prefix], unit);
}

std::string FormatEthertype(std::int64_t ethertype) {
  switch (ethertype) {
    case 0x0800:
      return "ipv4";
    case 0x86dd:
      return "ipv6";
    case 0x0806:
      return "arp";
    default:
      return fmt::format("{:#06x}", ethertype);
  }
}

std::string Plural(std::int64_t count, std::string_view word) {
  return fmt::format("{} {}{}", count, word, count == 1 ? "" : "s");
}

std::string Paragraph(std::size_t indent, const std::vector<std::string>& words) {
  std::string text;
  std::size_t used = kLineWidth;
  for (const std::string& word : words) {
    if (used + 1 + word.size() > kLineWidth) {
      if (!text.empty()) text += '\n';
      text += std::string(text.empty() ? indent : indent + 2, ' ') + word;
      used = (text.size() - (text.rfind('\n') + 1));  // rfind's npos + 1 is 0
    } else {
      text += ' ' + word;
      used += 1 + word.size();
    }
  }
  return text.empty() ? text : text + '\n';
}

Table::Table(std::vector<Column> columns, bool colors)
    : columns_(std::move(columns)), colors_(colors), widths_(columns_.size()) {}

void Table::Add(std::vector<Cell> cells, std::string below) { rows_.push_back({std::move(cells), std::move(below)}); }

std::string Table::Take() { return rows_.size() < kBatch ? "" : Finish(); }

std::string Table::Finish() {
  if (rows_.empty()) return "";
  if (!titled_) {
    Row titles;
    for (const Column& column : columns_) titles.cells.push_back({column.title, Color::kNone});
    rows_.insert(rows_.begin(), std::move(titles));
    titled_ = true;
  }
  for (const Row& row : rows_) {
    for (std::size_t i = 0; i < row.cells.size(); ++i) widths_[i] = std::max(widths_[i], row.cells[i].text.size());
  }
  std::string text;
  for (const Row& row : rows_) text += Render(row);
  rows_.clear();
  return text;
}

std::string Table::Render(const Row& row) const {
  std::string line;
  for (std::size_t i = 0; i < row.cells.size(); ++i) {
    const Cell& cell = row.cells[i];
    const std::string padding(widths_[i] - cell.text.size(), ' ');
    if (i > 0) line += ' ';
    if (columns_[i].right) line += padding;
    if (colors_ && cell.color != Color::kNone) {
      line += Escape(cell.color) + cell.text + "\x1b[0m";
    } else {
      line += cell.text;
    }
    if (!columns_[i].right) line += padding;
  }
  TrimRight(line);
  return line + '\n' + row.below;
}

}  // namespace dpuflow::ctl
