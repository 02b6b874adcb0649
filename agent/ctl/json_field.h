// SPDX-License-Identifier: Apache-2.0
//
// Fields of a JSON object that may not be there, or may be of another type.
#pragma once

#include <cstdint>
#include <string>

#include "agent/api/message.h"

namespace dpuflow::ctl {

// The field, or null.
inline const api::Json& Field(const api::Json& object, const char* name) {
  static const api::Json kNull;
  if (!object.is_object()) return kNull;
  const auto found = object.find(name);
  return found == object.end() ? kNull : *found;
}

inline bool Has(const api::Json& object, const char* name) { return !Field(object, name).is_null(); }

inline std::string Text(const api::Json& object, const char* name, const std::string& fallback = "-") {
  const api::Json& field = Field(object, name);
  if (field.is_null()) return fallback;
  return field.is_string() ? field.get<std::string>() : api::Dump(field);
}

inline std::int64_t Number(const api::Json& object, const char* name) {
  const api::Json& field = Field(object, name);
  return field.is_number() ? field.get<std::int64_t>() : 0;
}

inline bool Flag(const api::Json& object, const char* name) {
  const api::Json& field = Field(object, name);
  return field.is_boolean() && field.get<bool>();
}

}  // namespace dpuflow::ctl
