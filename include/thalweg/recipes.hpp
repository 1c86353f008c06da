// Every recipe.
#pragma once

#include <thalweg/core/type_list.hpp>

#include <thalweg/recipes/adafactor.hpp>
#include <thalweg/recipes/adagrad.hpp>
#include <thalweg/recipes/adam.hpp>
#include <thalweg/recipes/adamuon.hpp>
#include <thalweg/recipes/adamw.hpp>
#include <thalweg/recipes/adan.hpp>
#include <thalweg/recipes/ademamix.hpp>
#include <thalweg/recipes/adopt.hpp>
#include <thalweg/recipes/amsgrad.hpp>
#include <thalweg/recipes/amuse.hpp>
#include <thalweg/recipes/amuse_sgd.hpp>
#include <thalweg/recipes/cautious_adamw.hpp>
#include <thalweg/recipes/lamb.hpp>
#include <thalweg/recipes/laprop.hpp>
#include <thalweg/recipes/lars.hpp>
#include <thalweg/recipes/lion.hpp>
#include <thalweg/recipes/mars_adamw.hpp>
#include <thalweg/recipes/muon.hpp>
#include <thalweg/recipes/nadam.hpp>
#include <thalweg/recipes/normuon.hpp>
#include <thalweg/recipes/prodigy.hpp>
#include <thalweg/recipes/radam.hpp>
#include <thalweg/recipes/rmsprop.hpp>
#include <thalweg/recipes/scion.hpp>
#include <thalweg/recipes/sf_adamw.hpp>
#include <thalweg/recipes/sf_muon.hpp>
#include <thalweg/recipes/sf_normuon.hpp>
#include <thalweg/recipes/sf_plus.hpp>
#include <thalweg/recipes/sf_radam.hpp>
#include <thalweg/recipes/sf_sgd.hpp>
#include <thalweg/recipes/sgd.hpp>
#include <thalweg/recipes/signum.hpp>
#include <thalweg/recipes/soap.hpp>

namespace thalweg::recipes {

/// Each recipe once, by name.
using all = type_list<
    adafactor, adagrad, adam, adamuon, adamw, adan, ademamix, adopt, amsgrad, amuse, amuse_sgd, cautious_adamw,
    lamb, laprop, lars, lion, mars_adamw, muon, nadam, normuon, prodigy, radam, rmsprop, scion, sf_adamw, sf_muon,
    sf_normuon, sf_plus, sf_radam, sf_sgd, sgd, signum, soap>;

}  // namespace thalweg::recipes
