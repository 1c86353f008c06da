// Every recipe by its name, with its options.
#include <array>
#include <string_view>
#include <utility>

#include "vocabulary.hpp"

namespace thalweg::runtime::detail {

namespace {

template <auto Recipe, class Options>
compiled::recipe make_recipe(const word& w) {
  return Recipe(read_fields<Options>(w));
}

struct named_recipe {
  std::string_view name;
  recipe_maker make;
};

constexpr std::array all_recipes{
    named_recipe{"adafactor", &make_recipe<&recipes::adafactor, recipes::adafactor_options>},
    named_recipe{"adagrad", &make_recipe<&recipes::adagrad, recipes::adagrad_options>},
    named_recipe{"adam", &make_recipe<&recipes::adam, recipes::adam_options>},
    named_recipe{"adamuon", &make_recipe<&recipes::adamuon, recipes::adamuon_options>},
    named_recipe{"adamw", &make_recipe<&recipes::adamw, recipes::adamw_options>},
    named_recipe{"adan", &make_recipe<&recipes::adan, recipes::adan_options>},
    named_recipe{"ademamix", &make_recipe<&recipes::ademamix, recipes::ademamix_options>},
    named_recipe{"adopt", &make_recipe<&recipes::adopt, recipes::adopt_options>},
    named_recipe{"amsgrad", &make_recipe<&recipes::amsgrad, recipes::amsgrad_options>},
    named_recipe{"amuse", &make_recipe<&recipes::amuse, recipes::amuse_options>},
    named_recipe{"cautious_adamw", &make_recipe<&recipes::cautious_adamw, recipes::cautious_adamw_options>},
    named_recipe{"lamb", &make_recipe<&recipes::lamb, recipes::lamb_options>},
    named_recipe{"laprop", &make_recipe<&recipes::laprop, recipes::laprop_options>},
    named_recipe{"lars", &make_recipe<&recipes::lars, recipes::lars_options>},
    named_recipe{"lion", &make_recipe<&recipes::lion, recipes::lion_options>},
    named_recipe{"mars_adamw", &make_recipe<&recipes::mars_adamw, recipes::mars_adamw_options>},
    named_recipe{"muon", &make_recipe<&recipes::muon, recipes::muon_options>},
    named_recipe{"nadam", &make_recipe<&recipes::nadam, recipes::nadam_options>},
    named_recipe{"normuon", &make_recipe<&recipes::normuon, recipes::normuon_options>},
    named_recipe{"radam", &make_recipe<&recipes::radam, recipes::radam_options>},
    named_recipe{"rmsprop", &make_recipe<&recipes::rmsprop, recipes::rmsprop_options>},
    named_recipe{"sf_adamw", &make_recipe<&recipes::sf_adamw, recipes::sf_adamw_options>},
    named_recipe{"sf_muon", &make_recipe<&recipes::sf_muon, recipes::sf_muon_options>},
    named_recipe{"sf_radam", &make_recipe<&recipes::sf_radam, recipes::sf_radam_options>},
    named_recipe{"sf_sgd", &make_recipe<&recipes::sf_sgd, recipes::sf_sgd_options>},
    named_recipe{"sgd", &make_recipe<&recipes::sgd, recipes::sgd_options>},
    named_recipe{"signum", &make_recipe<&recipes::signum, recipes::signum_options>},
    named_recipe{"soap", &make_recipe<&recipes::soap, recipes::soap_options>},
};

}  // namespace

recipe_maker find_recipe(std::string_view name) {
  for (const auto& r : all_recipes)
    if (r.name == name) return r.make;
  return nullptr;
}

std::vector<std::string> names_of_recipes() {
  std::vector<std::string> names;
  for (const auto& r : all_recipes) names.emplace_back(r.name);
  return names;
}

}  // namespace thalweg::runtime::detail
