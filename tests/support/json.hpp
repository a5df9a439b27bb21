// SPDX-License-Identifier: MIT
//
// A strict reader of JSON (RFC 8259), small and slow, for tests of what the library writes.

#ifndef TOTO_TESTS_SUPPORT_JSON_HPP
#define TOTO_TESTS_SUPPORT_JSON_HPP

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace toto_tests {

/// A value; numbers are double, texts UTF-8, null and the truth values are not used and refused.
struct Json {
  using Array = std::vector<Json>;
  using Object = std::map<std::string, Json>;
  std::variant<double, std::string, Array, Object> value;

  double number() const { return std::get<double>(value); }
  const std::string& text() const { return std::get<std::string>(value); }
  const Array& array() const { return std::get<Array>(value); }
  const Object& object() const { return std::get<Object>(value); }
  bool has(const std::string& key) const { return object().count(key) != 0; }
  /// Throws: std::out_of_range if there is no such member, std::bad_variant_access if this is no object.
  const Json& operator[](const std::string& key) const { return object().at(key); }
};

class JsonReader {
 public:
  /// Throws: std::runtime_error that says where.
  static Json read(std::string_view text) {
    JsonReader reader(text);
    Json json = reader.value();
    reader.skip_space();
    reader.require(reader.rest_.empty(), "nothing more");
    return json;
  }

 private:
  explicit JsonReader(std::string_view text) : whole_(text), rest_(text) {}

  void require(bool met, const char* expected) const {
    if (!met) {
      const std::size_t at = whole_.size() - rest_.size();
      throw std::runtime_error("JSON, at " + std::to_string(at) + ": expected " + expected + ", not '" +
                               std::string(rest_.substr(0, 40)) + "'");
    }
  }
  void skip_space() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size())); }
  bool take(char c) {
    skip_space();
    if (rest_.empty() || rest_.front() != c) {
      return false;
    }
    rest_.remove_prefix(1);
    return true;
  }

  Json value() {
    skip_space();
    require(!rest_.empty(), "a value");
    switch (rest_.front()) {
      case '{':
        return {object()};
      case '[':
        return {array()};
      case '"':
        return {string()};
      default:
        return {number()};
    }
  }
  Json::Object object() {
    Json::Object members;
    take('{');
    if (take('}')) {
      return members;
    }
    do {
      skip_space();
      std::string key = string();
      require(take(':'), "':'");
      require(members.emplace(std::move(key), value()).second, "a key once");
    } while (take(','));
    require(take('}'), "'}'");
    return members;
  }
  Json::Array array() {
    Json::Array elements;
    take('[');
    if (take(']')) {
      return elements;
    }
    do {
      elements.push_back(value());
    } while (take(','));
    require(take(']'), "']'");
    return elements;
  }
  double number() {
    const std::size_t size = std::min(rest_.find_first_not_of("-+.eE0123456789"), rest_.size());
    std::string_view digits = rest_.substr(0, size);
    const auto some_digits = [&] {
      const std::size_t count = std::min(digits.find_first_not_of("0123456789"), digits.size());
      require(count > 0, "a digit");
      digits.remove_prefix(count);
      return count;
    };
    if (digits.starts_with('-')) {
      digits.remove_prefix(1);
    }
    const bool zero = digits.starts_with('0');
    require(some_digits() == 1 || !zero, "no leading zero");
    if (digits.starts_with('.')) {
      digits.remove_prefix(1);
      some_digits();
    }
    require(digits.empty(), "a number without an exponent");
    const double number = std::strtod(std::string(rest_.substr(0, size)).c_str(), nullptr);
    rest_.remove_prefix(size);
    return number;
  }
  std::string string() {
    require(rest_.starts_with('"'), "a text");
    rest_.remove_prefix(1);
    std::string text;
    for (;;) {
      require(!rest_.empty(), "'\"'");
      const char c = rest_.front();
      require(static_cast<unsigned char>(c) >= 0x20, "no control character");
      rest_.remove_prefix(1);
      if (c == '"') {
        return text;
      }
      text += c == '\\' ? escaped() : std::string(1, c);
    }
  }
  std::string escaped() {
    require(!rest_.empty(), "an escaped character");
    const char c = rest_.front();
    if (c != 'u') {
      require(c == '"' || c == '\\', "one of the escapes in use");
      rest_.remove_prefix(1);
      return std::string(1, c);
    }
    require(rest_.size() >= 5 && rest_.substr(1, 4).find_first_not_of("0123456789abcdef") == std::string::npos,
            "four digits");
    const auto code = std::strtoul(std::string(rest_.substr(1, 4)).c_str(), nullptr, 16);
    rest_.remove_prefix(5);
    if (code < 0x80) {
      return std::string(1, static_cast<char>(code));
    }
    require(code == 0xfffd, "one of the escapes in use");
    return "\xef\xbf\xbd";
  }

  std::string_view whole_;
  std::string_view rest_;
};

}  // namespace toto_tests

#endif  // TOTO_TESTS_SUPPORT_JSON_HPP
