// The program `probe`: runs probes on the GPU and says, a JSON object a line, whether each observed what the
// documentation promises.
//
// A probe runs in a process of its own, so that one which hangs or faults costs nothing but itself: with one name that
// is this process, with more each gets a child, forked before CUDA begins. Exit status: 0 as expected (or not on this
// GPU), 1 a difference or a failure, 2 a wrong command line, 3 no usable GPU.
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <stdexcept>

#include "cuda/device/device_info.cuh"
#include "cuda/probe/json.h"
#include "cuda/probe/probe.h"

namespace videomae::probe {
namespace {

enum Status { kAsExpected = 0, kDiffers = 1, kUsage = 2, kNoGpu = 3 };

constexpr char kUsageText[] =
    "usage: probe list                      names, one a line\n"
    "       probe expect NAME               the expectation, without a GPU\n"
    "       probe run [NAME...] [options]   observes; all probes without a name\n"
    "         --golden DIR    writes what was observed to DIR/NAME.txt\n"
    "         --seconds N     gives a probe up after N seconds (default 60)\n";

struct Options {
  std::vector<const Expectation*> probes;
  std::string golden;
  unsigned seconds = 60;
};

/// The probe that asks how many registers a kernel has.
constexpr char kNeedsRegisters[] = "register_budget";

using Observe = void (*)(Report&);

Observe observation(const char* name) {
  struct Row {
    const char* name;
    Observe observe;
  };
  constexpr Row rows[] = {
#define PROBE(name, capability) {#name, observe_##name},
#include "cuda/probe/probes.def"
#undef PROBE
  };
  for (const Row& row : rows) {
    if (!std::strcmp(row.name, name)) return row.observe;
  }
  return nullptr;
}

void say(const char* name, const char* verdict, const std::string& detail, int cases, double ms) {
  std::printf("{\"bench\":\"probe\",\"probe\":\"%s\",\"verdict\":\"%s\",\"detail\":%s,\"cases\":%d,\"ms\":%.1f}\n",
              name, verdict, json_string(detail).c_str(), cases, ms);
  std::fflush(stdout);
}

/// What the watchdog writes: composed beforehand, since a signal handler may not.
std::string last_words;

void give_up(int) {
  const ssize_t written = write(STDOUT_FILENO, last_words.data(), last_words.size());
  _exit(written < 0 ? kUsage : kDiffers);
}

void watch(const char* name, unsigned seconds) {
  last_words = std::string("{\"bench\":\"probe\",\"probe\":\"") + name +
               "\",\"verdict\":\"failed\",\"detail\":\"no end after " + std::to_string(seconds) +
               " s\",\"cases\":0,\"ms\":" + std::to_string(seconds * 1000) + "}\n";
  std::signal(SIGALRM, give_up);
  alarm(seconds);
}

/// By way of a second file, so that a broken run leaves no half.
void write_golden(const std::string& folder, const char* name, const cuda::DeviceInfo& device,
                  const std::string& text) {
  const std::string path = folder + "/" + name + ".txt", unfinished = path + "." + std::to_string(getpid()) + ".tmp";
  std::filesystem::create_directories(folder);
  char date[32];
  const std::time_t now = std::time(nullptr);
  std::strftime(date, sizeof(date), "%Y-%m-%d", std::gmtime(&now));
  std::FILE* file = std::fopen(unfinished.c_str(), "w");
  if (!file) throw std::runtime_error("cannot write " + unfinished);
  std::fprintf(file, "# %s\n# %s, capability %d.%d\n# CUDA driver %d.%d, runtime %d.%d\n# %s\n%s", name,
               device.name.c_str(), device.capability / 10, device.capability % 10, device.driver / 1000,
               device.driver % 1000 / 10, device.runtime / 1000, device.runtime % 1000 / 10, date, text.c_str());
  const bool whole = !std::ferror(file);
  if (std::fclose(file) != 0 || !whole || std::rename(unfinished.c_str(), path.c_str()) != 0) {
    throw std::runtime_error("cannot write " + path);
  }
}

int run_here(const Expectation& probe, const Options& options) {
  watch(probe.name, options.seconds);
  const auto start = std::chrono::steady_clock::now();
  const auto ms = [&] {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  };
  const cuda::DeviceInfo device = cuda::device_info();
  if (!device.problem.empty()) {
    std::printf("{\"bench\":\"probe\",\"verdict\":\"no usable GPU\",\"detail\":%s}\n",
                json_string(device.problem).c_str());
    std::fflush(stdout);
    return kNoGpu;
  }
  const bool fits =
      probe.capability == 90 ? device.capability == 90 : device.capability / 10 == 8 || device.capability == 90;
  if (!fits) {
    say(probe.name, "not on this GPU", device.name + " has capability " + std::to_string(device.capability), 0, ms());
    return kAsExpected;
  }
  if (device.emulated && !std::strcmp(probe.name, kNeedsRegisters)) {
    say(probe.name, "not on this GPU", "the emulator has no registers", 0, ms());
    return kAsExpected;
  }
  try {
    if (device.emulated && !options.golden.empty()) throw std::runtime_error("golden files come from a GPU alone");
    Report expected, observed;
    probe.expect(expected);
    observation(probe.name)(observed);
    if (!options.golden.empty()) write_golden(options.golden, probe.name, device, observed.text());
    const std::string difference = first_difference(expected.text(), observed.text());
    say(probe.name, difference.empty() ? "as expected" : "differs", difference, observed.cases(), ms());
    return difference.empty() ? kAsExpected : kDiffers;
  } catch (const std::exception& error) {
    say(probe.name, "failed", error.what(), 0, ms());
    return kDiffers;
  }
}

int run_in_child(const Expectation& probe, const Options& options) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    const int status = run_here(probe, options);
    std::fflush(stdout);
    _exit(status);  // no destructors: the driver takes everything back
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) < 0) {
    say(probe.name, "failed", "no process could be started", 0, 0);
    return kDiffers;
  }
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  say(probe.name, "failed", std::string("ended by ") + strsignal(WTERMSIG(status)), 0, 0);
  return kDiffers;
}

int run(const Options& options) {
  if (options.probes.size() == 1) return run_here(*options.probes[0], options);
  int worst = kAsExpected;
  for (const Expectation* probe : options.probes) {
    const int status = run_in_child(*probe, options);
    if (status == kNoGpu) return kNoGpu;
    if (status != kAsExpected) worst = kDiffers;
  }
  return worst;
}

int usage(const std::string& complaint) {
  std::fprintf(stderr, "probe: %s\n%s", complaint.c_str(), kUsageText);
  return kUsage;
}

int command(int count, char** words) {
  if (count < 2) return usage("no command");
  const std::string what = words[1];
  if (what == "list" && count == 2) {
    for (const Expectation& probe : kExpectations) std::printf("%s\n", probe.name);
    return 0;
  }
  Options options;
  for (int i = 2; i < count; ++i) {
    const std::string word = words[i];
    if (what == "run" && word == "--golden" && i + 1 < count) {
      options.golden = words[++i];
    } else if (what == "run" && word == "--seconds" && i + 1 < count && std::atoi(words[i + 1]) > 0) {
      options.seconds = static_cast<unsigned>(std::atoi(words[++i]));
    } else if (const Expectation* probe = find_expectation(words[i])) {
      options.probes.push_back(probe);
    } else {
      return usage("no probe or option \"" + word + "\"");
    }
  }
  if (what == "expect" && options.probes.size() == 1) {
    Report report;
    options.probes[0]->expect(report);
    std::fputs(report.text().c_str(), stdout);
    return 0;
  }
  if (what != "run") return usage("\"" + what + "\" is no command, or lacks a name");
  if (options.probes.empty()) {
    for (const Expectation& probe : kExpectations) options.probes.push_back(&probe);
  }
  return run(options);
}

}  // namespace
}  // namespace videomae::probe

int main(int count, char** words) { return videomae::probe::command(count, words); }
