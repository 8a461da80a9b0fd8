// What simdjson alone takes to read frames, its on-demand front end: the numbers of a trade, or the levels of a change.
// Arguments: "trade" or "depth", a file with a frame a line. Prints CPU nanoseconds per frame, the median of 9 turns.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

#include "simdjson.h"

using namespace simdjson;

static double read_side(ondemand::array side, std::vector<double> &out) {
  double sum = 0;
  for (auto level : side) {
    for (auto number : level.get_array()) {
      double value = number.get_double_in_string();
      out.push_back(value);
      sum += value;
    }
  }
  return sum;
}

int main(int, char **argv) {
  bool is_depth = std::string(argv[1]) == "depth";
  std::vector<padded_string> frames;
  std::ifstream file(argv[2]);
  for (std::string line; std::getline(file, line);) frames.emplace_back(line);
  ondemand::parser parser;
  std::vector<double> levels, turns;
  double sum = 0;
  for (int turn = 0; turn < 10; turn++) {
    std::clock_t started = std::clock();
    for (const auto &frame : frames) {
      auto document = parser.iterate(frame);
      auto data = document["data"];
      if (is_depth) {
        levels.clear();
        sum += int64_t(data["T"]) + int64_t(data["u"]);
        sum += read_side(data["b"], levels);
        sum += read_side(data["a"], levels);
      } else {
        sum += int64_t(data["a"]) + double(data["p"].get_double_in_string());
        sum += double(data["q"].get_double_in_string()) + int64_t(data["T"]) + bool(data["m"]);
      }
    }
    if (turn) turns.push_back(double(std::clock() - started) / CLOCKS_PER_SEC / frames.size() * 1e9);
  }
  std::sort(turns.begin(), turns.end());
  std::printf("%.1f %.17g\n", turns[turns.size() / 2], sum);
}
