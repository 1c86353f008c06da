# gnuplot docs/claims/claims.gnuplot: validation loss, the mean of the seeds, from the CSVs of the races.
set terminal pngcairo size 1500,620 noenhanced font "DejaVu Sans,11" background rgb "white"
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

array key[8] = ["adamw_wsd", "sf_adamw", "muon", "muon_wsd", "sf_muon", "sf_normuon", "amuse", "amuse_short_warmup"]
array name[8] = ["AdamW + WSD", "Schedule-Free AdamW", "Muon + cosine", "Muon + WSD", "SFMuon", "SF-NorMuon", "AMUSE, as published", "AMUSE, short warm-up"]
array colour[8] = ["#56B4E9", "#0072B2", "#E69F00", "#E69F00", "#009E73", "#8C564B", "#D55E00", "#CC79A7"]
array dashed[8] = [3, 1, 2, 3, 1, 1, 1, 1]
rows(file, i) = sprintf("< grep '^%s,.*,validation_loss,' docs/claims/%s.csv", key[i], file)
last(file) = real(system(sprintf("tail -n 1 docs/claims/%s.csv | cut -d, -f5", file)))

array task[3] = ["gpt", "convnet", "vit"]
array title_of[3] = ["Language (gpt): validation loss, bits a byte", "Residual network (convnet): validation loss", "Vision transformer (vit): validation loss"]
array low[3] = [2.2, 0.36, 0.54]
array high[3] = [4.2, 1.4, 1.55]
set multiplot layout 1,3
do for [t = 1:3] {
  steps = last(task[t])
  set title title_of[t]
  set yrange [low[t]:high[t]]
  if (t == 1) { set key right top samplen 2.5 spacing 1.1 } else { unset key }
  plot for [i = 1:|key|] rows(task[t], i) using (100.0 * $5 / steps):7 smooth unique with lines lw (key[i] eq "amuse_short_warmup" ? 4 : 2) \
    lc rgb colour[i] dt dashed[i] title name[i]
}
unset multiplot
