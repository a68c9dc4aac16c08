// Kernels are not exported, so the dynamic linker does not know them: their names come from the symbol table of the
// file that holds them.
#include "cuda/emu/kernel_name.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <vector>

namespace videomae::cuda::emu {
namespace {

/// The symbol at an offset of an ELF file; empty when there is none, or the file is no such.
std::string symbol_at(const char* path, uintptr_t offset) {
  std::ifstream stream(path, std::ios::binary);
  const std::vector<char> file((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  const auto within = [&](uint64_t from, uint64_t bytes) { return from <= file.size() && bytes <= file.size() - from; };
  if (!within(0, sizeof(ElfW(Ehdr)))) return "";
  const auto* header = reinterpret_cast<const ElfW(Ehdr)*>(file.data());
  if (!within(header->e_shoff, uint64_t{header->e_shnum} * sizeof(ElfW(Shdr)))) return "";
  const auto* sections = reinterpret_cast<const ElfW(Shdr)*>(file.data() + header->e_shoff);
  for (int i = 0; i < header->e_shnum; ++i) {
    const auto& section = sections[i];
    if (section.sh_type != SHT_SYMTAB || section.sh_link >= header->e_shnum) continue;
    const auto& strings = sections[section.sh_link];
    if (!within(section.sh_offset, section.sh_size) || !within(strings.sh_offset, strings.sh_size)) continue;
    const auto* symbols = reinterpret_cast<const ElfW(Sym)*>(file.data() + section.sh_offset);
    for (size_t n = 0; n < section.sh_size / sizeof(ElfW(Sym)); ++n) {
      const bool here = symbols[n].st_value == offset && (symbols[n].st_info & 0xF) == STT_FUNC;
      if (here && symbols[n].st_name < strings.sh_size) return file.data() + strings.sh_offset + symbols[n].st_name;
    }
  }
  return "";
}

/// "void videomae::cuda::(anonymous namespace)::scale<float>(float*, long)" to "scale<float>".
std::string shortened(const std::string& mangled) {
  int status = 0;
  char* demangled = abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status);
  std::string name = demangled ? demangled : mangled;
  std::free(demangled);
  for (const char* part : {"videomae::", "cuda::", "(anonymous namespace)::"}) {
    for (size_t at; (at = name.find(part)) != std::string::npos;) name.erase(at, std::string(part).size());
  }
  int depth = 0;  // of template arguments: the parameters' parenthesis is the first outside of them
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '<') ++depth;
    if (name[i] == '>') --depth;
    if (name[i] == '(' && depth == 0) name.resize(i);
  }
  if (name.rfind("void ", 0) == 0) name.erase(0, 5);
  return name;
}

}  // namespace

std::string kernel_name(const void* function) {
  static std::mutex lock;
  static std::map<const void*, std::string> known;
  const std::lock_guard<std::mutex> hold(lock);
  std::string& name = known[function];
  if (!name.empty()) return name;
  Dl_info info{};
  std::string symbol;
  if (dladdr(function, &info) && info.dli_fname) {
    const uintptr_t offset = reinterpret_cast<uintptr_t>(function) - reinterpret_cast<uintptr_t>(info.dli_fbase);
    symbol = symbol_at(info.dli_fname, offset);
    if (symbol.empty()) symbol = symbol_at("/proc/self/exe", offset);
  }
  return name = symbol.empty() ? "a kernel" : shortened(symbol);
}

}  // namespace videomae::cuda::emu
