// SPDX-License-Identifier: MIT
//
// Describes the options to CLI11, which parses them and writes the help.

#include "options.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

namespace server {
namespace {

constexpr unsigned kMost = 1'000;

void add_seconds(CLI::App& app, const std::string& name, std::chrono::milliseconds& value, const std::string& what) {
  app.add_option_function<double>(
         name,
         [&value](double seconds) {
           value = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::duration<double>(seconds));
         },
         what)
      ->type_name("SECONDS")
      ->check(CLI::Range(0.05, 3600.0))
      ->default_str(std::to_string(value.count() / 1000));
}

}  // namespace

Options parse_options(int argc, char** argv) {
  Options options;
  // One processor is left for the loop and the database.
  options.hash_threads = std::clamp(std::thread::hardware_concurrency(), 2U, kMost) - 1;

  CLI::App app("Serves accounts and notes by HTTP, with a status page at /. Ends cleanly on SIGTERM and SIGINT.",
               "server");
  app.add_option("--address", options.address, "the IP address to listen on")->capture_default_str();
  app.add_option("--port", options.port, "the port to listen on; 0: any, which is printed")->capture_default_str();
  app.add_option("--database", options.database, "sqlite:FILE, or postgresql://... as libpq understands it")
      ->type_name("URL")
      ->take_last()
      ->capture_default_str();
  app.add_option("--connections", options.connections, "connections to the database, at the most")
      ->check(CLI::Range(1U, kMost))
      ->capture_default_str();
  app.add_option("--database-waiting", options.database_waiting, "queries that wait; more are refused (503)")
      ->check(CLI::Range(1U, 1'000'000U))
      ->capture_default_str();
  app.add_option("--hash-threads", options.hash_threads, "passwords that are hashed at once")
      ->check(CLI::Range(1U, kMost))
      ->capture_default_str();
  app.add_option("--hash-waiting", options.hash_waiting, "passwords that wait; more are refused (503)")
      ->check(CLI::Range(1U, 1'000'000U))
      ->capture_default_str();
  app.add_option("--hash-cost", options.hash_cost, "2^COST rounds of scrypt for each password")
      ->check(CLI::Range(1U, 20U))
      ->capture_default_str();
  app.add_option("--max-clients", options.limits.connections, "connections of clients; more are refused (503)")
      ->check(CLI::Range(1U, 1'000'000U))
      ->capture_default_str();
  add_seconds(app, "--idle-limit", options.limits.idle, "how long a connection is kept between two requests");
  add_seconds(app, "--read-limit", options.limits.reading, "how long a request may take to arrive");
  add_seconds(app, "--answer-limit", options.limits.answering, "how long it may take to be answered");
  add_seconds(app, "--write-limit", options.limits.writing, "how long a client may take to read the response");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error) == 0 ? 0 : 2);
  }
  return options;
}

}  // namespace server
