// SPDX-License-Identifier: Apache-2.0
//
// The language of Varlink interface definitions (https://varlink.org/Interface-Definition), and the
// check of JSON values against them. The definition is the contract: the service refuses calls that
// do not fit it before a handler sees them, and tests hold replies against it.
//
// Pure: text in, values out. Nothing here throws.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/api/message.h"
#include "netlink/error.h"

namespace dpuflow::api {

struct IdlField;

// A type: `?`, `[]` and `[string]` wrap exactly one element.
struct IdlType {
  enum class Kind : std::uint8_t {
    kBool,
    kInt,
    kFloat,
    kString,
    kObject,  // any JSON object
    kNamed,   // `name` is a type of the same interface
    kStruct,  // `fields`
    kEnum,    // `values`
    kMaybe,   // ?element: null or left out
    kArray,   // []element
    kDict,    // [string]element
  };
  Kind kind = Kind::kBool;
  std::string name;
  std::vector<IdlField> fields;
  std::vector<std::string> values;
  std::vector<IdlType> element;  // one, for the three that wrap
};

struct IdlField {
  std::string name;
  IdlType type;
};

struct IdlMethod {
  IdlType input;   // kStruct
  IdlType output;  // kStruct
};

struct IdlInterface {
  std::string name;  // "io.dpuflow.Agent"
  std::map<std::string, IdlType, std::less<>> types;
  std::map<std::string, IdlMethod, std::less<>> methods;
  std::map<std::string, IdlType, std::less<>> errors;
};

// EINVAL and line, what was expected, what was found. Also refused: names that are defined twice,
// types that are used and not defined, anything nested deeper than 64 levels.
[[nodiscard]] Result<IdlInterface> ParseInterface(std::string_view text);

// What to think of a field that the type does not have: a call must not have one, the reply of a newer service may.
enum class UnknownFields : std::uint8_t { kRefused, kIgnored };

// Where `value` does not fit `type`: the path of the first field ("filter.vlan", "ports[3].name";
// "" is the value itself). Nothing if it fits.
[[nodiscard]] std::optional<std::string> Mismatch(const IdlInterface& interface, const IdlType& type, const Json& value,
                                                  UnknownFields unknown = UnknownFields::kRefused);

}  // namespace dpuflow::api
