// SPDX-License-Identifier: Apache-2.0
#include "agent/api/idl.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <set>
#include <utility>

namespace dpuflow::api {
namespace {

constexpr unsigned kMaxDepth = 64;

bool IsLetter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }
bool IsAlnum(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

// [A-Z][A-Za-z0-9]*
bool IsMemberName(std::string_view name) {
  return !name.empty() && IsLetter(name[0]) && std::isupper(static_cast<unsigned char>(name[0])) != 0 &&
         std::all_of(name.begin(), name.end(), IsAlnum);
}

// [A-Za-z](_?[A-Za-z0-9])*
bool IsFieldName(std::string_view name) {
  if (name.empty() || !IsLetter(name[0]) || name.back() == '_') return false;
  for (std::size_t i = 1; i < name.size(); ++i) {
    if (!IsAlnum(name[i]) && (name[i] != '_' || name[i - 1] == '_')) return false;
  }
  return true;
}

// Two or more parts with dots between; a part is of letters, digits and inner dashes, and the first one has a letter first.
bool IsInterfaceName(std::string_view name) {
  if (name.empty() || !IsLetter(name[0]) || name.find('.') == std::string_view::npos) return false;
  char before = '.';
  for (const char c : name) {
    const bool fits = IsAlnum(c) || (c == '-' && before != '.') || (c == '.' && before != '.' && before != '-');
    if (!fits) return false;
    before = c;
  }
  return IsAlnum(before);
}

// A recursive descent over the text. The first error stays; after it every step does nothing.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<IdlInterface> Run() {
    IdlInterface interface;
    ExpectWord("interface");
    interface.name = Word("the name of an interface", IsInterfaceName);
    SkipSpace();
    while (!error_ && at_ < text_.size()) {
      Member(interface);
      SkipSpace();
    }
    if (!error_) CheckNames(interface);
    if (error_) return tl::make_unexpected(*error_);
    return interface;
  }

 private:
  void Member(IdlInterface& interface) {
    const std::string keyword = Word("type, method or error", IsFieldName);
    const std::string name = Word("a name with a capital first", IsMemberName);
    if (!error_ && !members_.insert(name).second) Fail("a new name", name);
    if (keyword == "type") {
      interface.types[name] = Parenthesized(0);
    } else if (keyword == "method") {
      IdlMethod method;
      method.input = Struct();
      ExpectSign("->");
      method.output = Struct();
      interface.methods[name] = std::move(method);
    } else if (keyword == "error") {
      interface.errors[name] = Struct();
    } else if (!error_) {
      Fail("type, method or error", keyword);
    }
  }

  IdlType Struct() {
    IdlType type = Parenthesized(0);
    if (!error_ && type.kind != IdlType::Kind::kStruct) Fail("fields with types", "an enumeration");
    return type;
  }

  // (name: type, ...) or (name, ...); () is a struct.
  IdlType Parenthesized(unsigned depth) {
    IdlType type;
    type.kind = IdlType::Kind::kStruct;
    if (depth > kMaxDepth) Fail("less nesting", "another level");
    ExpectSign("(");
    if (TakeSign(")")) return type;
    std::set<std::string> names;
    do {
      std::string name = Word("the name of a field", IsFieldName);
      if (!error_ && !names.insert(name).second) Fail("a new name", name);
      const bool typed = TakeSign(":");
      if (names.size() == 1 && !typed) type.kind = IdlType::Kind::kEnum;
      if (!error_ && typed != (type.kind == IdlType::Kind::kStruct)) {
        Fail(typed ? "names without types" : "a type", name);
      }
      if (typed) {
        IdlType field = Type(depth + 1);
        type.fields.push_back({std::move(name), std::move(field)});
      } else {
        type.values.push_back(std::move(name));
      }
    } while (!error_ && TakeSign(","));
    ExpectSign(")");
    return type;
  }

  IdlType Type(unsigned depth) {
    if (depth > kMaxDepth) Fail("less nesting", "another level");
    if (error_) return {};
    if (TakeSign("?")) {
      if (PeekSign("?")) Fail("a type that is not optional already", "?");
      return Wrap(IdlType::Kind::kMaybe, depth);
    }
    if (TakeSign("[]")) return Wrap(IdlType::Kind::kArray, depth);
    if (TakeSign("[string]")) return Wrap(IdlType::Kind::kDict, depth);
    if (PeekSign("(")) return Parenthesized(depth);
    IdlType type;
    const std::string name = Word("a type", IsFieldName);
    using Kind = IdlType::Kind;
    static const std::map<std::string, Kind, std::less<>> kBasic = {{"bool", Kind::kBool},
                                                                    {"int", Kind::kInt},
                                                                    {"float", Kind::kFloat},
                                                                    {"string", Kind::kString},
                                                                    {"object", Kind::kObject}};
    if (const auto basic = kBasic.find(name); basic != kBasic.end()) {
      type.kind = basic->second;
    } else {
      if (!error_ && !IsMemberName(name)) Fail("a type", name);
      type.kind = Kind::kNamed;
      type.name = name;
      used_.push_back({name, at_});
    }
    return type;
  }

  IdlType Wrap(IdlType::Kind kind, unsigned depth) {
    IdlType type;
    type.kind = kind;
    type.element.push_back(Type(depth + 1));
    return type;
  }

  void CheckNames(const IdlInterface& interface) {
    for (const auto& [name, at] : used_) {
      if (interface.types.count(name) != 0) continue;
      at_ = at;
      return Fail("a type that is defined", name);
    }
  }

  void SkipSpace() {
    while (at_ < text_.size()) {
      if (text_[at_] == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (std::isspace(static_cast<unsigned char>(text_[at_])) != 0) {
        ++at_;
      } else {
        return;
      }
    }
  }

  bool PeekSign(std::string_view sign) {
    SkipSpace();
    return !error_ && text_.substr(at_, sign.size()) == sign;
  }

  bool TakeSign(std::string_view sign) {
    if (!PeekSign(sign)) return false;
    at_ += sign.size();
    return true;
  }

  void ExpectSign(std::string_view sign) {
    if (!TakeSign(sign)) Fail(std::string(sign), std::string(text_.substr(at_, 1)));
  }

  void ExpectWord(std::string_view word) {
    const std::string found = Word(std::string(word), IsFieldName);
    if (!error_ && found != word) Fail(std::string(word), found);
  }

  std::string Word(const std::string& expected, bool (*fits)(std::string_view)) {
    SkipSpace();
    if (error_) return {};
    const std::size_t begin = at_;
    while (at_ < text_.size() && (IsAlnum(text_[at_]) || text_[at_] == '_' || text_[at_] == '.' ||
                                  (text_[at_] == '-' && text_.substr(at_, 2) != "->"))) {
      ++at_;
    }
    std::string word(text_.substr(begin, at_ - begin));
    if (!fits(word)) Fail(expected, word.empty() ? std::string(text_.substr(at_, 1)) : word);
    return word;
  }

  void Fail(const std::string& expected, const std::string& found) {
    if (error_) return;
    const auto line = 1 + std::count(text_.begin(), text_.begin() + static_cast<long>(at_), '\n');
    error_ = Error{EINVAL, "read an interface definition",
                   fmt::format("line {}: expected {}, found {}", line, expected, found.empty() ? "the end" : found)};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::set<std::string> members_;
  std::vector<std::pair<std::string, std::size_t>> used_;  // named types, and where
  std::optional<Error> error_;
};

}  // namespace

Result<IdlInterface> ParseInterface(std::string_view text) { return Parser(text).Run(); }

}  // namespace dpuflow::api
