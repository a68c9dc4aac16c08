// The one error type: which op failed, what it expected, what it got, and what the caller can do.
#pragma once

#include <stdexcept>
#include <string>

namespace videomae {

class Error : public std::runtime_error {
 public:
  Error(std::string op, std::string expected, std::string got, std::string hint = "")
      : std::runtime_error(describe(op, expected, got, hint)),
        op(std::move(op)),
        expected(std::move(expected)),
        got(std::move(got)),
        hint(std::move(hint)) {}

  const std::string op, expected, got, hint;

 private:
  static std::string describe(const std::string& op, const std::string& expected, const std::string& got,
                              const std::string& hint) {
    return op + ": expected " + expected + "; got " + got + (hint.empty() ? "" : ". Hint: " + hint);
  }
};

}  // namespace videomae
