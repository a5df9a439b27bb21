// SPDX-License-Identifier: MIT
//
// The command line.

#ifndef SERVER_OPTIONS_HPP
#define SERVER_OPTIONS_HPP

#include <cstddef>
#include <string>

#include "session.hpp"

namespace server {

struct Options {
  std::string address = "127.0.0.1";
  unsigned short port = 8080;
  std::string database = "sqlite:server.db";
  std::size_t connections = 4;  ///< to the database
  std::size_t database_waiting = 256;
  std::size_t hash_threads = 1;
  std::size_t hash_waiting = 64;
  unsigned hash_cost = 14;
  Limits limits;
};

/// Parses the arguments. Ends the process for --help (0) and for invalid arguments (2).
Options parse_options(int argc, char** argv);

}  // namespace server

#endif  // SERVER_OPTIONS_HPP
