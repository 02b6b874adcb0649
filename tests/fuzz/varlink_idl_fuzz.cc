// SPDX-License-Identifier: Apache-2.0
//
// An interface definition and, behind a NUL, a JSON value that is held against all its types. A definition that is
// understood is written and read again as the same one.
#include "agent/api/idl.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>

#include "fuzz.h"

namespace dpuflow::api {
namespace {

using fuzz::Require;
using Kind = IdlType::Kind;

// A type as it stands in a definition.
std::string Written(const IdlType& type) {
  switch (type.kind) {
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return "string";
    case Kind::kObject:
      return "object";
    case Kind::kNamed:
      return type.name;
    case Kind::kMaybe:
      return "?" + Written(type.element.at(0));
    case Kind::kArray:
      return "[]" + Written(type.element.at(0));
    case Kind::kDict:
      return "[string]" + Written(type.element.at(0));
    case Kind::kStruct: {
      std::string fields;
      for (const IdlField& field : type.fields) {
        fields += (fields.empty() ? "" : ", ") + field.name + ": " + Written(field.type);
      }
      return "(" + fields + ")";
    }
    case Kind::kEnum:
      return fmt::format("({})", fmt::join(type.values, ", "));
  }
  return "";
}

std::string Written(const IdlInterface& interface) {
  std::string text = "interface " + interface.name + "\n";
  for (const auto& [name, type] : interface.types) text += "type " + name + " " + Written(type) + "\n";
  for (const auto& [name, method] : interface.methods) {
    text += "method " + name + Written(method.input) + " -> " + Written(method.output) + "\n";
  }
  for (const auto& [name, type] : interface.errors) text += "error " + name + " " + Written(type) + "\n";
  return text;
}

void CheckValue(const IdlInterface& interface, std::string_view text) {
  const Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) return;
  for (const auto& [name, type] : interface.types) {
    const bool fits = !Mismatch(interface, type, value);
    Require(!fits || (type.kind == Kind::kEnum ? value.is_string() : value.is_object()),
            "what fits has the type's kind");
    const IdlType optional{.kind = Kind::kMaybe, .name = {}, .fields = {}, .values = {}, .element = {type}};
    Require(!Mismatch(interface, optional, value) == (fits || value.is_null()), "an optional type fits null too");
  }
}

void Check(std::string_view input) {
  const std::size_t end = std::min(input.find('\0'), input.size());
  const auto interface = ParseInterface(input.substr(0, end));
  if (!interface) {
    Require(interface.error().code == EINVAL && interface.error().extack.starts_with("line "), "an error has its line");
    return;
  }
  const std::string text = Written(*interface);
  const auto again = ParseInterface(text);
  Require(again && Written(*again) == text, "a definition is read as it is written");
  if (end < input.size()) CheckValue(*interface, input.substr(end + 1));
}

}  // namespace
}  // namespace dpuflow::api

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dpuflow::api::Check(dpuflow::fuzz::Text(data, size));
  return 0;
}
