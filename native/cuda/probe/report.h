// The text of a probe: facts, one a line, and tables of integers in a compact but exact form. Expectation and
// observation write the same facts with the same calls, so that their texts can be compared line by line.
//
// A row of a table is a list of runs: `7` one value, `7*3` the value three times, `7+2*3` the values 7 9 11, `-` for
// nothing (-1). Rows that are the row before plus a constant are told in one line: `4..7: 0+1*8 (+16 a row)`.
#pragma once

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <string>
#include <vector>

namespace videomae::probe {

constexpr int kNothing = -1;

class Report {
 public:
  /// One fact, in printf's form.
  __attribute__((format(printf, 2, 3))) void line(const char* format, ...) {
    std::va_list values;
    va_start(values, format);
    text_ += formatted(format, values) + "\n";
    va_end(values);
    ++cases_;
  }

  /// A remark that is not compared: what may differ from run to run.
  __attribute__((format(printf, 2, 3))) void note(const char* format, ...) {
    std::va_list values;
    va_start(values, format);
    text_ += "# " + formatted(format, values) + "\n";
    va_end(values);
  }

  /// `columns` values a row.
  void table(const std::string& title, const std::vector<int>& values, size_t columns) {
    text_ += title + "\n";
    cases_ += static_cast<int>(values.size());
    const size_t rows = values.size() / columns;
    for (size_t row = 0; row < rows;) {
      const int* first = &values[row * columns];
      size_t count = 1;
      const int step = row + 1 < rows ? first[columns] - first[0] : 0;
      while (row + count < rows && follows(first + (count - 1) * columns, columns, step)) ++count;
      text_ += "  " + std::to_string(row);
      if (count > 1) text_ += ".." + std::to_string(row + count - 1);
      text_ += ":" + runs(first, columns);
      if (count > 1 && step) text_ += " (" + signed_text(step) + " a row)";
      text_ += "\n";
      row += count;
    }
  }

  const std::string& text() const { return text_; }
  int cases() const { return cases_; }

 private:
  static std::string formatted(const char* format, std::va_list values) {
    char buffer[512];
    std::vsnprintf(buffer, sizeof(buffer), format, values);
    return buffer;
  }

  static std::string signed_text(int value) { return (value < 0 ? "" : "+") + std::to_string(value); }

  /// Whether the row behind is this one plus `step`; nothing stays nothing, and only with step 0.
  static bool follows(const int* row, size_t columns, int step) {
    for (size_t i = 0; i < columns; ++i) {
      const bool nothing = row[i] == kNothing || row[columns + i] == kNothing;
      if (row[columns + i] != row[i] + step || (nothing && step)) return false;
    }
    return true;
  }

  static std::string runs(const int* values, size_t count) {
    std::string text;
    for (size_t i = 0; i < count;) {
      const int step = i + 1 < count ? values[i + 1] - values[i] : 0;
      size_t length = 1;
      while (i + length < count && values[i + length] - values[i + length - 1] == step &&
             (step == 0 || (values[i] != kNothing && values[i + length] != kNothing))) {
        ++length;
      }
      text += " " + (values[i] == kNothing ? std::string("-") : std::to_string(values[i]));
      if (length > 1 && step) text += signed_text(step);
      if (length > 1) text += "*" + std::to_string(length);
      i += length;
    }
    return text;
  }

  std::string text_;
  int cases_ = 0;
};

/// The text without its remarks.
inline std::string compared(const std::string& text) {
  std::string kept;
  for (size_t from = 0; from < text.size();) {
    const size_t end = text.find('\n', from), until = end == std::string::npos ? text.size() : end + 1;
    if (text[from] != '#') kept += text.substr(from, until - from);
    from = until;
  }
  return kept;
}

/// The first line in which two compared texts differ; empty when there is none.
inline std::string first_difference(const std::string& expected, const std::string& got) {
  const std::string a = compared(expected), b = compared(got);
  std::string heading;
  for (size_t i = 0, j = 0, line = 1; i < a.size() || j < b.size(); ++line) {
    const std::string left = a.substr(i, a.find('\n', i) - i), right = b.substr(j, b.find('\n', j) - j);
    if (left != right) {
      return "line " + std::to_string(line) + (heading.empty() ? "" : " of \"" + heading + "\"") + ": expected \"" +
             left + "\", got \"" + right + "\"";
    }
    if (left.rfind("  ", 0) != 0) heading = left;
    i = std::min(a.size(), i + left.size() + 1), j = std::min(b.size(), j + right.size() + 1);
  }
  return "";
}

}  // namespace videomae::probe
