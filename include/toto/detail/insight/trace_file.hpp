// SPDX-License-Identifier: MIT
//
// TraceFile: where a TraceWriter's text goes. A file of its own is complete after each write, so that it can be opened
// whenever the program ends, however it ends. Read next: trace_text.hpp, ../../trace.hpp.

#ifndef TOTO_DETAIL_INSIGHT_TRACE_FILE_HPP
#define TOTO_DETAIL_INSIGHT_TRACE_FILE_HPP

#include <cerrno>
#include <fstream>
#include <ios>
#include <ostream>
#include <string>
#include <string_view>
#include <system_error>

#include "../../version.hpp"

namespace toto::inline v0_1::detail {

/// One thread at a time. Errors of the stream are kept in its state, for throw_if_failed().
class TraceFile {
 public:
  /// Writes to the program's stream, which ends with the text only after end().
  /// Throws: std::bad_alloc, as a closed file has a buffer in some standard libraries.
  explicit TraceFile(std::ostream& stream) : stream_(&stream) {}
  /// Creates the file, or empties it.
  /// Throws: std::system_error naming the file.
  explicit TraceFile(const std::string& name) : stream_(&own_stream_) {
    errno = 0;
    own_stream_.open(name, std::ios::binary);
    if (!own_stream_) {
      throw std::system_error(
          errno != 0 ? std::error_code(errno, std::generic_category()) : std::make_error_code(std::io_errc::stream),
          "toto: cannot write the trace to '" + name + "'");
    }
  }

  /// Writes the text, and empties it. In a file of its own the closing text follows, and is overwritten by the next
  /// write. Each write is one system call: a program that is killed leaves all of it, or nothing.
  /// Throws: std::bad_alloc; then nothing has changed.
  void write(std::string& text) {
    if (text.empty()) {
      return;
    }
    const bool own = own_stream_.is_open();
    if (own) {
      text += kEnd;
    }
    try {
      stream_->write(text.data(), static_cast<std::streamsize>(text.size()));
      if (own) {
        stream_->flush();
        stream_->seekp(-static_cast<std::streamoff>(kEnd.size()), std::ios::cur);
      }
    } catch (const std::ios_base::failure&) {  // its state tells, too
    }
    text.clear();
  }

  /// Nothing is written after this.
  void end() {
    if (!own_stream_.is_open()) {
      std::string text(kEnd);
      write(text);
    }
  }

  /// Throws: std::system_error if it could not be written.
  void throw_if_failed() {
    try {
      stream_->flush();
    } catch (const std::ios_base::failure&) {
    }
    if (!*stream_) {
      throw std::system_error(std::make_error_code(std::io_errc::stream), "toto: the trace could not be written");
    }
  }

 private:
  static constexpr std::string_view kEnd = "\n]}\n";

  std::ofstream own_stream_;
  std::ostream* const stream_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_INSIGHT_TRACE_FILE_HPP
