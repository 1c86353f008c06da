# gnuplot docs/performance.gnuplot
set terminal pngcairo size 900,380 font "sans,11"
set output "docs/performance.png"
set title "The AMUSE step on GPT-2 small's block, two threads (ms)"
set style fill solid 0.9
set boxwidth 0.6
set yrange [0:*]
set grid ytics lc rgb "#dddddd"
set border 3
set tics nomirror
unset key
set bmargin 3.5
$times << end
"thalweg\nbfloat16" 61 0x2a6f97
"thalweg\nfloat32" 124 0x2a6f97
"PyTorch\nbfloat16" 145 0xbbbbbb
"PyTorch\nfloat32" 681 0xbbbbbb
end
plot $times using 0:2:3:xtic(1) with boxes lc rgb variable, \
     "" using 0:($2 + 25):2 with labels
