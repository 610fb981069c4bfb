# One line for each line of features: p_0 is the first class in sorted order (benign), p_1 the second (malignant).
set -eu
awk -F, -v model="$NOA_MODEL/model.txt" '
  BEGIN {
    while ((getline line < model) > 0) {
      split(line, part, " "); at = part[1] SUBSEP part[2]
      prior[part[1]] = part[3]; mean[at] = part[4]; variance[at] = part[5]
    }
  }
  NR == 1 { print "p_0,p_1"; next }
  {
    for (class in prior) {
      score[class] = log(prior[class])
      for (i = 1; i <= NF; i++) score[class] -= (log(variance[class, i]) + ($i - mean[class, i]) ^ 2 / variance[class, i]) / 2
    }
    apart = score["malignant"] - score["benign"]
    if (apart > 30) apart = 30
    if (apart < -30) apart = -30
    p = 1 / (1 + exp(-apart))
    printf "%.15f,%.15f\n", 1 - p, p
  }' "$NOA_DATA" > "$NOA_OUT/predictions.csv"
