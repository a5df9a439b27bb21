// SPDX-License-Identifier: MIT
//
// cluster: what catalog does, by any number of processes. One coordinates, the others work; a Redis server is between
// them. Read next: coordinator.cpp, remote.hpp, worker.cpp. Hashing and the database are catalog's own files.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "coordinator.hpp"
#include "worker.hpp"

namespace {

std::string name_of_this_process() {
  char host[256] = "";
  gethostname(host, sizeof(host) - 1);
  return std::string(host) + '.' + std::to_string(getpid());
}

}  // namespace

int main(int argc, char** argv) {
  cluster::CoordinatorOptions coordinator;
  cluster::WorkerOptions worker;
  worker.name = name_of_this_process();
  double claim_after = std::chrono::duration<double>(worker.claim_after).count();

  CLI::App app("Hashes the files of a tree in any number of processes, with a Redis server between them.", "cluster");
  app.require_subcommand(1);
  CLI::App* const coordinate = app.add_subcommand("coordinate", "hand out the files of DIR, and store the hashes");
  coordinate->add_option("DIR", coordinator.directory, "the tree")->type_name("PATH")->required();
  coordinate->add_option("--db", coordinator.database, "the database, created if missing")
      ->type_name("FILE")
      ->capture_default_str();
  CLI::App* const work = app.add_subcommand("work", "hash files until SIGTERM");
  work->add_option("--threads", worker.threads, "files that are hashed at once")
      ->check(CLI::Range(1U, 1024U))
      ->capture_default_str();
  work->add_option("--claim-after", claim_after, "a worker that has not shown up for this long is believed dead")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  for (const auto& [command, address] : {std::pair(coordinate, &coordinator.redis), std::pair(work, &worker.redis)}) {
    command->add_option("--redis", *address, "the Redis server: unix:PATH or HOST:PORT")
        ->type_name("ADDRESS")
        ->capture_default_str();
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  worker.claim_after =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::duration<double>(claim_after));
  try {
    if (coordinate->parsed()) {
      cluster::coordinate(coordinator);
    } else {
      cluster::work(worker);
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cluster: %s\n", error.what());
    return 1;
  }
}
