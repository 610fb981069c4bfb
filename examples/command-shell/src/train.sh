# Gaussian naive Bayes: mean and variance of every column, for each class.
# NOA_DATA is a CSV file, text in quotes, with the target as its last column; a model is any file in NOA_OUT.
set -eu
awk -F, '
  { gsub(/"/, "") }
  NR == 1 { features = NF - 1; next }
  { n[$NF]++; for (i = 1; i <= features; i++) { sum[$NF, i] += $i; squares[$NF, i] += $i * $i } }
  END {
    for (class in n) for (i = 1; i <= features; i++) {
      mean = sum[class, i] / n[class]
      printf "%s %d %.10g %.10g %.10g\n", class, i, n[class] / (NR - 1), mean, squares[class, i] / n[class] - mean * mean + 1e-9
    }
  }' "$NOA_DATA" | LC_ALL=C sort > "$NOA_OUT/model.txt"
