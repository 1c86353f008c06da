# gnuplot docs/claims/claims.gnuplot: validation loss, the mean of the seeds, from the CSVs of the races.
set terminal pngcairo size 1650,620 noenhanced font "DejaVu Sans,12" background rgb "white"
set output "docs/claims/better.png"
set encoding utf8
set datafile separator ","
set multiplot layout 1,3
set border 3 lc rgb "#888888"
set tics nomirror
set grid xtics ytics lt 1 lc rgb "#e4e4e4"
set logscale x
set xrange [10:100]
set xtics ("10 %%" 10, "25 %%" 25, "50 %%" 50, "100 %%" 100)
set xlabel "share of the budget (logarithmic)"
set key right top samplen 2.5 spacing 1.1

array key[10] = ["adamw", "adamw_wsd", "sf_adamw", "muon", "muon_wsd", "sf_muon", "sf_normuon", "amuse", "amuse_short_warmup", "amuse_sgd"]
array name[10] = ["AdamW + cosine", "AdamW + WSD", "Schedule-Free AdamW", "Muon + cosine", "Muon + WSD", "SFMuon", "SF-NorMuon", "AMUSE", "AMUSE, short warm-up", "AMUSE, plain gradient"]
array colour[10] = ["#56B4E9", "#56B4E9", "#0072B2", "#E69F00", "#E69F00", "#009E73", "#8C564B", "#D55E00", "#CC79A7", "#7B4FBF"]
array dashed[10] = [2, 3, 1, 2, 3, 1, 1, 1, 1, 1]
rows(file, i) = sprintf("< grep '^%s,.*,validation_loss,' docs/claims/%s.csv", key[i], file)
curve = "using (100.0 * $5 / steps):7 smooth unique"

do for [file in "gpt convnet vit"] {
  steps = real(system("tail -n 1 docs/claims/" . file . ".csv | cut -d, -f5"))
  set title file
  set yrange [*:*]
  plot for [i = 1:|key|] rows(file, i) using (100.0 * $5 / steps):7 smooth unique with lines lw (key[i] eq "amuse" ? 4 : 2) \
    lc rgb colour[i] dt dashed[i] title name[i]
}
unset multiplot
