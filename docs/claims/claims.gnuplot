# gnuplot docs/claims/claims.gnuplot: validation loss, the mean of the seeds, from the CSV of the race.
set terminal pngcairo size 900,560 noenhanced font "DejaVu Sans,12" background rgb "white"
set output "docs/claims/better.png"
set encoding utf8
set datafile separator ","
set border 3 lc rgb "#888888"
set tics nomirror
set grid xtics ytics lt 1 lc rgb "#e4e4e4"
set logscale x
set xrange [9.99:100.01]
set xtics ("10 %%" 10, "25 %%" 25, "50 %%" 50, "100 %%" 100)
set xlabel "share of the budget (logarithmic)"
set key right top samplen 2.5 spacing 1.1

array key[8] = ["adamw_wsd", "sf_adamw", "muon", "muon_wsd", "sf_muon", "sf_normuon", "amuse", "amuse_short_warmup"]
array name[8] = ["AdamW + WSD", "Schedule-Free AdamW", "Muon + cosine", "Muon + WSD", "SFMuon", "SF-NorMuon", "AMUSE, as published", "AMUSE, short warm-up"]
array colour[8] = ["#56B4E9", "#0072B2", "#E69F00", "#E69F00", "#009E73", "#8C564B", "#D55E00", "#CC79A7"]
array dashed[8] = [3, 1, 2, 3, 1, 1, 1, 1]
rows(file, i) = sprintf("< grep '^%s,.*,validation_loss,' docs/claims/%s.csv", key[i], file)

steps = real(system("tail -n 1 docs/claims/gpt.csv | cut -d, -f5"))
set title "Language (gpt): validation loss, bits a byte"
set yrange [2.2:4.2]
plot for [i = 1:|key|] rows("gpt", i) using (100.0 * $5 / steps):7 smooth unique with lines lw (key[i] eq "amuse" ? 4 : 2) \
  lc rgb colour[i] dt dashed[i] title name[i]
