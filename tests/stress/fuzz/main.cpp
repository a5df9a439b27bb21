// SPDX-License-Identifier: MIT
//
// toto_fuzz_run: the fuzzer's inputs without the fuzzer, for any compiler: those in the files and folders that are
// named, and then as many random ones as it is told to. Exits with 1 at the first that fails, and prints its bytes.
//
//   toto_fuzz_run [--random N] [--seed N] [FILE|FOLDER...]

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <toto/testing/strategies.hpp>
#include <vector>

#include "interpreter.hpp"

namespace {

bool passes(const std::string& input, const std::string& name) {
  const std::string failure = toto_fuzz::run_input(input);
  if (failure.empty()) {
    return true;
  }
  std::printf("FAILED: %s\n%s\ninput, for printf %%b:\n", name.c_str(), failure.c_str());
  for (const char byte : input) {
    std::printf("\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(byte)));
  }
  std::printf("\n");
  return false;
}

bool run_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string input{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return passes(input, path.string());
}

std::string random_input(std::uint64_t seed) {
  toto::testing::detail::Dice dice(seed);
  const std::size_t length = 4 + dice.below(120);
  std::string input(length, '\0');
  const bool calm = dice.below(2) == 0;  // long stretches without a switch of threads
  for (std::size_t i = 0; i < length; ++i) {
    input[i] = static_cast<char>(i >= 40 && calm ? 64 + dice.below(192) : dice.below(256));
  }
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t random = 0;
  std::uint64_t seed = 1;
  std::size_t files = 0;
  for (int i = 1; i < argc; ++i) {
    if (i + 1 < argc && (std::strcmp(argv[i], "--random") == 0 || std::strcmp(argv[i], "--seed") == 0)) {
      (argv[i][2] == 'r' ? random : seed) = std::strtoull(argv[i + 1], nullptr, 10);
      ++i;
    } else if (std::filesystem::is_directory(argv[i])) {
      for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
        if (!run_file(entry.path())) {
          return 1;
        }
        ++files;
      }
    } else if (std::filesystem::is_regular_file(argv[i])) {
      if (!run_file(argv[i])) {
        return 1;
      }
      ++files;
    } else {
      std::fprintf(stderr, "usage: %s [--random N] [--seed N] [FILE|FOLDER...]\n", argv[0]);
      return 2;
    }
  }
  for (std::uint64_t i = 0; i < random; ++i) {
    if (!passes(random_input(seed * 1'000'003 + i), "random input " + std::to_string(i))) {
      return 1;
    }
  }
  std::printf("fuzz inputs: %zu from files, %llu random, all passed\n", files, static_cast<unsigned long long>(random));
  return 0;
}
