// thalweg: shows, compares and converts checkpoints.
#include <getopt.h>

#include <array>
#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <thalweg/core/error.hpp>
#include <thalweg/text/call.hpp>

#include "commands.hpp"

using namespace thalweg;

namespace {

constexpr const char* usage =
    "thalweg show FILE                       print the chain, the steps, the options, and each array with its norm\n"
    "thalweg compare A B                     print the differences; the exit status is 1 if there are any\n"
    "thalweg convert FROM TO [OPTION...]     convert PyTorch's state of AdamW or Muon to a checkpoint, or back\n"
    "\n"
    "Options to convert PyTorch's state. The safetensors file has NAME.exp_avg, NAME.exp_avg_sq, NAME.step,\n"
    "NAME.momentum_buffer and the parameter NAME:\n"
    "  --chain TEXT          the optimizer's chain: \"adamw(beta2=0.95)\"\n"
    "  --options TEXT        the optimizer's options: \"weight_decay=0.01, warmup_steps=100\"\n"
    "  --role PATTERN=ROLE   the role of parameters whose name matches: \"wte*=embedding\"; hidden, embedding or head\n"
    "  --step N              the number of steps, if the file has no NAME.step\n";

[[noreturn]] void refuse(const auto&... parts) { throw error("thalweg", "Expected ", parts..., "."); }

/// Nothing that a terminal obeys: names come from files.
void print(std::string text) {
  for (char& c : text)
    if ((static_cast<unsigned char>(c) < ' ' && c != '\n') || c == '\x7f') c = '?';
  std::fputs(text.c_str(), stdout);
}

std::pair<std::string, role> role_of(std::string_view text) {
  const auto equals = text.rfind('=');
  const std::string_view said = equals == text.npos ? "" : text.substr(equals + 1);
  const auto read = text::read_value<role>({.text = std::string(said), .arguments = {}}, {});
  if (!read) refuse("--role PATTERN=hidden, embedding or head. Received ", in_quotes(text));
  return {std::string(text.substr(0, equals)), *read};
}

void convert(std::span<const std::string> files, const tool::optimizer_of_file& optimizer) {
  const tool::tensor_file from(files[0]);
  const bool back = from.is_checkpoint();
  if (!back && optimizer.chain.empty()) refuse("--chain TEXT, for a file that is no checkpoint of thalweg. Received none");
  const std::string bytes = back ? tool::to_torch(from) : tool::from_torch(from, optimizer);
  detail::replace_file(files[1], [&](const detail::write_bytes& write) { write(std::as_bytes(std::span(bytes)), 0); });
}

int run(int argc, char** argv) {
  tool::optimizer_of_file optimizer;
  constexpr std::array known{option{"chain", required_argument, nullptr, 'c'},
                             option{"options", required_argument, nullptr, 'o'},
                             option{"role", required_argument, nullptr, 'r'},
                             option{"step", required_argument, nullptr, 's'},
                             option{"help", no_argument, nullptr, 'h'}, option{}};
  opterr = 0;
  for (int found; (found = getopt_long(argc, argv, "h", known.data(), nullptr)) != -1;) {
    if (found == 'c') optimizer.chain = optarg;
    else if (found == 'o') optimizer.options = optarg;
    else if (found == 'r') optimizer.roles.push_back(role_of(optarg));
    else if (found == 's') {
      optimizer.step = text::read_whole_number({.text = *optarg ? optarg : "?", .arguments = {}});
      if (!optimizer.step || *optimizer.step < 0) refuse("--step in [0, inf), whole. Received ", in_quotes(optarg));
    } else if (found == 'h') {
      std::fputs(usage, stdout);
      return 0;
    } else {
      refuse("an option of --help, with its value. Received ", in_quotes(argv[optind - 1]));
    }
  }
  const std::vector<std::string> words(argv + optind, argv + argc);
  const std::string command = words.empty() ? "" : words.front();
  const auto files = std::span(words).subspan(words.empty() ? 0 : 1);
  if (command == "show" && files.size() == 1) {
    print(tool::shown(tool::tensor_file(files[0])));
  } else if (command == "compare" && files.size() == 2) {
    const std::string text = tool::differences(tool::tensor_file(files[0]), tool::tensor_file(files[1]));
    print(text.empty() ? "no difference\n" : text);
    return text.empty() ? 0 : 1;
  } else if (command == "convert" && files.size() == 2) {
    convert(files, optimizer);
  } else {
    std::fputs(usage, stderr);
    return 2;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  return run(argc, argv);
} catch (const std::exception& failure) {
  std::fprintf(stderr, "%s\n", failure.what());
  return 2;
}
