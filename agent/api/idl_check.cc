// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "agent/api/idl.h"

namespace dpuflow::api {
namespace {

using Kind = IdlType::Kind;

std::string Join(const std::string& field, const std::string& rest) {
  if (rest.empty()) return field;
  return rest.front() == '[' ? field + rest : field + "." + rest;
}

std::optional<std::string> MismatchInStruct(const IdlInterface& interface, const IdlType& type, const Json& value,
                                            UnknownFields unknown) {
  if (!value.is_object()) return "";
  for (const IdlField& field : type.fields) {
    const auto found = value.find(field.name);
    if (found == value.end()) {
      if (field.type.kind != Kind::kMaybe) return field.name;
    } else if (const auto inner = Mismatch(interface, field.type, *found, unknown)) {
      return Join(field.name, *inner);
    }
  }
  if (unknown == UnknownFields::kIgnored) return std::nullopt;
  for (const auto& item : value.items()) {
    const std::string& name = item.key();
    const bool known = std::any_of(type.fields.begin(), type.fields.end(),
                                   [&name](const IdlField& field) { return field.name == name; });
    if (!known) return name;
  }
  return std::nullopt;
}

bool IsEnumValue(const IdlType& type, const Json& value) {
  return value.is_string() &&
         std::find(type.values.begin(), type.values.end(), value.get_ref<const std::string&>()) != type.values.end();
}

// Varlink's int is signed, 64 bits.
bool IsInt(const Json& value) {
  if (!value.is_number_integer()) return false;
  return !value.is_number_unsigned() || value.get<std::uint64_t>() <= INT64_MAX;
}

std::optional<std::string> Unless(bool fits) { return fits ? std::nullopt : std::optional<std::string>(""); }

}  // namespace

std::optional<std::string> Mismatch(const IdlInterface& interface, const IdlType& type, const Json& value,
                                    UnknownFields unknown) {
  switch (type.kind) {
    case Kind::kBool:
      return Unless(value.is_boolean());
    case Kind::kInt:
      return Unless(IsInt(value));
    case Kind::kFloat:
      return Unless(value.is_number());
    case Kind::kString:
      return Unless(value.is_string());
    case Kind::kObject:
      return Unless(value.is_object());
    case Kind::kEnum:
      return Unless(IsEnumValue(type, value));
    case Kind::kStruct:
      return MismatchInStruct(interface, type, value, unknown);
    case Kind::kMaybe:
      return value.is_null() ? std::nullopt : Mismatch(interface, type.element.front(), value, unknown);
    case Kind::kNamed: {
      const auto named = interface.types.find(type.name);
      return named == interface.types.end() ? "" : Mismatch(interface, named->second, value, unknown);
    }
    case Kind::kArray: {
      if (!value.is_array()) return "";
      for (std::size_t i = 0; i < value.size(); ++i) {
        const auto inner = Mismatch(interface, type.element.front(), value[i], unknown);
        if (inner) return Join(fmt::format("[{}]", i), *inner);
      }
      return std::nullopt;
    }
    case Kind::kDict: {
      if (!value.is_object()) return "";
      for (const auto& [name, item] : value.items()) {
        const auto inner = Mismatch(interface, type.element.front(), item, unknown);
        if (inner) return Join(name, *inner);
      }
      return std::nullopt;
    }
  }
  return "";
}

}  // namespace dpuflow::api
